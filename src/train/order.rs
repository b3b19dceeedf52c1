//! In which order things are bought: how much of what is wanted next it tells, tried on what was held back.

use super::trials::Metric;
use super::tune::{A_LITTLE, figure};
use super::{Rehearsal, cases};
use crate::recommend::{Kind, Weights};
use crate::rules::RuleLists;

/// Steps of [`HistoryOptions::earlier`](crate::customers::HistoryOptions::earlier), one after the other …
const STEPS: [f32; 3] = [0.8, 0.6, 0.4];
/// … as long as the figure rises by this factor: what helps less, the weeks after took back.
const WORTH_A_STEP: f64 = 1.03;
/// What is bought in later orders stays if it alone finds this share of what rules over customers find. Where customers
/// come for the next thing of a kind it is nearly as much or more, and beside the rules a fifth more than these; in a
/// shop of gifts it is three quarters, and adds nothing but noise.
const AS_WELL: f64 = 0.82;

/// What earlier purchases say of what else is liked beside later ones: as much as makes rules over customers find best
/// what is new to them, from `usual` downwards. The rehearsals are left with that.
pub(super) fn fading(rehearsals: &mut [Rehearsal], usual: f32) -> f32 {
    if cases(rehearsals, Kind::CustomerNew) == 0 {
        return usual;
    }
    let figure_with = |rehearsals: &mut [Rehearsal], earlier: f32| {
        rehearsals.iter_mut().for_each(|r| r.learnt.contents.interests.earlier = earlier);
        found_by(rehearsals, Weights { collected: 1.0, ..Weights::default() })
    };
    let (mut chosen, mut best) = (usual, figure_with(rehearsals, usual));
    for step in STEPS.into_iter().filter(|step| *step < usual) {
        let found = figure_with(rehearsals, step);
        if found <= best * WORTH_A_STEP {
            break;
        }
        (chosen, best) = (step, found);
    }
    rehearsals.iter_mut().for_each(|r| r.learnt.contents.interests.earlier = chosen);
    chosen
}

/// Whether what is bought in later orders is worth counting; if not, the rehearsals are left without it.
pub(super) fn is_later_told(rehearsals: &mut [Rehearsal]) -> bool {
    if rehearsals.iter().any(|r| r.learnt.contents.has_visits()) {
        return true; // what comes after what is told by these, and nothing else was counted
    }
    let is_told = cases(rehearsals, Kind::CustomerNew) > 0 && {
        let whenever = found_by(rehearsals, Weights { collected: 1.0, ..Weights::default() });
        let later = found_by(rehearsals, Weights { next: 1.0, ..Weights::default() });
        later >= AS_WELL * whenever
    };
    if !is_told {
        rehearsals.iter_mut().for_each(|r| r.learnt.contents.next = RuleLists::default());
    }
    is_told
}

/// How well these sources find what is new to customers.
fn found_by(rehearsals: &[Rehearsal], sources: Weights) -> f64 {
    let weights = Weights { bought: 0.0, popular: A_LITTLE, ..sources };
    figure(rehearsals, Kind::CustomerNew, &weights, Metric::Ndcg10)
}
