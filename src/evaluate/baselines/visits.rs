//! What is looked at next.

use rayon::prelude::*;
use rustc_hash::FxHashMap;

use super::training::Training;
use super::{Asked, Score};
use crate::lists::Lists;

/// What followed the last item.
pub(super) struct NextRules {
    /// Per item, what followed and how strongly; ascending.
    rules: Lists<(u32, f32)>,
}

impl NextRules {
    pub(super) fn sequential(training: &Training, steps: usize) -> Self {
        Self::counted(training, steps, |distance| 1.0 / distance as f64, false)
    }

    pub(super) fn both_ways(training: &Training, steps: usize) -> Self {
        Self::counted(training, steps, |_| 1.0, true)
    }

    fn counted(
        training: &Training,
        steps: usize,
        weight: impl Fn(usize) -> f64,
        both_ways: bool,
    ) -> Self {
        let mut followed: Vec<FxHashMap<u32, f64>> =
            vec![FxHashMap::default(); training.items.len()];
        for visit in training.groups.rows() {
            for (place, &before) in visit.iter().enumerate() {
                for (distance, &after) in (1..=steps).zip(&visit[place + 1..]) {
                    if before == after {
                        continue;
                    }
                    *followed[before as usize].entry(after).or_default() += weight(distance);
                    if both_ways {
                        *followed[after as usize].entry(before).or_default() += weight(distance);
                    }
                }
            }
        }
        let sorted: Vec<Vec<(u32, f32)>> = followed
            .into_par_iter()
            .map(|row| {
                let mut row: Vec<(u32, f32)> =
                    row.into_iter().map(|(item, weight)| (item, weight as f32)).collect();
                row.sort_unstable_by_key(|&(item, _)| item);
                row
            })
            .collect();
        Self { rules: sorted.into_iter().collect() }
    }
}

impl Score for NextRules {
    fn score(&self, asked: &Asked, row: &mut [f32]) {
        let Some(&last) = asked.items.last() else { return };
        self.rules
            .row(last as usize)
            .iter()
            .for_each(|&(item, weight)| row[item as usize] = weight);
    }
}

/// Neighbour visits. Visits are numbered from the newest.
pub(super) struct VmisKnn<'a> {
    training: &'a Training,
    rows: Lists<u32>,
    /// Per item, the newest visits that hold it.
    postings: Lists<u32>,
    /// Per item, ln(lines ÷ visits that hold it).
    rarity: Vec<f32>,
    recent: usize,
    neighbours: usize,
    last_items: usize,
}

impl<'a> VmisKnn<'a> {
    pub(super) fn new(
        training: &'a Training,
        recent: usize,
        neighbours: usize,
        last_items: usize,
    ) -> Self {
        let oldest_first = training.rows(false);
        let count = oldest_first.len();
        let rows: Lists<u32> =
            (0..count).rev().map(|row| oldest_first.row(row).iter().copied()).collect();
        let all = training.postings(&rows);
        let lines = training.lines.len() as f64;
        let rarity =
            all.rows().map(|rows| (lines / rows.len().max(1) as f64).ln() as f32).collect();
        let postings =
            all.rows().map(|rows| rows[..rows.len().min(recent)].iter().copied()).collect();
        Self { training, rows, postings, rarity, recent, neighbours, last_items }
    }
}

impl Score for VmisKnn<'_> {
    fn score(&self, asked: &Asked, row: &mut [f32]) {
        debug_assert_eq!(row.len(), self.training.items.len());
        let Some(&last) = asked.items.last() else { return };
        let items = &asked.items[asked.items.len().saturating_sub(self.last_items)..];
        // Place of each item's latest occurrence, 1 = the last click.
        let mut latest: Vec<(u32, usize)> = Vec::new();
        for (&item, place) in items.iter().rev().zip(1..) {
            if latest.iter().all(|&(seen, _)| seen != item) {
                latest.push((item, place));
            }
        }
        let mut similar: FxHashMap<u32, (f64, usize)> = FxHashMap::default();
        for &(item, place) in &latest {
            let weight = (items.len() - place + 1) as f64 / latest.len() as f64;
            for &visit in self.postings.row(item as usize) {
                similar.entry(visit).or_insert((0.0, place)).0 += weight;
            }
        }
        let mut nearest: Vec<(u32, f64, usize)> =
            similar.into_iter().map(|(visit, (weight, place))| (visit, weight, place)).collect();
        nearest.sort_unstable_by_key(|&(visit, _, _)| visit);
        nearest.truncate(self.recent);
        nearest.sort_by(|a, b| b.1.total_cmp(&a.1)); // stable: the newer of equals stays ahead
        nearest.truncate(self.neighbours);
        for (visit, similarity, place) in nearest {
            let weight = similarity * (1.0 - 0.1 * place as f64).max(0.0);
            for &item in self.rows.row(visit as usize) {
                row[item as usize] += weight as f32;
            }
        }
        row.iter_mut().zip(&self.rarity).for_each(|(cell, rarity)| *cell *= rarity);
        row[last as usize] = 0.0;
    }
}
