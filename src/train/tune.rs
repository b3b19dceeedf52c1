//! Finds the blend that suits the shop: weights are tried on the log's last weeks, answered from what came
//! before them.

use std::collections::BTreeMap;

use rayon::prelude::*;
use serde::Serialize;

use super::cases::Case;
use super::share::{Share, evenly};
use super::{Learnt, Rehearsal};
use crate::ids::ItemId;
use crate::index::Contents;
use crate::recommend::{Blend, Kind, Query, SOURCES, Scratch, Weights, gathered};

/// How well one question was answered on the held-out weeks.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Score {
    /// The figure that was raised.
    pub metric: &'static str,
    /// Cases it was measured on.
    pub cases: usize,
    /// By popularity alone.
    pub popularity: f64,
    /// The source that does best alone …
    pub best_source: &'static str,
    /// … and how well.
    pub single: f64,
    /// By the blend it started from.
    pub before: f64,
    /// By the blend that was found.
    pub after: f64,
}

/// What an answer is judged by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Metric {
    /// Gain at the first 10 places, discounted by place, over the best there could be.
    Ndcg10,
    /// Share of all that is right among the first 10.
    Recall10,
    /// 1 / place of the first right one, among the first 20.
    Mrr20,
}

impl Metric {
    /// The headline figure of each question.
    pub(super) fn of_question(kind: Kind) -> Self {
        match kind {
            Kind::Related | Kind::Customer | Kind::CustomerNew => Self::Ndcg10,
            Kind::Basket | Kind::BasketAnonymous => Self::Recall10,
            Kind::Session => Self::Mrr20,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Ndcg10 => "ndcg@10",
            Self::Recall10 => "recall@10",
            Self::Mrr20 => "mrr@20",
        }
    }

    pub(super) fn cutoff(self) -> usize {
        if self == Self::Mrr20 { 20 } else { 10 }
    }

    /// `right` says of each place, best first, whether it is right; `all` is how many there are.
    pub(super) fn of(self, right: &[bool], all: usize) -> f64 {
        let discount = |place: usize| 1.0 / (place as f64 + 2.0).log2();
        let places =
            || right.iter().enumerate().filter(|(_, right)| **right).map(|(place, _)| place);
        match self {
            Self::Ndcg10 => {
                let ideal: f64 = (0..all.min(10)).map(discount).sum();
                places().map(discount).sum::<f64>() / ideal
            }
            Self::Recall10 => places().count() as f64 / all as f64,
            Self::Mrr20 => places().next().map_or(0.0, |place| 1.0 / (place + 1) as f64),
        }
    }
}

/// Fewer cases than this say nothing: the blend stays what it was.
pub(super) const LEAST_CASES: usize = 30;
/// More cases than this say nothing new, in a shop of usual size.
const USUAL_CASES: usize = 2_400;
/// Candidates kept per case by each source's own order …
const PER_SOURCE: usize = 60;
/// … and by the blend that is started from.
const BY_BLEND: usize = 150;
/// A step must raise the figure by at least this much.
const LEAST_GAIN: f64 = 2e-5;
const ROUNDS: usize = 6;
/// What a weight is multiplied with …
const STEPS: [f32; 7] = [0.0, 0.25, 0.5, 0.75, 1.4, 2.0, 4.0];
/// … or what one that was none becomes, in units of its source beside the loudest.
const FIRST_STEPS: [f32; 4] = [0.02, 0.06, 0.2, 0.6];
/// A weight below this, in units of its source beside the loudest, is as good as none.
const LEAST_WEIGHT: f32 = 1e-3;

/// Cases, with every candidate's momentum raised to the same power.
struct Trials {
    each: Vec<Trial>,
    power: f32,
}

/// One case with its candidates, by id.
struct Trial {
    candidates: Vec<Candidate>,
    truths: usize,
}

struct Candidate {
    item: ItemId,
    right: bool,
    momentum: f32,
    /// Momentum to the power of [`Trials::power`].
    raised: f32,
    says: [f32; SOURCES],
}

/// Tunes every question that has enough cases, on all rehearsals at once; the others keep what they had.
pub(super) fn tune(
    rehearsals: &[Rehearsal],
    share: Share,
) -> (Blend, BTreeMap<&'static str, Score>) {
    let mut blend = Blend::default();
    let mut scores = BTreeMap::new();
    for kind in Kind::ALL {
        let cases: usize = rehearsals.iter().map(|r| r.split.cases(kind).len()).sum();
        if cases < LEAST_CASES {
            continue;
        }
        let most = share.times(USUAL_CASES).min(cases);
        let trials = |heard: &Weights, start: &Weights| -> Trials {
            let of = |r: &Rehearsal| {
                let all = r.split.cases(kind);
                let asked = evenly(all, (all.len() * most).div_ceil(cases));
                trials(&r.learnt, kind, asked, heard, start)
            };
            Trials::new(rehearsals.iter().flat_map(of).collect())
        };
        let metric = Metric::of_question(kind);
        let weights = blend.of_mut(kind);
        let found = starts(kind, weights).into_iter().map(|start| {
            let heard = start.with_sources([1.0; SOURCES]);
            climb_from_all(trials(&heard, &start), start, metric)
        });
        let best = found.reduce(|a, b| if b.1.after > a.1.after { b } else { a });
        if let Some((best, score)) = best {
            *weights = best;
            scores.insert(kind.name(), score);
        }
    }
    (blend, scores)
}

/// What changes the candidates themselves is tried one by one; weights are climbed from each.
fn starts(kind: Kind, weights: &Weights) -> Vec<Weights> {
    match kind {
        Kind::Related | Kind::BasketAnonymous | Kind::CustomerNew => vec![weights.clone()],
        Kind::Basket | Kind::Customer => {
            [0.0, 0.5, 1.0].map(|due| Weights { due, ..weights.clone() }).to_vec()
        }
        Kind::Session => [0.4, 0.6, 0.8].map(|decay| Weights { decay, ..weights.clone() }).to_vec(),
    }
}

/// Weight of popularity beside a source that is tried alone: enough to fill a list, too little to lead it.
pub(super) const A_LITTLE: f32 = 0.005;

/// How well these weights answer the cases of all rehearsals.
pub(super) fn figure(
    rehearsals: &[Rehearsal],
    kind: Kind,
    weights: &Weights,
    metric: Metric,
) -> f64 {
    let trials = rehearsals.iter().flat_map(|rehearsal| {
        let asked = evenly(rehearsal.split.cases(kind), USUAL_CASES);
        trials(&rehearsal.learnt, kind, asked, weights, weights)
    });
    Trials::new(trials.collect()).mean(weights, metric)
}

/// The cases with the candidates that `heard` listens to and `start` or one source puts near its
/// top.
fn trials<'a>(
    learnt: &Learnt,
    kind: Kind,
    asked: impl Iterator<Item = &'a Case>,
    heard: &Weights,
    start: &Weights,
) -> Vec<Trial> {
    let trial = |scratch: &mut Scratch, case: &&Case| {
        let query = Query::new(
            kind.question(case.keys(&learnt.contents)),
            case.history(&learnt.histories),
            50,
        );
        Trial::new(&learnt.contents, heard, start, &query, &case.truth, scratch)
    };
    let asked: Vec<&Case> = asked.collect();
    asked.par_iter().map_init(Scratch::default, trial).collect()
}

impl Trial {
    fn new(
        contents: &Contents,
        heard: &Weights,
        weights: &Weights,
        query: &Query<'_>,
        truth: &[ItemId],
        scratch: &mut Scratch,
    ) -> Self {
        let gathered = gathered(contents, heard, query, scratch);
        let by_source = weights.by_source();
        let mut candidates: Vec<Candidate> = gathered
            .items
            .iter()
            .zip(gathered.says)
            .map(|(&item, says)| Candidate {
                item,
                right: truth.binary_search(&item).is_ok(),
                momentum: contents.trends.momentum[item.index()],
                raised: f32::NAN,
                says,
            })
            .collect();
        prune(&mut candidates, |c| weights.score(&by_source, &c.says, c.momentum));
        candidates.sort_unstable_by_key(|candidate| candidate.item);
        Self { candidates, truths: truth.len() }
    }

    /// How good the order is that the candidates' scores put them in; of equals the lower id comes first.
    fn judge(&self, metric: Metric, scores: impl Iterator<Item = f32>) -> f64 {
        let cutoff = metric.cutoff();
        let (mut best, mut right) = ([f32::NEG_INFINITY; MOST_PLACES], [false; MOST_PLACES]);
        for (score, candidate) in scores.zip(&self.candidates) {
            if score > best[cutoff - 1] {
                let place = best[..cutoff].partition_point(|better| *better >= score);
                best.copy_within(place..cutoff - 1, place + 1);
                right.copy_within(place..cutoff - 1, place + 1);
                (best[place], right[place]) = (score, candidate.right);
            }
        }
        metric.of(&right[..cutoff.min(self.candidates.len())], self.truths)
    }
}

/// No [`Metric`] looks further.
const MOST_PLACES: usize = 20;

impl Trials {
    fn new(each: Vec<Trial>) -> Self {
        Self { each, power: f32::NAN }
    }

    fn raise(&mut self, power: f32) {
        if power != self.power {
            let raise = |trial: &mut Trial| {
                trial.candidates.iter_mut().for_each(|c| c.raised = c.momentum.powf(power));
            };
            self.each.par_iter_mut().for_each(raise);
            self.power = power;
        }
    }

    /// The mean figure with these weights.
    fn mean(&mut self, weights: &Weights, metric: Metric) -> f64 {
        self.raise(weights.momentum);
        let by_source = weights.by_source();
        let judge = |trial: &Trial| {
            let score = |c: &Candidate| Weights::sum(&by_source, &c.says) * c.raised;
            trial.judge(metric, trial.candidates.iter().map(score))
        };
        let figures: Vec<f64> = self.each.par_iter().map(judge).collect();
        figures.iter().sum::<f64>() / figures.len() as f64 // in order: the same on any number of threads
    }

    /// The mean figure with each of these weights for one source, the others being as they are.
    fn means(
        &mut self,
        weights: &Weights,
        source: usize,
        values: &[f32],
        metric: Metric,
    ) -> Vec<f64> {
        self.raise(weights.momentum);
        let heard: Vec<f32> =
            values.iter().map(|&v| weights.with_source(source, v).by_source()[source]).collect();
        let mut others = weights.by_source();
        others[source] = 0.0;
        let judge = |sums: &mut Vec<f32>, trial: &Trial| {
            sums.clear();
            sums.extend(trial.candidates.iter().map(|c| Weights::sum(&others, &c.says)));
            let score = |value: f32| {
                let each = sums.iter().zip(&trial.candidates);
                each.map(move |(sum, c)| (sum + value * c.says[source]) * c.raised)
            };
            heard.iter().map(|&value| trial.judge(metric, score(value))).collect::<Vec<_>>()
        };
        let figures: Vec<Vec<f64>> = self.each.par_iter().map_init(Vec::new, judge).collect();
        let mean = |nth| figures.iter().map(|of_trial| of_trial[nth]).sum::<f64>();
        (0..values.len()).map(|nth| mean(nth) / figures.len() as f64).collect()
    }
}

/// Keeps the candidates that some source, or the blend, puts near its top.
fn prune(candidates: &mut Vec<Candidate>, blend: impl Fn(&Candidate) -> f32) {
    let mut keep = vec![false; candidates.len()];
    let mut scored: Vec<(f32, usize)> = Vec::with_capacity(candidates.len());
    let mut keep_top = |limit: usize, score: &dyn Fn(&Candidate) -> f32| {
        scored.clear();
        let scores = candidates.iter().map(score).zip(0..);
        scored.extend(scores.filter(|(score, _)| *score > 0.0));
        if scored.len() > limit {
            scored.select_nth_unstable_by(limit, |a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
            scored.truncate(limit);
        }
        scored.iter().for_each(|&(_, place)| keep[place] = true);
    };
    for source in 0..SOURCES {
        keep_top(PER_SOURCE, &|candidate: &Candidate| candidate.says[source]);
    }
    keep_top(BY_BLEND, &blend);
    let mut kept = keep.into_iter();
    candidates.retain(|_| kept.next() == Some(true));
    candidates.shrink_to_fit(); // thousands of cases are held at once
}

/// The better of two climbs: from what the blend was, and, where it does better, from the best source alone.
fn climb_from_all(mut trials: Trials, start: Weights, metric: Metric) -> (Weights, Score) {
    let units = units(&trials.each);
    let plain = start.clone();
    let alone = |source: usize| {
        let mut by_source = [0.0; SOURCES];
        by_source[source] = units[source];
        plain.with_sources(by_source)
    };
    let heard = (0..SOURCES).filter(|&source| units[source] > 0.0);
    let (single, source) = heard
        .map(|source| (trials.mean(&alone(source), metric), source))
        .fold((0.0, 0), |best, next| if next.0 > best.0 { next } else { best });
    let before = trials.mean(&start, metric);
    let mut best = climb(&mut trials, &units, start, metric);
    if single > before {
        let from_single = climb(&mut trials, &units, alone(source), metric);
        best = if from_single.1 > best.1 { from_single } else { best };
    }
    let (weights, after) = best;
    let score = Score {
        metric: metric.name(),
        cases: trials.each.len(),
        popularity: trials.mean(&Weights::only_popular(), metric),
        best_source: Weights::NAMES[source],
        single,
        before,
        after,
    };
    (weights, score)
}

/// Per source the weight with which what it says most loudly of a case is 1, in the mean over the cases in
/// which it is heard; 0 if it never is.
fn units(trials: &[Trial]) -> [f32; SOURCES] {
    std::array::from_fn(|source| {
        let loudest = |t: &Trial| t.candidates.iter().map(|c| c.says[source]).fold(0.0, f32::max);
        let heard: Vec<f32> = trials.iter().map(loudest).filter(|says| *says > 0.0).collect();
        let mean = heard.iter().sum::<f32>() / heard.len().max(1) as f32;
        if mean > 0.0 { 1.0 / mean } else { 0.0 }
    })
}

/// Coordinate ascent: one weight at a time is made smaller, larger, or nothing, as long as it helps.
fn climb(
    trials: &mut Trials,
    units: &[f32; SOURCES],
    start: Weights,
    metric: Metric,
) -> (Weights, f64) {
    let mut best = (start.clone(), trials.mean(&start, metric));
    for _ in 0..ROUNDS {
        let round = best.1;
        for source in (0..SOURCES).filter(|&source| units[source] > 0.0) {
            let present = best.0.by_source();
            let unit = units[source] * loudest(&present, units);
            let steps: Vec<f32> = match present[source] > LEAST_WEIGHT * unit {
                true => STEPS.map(|step| step * present[source]).into(),
                false => FIRST_STEPS.map(|step| step * unit).into(),
            };
            let found = trials.means(&best.0, source, &steps, metric);
            for (&value, found) in steps.iter().zip(found) {
                if found > best.1 + LEAST_GAIN {
                    best = (best.0.with_source(source, value), found);
                }
            }
        }
        for momentum in [0.0, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0] {
            let tried = Weights { momentum, ..best.0.clone() };
            let found = trials.mean(&tried, metric);
            if found > best.1 + LEAST_GAIN {
                best = (tried, found);
            }
        }
        if best.1 <= round + LEAST_GAIN {
            break;
        }
    }
    best
}

/// How loud the loudest source is, where 1 is a source with the weight of its unit.
fn loudest(by_source: &[f32; SOURCES], units: &[f32; SOURCES]) -> f32 {
    let loud = by_source.iter().zip(units).filter(|(_, unit)| **unit > 0.0);
    loud.map(|(weight, unit)| weight / unit).fold(f32::MIN_POSITIVE, f32::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scores are few, so that many are equal.
    fn random(cases: usize, candidates: usize) -> Trials {
        let mut random = fastrand::Rng::with_seed(23);
        let mut trial = || {
            let mut candidate = |item| Candidate {
                item: ItemId::new(item),
                right: random.u8(..5) == 0,
                momentum: [0.25, 1.0, 4.0][random.usize(..3)],
                raised: f32::NAN,
                says: std::array::from_fn(|_| f32::from(random.u8(..3))),
            };
            let candidates: Vec<Candidate> = (0..candidates).map(&mut candidate).collect();
            Trial { truths: candidates.iter().filter(|c| c.right).count().max(1), candidates }
        };
        Trials::new((0..cases).map(|_| trial()).collect())
    }

    #[test]
    fn a_figure_is_that_of_the_candidates_sorted_by_score_and_id() {
        let weights = Weights { momentum: 0.5, ..Weights::default() };
        for metric in [Metric::Ndcg10, Metric::Recall10, Metric::Mrr20] {
            for candidates in [1, 9, 10, 60] {
                let mut trials = random(40, candidates);
                let sorted = |trial: &Trial| {
                    let score =
                        |c: &Candidate| weights.score(&weights.by_source(), &c.says, c.momentum);
                    let mut all: Vec<&Candidate> = trial.candidates.iter().collect();
                    all.sort_by(|a, b| score(b).total_cmp(&score(a)).then(a.item.cmp(&b.item)));
                    let right: Vec<bool> =
                        all.iter().take(metric.cutoff()).map(|c| c.right).collect();
                    metric.of(&right, trial.truths)
                };
                let plain = trials.each.iter().map(sorted).sum::<f64>() / 40.0;
                assert!((trials.mean(&weights, metric) - plain).abs() < 1e-12, "{metric:?}");
            }
        }
    }

    #[test]
    fn weights_tried_at_once_have_the_figures_they_have_one_by_one() {
        let mut trials = random(40, 60);
        let weights = Weights { momentum: 0.5, viewed: 0.5, ..Weights::default() };
        let values = [0.0, 0.25, 1.0, 8.0];
        for source in 0..SOURCES {
            let at_once = trials.means(&weights, source, &values, Metric::Ndcg10);
            let alone = values
                .map(|value| trials.mean(&weights.with_source(source, value), Metric::Ndcg10));
            assert_eq!(at_once, alone, "{}", Weights::NAMES[source]);
        }
    }
}
