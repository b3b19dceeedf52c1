//! Where candidates come from, question by question.

use super::blend::{Source, Weights};
use super::evidence::Evidence;
use super::pool::Pool;
use super::terms::{Dropped, Effort};
use crate::customers::{Bought, History};
use crate::ids::ItemId;
use crate::index::Contents;

/// An item that stands for what is wanted, and how much it counts.
#[derive(Clone, Copy)]
struct Seed {
    number: u32,
    item: ItemId,
    weight: f32,
}

/// At most so many items of a customer's past say what else the customer may like …
const HISTORY_SEEDS: usize = 60;
/// … so many where that past itself may be answered, and leads …
const SEEDS_BESIDE_OWN: usize = 25;
/// … and so many where many wait.
const FEW_SEEDS: usize = 8;
/// Occasions to be bought together that it takes before "hardly ever" means anything.
const TELLING: f64 = 5.0;
/// Bought together on a smaller share of the occasions than this is hardly ever.
const SELDOM: f64 = 0.25;

/// Candidates for a product page.
pub(super) fn related(pool: &mut Pool<'_>, item: &str) {
    let Some(item) = pool.gate.shelf.get(item) else { return };
    pool.block(item, Dropped::Asked);
    if is_arrival(pool, item) {
        return stand_ins(pool, 0, item, 1.0);
    }
    pool.mark_bought_with(0, pool.contents.bought.lists.row(item.index()));
    propose(pool, Seed { number: 0, item, weight: 1.0 });
    category(pool, item);
}

/// Candidates for a cart.
pub(super) fn basket(pool: &mut Pool<'_>, due: f32, items: &[&str], history: Option<&History>) {
    let mut items = known_distinct(pool, items);
    items.iter().for_each(|&item| pool.block(item, Dropped::Asked));
    let arrivals = items.split_off(items.partition_point(|&item| !is_arrival(pool, item)));
    for (number, &item) in (0..).zip(&items) {
        block_substitutes(pool, Seed { number, item, weight: 1.0 });
    }
    // Marks of the first walk are of no use to the second: seeds go on counting.
    for (number, &item) in (items.len() as u32..).zip(&items) {
        propose(pool, Seed { number, item, weight: 1.0 });
    }
    for (number, &item) in (0..).zip(&arrivals) {
        stand_ins(pool, (2 * items.len() + STAND_INS * number) as u32, item, 1.0);
    }
    longer(pool, &items);
    if let Some(history) = history {
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
    if let Some(&latest) = visit.first() {
        pool.block(latest, Dropped::Asked);
    }
    if exclude_purchased && let Some(history) = history {
        history.bought.iter().for_each(|bought| pool.block(bought.item, Dropped::Purchased));
    }
    if pool.listens_to(Source::Onward) {
        let clicks: Vec<ItemId> =
            recent.iter().rev().filter_map(|key| pool.contents.keys.get(key)).collect();
        pool.add_onward(&clicks);
    }
    for (number, &item) in (0..).zip(&visit) {
        let weight = weights.decay.powi(number as i32);
        if is_arrival(pool, item) {
            stand_ins(pool, FAR + number * STAND_INS as u32, item, weight);
            continue;
        }
        propose(pool, Seed { number, item, weight });
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
        for (number, (item, weight)) in (visit.len() as u32..).zip(leanings) {
            propose_beside_pulls(pool, Seed { number, item, weight });
        }
        drawn(pool, history);
        glanced(pool, history);
        own(pool, weights.due, history);
    }
}

/// At most so many trained items stand in for one that the trainer has not seen.
const STAND_INS: usize = 3;
/// Beyond the numbers of all other seeds.
const FAR: u32 = 1 << 20;

/// Whether the trainer has not seen the item.
fn is_arrival(pool: &Pool<'_>, item: ItemId) -> bool {
    item.index() >= pool.contents.len()
}

/// For an item that the trainer has not seen: what is close to it, and what goes with that.
fn stand_ins(pool: &mut Pool<'_>, first_number: u32, arrival: ItemId, weight: f32) {
    let near = pool.gate.shelf.near(arrival).to_vec();
    for &(item, cosine) in &near {
        let evidence = Evidence::Similar { to: arrival, cosine, alternative: true };
        pool.add(Source::Similar, item, weight * cosine, evidence);
    }
    for (number, &(item, cosine)) in (first_number..).zip(near.iter().take(STAND_INS)) {
        propose(pool, Seed { number, item, weight: weight * cosine });
    }
}

/// What goes with one seed, from every source.
fn propose(pool: &mut Pool<'_>, seed: Seed) {
    propose_beside_pulls(pool, seed);
    let Seed { item: by, weight, .. } = seed;
    if pool.listens_to(Source::Drawn) {
        for pull in pool.contents.drawn.row(by.index()) {
            let evidence = Evidence::Called { by, weight: pull.weight, in_orders: false };
            pool.add(Source::Drawn, pull.item, weight * pull.weight, evidence);
        }
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

/// The same, but for pulls between customers' items: of a past, they are summed up already.
fn propose_beside_pulls(pool: &mut Pool<'_>, seed: Seed) {
    let contents = pool.contents;
    let Seed { number, item: with, weight } = seed;
    pool.add_arrivals(with, weight);
    let bought_with = contents.bought.lists.row(with.index());
    if tells_alternatives(pool, with) {
        pool.mark_bought_with(number, bought_with);
    } else if !pool.listens_to(Source::Bought) {
        bought_with.iter().for_each(|rule| pool.admit(rule.item));
    }
    if pool.listens_to(Source::Bought) {
        for rule in bought_with {
            let evidence = Evidence::Bought { with, together: rule.together };
            pool.add(Source::Bought, rule.item, weight * rule.score, evidence);
        }
    }
    if pool.listens_to(Source::Collected) {
        for rule in contents.collected.lists.row(with.index()) {
            let evidence = Evidence::Collected { with, together: rule.together };
            pool.add(Source::Collected, rule.item, weight * rule.score, evidence);
        }
    }
    if pool.listens_to(Source::Called) {
        for pull in contents.called.row(with.index()) {
            let evidence = Evidence::Called { by: with, weight: pull.weight, in_orders: true };
            pool.add(Source::Called, pull.item, weight * pull.weight, evidence);
        }
    }
    if pool.listens_to(Source::Viewed) {
        for rule in contents.viewed.lists.row(with.index()) {
            let alternative = is_alternative(pool, number, with, rule.item);
            let evidence = Evidence::Viewed { with, together: rule.together, alternative };
            pool.add(Source::Viewed, rule.item, weight * rule.score, evidence);
        }
    }
    if pool.listens_to(Source::Next) {
        for rule in contents.next.row(with.index()) {
            let alternative = is_alternative(pool, number, with, rule.item);
            let evidence = Evidence::Next { with, together: rule.together, alternative };
            pool.add(Source::Next, rule.item, weight * rule.score, evidence);
        }
    }
    if pool.listens_to(Source::Similar) {
        for near in contents.neighbours.row(with.index()).iter().filter(|n| n.cosine > 0.0) {
            let alternative = is_alternative(pool, number, with, near.item);
            let evidence = Evidence::Similar { to: with, cosine: near.cosine, alternative };
            pool.add(Source::Similar, near.item, weight * near.cosine, evidence);
        }
    }
}

/// Whether a source proposes anything for the seed of which it matters if it is an alternative.
fn tells_alternatives(pool: &Pool<'_>, with: ItemId) -> bool {
    let Contents { viewed, next, neighbours, .. } = pool.contents;
    let with = with.index();
    (pool.listens_to(Source::Viewed) && !viewed.lists.row(with).is_empty())
        || (pool.listens_to(Source::Next) && !next.row(with).is_empty())
        || (pool.listens_to(Source::Similar) && !neighbours.row(with).is_empty())
}

/// In the seed's own category, and not bought with it more often than by chance.
fn is_alternative(pool: &Pool<'_>, seed: u32, with: ItemId, item: ItemId) -> bool {
    pool.orders_with(seed, item) == 0 && same_category(pool, with, item) == Some(true)
}

/// `None` if one of the two has no category.
fn same_category(pool: &Pool<'_>, a: ItemId, b: ItemId) -> Option<bool> {
    let categories = &pool.contents.categories;
    Some(categories.of(a)? == categories.of(b)?)
}

/// Keeps out what would be bought instead of the seed: close to it, not of another category, and hardly
/// ever bought with it although there was every occasion.
///
/// The occasions are the visits that saw both and led to an order, and, within a category, the orders that
/// chance alone would have made hold both. Within a category, to be looked at together and bought together
/// no more often than by chance is enough.
fn block_substitutes(pool: &mut Pool<'_>, seed: Seed) {
    let contents = pool.contents;
    let Seed { number, item: with, .. } = seed;
    pool.mark_bought_with(number, contents.bought.lists.row(with.index()));
    let orders_of = |item: ItemId| f64::from(contents.bought.item_groups[item.index()]);
    let visits = f64::from(contents.viewed.item_groups[with.index()].max(1));
    let orders_per_visit = (orders_of(with) / visits).min(1.0);
    for rule in contents.viewed.lists.row(with.index()) {
        let occasions = f64::from(rule.together) * orders_per_visit;
        let orders = f64::from(pool.orders_with(number, rule.item));
        let other_category = same_category(pool, with, rule.item) == Some(false);
        let passed_over = occasions >= TELLING && orders < SELDOM * occasions && !other_category;
        if passed_over || is_alternative(pool, number, with, rule.item) {
            pool.block(rule.item, Dropped::Substitute);
        }
    }
    let orders = f64::from(contents.bought.groups.max(1));
    for near in contents.neighbours.row(with.index()) {
        let by_chance = orders_of(with) * orders_of(near.item) / orders;
        if by_chance >= TELLING && is_alternative(pool, number, with, near.item) {
            pool.block(near.item, Dropped::Substitute);
        }
    }
}

fn longer(pool: &mut Pool<'_>, items: &[ItemId]) {
    if pool.listens_to(Source::Longer) {
        for (number, rule) in pool.contents.longer_rules(items) {
            let confidence = rule.together as f32 / rule.left_groups.max(1) as f32;
            pool.add(Source::Longer, rule.right, confidence, Evidence::Longer { rule: number });
        }
    }
}

/// What the customer bought before: strength × √(rate of return) × how due it is, to the power of `due`.
fn own(pool: &mut Pool<'_>, due: f32, history: &History) {
    if pool.listens_to(Source::Own) {
        for bought in history.bought.iter().filter(|bought| bought.strength > 0.0) {
            pool.add(Source::Own, bought.item, again(pool, due, bought), Evidence::Own);
        }
    }
}

fn again(pool: &Pool<'_>, due: f32, bought: &Bought) -> f32 {
    let cadence = &pool.contents.cadence;
    let due = match pool.contents.timed && due > 0.0 {
        true => {
            let days_since = pool.contents.now.days_since(bought.last) as f32;
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
