//! What revenue and margin may cost: how far each question's order is bent towards value, and how likely what
//! is shown beside a basket is taken. Both are read off the held-out weeks.

use std::collections::BTreeMap;

use rayon::prelude::*;
use serde::Serialize;

use super::Rehearsal;
use super::cases::Case;
use crate::evaluate::AtCutoff;
use crate::ids::ItemId;
use crate::recommend::{Answer, Blend, Kind, Objective, Query, Scratch, Terms, answer};

/// Powers of an item's value that are tried.
const POWERS: [f32; 5] = [0.1, 0.2, 0.35, 0.6, 1.0];
/// So many cases of each question are answered, evenly spread: to choose by, and as many again to tell by.
const CASES: usize = 300;
/// So many places are looked at.
const PLACES: usize = 10;
/// Fewer right items than this among them say nothing of what is lost, or gained.
const LEAST_HITS: usize = 20;
/// The chance of being taken is learnt for so many places.
const ACCEPTED_PLACES: usize = 20;

/// What bending an order towards value costs and brings, on cases of the held-out weeks by which its power was not
/// chosen; they do decide whether it is bent at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Bent {
    /// Power of the value that multiplies a score; 0 if nothing was to be gained at the stated loss.
    pub power: f32,
    /// Share of NDCG@10 that it costs.
    pub relevance_lost: f64,
    /// What right items of the first ten are worth, over what they were without it, less 1.
    pub value_gained: f64,
}

/// What was found for each question, by the objective's name.
pub type Bends = BTreeMap<&'static str, BTreeMap<&'static str, Bent>>;

/// Finds, for each question, the power that brings most value at no more than `most_loss` of NDCG@10, and sets
/// it in the blend.
pub(super) fn bend(rehearsal: &Rehearsal, blend: &mut Blend, most_loss: f64) -> Bends {
    let shelf = &rehearsal.learnt.contents.shelf;
    let all = || (0..shelf.trained()).map(ItemId::new);
    let mut bends = Bends::new();
    for (name, objective, is_known) in [
        ("revenue", Objective::Revenue, all().any(|item| shelf.price(item).is_some())),
        ("margin", Objective::Margin, all().any(|item| shelf.margin(item).is_some())),
    ] {
        for kind in blend.kinds().filter(|_| is_known) {
            let cases = some(rehearsal.split.cases(kind), 2 * CASES);
            if !cases.is_empty() {
                let bent = bent(rehearsal, blend, kind, objective, &cases, most_loss);
                *power_of(blend, kind, objective) = bent.power;
                bends.entry(kind.name()).or_default().insert(name, bent);
            }
        }
    }
    bends
}

fn power_of(blend: &mut Blend, kind: Kind, objective: Objective) -> &mut f32 {
    let weights = blend.of_mut(kind);
    match objective {
        Objective::Margin => &mut weights.margin,
        _ => &mut weights.revenue,
    }
}

/// The best power by every other case, with what it costs and brings by the cases between them; none if these say that
/// it costs too much, or brings nothing.
fn bent(
    rehearsal: &Rehearsal,
    blend: &Blend,
    kind: Kind,
    objective: Objective,
    cases: &[&Case],
    most_loss: f64,
) -> Bent {
    let reached = |power: f32, cases: &[&Case]| {
        let mut blend = blend.clone();
        *power_of(&mut blend, kind, objective) = power;
        worth(rehearsal, &blend, kind, objective, cases)
    };
    let every_other = |first: usize| cases.iter().skip(first).step_by(2).copied().collect();
    let (choosing, telling): (Vec<&Case>, Vec<&Case>) = (every_other(0), every_other(1));
    let plain = reached(0.0, &choosing);
    if plain.hits < LEAST_HITS {
        return Bent::default();
    }
    let tried = POWERS.map(|power| reached(power, &choosing).beside(plain, power));
    let tell = |power| reached(power, &telling).beside(reached(0.0, &telling), power);
    chosen(&tried, most_loss, tell)
}

/// The one of `tried` that gains most without losing too much, as it is when told anew; none if that says that it
/// loses too much after all, or gains nothing.
fn chosen(tried: &[Bent], most_loss: f64, tell: impl FnOnce(f32) -> Bent) -> Bent {
    let is_worth_it = |bent: &Bent| bent.relevance_lost <= most_loss && bent.value_gained > 0.0;
    let best = tried.iter().filter(|bent| is_worth_it(bent));
    let best = best.max_by(|a, b| a.value_gained.total_cmp(&b.value_gained));
    best.map(|best| tell(best.power)).filter(is_worth_it).unwrap_or_default()
}

/// How good answers are, and what the right ones among them are worth.
#[derive(Clone, Copy)]
struct Worth {
    relevance: f64,
    value: f64,
    hits: usize,
}

impl Worth {
    /// What bending by `power` costs and brings, if this is what comes of it.
    fn beside(self, plain: Self, power: f32) -> Bent {
        Bent {
            power,
            relevance_lost: 1.0 - self.relevance / plain.relevance.max(f64::MIN_POSITIVE),
            value_gained: if plain.value > 0.0 { self.value / plain.value - 1.0 } else { 0.0 },
        }
    }
}

fn worth(
    rehearsal: &Rehearsal,
    blend: &Blend,
    kind: Kind,
    objective: Objective,
    cases: &[&Case],
) -> Worth {
    let shelf = &rehearsal.learnt.contents.shelf;
    let value = |item| match objective {
        Objective::Margin => shelf.margin(item).unwrap_or(0.0).max(0.0),
        _ => shelf.price(item).unwrap_or(0.0),
    };
    let each: Vec<Worth> =
        answers(rehearsal, blend, kind, objective, PLACES, cases, |case, answer| {
            let items: Vec<ItemId> = answer.recommendations.iter().map(|r| r.item).collect();
            let hits: Vec<bool> = items.iter().map(|item| case.is_right(*item)).collect();
            let right = || items.iter().zip(&hits).filter(|(_, hit)| **hit);
            Worth {
                relevance: AtCutoff::of(&hits, case.truth.len(), PLACES).ndcg,
                value: right().map(|(item, _)| value(*item)).sum(),
                hits: right().count(),
            }
        });
    let sum = |of: fn(&Worth) -> f64| each.iter().map(of).sum();
    let hits = each.iter().map(|worth| worth.hits).sum();
    Worth { relevance: sum(|w| w.relevance), value: sum(|w| w.value), hits }
}

/// The chance that an item of a basket's answer is in the rest of the order, by its place: never rising down
/// the list. Empty where there are no baskets to learn from.
pub(super) fn acceptance(rehearsal: &Rehearsal, blend: &Blend) -> Vec<f32> {
    let cases = some(rehearsal.split.cases(Kind::BasketAnonymous), CASES);
    let taken = |case: &Case, answer: &Answer| -> Vec<f32> {
        answer.recommendations.iter().map(|r| f32::from(u8::from(case.is_right(r.item)))).collect()
    };
    let relevance = Objective::Relevance;
    let all =
        answers(rehearsal, blend, Kind::BasketAnonymous, relevance, ACCEPTED_PLACES, &cases, taken);
    if all.is_empty() {
        return Vec::new();
    }
    let share = |place: usize| {
        let taken: f32 = all.iter().filter_map(|gains| gains.get(place)).sum();
        taken / all.len() as f32
    };
    never_rising((0..ACCEPTED_PLACES).map(share).collect())
}

/// The nearest sequence that never rises: neighbours that do are given their mean (pool adjacent violators).
fn never_rising(shares: Vec<f32>) -> Vec<f32> {
    let mut blocks: Vec<(f32, usize)> = Vec::new();
    for share in shares {
        let mut block = (share, 1);
        while let Some(&(mean, count)) = blocks.last().filter(|(mean, _)| *mean < block.0) {
            blocks.pop();
            let both = count + block.1;
            block = ((mean * count as f32 + block.0 * block.1 as f32) / both as f32, both);
        }
        blocks.push(block);
    }
    blocks.into_iter().flat_map(|(mean, count)| std::iter::repeat_n(mean, count)).collect()
}

fn answers<T: Send>(
    rehearsal: &Rehearsal,
    blend: &Blend,
    kind: Kind,
    objective: Objective,
    limit: usize,
    cases: &[&Case],
    read: impl Fn(&Case, &Answer) -> T + Sync,
) -> Vec<T> {
    let learnt = &rehearsal.learnt;
    let asked = |scratch: &mut Scratch, case: &&Case| {
        let query = Query {
            question: kind.question(case.keys(&learnt.contents)),
            history: case.history(&learnt.histories),
            limit,
            terms: Terms { objective, ..Terms::default() },
        };
        read(case, &answer(&learnt.contents, blend, &query, scratch))
    };
    cases.par_iter().map_init(Scratch::default, asked).collect()
}

/// At most so many, evenly spread.
fn some(cases: &[Case], most: usize) -> Vec<&Case> {
    cases.iter().step_by(cases.len().div_ceil(most).max(1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_gains_most_is_chosen_within_the_loss_that_is_stated_and_only_if_other_cases_say_so_too()
    {
        let bent =
            |power, relevance_lost, value_gained| Bent { power, relevance_lost, value_gained };
        let tried = [bent(0.1, 0.0, 0.1), bent(0.2, 0.04, 0.3), bent(0.6, 0.06, 0.9)];
        let told = |relevance_lost, value_gained| {
            chosen(&tried, 0.05, |power| bent(power, relevance_lost, value_gained))
        };
        assert_eq!(told(0.03, 0.2), bent(0.2, 0.03, 0.2));
        assert_eq!(told(0.051, 0.2), Bent::default(), "it loses too much after all");
        assert_eq!(told(0.0, 0.0), Bent::default(), "it gains nothing after all");
        let dear = chosen(&tried[2..], 0.05, |power| bent(power, 0.0, 0.9));
        assert_eq!(dear, Bent::default(), "none was worth it to begin with");
    }

    #[test]
    fn shares_that_rise_are_given_their_mean() {
        assert_eq!(never_rising(vec![0.5, 0.2, 0.4, 0.3, 0.0]), [0.5, 0.3, 0.3, 0.3, 0.0]);
        assert_eq!(never_rising(vec![0.0, 0.25, 0.5]), [0.25; 3]);
    }
}
