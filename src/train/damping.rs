//! How far large orders and popular items are damped in the rules, and whether what may be chance counts too: tried on
//! what was held back.

use super::trials::Metric;
use super::tune::{A_LITTLE, figure};
use super::{Rehearsal, cases};
use crate::index::Contents;
use crate::recommend::{Kind, Weights};
use crate::rules::{GroupIndex, Groups, RuleLists, RuleOptions, Rules};

/// (size, source, target) of [`RuleOptions`] that are tried, after those that the shop asks for.
const TRIED: [(f64, f64, f64); 6] = [
    (0.5, 0.7, 0.3),
    (0.5, 0.7, 0.1),
    (0.5, 0.5, 0.5),
    (1.0, 0.7, 0.3),
    (1.0, 0.5, 0.5),
    (0.0, 0.8, 0.1),
];

/// What may be chance counts too if that raises the product of the figures by this factor.
const WORTH_CHANCE: f64 = 1.02;

/// The damping of rules over baskets that completes baskets and relates items best; `orders` are those of the
/// rehearsals, which are left with rules so damped.
pub(super) fn of_baskets(
    rehearsals: &mut [Rehearsal],
    orders: &[Groups],
    options: &RuleOptions,
) -> RuleOptions {
    let asked = [(Kind::BasketAnonymous, Metric::Recall10), (Kind::Related, Metric::Ndcg10)];
    let weights = Weights { bought: 1.0, popular: A_LITTLE, ..Weights::default() };
    choose(rehearsals, orders, options, &asked, &weights, |contents| &mut contents.bought)
}

/// The damping of rules over customers that finds best what is new to them.
pub(super) fn of_customers(
    rehearsals: &mut [Rehearsal],
    orders: &[Groups],
    options: &RuleOptions,
) -> RuleOptions {
    let asked = [(Kind::CustomerNew, Metric::Ndcg10)];
    let pasts: Vec<Groups> = orders.iter().map(Groups::one_per_customer).collect();
    let weights = Weights { bought: 0.0, collected: 1.0, popular: A_LITTLE, ..Weights::default() };
    choose(rehearsals, &pasts, options, &asked, &weights, |contents| &mut contents.collected)
}

/// The damping that is asked for, and those that are tried beside it.
fn dampings(options: &RuleOptions) -> Vec<RuleOptions> {
    let tried =
        TRIED.map(|(size, source, target)| RuleOptions { size, source, target, ..options.clone() });
    let others = tried.into_iter().filter(|tried| tried != options);
    std::iter::once(options.clone()).chain(others).collect()
}

fn choose(
    rehearsals: &mut [Rehearsal],
    groups: &[Groups],
    options: &RuleOptions,
    asked: &[(Kind, Metric)],
    weights: &Weights,
    place: impl Fn(&mut Contents) -> &mut Rules<RuleLists>,
) -> RuleOptions {
    let asked = asked.iter().filter(|(kind, _)| cases(rehearsals, *kind) > 0);
    let asked: Vec<&(Kind, Metric)> = asked.collect();
    if asked.is_empty() {
        return options.clone();
    }
    let most = options.max_group_items;
    let counted = rehearsals.iter().zip(groups);
    let counted = counted.map(|(r, groups)| GroupIndex::new(groups, r.learnt.contents.len(), most));
    let indices: Vec<GroupIndex<'_>> = counted.collect();
    let mut best: Option<(f64, RuleOptions, Vec<Rules<RuleLists>>)> = None;
    // Whether it is better, by that factor.
    let mut is_better = |tried: RuleOptions, least: f64| {
        for (rehearsal, index) in rehearsals.iter_mut().zip(&indices) {
            *place(&mut rehearsal.learnt.contents) = index.rules(&tried).kept();
        }
        // The figures of different questions are of different size: their product weighs them alike.
        let figures = asked
            .iter()
            .map(|(kind, metric)| figure(rehearsals, *kind, weights, *metric).max(1e-9));
        let found: f64 = figures.product();
        let is_better = best.as_ref().is_none_or(|(most, ..)| found > least * most);
        if is_better {
            let rules =
                rehearsals.iter_mut().map(|r| std::mem::take(place(&mut r.learnt.contents)));
            best = Some((found, tried, rules.collect()));
        }
        is_better
    };
    let all = dampings(options);
    let mut chosen = options.clone();
    for tried in &all {
        if is_better(tried.clone(), 1.0) {
            chosen = tried.clone();
        }
    }
    // With all that is above chance reasons are worse: it must be worth it. Then other damping may suit.
    let ungated = |tried: &RuleOptions| RuleOptions { false_discovery_rate: 1.0, ..tried.clone() };
    let is_asked = options.false_discovery_rate != RuleOptions::default().false_discovery_rate;
    if !is_asked && is_better(ungated(&chosen), WORTH_CHANCE) {
        for tried in all.iter().filter(|tried| **tried != chosen) {
            is_better(ungated(tried), 1.0);
        }
    }
    let (_, options, rules) = best.expect("at least one was tried");
    for (rehearsal, rules) in rehearsals.iter_mut().zip(rules) {
        *place(&mut rehearsal.learnt.contents) = rules;
    }
    options
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_shop_asks_for_is_tried_first_and_nothing_twice() {
        let usual = RuleOptions::default();
        let all = dampings(&usual);
        assert_eq!((all[0].clone(), all.len()), (usual.clone(), TRIED.len()));
        let own = RuleOptions { size: 1.7, min_count: 5, ..usual };
        let all = dampings(&own);
        assert_eq!((all[0].clone(), all.len()), (own, TRIED.len() + 1));
        assert!(all.iter().all(|tried| tried.min_count == 5));
    }
}
