//! How far large orders and popular items are damped in the rules: tried on the log's last weeks.

use super::Learnt;
use super::cases::{Case, Split};
use super::tune::{A_LITTLE, Metric, figure};
use crate::recommend::{Kind, Weights};
use crate::rules::{GroupIndex, Groups, RuleOptions, Rules};

/// (size, source, target) of [`RuleOptions`] that are tried.
const TRIED: [(f64, f64, f64); 6] = [
    (0.5, 0.7, 0.3),
    (0.5, 0.7, 0.1),
    (0.5, 0.5, 0.5),
    (1.0, 0.7, 0.3),
    (1.0, 0.5, 0.5),
    (0.0, 0.8, 0.1),
];

/// The damping of rules over baskets that completes baskets and relates items best; `learnt` is left with
/// rules so damped.
pub(super) fn of_baskets(
    learnt: &mut Learnt,
    split: &Split,
    orders: &Groups,
    options: &RuleOptions,
) -> RuleOptions {
    let asked = [
        (Kind::BasketAnonymous, split.basket_anonymous.as_slice(), Metric::Recall10),
        (Kind::Related, split.related.as_slice(), Metric::Ndcg10),
    ];
    let weights = Weights { bought: 1.0, popular: A_LITTLE, ..Weights::default() };
    choose(learnt, orders, options, &asked, weights, |learnt| &mut learnt.contents.bought)
}

/// The damping of rules over customers that finds best what is new to them.
pub(super) fn of_customers(
    learnt: &mut Learnt,
    split: &Split,
    orders: &Groups,
    options: &RuleOptions,
) -> RuleOptions {
    let asked = [(Kind::CustomerNew, split.customer_new.as_slice(), Metric::Ndcg10)];
    let pasts = orders.one_per_customer();
    let weights = Weights { bought: 0.0, collected: 1.0, popular: A_LITTLE, ..Weights::default() };
    choose(learnt, &pasts, options, &asked, weights, |learnt| &mut learnt.contents.collected)
}

fn choose(
    learnt: &mut Learnt,
    groups: &Groups,
    options: &RuleOptions,
    asked: &[(Kind, &[Case], Metric)],
    weights: Weights,
    place: impl Fn(&mut Learnt) -> &mut Rules,
) -> RuleOptions {
    if asked.iter().all(|(_, cases, _)| cases.is_empty()) {
        return options.clone();
    }
    let index = GroupIndex::new(groups, learnt.contents.len(), options.max_group_items);
    let mut best: Option<(f64, RuleOptions, Rules)> = None;
    for (size, source, target) in TRIED {
        let tried = RuleOptions { size, source, target, ..options.clone() };
        *place(learnt) = index.rules(&tried);
        // The figures of different questions are of different size: their product weighs them alike.
        let found: f64 = asked
            .iter()
            .filter(|(_, cases, _)| !cases.is_empty())
            .map(|(kind, cases, metric)| figure(learnt, *kind, cases, &weights, *metric).max(1e-9))
            .product();
        if best.as_ref().is_none_or(|(most, ..)| found > *most) {
            best = Some((found, tried, std::mem::take(place(learnt))));
        }
    }
    let (_, options, rules) = best.expect("at least one was tried");
    *place(learnt) = rules;
    options
}
