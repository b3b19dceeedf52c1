//! Who is tied to which item, and how strongly.

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use super::FactorOptions;
use super::ridge::turned;
use crate::events::{Event, EventKind, EventLog};
use crate::ids::{GroupId, ItemId};
use crate::lists::Lists;

/// How much one event of each kind says; ≥ 0, a purchase usually 1. Returns say nothing.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KindWeights {
    /// Of a view.
    pub view: f32,
    /// Of a cart.
    pub cart: f32,
    /// Of a favorite.
    pub favorite: f32,
    /// Of a purchase.
    pub purchase: f32,
}

impl Default for KindWeights {
    fn default() -> Self {
        Self { view: 0.2, cart: 0.5, favorite: 0.5, purchase: 1.0 }
    }
}

impl KindWeights {
    /// The weight of one event of this kind.
    pub fn of(&self, kind: EventKind) -> f32 {
        match kind {
            EventKind::View => self.view,
            EventKind::Cart => self.cart,
            EventKind::Favorite => self.favorite,
            EventKind::Purchase => self.purchase,
            EventKind::Return => 0.0,
        }
    }
}

/// Rows of items with weights > 0: a row is a customer, or a basket or session of nobody known.
#[derive(Clone, Debug, PartialEq)]
pub struct Interactions {
    /// Ascending item indices, distinct within a row.
    rows: Lists<(u32, f32)>,
    items: usize,
}

/// Weights beyond this would only cost precision.
const MAX_WEIGHT: f32 = 1e6;

impl Interactions {
    /// From triples (row, item, weight) in any order; weights of the same row and item add up, and
    /// what is not a number above 0 is left out.
    ///
    /// Panics if a row or an item is out of range.
    pub fn new(
        rows: usize,
        items: usize,
        triples: impl IntoIterator<Item = (usize, ItemId, f32)>,
    ) -> Self {
        let entries: Vec<(usize, (u32, f32))> = triples
            .into_iter()
            .filter(|(_, _, weight)| says_something(*weight))
            .inspect(|(row, item, _)| {
                assert!(*row < rows && item.index() < items, "within the matrix")
            })
            .map(|(row, item, weight)| (row, (item.index() as u32, weight)))
            .collect();
        Self { rows: summed(rows, entries.iter().copied()), items }
    }

    /// From sets of items, one row each (a basket, a session, or all that a customer had): a row of n
    /// distinct items weighs n to the power of −`size` wherever products of its items are summed, as in
    /// [`Ease`](super::Ease); 0 = all rows weigh 1.
    ///
    /// Panics if an item is out of range.
    pub fn of_sets(sets: &Lists<ItemId>, items: usize, size: f32) -> Self {
        let mut row: Vec<u32> = Vec::new();
        let mut rows = Lists::with_capacity(sets.len(), sets.entries().len());
        for set in sets.rows() {
            row.clear();
            row.extend(set.iter().map(|item| item.index() as u32));
            row.sort_unstable();
            row.dedup();
            assert!(row.last().is_none_or(|&item| (item as usize) < items), "within the matrix");
            let weight = (row.len().max(1) as f32).powf(-size / 2.0);
            rows.push(row.iter().map(|&item| (item, weight)));
        }
        Self { rows, items }
    }

    /// From a shop's log: row i is customer i; after the customers comes one row for each order or
    /// session of nobody known, in order of time. Events with neither are left out.
    ///
    /// Ages count from the log's last event.
    pub fn from_log(log: &EventLog, options: &FactorOptions) -> Self {
        let customers = log.customers.len();
        let mut nameless: FxHashMap<GroupId, usize> = FxHashMap::default();
        let of_nobody = log.events.iter().filter(|event| event.customer.is_none());
        for group in of_nobody.filter_map(|event| event.group) {
            let next = customers + nameless.len();
            nameless.entry(group).or_insert(next);
        }
        let row = |event: &Event| match event.customer {
            Some(customer) => Some(customer.index()),
            None => nameless.get(&event.group?).copied(),
        };
        let now = log.events.last().map(|event| event.at).unwrap_or_default();
        let decay = |event: &Event| match options.half_life_days {
            Some(days) if log.timed && days > 0.0 => {
                (-now.days_since(event.at) / days).exp2() as f32
            }
            _ => 1.0,
        };
        let kinds = options.kinds.unwrap_or_default();
        // Dealt as they are read: a log has millions.
        let entries = log.events.iter().filter_map(|event| {
            let (row, weight) = (row(event)?, kinds.of(event.kind) * decay(event));
            says_something(weight).then_some((row, (event.item.index() as u32, weight)))
        });
        let rows = customers + nameless.len();
        Self { rows: summed(rows, entries), items: log.items.len() }.damped()
    }

    /// Every weight w becomes log₂(1 + w): the tenth purchase says less than the first, which says 1.
    pub fn damped(mut self) -> Self {
        for (_, weight) in self.rows.entries_mut() {
            *weight = weight.ln_1p() / std::f32::consts::LN_2;
        }
        self
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// True if there is no row.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// How many items there are, with or without interactions.
    pub fn items(&self) -> usize {
        self.items
    }

    /// How many pairs of row and item have a weight.
    pub fn pairs(&self) -> usize {
        self.rows.entries().len()
    }

    /// The items of a row with their weights, in order of id.
    pub fn row(&self, row: usize) -> impl ExactSizeIterator<Item = (ItemId, f32)> {
        self.rows.row(row).iter().map(|&(item, weight)| (ItemId::new(item as usize), weight))
    }

    /// Per item, how many rows have it.
    pub fn touched(&self) -> Vec<u32> {
        let mut touched = vec![0; self.items];
        self.rows.entries().iter().for_each(|(item, _)| touched[*item as usize] += 1);
        touched
    }

    pub(super) fn by_row(&self) -> &Lists<(u32, f32)> {
        &self.rows
    }

    /// Per item its rows with their weights, ascending.
    pub(super) fn by_item(&self) -> Lists<(u32, f32)> {
        turned(&self.rows, self.items)
    }
}

/// What is not a number above 0 ties nobody to anything.
pub(super) fn says_something(weight: f32) -> bool {
    weight.is_finite() && weight > 0.0
}

/// Items and weights by row: ascending and distinct; weights of the same pair add up in the order given.
fn summed(
    rows: usize,
    entries: impl Iterator<Item = (usize, (u32, f32))> + Clone,
) -> Lists<(u32, f32)> {
    let mut summed = Lists::dealt(rows, (0, 0.0), entries);
    summed.shorten(|row| {
        row.sort_by_key(|(item, _)| *item); // stable
        let mut kept = 0;
        for place in 0..row.len() {
            let (item, weight) = row[place];
            if kept > 0 && row[kept - 1].0 == item {
                row[kept - 1].1 += weight;
            } else {
                row[kept] = (item, weight);
                kept += 1;
            }
        }
        row[..kept].iter_mut().for_each(|(_, sum)| *sum = sum.min(MAX_WEIGHT));
        kept
    });
    summed
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::events::Events;
    use crate::ids::{CustomerId, GroupId};
    use crate::time::{DAY_MS, Timestamp};

    #[test]
    fn weights_of_the_same_pair_add_up_and_nonsense_is_left_out() {
        let [a, b] = [0, 1].map(ItemId::new);
        let triples =
            [(1, b, 1.0), (0, a, 2.0), (1, a, 0.5), (1, b, 2.0), (0, b, f32::NAN), (0, b, -1.0)];
        let interactions = Interactions::new(3, 2, triples);
        assert_eq!(interactions.row(0).collect::<Vec<_>>(), [(a, 2.0)]);
        assert_eq!(interactions.row(1).collect::<Vec<_>>(), [(a, 0.5), (b, 3.0)]);
        assert_eq!(interactions.by_item().row(0), [(0, 2.0), (1, 0.5)]);
        assert_eq!((interactions.len(), interactions.pairs()), (3, 3));
        assert_eq!(interactions.touched(), [2, 1]);
    }

    #[test]
    fn a_log_gives_customers_first_then_nameless_orders_with_older_events_weighing_less() {
        let mut log = EventLog { timed: true, ..EventLog::default() };
        let mut keys = crate::ids::Interner::new();
        let (tea, cup) = (keys.intern("tea"), keys.intern("cup"));
        log.items = keys.into();
        Arc::make_mut(&mut log.customers).intern("anna");
        let event = |day, customer: Option<usize>, item, group: Option<usize>, kind| Event {
            at: Timestamp(day * DAY_MS),
            customer: customer.map(CustomerId::new),
            item,
            group: group.map(GroupId::new),
            quantity: 1.0,
            unit_price: 1.0,
            kind,
            discount_percent: 0,
        };
        log.events = Events::from(vec![
            event(0, Some(0), tea, None, EventKind::Purchase),
            event(3, None, cup, None, EventKind::Purchase),
            event(10, None, cup, Some(5), EventKind::Purchase),
            event(10, Some(0), cup, None, EventKind::Return),
        ]);
        let options = FactorOptions { half_life_days: Some(10.0), ..FactorOptions::default() };
        let interactions = Interactions::from_log(&log, &options);
        assert_eq!(interactions.len(), 2);
        assert_eq!(interactions.row(0).collect::<Vec<_>>(), [(tea, 0.5f32.ln_1p() / 2f32.ln())]);
        assert_eq!(interactions.row(1).collect::<Vec<_>>(), [(cup, 1.0)]);
    }
}
