//! What a customer pays in all, when neither the number of orders nor what one is worth is certain.

use super::{GammaGamma, Spend};
use crate::special::beta_share;

/// Numbers of orders are gathered into so many groups of about the same chance.
const GROUPS: f64 = 16.0;
/// Searched on the log-odds of money beside the customer's scale, within ±this …
const BOUND: f64 = 25.0;
/// … until the share is so close, or so often.
const CLOSE: f64 = 1e-5;
const MOST_STEPS: usize = 60;

/// What is paid in all: so many orders with such a chance, each of a value that is only known so far.
///
/// Of a customer with x orders of mean z̄, ν ~ gamma(q + px, γ + x z̄), and n orders cost gamma(pn, ν) in all. Their
/// sum S is then γ + x z̄ times a beta prime: P(S ≤ s | n) = I_{s/(s+γ+xz̄)}(pn, q + px), with I the regularised
/// incomplete beta function; and P(S ≤ s) is the mean of these over n. Source: the posterior in Fader & Hardie 2013,
/// "The Gamma-Gamma Model of Monetary Value".
#[derive(Clone, Debug)]
pub(super) struct Total {
    none: f64,
    /// Chance and number of orders.
    groups: Vec<(f64, f64)>,
    p: f64,
    shape: f64,
    scale: f64,
}

impl Total {
    /// Of a customer whose chances of 1, 2, 3, … orders are `chances`, which leave that of none.
    pub(super) fn new(chances: &[f64], money: &GammaGamma, spend: Option<Spend>) -> Self {
        let some: f64 = chances.iter().sum();
        let (x, paid) = spend.map_or((0.0, 0.0), |s| (s.orders, s.orders * s.mean));
        Self {
            none: (1.0 - some).max(0.0),
            groups: grouped(chances, some / GROUPS),
            p: money.p,
            shape: money.q + money.p * x,
            scale: money.gamma + paid,
        }
    }

    /// Money that is not reached with these chances, ascending, each below 1.
    pub(super) fn quantiles<const N: usize>(&self, shares: [f64; N]) -> [f64; N] {
        shares.map(|share| self.quantile(share))
    }

    /// P(S ≤ s), where ln(s ÷ scale) is given.
    fn share(&self, ln_money: f64) -> f64 {
        let x = 1.0 / (1.0 + (-ln_money).exp());
        let within =
            |(chance, orders): &(f64, f64)| chance * beta_share(self.p * orders, self.shape, x);
        self.none + self.groups.iter().map(within).sum::<f64>()
    }

    /// By false position with the Illinois rule: the share rises with the money.
    fn quantile(&self, share: f64) -> f64 {
        if self.none >= share {
            return 0.0;
        }
        let (mut low, mut high) = (-BOUND, BOUND);
        let (mut below, mut above) = (self.none - share, 1.0 - share);
        let (mut at, mut miss_before) = (0.0, 0.0f64);
        for step in 0..MOST_STEPS {
            // The first steps halve: far out the share is flat.
            at = if step < 4 {
                0.5 * (low + high)
            } else {
                (low * above - high * below) / (above - below)
            };
            let miss = self.share(at) - share;
            if miss.abs() < CLOSE {
                break;
            }
            // An end that is kept twice running counts half.
            let kept = if step > 4 && miss * miss_before > 0.0 { 0.5 } else { 1.0 };
            if miss < 0.0 {
                (low, below, above) = (at, miss, kept * above);
            } else {
                (high, above, below) = (at, miss, kept * below);
            }
            miss_before = miss;
        }
        self.scale * at.exp()
    }
}

/// Neighbouring numbers of orders together until they have this chance, each group by its mean.
fn grouped(chances: &[f64], least: f64) -> Vec<(f64, f64)> {
    let mut groups = Vec::new();
    let (mut chance, mut orders) = (0.0, 0.0);
    for (&one, n) in chances.iter().zip(1u32..) {
        chance += one;
        orders += one * f64::from(n);
        if chance >= least {
            groups.push((chance, orders / chance));
            (chance, orders) = (0.0, 0.0);
        }
    }
    if chance > 0.0 {
        groups.push((chance, orders / chance));
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    const MONEY: GammaGamma = GammaGamma { p: 6.25, q: 3.74, gamma: 15.44 };

    #[test]
    fn nobody_who_hardly_ever_orders_is_sure_to_pay_anything() {
        let total = Total::new(&[0.05, 0.02], &MONEY, None);
        assert_eq!(total.quantiles([0.1, 0.9]), [0.0, 0.0]);
        assert!(total.quantiles([0.95])[0] > 5.0);
    }

    #[test]
    fn what_is_known_well_lies_close_and_what_is_not_far_apart() {
        let chances: Vec<f64> = (1..=20).map(|n| if n == 10 { 1.0 } else { 0.0 }).collect();
        let width = |orders: f64| {
            let spend = Spend { orders, mean: 40.0 };
            let [low, high] = Total::new(&chances, &MONEY, Some(spend)).quantiles([0.1, 0.9]);
            assert!(low < 400.0 && 400.0 < high * 1.1, "{low} {high}");
            high / low
        };
        let (little, much) = (width(1.0), width(400.0));
        // Ten orders of shape 6.25 vary by an eighth even where the customer is known for certain.
        assert!(much < 1.45 && little > 1.7, "{little} {much}");
    }

    proptest::proptest! {
        #[test]
        fn shares_are_what_chance_makes_them(
            (p, q, gamma) in (0.8f64..9.0, 1.5f64..6.0, 5.0f64..60.0),
            (orders, mean) in (0u32..12, 5.0f64..90.0),
            chances in proptest::collection::vec(0.0f64..0.2, 1..6),
            seed in 0u64..1_000,
        ) {
            let money = GammaGamma { p, q, gamma };
            let spend = (orders > 0).then(|| Spend { orders: orders.into(), mean });
            let total = Total::new(&chances, &money, spend);
            let [low, high] = total.quantiles([0.1, 0.9]);
            assert!(0.0 <= low && low <= high && high.is_finite());
            // Drawn: how many orders, what the customer is like, what they pay.
            let mut random = fastrand::Rng::with_seed(seed);
            let draws = 3_000;
            let (mut below, mut above) = (0, 0);
            for _ in 0..draws {
                let mut left = random.f64();
                let count = chances.iter().position(|chance| { left -= chance; left < 0.0 });
                let count = count.map_or(0.0, |place| place as f64 + 1.0);
                let nu = gamma_drawn(&mut random, q + p * f64::from(orders))
                    / (gamma + f64::from(orders) * if orders > 0 { mean } else { 0.0 });
                let paid =
                    if count > 0.0 { gamma_drawn(&mut random, p * count) / nu } else { 0.0 };
                below += u32::from(paid < low);
                above += u32::from(paid > high);
            }
            let share = |count: u32| f64::from(count) / f64::from(draws);
            assert!(share(below) < 0.1 + 0.03, "{} below {low}", share(below));
            assert!(share(above) < 0.1 + 0.03, "{} above {high}", share(above));
            if low > 0.0 {
                assert!(share(below) > 0.1 - 0.03, "{} below {low}", share(below));
            }
            if high > 0.0 {
                assert!(share(above) > 0.1 - 0.03, "{} above {high}", share(above));
            }
        }
    }

    /// Marsaglia and Tsang 2000, for shapes of 0.5 and more; lifted by one below 1.
    fn gamma_drawn(random: &mut fastrand::Rng, shape: f64) -> f64 {
        if shape < 1.0 {
            return gamma_drawn(random, shape + 1.0) * (1.0 - random.f64()).powf(1.0 / shape);
        }
        let d = shape - 1.0 / 3.0;
        loop {
            let normal = (-2.0 * (1.0 - random.f64()).ln()).sqrt()
                * (std::f64::consts::TAU * random.f64()).cos();
            let v = (1.0 + normal / (9.0 * d).sqrt()).powi(3);
            if v > 0.0 && (1.0 - random.f64()).ln() < 0.5 * normal * normal + d - d * v + d * v.ln()
            {
                return d * v;
            }
        }
    }
}
