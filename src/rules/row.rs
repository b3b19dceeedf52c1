//! A dense accumulator for one source item, and how a vote and its weight share one integer.

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
    /// A vote that weighs nothing.
    pub(super) const BARE: u64 = 1;

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
        (fixed << self.count_bits) | Self::BARE
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

/// What is added up beside a source item.
pub(super) trait Cell: Copy + Default + PartialEq + std::ops::AddAssign {}

impl Cell for u32 {}
impl Cell for u64 {}

/// What was counted so far beside one source item, by rank.
pub(super) struct Row<T> {
    /// Only smaller ranks are counted.
    bound: usize,
    cells: Vec<T>,
    /// False if all cells below the source are gone over in the end, and none is listed.
    is_listed: bool,
    touched: Vec<u32>,
    touched_len: usize,
    votes: Vec<u32>,
    voted: Vec<u32>,
}

impl<T: Cell> Row<T> {
    /// A row that takes all ranks, until it [begins](Self::begin) with fewer.
    pub(super) fn new(ranks: usize) -> Self {
        Self {
            bound: ranks,
            cells: vec![T::default(); ranks],
            is_listed: true,
            touched: vec![0; ranks + 1],
            touched_len: 0,
            votes: Vec::new(),
            voted: Vec::new(),
        }
    }

    /// Begins a row of the ranks below `bound`, for a source that is in `groups` groups.
    ///
    /// Where they are many, going over all cells costs less than keeping a list of those that were added to.
    pub(super) fn begin(&mut self, bound: usize, groups: usize) {
        self.bound = bound;
        self.is_listed = groups * 4 < bound;
    }

    /// Counts one vote for each rank of an ascending group that is below the bound.
    #[inline]
    pub(super) fn add(&mut self, group: &[u32], vote: T) {
        let cells = &mut self.cells[..self.bound];
        if !self.is_listed {
            for &rank in group {
                let Some(cell) = cells.get_mut(rank as usize) else { return };
                *cell += vote;
            }
            return;
        }
        for &rank in group {
            let Some(cell) = cells.get_mut(rank as usize) else { return };
            // Written always and kept only if new: a branch here would be mispredicted half the time.
            self.touched[self.touched_len] = rank;
            self.touched_len += usize::from(*cell == T::default());
            *cell += vote;
        }
    }

    /// The same for a group of the current voter, who has `limit` votes for each rank, and is counted with `beyond`
    /// after these.
    pub(super) fn add_limited(&mut self, group: &[u32], vote: T, beyond: T, limit: u32) {
        self.votes.resize(self.cells.len(), 0);
        let bound = self.bound;
        for &rank in group.iter().take_while(|&&rank| (rank as usize) < bound) {
            let votes = &mut self.votes[rank as usize];
            if *votes == limit {
                self.add(&[rank], beyond);
                continue;
            }
            if *votes == 0 {
                self.voted.push(rank);
            }
            *votes += 1;
            self.add(&[rank], vote);
        }
    }

    /// Gives the next voter all their votes.
    pub(super) fn next_voter(&mut self) {
        for rank in self.voted.drain(..) {
            self.votes[rank as usize] = 0;
        }
    }

    /// Hands over every counted rank with its cell, in no order, and clears the row.
    #[inline]
    pub(super) fn drain(&mut self, mut with: impl FnMut(usize, T)) {
        if self.is_listed {
            for &rank in &self.touched[..self.touched_len] {
                with(rank as usize, std::mem::take(&mut self.cells[rank as usize]));
            }
            self.touched_len = 0;
            return;
        }
        for (rank, cell) in self.cells[..self.bound].iter_mut().enumerate() {
            let cell = std::mem::take(cell);
            if cell != T::default() {
                with(rank, cell);
            }
        }
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
