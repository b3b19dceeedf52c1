//! Special functions, and the distributions that they are. Γ and the error function come from libm.

pub(crate) use libm::lgamma as ln_gamma;

/// ln B(a, b) = ln Γ(a) + ln Γ(b) − ln Γ(a + b), for a, b > 0.
pub(crate) fn ln_beta(a: f64, b: f64) -> f64 {
    ln_gamma(a) + ln_gamma(b) - ln_gamma(a + b)
}

/// The standard normal distribution function.
pub(crate) fn normal(z: f64) -> f64 {
    0.5 * libm::erfc(-z * std::f64::consts::FRAC_1_SQRT_2)
}

/// ln(eᵃ + eᵇ) without overflow; either may be −∞.
pub(crate) fn ln_add(a: f64, b: f64) -> f64 {
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
pub(crate) fn hyp2f1(a: f64, b: f64, c: f64, z: f64) -> f64 {
    if c - a - b < 0.0 {
        (1.0 - z).powf(c - a - b) * series(c - a, c - b, c, z)
    } else {
        series(a, b, c, z)
    }
}

/// ln ₂F₁(a, b; c; z) for 0 ≤ z < 1 and a, b, c > 0 with a ≤ c, where the function itself would overflow.
pub(crate) fn ln_hyp2f1(a: f64, b: f64, c: f64, z: f64) -> f64 {
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

/// The regularised incomplete beta function Iₓ(a, b), for a, b > 0 and 0 ≤ x ≤ 1: the chance that a beta(a, b) is at
/// most x. By its continued fraction, evaluated after Lentz, on the side of the mean where it converges fast.
///
/// Source: Abramowitz & Stegun 26.5.8 and 26.5.2.
pub(crate) fn beta_share(a: f64, b: f64, x: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return if x > 0.0 { 1.0 } else { 0.0 };
    }
    let front = (a * x.ln() + b * (-x).ln_1p() - ln_beta(a, b)).exp();
    match x < (a + 1.0) / (a + b + 2.0) {
        true => front * beta_fraction(a, b, x) / a,
        false => 1.0 - front * beta_fraction(b, a, 1.0 - x) / b,
    }
}

/// 1/(1 + d₁/(1 + d₂/(1 + …))).
fn beta_fraction(a: f64, b: f64, x: f64) -> f64 {
    let kept_off_zero = |value: f64| if value.abs() < 1e-300 { 1e-300 } else { value };
    let (mut above, mut below) = (1.0, 1.0 / kept_off_zero(1.0 - (a + b) * x / (a + 1.0)));
    let mut fraction = below;
    for m in 1..MOST_TERMS {
        let m = m as f64;
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let mut change = 1.0;
        for term in [even, odd] {
            below = 1.0 / kept_off_zero(1.0 + term * below);
            above = kept_off_zero(1.0 + term / above);
            change = above * below;
            fraction *= change;
        }
        if (change - 1.0f64).abs() < 1e-12 {
            break;
        }
    }
    fraction
}

/// The x below which a beta(a, b) variable lies with this chance, to 1e-9.
pub(crate) fn beta_quantile(a: f64, b: f64, chance: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    while high - low > 1e-9 {
        let middle = 0.5 * (low + high);
        if beta_share(a, b, middle) < chance { low = middle } else { high = middle }
    }
    0.5 * (low + high)
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
    fn the_incomplete_beta_function_agrees_with_its_closed_forms_and_its_mirror_image() {
        for x in [0.0f64, 1e-6, 0.1, 0.35, 0.5, 0.8, 0.999, 1.0] {
            for n in [0.3, 1.0, 4.0, 90.0] {
                assert!((beta_share(n, 1.0, x) - x.powf(n)).abs() < 1e-10, "{n} {x}");
                let mirrored = 1.0 - (1.0 - x).powf(n);
                assert!((beta_share(1.0, n, x) - mirrored).abs() < 1e-10, "{n} {x}");
                let both = beta_share(n, 7.5, x) + beta_share(7.5, n, 1.0 - x);
                assert!((both - 1.0).abs() < 1e-10, "{n} {x}");
            }
        }
        assert!((beta_share(2.0, 3.0, 0.4) - 0.5248).abs() < 1e-12); // a polynomial
    }

    #[test]
    fn a_quantile_is_where_the_chance_is_reached() {
        for (a, b) in [(0.5, 2.0), (3.0, 0.7), (200.0, 40.0), (2.0, 5_000.0)] {
            for chance in [0.01, 0.05, 0.5, 0.95] {
                let found = beta_share(a, b, beta_quantile(a, b, chance));
                assert!((found - chance).abs() < 1e-4, "{a} {b} {chance}: {found}");
            }
        }
    }

    #[test]
    fn the_normal_distribution_is_what_tables_say() {
        for (z, chance) in [(0.0, 0.5), (1.96, 0.975), (-1.644_853_6, 0.05), (3.0, 0.998_650_1)] {
            assert!((normal(z) - chance).abs() < 1e-5, "{z}: {}", normal(z));
        }
    }

    #[test]
    fn adding_logarithms_neither_overflows_nor_needs_both() {
        assert!((ln_add(1000.0, 1000.0) - 1000.0 - 2f64.ln()).abs() < 1e-12);
        assert_eq!(ln_add(f64::NEG_INFINITY, -3.0), -3.0);
        assert!((ln_beta(2.0, 3.0) - (1.0f64 / 12.0).ln()).abs() < 1e-12);
    }
}
