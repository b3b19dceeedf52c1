//! Items by the items they are bought with.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use rayon::prelude::*;

use super::training::Training;
use super::{Asked, Score};
use crate::lists::Lists;

/// Counted when asked: all pairs of a supermarket would not fit.
pub(super) struct Confidence<'a> {
    training: &'a Training,
    rows: Lists<u32>,
    postings: Lists<u32>,
    support: u32,
}

impl<'a> Confidence<'a> {
    pub(super) fn new(training: &'a Training, support: u32) -> Self {
        let rows = training.rows(false);
        let postings = training.postings(&rows);
        Self { training, rows, postings, support }
    }
}

impl Score for Confidence<'_> {
    fn score(&self, asked: &Asked, row: &mut [f32]) {
        let mut together = vec![0u32; self.training.items.len()];
        for &item in &distinct(&asked.items) {
            let baskets = self.postings.row(item as usize);
            let mut touched = Vec::new();
            for &other in baskets.iter().flat_map(|&basket| self.rows.row(basket as usize)) {
                if together[other as usize] == 0 {
                    touched.push(other);
                }
                together[other as usize] += 1;
            }
            for other in touched {
                let count = std::mem::take(&mut together[other as usize]);
                if count >= self.support && other != item {
                    row[other as usize] += count as f32 / baskets.len() as f32;
                }
            }
        }
    }
}

/// The most similar items of each item, itself included.
pub(super) struct Neighbours<'a> {
    training: &'a Training,
    of_items: Lists<(u32, f32)>,
    decay: f32,
}

impl<'a> Neighbours<'a> {
    /// Cosine of the rows that hold both: n_ab ÷ √(n_a n_b).
    pub(super) fn cosine(
        training: &'a Training,
        by_customer: bool,
        keep: usize,
        decay: f32,
    ) -> Self {
        let rows = training.rows(by_customer);
        let postings = training.postings(&rows);
        let length: Vec<f64> =
            postings.rows().map(|rows| 1.0 / (rows.len().max(1) as f64).sqrt()).collect();
        let weight = |_: usize, item: u32| length[item as usize];
        Self { training, of_items: most_similar(&rows, &postings, &weight, keep), decay }
    }

    /// Dot product of weights (k1 + 1) ÷ (k1 (1 − b + b n_a ÷ mean n) + 1) · ln(items ÷ (1 + row's items)).
    pub(super) fn bm25(
        training: &'a Training,
        by_customer: bool,
        keep: usize,
        k1: f64,
        b: f64,
    ) -> Self {
        let rows = training.rows(by_customer);
        let postings = training.postings(&rows);
        let items = training.items.len().max(1) as f64;
        let mean = (rows.entries().len() as f64 / items).max(f64::MIN_POSITIVE);
        let saturation: Vec<f64> = postings
            .rows()
            .map(|rows| (k1 + 1.0) / (k1 * (1.0 - b + b * rows.len() as f64 / mean) + 1.0))
            .collect();
        let rarity: Vec<f64> =
            rows.rows().map(|row| items.ln() - (row.len() as f64).ln_1p()).collect();
        let weight = |row: usize, item: u32| saturation[item as usize] * rarity[row];
        Self { training, of_items: most_similar(&rows, &postings, &weight, keep), decay: 1.0 }
    }
}

impl Score for Neighbours<'_> {
    fn score(&self, asked: &Asked, row: &mut [f32]) {
        let mut add = |item: u32, weight: f32| {
            for &(other, similarity) in self.of_items.row(item as usize) {
                row[other as usize] += weight * similarity;
            }
        };
        if asked.by_customer {
            let Some(customer) = asked.customer else { return };
            self.training.bought_by(customer).into_iter().for_each(|item| add(item, 1.0));
            return;
        }
        // An item counts once, at its latest.
        let mut weighted: Vec<(u32, f32)> = Vec::new();
        for (steps, &item) in asked.items.iter().rev().enumerate() {
            if weighted.iter().all(|&(seen, _)| seen != item) {
                weighted.push((item, self.decay.powi(steps as i32)));
            }
        }
        weighted.sort_unstable_by_key(|&(item, _)| item);
        weighted.into_iter().for_each(|(item, weight)| add(item, weight));
    }
}

fn distinct(items: &[u32]) -> Vec<u32> {
    let mut items = items.to_vec();
    items.sort_unstable();
    items.dedup();
    items
}

/// A neighbour in the making; the least of them goes first.
#[derive(Clone, Copy, PartialEq)]
struct Kept {
    similarity: f64,
    item: u32,
}

impl Eq for Kept {}

impl Ord for Kept {
    fn cmp(&self, other: &Self) -> Ordering {
        self.similarity.total_cmp(&other.similarity).then(self.item.cmp(&other.item))
    }
}

impl PartialOrd for Kept {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// For each item the `keep` items with the largest Σ over shared rows of both weights, itself included;
/// ties at the end of the list go as in `implicit`: to whoever comes first from the back of the rows.
fn most_similar(
    rows: &Lists<u32>,
    postings: &Lists<u32>,
    weight: &(impl Fn(usize, u32) -> f64 + Sync),
    keep: usize,
) -> Lists<(u32, f32)> {
    let items = postings.len();
    let start = || (vec![0.0f64; items], vec![false; items], Vec::<u32>::new());
    let neighbours: Vec<Vec<(u32, f32)>> = (0..items)
        .into_par_iter()
        .map_init(start, |(sums, is_touched, touched), item| {
            for &row in postings.row(item) {
                let own = weight(row as usize, item as u32);
                for &other in rows.row(row as usize) {
                    if !std::mem::replace(&mut is_touched[other as usize], true) {
                        touched.push(other);
                    }
                    sums[other as usize] += own * weight(row as usize, other);
                }
            }
            let mut best: BinaryHeap<Reverse<Kept>> = BinaryHeap::with_capacity(keep + 1);
            for other in touched.drain(..).rev() {
                is_touched[other as usize] = false;
                let similarity = std::mem::take(&mut sums[other as usize]);
                let is_full = best.len() >= keep;
                if is_full && best.peek().is_none_or(|least| similarity <= least.0.similarity) {
                    continue;
                }
                if is_full {
                    best.pop();
                }
                best.push(Reverse(Kept { similarity, item: other }));
            }
            let mut best: Vec<(u32, f32)> =
                best.into_iter().map(|Reverse(kept)| (kept.item, kept.similarity as f32)).collect();
            best.sort_unstable_by_key(|&(item, _)| item);
            best
        })
        .collect();
    neighbours.into_iter().collect()
}
