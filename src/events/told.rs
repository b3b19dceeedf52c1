//! The events as they were told: of what was sent back only later, a moment knows nothing yet.

use std::ops::Range;

use jiff::tz::TimeZone;

use super::returns::take_back;
use super::{Event, EventKind, EventLog, GroupKeys};
use crate::time::Timestamp;

/// A log from which nothing that was sent back has been taken yet, for all who look at the past as it was.
///
/// What it gives shares its ids, whatever the moment.
#[derive(Clone, Debug, Default)]
pub struct Told {
    pub(super) log: EventLog,
    /// The shop's keys of orders and sessions.
    pub groups: GroupKeys,
    /// What the user should know and may want to mend. No customer's key is in them.
    pub notes: Vec<String>,
}

impl From<EventLog> for Told {
    fn from(log: EventLog) -> Self {
        Self { log, ..Self::default() }
    }
}

impl Told {
    /// The whole log, less what was sent back.
    pub fn whole(&self) -> EventLog {
        self.first(self.log.events.len())
    }

    /// What had happened before `now`, less what had been sent back by then.
    pub fn until(&self, now: Timestamp) -> EventLog {
        self.first(self.log.events.partition_point(|event| event.at < now))
    }

    /// The days of the shop from the first event to the last, as since 1970; none without a time.
    pub fn days(&self, zone: &TimeZone) -> Option<Range<i64>> {
        let (first, last) = (self.log.events.first()?, self.log.events.last()?);
        self.log.timed.then(|| first.at.day(zone)..last.at.day(zone) + 1)
    }

    /// Whether anything was sent back at `now` or after it.
    pub fn returns_since(&self, now: Timestamp) -> bool {
        self.log.events.iter().rev().take_while(|event| event.at >= now).any(is_return)
    }

    fn first(&self, count: usize) -> EventLog {
        let log = self.log.part(0..count);
        if !log.events.iter().any(is_return) {
            return log;
        }
        let mut events = log.events.to_vec();
        let mut is_gone = vec![false; events.len()];
        take_back(&mut events).into_iter().for_each(|(place, _)| is_gone[place] = true);
        let mut is_gone = is_gone.into_iter();
        events.retain(|_| !is_gone.next().expect("one for each event"));
        EventLog { events: events.into(), ..log }
    }
}

fn is_return(event: &Event) -> bool {
    event.kind == EventKind::Return
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{CustomerId, ItemId};

    /// Units of one item that a customer took or sent back, in turn.
    fn told(lines: &[(i64, f32)]) -> Told {
        let event = |&(at, units): &(i64, f32)| Event {
            at: Timestamp(at),
            customer: Some(CustomerId::new(0)),
            item: ItemId::new(0),
            group: None,
            quantity: units.abs(),
            unit_price: 1.0,
            kind: if units < 0.0 { EventKind::Return } else { EventKind::Purchase },
            discount_percent: 0,
        };
        let events = lines.iter().map(event).collect();
        EventLog { events, timed: true, ..EventLog::default() }.into()
    }

    #[test]
    fn what_is_sent_back_later_was_still_bought_before() {
        let told = told(&[(1, 2.0), (2, 3.0), (5, -4.0), (7, -9.0), (8, 1.0)]);
        let units = |log: EventLog| -> Vec<(i64, f32)> {
            log.events.iter().map(|event| (event.at.0, event.quantity)).collect()
        };
        assert_eq!(units(told.until(Timestamp(5))), [(1, 2.0), (2, 3.0)]);
        assert_eq!(units(told.until(Timestamp(6))), [(1, 1.0), (5, 4.0)]);
        // The last but one finds a single unit, and is of that.
        assert_eq!(units(told.whole()), [(5, 4.0), (7, 1.0), (8, 1.0)]);
        assert_eq!([5, 7, 8].map(|at| told.returns_since(Timestamp(at))), [true, true, false]);
    }
}
