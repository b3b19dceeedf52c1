//! The cut: what may be learnt from, and what is held out.
//!
//! A log with time is cut once, at midnight of the shop: everything before is the training log, and the
//! last days are the window. A log without time is cut by a hash of its orders.

use std::borrow::Cow;
use std::sync::Arc;

use jiff::tz::TimeZone;

use super::hash::stable_hash;
use crate::events::{Event, EventLog, Events, GroupKeys, Told};
use crate::ids::{ItemId, room_for};
use crate::time::Timestamp;

/// Without time, orders go into 100 buckets: these are learnt from, …
const TRAINED_BUCKETS: std::ops::Range<u64> = 0..72;
/// … these are judged, and the rest is left for whoever wants to look again.
const JUDGED_BUCKETS: std::ops::Range<u64> = 72..80;
/// Any word would do; with this one the split is that of the published figures.
const BUCKET_WORD: &str = "groceries";

/// A window takes at most one day in so many of the log: there has to be something to learn from.
const LEAST_DAYS_PER_WINDOW_DAY: u32 = 4;

/// Where a log is cut in two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// In time: everything from `at` on, the last `days` days of the log, is held out.
    At {
        /// Midnight of the shop.
        at: Timestamp,
        /// Days of the window.
        days: u32,
    },
    /// By a hash of order or session, 72 : 8, because the log has no time.
    ByHash,
}

impl Cut {
    /// The cut of `log` that leaves its last `test_days` calendar days for the window, the day of the
    /// last event included; fewer where the log is shorter than four times that.
    ///
    /// None if the log has no event, or lies within one day.
    pub fn of(log: &EventLog, test_days: u32, zone: &TimeZone) -> Option<Self> {
        let (first, last) = (log.events.first()?, log.events.last()?);
        if !log.timed {
            return Some(Self::ByHash);
        }
        let spanned = last.at.days_since(first.at).ceil().min(f64::from(u32::MAX)) as u32;
        let most = (spanned / LEAST_DAYS_PER_WINDOW_DAY).max(1);
        let days = test_days.clamp(1, most);
        let at = last_days(last.at, days, zone);
        (first.at < at).then_some(Self::At { at, days })
    }

    /// True if this event may be learnt from.
    fn is_past(self, event: &Event, log: &EventLog, groups: &GroupKeys) -> bool {
        match self {
            Self::At { at, .. } => event.at < at,
            Self::ByHash => TRAINED_BUCKETS.contains(&bucket(&unit(event, log, groups))),
        }
    }

    /// True if this event is held out.
    pub(super) fn is_judged(self, event: &Event, log: &EventLog, groups: &GroupKeys) -> bool {
        match self {
            Self::At { at, .. } => event.at >= at,
            Self::ByHash => JUDGED_BUCKETS.contains(&bucket(&unit(event, log, groups))),
        }
    }
}

/// What may be learnt from: the part of the log before the cut, as if nothing had been heard of since.
///
/// Ids stay as they are. Items and customers that only the held-out part knows are left out, as long as
/// ids were given out in the order of the log, as reading does.
pub fn past(told: &Told, cut: Cut) -> EventLog {
    let groups = &told.groups;
    let log = &match cut {
        Cut::At { at, .. } => told.until(at),
        Cut::ByHash => told.whole(),
    };
    let is_past = |event: &&Event| cut.is_past(event, log, groups);
    let events: Events = log.events.iter().filter(is_past).copied().collect();
    let items = room_for(events.iter().map(|event| event.item));
    let customers = room_for(events.iter().filter_map(|event| event.customer));
    EventLog {
        events,
        items: log.items.first(items).into(),
        customers: log.customers.first(customers).into(),
        said: Arc::new(log.said.iter().take(items).cloned().collect()),
        timed: log.timed,
    }
}

/// How many of the items were touched in the log.
pub(super) fn touched(log: &EventLog) -> usize {
    let mut is_touched = vec![false; log.items.len()];
    log.events.iter().for_each(|event| is_touched[ItemId::index(event.item)] = true);
    is_touched.into_iter().filter(|&is_touched| is_touched).count()
}

/// The key of what an event is part of: its order or session, else its customer.
fn unit<'a>(event: &Event, log: &'a EventLog, groups: &'a GroupKeys) -> Cow<'a, str> {
    match (event.group, event.customer) {
        (Some(group), _) => groups.key(group).into(),
        (None, Some(customer)) => log.customers.key(customer).into(),
        (None, None) => "".into(),
    }
}

fn bucket(unit: &str) -> u64 {
    stable_hash(&[BUCKET_WORD, unit]) % 100
}

/// When the last so many calendar days of the shop begin, up to that of `last`.
pub fn last_days(last: Timestamp, days: u32, zone: &TimeZone) -> Timestamp {
    Timestamp::of_day(last.day(zone) + 1 - i64::from(days), zone)
}

/// The first midnight of the shop after `moment`.
pub(super) fn midnight_after(moment: Timestamp, zone: &TimeZone) -> Timestamp {
    last_days(moment, 0, zone)
}
