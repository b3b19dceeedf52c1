//! What is held back of a log, to be asked about: its last weeks, or where time does not tell, the last of what
//! each customer did.

use std::cell::LazyCell;

use jiff::tz::TimeZone;
use rustc_hash::{FxHashMap, FxHashSet};

use super::tune::LEAST_CASES;
use crate::events::{Event, EventKind, EventLog, order_of};
use crate::ids::{CustomerId, ItemId};
use crate::time::Timestamp;

/// The held-back weeks are at most so many days …
const LONGEST_DAYS: f64 = 28.0;
/// … and at most this share of the log.
const LARGEST_SHARE: f64 = 0.12;
/// Of what is drawn by lot, one in so many is held back.
const ONE_IN: u64 = 10;
/// Where the last order of each is held back, so many customers are enough to ask …
const ENOUGH: usize = 2_500;
/// … and more take so many turns at most.
const MOST_TURNS: usize = 4;
/// Weeks in which one customer comes back while so many others have only been back before say little of them.
const MANY: usize = 10;
/// Customers come with all that they like at once if their first day, or where time does not tell their first order, has
/// this share of all that customers buy …
const AT_ONCE: f64 = 0.6;
/// … and that is so much for each of them.
const MUCH: usize = 10;

/// What is held back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct HeldBack {
    /// Each customer's last order; of orders of nobody, and of customers with no other, a tenth. Else the last weeks.
    pub(super) orders: bool,
    /// Of what is left, a tenth of what each customer bought, in turn the last and one by lot. The last says what
    /// comes next, but no less in what order a shop shows its things; the lot what they like at all.
    pieces: bool,
}

/// A log in parts.
#[derive(Debug)]
pub(super) struct Cut {
    /// What may be learnt from.
    pub(super) past: EventLog,
    /// What came after it: whole orders and visits.
    pub(super) later: EventLog,
    /// Some of what customers bought, each item whole: where they hardly come back, all that there is to ask.
    pub(super) pieces: EventLog,
    /// Whether nothing else tells what customers buy: not even those who do come back.
    pub(super) never_back: bool,
}

/// Where an event belongs if orders or pieces are held back.
#[derive(Clone, Copy, PartialEq)]
enum Part {
    Past,
    Held,
    /// After what is held back: it would give that away.
    None,
}

impl HeldBack {
    /// The weeks, unless the log has no times, or times by which hardly any of the customers that came back did so
    /// in the last weeks: each customer's own clock, numbers of orders put down as days. Pieces too, where customers
    /// hardly come back, or have come with all that they like at once.
    pub(super) fn of(log: &EventLog, zone: &TimeZone) -> Self {
        let come_back =
            LazyCell::new(|| orders(log, zone).values().filter(|orders| orders.len() > 1).count());
        let by_orders =
            || Self { orders: true, pieces: *come_back < LEAST_CASES || is_at_once(log, zone) };
        let Some(place) = last_weeks(log) else { return by_orders() };
        let (past, later) = log.events.split_at(place);
        let buyers = |events: &[Event]| -> FxHashSet<CustomerId> {
            purchases(events).map(|(customer, _)| customer).collect()
        };
        let back = buyers(past).intersection(&buyers(later)).count();
        if back < LEAST_CASES && back * MANY < *come_back {
            return by_orders();
        }
        Self { orders: false, pieces: is_at_once(log, zone) }
    }

    /// How many ways of holding back take turns: so many stretches in a row speak for all of them.
    pub(super) fn turns(self) -> usize {
        if self.pieces { 2 } else { 1 }
    }

    /// Whether customers hardly come back, or have come with all that they like at once.
    pub(super) fn is_in_pieces(self) -> bool {
        self.pieces
    }

    /// What it is, for who looks on.
    pub(super) fn name(self) -> &'static str {
        match (self.orders, self.pieces) {
            (false, false) => "the last weeks",
            (false, true) => {
                "the last weeks, and of what customers bought before a tenth, the last or by lot"
            }
            (true, false) => "the last order of each customer, and a tenth of the others",
            (true, true) => {
                "a tenth of the orders, and of what customers bought, the last or by lot"
            }
        }
    }

    /// The log without what is held back, and that. Of orders, the `nth` to the last of each customer (0 = the
    /// last), and the `nth` tenth of the others; weeks are always the last.
    pub(super) fn cut(self, log: &EventLog, nth: u64, zone: &TimeZone) -> Cut {
        let (past, later) = match last_weeks(log).filter(|_| !self.orders) {
            Some(place) => (log.part(0..place), log.part(place..log.events.len())),
            None => by_orders(log, nth, zone, ENOUGH),
        };
        let (past, pieces) = match self.pieces {
            true => {
                // Of weeks, what was held back before is not in the log any more.
                let tenth = if self.orders { nth as usize } else { 0 };
                in_pieces(&past, &pieces(&past, tenth, nth % 2 == 1))
            }
            false => (past, log.part(0..0)),
        };
        Cut { past, later, pieces, never_back: self.orders }
    }
}

/// Who bought what when, where that is known.
pub(super) fn purchases(events: &[Event]) -> impl Iterator<Item = (CustomerId, &Event)> {
    let bought = events.iter().filter(|event| event.kind == EventKind::Purchase);
    bought.filter_map(|event| Some((event.customer?, event)))
}

/// Whether customers come with all that they like at once, and hardly ever after: lists, not orders.
fn is_at_once(log: &EventLog, zone: &TimeZone) -> bool {
    let mut first: FxHashMap<CustomerId, &Event> = FxHashMap::default();
    let (mut at_first, mut all) = (0, 0);
    for (customer, event) in purchases(&log.events) {
        let began = *first.entry(customer).or_insert(event);
        at_first += usize::from(match log.timed {
            true => event.at.days_since(began.at) < 1.0,
            false => order_of(event, zone) == order_of(began, zone),
        });
        all += 1;
    }
    all >= MUCH * first.len().max(1) && at_first as f64 >= AT_ONCE * all as f64
}

/// Where the last weeks begin, if there is time enough.
fn last_weeks(log: &EventLog) -> Option<usize> {
    let (first, last) = (log.events.first()?.at, log.events.last()?.at);
    let days = (last.days_since(first) * LARGEST_SHARE).min(LONGEST_DAYS);
    let ms = (days * crate::time::DAY_MS as f64) as i64;
    (log.timed && last > first)
        .then(|| log.events.partition_point(|event| event.at.0 <= last.0 - ms))
}

/// Each customer's orders, as they begin in the log: which, and where.
fn orders(log: &EventLog, zone: &TimeZone) -> FxHashMap<CustomerId, Vec<(u64, usize)>> {
    let mut orders: FxHashMap<CustomerId, Vec<(u64, usize)>> = FxHashMap::default();
    let mut begun = FxHashSet::default();
    for (place, event) in log.events.iter().enumerate() {
        let order = order_of(event, zone);
        if let (Some(customer), EventKind::Purchase) = (event.customer, event.kind)
            && begun.insert((customer, order))
        {
            orders.entry(customer).or_default().push((order, place));
        }
    }
    orders
}

/// The log without the `nth` to the last order of each customer and what came after it, and that order. Of at least
/// twice `enough` customers who came back, others take turns and the rest keep all that they did: where nobody had
/// their last order any more, the past would say little of how they come back.
pub(super) fn by_orders(
    log: &EventLog,
    nth: u64,
    zone: &TimeZone,
    enough: usize,
) -> (EventLog, EventLog) {
    let orders = orders(log, zone);
    let come_back = orders.values().filter(|orders| orders.len() > 1).count();
    let turns = (come_back / enough).clamp(1, MOST_TURNS) as u64;
    let back = 1 + (nth / turns) as usize;
    let part = |(place, event): (usize, &Event)| {
        let of_customer = event.customer.and_then(|who| Some((who, orders.get(&who)?)));
        let Some((who, of_customer)) = of_customer.filter(|(_, orders)| orders.len() > 1) else {
            let is_held = match (event.group, event.customer) {
                (Some(group), _) => is_drawn(0, group.index(), nth),
                (None, Some(customer)) => is_drawn(1, customer.index(), nth),
                (None, None) => false,
            };
            return if is_held { Part::Held } else { Part::Past };
        };
        // The first order stays: nobody is asked who was never seen before.
        let held = of_customer.len().checked_sub(back).filter(|held| *held > 0);
        let held = held.filter(|_| scrambled(1, who.index()) % turns == nth % turns);
        match held.map(|held| of_customer[held]) {
            Some((order, start)) if place >= start => {
                let is_held = event.kind == EventKind::Purchase && order_of(event, zone) == order;
                if is_held { Part::Held } else { Part::None }
            }
            _ => Part::Past,
        }
    };
    let parts: Vec<Part> = log.events.iter().enumerate().map(part).collect();
    let only = |wanted: Part| {
        let events = log.events.iter().zip(&parts).filter(|(_, part)| **part == wanted);
        EventLog { events: events.map(|(event, _)| *event).collect(), ..log.clone() }
    };
    (only(Part::Past), only(Part::Held))
}

/// The past without a piece of what each customer bought, and without what came after that; and the pieces. Of what
/// else was done to their items nothing is left.
fn in_pieces(past: &EventLog, pieces: &FxHashMap<CustomerId, Piece>) -> (EventLog, EventLog) {
    let part = |event: &Event| {
        let piece = event.customer.and_then(|customer| pieces.get(&customer));
        match piece {
            Some(piece) if piece.items.contains(&event.item) => match event.kind {
                EventKind::Purchase => Part::Held,
                _ => Part::None,
            },
            Some(piece) if event.at > piece.last => Part::None,
            _ => Part::Past,
        }
    };
    (past.only(|event| part(event) == Part::Past), past.only(|event| part(event) == Part::Held))
}

/// Some of what a customer bought.
struct Piece {
    items: FxHashSet<ItemId>,
    /// What came after this would give it away.
    last: Timestamp,
}

/// Of each customer's items the `nth` tenth to the last, as they were first bought; within a moment, and everywhere
/// `by_lot`, chance says what came first.
fn pieces(past: &EventLog, nth: usize, by_lot: bool) -> FxHashMap<CustomerId, Piece> {
    let when = |event: &Event| if by_lot { Timestamp(i64::MAX) } else { event.at };
    let mut bought: Vec<(CustomerId, ItemId, Timestamp)> = purchases(&past.events)
        .map(|(customer, event)| (customer, event.item, when(event)))
        .collect();
    bought.sort_unstable();
    bought.dedup_by_key(|(customer, item, _)| (*customer, *item));
    let mut pieces = FxHashMap::default();
    for mine in bought.chunk_by_mut(|a, b| a.0 == b.0) {
        let customer = mine[0].0;
        let chance = |item: usize| scrambled(2 + customer.index(), item);
        mine.sort_unstable_by_key(|(_, item, at)| (*at, chance(item.index())));
        // Of 15 items, one or two.
        let size = (mine.len() + (chance(0) % ONE_IN) as usize) / ONE_IN as usize;
        let end = mine.len().saturating_sub(nth * size);
        // The first stays: nobody is asked who was never seen before.
        let piece = mine[..end].get(end.saturating_sub(size).max(1)..).unwrap_or_default();
        if let Some((.., last)) = piece.last() {
            let items = piece.iter().map(|(_, item, _)| *item).collect();
            pieces.insert(customer, Piece { items, last: *last });
        }
    }
    pieces
}

fn is_drawn(a: usize, b: usize, nth: u64) -> bool {
    scrambled(a, b) % ONE_IN == nth
}

/// A number that looks like chance and is always the same (the finaliser of SplitMix64).
pub(super) fn scrambled(a: usize, b: usize) -> u64 {
    let mut x = ((a as u64) << 32) ^ b as u64 ^ 0x9e37_79b9_7f4a_7c15;
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{GroupId, ItemId};
    use crate::time::Timestamp;

    /// (customer, item, order, day)
    type Line = (Option<usize>, usize, Option<usize>, i64);

    const WEEKS: HeldBack = HeldBack { orders: false, pieces: false };
    const ORDERS: HeldBack = HeldBack { orders: true, pieces: false };

    fn log(lines: impl IntoIterator<Item = Line>, timed: bool) -> EventLog {
        let event = |(customer, item, order, day): Line| Event {
            at: Timestamp(if timed { day * crate::time::DAY_MS } else { 0 }),
            customer: customer.map(CustomerId::new),
            item: ItemId::new(item),
            group: order.map(GroupId::new),
            quantity: 1.0,
            unit_price: 0.0,
            kind: EventKind::Purchase,
            discount_percent: 0,
        };
        EventLog { events: lines.into_iter().map(event).collect(), timed, ..EventLog::default() }
    }

    #[test]
    fn weeks_are_held_back_if_customers_come_back_in_them() {
        let come_back = log((0..400).map(|day| (Some(day as usize % 40), 0, None, day)), true);
        assert_eq!(HeldBack::of(&come_back, &TimeZone::UTC), WEEKS);
        let cut = WEEKS.cut(&come_back, 0, &TimeZone::UTC);
        assert_eq!((cut.past.events.len(), cut.later.events.len()), (372, 28));
        assert!(cut.pieces.events.is_empty());
        let few = log((0..100).map(|day| (Some(day as usize % 9), 0, None, day)), true);
        assert_eq!(HeldBack::of(&few, &TimeZone::UTC), WEEKS);
        let strangers = log((0..100).map(|day| (None, 0, None, day)), true);
        assert_eq!(HeldBack::of(&strangers, &TimeZone::UTC), WEEKS);
    }

    #[test]
    fn orders_are_held_back_where_there_are_no_times_or_only_numbers_of_orders() {
        // Two customers came every day, all others three times: each at the beginning of their own time.
        let lines = (0..200).flat_map(|day| {
            let customers = if day < 3 { 0..60 } else { 0..2 };
            customers.map(move |customer| (Some(customer), 0, None, day))
        });
        let counted: Vec<Line> = lines.collect();
        assert_eq!(HeldBack::of(&log(counted.clone(), true), &TimeZone::UTC), ORDERS);
        // Without times these are orders only if they say so.
        let untold = HeldBack { pieces: true, ..ORDERS };
        assert_eq!(HeldBack::of(&log(counted.clone(), false), &TimeZone::UTC), untold);
        let told = counted.iter().map(|&(customer, item, _, day)| {
            (customer, item, Some(customer.unwrap_or(0) + 60 * day as usize), 0)
        });
        assert_eq!(HeldBack::of(&log(told, false), &TimeZone::UTC), ORDERS);
    }

    /// All of a log without times is of one day: whoever had bought much had come with all that they like at once.
    #[test]
    fn orders_without_times_are_orders_however_much_is_in_them() {
        let orders = |orders: usize, items: usize| {
            let lines = (0..60).flat_map(move |customer| {
                (0..orders * items).map(move |line| {
                    (Some(customer), line, Some(customer * orders + line / items), 0)
                })
            });
            HeldBack::of(&log(lines, false), &TimeZone::UTC)
        };
        assert_eq!(orders(6, 5), ORDERS);
        assert_eq!(orders(2, 15), ORDERS, "half of it comes later");
        assert_eq!(orders(1, 30), HeldBack { pieces: true, ..ORDERS });
    }

    #[test]
    fn pieces_too_are_held_back_where_customers_come_with_all_they_like_at_once() {
        let at_once = |items: usize, again: usize| {
            let day = move |item| if item < again { 20 } else { 0 };
            let lines = (0..300).flat_map(|customer| {
                (0..items)
                    .map(move |item| (Some(customer), item, None, customer as i64 / 3 + day(item)))
            });
            let mut lines: Vec<Line> = lines.collect();
            lines.sort_by_key(|line| line.3);
            HeldBack::of(&log(lines, true), &TimeZone::UTC)
        };
        assert_eq!(at_once(20, 7), HeldBack { pieces: true, ..WEEKS });
        assert_eq!(at_once(20, 9), WEEKS, "nearly half of it comes later");
        assert_eq!(at_once(9, 1), WEEKS, "an order, not all that they like");
    }

    #[test]
    fn the_last_order_of_each_customer_is_held_back_then_the_one_before_but_never_the_first() {
        // Items 10, 11 and 12, each in an order of its own.
        let line =
            |customer: usize, order| (Some(customer), 10 + order, Some(3 * customer + order), 0);
        let log = log((0..3).flat_map(|order| (0..40).map(move |c| line(c, order))), false);
        let cut = |nth| {
            let cut = ORDERS.cut(&log, nth, &TimeZone::UTC);
            [&cut.past, &cut.later].map(|part| {
                [10, 11, 12].map(|item| {
                    part.events.iter().filter(|event| event.item.index() == item).count()
                })
            })
        };
        assert_eq!(cut(0), [[40, 40, 0], [0, 0, 40]]);
        assert_eq!(cut(1), [[40, 0, 0], [0, 40, 0]], "and what came after it told nothing");
        assert_eq!(cut(2), [[40, 40, 40], [0, 0, 0]]);
    }

    #[test]
    fn of_many_customers_some_are_asked_in_turn_and_the_others_keep_their_orders() {
        let line = |customer: usize, order| (Some(customer), order, Some(3 * customer + order), 0);
        let log = log((0..3).flat_map(|order| (0..90).map(move |c| line(c, order))), false);
        let cut = |nth| by_orders(&log, nth, &TimeZone::UTC, 30);
        let held = |nth| -> Vec<(CustomerId, usize)> {
            let asked = cut(nth).1.events;
            asked.iter().filter_map(|event| Some((event.customer?, event.item.index()))).collect()
        };
        let turns: Vec<_> = (0..3).map(held).collect();
        assert!(turns.iter().all(|held| (15..45).contains(&held.len())));
        let all: FxHashSet<_> = turns.concat().into_iter().collect();
        assert_eq!((all.len(), all.iter().all(|(_, item)| *item == 2)), (90, true));
        assert_eq!(cut(0).0.events.len(), 3 * 90 - turns[0].len());
        // Then it is the order before the last of the first of them again.
        assert_eq!(held(3).len(), turns[0].len());
        assert!(held(3).iter().all(|(_, item)| *item == 1));
        assert_eq!(cut(3).0.events.len(), 3 * 90 - 2 * turns[0].len());
    }

    #[test]
    fn each_time_other_pieces_are_held_back_and_nothing_is_lost() {
        let lines = (0..50).flat_map(|customer| {
            (0..20).map(move |item| (Some(customer), item, (customer < 25).then_some(customer), 0))
        });
        let log = log(lines, false);
        let held_back = HeldBack::of(&log, &TimeZone::UTC);
        let (mut pieces, mut orders) = (FxHashSet::default(), FxHashSet::default());
        for nth in 0..ONE_IN {
            let cut = held_back.cut(&log, nth, &TimeZone::UTC);
            let parts = [&cut.past, &cut.later, &cut.pieces].map(|log| log.events.len());
            assert_eq!(parts.iter().sum::<usize>(), log.events.len());
            assert!(parts.iter().all(|part| *part > 20), "{parts:?}");
            assert!(cut.pieces.events.iter().all(|e| pieces.insert((e.customer, e.item))));
            assert!(cut.later.events.iter().all(|e| orders.insert((e.customer, e.item))));
        }
        assert_eq!(orders.len(), 50 * 20, "each order once, and all that who has none has bought");
        assert!(
            pieces.len() > 850,
            "{}: each piece once, unless all of it was held back",
            pieces.len()
        );
    }

    #[test]
    fn a_piece_is_the_last_tenth_of_what_a_customer_bought_and_what_came_after_it_is_not_told() {
        // Item n on day n, and all of them once more at the end.
        let line = |customer, item| (Some(customer), item as usize, None, item);
        let again = (0..50).flat_map(|customer| (0..20).map(move |item| (customer, item)));
        let lines = (0..20).flat_map(|item| (0..50).map(move |customer| line(customer, item)));
        let log = log(lines.chain(again.map(|(c, i)| (Some(c), i, None, 99))), true);
        let items = |nth: usize| {
            let (past, held) = in_pieces(&log, &pieces(&log, nth, false));
            let of = |log: &EventLog| log.events.iter().map(|e| e.item.index()).collect::<Vec<_>>();
            (of(&past), of(&held))
        };
        let (past, held) = items(0);
        assert!(past.iter().all(|item| *item < 18) && held.iter().all(|item| *item >= 18));
        assert_eq!((past.len(), held.len()), (50 * 18, 50 * 2 * 2), "no item comes again later");
        let (past, held) = items(2);
        assert!(past.iter().all(|item| *item < 14));
        assert!(held.iter().all(|item| (14..16).contains(item)));
        assert_eq!((past.len(), held.len()), (50 * 14, 50 * 2 * 2));
    }

    #[test]
    fn who_bought_one_thing_keeps_it() {
        let log = log((0..200).map(|customer| (Some(customer), 0, None, 0)), true);
        assert!(pieces(&log, 0, false).is_empty() && pieces(&log, 1, true).is_empty());
        assert_eq!(in_pieces(&log, &FxHashMap::default()).0.events.len(), 200);
    }

    #[test]
    fn by_lot_a_piece_may_be_anything_and_all_else_is_told() {
        let lines =
            (0..20).flat_map(|item| (0..50).map(move |c| (Some(c), item as usize, None, item)));
        let log = log(lines, true);
        let (past, held) = in_pieces(&log, &pieces(&log, 0, true));
        assert_eq!((past.events.len(), held.events.len()), (50 * 18, 50 * 2));
        let items = |log: &EventLog| -> FxHashSet<ItemId> {
            log.events.iter().map(|event| event.item).collect()
        };
        let drawn = items(&held);
        assert!(drawn.len() > 15, "{}", drawn.len());
        // In turn with the last tenth, in each way of holding back.
        for orders in [false, true] {
            let held_back = HeldBack { orders, pieces: true };
            let cut = |nth| items(&held_back.cut(&log, nth, &TimeZone::UTC).pieces).len();
            assert!(cut(0) < 5 && cut(2) < 5);
            assert!(cut(1) > 12 && cut(3) > 12);
        }
    }

    #[test]
    fn what_was_done_to_an_item_held_back_is_not_told_either() {
        let mut log = log([(Some(0), 0, None, 0); 400], false);
        let events = log.events.iter().enumerate().map(|(place, event)| Event {
            item: ItemId::new(place / 2),
            kind: if place % 2 == 0 { EventKind::View } else { EventKind::Purchase },
            ..*event
        });
        log.events = events.collect();
        let (past, held) = in_pieces(&log, &pieces(&log, 0, false));
        assert!(held.events.len() > 5 && held.events.iter().all(|e| e.kind == EventKind::Purchase));
        assert_eq!(past.events.len(), 400 - 2 * held.events.len());
    }
}
