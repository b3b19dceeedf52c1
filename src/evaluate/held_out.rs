//! What customers did after the cut: the answers to the exam.

use jiff::tz::TimeZone;
use rustc_hash::{FxHashMap, FxHashSet};

use super::protocol::{Cut, midnight_after};
use crate::events::{Event, EventKind, EventLog, GroupKeys, sessions};
use crate::ids::{CustomerId, GroupId, Interner, ItemId};
use crate::lists::Lists;
use crate::time::{DAY_MS, Timestamp};

/// Orders and visits after the cut, in the ids of the training log.
#[derive(Clone, Debug, Default)]
pub struct HeldOut {
    /// The items of the training log under their ids, then those never seen before.
    pub items: Interner<ItemId>,
    /// Orders, by key and then customer.
    pub(super) orders: Vec<Order>,
    /// Visits that began after the cut, oldest first.
    pub(super) visits: Lists<ItemId>,
}

/// One order of the window.
#[derive(Clone, Debug)]
pub(super) struct Order {
    /// The shop's key, or a made-up one where customers' days stand in for orders.
    pub(super) key: String,
    /// The shop's key; empty if nobody knows.
    pub(super) customer_key: String,
    /// Whoever of the training log it is.
    pub(super) customer: Option<CustomerId>,
    /// When its first line was bought.
    pub(super) at: Timestamp,
    /// Distinct items by id, each with the money spent on it.
    pub(super) lines: Vec<(ItemId, f32)>,
}

impl HeldOut {
    /// The part of `whole` that the cut holds out, told in the ids of `past`.
    pub fn new(
        past: &EventLog,
        whole: &EventLog,
        groups: &GroupKeys,
        cut: Cut,
        zone: &TimeZone,
        session_gap_minutes: u32,
    ) -> Self {
        let mut items = Interner::clone(&past.items);
        let judged: Vec<Event> = whole
            .events
            .iter()
            .filter(|event| cut.is_judged(event, whole, groups))
            .map(|event| Event { item: items.intern(whole.items.key(event.item)), ..*event })
            .collect();
        let orders = orders(&judged, past, whole, groups, zone);
        let visits = visits(judged, whole, groups, cut, session_gap_minutes);
        Self { items, orders, visits }
    }
}

fn orders(
    judged: &[Event],
    past: &EventLog,
    whole: &EventLog,
    groups: &GroupKeys,
    zone: &TimeZone,
) -> Vec<Order> {
    let mut places: FxHashMap<(Option<CustomerId>, Result<GroupId, Timestamp>), usize> =
        FxHashMap::default();
    let mut orders: Vec<Order> = Vec::new();
    for event in judged.iter().filter(|event| event.kind == EventKind::Purchase) {
        let together = event.group.ok_or_else(|| midnight_after(event.at, zone));
        let place = *places.entry((event.customer, together)).or_insert_with(|| {
            let customer_key = event.customer.map_or("", |customer| whole.customers.key(customer));
            orders.push(Order {
                key: match together {
                    Ok(group) => groups.key(group).to_owned(),
                    Err(midnight) => format!("{customer_key} {}", midnight.0.div_euclid(DAY_MS)),
                },
                customer_key: customer_key.to_owned(),
                customer: past.customers.get(customer_key),
                at: event.at,
                lines: Vec::new(),
            });
            orders.len() - 1
        });
        orders[place].lines.push((event.item, event.quantity * event.unit_price));
    }
    for order in &mut orders {
        order.lines.sort_by_key(|&(item, _)| item);
        order.lines.dedup_by(|later, kept| {
            let same = later.0 == kept.0;
            kept.1 += if same { later.1 } else { 0.0 };
            same
        });
    }
    orders.sort_by(|a, b| (&a.key, &a.customer_key).cmp(&(&b.key, &b.customer_key)));
    orders
}

fn is_look(event: &Event) -> bool {
    !matches!(event.kind, EventKind::Purchase | EventKind::Return)
}

/// Visits that lie wholly after the cut.
fn visits(
    mut judged: Vec<Event>,
    whole: &EventLog,
    groups: &GroupKeys,
    cut: Cut,
    session_gap_minutes: u32,
) -> Lists<ItemId> {
    let open: FxHashSet<GroupId> = whole
        .events
        .iter()
        .filter(|event| !cut.is_judged(event, whole, groups))
        .filter_map(|event| event.group)
        .collect();
    judged.retain(|event| event.group.is_none_or(|group| !open.contains(&group)));
    judged.retain(is_look);
    if let Cut::At { at, .. } = cut {
        let before = whole.events.iter().take_while(|event| event.at < at);
        let nameless = before.filter(|event| is_look(event) && event.group.is_none());
        let mut latest: FxHashMap<CustomerId, Timestamp> =
            nameless.filter_map(|event| Some((event.customer?, event.at))).collect();
        let gap_ms = i64::from(session_gap_minutes) * 60_000;
        judged.retain(|event| {
            let Some(customer) = event.customer.filter(|_| event.group.is_none()) else {
                return true;
            };
            let last = latest.remove(&customer);
            let goes_on = last.is_some_and(|last| event.at.0 - last.0 <= gap_ms);
            if goes_on {
                latest.insert(customer, event.at);
            }
            !goes_on
        });
    }
    let log = EventLog { events: judged.into(), timed: whole.timed, ..EventLog::default() };
    sessions(&log, session_gap_minutes).items
}
