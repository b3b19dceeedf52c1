//! A dense accumulator for one source item, and how a vote and its weight share one integer.

use crate::ids::ItemId;

/// Lays a count and a fixed-point weight into one `u64`, so that one addition counts both.
///
/// The count takes the low bits that N needs; the weight takes the rest, with as many binary places
/// as leave room for the weight of all groups together: no sum can overflow.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packing {
    count_bits: u32,
    weight_places: u32,
}

impl Packing {
    /// For `groups` votes (below 2^31) that weigh `total_weight` together.
    pub(super) fn new(groups: u32, total_weight: f64) -> Self {
        assert!(groups < 1 << 31, "more than 2^31 groups: count them in parts");
        let count_bits = u32::BITS - groups.leading_zeros();
        // One bit more than the total needs, for rounding up.
        let whole_bits = (total_weight + 1.0).log2().ceil() as u32 + 1;
        let weight_places = (u64::BITS - count_bits).saturating_sub(whole_bits).min(24);
        Self { count_bits, weight_places }
    }

    /// One vote of this weight; a weight is never rounded to nothing.
    pub(super) fn vote(self, weight: f64) -> u64 {
        let fixed = (weight * (1u64 << self.weight_places) as f64).round().max(1.0) as u64;
        (fixed << self.count_bits) | 1
    }

    #[inline]
    pub(super) fn count(self, cell: u64) -> u32 {
        (cell & ((1 << self.count_bits) - 1)) as u32
    }

    #[inline]
    pub(super) fn weight(self, cell: u64) -> f64 {
        (cell >> self.count_bits) as f64 / (1u64 << self.weight_places) as f64
    }
}

/// What was counted so far beside one source item.
pub(super) struct Row {
    cells: Vec<u64>,
    touched: Vec<ItemId>,
    touched_len: usize,
    votes: Vec<u32>,
    voted: Vec<ItemId>,
}

impl Row {
    pub(super) fn new(items: usize) -> Self {
        Self {
            cells: vec![0; items],
            touched: vec![ItemId::new(0); items + 1],
            touched_len: 0,
            votes: Vec::new(),
            voted: Vec::new(),
        }
    }

    /// Counts one vote for `item`.
    #[inline]
    pub(super) fn add(&mut self, item: ItemId, vote: u64) {
        let cell = &mut self.cells[item.index()];
        // Written always and kept only if new: a branch here would be mispredicted half the time.
        self.touched[self.touched_len] = item;
        self.touched_len += usize::from(*cell == 0);
        *cell += vote;
    }

    /// Counts one vote for `item`, unless the current voter has spent all `limit` of theirs on it.
    pub(super) fn add_limited(&mut self, item: ItemId, vote: u64, limit: u32) {
        if self.votes.is_empty() {
            self.votes = vec![0; self.cells.len()];
        }
        let votes = &mut self.votes[item.index()];
        if *votes == limit {
            return;
        }
        if *votes == 0 {
            self.voted.push(item);
        }
        *votes += 1;
        self.add(item, vote);
    }

    /// Gives the next voter all their votes.
    pub(super) fn next_voter(&mut self) {
        for item in self.voted.drain(..) {
            self.votes[item.index()] = 0;
        }
    }

    /// Hands over every counted item with its cell and clears the row.
    #[inline]
    pub(super) fn drain(&mut self, mut with: impl FnMut(ItemId, u64)) {
        for &item in &self.touched[..self.touched_len] {
            with(item, std::mem::take(&mut self.cells[item.index()]));
        }
        self.touched_len = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_holds_the_votes_of_all_groups_without_overflow() {
        for (groups, weight) in [(1u32, 1.0), (1000, 0.3), ((1 << 31) - 1, 1.0), (1 << 20, 1e-5)] {
            let packing = Packing::new(groups, f64::from(groups) * weight);
            let all = packing.vote(weight).checked_mul(u64::from(groups)).expect("no overflow");
            assert_eq!(packing.count(all), groups);
            assert!((packing.weight(all) / (f64::from(groups) * weight) - 1.0).abs() < 0.05);
        }
    }
}
