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
    ideals: Vec<f64>, // by group
    discounts: Vec<f32>,
    options: RankOptions,
}

impl<'a> Target<'a> {
    pub(super) fn new(sheet: &'a Sheet, options: &RankOptions) -> Self {
        let ideals = (0..sheet.groups())
            .map(|group| ideal(&sheet.labels()[sheet.group(group)], options.truncation))
            .collect();
        let longest = (0..sheet.groups()).map(|group| sheet.group(group).len()).max();
        let discounts = (0..longest.unwrap_or(0)).map(|place| discount(place) as f32).collect();
        Self { sheet, ideals, discounts, options: options.clone() }
    }

    /// The gradients of the rows of some groups at their present scores; of other rows, 0.
    pub(super) fn gradients(&self, groups: &[usize], scores: &[f32]) -> Vec<Gradient> {
        let mut wanted = vec![false; self.sheet.groups()];
        groups.iter().for_each(|&group| wanted[group] = true);
        let mut gradients = vec![Gradient::default(); self.sheet.rows()];
        let groups = self.sheet.by_group(&mut gradients);
        let of_group = |ordered: &mut Ordered, (group, out): (usize, &mut [Gradient])| {
            if wanted[group] {
                let scores = &scores[self.sheet.group(group)];
                match self.options.objective {
                    Objective::Lambda => self.lambda(group, scores, out, ordered),
                    Objective::Logistic => self.logistic(group, scores, out),
                }
            }
        };
        groups.into_par_iter().enumerate().for_each_init(Ordered::default, of_group);
        gradients
    }

    /// `LambdaMART`: for each pair with labels yᵢ > yⱼ and one of both among the first k of the order,
    ///
    /// λ = ρ·|ΔNDCG@k| with ρ = 1 / (1 + exp(sᵢ − sⱼ)), ΔNDCG@k = (yᵢ − yⱼ)·(discountᵢ − discountⱼ) / ideal;
    /// slopeᵢ −= λ, slopeⱼ += λ, and both hessians += ρ·(1 − ρ)·|ΔNDCG@k|.
    ///
    /// Source: Burges 2010, section 7 (σ = 1); the truncation as in `LightGBM`: a pair counts when either
    /// row is among the first k, with the discount of its true place.
    fn lambda(&self, group: usize, scores: &[f32], out: &mut [Gradient], ordered: &mut Ordered) {
        let best = self.ideals[group];
        if best <= 0.0 {
            return;
        }
        ordered.fill(scores, &self.sheet.labels()[self.sheet.group(group)]);
        let Ordered { keys, rows, gradients } = ordered;
        let unit = (f64::from(self.sheet.weight(group)) / best) as f32;
        let first = self.options.truncation.min(rows.len());
        for place in 0..rows.len() {
            let (upper, discount) = (rows[place], self.discounts[place]);
            if upper.label <= 0.0 {
                continue;
            }
            let others = if place < first { rows.len() } else { first };
            let mut sum = Gradient::default();
            let each = rows[..others].iter().zip(&self.discounts).zip(&mut gradients[..others]);
            for ((lower, other), gradient) in each {
                let gained = (upper.label - lower.label).max(0.0) * unit;
                let change = gained * (discount - other).abs();
                let wrong = lower.odds / (lower.odds + upper.odds);
                let (slope, hessian) = (wrong * change, wrong * (1.0 - wrong) * change);
                sum.slope -= slope;
                sum.hessian += hessian;
                gradient.slope += slope;
                gradient.hessian += hessian;
            }
            gradients[place].slope += sum.slope;
            gradients[place].hessian += sum.hessian;
        }
        keys.iter().zip(gradients).for_each(|(&key, gradient)| out[row_of(key)] = *gradient);
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

/// The rows of a group in the present order.
#[derive(Default)]
struct Ordered {
    keys: Vec<u64>,
    rows: Vec<Row>,
    gradients: Vec<Gradient>,
}

/// What pairs need to know of a row.
#[derive(Clone, Copy)]
struct Row {
    label: f32,
    /// e to the power of its score, as a share of the group's best.
    odds: f32,
}

impl Ordered {
    fn fill(&mut self, scores: &[f32], labels: &[f32]) {
        let Self { keys, rows, gradients } = self;
        order(scores, keys);
        let best = keys.first().map_or(0.0, |&key| scores[row_of(key)]);
        let odds = |row: usize| (scores[row] - best).exp().max(f32::MIN_POSITIVE);
        rows.clear();
        rows.extend(
            keys.iter()
                .map(|&key| row_of(key))
                .map(|row| Row { label: labels[row], odds: odds(row) }),
        );
        gradients.clear();
        gradients.resize(rows.len(), Gradient::default());
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
        let got = Target::new(&sheet, &options).gradients(&[0], &scores);
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
        let got = Target::new(&sheet, &RankOptions::default()).gradients(&[0], &scores);
        assert!(got.iter().map(|one| one.slope).sum::<f32>().abs() < 1e-5);
        assert!(got.iter().all(|one| one.hessian >= 0.0 && one.hessian.is_finite()));
    }
}
