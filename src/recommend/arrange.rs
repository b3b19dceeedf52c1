//! From ranked candidates to the list that is answered: what the shop's rules, the terms of the request and
//! the promise of a full answer make of the order.
//!
//! ```text
//! ranked → weighed (boost, bury, objective, order value) → one of each product → spread out → seated
//! ```

use rustc_hash::FxHashMap;

use super::blend::{Blend, Weights};
use super::evidence::Evidence;
use super::merchandise::Acting;
use super::pool::Pool;
use super::ranking::{self, Scored};
use super::reason::{Reason, reasons};
use super::seating::{Place, Put, Seating};
use super::terms::{Dropped, Objective, OrderValue, Terms};
use super::{Query, Question, Recommendation};
use crate::ids::ItemId;

/// So many of the best are spread out, for each place of the answer.
const SPREAD_OVER: usize = 4;

/// The answer's items with their reasons, best first.
pub(super) fn arranged(
    pool: &mut Pool<'_>,
    blend: &Blend,
    query: &Query<'_>,
    acting: &Acting,
    scored: Vec<Scored>,
) -> Vec<Recommendation> {
    let (terms, weights) = (&query.terms, blend.of(query.kind()));
    let scored = weighed(pool, weights, terms, acting, scored);
    let scored = one_of_each_product(pool, terms, scored);
    let scored = match terms.order_value {
        Some(value) => worth_the_order(pool, &blend.acceptance, value, scored),
        None => scored,
    };
    let scored = spread_out(pool, terms.diversity, query.limit, scored);
    let places = Seating::new(pool, query, acting).seated(scored);
    recommendations(pool, query, acting, places)
}

/// Scores after the shop's boosts and buries, and with the power of the objective's value.
fn weighed(
    pool: &mut Pool<'_>,
    weights: &Weights,
    terms: &Terms<'_>,
    acting: &Acting,
    mut scored: Vec<Scored>,
) -> Vec<Scored> {
    let power = match terms.objective {
        Objective::Relevance => 0.0,
        Objective::Revenue => weights.revenue,
        Objective::Margin => weights.margin,
    };
    if power == 0.0 && acting.weighs.is_empty() {
        return scored;
    }
    positive(&mut scored);
    if power > 0.0 {
        let shelf = pool.gate.shelf;
        let value = |item| match terms.objective {
            Objective::Margin => shelf.margin(item),
            _ => shelf.price(item),
        };
        let usual = median(scored.iter().filter_map(|(item, _)| value(*item)).collect());
        for (item, score) in &mut scored {
            let relative = value(*item).map_or(1.0, |value| (value / usual).clamp(0.01, 100.0));
            *score *= (relative as f32).powf(power);
        }
    }
    for (item, score) in &mut scored {
        for weigh in &acting.weighs {
            if pool.holds(&weigh.condition, *item) {
                *score *= weigh.factor;
            }
        }
    }
    scored
}

/// A ranker's scores may be negative: their exponentials keep the order, and can be multiplied.
fn positive(scored: &mut [Scored]) {
    if scored.iter().any(|(_, score)| *score <= 0.0) {
        scored.iter_mut().for_each(|(_, score)| *score = score.clamp(-60.0, 60.0).exp());
    }
}

/// 1 if there is none above 0.
fn median(mut values: Vec<f64>) -> f64 {
    let middle = values.len() / 2;
    if values.is_empty() {
        return 1.0;
    }
    let (_, median, _) = values.select_nth_unstable_by(middle, f64::total_cmp);
    if *median > 0.0 { *median } else { 1.0 }
}

/// The best variant of each product.
fn one_of_each_product(pool: &mut Pool<'_>, terms: &Terms<'_>, scored: Vec<Scored>) -> Vec<Scored> {
    let shelf = pool.gate.shelf;
    if terms.allow_variants || !shelf.has_groups() {
        return scored;
    }
    let mut best: FxHashMap<u32, Scored> = FxHashMap::default();
    for candidate in &scored {
        if let Some(group) = shelf.group(candidate.0) {
            let known = best.entry(group).or_insert(*candidate);
            if ranking::better(candidate, known).is_lt() {
                *known = *candidate;
            }
        }
    }
    let mut ledger = pool.ledger;
    let kept = scored.into_iter().filter(|(item, _)| {
        let is_best = shelf.group(*item).is_none_or(|group| best[&group].0 == *item);
        if !is_best {
            ledger.drop(Dropped::Variant);
        }
        is_best
    });
    let kept = kept.collect();
    pool.ledger = ledger;
    kept
}

/// Scores by the chance that an item is taken, times how well it closes the gap to the order's target: a
/// share of the gap if it is cheaper, the inverse if it is dearer.
fn worth_the_order(
    pool: &Pool<'_>,
    acceptance: &[f32],
    value: OrderValue,
    scored: Vec<Scored>,
) -> Vec<Scored> {
    let gap = value.target - value.now;
    if gap <= 0.0 {
        return scored;
    }
    let (first, rest) = ranking::parted(scored, super::SHORTLIST);
    let closes = |item: ItemId| match pool.gate.shelf.price(item) {
        Some(price) if price > 0.0 => (price / gap).min(gap / price) as f32,
        _ => 0.0,
    };
    let chance = |place: usize| chance_at(acceptance, place);
    let mut scored: Vec<Scored> = first
        .into_iter()
        .enumerate()
        .map(|(place, (item, _))| (item, chance(place) * (0.001 + closes(item))))
        .collect();
    let lowest = scored.iter().map(|(_, score)| *score).fold(f32::INFINITY, f32::min);
    let behind = |score: f32| lowest * (1.0 + (-score).exp()).recip();
    scored.extend(rest.into_iter().map(|(item, score)| (item, behind(score))));
    scored
}

/// The chance that the item at a place (from 0) is taken, as learnt; beyond what was learnt it falls off.
pub(super) fn chance_at(acceptance: &[f32], place: usize) -> f32 {
    match (acceptance.get(place), acceptance.last()) {
        (Some(chance), _) => *chance,
        (None, Some(last)) => last * acceptance.len() as f32 / (place + 1) as f32,
        (None, None) => 1.0 / (place + 1) as f32,
    }
}

/// The same scores, given to items in an order where each is good and unlike those before it: maximal
/// marginal relevance. Source: Carbonell & Goldstein 1998.
fn spread_out(pool: &Pool<'_>, level: u8, limit: usize, scored: Vec<Scored>) -> Vec<Scored> {
    let (mut first, rest) = match level {
        0 => return scored,
        _ => ranking::parted(scored, SPREAD_OVER * limit),
    };
    let unlike = 0.7 * f32::from(level.min(5)) / 5.0;
    let scores: Vec<f32> = first.iter().map(|(_, score)| *score).collect();
    let (Some(&high), Some(&low)) = (scores.first(), scores.last()) else { return rest };
    let span = (high - low).max(f32::MIN_POSITIVE);
    let mut likest = vec![0.0f32; first.len()];
    for place in 0..first.len().min(limit) {
        let worth = |i: usize| {
            let relevance = (first[i].1 - low) / span;
            (1.0 - unlike) * relevance - unlike * likest[i]
        };
        let best = (place..first.len())
            .max_by(|&a, &b| worth(a).total_cmp(&worth(b)).then(first[b].0.cmp(&first[a].0)));
        let best = best.expect("there is one left");
        first[place..=best].rotate_right(1);
        likest[place..=best].rotate_right(1);
        let chosen = first[place].0;
        for i in place + 1..first.len() {
            likest[i] = likest[i].max(likeness(pool, chosen, first[i].0));
        }
    }
    let items = first.into_iter().map(|(item, _)| item);
    items.zip(scores).chain(rest).collect()
}

/// How like two items are, 0 to 1: half by their vectors and half by their category, as far as these are known.
fn likeness(pool: &Pool<'_>, a: ItemId, b: ItemId) -> f32 {
    let cosine = pool.contents.vectors.cosine(a, b).unwrap_or(0.0).max(0.0);
    let shelf = pool.gate.shelf;
    match (shelf.category(a), shelf.category(b)) {
        _ if shelf.group(a).is_some() && shelf.group(a) == shelf.group(b) => 1.0,
        (Some(of_a), Some(of_b)) => 0.5 * cosine + if of_a == of_b { 0.5 } else { 0.0 },
        _ => cosine,
    }
}

fn recommendations(
    pool: &mut Pool<'_>,
    query: &Query<'_>,
    acting: &Acting,
    places: Vec<Place>,
) -> Vec<Recommendation> {
    let contents = pool.contents;
    let mut answer = Vec::with_capacity(places.len());
    for Place { item, score, put } in places {
        let evidence = match put {
            Some(Put::FillUp) => Evidence::Popular { fallback: true },
            _ => pool.evidence(item),
        };
        let source = match put {
            Some(Put::Rule(_)) => super::Source::Rule,
            Some(Put::Arrival(_)) => super::Source::NewArrival,
            _ => evidence.source(),
        };
        let is_new = item.index() >= contents.len();
        let own = match (&put, is_new) {
            (Some(Put::Arrival(_)), _) => Vec::new(),
            (_, true) => vec![Reason::New { like: None, cosine: 0.0 }],
            (_, false) => reasons(contents, query.history, item, evidence),
        };
        let first = match put {
            Some(Put::Rule(reason) | Put::Arrival(reason)) => Some(reason),
            _ => None,
        };
        let mut all: Vec<Reason> = first.into_iter().chain(own).collect();
        for weigh in &acting.weighs {
            if pool.holds(&weigh.condition, item) {
                all.push(weigh.reason());
            }
        }
        all.extend(up_sold(pool, query, item));
        let fallback = evidence.is_fallback() && source == evidence.source();
        answer.push(Recommendation { item, score, source, fallback, reasons: all });
    }
    answer
}

/// Why an item is a better one of the same kind, where that was asked for.
fn up_sold(pool: &Pool<'_>, query: &Query<'_>, item: ItemId) -> Option<Reason> {
    query.terms.up_sell?;
    let Question::Related { item: asked } = query.question else { return None };
    let shelf = pool.gate.shelf;
    let from = shelf.get(asked)?;
    let price_ratio = shelf.price(item)? / shelf.price(from)?;
    Some(Reason::UpSell { from, price_ratio })
}
