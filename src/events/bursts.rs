//! The same basket of nobody, over and over on one day.
//!
//! Where orders have no customer, each speaks for itself, and whoever can put orders down can say anything as
//! often as they like. All that tells them from a till's is that they are alike and come at once.

use std::hash::BuildHasher;

use rustc_hash::{FxBuildHasher, FxHashMap, FxHashSet};

use super::row::Row;
use super::{Cause, EventKind};
use crate::ids::{GroupId, ItemId};
use crate::time::DAY_MS;

/// So many equal baskets on one day are no burst, whatever other days have …
const LEAST: usize = 20;
/// … nor are so many times those of the day that has most beside this one: a lunch deal sells every day.
const TIMES_OTHERS: usize = 3;

/// A log of fewer days has no others to tell a burst by.
const LEAST_DAYS: i64 = 7;

/// Sets aside the orders without a customer that are, on one day, beyond what equal baskets of two items or
/// more may be; the first of the day stay. `rows` are in order of time.
pub(super) fn bursts(rows: &mut [Row], notes: &mut Vec<String>) {
    let mut live = rows.iter().filter(|row| row.is_live());
    let ends = live.next().zip(rows.iter().rfind(|row| row.is_live()));
    if ends.is_none_or(|(first, last)| last.at.0 - first.at.0 < (LEAST_DAYS - 1) * DAY_MS) {
        return;
    }
    let mut days: FxHashMap<u64, Vec<(i64, Vec<GroupId>)>> = FxHashMap::default();
    for (order, day, basket) in nameless(rows) {
        let of_basket = days.entry(basket).or_default();
        match of_basket.last_mut() {
            Some((last, orders)) if *last == day => orders.push(order),
            _ => of_basket.push((day, vec![order])),
        }
    }
    let mut beyond: FxHashSet<GroupId> = FxHashSet::default();
    let (mut baskets, mut most) = (0, 0);
    for of_basket in days.values() {
        let before = beyond.len();
        for (day, orders) in of_basket {
            let others = of_basket.iter().filter(|(other, _)| other != day);
            let usual = others.map(|(_, orders)| orders.len()).max().unwrap_or(0);
            let allowed = LEAST.max(TIMES_OTHERS * usual);
            if orders.len() > allowed {
                most = most.max(orders.len());
                beyond.extend(&orders[allowed..]);
            }
        }
        baskets += usize::from(beyond.len() > before);
    }
    if beyond.is_empty() {
        return;
    }
    let is_beyond =
        |row: &Row| row.customer.is_none() && row.group.is_some_and(|g| beyond.contains(&g));
    for row in rows.iter_mut().filter(|row| row.is_live() && is_beyond(row)) {
        row.fate = Some(Cause::Burst);
    }
    notes.push(format!(
        "bursts: {baskets} baskets without a customer came up to {most} times on one day, and hardly on any \
         other; {} such orders are set aside",
        beyond.len()
    ));
}

/// An order without a customer.
struct Nameless {
    /// Which of them it is, in order of time.
    place: usize,
    day: i64,
    items: Vec<ItemId>,
}

/// Orders without a customer of two items or more, in order of time, with their day and a hash of what is in
/// them.
fn nameless(rows: &[Row]) -> Vec<(GroupId, i64, u64)> {
    let mut orders: FxHashMap<GroupId, Nameless> = FxHashMap::default();
    for row in rows.iter().filter(|row| row.is_live() && row.customer.is_none()) {
        if let (EventKind::Purchase, Some(order)) = (row.kind, row.group) {
            let (place, day) = (orders.len(), row.at.0.div_euclid(DAY_MS));
            let new = || Nameless { place, day, items: Vec::new() };
            orders.entry(order).or_insert_with(new).items.push(row.item);
        }
    }
    let mut orders: Vec<(GroupId, Nameless)> = orders.into_iter().collect();
    orders.sort_unstable_by_key(|(_, order)| order.place);
    let hashed = |(order, Nameless { day, mut items, .. }): (GroupId, Nameless)| {
        items.sort_unstable();
        items.dedup();
        (items.len() > 1).then(|| (order, day, FxBuildHasher.hash_one(items)))
    };
    orders.into_iter().filter_map(hashed).collect()
}
