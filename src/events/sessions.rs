//! Sessions: what was looked at in one go.

use rayon::slice::ParallelSliceMut;

use super::{Event, EventKind, EventLog, Sessions};
use crate::ids::{CustomerId, GroupId};
use crate::lists::Lists;

/// The sessions of a log: its views, carts and favourites by the shop's session id, else a customer's
/// consecutive ones with no gap over `gap_minutes` (30 is usual).
///
/// Oldest session first, by its last event.
pub fn sessions(log: &EventLog, gap_minutes: u32) -> Sessions {
    // Places of events by whose they are, first those with a session, then those of customers: 4 bytes an event, for
    // a log has millions.
    let sessions = log.events.iter().filter_map(looked_in).max().map_or(0, |last| last.index() + 1);
    let visitor = |event: &Event| match looked_in(event) {
        Some(session) => Some(session.index()),
        None => looked_by(event).map(|customer| sessions + customer.index()),
    };
    let visitors = log.events.iter().filter_map(visitor).max().map_or(0, |last| last + 1);
    let places = (0..).zip(&log.events).filter_map(|(place, event)| Some((visitor(event)?, place)));
    let looks: Lists<u32> = Lists::dealt(visitors, 0, places);

    let event = |place: u32| &log.events[place as usize];
    let gap_ms = i64::from(gap_minutes) * 60_000;
    let mut visits: Vec<&[u32]> = Vec::new();
    for (visitor, looks) in looks.rows().enumerate() {
        let is_one = |&before: &u32, &after: &u32| {
            visitor < sessions || event(after).at.0 - event(before).at.0 <= gap_ms
        };
        visits.extend(looks.chunk_by(is_one));
    }
    visits.par_sort_unstable_by_key(|visit| visit[visit.len() - 1]);
    let mut sessions = Sessions::default();
    for visit in visits {
        sessions.items.push(visit.iter().map(|&place| event(place).item));
        sessions.customers.push(visit.iter().find_map(|&place| event(place).customer));
        sessions.at.push(event(visit[visit.len() - 1]).at);
    }
    sessions
}

fn is_look(event: &Event) -> bool {
    !matches!(event.kind, EventKind::Purchase | EventKind::Return)
}

/// The session of a look, if the shop says so.
fn looked_in(event: &Event) -> Option<GroupId> {
    event.group.filter(|_| is_look(event))
}

/// The customer who looks, if known.
fn looked_by(event: &Event) -> Option<CustomerId> {
    event.customer.filter(|_| is_look(event))
}
