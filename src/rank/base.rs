//! The order that is there already, as a first score.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::options::{Objective, RankOptions};
use super::sheet::{Sheet, known};

/// First scores stay within this, whatever the column holds.
const FURTHEST: f32 = 1e30;

/// Groups that are enough to fit one number.
const ENOUGH_GROUPS: usize = 1_000;

/// A column whose value, times `scale`, is a row's first score.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Base {
    pub(super) column: u16,
    pub(super) scale: f32,   // above 0
    pub(super) unknown: f32, // what a row's value is taken for where it isn't known
}

impl Base {
    /// A row's first score: finite.
    pub(super) fn score(&self, value: f32) -> f32 {
        let value = if value.is_finite() { value } else { self.unknown };
        (value * self.scale).clamp(-FURTHEST, FURTHEST)
    }

    /// The base column with the scale by which its differences best foretell which row of a pair has the
    /// greater label; an unknown value is taken for the smallest.
    pub(super) fn fit(sheet: &Sheet, groups: &[usize], options: &RankOptions) -> Option<Self> {
        let column = options.base_column?;
        let values = || (0..sheet.rows()).map(|row| sheet.value(row, column));
        let unknown = values().filter(|value| !value.is_nan()).reduce(f32::min).unwrap_or(0.0);
        let column = u16::try_from(column).expect("a sheet has at most MAX_COLUMNS");
        let unscaled = Self { column, scale: 1.0, unknown };
        let scale = scale(sheet, &groups[..groups.len().min(ENOUGH_GROUPS)], &unscaled);
        Some(Self { scale, ..unscaled })
    }
}

/// First scores of all rows, and for [`Objective::Logistic`] shifted by the log-odds that fit best: the
/// shift helps the trees to begin, and changes no order.
pub(super) fn first_scores(
    sheet: &Sheet,
    base: Option<&Base>,
    groups: &[usize],
    options: &RankOptions,
) -> Vec<f32> {
    let score =
        |row| base.map_or(0.0, |base| base.score(sheet.value(row, usize::from(base.column))));
    let mut scores: Vec<f32> = (0..sheet.rows()).into_par_iter().map(score).collect();
    if options.objective == Objective::Logistic {
        let shift = log_odds(sheet, &scores, groups);
        scores.iter_mut().for_each(|score| *score += shift);
    }
    scores
}

/// The factor, of a grid around 1 / standard deviation, with the least Σ ln(1 + exp(−scale·(vᵢ − vⱼ))) over
/// pairs of a group with labels yᵢ > yⱼ, each group's pairs weighing as one. 1 where there are none.
fn scale(sheet: &Sheet, groups: &[usize], base: &Base) -> f32 {
    let value = |row| {
        f64::from(Base { scale: 1.0, ..*base }.score(sheet.value(row, usize::from(base.column))))
    };
    let (mut count, mut sum, mut squares) = (0.0, 0.0, 0.0);
    for row in groups.iter().flat_map(|&group| sheet.group(group)) {
        count += 1.0;
        sum += value(row);
        squares += value(row) * value(row);
    }
    let deviation = (squares / f64::max(count, 1.0) - (sum / f64::max(count, 1.0)).powi(2)).sqrt();
    if !(1e-30..1e30).contains(&deviation) {
        return 1.0;
    }
    let grid: Vec<f64> =
        (-10..=10).map(|half| 2f64.powf(f64::from(half) / 2.0) / deviation).collect();
    let losses: Vec<Vec<f64>> =
        groups.par_iter().map(|&group| losses(sheet, group, &value, &grid)).collect();
    let total = |at: usize| losses.iter().map(|group| group[at]).sum::<f64>();
    let least = (0..grid.len()).map(|at| (total(at), at)).min_by(|a, b| a.0.total_cmp(&b.0));
    match least {
        Some((loss, at)) if loss > 0.0 => (grid[at] as f32).clamp(f32::MIN_POSITIVE, FURTHEST),
        _ => 1.0,
    }
}

/// A group's mean pairwise loss at each scale of the grid, times its weight.
fn losses(sheet: &Sheet, group: usize, value: &impl Fn(usize) -> f64, grid: &[f64]) -> Vec<f64> {
    let labels = sheet.labels();
    let mut sums = vec![0.0; grid.len()];
    let mut pairs = 0.0;
    for upper in sheet.group(group).filter(|&row| labels[row] > 0.0) {
        for lower in sheet.group(group).filter(|&row| labels[row] < labels[upper]) {
            let apart = value(upper) - value(lower);
            pairs += 1.0;
            for (sum, scale) in sums.iter_mut().zip(grid) {
                let wrong = -scale * apart;
                *sum += wrong.max(0.0) + (-wrong.abs()).exp().ln_1p(); // ln(1 + exp(wrong))
            }
        }
    }
    let weight = f64::from(sheet.weight(group)) / f64::max(pairs, 1.0);
    sums.iter().map(|sum| sum * weight).collect()
}

/// The shift b for which Σ weight·(sigmoid(score + b) − y) = 0, by halving; −20 to 20.
fn log_odds(sheet: &Sheet, scores: &[f32], groups: &[usize]) -> f32 {
    let excess = |shift: f32| -> f64 {
        let group = |&group: &usize| {
            let rows = sheet.group(group);
            let rows = scores[rows.clone()].iter().zip(&sheet.labels()[rows]);
            let p = |score: f32| f64::from(1.0 / (1.0 + (-score - shift).exp()));
            let sum: f64 = rows.map(|(&score, label)| p(score) - f64::from(label.min(1.0))).sum();
            sum * f64::from(sheet.weight(group))
        };
        let each: Vec<f64> = groups.par_iter().map(group).collect();
        each.iter().sum()
    };
    let (mut low, mut high) = (-20f32, 20f32);
    for _ in 0..20 {
        let middle = (low + high) / 2.0;
        if excess(middle) < 0.0 { low = middle } else { high = middle }
    }
    (low + high) / 2.0
}

/// Whether the order of a column, as first scores, is sound enough to keep in a forest.
pub(super) fn is_sound(base: &Base, columns: usize) -> bool {
    usize::from(base.column) < columns
        && base.scale.is_finite()
        && base.scale > 0.0
        && known(base.unknown).is_finite()
}
