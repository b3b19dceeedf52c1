//! What a list is worth, case by case, and over all cases.
//!
//! Recall divides by the whole truth, so recall@10 cannot reach 1 where more than ten items are right.
//! NDCG's ideal list is cut at k.

use rayon::prelude::*;
use serde::Serialize;

/// Longest list that is judged.
pub const LIMIT: usize = 20;

/// How many times customers are drawn anew for an interval.
const BOOTSTRAP_ROUNDS: u64 = 1_000;

/// Values at one cut-off k, each 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct AtCutoff {
    /// Right items among the first k ÷ all right items.
    pub recall: f64,
    /// Σ 1/log₂(rank + 1) of the hits ÷ that of an ideal list of min(k, right items) hits.
    pub ndcg: f64,
    /// 1 if any of the first k is right.
    pub hit_rate: f64,
    /// 1 ÷ rank of the first hit; 0 without one.
    pub mrr: f64,
}

impl AtCutoff {
    /// Of one list. `hits[r]` says whether rank r + 1 is right; `truth` is how many items are, ≥ 1.
    pub fn of(hits: &[bool], truth: usize, k: usize) -> Self {
        let ranks = || hits.iter().take(k).zip(1..).filter(|(hit, _)| **hit).map(|(_, rank)| rank);
        let gained: f64 = ranks().map(discount).sum();
        let ideal: f64 = (1..=truth.min(k)).map(discount).sum();
        let found = ranks().count();
        Self {
            recall: found as f64 / truth as f64,
            ndcg: gained / ideal,
            hit_rate: if found > 0 { 1.0 } else { 0.0 },
            mrr: ranks().next().map_or(0.0, |rank| 1.0 / rank as f64),
        }
    }

    /// The mean over cases; all 0 without cases.
    pub fn mean<'a>(values: impl IntoIterator<Item = &'a Self>) -> Self {
        let (mut sum, mut count) = (Self::default(), 0.0);
        for value in values {
            sum.recall += value.recall;
            sum.ndcg += value.ndcg;
            sum.hit_rate += value.hit_rate;
            sum.mrr += value.mrr;
            count += 1.0;
        }
        let share = if count > 0.0 { 1.0 / count } else { 0.0 };
        Self {
            recall: sum.recall * share,
            ndcg: sum.ndcg * share,
            hit_rate: sum.hit_rate * share,
            mrr: sum.mrr * share,
        }
    }
}

fn discount(rank: usize) -> f64 {
    1.0 / (rank as f64 + 1.0).log2()
}

/// Percentile 95 % interval of the mean of `values`, by drawing whole clusters with replacement.
///
/// `clusters[c]` is the cluster of case c, dense from 0: a customer's cases stand or fall together. The
/// same seed gives the same interval on any number of threads.
pub fn interval(values: &[f64], clusters: &[u32], seed: u64) -> (f64, f64) {
    let count = clusters.iter().map(|&cluster| cluster as usize + 1).max().unwrap_or(0);
    if count == 0 {
        return (0.0, 0.0);
    }
    let mut totals = vec![(0.0, 0.0); count];
    for (&value, &cluster) in values.iter().zip(clusters) {
        let (sum, size) = &mut totals[cluster as usize];
        *sum += value;
        *size += 1.0;
    }
    totals.retain(|&(_, size)| size > 0.0);
    let mut means: Vec<f64> = (0..BOOTSTRAP_ROUNDS)
        .into_par_iter()
        .map(|round| {
            let mut chance =
                fastrand::Rng::with_seed(seed.wrapping_mul(0x9E37_79B9).wrapping_add(round));
            let (mut sum, mut size) = (0.0, 0.0);
            for _ in 0..totals.len() {
                let drawn = totals[chance.usize(..totals.len())];
                sum += drawn.0;
                size += drawn.1;
            }
            sum / size
        })
        .collect();
    means.sort_unstable_by(f64::total_cmp);
    (quantile(&means, 0.025), quantile(&means, 0.975))
}

/// Of ascending values, with linear interpolation between neighbours; 0 of none.
pub(super) fn quantile(sorted: &[f64], share: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return 0.0 };
    let place = share * last as f64;
    let below = place.floor() as usize;
    let above = (below + 1).min(last);
    sorted[below] + (sorted[above] - sorted[below]) * (place - below as f64)
}

/// How unequally often items are shown: 0 if all of them equally often, near 1 if one is shown always.
///
/// Over the whole catalogue, items that are never shown too. Source: Gini 1912; with x ascending and i
/// from 1, Σ (2i − n − 1) x_i ÷ (n Σ x_i).
pub fn gini(mut shown: Vec<u64>) -> f64 {
    let total: u64 = shown.iter().sum();
    if total == 0 {
        return 0.0;
    }
    shown.sort_unstable();
    let n = shown.len() as f64;
    let weighted: f64 =
        shown.iter().zip(1..).map(|(&x, i)| (2.0 * i as f64 - n - 1.0) * x as f64).sum();
    weighted / (n * total as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-9, "{a} is not {b}");
    }

    #[test]
    fn a_list_worked_by_hand() {
        // Ranks 2 and 4 are right, of five right items.
        let hits = [false, true, false, true];
        let at10 = AtCutoff::of(&hits, 5, 10);
        near(at10.recall, 2.0 / 5.0);
        let log2 = |x: f64| x.log2();
        let gained = 1.0 / log2(3.0) + 1.0 / log2(5.0);
        let ideal = 1.0 + 1.0 / log2(3.0) + 0.5 + 1.0 / log2(5.0) + 1.0 / log2(6.0);
        near(at10.ndcg, gained / ideal);
        near(at10.mrr, 0.5);
        near(at10.hit_rate, 1.0);
        // Cut at 3: one hit; the ideal list has three.
        let at3 = AtCutoff::of(&hits, 5, 3);
        near(at3.recall, 0.2);
        near(at3.ndcg, (1.0 / log2(3.0)) / (1.0 + 1.0 / log2(3.0) + 0.5));
        assert_eq!(AtCutoff::of(&[], 3, 10), AtCutoff::default());
        assert_eq!(AtCutoff::of(&[false, false], 1, 1), AtCutoff::default());
    }

    #[test]
    fn a_perfect_list_reaches_one_even_where_recall_cannot() {
        let perfect = AtCutoff::of(&[true; 20], 40, 10);
        near(perfect.ndcg, 1.0);
        near(perfect.recall, 0.25);
    }

    #[test]
    fn the_mean_is_over_cases_and_zero_without_any() {
        let (one, none) = (AtCutoff::of(&[true], 1, 10), AtCutoff::default());
        near(AtCutoff::mean(&[one, none]).ndcg, 0.5);
        assert_eq!(AtCutoff::mean(&[]), AtCutoff::default());
    }

    #[test]
    fn gini_is_zero_for_equals_and_high_for_one_who_has_all() {
        near(gini(vec![3, 3, 3]), 0.0);
        near(gini(vec![0, 0, 0, 8]), 0.75);
        near(gini(vec![1, 3]), 0.25);
        near(gini(vec![0, 0]), 0.0);
        near(gini(vec![]), 0.0);
    }

    #[test]
    fn an_interval_holds_its_mean_is_repeatable_and_widens_with_clusters() {
        let values: Vec<f64> = (0..400).map(|case| f64::from(case % 2)).collect();
        let alone: Vec<u32> = (0..400).collect();
        let (low, high) = interval(&values, &alone, 7);
        assert!(low < 0.5 && 0.5 < high, "{low} {high}");
        // The normal approximation: 1.96 · 0.5 ÷ √400 = 0.049.
        assert!((high - low - 0.098).abs() < 0.012, "{low} {high}");
        assert_eq!((low, high), interval(&values, &alone, 7));
        let by_ten: Vec<u32> = (0..400).map(|case| case % 2 + 2 * (case / 100)).collect();
        let (wide_low, wide_high) = interval(&values, &by_ten, 7);
        assert!(wide_high - wide_low > 2.0 * (high - low));
        assert_eq!(interval(&[], &[], 7), (0.0, 0.0));
        assert_eq!(interval(&[0.25], &[0], 7), (0.25, 0.25));
    }

    #[test]
    fn quantiles_interpolate() {
        near(quantile(&[1.0, 2.0, 3.0], 0.5), 2.0);
        near(quantile(&[1.0, 2.0], 0.75), 1.75);
        near(quantile(&[], 0.5), 0.0);
    }
}
