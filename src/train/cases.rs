//! Questions of which the answers are known: what was held back of the log, put as customers would have asked.

use jiff::tz::TimeZone;
use rustc_hash::{FxHashMap, FxHashSet};

use super::clients::Histories;
use super::cut::{Cut, purchases, scrambled};
use super::tune::LEAST_CASES;
use crate::customers::History;
use crate::events::{Baskets, Event, EventLog, baskets, sessions};
use crate::ids::{CustomerId, ItemId};
use crate::index::Contents;
use crate::recommend::Kind;

/// A question by ids, and what turned out right.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Case {
    pub(super) customer: Option<CustomerId>,
    /// The item, the basket so far, or the visit so far, oldest first.
    pub(super) items: Vec<ItemId>,
    /// Ascending, distinct, never empty.
    pub(super) truth: Vec<ItemId>,
    /// What the customer bought later in the same weeks: too late to be right, but no mistake either.
    /// Ascending, distinct.
    pub(super) later: Vec<ItemId>,
}

/// What may be learnt from, and what is asked about what came after it.
#[derive(Debug)]
pub(super) struct Split {
    pub(super) past: EventLog,
    pub(super) related: Vec<Case>,
    pub(super) basket: Vec<Case>,
    pub(super) basket_anonymous: Vec<Case>,
    pub(super) customer: Vec<Case>,
    pub(super) customer_new: Vec<Case>,
    pub(super) session: Vec<Case>,
}

/// What a rehearsal is asked about; the rest it need not know.
pub(super) struct Asked {
    pub(super) customers: FxHashSet<CustomerId>,
    pub(super) items: FxHashSet<ItemId>,
}

/// Cases per question, at most.
const CASES: usize = 5_000;
/// Half of an order of so many items asks for the other half …
const LEAST_OF_ORDER: usize = 4;
/// … and half of a piece of so many: a tenth of all that somebody bought is seldom more.
const LEAST_OF_PIECE: usize = 2;
/// A basket asks at most so often what goes with one of its items.
const PER_BASKET: usize = 4;
/// What a customer bought later counts so much beside what was in the next basket.
const LATER: f32 = 0.5;
/// A visit asks at most so often what is next.
const PER_VISIT: usize = 6;

impl Case {
    /// The shop's keys of what was asked with.
    pub(super) fn keys<'a>(&self, contents: &'a Contents) -> Vec<&'a str> {
        self.items.iter().map(|&item| contents.keys.key(item)).collect()
    }

    /// The past of who asked.
    pub(super) fn history<'a>(&self, histories: &'a Histories) -> Option<&'a History> {
        histories.get(self.customer?)
    }

    /// Whether it turned out right.
    pub(super) fn is_right(&self, item: ItemId) -> bool {
        self.truth.binary_search(&item).is_ok()
    }

    /// How right it turned out, to learn from: 1, [`LATER`] or 0. Who comes once a week buys only part of what they
    /// like each time; what they took the week after tells as much of them, and leaves less to chance.
    pub(super) fn label(&self, item: ItemId) -> f32 {
        match (self.is_right(item), self.later.binary_search(&item)) {
            (true, _) => 1.0,
            (false, Ok(_)) => LATER,
            (false, Err(_)) => 0.0,
        }
    }
}

impl Split {
    /// Who asks anything, and all items that their questions can start from: those asked with, and those
    /// of their pasts.
    pub(super) fn asked(&self) -> Asked {
        let cases = || Kind::ALL.iter().flat_map(|&kind| self.cases(kind));
        let customers: FxHashSet<CustomerId> = cases().filter_map(|case| case.customer).collect();
        let mut items: FxHashSet<ItemId> = cases().flat_map(|case| &case.items).copied().collect();
        let known = |event: &&Event| event.customer.is_some_and(|c| customers.contains(&c));
        items.extend(self.past.events.iter().filter(known).map(|event| event.item));
        Asked { customers, items }
    }

    /// The cases that ask this question.
    pub(super) fn cases(&self, kind: Kind) -> &[Case] {
        match kind {
            Kind::Related => &self.related,
            Kind::Basket => &self.basket,
            Kind::BasketAnonymous => &self.basket_anonymous,
            Kind::Customer => &self.customer,
            Kind::CustomerNew => &self.customer_new,
            Kind::Session => &self.session,
        }
    }

    /// Asks about what was cut off.
    pub(super) fn of(cut: Cut, zone: &TimeZone, session_gap_minutes: u32) -> Self {
        let Cut { past, later, pieces, never_back } = cut;
        let mut split = Self {
            related: Vec::new(),
            basket: Vec::new(),
            basket_anonymous: Vec::new(),
            customer: Vec::new(),
            customer_new: Vec::new(),
            session: Vec::new(),
            past,
        };
        let (whole, pieces) = (baskets(&later, zone), baskets(&pieces, zone));
        let had = had(&split.past);
        split.ask_customers(&whole, &had);
        split.ask_baskets(&whole, &had);
        if !pieces.items.is_empty() {
            let back = split.customer.len();
            split.customer_new.clear(); // the few who came back are not like the others
            split.ask_customers(&pieces, &had);
            let nothing_else = never_back && back < LEAST_CASES;
            split.customer.truncate(if nothing_else { usize::MAX } else { back });
            if split.basket.is_empty() {
                // Strangers, and who looks at an item, ask about orders: of these there are whole ones.
                let known = known(&pieces, &had).filter(|(_, customer, _)| customer.is_some());
                split.basket.extend(known.filter_map(|(piece, customer, items)| {
                    half(&shuffled(piece, items), customer, LEAST_OF_PIECE)
                }));
            }
        }
        split.ask_visits(&later, session_gap_minutes);
        for cases in [
            &mut split.related,
            &mut split.basket,
            &mut split.basket_anonymous,
            &mut split.customer,
            &mut split.customer_new,
            &mut split.session,
        ] {
            thin(cases, CASES);
        }
        split
    }

    fn ask_customers(&mut self, baskets: &Baskets, had: &Had) {
        let mut orders = 0..0;
        for of_customer in baskets.customers.chunk_by(|a, b| a == b) {
            orders = orders.end..orders.end + of_customer.len();
            let known = of_customer[0].and_then(|customer| Some((customer, had.get(&customer)?)));
            let Some((customer, had)) = known else { continue };
            let first = baskets.items.row(orders.start);
            let all = || orders.clone().flat_map(|order| baskets.items.row(order)).copied();
            self.customer.push(Case {
                customer: Some(customer),
                items: vec![],
                truth: first.to_vec(),
                later: distinct(all().filter(|item| first.binary_search(item).is_err())),
            });
            let new = all().filter(|item| !had.contains(item));
            self.customer_new.extend(case(Some(customer), vec![], new));
        }
    }

    fn ask_baskets(&mut self, baskets: &Baskets, had: &Had) {
        for (order, customer, items) in known(baskets, had) {
            let shuffled = shuffled(order, items);
            if customer.is_some() {
                self.basket.extend(half(&shuffled, customer, LEAST_OF_ORDER));
            }
            // Whoever has not signed in yet asks as a stranger.
            self.basket_anonymous.extend(half(&shuffled, None, LEAST_OF_ORDER));
            for &item in shuffled.iter().take(PER_BASKET) {
                let rest = items.iter().copied().filter(|other| *other != item);
                self.related.extend(case(None, vec![item], rest));
            }
        }
    }

    fn ask_visits(&mut self, future: &EventLog, gap_minutes: u32) {
        let sessions = sessions(future, gap_minutes);
        let mut alternatives = Vec::new();
        for items in sessions.items.rows() {
            // A product page is also asked for alternatives: what the visitor looked at next.
            for (place, &item) in items.iter().enumerate().take(PER_BASKET) {
                let later = items[place + 1..].iter().copied().filter(|other| *other != item);
                alternatives.extend(case(None, vec![item], later));
            }
            for next in (1..items.len()).take(PER_VISIT) {
                self.session.extend(case(
                    None,
                    items[..next].to_vec(),
                    std::iter::once(items[next]),
                ));
            }
        }
        thin(&mut self.related, CASES / 2);
        thin(&mut alternatives, CASES / 2);
        self.related.append(&mut alternatives);
    }
}

/// What each customer had bought.
type Had = FxHashMap<CustomerId, FxHashSet<ItemId>>;

fn had(past: &EventLog) -> Had {
    let mut had = Had::default();
    for (customer, event) in purchases(&past.events) {
        had.entry(customer).or_default().insert(event.item);
    }
    had
}

/// Each basket with its place, and its customer if they had bought anything before.
fn known<'a>(
    baskets: &'a Baskets,
    had: &'a Had,
) -> impl Iterator<Item = (usize, Option<CustomerId>, &'a [ItemId])> {
    let customers = baskets.customers.iter().map(|who| who.filter(|who| had.contains_key(who)));
    (0..).zip(customers).zip(baskets.items.rows()).map(|((place, who), items)| (place, who, items))
}

/// The items of the basket at this place, in an order that looks like chance.
fn shuffled(place: usize, items: &[ItemId]) -> Vec<ItemId> {
    let mut shuffled = items.to_vec();
    shuffled.sort_by_key(|item| scrambled(place, item.index()));
    shuffled
}

/// The first half asks for the other, if there are so many at least.
fn half(shuffled: &[ItemId], customer: Option<CustomerId>, least: usize) -> Option<Case> {
    let (asked, hidden) = shuffled.split_at(shuffled.len() / 2);
    let is_enough = shuffled.len() >= least;
    is_enough.then(|| case(customer, asked.to_vec(), hidden.iter().copied())).flatten()
}

/// `None` if nothing is right.
fn case(
    customer: Option<CustomerId>,
    items: Vec<ItemId>,
    truth: impl Iterator<Item = ItemId>,
) -> Option<Case> {
    let truth = distinct(truth);
    (!truth.is_empty()).then_some(Case { customer, items, truth, later: Vec::new() })
}

/// Ascending, each once.
fn distinct(items: impl Iterator<Item = ItemId>) -> Vec<ItemId> {
    let mut items: Vec<ItemId> = items.collect();
    items.sort_unstable();
    items.dedup();
    items
}

/// Keeps `limit` cases, evenly spread.
fn thin(cases: &mut Vec<Case>, limit: usize) {
    if cases.len() > limit {
        let count = cases.len();
        let mut place = 0;
        cases.retain(|_| {
            place += 1;
            place * limit / count > (place - 1) * limit / count
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::EventKind;
    use crate::time::Timestamp;

    /// Customer, and items of one order each.
    fn log(orders: &[(usize, std::ops::Range<usize>)]) -> EventLog {
        let events = orders.iter().flat_map(|(customer, items)| {
            items.clone().map(|item| Event {
                at: Timestamp(0),
                customer: Some(CustomerId::new(*customer)),
                item: ItemId::new(item),
                group: None,
                quantity: 1.0,
                unit_price: 0.0,
                kind: EventKind::Purchase,
                discount_percent: 0,
            })
        });
        EventLog { events: events.collect(), ..EventLog::default() }
    }

    /// Customers 0 and 1 have a past, 2 has none. How many ask each question, in the order of [`Kind::ALL`].
    fn asked(pieces: &[(usize, std::ops::Range<usize>)], never_back: bool, again: usize) -> Split {
        let past = log(&[(0, 0..6), (1, 0..6)]);
        let later = log(&[(again, 4..10)]);
        let cut = Cut { past, later, pieces: log(pieces), never_back };
        Split::of(cut, &TimeZone::UTC, 30)
    }

    fn who(cases: &[Case]) -> Vec<Option<usize>> {
        cases.iter().map(|case| case.customer.map(CustomerId::index)).collect()
    }

    #[test]
    fn orders_are_asked_about_by_who_is_known_and_by_strangers() {
        let split = asked(&[], false, 0);
        assert_eq!(
            [&split.customer, &split.customer_new, &split.basket].map(|c| who(c)),
            [[Some(0)], [Some(0)], [Some(0)]]
        );
        assert_eq!(split.customer_new[0].truth, (6..10).map(ItemId::new).collect::<Vec<_>>());
        assert_eq!((who(&split.basket_anonymous), split.related.len()), (vec![None], PER_BASKET));
        let stranger = asked(&[], false, 2);
        assert!(stranger.customer.is_empty() && stranger.basket.is_empty());
        assert_eq!(stranger.basket_anonymous.len(), 1);
    }

    #[test]
    fn pieces_say_what_is_new_to_customers_and_all_of_it_only_where_nobody_is_back() {
        let pieces = [(1, 10..16)];
        let some_back = asked(&pieces, false, 0);
        assert_eq!(who(&some_back.customer_new), [Some(1)], "not who came back");
        assert_eq!(
            (who(&some_back.customer), who(&some_back.basket)),
            (vec![Some(0)], vec![Some(0)])
        );
        let nobody_back = asked(&pieces, true, 2);
        assert_eq!(who(&nobody_back.customer), [Some(1)]);
        assert_eq!(who(&nobody_back.basket), [Some(1)], "there is no order of theirs to ask about");
        assert_eq!(nobody_back.basket_anonymous.len(), 1, "of the whole order");
        assert_eq!(nobody_back.related.len(), PER_BASKET, "of the whole order");
    }
}
