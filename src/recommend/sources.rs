//! Where candidates come from, question by question.

use super::blend::{Source, Weights};
use super::evidence::{Evidence, is_alternative, orders_with, same_category};
use super::pool::{Origin, Pool};
use super::terms::{Dropped, Effort};
use crate::customers::{Bought, History};
use crate::ids::ItemId;
use crate::index::Contents;
use crate::lists::Ranked;
use crate::rules::onward::Returns;

/// An item that stands for what is wanted, and how much it counts.
type Seed = (ItemId, f32);

/// At most so many items of a customer's past say what else the customer may like …
const HISTORY_SEEDS: usize = 60;
/// … so many where that past itself may be answered, and leads …
const SEEDS_BESIDE_OWN: usize = 25;
/// … and so many where many wait.
const FEW_SEEDS: usize = 8;
/// Where many items stand for what is wanted, they share so many entries of each source's lists, the first of each,
/// and at least so many of each are read: in a cart …
const OF_CART: (usize, usize) = (1_000, 40);
/// … and of a past, whose items say less of what is wanted now.
const OF_PAST: (usize, usize) = (500, 25);
/// What counts less than this beside the latest item of a visit proposes nothing.
const FAINT: f32 = 0.01;
/// Occasions to be bought together that it takes before "hardly ever" means anything.
const TELLING: f64 = 5.0;

/// Candidates for a product page.
pub(super) fn related(pool: &mut Pool<'_>, item: &str) {
    let Some(item) = pool.gate.shelf.get(item) else { return };
    pool.block(item, Dropped::Asked);
    if is_arrival(pool, item) {
        stand_ins(pool, (item, 1.0));
    } else {
        propose(pool, (item, 1.0));
        category(pool, item);
    }
    // Some places are kept for what is bought with it, even where that says nothing.
    if !pool.listens_to(Source::Bought) {
        let bought_with = pool.contents.bought.lists.ranked();
        spokesmen(pool, item).iter().for_each(|with| pool.admit(bought_with.row(with.index())));
    }
}

/// Candidates for a cart.
pub(super) fn basket(pool: &mut Pool<'_>, due: f32, items: &[&str], history: Option<&History>) {
    let mut items = known_distinct(pool, items);
    items.iter().for_each(|&item| pool.block(item, Dropped::Asked));
    let arrivals = items.split_off(items.partition_point(|&item| !is_arrival(pool, item)));
    pool.depth = depth_for(items.len(), OF_CART);
    pool.listen_to_cart();
    items.iter().for_each(|&item| look_ahead(pool, (item, 1.0)));
    items.iter().for_each(|&item| block_substitutes(pool, item));
    items.iter().for_each(|&item| propose(pool, (item, 1.0)));
    arrivals.iter().for_each(|&item| stand_ins(pool, (item, 1.0)));
    longer(pool, &items);
    if let Some(history) = history {
        foreseen(pool, history);
        own(pool, due, history);
    }
}

/// Candidates for a customer, a visitor, or both at once.
pub(super) fn customer(
    pool: &mut Pool<'_>,
    weights: &Weights,
    recent: &[&str],
    history: Option<&History>,
    exclude_purchased: bool,
    effort: Effort,
) {
    let visit = latest_first(pool, recent);
    // What nobody goes back to is not shown again.
    let returns = &pool.contents.returns;
    let shown = match (*returns == Returns::NEVER, returns.still > 0.0) {
        (true, _) => visit.len(),
        (false, is_clicked_again) => usize::from(!is_clicked_again),
    };
    visit.iter().take(shown).for_each(|&item| pool.block(item, Dropped::Asked));
    if exclude_purchased && let Some(history) = history {
        history.bought.iter().for_each(|bought| pool.block(bought.item, Dropped::Purchased));
    }
    if pool.listens_to(Source::Onward) {
        let clicks: Vec<ItemId> =
            recent.iter().rev().filter_map(|key| pool.contents.keys.get(key)).collect();
        pool.add_onward(&clicks);
    }
    // Where no log tells of visits, nobody has learnt what one says beside a past: the longer it is, the nearer to as
    // much.
    let is_beside = !pool.contents.has_visits() && history.is_some_and(|past| !past.is_empty());
    let all: f32 = (0..).zip(&visit).map(|(number, _)| weights.decay.powi(number)).sum();
    let aloud = if is_beside { 1.0 / (1.0 + all) } else { 1.0 };
    for (number, &item) in (0..).zip(&visit) {
        let weight = aloud * weights.decay.powi(number);
        if is_arrival(pool, item) {
            stand_ins(pool, (item, weight));
            continue;
        }
        if weight >= FAINT {
            propose(pool, (item, weight));
        }
        if pool.listens_to(Source::Glanced) {
            pool.add(Source::Glanced, item, weight, Evidence::ThisVisit);
        }
    }
    if let Some(history) = history {
        let seeds = match effort {
            Effort::Full if exclude_purchased => HISTORY_SEEDS,
            Effort::Full => SEEDS_BESIDE_OWN,
            Effort::Brief => FEW_SEEDS,
        };
        let leanings = history.leanings(&pool.contents.interests, seeds);
        if exclude_purchased {
            // The past itself says nothing here, and of what is new no source knows much.
            pool.listen_to_each();
        } else {
            pool.depth = depth_for(leanings.len(), OF_PAST);
        }
        leanings.iter().for_each(|&seed| look_ahead_beside_pulls(pool, seed));
        leanings.into_iter().for_each(|seed| propose_beside_pulls(pool, seed));
        drawn(pool, history);
        foreseen(pool, history);
        glanced(pool, history);
        own(pool, weights.due, history);
    }
}

/// At most so many trained items stand in for one that the trainer has not seen.
const STAND_INS: usize = 3;

/// Whether the trainer has not seen the item.
fn is_arrival(pool: &Pool<'_>, item: ItemId) -> bool {
    item.index() >= pool.contents.len()
}

/// For an item that the trainer has not seen: what is close to it, and what goes with that.
fn stand_ins(pool: &mut Pool<'_>, (arrival, weight): Seed) {
    let near = pool.gate.shelf.near(arrival).to_vec();
    for &(item, cosine) in &near {
        let evidence = Evidence::Similar { to: arrival, cosine, alternative: true };
        pool.add(Source::Similar, item, weight * cosine, evidence);
    }
    for &(item, cosine) in near.iter().take(STAND_INS) {
        propose(pool, (item, weight * cosine));
    }
}

/// The trained items that speak for one: itself, or what stands in for it.
pub(super) fn spokesmen(pool: &Pool<'_>, item: ItemId) -> Vec<ItemId> {
    match is_arrival(pool, item) {
        true => pool.gate.shelf.near(item).iter().take(STAND_INS).map(|(item, _)| *item).collect(),
        false => vec![item],
    }
}

/// How many entries are read of each list, for so many items.
fn depth_for(items: usize, (in_all, least): (usize, usize)) -> usize {
    (in_all / items.max(1)).max(least)
}

/// Looks ahead at all that [`propose`] reads.
fn look_ahead(pool: &mut Pool<'_>, seed: Seed) {
    look_ahead_beside_pulls(pool, seed);
    let (by, weight) = seed;
    if pool.listens_to(Source::Drawn) {
        pool.look_ahead(Source::Drawn, pool.contents.drawn.row(by.index()), weight);
    }
}

/// Looks ahead at all that [`propose_beside_pulls`] reads.
fn look_ahead_beside_pulls(pool: &mut Pool<'_>, (with, weight): Seed) {
    let (contents, row) = (pool.contents, with.index());
    for (source, rules) in rules_of(contents) {
        if pool.listens_to(source) {
            pool.look_ahead(source, rules.row(row), weight);
        }
    }
    if pool.listens_to(Source::Called) {
        pool.look_ahead(Source::Called, contents.called.row(row), weight);
    }
    if pool.listens_to(Source::Similar) {
        pool.look_ahead(Source::Similar, contents.neighbours.row(row), weight);
    }
}

/// What goes with one seed, from every source.
fn propose(pool: &mut Pool<'_>, seed: Seed) {
    propose_beside_pulls(pool, seed);
    let (by, weight) = seed;
    if pool.listens_to(Source::Drawn) {
        let origin = Origin::List(Source::Drawn, by);
        pool.add_row(Source::Drawn, origin, pool.contents.drawn.row(by.index()), weight);
    }
}

/// What all of the customer's past speaks for.
fn drawn(pool: &mut Pool<'_>, history: &History) {
    if pool.listens_to(Source::Drawn) {
        for drawn in &history.drawn {
            let (by, weight) = (drawn.by, drawn.weight);
            let evidence = Evidence::Called { by, weight, in_orders: false };
            pool.add(Source::Drawn, drawn.item, weight, evidence);
        }
    }
}

/// What customers with such a past bought next, and of that what they bought before first: of a long past there is
/// no need to read on.
fn foreseen(pool: &mut Pool<'_>, history: &History) {
    if pool.listens_to(Source::Foreseen) {
        let foreseen = history.foreseen.iter().take(pool.depth);
        let says = foreseen.map(|foreseen| (foreseen.item, foreseen.weight));
        pool.add_each(Source::Foreseen, Origin::Told(Evidence::Foreseen), says);
    }
}

/// What goes with one seed, but for pulls between customers' items: of a past, they are summed up already.
fn propose_beside_pulls(pool: &mut Pool<'_>, (with, weight): Seed) {
    pool.add_arrivals(with, weight);
    let (contents, row) = (pool.contents, with.index());
    for (source, rules) in rules_of(contents) {
        if pool.listens_to(source) {
            pool.add_row(source, Origin::List(source, with), rules.row(row), weight);
        }
    }
    if pool.listens_to(Source::Called) {
        let origin = Origin::List(Source::Called, with);
        pool.add_row(Source::Called, origin, contents.called.row(row), weight);
    }
    if pool.listens_to(Source::Similar) {
        let origin = Origin::List(Source::Similar, with);
        pool.add_row(Source::Similar, origin, contents.neighbours.row(row), weight);
    }
}

/// The sources that are rules.
fn rules_of(contents: &Contents) -> [(Source, &Ranked); 4] {
    let Contents { bought, collected, viewed, next, .. } = contents;
    [
        (Source::Bought, bought.lists.ranked()),
        (Source::Collected, collected.lists.ranked()),
        (Source::Viewed, viewed.lists.ranked()),
        (Source::Next, next.ranked()),
    ]
}

/// Keeps out of an answer to a cart what would be bought instead of what is in it.
pub(super) fn keep_substitutes_out(pool: &mut Pool<'_>, items: &[&str]) {
    for item in known_distinct(pool, items) {
        if !is_arrival(pool, item) {
            block_substitutes(pool, item);
        }
    }
}

/// Keeps out what would be bought instead of an item: close to it or looked at together with it, not of another
/// category, and bought with it no more often than by chance although there was every occasion.
///
/// The occasions are the visits that saw both and led to an order, and, within a category, the orders that
/// chance alone would have made hold both.
fn block_substitutes(pool: &mut Pool<'_>, with: ItemId) {
    let contents = pool.contents;
    let orders_of = |item: ItemId| f64::from(contents.bought.item_groups[item.index()]);
    let visits = f64::from(contents.viewed.item_groups[with.index()].max(1));
    let orders_per_visit = (orders_of(with) / visits).min(1.0);
    for rule in contents.viewed.lists.row(with.index()).iter() {
        let occasions = f64::from(rule.together) * orders_per_visit;
        let is_other = || same_category(contents, with, rule.item) == Some(false);
        if occasions >= TELLING && !is_other() && orders_with(contents, with, rule.item) == 0 {
            pool.block(rule.item, Dropped::Substitute);
        }
    }
    if contents.categories.is_empty() {
        return;
    }
    let orders = f64::from(contents.bought.groups.max(1));
    for (near, _) in contents.neighbours.row(with.index()).iter() {
        let by_chance = orders_of(with) * orders_of(near) / orders;
        if by_chance >= TELLING && is_alternative(contents, with, near) {
            pool.block(near, Dropped::Substitute);
        }
    }
}

fn longer(pool: &mut Pool<'_>, items: &[ItemId]) {
    if pool.listens_to(Source::Longer) {
        for number in pool.contents.left_sides.among(items) {
            let rule = &pool.contents.longer[number as usize];
            let confidence = rule.together as f32 / rule.left_groups.max(1) as f32;
            pool.add(Source::Longer, rule.right, confidence, Evidence::Longer { rule: number });
        }
    }
}

/// What the customer bought before: strength × √(rate of return) × how due it is, to the power of `due`.
fn own(pool: &mut Pool<'_>, due: f32, history: &History) {
    if pool.listens_to(Source::Own) {
        let contents = pool.contents;
        for bought in history.bought.iter().filter(|bought| bought.strength > 0.0) {
            pool.add(Source::Own, bought.item, again(contents, due, bought), Evidence::Own);
        }
    }
}

fn again(contents: &Contents, due: f32, bought: &Bought) -> f32 {
    let cadence = &contents.cadence;
    let due = match contents.timed && due > 0.0 {
        true => {
            let days_since = contents.now.days_since(bought.last) as f32;
            cadence.due.factor(days_since, bought.usual_days).powf(due)
        }
        false => 1.0,
    };
    bought.strength * cadence.return_rate[bought.item.index()].sqrt() * due
}

/// What the customer looked at and did not buy, the latest first.
fn glanced(pool: &mut Pool<'_>, history: &History) {
    if pool.listens_to(Source::Glanced) {
        let interests = pool.contents.interests;
        for (place, glance) in history.glances.iter().enumerate() {
            let interest = interests.of(glance.kind) * 0.95f32.powi(place as i32);
            let evidence = Evidence::Glanced { kind: glance.kind, at: glance.at };
            pool.add(Source::Glanced, glance.item, interest, evidence);
        }
    }
}

/// Popular in the item's category, and in those above it.
fn category(pool: &mut Pool<'_>, item: ItemId) {
    if !pool.listens_to(Source::Category) {
        return;
    }
    let contents = pool.contents;
    let fallback = contents.bought.lists.row(item.index()).is_empty()
        && contents.viewed.lists.row(item.index()).is_empty();
    let mut weight = 1.0;
    for category in contents.categories.upwards(contents.categories.of(item)) {
        let popular = contents.trends.by_category.row(category.index());
        for (place, &other) in popular.iter().enumerate() {
            let says = weight / (1.0 + place as f32);
            pool.add(Source::Category, other, says, Evidence::Category { category, fallback });
        }
        weight *= 0.3;
    }
}

/// The items that the shop knows, ascending (new arrivals last) and distinct.
fn known_distinct(pool: &Pool<'_>, keys: &[&str]) -> Vec<ItemId> {
    let mut items: Vec<ItemId> = keys.iter().filter_map(|key| pool.gate.shelf.get(key)).collect();
    items.sort_unstable();
    items.dedup();
    items
}

/// The items of a visit that the shop knows, each at its latest place, latest first.
fn latest_first(pool: &Pool<'_>, keys: &[&str]) -> Vec<ItemId> {
    let mut items: Vec<ItemId> = Vec::new();
    for item in keys.iter().rev().filter_map(|key| pool.gate.shelf.get(key)) {
        if !items.contains(&item) {
            items.push(item);
        }
    }
    items
}
