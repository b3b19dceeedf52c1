//! The chance of yes or no by a weighted sum: logistic regression.

/// How many times the weights are bettered.
const ROUNDS: usize = 12;
/// Belief that a weight is 0: keeps them finite where all answers are the same.
const RIDGE: f64 = 1.0;

/// Weights for `N` figures, the first of which should be 1 always.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Logistic<const N: usize>(pub(super) [f64; N]);

impl<const N: usize> Default for Logistic<N> {
    fn default() -> Self {
        Self([0.0; N])
    }
}

impl<const N: usize> Logistic<N> {
    /// The weights under which the answers are likeliest, by Newton's method from 0.
    ///
    /// Rows are summed in their order: the same rows give the same bits.
    #[allow(clippy::needless_range_loop, reason = "a matrix reads best by its indices")]
    pub(super) fn fit(rows: &[([f32; N], bool)]) -> Self {
        let mut model = Self::default();
        for _ in 0..ROUNDS {
            let (mut gradient, mut curvature) = ([0.0; N], [[0.0; N]; N]);
            for (figures, answer) in rows {
                let chance = model.chance(figures);
                let (miss, weight) =
                    (f64::from(u8::from(*answer)) - chance, chance * (1.0 - chance));
                for i in 0..N {
                    gradient[i] += miss * f64::from(figures[i]);
                    for j in 0..=i {
                        curvature[i][j] += weight * f64::from(figures[i]) * f64::from(figures[j]);
                    }
                }
            }
            for i in 0..N {
                gradient[i] -= RIDGE * model.0[i];
                curvature[i][i] += RIDGE;
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

    /// 0 to 1.
    pub(super) fn chance(&self, figures: &[f32; N]) -> f64 {
        let sum: f64 =
            self.0.iter().zip(figures).map(|(weight, figure)| weight * f64::from(*figure)).sum();
        1.0 / (1.0 + (-sum).exp())
    }
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
        let model = Logistic::fit(&rows);
        assert!((model.chance(&[1.0, 0.0]) - 0.1).abs() < 0.01, "{model:?}");
        assert!((model.chance(&[1.0, 1.0]) - 0.6).abs() < 0.01, "{model:?}");
    }

    #[test]
    fn answers_that_are_all_the_same_give_finite_weights() {
        let model = Logistic::fit(&vec![([1.0, 2.0], true); 100]);
        assert!(model.0.iter().all(|weight| weight.is_finite()));
        assert!(model.chance(&[1.0, 2.0]) > 0.9);
        assert_eq!(Logistic::<2>::fit(&[]).0, [0.0; 2]);
    }
}
