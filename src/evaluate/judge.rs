//! One recommender, one task: asked every case, and marked.

use std::time::Instant;

use rayon::prelude::*;
use serde::Serialize;

use super::cases::{Case, Problem, purchased};
use super::metrics::{AtCutoff, LIMIT, gini, interval, quantile};
use super::protocol::touched;
use super::{Question, Recommender};
use crate::events::{EventKind, EventLog};
use crate::ids::ItemId;
use crate::lists::Lists;

/// Seed of the intervals.
const SEED: u64 = 7;

/// What the marks need to know of the training log.
#[derive(Clone, Debug)]
pub struct Background {
    /// What each customer bought, ascending and distinct.
    pub purchased: Lists<ItemId>,
    /// How many items could be shown.
    pub catalogue: usize,
    /// Per item, −log₂ of its share of all sales (looks, where nothing is sold); one that was never sold
    /// counts as sold once.
    surprise: Vec<f64>,
}

/// How one recommender did in one task. Means are over cases.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Marks {
    /// Who.
    pub name: String,
    /// The figure that the task is ranked by.
    pub headline: f64,
    /// Its 95 % interval, from drawing customers anew.
    pub interval: (f64, f64),
    /// Of the first ten.
    pub at10: AtCutoff,
    /// Of the first twenty.
    pub at20: AtCutoff,
    /// The truth cut down to what the customer had bought before.
    pub repeat: Option<Part>,
    /// The truth cut down to what the customer had not.
    pub explore: Option<Part>,
    /// Mean over cases of the money on hits among the first ten ÷ the money on all that was right; 0 to 1.
    /// None where the log has no prices.
    pub revenue_recall_at10: Option<f64>,
    /// Distinct items shown in any list.
    pub distinct_items: usize,
    /// Those ÷ the catalogue, 0 to 1.
    pub coverage: f64,
    /// Inequality of exposure over the catalogue, 0 to 1.
    pub gini: f64,
    /// Mean surprise of a shown item in bits: −log₂ of its share of all sales.
    pub novelty: f64,
    /// Items per list.
    pub mean_list_length: f64,
    /// Time per answer; not repeatable.
    pub latency: Latency,
}

/// One part of the truth, over the cases where it is not empty.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Part {
    /// Those cases.
    pub cases: usize,
    /// Of the first ten.
    pub at10: AtCutoff,
    /// Of the first twenty.
    pub at20: AtCutoff,
}

/// Time per answer in microseconds, measured with all cores at work.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Latency {
    /// Half of the answers took no longer.
    pub p50_us: f64,
    /// 99 % of the answers took no longer.
    pub p99_us: f64,
}

/// Times differ from run to run; what they are times of does not.
impl PartialEq for Latency {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Background {
    /// Of a training log.
    pub fn new(past: &EventLog) -> Self {
        let sold = past.events.iter().any(|event| event.kind == EventKind::Purchase);
        let mut counts = vec![0u32; past.items.len()];
        for event in &past.events {
            let counted = match event.kind {
                EventKind::Purchase => sold,
                EventKind::Return => false,
                EventKind::View | EventKind::Cart | EventKind::Favorite => !sold,
            };
            counts[event.item.index()] += u32::from(counted);
        }
        let total = counts.iter().map(|&count| f64::from(count)).sum::<f64>().max(1.0);
        let surprise = counts.iter().map(|&count| (total / f64::from(count.max(1))).log2());
        Self { purchased: purchased(past), catalogue: touched(past), surprise: surprise.collect() }
    }

    fn surprise(&self, item: ItemId) -> f64 {
        self.surprise.get(item.index()).copied().unwrap_or(0.0)
    }
}

/// What one case came to.
struct Answered {
    shown: Vec<ItemId>,
    hits: Vec<bool>,
    took_us: f64,
}

/// Asks every case of the problem, and marks the answers. What is forbidden, said twice or beyond the
/// limit is struck off before.
pub fn judge(recommender: &dyn Recommender, problem: &Problem, background: &Background) -> Marks {
    let answers: Vec<Answered> = problem
        .cases
        .par_iter()
        .map(|case| answered(recommender, problem, case, background))
        .collect();
    let cases = || problem.cases.iter().zip(&answers);
    let at = |k| -> Vec<AtCutoff> {
        cases().map(|(case, answer)| AtCutoff::of(&answer.hits, case.truth.len(), k)).collect()
    };
    let (at10, at20) = (at(10), at(20));
    let headline = problem.task.headline();
    let values: Vec<f64> = at10.iter().zip(&at20).map(|(a, b)| headline.of(a, b)).collect();
    let clusters: Vec<u32> = problem.cases.iter().map(|case| case.cluster).collect();
    let part = |keep_known| match problem.task.splits_truth() {
        true => part(problem, &answers, background, keep_known),
        false => None,
    };
    let exposure = Exposure::of(&answers, background);
    let (at10, at20) = (AtCutoff::mean(&at10), AtCutoff::mean(&at20));
    Marks {
        name: recommender.name().to_owned(),
        headline: headline.of(&at10, &at20),
        interval: interval(&values, &clusters, SEED),
        at10,
        at20,
        repeat: part(true),
        explore: part(false),
        revenue_recall_at10: revenue_recall(cases()),
        distinct_items: exposure.distinct,
        coverage: exposure.coverage,
        gini: exposure.gini,
        novelty: exposure.novelty,
        mean_list_length: exposure.mean_list_length,
        latency: latency(&answers),
    }
}

fn answered(
    recommender: &dyn Recommender,
    problem: &Problem,
    case: &Case,
    background: &Background,
) -> Answered {
    let task = problem.task;
    let known = || case.customer.map_or(&[][..], |who| background.purchased.row(who.index()));
    let mut asked = Vec::new();
    let forbidden = match task.forbids_query() {
        true => {
            asked.extend_from_slice(&case.items);
            asked.sort_unstable();
            &asked[..]
        }
        false if task == super::Task::ForCustomerNew => known(),
        false => &[],
    };
    let customer = case.customer.filter(|_| task.names_customer());
    let question = Question { task, customer, items: &case.items, forbidden };
    let started = Instant::now();
    let list = recommender.recommend(&question, LIMIT);
    let took_us = started.elapsed().as_secs_f64() * 1e6;
    let mut shown = Vec::with_capacity(LIMIT);
    for item in list {
        if shown.len() < LIMIT && !shown.contains(&item) && forbidden.binary_search(&item).is_err()
        {
            shown.push(item);
        }
    }
    let hits = shown.iter().map(|item| case.truth.binary_search(item).is_ok()).collect();
    Answered { shown, hits, took_us }
}

/// The marks for what was bought before (`keep_known`), or for what was not.
fn part(
    problem: &Problem,
    answers: &[Answered],
    background: &Background,
    keep_known: bool,
) -> Option<Part> {
    let (mut at10, mut at20) = (Vec::new(), Vec::new());
    for (case, answer) in problem.cases.iter().zip(answers) {
        let known = case.customer.map_or(&[][..], |who| background.purchased.row(who.index()));
        let is_in = |item: &ItemId| known.binary_search(item).is_ok() == keep_known;
        let size = case.truth.iter().filter(|item| is_in(item)).count();
        if size > 0 {
            let shown = answer.shown.iter().zip(&answer.hits);
            let hits: Vec<bool> = shown.map(|(item, &hit)| hit && is_in(item)).collect();
            at10.push(AtCutoff::of(&hits, size, 10));
            at20.push(AtCutoff::of(&hits, size, 20));
        }
    }
    let cases = at10.len();
    (cases > 0).then(|| Part { cases, at10: AtCutoff::mean(&at10), at20: AtCutoff::mean(&at20) })
}

fn revenue_recall<'a>(cases: impl Iterator<Item = (&'a Case, &'a Answered)>) -> Option<f64> {
    let mut shares = Vec::new();
    for (case, answer) in cases {
        let spent = |item: &ItemId| {
            case.truth.binary_search(item).map_or(0.0, |place| f64::from(case.spent[place]))
        };
        let all: f64 = case.truth.iter().map(spent).sum();
        if all > 0.0 {
            shares.push(answer.shown.iter().take(10).map(spent).sum::<f64>() / all);
        }
    }
    (!shares.is_empty()).then(|| shares.iter().sum::<f64>() / shares.len() as f64)
}

/// Which items were shown, how often.
struct Exposure {
    distinct: usize,
    coverage: f64,
    gini: f64,
    novelty: f64,
    mean_list_length: f64,
}

impl Exposure {
    fn of(answers: &[Answered], background: &Background) -> Self {
        let catalogue = background.catalogue;
        let mut times = vec![0u64; background.surprise.len()];
        let (mut places, mut surprise) = (0usize, 0.0);
        for &item in answers.iter().flat_map(|answer| &answer.shown) {
            if item.index() >= times.len() {
                times.resize(item.index() + 1, 0);
            }
            times[item.index()] += 1;
            places += 1;
            surprise += background.surprise(item);
        }
        times.retain(|&times| times > 0);
        let distinct = times.len();
        times.resize(catalogue.max(distinct), 0);
        Self {
            distinct,
            coverage: distinct as f64 / catalogue.max(distinct).max(1) as f64,
            gini: gini(times),
            novelty: surprise / places.max(1) as f64,
            mean_list_length: places as f64 / answers.len().max(1) as f64,
        }
    }
}

fn latency(answers: &[Answered]) -> Latency {
    let mut took: Vec<f64> = answers.iter().map(|answer| answer.took_us).collect();
    took.sort_unstable_by(f64::total_cmp);
    Latency { p50_us: quantile(&took, 0.5), p99_us: quantile(&took, 0.99) }
}
