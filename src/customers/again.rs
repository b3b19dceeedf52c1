//! What a customer is about to buy again, and when: the rhythm of items and of customers.
//!
//! ```text
//! gaps between two purchases ─ log-normal ─ pair → item → category → shop
//! weeks before the end ─ the chance of a purchase within 7 days, as it came true ─ weights
//! ```

use rustc_hash::FxHashMap;

use super::history::{History, orders_by_customer};
use super::logistic::Logistic;
use crate::catalog::CategoryTree;
use crate::events::Baskets;
use crate::ids::ItemId;
use crate::time::Timestamp;

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

/// "Soon" is within so many days.
pub const SOON_DAYS: i64 = 7;
/// A rhythm that was missed so many times is none any more.
const GIVEN_UP: f64 = 4.0;
/// Gaps shorter than this are one purchase in two steps, days.
const SHORTEST_GAP_DAYS: f64 = 0.5;
/// An item has a rhythm of its own only if it was come back for so often …
const LEAST_GAPS: f64 = 3.0;
/// … and after at least this share of its purchases.
const LEAST_AGAIN: f64 = 0.05;
/// A pair has one after so many gaps, whatever the item.
const LEAST_OWN_GAPS: f64 = 2.0;
/// What the category's, and the shop's, gaps are weighed with: so many gaps.
const PRIOR_GAPS: f64 = 5.0;
/// What the item's gaps count for beside the pair's own.
const PAIR_PRIOR: f64 = 2.0;
/// What is known of a purchase before it is weighed: 1, log-odds by the rhythm, by the customer's orders, how
/// often it was bought, how long its usual time is, how much of that has passed, in what share of the orders since
/// the first it was, and how many came after the latest of them.
const FIGURES: usize = 8;
/// The weights are learnt from so many weeks before the end …
const WEEKS: i64 = 4;
/// … of as many customers as bought so many lines, about.
const ASKED_LINES: usize = 400_000;

/// The rhythm of every item, and what it takes to tell the chance that one is bought soon.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rhythm {
    /// Per item: ln of the median gap in days, as far as the item, its category and the shop tell.
    pub usual_ln: Vec<f32>,
    /// Per item: standard deviation of ln of the gaps.
    pub spread: Vec<f32>,
    /// Per item: chance that a purchase is followed by another of the same customer, ever; 0 if the item has no
    /// rhythm of its own.
    pub again: Vec<f32>,
    /// The same three of customers' orders, of whatever.
    pub orders: [f32; 3],
    /// What weighs the figures.
    pub weights: [f32; FIGURES],
}

/// Gaps, summed up.
#[derive(Clone, Copy, Default)]
struct Gaps {
    bought: f64,
    count: f64,
    ln: f64,
    ln_squared: f64,
}

/// Gaps as a log-normal.
#[derive(Clone, Copy)]
struct Shape {
    mean: f64,
    variance: f64,
    again: f64,
}

/// What one customer did with one item, or with the shop.
#[derive(Clone, Copy)]
struct Past {
    times: u32,
    first: Timestamp,
    last: Timestamp,
    /// Orders of the customer since the first, and since the latest.
    orders_since_first: u32,
    orders_ago: u32,
}

impl Past {
    /// Not bought yet; so many orders of the customer follow behind that of `at`.
    fn starting(at: Timestamp, orders_behind: u32) -> Self {
        let (first, last) = (at, at);
        let (orders_since_first, orders_ago) = (orders_behind, orders_behind);
        Self { times: 0, first, last, orders_since_first, orders_ago }
    }

    fn add(&mut self, at: Timestamp, orders_behind: u32) {
        self.times += 1;
        (self.last, self.orders_ago) = (at, orders_behind);
    }

    fn gaps(&self) -> f64 {
        f64::from(self.times.max(1) - 1)
    }
}

impl Rhythm {
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
        let (items, orders) = tallied(baskets, item_count);
        let mut by_category = vec![Gaps::default(); categories.len()];
        let mut shop = Gaps::default();
        for (item, gaps) in items.iter().enumerate() {
            shop = shop.plus(gaps);
            for category in categories.upwards(categories.of(ItemId::new(item))) {
                by_category[category.index()] = by_category[category.index()].plus(gaps);
            }
        }
        let shop = shop.shape(Shape { mean: 30f64.ln(), variance: 1.0, again: 0.1 });
        let by_category: Vec<Shape> = by_category.iter().map(|gaps| gaps.shape(shop)).collect();
        let mut rhythm = Self::default();
        for (item, gaps) in items.iter().enumerate() {
            let above = categories.of(ItemId::new(item)).map_or(shop, |c| by_category[c.index()]);
            let shape = gaps.shape(above);
            let has_one = gaps.count >= LEAST_GAPS && gaps.count >= LEAST_AGAIN * gaps.bought;
            rhythm.usual_ln.push(shape.mean as f32);
            rhythm.spread.push(shape.variance.sqrt() as f32);
            rhythm.again.push(if has_one { shape.again as f32 } else { 0.0 });
        }
        let orders = orders.shape(shop);
        rhythm.orders =
            [orders.mean, orders.variance.sqrt(), orders.again].map(|figure| figure as f32);
        rhythm.weights = rhythm.weighed(baskets).0.map(|weight| weight as f32);
        rhythm
    }

    /// What the customer buys in a rhythm, the likeliest to be bought soon first.
    pub fn due(&self, history: &History, now: Timestamp) -> Vec<Due> {
        let bought = || history.bought.iter().filter(|bought| bought.times > 0);
        let (Some(first), Some(last)) =
            (bought().map(|b| b.first).min(), bought().map(|b| b.last).max())
        else {
            return Vec::new();
        };
        let orders = Past { times: history.orders, first, last, ..Past::starting(first, 0) };
        let of_customer = self.of_customer(&orders, now);
        let mut due: Vec<Due> = bought()
            .filter_map(|b| {
                let past = Past {
                    times: b.times,
                    first: b.first,
                    last: b.last,
                    orders_since_first: b.orders_since_first,
                    orders_ago: b.orders_ago,
                };
                self.judged(b.item, &past, of_customer, now).map(|(due, _)| due)
            })
            .collect();
        due.sort_unstable_by(|a, b| b.chance.total_cmp(&a.chance).then(a.item.cmp(&b.item)));
        due
    }

    /// When the item is due, and the figures that tell; `None` without a rhythm, or with one that was given up.
    fn judged(
        &self,
        item: ItemId,
        past: &Past,
        of_customer: f64,
        now: Timestamp,
    ) -> Option<(Due, [f32; FIGURES])> {
        let again = f64::from(*self.again.get(item.index())?);
        let (gaps, days_since) = (past.gaps(), now.days_since(past.last).max(0.0));
        if again == 0.0 && gaps < LEAST_OWN_GAPS {
            return None;
        }
        let mean = own_mean(f64::from(self.usual_ln[item.index()]), past);
        let usual_days = mean.exp();
        if days_since > GIVEN_UP * usual_days {
            return None;
        }
        // A pair that has come back each time so far is likely to again.
        let again = ((3.0 * again + gaps) / (3.0 + gaps)).clamp(0.01, 0.99);
        let spread = f64::from(self.spread[item.index()]);
        let rhythm = log_odds(soon(mean, spread, again, days_since));
        let passed = ((days_since + 1.0) / usual_days).ln();
        let share = f64::from(past.times) / (1.0 + f64::from(past.orders_since_first));
        let figures = [
            1.0,
            rhythm,
            of_customer,
            f64::from(past.times).ln(),
            mean,
            passed,
            share.ln(),
            f64::from(past.orders_ago).ln_1p(),
        ];
        let figures = figures.map(|figure| figure as f32);
        let chance = Logistic(self.weights.map(f64::from)).chance(&figures) as f32;
        let in_days = (usual_days - days_since).max(0.0) as f32;
        let due = Due {
            item,
            usual_days: usual_days as f32,
            days_since: days_since as f32,
            in_days,
            chance,
        };
        Some((due, figures))
    }

    /// Log-odds that the customer orders anything soon.
    fn of_customer(&self, orders: &Past, now: Timestamp) -> f64 {
        let [mean, spread, again] = self.orders.map(f64::from);
        let again = ((3.0 * again + orders.gaps()) / (3.0 + orders.gaps())).clamp(0.01, 0.99);
        let days_since = now.days_since(orders.last).max(0.0);
        log_odds(soon(own_mean(mean, orders), spread, again, days_since))
    }

    /// Asks on a day in each of the last weeks what the figures are, and looks what came true.
    fn weighed(&self, baskets: &Baskets) -> Logistic<FIGURES> {
        let customers: Vec<_> = orders_by_customer(baskets).map(|(_, orders)| orders).collect();
        let Some(end) = customers.iter().map(|orders| baskets.at[orders.end - 1]).max() else {
            return Logistic::default();
        };
        let step = baskets.items.entries().len().div_ceil(ASKED_LINES).max(1);
        let mut rows = Vec::new();
        for orders in customers.into_iter().step_by(step) {
            for week in (1..=WEEKS).rev() {
                let now = end.plus_days(-week * SOON_DAYS);
                self.ask(baskets, orders.clone(), now, &mut rows);
            }
        }
        Logistic::fit(&rows)
    }

    fn ask(
        &self,
        baskets: &Baskets,
        orders: std::ops::Range<usize>,
        now: Timestamp,
        rows: &mut Vec<([f32; FIGURES], bool)>,
    ) {
        let done = orders.start + baskets.at[orders.clone()].partition_point(|at| *at <= now);
        let soon = now.plus_days(SOON_DAYS);
        let until = orders.start + baskets.at[orders.clone()].partition_point(|at| *at <= soon);
        if done == orders.start {
            return;
        }
        let mut shopping = Past::starting(baskets.at[orders.start], 0);
        let mut pasts: FxHashMap<ItemId, Past> = FxHashMap::default();
        for order in orders.start..done {
            let (at, behind) = (baskets.at[order], (done - 1 - order) as u32);
            shopping.add(at, 0);
            for &item in baskets.items.row(order) {
                pasts.entry(item).or_insert(Past::starting(at, behind)).add(at, behind);
            }
        }
        let of_customer = self.of_customer(&shopping, now);
        let mut pasts: Vec<(ItemId, Past)> = pasts.into_iter().collect();
        pasts.sort_unstable_by_key(|(item, _)| *item);
        for (item, past) in pasts {
            let Some((_, figures)) = self.judged(item, &past, of_customer, now) else { continue };
            let held = |order: usize| baskets.items.row(order).binary_search(&item).is_ok();
            rows.push((figures, (done..until).any(held)));
        }
    }
}

/// The gaps of each item, and those between orders.
fn tallied(baskets: &Baskets, item_count: usize) -> (Vec<Gaps>, Gaps) {
    let (mut items, mut between) = (vec![Gaps::default(); item_count], Gaps::default());
    for (_, orders) in orders_by_customer(baskets) {
        let mut latest: FxHashMap<ItemId, Timestamp> = FxHashMap::default();
        let mut order_before = None;
        for order in orders {
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

    fn plus(mut self, other: &Self) -> Self {
        self.bought += other.bought;
        self.count += other.count;
        self.ln += other.ln;
        self.ln_squared += other.ln_squared;
        self
    }

    /// Shrunk to what is above.
    fn shape(&self, above: Shape) -> Shape {
        let count = self.count + PRIOR_GAPS;
        let mean = (self.ln + PRIOR_GAPS * above.mean) / count;
        let own = if self.count > 0.0 { self.ln / self.count } else { 0.0 };
        let squares = (self.ln_squared - self.count * own * own).max(0.0);
        let variance = ((squares + PRIOR_GAPS * above.variance) / count).max(0.01);
        let again = (self.count + PRIOR_GAPS * above.again) / (self.bought + PRIOR_GAPS);
        Shape { mean, variance, again: again.min(0.99) }
    }
}

/// ln of the usual days of one customer: their own mean gap beside what is usual.
fn own_mean(usual_ln: f64, past: &Past) -> f64 {
    let (gaps, span) = (past.gaps(), past.last.days_since(past.first));
    if gaps < 1.0 || span < SHORTEST_GAP_DAYS {
        return usual_ln;
    }
    let own = (span / gaps).max(SHORTEST_GAP_DAYS).ln();
    (PAIR_PRIOR * usual_ln + gaps * own) / (PAIR_PRIOR + gaps)
}

/// The chance of a purchase within [`SOON_DAYS`], if there was none for so many days: again × (F(t + 7) − F(t)) ÷
/// (1 − again × F(t)), where F is the log-normal of the gaps.
fn soon(mean: f64, spread: f64, again: f64, days_since: f64) -> f64 {
    let by = |days: f64| match days > 0.0 {
        true => normal((days.ln() - mean) / spread),
        false => 0.0,
    };
    let (now, then) = (by(days_since), by(days_since + SOON_DAYS as f64));
    again * (then - now) / (1.0 - again * now)
}

fn log_odds(chance: f64) -> f64 {
    let chance = chance.clamp(1e-4, 1.0 - 1e-4);
    (chance / (1.0 - chance)).ln()
}

/// The standard normal distribution function, to 1e-7. Source: Abramowitz & Stegun 1964, 26.2.17.
fn normal(z: f64) -> f64 {
    const TERMS: [f64; 5] =
        [0.319_381_530, -0.356_563_782, 1.781_477_937, -1.821_255_978, 1.330_274_429];
    let t = 1.0 / (1.0 + 0.231_641_9 * z.abs());
    let sum = TERMS.iter().rev().fold(0.0, |sum, term| (sum + term) * t);
    let above = sum * (-0.5 * z * z).exp() / std::f64::consts::TAU.sqrt();
    if z > 0.0 { 1.0 - above } else { above }
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
                baskets.items.push(std::iter::once(ItemId::new(0)).chain(extra));
                baskets.customers.push(Some(CustomerId::new(customer as usize)));
                baskets.at.push(Timestamp(0).plus_days(customer % every + order * every));
            }
        }
        baskets
    }

    fn learnt(baskets: &Baskets) -> Rhythm {
        let categories = CategoryTree::new(&[Item::default(), Item::default()]);
        Rhythm::learn(baskets, &categories, 2, true)
    }

    fn past(item: usize, times: u32, first: i64, last: i64) -> Bought {
        Bought {
            item: ItemId::new(item),
            times,
            first: Timestamp(0).plus_days(first),
            last: Timestamp(0).plus_days(last),
            strength: 1.0,
            usual_days: 0.0,
            orders_ago: 0,
            orders_since_first: 0,
            lately: 1.0,
        }
    }

    #[test]
    fn what_is_bought_every_four_weeks_is_due_when_they_have_passed_and_what_is_bought_once_never()
    {
        let rhythm = learnt(&shop(60, 28, 8));
        let due = |now: i64| {
            let bought = vec![past(0, 4, 0, 84), past(1, 1, 0, 0)];
            let history = History { bought, orders: 4, ..History::default() };
            rhythm.due(&history, Timestamp(0).plus_days(now))
        };
        let early = due(90);
        assert_eq!(early.len(), 1, "item 1 has no rhythm: {early:?}");
        assert!((early[0].usual_days - 28.0).abs() < 1.0, "{early:?}");
        assert!((early[0].in_days - 22.0).abs() < 1.0, "{early:?}");
        let late = due(111);
        assert!(late[0].in_days < 2.0 && late[0].chance > 0.5, "{late:?}");
        assert!(late[0].chance > 3.0 * early[0].chance, "{early:?} {late:?}");
        assert!(due(84 + 150).is_empty(), "given up");
    }

    #[test]
    fn a_customer_with_a_rhythm_of_their_own_is_believed() {
        let rhythm = learnt(&shop(60, 28, 8));
        let bought = vec![past(0, 11, 0, 70)];
        let history = History { bought, orders: 11, ..History::default() };
        let due = rhythm.due(&history, Timestamp(0).plus_days(72));
        assert!(due[0].usual_days < 10.0, "{due:?}");
    }

    #[test]
    fn a_log_without_time_has_no_rhythm() {
        let rhythm = Rhythm::learn(&shop(5, 28, 8), &CategoryTree::default(), 2, false);
        let history = History { bought: vec![past(0, 4, 0, 84)], orders: 4, ..History::default() };
        assert!(rhythm.due(&history, Timestamp(0)).is_empty());
    }

    #[test]
    fn the_normal_distribution_is_what_tables_say() {
        for (z, chance) in [(0.0, 0.5), (1.96, 0.975), (-1.644_853_6, 0.05), (3.0, 0.998_650_1)] {
            assert!((normal(z) - chance).abs() < 1e-5, "{z}: {}", normal(z));
        }
    }
}
