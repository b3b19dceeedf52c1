//! Every customer's orders with what was paid: what all that is said of customers is worked out from.

use std::sync::Arc;

use jiff::tz::TimeZone;
use rayon::prelude::*;

use crate::events::{Event, EventKind, EventLog};
use crate::ids::{GroupId, ItemId};
use crate::lists::Lists;
use crate::time::Timestamp;

/// One order of one customer, returned units taken out.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Order {
    /// Days since 1970 on the shop's calendar.
    pub day: i32,
    /// When it was first added to.
    pub at: Timestamp,
    /// What was paid, money ≥ 0; 0 where the log has no prices.
    pub value: f32,
    /// What it would have cost without discounts, money ≥ `value`.
    pub full: f32,
    /// Distinct items.
    pub items: u32,
    /// Lines.
    pub lines: u32,
    /// Lines with money off.
    pub discounted: u32,
}

/// Orders and events by customer.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    /// The last day of the log.
    pub today: i32,
    /// Per customer: orders from the oldest to the latest.
    pub orders: Lists<Order>,
    /// See [`EventLog::by_customer`].
    pub events: Arc<Lists<u32>>,
    /// Per customer: what was sent back, money ≥ 0.
    pub returned: Vec<f32>,
}

impl Ledger {
    /// From a log with time; `zone` decides what a day is.
    ///
    /// Purchases with the same order id are one order, and so are those of one day without an id.
    pub fn of(log: &EventLog, zone: &TimeZone) -> Self {
        Self::with(log, log.by_customer().into(), zone)
    }

    /// The same where it is known already whose the events are.
    pub(super) fn with(log: &EventLog, events: Arc<Lists<u32>>, zone: &TimeZone) -> Self {
        let orders: Vec<Vec<Order>> = (0..events.len())
            .into_par_iter()
            .map(|customer| orders(log, events.row(customer), zone))
            .collect();
        let sent_back = |row: &[u32]| {
            let returns = row.iter().map(|&place| &log.events[place as usize]);
            returns.filter(|event| event.kind == EventKind::Return).map(money).sum()
        };
        let now = log.events.last().map(|event| event.at).unwrap_or_default();
        Self {
            today: now.day(zone) as i32,
            orders: orders.into_iter().collect(),
            returned: events.rows().map(sent_back).collect(),
            events,
        }
    }

    /// The distinct days on which a customer bought, ascending.
    pub fn days(&self, customer: usize) -> Vec<i32> {
        distinct_days(self.orders.row(customer))
    }

    /// What a customer bought, line by line.
    pub(super) fn bought(&self, log: &EventLog, customer: usize) -> Vec<ItemId> {
        let places = self.events.row(customer).iter();
        let events = places.map(|&place| &log.events[place as usize]);
        let purchases = events.filter(|event| event.kind == EventKind::Purchase);
        purchases.map(|event| event.item).collect()
    }

    /// Customers, whether or not they bought.
    pub fn len(&self) -> usize {
        self.orders.len()
    }

    /// True without a customer.
    pub fn is_empty(&self) -> bool {
        self.orders.is_empty()
    }
}

/// The distinct days of some orders, which are in order of time.
pub(super) fn distinct_days(orders: &[Order]) -> Vec<i32> {
    let mut days: Vec<i32> = orders.iter().map(|order| order.day).collect();
    days.sort_unstable(); // an order takes the day of its first line; ids may overlap in time
    days.dedup();
    days
}

/// Units times price.
pub(super) fn money(event: &Event) -> f32 {
    event.quantity * event.unit_price
}

fn orders(log: &EventLog, places: &[u32], zone: &TimeZone) -> Vec<Order> {
    let mut lines: Vec<(Result<GroupId, i32>, u32)> = Vec::new();
    for &place in places {
        let event = &log.events[place as usize];
        if event.kind == EventKind::Purchase {
            let together = event.group.ok_or_else(|| event.at.day(zone) as i32);
            lines.push((together, place));
        }
    }
    lines.sort_unstable();
    let mut orders: Vec<Order> = lines
        .chunk_by(|a, b| a.0 == b.0)
        .map(|lines| order(log, lines.iter().map(|&(_, place)| place), zone))
        .collect();
    orders.sort_by_key(|order| order.at);
    orders
}

fn order(log: &EventLog, places: impl Iterator<Item = u32>, zone: &TimeZone) -> Order {
    let mut order = Order::default();
    let mut items = Vec::new();
    for place in places {
        let event = &log.events[place as usize];
        if order.lines == 0 {
            (order.at, order.day) = (event.at, event.at.day(zone) as i32);
        }
        let paid = money(event);
        // A discount of 100 % leaves nothing to tell the price from.
        let kept = 1.0 - f32::from(event.discount_percent.min(99)) / 100.0;
        order.value += paid;
        order.full += paid / kept;
        order.lines += 1;
        order.discounted += u32::from(event.discount_percent > 0);
        items.push(event.item);
    }
    items.sort_unstable();
    items.dedup();
    order.items = items.len() as u32;
    order
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::ids::{CustomerId, DenseId, Interner, ItemId};
    use std::sync::Arc;

    /// A log of purchases: customer, day, order (0 = none), item, price, percent off.
    pub(crate) fn log(rows: &[(usize, i64, usize, usize, f32, u8)]) -> EventLog {
        let (mut customers, mut items) = (Interner::<CustomerId>::new(), Interner::new());
        let mut events = Vec::new();
        for &(customer, on, group, item, unit_price, discount_percent) in rows {
            while customers.len() <= customer {
                customers.intern(&format!("c{}", customers.len()));
            }
            while items.len() <= item {
                items.intern(&format!("i{}", items.len()));
            }
            events.push(Event {
                at: Timestamp(0).plus_days(on),
                customer: Some(CustomerId::new(customer)),
                item: ItemId::new(item),
                group: (group > 0).then(|| <GroupId as DenseId>::new(group)),
                quantity: 1.0,
                unit_price,
                kind: EventKind::Purchase,
                discount_percent,
            });
        }
        events.sort_by_key(|event: &Event| event.at);
        let (customers, items) = (Arc::new(customers), Arc::new(items));
        let events = events.into();
        EventLog { events, customers, items, timed: true, ..EventLog::default() }
    }

    #[test]
    fn orders_are_by_their_id_or_else_by_day_with_what_was_paid_and_taken_off() {
        let log = log(&[
            (0, 1, 7, 0, 10.0, 0),
            (0, 1, 7, 1, 5.0, 50),
            (0, 1, 8, 0, 10.0, 0),
            (1, 2, 0, 0, 1.0, 0),
            (1, 2, 0, 1, 1.0, 0),
            (1, 9, 0, 1, 1.0, 0),
        ]);
        let ledger = Ledger::of(&log, &TimeZone::UTC);
        assert_eq!(ledger.today, 9);
        let first = &ledger.orders.row(0)[0];
        assert_eq!((first.value, first.full, first.lines, first.discounted), (15.0, 20.0, 2, 1));
        assert_eq!(ledger.orders.row(0).len(), 2);
        assert_eq!(ledger.days(0), [1]);
        assert_eq!(ledger.days(1), [2, 9]);
    }
}
