//! How likely a customer is not to come back within four weeks, learnt from the shop's own last weeks.
//!
//! BG/NBD alone says 1 of everybody who bought once, and knows no rhythm. A logistic regression over what it
//! says, recency, cadence and recent orders, fitted on stretches that are over, is calibrated by what came.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::ledger::Ledger;
use super::lifecycle::Rhythm;
use super::logistic::Logistic;
use super::value::{Models, Timing};

/// The window that a churn probability is about, days.
pub const CHURN_DAYS: i32 = 28;
/// Stretches before the end of the log that are learnt from, one after the other.
const STRETCHES: i32 = 3;
/// Customers learnt from, at most, of each stretch.
const MOST_CUSTOMERS: usize = 100_000;
/// Fewer who stayed, or fewer who left, teach nothing.
const LEAST_EACH: usize = 30;
const FEATURES: usize = 13;
/// Strength of the pull of every weight towards 0.
const RIDGE: f64 = 1.0;

type Row = [f64; FEATURES];

/// P(no order within [`CHURN_DAYS`]) = 1/(1 + e^−(w·x)), x standardised, the first of them always 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChurnModel {
    weights: Vec<f64>,
    means: Vec<f64>,
    deviations: Vec<f64>,
}

impl ChurnModel {
    /// Learns from stretches of [`CHURN_DAYS`] at the end of the log; `None` if hardly anybody stayed in
    /// them, or left.
    pub fn learn(ledger: &Ledger, rhythm: &Rhythm, models: &Models) -> Option<Self> {
        let mut rows: Vec<(Row, bool)> = Vec::new();
        let step = ledger.len().div_ceil(MOST_CUSTOMERS).max(1);
        for stretch in 1..=STRETCHES {
            let cut = ledger.today - stretch * CHURN_DAYS;
            let asked: Vec<usize> = (0..ledger.len()).step_by(step).collect();
            rows.par_extend(asked.par_iter().filter_map(|&customer| {
                let days = ledger.days(customer);
                let past = &days[..days.partition_point(|&day| day <= cut)];
                let came = days.get(past.len()).is_some_and(|&day| day <= cut + CHURN_DAYS);
                Some((features(past, cut, rhythm, models)?, !came))
            }));
        }
        let left = rows.iter().filter(|(_, left)| *left).count();
        if left < LEAST_EACH || rows.len() - left < LEAST_EACH {
            return None;
        }
        Some(Self::fit(&rows))
    }

    /// By logistic regression with a ridge.
    fn fit(rows: &[(Row, bool)]) -> Self {
        let count = rows.len() as f64;
        let mean =
            |f: &dyn Fn(&Row) -> f64| rows.iter().map(|(row, _)| f(row)).sum::<f64>() / count;
        let means: Vec<f64> = (0..FEATURES).map(|at| mean(&|row| row[at])).collect();
        let deviations: Vec<f64> = (0..FEATURES)
            .map(|at| mean(&|row| (row[at] - means[at]).powi(2)).sqrt())
            .map(|deviation| if deviation > 1e-9 { deviation } else { 1.0 })
            .collect();
        let mut model = Self { weights: vec![0.0; FEATURES], means, deviations };
        let standardised: Vec<([f32; FEATURES], bool)> =
            rows.par_iter().map(|(row, left)| (model.standardised(row), *left)).collect();
        model.weights = Logistic::default().fitted(&standardised, RIDGE).0.to_vec();
        model
    }

    fn standardised(&self, row: &Row) -> [f32; FEATURES] {
        let value = |at| match at {
            0 => 1.0,
            at => ((row[at] - self.means[at]) / self.deviations[at]).clamp(-6.0, 6.0),
        };
        std::array::from_fn(|at| value(at) as f32)
    }

    fn probability(&self, row: &Row) -> f64 {
        let x = self.standardised(row);
        let sum: f64 = x.iter().zip(&self.weights).map(|(x, w)| f64::from(*x) * w).sum();
        1.0 / (1.0 + (-sum).exp())
    }

    /// Probability that a customer with these days of purchase (ascending, distinct, none after `today`)
    /// does not buy within [`CHURN_DAYS`], 0 to 1; `None` without a purchase.
    pub fn churn(&self, days: &[i32], today: i32, rhythm: &Rhythm, models: &Models) -> Option<f64> {
        Some(self.probability(&features(days, today, rhythm, models)?))
    }

    /// How much less likely an order within [`CHURN_DAYS`] is than it was on the day of the latest one, as a share
    /// of that: 0 to 1; `None` without a purchase.
    pub fn lost(&self, days: &[i32], today: i32, rhythm: &Rhythm, models: &Models) -> Option<f64> {
        let comes = |day: i32| Some(1.0 - self.churn(days, day, rhythm, models)?);
        let (now, then) = (comes(today)?, comes(*days.last()?)?);
        Some((1.0 - now / then.max(f64::MIN_POSITIVE)).clamp(0.0, 1.0))
    }
}

/// By what is told whether a customer is lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LostBy {
    /// 1 − P(alive), by BG/NBD.
    #[default]
    Alive,
    /// How much less likely an order within [`CHURN_DAYS`] is than it was right after the latest one, by
    /// [`ChurnModel`]: where BG/NBD knows of nobody who was lost.
    Return,
}

/// Where BG/NBD thinks that a smaller share of the customers is lost, it says nothing of who is.
const LEAST_LOST: f64 = 0.01;

impl LostBy {
    /// What can be told in a shop where this is P(alive) of each customer.
    pub(super) fn of(alive: impl Iterator<Item = f32>, churn: Option<&ChurnModel>) -> Self {
        let (mut lost, mut count) = (0.0, 0.0);
        for alive in alive {
            lost += 1.0 - f64::from(alive);
            count += 1.0;
        }
        match churn {
            Some(_) if lost < LEAST_LOST * count => Self::Return,
            _ => Self::Alive,
        }
    }
}

/// What tells who stays, as of the day `today`.
fn features(days: &[i32], today: i32, rhythm: &Rhythm, models: &Models) -> Option<Row> {
    let timing = Timing::of(days, today)?;
    let since = f64::from(today - days[days.len() - 1]);
    let known = f64::from(today - days[0]);
    let within = |from: i32, to: i32| {
        let after = days.partition_point(|&day| day <= today - to);
        let until = days.partition_point(|&day| day <= today - from);
        ((until - after) as f64).ln_1p()
    };
    let none = models.orders.none_within(&timing, f64::from(CHURN_DAYS) / 7.0);
    let none = none.clamp(1e-6, 1.0 - 1e-6);
    let late = (since + 1.0).ln() - (rhythm.cadence(days) + 1.0).ln();
    Some([
        1.0,
        (none / (1.0 - none)).ln(),
        since.ln_1p(),
        late,
        late * late,
        (days.len() as f64).ln(),
        known.ln_1p(),
        within(0, 14),
        within(0, 28),
        within(28, 84),
        within(84, 182),
        f64::from(u8::from(days.len() == 1)),
        (days.len() as f64 / (known + 14.0)).ln(),
    ])
}

#[cfg(test)]
mod tests {
    use super::super::ledger::tests::log;
    use super::*;

    #[test]
    fn those_who_stopped_are_told_from_those_who_keep_coming() {
        let mut rows = Vec::new();
        for customer in 0..300usize {
            let every = 5 + (customer % 7) as i64 * 3;
            let stops =
                if customer.is_multiple_of(3) { 120 + (customer % 11) as i64 * 10 } else { 1_000 };
            for n in 0..80 {
                let on = n * every + (customer % 5) as i64;
                if on < stops && on <= 300 {
                    rows.push((customer, on, 0, 0, 1.0, 0));
                }
            }
        }
        let ledger = Ledger::of(&log(&rows), &jiff::tz::TimeZone::UTC);
        let rhythm = Rhythm::learn(&ledger);
        let models = Models::fit(&ledger).unwrap();
        let model = ChurnModel::learn(&ledger, &rhythm, &models).unwrap();
        let churn = |days: &[i32]| model.churn(days, 300, &rhythm, &models).unwrap();
        let weekly = |until: i32| (0..until / 7).map(|n| n * 7).collect::<Vec<i32>>();
        assert!(churn(&weekly(300)) < 0.2, "{}", churn(&weekly(300)));
        assert!(churn(&weekly(150)) > 0.8, "{}", churn(&weekly(150)));
        assert_eq!(model.churn(&[], 300, &rhythm, &models), None);
        let lost = |days: &[i32]| model.lost(days, 300, &rhythm, &models).unwrap();
        assert!(lost(&weekly(301)) < 0.1, "{}", lost(&weekly(301)));
        assert!(lost(&weekly(150)) > 0.7, "{}", lost(&weekly(150)));
        assert_eq!(model.lost(&[], 300, &rhythm, &models), None);
        let alive = |sure: f32| LostBy::of([sure, 1.0, 1.0].into_iter(), Some(&model));
        assert_eq!((alive(0.2), alive(0.99)), (LostBy::Alive, LostBy::Return));
        assert_eq!(LostBy::of([1.0].into_iter(), None), LostBy::Alive);
    }
}
