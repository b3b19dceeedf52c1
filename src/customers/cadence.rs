//! How soon people come back for an item, and how much of it they take.

use rayon::prelude::*;
use rustc_hash::FxHashMap;

use super::HistoryOptions;
use super::history::orders_by_customer;
use crate::events::Baskets;
use crate::ids::ItemId;
use crate::time::Timestamp;

/// How often and how soon an item is bought again by those who bought it, and how much of it at once.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cadence {
    /// Per item: share of its purchases that were not the buyer's first, shrunk to the shop's share.
    /// 0 to 1.
    pub return_rate: Vec<f32>,
    /// Per item: days usually between two purchases by the same customer (geometric mean, shrunk to
    /// the shop's); 0 if hardly anybody came back for it.
    pub usual_days: Vec<f32>,
    /// Per item: units in an order that holds it (mean over all orders, also of nobody known); 0 if there
    /// is none.
    pub usual_units: Vec<f32>,
    /// How likely a purchase becomes as the usual time passes.
    pub due: DueCurve,
}

/// Strength of belief in the shop's own average, in purchases (or gaps) of the item.
const PRIOR: f64 = 5.0;
/// Gaps of the item that a customer's own gaps are weighed against.
const PAIR_PRIOR: f64 = 2.0;
/// An item has a usual time only if it was come back for at least so often …
const LEAST_GAPS: u32 = 3;
/// … and in at least this share of its purchases.
const LEAST_RETURN: f64 = 0.05;
/// Gaps shorter than this are one purchase in two steps.
const SHORTEST_GAP_DAYS: f64 = 0.5;
/// At most so many customers are asked for the due curve.
const CURVE_CUSTOMERS: usize = 20_000;
/// At most so many of each customer's latest orders are looked at for it.
const CURVE_ORDERS: usize = 8;

impl Cadence {
    /// Learns from the orders of known customers.
    pub fn learn(
        baskets: &Baskets,
        item_count: usize,
        timed: bool,
        options: &HistoryOptions,
    ) -> Self {
        let mut items = vec![Tally::default(); item_count];
        for (_, orders) in orders_by_customer(baskets) {
            let mut last: FxHashMap<ItemId, Timestamp> = FxHashMap::default();
            for order in orders {
                let at = baskets.at[order];
                for &item in baskets.items.row(order) {
                    let tally = &mut items[item.index()];
                    tally.bought += 1;
                    match last.insert(item, at) {
                        None => tally.buyers += 1,
                        Some(before) if timed => tally.add_gap(at.days_since(before)),
                        Some(_) => {}
                    }
                }
            }
        }
        let shop = items.iter().fold(Tally::default(), Tally::plus);
        let overall = shop.again() / f64::from(shop.bought).max(1.0);
        let shop_log_gap = shop.log_gaps / f64::from(shop.gaps).max(1.0);
        let mut cadence = Self {
            return_rate: items
                .iter()
                .map(|t| ((t.again() + PRIOR * overall) / (f64::from(t.bought) + PRIOR)) as f32)
                .collect(),
            usual_days: items.iter().map(|t| t.usual_days(shop_log_gap)).collect(),
            usual_units: usual_units(baskets, item_count),
            due: DueCurve::default(),
        };
        if timed {
            cadence.due = cadence.learn_due(baskets, options);
        }
        cadence
    }

    /// Days that one customer usually lets pass, from their own `times` purchases between `first` and
    /// `last`, shrunk to the item's; 0 if nothing is known of that.
    pub fn usual_days_of_pair(
        &self,
        item: ItemId,
        times: u32,
        first: Timestamp,
        last: Timestamp,
    ) -> f32 {
        let usual = f64::from(self.usual_days.get(item.index()).copied().unwrap_or(0.0));
        let gaps = f64::from(times.saturating_sub(1));
        let span = last.days_since(first);
        if usual <= 0.0 || span < SHORTEST_GAP_DAYS {
            return usual as f32;
        }
        let own = (span / gaps.max(1.0)).max(SHORTEST_GAP_DAYS);
        ((PAIR_PRIOR * usual.ln() + gaps * own.ln()) / (PAIR_PRIOR + gaps)).exp() as f32
    }

    /// Walks through customers' latest orders: before each, what did strength alone foretell, and what
    /// came true, by how much of the usual time had passed?
    fn learn_due(&self, baskets: &Baskets, options: &HistoryOptions) -> DueCurve {
        let customers: Vec<_> = orders_by_customer(baskets).map(|(_, orders)| orders).collect();
        let step = customers.len().div_ceil(CURVE_CUSTOMERS).max(1);
        let asked: Vec<_> = customers.into_iter().step_by(step).collect();
        let parts: Vec<[Evidence; BUCKETS]> = asked
            .par_chunks(64) // fixed chunks, summed in order: the same bits on any number of threads
            .map(|chunk| {
                let mut sums = [Evidence::default(); BUCKETS];
                chunk
                    .iter()
                    .for_each(|orders| self.ask(baskets, orders.clone(), options, &mut sums));
                sums
            })
            .collect();
        let mut sums = [Evidence::default(); BUCKETS];
        for part in &parts {
            for (sum, more) in sums.iter_mut().zip(part) {
                sum.foretold += more.foretold;
                sum.came += more.came;
            }
        }
        DueCurve::from_evidence(&sums)
    }

    fn ask(
        &self,
        baskets: &Baskets,
        orders: std::ops::Range<usize>,
        options: &HistoryOptions,
        sums: &mut [Evidence; BUCKETS],
    ) {
        struct Past {
            first: Timestamp,
            last: Timestamp,
            last_order: usize,
            times: u32,
            strength: f64,
        }
        let mut past: FxHashMap<ItemId, Past> = FxHashMap::default();
        for order in orders.clone() {
            let at = baskets.at[order];
            let held = baskets.items.row(order);
            if orders.end - order <= CURVE_ORDERS {
                for (&item, known) in &past {
                    let days = at.days_since(known.last);
                    let strength =
                        known.strength * options.decay(order - known.last_order - 1, days);
                    let usual = self.usual_days_of_pair(item, known.times, known.first, known.last);
                    let evidence = &mut sums[bucket(days as f32, usual)];
                    // Whole numbers, so that the order in which the map is walked can't matter.
                    evidence.foretold += (strength * 1e6) as u64;
                    evidence.came += u64::from(held.binary_search(&item).is_ok());
                }
            }
            for &item in held {
                let known = past.entry(item).or_insert(Past {
                    first: at,
                    last: at,
                    last_order: order,
                    times: 0,
                    strength: 0.0,
                });
                let kept = options.decay(order - known.last_order, at.days_since(known.last));
                known.strength = known.strength * kept + 1.0;
                (known.last, known.last_order) = (at, order);
                known.times += 1;
            }
        }
    }
}

fn usual_units(baskets: &Baskets, item_count: usize) -> Vec<f32> {
    let mut items = vec![(0.0f64, 0u32); item_count];
    for (item, &units) in baskets.items.entries().iter().zip(&baskets.units) {
        let (sum, orders) = &mut items[item.index()];
        *sum += f64::from(units);
        *orders += 1;
    }
    items.into_iter().map(|(sum, orders)| (sum / f64::from(orders.max(1))) as f32).collect()
}

/// One item's purchases by known customers.
#[derive(Clone, Copy, Default)]
struct Tally {
    bought: u32,
    buyers: u32,
    gaps: u32,
    log_gaps: f64,
}

impl Tally {
    fn add_gap(&mut self, days: f64) {
        if days >= SHORTEST_GAP_DAYS {
            self.gaps += 1;
            self.log_gaps += days.ln();
        }
    }

    fn again(&self) -> f64 {
        f64::from(self.bought - self.buyers)
    }

    fn plus(mut self, other: &Self) -> Self {
        self.bought += other.bought;
        self.buyers += other.buyers;
        self.gaps += other.gaps;
        self.log_gaps += other.log_gaps;
        self
    }

    fn usual_days(&self, shop_log_gap: f64) -> f32 {
        if self.gaps < LEAST_GAPS || self.again() < LEAST_RETURN * f64::from(self.bought) {
            return 0.0;
        }
        ((self.log_gaps + PRIOR * shop_log_gap) / (f64::from(self.gaps) + PRIOR)).exp() as f32
    }
}

/// Steps of half an octave of (days since ÷ usual days), from 1/8 to 8; the last is "no cadence known".
const BUCKETS: usize = 14;

fn bucket(days_since: f32, usual_days: f32) -> usize {
    if usual_days <= 0.0 {
        return BUCKETS - 1;
    }
    let octaves = (days_since.max(0.0) / usual_days).max(1e-3).log2();
    ((octaves + 3.0) * 2.0).floor().clamp(0.0, (BUCKETS - 2) as f32) as usize
}

#[derive(Clone, Copy, Default)]
struct Evidence {
    /// Millionths of strength, summed.
    foretold: u64,
    came: u64,
}

/// By how much of the usual time has passed: how much likelier a purchase is than strength alone says.
/// 1.0 = just as likely.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DueCurve([f32; BUCKETS]);

impl Default for DueCurve {
    fn default() -> Self {
        Self([1.0; BUCKETS])
    }
}

impl DueCurve {
    /// The factor for an item bought `days_since` ago that is usually bought every `usual_days` (0: not
    /// known).
    #[inline]
    pub fn factor(&self, days_since: f32, usual_days: f32) -> f32 {
        self.0[bucket(days_since, usual_days)]
    }

    /// The factors, for storing.
    pub fn factors(&self) -> &[f32] {
        &self.0
    }

    /// From stored factors; `None` if these are not as many as they should be.
    pub fn from_factors(factors: &[f32]) -> Option<Self> {
        Some(Self(factors.try_into().ok()?))
    }

    fn from_evidence(sums: &[Evidence; BUCKETS]) -> Self {
        /// Purchases foretold that each bucket starts with, all of them come true.
        const BELIEF: f64 = 20.0;
        let foretold: u64 = sums.iter().map(|e| e.foretold).sum();
        let came: u64 = sums.iter().map(|e| e.came).sum();
        if foretold == 0 || came == 0 {
            return Self::default();
        }
        let rate = came as f64 / foretold as f64;
        Self(sums.map(|e| ((e.came as f64 + BELIEF) / (e.foretold as f64 * rate + BELIEF)) as f32))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::CustomerId;

    /// One customer per entry; each buys item 0 every `every` days, and item 1 once.
    fn shop(every: &[i64], orders: i64) -> Baskets {
        let mut baskets = Baskets::default();
        for (customer, every) in every.iter().enumerate() {
            for order in 0..orders {
                let extra = (order == 0).then(|| ItemId::new(1));
                let items = std::iter::once(ItemId::new(0)).chain(extra);
                let at = Timestamp(0).plus_days(order * every);
                baskets.push(Some(CustomerId::new(customer)), at, items.map(|item| (item, 1.0)));
            }
        }
        baskets
    }

    #[test]
    fn what_is_bought_every_four_weeks_has_a_cadence_of_four_weeks_and_what_is_bought_once_has_none()
     {
        let cadence = Cadence::learn(&shop(&[28; 20], 6), 2, true, &HistoryOptions::default());
        assert!((cadence.usual_days[0] - 28.0).abs() < 0.1, "{:?}", cadence.usual_days);
        assert_eq!(cadence.usual_days[1], 0.0);
        assert!(cadence.return_rate[0] > 0.7 && cadence.return_rate[1] < 0.2);
    }

    #[test]
    fn a_customer_with_a_rhythm_of_their_own_is_believed_more_the_longer_they_keep_it() {
        let cadence = Cadence::learn(&shop(&[28; 20], 6), 2, true, &HistoryOptions::default());
        let after = |times: u32| {
            let last = Timestamp(0).plus_days(7 * i64::from(times - 1));
            cadence.usual_days_of_pair(ItemId::new(0), times, Timestamp(0), last)
        };
        assert!(after(2) < 28.0 && after(2) > after(10), "{} {}", after(2), after(10));
        assert!(after(50) < 8.0);
    }

    #[test]
    fn an_item_is_likelier_when_its_time_has_come() {
        // Orders every 7 days, item 0 in every fourth of them.
        let mut baskets = Baskets::default();
        for customer in 0..30 {
            for order in 0..24 {
                let filler = ItemId::new(1 + (order as usize + customer) % 5);
                let due = (order % 4 == 0).then(|| ItemId::new(0));
                let items = due.into_iter().chain([filler]).map(|item| (item, 1.0));
                let at = Timestamp(0).plus_days(order * 7);
                baskets.push(Some(CustomerId::new(customer)), at, items);
            }
        }
        let cadence = Cadence::learn(&baskets, 6, true, &HistoryOptions::default());
        let due = |days| cadence.due.factor(days, 28.0);
        assert!(due(28.0) > 1.5 * due(7.0), "{:?}", cadence.due);
    }

    #[test]
    fn a_log_without_customers_or_times_gives_no_cadence_and_no_opinion() {
        let cadence = Cadence::learn(&Baskets::default(), 3, false, &HistoryOptions::default());
        assert_eq!(cadence.usual_days, [0.0; 3]);
        assert_eq!(cadence.return_rate, [0.0; 3]);
        assert_eq!(cadence.due.factor(10.0, 0.0), 1.0);
    }
}
