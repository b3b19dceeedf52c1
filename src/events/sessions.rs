//! Sessions: what was looked at in one go.

use rayon::slice::ParallelSliceMut;

use super::{EventKind, EventLog, Sessions};
use crate::ids::{CustomerId, GroupId};

/// Whose events may be one session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Visitor {
    Session(GroupId),
    Customer(CustomerId),
}

/// The sessions of a log: its views, carts and favourites by the shop's session id, else a customer's
/// consecutive ones with no gap over `gap_minutes` (30 is usual).
///
/// Oldest session first, by its last event.
pub fn sessions(log: &EventLog, gap_minutes: u32) -> Sessions {
    let mut looks: Vec<(Visitor, u32)> = (0..)
        .zip(&log.events)
        .filter(|(_, event)| !matches!(event.kind, EventKind::Purchase | EventKind::Return))
        .filter_map(|(index, event)| {
            let visitor =
                event.group.map(Visitor::Session).or(event.customer.map(Visitor::Customer));
            Some((visitor?, index))
        })
        .collect();
    looks.par_sort_unstable();
    let gap_ms = i64::from(gap_minutes) * 60_000;
    let at = |index: u32| log.events[index as usize].at;
    let mut visits: Vec<&[(Visitor, u32)]> = looks
        .chunk_by(|&(visitor, before), &(other, after)| {
            let in_time =
                matches!(visitor, Visitor::Session(_)) || at(after).0 - at(before).0 <= gap_ms;
            visitor == other && in_time
        })
        .collect();
    visits.par_sort_unstable_by_key(|visit| visit[visit.len() - 1].1);
    let mut sessions = Sessions::default();
    for visit in visits {
        sessions.items.push(visit.iter().map(|&(_, index)| log.events[index as usize].item));
        sessions
            .customers
            .push(visit.iter().find_map(|&(_, index)| log.events[index as usize].customer));
        sessions.at.push(at(visit[visit.len() - 1].1));
    }
    sessions
}
