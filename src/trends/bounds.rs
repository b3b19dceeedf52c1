//! Chances behind a comparison of two rates: the regularised incomplete beta function, and its inverse.

/// ln Γ(x) for x > 0, to some 14 digits. Source: Lanczos 1964, with the coefficients for g = 7, n = 9.
fn ln_gamma(x: f64) -> f64 {
    const G: f64 = 7.0;
    const LEAD: f64 = 0.999_999_999_999_809_9;
    const TERMS: [f64; 8] = [
        676.520_368_121_885_1,
        -1_259.139_216_722_402_8,
        771.323_428_777_653_1,
        -176.615_029_162_140_6,
        12.507_343_278_686_905,
        -0.138_571_095_265_720_12,
        9.984_369_578_019_572e-6,
        1.505_632_735_149_311_6e-7,
    ];
    let x = x - 1.0;
    let sum = TERMS.iter().zip(1..).fold(LEAD, |sum, (term, i)| sum + term / (x + f64::from(i)));
    let t = x + G + 0.5;
    0.5 * std::f64::consts::TAU.ln() + (x + 0.5) * t.ln() - t + sum.ln()
}

/// I_x(a, b): the chance that a Beta(a, b) variable is below x; a, b > 0, 0 ≤ x ≤ 1.
///
/// Source: the continued fraction of Gauss, evaluated as Lentz 1976 does.
pub(super) fn incomplete_beta(a: f64, b: f64, x: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return x.clamp(0.0, 1.0);
    }
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - incomplete_beta(b, a, 1.0 - x); // the fraction converges on this side
    }
    let front = a * x.ln() + b * (-x).ln_1p() + ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b);
    (front.exp() / a * fraction(a, b, x)).clamp(0.0, 1.0)
}

fn fraction(a: f64, b: f64, x: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let away_from_0 = |value: f64| if value.abs() < TINY { TINY } else { value };
    let mut c = 1.0;
    let mut d = 1.0 / away_from_0(1.0 - (a + b) * x / (a + 1.0));
    let mut product = d;
    for step in 1..500 {
        let m = f64::from(step);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        for term in [even, odd] {
            d = 1.0 / away_from_0(1.0 + term * d);
            c = away_from_0(1.0 + term / c);
            product *= c * d;
        }
        if (c * d - 1.0).abs() < 1e-12 {
            break;
        }
    }
    product
}

/// The x below which a Beta(a, b) variable lies with chance `chance`, to 1e-9.
pub(super) fn beta_quantile(a: f64, b: f64, chance: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    while high - low > 1e-9 {
        let middle = 0.5 * (low + high);
        if incomplete_beta(a, b, middle) < chance { low = middle } else { high = middle }
    }
    0.5 * (low + high)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-7, "{a} is not {b}");
    }

    #[test]
    fn whole_numbers_give_factorials_and_a_half_gives_the_root_of_pi() {
        near(ln_gamma(1.0), 0.0);
        near(ln_gamma(6.0), 120f64.ln());
        near(ln_gamma(0.5), 0.5 * std::f64::consts::PI.ln());
    }

    #[test]
    fn the_beta_function_agrees_with_what_can_be_worked_by_hand() {
        near(incomplete_beta(1.0, 1.0, 0.3), 0.3);
        near(incomplete_beta(2.0, 1.0, 0.3), 0.09);
        // P(at least 3 heads of 5) is a half.
        near(incomplete_beta(3.0, 3.0, 0.5), 0.5);
        near(incomplete_beta(0.5, 0.5, 0.25), 1.0 / 3.0); // arcsine law: 2/π·asin(√¼)
        assert_eq!(incomplete_beta(2.0, 3.0, 0.0), 0.0);
        assert_eq!(incomplete_beta(2.0, 3.0, 1.0), 1.0);
    }

    #[test]
    fn a_quantile_is_where_the_chance_is_reached() {
        for (a, b) in [(0.5, 2.0), (3.0, 0.7), (200.0, 40.0), (2.0, 5_000.0)] {
            for chance in [0.01, 0.05, 0.5, 0.95] {
                let found = incomplete_beta(a, b, beta_quantile(a, b, chance));
                assert!((found - chance).abs() < 1e-4, "{a} {b} {chance}: {found}");
            }
        }
    }
}
