//! How good an order is: NDCG, and the sorting it needs.

use rayon::prelude::*;

use super::sheet::Sheet;

/// What a place in the order counts: 1 / log₂(place + 2), places from 0.
pub(super) fn discount(place: usize) -> f64 {
    1.0 / (place as f64 + 2.0).log2()
}

/// The best a group can reach: Σ label × [`discount`] over its first `at` rows, best labels first.
pub(super) fn ideal(labels: &[f32], at: usize) -> f64 {
    let mut gains: Vec<f32> = labels.iter().copied().filter(|&label| label > 0.0).collect();
    gains.sort_unstable_by(|a, b| b.total_cmp(a));
    gains.iter().take(at).enumerate().map(|(place, &gain)| f64::from(gain) * discount(place)).sum()
}

/// The rows by falling score, ties by row. Each entry holds a row in its low half.
pub(super) fn order(scores: &[f32], keys: &mut Vec<u64>) {
    keys.clear();
    keys.extend(scores.iter().enumerate().map(|(row, &score)| falling(score) << 32 | row as u64));
    keys.sort_unstable();
}

/// The row of an entry of [`order`].
pub(super) fn row_of(key: u64) -> usize {
    (key & u64::from(u32::MAX)) as usize
}

/// A number that rises as the score falls. −0 is 0.
fn falling(score: f32) -> u64 {
    let bits = (score + 0.0).to_bits();
    let rising = if bits >> 31 == 1 { !bits } else { bits | 1 << 31 };
    u64::from(!rising)
}

/// Mean NDCG of the first `at` rows by `scores`, by the weights of those of `groups` with a positive label;
/// 0 if none has.
///
/// NDCG = Σ label × discount over the order / the same over the best order. Rows with the same score share
/// the places they take together, so that the order of the sheet is worth nothing. Source: Järvelin &
/// Kekäläinen 2002; ties: `McSherry` & Najork 2008, "Computing Information Retrieval Performance Measures
/// Efficiently in the Presence of Tied Scores".
pub(super) fn ndcg(sheet: &Sheet, scores: &[f32], groups: &[usize], at: usize) -> f64 {
    let each: Vec<(f64, f64)> = groups
        .par_iter()
        .map_init(Vec::new, |keys, &group| {
            let labels = &sheet.labels()[sheet.group(group)];
            let best = ideal(labels, at);
            let weight = f64::from(sheet.weight(group));
            if best > 0.0 && weight > 0.0 {
                order(&scores[sheet.group(group)], keys);
                (weight * reached(keys, labels, at) / best, weight)
            } else {
                (0.0, 0.0)
            }
        })
        .collect();
    let (sum, weights) = each.iter().fold((0.0, 0.0), |sums, one| (sums.0 + one.0, sums.1 + one.1));
    if weights > 0.0 { sum / weights } else { 0.0 }
}

/// Σ label × discount over the first `at` places, tied rows sharing theirs.
fn reached(keys: &[u64], labels: &[f32], at: usize) -> f64 {
    let mut sum = 0.0;
    let mut place = 0;
    for tied in keys.chunk_by(|a, b| a >> 32 == b >> 32) {
        if place >= at {
            break;
        }
        let gains: f64 = tied.iter().map(|&key| f64::from(labels[row_of(key)])).sum();
        if gains > 0.0 {
            let places: f64 = (place..at.min(place + tied.len())).map(discount).sum();
            sum += gains / tied.len() as f64 * places;
        }
        place += tied.len();
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sheet(labels: &[f32]) -> Sheet {
        Sheet::from_parts(0, vec![], vec![0, labels.len()], labels.to_vec(), None).unwrap()
    }

    #[test]
    fn ndcg_is_that_worked_by_hand() {
        let sheet = sheet(&[0.0, 1.0, 0.0, 3.0]);
        let best = 3.0 + 1.0 / 3f64.log2();
        let scores = [4.0, 3.0, -2.0, -1.0]; // labels in this order: 0, 1, 3, 0
        let second_and_third = 1.0 / 3f64.log2() + 3.0 / 4f64.log2();
        assert!((ndcg(&sheet, &scores, &[0], 10) - second_and_third / best).abs() < 1e-12);
        assert!((ndcg(&sheet, &scores, &[0], 2) - 1.0 / 3f64.log2() / best).abs() < 1e-12);
        assert_eq!(ndcg(&sheet, &[0.0, 1.0, 0.0, 2.0], &[0], 10), 1.0);
    }

    #[test]
    fn tied_rows_share_their_places() {
        let tied = [0.0, -0.0, 0.0, 0.0];
        let first = ndcg(&sheet(&[1.0, 0.0, 0.0, 0.0]), &tied, &[0], 2);
        let last = ndcg(&sheet(&[0.0, 0.0, 0.0, 1.0]), &tied, &[0], 2);
        assert_eq!(first, last);
        assert!((first - (1.0 + 1.0 / 3f64.log2()) / 4.0).abs() < 1e-12);
    }

    #[test]
    fn a_group_with_nothing_to_find_is_not_counted() {
        assert_eq!(ndcg(&sheet(&[0.0, 0.0]), &[1.0, 2.0], &[0], 10), 0.0);
        assert_eq!(ndcg(&sheet(&[]), &[], &[0], 10), 0.0);
    }
}
