//! Gamma–Gamma: what an order of a customer is worth on average, from the few that were seen.
//!
//! Source: Fader & Hardie 2013, "The Gamma-Gamma Model of Monetary Value".

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::simplex::maximise;
use crate::special::ln_gamma;

/// An order is gamma(p, ν) with ν ~ gamma(q, γ) over customers; money in the shop's currency.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct GammaGamma {
    /// Shape within a customer, > 0.
    pub p: f64,
    /// Shape over customers, > 1.
    pub q: f64,
    /// Money, > 0.
    pub gamma: f64,
}

/// A customer's repeat orders: how many (≥ 1), and their mean value (> 0).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spend {
    /// x.
    pub orders: f64,
    /// z̄, money.
    pub mean: f64,
}

/// With more customers than this, means are rounded to 2 %.
const MOST_EXACT: usize = 50_000;
const CHUNK: usize = 512;
/// With a smaller q, what customers' orders are worth has no variance, and below 1 no mean: some pay so much more than
/// most that the mean of the fitted curve is far beyond all that was seen, or infinite.
const LEAST_SHAPE: f64 = 2.0;

impl GammaGamma {
    /// By maximum likelihood, with the log-likelihood reached.
    ///
    /// ln L = ln Γ(px+q) − ln Γ(px) − ln Γ(q) + q ln γ + (px−1) ln z̄ + px ln x − (px+q) ln(γ + x z̄), eq. 1a. Where
    /// that gives a q below 2, the shop's mean pγ/(q − 1) is held at what customers' means are on average.
    pub fn fit(spends: &[Spend]) -> (Self, f64) {
        let rows = summary(spends);
        // Found in units of the mean: the start then suits any currency.
        let customers: f64 = rows.iter().map(|row| row.1).sum();
        let unit = rows.iter().map(|(s, n)| n * s.mean).sum::<f64>() / customers.max(1.0);
        let unit = if unit > 0.0 { unit } else { 1.0 };
        let log_likelihood = |p: f64, q: f64, gamma: f64| {
            let constant = q * gamma.ln() - ln_gamma(q);
            let term = |(Spend { orders: x, mean }, count): &(Spend, f64)| {
                let z = mean / unit;
                let px = p * x;
                count
                    * (constant + ln_gamma(px + q) - ln_gamma(px)
                        + (px - 1.0) * z.ln()
                        + px * x.ln()
                        - (px + q) * (gamma + x * z).ln())
            };
            let parts: Vec<f64> =
                rows.par_chunks(CHUNK).map(|rows| rows.iter().map(term).sum()).collect();
            parts.into_iter().sum::<f64>()
        };
        let free = |&[p, q, gamma]: &[f64; 3]| log_likelihood(p, q, gamma);
        let ([mut p, mut q, mut gamma], mut reached) = maximise(free, [5.0, 3.0, 0.5]);
        if q < LEAST_SHAPE {
            // The mean is one unit.
            let held =
                |&[p, above_one]: &[f64; 2]| log_likelihood(p, 1.0 + above_one, above_one / p);
            let ([shape, above_one], likelihood) = maximise(held, [5.0, 1.0]);
            (p, q, gamma, reached) = (shape, 1.0 + above_one, above_one / shape, likelihood);
        }
        (Self { p, q, gamma: gamma * unit }, reached - customers * unit.ln())
    }

    /// What an order of this customer is worth on average, money:
    /// (γ + x z̄) p/(px + q − 1), eq. 5; with no repeat order that is the shop's mean pγ/(q − 1).
    pub fn expected(&self, spend: Option<Spend>) -> f64 {
        let (x, money) = spend.map_or((0.0, 0.0), |s| (s.orders, s.orders * s.mean));
        self.p * (self.gamma + money) / (self.p * x + self.q - 1.0)
    }
}

fn summary(spends: &[Spend]) -> Vec<(Spend, f64)> {
    let sound = spends.iter().filter(|s| s.mean > 0.0 && s.orders > 0.0);
    if spends.len() <= MOST_EXACT {
        return sound.map(|&spend| (spend, 1.0)).collect();
    }
    let step = 1.02f64.ln();
    let mut keys: Vec<(u32, i64)> =
        sound.map(|s| (s.orders as u32, (s.mean.ln() / step).round() as i64)).collect();
    keys.par_sort_unstable();
    let spend = |&(orders, steps): &(u32, i64)| Spend {
        orders: f64::from(orders),
        mean: (steps as f64 * step).exp(),
    };
    keys.chunk_by(|a, b| a == b).map(|same| (spend(&same[0]), same.len() as f64)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_orders_are_shrunk_to_the_shops_mean_and_many_are_believed() {
        let model = GammaGamma { p: 6.25, q: 3.74, gamma: 15.44 };
        let shop = model.expected(None);
        assert!((shop - 35.2).abs() < 0.1, "{shop}");
        let one = model.expected(Some(Spend { orders: 1.0, mean: 100.0 }));
        let many = model.expected(Some(Spend { orders: 200.0, mean: 100.0 }));
        assert!(shop < one && one < many && (many - 100.0).abs() < 1.0, "{one} {many}");
    }

    #[test]
    fn where_a_few_pay_a_hundred_times_as_much_the_shops_mean_is_what_was_seen() {
        for spread in [1.2, 1.35, 1.5, 2.5f64] {
            // Means that are log-normal: Φ⁻¹ of evenly spaced shares, by its logistic stand-in.
            let spends: Vec<Spend> = (1..2_000u32)
                .map(|n| {
                    let share = f64::from(n) / 2_000.0;
                    let deviate = (share / (1.0 - share)).ln() / 1.702;
                    Spend { orders: f64::from(1 + n % 3), mean: 60.0 * (spread * deviate).exp() }
                })
                .collect();
            let seen = spends.iter().map(|spend| spend.mean).sum::<f64>() / spends.len() as f64;
            let (model, reached) = GammaGamma::fit(&spends);
            let shop = model.expected(None);
            assert!(reached.is_finite() && model.q > 1.0, "{model:?}");
            assert!((0.6..1.4).contains(&(shop / seen)), "{spread}: {shop} for {seen}, {model:?}");
            let one = model.expected(Some(Spend { orders: 1.0, mean: 10.0 * seen }));
            assert!(shop < one && one < 10.0 * seen, "{spread}: {one} of {seen}, {model:?}");
        }
    }

    #[test]
    fn rounding_of_a_large_shop_moves_the_parameters_little() {
        let spends: Vec<Spend> = (0..60_000u32)
            .map(|n| Spend {
                orders: f64::from(1 + n % 4),
                mean: 10.0 + f64::from(n.wrapping_mul(2_654_435_761) % 9_000) / 100.0,
            })
            .collect();
        let (whole, _) = GammaGamma::fit(&spends);
        let (part, _) = GammaGamma::fit(&spends[..2_000]);
        let (a, b) = (whole.expected(None), part.expected(None));
        assert!((a / b - 1.0).abs() < 0.03, "{a} {b}");
    }
}
