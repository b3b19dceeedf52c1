//! What visitors went on to look at who were where this visitor is now: sessions like this one.
//!
//! Nothing is learnt: the newest sessions are kept as they are, with each item's newest sessions beside
//! them, and a question looks for those that share most with it.
//!
//! Source: Kersbergen, Sprangers & Schelter 2022, "Serenade: low-latency session-based recommendation in
//! e-commerce at scale": VMIS-kNN. Their names: m is `per_item`, k is `nearest`.

use serde::{Deserialize, Serialize};

use crate::events::Sessions;
use crate::ids::ItemId;
use crate::lists::Lists;

/// Which sessions are kept, and how those like the visitor's are found and weighed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VisitOptions {
    /// Sessions kept: the newest.
    pub sessions: usize,
    /// Distinct items kept per session: the latest.
    pub items_per_session: usize,
    /// For each item of the visitor's so many of its newest sessions are looked at, and so many of all
    /// that were found (m); ≥ 1.
    pub per_item: usize,
    /// So many of those, the most similar, are followed (k); ≥ 1.
    pub nearest: usize,
    /// So many of the visitor's latest clicks are looked at; ≥ 1.
    pub last_items: usize,
    /// A click counts this much of the one after it, 0 to 1; `None` = the first of n clicks back counts
    /// 1, the next (n − 1)/n, and so on.
    pub decay: Option<f32>,
    /// A session of n distinct items is n to the power of −`size` as similar, so that long ones say less;
    /// 0 to 1.
    pub size: f32,
    /// Power of an item's rarity, ln(clicks ÷ its sessions), in its score; 0 to 3.
    pub rarity: f32,
}

impl Default for VisitOptions {
    fn default() -> Self {
        Self {
            sessions: 500_000,
            items_per_session: 100,
            per_item: 500,
            nearest: 100,
            last_items: 3,
            decay: None,
            size: 0.0,
            rarity: 1.0,
        }
    }
}

/// Sessions as they were, newest first, and where each item stands in them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Visits {
    sessions: Lists<ItemId>,
    postings: Lists<u32>,
    held_by: Vec<u32>,
    clicks: u64,
    /// Per item ln(clicks ÷ sessions that hold it).
    rarity: Vec<f32>,
}

/// Buffers of one worker, to be used again for the next question.
#[derive(Clone, Debug, Default)]
pub struct VisitScratch {
    cursors: Vec<Cursor>,
    found: Vec<Found>,
    /// Per item its score so far and the sessions behind it; zeros between questions.
    scores: Vec<(f32, u32)>,
    touched: Vec<ItemId>,
}

/// How far a list of sessions has been read.
#[derive(Clone, Copy, Debug)]
struct Cursor {
    item: ItemId,
    /// 1 for the visitor's last click.
    position: u32,
    weight: f32,
    at: usize,
}

/// A session that shares something with the visitor's.
#[derive(Clone, Copy, Debug)]
struct Found {
    session: u32,
    similarity: f32,
    /// Of the visitor's latest click that it shares.
    position: u32,
}

impl Visits {
    /// From a log's sessions; `item_count` is how many items the shop has.
    ///
    /// Panics if an item is beyond `item_count`.
    pub fn new(sessions: &Sessions, item_count: usize, options: &VisitOptions) -> Self {
        let first = sessions.items.len().saturating_sub(options.sessions.min(u32::MAX as usize));
        let mut held_by = vec![0u32; item_count];
        let mut postings: Vec<Vec<u32>> = vec![Vec::new(); item_count];
        let mut kept = Lists::new();
        let mut clicks = 0;
        let mut distinct = Vec::new();
        let mut last_seen_in = vec![u32::MAX; item_count];
        for (session, row) in (first..sessions.items.len()).rev().zip(0u32..) {
            let items = sessions.items.row(session);
            clicks += items.len() as u64;
            distinct.clear();
            for &item in items.iter().rev() {
                let seen = &mut last_seen_in[item.index()];
                if *seen != row && distinct.len() < options.items_per_session {
                    *seen = row;
                    distinct.push(item);
                    held_by[item.index()] += 1;
                    let of_item = &mut postings[item.index()];
                    if of_item.len() < options.per_item {
                        of_item.push(row);
                    }
                }
            }
            kept.push(distinct.iter().copied());
        }
        Self::of(kept, postings.into_iter().collect(), held_by, clicks)
    }

    /// From what [`Self::sessions`], [`Self::postings`], [`Self::held_by`] and [`Self::clicks`] gave;
    /// nothing if they don't fit together.
    pub fn from_parts(
        sessions: Lists<ItemId>,
        postings: Lists<u32>,
        held_by: Vec<u32>,
        clicks: u64,
    ) -> Option<Self> {
        let known = sessions.entries().iter().all(|item| item.index() < held_by.len());
        let fits = |(postings, &held_by): (&[u32], &u32)| {
            postings.len() <= held_by as usize
                && postings.is_sorted_by(|a, b| a < b)
                && postings.last().is_none_or(|&last| (last as usize) < sessions.len())
        };
        let ordered = postings.len() == held_by.len() && postings.rows().zip(&held_by).all(fits);
        let counted = held_by.iter().all(|&held_by| u64::from(held_by) <= clicks);
        (known && ordered && counted).then(|| Self::of(sessions, postings, held_by, clicks))
    }

    fn of(sessions: Lists<ItemId>, postings: Lists<u32>, held_by: Vec<u32>, clicks: u64) -> Self {
        let rarity = |&held_by: &u32| (clicks as f64 / f64::from(held_by.max(1))).ln() as f32;
        let rarity = held_by.iter().map(|n| rarity(n).max(0.0)).collect();
        Self { sessions, postings, held_by, clicks, rarity }
    }

    /// Distinct items per session, latest first; newest session first.
    pub fn sessions(&self) -> &Lists<ItemId> {
        &self.sessions
    }

    /// Per item its newest sessions, newest (0) first.
    pub fn postings(&self) -> &Lists<u32> {
        &self.postings
    }

    /// Per item how many of the sessions hold it; more than its postings where these were cut.
    pub fn held_by(&self) -> &[u32] {
        &self.held_by
    }

    /// Events in all the sessions, items that came back counted again.
    pub fn clicks(&self) -> u64 {
        self.clicks
    }

    /// Tells `out` of each item that the most similar sessions hold: its score, > 0, and in how many of
    /// them it is. The visitor's last item is left out, earlier ones are not: people go back. In no
    /// particular but always the same order; nothing for items never seen.
    ///
    /// Over the latest n = `last_items` clicks, of which an item's position p counts from 1 at the last:
    /// similarity of a session = Σ (n − p + 1) ÷ (distinct items among the n), over the items it shares;
    /// score of an item = Σ similarity · max(1 − p′/10, 0) · rarity, over the `nearest` sessions that
    /// hold it, p′ being the position of the latest item the session shares.
    pub fn score(
        &self,
        latest_first: &[ItemId],
        options: &VisitOptions,
        scratch: &mut VisitScratch,
        mut out: impl FnMut(ItemId, f32, u32),
    ) {
        let VisitScratch { cursors, found, scores, touched } = scratch;
        let window = &latest_first[..latest_first.len().min(options.last_items.max(1))];
        let Some(&last) = window.first() else { return };
        let scale = point(window, options.decay, cursors);
        self.find(cursors, options, found);
        keep_nearest(found, options.nearest.max(1));
        scores.resize(self.postings.len().max(scores.len()), (0.0, 0));
        touched.clear();
        for Found { session, similarity, position } in found.iter() {
            let weight = scale * similarity * (1.0 - 0.1 * *position as f32).max(0.0);
            for &item in self.sessions.row(*session as usize) {
                let (score, sessions) = &mut scores[item.index()];
                if *sessions == 0 {
                    touched.push(item);
                }
                *score += weight;
                *sessions += 1;
            }
        }
        for &item in touched.iter() {
            let (sum, sessions) = std::mem::take(&mut scores[item.index()]);
            let rarity = self.rarity[item.index()];
            let score =
                sum * if options.rarity == 1.0 { rarity } else { rarity.powf(options.rarity) };
            if item != last && score > 0.0 && score.is_finite() {
                out(item, score, sessions);
            }
        }
    }

    /// Merges the sessions of all items, newest first, until there are enough.
    fn find(&self, cursors: &mut [Cursor], options: &VisitOptions, found: &mut Vec<Found>) {
        let next = |cursor: &Cursor| {
            let postings = self.postings.row(cursor.item.index());
            postings[..postings.len().min(options.per_item)].get(cursor.at).copied()
        };
        found.clear();
        while found.len() < options.per_item {
            let Some(session) = cursors.iter().filter_map(next).min() else { return };
            let mut one = Found { session, similarity: 0.0, position: 0 };
            for cursor in cursors.iter_mut() {
                if next(cursor) == Some(session) {
                    cursor.at += 1;
                    one.similarity += cursor.weight;
                    if one.position == 0 {
                        one.position = cursor.position;
                    }
                }
            }
            if options.size > 0.0 {
                let size = self.sessions.row(session as usize).len();
                one.similarity *= (size as f32).powf(-options.size);
            }
            found.push(one);
        }
    }
}

/// One cursor per distinct item, at its latest place; returns what similarities are to be scaled by.
///
/// Whole numbers where there is no decay, scaled afterwards: sums that are equal tie whatever was added.
fn point(window: &[ItemId], decay: Option<f32>, cursors: &mut Vec<Cursor>) -> f32 {
    cursors.clear();
    for (&item, position) in window.iter().zip(1u32..) {
        if cursors.iter().all(|cursor| cursor.item != item) {
            cursors.push(Cursor { item, position, weight: 0.0, at: 0 });
        }
    }
    for cursor in cursors.iter_mut() {
        cursor.weight = match decay {
            None => (window.len() + 1) as f32 - cursor.position as f32,
            Some(decay) => decay.powi(cursor.position as i32 - 1),
        };
    }
    if decay.is_none() { 1.0 / cursors.len() as f32 } else { 1.0 }
}

/// The most similar come first, the newer of equals.
fn keep_nearest(found: &mut Vec<Found>, limit: usize) {
    let order = |a: &Found, b: &Found| {
        b.similarity.total_cmp(&a.similarity).then_with(|| a.session.cmp(&b.session))
    };
    if limit < found.len() {
        found.select_nth_unstable_by(limit, order);
        found.truncate(limit);
    }
    found.sort_unstable_by(order);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn log(rows: &[Vec<usize>]) -> Sessions {
        Sessions {
            items: rows.iter().map(|row| row.iter().map(|&i| ItemId::new(i))).collect(),
            customers: vec![None; rows.len()],
            at: vec![],
        }
    }

    fn answers(
        visits: &Visits,
        clicks: &[usize],
        options: &VisitOptions,
    ) -> Vec<(usize, f32, u32)> {
        let latest_first: Vec<ItemId> = clicks.iter().rev().map(|&i| ItemId::new(i)).collect();
        let mut answers = Vec::new();
        let mut scratch = VisitScratch::default();
        for _ in 0..2 {
            answers.clear();
            visits.score(&latest_first, options, &mut scratch, |item, score, sessions| {
                answers.push((item.index(), score, sessions));
            });
        }
        answers.sort_by_key(|answer| answer.0);
        answers
    }

    /// Straight from the paper's formula.
    fn by_formula(
        rows: &[Vec<usize>],
        clicks: &[usize],
        o: &VisitOptions,
    ) -> Vec<(usize, f32, u32)> {
        let newest_first: Vec<&Vec<usize>> = rows.iter().rev().collect();
        let window = &clicks[clicks.len().saturating_sub(o.last_items)..];
        let n = window.len();
        let position = |item: usize| window.iter().rev().position(|i| *i == item).map(|p| p + 1);
        let mut distinct = window.to_vec();
        distinct.sort_unstable();
        distinct.dedup();
        let mut similar: BTreeMap<usize, (usize, usize)> = BTreeMap::new();
        for &item in &distinct {
            let holding = (0..rows.len()).filter(|s| newest_first[*s].contains(&item));
            for session in holding.take(o.per_item) {
                let p = position(item).expect("in the window");
                let one = similar.entry(session).or_insert((0, p));
                one.0 += n - p + 1;
                one.1 = one.1.min(p);
            }
        }
        let mut nearest: Vec<_> = similar.into_iter().take(o.per_item).collect();
        nearest.sort_by(|a, b| b.1.0.cmp(&a.1.0).then(a.0.cmp(&b.0)));
        nearest.truncate(o.nearest);
        let all: usize = rows.iter().map(Vec::len).sum();
        (0..20)
            .filter_map(|item| {
                let behind = nearest.iter().filter(|(s, _)| newest_first[*s].contains(&item));
                let share = |(sum, p): &(usize, usize)| {
                    *sum as f64 / distinct.len() as f64 * (1.0 - 0.1 * *p as f64).max(0.0)
                };
                let sum: f64 = behind.clone().map(|(_, found)| share(found)).sum();
                let held_by = rows.iter().filter(|row| row.contains(&item)).count();
                let score = sum * (all as f64 / held_by as f64).ln();
                let told = score > 0.0 && Some(&item) != clicks.last();
                told.then(|| (item, score as f32, behind.count() as u32))
            })
            .collect()
    }

    fn sessions() -> impl Strategy<Value = Vec<Vec<usize>>> {
        prop::collection::vec(prop::collection::vec(0usize..20, 1..9), 0..40)
    }

    proptest! {
        #[test]
        fn scores_equal_the_formula(
            rows in sessions(),
            clicks in prop::collection::vec(0usize..20, 0..14),
            per_item in 1usize..12,
            nearest in 1usize..12,
            last_items in 1usize..13,
        ) {
            let options = VisitOptions { per_item, nearest, last_items, ..VisitOptions::default() };
            let visits = Visits::new(&log(&rows), 20, &options);
            let (found, expected) =
                (answers(&visits, &clicks, &options), by_formula(&rows, &clicks, &options));
            let names = |list: &[(usize, f32, u32)]| -> Vec<(usize, u32)> {
                list.iter().map(|(item, _, sessions)| (*item, *sessions)).collect()
            };
            prop_assert_eq!(names(&found), names(&expected));
            for (found, expected) in found.iter().zip(&expected) {
                prop_assert!((found.1 - expected.1).abs() <= 1e-4 * expected.1, "{:?} {:?}", found, expected);
            }
        }

        #[test]
        fn nothing_is_proposed_beyond_the_data_whatever_the_options(
            rows in sessions(),
            clicks in prop::collection::vec(0usize..30, 0..14),
            options in (0usize..9, 0usize..9, 0usize..9, 0usize..9, 0usize..9, 0f32..2.0).prop_map(
                |(sessions, items_per_session, per_item, nearest, last_items, power)| VisitOptions {
                    sessions, items_per_session, per_item, nearest, last_items,
                    decay: Some(power / 2.0), size: power, rarity: power,
                },
            ),
        ) {
            let visits = Visits::new(&log(&rows), 20, &options);
            prop_assert!(visits.sessions().len() <= options.sessions);
            let told = answers(&visits, &clicks, &options);
            for &(item, score, sessions) in &told {
                prop_assert!(visits.sessions().entries().contains(&ItemId::new(item)));
                prop_assert!(score > 0.0 && score.is_finite());
                prop_assert!((1..=options.nearest.max(1)).contains(&(sessions as usize)));
            }
            prop_assert!(told.iter().all(|answer| Some(&answer.0) != clicks.last()));
            prop_assert!(told.windows(2).all(|pair| pair[0].0 != pair[1].0));
        }

        #[test]
        fn what_was_taken_apart_goes_together_again(rows in sessions(), per_item in 1usize..9) {
            let options = VisitOptions { per_item, ..VisitOptions::default() };
            let visits = Visits::new(&log(&rows), 20, &options);
            let again = Visits::from_parts(
                visits.sessions().clone(),
                visits.postings().clone(),
                visits.held_by().to_vec(),
                visits.clicks(),
            );
            prop_assert_eq!(again, Some(visits));
        }
    }

    #[test]
    fn parts_that_do_not_fit_are_refused() {
        let sessions = || Lists::from_iter([vec![ItemId::new(0), ItemId::new(1)]]);
        let postings = |rows: &[&[u32]]| Lists::from_iter(rows.iter().map(|row| row.to_vec()));
        let parts = |rows, held_by: &[u32], clicks| {
            Visits::from_parts(sessions(), postings(rows), held_by.to_vec(), clicks).is_some()
        };
        assert!(parts(&[&[0], &[0]], &[1, 1], 2));
        assert!(!parts(&[&[0], &[1]], &[1, 1], 2), "no such session");
        assert!(!parts(&[&[0], &[0, 0]], &[1, 2], 2), "a session twice");
        assert!(!parts(&[&[0], &[0]], &[1, 0], 2), "more sessions than counted");
        assert!(!parts(&[&[0], &[0]], &[1, 1], 0), "no clicks");
        assert!(!parts(&[&[0]], &[1], 2), "an item beyond the shop's");
    }

    #[test]
    fn of_equally_similar_sessions_the_newest_are_followed() {
        let visits =
            Visits::new(&log(&[vec![0, 1], vec![0, 2], vec![0, 3]]), 4, &VisitOptions::default());
        let options = VisitOptions { nearest: 2, ..VisitOptions::default() };
        let named: Vec<usize> = answers(&visits, &[0], &options).iter().map(|a| a.0).collect();
        assert_eq!(named, [2, 3]);
    }

    #[test]
    fn no_sessions_and_no_clicks_give_nothing() {
        let options = VisitOptions::default();
        assert!(answers(&Visits::default(), &[0], &options).is_empty());
        assert!(answers(&Visits::new(&log(&[]), 3, &options), &[0, 1], &options).is_empty());
        assert!(answers(&Visits::new(&log(&[vec![0, 1]]), 3, &options), &[], &options).is_empty());
    }
}
