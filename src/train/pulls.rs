//! Pulls between items, from orders and from customers, and how much regularization suits the shop.

use rayon::prelude::*;

use super::cases::Split;
use super::tune::{A_LITTLE, Metric, figure};
use super::{Learnt, TrainOptions};
use crate::customers::{Drawn, History};
use crate::embed::{Ease, EaseOptions, Holders};
use crate::events::EventLog;
use crate::recommend::{Kind, Weights};
use crate::rules::Groups;

/// (size, regularization) of [`EaseOptions`] that are tried for orders …
const TRIED_ON_ORDERS: [(f32, f32); 5] =
    [(0.0, 100.0), (0.0, 300.0), (0.5, 30.0), (0.5, 100.0), (0.5, 300.0)];
/// … and for customers.
const TRIED_ON_CUSTOMERS: [(f32, f32); 4] =
    [(0.0, 300.0), (0.0, 1_000.0), (0.5, 300.0), (0.5, 1_000.0)];

/// Items new to a customer that all they bought speaks for: so many are kept …
const DRAWN_NEW: usize = 100;
/// … and of those they bought already.
const DRAWN_AGAIN: usize = 40;

/// Power of an item's momentum by which it gets among them.
const TIMELY: f32 = 0.75;

/// Learns `called` from the orders; none of what was there before is left.
pub(super) fn call(learnt: &mut Learnt, orders: &Groups, options: &EaseOptions) {
    let ease = Ease::of_sets(orders.items(), learnt.contents.len(), options);
    learnt.contents.called = ease.pulls(options.per_item);
}

/// Learns `drawn` from the customers, between items and from each customer's whole past.
pub(super) fn draw(learnt: &mut Learnt, pasts: &Groups, options: &EaseOptions) {
    let ease = Ease::of_sets(pasts.items(), learnt.contents.len(), options);
    learnt.contents.drawn = ease.pulls(options.per_item);
    let holders = Holders::from(&ease);
    drop(ease);
    let timely: Vec<f32> =
        learnt.contents.trends.momentum.iter().map(|momentum| momentum.powf(TIMELY)).collect();
    let interests = learnt.contents.interests;
    let draw = |history: &mut History| {
        let leanings = history.leanings(&interests, usize::MAX);
        let sums = holders.sums(&leanings, &timely, DRAWN_NEW, DRAWN_AGAIN);
        let drawn = sums.into_iter();
        history.drawn =
            drawn.map(|sum| Drawn { item: sum.item, weight: sum.weight, by: sum.by }).collect();
    };
    learnt.histories.par_iter_mut().for_each(draw);
}

/// Finds the regularization with which orders complete baskets best, and customers find what is new to
/// them; `learnt` is left with the pulls so learnt.
pub(super) fn tune(
    learnt: &mut Learnt,
    split: &Split,
    orders: &Groups,
    log: &EventLog,
    options: &mut TrainOptions,
) {
    let base = Weights { bought: 0.0, popular: A_LITTLE, ..Weights::default() };
    if !split.basket_anonymous.is_empty() {
        let weights = Weights { called: 1.0, own: 0.0, ..base.clone() };
        options.called = choose(&options.called, &TRIED_ON_ORDERS, |tried| {
            call(learnt, orders, tried);
            let cases = &split.basket_anonymous;
            figure(learnt, Kind::BasketAnonymous, cases, &weights, Metric::Recall10)
        });
        call(learnt, orders, &options.called);
    }
    if !split.customer_new.is_empty() && !log.customers.is_empty() {
        let pasts = orders.one_per_customer();
        let weights = Weights { drawn: 1.0, momentum: 0.5, ..base };
        options.drawn = choose(&options.drawn, &TRIED_ON_CUSTOMERS, |tried| {
            draw(learnt, &pasts, tried);
            figure(learnt, Kind::CustomerNew, &split.customer_new, &weights, Metric::Ndcg10)
        });
        draw(learnt, &pasts, &options.drawn);
    }
}

/// The first of those tried with the best figure.
fn choose(
    options: &EaseOptions,
    tried: &[(f32, f32)],
    mut figure: impl FnMut(&EaseOptions) -> f64,
) -> EaseOptions {
    let with = |&(size, regularization)| EaseOptions { size, regularization, ..options.clone() };
    let judged = tried.iter().map(with).map(|tried| (figure(&tried), tried));
    let best = judged.reduce(|best, next| if next.0 > best.0 { next } else { best });
    best.map_or_else(|| options.clone(), |(_, found)| found)
}
