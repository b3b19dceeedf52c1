//! The log, and parts of it that share what they are parts of.

use std::ops::{Deref, Range};
use std::sync::Arc;

use super::{Event, Said};
use crate::ids::{CustomerId, Interner, ItemId};
use crate::lists::Lists;

/// The log as the trainer sees it: sorted by time (file order where times are equal), checked, with
/// returned purchases taken out. A clone costs nothing: events and keys are shared.
#[derive(Clone, Debug, Default)]
pub struct EventLog {
    /// In order of time; file order within a moment.
    pub events: Events,
    /// Keys of the items.
    pub items: Arc<Interner<ItemId>>,
    /// Keys of the customers.
    pub customers: Arc<Interner<CustomerId>>,
    /// What the log says of its items, by item; may be shorter than `items`.
    pub said: Arc<Vec<Said>>,
    /// False if the log carries no time: order of rows is then all there is.
    pub timed: bool,
}

impl EventLog {
    /// The log with only the events that pass, copied; ids stay what they are.
    pub fn only(&self, passes: impl Fn(&Event) -> bool) -> Self {
        let events = self.events.iter().copied().filter(passes).collect();
        Self { events, ..self.clone() }
    }

    /// Per customer, in the order of their ids: the places of their events, oldest first.
    pub fn by_customer(&self) -> Lists<u32> {
        let known = self.events.iter().zip(0u32..);
        let known = known.filter_map(|(event, place)| Some((event.customer?.index(), place)));
        Lists::dealt(self.customers.len(), 0, known)
    }

    /// The log with only the events at these places, shared; ids stay what they are.
    ///
    /// Panics if the places are not within the log.
    pub fn part(&self, places: Range<usize>) -> Self {
        Self { events: self.events.part(places), ..self.clone() }
    }
}

/// Events, or a part of some, shared between all that look at them. Read it as a slice.
#[derive(Clone, Default)]
pub struct Events {
    all: Arc<Vec<Event>>,
    places: Range<usize>,
}

impl Events {
    fn part(&self, places: Range<usize>) -> Self {
        assert!(places.start <= places.end && places.end <= self.len(), "a part of the log");
        let first = self.places.start;
        Self { all: self.all.clone(), places: first + places.start..first + places.end }
    }

    /// Keeps those that pass, which may be changed on the way, but for their time; in place, unless others look at
    /// them too.
    pub fn retain_mut(&mut self, passes: impl FnMut(&mut Event) -> bool) {
        if self.places != (0..self.all.len()) {
            *self = self.to_vec().into();
        }
        let all = Arc::make_mut(&mut self.all);
        all.retain_mut(passes);
        self.places = 0..all.len();
    }
}

impl Deref for Events {
    type Target = [Event];

    fn deref(&self) -> &[Event] {
        &self.all[self.places.clone()]
    }
}

impl From<Vec<Event>> for Events {
    fn from(events: Vec<Event>) -> Self {
        Self { places: 0..events.len(), all: Arc::new(events) }
    }
}

impl FromIterator<Event> for Events {
    fn from_iter<Source: IntoIterator<Item = Event>>(events: Source) -> Self {
        events.into_iter().collect::<Vec<Event>>().into()
    }
}

impl<'a> IntoIterator for &'a Events {
    type Item = &'a Event;
    type IntoIter = std::slice::Iter<'a, Event>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl PartialEq for Events {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl std::fmt::Debug for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::EventKind;
    use crate::time::Timestamp;

    fn event(at: i64) -> Event {
        Event {
            at: Timestamp(at),
            customer: None,
            item: ItemId::new(0),
            group: None,
            quantity: 1.0,
            unit_price: 0.0,
            kind: EventKind::View,
            discount_percent: 0,
        }
    }

    #[test]
    fn a_part_of_a_part_is_what_stands_at_its_places_and_copies_nothing() {
        let log = EventLog { events: (0..10).map(event).collect(), ..EventLog::default() };
        let part = log.part(2..9).part(1..4);
        assert_eq!(part.events.iter().map(|event| event.at.0).collect::<Vec<_>>(), [3, 4, 5]);
        assert!(std::ptr::eq(&raw const part.events[0], &raw const log.events[3]));
        assert_eq!(part.events, log.only(|event| (3..6).contains(&event.at.0)).events);
        assert!(log.part(10..10).events.is_empty());
    }

    #[test]
    fn what_is_taken_out_of_a_log_or_a_part_of_one_is_gone_there_and_stays_with_who_else_looks_at_it()
     {
        let whole: Events = (0..6).map(event).collect();
        let times = |events: &Events| events.iter().map(|event| event.at.0).collect::<Vec<_>>();
        let (mut all, mut some) = (whole.clone(), whole.part(1..5));
        for events in [&mut all, &mut some] {
            events.retain_mut(|event| {
                event.quantity = 2.0;
                event.at.0 % 2 == 0
            });
            assert!(events.iter().all(|event| event.quantity == 2.0));
        }
        assert_eq!([&all, &some, &whole].map(times), [vec![0, 2, 4], vec![2, 4], (0..6).collect()]);
        assert!(whole.iter().all(|event| event.quantity == 1.0));
    }
}
