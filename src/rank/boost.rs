//! Tree after tree, each a step down the loss, for as long as groups that no tree has seen gain.

use rayon::prelude::*;

use super::base::{Base, first_scores};
use super::bins::Bins;
use super::forest::Forest;
use super::gradients::Target;
use super::grow::{Tree, grow};
use super::histogram::Rounded;
use super::measure::ndcg;
use super::options::{Objective, RankOptions};
use super::sheet::Sheet;

/// What [`fit`] found, and what it is worth.
#[derive(Clone, Debug)]
pub struct Fitted {
    /// As many trees as did the held-out groups most good; none if none did.
    pub forest: Forest,
    /// NDCG of the base column's order; without one, of no order at all.
    pub base_ndcg: Measured,
    /// NDCG of the forest's order. The number of trees was chosen on the held-out groups, so this flatters
    /// a little there: judge it on others.
    pub ndcg: Measured,
}

/// Mean NDCG over groups with a positive label, by weight, rows of equal score sharing their places; 0 if
/// there are none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measured {
    /// Of the groups that the trees were grown on.
    pub train: f64,
    /// Of the groups that decided how many to keep.
    pub held_out: f64,
}

/// Fits a forest that orders the rows of a group by their labels.
///
/// Gives the same bytes for the same sheet and options, on any number of threads. Where there is nothing to
/// learn from, or nothing held out to measure it by, the forest has no trees. To use the held-out groups
/// too, fit again with `trees` as many as were kept and `holdout` 0.
pub fn fit(sheet: &Sheet, options: &RankOptions) -> Fitted {
    let options = options.sound(sheet.columns());
    let (held_out, train) = parted(sheet, &options);
    let base = Base::fit(sheet, &train, &options);
    let boosting = Boosting { sheet, options: &options, base, held_out: &held_out, train: &train };
    let forest = Forest::new(sheet, base, &boosting.trees());
    let empty = Forest::new(sheet, base, &(Vec::new(), None));
    Fitted { base_ndcg: boosting.measured(&empty), ndcg: boosting.measured(&forest), forest }
}

/// The groups held out, and the others, by nothing but their number and the seed.
fn parted(sheet: &Sheet, options: &RankOptions) -> (Vec<usize>, Vec<usize>) {
    (0..sheet.groups()).partition(|&group| chance(options.seed, group) < options.holdout)
}

/// A number in [0, 1) for each group, the same each time.
fn chance(seed: u64, group: usize) -> f64 {
    let seed = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ group as u64;
    fastrand::Rng::with_seed(seed).f64()
}

struct Boosting<'a> {
    sheet: &'a Sheet,
    options: &'a RankOptions,
    base: Option<Base>,
    held_out: &'a [usize],
    train: &'a [usize],
}

/// Trees, and the bins their splits are in.
pub(super) type Trees = (Vec<Tree>, Option<Bins>);

impl Boosting<'_> {
    fn trees(&self) -> Trees {
        let Self { sheet, options, .. } = self;
        let some_positive = |groups: &[usize]| groups.iter().any(|&g| sheet.has_positive(g));
        let unmeasured = options.holdout > 0.0 && !some_positive(self.held_out);
        if sheet.columns() == 0 || unmeasured || !some_positive(self.train) {
            return (Vec::new(), None);
        }
        let learning = self.learning();
        let mut learns = vec![false; sheet.groups()];
        learning.iter().for_each(|&group| learns[group] = true);
        let target = Target::new(sheet, learns, options);
        let bins = Bins::of(sheet, options.bins, options.seed);
        let mut scores = first_scores(sheet, self.base.as_ref(), self.train, options);
        let mut kept = (ndcg(sheet, &scores, self.held_out, options.at), 0);
        let mut trees = Vec::new();
        while trees.len() < options.trees {
            let tree = self.tree(&bins, &target, &scores, &learning, trees.len());
            let add = |(row, score): (usize, &mut f32)| *score += tree.value(&bins, row);
            scores.par_iter_mut().enumerate().with_min_len(4096).for_each(add);
            trees.push(tree);
            let gained = ndcg(sheet, &scores, self.held_out, options.at);
            if gained > kept.0 {
                kept = (gained, trees.len());
            } else if options.holdout > 0.0 && trees.len() - kept.1 >= options.patience {
                break;
            }
        }
        if options.holdout > 0.0 {
            trees.truncate(kept.1);
        }
        (trees, Some(bins))
    }

    /// The groups that have gradients.
    fn learning(&self) -> Vec<usize> {
        let has_gradients = |&group: &usize| match self.options.objective {
            Objective::Lambda => self.sheet.has_positive(group),
            Objective::Logistic => self.sheet.weight(group) > 0.0,
        };
        self.train.iter().copied().filter(has_gradients).collect()
    }

    /// The next tree, from its share of the groups and columns.
    fn tree(
        &self,
        bins: &Bins,
        target: &Target,
        scores: &[f32],
        groups: &[usize],
        nth: usize,
    ) -> Tree {
        let seed = self.options.seed.wrapping_add(nth as u64 + 1);
        let mut random = fastrand::Rng::with_seed(seed);
        let columns = share(self.sheet.columns(), self.options.column_share, &mut random);
        let groups = share(groups.len(), self.options.group_share, &mut random)
            .into_iter()
            .flat_map(|at| self.sheet.group(groups[at]));
        let rows = groups.map(|row| u32::try_from(row).expect("fewer than four billion rows"));
        let rounded = Rounded::new(&target.gradients(scores));
        grow(bins, &rounded, rows.collect(), &columns, self.options)
    }

    fn measured(&self, forest: &Forest) -> Measured {
        let mut scores = vec![0.0; self.sheet.rows()];
        let groups = self.sheet.by_group(&mut scores);
        groups.into_par_iter().enumerate().for_each(|(group, scores)| {
            forest.score_all(self.sheet.features(self.sheet.group(group)), scores);
        });
        let of = |groups: &[usize]| ndcg(self.sheet, &scores, groups, self.options.at);
        Measured { train: of(self.train), held_out: of(self.held_out) }
    }
}

/// A share of `0..count`, at least one if there is one, rising.
fn share(count: usize, share: f64, random: &mut fastrand::Rng) -> Vec<usize> {
    let wanted = (count as f64 * share).ceil() as usize;
    let mut chosen = random.choose_multiple(0..count, wanted.min(count));
    chosen.sort_unstable();
    chosen
}
