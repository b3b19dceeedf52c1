//! What customers buy next, learnt from what others with a past like theirs did next.

use jiff::tz::TimeZone;
use rustc_hash::FxHashMap;

use super::TrainOptions;
use super::cut::{HeldBack, by_orders, purchases};
use super::share::evenly;
use crate::customers::{Foreseen, History, Interests, Pasts};
use crate::embed::{Foresight, ForesightLesson, ForesightOptions, Pull};
use crate::events::{EventLog, baskets};
use crate::ids::{CustomerId, ItemId};
use crate::index::Contents;
use crate::time::DAY_MS;

/// Items new to a customer that a past foretells: so many are kept …
const FORESEEN_NEW: usize = 100;
/// … and of those bought already.
const FORESEEN_AGAIN: usize = 100;
/// To ask for all customers takes a multiplication for each of their items and each lesson: so many are enough.
const MULTIPLICATIONS: usize = 200_000_000_000;
/// Large orders say less of each item in them: a lesson weighs the number of its items to the power of −this.
const SIZE: f32 = 0.25;

/// Learns what pasts foretell; nothing where nobody has one.
pub(super) fn learn(
    contents: &Contents,
    log: &EventLog,
    zone: &TimeZone,
    options: &TrainOptions,
) -> Option<Foresight> {
    // As many in a rehearsal, which asks for few, as in the end.
    let affordable = MULTIPLICATIONS / log.events.len().max(1);
    let most = options.foreseen.lessons.min(affordable);
    let lessons = lessons(contents, log, zone, options, most);
    Foresight::learn(&lessons, contents.len(), &options.foreseen)
}

/// What each of these customers' pasts foretells.
pub(super) fn foreseen(
    foresight: &Foresight,
    histories: &[History],
    interests: &Interests,
) -> Vec<Vec<Foreseen>> {
    let pasts: Vec<_> = histories.iter().map(|history| past(history, interests)).collect();
    let foretold = foresight.foretold(&pasts, FORESEEN_NEW, FORESEEN_AGAIN).into_iter();
    let foreseen = |Pull { item, weight }| Foreseen { item, weight };
    foretold.map(|foretold| foretold.into_iter().map(foreseen).collect()).collect()
}

/// At most so many lessons: of the last moment first.
fn lessons(
    contents: &Contents,
    log: &EventLog,
    zone: &TimeZone,
    options: &TrainOptions,
    most: usize,
) -> Vec<ForesightLesson> {
    let ForesightOptions { moments, fading, .. } = options.foreseen;
    let by_orders = HeldBack::of(log, zone).orders;
    let mut lessons = Vec::new();
    for moment in 0..moments {
        if lessons.len() == most {
            break;
        }
        let (past, later) = at(log, zone, moment, options.foreseen.days, by_orders);
        let mut next: FxHashMap<CustomerId, Vec<ItemId>> = FxHashMap::default();
        purchases(&later.events)
            .for_each(|(customer, event)| next.entry(customer).or_default().push(event.item));
        let mut known = vec![false; log.customers.len()];
        past.events.iter().filter_map(|e| e.customer).for_each(|c| known[c.index()] = true);
        let mut customers: Vec<CustomerId> =
            next.keys().copied().filter(|customer| known[customer.index()]).collect();
        customers.sort_unstable();
        let taken: Vec<CustomerId> = evenly(&customers, most - lessons.len()).copied().collect();
        known.fill(false);
        taken.iter().for_each(|customer| known[customer.index()] = true);
        let past = past.only(|event| event.customer.is_some_and(|c| known[c.index()]));
        let Some(now) = past.events.last().map(|event| event.at) else { continue };
        let pasts = Pasts::new(&past, baskets(&past, zone), now, &options.history);
        let lesson = |customer: CustomerId| {
            let history = &pasts.of(customer, &contents.cadence);
            let mut items = next[&customer].clone();
            items.sort_unstable();
            items.dedup();
            let weight = fading.powi(moment as i32) * (items.len() as f32).powf(-SIZE);
            let next = items.into_iter().map(|item| (item, history.bought(item).is_some()));
            let past = self::past(history, &contents.interests);
            ForesightLesson { past, next: next.collect(), weight }
        };
        lessons.extend(taken.into_iter().map(lesson).filter(|lesson| !lesson.past.is_empty()));
    }
    lessons
}

/// What came before a moment, and what came next.
fn at(
    log: &EventLog,
    zone: &TimeZone,
    moment: u32,
    days: u32,
    by_orders: bool,
) -> (EventLog, EventLog) {
    if by_orders {
        return self::by_orders(log, u64::from(moment), zone, usize::MAX);
    }
    let Some(end) = log.events.last().map(|event| event.at.0) else {
        return (log.clone(), log.clone());
    };
    let place = |moments: u32| {
        let before = end - i64::from(moments) * i64::from(days) * DAY_MS;
        log.events.partition_point(|event| event.at.0 <= before)
    };
    (log.part(0..place(moment + 1)), log.part(place(moment + 1)..place(moment)))
}

fn past(history: &History, interests: &Interests) -> Vec<(ItemId, f32)> {
    history.leanings(interests, usize::MAX)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::catalog::Item;
    use crate::events::{Event, EventKind};
    use crate::ids::{GroupId, Interner};
    use crate::time::Timestamp;
    use crate::train::learn;

    /// (customer, item, day): an order each.
    pub(in crate::train) fn log(lines: &[(usize, usize, i64)], timed: bool) -> EventLog {
        let event = |(order, &(customer, item, day)): (usize, &(usize, usize, i64))| Event {
            at: Timestamp(if timed { day * DAY_MS } else { 0 }),
            customer: Some(CustomerId::new(customer)),
            item: ItemId::new(item),
            group: Some(GroupId::new(order)),
            quantity: 1.0,
            unit_price: 0.0,
            kind: EventKind::Purchase,
            discount_percent: 0,
        };
        let keys: Vec<String> = (0..300).map(|number| number.to_string()).collect();
        let (mut items, mut customers) = (Interner::new(), Interner::new());
        for key in &keys {
            items.intern(key);
            customers.intern(key);
        }
        let events = lines.iter().enumerate().map(event).collect();
        EventLog {
            events,
            items: items.into(),
            customers: customers.into(),
            timed,
            ..EventLog::default()
        }
    }

    /// Of each lesson its past, by id; what follows, with what was had before; and its weight in thousandths.
    type Told = (Vec<usize>, Vec<(usize, bool)>, u32);

    fn told(log: &EventLog, moments: u32, most: usize) -> Vec<Told> {
        let foreseen = ForesightOptions { moments, days: 10, ..ForesightOptions::default() };
        let options = TrainOptions { foreseen, ..TrainOptions::default() };
        let lessons = lessons(&Contents::default(), log, &TimeZone::UTC, &options, most);
        let told = |lesson: &ForesightLesson| {
            let mut past: Vec<usize> = lesson.past.iter().map(|(item, _)| item.index()).collect();
            past.sort_unstable();
            let next = lesson.next.iter().map(|(item, had)| (item.index(), *had));
            (past, next.collect(), (lesson.weight * 1e3).round() as u32)
        };
        lessons.iter().map(told).collect()
    }

    /// Whoever has tried a plant (items 0 to 4) buys its pot (5 to 9) the week after, and never the other way round.
    #[test]
    fn what_comes_after_is_foretold_and_what_came_before_is_not() {
        let lines = (0..20i64).flat_map(|week| {
            (0..15).flat_map(move |nth| {
                let (customer, plant) = (week as usize * 15 + nth, nth % 5);
                [(customer, plant, 7 * week), (customer, plant + 5, 7 * week + 7)]
            })
        });
        let mut lines: Vec<(usize, usize, i64)> = lines.collect();
        lines.retain(|line| line.2 < 140);
        lines.sort_by_key(|line| line.2);
        let log = log(&lines, true);
        let items = vec![Item::default(); log.items.len()];
        let learnt = learn(&log, &items, &TimeZone::UTC, &TrainOptions::default(), &mut |_| ());
        let first = |customer: usize| {
            learnt.histories.as_slice()[customer]
                .foreseen
                .first()
                .map(|foreseen| foreseen.item.index())
        };
        for nth in 0..15 {
            assert_eq!(first(19 * 15 + nth), Some(nth % 5 + 5), "who has the plant of last week");
        }
        let foretold = learnt.histories.as_slice().iter().flat_map(|history| &history.foreseen);
        let plants = foretold.filter(|foreseen| foreseen.item.index() < 5);
        assert_eq!(plants.count(), 0, "nobody buys a plant for a pot");
    }

    #[test]
    fn a_lesson_holds_what_came_before_its_moment_and_foretells_the_days_after() {
        let lines = [
            (0, 0, 0),
            (1, 5, 2),
            (0, 1, 12), // after day 10: the second moment's
            (0, 0, 21), // after day 20: the first moment's
            (2, 7, 25), // without a past
            (0, 2, 30),
            (0, 2, 30),
        ];
        let last = (vec![0, 1], vec![(0, true), (2, false)], 841);
        let before = (vec![0], vec![(1, false)], 700);
        assert_eq!(told(&log(&lines, true), 1, 9), std::slice::from_ref(&last));
        assert_eq!(told(&log(&lines, true), 2, 9), [last.clone(), before.clone()]);
        assert_eq!(told(&log(&lines, true), 9, 9), [last, before], "nothing was before day 0");
    }

    #[test]
    fn without_times_a_moment_is_before_an_order_of_each_customer() {
        let orders = (0..3).flat_map(|order| (0..40).map(move |c| (c, 10 + order, 0)));
        let lessons = told(&log(&orders.collect::<Vec<_>>(), false), 2, 100);
        assert_eq!(lessons.len(), 80);
        assert!(lessons[..40].iter().all(|l| *l == (vec![10, 11], vec![(12, false)], 1_000)));
        assert!(lessons[40..].iter().all(|l| *l == (vec![10], vec![(11, false)], 700)));
    }

    #[test]
    fn where_there_are_too_many_lessons_the_latest_moments_are_taken() {
        let orders = (0..3).flat_map(|visit| (0..20).map(move |c| (c, visit, 10 * visit as i64)));
        let weights = |most| {
            let log = log(&orders.clone().collect::<Vec<_>>(), true);
            told(&log, 2, most).iter().map(|lesson| lesson.2).collect::<Vec<_>>()
        };
        assert_eq!(weights(40), [[1_000; 20], [700; 20]].concat());
        assert_eq!(weights(25), [vec![1_000; 20], vec![700; 5]].concat());
        assert_eq!(weights(7), [1_000; 7]);
        assert!(weights(0).is_empty());
    }
}
