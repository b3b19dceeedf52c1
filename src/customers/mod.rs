//! Who buys: what each customer bought and looked at, how soon people come back for an item; and what is
//! known of every customer: orders, stage, value, churn, likes.
//!
//! | File | What |
//! |---|---|
//! | `history`, `cadence` | what was bought and looked at, and how soon people come back for it |
//! | `again` | what a customer is about to buy again, and when |
//! | `arrival` | who may want an item that is new |
//! | `ledger` | every customer's orders with what was paid; all below is worked out from it |
//! | `rfm`, `five` | recency, frequency, money; value from five sides; order value × frequency |
//! | `lifecycle` | new, active, silent, sleeping, churned, by the customer's own rhythm |
//! | [`value`] | BG/NBD, Pareto/NBD, Gamma–Gamma: who is alive, and what they will bring |
//! | `churn` | how likely a customer is not to come back within four weeks |
//! | `preferences`, `segments` | what a customer likes; who is like whom |
//! | `kpis` | what the owner looks at |
//! | `profile` | all of it, for one customer and for all |
//!
//! This room knows customers and their rhythm. It refuses to know which items go together.

mod again;
mod arrival;
mod cadence;
mod churn;
mod five;
mod history;
mod interest;
mod kpis;
mod ledger;
mod lifecycle;
mod logistic;
mod preferences;
mod profile;
mod rfm;
mod segments;
pub mod value;

use serde::{Deserialize, Serialize};

pub use again::{Demand, Due, Recurrence, SOON_DAYS};
pub use arrival::{ArrivalModel, Calling, Kin, Likeness};
pub use cadence::{Cadence, DueCurve};
pub use churn::{CHURN_DAYS, ChurnModel, LostBy};
pub use five::{Aspects, Quadrant, Thresholds};
pub use history::{Bought, Drawn, Foreseen, Glance, History, KEPT_DUE, Pasts};
pub use interest::{Foretold, Interests};
pub use kpis::{Cohort, Kpis, Period, Stages, Step, date};
pub use ledger::{Ledger, Order};
pub use lifecycle::{Lifecycle, Rhythm, Stage, Standing};
pub use preferences::{Favourite, Preferences};
pub use profile::{
    Attribute, Buyer, Churn, Clientele, KEPT_ORDERS, Paid, Profile, ProfileOptions, Profiler,
    Source,
};
pub use rfm::{Rfm, RfmSegment};
pub use segments::{Segment, Segments};

use crate::error::{Error, Result};
/// What a customer can do, for those who read a past and have no business with the log.
pub use crate::events::EventKind;

/// How the past of a customer counts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HistoryOptions {
    /// Each later order of the customer multiplies what an order counts by this. 0 to 1; default 0.98.
    pub order_decay: f64,
    /// After so many days an order counts half. Days, > 0; default 365.
    pub half_life_days: f64,
    /// What an earlier order says of what else is liked beside the next one, beyond that: tuned from here downwards.
    /// Above 0, at most 1; default 1.
    pub earlier: f32,
    /// How many of the latest looks, carts and favourites are kept per customer. Default 100.
    pub glances: usize,
}

impl Default for HistoryOptions {
    fn default() -> Self {
        Self { order_decay: 0.98, half_life_days: 365.0, earlier: 1.0, glances: 100 }
    }
}

impl HistoryOptions {
    /// Errors: a value out of its range.
    pub fn check(&self) -> Result<()> {
        if !(0.0..=1.0).contains(&self.order_decay) {
            return Err(Error::Config(format!(
                "history.order_decay must be from 0 to 1, not {}",
                self.order_decay
            )));
        }
        if !(self.half_life_days > 0.0 && self.half_life_days.is_finite()) {
            return Err(Error::Config(format!(
                "history.half_life_days must be a positive number of days, not {}",
                self.half_life_days
            )));
        }
        if !(self.earlier > 0.0 && self.earlier <= 1.0) {
            return Err(Error::Config(format!(
                "history.earlier must be above 0 and at most 1, not {}",
                self.earlier
            )));
        }
        Ok(())
    }

    /// What is left of an order's weight after `orders` later ones and `days`.
    fn decay(&self, orders: usize, days: f64) -> f64 {
        self.order_decay.powi(orders as i32) * 0.5f64.powf(days.max(0.0) / self.half_life_days)
    }
}
