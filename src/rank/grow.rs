//! One tree: split the leaf that gains most, until the leaves are used up or nothing gains.

use super::bins::{Bins, UNKNOWN};
use super::histogram::{Histogram, Packed, Rounded, Sums, add, without};
use super::options::RankOptions;

/// Corrections stay within this, however sure a leaf is.
const FURTHEST: f64 = 100.0;

/// A tree, nodes in the order root, left side, right side; leaves from left to right.
pub(super) struct Tree {
    pub(super) nodes: Vec<Node>,
    pub(super) leaves: Vec<f32>, // nodes + 1
}

/// A question that sends a row to one of two sides.
#[derive(Clone, Copy)]
pub(super) struct Node {
    pub(super) split: Split,
    pub(super) left: i8, // a node of the tree, or !leaf
    pub(super) right: i8,
    /// A bit for each leaf on the left: where a row goes right, it ends in none of these.
    lefts: u16,
}

/// Rows with a bin up to `bin` go left; unknown ones where they did better.
#[derive(Clone, Copy)]
pub(super) struct Split {
    pub(super) column: usize,
    pub(super) bin: u8,
    pub(super) unknown_left: bool,
    pub(super) gain: f64,
}

impl Split {
    fn goes_left(&self, bin: u8) -> bool {
        if bin == UNKNOWN { self.unknown_left } else { bin <= self.bin }
    }
}

/// Rows whose leaves are found together.
const BLOCK: usize = 64;

impl Tree {
    /// Adds what the tree says to the scores of the rows from `first` on. As where a forest scores, every node is asked of
    /// every row, and no branch waits for an answer.
    pub(super) fn add_to(&self, scores: &mut [f32], bins: &Bins, first: usize) {
        for (scores, first) in scores.chunks_mut(BLOCK).zip((first..).step_by(BLOCK)) {
            let mut stand = [u16::MAX; BLOCK];
            for Node { split, lefts, .. } in &self.nodes {
                let column = &bins.column(split.column)[first..][..scores.len()];
                // What is unknown, the least, becomes the greatest where it goes right.
                let least = u8::from(!split.unknown_left);
                let (most, rights) = (split.bin - least, !lefts);
                for (stand, &bin) in stand.iter_mut().zip(column) {
                    let goes_left = u16::from(bin.wrapping_sub(least) <= most);
                    *stand &= rights | goes_left.wrapping_neg();
                }
            }
            for (score, stand) in scores.iter_mut().zip(stand) {
                *score += self.leaves[stand.trailing_zeros() as usize];
            }
        }
    }
}

/// A leaf while the tree grows.
struct Leaf {
    rows: Vec<u32>,
    sum: Packed,
    histogram: Histogram, // of the tree's columns
    best: Option<Split>,
}

/// The rows that go left, and the others, each in their order; without a branch that could be guessed wrong.
fn parted(mut rows: Vec<u32>, goes_left: impl Fn(u32) -> bool) -> (Vec<u32>, Vec<u32>) {
    let mut others = vec![0; rows.len()];
    let (mut left, mut right) = (0, 0);
    for at in 0..rows.len() {
        let row = rows[at];
        let goes_left = goes_left(row);
        rows[left] = row; // at or before what has been read
        others[right] = row;
        left += usize::from(goes_left);
        right += usize::from(!goes_left);
    }
    rows.truncate(left);
    others.truncate(right);
    (rows, others)
}

/// Where a leaf hangs, or what it became.
enum Grown {
    Leaf(usize),
    Node(Split, Box<[Grown; 2]>),
}

/// A tree over `rows` that looks only at `columns`.
///
/// With it come its leaves, each with its rows and what it adds to their scores.
///
/// Best first: of all leaves, the one whose split gains most is split next (`LightGBM`'s leaf-wise growth).
/// Only the smaller side of a split is counted; the other is the parent without it.
pub(super) fn grow(
    bins: &Bins,
    rounded: &Rounded,
    rows: Vec<u32>,
    columns: &[usize],
    options: &RankOptions,
) -> (Tree, Vec<(Vec<u32>, f32)>) {
    let grower = Grower { bins, rounded, columns, options };
    let mut leaves = vec![grower.root(rows)];
    let mut root = Grown::Leaf(0);
    while leaves.len() < options.leaves {
        let best = |leaf: &Leaf| leaf.best.map_or(0.0, |split| split.gain);
        let (at, _) = leaves.iter().enumerate().rev().fold((0, 0.0), |most, (at, leaf)| {
            if best(leaf) >= most.1 { (at, best(leaf)) } else { most }
        });
        let Some(split) = leaves[at].best else { break };
        root.replace(at, &split, leaves.len());
        let (left, right) = grower.split(leaves.swap_remove(at), &split);
        leaves.push(left);
        let last = leaves.len() - 1;
        leaves.swap(at, last);
        leaves.push(right);
    }
    let values: Vec<f32> = leaves.iter().map(|leaf| grower.value(leaf)).collect();
    let mut tree = Tree { nodes: Vec::new(), leaves: Vec::new() };
    root.lay_out(&mut tree, &values);
    (tree, leaves.into_iter().map(|leaf| leaf.rows).zip(values).collect())
}

impl Grown {
    /// The leaf `old` becomes a node over `old` and `new`; whether it was found here.
    fn replace(&mut self, old: usize, split: &Split, new: usize) -> bool {
        match self {
            Self::Leaf(leaf) if *leaf == old => {
                *self = Self::Node(*split, Box::new([Self::Leaf(old), Self::Leaf(new)]));
                true
            }
            Self::Leaf(_) => false,
            Self::Node(_, sides) => sides.iter_mut().any(|side| side.replace(old, split, new)),
        }
    }

    /// Appends this part to the tree; its place as a child.
    fn lay_out(&self, tree: &mut Tree, values: &[f32]) -> i8 {
        match self {
            Self::Leaf(leaf) => {
                tree.leaves.push(values[*leaf]);
                !i8::try_from(tree.leaves.len() - 1).expect("at most MAX_LEAVES")
            }
            Self::Node(split, sides) => {
                let (node, first) = (tree.nodes.len(), tree.leaves.len());
                tree.nodes.push(Node { split: *split, left: 0, right: 0, lefts: 0 });
                tree.nodes[node].left = sides[0].lay_out(tree, values);
                tree.nodes[node].lefts = (first..tree.leaves.len()).map(|leaf| 1 << leaf).sum();
                tree.nodes[node].right = sides[1].lay_out(tree, values);
                i8::try_from(node).expect("at most 15 nodes")
            }
        }
    }
}

struct Grower<'a> {
    bins: &'a Bins,
    rounded: &'a Rounded,
    columns: &'a [usize],
    options: &'a RankOptions,
}

impl Grower<'_> {
    fn root(&self, rows: Vec<u32>) -> Leaf {
        let histogram = self.rounded.count(self.bins, self.columns, &rows);
        self.leaf(rows, histogram)
    }

    fn leaf(&self, rows: Vec<u32>, histogram: Histogram) -> Leaf {
        let mut sum = [0; 2];
        // Each column holds all rows.
        if !self.columns.is_empty() {
            histogram.of(0).iter().for_each(|&bin| add(&mut sum, bin));
        }
        let mut leaf = Leaf { rows, sum, histogram, best: None };
        leaf.best = self.best(&leaf);
        leaf
    }

    /// The leaf becomes its left side; the right one is returned.
    fn split(&self, leaf: Leaf, split: &Split) -> (Leaf, Leaf) {
        let column = self.bins.column(split.column);
        let goes_left = |row: u32| split.goes_left(column[row as usize]);
        let (left, right) = parted(leaf.rows, goes_left);
        let smaller = if left.len() <= right.len() { &left } else { &right };
        let counted = self.rounded.count(self.bins, self.columns, smaller);
        let rest = leaf.histogram.without(&counted);
        let (of_left, of_right) =
            if left.len() <= right.len() { (counted, rest) } else { (rest, counted) };
        (self.leaf(left, of_left), self.leaf(right, of_right))
    }

    /// −slope / (hessian + l2), times the learning rate: the step that makes the loss least, were it a
    /// parabola. Source: Chen & Guestrin 2016, eq. 5.
    fn value(&self, leaf: &Leaf) -> f32 {
        let sums = self.rounded.unpack(leaf.sum);
        let least = sums.hessian + self.options.l2;
        let step = if least > 0.0 { -sums.slope / least } else { 0.0 };
        (step.clamp(-FURTHEST, FURTHEST) * self.options.learning_rate) as f32
    }

    /// The split of a leaf that gains most; of equals the first column's, then the lowest bin's.
    fn best(&self, leaf: &Leaf) -> Option<Split> {
        if leaf.rows.len() < 2 * self.options.min_rows {
            return None;
        }
        let each = self.columns.iter().enumerate();
        let each = each
            .filter_map(|(nth, &column)| self.best_of(leaf.sum, column, leaf.histogram.of(nth)));
        each.reduce(|best, next| if next.gain > best.gain { next } else { best })
    }

    fn best_of(&self, whole: Packed, column: usize, histogram: &[Packed]) -> Option<Split> {
        let unknown = histogram[usize::from(UNKNOWN)];
        let some_unknown = self.rounded.unpack(unknown).rows > 0;
        let mut best: Option<Split> = None;
        let mut known = [0; 2];
        let mut consider = |left: Packed, bin: usize, unknown_left: Option<bool>| {
            let (left, right) =
                (self.rounded.unpack(left), self.rounded.unpack(without(whole, left)));
            let gain = self.gain(left, right);
            if gain > best.map_or(0.0, |best| best.gain) {
                // With nothing unknown to learn from, it goes with the many.
                let unknown_left = unknown_left.unwrap_or(left.rows >= right.rows);
                let bin = u8::try_from(bin).expect("bins are below 256");
                best = Some(Split { column, bin, unknown_left, gain });
            }
        };
        let bins = self.bins.count(column);
        for (bin, &sum) in histogram.iter().enumerate().take(bins).skip(1) {
            if sum[1] == 0 && bin + 1 < bins {
                continue; // no rows: the same as the split before
            }
            add(&mut known, sum);
            if some_unknown {
                let mut with = known;
                add(&mut with, unknown);
                consider(known, bin, Some(false));
                consider(with, bin, Some(true));
            } else {
                consider(known, bin, None);
            }
        }
        best
    }

    /// S(left) + S(right) − S(both) with S = slope² / (hessian + l2): twice what the loss falls by. 0 where
    /// a side is too small. Source: Chen & Guestrin 2016, eq. 7.
    fn gain(&self, left: Sums, right: Sums) -> f64 {
        let enough = |side: Sums| {
            side.rows >= self.options.min_rows as u64 && side.hessian >= self.options.min_hessian
        };
        if !enough(left) || !enough(right) {
            return 0.0;
        }
        let score = |slope: f64, hessian: f64| slope * slope / (hessian + self.options.l2);
        score(left.slope, left.hessian) + score(right.slope, right.hessian)
            - score(left.slope + right.slope, left.hessian + right.hessian)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::gradients::Gradient;
    use super::super::sheet::Sheet;
    use super::*;

    proptest! {
        #[test]
        fn what_a_tree_adds_is_what_it_grew(
            values in prop::collection::vec(prop::option::weighted(0.8, 0u8..30), 300),
            slopes in prop::collection::vec(-1.0f32..1.0, 100),
            first in 0usize..100,
        ) {
            let features: Vec<f32> =
                values.iter().map(|value| value.map_or(f32::NAN, f32::from)).collect();
            let sheet = Sheet::from_parts(3, features, vec![0, 100], vec![0.0; 100], None).unwrap();
            let bins = Bins::new(&sheet, 12);
            let rows: Vec<u32> = (0..100).collect();
            let gradients: Vec<Gradient> =
                slopes.iter().map(|&slope| Gradient { slope, hessian: 0.2 }).collect();
            let rounded = Rounded::new(&gradients, &rows);
            let options = RankOptions { min_rows: 2, ..RankOptions::default() };
            let (tree, leaves) = grow(&bins, &rounded, rows, &[0, 1, 2], &options);
            let mut grown = vec![0.0; 100];
            for (rows, value) in leaves {
                rows.into_iter().for_each(|row| grown[row as usize] = value);
            }
            let mut added = vec![0.0; 100 - first];
            tree.add_to(&mut added, &bins, first);
            prop_assert_eq!(added, &grown[first..]);
        }

        #[test]
        fn rows_are_parted_as_by_partition(rows in prop::collection::vec(0u32..50, 0..40)) {
            let goes_left = |row: u32| row.is_multiple_of(3);
            let plain = rows.iter().partition(|row| goes_left(**row));
            prop_assert_eq!(parted(rows, goes_left), plain);
        }
    }
}
