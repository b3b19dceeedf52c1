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
const STEPS: [f32; 3] = [0.8, 0.6, 0.4];
/// … as long as the figure rises by this factor.
const WORTH_A_STEP: f64 = 1.03;

/// Where the order tells something, how much less earlier purchases say than later ones; where not, what is bought in
/// later orders is dropped, from the rehearsals too. Where there are visits, they tell what comes after what.
pub(super) fn tune(rehearsals: &mut [Rehearsal], options: &mut TrainOptions) {
    if rehearsals.iter().any(|rehearsal| rehearsal.learnt.contents.has_visits()) {
        return;
    }
    options.bought_later &= is_told(rehearsals);
    match options.bought_later {
        true => options.history.earlier = fading(rehearsals, options.history.earlier),
        false => {
            rehearsals.iter_mut().for_each(|r| r.learnt.contents.next = RuleLists::default());
        }
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
        if found <= best * WORTH_A_STEP {
            break;
        }
        (chosen, best) = (step, found);
    }
    set(rehearsals, chosen);
    chosen
}

fn by_customers() -> Weights {
    Weights { collected: 1.0, ..Weights::default() }
}

/// How well these sources find what is new to customers.
fn found_by(rehearsals: &[Rehearsal], sources: Weights) -> f64 {
    let weights = Weights { bought: 0.0, popular: A_LITTLE, ..sources };
    figure(rehearsals, Kind::CustomerNew, &weights, Metric::Ndcg10)
}
