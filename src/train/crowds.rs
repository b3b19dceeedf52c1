//! Crowds: many accounts that came of late and want the same.
//!
//! Each of them is as quiet as a person, and a campaign of the shop's own looks just so: nothing is set aside,
//! and it is said.

use std::hash::{BuildHasher, Hash, Hasher};

use jiff::tz::TimeZone;
use rustc_hash::{FxBuildHasher, FxHashMap, FxHashSet};

use crate::events::{Baskets, EventKind, EventLog};
use crate::ids::{CustomerId, ItemId};
use crate::time::Timestamp;

/// "Of late" is the last so many days.
const RECENT_DAYS: i64 = 28;
/// Fewer customers than this are no crowd.
const LEAST: usize = 50;
/// The share of newcomers among an item's customers is so far above that among the others' …
const ABOVE: f64 = 0.3;
/// … and so many standard errors.
const ERRORS: f64 = 10.0;
/// Equal baskets of so many customers on one day are told …
const LEAST_ALIKE: usize = 20;
/// … unless another day has a third of that: a lunch deal sells every day.
const TIMES_OTHERS: usize = 3;
/// Items and baskets that are named, at most.
const NAMED: usize = 5;

/// A line for each crowd; `zone` decides what a day is.
pub(super) fn lines(log: &EventLog, baskets: &Baskets, zone: &TimeZone) -> Vec<String> {
    if !log.timed {
        return Vec::new();
    }
    let mut lines: Vec<String> = newcomers(log).into_iter().collect();
    lines.extend(alike(log, baskets, zone));
    lines
}

/// Items that hardly anybody wants of late but those who have just come.
fn newcomers(log: &EventLog) -> Option<String> {
    let since = log.events.last()?.at.plus_days(-RECENT_DAYS);
    if log.events.first()?.at > since.plus_days(-RECENT_DAYS) {
        return None; // everybody has just come
    }
    let mut came: Vec<Option<Timestamp>> = vec![None; log.customers.len()];
    let mut wanted: FxHashSet<(ItemId, CustomerId)> = FxHashSet::default();
    let mut active: FxHashSet<CustomerId> = FxHashSet::default();
    for event in log.events.iter().filter(|event| event.kind != EventKind::Return) {
        let Some(customer) = event.customer else { continue };
        came[customer.index()].get_or_insert(event.at);
        if event.at > since {
            wanted.insert((event.item, customer));
            active.insert(customer);
        }
    }
    let is_new = |customer: CustomerId| came[customer.index()].is_some_and(|at| at > since);
    let (all, new) = (active.len(), active.iter().filter(|customer| is_new(**customer)).count());
    let mut items: FxHashMap<ItemId, (usize, usize)> = FxHashMap::default();
    for &(item, customer) in &wanted {
        let (customers, newcomers) = items.entry(item).or_default();
        *customers += 1;
        *newcomers += usize::from(is_new(customer));
    }
    let mut found: Vec<(ItemId, usize, usize)> = items
        .into_iter()
        .filter(|(_, (customers, newcomers))| stands_out(*customers, *newcomers, all, new))
        .map(|(item, (customers, newcomers))| (item, customers, newcomers))
        .collect();
    found.sort_unstable_by_key(|&(item, customers, _)| (std::cmp::Reverse(customers), item));
    let named: Vec<String> = found
        .iter()
        .take(NAMED)
        .map(|&(item, of, new)| format!("{} ({new} of {of} customers)", log.items.key(item)))
        .collect();
    let usual = 100.0 * new as f64 / all.max(1) as f64;
    (!found.is_empty()).then(|| {
        format!(
            "crowd: in the last {RECENT_DAYS} days {} items were wanted by newcomers above all, who are {usual:.0} % \
             of all customers then: {}: a campaign, or accounts that somebody made up",
            found.len(),
            named.join(", ")
        )
    })
}

/// Whether newcomers are a far larger share of an item's customers than of those who do not want it.
fn stands_out(customers: usize, newcomers: usize, all: usize, new: usize) -> bool {
    let others = all.saturating_sub(customers).max(1) as f64;
    let usual = (new.saturating_sub(newcomers) as f64 / others).clamp(0.01, 0.99);
    let share = newcomers as f64 / customers.max(1) as f64;
    let error = (usual * (1.0 - usual) / customers.max(1) as f64).sqrt();
    customers >= LEAST && share > usual + ABOVE && share > usual + ERRORS * error
}

/// Equal baskets of one day.
struct Alike {
    /// The first of them.
    place: usize,
    customers: usize,
    last: Option<CustomerId>,
}

/// The same basket of two items or more, of many customers on one day and hardly any on another.
fn alike(log: &EventLog, baskets: &Baskets, zone: &TimeZone) -> Option<String> {
    let mut days: FxHashMap<u64, FxHashMap<i64, Alike>> = FxHashMap::default();
    for (place, items) in baskets.items.rows().enumerate() {
        let customer = baskets.customers[place];
        if items.len() > 1 && customer.is_some() {
            let mut hasher = FxBuildHasher.build_hasher();
            items.hash(&mut hasher);
            let of_basket = days.entry(hasher.finish()).or_default();
            let first = Alike { place, customers: 0, last: None };
            let alike = of_basket.entry(baskets.at[place].day(zone)).or_insert(first);
            alike.customers += usize::from(alike.last != customer); // theirs are neighbours
            alike.last = customer;
        }
    }
    let mut found: Vec<(usize, usize)> = Vec::new();
    for of_basket in days.values() {
        let mut counts: Vec<(usize, usize)> =
            of_basket.values().map(|alike| (alike.customers, alike.place)).collect();
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
        format!(
            "{} ({count} times on {})",
            items.join(" + "),
            baskets.at[place].to_string().split('T').next().unwrap_or_default()
        )
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
