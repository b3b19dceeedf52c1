//! The log by days of the shop: how many distinct customers each item had on each.

use std::ops::Range;

use jiff::tz::TimeZone;
use rayon::slice::ParallelSliceMut;

use super::{counts_as_sold, voter};
use crate::events::{Event, EventKind, EventLog};
use crate::ids::ItemId;
use crate::lists::Lists;

/// So many distinct customers (orders or visits, where there are no customers) on one day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OnDay {
    /// Days after the first of the log.
    pub day: u32,
    /// How many.
    pub count: u32,
}

/// Every item's days. What is counted are purchases, or looks, where nothing is ever sold.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Days {
    /// The first day of the log, as days since 1970 on the shop's calendar.
    pub first: i64,
    /// Of each day, the counts of all items together.
    pub volume: Vec<u32>,
    /// Of each item, the days on which it had any; ascending.
    pub items: Lists<OnDay>,
}

impl Days {
    /// Counts a log; `zone` decides what a day is. Nothing of a log without time.
    pub fn count(log: &EventLog, zone: &TimeZone, item_count: usize) -> Self {
        // The last day is that of the log, whether or not anything was sold on it.
        let all = || log.events.iter().map(|event| event.at.day(zone));
        match all().min().zip(all().max()).filter(|_| log.timed) {
            Some((first, last)) => Self::within(log, zone, item_count, first..last + 1),
            None => Self {
                items: vec![Vec::new(); item_count].into_iter().collect(),
                ..Self::default()
            },
        }
    }

    /// The same of a log with time, where these days are asked for: none of its events may lie on another.
    pub fn within(log: &EventLog, zone: &TimeZone, item_count: usize, days: Range<i64>) -> Self {
        let sold = log.events.iter().any(|event| event.kind == EventKind::Purchase);
        // 16 bytes each, of millions.
        let vote = |e: &Event| (e.item, e.at.day(zone) as i32, voter(e));
        let counted = log.events.iter().filter(|event| counts_as_sold(event, sold));
        let mut votes: Vec<(ItemId, i32, u64)> = counted.map(vote).collect();
        votes.par_sort_unstable();
        votes.dedup();
        let first = days.start;
        let mut volume = vec![0; (days.end - first) as usize];
        let mut rows = vec![Vec::new(); item_count];
        for same in votes.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)) {
            let (item, day, _) = same[0];
            let (day, count) = ((i64::from(day) - first) as u32, same.len() as u32);
            volume[day as usize] += count;
            rows[item.index()].push(OnDay { day, count });
        }
        Self { first, volume, items: rows.into_iter().collect() }
    }

    /// How many days the log spans.
    pub fn len(&self) -> usize {
        self.volume.len()
    }

    /// True without a day.
    pub fn is_empty(&self) -> bool {
        self.volume.is_empty()
    }

    /// What the item had from day `from` to before day `until`.
    pub fn of(&self, item: ItemId, from: usize, until: usize) -> u32 {
        self.between(item, from, until).iter().map(|on| on.count).sum()
    }

    /// The item's days among those.
    pub(super) fn between(&self, item: ItemId, from: usize, until: usize) -> &[OnDay] {
        let days = self.items.row(item.index());
        let before = |day: usize| days.partition_point(|on| (on.day as usize) < day);
        &days[before(from)..before(until).max(before(from))]
    }

    /// The day of the week of a day, 0 for Monday.
    pub(super) fn weekday(&self, day: usize) -> usize {
        (self.first + 3 + day as i64).rem_euclid(7) as usize // 1970 began on a Thursday
    }
}
