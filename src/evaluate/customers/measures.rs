//! Figures over customers, and the bootstrap of their differences.

const RESAMPLES: u64 = 400;

/// Area under the ROC curve: the chance that a customer who did scores above one who did not, ties half.
pub(super) fn auc(cases: &[(f64, bool)]) -> f64 {
    let mut sorted: Vec<(f64, bool)> = cases.to_vec();
    sorted.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let (mut below, mut sum, mut hits) = (0.0, 0.0, 0.0);
    for ties in sorted.chunk_by(|a, b| a.0 == b.0) {
        let did = ties.iter().filter(|(_, did)| *did).count() as f64;
        let not = ties.len() as f64 - did;
        sum += did * (below + 0.5 * not);
        below += not;
        hits += did;
    }
    if hits > 0.0 && below > 0.0 { sum / (hits * below) } else { 0.5 }
}

/// How much more often the tenth with the highest scores did than all did; 1 = as often. Of those that tie for its
/// last places, as many did as of all that tie.
pub(super) fn lift_at_tenth(cases: &[(f64, bool)]) -> f64 {
    let mut sorted: Vec<(f64, bool)> = cases.to_vec();
    sorted.sort_by(|a, b| b.0.total_cmp(&a.0));
    let places = cases.len().div_ceil(10);
    let (mut left, mut hits) = (places, 0.0);
    for ties in sorted.chunk_by(|a, b| a.0 == b.0) {
        let taken = left.min(ties.len());
        hits += did(ties) * taken as f64 / ties.len() as f64;
        left -= taken;
    }
    let (top, all) = (hits / places.max(1) as f64, did(cases) / cases.len().max(1) as f64);
    top / all.max(f64::MIN_POSITIVE)
}

fn did(cases: &[(f64, bool)]) -> f64 {
    cases.iter().filter(|(_, did)| *did).count() as f64
}

/// Rows by customer: what is drawn anew is customers, each with all that is theirs.
#[derive(Debug)]
pub(super) struct Clusters {
    /// Where each customer's rows begin; the last is where all end.
    begins: Vec<usize>,
}

impl Clusters {
    /// Of rows in the order of their customers.
    pub(super) fn of(customers: impl Iterator<Item = usize>) -> Self {
        let (mut begins, mut latest, mut count) = (Vec::new(), None, 0);
        for (row, customer) in customers.enumerate() {
            if latest.replace(customer) != Some(customer) {
                begins.push(row);
            }
            count = row + 1;
        }
        begins.push(count);
        Self { begins }
    }

    /// The 95 % interval of `figure` over resamples of the customers, given the rows of those drawn.
    pub(super) fn interval(&self, figure: impl Fn(&[usize]) -> f64) -> (f64, f64) {
        let customers = self.begins.len() - 1;
        let mut rows = Vec::new();
        let mut figures: Vec<f64> = (0..RESAMPLES)
            .map(|draw| {
                let mut random = fastrand::Rng::with_seed(draw);
                rows.clear();
                for _ in 0..customers {
                    let drawn = random.usize(..customers);
                    rows.extend(self.begins[drawn]..self.begins[drawn + 1]);
                }
                figure(&rows)
            })
            .collect();
        figures.sort_unstable_by(f64::total_cmp);
        let at = |share: f64| figures[(share * (RESAMPLES - 1) as f64).round() as usize];
        (at(0.025), at(0.975))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_perfect_order_has_an_area_of_one_and_ties_have_a_half() {
        assert_eq!(auc(&[(0.1, false), (0.2, false), (0.9, true)]), 1.0);
        assert_eq!(auc(&[(0.9, false), (0.1, true)]), 0.0);
        assert_eq!(auc(&[(0.5, false), (0.5, true), (0.5, true)]), 0.5);
        assert_eq!(auc(&[]), 0.5);
    }

    #[test]
    fn the_lift_is_that_of_the_best_tenth() {
        let cases: Vec<(f64, bool)> = (0..100).map(|n| (f64::from(n), n >= 80)).collect();
        assert_eq!(lift_at_tenth(&cases), 5.0);
    }

    #[test]
    fn of_those_that_tie_for_the_last_places_of_a_tenth_it_is_chance_who_is_in() {
        // One is ahead of nine that tie for the second of two places, the last three of which did.
        let score = |n: usize| if n == 0 { 2.0 } else { f64::from(u8::from(n < 10)) };
        let cases: Vec<(f64, bool)> =
            (0..20).map(|n| (score(n), n == 0 || (7..10).contains(&n))).collect();
        let expected = (1.0 + 3.0 / 9.0) / 2.0 / (4.0 / 20.0);
        assert!((lift_at_tenth(&cases) - expected).abs() < 1e-12);
        assert_eq!(lift_at_tenth(&[]), 0.0);
    }

    #[test]
    fn the_interval_of_a_mean_holds_it_and_what_belongs_together_tells_less() {
        let values: Vec<f64> = (0..500).map(|n| f64::from(n / 10 % 7)).collect();
        let mean =
            |rows: &[usize]| rows.iter().map(|&row| values[row]).sum::<f64>() / rows.len() as f64;
        let width = |(low, high): (f64, f64)| {
            assert!(low < 2.94 && 2.94 < high, "{low} {high}");
            high - low
        };
        let alone = width(Clusters::of(0..500).interval(mean));
        let by_ten = width(Clusters::of((0..500).map(|n| n / 10)).interval(mean));
        assert!(alone < 0.5 && by_ten > 2.0 * alone, "{alone} {by_ten}");
    }
}
