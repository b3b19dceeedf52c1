//! What could not be learnt yet, and about how much more of what it takes.

use rustc_hash::FxHashMap;

use super::ranker::LEAST_CASES as CASES_TO_RANK;
use super::tune::LEAST_CASES as CASES_TO_TUNE;
use super::{Learnt, Rehearsal};
use crate::events::{EventKind, EventLog};
use crate::ids::ItemId;
use crate::recommend::Kind;
use crate::rules::Groups;

/// A pair bought together so often can be told from chance, unless everybody buys both.
const TELLING_PAIR: u64 = 4;
/// Larger orders are left out when pairs are looked at: they say little.
const LARGEST_ORDER: usize = 50;

/// How many cases the held-out stretches have of a question.
pub(super) struct Cases {
    kind: Kind,
    latest: usize,
    all: usize,
}

impl Cases {
    /// Of every question; the latest stretch comes first.
    pub(super) fn of(rehearsals: &[Rehearsal]) -> Vec<Self> {
        let count = |kind: Kind| rehearsals.iter().map(move |r| r.split.cases(kind).len());
        let cases =
            |kind| Self { kind, latest: count(kind).next().unwrap_or(0), all: count(kind).sum() };
        Kind::ALL.map(cases).into()
    }
}

/// A line for each thing that a shop would expect and that its events don't carry yet.
pub(super) fn lines(
    log: &EventLog,
    learnt: &Learnt,
    orders: &Groups,
    cases: &[Cases],
) -> Vec<String> {
    let mut lines = Vec::new();
    if learnt.contents.bought.lists.count() == 0 {
        lines.push(no_rules(orders));
    }
    let purchases = || log.events.iter().filter(|event| event.kind == EventKind::Purchase);
    if log.customers.is_empty() {
        lines.push(
            "items for a customer: no event says whose it is; a column customer_id would".into(),
        );
    } else if purchases().next().is_none() {
        lines.push(
            "what is bought: there are only looks; events of type purchase would tell".into(),
        );
    } else if !comes_back(orders) {
        lines.push(
            "buying again: nobody has bought an item in two orders yet; popularity stands in"
                .into(),
        );
    }
    let asked = cases.iter().filter(|cases| is_asked(cases.kind, log));
    lines.extend(asked.filter_map(|cases| cases.too_few(orders.len())));
    lines
}

/// Questions that a shop with such events would ask.
fn is_asked(kind: Kind, log: &EventLog) -> bool {
    let sells = log.events.iter().any(|event| event.kind == EventKind::Purchase);
    match kind {
        Kind::Related | Kind::BasketAnonymous => sells,
        Kind::Basket | Kind::Customer | Kind::CustomerNew => sells && !log.customers.is_empty(),
        Kind::Session => log.events.iter().any(|event| event.kind == EventKind::View),
    }
}

fn no_rules(orders: &Groups) -> String {
    let is_large = |items: &[ItemId]| items.len() > LARGEST_ORDER;
    match most_often_together(orders) {
        0 if orders.items().rows().any(is_large) => format!(
            "related items from rules: what is bought together comes in orders of more than {LARGEST_ORDER} items, \
             too many to tell which of them go together; smaller orders would"
        ),
        0 => format!(
            "related items from rules: no two items were ever bought in one order ({} orders so far)",
            orders.len()
        ),
        often if often >= TELLING_PAIR => {
            "related items from rules: nothing is bought together more often than \
             chance would have it; other orders may tell"
                .into()
        }
        often => {
            let needed = (orders.len() as u64 * TELLING_PAIR).div_ceil(often);
            let more = rounded(needed - orders.len() as u64);
            format!("related items from rules: about {more} more orders")
        }
    }
}

/// In how many orders the pair is that most orders hold, up to [`TELLING_PAIR`]: of many orders the first will do.
fn most_often_together(orders: &Groups) -> u64 {
    let mut pairs: FxHashMap<(ItemId, ItemId), u64> = FxHashMap::default();
    for items in orders.items().rows().filter(|items| items.len() <= LARGEST_ORDER) {
        for (place, &one) in items.iter().enumerate() {
            for &other in &items[place + 1..] {
                let together = pairs.entry((one, other)).or_default();
                *together += 1;
                if *together == TELLING_PAIR {
                    return TELLING_PAIR;
                }
            }
        }
    }
    pairs.into_values().max().unwrap_or(0)
}

/// Whether any customer has an item in two orders: counted once, that is less.
fn comes_back(orders: &Groups) -> bool {
    let entries = |groups: &Groups| groups.items().entries().len();
    entries(&orders.one_per_customer()) < entries(orders)
}

impl Cases {
    /// `None` if there are enough to tune on and to learn ranking from.
    fn too_few(&self, orders: usize) -> Option<String> {
        let &Self { kind, latest, all } = self;
        let (what, least, cases) = match (all, latest) {
            (..CASES_TO_TUNE, _) => ("tuning", CASES_TO_TUNE, all),
            (_, ..CASES_TO_RANK) => ("learnt ranking", CASES_TO_RANK, latest),
            _ => return None,
        };
        let name = kind.name().replace('_', " ");
        if cases == 0 {
            return Some(format!("{what} of {name}: nothing in the held-out part asks for it yet"));
        }
        let share = least as f64 / cases as f64 - 1.0;
        let more = rounded((orders as f64 * share).ceil() as u64);
        Some(format!(
            "{what} of {name}: about {more} more orders ({cases} of {least} cases so far)"
        ))
    }
}

/// To two digits, up: more would be pretence.
fn rounded(count: u64) -> u64 {
    let unit = 10u64.pow(count.max(1).ilog10().saturating_sub(1));
    count.div_ceil(unit) * unit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_orders_are_not_told_as_none() {
        // A wholesaler's orders of 300 items each were said to hold no two items.
        let order = |items: usize| (None, (0..items).map(ItemId::new).collect());
        let told = |sizes: &[usize]| no_rules(&Groups::new(sizes.iter().map(|&size| order(size))));
        assert!(told(&[300, 1, 300]).contains("orders of more than 50 items"));
        assert!(told(&[1, 1]).contains("no two items were ever bought in one order (2 orders"));
        assert!(told(&[300, 2, 2]).contains("about 3 more orders"));
    }

    #[test]
    fn counts_are_given_to_two_digits() {
        assert_eq!([0, 7, 99, 101, 1_161, 123_456].map(rounded), [0, 7, 99, 110, 1_200, 130_000]);
    }
}
