//! How often visitors go back to what they looked at before: some shops' hardly do, others' click everything twice.

use rayon::prelude::*;

use super::cases::{Case, Split};
use super::share::evenly;
use super::{Rehearsal, cases};
use crate::ids::ItemId;
use crate::index::Contents;
use crate::recommend::Kind;
use crate::rules::onward::{Onward, OnwardOptions, OnwardScratch, Returns, Seen};

/// Fewer cases than this say nothing: the factors stay what they were.
const LEAST_CASES: usize = 200;
/// More cases than this say nothing new.
const CASES: usize = 5_000;
/// What a factor is multiplied with …
const STEPS: [f32; 6] = [0.25, 0.5, 0.75, 1.4, 2.0, 4.0];
/// … or what one that was none becomes.
const FIRST_STEPS: [f32; 3] = [1.0, 4.0, 16.0];
const ROUNDS: usize = 6;
/// A step must raise the figure by at least this much.
const LEAST_GAIN: f64 = 2e-5;
/// To be shown again what is on the screen must be right far more often than by chance: the figure rises by this
/// factor.
const LEAST_WORTH: f64 = 1.02;
/// No answer is judged further.
const PLACES: usize = 20;

/// What was looked at before counts as what was not.
const ALL_ALIKE: Returns = Returns { still: 1.0, again: 1.0, back: 1.0, same_way: 1.0 };

/// One case: what may come next, by score where no factor counts, best first, and among it what did.
struct Trial {
    candidates: Vec<Candidate>,
    right: Option<usize>,
}

struct Candidate {
    score: f32,
    seen: Seen,
    same_way: bool,
}

/// Gives every rehearsal the factors with which its visits foretell best what comes next (by the mean reciprocal rank
/// among the first 20), and returns them.
pub(super) fn tune(rehearsals: &mut [Rehearsal]) -> Returns {
    let start = Returns::default();
    let all = cases(rehearsals, Kind::Session);
    if all < LEAST_CASES {
        return start;
    }
    let of = |rehearsal: &Rehearsal| {
        let asked = rehearsal.split.cases(Kind::Session);
        let asked: Vec<&Case> =
            evenly(asked, (asked.len() * CASES.min(all)).div_ceil(all)).collect();
        let trial = |scratch: &mut OnwardScratch, case: &&Case| {
            Trial::of(&rehearsal.learnt.contents, case, scratch)
        };
        asked.par_iter().map_init(OnwardScratch::default, trial).collect::<Vec<_>>()
    };
    let trials: Vec<Trial> = rehearsals.iter().flat_map(of).collect();
    let returns = match rehearsals.iter().any(|rehearsal| does_anybody_return(&rehearsal.split)) {
        true => best(&trials, start),
        false => Returns::NEVER,
    };
    for rehearsal in rehearsals {
        rehearsal.learnt.contents.returns = returns;
    }
    returns
}

/// Whether what came next in a visit was ever looked at before in it.
fn does_anybody_return(split: &Split) -> bool {
    let is_back = |case: &Case| case.items.iter().any(|item| case.is_right(*item));
    split.cases(Kind::Session).iter().any(is_back)
}

fn best(trials: &[Trial], start: Returns) -> Returns {
    let (without, figure) = best_from(trials, &[start, Returns { still: 0.0, ..ALL_ALIKE }], 1);
    let shown_again = FIRST_STEPS.map(|still| Returns { still, ..without });
    let (with, figure_with) = best_from(trials, &shown_again, 0);
    if figure_with > figure * LEAST_WORTH { with } else { without }
}

/// The best of the climbs from these.
fn best_from(trials: &[Trial], starts: &[Returns], first: usize) -> (Returns, f64) {
    let climbs = starts.iter().map(|start| climb(trials, *start, first));
    climbs.reduce(|a, b| if b.1 > a.1 { b } else { a }).expect("there is a start")
}

/// Coordinate ascent over the factors from the `first` on.
fn climb(trials: &[Trial], start: Returns, first: usize) -> (Returns, f64) {
    let mut best = (start, figure(trials, start));
    for _ in 0..ROUNDS {
        let round = best.1;
        for factor in first..start.to_parts().len() {
            for step in STEPS {
                let mut tried = best.0.to_parts();
                tried[factor] *= step;
                let Some(tried) = Returns::from_parts(&tried) else { continue };
                let found = figure(trials, tried);
                if found > best.1 + LEAST_GAIN {
                    best = (tried, found);
                }
            }
        }
        if best.1 <= round + LEAST_GAIN {
            break;
        }
    }
    best
}

/// The mean reciprocal rank with these factors.
fn figure(trials: &[Trial], returns: Returns) -> f64 {
    let each: Vec<f64> = trials.par_iter().map(|trial| trial.judge(returns)).collect();
    each.iter().sum::<f64>() / each.len() as f64 // in order: the same on any number of threads
}

impl Trial {
    fn of(contents: &Contents, case: &Case, scratch: &mut OnwardScratch) -> Self {
        let Contents { visits, next, freshness, .. } = contents;
        let onward = Onward { visits, followers: next.ranked(), trend: freshness };
        let clicks: Vec<ItemId> = case.items.iter().rev().copied().collect();
        let options = OnwardOptions { returns: ALL_ALIKE, ..OnwardOptions::default() };
        let mut found = Vec::new();
        onward.score(&clicks, &options, scratch, |next| found.push(next));
        found.sort_unstable_by(|a, b| b.score.total_cmp(&a.score).then(a.item.cmp(&b.item)));
        let mut new = 0;
        found.retain(|next| {
            new += usize::from(next.seen == Seen::Never);
            next.seen != Seen::Never || new <= PLACES
        });
        let right = found.iter().position(|next| case.is_right(next.item));
        let candidates = found.into_iter().map(|next| {
            let (score, seen, same_way) = (next.score, next.seen, next.same_way);
            Candidate { score, seen, same_way }
        });
        Self { candidates: candidates.collect(), right }
    }

    /// 1 / place of what came next among the first, or 0; of equals what is found first without factors comes first.
    fn judge(&self, returns: Returns) -> f64 {
        let score = |of: &Candidate| of.score * returns.factor(of.seen, of.same_way);
        let Some(right) = self.right else { return 0.0 };
        let (before, behind) = (&self.candidates[..right], &self.candidates[right + 1..]);
        let reached = score(&self.candidates[right]);
        let ahead = before.iter().filter(|other| score(other) >= reached).count()
            + behind.iter().filter(|other| score(other) > reached).count();
        if reached > 0.0 && ahead < PLACES { 1.0 / (ahead + 1) as f64 } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of the visits, `still` of ten stay, `back` of ten go back, and the others go on.
    fn visits(still: usize, back: usize) -> Vec<Trial> {
        let visit = |nth: usize| {
            let seen = [Seen::Last, Seen::JustBefore, Seen::Never];
            let candidates = seen.map(|seen| Candidate { score: 1.0, seen, same_way: false });
            let right = if nth < still { 0 } else { 1 + usize::from(nth >= still + back) };
            Trial { candidates: candidates.into(), right: Some(right) }
        };
        (0..10).map(visit).collect()
    }

    #[test]
    fn factors_follow_what_visitors_do() {
        let order = |still, back| {
            let returns = best(&visits(still, back), Returns::default());
            let of = |seen| returns.factor(seen, false);
            (of(Seen::Last), of(Seen::JustBefore))
        };
        let (last, before) = order(0, 7);
        assert!(last == 0.0 && before > 1.0, "{last} {before}");
        let (last, before) = order(6, 3);
        assert!(last > before && before > 1.0, "{last} {before}");
        let (last, before) = order(3, 0);
        assert!(before <= last && last < 1.0, "{last} {before}");
    }

    #[test]
    fn what_is_on_the_screen_stays_out_where_hardly_anybody_clicks_it_again() {
        let mut visits: Vec<Trial> = (0..100).flat_map(|_| visits(0, 7)).collect();
        visits[0].right = Some(0);
        assert_eq!(best(&visits, Returns::default()).still, 0.0);
    }
}
