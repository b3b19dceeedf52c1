//! What is known of a purchase to come, in figures that are weighed.

use super::gaps::{Past, log_odds};
use crate::events::Baskets;
use crate::ids::ItemId;
use crate::time::{DAY_MS, Timestamp};

/// How many figures there are:
///
/// | | |
/// |---|---|
/// | 0 | 1 |
/// | 1, 2 | log-odds of a purchase soon by the rhythm of item and pair; of any order soon by the customer's |
/// | 3, 8, 16 | how often it was bought; how often of late; whether only once |
/// | 4, 5, 9, 13 | usual days; how much of them has passed, and that squared; days since the latest |
/// | 6, 7, 10 | its share of the orders since the first, orders since the latest, its share of all orders |
/// | 11, 15 | how often per day, since it was first bought; the same of the customer's orders |
/// | 12 | how often those who bought the item came back for it |
/// | 14 | days since the customer's latest order |
/// | 17, 18 | what the shop sold of it lately, and how that is to what it usually sells |
///
/// Counts, days and shares are logarithms.
pub(super) const FIGURES: usize = 19;

/// The figure that is the log-odds by the rhythm of item and pair.
pub(super) const BY_RHYTHM: usize = 1;

/// What is known of a purchase before it is weighed.
pub(super) type Figures = [f32; FIGURES];

/// Rates count from so many days before the first purchase: who bought but once yesterday is no daily buyer.
const RATE_DAYS: f64 = 14.0;

/// What is asked about: an item of a customer on a day.
pub(super) struct Asked<'a> {
    pub(super) item: ItemId,
    pub(super) past: &'a Past,
    pub(super) shopper: &'a Shopper,
    pub(super) demand: &'a Demand,
    pub(super) now: Timestamp,
}

/// A customer, whatever they bought.
pub(super) struct Shopper {
    pub(super) orders: Past,
    /// Log-odds of any order soon.
    pub(super) soon: f64,
}

impl Asked<'_> {
    /// Log-odds by the rhythm, ln of the usual days, and the chance of the item's buyers to come back make the rest.
    pub(super) fn figures(&self, rhythm: f64, mean: f64, again: f64) -> Figures {
        let Self { item, past, shopper: Shopper { orders, soon }, demand, now } = self;
        let times = f64::from(past.times);
        let since = now.days_since(past.last).max(0.0);
        let passed = (since + 1.0).ln() - mean;
        let rate =
            |past: &Past| (f64::from(past.times) / (now.days_since(past.first) + RATE_DAYS)).ln();
        let figures = [
            1.0,
            rhythm,
            *soon,
            times.ln(),
            mean,
            passed,
            (times / (1.0 + f64::from(past.orders_since_first))).ln(),
            f64::from(past.orders_ago).ln_1p(),
            (f64::from(past.lately) + 0.05).ln(),
            since.ln_1p(),
            (times / f64::from(orders.times.max(1))).ln(),
            rate(past),
            log_odds(again.max(0.01)),
            passed * passed,
            now.days_since(orders.last).max(0.0).ln_1p(),
            rate(orders),
            f64::from(u8::from(past.times == 1)),
            f64::from(demand.sold[item.index()]),
            f64::from(demand.trend[item.index()]),
        ];
        figures.map(|figure| figure as f32)
    }
}

/// What the shop sold of each item of late.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Demand {
    /// ln(1 + orders of known customers in the last 28 days).
    pub sold: Vec<f32>,
    /// ln of these orders, to as many days' share of all that were before, one more on either side.
    pub trend: Vec<f32>,
}

/// Lately is within so many days.
const LATELY_DAYS: i64 = 28;

impl Demand {
    /// As of `now`.
    pub(super) fn of(baskets: &Baskets, item_count: usize, now: Timestamp) -> Self {
        let (mut all, mut lately) = (vec![0u32; item_count], vec![0u32; item_count]);
        let (mut first, recent) = (now, now.plus_days(-LATELY_DAYS));
        for (items, (&at, customer)) in
            baskets.items.rows().zip(baskets.at.iter().zip(&baskets.customers))
        {
            if customer.is_none() || at > now {
                continue;
            }
            first = first.min(at);
            for item in items {
                all[item.index()] += 1;
                lately[item.index()] += u32::from(at > recent);
            }
        }
        let known_days = ((now.0 - first.0) as f64 / DAY_MS as f64).max(LATELY_DAYS as f64);
        let usual = |all: u32| f64::from(all) * LATELY_DAYS as f64 / known_days;
        let trend = |(&lately, &all): (&u32, &u32)| {
            ((f64::from(lately) + 1.0) / (usual(all) + 1.0)).ln() as f32
        };
        Self {
            sold: lately.iter().map(|&sold| (sold as f32).ln_1p()).collect(),
            trend: lately.iter().zip(&all).map(trend).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::CustomerId;

    #[test]
    fn what_sells_more_of_late_than_usual_is_told_from_what_sells_less_and_strangers_do_not_count()
    {
        let mut baskets = Baskets::default();
        let mut order = |day: i64, item: usize, customer: Option<usize>| {
            let at = Timestamp(0).plus_days(day);
            baskets.push(customer.map(CustomerId::new), at, [(ItemId::new(item), 1.0)]);
        };
        // Item 0 sells every fourth day; item 1 in the last month only; item 2 before it only; item 3 to strangers.
        (0..100).step_by(4).for_each(|day| order(day, 0, Some(1)));
        (72..100).step_by(2).for_each(|day| order(day, 1, Some(2)));
        (0..40).step_by(2).for_each(|day| order(day, 2, Some(3)));
        (80..100).for_each(|day| order(day, 3, None));
        let now = Timestamp(0).plus_days(99);
        let Demand { sold, trend } = Demand::of(&baskets, 4, now);
        assert!(trend[0].abs() < 0.15 && trend[1] > 0.9 && trend[2] < -1.5, "{trend:?}");
        assert_eq!(sold[1], 15f32.ln());
        assert_eq!((sold[2], sold[3], trend[3]), (0.0, 0.0, 0.0));
        let before = Demand::of(&baskets, 4, Timestamp(0).plus_days(50));
        assert_eq!(before.sold[1], 0.0, "what came later is not known yet");
    }
}
