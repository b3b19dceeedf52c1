//! Whether the order in which things are bought tells what is wanted next: tried on what was held back.

use super::trials::Metric;
use super::tune::{A_LITTLE, figure};
use super::{Rehearsal, TrainOptions, cases};
use crate::recommend::{Kind, Weights};
use crate::rules::RuleLists;

/// The order tells something if what is bought in later orders finds, alone, this share of what rules over customers
/// find. Where customers come for the next thing of a kind it is nearly as much; in shops of gifts and groceries it is
/// three quarters and less, and what the order seems to tell of their last weeks is wrong in the weeks after.
const AS_WELL: f64 = 0.82;
/// Steps of [`HistoryOptions::earlier`](crate::customers::HistoryOptions::earlier), one after the other …
const STEPS: [f32; 5] = [0.97, 0.9, 0.8, 0.6, 0.4];
/// … each of which must find more than what is chosen so far, by this factor.
const WORTH_A_STEP: f64 = 1.02;

/// Where the order tells something, how much less earlier purchases say than later ones; where not, what is bought in
/// later orders is dropped, from the rehearsals too. Where there are visits, they tell what comes after what. Where
/// customers come with all they like `at_once` there are hardly any orders, but moments within a day may tell.
pub(super) fn tune(rehearsals: &mut [Rehearsal], options: &mut TrainOptions, at_once: bool) {
    if rehearsals.iter().any(|rehearsal| rehearsal.learnt.contents.has_visits()) {
        return;
    }
    options.bought_later &= is_told(rehearsals);
    if !options.bought_later {
        rehearsals.iter_mut().for_each(|r| r.learnt.contents.next = RuleLists::default());
    }
    if options.bought_later || at_once {
        options.history.earlier = fading(rehearsals, options.history.earlier);
    }
}

fn is_told(rehearsals: &[Rehearsal]) -> bool {
    let later = Weights { next: 1.0, ..Weights::default() };
    cases(rehearsals, Kind::CustomerNew) > 0
        && found_by(rehearsals, later) >= AS_WELL * found_by(rehearsals, by_customers())
}

/// As much as makes rules over customers find best what is new to them, from `usual` downwards. The rehearsals are left
/// with that.
fn fading(rehearsals: &mut [Rehearsal], usual: f32) -> f32 {
    let set = |rehearsals: &mut [Rehearsal], earlier: f32| {
        rehearsals.iter_mut().for_each(|r| r.learnt.contents.interests.earlier = earlier);
    };
    let (mut chosen, mut best) = (usual, found_by(rehearsals, by_customers()));
    for step in STEPS.into_iter().filter(|step| *step < usual) {
        set(rehearsals, step);
        let found = found_by(rehearsals, by_customers());
        if found > best * WORTH_A_STEP {
            (chosen, best) = (step, found);
        }
    }
    set(rehearsals, chosen);
    chosen
}

fn by_customers() -> Weights {
    Weights { collected: 1.0, ..Weights::default() }
}

/// How well these sources find what is new to customers: the geometric mean over the rehearsals, for the last of what
/// customers bought is harder to find than some of it by lot, and is to count as much.
fn found_by(rehearsals: &[Rehearsal], sources: Weights) -> f64 {
    let weights = Weights { bought: 0.0, popular: A_LITTLE, ..sources };
    let asked =
        rehearsals.iter().filter(|rehearsal| !rehearsal.split.cases(Kind::CustomerNew).is_empty());
    let found = asked.map(|rehearsal| {
        figure(std::slice::from_ref(rehearsal), Kind::CustomerNew, &weights, Metric::Ndcg10)
    });
    let (logs, count) = found.fold((0.0, 0.0), |(logs, count), found| {
        (logs + found.max(f64::MIN_POSITIVE).ln(), count + 1.0)
    });
    if count > 0.0 { f64::exp(logs / count) } else { 0.0 }
}
