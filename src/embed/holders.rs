//! What a whole past pulls: EASE asked with all that somebody holds at once.
//!
//! The pulls that are kept per item are its strongest only, and none below 0. Where somebody holds
//! hundreds of items, what speaks against an item counts too, and so do many weak voices.

use rayon::prelude::*;

use super::Pull;
use super::ease::{Ease, best, diagonal, whole_rows};
use crate::ids::ItemId;

/// P in whole rows, for asking with many sets of items.
#[derive(Debug)]
pub struct Holders {
    pub(super) head: Vec<u32>,
    pub(super) rank: Vec<u32>, // by item; u32::MAX beyond the head
    pub(super) rows: Vec<f32>, // a row of `width` for each of the head
    pub(super) width: usize,
    diagonal: Vec<f32>,
}

/// How much all that somebody holds speaks for an item.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sum {
    /// What is spoken for.
    pub item: ItemId,
    /// Σ x_i B_ij over the items i that are held, but for the item itself; > 0.
    pub weight: f32,
    /// The item held that speaks for it most.
    pub by: ItemId,
}

impl From<&Ease> for Holders {
    fn from(ease: &Ease) -> Self {
        let Ease { head, inverse, .. } = ease;
        let mut rank = vec![u32::MAX; ease.items];
        let Some(inverse) = inverse.as_ref().filter(|_| !head.is_empty()) else {
            let (head, rows, diagonal) = Default::default();
            return Self { head, rank, rows, width: 0, diagonal };
        };
        head.iter().zip(0..).for_each(|(&item, place)| rank[item as usize] = place);
        let side = inverse.side();
        let width = head.len().div_ceil(side) * side;
        let mut rows = vec![0.0; width * width];
        rows.par_chunks_exact_mut(side * width)
            .enumerate()
            .for_each(|(i, rows)| whole_rows(inverse, i, rows));
        Self { head: head.clone(), rank, rows, width, diagonal: diagonal(inverse, head.len()) }
    }
}

impl Holders {
    /// What these items, with their weights, speak for most, times how `timely` each item is (per item, > 0):
    /// at most `others` items that are not among them and at most `held` that are, each part best first,
    /// then by id.
    pub fn sums(
        &self,
        items: &[(ItemId, f32)],
        timely: &[f32],
        others: usize,
        held: usize,
    ) -> Vec<Sum> {
        let known: Vec<(usize, f32)> = items
            .iter()
            .map(|&(item, x)| (self.rank[item.index()], x))
            .filter(|(rank, _)| *rank != u32::MAX)
            .map(|(rank, x)| (rank as usize, x))
            .collect();
        let mut sums = vec![0.0f32; self.head.len()];
        for &(rank, x) in &known {
            let row = &self.rows[rank * self.width..];
            sums.iter_mut().zip(row).for_each(|(sum, p)| *sum -= x * p);
        }
        let mut holds = vec![false; self.head.len()];
        for &(rank, x) in &known {
            holds[rank] = true;
            sums[rank] += x * self.diagonal[rank];
        }
        sums.iter_mut().zip(&self.diagonal).for_each(|(sum, own)| *sum /= own);
        let worth = |rank: usize| {
            let item = self.head[rank] as usize;
            Pull { item: ItemId::new(item), weight: sums[rank] * timely[item] }
        };
        let best_of = |held: bool, limit: usize| {
            best((0..sums.len()).filter(|&rank| holds[rank] == held).map(worth), limit)
        };
        let sum = |Pull { item, .. }: Pull| {
            let rank = self.rank[item.index()] as usize;
            Some(Sum { item, weight: sums[rank], by: self.loudest(&known, rank)? })
        };
        let best = best_of(false, others).into_iter().chain(best_of(true, held));
        best.filter_map(sum).collect()
    }

    /// Which of the items that are held speaks most for the one of this rank; none where nothing but the
    /// rounding of sums did.
    fn loudest(&self, known: &[(usize, f32)], rank: usize) -> Option<ItemId> {
        // P is symmetric: this way round only rows are read that were read for the sums a moment ago.
        let voice = |by: usize, x: f32| -x * self.rows[by * self.width + rank];
        let voices = known.iter().filter(|(by, _)| *by != rank).map(|&(by, x)| (voice(by, x), by));
        let loudest = voices.max_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1)));
        let (_, by) = loudest.filter(|(voice, _)| *voice > 0.0)?;
        Some(ItemId::new(self.head[by] as usize))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{EaseOptions, Interactions};
    use super::*;
    use crate::lists::Lists;

    fn ease(rows: &[&[usize]], items: usize) -> Ease {
        let lists: Lists<ItemId> =
            rows.iter().map(|row| row.iter().map(|&i| ItemId::new(i))).collect();
        let options = EaseOptions { regularization: 1.0, ..EaseOptions::default() };
        Ease::in_tiles(&Interactions::of_sets(&lists, items, 0.0), &options, 2)
    }

    const ROWS: [&[usize]; 6] = [&[0, 1, 2], &[0, 1], &[1, 2, 3], &[3, 4], &[0, 4], &[2, 3, 4]];

    #[test]
    fn one_item_says_what_its_pulls_say() {
        let ease = ease(&ROWS, 6);
        let pulls = ease.pulls(10);
        let holders = Holders::from(&ease);
        for item in 0..6 {
            let sums = holders.sums(&[(ItemId::new(item), 1.0)], &[1.0; 6], 10, 10);
            let said: Vec<_> = sums.iter().map(|sum| (sum.item, sum.weight)).collect();
            let kept: Vec<_> = pulls.row(item).iter().map(|p| (p.item, p.weight)).collect();
            assert_eq!(said, kept);
            assert!(sums.iter().all(|sum| sum.by == ItemId::new(item)));
        }
    }

    #[test]
    fn voices_add_up_those_against_too_and_the_loudest_is_named() {
        let ease = ease(&ROWS, 6);
        let holders = Holders::from(&ease);
        let alone = |item: usize, target: usize| {
            let row = &holders.rows[holders.rank[item] as usize * holders.width..];
            let target = holders.rank[target] as usize;
            -row[target] / holders.diagonal[target]
        };
        let held = [(ItemId::new(1), 1.0), (ItemId::new(2), 2.0)];
        let sums = holders.sums(&held, &[1.0; 6], 10, 10);
        for target in 0..5 {
            let voice =
                |item: usize, x: f32| if item == target { 0.0 } else { x * alone(item, target) };
            let (one, two) = (voice(1, 1.0), voice(2, 2.0));
            match sums.iter().find(|sum| sum.item.index() == target) {
                Some(sum) => {
                    assert!((sum.weight - one - two).abs() < 1e-5, "{sum:?}");
                    assert_eq!(sum.by.index() == 2, two > one, "{sum:?}");
                }
                None => assert!(one + two < 1e-5, "nothing is said of {target}"),
            }
        }
        let is_held = |sum: &Sum| [1, 2].contains(&sum.item.index());
        assert!(sums.iter().any(is_held) && !sums.iter().all(is_held));
        assert!(holders.sums(&held, &[1.0; 6], 10, 0).iter().all(|sum| !is_held(sum)));
        assert!(holders.sums(&held, &[1.0; 6], 0, 10).iter().all(is_held));
    }

    #[test]
    fn nothing_is_said_where_nothing_was_learnt() {
        let holders = Holders::from(&ease(&[], 3));
        assert!(holders.sums(&[(ItemId::new(1), 1.0)], &[1.0; 3], 5, 5).is_empty());
    }
}
