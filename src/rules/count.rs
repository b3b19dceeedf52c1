//! Counting pairs: an inverted index, and for each source item one pass over the groups it is in.
//!
//! A row of counts lives only while its item is looked at, so memory does not grow with the number
//! of pairs. Measured beside it: sorting packed pairs (4× the memory), a hash map of pairs (10×).

use std::sync::Mutex;

use rayon::prelude::*;

use super::gate::Histogram;
use super::groups::Groups;
use super::measures::{margin, x_ln_x};
use super::row::{Packing, Row};
use super::{Rule, RuleOptions, Rules};
use crate::ids::ItemId;
use crate::lists::Lists;

const ITEMS_PER_TASK: usize = 64;

/// Counts the groups and gives every item its rules.
///
/// `item_count` is how many items the shop has: [`Rules::lists`] has a row for each.
pub fn count(groups: &Groups, item_count: usize, options: &RuleOptions) -> Rules {
    GroupIndex::new(groups, item_count, options.max_group_items).rules(options)
}

/// Groups made ready to be counted, more than once: scores with other options cost one counting pass.
pub struct GroupIndex<'a> {
    groups: &'a Groups,
    /// Per item, the groups it is in: a voter's side by side, smallest (heaviest) first.
    postings: Lists<u32>,
    /// Per group, a number of its voter.
    voter: Vec<u32>,
    /// Groups of the voter who has most.
    most_of_one_voter: usize,
    /// Groups that are counted.
    counted: u32,
    left_out: u32,
}

impl<'a> GroupIndex<'a> {
    /// Inverts the groups, leaving out those of more than `max_group_items` items.
    pub fn new(groups: &'a Groups, item_count: usize, max_group_items: Option<usize>) -> Self {
        let largest = max_group_items.unwrap_or(usize::MAX);
        let mut voter = vec![0; groups.len()];
        let mut order = Vec::with_capacity(groups.len());
        let mut most_of_one_voter = 0;
        for (number, (_, rows)) in groups.by_voter().enumerate() {
            voter[rows.clone()].fill(number as u32);
            let start = order.len();
            order.extend(rows.filter(|&row| groups.items().row(row).len() <= largest));
            order[start..].sort_by_key(|&row| groups.items().row(row).len());
            most_of_one_voter = most_of_one_voter.max(order.len() - start);
        }
        let counted = u32::try_from(order.len()).expect("fewer than 2^32 groups");
        Self {
            postings: invert(groups, item_count.max(groups.item_bound()), &order),
            voter,
            most_of_one_voter,
            counted,
            left_out: (groups.len() - order.len()) as u32,
            groups,
        }
    }

    /// Counts all pairs, tests them, and keeps each item's best rules.
    ///
    /// A customer's groups beyond [`RuleOptions::votes_per_customer`] don't count: of those that hold a
    /// pair (or, for n_a and w_a, an item) only the heaviest do. So n_ab ≤ min(n_a, n_b), and
    /// n_a + n_b − n_ab ≤ N: no cell of the 2×2 table is negative.
    ///
    /// The gate is known only after all pairs are tested. It is applied to the `per_item` best of each
    /// item that are more often together than by chance, so a list can come out shorter than that.
    pub fn rules(&self, options: &RuleOptions) -> Rules {
        let pass = Pass::new(self, options);
        let scratches = Mutex::new(Vec::new());
        let items = self.postings.len();
        let tasks: Vec<(Vec<Kept>, Vec<usize>)> = (0..items.div_ceil(ITEMS_PER_TASK))
            .into_par_iter()
            .with_max_len(1)
            .map(|task| {
                let taken = scratches.lock().expect("no task panics").pop();
                let mut scratch = taken.unwrap_or_else(|| Scratch::new(items));
                let (mut kept, mut lengths) = (Vec::new(), Vec::with_capacity(ITEMS_PER_TASK));
                let first = task * ITEMS_PER_TASK;
                for source in first..(first + ITEMS_PER_TASK).min(items) {
                    pass.best_of(ItemId::new(source), &mut scratch);
                    lengths.push(scratch.best.len());
                    kept.append(&mut scratch.best);
                }
                scratches.lock().expect("no task panics").push(scratch);
                (kept, lengths)
            })
            .collect();

        let mut histogram = Histogram::new();
        let scratches = scratches.into_inner().expect("no task panics");
        scratches.iter().for_each(|scratch| histogram.merge(&scratch.histogram));
        let (gate, lowest_bin) = histogram.gate(pass.tested(), options.false_discovery_rate);
        let mut lists = Lists::with_capacity(items, tasks.iter().map(|(kept, _)| kept.len()).sum());
        for (mut kept, lengths) in tasks {
            for length in lengths {
                let best = kept.drain(..length).filter(|kept| kept.bin >= lowest_bin);
                lists.push(best.map(|kept| kept.rule));
            }
        }
        let item_groups = pass.items.iter().map(|item| item.groups).collect();
        Rules { groups: self.counted, item_groups, lists, gate, left_out_groups: self.left_out }
    }

    /// The limit on a customer's votes, if anyone has that many groups.
    fn limit(&self, options: &RuleOptions) -> Option<u32> {
        options.votes_per_customer.filter(|&limit| self.most_of_one_voter > limit as usize)
    }

    /// Calls `with` for each voter's part of `postings`.
    fn for_each_voter(&self, mut postings: &[u32], mut with: impl FnMut(&[u32])) {
        while let Some(&first) = postings.first() {
            let voter = self.voter[first as usize];
            let end = postings.iter().take_while(|&&row| self.voter[row as usize] == voter).count();
            with(&postings[..end]);
            postings = &postings[end..];
        }
    }
}

/// Per item the rows of `order` that hold it, in that order.
fn invert(groups: &Groups, item_count: usize, order: &[usize]) -> Lists<u32> {
    let mut next = vec![0usize; item_count + 1];
    for &row in order {
        groups.items().row(row).iter().for_each(|item| next[item.index() + 1] += 1);
    }
    for index in 1..next.len() {
        next[index] += next[index - 1];
    }
    let ends = next[1..].to_vec();
    let mut rows = vec![0u32; *next.last().expect("one offset more than items")];
    for &row in order {
        for item in groups.items().row(row) {
            let place = &mut next[item.index()];
            rows[*place] = row as u32;
            *place += 1;
        }
    }
    let mut start = 0;
    let mut postings = Lists::with_capacity(item_count, rows.len());
    for end in ends {
        postings.push(rows[start..end].iter().copied());
        start = end;
    }
    postings
}

/// What the counting pass knows of an item beforehand.
struct ItemTotals {
    /// n_a, clipped.
    groups: u32,
    /// h(n_a) + h(N − n_a), for the log-likelihood ratio.
    margin: f64,
    /// w_a to the power of `source`.
    as_source: f64,
    /// w_a to the power of `target`.
    as_target: f64,
}

/// A rule that may still fail the gate.
#[derive(Clone, Copy)]
struct Kept {
    rule: Rule,
    bin: u16,
}

/// What one worker needs, and reuses from item to item.
struct Scratch {
    row: Row,
    best: Vec<Kept>,
    histogram: Histogram,
}

impl Scratch {
    fn new(items: usize) -> Self {
        Self { row: Row::new(items), best: Vec::new(), histogram: Histogram::new() }
    }
}

/// One counting pass under one set of options.
struct Pass<'a> {
    index: &'a GroupIndex<'a>,
    options: &'a RuleOptions,
    packing: Packing,
    /// Per group, its vote.
    votes: Vec<u64>,
    items: Vec<ItemTotals>,
    /// x ln x of small counts.
    x_ln_x: Vec<f64>,
    whole: f64,
}

impl<'a> Pass<'a> {
    fn new(index: &'a GroupIndex<'a>, options: &'a RuleOptions) -> Self {
        let sizes = || index.groups.items().rows().map(<[ItemId]>::len);
        let weights: Vec<f64> = (0..=sizes().max().unwrap_or(0))
            .map(|size| (size.max(1) as f64).powf(-options.size.max(0.0)))
            .collect();
        let counted = index.counted;
        let packing = Packing::new(counted, sizes().map(|size| weights[size]).sum());
        let by_size: Vec<u64> = weights.iter().map(|&weight| packing.vote(weight)).collect();
        let small = u64::from(counted).min(1 << 16);
        let mut pass = Self {
            index,
            options,
            packing,
            votes: sizes().map(|size| by_size[size]).collect(),
            items: Vec::new(),
            x_ln_x: (0..=small).map(x_ln_x).collect(),
            whole: x_ln_x(counted.into()),
        };
        pass.items = (0..index.postings.len()).into_par_iter().map(|i| pass.totals(i)).collect();
        pass
    }

    fn totals(&self, item: usize) -> ItemTotals {
        let postings = self.index.postings.row(item);
        let mut cell = 0;
        match self.index.limit(self.options) {
            None => cell = postings.iter().map(|&row| self.votes[row as usize]).sum(),
            Some(limit) => self.index.for_each_voter(postings, |run| {
                let heaviest = run.iter().take(limit as usize);
                cell += heaviest.map(|&row| self.votes[row as usize]).sum::<u64>();
            }),
        }
        let (groups, weight) = (self.packing.count(cell), self.packing.weight(cell));
        ItemTotals {
            groups,
            margin: margin(groups, self.index.counted),
            as_source: weight.powf(self.options.source),
            as_target: weight.powf(self.options.target),
        }
    }

    /// Pairs of items that could have been together often enough to be a rule.
    fn tested(&self) -> u64 {
        let least = self.options.min_count.max(1);
        let items = self.items.iter().filter(|item| item.groups >= least).count() as u64;
        items * items.saturating_sub(1) / 2
    }

    /// Puts the best rules of `source` into `scratch.best`, best first, and its pairs with later items
    /// into the histogram.
    fn best_of(&self, source: ItemId, scratch: &mut Scratch) {
        self.count_row(source, &mut scratch.row);
        let Scratch { row, best, histogram } = scratch;
        let capacity = self.options.per_item;
        let a = &self.items[source.index()];
        let min_count = self.options.min_count.max(1);
        let mut floor = 0.0;
        row.drain(|item, cell| {
            let together = self.packing.count(cell);
            if together < min_count || item == source {
                return;
            }
            let b = &self.items[item.index()];
            let above_chance = u64::from(together) * u64::from(self.index.counted)
                > u64::from(a.groups) * u64::from(b.groups);
            if !above_chance {
                return;
            }
            let score = self.score(cell, a, b);
            if source < item || score >= floor {
                let bin = Histogram::bin(self.llr(together, a, b));
                if source < item {
                    histogram.add(bin);
                }
                if score >= floor && score > 0.0 {
                    best.push(Kept { rule: Rule { item, together, score }, bin });
                    if best.len() >= 4 * capacity.max(16) {
                        floor = keep_best(best, capacity);
                    }
                }
            }
        });
        keep_best(best, capacity);
        best.sort_unstable_by(best_first);
    }

    fn count_row(&self, source: ItemId, row: &mut Row) {
        let (index, items) = (self.index, self.index.groups.items());
        let postings = index.postings.row(source.index());
        let count_freely = |row: &mut Row, groups: &[u32]| {
            for &group in groups {
                let vote = self.votes[group as usize];
                items.row(group as usize).iter().for_each(|&item| row.add(item, vote));
            }
        };
        let Some(limit) = index.limit(self.options) else {
            return count_freely(row, postings);
        };
        index.for_each_voter(postings, |run| {
            if run.len() <= limit as usize {
                return count_freely(row, run);
            }
            for &group in run {
                let vote = self.votes[group as usize];
                for &item in items.row(group as usize) {
                    row.add_limited(item, vote, limit);
                }
            }
            row.next_voter();
        });
    }

    /// Damped, shrunk share of the source's weight: w_ab / (w_a^source · w_b^target + shrink).
    ///
    /// `source` 1 and `target` 0 is a weighted confidence; 0.5 and 0.5 a weighted cosine; a smaller sum
    /// keeps more of what is plainly frequent. Ranking by lift (1 and 1) prefers accidents.
    fn score(&self, cell: u64, a: &ItemTotals, b: &ItemTotals) -> f32 {
        let divisor = a.as_source * b.as_target + self.options.shrink.max(0.0);
        (self.packing.weight(cell) / divisor) as f32
    }

    /// [`super::llr`], with what is known beforehand looked up.
    fn llr(&self, together: u32, a: &ItemTotals, b: &ItemTotals) -> f64 {
        let neither = self.index.counted - (a.groups - together) - b.groups;
        let cells = self.h(together)
            + self.h(a.groups - together)
            + self.h(b.groups - together)
            + self.h(neither);
        2.0 * (cells - a.margin - b.margin + self.whole)
    }

    fn h(&self, count: u32) -> f64 {
        self.x_ln_x.get(count as usize).copied().unwrap_or_else(|| x_ln_x(count.into()))
    }
}

/// Cuts to the `capacity` best, and gives the score of the worst that is left.
fn keep_best(kept: &mut Vec<Kept>, capacity: usize) -> f32 {
    if kept.len() <= capacity {
        return 0.0;
    }
    if capacity > 0 {
        kept.select_nth_unstable_by(capacity - 1, best_first);
    }
    kept.truncate(capacity);
    kept.last().map_or(0.0, |worst| worst.rule.score)
}

fn best_first(a: &Kept, b: &Kept) -> std::cmp::Ordering {
    b.rule.score.total_cmp(&a.rule.score).then(a.rule.item.cmp(&b.rule.item))
}
