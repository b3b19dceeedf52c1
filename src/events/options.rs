//! How a shop wants its events read.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::kinds::Words;
use crate::tables::{Clock, DateOrder, time_zone};
use crate::time::Timestamp;
use crate::{Error, Result};

/// How a shop wants its events read. Every default suits a shop that never heard of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReadOptions {
    /// Role → column, where detection guesses wrong: `item_id = "SKU"`. Default: none.
    pub map: BTreeMap<String, String>,
    /// IANA name of the zone in which moments without one are read, and days begin. Default: "UTC".
    pub time_zone: String,
    /// Whether `1/2/2024` is the first of February. Default: what a file's other dates say, or else those of the other
    /// files, or else that it isn't.
    pub day_first: Option<bool>,
    /// A file with a larger share of unreadable rows is refused, 0 to 1. Default: 0.10.
    pub max_unreadable_share: f64,
    /// More units than this in one line are a typing error. Default: 100,000.
    pub max_quantity: f64,
    /// Events at or after this moment or day are set aside. Default: none.
    pub before: Option<String>,
    /// Events before this moment or day are set aside. Default: none.
    pub after: Option<String>,
    /// The shop's own word → `view`, `cart`, `favorite`, `purchase`, `return` or `ignore`. Default: none
    /// beside the usual words.
    pub event_types: BTreeMap<String, String>,
    /// Codes and titles that are bookkeeping, not goods; case is ignored, a `*` at an end stands for
    /// anything. Default: postage, fees, discounts, vouchers and their like.
    pub non_products: Vec<String>,
    /// What stands in the customer's column for nobody: guests, the till; case is ignored. Default: "guest", "anonymous".
    /// Many shops write 0.
    pub nobody: Vec<String>,
    /// True keeps `85123a` and `85123A` apart; else they are one item under its more frequent
    /// spelling. Default: false.
    pub match_case: bool,
    /// True keeps what programs put there: customers with thousands of baskets like nobody else's, and bursts of
    /// equal baskets of nobody. Default: false.
    pub keep_programs: bool,
    /// Counts rows that say the very same as often as they come, where each unit has a row of its own; default false:
    /// once, for something was delivered twice.
    pub keep_repeats: bool,
}

/// Single letters (UCI's `M`, `D`, `S`, `B`) are caught by their titles: in another shop they are goods.
const NON_PRODUCTS: [&str; 47] = [
    "POST",
    "POSTAGE",
    "DOT",
    "DOTCOM POSTAGE",
    "CARRIAGE",
    "MANUAL",
    "DISCOUNT",
    "SAMPLES",
    "BANK CHARGES",
    "AMAZONFEE",
    "AMAZON FEE",
    "CRUK",
    "CRUK COMMISSION",
    "ADJUST",
    "ADJUST2",
    "ADJUST BAD DEBT",
    "ADJUSTMENT BY *",
    "TEST001",
    "TEST002",
    "THIS IS A TEST PRODUCT*",
    "SHIPPING",
    "SHIPPING COST*",
    "SHIPPING FEE*",
    "SHIPPING CHARGE*",
    "DELIVERY FEE*",
    "DELIVERY CHARGE*",
    "HANDLING FEE*",
    "SERVICE FEE*",
    "ROUNDING",
    "GIFT VOUCHER*",
    "GIFT CARD*",
    "*GIFT VOUCHER £*",
    "GIFT_0001_*",
    "NEXT DAY CARRIAGE",
    "SHIPPING PROTECTION*",
    "PACKAGE PROTECTION*",
    "TEST PRODUCT*",
    "VERSAND",
    "VERSANDKOSTEN*",
    "PORTO",
    "GUTSCHEIN",
    "GESCHENKGUTSCHEIN*",
    "FRAIS DE PORT*",
    "GASTOS DE ENVÍO*",
    "GASTOS DE ENVIO*",
    "SPESE DI SPEDIZIONE*",
    "VERZENDKOSTEN*",
];

impl Default for ReadOptions {
    fn default() -> Self {
        Self {
            map: BTreeMap::new(),
            time_zone: "UTC".into(),
            day_first: None,
            max_unreadable_share: 0.10,
            max_quantity: 100_000.0,
            before: None,
            after: None,
            event_types: BTreeMap::new(),
            non_products: NON_PRODUCTS.map(String::from).to_vec(),
            nobody: ["guest", "anonymous"].map(String::from).to_vec(),
            match_case: false,
            keep_programs: false,
            keep_repeats: false,
        }
    }
}

impl ReadOptions {
    /// The shop's time zone.
    ///
    /// Errors: the name is not known.
    pub fn zone(&self) -> Result<jiff::tz::TimeZone> {
        time_zone(&self.time_zone)
    }

    /// The moments from `after` (inclusive) to `before` (exclusive).
    pub(super) fn period(&self) -> Result<std::ops::Range<Timestamp>> {
        let read = |setting: &str, text: &Option<String>, otherwise: i64| match text {
            None => Ok(Timestamp(otherwise)),
            Some(text) => self.moment(setting, text),
        };
        Ok(read("after", &self.after, i64::MIN)?..read("before", &self.before, i64::MAX)?)
    }

    fn moment(&self, setting: &str, text: &str) -> Result<Timestamp> {
        let value = || std::iter::once(text.trim().as_bytes());
        let clock = Clock::of(value(), DateOrder::default(), &self.zone()?);
        clock.read(text.trim().as_bytes()).ok_or_else(|| {
            Error::Config(format!("events.{setting} = {text:?}: expected a day or moment like 2011-10-15 or 2011-10-15T08:00:00Z"))
        })
    }

    /// Errors: a setting is out of its range, or names a zone, a day or a kind of event that is none.
    pub(crate) fn check(&self) -> Result<()> {
        let refuse = |setting: &str, came: f64, expected: &str| {
            Err(Error::Config(format!("events.{setting} = {came}: expected {expected}")))
        };
        if !(0.0..=1.0).contains(&self.max_unreadable_share) {
            return refuse(
                "max_unreadable_share",
                self.max_unreadable_share,
                "a share from 0 to 1",
            );
        }
        if self.max_quantity.is_nan() || self.max_quantity < 1.0 {
            return refuse("max_quantity", self.max_quantity, "at least 1 unit");
        }
        self.zone()?;
        self.period()?;
        Words::with(&self.event_types).map(drop)
    }
}
