//! The knobs of [`fit`](super::fit), each with its range.

/// The most leaves a tree may have: when a forest scores, two registers hold what they say.
pub(super) const MAX_LEAVES: usize = 16;

/// The most trees a forest may have.
pub(super) const MAX_TREES: usize = 65_536;

/// What the trees are grown to make small.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Objective {
    /// Wrongly ordered pairs of a group, each weighed by the NDCG that swapping them would change
    /// (`LambdaMART`). For whole lists and plenty of groups.
    #[default]
    Lambda,
    /// The log loss of each row by itself, a label of 1 or more meaning yes. Learns from groups without a
    /// positive too, and may do better on thin data.
    Logistic,
}

/// How to fit. A value out of range is brought into it.
#[derive(Clone, Debug)]
pub struct RankOptions {
    /// What to make small.
    pub objective: Objective,
    /// Trees at most, 0 to 65,536; early stopping usually keeps fewer.
    pub trees: usize,
    /// Leaves per tree at most, 2 to 16.
    pub leaves: usize,
    /// Share of each tree's correction that is applied, (0, 1].
    pub learning_rate: f64,
    /// Lambda counts only pairs with a row among the first `truncation` of the present order, 1 or more.
    pub truncation: usize,
    /// Rows in a leaf at least, 1 or more.
    pub min_rows: usize,
    /// Sum of hessians in a leaf at least, above 0. A row's is at most ¼ of its pairs' NDCG changes
    /// (Lambda), or ¼ (Logistic), times its group's weight.
    pub min_hessian: f64,
    /// Added to the hessians of every leaf, and so draws its value to 0; 0 or more.
    pub l2: f64,
    /// Quantile bins per column at most, 2 to 255.
    pub bins: usize,
    /// Share of the columns that each tree may look at, (0, 1].
    pub column_share: f64,
    /// Share of the groups that each tree learns from, (0, 1].
    pub group_share: f64,
    /// Share of the groups held out to decide how many trees help, 0 to 0.9. At 0 every tree is kept
    /// unmeasured.
    pub holdout: f64,
    /// Trees to try since the best number so far before giving up, 1 or more.
    pub patience: usize,
    /// NDCG is measured on the first `at` rows, 1 or more.
    pub at: usize,
    /// The column that orders the rows already, higher first: scores start from it, times a fitted scale.
    /// A column that the sheet doesn't have means none.
    pub base_column: Option<usize>,
    /// Decides which groups are held out and which columns and groups each tree sees.
    pub seed: u64,
}

impl Default for RankOptions {
    fn default() -> Self {
        Self {
            objective: Objective::Lambda,
            trees: 150,
            leaves: 16,
            learning_rate: 0.08,
            truncation: 20,
            min_rows: 50,
            min_hessian: 1e-3,
            l2: 1.0,
            bins: 255,
            column_share: 0.8,
            group_share: 0.8,
            holdout: 0.2,
            patience: 15,
            at: 10,
            base_column: None,
            seed: 1,
        }
    }
}

impl RankOptions {
    /// The same, every value within its range and the base column one of `columns`.
    pub(super) fn sound(&self, columns: usize) -> Self {
        Self {
            trees: self.trees.min(MAX_TREES),
            leaves: self.leaves.clamp(2, MAX_LEAVES),
            learning_rate: within(self.learning_rate, 1e-6, 1.0),
            truncation: self.truncation.max(1),
            min_rows: self.min_rows.max(1),
            min_hessian: within(self.min_hessian, 1e-12, 1e12),
            l2: within(self.l2, 0.0, 1e12),
            bins: self.bins.clamp(2, 255),
            column_share: within(self.column_share, 1e-6, 1.0),
            group_share: within(self.group_share, 1e-6, 1.0),
            holdout: within(self.holdout, 0.0, 0.9),
            patience: self.patience.max(1),
            at: self.at.max(1),
            base_column: self.base_column.filter(|&column| column < columns),
            ..*self
        }
    }
}

/// `value` in `low..=high`; NaN is `high`.
fn within(value: f64, low: f64, high: f64) -> f64 {
    if value.is_nan() { high } else { value.clamp(low, high) }
}
