//! The significance gate: Benjamini–Hochberg over all tested pairs, from a histogram of their
//! log-likelihood ratios, so that no pair has to be kept for it.

use serde::Serialize;

use super::measures::p_value;

const BINS_PER_UNIT: f64 = 64.0;
/// Below the last bin's edge, 64, p is 1e-15: no shop has enough pairs to ask for more.
const BINS: usize = 64 * 64 + 1;

/// What the significance gate did. Pairs are unordered here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Gate {
    /// Pairs tested: all pairs of items that are in at least `min_count` groups each.
    ///
    /// Counting only pairs that were *seen* together would be choosing what to test by its result: in
    /// a shop of pure chance with 50,000 items a fifth of those then passes.
    pub tested: u64,
    /// Pairs with lift > 1 and a log-likelihood ratio at or above the threshold.
    pub passed: u64,
    /// The smallest log-likelihood ratio let through; `None` if no pair passes.
    pub llr_threshold: Option<f64>,
}

/// Counts of pairs with lift > 1 by log-likelihood ratio; merges in any order.
#[derive(Clone)]
pub(super) struct Histogram {
    bins: Vec<u64>,
}

impl Histogram {
    pub(super) fn new() -> Self {
        Self { bins: vec![0; BINS] }
    }

    /// The bin of a log-likelihood ratio.
    pub(super) fn bin(llr: f64) -> u16 {
        // A float to integer cast saturates, so NaN and negatives land in bin 0.
        ((llr * BINS_PER_UNIT) as usize).min(BINS - 1) as u16
    }

    pub(super) fn add(&mut self, bin: u16) {
        self.bins[usize::from(bin)] += 1;
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.bins.iter_mut().zip(&other.bins).for_each(|(mine, theirs)| *mine += theirs);
    }

    /// The gate, and the lowest bin that it lets through.
    ///
    /// Benjamini–Hochberg: reject the R smallest p-values for the largest R with p_R ≤ q R / m. Taking
    /// every p at its bin's lower edge, and p = 1 for the tested pairs that are not in the histogram
    /// (not together, or no more often than by chance), errs on the side of fewer rules.
    /// Source: Benjamini & Hochberg 1995.
    pub(super) fn gate(&self, tested: u64, false_discovery_rate: f64) -> (Gate, u16) {
        let mut passed: u64 = self.bins.iter().sum();
        for (bin, count) in self.bins.iter().enumerate() {
            let edge = bin as f64 / BINS_PER_UNIT;
            let allowed = false_discovery_rate * passed as f64 / tested.max(1) as f64;
            if passed > 0 && (p_value(edge) <= allowed || false_discovery_rate >= 1.0) {
                return (Gate { tested, passed, llr_threshold: Some(edge) }, bin as u16);
            }
            passed -= count;
        }
        (Gate { tested, passed: 0, llr_threshold: None }, u16::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gate_agrees_with_benjamini_hochberg_on_the_sorted_p_values() {
        let mut random = fastrand::Rng::with_seed(7);
        let llrs: Vec<f64> = (0..5000)
            .map(|i| if i % 5 == 0 { random.f64() * 30.0 } else { random.f64().powi(4) * 6.0 })
            .collect();
        let mut histogram = Histogram::new();
        llrs.iter().for_each(|&llr| histogram.add(Histogram::bin(llr)));
        let mut sorted: Vec<f64> = llrs.iter().map(|&llr| p_value(llr)).collect();
        sorted.sort_by(f64::total_cmp);
        let exact = (1..=sorted.len())
            .rev()
            .find(|&rank| sorted[rank - 1] <= 0.05 * rank as f64 / sorted.len() as f64)
            .unwrap_or(0);
        let (gate, _) = histogram.gate(5000, 0.05);
        assert!(gate.passed as usize <= exact && gate.passed as f64 > 0.98 * exact as f64);
    }

    #[test]
    fn without_any_pair_nothing_passes() {
        let (gate, bin) = Histogram::new().gate(0, 0.05);
        assert_eq!((gate, bin), (Gate::default(), u16::MAX));
    }
}
