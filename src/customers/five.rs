//! Value in five aspects, each from 0 to 100; and the four fields of order value × frequency.

use serde::{Deserialize, Serialize};

use super::ledger::{Ledger, Order};
use super::rfm::{Ranks, Rfm};
use super::value::Worth;

/// What a customer is worth to the shop, seen from five sides; each 0 to 100, 100 = best.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Aspects {
    /// Share of customers who paid less in the last 365 days, and half of those who paid as much.
    pub contribution: f32,
    /// Share of customers of whom less is expected in the time ahead (lifetime value).
    pub future: f32,
    /// 100 × (1 − share of money sent back), shrunk to the shop's as by one order of average value.
    pub credit: f32,
    /// Half for coming every month: share of the 28-day months known, the latest 13 at most, with an
    /// order. Half for the time between first and latest order: share of customers with a shorter one, and half
    /// of those with one as long.
    pub loyalty: f32,
    /// 50 × (1 + (now − before)/(now + before + average order of the shop)), with the money of the last 90
    /// days, and of the 90 before: 50 = as before.
    pub growth: f32,
}

/// Order value × frequency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quadrant {
    /// Large orders, often.
    Quality,
    /// Large orders, seldom: get them to come more often.
    Potential,
    /// Small orders, often: what they cost to serve may exceed what they bring.
    Problem,
    /// Small orders, seldom.
    #[default]
    Undetermined,
}

impl Quadrant {
    /// "quality", "potential", …
    pub fn name(self) -> &'static str {
        match self {
            Self::Quality => "quality",
            Self::Potential => "potential",
            Self::Problem => "problem",
            Self::Undetermined => "undetermined",
        }
    }
}

/// Where large begins, and where often: the middle customer's average order, and the mean number of orders
/// (its middle is 1 in many shops).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Thresholds {
    /// Money per order.
    pub order_value: f32,
    /// Orders.
    pub orders: f32,
}

impl Thresholds {
    pub(super) fn of(rfm: &[Option<Rfm>]) -> Self {
        let bought = || rfm.iter().flatten();
        let orders: f64 = bought().map(|rfm| f64::from(rfm.orders)).sum();
        Self {
            order_value: Ranks::of(bought().map(|rfm| rfm.average)).at(0.5),
            orders: (orders / bought().count().max(1) as f64) as f32,
        }
    }

    pub(super) fn quadrant(&self, rfm: &Rfm) -> Quadrant {
        match (rfm.average >= self.order_value, rfm.orders as f32 >= self.orders) {
            (true, true) => Quadrant::Quality,
            (true, false) => Quadrant::Potential,
            (false, true) => Quadrant::Problem,
            (false, false) => Quadrant::Undetermined,
        }
    }
}

const MONTH_DAYS: i32 = 28;
const MONTHS: i32 = 13;
const GROWTH_DAYS: i32 = 90;

/// The aspects of every customer, in the order of their ids; `None` for those who never bought.
pub(super) fn aspects(ledger: &Ledger, worths: &[Option<Worth>]) -> Vec<Option<Aspects>> {
    let today = ledger.today;
    let buyers = || ledger.orders.rows().filter(|orders| !orders.is_empty());
    let year = |orders: &[Order]| paid(orders, today - 365, today);
    let contribution = Ranks::of(buyers().map(year));
    let tenure = Ranks::of(buyers().map(tenure_days));
    let future = Ranks::of(worths.iter().flatten().map(|worth| worth.lifetime.expected));
    let paid_in_all: f64 = buyers().flatten().map(|order| f64::from(order.value)).sum();
    let orders: usize = buyers().map(<[Order]>::len).sum();
    let returned: f64 = ledger.returned.iter().map(|&money| f64::from(money)).sum();
    let shop = Shop {
        average: (paid_in_all / orders.max(1) as f64) as f32,
        returned: (returned / (paid_in_all + returned).max(f64::MIN_POSITIVE)) as f32,
    };
    let one = |(customer, worth): (usize, &Option<Worth>)| {
        let orders = ledger.orders.row(customer);
        let percent = |ranks: &Ranks, value: f32| (100.0 * ranks.share_below(value)) as f32;
        let tenure_share = percent(&tenure, tenure_days(orders));
        (!orders.is_empty()).then(|| Aspects {
            contribution: percent(&contribution, year(orders)),
            future: worth.map_or(50.0, |worth| percent(&future, worth.lifetime.expected)),
            credit: shop.credit(orders, ledger.returned[customer]),
            loyalty: 0.5 * (100.0 * monthly(orders, today) + tenure_share),
            growth: shop.growth(orders, today),
        })
    };
    worths.iter().enumerate().map(one).collect()
}

struct Shop {
    /// Money per order.
    average: f32,
    /// Share of money sent back.
    returned: f32,
}

impl Shop {
    fn credit(&self, orders: &[Order], returned: f32) -> f32 {
        let paid: f32 = orders.iter().map(|order| order.value).sum();
        let prior = self.average.max(f32::MIN_POSITIVE);
        let share = (returned + prior * self.returned) / (paid + returned + prior);
        100.0 * (1.0 - share.clamp(0.0, 1.0))
    }

    fn growth(&self, orders: &[Order], today: i32) -> f32 {
        let now = paid(orders, today - GROWTH_DAYS, today);
        let before = paid(orders, today - 2 * GROWTH_DAYS, today - GROWTH_DAYS);
        50.0 * (1.0 + (now - before) / (now + before + self.average.max(f32::MIN_POSITIVE)))
    }
}

/// Money of the orders after the day `after`, up to the day `until`.
fn paid(orders: &[Order], after: i32, until: i32) -> f32 {
    let within = orders.iter().filter(|order| after < order.day && order.day <= until);
    within.map(|order| order.value).sum()
}

fn tenure_days(orders: &[Order]) -> f32 {
    match (orders.first(), orders.last()) {
        (Some(first), Some(last)) => (last.day - first.day) as f32,
        _ => 0.0,
    }
}

/// Share of the latest months, as far as the customer is known, with an order; 0 to 1.
fn monthly(orders: &[Order], today: i32) -> f32 {
    let Some(first) = orders.first() else { return 0.0 };
    let known = ((today - first.day) / MONTH_DAYS + 1).min(MONTHS);
    let mut with_order = [false; MONTHS as usize];
    for order in orders {
        let month = (today - order.day) / MONTH_DAYS;
        if (0..known).contains(&month) {
            with_order[month as usize] = true;
        }
    }
    with_order.iter().filter(|&&any| any).count() as f32 / known as f32
}

#[cfg(test)]
mod tests {
    use super::super::ledger::tests::log;
    use super::super::rfm::rfm;
    use super::*;

    #[test]
    fn who_comes_every_month_and_pays_more_than_before_is_loyal_and_growing() {
        let mut rows: Vec<_> =
            (0..13).map(|n| (0, 28 * n, n as usize + 1, 0, 10.0 + 5.0 * n as f32, 0)).collect();
        rows.push((1, 0, 100, 0, 50.0, 0));
        rows.push((1, 30, 101, 0, 10.0, 0));
        let ledger = Ledger::of(&log(&rows), &jiff::tz::TimeZone::UTC);
        let all = aspects(&ledger, &[None, None]);
        let (first, second) = (all[0].unwrap(), all[1].unwrap());
        assert!(first.loyalty > 80.0 && second.loyalty < 50.0, "{first:?} {second:?}");
        assert!(first.growth > 55.0 && second.growth == 50.0);
        assert!(first.contribution > second.contribution);
        assert_eq!(first.credit, 100.0);
    }

    #[test]
    fn the_four_fields_are_parted_by_the_shops_own_customers() {
        let rows = [
            (0, 0, 1, 0, 100.0, 0),
            (0, 1, 2, 0, 100.0, 0),
            (0, 2, 3, 0, 100.0, 0),
            (1, 0, 4, 0, 90.0, 0),
            (2, 0, 5, 0, 5.0, 0),
            (2, 1, 6, 0, 5.0, 0),
            (2, 2, 7, 0, 5.0, 0),
            (3, 0, 8, 0, 5.0, 0),
        ];
        let all = rfm(&Ledger::of(&log(&rows), &jiff::tz::TimeZone::UTC));
        let thresholds = Thresholds::of(&all);
        let found: Vec<Quadrant> =
            all.iter().flatten().map(|rfm| thresholds.quadrant(rfm)).collect();
        let expected =
            [Quadrant::Quality, Quadrant::Potential, Quadrant::Problem, Quadrant::Undetermined];
        assert_eq!(found, expected);
    }
}
