//! What is held back of a log, to be asked about: its last weeks, or where time does not tell, the last of what
//! each customer did.

use jiff::tz::TimeZone;
use rustc_hash::{FxHashMap, FxHashSet};

use super::tune::LEAST_CASES;
use crate::events::{Event, EventKind, EventLog, order_of};
use crate::ids::CustomerId;

/// The held-back weeks are at most so many days …
const LONGEST_DAYS: f64 = 28.0;
/// … and at most this share of the log.
const LARGEST_SHARE: f64 = 0.12;
/// Without times, every so manieth order of nobody in particular is held back.
const ONE_IN: u64 = 10;
/// Weeks in which one customer comes back while so many others have only been back before say little of them.
const MANY: usize = 10;

/// What is held back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HeldBack {
    /// The last weeks.
    Weeks,
    /// Each customer's last order; of what has no such order, a tenth.
    Orders,
}

/// A log in parts.
#[derive(Debug)]
pub(super) struct Cut {
    /// What may be learnt from.
    pub(super) past: EventLog,
    /// What came after it: whole orders and visits.
    pub(super) later: EventLog,
    /// Where customers have a single order each, or none that is told from another: some of what they bought.
    pub(super) pieces: EventLog,
}

/// The part of a [`Cut`] that an event belongs to.
#[derive(Clone, Copy, PartialEq)]
enum Part {
    Past,
    Later,
    Piece,
    /// After what is held back: it would give that away.
    None,
}

impl HeldBack {
    /// The weeks, unless the log has no times, or times by which hardly any of the customers that came back did so
    /// in the last weeks: each customer's own clock, numbers of orders put down as days.
    pub(super) fn of(log: &EventLog, zone: &TimeZone) -> Self {
        let Some(place) = last_weeks(log) else { return Self::Orders };
        let (past, later) = log.events.split_at(place);
        let buyers = |events: &[Event]| -> FxHashSet<CustomerId> {
            let bought = events.iter().filter(|event| event.kind == EventKind::Purchase);
            bought.filter_map(|event| event.customer).collect()
        };
        let back = buyers(past).intersection(&buyers(later)).count();
        let says_much =
            || back * MANY >= orders(log, zone).values().filter(|o| o.len() > 1).count();
        if back >= LEAST_CASES || says_much() { Self::Weeks } else { Self::Orders }
    }

    /// The log without what is held back, and that. Of orders, the `nth` to the last of each customer (0 = the
    /// last), and the `nth` tenth of the others; weeks are always the last.
    pub(super) fn cut(self, log: &EventLog, nth: u64, zone: &TimeZone) -> Cut {
        if let (Self::Weeks, Some(place)) = (self, last_weeks(log)) {
            let later = log.part(place..log.events.len());
            return Cut { past: log.part(0..place), pieces: log.part(0..0), later };
        }
        let parts = parts(log, nth, zone);
        let only = |wanted: Part| {
            let events = log.events.iter().zip(&parts);
            let events = events.filter(|(_, part)| **part == wanted).map(|(event, _)| *event);
            EventLog { events: events.collect(), ..log.clone() }
        };
        Cut { past: only(Part::Past), later: only(Part::Later), pieces: only(Part::Piece) }
    }
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

/// The part of every event.
fn parts(log: &EventLog, nth: u64, zone: &TimeZone) -> Vec<Part> {
    let orders = orders(log, zone);
    let come_back = orders.values().filter(|orders| orders.len() > 1).count();
    let part = |(place, event): (usize, &Event)| {
        let mine = event.customer.and_then(|customer| orders.get(&customer));
        if let Some(mine) = mine.filter(|orders| orders.len() > 1) {
            // The first order stays: nobody is asked who was never seen before.
            let held = mine.len().checked_sub(1 + nth as usize).filter(|held| *held > 0);
            return match held.map(|held| mine[held]) {
                Some((order, start)) if place >= start => {
                    let is_held =
                        event.kind == EventKind::Purchase && order_of(event, zone) == order;
                    if is_held { Part::Later } else { Part::None }
                }
                _ => Part::Past,
            };
        }
        let drawn = |a: usize, b: usize| scrambled(a, b) % ONE_IN == nth;
        match event.customer {
            _ if event.group.is_some_and(|group| drawn(0, group.index())) => Part::Later,
            Some(customer)
                if mine.is_some()
                    && come_back < LEAST_CASES
                    && drawn(1 + customer.index(), event.item.index()) =>
            {
                Part::Piece
            }
            _ => Part::Past,
        }
    };
    log.events.iter().enumerate().map(part).collect()
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

    fn items(log: &EventLog) -> Vec<usize> {
        log.events.iter().map(|event| event.item.index()).collect()
    }

    #[test]
    fn weeks_are_held_back_if_customers_come_back_in_them() {
        let come_back = log((0..400).map(|day| (Some(day as usize % 40), 0, None, day)), true);
        assert_eq!(HeldBack::of(&come_back, &TimeZone::UTC), HeldBack::Weeks);
        let cut = HeldBack::Weeks.cut(&come_back, 0, &TimeZone::UTC);
        assert_eq!((cut.past.events.len(), cut.later.events.len()), (372, 28));
        assert!(cut.pieces.events.is_empty());
        let few = log((0..100).map(|day| (Some(day as usize % 9), 0, None, day)), true);
        assert_eq!(HeldBack::of(&few, &TimeZone::UTC), HeldBack::Weeks);
        let strangers = log((0..100).map(|day| (None, 0, None, day)), true);
        assert_eq!(HeldBack::of(&strangers, &TimeZone::UTC), HeldBack::Weeks);
    }

    #[test]
    fn orders_are_held_back_where_there_are_no_times_or_only_numbers_of_orders() {
        // Two customers came every day, all others two or three times: each at the beginning of their own time.
        let lines = (0..200).flat_map(|day| {
            let customers = if day < 3 { 0..60 } else { 0..2 };
            customers.map(move |customer| (Some(customer), 0, None, day))
        });
        let counted: Vec<Line> = lines.collect();
        assert_eq!(HeldBack::of(&log(counted.clone(), true), &TimeZone::UTC), HeldBack::Orders);
        assert_eq!(HeldBack::of(&log(counted, false), &TimeZone::UTC), HeldBack::Orders);
    }

    #[test]
    fn the_last_order_of_each_customer_is_held_back_then_the_one_before_but_never_the_first() {
        let customers = 0..LEAST_CASES;
        // Items 10, 11, 12 in three orders; one customer has only the last.
        let mut lines: Vec<Line> = Vec::new();
        for order in 0..3 {
            let lines_of = |customer| (Some(customer), 10 + order, Some(3 * customer + order), 0);
            lines.extend(customers.clone().map(lines_of));
        }
        let once = LEAST_CASES;
        lines.push((Some(once), 12, Some(3 * once + 7), 0));
        let log = log(lines, false);
        let all = LEAST_CASES;
        let cut = |nth| {
            let cut = HeldBack::Orders.cut(&log, nth, &TimeZone::UTC);
            let of = |log: &EventLog, item| items(log).iter().filter(|one| **one == item).count();
            let count = |log: &EventLog| [of(log, 10), of(log, 11), of(log, 12)];
            assert!(
                cut.pieces.events.is_empty(),
                "others come back: the one who doesn't stays whole"
            );
            let mut past = count(&cut.past);
            let mut later = count(&cut.later);
            // The one may be held back as a tenth.
            let one = usize::from(later[2] % all == 1);
            (later[2], past[2]) = (later[2] - one, past[2] - (1 - one));
            (past, later)
        };
        assert_eq!(cut(0), ([all, all, 0], [0, 0, all]));
        assert_eq!(cut(1), ([all, 0, 0], [0, all, 0]));
        assert_eq!(cut(2), ([all, all, all], [0, 0, 0]));
    }

    #[test]
    fn of_customers_with_one_order_each_some_of_it_is_held_back_each_time_something_else() {
        let lines = (0..50).flat_map(|customer| {
            (0..20).map(move |item| (Some(customer), item, (customer < 25).then_some(customer), 0))
        });
        let log = log(lines, false);
        let mut seen = FxHashSet::default();
        for nth in 0..ONE_IN {
            let Cut { past, later, pieces } = HeldBack::Orders.cut(&log, nth, &TimeZone::UTC);
            let counts = [&past, &later, &pieces].map(|log| log.events.len());
            assert_eq!(counts.iter().sum::<usize>(), log.events.len(), "nothing is lost");
            assert!(counts[2] > 50, "{counts:?}");
            for event in later.events.iter().chain(&pieces.events) {
                let pair = (event.customer, event.item);
                assert!(!past.events.iter().any(|e| (e.customer, e.item) == pair));
                let is_piece = pieces.events.contains(event);
                assert!(seen.insert((pair, is_piece)), "held back twice in the same way");
            }
        }
        assert_eq!(
            seen.iter().filter(|(pair, _)| pair.0 >= Some(CustomerId::new(25))).count(),
            500
        );
    }
}
