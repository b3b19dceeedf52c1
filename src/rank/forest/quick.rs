//! The same trees for scoring many rows: every node is asked of every row, and strikes out the leaves that the answer
//! rules out; the leftmost leaf that stands is where the row ends. No branch waits for an answer.
//!
//! Source: Lucchese et al. 2015, "`QuickScorer`: A Fast Algorithm to Rank Documents with Additive Ensembles of
//! Regression Trees".

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;

use super::{MAX_LEAVES, Parts, comparable};

/// Rows scored together. Their columns stay in the first cache, and four registers hold their leaves.
const BLOCK: usize = 32;

/// A number of each row of a block: no register is filled from two lines of the cache.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(align(64))]
struct Block([f32; BLOCK]);

/// The trees, laid out to be asked of a block of rows.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Quick {
    /// What some node asks, rising.
    asked: Vec<u16>,
    /// As in [`Parts`].
    nodes: Vec<Ask>,
    /// Tree t has nodes `starts[t]..starts[t + 1]`.
    starts: Vec<u32>,
    /// By tree, the first behind all others: see [`Quick::place`].
    leaves: Vec<[f32; MAX_LEAVES]>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Ask {
    threshold: f32,
    /// Leaves that fall if the value is above: those on the left.
    left: u32,
    asked: u32,
}

impl Quick {
    /// Errors: what is wrong with the shape of a tree.
    pub(super) fn new(parts: &Parts) -> Result<Self, &'static str> {
        let mut asked = parts.asks.clone();
        asked.sort_unstable();
        asked.dedup();
        let mut nodes = Vec::with_capacity(parts.asks.len());
        let mut leaves = Vec::with_capacity(parts.starts.len());
        for (tree, range) in parts.starts.windows(2).enumerate() {
            let range = range[0] as usize..range[1] as usize;
            let mut of_tree = [0.0; MAX_LEAVES];
            for (leaf, &value) in
                parts.values[range.start + tree..=range.end + tree].iter().enumerate()
            {
                of_tree[Self::place(leaf)] = value;
            }
            leaves.push(of_tree);
            let (left, right) = (&parts.left[range.clone()], &parts.right[range.clone()]);
            let lefts = lefts(left, right).ok_or("a tree whose children aren't in order")?;
            for (at, left) in range.zip(lefts) {
                let place = asked.partition_point(|&ask| ask < parts.asks[at]);
                let asked = u32::try_from(place).expect("asks are 16 bits");
                nodes.push(Ask { threshold: parts.thresholds[at], left, asked });
            }
        }
        Ok(Self { asked, nodes, starts: parts.starts.clone(), leaves })
    }

    /// Where a leaf stands among its tree's.
    fn place(leaf: usize) -> usize {
        (leaf + MAX_LEAVES - 1) % MAX_LEAVES
    }

    /// Adds to the score of each row, of `columns` features, what the trees say, one after the other.
    pub(super) fn add_to(&self, scores: &mut [f32], rows: &[f32], columns: usize) {
        let mut block = Vec::with_capacity(self.asked.len());
        for (at, scores) in scores.chunks_mut(BLOCK).enumerate() {
            let rows = &rows[at * BLOCK * columns..][..scores.len() * columns];
            let asked = |&ask: &u16| {
                let column = rows.iter().skip(usize::from(ask / 2)).step_by(columns);
                let mut values = Block([0.0; BLOCK]);
                let each = values.0.iter_mut().zip(column);
                each.for_each(|(value, &told)| *value = comparable(told, ask));
                values
            };
            block.clear();
            block.extend(self.asked.iter().map(asked));
            let mut sums = Block([0.0; BLOCK]);
            sums.0[..scores.len()].copy_from_slice(scores);
            self.add_block(&block, &mut sums, scores.len());
            scores.copy_from_slice(&sums.0[..scores.len()]);
        }
    }

    /// Adds what the trees say of the first `rows`; of the others, anything.
    #[allow(
        unsafe_code,
        reason = "a third of the time; features are detected before they are used"
    )]
    fn add_block(&self, columns: &[Block], sums: &mut Block, rows: usize) {
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avx512f") {
            // SAFETY: the processor has just said that it knows AVX-512.
            return unsafe { avx512::add_block(self, columns, sums, rows) };
        } else if std::arch::is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has just said that it knows AVX2.
            return unsafe { avx2::add_block(self, columns, sums, rows) };
        }
        self.add_block_anywhere(columns, sums);
    }

    fn add_block_anywhere(&self, columns: &[Block], sums: &mut Block) {
        for (nodes, leaves) in self.trees() {
            let mut stand = [u32::MAX; BLOCK];
            for node in nodes {
                let values = &columns[node.asked as usize];
                for (stand, &value) in stand.iter_mut().zip(&values.0) {
                    let above = u32::from(value > node.threshold).wrapping_neg();
                    *stand &= !(node.left & above);
                }
            }
            for (sum, stand) in sums.0.iter_mut().zip(stand) {
                *sum += leaves[Self::place(stand.trailing_zeros() as usize)];
            }
        }
    }

    /// Nodes and leaves of each tree.
    fn trees(&self) -> impl Iterator<Item = (&[Ask], &[f32; MAX_LEAVES])> {
        let nodes = self.starts.windows(2);
        nodes.map(|range| &self.nodes[range[0] as usize..range[1] as usize]).zip(&self.leaves)
    }
}

/// For each node the leaves on its left; none if the tree isn't laid out root, left, right with each node and leaf met
/// once.
fn lefts(left: &[i8], right: &[i8]) -> Option<Vec<u32>> {
    let mut lefts = vec![0; left.len()];
    let mut next = (0, 0); // node, leaf
    let mut open: Vec<(i8, Option<(usize, u32)>)> = Vec::new();
    if !left.is_empty() {
        open.push((0, None));
    }
    while let Some((at, after_left_of)) = open.pop() {
        if let Some((parent, first_leaf)) = after_left_of {
            lefts[parent] = 1u32.checked_shl(next.1)? - 1u32.checked_shl(first_leaf)?;
        }
        match usize::try_from(at) {
            Ok(node) if node == next.0 && node < left.len() => {
                next.0 += 1;
                open.push((right[node], Some((node, next.1))));
                open.push((left[node], None));
            }
            Err(_) if u32::from((!at).cast_unsigned()) == next.1 => next.1 += 1,
            _ => return None,
        }
    }
    (next.0 == left.len()).then_some(lefts)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Trees of every number of leaves, each a chain or anything between.
    fn trees() -> Quick {
        let mut random = fastrand::Rng::with_seed(5);
        let (mut nodes, mut starts, mut leaves) = (Vec::new(), vec![0], Vec::new());
        for count in (1..=MAX_LEAVES).cycle().take(200) {
            let mut open = vec![(0, count)];
            while let Some((first, end)) = open.pop().filter(|_| count > 1) {
                let middle = random.usize(first + 1..end);
                let left = (1u32 << middle) - (1 << first);
                nodes.push(Ask { threshold: random.f32(), left, asked: random.u32(..9) });
                open.extend([(middle, end), (first, middle)].into_iter().filter(|s| s.1 - s.0 > 1));
            }
            starts.push(nodes.len() as u32);
            leaves.push(std::array::from_fn(|_| random.f32() - 0.5));
        }
        Quick { asked: (0..9).collect(), nodes, starts, leaves }
    }

    #[test]
    #[allow(unsafe_code, reason = "features are detected before they are used")]
    fn whatever_the_processor_knows_the_sums_are_the_same() {
        let mut random = fastrand::Rng::with_seed(6);
        let quick = trees();
        for rows in (1..=BLOCK).cycle().take(64) {
            let mut value = || match random.u8(..8) {
                0 => f32::INFINITY,
                1 => f32::NEG_INFINITY,
                _ => random.f32(),
            };
            let block: Vec<Block> =
                (0..9).map(|_| Block(std::array::from_fn(|_| value()))).collect();
            let first = Block(std::array::from_fn(|row| row as f32));
            let mut anywhere = first;
            quick.add_block_anywhere(&block, &mut anywhere);
            let mut here = first;
            quick.add_block(&block, &mut here, rows);
            assert_eq!(here.0[..rows], anywhere.0[..rows]);
            assert_ne!(here.0[..rows], first.0[..rows]);
            #[cfg(target_arch = "x86_64")]
            if std::arch::is_x86_feature_detected!("avx2") {
                let mut narrow = first;
                // SAFETY: the processor has just said that it knows AVX2.
                unsafe { avx2::add_block(&quick, &block, &mut narrow, rows) };
                assert_eq!(narrow.0[..rows], anywhere.0[..rows]);
            }
        }
    }
}
