//! What figures of a past weigh when it comes to something new: from those who bought what was new before.

use jiff::tz::TimeZone;
use rayon::prelude::*;
use rustc_hash::{FxHashMap, FxHashSet};

use super::ArrivalModel;
use super::likeness::Likeness;
use super::taste::{FIGURES, Figures, Had, figures};
use crate::customers::ledger::Ledger;
use crate::customers::logistic::Logistic;
use crate::events::{EventKind, EventLog, order_of};
use crate::ids::ItemId;
use crate::time::Timestamp;

/// So many windows before the end are learnt from, one after the other …
const WINDOWS: i64 = 3;
/// … of so many days.
const WINDOW_DAYS: i64 = 28;
/// Before a window so many days must be known.
const LEAST_DAYS: i64 = 28;
/// New items of a window that are learnt from, at most, and how often each must have sold in it.
const NEW_ITEMS: usize = 50;
const LEAST_SOLD: u32 = 10;
/// Customers that are asked about each, at most.
const MOST_CUSTOMERS: usize = 5_000;
/// With fewer purchases than this nothing is learnt.
const LEAST_BOUGHT: usize = 50;
/// Strength of the belief that a figure says nothing: there are few newcomers, and many figures.
const RIDGE: f64 = 100.0;
/// A figure that is nearly the same for all is not blown up beyond this.
const LEAST_SPREAD: f64 = 0.05;

/// What was known of a customer and a new item, and whether they bought it.
type Row = (Figures, bool);

impl ArrivalModel {
    /// Learns from the items that were first sold in the last windows of the log; what was assumed, if there were
    /// too few.
    pub(in crate::customers) fn learn(
        log: &EventLog,
        ledger: &Ledger,
        likeness: &Likeness<'_>,
        zone: &TimeZone,
    ) -> Self {
        let firsts = Firsts::of(log);
        let mut rows: Vec<Row> = Vec::new();
        let mut learnt_from = 0;
        for window in 1..=WINDOWS {
            let cut = firsts.now.plus_days(-window * WINDOW_DAYS);
            let fresh = firsts.in_window(log, cut);
            if fresh.is_empty() || cut < firsts.start.plus_days(LEAST_DAYS) {
                continue;
            }
            let pasts = pasts(log, ledger, cut, zone);
            for item in fresh {
                let more = received(likeness, item, &pasts, cut);
                learnt_from += u32::from(!more.is_empty());
                rows.extend(more);
            }
        }
        match rows.iter().filter(|(_, bought)| *bought).count() >= LEAST_BOUGHT {
            true => Self { weights: fitted(rows), learnt_from },
            false => Self::default(),
        }
    }
}

/// When each item was first sold, to whomever.
struct Firsts {
    start: Timestamp,
    now: Timestamp,
    first: Vec<Option<Timestamp>>,
}

impl Firsts {
    fn of(log: &EventLog) -> Self {
        let mut first = vec![None; log.items.len()];
        for event in log.events.iter().filter(|event| event.kind == EventKind::Purchase) {
            let known: &mut Option<Timestamp> = &mut first[event.item.index()];
            known.get_or_insert(event.at); // events are in order of time
        }
        let at = |event: Option<&crate::events::Event>| event.map(|e| e.at).unwrap_or_default();
        Self { start: at(log.events.first()), now: at(log.events.last()), first }
    }

    /// Items that were first sold in the window from `cut` on, often enough; the most sold first.
    fn in_window(&self, log: &EventLog, cut: Timestamp) -> Vec<ItemId> {
        let end = cut.plus_days(WINDOW_DAYS);
        let mut sold: FxHashMap<ItemId, u32> = FxHashMap::default();
        let within = log.events.partition_point(|event| event.at < cut)
            ..log.events.partition_point(|event| event.at < end);
        for event in log.events[within].iter().filter(|e| e.kind == EventKind::Purchase) {
            if self.first[event.item.index()].is_some_and(|first| first >= cut) {
                *sold.entry(event.item).or_default() += 1;
            }
        }
        let mut fresh: Vec<(u32, ItemId)> = sold
            .into_iter()
            .filter(|(_, sold)| *sold >= LEAST_SOLD)
            .map(|(item, sold)| (sold, item))
            .collect();
        fresh.sort_unstable_by_key(|&(sold, item)| (std::cmp::Reverse(sold), item));
        fresh.into_iter().take(NEW_ITEMS).map(|(_, item)| item).collect()
    }
}

/// A customer before the window, and what they bought in it.
struct Then {
    past: Vec<Had>,
    orders: u32,
    bought: FxHashSet<ItemId>,
}

/// Customers who had bought before the cut.
fn pasts(log: &EventLog, ledger: &Ledger, cut: Timestamp, zone: &TimeZone) -> Vec<Then> {
    let step = ledger.len().div_ceil(MOST_CUSTOMERS).max(1);
    let customers: Vec<usize> = (0..ledger.len()).step_by(step).collect();
    let then = |&customer: &usize| {
        let orders = ledger.orders.row(customer);
        let orders = orders.partition_point(|order| order.at < cut) as u32;
        (orders > 0).then(|| then(log, ledger.events.row(customer), orders, cut, zone))
    };
    customers.par_iter().filter_map(then).collect()
}

fn then(log: &EventLog, places: &[u32], orders: u32, cut: Timestamp, zone: &TimeZone) -> Then {
    let end = cut.plus_days(WINDOW_DAYS);
    let (mut had, mut bought) = (FxHashMap::<ItemId, (Had, u64)>::default(), FxHashSet::default());
    for &place in places {
        let event = &log.events[place as usize];
        if event.kind != EventKind::Purchase || event.at >= end {
            continue;
        }
        if event.at >= cut {
            bought.insert(event.item);
            continue;
        }
        // Lines of one order are one time.
        let order = order_of(event, zone);
        let (first, last, times) = (event.at, event.at, 0);
        let fresh = (Had { item: event.item, times, first, last }, order);
        let (known, latest_order) = had.entry(event.item).or_insert(fresh);
        if known.times == 0 || *latest_order != order {
            known.times += 1;
        }
        (known.last, *latest_order) = (event.at, order);
    }
    let mut past: Vec<Had> = had.into_values().map(|(had, _)| had).collect();
    past.sort_unstable_by_key(|had| had.item);
    Then { past, orders, bought }
}

/// How one new item was received: a row for each customer, beside the mean of all, so that what is weighed is who
/// buys it and not how well it sells; empty if nobody, or everybody, bought it.
fn received(likeness: &Likeness<'_>, item: ItemId, pasts: &[Then], cut: Timestamp) -> Vec<Row> {
    let kin = likeness.kin(item);
    let row = |then: &Then| {
        let figures = figures(&kin, &then.past, then.orders, 0.0, cut)?;
        Some((figures, then.bought.contains(&item)))
    };
    let mut rows: Vec<Row> = pasts.par_iter().filter_map(row).collect();
    let share = rows.iter().filter(|(_, bought)| *bought).count() as f64 / rows.len().max(1) as f64;
    if share <= 0.0 || share >= 1.0 {
        return Vec::new();
    }
    let mut mean = [0.0f64; FIGURES];
    for (figures, _) in &rows {
        mean.iter_mut().zip(figures).for_each(|(sum, figure)| *sum += f64::from(*figure));
    }
    let mean = mean.map(|sum| sum / rows.len() as f64);
    for (figures, _) in &mut rows {
        figures.iter_mut().zip(mean).for_each(|(figure, mean)| *figure -= mean as f32);
        figures[0] = (share / (1.0 - share)).ln() as f32;
    }
    rows
}

/// Weights of the figures as they come, from rows in which each is brought to the same spread.
fn fitted(mut rows: Vec<Row>) -> [f64; FIGURES] {
    let mut squares = [0.0f64; FIGURES];
    for (figures, _) in &rows {
        squares.iter_mut().zip(figures).for_each(|(sum, x)| *sum += f64::from(*x).powi(2));
    }
    let mut spread = squares.map(|sum| (sum / rows.len() as f64).sqrt().max(LEAST_SPREAD));
    spread[0] = 1.0;
    for (figures, _) in &mut rows {
        figures.iter_mut().zip(spread).for_each(|(figure, spread)| *figure /= spread as f32);
    }
    let mut weights = Logistic::default().fitted(&rows, RIDGE).0;
    weights.iter_mut().zip(spread).for_each(|(weight, spread)| *weight /= spread);
    weights[0] = 0.0; // how well an item sells says nothing of who buys it
    weights
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{CategoryTree, Item};
    use crate::customers::arrival::Kin;
    use crate::customers::ledger::tests::log;

    /// Customers who keep to one of four categories. Each month something new comes into the first and the third;
    /// those of the first buy it, and nobody else.
    #[test]
    fn who_buys_what_is_new_is_learnt_from_who_bought_what_was() {
        let category = |item: usize| item % 4;
        let mut rows = Vec::new();
        for customer in 0..400usize {
            for week in 0..30i64 {
                let item = category(customer) + 4 * ((customer + week as usize) % 10);
                rows.push((customer, 7 * week + (customer % 7) as i64, 0, item, 5.0, 0));
            }
            let keen = category(customer) == 0;
            for month in 3..7i64 {
                let (fresh, day) = (40 + 4 * month as usize, 28 * month + 14);
                if keen && customer % 3 == 0 {
                    rows.push((customer, day + customer as i64 % 9, 0, fresh, 5.0, 0));
                }
            }
        }
        let log = log(&rows);
        let named = |item: usize| Item {
            category: vec![format!("c{}", category(item))],
            ..Item::default()
        };
        let items: Vec<Item> = (0..log.items.len()).map(named).collect();
        let categories = CategoryTree::new(&items);
        let likeness = Likeness::new(&items, &categories);
        let ledger = Ledger::of(&log, &TimeZone::UTC);
        let model = ArrivalModel::learn(&log, &ledger, &likeness, &TimeZone::UTC);
        assert!(model.learnt_from >= 2, "{model:?}");
        // Something new in the first category, of which nobody knows.
        let kin: Kin = likeness.kin(ItemId::new(65).min(ItemId::new(log.items.len() - 1)));
        let now = log.events.last().unwrap().at;
        let odds = |customer: usize| {
            let then = then(&log, ledger.events.row(customer), 30, now, &TimeZone::UTC);
            let past = figures(&kin, &then.past, then.orders, 0.0, now);
            past.map(|x| model.weights.iter().zip(x).map(|(w, x)| w * f64::from(x)).sum::<f64>())
        };
        let mean = |group: usize| {
            let all: Vec<f64> = (group..400).step_by(4).filter_map(odds).collect();
            all.iter().sum::<f64>() / all.len() as f64
        };
        let of_category = category(kin.item.index());
        for other in (0..4).filter(|&other| other != of_category) {
            assert!(mean(of_category) > mean(other) + 0.3, "{model:?}");
        }
    }

    #[test]
    fn where_nothing_was_new_it_is_assumed() {
        let log = log(&[(0, 1, 0, 0, 1.0, 0), (1, 90, 0, 0, 1.0, 0)]);
        let items = vec![Item::default(); log.items.len()];
        let categories = CategoryTree::new(&items);
        let ledger = Ledger::of(&log, &TimeZone::UTC);
        let likeness = Likeness::new(&items, &categories);
        let model = ArrivalModel::learn(&log, &ledger, &likeness, &TimeZone::UTC);
        assert_eq!(model, ArrivalModel::default());
    }
}
