//! Is what is said to rise what sells more in the week after? Week by week, each asked with what was known then.

use jiff::tz::TimeZone;
use rayon::prelude::*;
use serde::Serialize;

use super::metrics::interval;
use crate::catalog::{CategoryTree, Item};
use crate::events::Told;
use crate::ids::ItemId;
use crate::time::Timestamp;
use crate::trends::{Days, risers};

/// Places of a list that is judged.
const PLACES: usize = 50;
/// A week is compared with so many weeks before it.
const WEEKS_BEFORE: usize = 8;
/// At most so many weeks are asked, the last of the log.
const MOST_WEEKS: usize = 26;
/// With fewer weeks nothing is said.
const LEAST_WEEKS: usize = 4;
/// A true riser sells at least to so many customers in the week after …
const LEAST_SOLD: u32 = 5;
/// … and so many times what its usual share of the shop's sales would have brought.
const TIMES_USUAL: f64 = 2.0;
const WEEK: usize = 7;
/// Any will do.
const SEED: u64 = 6;

/// How well risers were found, over all weeks that were asked.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RisingReport {
    /// Weeks that were asked.
    pub weeks: usize,
    /// True risers, on average of the weeks.
    pub true_risers: f64,
    /// Best first.
    pub marks: Vec<RisingMarks>,
}

/// How well one way of finding them did.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RisingMarks {
    /// As the report calls it.
    pub name: &'static str,
    /// Share of true risers among the first fifty, on average of the weeks.
    pub precision_at50: f64,
    /// 95 % interval, weeks drawn anew.
    pub interval: (f64, f64),
}

/// One way of finding risers: a score per item that was sold before, the best first.
type Way = (&'static str, fn(&Asked<'_>) -> Vec<f64>);

const WAYS: [Way; 4] = [
    ("cartwright", found),
    ("last_week_volume", |asked| asked.scores(|now, _| now)),
    ("last_week_growth", |asked| asked.scores(|now, before| (now + 1.0) / (before + 1.0))),
    ("last_week_increase", |asked| asked.scores(|now, before| now - before)),
];

/// Asks in each of the last weeks of the log; `items` is what the catalogue says, in the order of their ids.
///
/// A true riser is an item sold before the week that was asked, which in the week after sells to at least 5 customers
/// (each once a day), and to at least twice as many as its share of the shop's sales in the eight weeks before would
/// have brought. `None` if the log is too short, or has no time.
pub fn rising_over_weeks(told: &Told, items: &[Item], zone: &TimeZone) -> Option<RisingReport> {
    let days = Days::within(&told.whole(), zone, items.len(), told.days(zone)?);
    let categories = CategoryTree::new(items);
    let untils: Vec<usize> = (1..=MOST_WEEKS)
        .filter_map(|week| days.len().checked_sub(week * WEEK))
        .filter(|&until| until >= (WEEKS_BEFORE + 1) * WEEK)
        .collect();
    if untils.len() < LEAST_WEEKS {
        return None;
    }
    let asked: Vec<(usize, [f64; WAYS.len()])> = untils
        .into_par_iter()
        .map(|until| {
            let known = known_until(told, zone, &days, until);
            let known = known.as_ref().unwrap_or(&days);
            Asked { days: known, later: &days, categories: &categories, until }.judged()
        })
        .collect();
    let weeks = asked.len();
    let clusters: Vec<u32> = (0..weeks as u32).collect(); // at most MOST_WEEKS
    let mut marks: Vec<RisingMarks> = WAYS
        .iter()
        .enumerate()
        .map(|(way, (name, _))| {
            let values: Vec<f64> = asked.iter().map(|(_, precisions)| precisions[way]).collect();
            let precision_at50 = values.iter().sum::<f64>() / weeks as f64;
            let interval = interval(&values, &clusters, SEED);
            RisingMarks { name, precision_at50, interval }
        })
        .collect();
    marks.sort_by(|a, b| b.precision_at50.total_cmp(&a.precision_at50));
    let risen: usize = asked.iter().map(|(risen, _)| risen).sum();
    Some(RisingReport { weeks, true_risers: risen as f64 / weeks as f64, marks })
}

/// What was known before day `until`, if that differs from what is known now: some of it was sent back since.
fn known_until(told: &Told, zone: &TimeZone, days: &Days, until: usize) -> Option<Days> {
    let until = days.first + until as i64;
    let midnight = Timestamp::of_day(until, zone);
    let known = || Days::within(&told.until(midnight), zone, days.items.len(), days.first..until);
    told.returns_since(midnight).then(known)
}

/// The week before day `until`.
struct Asked<'a> {
    /// As it was known then.
    days: &'a Days,
    /// As it turned out.
    later: &'a Days,
    categories: &'a CategoryTree,
    until: usize,
}

impl Asked<'_> {
    /// How many true risers there were, and the share of them among the first of each way.
    fn judged(&self) -> (usize, [f64; WAYS.len()]) {
        let rose = self.true_risers();
        let precisions = WAYS.map(|(_, way)| {
            let scores = way(self);
            let mut ranked: Vec<usize> =
                (0..scores.len()).filter(|&item| self.was_sold(item)).collect();
            ranked.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]).then(a.cmp(&b)));
            let hits = ranked.iter().take(PLACES).filter(|&&item| rose[item]).count();
            hits as f64 / PLACES as f64
        });
        (rose.iter().filter(|rose| **rose).count(), precisions)
    }

    fn true_risers(&self) -> Vec<bool> {
        let (from, week, next) = self.weeks();
        let volume = |from: usize, until: usize| -> f64 {
            self.later.volume[from..until].iter().map(|&count| f64::from(count)).sum()
        };
        let per_volume = volume(self.until, next) / volume(from, week).max(1.0);
        (0..self.later.items.len())
            .map(|item| {
                let item = ItemId::new(item);
                let usual = f64::from(self.later.of(item, from, week)) * per_volume;
                let after = self.later.of(item, self.until, next);
                let rose = after >= LEAST_SOLD && f64::from(after) >= TIMES_USUAL * usual;
                rose && self.was_sold(item.index())
            })
            .collect()
    }

    /// The first day of the weeks before, that of the week asked, and the day behind the week after.
    fn weeks(&self) -> (usize, usize, usize) {
        let week = self.until - WEEK;
        (week - WEEKS_BEFORE * WEEK, week, self.until + WEEK)
    }

    /// Whether the item was sold in the weeks before: what is new is no riser.
    fn was_sold(&self, item: usize) -> bool {
        let (from, week, _) = self.weeks();
        self.days.of(ItemId::new(item), from, week) > 0
    }

    /// By what was sold in the week asked, and in the one before.
    fn scores(&self, score: impl Fn(f64, f64) -> f64) -> Vec<f64> {
        let (_, week, _) = self.weeks();
        let of = |item: usize, from: usize, until: usize| {
            f64::from(self.days.of(ItemId::new(item), from, until))
        };
        (0..self.days.items.len())
            .map(|item| score(of(item, week, self.until), of(item, week - WEEK, week)))
            .collect()
    }
}

/// As the answers have it: what surely rises, what may, and then what sells.
fn found(asked: &Asked<'_>) -> Vec<f64> {
    let mut scores = asked.scores(|now, _| now / 1e9);
    for riser in risers(asked.days, asked.until, WEEK, asked.categories) {
        let sure = if riser.sure { 1e6 } else { 1.0 };
        scores[riser.item.index()] = sure * f64::from(riser.at_least);
    }
    scores
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::{Event, EventKind, EventLog};
    use crate::ids::CustomerId;

    #[test]
    fn all_that_have_begun_to_rise_are_found_and_volume_does_not_find_them() {
        // 300 items of 8 to 37 customers a week, give or take, of which each week another three sell four times as
        // much for two weeks; 900 of 2, which chance alone doubles often; and 60 of 150, which always sell most.
        let mut chance = fastrand::Rng::with_seed(11);
        let mut events = Vec::new();
        for week in 0..20i64 {
            for item in 0..1_260usize {
                let usual = match item {
                    0..300 => 8 + item % 30,
                    300..1_200 => 2,
                    _ => 150,
                };
                let since = week - (item / 3) as i64;
                let asked =
                    if item < 300 && (0..2).contains(&since) { 8 * usual } else { 2 * usual };
                for customer in (0..asked).filter(|_| chance.bool()) {
                    let day = week * 7 + customer as i64 % 7;
                    events.push(sale(day, 1000 * item + customer, item));
                }
            }
        }
        events.sort_by_key(|event| event.at);
        let log = log(events.into_iter());
        let report = rising_over_weeks(&log.into(), &vec![Item::default(); 1_260], &TimeZone::UTC);
        let report = report.expect("twenty weeks are enough");
        assert!(report.weeks >= 10 && report.true_risers > 0.5, "{report:?}");
        let of = |name: &str| {
            let mark = report.marks.iter().find(|mark| mark.name == name);
            mark.expect("it was judged").precision_at50
        };
        // Three of the six that rise each week have begun the week before: no rule can foresee the others.
        assert!(of("cartwright") > 0.0599, "{report:?}");
        assert!(of("last_week_volume") < of("cartwright"), "{report:?}");
    }

    fn sale(day: i64, customer: usize, item: usize) -> Event {
        Event {
            at: Timestamp(0).plus_days(day),
            customer: Some(CustomerId::new(customer)),
            item: ItemId::new(item),
            group: None,
            quantity: 1.0,
            unit_price: 1.0,
            kind: EventKind::Purchase,
            discount_percent: 0,
        }
    }

    fn log(events: impl Iterator<Item = Event>) -> EventLog {
        EventLog { events: events.collect(), timed: true, ..EventLog::default() }
    }

    #[test]
    fn a_log_says_nothing_before_there_are_weeks_enough() {
        let of = |days: i64| {
            let sales = log((0..days).map(|day| sale(day, 0, 0)));
            rising_over_weeks(&sales.into(), &[Item::default()], &TimeZone::UTC)
        };
        let enough = ((WEEKS_BEFORE + 1 + LEAST_WEEKS) * WEEK) as i64;
        assert_eq!(of(enough - 1), None);
        assert_eq!(of(enough).map(|report| report.weeks), Some(LEAST_WEEKS));
    }

    #[test]
    fn what_was_sent_back_since_was_still_sold_when_it_was_asked() {
        // Who bought on day 80 sent it back on day 90.
        let days = (0..100).map(|day| sale(day, 0, 0));
        let sent_back = Event { kind: EventKind::Return, ..sale(90, 1, 1) };
        let mut events: Vec<Event> = days.chain([sale(80, 1, 1), sent_back]).collect();
        events.sort_by_key(|event| event.at);
        let told = Told::from(log(events.into_iter()));
        let days = Days::within(&told.whole(), &TimeZone::UTC, 2, 0..100);
        let known = |until: usize| {
            known_until(&told, &TimeZone::UTC, &days, until)
                .map(|days| days.of(ItemId::new(1), 0, until))
        };
        assert_eq!(days.of(ItemId::new(1), 0, 100), 0);
        assert_eq!([known(84), known(91)], [Some(1), None]);
    }
}
