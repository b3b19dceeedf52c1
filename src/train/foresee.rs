//! What customers buy next, learnt from what others with a past like theirs did next.

use jiff::tz::TimeZone;
use rayon::prelude::*;
use rustc_hash::FxHashMap;

use super::cut::{HeldBack, by_orders, purchases};
use super::share::evenly;
use super::{Learnt, TrainOptions};
use crate::customers::{Foreseen, History, Interests, histories};
use crate::embed::{Foresight, ForesightLesson, ForesightOptions, Pull};
use crate::events::{EventLog, baskets};
use crate::ids::{CustomerId, ItemId};
use crate::time::DAY_MS;

/// Items new to a customer that a past foretells: so many are kept …
const FORESEEN_NEW: usize = 100;
/// … and of those bought already.
const FORESEEN_AGAIN: usize = 100;
/// To ask for all customers takes the square of the lessons for each: so many multiplications are enough.
const MULTIPLICATIONS: f64 = 2e12;
/// Large orders say less of each item in them: a lesson weighs the number of its items to the power of −this.
const SIZE: f32 = 0.25;

/// Learns `foreseen` of every customer who has a past.
pub(super) fn foresee(
    learnt: &mut Learnt,
    log: &EventLog,
    zone: &TimeZone,
    options: &TrainOptions,
) {
    let asked = learnt.histories.iter().filter(|history| !history.is_empty()).count();
    let affordable = (MULTIPLICATIONS / asked.max(1) as f64).sqrt() as usize;
    let most = options.foreseen.lessons.min(affordable);
    let lessons = lessons(learnt, log, zone, options, most);
    let foresight = Foresight::learn(&lessons, learnt.contents.len(), &options.foreseen);
    let Some(foresight) = foresight else { return };
    let interests = learnt.contents.interests;
    learnt.histories.par_chunks_mut(Foresight::AT_ONCE).for_each(|histories| {
        let asked = || histories.iter().map(|history| past(history, &interests));
        let foretold =
            foresight.foretold(&asked().collect::<Vec<_>>(), FORESEEN_NEW, FORESEEN_AGAIN);
        for (history, foretold) in histories.iter_mut().zip(foretold) {
            let foreseen = |Pull { item, weight }| Foreseen { item, weight };
            history.foreseen = foretold.into_iter().map(foreseen).collect();
        }
    });
}

/// At most so many lessons: of the last moment first.
fn lessons(
    learnt: &Learnt,
    log: &EventLog,
    zone: &TimeZone,
    options: &TrainOptions,
    most: usize,
) -> Vec<ForesightLesson> {
    let ForesightOptions { moments, fading, .. } = options.foreseen;
    let by_orders = HeldBack::of(log, zone).orders;
    let mut lessons = Vec::new();
    for moment in 0..moments {
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
        let contents = &learnt.contents;
        let (cadence, options) = (&contents.cadence, &options.history);
        let pasts = histories(&past, &baskets(&past, zone), cadence, now, options);
        let lesson = |customer: CustomerId| {
            let history = &pasts[customer.index()];
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
        return self::by_orders(log, u64::from(moment), zone);
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
