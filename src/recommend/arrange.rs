//! From ranked candidates to the list that is answered: what the shop's rules, the terms of the request and
//! the promise of a full answer make of the order.
//!
//! ```text
//! ranked → weighed (boost, bury, objective, order value) → one of each product → spread out
//!        → both kinds → promoted → new arrivals → filled up → pinned
//! ```

use rustc_hash::{FxHashMap, FxHashSet};

use super::blend::{Blend, Weights};
use super::merchandise::{Acting, Promotion};
use super::pool::{Arrival, Evidence, Pool};
use super::ranking::{self, Scored, Side};
use super::reason::{Reason, RuleAct, reasons};
use super::terms::{Dropped, Objective, OrderValue, Terms};
use super::{Query, Question, Recommendation};
use crate::ids::ItemId;

/// An arrival this close to what is asked about is shown even if nobody has bought it yet.
const CLOSE: f32 = 0.5;
/// So many of the best are spread out, for each place of the answer.
const SPREAD_OVER: usize = 4;

/// A place of the answer.
#[derive(Debug)]
struct Place {
    item: ItemId,
    score: f32,
    /// What put it there, if not its score.
    put: Option<Put>,
}

/// What puts an item into an answer beside its score.
#[derive(Debug)]
enum Put {
    /// A rule of the shop.
    Rule(Reason),
    /// It is new, and close to something.
    Arrival(Reason),
    /// Nothing else was left.
    FillUp,
}

/// The answer's items with their reasons, best first.
pub(super) fn arranged(
    pool: &mut Pool<'_>,
    blend: &Blend,
    query: &Query<'_>,
    acting: &Acting,
    scored: Vec<Scored>,
) -> Vec<Recommendation> {
    let (limit, terms) = (query.limit, &query.terms);
    let weights = blend.of(query.kind());
    let scored = weighed(pool, weights, terms, acting, scored);
    let scored = one_of_each_product(pool, terms, scored);
    let scored = match terms.order_value {
        Some(value) => worth_the_order(pool, &blend.acceptance, value, scored),
        None => scored,
    };
    let scored = spread_out(pool, terms.diversity, limit, scored);
    let for_promotions = if acting.promotions.is_empty() { Vec::new() } else { scored.clone() };
    let mut places = both_kinds(pool, query, scored);
    promote(pool, limit, &acting.promotions, &for_promotions, &mut places);
    let mut groups = Groups::of(pool, terms, &places);
    welcome(pool, query, &mut groups, &mut places);
    fill_up(pool, limit, &mut groups, &mut places);
    pin(pool, limit, acting, &mut places);
    settle(&mut places);
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
    let (first, _) = ranking::parted(scored, super::SHORTLIST);
    let closes = |item: ItemId| match pool.gate.shelf.price(item) {
        Some(price) if price > 0.0 => (price / gap).min(gap / price) as f32,
        _ => 0.0,
    };
    let chance = |place: usize| chance_at(acceptance, place);
    first
        .into_iter()
        .enumerate()
        .map(|(place, (item, _))| (item, chance(place) * (0.001 + closes(item))))
        .collect()
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

/// How like two items are, 0 to 1: by their vectors, and by their category.
fn likeness(pool: &Pool<'_>, a: ItemId, b: ItemId) -> f32 {
    let cosine = pool.contents.vectors.cosine(a, b).unwrap_or(0.0).max(0.0);
    let shelf = pool.gate.shelf;
    let same = |of: Option<u32>, other: Option<u32>| of.is_some() && of == other;
    match () {
        () if same(shelf.group(a), shelf.group(b)) => 1.0,
        () if same(shelf.category(a), shelf.category(b)) => cosine.max(0.5),
        () => cosine,
    }
}

/// The best, with some places kept for each of two kinds where a question has such.
fn both_kinds(pool: &mut Pool<'_>, query: &Query<'_>, scored: Vec<Scored>) -> Vec<Place> {
    let limit = query.limit;
    let ranked = match (&query.question, query.history) {
        (Question::Customer { exclude_purchased: false, .. }, Some(history)) => {
            pool.mark_past(history);
            let known = |item| if pool.is_past(item) { Side::One } else { Side::Other };
            ranking::best_of_both(scored, limit, limit.div_ceil(10), known)
        }
        (Question::Related { .. }, _) => {
            let side = |item| match (pool.is_bought_with(item), pool.is_viewed_with(item)) {
                (true, _) => Side::One,
                (false, true) => Side::Other,
                (false, false) => Side::Neither,
            };
            ranking::best_of_both(scored, limit, limit.div_ceil(4), side)
        }
        _ => ranking::best(scored, limit),
    };
    ranked.into_iter().map(|(item, score)| Place { item, score, put: None }).collect()
}

/// Gives a promotion its share of the places: the last ones that no promoted item has yet.
fn promote(
    pool: &mut Pool<'_>,
    limit: usize,
    promotions: &[Promotion],
    scored: &[Scored],
    places: &mut Vec<Place>,
) {
    for promotion in promotions {
        let wanted = (promotion.share * limit as f64).ceil() as usize;
        let mut kept: Vec<bool> =
            places.iter().map(|place| pool.holds(&promotion.condition, place.item)).collect();
        let missing = wanted.saturating_sub(kept.iter().filter(|kept| **kept).count());
        if missing == 0 {
            continue;
        }
        let there: FxHashSet<ItemId> = places.iter().map(|place| place.item).collect();
        let mut more: Vec<Scored> = scored
            .iter()
            .filter(|(item, _)| !there.contains(item) && pool.holds(&promotion.condition, *item))
            .copied()
            .collect();
        more = ranking::best(more, missing);
        if more.len() < missing {
            let found: FxHashSet<ItemId> = more.iter().map(|(item, _)| *item).collect();
            for item in all_by_popularity(pool) {
                if more.len() == missing {
                    break;
                }
                let is_new = !there.contains(&item) && !found.contains(&item);
                if is_new && pool.holds(&promotion.condition, item) && pool.may_answer(item) {
                    more.push((item, 0.0));
                }
            }
        }
        let mut spare = (places.len() + more.len()).saturating_sub(limit);
        for place in (0..places.len()).rev() {
            if spare > 0 && !kept[place] && places[place].put.is_none() {
                places.remove(place);
                kept.remove(place);
                spare -= 1;
            }
        }
        let put = || Some(Put::Rule(promotion.reason()));
        let room = limit - places.len();
        places.extend(more.into_iter().take(room).map(|(item, score)| Place {
            item,
            score,
            put: put(),
        }));
        places.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.item.cmp(&b.item)));
    }
}

/// Every item of the shop: what sells best first, then what never sold, new arrivals last.
fn all_by_popularity<'a>(pool: &Pool<'a>) -> impl Iterator<Item = ItemId> + use<'a> {
    let contents = pool.contents;
    let arrivals = (contents.len()..pool.gate.shelf.len()).map(ItemId::new);
    contents.by_popularity.iter().copied().chain(arrivals)
}

/// The products that are in the answer, where each may be there once only.
struct Groups {
    seen: Option<FxHashSet<u32>>,
}

impl Groups {
    fn of(pool: &Pool<'_>, terms: &Terms<'_>, places: &[Place]) -> Self {
        let groups = places.iter().filter_map(|place| pool.gate.shelf.group(place.item));
        Self { seen: (!terms.allow_variants).then(|| groups.collect()) }
    }

    /// Whether the item is the first of its product.
    fn admit(&mut self, pool: &mut Pool<'_>, item: ItemId) -> bool {
        let (Some(seen), Some(group)) = (&mut self.seen, pool.gate.shelf.group(item)) else {
            return true;
        };
        let is_first = seen.insert(group);
        if !is_first {
            pool.ledger.drop(Dropped::Variant);
        }
        is_first
    }
}

/// Gives one place in ten, from the last, to new arrivals that are close to what is asked about.
fn welcome(pool: &mut Pool<'_>, query: &Query<'_>, groups: &mut Groups, places: &mut Vec<Place>) {
    if matches!(query.question, Question::Basket { .. }) || query.limit < 4 {
        return;
    }
    let room = query.limit.div_ceil(10);
    let mut welcomed: Vec<Place> = Vec::with_capacity(room);
    for (item, reason) in close_arrivals(pool, query) {
        if welcomed.len() == room {
            break;
        }
        let is_there = places.iter().chain(&welcomed).any(|place| place.item == item);
        if !is_there && groups.admit(pool, item) {
            welcomed.push(Place { item, score: f32::MAX, put: Some(Put::Arrival(reason)) });
        }
    }
    places.truncate(query.limit - welcomed.len());
    places.extend(welcomed);
}

/// Arrivals that are like what is asked about, the likest first; then those of its category, the latest first.
fn close_arrivals(pool: &mut Pool<'_>, query: &Query<'_>) -> Vec<(ItemId, Reason)> {
    let mut close: Vec<(ItemId, Reason)> = pool
        .arrivals()
        .into_iter()
        .filter(|arrival| arrival.cosine >= CLOSE)
        .map(|Arrival { item, like, cosine, .. }| (item, Reason::New { like: Some(like), cosine }))
        .collect();
    if let Question::Related { item } = query.question {
        let shelf = pool.gate.shelf;
        let category = shelf.get(item).and_then(|item| shelf.category(item));
        let same = category.map_or(&[][..], |category| shelf.arrivals_in(category));
        let latest = same.iter().rev().filter(|item| pool.may_answer(**item));
        close.extend(
            latest.take(query.limit).map(|&item| (item, Reason::New { like: None, cosine: 0.0 })),
        );
    }
    close
}

/// Keeps the promise of a full answer: whatever can be offered fills it up.
fn fill_up(pool: &mut Pool<'_>, limit: usize, groups: &mut Groups, places: &mut Vec<Place>) {
    if places.len() >= limit {
        return;
    }
    let there: FxHashSet<ItemId> = places.iter().map(|place| place.item).collect();
    for item in all_by_popularity(pool).skip(pool.walked) {
        if places.len() == limit {
            break;
        }
        let may = !there.contains(&item) && !pool.is_known(item) && pool.passes_gate(item);
        if may && groups.admit(pool, item) {
            places.push(Place { item, score: 0.0, put: Some(Put::FillUp) });
        }
    }
}

/// Puts pinned items where the shop wants them, if they can be offered.
fn pin(pool: &mut Pool<'_>, limit: usize, acting: &Acting, places: &mut Vec<Place>) {
    for (item, position, rule) in &acting.pins {
        if *position > limit || !pool.may_answer(*item) {
            continue;
        }
        places.retain(|place| place.item != *item);
        let put = Some(Put::Rule(Reason::Rule { id: rule.clone(), act: RuleAct::Pinned }));
        let at = (position - 1).min(places.len());
        places.insert(at, Place { item: *item, score: f32::MAX, put });
        places.truncate(limit);
    }
}

/// Scores never rise down the list.
fn settle(places: &mut [Place]) {
    let first = places.iter().map(|place| place.score).find(|score| *score < f32::MAX);
    let mut above = first.unwrap_or(0.0);
    for place in places {
        above = above.min(place.score);
        place.score = above;
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
