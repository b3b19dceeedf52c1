//! Sessions: what was looked at in one go.

use rayon::slice::ParallelSliceMut;

use super::{Event, EventKind, EventLog, Sessions};
use crate::ids::room_for;
use crate::lists::Lists;

/// The sessions of a log: its views, carts and favourites by the shop's session id, else a customer's
/// consecutive ones with no gap over `gap_minutes` (30 is usual).
///
/// Oldest session first, by its last event.
pub fn sessions(log: &EventLog, gap_minutes: u32) -> Sessions {
    let is_look = |event: &Event| !matches!(event.kind, EventKind::Purchase | EventKind::Return);
    let looks = || (0..).zip(&log.events).filter(|(_, event)| is_look(event));
    let sessions = room_for(looks().filter_map(|(_, event)| event.group));
    let customers = room_for(looks().filter_map(|(_, event)| event.customer));
    let visitor = |event: &Event| match event.group {
        Some(session) => Some(session.index()),
        None => event.customer.map(|customer| sessions + customer.index()),
    };
    let places = looks().filter_map(|(place, event)| Some((visitor(event)?, place)));
    let by_visitor: Lists<u32> = Lists::dealt(sessions + customers, 0, places); // 4 bytes a line: a log has millions

    let event = |place: u32| &log.events[place as usize];
    let gap_ms = i64::from(gap_minutes) * 60_000;
    let mut visits: Vec<&[u32]> = Vec::new();
    for (visitor, looks) in by_visitor.rows().enumerate() {
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
