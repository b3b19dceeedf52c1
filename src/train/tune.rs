//! Finds the blend that suits the shop: weights are tried on the log's last weeks, answered from what came
//! before them.

use std::collections::BTreeMap;

use serde::Serialize;

use super::share::{Share, evenly};
use super::trials::{Metric, Trial, Trials};
use super::{Learnt, Rehearsal};
use crate::recommend::{Blend, Kind, SOURCES, Weights};

/// How well one question was answered on the held-out weeks: what was chosen by some of the cases, told by the others.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Score {
    /// The figure that was raised (fading, while it was).
    pub metric: &'static str,
    /// Cases that tell it.
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

/// Fewer cases than this say nothing: the blend stays what it was.
pub(super) const LEAST_CASES: usize = 30;
/// More cases than this say nothing new, in a shop of usual size.
const USUAL_CASES: usize = 2_400;
/// A step must raise the figure by at least this much.
const LEAST_GAIN: f64 = 2e-5;
const ROUNDS: usize = 6;
/// What a weight is multiplied with …
const STEPS: [f32; 7] = [0.0, 0.25, 0.5, 0.75, 1.4, 2.0, 4.0];
/// … or what one that was none becomes, in units of its source beside the loudest.
const FIRST_STEPS: [f32; 4] = [0.02, 0.06, 0.2, 0.6];
/// Powers of momentum that are tried …
const MOMENTA: [f32; 7] = [0.0, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0];
/// … and of reach.
const REACHES: [f32; 7] = [0.0, -0.3, -0.2, -0.1, -0.05, 0.05, 0.1];
/// A weight below this, in units of its source beside the loudest, is as good as none.
const LEAST_WEIGHT: f32 = 1e-3;

/// Whether customers buy again is told by so many things that they could have bought again …
const LEAST_CHANCES: usize = 1_000;
/// … and they hardly do where it was less than this share of them.
const SELDOM: f64 = 0.01;

/// Tunes every question that has enough cases, on all rehearsals at once; the others keep what they had.
pub(super) fn tune(
    rehearsals: &[Rehearsal],
    share: Share,
) -> (Blend, BTreeMap<&'static str, Score>) {
    let again = rehearsals.first().is_none_or(|latest| come_again(&latest.learnt));
    let mut blend = Blend { again, ..Blend::default() };
    let mut scores = BTreeMap::new();
    for kind in blend.kinds() {
        let cases: usize = rehearsals.iter().map(|r| r.split.cases(kind).len()).sum();
        if cases < LEAST_CASES {
            continue;
        }
        let most = share.times(USUAL_CASES).min(cases);
        let trials = |heard: &Weights, start: &Weights| -> Trials {
            let of = |r: &Rehearsal| {
                let all = r.split.cases(kind);
                let asked = evenly(all, (all.len() * most).div_ceil(cases));
                Trial::all(&r.learnt, kind, asked, heard, start)
            };
            Trials::new(rehearsals.iter().flat_map(of).collect())
        };
        let metric = Metric::of_question(kind);
        let weights = blend.of_mut(kind);
        let found = starts(kind, weights).into_iter().map(|start| {
            let heard = start.with_sources([1.0; SOURCES]);
            let mut trials = trials(&heard, &start);
            let climb = Climb::on(&mut trials, &start, metric);
            (start, trials, climb)
        });
        let best = found.reduce(|a, b| if b.2.climbed > a.2.climbed { b } else { a });
        if let Some((start, trials, climb)) = best {
            let (chosen, score) = told_by_others(trials, start, climb, metric);
            *weights = chosen;
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

/// Whether customers with later orders had more than hardly anything twice, or too little is known of that.
fn come_again(learnt: &Learnt) -> bool {
    let bought = || learnt.histories.as_slice().iter().flat_map(|history| &history.bought);
    let chances = bought().filter(|bought| bought.orders_since_first > 0).count();
    let again = bought().filter(|bought| bought.times > 1).count();
    chances < LEAST_CHANCES || again as f64 >= SELDOM * chances as f64
}

/// Weight of popularity beside a source that is tried alone: enough to fill a list, too little to lead it.
pub(super) const A_LITTLE: f32 = 0.005;

/// How well these weights answer the cases of all rehearsals, by a fading figure.
pub(super) fn figure(
    rehearsals: &[Rehearsal],
    kind: Kind,
    weights: &Weights,
    metric: Metric,
) -> f64 {
    let trials = rehearsals.iter().flat_map(|rehearsal| {
        let asked = evenly(rehearsal.split.cases(kind), USUAL_CASES);
        Trial::all(&rehearsal.learnt, kind, asked, weights, weights)
    });
    Trials::new(trials.collect()).fading(weights, metric)
}

/// With more cases than this, those that half of them were climbed for tell well enough.
const MANY_CASES: usize = 1_000;

/// How good a climb is, told by cases that were not climbed on: what is found on half of them, by the other half. Where
/// these say that it is no better than where it began, or than what sells, that is left as it is.
fn told_by_others(
    trials: Trials,
    start: Weights,
    climb: Climb,
    metric: Metric,
) -> (Weights, Score) {
    let popular = start.with_sources(Weights::only_popular().by_source());
    let popular = Weights { momentum: 0.0, reach: 0.0, ..popular };
    let halves = if trials.each().len() < MANY_CASES { 2 } else { 1 };
    let mut parts = trials.halves();
    // Of what was found, of where it began, of what sells, and of the best source alone; fading, and as it is told.
    let mut sums = [[0.0; 2]; 4];
    for (here, there) in [(0, 1), (1, 0)].into_iter().take(halves) {
        let Climb { weights, .. } = Climb::on(&mut parts[here], &start, metric);
        let others = &mut parts[there];
        let count = others.each().len() as f64;
        for (sums, told) in sums.iter_mut().zip([&weights, &start, &popular, &climb.single]) {
            sums[0] += count * others.fading(told, metric);
            sums[1] += count * others.mean(told, metric);
        }
    }
    let told: usize = parts[2 - halves..].iter().map(|part| part.each().len()).sum();
    let [found, before, sells, single] = sums.map(|both| both.map(|sum| sum / told as f64));
    let simple = if sells[0] > before[0] { (popular, sells) } else { (start, before) };
    let (weights, [_, after]) =
        if simple.1[0] >= found[0] { simple } else { (climb.weights, found) };
    let score = Score {
        metric: metric.name(),
        cases: told,
        popularity: sells[1],
        best_source: Weights::NAMES[climb.source],
        single: single[1],
        before: before[1],
        after,
    };
    (weights, score)
}

/// The better of two climbs on some cases.
struct Climb {
    weights: Weights,
    /// Its fading figure.
    climbed: f64,
    /// The source that does best alone, and its weights.
    source: usize,
    single: Weights,
}

impl Climb {
    fn on(trials: &mut Trials, start: &Weights, metric: Metric) -> Self {
        let units = units(trials.each());
        let alone = |source: usize| {
            let mut by_source = [0.0; SOURCES];
            by_source[source] = units[source];
            start.with_sources(by_source)
        };
        let heard = (0..SOURCES).filter(|&source| units[source] > 0.0);
        let (figure, source) = heard
            .map(|source| (trials.fading(&alone(source), metric), source))
            .fold((0.0, 0), |best, next| if next.0 > best.0 { next } else { best });
        let mut best = climb(trials, &units, start.clone(), metric);
        if figure > trials.fading(start, metric) {
            let from_single = climb(trials, &units, alone(source), metric);
            best = if from_single.1 > best.1 { from_single } else { best };
        }
        let (weights, climbed) = best;
        Self { weights, climbed, source, single: alone(source) }
    }
}

/// Per source the weight with which what it says most loudly of a case is 1, in the mean over the cases in
/// which it is heard; 0 if it never is.
fn units(trials: &[Trial]) -> [f32; SOURCES] {
    std::array::from_fn(|source| {
        let loudest = trials.iter().map(|trial| trial.loudest(source));
        let heard: Vec<f32> = loudest.filter(|says| *says > 0.0).collect();
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
    let mut best = (start.clone(), trials.fading(&start, metric));
    for _ in 0..ROUNDS {
        let round = best.1;
        for source in (0..SOURCES).filter(|&source| units[source] > 0.0) {
            let present = best.0.by_source();
            let unit = units[source] * loudest(&present, units);
            let steps: Vec<f32> = match present[source] > LEAST_WEIGHT * unit {
                true => STEPS.map(|step| step * present[source]).into(),
                false => FIRST_STEPS.map(|step| step * unit).into(),
            };
            let found = trials.each_fading(&best.0, source, &steps, metric);
            for (&value, found) in steps.iter().zip(found) {
                if found > best.1 + LEAST_GAIN {
                    best = (best.0.with_source(source, value), found);
                }
            }
        }
        let mut consider = |best: &mut (Weights, f64), tried: Weights| {
            let found = trials.fading(&tried, metric);
            if found > best.1 + LEAST_GAIN {
                *best = (tried, found);
            }
        };
        for momentum in MOMENTA {
            let tried = Weights { momentum, ..best.0.clone() };
            consider(&mut best, tried);
        }
        for reach in REACHES {
            let tried = Weights { reach, ..best.0.clone() };
            consider(&mut best, tried);
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
    use super::super::trials::tests::of_noise;
    use super::*;

    #[test]
    fn what_is_climbed_on_few_cases_is_held_against_others_and_against_what_sells() {
        let metric = Metric::Ndcg10;
        let start = Weights { momentum: 0.0, ..Weights::default() };
        let popular = Weights::only_popular();
        for seed in 0..5 {
            let mut fresh = of_noise(4_000, 100 + seed);
            let least = 0.97 * fresh.mean(&popular, metric);
            let mut trials = of_noise(60, seed);
            let climb = Climb::on(&mut trials, &start, metric);
            let flattering = trials.mean(&climb.weights, metric);
            let (weights, score) = told_by_others(trials, start.clone(), climb, metric);
            let truly = fresh.mean(&weights, metric);
            assert!(truly >= least, "{seed}: {truly} of {least}, {weights:?}");
            assert!(score.after < flattering, "{seed}: {flattering}");
        }
    }
}
