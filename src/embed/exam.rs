//! How well guessed neighbours are the true ones.

use std::collections::BTreeMap;

use super::neighbours::{Neighbour, Points, closest};
use crate::catalog::Item;
use crate::ids::ItemId;

/// So many true neighbours are looked for with so many guesses.
const LOOKED_FOR: usize = 20;

/// Some of the points, whose true neighbours among all of them are known.
pub(super) struct Exam<'a> {
    points: &'a Points,
    asked: Vec<usize>,
    truth: Vec<Vec<Neighbour>>,
}

impl<'a> Exam<'a> {
    /// About the points at the places `asked`.
    pub(super) fn new(points: &'a Points, asked: Vec<usize>) -> Self {
        let mut queries = Points::new(points.dim);
        asked.iter().for_each(|&place| queries.push(points.ids[place], points.row(place)));
        let truth = closest(&queries, points, LOOKED_FOR);
        Self { points, asked, truth }
    }

    /// How many are asked about.
    pub(super) fn len(&self) -> usize {
        self.asked.len()
    }

    /// Per point asked about the share of its true neighbours that are among the nearest to where `place` puts
    /// it, summed up; nothing is found where it is put nowhere.
    pub(super) fn found(&self, place: impl Fn(usize) -> Option<Vec<f32>>) -> f64 {
        let mut placed = Points::new(self.points.dim);
        let mut truth = Vec::new();
        for (&at, neighbours) in self.asked.iter().zip(&self.truth) {
            if let Some(vector) = place(at) {
                placed.push(self.points.ids[at], &vector);
                truth.push(neighbours);
            }
        }
        let found = closest(&placed, self.points, LOOKED_FOR);
        let guesses = found.iter().map(|list| list.iter().map(|n| n.item).collect::<Vec<_>>());
        guesses.zip(truth).map(|(guesses, truth)| share(truth, &guesses)).sum()
    }

    /// The same by guessing the most touched of each point's narrowest category.
    pub(super) fn found_in_category(&self, items: &[Item], touched: &[u32]) -> f64 {
        let mut categories: BTreeMap<&[String], Vec<ItemId>> = BTreeMap::new();
        for &id in self.points.ids.iter().filter(|id| !items[id.index()].category.is_empty()) {
            categories.entry(&items[id.index()].category).or_default().push(id);
        }
        categories.values_mut().for_each(|ids| most_touched(ids, touched));
        self.found_among(|id| categories.get(&*items[id.index()].category).map_or(&[], |ids| ids))
    }

    /// The same by guessing the most touched of all.
    pub(super) fn found_among_popular(&self, touched: &[u32]) -> f64 {
        let mut ids = self.points.ids.clone();
        most_touched(&mut ids, touched);
        self.found_among(|_| &ids)
    }

    /// What guessing blindly is expected to find.
    pub(super) fn found_blindly(&self) -> f64 {
        let others = self.points.ids.len().saturating_sub(1).max(1) as f64;
        let is_asked = self.truth.iter().filter(|truth| !truth.is_empty()).count() as f64;
        is_asked * (LOOKED_FOR as f64 / others).min(1.0)
    }

    fn found_among<'b>(&self, best: impl Fn(ItemId) -> &'b [ItemId]) -> f64 {
        let of_one = |(&at, truth): (&usize, &Vec<Neighbour>)| {
            let own = self.points.ids[at];
            let others = best(own).iter().copied().filter(|id| *id != own);
            share(truth, &others.take(LOOKED_FOR).collect::<Vec<_>>())
        };
        self.asked.iter().zip(&self.truth).map(of_one).sum()
    }
}

/// The most touched first, then by id.
fn most_touched(ids: &mut [ItemId], touched: &[u32]) {
    ids.sort_unstable_by_key(|id| (std::cmp::Reverse(touched[id.index()]), *id));
}

/// The share of the true neighbours that was guessed; 0 if there are none.
fn share(truth: &[Neighbour], guesses: &[ItemId]) -> f64 {
    let found = truth.iter().filter(|neighbour| guesses.contains(&neighbour.item)).count();
    found as f64 / truth.len().max(1) as f64
}
