//! Groups made ready for counting: items renumbered by rank, the most frequent first.
//!
//! Most of what is added up then stands in the first few thousand cells, which stay in the processor's
//! nearest cache. And a pair with an item of the *head* is counted once, from the rarer of its two items,
//! and offered to both lists: items of the head have so many candidates that hardly any is wanted, which
//! one comparison tells. Pairs of the tail are counted from either side: there, handing over would cost
//! more than counting again.
//!
//! ```text
//! source in the head: ranks below the source's     offered to both
//! source in the tail: all ranks                    offered to the other only if that is in the head
//! ```

use rayon::prelude::*;

use crate::ids::{ItemId, room_for};
use crate::lists::Lists;

/// Groups as ranks, and for each rank the groups that hold it.
pub(super) struct Pairs {
    /// Per rank its item.
    items: Vec<ItemId>,
    /// Ranks of the head.
    head: usize,
    /// Per group its ranks, ascending.
    rows: Lists<u32>,
    /// Per rank its groups, in the order that was asked for.
    postings: Lists<u32>,
}

impl Pairs {
    /// Inverts the groups (ascending and distinct) of `order`, keeping that order. The head is what is in
    /// at least `head_groups` of them. Items range to `item_count` or to the largest
    /// in any group.
    pub(super) fn new(
        groups: &Lists<ItemId>,
        item_count: usize,
        order: &[u32],
        head_groups: usize,
    ) -> Self {
        let bound = room_for(groups.rows().filter_map(|row| row.last().copied()));
        let mut counts = vec![0u32; item_count.max(bound)];
        for &group in order {
            let row = groups.row(group as usize);
            row.iter().for_each(|item| counts[item.index()] += 1);
        }
        let mut items: Vec<ItemId> = (0..counts.len()).map(ItemId::new).collect();
        items.sort_by_key(|item| std::cmp::Reverse(counts[item.index()]));
        let lengths: Vec<u32> = items.iter().map(|item| counts[item.index()]).collect();
        let head = lengths.partition_point(|&length| length as usize >= head_groups.max(1));
        let rows = ranked(groups, &places(&items));
        let postings = invert(&rows, &lengths, order);
        Self { items, head, rows, postings }
    }

    /// How many ranks there are.
    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    /// The ranks that `source` is counted with end here (and it is never counted with itself).
    pub(super) fn bound(&self, source: usize) -> usize {
        if source < self.head { source } else { self.len() }
    }

    /// True if this rank's list is offered what others count.
    #[inline]
    pub(super) fn is_head(&self, rank: usize) -> bool {
        rank < self.head
    }

    /// The item of a rank.
    pub(super) fn item(&self, rank: usize) -> ItemId {
        self.items[rank]
    }

    /// Per item its rank.
    pub(super) fn places(&self) -> Vec<u32> {
        places(&self.items)
    }

    /// The groups that hold a rank.
    pub(super) fn groups_of(&self, rank: usize) -> &[u32] {
        self.postings.row(rank)
    }

    /// The ranks of a group, ascending.
    #[inline]
    pub(super) fn group(&self, group: u32) -> &[u32] {
        self.rows.row(group as usize)
    }
}

/// Per item its rank.
fn places(items: &[ItemId]) -> Vec<u32> {
    let mut places = vec![0u32; items.len()];
    (0u32..).zip(items).for_each(|(rank, item)| places[item.index()] = rank);
    places
}

/// Per group its ranks, ascending.
fn ranked(groups: &Lists<ItemId>, ranks: &[u32]) -> Lists<u32> {
    const ROWS: usize = 1 << 14;
    let mut lists = Lists::with_capacity(groups.len(), groups.entries().len());
    let part = |first: usize| {
        let rows = first..(first + ROWS).min(groups.len());
        let mut part = Vec::new();
        for row in rows.clone() {
            let start = part.len();
            part.extend(groups.row(row).iter().map(|item| ranks[item.index()]));
            part[start..].sort_unstable();
        }
        part
    };
    // A few parts at a time, so that two copies of everything never stand beside each other.
    let firsts: Vec<usize> = (0..groups.len()).step_by(ROWS).collect();
    for some in firsts.chunks(2 * rayon::current_num_threads()) {
        let parts: Vec<Vec<u32>> = some.par_iter().map(|&first| part(first)).collect();
        for (&first, part) in some.iter().zip(&parts) {
            let mut rest = part.as_slice();
            for row in first..(first + ROWS).min(groups.len()) {
                let (own, others) = rest.split_at(groups.row(row).len());
                lists.push(own.iter().copied());
                rest = others;
            }
        }
    }
    lists
}

/// Per rank the groups of `order` that hold it, in that order; `lengths` says how many.
///
/// Each thread writes the lists of its own ranks and reads all groups: reading in a row is cheap, and
/// writing all over is not.
fn invert(rows: &Lists<u32>, lengths: &[u32], order: &[u32]) -> Lists<u32> {
    let mut offsets = vec![0u32];
    offsets.extend(lengths.iter().scan(0u32, |sum, &length| {
        *sum = sum.checked_add(length).expect("fewer than 2^32 entries");
        Some(*sum)
    }));
    let all = offsets[lengths.len()];
    let share = (all / rayon::current_num_threads() as u32).max(1);
    let mut entries = vec![0u32; all as usize];
    let mut rest = entries.as_mut_slice();
    let mut parts = Vec::new();
    let mut first = 0;
    while first < lengths.len() {
        let end = offsets.partition_point(|&at| at - offsets[first].min(at) < share);
        let end = end.clamp(first + 1, lengths.len());
        let (own, others) = rest.split_at_mut((offsets[end] - offsets[first]) as usize);
        parts.push((first..end, own));
        rest = others;
        first = end;
    }
    parts.into_par_iter().for_each(|(ranks, own)| {
        let starts = &offsets[ranks.clone()];
        let mut next: Vec<usize> = starts.iter().map(|at| (at - starts[0]) as usize).collect();
        for &group in order {
            for &rank in rows.row(group as usize) {
                if let Some(place) = next.get_mut((rank as usize).wrapping_sub(ranks.start)) {
                    own[*place] = group;
                    *place += 1;
                }
            }
        }
    });
    Lists::from_parts(offsets, entries)
}
