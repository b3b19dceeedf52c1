//! Questions of which the answers are known: the log's last weeks, put as customers would have asked.

use jiff::tz::TimeZone;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::customers::History;
use crate::events::{Event, EventKind, EventLog, baskets, sessions};
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

/// The log cut in two: what may be learnt from, and what it is asked about afterwards.
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

/// The held-out part is at most so many days …
const LONGEST_DAYS: f64 = 28.0;
/// … and at most this share of the log.
const LARGEST_SHARE: f64 = 0.12;
/// Cases per question, at most.
const CASES: usize = 5_000;
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
    pub(super) fn history<'a>(&self, histories: &'a [History]) -> Option<&'a History> {
        histories.get(self.customer?.index())
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

    /// Cuts the log so that its end can be asked about. Without times, the `nth` tenth of its orders and
    /// visits.
    pub(super) fn of(log: &EventLog, nth: u64, zone: &TimeZone, session_gap_minutes: u32) -> Self {
        let (past, future) = cut(log, nth);
        let mut split = Self {
            related: Vec::new(),
            basket: Vec::new(),
            basket_anonymous: Vec::new(),
            customer: Vec::new(),
            customer_new: Vec::new(),
            session: Vec::new(),
            past,
        };
        split.ask_baskets(&future, zone);
        split.ask_visits(&future, session_gap_minutes);
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

    fn ask_baskets(&mut self, future: &EventLog, zone: &TimeZone) {
        let mut known: FxHashMap<CustomerId, FxHashSet<ItemId>> = FxHashMap::default();
        for event in self.past.events.iter().filter(|e| e.kind == EventKind::Purchase) {
            if let Some(customer) = event.customer {
                known.entry(customer).or_default().insert(event.item);
            }
        }
        let baskets = baskets(future, zone);
        let mut asked: FxHashSet<CustomerId> = FxHashSet::default();
        let mut wanted: Vec<(CustomerId, Vec<ItemId>)> = Vec::new(); // customers are neighbours
        for (row, items) in baskets.items.rows().enumerate() {
            let customer = baskets.customers[row].filter(|c| known.contains_key(c));
            if let Some(customer) = customer {
                if asked.insert(customer) {
                    self.customer.push(Case {
                        customer: Some(customer),
                        items: vec![],
                        truth: items.to_vec(),
                        later: vec![],
                    });
                }
                match wanted.last_mut().filter(|(last, _)| *last == customer) {
                    Some((_, all)) => all.extend(items),
                    None => wanted.push((customer, items.to_vec())),
                }
            }
            self.ask_basket(row, items, customer);
        }
        for (case, (customer, items)) in self.customer.iter_mut().zip(&wanted) {
            debug_assert_eq!(case.customer, Some(*customer));
            case.later = distinct(items.iter().copied().filter(|item| !case.is_right(*item)));
        }
        for (customer, items) in wanted {
            let known = &known[&customer];
            let new = items.into_iter().filter(|item| !known.contains(item));
            self.customer_new.extend(case(Some(customer), vec![], new));
        }
    }

    fn ask_basket(&mut self, row: usize, items: &[ItemId], customer: Option<CustomerId>) {
        let mut shuffled = items.to_vec();
        shuffled.sort_by_key(|item| scrambled(row, item.index()));
        if shuffled.len() >= 4 {
            let hidden = shuffled.split_off(shuffled.len() / 2);
            let asked = |customer| case(customer, shuffled.clone(), hidden.iter().copied());
            if customer.is_some() {
                self.basket.extend(asked(customer));
            }
            // Whoever has not signed in yet asks as a stranger.
            self.basket_anonymous.extend(asked(None));
            shuffled.extend(hidden);
        }
        for &item in shuffled.iter().take(PER_BASKET) {
            let rest = items.iter().copied().filter(|other| *other != item);
            self.related.extend(case(None, vec![item], rest));
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

/// The log's earlier and later part: cut in time, or, without times, one tenth of the groups taken out.
fn cut(log: &EventLog, nth: u64) -> (EventLog, EventLog) {
    if let (Some(first), Some(last)) = (log.events.first(), log.events.last())
        && log.timed
        && last.at > first.at
    {
        let days = (last.at.days_since(first.at) * LARGEST_SHARE).min(LONGEST_DAYS);
        let ms = (days * crate::time::DAY_MS as f64) as i64;
        let place = log.events.partition_point(|event| event.at.0 <= last.at.0 - ms);
        return (log.part(0..place), log.part(place..log.events.len()));
    }
    let is_later =
        |event: &Event| event.group.is_some_and(|group| scrambled(0, group.index()) % 10 == nth);
    (log.only(|event| !is_later(event)), log.only(is_later))
}

/// A number that looks like chance and is always the same (the finaliser of SplitMix64).
fn scrambled(a: usize, b: usize) -> u64 {
    let mut x = ((a as u64) << 32) ^ b as u64 ^ 0x9e37_79b9_7f4a_7c15;
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}
