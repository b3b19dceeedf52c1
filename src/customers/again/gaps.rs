//! Gaps between purchases as a log-normal, shrunk from the shop down to the pair of customer and item.

use rustc_hash::FxHashMap;

use super::SOON_DAYS;
use crate::customers::history::{lately, orders_by_customer};
use crate::events::Baskets;
use crate::ids::ItemId;
use crate::special::normal;
use crate::time::Timestamp;

/// Gaps shorter than this are one purchase in two steps, days.
const SHORTEST_GAP_DAYS: f64 = 0.5;
/// What the category's, and the shop's, gaps are weighed with: so many gaps.
const PRIOR_GAPS: f64 = 5.0;
/// What the item's gaps count for beside the pair's own.
const PAIR_PRIOR: f64 = 2.0;
/// What is believed of coming back counts as much as so many chances to.
const AGAIN_PRIOR: f64 = 3.0;

/// Gaps, summed up.
#[derive(Clone, Copy, Default)]
pub(super) struct Gaps {
    pub(super) bought: f64,
    pub(super) count: f64,
    ln: f64,
    ln_squared: f64,
}

/// Gaps as a log-normal: mean and variance of ln of the days, and the chance that there is one.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    pub(super) mean: f64,
    pub(super) variance: f64,
    pub(super) again: f64,
}

impl Default for Shape {
    /// Of a shop of which nothing is known: about a month, one in ten.
    fn default() -> Self {
        Self { mean: 30f64.ln(), variance: 1.0, again: 0.1 }
    }
}

/// What one customer did with one item, or with the shop.
#[derive(Clone, Copy, Debug)]
pub(super) struct Past {
    pub(super) times: u32,
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
    /// Orders of the customer since the first, and since the latest.
    pub(super) orders_since_first: u32,
    pub(super) orders_ago: u32,
    /// See [`Bought::lately`](crate::customers::Bought::lately).
    pub(super) lately: f32,
}

impl Past {
    /// Not bought yet; so many orders of the customer follow behind that of `at`.
    pub(super) fn starting(at: Timestamp, orders_behind: u32) -> Self {
        let (first, last) = (at, at);
        let (orders_since_first, orders_ago) = (orders_behind, orders_behind);
        Self { times: 0, first, last, orders_since_first, orders_ago, lately: 0.0 }
    }

    pub(super) fn add(&mut self, at: Timestamp, orders_behind: u32) {
        self.times += 1;
        (self.last, self.orders_ago) = (at, orders_behind);
        self.lately += lately(orders_behind as usize);
    }

    pub(super) fn gaps(&self) -> f64 {
        f64::from(self.times.max(1) - 1)
    }

    /// The chance to come back, from what is believed before: who has come back each time so far is likely to again.
    pub(super) fn again(&self, believed: f64) -> f64 {
        let gaps = self.gaps();
        ((AGAIN_PRIOR * believed + gaps) / (AGAIN_PRIOR + gaps)).clamp(0.01, 0.99)
    }

    /// ln of the usual days: the mean of the own gaps beside what is usual.
    pub(super) fn mean(&self, usual_ln: f64) -> f64 {
        let (gaps, span) = (self.gaps(), self.last.days_since(self.first));
        if gaps < 1.0 || span < SHORTEST_GAP_DAYS {
            return usual_ln;
        }
        let own = (span / gaps).max(SHORTEST_GAP_DAYS).ln();
        (PAIR_PRIOR * usual_ln + gaps * own) / (PAIR_PRIOR + gaps)
    }
}

/// The gaps of each item, and those between orders, up to a moment.
pub(super) fn tallied(baskets: &Baskets, item_count: usize, until: Timestamp) -> (Vec<Gaps>, Gaps) {
    let (mut items, mut between) = (vec![Gaps::default(); item_count], Gaps::default());
    for (_, orders) in orders_by_customer(baskets) {
        let mut latest: FxHashMap<ItemId, Timestamp> = FxHashMap::default();
        let mut order_before = None;
        for order in orders.filter(|&order| baskets.at[order] <= until) {
            let at = baskets.at[order];
            between.add(order_before.replace(at).map(|before| at.days_since(before)));
            for &item in baskets.items.row(order) {
                let before = latest.insert(item, at);
                items[item.index()].add(before.map(|before| at.days_since(before)));
            }
        }
    }
    (items, between)
}

impl Gaps {
    /// A purchase, so many days after the one before.
    fn add(&mut self, days: Option<f64>) {
        self.bought += 1.0;
        if let Some(days) = days.filter(|days| *days >= SHORTEST_GAP_DAYS) {
            self.count += 1.0;
            self.ln += days.ln();
            self.ln_squared += days.ln() * days.ln();
        }
    }

    pub(super) fn plus(mut self, other: &Self) -> Self {
        self.bought += other.bought;
        self.count += other.count;
        self.ln += other.ln;
        self.ln_squared += other.ln_squared;
        self
    }

    /// Shrunk to what is above.
    pub(super) fn shape(&self, above: Shape) -> Shape {
        let count = self.count + PRIOR_GAPS;
        let mean = (self.ln + PRIOR_GAPS * above.mean) / count;
        let own = if self.count > 0.0 { self.ln / self.count } else { 0.0 };
        let squares = (self.ln_squared - self.count * own * own).max(0.0);
        let variance = ((squares + PRIOR_GAPS * above.variance) / count).max(0.01);
        let again = (self.count + PRIOR_GAPS * above.again) / (self.bought + PRIOR_GAPS);
        Shape { mean, variance, again: again.min(0.99) }
    }
}

/// The chance of a purchase within [`SOON_DAYS`], if there was none for so many days: again × (F(t + 7) − F(t)) ÷
/// (1 − again × F(t)), where F is the log-normal of the gaps.
pub(super) fn soon(mean: f64, spread: f64, again: f64, days_since: f64) -> f64 {
    let by = |days: f64| match days > 0.0 {
        true => normal((days.ln() - mean) / spread),
        false => 0.0,
    };
    let (now, then) = (by(days_since), by(days_since + SOON_DAYS as f64));
    again * (then - now) / (1.0 - again * now)
}

pub(super) fn log_odds(chance: f64) -> f64 {
    let chance = chance.clamp(1e-4, 1.0 - 1e-4);
    (chance / (1.0 - chance)).ln()
}
