//! The cases of each task, by the protocol that an outside judge follows too.

use rustc_hash::FxHashMap;

use super::Task;
use super::hash::stable_hash;
use super::held_out::{HeldOut, Order};
use crate::events::{EventKind, EventLog};
use crate::ids::{CustomerId, ItemId};
use crate::lists::Lists;

/// Most cases of a task; more are drawn by hash.
const MAX_CASES: usize = 20_000;
/// Related items: keeps a few huge orders from filling the sample.
const QUERIES_PER_BASKET: usize = 5;
/// A basket to be halved has at least so many distinct items.
const LEAST_TO_HALVE: usize = 4;

/// One question of the exam, with what is right.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// Whose it is, if the training log knows them. Not all tasks tell whoever answers.
    pub customer: Option<CustomerId>,
    /// Basket so far, the one item, or the visit so far, oldest first.
    pub items: Vec<ItemId>,
    /// What is right: ascending, distinct, not empty.
    pub truth: Vec<ItemId>,
    /// The money spent on each of `truth`.
    pub spent: Vec<f32>,
    /// Unit of the bootstrap: a customer, or an order or visit of nobody known.
    pub cluster: u32,
}

/// All cases of one task.
#[derive(Clone, Debug)]
pub struct Problem {
    /// Which task.
    pub task: Task,
    /// Its cases; empty if it can't be judged.
    pub cases: Vec<Case>,
    /// Why there are none.
    pub unjudged: Option<String>,
}

/// What each customer of the training log bought in it: ascending and distinct, by [`CustomerId`].
pub fn purchased(past: &EventLog) -> Lists<ItemId> {
    let mut bought = vec![Vec::new(); past.customers.len()];
    for event in past.events.iter().filter(|event| event.kind == EventKind::Purchase) {
        if let Some(customer) = event.customer {
            bought[customer.index()].push(event.item);
        }
    }
    bought
        .into_iter()
        .map(|mut items| {
            items.sort_unstable();
            items.dedup();
            items
        })
        .collect()
}

impl Problem {
    /// The cases of `task`; `purchased` is what [`purchased()`] says.
    pub fn new(task: Task, held_out: &HeldOut, past: &EventLog, purchased: &Lists<ItemId>) -> Self {
        let cases = match task {
            Task::ForCustomer | Task::ForCustomerWindow | Task::ForCustomerNew if !past.timed => {
                Vec::new()
            }
            Task::ForCustomer | Task::ForCustomerWindow | Task::ForCustomerNew => {
                for_customer(task, &held_out.orders, purchased)
            }
            Task::BasketUpsell if !past.timed => Vec::new(),
            Task::BasketUpsell | Task::BasketUpsellAnonymous => halves(task, held_out),
            Task::RelatedItems => related(held_out),
            Task::Session => next_looks(held_out),
        };
        let unjudged = cases.is_empty().then(|| why_none(task, held_out, past));
        Self { task, cases, unjudged }
    }
}

fn for_customer(task: Task, orders: &[Order], purchased: &Lists<ItemId>) -> Vec<Case> {
    let mut by_customer: FxHashMap<&str, Vec<&Order>> = FxHashMap::default();
    for order in orders.iter().filter(|order| !order.customer_key.is_empty()) {
        by_customer.entry(&order.customer_key).or_default().push(order);
    }
    let mut customers: Vec<(&str, Vec<&Order>)> = by_customer.into_iter().collect();
    customers.sort_unstable_by_key(|&(key, _)| key);
    let mut cases = Vec::new();
    for (_, mut orders) in customers {
        orders.sort_by(|a, b| (a.at, &a.key).cmp(&(b.at, &b.key)));
        let Some(customer) = orders[0].customer else { continue };
        let known = purchased.row(customer.index());
        if known.is_empty() {
            continue;
        }
        if task == Task::ForCustomer {
            orders.truncate(1);
        }
        let lines = orders.iter().flat_map(|order| &order.lines).copied();
        let wanted = |&(item, _): &(ItemId, f32)| {
            task != Task::ForCustomerNew || known.binary_search(&item).is_err()
        };
        let (truth, spent) = distinct(lines.filter(wanted).collect());
        if !truth.is_empty() {
            let cluster = cases.len() as u32;
            cases.push(Case { customer: Some(customer), items: Vec::new(), truth, spent, cluster });
        }
    }
    cases
}

/// Items ascending, money added up.
fn distinct(mut lines: Vec<(ItemId, f32)>) -> (Vec<ItemId>, Vec<f32>) {
    lines.sort_by_key(|&(item, _)| item);
    lines
        .chunk_by(|a, b| a.0 == b.0)
        .map(|same| (same[0].0, same.iter().map(|(_, spent)| spent).sum::<f32>()))
        .unzip()
}

/// An order with its lines in hash order.
struct Shuffled<'a> {
    order: &'a Order,
    lines: Vec<(ItemId, f32)>,
    cluster: u32,
}

/// Orders in hash order, their lines too.
fn shuffled(held_out: &HeldOut) -> Vec<Shuffled<'_>> {
    let mut clusters = Clusters::default();
    let mut shuffled: Vec<(u64, Shuffled<'_>)> = (held_out.orders.iter())
        .map(|order| {
            let mut lines = order.lines.clone();
            lines.sort_by_cached_key(|&(item, _)| {
                let key = held_out.items.key(item);
                (stable_hash(&[&order.key, key]), key.to_owned())
            });
            let cluster = clusters.of(&order.customer_key, &order.key);
            (stable_hash(&[&order.key]), Shuffled { order, lines, cluster })
        })
        .collect();
    shuffled.sort_by(|a, b| (a.0, &a.1.order.key).cmp(&(b.0, &b.1.order.key)));
    shuffled.into_iter().map(|(_, shuffled)| shuffled).collect()
}

/// Dense numbers for customers, and for orders of nobody known.
#[derive(Default)]
struct Clusters(FxHashMap<(String, bool), u32>);

impl Clusters {
    fn of(&mut self, customer: &str, order: &str) -> u32 {
        let known = !customer.is_empty();
        let key = if known { customer } else { order };
        let next = self.0.len() as u32;
        *self.0.entry((key.to_owned(), known)).or_insert(next)
    }
}

fn halves(task: Task, held_out: &HeldOut) -> Vec<Case> {
    shuffled(held_out)
        .into_iter()
        .filter(|basket| basket.lines.len() >= LEAST_TO_HALVE)
        .filter(|basket| {
            task == Task::BasketUpsellAnonymous || !basket.order.customer_key.is_empty()
        })
        .take(MAX_CASES)
        .map(|basket| {
            let (cart, rest) = basket.lines.split_at(basket.lines.len() / 2);
            let (truth, spent) = distinct(rest.to_vec());
            Case {
                customer: basket.order.customer,
                items: cart.iter().map(|&(item, _)| item).collect(),
                truth,
                spent,
                cluster: basket.cluster,
            }
        })
        .collect()
}

fn related(held_out: &HeldOut) -> Vec<Case> {
    let baskets = shuffled(held_out);
    let mut pairs: Vec<(u64, &Shuffled<'_>, usize)> = Vec::new();
    for basket in baskets.iter().filter(|basket| basket.lines.len() >= 2) {
        for (place, &(item, _)) in basket.lines.iter().take(QUERIES_PER_BASKET).enumerate() {
            let hash = stable_hash(&["pair", &basket.order.key, held_out.items.key(item)]);
            pairs.push((hash, basket, place));
        }
    }
    pairs.sort_by(|a, b| (a.0, &a.1.order.key).cmp(&(b.0, &b.1.order.key)));
    pairs.truncate(MAX_CASES);
    let case = |(_, basket, place): (u64, &Shuffled<'_>, usize)| {
        let mut rest = basket.lines.clone();
        let (asked, _) = rest.swap_remove(place);
        let (truth, spent) = distinct(rest);
        let customer = basket.order.customer;
        Case { customer, items: vec![asked], truth, spent, cluster: basket.cluster }
    };
    pairs.into_iter().map(case).collect()
}

fn next_looks(held_out: &HeldOut) -> Vec<Case> {
    let prefixes: usize = held_out.visits.rows().map(|visit| visit.len().saturating_sub(1)).sum();
    let mut cases = Vec::with_capacity(prefixes.min(MAX_CASES));
    // Too many: one in so many, by the hash of the visit's number and the place in it.
    let one_in = prefixes.div_ceil(MAX_CASES).max(1) as u64;
    for (number, visit) in held_out.visits.rows().enumerate() {
        for place in 1..visit.len() {
            let hash = || stable_hash(&["visit", &number.to_string(), &place.to_string()]);
            if one_in > 1 && hash() % one_in != 0 {
                continue;
            }
            cases.push(Case {
                customer: None,
                items: visit[..place].to_vec(),
                truth: vec![visit[place]],
                spent: vec![0.0],
                cluster: number as u32,
            });
        }
    }
    cases
}

fn why_none(task: Task, held_out: &HeldOut, past: &EventLog) -> String {
    let of_customer = task.names_customer();
    let orders = held_out.orders.len();
    let why = match task {
        Task::Session if held_out.visits.is_empty() => {
            "no visit lies in the held-out part: the log has no views there"
        }
        Task::Session => "every held-out visit has one event only: nothing comes next",
        _ if orders == 0 => "nothing is bought in the held-out part",
        _ if of_customer && past.customers.is_empty() => "the log names no customers",
        _ if of_customer && !past.timed => {
            "the log has no time: what came before what is not known"
        }
        Task::ForCustomerNew => "no customer of the training part buys anything new in the window",
        _ if task.is_for_customer() => "no customer of the training part buys again in the window",
        Task::RelatedItems => "no held-out basket has two distinct items",
        _ => "no held-out basket has four distinct items",
    };
    why.to_owned()
}
