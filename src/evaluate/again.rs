//! Is what is said to be due bought? Week by week, each learnt from what was before it.

use jiff::tz::TimeZone;
use rustc_hash::FxHashSet;
use serde::Serialize;

use super::metrics::interval;
use crate::catalog::{CategoryTree, Item};
use crate::customers::{Cadence, Due, History, HistoryOptions, Pasts, Recurrence, SOON_DAYS};
use crate::events::{EventKind, EventLog, Told, baskets};
use crate::ids::{CustomerId, ItemId};
use crate::time::Timestamp;

/// Weeks that are held back, one after the other.
const WEEKS: i64 = 4;
/// Of each customer so many are looked at, as an answer has them.
const PLACES: usize = 10;
/// What is due within so many days is said to be due.
const DUE_DAYS: f32 = SOON_DAYS as f32;
/// Any will do.
const SEED: u64 = 7;

/// Of what was answered, and of what was said to be due within a week, how much was bought within that week.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AgainReport {
    /// Weeks in which anything was said.
    pub weeks: usize,
    /// Items answered, over all customers and weeks: what has a rhythm, at most ten to a customer.
    pub answered: usize,
    /// The share of them that was bought: Cartwright's, and where an obvious rule chooses as many items of the same
    /// customers. Best first.
    pub marks: Vec<AgainMarks>,
    /// Of those that were said to be due within 7 days: the chance that was stated, and what was bought.
    pub due: Stated,
    /// 95 % interval of the share of these that was bought, customers drawn anew.
    pub due_interval: (f64, f64),
    /// The same in ten groups at most, by the chance that was stated.
    pub by_chance: Vec<Stated>,
}

/// One way to choose.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AgainMarks {
    /// As the report calls it.
    pub name: &'static str,
    /// Share that was bought within the week, 0 to 1.
    pub bought: f64,
    /// 95 % interval, customers drawn anew.
    pub interval: (f64, f64),
    /// 95 % interval of what Cartwright's share is above this one, the same customers drawn; (0, 0) for its own.
    pub gain: (f64, f64),
}

/// What was said with about the same chance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Stated {
    /// How many.
    pub said: usize,
    /// The mean chance that was stated.
    pub stated: f64,
    /// The share that was bought.
    pub bought: f64,
}

/// Asks at the beginning of each of the last four weeks what is due to each customer within 7 days; `items` is
/// what the catalogue says, in the order of their ids. `None` if nothing is.
pub fn again_over_weeks(
    told: &Told,
    items: &[Item],
    zone: &TimeZone,
    history: &HistoryOptions,
) -> Option<AgainReport> {
    let whole = &told.whole();
    let end = whole.events.last().filter(|_| whole.timed)?.at;
    let categories = &CategoryTree::new(items);
    let mut sayings = Sayings::default();
    for week in (1..=WEEKS).rev() {
        let now = end.plus_days(-week * SOON_DAYS);
        let (past, item_count) = (told.until(Timestamp(now.0 + 1)), items.len());
        sayings.ask(&Week { past, whole, now, categories, item_count, zone, history });
    }
    (!sayings.said.is_empty()).then(|| sayings.report())
}

/// One week, and what was known at its beginning.
struct Week<'a> {
    past: EventLog,
    whole: &'a EventLog,
    now: Timestamp,
    categories: &'a CategoryTree,
    item_count: usize,
    zone: &'a TimeZone,
    history: &'a HistoryOptions,
}

/// Everything that was said, by Cartwright and by the rules.
#[derive(Default)]
struct Sayings {
    /// In which anything was said.
    weeks: usize,
    said: Vec<Saying>,
    /// Per rule: whether what it chose was bought.
    ruled: [Vec<bool>; RULES.len()],
    clusters: Vec<u32>,
}

/// One item that was answered.
#[derive(Clone, Copy)]
struct Saying {
    chance: f32,
    is_due: bool,
    was_bought: bool,
}

type Rule = (&'static str, fn(&History) -> Vec<ItemId>);

const RULES: [Rule; 2] = [
    ("latest", |history| ranked(history, |bought| (bought.last.0, i64::from(bought.times)))),
    ("most_often", |history| ranked(history, |bought| (i64::from(bought.times), bought.last.0))),
];

fn ranked(history: &History, key: fn(&crate::customers::Bought) -> (i64, i64)) -> Vec<ItemId> {
    let mut bought: Vec<_> = history.bought.iter().filter(|bought| bought.times > 0).collect();
    bought.sort_by(|a, b| key(b).cmp(&key(a)).then(a.item.cmp(&b.item)));
    bought.into_iter().map(|bought| bought.item).collect()
}

impl Sayings {
    fn ask(&mut self, week: &Week<'_>) {
        let Week { past, whole, now, categories, item_count, zone, history } = week;
        let orders = baskets(past, zone);
        let recurrence = Recurrence::learn(&orders, categories, *item_count, true);
        let pasts = Pasts::new(past, orders, *now, history);
        let (soon, before) = (now.plus_days(SOON_DAYS), self.said.len());
        let bought: FxHashSet<(CustomerId, ItemId)> = whole
            .events
            .iter()
            .filter(|event| event.at > *now && event.at <= soon)
            .filter(|event| event.kind == EventKind::Purchase)
            .filter_map(|event| Some((event.customer?, event.item)))
            .collect();
        for customer in (0..pasts.customers()).map(CustomerId::new) {
            let history = &pasts.of(customer, &Cadence::default());
            let due = recurrence.due(history, *now);
            let due: Vec<Due> = due.into_iter().take(PLACES).collect();
            let was_bought = |item| bought.contains(&(customer, item));
            self.said.extend(due.iter().map(|due| Saying {
                chance: due.chance,
                is_due: due.in_days <= DUE_DAYS,
                was_bought: was_bought(due.item),
            }));
            self.clusters.extend(due.iter().map(|_| customer.index() as u32));
            for ((_, rule), chosen) in RULES.iter().zip(&mut self.ruled) {
                chosen.extend(rule(history).into_iter().take(due.len()).map(was_bought));
            }
        }
        self.weeks += usize::from(self.said.len() > before);
    }

    fn report(self) -> AgainReport {
        let figures = |bought: &[bool]| -> Vec<f64> {
            bought.iter().map(|&b| f64::from(u8::from(b))).collect()
        };
        let own: Vec<bool> = self.said.iter().map(|said| said.was_bought).collect();
        let own_figures = figures(&own);
        let marks = |name, bought: Vec<bool>| {
            let values = figures(&bought);
            let above: Vec<f64> = own_figures.iter().zip(&values).map(|(a, b)| a - b).collect();
            let over_customers = |values: &[f64]| interval(values, &self.clusters, SEED);
            let (interval, gain) = (over_customers(&values), over_customers(&above));
            AgainMarks { name, bought: mean(&values), interval, gain }
        };
        let mut all = vec![marks("cartwright", own)];
        all.extend(RULES.iter().zip(self.ruled).map(|((name, _), bought)| marks(name, bought)));
        all.sort_by(|a, b| b.bought.total_cmp(&a.bought));
        let said = self.said.iter().zip(&self.clusters).filter(|(said, _)| said.is_due);
        let (mut due, clusters): (Vec<Saying>, Vec<u32>) = said.map(|(s, c)| (*s, *c)).unzip();
        let values: Vec<f64> =
            due.iter().map(|said| f64::from(u8::from(said.was_bought))).collect();
        let due_interval = interval(&values, &clusters, SEED);
        let of_due = Stated::of(&due);
        due.sort_by(|a, b| a.chance.total_cmp(&b.chance));
        let groups = due.len().clamp(1, 10);
        let group = |nth: usize| &due[nth * due.len() / groups..(nth + 1) * due.len() / groups];
        AgainReport {
            weeks: self.weeks,
            answered: self.said.len(),
            marks: all,
            due: of_due,
            due_interval,
            by_chance: (0..groups)
                .map(|nth| Stated::of(group(nth)))
                .filter(|of| of.said > 0)
                .collect(),
        }
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

impl Stated {
    fn of(said: &[Saying]) -> Self {
        let stated: Vec<f64> = said.iter().map(|said| f64::from(said.chance)).collect();
        let bought: Vec<f64> = said.iter().map(|s| f64::from(u8::from(s.was_bought))).collect();
        Self { said: said.len(), stated: mean(&stated), bought: mean(&bought) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    use crate::events::Event;
    use crate::ids::Interner;

    fn asked(log: EventLog) -> Option<AgainReport> {
        let items = vec![Item::default(); 22];
        again_over_weeks(&log.into(), &items, &TimeZone::UTC, &HistoryOptions::default())
    }

    #[test]
    fn in_a_shop_that_keeps_its_rhythm_what_is_said_comes_true_as_often_as_stated() {
        // 200 customers: item 0 every 28 days, item 1 every 10, give or take; something else now and then.
        let mut chance = fastrand::Rng::with_seed(3);
        let mut events = Vec::new();
        for customer in 0..200usize {
            for (item, every) in [(0, 28.0), (1, 10.0), (2 + customer % 20, 200.0)] {
                let mut day = chance.f64() * every;
                while day < 300.0 {
                    events.push(Event {
                        at: Timestamp((day * 86_400_000.0) as i64),
                        customer: Some(CustomerId::new(customer)),
                        item: ItemId::new(item),
                        group: None,
                        quantity: 1.0,
                        unit_price: 1.0,
                        kind: EventKind::Purchase,
                        discount_percent: 0,
                    });
                    day += every * (0.8 + 0.4 * chance.f64());
                }
            }
        }
        events.sort_by_key(|event| event.at);
        let mut customers = Interner::<CustomerId>::new();
        for customer in 0..200 {
            customers.intern(&format!("c{customer}"));
        }
        let (events, customers) = (events.into(), Arc::new(customers));
        let log = EventLog { events, customers, timed: true, ..EventLog::default() };
        let report = asked(log);
        let report = report.expect("much is due");
        assert_eq!(report.marks.len(), 1 + RULES.len());
        let alike = report.marks.iter().all(|marks| marks.gain == (0.0, 0.0));
        assert!(alike, "of three items to a customer all choose the same: {report:?}");
        assert!((report.due.bought - report.due.stated).abs() < 0.05, "{report:?}");
        assert!(report.due.bought > 0.5 && report.due.said > 300, "{report:?}");
        let (low, high) = report.due_interval;
        assert!(low < report.due.bought && report.due.bought < high, "{report:?}");
    }

    #[test]
    fn a_log_without_time_says_nothing() {
        let events = (0..300i64).map(|n| Event {
            at: Timestamp(0).plus_days(n),
            customer: Some(CustomerId::new(n as usize % 20)),
            item: ItemId::new(n as usize % 20),
            group: None,
            quantity: 1.0,
            unit_price: 1.0,
            kind: EventKind::Purchase,
            discount_percent: 0,
        });
        let mut customers = Interner::<CustomerId>::new();
        (0..20).for_each(|customer| _ = customers.intern(&format!("c{customer}")));
        let log = EventLog {
            events: events.collect(),
            customers: Arc::new(customers),
            timed: true,
            ..EventLog::default()
        };
        assert!(asked(log.clone()).is_some(), "each comes again every 20 days");
        assert_eq!(asked(EventLog { timed: false, ..log }), None);
    }
}
