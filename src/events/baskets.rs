//! Orders: what was bought together.

use jiff::tz::TimeZone;
use rayon::slice::ParallelSliceMut;

use super::{Baskets, Event, EventKind, EventLog};
use crate::ids::{CustomerId, DenseId, ItemId};

/// The baskets of a log: its purchases by order id, else by customer and day in the shop's `zone`.
///
/// A log without time counts as one day.
pub fn baskets(log: &EventLog, zone: &TimeZone) -> Baskets {
    // 16 bytes a line: a log has millions.
    let mut lines: Vec<(Option<CustomerId>, u64, u32)> = (0..)
        .zip(&log.events)
        .filter(|(_, event)| event.kind == EventKind::Purchase)
        .map(|(place, event)| (event.customer, order_of(event, zone), place))
        .collect();
    lines.par_sort_unstable();
    let mut orders: Vec<&[_]> = lines.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)).collect();
    orders.par_sort_unstable_by_key(|order| {
        let (customer, _, first) = order[0];
        (customer.map_or(usize::MAX, DenseId::index), first)
    });
    let mut baskets = Baskets::default();
    let mut items: Vec<ItemId> = Vec::new();
    for order in orders {
        let (customer, _, first) = order[0];
        items.clear();
        items.extend(order.iter().map(|&(_, _, index)| log.events[index as usize].item));
        items.sort_unstable();
        items.dedup();
        baskets.items.push(items.iter().copied());
        baskets.customers.push(customer);
        baskets.at.push(log.events[first as usize].at);
    }
    baskets
}

/// What makes purchases one basket: the shop's order (or session) id, else the day in the shop's zone.
pub fn order_of(event: &Event, zone: &TimeZone) -> u64 {
    const DAYS: u64 = 1 << 63; // above all orders
    match event.group {
        Some(order) => order.index() as u64,
        None => DAYS | event.at.day(zone) as u64,
    }
}
