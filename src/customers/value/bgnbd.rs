//! BG/NBD: customers buy at a rate of their own, and after any purchase may be lost for good.
//!
//! Source: Fader, Hardie & Lee 2005, "Counting Your Customers" the Easy Way, Marketing Science 24(2).

use serde::{Deserialize, Serialize};

use super::{Summary, Timing, simplex::maximise};
use crate::special::{hyp2f1, ln_add, ln_beta, ln_gamma};

/// Rates of purchase are gamma(r, α) over customers, in purchases per week; the chance of being lost after
/// a purchase is beta(a, b).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct BgNbd {
    /// Shape of the rates, > 0.
    pub r: f64,
    /// Rate parameter of the rates: weeks, > 0.
    pub alpha: f64,
    /// > 0.
    pub a: f64,
    /// > 0.
    pub b: f64,
}

impl BgNbd {
    /// By maximum likelihood, with the log-likelihood reached.
    pub fn fit(summary: &Summary) -> (Self, f64) {
        let (p, reached) = maximise(
            |&[r, alpha, a, b]| Self { r, alpha, a, b }.log_likelihood(summary),
            [0.5, 5.0, 1.0, 2.0],
        );
        (Self { r: p[0], alpha: p[1], a: p[2], b: p[3] }, reached)
    }

    /// Σ ln L(x, t_x, T), eq. 6:
    /// L = B(a, b+x)/B(a, b) · Γ(r+x) αʳ/(Γ(r)(α+T)^(r+x))
    ///   + 1(x > 0) · B(a+1, b+x−1)/B(a, b) · Γ(r+x) αʳ/(Γ(r)(α+t_x)^(r+x)).
    pub fn log_likelihood(&self, summary: &Summary) -> f64 {
        let Self { r, alpha, a, b } = *self;
        let (ln_gamma_r, ln_alpha, ln_beta_ab) = (ln_gamma(r), alpha.ln(), ln_beta(a, b));
        summary.total(|timing| {
            let x = f64::from(timing.repeats);
            let common = ln_gamma(r + x) - ln_gamma_r + r * ln_alpha - ln_beta_ab;
            let alive = ln_beta(a, b + x) - (r + x) * (alpha + timing.known_weeks).ln();
            let lost = if timing.repeats > 0 {
                ln_beta(a + 1.0, b + x - 1.0) - (r + x) * (alpha + timing.latest_weeks).ln()
            } else {
                f64::NEG_INFINITY
            };
            common + ln_add(alive, lost)
        })
    }

    /// Probability that the customer still buys at all, 0 to 1; 1 without repeats, for the model loses
    /// nobody before their second purchase.
    ///
    /// 1/(1 + 1(x > 0) · a/(b+x−1) · ((α+T)/(α+t_x))^(r+x)). Source: Fader, Hardie & Lee 2008, "Computing
    /// P(alive) Using the BG/NBD Model".
    pub fn alive(&self, timing: &Timing) -> f64 {
        if timing.repeats == 0 {
            return 1.0;
        }
        let x = f64::from(timing.repeats);
        let stretch = (self.alpha + timing.known_weeks) / (self.alpha + timing.latest_weeks);
        1.0 / (1.0 + self.a / (self.b + x - 1.0) * stretch.powf(self.r + x))
    }

    /// Purchases expected of this customer in the next `weeks`, eq. 10: P(alive) times the purchases
    /// expected of a customer of the posterior BG/NBD(r+x, α+T, a, b+x).
    pub fn expected(&self, timing: &Timing, weeks: f64) -> f64 {
        self.alive(timing) * self.after(timing).expected_from_new(weeks)
    }

    /// The most purchases in the next `weeks` that happen with a chance of at most `share`, for each of
    /// `shares` (ascending, each below 1): quantiles of the predictive distribution.
    pub fn quantiles<const N: usize>(
        &self,
        timing: &Timing,
        weeks: f64,
        shares: [f64; N],
    ) -> [u32; N] {
        let alive = self.alive(timing);
        let mut counts = self.after(timing).counts(weeks);
        let (mut count, mut below) = (0, 1.0 - alive + alive * counts.next().unwrap_or(1.0));
        shares.map(|share| {
            while below < share && count < MOST_COUNTED {
                below += alive * counts.next().unwrap_or(0.0);
                count += 1;
            }
            count
        })
    }

    /// The chances of 1, 2, 3, … purchases in the next `weeks`, until hardly any is left.
    pub(super) fn chances(&self, timing: &Timing, weeks: f64) -> Vec<f64> {
        let alive = self.alive(timing);
        let mut counts = self.after(timing).counts(weeks).map(|chance| alive * chance);
        let mut left = alive - counts.next().unwrap_or(alive);
        let mut chances = Vec::new();
        while left > HARDLY_ANY && chances.len() < MOST_COUNTED as usize {
            let chance = counts.next().unwrap_or(0.0);
            left -= chance;
            chances.push(chance);
        }
        chances
    }

    /// Probability of no purchase in the next `weeks`, 0 to 1.
    pub fn none_within(&self, timing: &Timing, weeks: f64) -> f64 {
        let after = self.after(timing);
        let alive = self.alive(timing);
        1.0 - alive + alive * (after.alpha / (after.alpha + weeks)).powf(after.r)
    }

    /// What is known of a customer with this past, if still alive: rate and chance of loss stay
    /// independent, gamma(r+x, α+T) and beta(a, b+x).
    fn after(&self, timing: &Timing) -> Self {
        let x = f64::from(timing.repeats);
        Self { r: self.r + x, alpha: self.alpha + timing.known_weeks, a: self.a, b: self.b + x }
    }

    /// E[X(t)], eq. 9: (a+b−1)/(a−1) · [1 − (α/(α+t))ʳ ₂F₁(r, b; a+b−1; t/(α+t))].
    pub fn expected_from_new(&self, weeks: f64) -> f64 {
        // The formula has a hole at a = 1, where its limit is what its neighbours say.
        let a = if (self.a - 1.0).abs() < 1e-6 { 1.0 + 1e-6 } else { self.a };
        let Self { r, alpha, b, .. } = *self;
        let share = weeks / (alpha + weeks);
        let kept = (alpha / (alpha + weeks)).powf(r) * hyp2f1(r, b, a + b - 1.0, share);
        ((a + b - 1.0) / (a - 1.0) * (1.0 - kept)).max(0.0)
    }

    /// P(X(t) = 0), P(X(t) = 1), …, eq. 8, by what each term is to the one before.
    fn counts(self, weeks: f64) -> impl Iterator<Item = f64> {
        let Self { r, alpha, a, b } = self;
        let share = weeks / (alpha + weeks);
        // Still alive after k: B(a, b+k)/B(a, b); lost with the k-th: B(a+1, b+k−1)/B(a, b).
        let (mut stays, mut goes) = (1.0, a / (a + b));
        let mut poisson = (alpha / (alpha + weeks)).powf(r);
        let mut below = 0.0;
        let mut k = 0.0;
        std::iter::from_fn(move || {
            let lost = if k > 0.0 { goes * (1.0 - below) } else { 0.0 };
            let chance = stays * poisson + f64::max(lost, 0.0);
            below += poisson;
            poisson *= (r + k) / (k + 1.0) * share;
            stays *= (b + k) / (a + b + k);
            goes *= if k > 0.0 { (b + k - 1.0) / (a + b + k) } else { 1.0 };
            k += 1.0;
            Some(chance)
        })
    }
}

/// Chances that add up to less are not told apart.
const HARDLY_ANY: f64 = 1e-4;
/// Nobody's quantile is looked for beyond so many purchases.
const MOST_COUNTED: u32 = 5_000;

#[cfg(test)]
mod tests {
    use super::*;

    /// As published for CDNOW.
    const CDNOW: BgNbd = BgNbd { r: 0.2425945, alpha: 4.4136019, a: 0.7929199, b: 2.4258881 };

    #[test]
    fn the_conditional_expectation_is_the_published_one() {
        let timing = Timing { repeats: 2, latest_weeks: 30.43, known_weeks: 38.86 };
        assert!((CDNOW.expected(&timing, 39.0) - 1.226).abs() < 5e-4);
    }

    #[test]
    fn counts_add_up_to_one_and_their_mean_is_the_expectation() {
        for weeks in [4.0, 13.0, 52.0] {
            let chances: Vec<f64> = CDNOW.counts(weeks).take(3_000).collect();
            let mean: f64 = chances.iter().enumerate().map(|(k, p)| k as f64 * p).sum();
            assert!((chances.iter().sum::<f64>() - 1.0).abs() < 1e-6);
            assert!((mean / CDNOW.expected_from_new(weeks) - 1.0).abs() < 1e-4, "{weeks}");
        }
    }

    #[test]
    fn the_chance_of_none_is_the_first_of_the_counts() {
        let timing = Timing { repeats: 3, latest_weeks: 20.0, known_weeks: 30.0 };
        let first = CDNOW.after(&timing).counts(13.0).next().unwrap();
        let alive = CDNOW.alive(&timing);
        let none = CDNOW.none_within(&timing, 13.0);
        assert!((none - (1.0 - alive + alive * first)).abs() < 1e-12);
    }

    proptest::proptest! {
        #[test]
        fn whatever_the_past_probabilities_are_some_and_more_time_brings_no_fewer_orders(
            (r, alpha, a, b) in (0.05f64..5.0, 0.1f64..50.0, 0.05f64..5.0, 0.1f64..20.0),
            (repeats, latest, more) in (0u32..400, 0.0f64..150.0, 0.0f64..150.0),
        ) {
            let model = BgNbd { r, alpha, a, b };
            let latest_weeks = if repeats == 0 { 0.0 } else { latest };
            let timing = Timing { repeats, latest_weeks, known_weeks: latest_weeks + more };
            let alive = model.alive(&timing);
            assert!((0.0..=1.0).contains(&alive), "{alive}");
            let expected = [4.0, 13.0, 52.0].map(|weeks| model.expected(&timing, weeks));
            assert!(expected[0] >= 0.0 && expected.is_sorted() && expected[2].is_finite());
            let none = model.none_within(&timing, 4.0);
            assert!((0.0..=1.0).contains(&none) && none <= 1.0 - alive + alive + 1e-12);
        }
    }

    #[test]
    fn who_comes_later_is_likelier_alive_and_quantiles_ascend() {
        let late = Timing { repeats: 8, latest_weeks: 37.0, known_weeks: 38.0 };
        let early = Timing { latest_weeks: 20.0, ..late };
        assert!(CDNOW.alive(&late) > CDNOW.alive(&early));
        let [low, middle, high] = CDNOW.quantiles(&late, 26.0, [0.1, 0.5, 0.9]);
        assert!(low <= middle && middle < high, "{low} {middle} {high}");
        let expected = CDNOW.expected(&late, 26.0);
        assert!(f64::from(low) < expected && expected < f64::from(high));
    }
}
