//! The models of a shop, and what they say of one customer.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::total::Total;
use super::{BgNbd, GammaGamma, Spend, Summary, Timing};
use crate::customers::ledger::{Ledger, Order};
use crate::error::{Error, Result};

/// Customers who came back, at least, for a model to be fitted.
const LEAST_REPEATERS: f64 = 30.0;
/// Of an interval: 8 in 10 customers like this one are expected to lie within.
const INTERVAL: [f64; 2] = [0.1, 0.9];
/// Steps in which a lifetime's orders are discounted.
const STEPS: u32 = 12;
const DAYS_PER_YEAR: f64 = 365.0;
/// A century.
const MOST_DAYS: u32 = 36_500;

/// How far ahead, and at what interest.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WorthOptions {
    /// Lifetime value counts the orders of so many days. Default 365.
    pub lifetime_days: u32,
    /// Money a year away counts for 1/(1 + this). Default 0.10.
    pub discount_rate: f64,
}

impl Default for WorthOptions {
    fn default() -> Self {
        Self { lifetime_days: 365, discount_rate: 0.10 }
    }
}

impl WorthOptions {
    /// Errors: a value out of its range.
    pub fn check(&self) -> Result<()> {
        if !(1..=MOST_DAYS).contains(&self.lifetime_days) {
            return Err(Error::Config(format!(
                "customers.worth.lifetime_days must be from 1 to {MOST_DAYS}, not {}",
                self.lifetime_days
            )));
        }
        if !(0.0..=10.0).contains(&self.discount_rate) {
            return Err(Error::Config(format!(
                "customers.worth.discount_rate must be from 0 to 10 a year, not {}",
                self.discount_rate
            )));
        }
        Ok(())
    }
}

/// What was learnt of all customers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Models {
    /// When they come back.
    pub orders: BgNbd,
    /// Log-likelihood of `orders`.
    pub orders_ll: f64,
    /// What an order is worth; `None` where too few orders have prices.
    pub money: Option<GammaGamma>,
    /// Log-likelihood of `money`.
    pub money_ll: f64,
    /// Distinct (x, t_x, T) that it was fitted on.
    pub distinct: u32,
}

/// A figure that is expected, with the interval in which it lies for 8 in 10 customers like this one. Where most of
/// them bring nothing, what is expected may lie above the interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Forecast {
    /// Expected.
    pub expected: f32,
    /// For 1 in 10 it is less.
    pub low: f32,
    /// For 1 in 10 it is more.
    pub high: f32,
}

/// What is expected of one customer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Worth {
    /// What it is worked out from.
    pub timing: Timing,
    /// Probability that the customer still buys at all, 0 to 1.
    pub alive: f32,
    /// Days with orders in the next 28 days.
    pub orders_28: Forecast,
    /// Days with orders in the next 90 days.
    pub orders_90: Forecast,
    /// Days with orders in the next 365 days.
    pub orders_365: Forecast,
    /// What such a day is worth, money.
    pub order_value: f32,
    /// Discounted value of the orders of [`WorthOptions::lifetime_days`], money.
    pub lifetime: Forecast,
}

impl Models {
    /// Fits the models; `None` if hardly anybody came back.
    pub fn fit(ledger: &Ledger) -> Option<Self> {
        let timings = (0..ledger.len()).filter_map(|c| Timing::of(&ledger.days(c), ledger.today));
        let summary = Summary::of(timings);
        if summary.repeaters() < LEAST_REPEATERS {
            return None;
        }
        let spends: Vec<Spend> =
            (0..ledger.len()).filter_map(|c| spend(ledger.orders.row(c))).collect();
        let (orders, orders_ll) = BgNbd::fit(&summary);
        let priced = spends.len() as f64 >= LEAST_REPEATERS;
        let (money, money_ll) = match priced.then(|| GammaGamma::fit(&spends)) {
            Some((model, reached)) => (Some(model), reached),
            None => (None, 0.0),
        };
        Some(Self { orders, orders_ll, money, money_ll, distinct: summary.len() as u32 })
    }

    /// What is expected of every customer, in the order of their ids; `None` for those who never bought.
    pub fn worths(&self, ledger: &Ledger, options: &WorthOptions) -> Vec<Option<Worth>> {
        (0..ledger.len())
            .into_par_iter()
            .map(|customer| {
                let timing = Timing::of(&ledger.days(customer), ledger.today)?;
                Some(self.worth(timing, spend(ledger.orders.row(customer)), options))
            })
            .collect()
    }

    fn worth(&self, timing: Timing, spend: Option<Spend>, options: &WorthOptions) -> Worth {
        let order_value = self.money.map_or(0.0, |money| money.expected(spend)) as f32;
        let ahead = |days| self.orders_within(&timing, days);
        Worth {
            timing,
            alive: self.orders.alive(&timing) as f32,
            orders_28: ahead(28),
            orders_90: ahead(90),
            orders_365: ahead(365),
            order_value,
            lifetime: self.lifetime(&timing, spend, options),
        }
    }

    /// Days with orders in the next `days`.
    pub fn orders_within(&self, timing: &Timing, days: u32) -> Forecast {
        let weeks = f64::from(days) / 7.0;
        let [low, high] = self.orders.quantiles(timing, weeks, INTERVAL);
        let expected = self.orders.expected(timing, weeks) as f32;
        Forecast { expected, low: low as f32, high: high as f32 }
    }

    /// What a customer with this past, and these repeat orders, brings in a lifetime, money:
    /// Σ over twelfths of it of (orders expected in it) × (value of an order) ÷ (1 + rate)^years.
    ///
    /// The interval is that of the money paid in all, neither the number of orders nor the value of one being
    /// certain, at the same discount. All is 0 without prices.
    pub fn lifetime(
        &self,
        timing: &Timing,
        spend: Option<Spend>,
        options: &WorthOptions,
    ) -> Forecast {
        let Some(money) = &self.money else { return Forecast::default() };
        let days = f64::from(options.lifetime_days);
        let (mut before, mut discounted) = (0.0, 0.0);
        for step in 1..=STEPS {
            let until = days * f64::from(step) / f64::from(STEPS);
            let orders = self.orders.expected(timing, until / 7.0);
            let middle = until - 0.5 * days / f64::from(STEPS);
            discounted +=
                (orders - before) / (1.0 + options.discount_rate).powf(middle / DAYS_PER_YEAR);
            before = orders;
        }
        let kept = if before > 0.0 { discounted / before } else { 1.0 };
        let chances = self.orders.chances(timing, days / 7.0);
        let [low, high] = Total::new(&chances, money, spend).quantiles(INTERVAL);
        Forecast {
            expected: (discounted * money.expected(spend)) as f32,
            low: (low * kept) as f32,
            high: (high * kept) as f32,
        }
    }
}

/// Days with orders after the first such day, and what was paid on one of them, as the model wants it.
fn spend(orders: &[Order]) -> Option<Spend> {
    let first = orders.first()?.day;
    let mut days = 0.0;
    let (mut money, mut latest) = (0.0, first);
    for order in orders.iter().filter(|order| order.day > first) {
        money += f64::from(order.value);
        days += if order.day > latest { 1.0 } else { 0.0 };
        latest = latest.max(order.day);
    }
    (money > 0.0).then(|| Spend { orders: days, mean: money / days })
}

#[cfg(test)]
mod tests {
    use super::super::super::ledger::tests::log;
    use super::*;

    const MODELS: Models = Models {
        orders: BgNbd { r: 0.2426, alpha: 4.4136, a: 0.7929, b: 2.4259 },
        orders_ll: 0.0,
        money: Some(GammaGamma { p: 6.25, q: 3.74, gamma: 15.44 }),
        money_ll: 0.0,
        distinct: 1,
    };

    #[test]
    fn longer_ahead_means_more_orders_and_interest_takes_some_of_the_money() {
        let timing = Timing { repeats: 6, latest_weeks: 36.0, known_weeks: 38.0 };
        let spend = Some(Spend { orders: 6.0, mean: 50.0 });
        let free = WorthOptions { discount_rate: 0.0, ..WorthOptions::default() };
        let worth = MODELS.worth(timing, spend, &free);
        assert!(worth.orders_28.expected < worth.orders_90.expected);
        assert!(worth.orders_90.expected < worth.orders_365.expected);
        let undiscounted = worth.orders_365.expected * worth.order_value;
        assert!((worth.lifetime.expected / undiscounted - 1.0).abs() < 1e-4);
        let dear = WorthOptions { discount_rate: 0.5, ..free };
        let discounted = MODELS.worth(timing, spend, &dear).lifetime;
        assert!(discounted.expected < 0.95 * worth.lifetime.expected);
        assert!(discounted.low <= discounted.expected && discounted.expected <= discounted.high);
    }

    #[test]
    fn several_orders_on_a_day_are_one_and_the_first_day_says_nothing_of_repeats() {
        let log = log(&[
            (0, 0, 1, 0, 500.0, 0),
            (0, 9, 2, 0, 10.0, 0),
            (0, 9, 3, 0, 30.0, 0),
            (0, 20, 4, 0, 20.0, 0),
            (1, 3, 5, 0, 7.0, 0),
        ]);
        let ledger = Ledger::of(&log, &jiff::tz::TimeZone::UTC);
        let spend = |customer| spend(ledger.orders.row(customer));
        assert_eq!(spend(0), Some(Spend { orders: 2.0, mean: 30.0 }));
        assert_eq!(spend(1), None);
        assert_eq!(Models::fit(&ledger), None, "two customers are no shop");
    }
}
