//! Trees as flat arrays, and scoring.

mod quick;
mod together;

use serde::{Deserialize, Serialize};

use self::quick::Quick;
use super::base::{Base, is_sound};
use super::bins::Bins;
use super::grow::Tree;
use super::options::{MAX_LEAVES, MAX_TREES};
use super::sheet::{MAX_COLUMNS, Sheet};
use crate::error::{Error, Result};

/// Leaf values are within this, so that no sum of them is infinite.
const FURTHEST: f32 = 1e30;

/// What [`fit`](super::fit) learnt: a sum of trees that scores rows, higher first.
///
/// Scores are for ordering: they are finite, and mean nothing by themselves. A forest that is deserialised
/// has been checked, so that scoring with it can't fail.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Parts", into = "Parts")]
pub struct Forest {
    parts: Parts,
    quick: Quick,
}

/// A forest as it is stored. Tree t has nodes `starts[t]..starts[t + 1]`, in the order root, left side, right
/// side, and one leaf more than nodes, numbered from left to right, from `starts[t] + t`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Parts {
    columns: u16,
    base: Option<Base>,
    starts: Vec<u32>,     // trees + 1
    asks: Vec<u16>,       // by node: 2 × column, + 1 if unknown goes right
    thresholds: Vec<f32>, // by node: left if value ≤ threshold
    left: Vec<i8>,        // by node: a node of the tree, or !leaf
    right: Vec<i8>,
    values: Vec<f32>, // by leaf
    gains: Vec<f32>,  // by column; f32, as JSON gives all of these back exactly
}

impl Forest {
    /// From trees whose splits are in `bins`.
    pub(super) fn new(sheet: &Sheet, base: Option<Base>, trees: &[Tree], bins: &Bins) -> Self {
        let columns = u16::try_from(sheet.columns()).unwrap_or(u16::MAX);
        let mut parts = Parts::empty(columns, base);
        let mut gains = vec![0.0; sheet.columns()];
        for tree in trees {
            for node in &tree.nodes {
                let split = &node.split;
                let ask = 2 * split.column + usize::from(!split.unknown_left);
                parts.asks.push(u16::try_from(ask).expect("a sheet has at most MAX_COLUMNS"));
                parts.thresholds.push(bins.edge(split.column, split.bin));
                parts.left.push(node.left);
                parts.right.push(node.right);
                gains[split.column] += split.gain;
            }
            parts.values.extend(&tree.leaves);
            parts
                .starts
                .push(u32::try_from(parts.asks.len()).expect("at most 2^16 trees of 15 nodes"));
        }
        parts.gains = gains.into_iter().map(|gain| gain.min(f64::from(f32::MAX)) as f32).collect();
        let quick = Quick::new(&parts).expect("a tree that was grown is sound");
        Self { parts, quick }
    }

    /// Whether the forest scores rows of `columns` features.
    ///
    /// Errors: it was fitted on another number of columns, and must be fitted anew. All else was checked
    /// when the forest was deserialised.
    pub fn check(&self, columns: usize) -> Result<()> {
        let own = self.columns();
        if own == columns {
            return Ok(());
        }
        Err(Error::Input(format!(
            "the ranker was fitted on {own} columns, not {columns}: train again"
        )))
    }

    /// Features of each row.
    pub fn columns(&self) -> usize {
        usize::from(self.parts.columns)
    }

    /// Trees; without any, the order is that of the base column.
    pub fn trees(&self) -> usize {
        self.parts.starts.len() - 1
    }

    /// The first `trees` of its trees: the same as if no more had been grown. What each column gained is
    /// still that of all.
    pub fn first(&self, trees: usize) -> Self {
        let mut parts = self.parts.clone();
        parts.starts.truncate(trees.min(self.trees()) + 1);
        let nodes = parts.starts.last().map_or(0, |&end| end as usize);
        parts.asks.truncate(nodes);
        parts.thresholds.truncate(nodes);
        parts.left.truncate(nodes);
        parts.right.truncate(nodes);
        parts.values.truncate(nodes + parts.starts.len() - 1);
        let quick = Quick::new(&parts).expect("part of a sound forest");
        Self { parts, quick }
    }

    /// For each column, how much all splits on it lowered the loss of what they were grown on.
    pub fn feature_gain(&self) -> Vec<f64> {
        self.parts.gains.iter().copied().map(f64::from).collect()
    }

    /// The score of one row. A feature beyond its end is unknown.
    pub fn score(&self, row: &[f32]) -> f32 {
        let value = |column: usize| row.get(column).copied().unwrap_or(f32::NAN);
        let first = self.parts.base.map_or(0.0, |base| base.score(value(usize::from(base.column))));
        (0..self.trees()).fold(first, |score, tree| score + self.parts.value(tree, value))
    }

    /// The score of each of many rows, row-major: the same as [`score`](Self::score), sooner.
    ///
    /// Panics if `rows` doesn't have [`columns`](Self::columns) features for each entry of `scores`.
    pub fn score_all(&self, rows: &[f32], scores: &mut [f32]) {
        let columns = self.columns();
        assert_eq!(rows.len(), columns * scores.len(), "rows have as many features as columns");
        if let Some(base) = self.parts.base {
            let column = rows.iter().skip(usize::from(base.column)).step_by(columns.max(1));
            scores.iter_mut().zip(column).for_each(|(score, value)| *score = base.score(*value));
        } else {
            scores.fill(0.0);
        }
        self.quick.add_to(scores, rows, columns);
    }
}

/// The value, with what is unknown so far up or down that it goes where `ask` sends it.
fn comparable(value: f32, ask: u16) -> f32 {
    if value.is_finite() {
        value
    } else if ask % 2 == 1 {
        f32::INFINITY
    } else {
        f32::NEG_INFINITY
    }
}

impl Parts {
    fn empty(columns: u16, base: Option<Base>) -> Self {
        Self {
            columns,
            base,
            starts: vec![0],
            asks: Vec::new(),
            thresholds: Vec::new(),
            left: Vec::new(),
            right: Vec::new(),
            values: Vec::new(),
            gains: Vec::new(),
        }
    }

    /// What a tree adds, by walking down from its root.
    fn value(&self, tree: usize, value: impl Fn(usize) -> f32) -> f32 {
        let (first, end) = (self.starts[tree] as usize, self.starts[tree + 1] as usize);
        let mut at = if first == end { !0 } else { 0 };
        while let Ok(node) = usize::try_from(at) {
            let node = first + node;
            let ask = self.asks[node];
            let left = comparable(value(usize::from(ask / 2)), ask) <= self.thresholds[node];
            at = if left { self.left[node] } else { self.right[node] };
        }
        self.values[first + tree + usize::from((!at).cast_unsigned())]
    }

    /// What is wrong with sizes and numbers, if anything.
    fn fault(&self) -> Option<&'static str> {
        let (nodes, trees) = (self.asks.len(), self.starts.len().wrapping_sub(1));
        let columns = usize::from(self.columns);
        let lengths = [self.thresholds.len(), self.left.len(), self.right.len()];
        let small = |pair: &[u32]| pair[0] <= pair[1] && (pair[1] - pair[0]) < MAX_LEAVES as u32;
        if trees > MAX_TREES || columns > MAX_COLUMNS {
            Some("too many trees or columns, or no start")
        } else if self.starts[0] != 0 || self.starts[trees] as usize != nodes {
            Some("trees don't span the nodes")
        } else if !self.starts.windows(2).all(small) {
            Some("a tree of too many nodes")
        } else if lengths != [nodes; 3] || self.values.len() != nodes + trees {
            Some("arrays of unlike lengths")
        } else if self.gains.len() != columns || self.gains.iter().any(|gain| !gain.is_finite()) {
            Some("gains that are no numbers, or not one for each column")
        } else if self.asks.iter().any(|&ask| usize::from(ask / 2) >= columns) {
            Some("a node that asks for a column that isn't there")
        } else if self.thresholds.iter().any(|threshold| !threshold.is_finite()) {
            Some("a threshold that isn't finite")
        } else if self.values.iter().any(|value| value.is_nan() || value.abs() > FURTHEST) {
            Some("a value that isn't finite, or absurd")
        } else if self.base.is_some_and(|base| !is_sound(&base, columns)) {
            Some("a base column that isn't there, or no scale")
        } else {
            None
        }
    }
}

impl TryFrom<Parts> for Forest {
    type Error = Error;

    fn try_from(parts: Parts) -> Result<Self> {
        let refused = |fault| Error::Input(format!("a damaged ranker: {fault}; train again"));
        if let Some(fault) = parts.fault() {
            return Err(refused(fault));
        }
        let quick = Quick::new(&parts).map_err(refused)?;
        Ok(Self { parts, quick })
    }
}

impl From<Forest> for Parts {
    fn from(forest: Forest) -> Self {
        forest.parts
    }
}
