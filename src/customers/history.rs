//! What serving needs to know of one customer's past.

use std::ops::Range;
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::again::Due;
use super::{Cadence, HistoryOptions, Interests};
use crate::events::{Baskets, Event, EventKind, EventLog};
use crate::ids::{CustomerId, ItemId};
use crate::lists::Lists;
use crate::time::Timestamp;

/// One item that the customer bought.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bought {
    /// Which.
    pub item: ItemId,
    /// In how many orders; 0 if all of it went back.
    pub times: u32,
    /// The first of them.
    pub first: Timestamp,
    /// The latest of them; where orders are all that was bought in a day, when it was bought in that.
    pub last: Timestamp,
    /// Orders that held it, each decayed by its age; see [`HistoryOptions`].
    pub strength: f32,
    /// Days this customer usually lets pass between two purchases of it; 0 if not known.
    pub usual_days: f32,
    /// Orders of this customer since the latest that held it; 0 if that was their last.
    pub orders_ago: u32,
    /// Orders of this customer since the first that held it.
    pub orders_since_first: u32,
    /// Orders that held it, each counting a fifth less with every later order.
    pub lately: f32,
    /// Units of it, in all of them.
    pub units: f32,
    /// Units of it in the latest.
    pub last_units: f32,
}

/// One item that all the customer has and looked at speaks for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Drawn {
    /// Which.
    pub item: ItemId,
    /// How much; comparable for one customer only, > 0.
    pub weight: f32,
    /// What speaks for it most.
    pub by: ItemId,
}

/// One item that customers with a past like this one's bought next.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Foreseen {
    /// Which.
    pub item: ItemId,
    /// About the chance that it is among what this customer buys next, drawn towards 0; > 0.
    pub weight: f32,
}

/// One item that the customer looked at, put in the cart or on a wish list, and has not bought since.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Glance {
    /// Which.
    pub item: ItemId,
    /// The strongest thing done: a favourite over a cart over a look.
    pub kind: EventKind,
    /// When that was done last.
    pub at: Timestamp,
}

/// A customer's past.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// Everything ever bought, by item.
    pub bought: Vec<Bought>,
    /// What was looked at and not bought since, latest first.
    pub glances: Vec<Glance>,
    /// What all of this speaks for, learnt from other customers.
    pub drawn: Vec<Drawn>,
    /// What it foretells, learnt from what others did next.
    pub foreseen: Vec<Foreseen>,
    /// Orders, of whatever.
    pub orders: u32,
    /// What is bought in a rhythm, the likeliest to be bought soon first, as of the end of the log; at most
    /// [`KEPT_DUE`].
    pub due: Vec<Due>,
}

/// So much of what is due is kept for each customer: pages and mails show less.
pub const KEPT_DUE: usize = 60;

impl History {
    /// What is known of the customer and `item`, if it was ever bought.
    pub fn bought(&self, item: ItemId) -> Option<&Bought> {
        self.bought.binary_search_by_key(&item, |b| b.item).ok().map(|at| &self.bought[at])
    }

    /// True if nothing is known.
    pub fn is_empty(&self) -> bool {
        self.bought.is_empty() && self.glances.is_empty()
    }

    /// The part of the past that says what else the customer may like: the `limit` strongest purchases, earlier ones
    /// weighing less, and a third as many of the latest glances. Weights add up to 1.
    pub fn leanings(&self, interests: &Interests, limit: usize) -> Vec<(ItemId, f32)> {
        let mut strong: Vec<&Bought> = self.bought.iter().filter(|b| b.strength > 0.0).collect();
        let stronger = |a: &&Bought, b: &&Bought| {
            b.strength.total_cmp(&a.strength).then(b.last.cmp(&a.last)).then(a.item.cmp(&b.item))
        };
        if strong.len() > limit {
            strong.select_nth_unstable_by(limit, stronger);
            strong.truncate(limit);
        }
        strong.sort_unstable_by(stronger);
        let fading = self.fading(interests.earlier);
        let bought = strong.into_iter().map(|b| (b.item, b.strength.ln_1p() * fading(b)));
        let glanced =
            self.glances.iter().take(limit / 3).map(|g| (g.item, 0.5 * interests.of(g.kind)));
        let mut leanings: Vec<(ItemId, f32)> = bought.chain(glanced).collect();
        let total: f32 = leanings.iter().map(|(_, weight)| weight).sum();
        leanings.iter_mut().for_each(|(_, weight)| *weight /= total.max(f32::MIN_POSITIVE));
        leanings
    }

    /// What a purchase still says: `earlier`, for each time that the customer has bought something since.
    fn fading(&self, earlier: f32) -> impl Fn(&Bought) -> f32 {
        let mut times: Vec<Timestamp> = match earlier < 1.0 {
            true => self.bought.iter().map(|bought| bought.last).collect(),
            false => Vec::new(),
        };
        times.sort_unstable();
        times.dedup();
        move |bought| {
            let since = times.len() - times.partition_point(|at| *at <= bought.last);
            // Without times, and where all of an order was bought again, the orders tell.
            earlier.powi(since.max(bought.orders_ago as usize).min(1_000) as i32)
        }
    }
}

impl Bought {
    /// Not in any order.
    pub(crate) fn never(item: ItemId, at: Timestamp) -> Self {
        let (first, last) = (at, at);
        let (times, orders_ago, orders_since_first) = (0, 0, 0);
        let (strength, usual_days, lately) = (0.0, 0.0, 0.0);
        let (units, last_units) = (0.0, 0.0);
        Self {
            item,
            times,
            first,
            last,
            strength,
            usual_days,
            orders_ago,
            orders_since_first,
            lately,
            units,
            last_units,
        }
    }
}

/// What an order still counts for [`Bought::lately`] when so many have come after it.
pub(super) fn lately(orders_ago: usize) -> f32 {
    0.8f32.powi(orders_ago.min(1_000) as i32)
}

/// What the pasts of customers are told from: no past is kept, for all of them at once take more memory than the log.
#[derive(Clone, Debug)]
pub struct Pasts {
    log: EventLog,
    baskets: Baskets,
    /// Per customer, where their baskets begin; one more says where the last one's end.
    begin: Vec<u32>,
    /// See [`EventLog::by_customer`].
    events: Arc<Lists<u32>>,
    now: Timestamp,
    options: HistoryOptions,
}

impl Pasts {
    /// From a log and its baskets, as of `now`.
    pub fn new(log: &EventLog, baskets: Baskets, now: Timestamp, options: &HistoryOptions) -> Self {
        let mut begin = vec![0u32; log.customers.len() + 1];
        for customer in baskets.customers.iter().flatten() {
            begin[customer.index() + 1] += 1;
        }
        for customer in 1..begin.len() {
            begin[customer] += begin[customer - 1]; // orders without a customer come last
        }
        let (log, events, options) = (log.clone(), log.by_customer().into(), options.clone());
        Self { log, baskets, begin, events, now, options }
    }

    /// The same of another log, with ids as in this one.
    pub fn also(&self, log: &EventLog, baskets: Baskets) -> Self {
        Self::new(log, baskets, self.now, &self.options)
    }

    /// How many customers there are.
    pub fn customers(&self) -> usize {
        self.events.len()
    }

    /// The past of one customer, but for what others' pasts say of it and for what is due.
    ///
    /// Panics unless the log knows the customer.
    pub fn of(&self, customer: CustomerId, cadence: &Cadence) -> History {
        let mut bought = self.bought(customer, cadence);
        // What went back whole stays known: nobody wants it offered as new.
        for event in self.events(customer).filter(|event| event.kind == EventKind::Return) {
            if let Err(place) = bought.binary_search_by_key(&event.item, |b| b.item) {
                bought.insert(place, Bought::never(event.item, event.at));
            }
        }
        let orders = self.orders(customer).len() as u32;
        History { bought, glances: self.glances(customer), orders, ..History::default() }
    }

    /// Which baskets are the customer's, from the oldest to the latest.
    fn orders(&self, customer: CustomerId) -> Range<usize> {
        self.begin[customer.index()] as usize..self.begin[customer.index() + 1] as usize
    }

    /// See [`EventLog::by_customer`].
    pub(super) fn by_customer(&self) -> Arc<Lists<u32>> {
        self.events.clone()
    }

    fn events(&self, customer: CustomerId) -> impl DoubleEndedIterator<Item = &Event> {
        let places = self.events.row(customer.index()).iter();
        places.map(|&place| &self.log.events[place as usize])
    }

    /// What the customer bought and kept some of, by item.
    pub(super) fn bought(&self, customer: CustomerId, cadence: &Cadence) -> Vec<Bought> {
        let orders = self.orders(customer);
        let mut items: FxHashMap<ItemId, Bought> = FxHashMap::default();
        for order in orders.clone() {
            let at = self.baskets.at[order];
            let orders_ago = orders.end - 1 - order;
            let weight = self.options.decay(orders_ago, self.now.days_since(at)) as f32;
            for (item, units) in self.baskets.lines(order) {
                let fresh =
                    Bought { orders_since_first: orders_ago as u32, ..Bought::never(item, at) };
                let entry = items.entry(item).or_insert(fresh);
                entry.times += 1;
                entry.last = at;
                entry.strength += weight;
                entry.orders_ago = orders_ago as u32;
                entry.lately += lately(orders_ago);
                entry.units += units;
                entry.last_units = units;
            }
        }
        if self.log.timed {
            let is_by_day =
                |event: &&Event| event.kind == EventKind::Purchase && event.group.is_none();
            for event in self.events(customer).filter(is_by_day) {
                items.entry(event.item).and_modify(|entry| entry.last = event.at);
            }
        }
        let mut list: Vec<Bought> = items.into_values().collect();
        for entry in &mut list {
            let Bought { item, times, first, last, .. } = *entry;
            entry.usual_days = cadence.usual_days_of_pair(item, times, first, last);
        }
        list.sort_unstable_by_key(|entry| entry.item);
        list
    }

    /// What the customer looked at and has not bought since, latest first. Where that is too much, looks give way to
    /// what is in the cart or on the wish list.
    fn glances(&self, customer: CustomerId) -> Vec<Glance> {
        // A purchase on the way hides what came before it, and so does its return: what went back whole has no
        // purchase in the log, and was bought all the same.
        let mut done: FxHashSet<ItemId> = FxHashSet::default();
        let mut kept: Vec<Glance> = Vec::new();
        let most = self.options.glances;
        for event in self.events(customer).rev() {
            match event.kind {
                EventKind::Purchase | EventKind::Return => {
                    done.insert(event.item);
                }
                kind @ (EventKind::View | EventKind::Cart | EventKind::Favorite) => {
                    if let Some(known) = kept.iter_mut().find(|glance| glance.item == event.item) {
                        if !done.contains(&event.item) && kind > known.kind {
                            (known.kind, known.at) = (kind, event.at);
                        }
                    } else if !done.contains(&event.item)
                        && (kept.len() < most || kind != EventKind::View && kept.len() < 2 * most)
                    {
                        kept.push(Glance { item: event.item, kind, at: event.at });
                    }
                }
            }
        }
        let mut wanted = kept.iter().filter(|glance| glance.kind != EventKind::View).count();
        wanted = wanted.min(most);
        let mut looks = most - wanted;
        kept.retain(|glance| {
            let room = if glance.kind == EventKind::View { &mut looks } else { &mut wanted };
            let has_room = *room > 0;
            *room -= usize::from(has_room);
            has_room
        });
        kept
    }
}

/// The orders of each known customer, as ranges of rows; orders run from the oldest to the latest.
pub(super) fn orders_by_customer(
    baskets: &Baskets,
) -> impl Iterator<Item = (CustomerId, Range<usize>)> {
    let customers = &baskets.customers;
    let mut start = 0;
    std::iter::from_fn(move || {
        let customer = (*customers.get(start)?)?; // orders without a customer come last
        let length = customers[start..].iter().take_while(|&&c| c == Some(customer)).count();
        start += length;
        Some((customer, start - length..start))
    })
}

#[cfg(test)]
mod tests {
    use super::super::ledger::tests::log;
    use super::*;

    #[test]
    fn looks_give_way_to_what_is_in_the_cart_and_the_latest_stay() {
        let rows: Vec<_> = (0..10).map(|item| (0, item as i64, item + 1, item, 1.0, 0)).collect();
        let mut log = log(&rows);
        let events = log.events.iter().copied().map(|event| Event {
            kind: if event.item.index() % 4 == 0 { EventKind::Cart } else { EventKind::View },
            ..event
        });
        log.events = events.collect::<Vec<_>>().into();
        let now = log.events[9].at;
        let kept = |glances| {
            let options = HistoryOptions { glances, ..HistoryOptions::default() };
            let pasts = Pasts::new(&log, Baskets::default(), now, &options);
            let history = pasts.of(CustomerId::FIRST, &Cadence::default());
            history.glances.iter().map(|glance| glance.item.index()).collect::<Vec<_>>()
        };
        assert_eq!(kept(5), [9, 8, 7, 4, 0]);
        assert_eq!(kept(2), [8, 4]);
        assert_eq!(kept(50).len(), 10);
    }
}
