//! Orders: what was bought together.

use jiff::tz::TimeZone;
use rayon::slice::ParallelSliceMut;

use super::{Baskets, Event, EventKind, EventLog};
use crate::ids::{CustomerId, DenseId, ItemId, room_for};
use crate::lists::Lists;
use crate::time::Timestamp;

/// The baskets of a log: its purchases by order id, else by customer and day in the shop's `zone`.
///
/// A log without time counts as one day.
pub fn baskets(log: &EventLog, zone: &TimeZone) -> Baskets {
    grouped(log, |event| order_of(event, zone))
}

/// The same, but of purchases without an order id only those of one moment are one: what came after what within a day.
/// Nothing, where no purchase is without, or no moment is told.
pub fn steps(log: &EventLog) -> Option<Baskets> {
    let is_loose = |event: &Event| event.kind == EventKind::Purchase && event.group.is_none();
    (log.timed && log.events.iter().any(is_loose)).then(|| {
        grouped(log, |event| match event.group {
            Some(order) => order.index() as u64,
            None => NO_ORDER | event.at.0 as u64,
        })
    })
}

fn grouped(log: &EventLog, group_of: impl Fn(&Event) -> u64) -> Baskets {
    let event = |place: u32| &log.events[place as usize];
    let nobody = room_for(log.events.iter().filter_map(|event| event.customer));
    let buyer = |event: &Event| event.customer.map_or(nobody, DenseId::index);
    let purchases = (0..).zip(&log.events).filter(|(_, event)| event.kind == EventKind::Purchase);
    let places = purchases.map(|(place, event)| (buyer(event), place));
    let by_buyer: Lists<u32> = Lists::dealt(nobody + 1, 0, places); // 4 bytes a line: a log has millions
    let mut baskets = Baskets::default();
    let mut lines: Vec<(u64, u32)> = Vec::new();
    let mut bought: Vec<(ItemId, f32)> = Vec::new();
    for places in by_buyer.rows().filter(|places| !places.is_empty()) {
        lines.clear();
        lines.extend(places.iter().map(|&place| (group_of(event(place)), place)));
        lines.par_sort_unstable();
        let mut orders: Vec<&[(u64, u32)]> = lines.chunk_by(|a, b| a.0 == b.0).collect();
        orders.par_sort_unstable_by_key(|order| order[0].1);
        for order in orders {
            let first = event(order[0].1);
            let events = order.iter().map(|&(_, place)| event(place));
            bought.clear();
            bought.extend(events.map(|event| (event.item, event.quantity)));
            bought.sort_unstable_by_key(|&(item, _)| item);
            bought.dedup_by(|more, kept| {
                let is_same = more.0 == kept.0;
                kept.1 += if is_same { more.1 } else { 0.0 };
                is_same
            });
            baskets.push(first.customer, first.at, bought.iter().copied());
        }
    }
    baskets
}

impl Baskets {
    /// Appends one; what was `bought` ascends by item, and comes with its units.
    pub(crate) fn push(
        &mut self,
        customer: Option<CustomerId>,
        at: Timestamp,
        bought: impl IntoIterator<Item = (ItemId, f32)>,
    ) {
        let Self { items, units, .. } = self;
        items.push(bought.into_iter().map(|(item, of_it)| {
            units.push(of_it);
            item
        }));
        self.customers.push(customer);
        self.at.push(at);
    }

    /// What a basket holds, and how many units of it.
    pub fn lines(&self, basket: usize) -> impl Iterator<Item = (ItemId, f32)> {
        let items = self.items.row(basket).iter().copied();
        items.zip(self.units[self.items.span(basket)].iter().copied())
    }
}

/// Above all orders.
const NO_ORDER: u64 = 1 << 63;

/// What makes purchases one basket: the shop's order (or session) id, else the day in the shop's zone.
pub fn order_of(event: &Event, zone: &TimeZone) -> u64 {
    match event.group {
        Some(order) => order.index() as u64,
        None => NO_ORDER | event.at.day(zone) as u64,
    }
}
