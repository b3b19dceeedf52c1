//! The bounds, and why they stand where they do.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// How far a new generation may be from the current one.
///
/// The defaults let pass whatever a shop's next day, next week or next season brings, and stop what only a
/// broken export brings: half a file, a month of it, another shop's, one whose columns moved. Shares are of the
/// current generation's figure: a drop of 0.3 asks for at least 70 % of it, a rise of 2 for at most three times
/// as much. Where there is too little to compare, nothing is compared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GateOptions {
    /// Rows used may be fewer by this share; default 0.3: a log that is kept for some months loses a month at
    /// most.
    pub rows_drop: f64,
    /// … and more; default 2: a file delivered three times is caught, a second year is not.
    pub rows_rise: f64,
    /// Rows of one kind (view, purchase, …) may be fewer by this share; default 0.6: looks come and go with the
    /// season more than purchases.
    pub kind_drop: f64,
    /// The share of rows that are set aside may be higher by so much; default 0.15.
    pub set_aside_rise: f64,
    /// The log may end so many days before the current one's end; default 1: yesterday's file once more does no
    /// harm, last month's does.
    pub days_back: f64,
    /// Items may be fewer by this share; default 0.3.
    pub items_drop: f64,
    /// … and more; default 2.
    pub items_rise: f64,
    /// Items of the catalogue may be fewer by this share; default 0.3: what it says nothing of is offered sold out.
    pub listed_drop: f64,
    /// Customers may be fewer by this share; default 0.3.
    pub customers_drop: f64,
    /// Rules may be fewer by this share; default 0.5: they are many, rare ones come and go.
    pub rules_drop: f64,
    /// … and more; default 4.
    pub rules_rise: f64,
    /// A question's held-out figure may be lower by this share, and by three standard errors besides;
    /// default 0.3: one week is harder to guess than another by a tenth or two.
    pub accuracy_drop: f64,
    /// … and must reach this share of what popularity alone reaches, less three standard errors; default 0.7.
    pub least_of_popularity: f64,
    /// Items that are answered from evidence, rather than from popularity alone, may be a smaller share by this
    /// share of it; default 0.25.
    pub coverage_drop: f64,
    /// Of the current lists of the most popular items, so much must be in the new ones; default 0.2: tuning anew
    /// may change half of a list, another shop's log changes all of it.
    pub least_overlap: f64,
    /// Of the most popular items of the current generation, so many must be known to the new one; default 0.5.
    pub least_known: f64,
    /// The generation may take fewer bytes on disk by this share; default 0.7.
    pub size_drop: f64,
    /// … and more; default 4.
    pub size_rise: f64,
    /// The median answer to a question may take so many times as long, if it takes more than 50 ms; default 10:
    /// the machine may be busy.
    pub time_rise: f64,
    /// … and at most so many milliseconds, whatever it took before; default 250.
    pub most_ms: f64,
    /// File of golden queries: questions, one a line, with items that must be in the answer; see
    /// [`Golden`](super::golden::Golden). Default: none.
    pub golden: Option<PathBuf>,
    /// Publishes whatever the bounds say, and has the manifest tell. Set by `--force`, never by a file.
    #[serde(skip)]
    pub force: bool,
}

impl Default for GateOptions {
    fn default() -> Self {
        Self {
            rows_drop: 0.3,
            rows_rise: 2.0,
            kind_drop: 0.6,
            set_aside_rise: 0.15,
            days_back: 1.0,
            items_drop: 0.3,
            items_rise: 2.0,
            listed_drop: 0.3,
            customers_drop: 0.3,
            rules_drop: 0.5,
            rules_rise: 4.0,
            accuracy_drop: 0.3,
            least_of_popularity: 0.7,
            coverage_drop: 0.25,
            least_overlap: 0.2,
            least_known: 0.5,
            size_drop: 0.7,
            size_rise: 4.0,
            time_rise: 10.0,
            most_ms: 250.0,
            golden: None,
            force: false,
        }
    }
}

impl GateOptions {
    /// Errors: the first bound that is no number, or out of its range.
    pub fn check(&self) -> Result<()> {
        let shares = [
            ("rows_drop", self.rows_drop),
            ("kind_drop", self.kind_drop),
            ("set_aside_rise", self.set_aside_rise),
            ("items_drop", self.items_drop),
            ("listed_drop", self.listed_drop),
            ("customers_drop", self.customers_drop),
            ("rules_drop", self.rules_drop),
            ("accuracy_drop", self.accuracy_drop),
            ("coverage_drop", self.coverage_drop),
            ("least_overlap", self.least_overlap),
            ("least_known", self.least_known),
            ("size_drop", self.size_drop),
        ];
        let factors = [
            ("rows_rise", self.rows_rise),
            ("days_back", self.days_back),
            ("items_rise", self.items_rise),
            ("rules_rise", self.rules_rise),
            ("least_of_popularity", self.least_of_popularity),
            ("size_rise", self.size_rise),
            ("time_rise", self.time_rise),
            ("most_ms", self.most_ms),
        ];
        let shares = shares.map(|(name, value)| (name, value, 1.0));
        let factors = factors.map(|(name, value)| (name, value, 1e9));
        for (name, value, most) in shares.into_iter().chain(factors) {
            if !(0.0..=most).contains(&value) {
                return Err(Error::Config(format!(
                    "train.gate.{name} must be from 0 to {most}, not {value}"
                )));
            }
        }
        Ok(())
    }
}
