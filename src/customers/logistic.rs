//! The chance of yes or no by a weighted sum: logistic regression.

use rayon::prelude::*;

/// How many times the weights are bettered.
const ROUNDS: usize = 12;
/// Rows summed at a time: fixed, so that the sum is the same on any number of threads.
const CHUNK: usize = 4096;

type Slope<const N: usize> = ([f64; N], [[f64; N]; N]);

/// Weights for `N` figures, the first of which should be 1 always.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Logistic<const N: usize>(pub(super) [f64; N]);

impl<const N: usize> Default for Logistic<N> {
    fn default() -> Self {
        Self([0.0; N])
    }
}

impl<const N: usize> Logistic<N> {
    /// The weights under which the answers are likeliest, by Newton's method from these. Each is pulled back towards
    /// what it is here by half of `ridge` times the square of its way: so all stay finite where all answers are the
    /// same, and few answers change little.
    ///
    /// Rows are summed in their order, by chunks of a fixed size: the same rows give the same bits.
    pub(super) fn fitted(self, rows: &[([f32; N], bool)], ridge: f64) -> Self {
        let mut model = self;
        for _ in 0..ROUNDS {
            let parts: Vec<Slope<N>> =
                rows.par_chunks(CHUNK).map(|rows| model.slope(rows)).collect();
            let (mut gradient, mut curvature) = ([0.0; N], [[0.0; N]; N]);
            for (part, part_curvature) in parts {
                add(&mut gradient, &part);
                curvature.iter_mut().zip(&part_curvature).for_each(|(sum, more)| add(sum, more));
            }
            for i in 0..N {
                gradient[i] -= ridge * (model.0[i] - self.0[i]);
                curvature[i][i] += ridge;
                let row = curvature[i];
                for (above, &value) in curvature.iter_mut().zip(&row).take(i) {
                    above[i] = value;
                }
            }
            let step = solved(curvature, gradient);
            model
                .0
                .iter_mut()
                .zip(step)
                .for_each(|(weight, step)| *weight += step.clamp(-3.0, 3.0));
        }
        model
    }

    /// How the likelihood of some rows rises with each weight, and bends: the lower half.
    #[allow(clippy::needless_range_loop, reason = "a matrix reads best by its indices")]
    fn slope(&self, rows: &[([f32; N], bool)]) -> Slope<N> {
        let (mut gradient, mut curvature) = ([0.0; N], [[0.0; N]; N]);
        for (figures, answer) in rows {
            let chance = self.chance(figures);
            let figures = figures.map(f64::from);
            let (miss, weight) = (f64::from(u8::from(*answer)) - chance, chance * (1.0 - chance));
            for i in 0..N {
                gradient[i] += miss * figures[i];
                let weighted = weight * figures[i];
                for j in 0..=i {
                    curvature[i][j] += weighted * figures[j];
                }
            }
        }
        (gradient, curvature)
    }

    /// 0 to 1.
    pub(super) fn chance(&self, figures: &[f32; N]) -> f64 {
        let sum: f64 =
            self.0.iter().zip(figures).map(|(weight, figure)| weight * f64::from(*figure)).sum();
        1.0 / (1.0 + (-sum).exp())
    }
}

fn add<const N: usize>(sum: &mut [f64; N], more: &[f64; N]) {
    sum.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
}

/// x of a·x = b, where a is symmetric and positive definite: elimination without exchange of rows.
#[allow(clippy::needless_range_loop, reason = "a matrix reads best by its indices")]
fn solved<const N: usize>(mut a: [[f64; N]; N], mut b: [f64; N]) -> [f64; N] {
    for pivot in 0..N {
        for row in pivot + 1..N {
            let factor = a[row][pivot] / a[pivot][pivot];
            let above = a[pivot];
            for (value, &above) in a[row].iter_mut().zip(&above).skip(pivot) {
                *value -= factor * above;
            }
            b[row] -= factor * b[pivot];
        }
    }
    for row in (0..N).rev() {
        let known: f64 = (row + 1..N).map(|column| a[row][column] * b[column]).sum();
        b[row] = (b[row] - known) / a[row][row];
    }
    b
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_groups_get_the_shares_that_they_had() {
        let rows: Vec<([f32; 2], bool)> = (0..2000)
            .map(|n| {
                let group = n % 2;
                ([1.0, group as f32], if group == 0 { n % 20 == 0 } else { n % 20 < 12 })
            })
            .collect();
        let model = Logistic::default().fitted(&rows, 1.0);
        assert!((model.chance(&[1.0, 0.0]) - 0.1).abs() < 0.01, "{model:?}");
        assert!((model.chance(&[1.0, 1.0]) - 0.6).abs() < 0.01, "{model:?}");
    }

    #[test]
    fn answers_that_are_all_the_same_give_finite_weights() {
        let model = Logistic::default().fitted(&vec![([1.0, 2.0], true); 100], 1.0);
        assert!(model.0.iter().all(|weight| weight.is_finite()));
        assert!(model.chance(&[1.0, 2.0]) > 0.9);
    }

    #[test]
    fn few_answers_change_little_of_what_was_believed() {
        let believed = Logistic([0.0, 1.0]);
        assert_eq!(believed.fitted(&[], 1.0), believed);
        let after = |answers| believed.fitted(&vec![([1.0, -1.0], true); answers], 1.0);
        let chance = |answers| after(answers).chance(&[1.0, -1.0]);
        assert!((chance(0) - 0.269).abs() < 1e-3);
        assert!(chance(1) < 0.51 && chance(100) > 0.9, "{} {}", chance(1), chance(100));
    }

    #[test]
    fn elimination_solves() {
        const SIZE: usize = 13;
        let mut a = [[0.0; SIZE]; SIZE];
        for (at, row) in a.iter_mut().enumerate() {
            row[at] = 2.0 + at as f64;
            row[(at + 1) % SIZE] += 0.5;
            row[(at + SIZE - 1) % SIZE] += 0.5;
        }
        let x = solved(a, [1.0; SIZE]);
        for row in a {
            let sum: f64 = row.iter().zip(x).map(|(a, x)| a * x).sum();
            assert!((sum - 1.0).abs() < 1e-9);
        }
    }
}
