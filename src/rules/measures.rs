//! How strong a rule a → b is, from four counts: groups with both (n_ab), with a, with b, and all (N).
//!
//! Wherever a divisor is 0 the answer is 0: nothing was seen, so nothing is claimed.

/// Share of all groups that hold both: n_ab / N; 0 to 1.
pub fn support(n_ab: u32, n: u32) -> f64 {
    ratio(f64::from(n_ab), f64::from(n))
}

/// Share of the groups with a that also hold b: n_ab / n_a; 0 to 1.
pub fn confidence(n_ab: u32, n_a: u32) -> f64 {
    ratio(f64::from(n_ab), f64::from(n_a))
}

/// How many times more often together than by chance: N·n_ab / (n_a·n_b); 1.0 = independent.
pub fn lift(n_ab: u32, n_a: u32, n_b: u32, n: u32) -> f64 {
    ratio(f64::from(n) * f64::from(n_ab), f64::from(n_a) * f64::from(n_b))
}

/// Share of groups that hold both beyond chance: n_ab/N − n_a·n_b/N²; −0.25 to 0.25.
pub fn leverage(n_ab: u32, n_a: u32, n_b: u32, n: u32) -> f64 {
    support(n_ab, n) - support(n_a, n) * support(n_b, n)
}

/// Log-likelihood ratio of dependence against independence, ≥ 0, in nats times 2; negated where
/// lift < 1. Asymptotically χ² with one degree of freedom.
///
/// 2 Σ k_ij ln(k_ij N / (r_i c_j)) over the 2×2 table, computed as
/// 2 (Σ h(k_ij) − Σ h(r_i) − Σ h(c_j) + h(N)) with h(x) = x ln x.
/// Source: Dunning 1993, "Accurate methods for the statistics of surprise and coincidence".
pub fn llr(n_ab: u32, n_a: u32, n_b: u32, n: u32) -> f64 {
    let neither = (u64::from(n) + u64::from(n_ab)).saturating_sub(u64::from(n_a) + u64::from(n_b));
    let cells = x_ln_x(n_ab.into())
        + x_ln_x(n_a.saturating_sub(n_ab).into())
        + x_ln_x(n_b.saturating_sub(n_ab).into())
        + x_ln_x(neither);
    let value = 2.0 * (cells - margin(n_a, n) - margin(n_b, n) + x_ln_x(n.into()));
    value.max(0.0).copysign(lift(n_ab, n_a, n_b, n) - 1.0)
}

/// Probability of a log-likelihood ratio at least this large between independent items: the upper
/// tail of χ² with one degree of freedom, erfc(√(llr/2)).
pub fn p_value(llr: f64) -> f64 {
    libm::erfc((llr.max(0.0) / 2.0).sqrt())
}

/// h(n_a) + h(N − n_a) of [`llr`].
pub(super) fn margin(n_a: u32, n: u32) -> f64 {
    x_ln_x(n_a.into()) + x_ln_x(n.saturating_sub(n_a).into())
}

/// x ln x, 0 at 0.
pub(super) fn x_ln_x(x: u64) -> f64 {
    if x == 0 { 0.0 } else { x as f64 * (x as f64).ln() }
}

fn ratio(above: f64, below: f64) -> f64 {
    if below > 0.0 { above / below } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measures_of_a_hand_worked_table() {
        // 100 groups, 20 with a, 30 with b, 12 with both; by chance 6.
        assert_eq!(support(12, 100), 0.12);
        assert_eq!(confidence(12, 20), 0.6);
        assert_eq!(lift(12, 20, 30, 100), 2.0);
        assert!((leverage(12, 20, 30, 100) - 0.06).abs() < 1e-12);
        let by_cells =
            [(12.0, 20.0, 30.0), (8.0, 20.0, 70.0), (18.0, 80.0, 30.0), (62.0, 80.0, 70.0)]
                .iter()
                .map(|(k, r, c): &(f64, f64, f64)| 2.0 * k * (k * 100.0 / (r * c)).ln())
                .sum::<f64>();
        assert!((llr(12, 20, 30, 100) - by_cells).abs() < 1e-9);
        assert!(llr(1, 20, 30, 100) < 0.0);
    }

    #[test]
    fn p_values_match_the_chi_square_table() {
        for (llr, p) in [(0.0, 1.0), (3.841_459, 0.05), (6.634_897, 0.01), (10.827_57, 0.001)] {
            assert!((p_value(llr) - p).abs() < 1e-6, "llr {llr}: {} instead of {p}", p_value(llr));
        }
        assert!((p_value(37.325) / 1e-9 - 1.0).abs() < 0.01);
    }

    #[test]
    fn nothing_seen_claims_nothing() {
        for value in [support(0, 0), confidence(0, 0), lift(0, 0, 0, 0), leverage(0, 0, 0, 0)] {
            assert_eq!(value, 0.0);
        }
        assert_eq!(llr(0, 0, 0, 0).abs(), 0.0);
        assert_eq!(llr(7, 7, 7, 7).abs(), 0.0);
    }
}
