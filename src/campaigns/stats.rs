//! Intervals, and what could have been found.

use serde::Serialize;

/// Of a standard normal, 97.5 % lie below this.
const Z: f64 = 1.959964;
/// And 98.75 % below this.
const Z_OF_TWO: f64 = 2.241403;
/// And 80 % below this: with this chance a test finds an effect of so many standard errors beyond those it asks for.
const POWER: f64 = 0.841621;
const RESAMPLES: usize = 2_000;

/// An estimate with its 95 % confidence interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Interval {
    /// The estimate.
    pub estimate: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Interval {
    /// True if it lies wholly on one side of 0.
    pub fn is_decided(&self) -> bool {
        self.low > 0.0 || self.high < 0.0
    }

    /// 1 or −1 if it is on that side of 0 for one who looks at two figures and wants to err in one of twenty campaigns:
    /// each is held to 97.5 %, as the tails of a normal have it (Bonferroni). 0 if it is on neither.
    pub(super) fn side_of_two(&self) -> i8 {
        let wider = Z_OF_TWO / Z;
        let low = self.estimate - wider * (self.estimate - self.low);
        let high = self.estimate + wider * (self.high - self.estimate);
        i8::from(low > 0.0) - i8::from(high < 0.0)
    }
}

/// Difference of two shares, `hits` of `all` each, first minus second.
///
/// Source: Newcombe 1998, "Interval estimation for the difference between independent proportions", method
/// 10: square-and-add of Wilson's intervals.
pub fn newcombe(first: (u64, u64), second: (u64, u64)) -> Interval {
    let (p, (low_p, high_p)) = wilson(first);
    let (q, (low_q, high_q)) = wilson(second);
    let estimate = p - q;
    Interval {
        estimate,
        low: estimate - ((p - low_p).powi(2) + (high_q - q).powi(2)).sqrt(),
        high: estimate + ((high_p - p).powi(2) + (q - low_q).powi(2)).sqrt(),
    }
}

fn wilson((hits, all): (u64, u64)) -> (f64, (f64, f64)) {
    let n = all.max(1) as f64;
    let p = hits as f64 / n;
    let middle = p + Z * Z / (2.0 * n);
    let half = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + Z * Z / n;
    (p, ((middle - half) / scale, (middle + half) / scale))
}

/// Difference of two means, first minus second, with the percentile interval of the bootstrap; no narrower than that of
/// one spread for both sides. The bootstrap alone takes a side where one of thirty bought for one in which nobody
/// spends differently. Deterministic.
pub(super) fn difference(first: &[f64], second: &[f64]) -> Interval {
    let estimate = mean(first) - mean(second);
    let mut random = fastrand::Rng::with_seed(20_260_101);
    let mut resampled = |values: &[f64]| {
        let draws = (0..values.len()).map(|_| values[random.usize(..values.len())]);
        draws.sum::<f64>() / values.len().max(1) as f64
    };
    let mut differences: Vec<f64> =
        (0..RESAMPLES).map(|_| resampled(first) - resampled(second)).collect();
    differences.sort_unstable_by(f64::total_cmp);
    let at = |share: f64| differences[(share * (RESAMPLES - 1) as f64).round() as usize];
    let half = Z * pooled_error(first, second);
    Interval { estimate, low: at(0.025).min(estimate - half), high: at(0.975).max(estimate + half) }
}

/// Values less what their covariate foretells: y − θ (x − mean x), θ = cov(x, y)/var(x) over both groups.
///
/// Source: Deng, Xu, Kohavi & Walker 2013, "Improving the Sensitivity of Online Controlled Experiments by
/// Utilizing Pre-Experiment Data" (CUPED).
pub(super) fn cuped(
    (first, first_before): (&[f64], &[f64]),
    (second, second_before): (&[f64], &[f64]),
) -> (Vec<f64>, Vec<f64>) {
    let y: Vec<f64> = [first, second].concat();
    let x: Vec<f64> = [first_before, second_before].concat();
    let (mean_x, mean_y) = (mean(&x), mean(&y));
    let covariance: f64 = x.iter().zip(&y).map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
    let variance: f64 = x.iter().map(|x| (x - mean_x).powi(2)).sum();
    let theta = if variance > 0.0 { covariance / variance } else { 0.0 };
    let adjust = |y: &[f64], x: &[f64]| -> Vec<f64> {
        y.iter().zip(x).map(|(y, x)| y - theta * (x - mean_x)).collect()
    };
    (adjust(first, first_before), adjust(second, second_before))
}

/// The least true difference of means that such groups would have found in four of five campaigns, held to 97.5 % as
/// [`Interval::side_of_two`] holds it.
pub(super) fn detectable(first: &[f64], second: &[f64]) -> f64 {
    (Z_OF_TWO + POWER) * standard_error(first, second).max(pooled_error(first, second))
}

/// Of a difference of means.
pub(super) fn standard_error(first: &[f64], second: &[f64]) -> f64 {
    let error = |values: &[f64]| variance(values) / values.len().max(1) as f64;
    (error(first) + error(second)).sqrt()
}

/// The same, if one spread is that of both sides.
fn pooled_error(first: &[f64], second: &[f64]) -> f64 {
    let of = |values: &[f64]| values.len().max(1) as f64;
    let (n, m) = (of(first), of(second));
    let spread = (n * variance(first) + m * variance(second)) / (n + m);
    (spread * (1.0 / n + 1.0 / m)).sqrt()
}

pub(super) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

fn variance(values: &[f64]) -> f64 {
    let mean = mean(values);
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    squares / values.len().saturating_sub(1).max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newcombes_interval_is_the_one_of_his_paper() {
        // Table II, (a): 56/70 − 48/80.
        let found = newcombe((56, 70), (48, 80));
        assert!((found.estimate - 0.2).abs() < 1e-12);
        assert!((found.low - 0.0524).abs() < 5e-5, "{found:?}");
        assert!((found.high - 0.3339).abs() < 5e-5, "{found:?}");
    }

    proptest::proptest! {
        #[test]
        fn an_interval_of_shares_holds_its_estimate_and_turns_with_its_sides(
            (all, other) in (1u64..500, 1u64..500),
            (hits, held) in (0.0f64..=1.0, 0.0f64..=1.0),
        ) {
            let first = ((hits * all as f64) as u64, all);
            let second = ((held * other as f64) as u64, other);
            let (there, back) = (newcombe(first, second), newcombe(second, first));
            assert!(-1.0 <= there.low && there.low <= there.estimate + 1e-12);
            assert!(there.estimate <= there.high + 1e-12 && there.high <= 1.0);
            assert!((there.low + back.high).abs() < 1e-12 && (there.high + back.low).abs() < 1e-12);
        }
    }

    #[test]
    fn the_bootstrap_holds_the_truth_and_is_the_same_each_time() {
        let mut random = fastrand::Rng::with_seed(5);
        let first: Vec<f64> = (0..800).map(|_| random.f64() + 0.3).collect();
        let second: Vec<f64> = (0..800).map(|_| random.f64()).collect();
        let found = difference(&first, &second);
        assert!(found.low < 0.3 && 0.3 < found.high && found.high - found.low < 0.1);
        assert_eq!(found, difference(&first, &second));
    }

    #[test]
    fn of_a_side_where_hardly_anybody_bought_the_other_tells_the_spread() {
        let treated: Vec<f64> = (0..270).map(|n| if n % 20 == 0 { 50.0 } else { 0.0 }).collect();
        let nobody = vec![0.0; 30];
        let found = difference(&treated, &nobody);
        assert!(found.estimate > 2.0 && !found.is_decided(), "{found:?}");
        let many: Vec<f64> = treated.iter().cycle().take(27_000).copied().collect();
        assert!(difference(&many, &vec![0.0; 3_000]).is_decided());
    }

    #[test]
    fn a_difference_that_could_be_found_is_found_four_times_in_five() {
        let mut random = fastrand::Rng::with_seed(9);
        let mut spent = |mean: f64| -> Vec<f64> {
            (0..400).map(|_| mean - (1.0 - random.f64()).ln()).collect()
        };
        let least = detectable(&spent(0.0), &spent(0.0));
        let found = (0..300).filter(|_| {
            let (treated, held) = (spent(least), spent(0.0));
            difference(&treated, &held).side_of_two() == 1
        });
        let found = found.count();
        assert!((219..=264).contains(&found), "{found} of 300"); // 240, and 3.5 standard errors
    }

    #[test]
    fn what_was_spent_before_takes_noise_out_and_leaves_the_effect() {
        let mut random = fastrand::Rng::with_seed(6);
        let mut group = |effect: f64| -> (Vec<f64>, Vec<f64>) {
            (0..500)
                .map(|_| {
                    let habit = 100.0 * random.f64();
                    (habit + effect + 5.0 * random.f64(), habit)
                })
                .unzip()
        };
        let (treated, treated_before) = group(10.0);
        let (held, held_before) = group(0.0);
        let plain = difference(&treated, &held);
        let (a, b) = cuped((&treated, &treated_before), (&held, &held_before));
        let adjusted = difference(&a, &b);
        assert!(adjusted.high - adjusted.low < 0.3 * (plain.high - plain.low));
        assert!(adjusted.low < 10.0 && 10.0 < adjusted.high, "{adjusted:?}");
        assert!(detectable(&a, &b) < 0.3 * detectable(&treated, &held));
    }
}
