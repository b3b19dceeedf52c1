//! Customers that no person can be: programs that put thousands of baskets down.
//!
//! Who is far more active than anybody else is either a till, or an account that many share, or a program. What
//! a till takes together others take together as well, and about as often; what a program was made to push,
//! nobody else does. A program's rows are set aside, a till's stay. A person's stay too, a wholesaler's not
//! excepted, whatever they take together: nobody else is looked at.

use std::cell::LazyCell;
use std::sync::atomic::{AtomicU32, Ordering};

use rayon::iter::{IntoParallelRefIterator, ParallelIterator};
use rustc_hash::FxHashMap;

use super::row::Row;
use super::{Cause, EventKind};
use crate::ids::{CustomerId, GroupId, ItemId, room_for};
use crate::lists::Lists;

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
    let numbers = Numbers::of_occasions(rows);
    let busy = busy(rows, &numbers);
    if busy.customers.is_empty() {
        return;
    }
    let occasions = Occasions::of(rows, &busy, &numbers);
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
                "{who}, and takes what others take: if it is a till, or an account that many share, name it in \
                 events.nobody, and each of its orders speaks for itself"
            )),
        }
    }
    let is_program =
        |row: &Row| row.customer.is_some_and(|customer| programs.binary_search(&customer).is_ok());
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

fn busy(rows: &[Row], numbers: &Numbers) -> Busy {
    let customers = room_for(rows.iter().filter_map(|row| row.customer));
    let mut by_customer = vec![(0_u32, u32::MAX); customers];
    for (customer, row) in rows.iter().filter_map(|row| Some((row.customer?, row))) {
        let occasion = numbers.of(row);
        let (times, last) = &mut by_customer[customer.index()];
        *times += u32::from(*last != occasion);
        *last = occasion;
    }
    let mut times: Vec<u32> = by_customer.iter().map(|&(times, _)| times).collect();
    times.retain(|&times| times > 0);
    times.sort_unstable();
    let usual = times.len().checked_sub(1 + times.len().div_ceil(100)).map_or(0, |at| times[at]);
    let bound = LEAST.max(usual.saturating_mul(TIMES_USUAL));
    let found = by_customer.iter().enumerate();
    let customers = found
        .filter(|(_, (times, _))| *times > bound)
        .map(|(index, &(times, _))| (CustomerId::new(index), times))
        .collect();
    Busy { customers, usual }
}

/// Numbers of the orders and visits that rows are part of.
struct Numbers {
    /// How many have a number of their own.
    groups: u32,
    /// The first of the half hours that are visits beside these.
    first: i64,
}

impl Numbers {
    /// For rows in order of time.
    fn of_occasions(rows: &[Row]) -> Self {
        let groups = room_for(rows.iter().filter_map(|row| row.group)) as u32;
        Self { groups, first: rows.first().map_or(0, half_hour) }
    }

    fn of(&self, row: &Row) -> u32 {
        match row.group {
            Some(group) => group.index() as u32,
            // Later than any clock goes, they are one.
            None => u32::try_from(half_hour(row) - self.first)
                .map_or(u32::MAX, |since| self.groups.saturating_add(since)),
        }
    }
}

fn half_hour(row: &Row) -> i64 {
    row.at.0 / HALF_HOUR_MS
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
    fn of(rows: &[Row], busy: &Busy, numbers: &Numbers) -> Self {
        let taken = Taken::of(rows, numbers);
        let is_busy = |&owner: &usize| {
            let listed = |customer| busy.customers.binary_search_by_key(&customer, |c| c.0).is_ok();
            taken.customer(owner).is_some_and(listed)
        };
        let (of_busy, of_others): (Vec<usize>, Vec<usize>) = (0..taken.owners()).partition(is_busy);
        let by_customer = |owner: usize| {
            let orders = taken.orders(owner);
            let looked_at = orders.iter().step_by(step(orders.len()));
            let pairs: Vec<Pair> = looked_at.clone().flat_map(|order| pairs(order)).collect();
            Some((taken.customer(owner)?, (pairs, looked_at.len())))
        };
        let busy: FxHashMap<_, _> = of_busy.into_iter().filter_map(by_customer).collect();

        let counts = of_others.par_iter().map(|&owner| taken.orders(owner).len());
        let counts: Vec<usize> = counts.collect();
        let others = counts.iter().sum();
        let mut sample = Vec::new();
        let mut next = 0; // of the orders still to come, the first to be looked at
        for (&owner, count) in of_others.iter().zip(counts) {
            let orders = LazyCell::new(|| taken.orders(owner));
            while next < count {
                sample.extend(pairs(&orders[next]));
                next += step(others);
            }
            next -= count;
        }
        let wanted = busy.values().flat_map(|(pairs, _)| pairs).chain(&sample);
        let held: FxHashMap<Pair, AtomicU32> =
            wanted.map(|&pair| (pair, AtomicU32::new(0))).collect();
        of_others.par_iter().for_each(|&owner| {
            let orders = taken.orders(owner);
            for count in orders.iter().flat_map(|order| pairs(order)).filter_map(|p| held.get(&p)) {
                count.fetch_add(1, Ordering::Relaxed);
            }
        });
        let held = held.into_iter().map(|(pair, count)| (pair, count.into_inner())).collect();
        Self { busy, sample, held, others }
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

/// What was taken, owner by owner: first the orders and visits of nobody, one by one, then the customers'.
struct Taken {
    /// Each owner's: the number of the order or visit, and the item.
    lines: Lists<(u32, ItemId)>,
    /// The first owner that is a customer.
    customers: usize,
}

impl Taken {
    fn of(rows: &[Row], numbers: &Numbers) -> Self {
        let nobodys = rows.iter().filter(|row| row.customer.is_none());
        let customers = room_for(nobodys.filter_map(|row| row.group));
        let owner = |row: &Row| match row.customer {
            Some(customer) => Some(customers + customer.index()),
            None => row.group.map(GroupId::index),
        };
        let owners = rows.iter().filter_map(owner).max().map_or(0, |last| last + 1);
        let looked_at = rows.iter().filter(|row| row.is_live() && row.kind != EventKind::Return);
        let lines = looked_at.filter_map(|row| Some((owner(row)?, (numbers.of(row), row.item))));
        Self { lines: Lists::dealt(owners, (0, ItemId::FIRST), lines), customers }
    }

    fn owners(&self) -> usize {
        self.lines.len()
    }

    fn customer(&self, owner: usize) -> Option<CustomerId> {
        owner.checked_sub(self.customers).map(CustomerId::new)
    }

    /// Those that are not too large: distinct items, ascending. Made anew for who looks: with all of them kept, reading
    /// took a quarter more memory.
    fn orders(&self, owner: usize) -> Vec<Vec<ItemId>> {
        let mut lines = self.lines.row(owner).to_vec();
        lines.sort_unstable();
        lines.dedup();
        let orders = lines.chunk_by(|a, b| a.0 == b.0).filter(|order| order.len() <= LARGEST);
        orders.map(|order| order.iter().map(|line| line.1).collect()).collect()
    }
}

/// The pairs of an order; of one that holds a single item, that.
fn pairs(items: &[ItemId]) -> impl Iterator<Item = Pair> {
    let single = (items.len() == 1).then(|| (items[0], items[0]));
    let together = items.iter().enumerate();
    let together = together.flat_map(|(at, &one)| items[at + 1..].iter().map(move |&b| (one, b)));
    single.into_iter().chain(together)
}

/// Of so many orders, one in how many is looked at.
fn step(orders: usize) -> usize {
    orders.div_ceil(LOOKED_AT).max(1)
}
