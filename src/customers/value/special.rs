//! Special functions, as far as the models of value need them. Γ comes from libm.

pub(super) use libm::lgamma as ln_gamma;

/// ln B(a, b) = ln Γ(a) + ln Γ(b) − ln Γ(a + b), for a, b > 0.
pub(super) fn ln_beta(a: f64, b: f64) -> f64 {
    ln_gamma(a) + ln_gamma(b) - ln_gamma(a + b)
}

/// ln(eᵃ + eᵇ) without overflow; either may be −∞.
pub(super) fn ln_add(a: f64, b: f64) -> f64 {
    let (high, low) = if a > b { (a, b) } else { (b, a) };
    if low == f64::NEG_INFINITY { high } else { high + (low - high).exp().ln_1p() }
}

/// A term this small beside the sum adds nothing any more.
const NOTHING: f64 = 1e-15;
/// A series that is still adding after so many terms is cut.
const MOST_TERMS: usize = 2_000;

/// Gauss' ₂F₁(a, b; c; z) for 0 ≤ z < 1 by its power series, after Euler's transformation
/// (1 − z)^(c−a−b) ₂F₁(c − a, c − b; c; z) where that converges faster.
///
/// Source: Abramowitz & Stegun 15.1.1 and 15.3.3.
pub(super) fn hyp2f1(a: f64, b: f64, c: f64, z: f64) -> f64 {
    if c - a - b < 0.0 {
        (1.0 - z).powf(c - a - b) * series(c - a, c - b, c, z)
    } else {
        series(a, b, c, z)
    }
}

/// ln ₂F₁(a, b; c; z) for 0 ≤ z < 1 and a, b, c > 0 with a ≤ c, where the function itself would overflow.
pub(super) fn ln_hyp2f1(a: f64, b: f64, c: f64, z: f64) -> f64 {
    if c - a - b < 0.0 {
        (c - a - b) * (-z).ln_1p() + series(c - a, c - b, c, z).ln()
    } else {
        series(a, b, c, z).ln()
    }
}

fn series(a: f64, b: f64, c: f64, z: f64) -> f64 {
    let (mut term, mut sum) = (1.0, 1.0);
    for n in 0..MOST_TERMS {
        let n = n as f64;
        term *= (a + n) * (b + n) / ((c + n) * (n + 1.0)) * z;
        sum += term;
        if term.abs() <= NOTHING * f64::abs(sum) {
            break;
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gauss_function_agrees_with_its_closed_forms() {
        // ₂F₁(1, 1; 2; z) = −ln(1 − z)/z and ₂F₁(a, b; b; z) = (1 − z)^−a.
        for z in [0.0f64, 0.1, 0.5, 0.9, 0.99] {
            let log = if z == 0.0 { 1.0 } else { -(1.0 - z).ln() / z };
            assert!((hyp2f1(1.0, 1.0, 2.0, z) / log - 1.0).abs() < 1e-10, "{z}");
            let power = (1.0 - z).powf(-2.5);
            assert!((hyp2f1(2.5, 1.7, 1.7, z) / power - 1.0).abs() < 1e-10, "{z}");
            let log = ln_hyp2f1(2.5, 400.0, 400.0, z);
            assert!((log - power.ln()).abs() < 1e-9, "{z}");
        }
    }

    #[test]
    fn adding_logarithms_neither_overflows_nor_needs_both() {
        assert!((ln_add(1000.0, 1000.0) - 1000.0 - 2f64.ln()).abs() < 1e-12);
        assert_eq!(ln_add(f64::NEG_INFINITY, -3.0), -3.0);
        assert!((ln_beta(2.0, 3.0) - (1.0f64 / 12.0).ln()).abs() < 1e-12);
    }
}
