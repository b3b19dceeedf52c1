//! What a customer is about to buy again, and when: the rhythm of items and of customers.
//!
//! ```text
//! gaps between two purchases ─ log-normal ─ pair → item → category → shop
//! weeks before the end ─ the chance of a purchase within 7 days, as it came true ─ weights
//! ```
//!
//! | File | What |
//! |---|---|
//! | `gaps` | gaps between purchases as a log-normal, shrunk from the shop down to the pair |
//! | `figures` | what is known of a purchase to come, in figures |
//! | `weigh` | what these weigh, learnt from the last weeks |

mod figures;
mod gaps;
mod weigh;

use super::history::{Bought, History};
use super::logistic::Logistic;
use crate::catalog::CategoryTree;
use crate::events::Baskets;
use crate::ids::ItemId;
use crate::time::Timestamp;
use figures::{Asked, FIGURES, Figures, Shopper};
use gaps::{Gaps, Past, Shape, log_odds, soon, tallied};
use weigh::WEEKS;

pub use figures::Demand;

/// Something that a customer buys in a rhythm.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Due {
    /// What.
    pub item: ItemId,
    /// Days usually between two purchases by this customer.
    pub usual_days: f32,
    /// Days since the latest.
    pub days_since: f32,
    /// Days until the usual time has passed; 0 if it has.
    pub in_days: f32,
    /// The chance of a purchase within [`SOON_DAYS`], 0 to 1.
    pub chance: f32,
}

impl Due {
    /// The chance of a purchase within `days`, at the same rate as within [`SOON_DAYS`], 0 to 1:
    /// 1 − (1 − chance)^(days ÷ 7).
    pub fn chance_within(&self, days: u32) -> f64 {
        1.0 - (1.0 - f64::from(self.chance)).powf(f64::from(days) / SOON_DAYS as f64)
    }
}

/// "Soon" is within so many days.
pub const SOON_DAYS: i64 = 7;
/// A rhythm that was missed so many times is none any more.
const GIVEN_UP: f64 = 4.0;
/// An item has a rhythm of its own only if it was come back for so often …
const LEAST_GAPS: f64 = 3.0;
/// … and after at least this share of its purchases.
const LEAST_AGAIN: f64 = 0.05;
/// A pair has one after so many gaps, whatever the item.
const LEAST_OWN_GAPS: f64 = 2.0;

/// How items are bought again, and what it takes to tell the chance that one is bought soon.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recurrence {
    /// Per item: ln of the median gap in days, as far as the item, its category and the shop tell.
    pub usual_ln: Vec<f32>,
    /// Per item: standard deviation of ln of the gaps.
    pub spread: Vec<f32>,
    /// Per item: chance that a purchase is followed by another of the same customer, ever; 0 if the item has no
    /// rhythm of its own.
    pub again: Vec<f32>,
    /// The same three of customers' orders, of whatever.
    pub orders: [f32; 3],
    /// What the shop sells of late.
    pub demand: Demand,
    /// What weighs the figures.
    pub weights: [f32; FIGURES],
}

impl Recurrence {
    /// Learns from the orders of known customers; nothing from a log without time.
    pub fn learn(
        baskets: &Baskets,
        categories: &CategoryTree,
        item_count: usize,
        timed: bool,
    ) -> Self {
        if !timed {
            return Self::default();
        }
        let now = baskets.at.iter().max().copied().unwrap_or_default();
        let rhythms = |until| Self::rhythms(baskets, categories, item_count, until);
        // What is asked of the last weeks must not be known beforehand.
        let earlier = rhythms(now.plus_days(-WEEKS * SOON_DAYS));
        let weights = earlier.weighed(baskets, item_count).0.map(|weight| weight as f32);
        Self { weights, demand: Demand::of(baskets, item_count, now), ..rhythms(now) }
    }

    /// The rhythms as they showed until then; no weights.
    fn rhythms(
        baskets: &Baskets,
        categories: &CategoryTree,
        item_count: usize,
        until: Timestamp,
    ) -> Self {
        let (items, orders) = tallied(baskets, item_count, until);
        let mut by_category = vec![Gaps::default(); categories.len()];
        let mut shop = Gaps::default();
        for (item, gaps) in items.iter().enumerate() {
            shop = shop.plus(gaps);
            for category in categories.upwards(categories.of(ItemId::new(item))) {
                by_category[category.index()] = by_category[category.index()].plus(gaps);
            }
        }
        let shop = shop.shape(Shape::default());
        let by_category: Vec<Shape> = by_category.iter().map(|gaps| gaps.shape(shop)).collect();
        let mut recurrence = Self::default();
        for (item, gaps) in items.iter().enumerate() {
            let above = categories.of(ItemId::new(item)).map_or(shop, |c| by_category[c.index()]);
            let shape = gaps.shape(above);
            let has_one = gaps.count >= LEAST_GAPS && gaps.count >= LEAST_AGAIN * gaps.bought;
            recurrence.usual_ln.push(shape.mean as f32);
            recurrence.spread.push(shape.variance.sqrt() as f32);
            recurrence.again.push(if has_one { shape.again as f32 } else { 0.0 });
        }
        let orders = orders.shape(shop);
        recurrence.orders =
            [orders.mean, orders.variance.sqrt(), orders.again].map(|figure| figure as f32);
        recurrence
    }

    /// What the customer buys in a rhythm, the likeliest to be bought soon first.
    pub fn due(&self, history: &History, now: Timestamp) -> Vec<Due> {
        let bought = || history.bought.iter().filter(|bought| bought.times > 0);
        let (Some(first), Some(last)) =
            (bought().map(|b| b.first).min(), bought().map(|b| b.last).max())
        else {
            return Vec::new();
        };
        let orders = Past { times: history.orders, last, ..Past::starting(first, 0) };
        let shopper = self.shopper(orders, now);
        let weights = Logistic(self.weights.map(f64::from));
        let mut due: Vec<Due> = bought()
            .filter_map(|bought| {
                let past = &Past::from(bought);
                let (shopper, demand) = (&shopper, &self.demand);
                let (due, figures) =
                    self.told(&Asked { item: bought.item, past, shopper, demand, now })?;
                Some(Due { chance: weights.chance(&figures) as f32, ..due })
            })
            .collect();
        due.sort_unstable_by(|a, b| b.chance.total_cmp(&a.chance).then(a.item.cmp(&b.item)));
        due
    }

    /// When the item is due, and the figures that tell its chance, which is yet to be weighed; `None` without a
    /// rhythm, or with one that was given up.
    fn told(&self, asked: &Asked<'_>) -> Option<(Due, Figures)> {
        let Asked { item, past, now, .. } = *asked;
        let again = f64::from(*self.again.get(item.index())?);
        let days_since = now.days_since(past.last).max(0.0);
        if again == 0.0 && past.gaps() < LEAST_OWN_GAPS {
            return None;
        }
        let mean = past.mean(f64::from(self.usual_ln[item.index()]));
        let usual_days = mean.exp();
        if days_since > GIVEN_UP * usual_days {
            return None;
        }
        let spread = f64::from(self.spread[item.index()]);
        let rhythm = log_odds(soon(mean, spread, past.again(again), days_since));
        let due = Due {
            item,
            usual_days: usual_days as f32,
            days_since: days_since as f32,
            in_days: (usual_days - days_since).max(0.0) as f32,
            chance: 0.0,
        };
        Some((due, asked.figures(rhythm, mean, again)))
    }

    /// What is known of a customer with these orders.
    fn shopper(&self, orders: Past, now: Timestamp) -> Shopper {
        let [mean, spread, again] = self.orders.map(f64::from);
        let days_since = now.days_since(orders.last).max(0.0);
        let chance = soon(orders.mean(mean), spread, orders.again(again), days_since);
        Shopper { orders, soon: log_odds(chance) }
    }
}

impl From<&Bought> for Past {
    fn from(bought: &Bought) -> Self {
        let &Bought { times, first, last, orders_since_first, orders_ago, lately, .. } = bought;
        Self { times, first, last, orders_since_first, orders_ago, lately }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Item;
    use crate::customers::Bought;
    use crate::ids::CustomerId;

    /// Customers who buy item 0 every `every` days, from a day of their own on, and item 1 just once.
    fn shop(customers: i64, every: i64, orders: i64) -> Baskets {
        let mut baskets = Baskets::default();
        for customer in 0..customers {
            for order in 0..orders {
                let extra = (order == 0).then(|| ItemId::new(1));
                let items = std::iter::once(ItemId::new(0)).chain(extra).map(|item| (item, 1.0));
                let at = Timestamp(0).plus_days(customer % every + order * every);
                baskets.push(Some(CustomerId::new(customer as usize)), at, items);
            }
        }
        baskets
    }

    fn learnt(baskets: &Baskets) -> Recurrence {
        let categories = CategoryTree::new(&[Item::default(), Item::default()]);
        Recurrence::learn(baskets, &categories, 2, true)
    }

    fn past(item: usize, times: u32, first: i64, last: i64) -> Bought {
        let last = Timestamp(0).plus_days(last);
        let never = Bought::never(ItemId::new(item), Timestamp(0).plus_days(first));
        Bought { times, last, strength: 1.0, lately: 1.0, ..never }
    }

    #[test]
    fn what_is_bought_every_four_weeks_is_due_when_they_have_passed_and_what_is_bought_once_never()
    {
        let recurrence = learnt(&shop(60, 28, 8));
        let due = |now: i64| {
            let bought = vec![past(0, 4, 0, 84), past(1, 1, 0, 0)];
            let history = History { bought, orders: 4, ..History::default() };
            recurrence.due(&history, Timestamp(0).plus_days(now))
        };
        let early = due(90);
        assert_eq!(early.len(), 1, "item 1 has no rhythm: {early:?}");
        assert!((early[0].usual_days - 28.0).abs() < 1.0, "{early:?}");
        assert!((early[0].in_days - 22.0).abs() < 1.0, "{early:?}");
        let late = due(111);
        assert!(late[0].in_days < 2.0 && late[0].chance > 0.5, "{late:?}");
        assert!(late[0].chance > 3.0 * early[0].chance, "{early:?} {late:?}");
        assert!(due(84 + 150).is_empty(), "given up");
        let within = [0, 3, 7, 30].map(|days| late[0].chance_within(days));
        assert!(within[0] == 0.0 && within.is_sorted() && within[3] <= 1.0, "{within:?}");
        assert!((within[2] - f64::from(late[0].chance)).abs() < 1e-9, "{within:?}");
    }

    #[test]
    fn a_customer_with_a_rhythm_of_their_own_is_believed() {
        let recurrence = learnt(&shop(60, 28, 8));
        let bought = vec![past(0, 11, 0, 70)];
        let history = History { bought, orders: 11, ..History::default() };
        let due = recurrence.due(&history, Timestamp(0).plus_days(72));
        assert!(due[0].usual_days < 10.0, "{due:?}");
    }

    #[test]
    fn a_log_without_time_has_no_rhythm() {
        let recurrence = Recurrence::learn(&shop(5, 28, 8), &CategoryTree::default(), 2, false);
        let history = History { bought: vec![past(0, 4, 0, 84)], orders: 4, ..History::default() };
        assert!(recurrence.due(&history, Timestamp(0)).is_empty());
    }
}
