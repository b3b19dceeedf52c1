//! What sells best of late: distinct customers, weighted by what they did, decayed within the window.

use jiff::tz::TimeZone;

use super::{Window, voter};
use crate::events::{Event, EventKind, EventLog};
use crate::ids::ItemId;

/// An item that sells.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Seller {
    /// Which.
    pub item: ItemId,
    /// Distinct customers (orders or visits, where there are no customers) in the window who did anything with it.
    pub count: u32,
    /// Σ over these of weight × decay, > 0.
    pub score: f32,
}

/// What an event says, in millionths of a purchase.
fn weight(kind: EventKind) -> u64 {
    match kind {
        EventKind::Purchase => 1_000_000,
        EventKind::Cart => 300_000,
        EventKind::Favorite => 200_000,
        EventKind::View => 50_000,
        EventKind::Return => 0,
    }
}

/// The sellers of the window, best first.
///
/// An event counts its weight × 0.5^(age ÷ half the window), where the age is taken from the end of the log; a
/// customer counts once for an item, by the event that counts most. A log without time is one window.
pub fn sellers(log: &EventLog, zone: &TimeZone, window: Window, item_count: usize) -> Vec<Seller> {
    let Some(last) = log.events.last() else { return Vec::new() };
    let first_day = last.at.day(zone) - i64::from(window.days()) + 1;
    let half_life_days = 0.5 * f64::from(window.days());
    let inside = |event: &&Event| !log.timed || event.at.day(zone) >= first_day;
    let mut votes: Vec<_> = log
        .events
        .iter()
        .rev()
        .take_while(|event| {
            !log.timed || last.at.days_since(event.at) < f64::from(window.days()) + 2.0
        })
        .filter(inside)
        .filter(|event| event.kind != EventKind::Return)
        .map(|event| {
            let age = if log.timed { last.at.days_since(event.at) } else { 0.0 };
            let decay = 0.5f64.powf(age / half_life_days);
            (event.item, voter(event), (weight(event.kind) as f64 * decay) as u64)
        })
        .collect();
    votes.sort_unstable();
    let mut sums = vec![(0u32, 0u64); item_count];
    for same in votes.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)) {
        let (item, _, most) = same[same.len() - 1];
        sums[item.index()].0 += 1;
        sums[item.index()].1 += most;
    }
    let mut found: Vec<(u64, Seller)> = (0..item_count)
        .filter(|&item| sums[item].1 > 0)
        .map(|item| {
            let (count, score) = sums[item];
            (score, Seller { item: ItemId::new(item), count, score: score as f32 / 1e6 })
        })
        .collect();
    found.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.item.cmp(&b.1.item)));
    found.into_iter().map(|(_, seller)| seller).collect()
}
