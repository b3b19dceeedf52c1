//! Counting pairs, testing them, and keeping each item's best.
//!
//! A row of counts lives only while its item is looked at, so memory does not grow with the number
//! of pairs. Measured beside it: sorting packed pairs (4× the memory), a hash map of pairs (10×).

use std::sync::Mutex;

use rayon::prelude::*;

use super::gate::Histogram;
use super::groups::Groups;
use super::measures::{margin, x_ln_x};
use super::pairs::Pairs;
use super::row::{Packing, Row};
use super::shortlist::{Entry, Place, Shortlist, Shortlists};
use super::{Rule, RuleOptions, Rules};
use crate::ids::ItemId;

const RANKS_PER_TASK: usize = 64;
/// Items in so many groups have far more candidates than rules are kept.
const HEAD_GROUPS: usize = 400;

/// Counts the groups and gives every item its rules.
///
/// `item_count` is how many items the shop has: [`Rules::lists`] has a row for each.
pub fn count(groups: &Groups, item_count: usize, options: &RuleOptions) -> Rules {
    GroupIndex::new(groups, item_count, options.max_group_items).rules(options)
}

/// Groups made ready to be counted, more than once: scores with other options cost one counting pass.
pub struct GroupIndex<'a> {
    groups: &'a Groups,
    /// Postings hold a voter's groups side by side, smallest (heaviest) first.
    pairs: Pairs,
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
        Self::with_head(groups, item_count, max_group_items, HEAD_GROUPS)
    }

    fn with_head(
        groups: &'a Groups,
        item_count: usize,
        max_group_items: Option<usize>,
        head_groups: usize,
    ) -> Self {
        let largest = max_group_items.unwrap_or(usize::MAX);
        let length = |group: u32| groups.items().row(group as usize).len();
        let mut voter = vec![0; groups.len()];
        let mut order = Vec::with_capacity(groups.len());
        let mut most_of_one_voter = 0;
        for (number, (_, rows)) in groups.by_voter().enumerate() {
            voter[rows.clone()].fill(number as u32);
            let start = order.len();
            order.extend(rows.map(|row| row as u32).filter(|&group| length(group) <= largest));
            order[start..].sort_by_key(|&group| length(group));
            most_of_one_voter = most_of_one_voter.max(order.len() - start);
        }
        let counted = u32::try_from(order.len()).expect("fewer than 2^32 groups");
        Self {
            pairs: Pairs::new(groups.items(), item_count, &order, head_groups),
            voter,
            most_of_one_voter,
            counted,
            left_out: (groups.len() - order.len()) as u32,
            groups,
        }
    }

    /// Counts all pairs, tests them, and keeps each item's best rules.
    ///
    /// A customer's groups beyond [`RuleOptions::votes_per_customer`] weigh nothing: of those that hold a pair
    /// (or, for w_a, an item) only the heaviest do. They are counted all the same: n_ab, n_a, n_b and N are what
    /// reasons tell, and what is tested.
    ///
    /// The gate is known only after all pairs are tested. It is applied to the `per_item` best of each
    /// item that are more often together than by chance, so a list can come out shorter than that.
    pub fn rules(&self, options: &RuleOptions) -> Rules {
        let pass = Pass::new(self, options);
        let ranks = self.pairs.len();
        let best = Shortlists::new(ranks, options.per_item);
        let scratches = Mutex::new(Vec::new());
        (0..ranks.div_ceil(RANKS_PER_TASK)).into_par_iter().with_max_len(1).for_each(|task| {
            let taken = scratches.lock().expect("no task panics").pop();
            let mut scratch = taken.unwrap_or_else(|| Scratch::new(ranks));
            let first = task * RANKS_PER_TASK;
            for source in first..(first + RANKS_PER_TASK).min(ranks) {
                pass.offer_pairs_of(source, &mut scratch, &best);
            }
            scratches.lock().expect("no task panics").push(scratch);
        });

        let mut histogram = Histogram::new();
        let scratches = scratches.into_inner().expect("no task panics");
        scratches.iter().for_each(|scratch| histogram.merge(&scratch.histogram));
        let (gate, lowest_bin) = histogram.gate(pass.tested(), options.false_discovery_rate);
        let places = self.pairs.places();
        let item_groups = places.iter().map(|&rank| pass.totals[rank as usize].groups).collect();
        let lists = best.into_lists(&places, |kept| {
            kept.into_iter().filter(|(_, tested)| tested.bin >= lowest_bin).map(rule)
        });
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

/// What is known of a pair that may still fail the gate.
#[derive(Clone, Copy)]
struct Tested {
    together: u32,
    bin: u16,
}

fn rule((place, tested): Entry<Tested>) -> Rule {
    Rule { item: place.item(), together: tested.together, score: place.score() }
}

/// What the counting pass knows of an item beforehand.
struct ItemTotals {
    /// n_a.
    groups: u32,
    /// h(n_a) + h(N − n_a), for the log-likelihood ratio.
    margin: f64,
    /// w_a to the power of `source`.
    as_source: f64,
    /// w_a to the power of `target`.
    as_target: f64,
}

/// What one worker needs, and reuses from item to item.
struct Scratch {
    row: Row<u64>,
    own: Shortlist<Tested>,
    histogram: Histogram,
}

impl Scratch {
    fn new(ranks: usize) -> Self {
        Self { row: Row::new(ranks), own: Shortlist::new(), histogram: Histogram::new() }
    }
}

/// One counting pass under one set of options.
struct Pass<'a> {
    index: &'a GroupIndex<'a>,
    options: &'a RuleOptions,
    packing: Packing,
    /// Per group, its vote.
    votes: Vec<u64>,
    /// Per rank.
    totals: Vec<ItemTotals>,
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
            totals: Vec::new(),
            x_ln_x: (0..=small).map(x_ln_x).collect(),
            whole: x_ln_x(counted.into()),
        };
        pass.totals = (0..index.pairs.len()).into_par_iter().map(|r| pass.totals_of(r)).collect();
        pass
    }

    fn totals_of(&self, rank: usize) -> ItemTotals {
        let postings = self.index.pairs.groups_of(rank);
        let mut cell = 0;
        match self.index.limit(self.options) {
            None => cell = postings.iter().map(|&row| self.votes[row as usize]).sum(),
            Some(limit) => self.index.for_each_voter(postings, |run| {
                let (heaviest, others) = run.split_at(run.len().min(limit as usize));
                cell += heaviest.iter().map(|&row| self.votes[row as usize]).sum::<u64>();
                cell += others.len() as u64 * Packing::BARE;
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
        let items = self.totals.iter().filter(|item| item.groups >= least).count() as u64;
        items * items.saturating_sub(1) / 2
    }

    /// Counts the pairs of `source`, puts each pair into the histogram from the rarer of its two items,
    /// and offers them to the lists.
    fn offer_pairs_of(&self, source: usize, scratch: &mut Scratch, best: &Shortlists<Tested>) {
        let Scratch { row, own, histogram } = scratch;
        self.count_row(source, row);
        let (pairs, a) = (&self.index.pairs, &self.totals[source]);
        let min_count = self.options.min_count.max(1);
        own.begin();
        row.drain(|rank, cell| {
            let together = self.packing.count(cell);
            let b = &self.totals[rank];
            let above_chance = u64::from(together) * u64::from(self.index.counted)
                > u64::from(a.groups) * u64::from(b.groups);
            if rank == source || together < min_count || !above_chance {
                return;
            }
            let score = self.score(cell, a, b);
            let place = Place::new(score, pairs.item(rank));
            let is_wanted = score > 0.0 && own.wants(place);
            if rank > source && !is_wanted {
                return;
            }
            let tested = Tested { together, bin: Histogram::bin(self.llr(together, a, b)) };
            if rank < source {
                histogram.add(tested.bin);
            }
            if is_wanted {
                own.offer(place, tested, self.options.per_item);
            }
            if pairs.is_head(rank) {
                let score = self.score(cell, b, a);
                let place = Place::new(score, pairs.item(source));
                if score > 0.0 && best.may_want(rank, place) {
                    best.offer(rank, place, tested);
                }
            }
        });
        best.offer_all(source, own);
    }

    fn count_row(&self, source: usize, row: &mut Row<u64>) {
        let pairs = &self.index.pairs;
        let postings = pairs.groups_of(source);
        row.begin(pairs.bound(source), postings.len());
        let count_freely = |row: &mut Row<u64>, groups: &[u32]| {
            groups.iter().for_each(|&g| row.add(pairs.group(g), self.votes[g as usize]));
        };
        let Some(limit) = self.index.limit(self.options) else {
            return count_freely(row, postings);
        };
        self.index.for_each_voter(postings, |run| {
            if run.len() <= limit as usize {
                return count_freely(row, run);
            }
            for &g in run {
                row.add_limited(pairs.group(g), self.votes[g as usize], Packing::BARE, limit);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::CustomerId;

    #[test]
    fn where_the_head_ends_changes_no_rule() {
        let mut random = fastrand::Rng::with_seed(3);
        let groups = Groups::new((0..3000).map(|_| {
            let voter = random.bool().then(|| CustomerId::new(random.usize(0..40)));
            let row = (0..random.usize(1..9))
                .map(|_| ItemId::new((random.f64().powi(2) * 80.0) as usize))
                .collect();
            (voter, row)
        }));
        for votes_per_customer in [None, Some(2)] {
            let options = RuleOptions {
                votes_per_customer,
                per_item: 6,
                false_discovery_rate: 1.0,
                ..RuleOptions::default()
            };
            let with = |head| GroupIndex::with_head(&groups, 80, None, head).rules(&options);
            let (all, some, none) = (with(0), with(150), with(usize::MAX));
            assert!(all.lists.entries().len() > 100, "{:?}", all.gate);
            assert_eq!(all, some);
            assert_eq!(all, none);
        }
    }
}
