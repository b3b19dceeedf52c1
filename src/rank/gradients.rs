//! What each row's score should do: the slope of the loss, and how fast the slope changes.

use rayon::prelude::*;

use super::measure::{discount, ideal, order, row_of};
use super::options::{Objective, RankOptions};
use super::sheet::Sheet;

/// First and second derivative of the loss by a row's score.
#[derive(Clone, Copy, Default)]
pub(super) struct Gradient {
    /// Below 0: the score should rise.
    pub(super) slope: f32,
    /// 0 or more.
    pub(super) hessian: f32,
}

/// What gradients need to know of the labels, worked out once.
pub(super) struct Target<'a> {
    sheet: &'a Sheet,
    learns: Vec<bool>, // by group
    ideals: Vec<f64>,  // by group
    discounts: Vec<f64>,
    options: RankOptions,
}

impl<'a> Target<'a> {
    /// Only the groups in `learns` will have gradients other than 0.
    pub(super) fn new(sheet: &'a Sheet, learns: Vec<bool>, options: &RankOptions) -> Self {
        let ideals = (0..sheet.groups())
            .map(|group| ideal(&sheet.labels()[sheet.group(group)], options.truncation))
            .collect();
        let longest = (0..sheet.groups()).map(|group| sheet.group(group).len()).max();
        let discounts = (0..longest.unwrap_or(0)).map(discount).collect();
        Self { sheet, learns, ideals, discounts, options: options.clone() }
    }

    /// The gradient of every row at its present score.
    pub(super) fn gradients(&self, scores: &[f32]) -> Vec<Gradient> {
        let mut gradients = vec![Gradient::default(); self.sheet.rows()];
        let groups = self.sheet.by_group(&mut gradients);
        groups.into_par_iter().enumerate().for_each_init(Vec::new, |keys, (group, out)| {
            if self.learns[group] {
                let scores = &scores[self.sheet.group(group)];
                match self.options.objective {
                    Objective::Lambda => self.lambda(group, scores, out, keys),
                    Objective::Logistic => self.logistic(group, scores, out),
                }
            }
        });
        gradients
    }

    /// `LambdaMART`: for each pair with labels yᵢ > yⱼ and one of both among the first k of the order,
    ///
    /// λ = ρ·|ΔNDCG@k| with ρ = 1 / (1 + exp(sᵢ − sⱼ)), ΔNDCG@k = (yᵢ − yⱼ)·(discountᵢ − discountⱼ) / ideal;
    /// slopeᵢ −= λ, slopeⱼ += λ, and both hessians += ρ·(1 − ρ)·|ΔNDCG@k|.
    ///
    /// Source: Burges 2010, section 7 (σ = 1); the truncation as in `LightGBM`: a pair counts when either
    /// row is among the first k, with the discount of its true place.
    fn lambda(&self, group: usize, scores: &[f32], out: &mut [Gradient], keys: &mut Vec<u64>) {
        let labels = &self.sheet.labels()[self.sheet.group(group)];
        let best = self.ideals[group];
        if best <= 0.0 {
            return;
        }
        order(scores, keys);
        let unit = f64::from(self.sheet.weight(group)) / best;
        let first = self.options.truncation.min(keys.len());
        for (place, &key) in keys.iter().enumerate() {
            let upper = row_of(key);
            if labels[upper] <= 0.0 {
                continue;
            }
            let others = if place < first { keys.len() } else { first };
            let mut sum = Gradient::default();
            for (other, &key) in keys[..others].iter().enumerate() {
                let lower = row_of(key);
                if labels[lower] >= labels[upper] {
                    continue;
                }
                let gained = f64::from(labels[upper] - labels[lower]) * unit;
                let change =
                    (gained * (self.discounts[place] - self.discounts[other]).abs()) as f32;
                let wrong = 1.0 / (1.0 + (scores[upper] - scores[lower]).exp());
                let (slope, hessian) = (wrong * change, wrong * (1.0 - wrong) * change);
                sum.slope -= slope;
                sum.hessian += hessian;
                out[lower].slope += slope;
                out[lower].hessian += hessian;
            }
            out[upper].slope += sum.slope;
            out[upper].hessian += sum.hessian;
        }
    }

    /// Log loss with p = 1 / (1 + exp(−s)): slope p − y, hessian p·(1 − p), y = min(label, 1).
    fn logistic(&self, group: usize, scores: &[f32], out: &mut [Gradient]) {
        let labels = &self.sheet.labels()[self.sheet.group(group)];
        let weight = self.sheet.weight(group);
        for ((out, &score), &label) in out.iter_mut().zip(scores).zip(labels) {
            let p = 1.0 / (1.0 + (-score).exp());
            *out =
                Gradient { slope: weight * (p - label.min(1.0)), hessian: weight * p * (1.0 - p) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lambdas_are_those_worked_by_hand() {
        let sheet =
            Sheet::from_parts(0, vec![], vec![0, 3], vec![0.0, 1.0, 0.0], Some(vec![2.0])).unwrap();
        let options = RankOptions { truncation: 1, ..RankOptions::default() };
        let scores = [1.0, 0.0, -1.0]; // only the pair with the first row is within the truncation
        let got = Target::new(&sheet, vec![true], &options).gradients(&scores);
        let (wrong, change) = (1.0 / (1.0 + (-1f32).exp()), 2.0 * (1.0 - 1.0 / 3f32.log2()));
        assert!((got[0].slope - wrong * change).abs() < 1e-6);
        assert!((got[1].slope + wrong * change).abs() < 1e-6);
        assert!((got[1].hessian - wrong * (1.0 - wrong) * change).abs() < 1e-6);
        assert_eq!((got[2].slope, got[2].hessian), (0.0, 0.0));
    }

    #[test]
    fn a_groups_lambdas_sum_to_nothing() {
        let labels = vec![0.0, 1.0, 2.0, 0.0, 1.0, 0.0];
        let sheet = Sheet::from_parts(0, vec![], vec![0, 6], labels, None).unwrap();
        let scores = [0.3, 0.1, -2.0, 5.0, 0.1, f32::MAX];
        let got = Target::new(&sheet, vec![true], &RankOptions::default()).gradients(&scores);
        assert!(got.iter().map(|one| one.slope).sum::<f32>().abs() < 1e-5);
        assert!(got.iter().all(|one| one.hessian >= 0.0 && one.hessian.is_finite()));
    }
}
