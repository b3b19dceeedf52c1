//! Churn, the probability of an order, and expected orders, held against the weeks after.

use rustc_hash::FxHashMap;
use serde::Serialize;

use super::measures::{auc, interval, lift_at_tenth};
use super::{Beside, CustomerCase, CustomerReport};
use crate::customers::value::{ParetoNbd, Summary};
use crate::customers::{Buyer, CHURN_DAYS};
use crate::events::EventKind;
use crate::time::DAY_MS;

/// A tenth of the customers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Decile {
    /// Customers.
    pub customers: u64,
    /// Mean of what was expected.
    pub expected: f64,
    /// Mean of what came.
    pub came: f64,
}

/// One customer who had bought before the cut.
struct Judged<'a> {
    buyer: &'a Buyer,
    /// Days with orders in the window.
    orders: f64,
}

pub(super) fn judge(case: &CustomerCase<'_>, report: &mut CustomerReport) {
    let window = CHURN_DAYS as u32;
    if case.days < window {
        report.left_out.push(format!("churn and orders: {window} days must be held out"));
        return;
    }
    let judged = judged(case, window);
    churn(&judged, report);
    let Some(models) = case.clientele.models else {
        report
            .left_out
            .push("expected orders: hardly anybody came back, so there is no model".into());
        return;
    };
    let expected = |one: &Judged| -> f64 {
        one.buyer.worth.map_or(0.0, |worth| worth.orders_28.expected.into())
    };
    // Own rate: repeats over the time known.
    let own_rate = |one: &Judged| {
        let timing = one.buyer.worth.map(|worth| worth.timing).unwrap_or_default();
        f64::from(timing.repeats) / timing.known_weeks.max(1.0 / 7.0) * f64::from(window) / 7.0
    };
    let miss = |foretold: &dyn Fn(&Judged) -> f64, power: i32| -> Vec<f64> {
        judged.iter().map(|one| (foretold(one) - one.orders).abs().powi(power)).collect()
    };
    // What is expected is a mean: it makes squares least. Absolute errors are least for the median, which
    // for most customers is no order at all.
    for (metric, power) in [("mean squared error", 2), ("mean absolute error", 1)] {
        report.figures.push(means(
            ("orders within 28 days", metric, "own rate so far"),
            &miss(&expected, power),
            &miss(&own_rate, power),
        ));
    }
    let came = |one: &Judged| f64::from(u8::from(one.orders > 0.0));
    let model = |one: &Judged| {
        one.buyer.worth.map_or(0.0, |worth| 1.0 - models.orders.none_within(&worth.timing, 4.0))
    };
    let by_rate = |one: &Judged| 1.0 - (-own_rate(one)).exp();
    let brier = |p: &dyn Fn(&Judged) -> f64| -> Vec<f64> {
        judged.iter().map(|one| (p(one) - came(one)).powi(2)).collect()
    };
    let learnt = |one: &Judged| 1.0 - f64::from(one.buyer.churn.probability);
    report.figures.push(means(
        ("P(alive) and an order within 28 days", "Brier score", "own rate so far"),
        &brier(&model),
        &brier(&by_rate),
    ));
    report.figures.push(means(
        ("probability of an order within 28 days", "Brier score", "own rate so far"),
        &brier(&learnt),
        &brier(&by_rate),
    ));
    report.expected_orders = deciles(&judged, expected, |one| one.orders);
    report.order_probability = deciles(&judged, learnt, came);
    report.models = compared(&judged, &models);
}

fn judged<'a>(case: &CustomerCase<'a>, window: u32) -> Vec<Judged<'a>> {
    let mut days: FxHashMap<usize, Vec<i64>> = FxHashMap::default();
    for event in case.after(window).filter(|event| event.kind == EventKind::Purchase) {
        if let Some(customer) = event.customer {
            days.entry(customer.index()).or_default().push((event.at.0 - case.cut.0) / DAY_MS);
        }
    }
    let mut judged = Vec::new();
    for (customer, profile) in case.profiles.iter().enumerate() {
        let Some(buyer) = &profile.buyer else { continue };
        let days = days.get_mut(&customer).map(|days| {
            days.dedup(); // events are in order of time
            days.len()
        });
        judged.push(Judged { buyer, orders: days.unwrap_or(0) as f64 });
    }
    judged
}

/// Of scores, each with what came true.
type Figure = fn(&[(f64, bool)]) -> f64;

fn churn(judged: &[Judged<'_>], report: &mut CustomerReport) {
    let cases = |score: fn(&Buyer) -> f64| -> Vec<(f64, bool)> {
        judged.iter().map(|one| (score(one.buyer), one.orders == 0.0)).collect()
    };
    let ours = cases(|buyer| buyer.churn.probability.into());
    let theirs = cases(|buyer| buyer.rfm.recency_days.into());
    let figures: [(&str, Figure); 2] = [("AUC", auc), ("lift at 10 %", lift_at_tenth)];
    for (metric, figure) in figures {
        let drawn = |cases: &[(f64, bool)], places: &[usize]| {
            figure(&places.iter().map(|&place| cases[place]).collect::<Vec<_>>())
        };
        let (low, high) =
            interval(ours.len(), |places| drawn(&ours, places) - drawn(&theirs, places));
        report.figures.push(Beside {
            what: "churn: no order within 28 days".into(),
            metric: metric.into(),
            rule: "recency alone".into(),
            cases: ours.len() as u64,
            ours: figure(&ours),
            theirs: figure(&theirs),
            low,
            high,
            less_is_better: false,
        });
    }
}

/// Means of errors beside each other; less is better.
fn means((what, metric, rule): (&str, &str, &str), ours: &[f64], theirs: &[f64]) -> Beside {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len().max(1) as f64;
    let difference = |places: &[usize]| {
        places.iter().map(|&place| ours[place] - theirs[place]).sum::<f64>()
            / places.len().max(1) as f64
    };
    let (low, high) = interval(ours.len(), difference);
    Beside {
        what: what.into(),
        metric: metric.into(),
        rule: rule.into(),
        cases: ours.len() as u64,
        ours: mean(ours),
        theirs: mean(theirs),
        low,
        high,
        less_is_better: true,
    }
}

fn deciles<'a>(
    judged: &[Judged<'a>],
    expected: impl Fn(&Judged<'a>) -> f64,
    came: impl Fn(&Judged<'a>) -> f64,
) -> Vec<Decile> {
    let mut pairs: Vec<(f64, f64)> = judged.iter().map(|one| (expected(one), came(one))).collect();
    pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mean = |part: &[(f64, f64)], of: fn(&(f64, f64)) -> f64| {
        part.iter().map(of).sum::<f64>() / part.len() as f64
    };
    pairs
        .chunks(pairs.len().div_ceil(10).max(1))
        .map(|part| Decile {
            customers: part.len() as u64,
            expected: mean(part, |pair| pair.0),
            came: mean(part, |pair| pair.1),
        })
        .collect()
}

/// BG/NBD beside Pareto/NBD: likelihood, and what each foretold.
fn compared(judged: &[Judged<'_>], models: &crate::customers::value::Models) -> Vec<String> {
    let timings = || judged.iter().filter_map(|one| Some(one.buyer.worth?.timing));
    let weekly = timings().map(|mut timing| {
        // Whole weeks are enough to compare, and few.
        timing.latest_weeks = timing.latest_weeks.round();
        timing.known_weeks = timing.known_weeks.round().max(timing.latest_weeks);
        timing
    });
    let summary = Summary::of(weekly);
    let (pareto, pareto_ll) = ParetoNbd::fit(&summary);
    let bgnbd_ll = models.orders.log_likelihood(&summary);
    let came: f64 = judged.iter().map(|one| one.orders).sum();
    let bgnbd: f64 = timings().map(|timing| models.orders.expected(&timing, 4.0)).sum();
    let other: f64 = timings().map(|timing| pareto.expected(&timing, 4.0)).sum();
    vec![
        format!(
            "BG/NBD: log-likelihood {bgnbd_ll:.0}; {bgnbd:.0} days with orders expected, {came:.0} came"
        ),
        format!("Pareto/NBD: log-likelihood {pareto_ll:.0}; {other:.0} expected, {came:.0} came"),
    ]
}
