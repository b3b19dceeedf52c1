//! Pareto/NBD: as BG/NBD, but a customer may be lost at any moment. For comparison in the report.
//!
//! Source: Schmittlein, Morrison & Colombo 1987; the likelihood as in Fader & Hardie 2005, "A Note on
//! Deriving the Pareto/NBD Model".

use serde::{Deserialize, Serialize};

use super::{Summary, Timing, simplex::maximise};
use crate::special::{ln_add, ln_gamma, ln_hyp2f1};

/// Rates of purchase are gamma(r, α) over customers, rates of loss gamma(s, β), per week.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ParetoNbd {
    /// Shape of the rates of purchase, > 0.
    pub r: f64,
    /// Weeks, > 0.
    pub alpha: f64,
    /// Shape of the rates of loss, > 0.
    pub s: f64,
    /// Weeks, > 0.
    pub beta: f64,
}

impl ParetoNbd {
    /// By maximum likelihood, with the log-likelihood reached.
    pub fn fit(summary: &Summary) -> (Self, f64) {
        let (p, reached) = maximise(
            |&[r, alpha, s, beta]| Self { r, alpha, s, beta }.log_likelihood(summary),
            [0.5, 10.0, 0.5, 10.0],
        );
        (Self { r: p[0], alpha: p[1], s: p[2], beta: p[3] }, reached)
    }

    /// Σ ln L, with L = Γ(r+x) αʳ βˢ/Γ(r) · {(α+T)^−(r+x) (β+T)^−s + s/(r+s+x) · A₀}.
    pub fn log_likelihood(&self, summary: &Summary) -> f64 {
        let Self { r, alpha, s, beta } = *self;
        let constant = r * alpha.ln() + s * beta.ln() - ln_gamma(r);
        summary.total(|timing| {
            let x = f64::from(timing.repeats);
            let alive =
                -(r + x) * (alpha + timing.known_weeks).ln() - s * (beta + timing.known_weeks).ln();
            let lost = (s / (r + s + x)).ln() + self.ln_a0(timing);
            constant + ln_gamma(r + x) + ln_add(alive, lost)
        })
    }

    /// Probability that the customer still buys at all, 0 to 1.
    pub fn alive(&self, timing: &Timing) -> f64 {
        let Self { r, alpha, s, beta } = *self;
        let x = f64::from(timing.repeats);
        let odds = (s / (r + s + x)).ln()
            + (r + x) * (alpha + timing.known_weeks).ln()
            + s * (beta + timing.known_weeks).ln()
            + self.ln_a0(timing);
        1.0 / (1.0 + odds.exp())
    }

    /// Purchases expected in the next `weeks`:
    /// P(alive) · (r+x)(β+T)/((α+T)(s−1)) · [1 − ((β+T)/(β+T+t))^(s−1)].
    pub fn expected(&self, timing: &Timing, weeks: f64) -> f64 {
        let x = f64::from(timing.repeats);
        let s = if (self.s - 1.0).abs() < 1e-6 { 1.0 + 1e-6 } else { self.s };
        let (alpha, beta) = (self.alpha + timing.known_weeks, self.beta + timing.known_weeks);
        let left = 1.0 - (beta / (beta + weeks)).powf(s - 1.0);
        self.alive(timing) * (self.r + x) * beta / (alpha * (s - 1.0)) * left
    }

    /// ln A₀, where A₀ = F(t_x) − F(T) and, with m = max(α, β), k = s + 1 if α ≥ β and r + x if not,
    /// F(t) = ₂F₁(r+s+x, k; r+s+x+1; |α−β|/(m+t)) / (m+t)^(r+s+x).
    fn ln_a0(&self, timing: &Timing) -> f64 {
        let Self { r, alpha, s, beta } = *self;
        let x = f64::from(timing.repeats);
        let power = r + s + x;
        let (most, k) = if alpha >= beta { (alpha, s + 1.0) } else { (beta, r + x) };
        let apart = (alpha - beta).abs();
        let ln_f = |weeks: f64| {
            let at = most + weeks;
            ln_hyp2f1(power, k, power + 1.0, apart / at) - power * at.ln()
        };
        let (early, late) = (ln_f(timing.latest_weeks), ln_f(timing.known_weeks));
        early + (-(late - early).min(0.0).exp()).ln_1p()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As published for CDNOW.
    const CDNOW: ParetoNbd =
        ParetoNbd { r: 0.5532762, alpha: 10.5776297, s: 0.6062507, beta: 11.6714955 };

    #[test]
    fn the_conditional_expectation_is_between_nothing_and_the_rate_so_far() {
        let timing = Timing { repeats: 2, latest_weeks: 30.43, known_weeks: 38.86 };
        let expected = CDNOW.expected(&timing, 39.0);
        assert!(expected > 0.5 && expected < 2.0, "{expected}");
        assert!(CDNOW.alive(&timing) > 0.5 && CDNOW.alive(&timing) < 1.0);
        let once = Timing { repeats: 0, latest_weeks: 0.0, known_weeks: 38.86 };
        assert!(CDNOW.alive(&once) < 0.5, "who never came back is doubted");
    }
}
