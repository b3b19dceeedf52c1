//! The training log in the baselines' codes: items by popularity, groups of items, customers' groups.

use std::ops::Range;

use jiff::tz::TimeZone;
use rustc_hash::FxHashMap;

use super::super::protocol::midnight_after;
use crate::events::{Event, EventKind, EventLog, sessions};
use crate::ids::{CustomerId, ItemId};
use crate::lists::Lists;
use crate::time::{DAY_MS, Timestamp};

/// What baselines learn from. A code is an item's rank by popularity: 0 is the most popular.
pub(super) struct Training {
    /// Item of each code; all that the training log touches.
    pub(super) items: Vec<ItemId>,
    /// Code of each item.
    pub(super) codes: Vec<Option<u32>>,
    /// Lines per code.
    pub(super) popularity: Vec<f32>,
    /// Baskets, a customer's side by side from the oldest to the latest; or visits, oldest first, with
    /// their items in order.
    pub(super) groups: Lists<u32>,
    /// Rows of `groups` of each customer.
    pub(super) customers: Vec<Range<usize>>,
    /// Lines: item code and moment.
    pub(super) lines: Vec<(u32, Timestamp)>,
}

impl Training {
    /// From what was bought.
    pub(super) fn of_purchases(past: &EventLog, zone: &TimeZone) -> Self {
        let mut training = Self::coded(past, |event| event.kind == EventKind::Purchase);
        let baskets = baskets(past, zone);
        training.groups = baskets.iter().map(|basket| training.recoded(&basket.items)).collect();
        training.customers = vec![0..0; past.customers.len()];
        for (row, basket) in baskets.iter().enumerate() {
            let Some(customer) = basket.customer else { break };
            let rows = &mut training.customers[customer.index()];
            *rows = if rows.end == 0 { row } else { rows.start }..row + 1;
        }
        training
    }

    /// From what was looked at.
    pub(super) fn of_visits(past: &EventLog, session_gap_minutes: u32) -> Self {
        let mut training = Self::coded(past, |event| {
            !matches!(event.kind, EventKind::Purchase | EventKind::Return)
        });
        let sessions = sessions(past, session_gap_minutes);
        training.groups = sessions.items.rows().map(|items| training.recoded(items)).collect();
        training
    }

    /// Codes and counts; returns count for the order of codes, and for nothing else.
    fn coded(past: &EventLog, is_line: impl Fn(&Event) -> bool) -> Self {
        let mut touched = vec![false; past.items.len()];
        let mut rank_by = vec![0u64; past.items.len()];
        let mut counts = vec![0u32; past.items.len()];
        for event in &past.events {
            let item = event.item.index();
            touched[item] = true;
            let line = is_line(event);
            counts[item] += u32::from(line);
            rank_by[item] += u64::from(line || event.kind == EventKind::Return);
        }
        let mut items: Vec<ItemId> =
            (0..touched.len()).filter(|&item| touched[item]).map(ItemId::new).collect();
        items.sort_by(|a, b| {
            let key = |item: &ItemId| std::cmp::Reverse(rank_by[item.index()]);
            key(a).cmp(&key(b)).then_with(|| past.items.key(*a).cmp(past.items.key(*b)))
        });
        let mut codes = vec![None; touched.len()];
        items.iter().zip(0..).for_each(|(item, code)| codes[item.index()] = Some(code));
        let code = |item: ItemId| codes[item.index()].expect("every item of the log has a code");
        let lines = past.events.iter().filter(|event| is_line(event));
        Self {
            popularity: items.iter().map(|item| counts[item.index()] as f32).collect(),
            lines: lines.map(|event| (code(event.item), event.at)).collect(),
            items,
            codes,
            groups: Lists::new(),
            customers: Vec::new(),
        }
    }

    fn recoded(&self, items: &[ItemId]) -> Vec<u32> {
        let code = |item: &ItemId| self.codes[item.index()].expect("it is of the same log");
        items.iter().map(code).collect()
    }

    /// Lines per item in the last `days`, or ever.
    pub(super) fn sales(&self, days: Option<u32>) -> Vec<f32> {
        let now = self.lines.iter().map(|&(_, at)| at).max().unwrap_or_default();
        let since = days.map_or(i64::MIN, |days| now.0.saturating_sub(i64::from(days) * DAY_MS));
        let mut sales = vec![0.0; self.items.len()];
        for &(code, _) in self.lines.iter().filter(|(_, at)| at.0 > since) {
            sales[code as usize] += 1.0;
        }
        sales
    }

    /// The customer's baskets, the latest first.
    pub(super) fn baskets_of(
        &self,
        customer: CustomerId,
    ) -> impl DoubleEndedIterator<Item = &[u32]> + ExactSizeIterator {
        let rows = self.customers.get(customer.index()).cloned().unwrap_or_default();
        rows.rev().map(|row| self.groups.row(row))
    }

    /// All that the customer ever bought: ascending, distinct.
    pub(super) fn bought_by(&self, customer: CustomerId) -> Vec<u32> {
        let mut items: Vec<u32> = self.baskets_of(customer).flatten().copied().collect();
        items.sort_unstable();
        items.dedup();
        items
    }

    /// Rows of distinct items: all that a customer bought, or a group's.
    pub(super) fn rows(&self, by_customer: bool) -> Lists<u32> {
        if by_customer {
            let customers = (0..self.customers.len()).map(CustomerId::new);
            return customers.map(|customer| self.bought_by(customer)).collect();
        }
        let distinct = |group: &[u32]| {
            let mut items = group.to_vec();
            items.sort_unstable();
            items.dedup();
            items
        };
        self.groups.rows().map(distinct).collect()
    }

    /// Per item, the rows that hold it, ascending.
    pub(super) fn postings(&self, rows: &Lists<u32>) -> Lists<u32> {
        let mut holding = vec![Vec::new(); self.items.len()];
        for (row, items) in rows.rows().enumerate() {
            items.iter().for_each(|&item| holding[item as usize].push(row as u32));
        }
        holding.into_iter().collect()
    }
}

/// One order.
struct Basket {
    customer: Option<CustomerId>,
    /// Ascending and distinct.
    items: Vec<ItemId>,
    /// When its last line was bought: orders that overlap are ordered by their ends.
    last: Timestamp,
}

/// By customer (nobody known last), then from the oldest to the latest.
fn baskets(past: &EventLog, zone: &TimeZone) -> Vec<Basket> {
    let mut places = FxHashMap::default();
    let mut baskets: Vec<Basket> = Vec::new();
    for event in past.events.iter().filter(|event| event.kind == EventKind::Purchase) {
        let together = event.group.ok_or_else(|| midnight_after(event.at, zone));
        let place = *places.entry((event.customer, together)).or_insert_with(|| {
            baskets.push(Basket { customer: event.customer, items: Vec::new(), last: event.at });
            baskets.len() - 1
        });
        baskets[place].items.push(event.item);
        baskets[place].last = event.at;
    }
    for basket in &mut baskets {
        basket.items.sort_unstable();
        basket.items.dedup();
    }
    let owner = |basket: &Basket| basket.customer.map_or(usize::MAX, CustomerId::index);
    baskets.sort_by_key(|basket| (owner(basket), basket.last)); // stable: in the order of their beginnings
    baskets
}
