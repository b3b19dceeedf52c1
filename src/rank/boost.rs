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

/// A sheet made ready to grow forests on, in whatever ways.
pub struct Binned<'a> {
    sheet: &'a Sheet,
    bins: Bins,
    /// The columns that tell anything.
    telling: Vec<usize>,
}

/// Fits a forest that orders the rows of a group by their labels.
///
/// Gives the same bytes for the same sheet and options, on any number of threads. Where there is nothing to
/// learn from, or nothing held out to measure it by, the forest has no trees. To use the held-out groups
/// too, fit again with `trees` as many as were kept and `holdout` 0.
pub fn fit(sheet: &Sheet, options: &RankOptions) -> Fitted {
    let binned = Binned::new(sheet, options.bins);
    let boosting = Boosting::new(&binned, options);
    let (forest, empty) = (boosting.forest(), boosting.forest_of(&[]));
    Fitted { base_ndcg: boosting.measured(&empty), ndcg: boosting.measured(&forest), forest }
}

impl<'a> Binned<'a> {
    /// Each column in at most `bins` bins, 2 to 255.
    pub fn new(sheet: &'a Sheet, bins: usize) -> Self {
        let bins = Bins::new(sheet, bins.clamp(2, 255));
        Self { sheet, telling: bins.telling(), bins }
    }

    /// The forest that [`fit`] finds, unmeasured; the bins of the options count for nothing.
    pub fn forest(&self, options: &RankOptions) -> Forest {
        Boosting::new(self, options).forest()
    }
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
    binned: &'a Binned<'a>,
    options: RankOptions,
    base: Option<Base>,
    held_out: Vec<usize>,
    train: Vec<usize>,
}

impl<'a> Boosting<'a> {
    fn new(binned: &'a Binned<'a>, options: &RankOptions) -> Self {
        let options = options.sound(binned.sheet.columns());
        let (held_out, train) = parted(binned.sheet, &options);
        let base = Base::fit(binned.sheet, &train, &options);
        Self { binned, options, base, held_out, train }
    }

    fn forest(&self) -> Forest {
        self.forest_of(&self.trees())
    }

    fn forest_of(&self, trees: &[Tree]) -> Forest {
        Forest::new(self.binned.sheet, self.base, trees, &self.binned.bins)
    }

    fn trees(&self) -> Vec<Tree> {
        let Self { binned: Binned { sheet, .. }, options, .. } = self;
        let some_positive = |groups: &[usize]| groups.iter().any(|&g| sheet.has_positive(g));
        let unmeasured = options.holdout > 0.0 && !some_positive(&self.held_out);
        if sheet.columns() == 0 || unmeasured || !some_positive(&self.train) {
            return Vec::new();
        }
        let learning = self.learning();
        let target = Target::new(sheet, options);
        let mut scores = first_scores(sheet, self.base.as_ref(), &self.train, options);
        let mut kept = (ndcg(sheet, &scores, &self.held_out, options.at), 0);
        let mut trees = Vec::new();
        while trees.len() < options.trees {
            trees.push(self.tree(&target, &mut scores, &learning, trees.len()));
            let gained = ndcg(sheet, &scores, &self.held_out, options.at);
            if gained > kept.0 {
                kept = (gained, trees.len());
            } else if options.holdout > 0.0 && trees.len() - kept.1 >= options.patience {
                break;
            }
        }
        if options.holdout > 0.0 {
            trees.truncate(kept.1);
        }
        trees
    }

    /// The groups that have gradients.
    fn learning(&self) -> Vec<usize> {
        let sheet = self.binned.sheet;
        let has_gradients = |&group: &usize| match self.options.objective {
            Objective::Lambda => sheet.has_positive(group),
            Objective::Logistic => sheet.weight(group) > 0.0,
        };
        self.train.iter().copied().filter(has_gradients).collect()
    }

    /// The next tree, from its share of the groups and of the columns that tell anything; what it says is added to
    /// the scores.
    fn tree(&self, target: &Target<'_>, scores: &mut [f32], groups: &[usize], nth: usize) -> Tree {
        let Binned { sheet, bins, telling } = self.binned;
        let seed = self.options.seed.wrapping_add(nth as u64 + 1);
        let mut random = fastrand::Rng::with_seed(seed);
        let columns = share(telling, self.options.column_share, &mut random);
        let groups = share(groups, self.options.group_share, &mut random);
        let mut rows = Vec::with_capacity(sheet.rows());
        let row = |row: usize| u32::try_from(row).expect("fewer than four billion rows");
        for of_group in groups.iter().map(|&group| sheet.group(group)) {
            rows.extend(row(of_group.start)..row(of_group.end));
        }
        let rounded = Rounded::new(&target.gradients(&groups, scores), &rows);
        let (tree, leaves) = grow(bins, &rounded, rows, &columns, &self.options);
        for (rows, value) in leaves {
            rows.into_iter().for_each(|row| scores[row as usize] += value);
        }
        // Those that it was not grown on have yet to find their leaves.
        let is_other = |(group, _): &(usize, &mut [f32])| groups.binary_search(group).is_err();
        let others = sheet.by_group(scores).into_par_iter().enumerate().filter(is_other);
        others.for_each(|(group, scores)| {
            tree.add_to(scores, bins, sheet.group(group).start);
        });
        tree
    }

    fn measured(&self, forest: &Forest) -> Measured {
        let sheet = self.binned.sheet;
        let mut scores = vec![0.0; sheet.rows()];
        let groups = sheet.by_group(&mut scores);
        groups.into_par_iter().enumerate().for_each(|(group, scores)| {
            forest.score_all(sheet.features(sheet.group(group)), scores);
        });
        let of = |groups: &[usize]| ndcg(sheet, &scores, groups, self.options.at);
        Measured { train: of(&self.train), held_out: of(&self.held_out) }
    }
}

/// A share of these, which rise, at least one if there is one, rising.
fn share(of: &[usize], share: f64, random: &mut fastrand::Rng) -> Vec<usize> {
    let wanted = (of.len() as f64 * share).ceil() as usize;
    let mut chosen = random.choose_multiple(of.iter().copied(), wanted.min(of.len()));
    chosen.sort_unstable();
    chosen
}
