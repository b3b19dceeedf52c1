//! Churn, the probability of an order, and expected orders, held against the weeks after.

use rustc_hash::FxHashMap;
use serde::Serialize;

use super::measures::{Clusters, auc, lift_at_tenth};
use super::{Beside, CustomerCase, CustomerReport};
use crate::customers::value::{Models, ParetoNbd, Summary, Timing};
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

/// One customer who had bought before a cut: what was said, and what came.
#[derive(Clone, Copy, Debug)]
struct Judged {
    customer: usize,
    window: usize,
    churn: f64,
    recency_days: f64,
    timing: Timing,
    expected: f64,
    /// Probability of an order by BG/NBD.
    by_model: f64,
    /// Days with orders in the window.
    orders: f64,
}

impl Judged {
    fn came(&self) -> f64 {
        f64::from(u8::from(self.orders > 0.0))
    }

    /// Repeats over the time known, for as long as the window.
    fn own_rate(&self) -> f64 {
        let Timing { repeats, known_weeks, .. } = self.timing;
        f64::from(repeats) / known_weeks.max(1.0 / 7.0) * f64::from(CHURN_DAYS) / 7.0
    }
}

/// Everybody who was judged, window after window.
#[derive(Debug, Default)]
pub(super) struct People {
    all: Vec<Judged>,
    windows: usize,
    /// Of the latest window, which comes first.
    models: Option<Models>,
    without_model: bool,
    too_short: bool,
}

impl People {
    pub(super) fn add(&mut self, case: &CustomerCase<'_>) {
        if case.days < CHURN_DAYS as u32 {
            self.too_short = true;
            return;
        }
        let models = case.clientele.models;
        self.without_model |= models.is_none();
        self.models = self.models.or(models);
        self.all.extend(judged(case, self.windows, models.as_ref()));
        self.windows += 1;
    }

    pub(super) fn report(mut self, report: &mut CustomerReport) {
        if self.too_short {
            report.left_out.push(format!("churn and orders: {CHURN_DAYS} days must be held out"));
            return;
        }
        if self.all.is_empty() {
            report.left_out.push("churn and orders: nobody had ordered before".into());
            return;
        }
        self.all.sort_by_key(|one| (one.customer, one.window));
        let clusters = Clusters::of(self.all.iter().map(|one| one.customer));
        self.churn(&clusters, report);
        let Some(models) = self.models.filter(|_| !self.without_model) else {
            report
                .left_out
                .push("expected orders: hardly anybody came back, so there is no model".into());
            return;
        };
        self.orders(&clusters, report);
        report.expected_orders = deciles(&self.all, |one| one.expected, |one| one.orders);
        report.order_probability = deciles(&self.all, |one| 1.0 - one.churn, Judged::came);
        report.models = compared(self.all.iter().filter(|one| one.window == 0), &models);
    }

    fn churn(&self, clusters: &Clusters, report: &mut CustomerReport) {
        let figures: [(&str, Figure); 2] = [("AUC", auc), ("lift at 10 %", lift_at_tenth)];
        let rows: Vec<usize> = (0..self.all.len()).collect();
        for (metric, figure) in figures {
            let ours = |rows: &[usize]| self.per_window(rows, figure, |one| one.churn);
            let theirs = |rows: &[usize]| self.per_window(rows, figure, |one| one.recency_days);
            let (low, high) = clusters.interval(|rows| ours(rows) - theirs(rows));
            report.figures.push(Beside {
                what: "churn: no order within 28 days".into(),
                metric: metric.into(),
                rule: "recency alone".into(),
                cases: self.all.len() as u64,
                ours: ours(&rows),
                theirs: theirs(&rows),
                low,
                high,
                less_is_better: false,
            });
        }
    }

    /// The mean over windows of how well a score tells who did not come: an order of customers is one of a moment.
    fn per_window(&self, rows: &[usize], figure: Figure, score: fn(&Judged) -> f64) -> f64 {
        let mut windows: Vec<Vec<(f64, bool)>> = vec![Vec::new(); self.windows];
        for &row in rows {
            let one = &self.all[row];
            windows[one.window].push((score(one), one.orders == 0.0));
        }
        windows.iter().map(|cases| figure(cases)).sum::<f64>() / self.windows.max(1) as f64
    }

    fn orders(&self, clusters: &Clusters, report: &mut CustomerReport) {
        let rule = "own rate so far";
        // What is expected is a mean: it makes squares least. Absolute errors are least for the median, which
        // for most customers is no order at all.
        for (metric, power) in [("mean squared error", 2), ("mean absolute error", 1)] {
            let miss = |foretold: fn(&Judged) -> f64| -> Vec<f64> {
                self.all.iter().map(|one| (foretold(one) - one.orders).abs().powi(power)).collect()
            };
            let what = ("orders within 28 days", metric, rule);
            let (ours, theirs) = (miss(|one| one.expected), miss(Judged::own_rate));
            report.figures.push(means(what, clusters, &ours, &theirs));
        }
        type Chance = fn(&Judged) -> f64;
        let brier = |chance: Chance| -> Vec<f64> {
            self.all.iter().map(|one| (chance(one) - one.came()).powi(2)).collect()
        };
        let by_rate = brier(|one| 1.0 - (-one.own_rate()).exp());
        let ways: [(&str, Chance); 2] = [
            ("P(alive) and an order within 28 days", |one| one.by_model),
            ("probability of an order within 28 days", |one| 1.0 - one.churn),
        ];
        for (what, chance) in ways {
            let what = (what, "Brier score", rule);
            report.figures.push(means(what, clusters, &brier(chance), &by_rate));
        }
    }
}

fn judged(case: &CustomerCase<'_>, window: usize, models: Option<&Models>) -> Vec<Judged> {
    let mut days: FxHashMap<usize, Vec<i64>> = FxHashMap::default();
    let purchases = case.after(CHURN_DAYS as u32).filter(|event| event.kind == EventKind::Purchase);
    for event in purchases {
        if let Some(customer) = event.customer {
            days.entry(customer.index()).or_default().push((event.at.0 - case.cut.0) / DAY_MS);
        }
    }
    let mut judged = Vec::new();
    for (customer, profile) in case.profiles.iter().enumerate() {
        let Some(Buyer { worth, churn, rfm, .. }) = &profile.buyer else { continue };
        let days = days.get_mut(&customer).map_or(0, |days| {
            days.dedup(); // events are in order of time
            days.len()
        });
        let order_soon = |models: &Models| {
            worth.map_or(0.0, |worth| 1.0 - models.orders.none_within(&worth.timing, 4.0))
        };
        judged.push(Judged {
            customer,
            window,
            churn: churn.probability.into(),
            recency_days: rfm.recency_days.into(),
            timing: worth.map(|worth| worth.timing).unwrap_or_default(),
            expected: worth.map_or(0.0, |worth| worth.orders_28.expected.into()),
            by_model: models.map_or(0.0, order_soon),
            orders: days as f64,
        });
    }
    judged
}

/// How well scores tell those who did from those who did not.
type Figure = fn(&[(f64, bool)]) -> f64;

/// Means of errors beside each other; less is better.
fn means(
    (what, metric, rule): (&str, &str, &str),
    clusters: &Clusters,
    ours: &[f64],
    theirs: &[f64],
) -> Beside {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len().max(1) as f64;
    let difference = |rows: &[usize]| {
        rows.iter().map(|&row| ours[row] - theirs[row]).sum::<f64>() / rows.len().max(1) as f64
    };
    let (low, high) = clusters.interval(difference);
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

fn deciles(
    judged: &[Judged],
    expected: impl Fn(&Judged) -> f64,
    came: impl Fn(&Judged) -> f64,
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
fn compared<'a>(judged: impl Iterator<Item = &'a Judged>, models: &Models) -> Vec<String> {
    let judged: Vec<&Judged> = judged.collect();
    let timings = || judged.iter().map(|one| one.timing);
    let summary = Summary::of(timings());
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
