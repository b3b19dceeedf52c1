//! Customers that no person can be: programs that put thousands of baskets down.
//!
//! Who is far more active than anybody else is either a till, or an account that many share, or a program. What
//! a till takes together others take together as well, and about as often; what a program was made to push,
//! nobody else does. A program's rows are set aside, a till's stay. A person's stay too, a wholesaler's not
//! excepted, whatever they take together: nobody else is looked at.

use rustc_hash::FxHashMap;

use super::row::Row;
use super::{Cause, EventKind};
use crate::ids::{CustomerId, ItemId};

/// So many orders and visits a person may have, whatever others have …
const LEAST: u32 = 300;
/// … and so many times those of all but one in a hundred customers.
const TIMES_USUAL: u32 = 10;
/// A till's share of pairs that are usual is at least so much of what it is in others' orders.
const TILL: f64 = 0.8;
/// A pair is usual if it comes at most so many times as often as in others' orders …
const AS_OFTEN: f64 = 10.0;
/// … or so often, if others have it at all.
const RARELY: f64 = 2.0;
/// Larger orders are not looked at: they hold every pair.
const LARGEST: usize = 50;
/// So many orders of each are looked at, evenly spread.
const LOOKED_AT: usize = 2_000;
/// Visits without a number of their own are half hours.
const HALF_HOUR_MS: i64 = 1_800_000;

/// Sets aside the rows of customers that are programs; `rows` are in order of time.
pub(super) fn machines(rows: &mut [Row], notes: &mut Vec<String>) {
    let busy = busy(rows);
    if busy.customers.is_empty() {
        return;
    }
    let occasions = Occasions::of(rows, &busy);
    let mut programs = Vec::new();
    for &(customer, times) in &busy.customers {
        let usual = busy.usual;
        let who = format!(
            "programs: one customer has {times} orders and visits, where all but one in a hundred have \
             {usual} at most"
        );
        match occasions.usual_share(customer) {
            Some((own, others)) if own < TILL * others => {
                programs.push(customer);
                notes.push(format!(
                    "{who}; of what is together in them {:.0} % is usual, in others' orders {:.0} %: it is taken \
                     for a program, and set aside (events.keep_programs = true keeps it)",
                    100.0 * own,
                    100.0 * others
                ));
            }
            _ => notes.push(format!(
                "{who}, and takes what others take: if it is a till, or an account that many share, leave its \
                 customer empty, and each of its orders speaks for itself"
            )),
        }
    }
    let is_program = |row: &Row| row.customer.is_some_and(|customer| programs.contains(&customer));
    for row in rows.iter_mut().filter(|row| row.is_live() && is_program(row)) {
        row.fate = Some(Cause::Program);
    }
}

/// Customers with far more orders and visits than others.
struct Busy {
    customers: Vec<(CustomerId, u32)>,
    /// What all but one in a hundred have at most.
    usual: u32,
}

fn busy(rows: &[Row]) -> Busy {
    let mut by_customer: FxHashMap<CustomerId, (u32, u64)> = FxHashMap::default();
    for (customer, row) in rows.iter().filter_map(|row| Some((row.customer?, row))) {
        let occasion = occasion(row);
        let (times, last) = by_customer.entry(customer).or_insert((0, u64::MAX));
        *times += u32::from(*last != occasion);
        *last = occasion;
    }
    let mut times: Vec<u32> = by_customer.values().map(|(times, _)| *times).collect();
    times.sort_unstable();
    let usual = times.len().checked_sub(1 + times.len().div_ceil(100)).map_or(0, |at| times[at]);
    let bound = LEAST.max(usual.saturating_mul(TIMES_USUAL));
    let found = by_customer.into_iter().map(|(customer, (times, _))| (customer, times));
    let mut customers: Vec<_> = found.filter(|&(_, times)| times > bound).collect();
    customers.sort_unstable();
    Busy { customers, usual }
}

/// The order or visit that a row is part of.
fn occasion(row: &Row) -> u64 {
    const MOMENTS: u64 = 1 << 63; // above all orders
    match row.group() {
        Some(group) => group.index() as u64,
        None => MOMENTS | (row.at.0 / HALF_HOUR_MS) as u64,
    }
}

type Pair = (ItemId, ItemId);

/// What was taken together: by the busy, and by all others.
struct Occasions {
    /// The pairs of each of the busy customers' orders that are looked at, and how many orders those are.
    busy: FxHashMap<CustomerId, (Vec<Pair>, usize)>,
    /// The pairs of some of the others' orders.
    sample: Vec<Pair>,
    /// How many orders of others hold each of these pairs.
    held: FxHashMap<Pair, u32>,
    /// How many orders of others there are.
    others: usize,
}

impl Occasions {
    fn of(rows: &[Row], busy: &Busy) -> Self {
        let is_busy =
            |customer: CustomerId| busy.customers.binary_search_by_key(&customer, |c| c.0).is_ok();
        let mut by_owner: FxHashMap<CustomerId, Vec<Vec<ItemId>>> = FxHashMap::default();
        let mut others = Vec::new();
        for (owner, items) in orders(rows) {
            match owner.filter(|&owner| is_busy(owner)) {
                Some(owner) => by_owner.entry(owner).or_default().push(items),
                None => others.push(items),
            }
        }
        let of_busy = |(owner, orders): (CustomerId, Vec<Vec<ItemId>>)| {
            let looked_at: Vec<_> = evenly(&orders).collect();
            (owner, (looked_at.iter().flat_map(|items| pairs(items)).collect(), looked_at.len()))
        };
        let busy: FxHashMap<_, (Vec<Pair>, usize)> = by_owner.into_iter().map(of_busy).collect();
        let sample: Vec<Pair> = evenly(&others).flat_map(|items| pairs(items)).collect();
        let wanted = busy.values().flat_map(|(pairs, _)| pairs).chain(&sample);
        let mut held: FxHashMap<Pair, u32> = wanted.map(|&pair| (pair, 0)).collect();
        for pair in others.iter().flat_map(|items| pairs(items)) {
            if let Some(count) = held.get_mut(&pair) {
                *count += 1;
            }
        }
        Self { busy, sample, held, others: others.len() }
    }

    /// Of the pairs in a busy customer's orders, the share that is usual, and what it is in others' orders;
    /// `None` where there is nothing to hold one against the other.
    fn usual_share(&self, customer: CustomerId) -> Option<(f64, f64)> {
        let (pairs, orders) = self.busy.get(&customer)?;
        let mut own: FxHashMap<Pair, u32> = FxHashMap::default();
        pairs.iter().for_each(|&pair| *own.entry(pair).or_default() += 1);
        let per_order = *orders as f64 / self.others.max(1) as f64;
        let is_usual = |pair: &Pair| {
            let (own, others) = (f64::from(own[pair]), f64::from(self.held[pair]));
            others > 0.0 && own <= RARELY.max(AS_OFTEN * others * per_order)
        };
        let share = |usual: usize, of: usize| (of > 0).then(|| usual as f64 / of as f64);
        let usual = pairs.iter().filter(|pair| is_usual(pair)).count();
        let again = self.sample.iter().filter(|pair| self.held[pair] > 1).count();
        share(usual, pairs.len()).zip(share(again, self.sample.len()))
    }
}

/// Orders and visits that are not too large, with whose they are: distinct items, ascending.
fn orders(rows: &[Row]) -> Vec<(Option<CustomerId>, Vec<ItemId>)> {
    let mut lines: Vec<(Option<CustomerId>, u64, ItemId)> = rows
        .iter()
        .filter(|row| row.is_live() && row.kind != EventKind::Return)
        .filter(|row| row.customer.is_some() || row.group().is_some())
        .map(|row| (row.customer, occasion(row), row.item))
        .collect();
    lines.sort_unstable();
    lines.dedup();
    let orders = lines.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1));
    let orders = orders.filter(|order| order.len() <= LARGEST);
    orders.map(|order| (order[0].0, order.iter().map(|line| line.2).collect())).collect()
}

/// The pairs of an order; of one that holds a single item, that.
fn pairs(items: &[ItemId]) -> impl Iterator<Item = Pair> {
    let single = (items.len() == 1).then(|| (items[0], items[0]));
    let together = items.iter().enumerate();
    let together = together.flat_map(|(at, &one)| items[at + 1..].iter().map(move |&b| (one, b)));
    single.into_iter().chain(together)
}

fn evenly<T>(all: &[T]) -> impl Iterator<Item = &T> {
    all.iter().step_by(all.len().div_ceil(LOOKED_AT).max(1))
}
