//! Candidates, as the sources propose them: one score each, and the strongest evidence for it.

use super::blend::Weights;
use crate::events::EventKind;
use crate::ids::{CategoryId, ItemId};
use crate::index::Contents;
use crate::rules::Rule;
use crate::time::Timestamp;

/// Why a source proposes an item.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Evidence {
    Bought { with: ItemId, together: u32 },
    Collected { with: ItemId, together: u32 },
    Viewed { with: ItemId, together: u32, alternative: bool },
    Next { with: ItemId, together: u32 },
    Longer { rule: u32 },
    Similar { to: ItemId, cosine: f32, alternative: bool },
    Own,
    Glanced { kind: EventKind, at: Timestamp },
    ThisVisit,
    Category { category: CategoryId, fallback: bool },
    Popular { fallback: bool },
}

#[derive(Clone, Copy)]
struct Cell {
    state: State,
    score: f32,
    strongest: f32,
    /// The seed it was last found to be bought with, and in how many orders; see
    /// [`Pool::mark_bought_with`].
    seed: u32,
    orders: u32,
    evidence: Evidence,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    Untouched,
    Candidate,
    Blocked,
}

const UNTOUCHED: Cell = Cell {
    state: State::Untouched,
    score: 0.0,
    strongest: 0.0,
    seed: u32::MAX,
    orders: 0,
    evidence: Evidence::Own,
};

/// Memory that one thread reuses for all its answers: a cell per item, and which were touched.
#[derive(Default)]
pub struct Scratch {
    cells: Vec<Cell>,
    touched: Vec<ItemId>,
}

impl std::fmt::Debug for Scratch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Scratch({} items)", self.cells.len())
    }
}

/// The candidates of one answer.
pub(super) struct Pool<'a> {
    pub(super) contents: &'a Contents,
    scratch: &'a mut Scratch,
}

impl Drop for Pool<'_> {
    fn drop(&mut self) {
        for item in self.scratch.touched.drain(..) {
            self.scratch.cells[item.index()] = UNTOUCHED;
        }
    }
}

impl<'a> Pool<'a> {
    pub(super) fn new(contents: &'a Contents, scratch: &'a mut Scratch) -> Self {
        scratch.cells.resize(contents.len(), UNTOUCHED);
        Self { contents, scratch }
    }

    /// Keeps the item out of the answer.
    pub(super) fn block(&mut self, item: ItemId) {
        let cell = &mut self.scratch.cells[item.index()];
        if cell.state == State::Untouched {
            self.scratch.touched.push(item);
        }
        cell.state = State::Blocked;
    }

    /// Adds to the item's score; the strongest addition is remembered as the evidence.
    #[inline]
    pub(super) fn add(&mut self, item: ItemId, score: f32, evidence: Evidence) {
        let cell = &mut self.scratch.cells[item.index()];
        match cell.state {
            State::Blocked => return,
            State::Candidate => {}
            State::Untouched => {
                self.scratch.touched.push(item);
                cell.state = State::Candidate;
            }
        }
        cell.score += score;
        if score > cell.strongest {
            cell.strongest = score;
            cell.evidence = evidence;
        }
    }

    /// Remembers what is bought together with seed number `seed`, so that [`Pool::orders_with`] answers
    /// at once.
    pub(super) fn mark_bought_with(&mut self, seed: u32, rules: &[Rule]) {
        for rule in rules {
            let cell = &mut self.scratch.cells[rule.item.index()];
            if cell.state == State::Untouched {
                self.scratch.touched.push(rule.item);
                cell.state = State::Candidate;
            }
            (cell.seed, cell.orders) = (seed, rule.together);
        }
    }

    /// In how many orders the item was bought with the seed that was marked last; 0 if no more often than
    /// by chance.
    pub(super) fn orders_with(&self, seed: u32, item: ItemId) -> u32 {
        let cell = &self.scratch.cells[item.index()];
        if cell.seed == seed { cell.orders } else { 0 }
    }

    /// Adds what is popular in the shop, to candidates and as new ones, enough for `limit`; then takes
    /// momentum into account.
    pub(super) fn settle(&mut self, weights: &Weights, limit: usize) {
        let trends = &self.contents.trends;
        let top = trends.ranking.first().map_or(0.0, |item| trends.share[item.index()]);
        let fallback = !self.scratch.touched.iter().any(|item| {
            let cell = &self.scratch.cells[item.index()];
            cell.state == State::Candidate && cell.score > 0.0
        });
        // Never 0: what fills up the answer still has an order.
        let scale = weights.popular.max(1e-6) / top.max(f32::MIN_POSITIVE);
        let popularity = |item: ItemId| (trends.share[item.index()] * scale).max(1e-12);
        for at in 0..self.scratch.touched.len() {
            let item = self.scratch.touched[at];
            if trends.share[item.index()] > 0.0 {
                self.add(item, popularity(item), Evidence::Popular { fallback });
            }
        }
        let mut wanted = limit;
        for &item in &trends.ranking {
            if wanted == 0 {
                break;
            }
            let state = self.scratch.cells[item.index()].state;
            let sold_out = self.contents.items[item.index()].in_stock == Some(false);
            if state == State::Untouched && !sold_out {
                self.add(item, popularity(item), Evidence::Popular { fallback });
                wanted -= 1;
            }
        }
        if weights.momentum != 0.0 {
            for item in &self.scratch.touched {
                let factor = trends.momentum[item.index()].powf(weights.momentum);
                self.scratch.cells[item.index()].score *= factor;
            }
        }
    }

    /// The best `limit` candidates, best first; ties fall to the lower id.
    pub(super) fn best(&self, limit: usize) -> Vec<(ItemId, f32)> {
        let mut ranked = self.candidates();
        cut(&mut ranked, limit);
        ranked
    }

    /// The same, but at least one in ten is of each kind, if there are any: known to the customer, and
    /// new. What is missing of a kind takes the last places.
    pub(super) fn best_of_both(
        &self,
        limit: usize,
        known: impl Fn(ItemId) -> bool,
    ) -> Vec<(ItemId, f32)> {
        let least = limit.div_ceil(10).min(limit / 2);
        let (mut old, mut new): (Vec<_>, Vec<_>) =
            self.candidates().into_iter().partition(|(item, _)| known(*item));
        cut(&mut old, limit);
        cut(&mut new, limit);
        let own_part = |list: &[(ItemId, f32)]| list.len().min(least);
        let (reserved_old, reserved_new) = (own_part(&old), own_part(&new));
        let (first_old, first_new) = (old[..reserved_old].to_vec(), new[..reserved_new].to_vec());
        let mut rest: Vec<_> = old.drain(reserved_old..).chain(new.drain(reserved_new..)).collect();
        cut(&mut rest, limit - reserved_old - reserved_new);
        let mut ranked = [first_old, first_new, rest].concat();
        cut(&mut ranked, limit);
        ranked
    }

    /// The strongest evidence for a candidate.
    pub(super) fn evidence(&self, item: ItemId) -> Evidence {
        self.scratch.cells[item.index()].evidence
    }

    fn candidates(&self) -> Vec<(ItemId, f32)> {
        let cells = &self.scratch.cells;
        let sold_out = |item: &ItemId| self.contents.items[item.index()].in_stock == Some(false);
        self.scratch
            .touched
            .iter()
            .filter(|item| cells[item.index()].state == State::Candidate)
            .filter(|item| cells[item.index()].score > 0.0 && !sold_out(item))
            .map(|&item| (item, cells[item.index()].score))
            .collect()
    }
}

/// Sorts best first and keeps `limit`.
fn cut(ranked: &mut Vec<(ItemId, f32)>, limit: usize) {
    let better = |a: &(ItemId, f32), b: &(ItemId, f32)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
    if ranked.len() > limit {
        if limit > 0 {
            ranked.select_nth_unstable_by(limit - 1, better);
        }
        ranked.truncate(limit);
    }
    ranked.sort_unstable_by(better);
}
