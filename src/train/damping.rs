//! How far large orders and popular items are damped in the rules: tried on the log's last weeks.

use crate::recommend::{Kind, SOURCES, Weights};
use crate::rules::{GroupIndex, Groups, RuleOptions, Rules};

use super::Learnt;
use super::cases::{Case, Split};
use super::tune::{Metric, figure};

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
        (Kind::Basket, split.basket.as_slice(), Metric::Recall10),
        (Kind::Related, split.related.as_slice(), Metric::Ndcg10),
    ];
    choose(learnt, orders, options, &asked, only(0), |learnt| &mut learnt.contents.bought)
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
    choose(learnt, &pasts, options, &asked, only(1), |learnt| &mut learnt.contents.collected)
}

/// Weights that listen to one source, and to popularity a little.
fn only(source: usize) -> Weights {
    let mut by_source = [0.0; SOURCES];
    by_source[source] = 1.0;
    by_source[SOURCES - 1] = 0.005;
    Weights { momentum: 0.0, ..Weights::default() }.with_sources(by_source)
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
