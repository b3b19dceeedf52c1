//! Orders: what was bought together.

use jiff::tz::TimeZone;
use rayon::slice::ParallelSliceMut;

use super::{Baskets, EventKind, EventLog};
use crate::ids::{CustomerId, DenseId, GroupId, ItemId};

/// What makes purchases one basket: the shop's order (or session) id, else the day in the shop's zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Together {
    Order(GroupId),
    Day(i64),
}

/// The baskets of a log: its purchases by order id, else by customer and day in the shop's `zone`.
///
/// A log without time counts as one day.
pub fn baskets(log: &EventLog, zone: &TimeZone) -> Baskets {
    let mut lines: Vec<(Option<CustomerId>, Together, usize)> = log
        .events
        .iter()
        .enumerate()
        .filter(|(_, event)| event.kind == EventKind::Purchase)
        .map(|(index, event)| {
            let together =
                event.group.map_or_else(|| Together::Day(event.at.day(zone)), Together::Order);
            (event.customer, together, index)
        })
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
        items.extend(order.iter().map(|&(_, _, index)| log.events[index].item));
        items.sort_unstable();
        items.dedup();
        baskets.items.push(items.iter().copied());
        baskets.customers.push(customer);
        baskets.at.push(log.events[first].at);
    }
    baskets
}
