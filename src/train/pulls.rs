//! Pulls between items, from orders and from customers, and how much regularization suits the shop.

use rayon::prelude::*;

use super::trials::Metric;
use super::tune::{A_LITTLE, figure};
use super::{Learnt, Rehearsal, TrainOptions, cases};
use crate::customers::{Drawn, History, Interests};
use crate::embed::{Ease, EaseOptions, Holders};
use crate::index::Contents;
use crate::lists::Ranked;
use crate::recommend::{Kind, Weights};
use crate::rules::Groups;

/// Sizes of [`EaseOptions`] that are tried, with the regularization to start from …
const SIZES: [f32; 2] = [0.0, 0.5];
/// … and then the next of these, as long as it helps: 30 for orders, 300 for customers to start from.
const REGULARIZATIONS: [f32; 7] = [3.0, 10.0, 30.0, 100.0, 300.0, 1_000.0, 3_000.0];
/// … and at last the next of these, likewise.
const DROPOUTS: [f32; 3] = [0.0, 0.5, 0.75];
/// Which regularization and which dropout the search starts from.
type Start = (usize, usize);
const OF_ORDERS: Start = (2, 1);
const OF_CUSTOMERS: Start = (4, 0);
/// Where the head is larger than this, it is tried on so many items, for an eighth of the time: what suits these
/// suits all, or nearly so.
const HEAD_TRIED: usize = 3_000;
/// Less of either must be better by this factor: what is better by less is mostly chance, and gone in the
/// weeks after.
const CLEARLY: f64 = 1.02;

/// Where customers hardly come back, what they like is most of what there is to go by: pulls between their items are
/// learnt for so many times as many items. Where they do, that gains nothing.
pub(super) const MORE_OF_LIKINGS: usize = 2;

/// Items new to a customer that all they bought speaks for: so many are kept …
const DRAWN_NEW: usize = 100;
/// … and of those they bought already.
const DRAWN_AGAIN: usize = 40;

/// Power of an item's momentum by which it gets among them.
const TIMELY: f32 = 0.75;

/// The same options, with which no pulls are learnt.
pub(super) fn none(options: &TrainOptions) -> TrainOptions {
    let none = |options: &EaseOptions| EaseOptions { head: 0, ..options.clone() };
    TrainOptions { called: none(&options.called), drawn: none(&options.drawn), ..options.clone() }
}

/// Learns `called` from the orders; none of what was there before is left.
pub(super) fn call(contents: &mut Contents, orders: &Groups, options: &EaseOptions) {
    let ease = Ease::of_sets(orders.items(), contents.len(), options);
    contents.called = Ranked::of(contents.len(), &ease.pulls(options.per_item));
}

/// What customers' whole pasts speak for.
#[derive(Debug)]
pub(super) struct Drawing {
    holders: Holders,
    /// Per item.
    timely: Vec<f32>,
}

impl Drawing {
    /// Learns it from the customers, and `drawn` between items; none of what was there before is left.
    pub(super) fn learn(contents: &mut Contents, pasts: &Groups, options: &EaseOptions) -> Self {
        let ease = Ease::of_sets(pasts.items(), contents.len(), options);
        contents.drawn = Ranked::of(contents.len(), &ease.pulls(options.per_item));
        let momentum = contents.trends.momentum.iter();
        let timely = momentum.map(|momentum| momentum.powf(TIMELY)).collect();
        Self { holders: Holders::from(&ease), timely }
    }

    /// What one customer's past speaks for.
    pub(super) fn of(&self, history: &History, interests: &Interests) -> Vec<Drawn> {
        let leanings = history.leanings(interests, usize::MAX);
        let sums = self.holders.sums(&leanings, &self.timely, DRAWN_NEW, DRAWN_AGAIN);
        let drawn = sums.into_iter();
        drawn.map(|sum| Drawn { item: sum.item, weight: sum.weight, by: sum.by }).collect()
    }
}

/// One kind of pulls: how they are learnt, where they are, and what they are judged by.
struct Tuning {
    learn: fn(&mut Learnt, &Groups, &EaseOptions),
    exchange: fn(&mut Learnt, &mut Pulls),
    kind: Kind,
    metric: Metric,
    weights: Weights,
    start: Start,
}

/// What one try leaves in a rehearsal.
#[derive(Default)]
struct Pulls {
    between_items: Ranked,
    of_pasts: Vec<Vec<Drawn>>,
}

/// Learns pulls, with the regularization with which orders complete baskets best and customers find what is
/// new to them; `orders` are those of the rehearsals.
pub(super) fn tune(rehearsals: &mut [Rehearsal], orders: &[Groups], options: &mut TrainOptions) {
    let base = Weights { bought: 0.0, popular: A_LITTLE, ..Weights::default() };
    let called = Tuning {
        learn: |learnt, orders, options| call(&mut learnt.contents, orders, options),
        exchange: |learnt, pulls| {
            std::mem::swap(&mut learnt.contents.called, &mut pulls.between_items);
        },
        kind: Kind::BasketAnonymous,
        metric: Metric::Recall10,
        weights: Weights { called: 1.0, own: 0.0, ..base.clone() },
        start: OF_ORDERS,
    };
    options.called = called.tune(rehearsals, orders, &options.called);
    let drawn = Tuning {
        learn: |learnt, pasts, options| {
            let drawing = Drawing::learn(&mut learnt.contents, pasts, options);
            let interests = learnt.contents.interests;
            let draw = |history: &mut History| history.drawn = drawing.of(history, &interests);
            learnt.histories.as_mut_slice().par_iter_mut().for_each(draw);
        },
        exchange: |learnt, pulls| {
            std::mem::swap(&mut learnt.contents.drawn, &mut pulls.between_items);
            let histories = learnt.histories.as_mut_slice();
            pulls.of_pasts.resize_with(histories.len(), Vec::new);
            let pasts = histories.iter_mut().zip(&mut pulls.of_pasts);
            pasts.for_each(|(history, drawn)| std::mem::swap(&mut history.drawn, drawn));
        },
        kind: Kind::CustomerNew,
        metric: Metric::Ndcg10,
        weights: Weights { drawn: 1.0, momentum: 0.5, ..base },
        start: OF_CUSTOMERS,
    };
    let pasts: Vec<Groups> = orders.iter().map(Groups::one_per_customer).collect();
    options.drawn = drawn.tune(rehearsals, &pasts, &options.drawn);
}

impl Tuning {
    /// Learns these pulls in each rehearsal, as they do best; as the options say, if nobody asks.
    fn tune(
        &self,
        rehearsals: &mut [Rehearsal],
        groups: &[Groups],
        options: &EaseOptions,
    ) -> EaseOptions {
        let learn = |rehearsals: &mut [Rehearsal], tried: &EaseOptions| {
            let all = rehearsals.iter_mut().zip(groups);
            all.for_each(|(rehearsal, groups)| (self.learn)(&mut rehearsal.learnt, groups, tried));
        };
        if cases(rehearsals, self.kind) == 0 {
            learn(rehearsals, options);
            return options.clone();
        }
        let exchange = |rehearsals: &mut [Rehearsal], mut pulls: Vec<Pulls>| {
            pulls.resize_with(rehearsals.len(), Pulls::default);
            let all = rehearsals.iter_mut().zip(&mut pulls);
            all.for_each(|(rehearsal, pulls)| (self.exchange)(&mut rehearsal.learnt, pulls));
            pulls
        };
        let head = options.head.min(HEAD_TRIED);
        let (tried, best) = choose(&EaseOptions { head, ..options.clone() }, self.start, |tried| {
            learn(rehearsals, tried);
            let figure = figure(rehearsals, self.kind, &self.weights, self.metric);
            (figure, exchange(rehearsals, Vec::new()))
        });
        let options = EaseOptions { head: options.head, ..tried };
        if rehearsals.iter().any(|rehearsal| rehearsal.learnt.contents.len() > head) {
            learn(rehearsals, &options);
        } else {
            exchange(rehearsals, best);
        }
        options
    }
}

/// The options with the best figure of those tried, and what they gave: first the size, then more regularization
/// or else less, step by step until it helps no more, and dropout likewise.
fn choose<T>(
    options: &EaseOptions,
    (regularization, dropout): Start,
    give: impl FnMut(&EaseOptions) -> (f64, T),
) -> (EaseOptions, T) {
    let start = EaseOptions {
        size: SIZES[0],
        regularization: REGULARIZATIONS[regularization],
        dropout: DROPOUTS[dropout],
        ..options.clone()
    };
    let mut search = Search::from(start, give);
    search.walk(&SIZES, 0, |options, size| options.size = size);
    search.walk(&REGULARIZATIONS, regularization, |options, ridge| options.regularization = ridge);
    search.walk(&DROPOUTS, dropout, |options, dropout| options.dropout = dropout);
    (search.options, search.given)
}

/// The best options so far, with their figure and what they gave.
struct Search<T, F> {
    options: EaseOptions,
    figure: f64,
    given: T,
    give: F,
}

impl<T, F: FnMut(&EaseOptions) -> (f64, T)> Search<T, F> {
    fn from(options: EaseOptions, mut give: F) -> Self {
        let (figure, given) = give(&options);
        Self { options, figure, given, give }
    }

    /// Goes on from one of the steps to the next as long as it helps; or back, as long as it helps clearly.
    fn walk(&mut self, steps: &[f32], start: usize, set: impl Fn(&mut EaseOptions, f32)) {
        let mut helps = |step: f32, factor: f64| {
            let mut options = self.options.clone();
            set(&mut options, step);
            let (figure, given) = (self.give)(&options);
            let helps = figure > self.figure * factor;
            if helps {
                (self.options, self.figure, self.given) = (options, figure, given);
            }
            helps
        };
        let (before, after) = (&steps[..start], &steps[start + 1..]);
        if after.iter().take_while(|step| helps(**step, 1.0)).count() == 0 {
            before.iter().rev().take_while(|step| helps(**step, CLEARLY)).for_each(drop);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Best at one size, λ and dropout, and with every step away worse by much: what is found, and in how many tries.
    fn found(best: [f32; 3], start: Start) -> ([f32; 3], usize) {
        let [best_size, best_ridge, best_dropout] = best;
        let mut tries = 0;
        let (chosen, given) = choose(&EaseOptions::default(), start, |tried| {
            tries += 1;
            let off = (tried.regularization / best_ridge).ln().abs()
                + (tried.size - best_size).abs()
                + (tried.dropout - best_dropout).abs();
            (f64::from(-off).exp(), Some(tried.clone()))
        });
        assert_eq!(given.as_ref(), Some(&chosen), "what the best gave");
        ([chosen.size, chosen.regularization, chosen.dropout], tries)
    }

    #[test]
    fn it_goes_on_in_the_direction_that_helps_to_the_end_if_it_must() {
        let (of_orders, of_customers) = (OF_ORDERS, OF_CUSTOMERS);
        assert_eq!(found([0.5, 30.0, 0.5], of_orders), ([0.5, 30.0, 0.5], 6));
        assert_eq!(found([0.0, 1_000.0, 0.75], of_orders), ([0.0, 1_000.0, 0.75], 7));
        assert_eq!(found([0.0, 30.0, 0.0], of_customers), ([0.0, 30.0, 0.0], 7));
        assert_eq!(found([0.5, 1e-3, 0.5], of_customers), ([0.5, 3.0, 0.5], 9));
        assert_eq!(found([0.0, 1e9, -1.0], of_orders), ([0.0, 3_000.0, 0.0], 8));
    }

    #[test]
    fn less_must_be_clearly_better_and_more_only_better() {
        let at = |figures: [f64; 3]| {
            let figure = |tried: &EaseOptions| match tried.regularization {
                100.0 => figures[0],
                300.0 => figures[1],
                1_000.0 => figures[2],
                _ => 0.0,
            };
            let give = |tried: &EaseOptions| (figure(tried), ());
            choose(&EaseOptions::default(), OF_CUSTOMERS, give).0.regularization
        };
        assert_eq!(at([0.101, 0.1, 0.09]), 300.0);
        assert_eq!(at([0.103, 0.1, 0.09]), 100.0);
        assert_eq!(at([0.103, 0.1, 0.1001]), 1_000.0);
    }

    #[test]
    fn where_nothing_can_be_told_the_first_that_was_tried_stays() {
        let (chosen, ()) = choose(&EaseOptions::default(), OF_CUSTOMERS, |_| (0.0, ()));
        let EaseOptions { size, regularization, dropout, .. } = chosen;
        assert_eq!((size, regularization, dropout), (0.0, 300.0, 0.0));
    }
}
