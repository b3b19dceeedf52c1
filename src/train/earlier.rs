//! What earlier purchases say of what else is liked beside the latest: tried on what was held back.

use super::trials::Metric;
use super::tune::{A_LITTLE, figure};
use super::{Rehearsal, cases};
use crate::recommend::{Kind, Weights};

/// Steps of [`HistoryOptions::earlier`](crate::customers::HistoryOptions::earlier), one after the other …
const STEPS: [f32; 3] = [0.8, 0.6, 0.4];
/// … as long as the figure rises by this factor: what helps less, the weeks after took back.
const WORTH_A_STEP: f64 = 1.03;

/// With how much of it rules over customers find best what is new to them, from `usual` downwards; the rehearsals are
/// left with that.
pub(super) fn tune(rehearsals: &mut [Rehearsal], usual: f32) -> f32 {
    if cases(rehearsals, Kind::CustomerNew) == 0 {
        return usual;
    }
    let weights = Weights { bought: 0.0, collected: 1.0, popular: A_LITTLE, ..Weights::default() };
    let figure_with = |rehearsals: &mut [Rehearsal], earlier: f32| {
        rehearsals.iter_mut().for_each(|r| r.learnt.contents.interests.earlier = earlier);
        figure(rehearsals, Kind::CustomerNew, &weights, Metric::Ndcg10)
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
