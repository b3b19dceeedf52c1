//! Crowds: many accounts that came of late and want the same.
//!
//! Each of them is as quiet as a person, and a campaign of the shop's own looks just so. What they want counts as
//! far as the customers who were there before want it too, and it is said: a newcomer of a month ago is none any
//! more, so what is honest counts in full soon enough.

use std::hash::BuildHasher;

use jiff::tz::TimeZone;
use rustc_hash::{FxBuildHasher, FxHashMap, FxHashSet};

use crate::customers::date;
use crate::events::{Baskets, Event, EventKind, EventLog, baskets};
use crate::ids::{CustomerId, ItemId};
use crate::time::Timestamp;

/// "Of late" is the last so many days.
const RECENT_DAYS: i64 = 28;
/// Fewer customers than this are no crowd.
const LEAST: usize = 20;
/// The share of newcomers among an item's customers is so far above that among the others' …
const ABOVE: f64 = 0.3;
/// … and so many standard errors.
const ERRORS: f64 = 6.0;
/// What newcomers want no more than so many times as often as those before them did, is what one begins with.
const FAMILIAR: f64 = 1.5;
/// Equal baskets of so many customers on one day are told …
const LEAST_ALIKE: usize = 20;
/// … unless another day has a third of that: a lunch deal sells every day.
const TIMES_OTHERS: usize = 3;
/// Items and baskets that are named, at most.
const NAMED: usize = 5;

/// The log without what crowds want beyond what others do, and a line for each crowd; `zone` decides what a
/// day is.
pub fn quieted(log: &EventLog, zone: &TimeZone) -> (EventLog, Vec<String>) {
    let mut lines: Vec<String> = alike(log, &baskets(log, zone), zone).into_iter().collect();
    match newcomers(log) {
        None => (log.clone(), lines),
        Some(Crowd { since, beyond, line }) => {
            let is_beyond = |event: &Event| {
                let who = event.customer.filter(|_| event.at > since);
                who.is_some_and(|customer| beyond.contains(&(event.item, customer)))
            };
            lines.push(line);
            (log.only(|event| !is_beyond(event)), lines)
        }
    }
}

/// Newcomers who want what hardly anybody else does.
struct Crowd {
    since: Timestamp,
    /// What does not count, of events after that.
    beyond: FxHashSet<(ItemId, CustomerId)>,
    line: String,
}

/// Items that hardly anybody wants of late but those who have just come, and that those who came before did not want
/// nearly as often.
fn newcomers(log: &EventLog) -> Option<Crowd> {
    let since = log.events.last().filter(|_| log.timed)?.at.plus_days(-RECENT_DAYS);
    if log.events.first()?.at > since.plus_days(-RECENT_DAYS) {
        return None; // everybody has just come
    }
    let mut came: Vec<Option<Timestamp>> = vec![None; log.customers.len()];
    let mut wanted: Vec<(ItemId, Timestamp, CustomerId)> = Vec::new();
    for event in log.events.iter().filter(|event| event.kind != EventKind::Return) {
        let Some(customer) = event.customer else { continue };
        let first = *came[customer.index()].get_or_insert(event.at);
        if event.at > since {
            wanted.push((event.item, first, customer));
        }
    }
    wanted.sort_unstable(); // of an item's customers those first who came first
    wanted.dedup();
    let active: FxHashSet<_> =
        wanted.iter().map(|&(_, first, customer)| (customer, first)).collect();
    let new = active.iter().filter(|(_, first)| *first > since).count();
    let of_items = wanted.chunk_by(|a, b| a.0 == b.0).filter_map(|customers| {
        let regulars = customers.partition_point(|(_, first, _)| *first <= since);
        let newcomers = customers.len() - regulars;
        let usual = usual_share(customers.len(), newcomers, active.len(), new);
        let stands_out = stands_out(customers.len(), newcomers, usual);
        stands_out.then_some(Wanted { customers, regulars, usual })
    });
    let standing_out: Vec<Wanted> = of_items.collect();
    let before = before(log, since, &standing_out);
    let ever = came.iter().flatten().filter(|first| **first <= since).count();
    let mut found = Vec::new();
    let mut beyond = FxHashSet::default();
    for Wanted { customers, regulars, usual } in standing_out {
        let (item, newcomers) = (customers[0].0, customers.len() - regulars);
        let as_before = before.get(&item).map_or(0.0, |who| who.len() as f64 / ever.max(1) as f64);
        if newcomers as f64 / new.max(1) as f64 > FAMILIAR * as_before {
            found.push((customers.len(), newcomers, item));
            let as_usual = (usual / (1.0 - usual) * regulars as f64) as usize;
            let others = customers.iter().skip(regulars + as_usual);
            beyond.extend(others.map(|&(item, _, customer)| (item, customer)));
        }
    }
    found.sort_unstable_by_key(|&(customers, _, item)| (std::cmp::Reverse(customers), item));
    let named: Vec<String> = found
        .iter()
        .take(NAMED)
        .map(|&(of, new, item)| format!("{} ({new} of {of} customers)", log.items.key(item)))
        .collect();
    let usual = 100.0 * new as f64 / active.len().max(1) as f64;
    (!found.is_empty()).then(|| Crowd {
        since,
        beyond,
        line: format!(
            "crowd: in the last {RECENT_DAYS} days {} items were wanted by newcomers above all, who are {usual:.0} % \
             of all customers then: {}: a campaign, or accounts that somebody made up. They count no more than \
             usual (train.keep_crowds = true counts them all)",
            found.len(),
            named.join(", ")
        ),
    })
}

/// An item whose customers of late are newcomers more than is usual.
struct Wanted<'a> {
    /// With when they came, the first first.
    customers: &'a [(ItemId, Timestamp, CustomerId)],
    /// How many of them were there before.
    regulars: usize,
    /// The share of newcomers among the others' customers.
    usual: f64,
}

/// Who had wanted these items until then.
fn before(
    log: &EventLog,
    since: Timestamp,
    items: &[Wanted<'_>],
) -> FxHashMap<ItemId, FxHashSet<CustomerId>> {
    let mut before: FxHashMap<ItemId, FxHashSet<CustomerId>> =
        items.iter().map(|item| (item.customers[0].0, FxHashSet::default())).collect();
    if items.is_empty() {
        return before;
    }
    let past = log.events.iter().take_while(|event| event.at <= since);
    for event in past.filter(|event| event.kind != EventKind::Return) {
        if let (Some(customer), Some(who)) = (event.customer, before.get_mut(&event.item)) {
            who.insert(customer);
        }
    }
    before
}

/// The share of newcomers among the customers who do not want the item.
fn usual_share(customers: usize, newcomers: usize, all: usize, new: usize) -> f64 {
    let others = all.saturating_sub(customers).max(1) as f64;
    (new.saturating_sub(newcomers) as f64 / others).clamp(0.01, 0.99)
}

/// Whether newcomers are a far larger share of an item's customers than is usual.
fn stands_out(customers: usize, newcomers: usize, usual: f64) -> bool {
    let share = newcomers as f64 / customers.max(1) as f64;
    let error = (usual * (1.0 - usual) / customers.max(1) as f64).sqrt();
    customers >= LEAST && share > usual + ABOVE && share > usual + ERRORS * error
}

/// The same basket of two items or more, of many customers on one day and hardly any on another.
fn alike(log: &EventLog, baskets: &Baskets, zone: &TimeZone) -> Option<String> {
    if !log.timed {
        return None;
    }
    let customer = |place: u32| baskets.customers[place as usize];
    let known = (0..).zip(baskets.items.rows());
    let known = known.filter(|&(place, items)| items.len() > 1 && customer(place).is_some());
    let day = |place: u32| baskets.at[place as usize].day(zone);
    let told = known.map(|(place, items)| (FxBuildHasher.hash_one(items), day(place), place));
    let mut told: Vec<(u64, i64, u32)> = told.collect();
    told.sort_unstable();
    let mut found: Vec<(usize, usize)> = Vec::new();
    for of_basket in told.chunk_by(|a, b| a.0 == b.0) {
        let of_days = of_basket.chunk_by(|a, b| a.1 == b.1);
        let mut counts: Vec<(usize, usize)> = of_days
            .map(|of_day| {
                // A customer's baskets are neighbours.
                let customers = of_day.chunk_by(|a, b| customer(a.2) == customer(b.2)).count();
                (customers, of_day[0].2 as usize)
            })
            .collect();
        counts.sort_unstable();
        let (most, place) = counts.pop().unwrap_or_default();
        let next = counts.pop().map_or(0, |(count, _)| count);
        if most >= LEAST_ALIKE && most > TIMES_OTHERS * next {
            found.push((most, place));
        }
    }
    found.sort_unstable_by_key(|&(count, place)| (std::cmp::Reverse(count), place));
    let named = |&(count, place): &(usize, usize)| {
        let items = baskets.items.row(place).iter().take(NAMED).map(|&item| log.items.key(item));
        let items: Vec<&str> = items.collect();
        let day = date(baskets.at[place].day(zone) as i32);
        let day = day.map_or_else(|| "a day".to_owned(), |day| day.to_string());
        format!("{} ({count} times on {day})", items.join(" + "))
    };
    let shown: Vec<String> = found.iter().take(NAMED).map(named).collect();
    (!found.is_empty()).then(|| {
        format!(
            "crowd: {} baskets came from many customers on one day, and hardly on another: {}: a campaign, or \
             accounts that somebody made up",
            found.len(),
            shown.join(", ")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{GroupId, Interner};

    /// What is said where so many customers have the same basket on each of these days, each of them twice.
    fn said(days: &[(i64, usize)], zone: &TimeZone) -> Option<String> {
        let (mut items, mut customers) = (Interner::new(), Interner::<CustomerId>::new());
        let [tea, cup] = ["tea", "cup"].map(|key| items.intern(key));
        let mut events = Vec::new();
        for &(day, count) in days {
            for n in 0..2 * count {
                let customer = customers.intern(&format!("{day}-{}", n % count));
                let group = GroupId::new(events.len() / 2);
                events.extend([tea, cup].map(|item| Event {
                    // Half past eleven in the evening, universal time.
                    at: Timestamp(day * crate::time::DAY_MS + 84_600_000),
                    customer: Some(customer),
                    item,
                    group: Some(group),
                    quantity: 1.0,
                    unit_price: 1.0,
                    kind: EventKind::Purchase,
                    discount_percent: 0,
                }));
            }
        }
        let events = events.into();
        let (items, customers) = (items.into(), customers.into());
        let log = EventLog { events, items, customers, timed: true, ..EventLog::default() };
        alike(&log, &baskets(&log, zone), zone)
    }

    #[test]
    fn the_same_basket_of_many_on_one_day_is_told_with_the_shops_day_unless_it_sells_on_others() {
        let tokyo = TimeZone::fixed(jiff::tz::offset(9));
        let once = said(&[(4, LEAST_ALIKE), (9, LEAST_ALIKE / TIMES_OTHERS)], &TimeZone::UTC);
        let once = once.expect("a basket of one day");
        assert!(
            once.contains("1 baskets") && once.contains("tea + cup (20 times on 1970-01-05)"),
            "{once}"
        );
        let there = said(&[(4, LEAST_ALIKE)], &tokyo).expect("a basket of one day");
        assert!(there.contains("tea + cup (20 times on 1970-01-06)"), "{there}");
        assert_eq!(said(&[(4, LEAST_ALIKE - 1)], &TimeZone::UTC), None, "too few");
        let lunch = [(4, LEAST_ALIKE), (9, LEAST_ALIKE / TIMES_OTHERS + 1)];
        assert_eq!(said(&lunch, &TimeZone::UTC), None, "a lunch deal");
    }
}
