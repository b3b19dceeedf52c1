//! Who gets a place: the best, with places kept for several kinds, for what the shop promotes and pins and for
//! what is new; and, as long as there is anything that may be answered, no place stays empty.

use std::sync::Arc;

use rustc_hash::FxHashSet;

use super::merchandise::{Acting, Promotion};
use super::pool::{Arrival, Pool};
use super::ranking::{self, Scored, Side};
use super::reason::{Reason, RuleAct};
use super::terms::Dropped;
use super::{Query, Question, sources};
use crate::ids::ItemId;

/// An arrival this close to what is asked about is shown even if nobody has bought it yet.
const CLOSE: f32 = 0.5;

/// A place of the answer.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) item: ItemId,
    pub(super) score: f32,
    /// What put it there, if not its score.
    pub(super) put: Option<Put>,
}

/// What puts an item into an answer beside its score.
#[derive(Debug)]
pub(super) enum Put {
    /// A rule of the shop.
    Rule(Reason),
    /// It is new, and close to something.
    Arrival(Reason),
    /// Nothing else was left.
    FillUp,
}

/// The places of one answer, while they are given away.
pub(super) struct Seating<'s, 'a> {
    pool: &'s mut Pool<'a>,
    query: &'s Query<'s>,
    acting: &'s Acting,
    /// Places beside the pinned ones.
    room: usize,
    /// What has a place, had one, or can't have one beside those that do.
    seen: FxHashSet<ItemId>,
    /// The products of these; `None` where several variants may sit.
    products: Option<FxHashSet<u32>>,
}

/// An item, its place from 1, and the rule that wants it there.
type Pin = (ItemId, usize, Arc<str>);

impl<'s, 'a> Seating<'s, 'a> {
    pub(super) fn new(pool: &'s mut Pool<'a>, query: &'s Query<'s>, acting: &'s Acting) -> Self {
        let several = query.terms.allow_variants || !pool.gate.shelf.has_groups();
        let products = (!several).then(FxHashSet::default);
        Self { pool, query, acting, room: query.limit, seen: FxHashSet::default(), products }
    }

    /// Gives the places away; scores never rise down the list. No two of `scored` are the same product.
    pub(super) fn seated(mut self, mut scored: Vec<Scored>) -> Vec<Place> {
        let pins = self.pins();
        if !pins.is_empty() {
            self.room -= pins.len();
            scored.retain(|(item, _)| !self.seen.contains(item) && self.is_other_product(*item));
        }
        let promotable =
            if self.acting.promotions.is_empty() { Vec::new() } else { scored.clone() };
        let mut places = self.both_kinds(scored);
        for place in &places {
            self.admit(place.item);
        }
        self.welcome(&mut places);
        for promotion in &self.acting.promotions {
            self.promote(promotion, &promotable, &mut places);
        }
        self.fill_up(&mut places);
        for (item, position, rule) in pins {
            let put = Some(Put::Rule(Reason::Rule { id: rule, act: RuleAct::Pinned }));
            let at = (position - 1).min(places.len());
            places.insert(at, Place { item, score: f32::MAX, put });
        }
        settle(&mut places);
        places
    }

    /// The pins that can be kept, by their places.
    fn pins(&mut self) -> Vec<Pin> {
        let (acting, limit) = (self.acting, self.query.limit);
        let wanted = acting.pins.iter().filter(|(_, position, _)| *position <= limit);
        wanted
            .filter(|(item, ..)| self.pool.may_answer(*item) && self.admit(*item))
            .take(limit)
            .cloned()
            .collect()
    }

    /// Whether the item may have a place beside those that have one; then it is as good as taken.
    fn admit(&mut self, item: ItemId) -> bool {
        let is_new = self.seen.insert(item);
        if !self.is_other_product(item) {
            if is_new {
                self.pool.ledger.drop(Dropped::Variant);
            }
            return false;
        }
        if let (Some(products), Some(product)) =
            (&mut self.products, self.pool.gate.shelf.group(item))
        {
            products.insert(product);
        }
        is_new
    }

    /// Whether no variant of the item's product has a place.
    fn is_other_product(&self, item: ItemId) -> bool {
        let product = self.products.as_ref().zip(self.pool.gate.shelf.group(item));
        product.is_none_or(|(products, product)| !products.contains(&product))
    }

    /// The best, with some places kept for each of two kinds where a question has such.
    fn both_kinds(&mut self, scored: Vec<Scored>) -> Vec<Place> {
        let (room, pool) = (self.room, &mut *self.pool);
        let ranked = match (&self.query.question, self.query.history) {
            (Question::Customer { exclude_purchased: false, .. }, Some(history)) => {
                pool.mark(history.bought.iter().map(|bought| bought.item));
                let known = |item| if pool.is_marked(item) { Side::One } else { Side::Other };
                // Of fewer than ten, each is worth more to what is likelier.
                ranking::best_of_both(scored, room, room / 10, known)
            }
            (Question::Related { item }, _) => {
                let asked = pool.gate.shelf.get(item);
                for item in asked.map_or_else(Vec::new, |item| sources::spokesmen(pool, item)) {
                    let bought_with = pool.contents.bought.lists.ranked().row(item.index());
                    pool.mark(bought_with.iter().map(|(item, _)| item));
                }
                let side = |item| match (pool.is_marked(item), pool.is_viewed_with(item)) {
                    (true, _) => Side::One,
                    (false, true) => Side::Other,
                    (false, false) => Side::Neither,
                };
                ranking::best_of_both(scored, room, room.div_ceil(4), side)
            }
            _ => ranking::best(scored, room),
        };
        ranked.into_iter().map(|(item, score)| Place { item, score, put: None }).collect()
    }

    /// Gives one place in ten, from the last, to new arrivals that are close to what is asked about.
    fn welcome(&mut self, places: &mut Vec<Place>) {
        let takes_new =
            matches!(self.query.question, Question::Related { .. } | Question::Customer { .. });
        if !takes_new || self.room < 4 {
            return;
        }
        let room = self.room.div_ceil(10);
        let mut welcomed = Vec::with_capacity(room);
        for (item, reason) in self.close_arrivals() {
            if welcomed.len() == room {
                break;
            }
            if !self.seen.contains(&item) && self.admit(item) {
                welcomed.push((item, Some(Put::Arrival(reason))));
            }
        }
        places.truncate(self.room - welcomed.len());
        let score = places.last().map_or(0.0, |place| place.score);
        places.extend(welcomed.into_iter().map(|(item, put)| Place { item, score, put }));
    }

    /// Arrivals that are like what is asked about, the likest first; then those of its category, the latest
    /// first.
    fn close_arrivals(&mut self) -> Vec<(ItemId, Reason)> {
        let mut close: Vec<(ItemId, Reason)> = self
            .pool
            .arrivals()
            .into_iter()
            .filter(|arrival| arrival.cosine >= CLOSE)
            .map(|Arrival { item, like, cosine, .. }| {
                (item, Reason::New { like: Some(like), cosine })
            })
            .collect();
        if let Question::Related { item } = self.query.question {
            let shelf = self.pool.gate.shelf;
            let category = shelf.get(item).and_then(|item| shelf.category(item));
            let same = category.map_or(&[][..], |category| shelf.arrivals_in(category));
            let latest = same.iter().rev().filter(|item| self.pool.may_answer(**item));
            let plain = |&item: &ItemId| (item, Reason::New { like: None, cosine: 0.0 });
            close.extend(latest.take(self.room).map(plain));
        }
        close
    }

    /// Gives a promotion its share of the places: the last ones that nothing else was put into, and that no other
    /// promotion needs for its own.
    fn promote(&mut self, promotion: &Promotion, scored: &[Scored], places: &mut Vec<Place>) {
        let missing = self.share(promotion).saturating_sub(self.count(promotion, places));
        let mut more = self.promoted(promotion, scored, missing);
        let others = self.acting.promotions.iter().filter(|other| !std::ptr::eq(*other, promotion));
        let mut beyond: Vec<(&Promotion, usize)> = others
            .map(|other| {
                let count = self.count(other, places) + self.count(other, &more);
                (other, count.saturating_sub(self.share(other)))
            })
            .collect();
        let mut spare = (places.len() + more.len()).saturating_sub(self.room);
        for place in (0..places.len()).rev() {
            let item = places[place].item;
            if spare == 0 || places[place].put.is_some() || self.is_about(promotion, item) {
                continue;
            }
            let mut theirs: Vec<&mut (&Promotion, usize)> =
                beyond.iter_mut().filter(|(other, _)| self.is_about(other, item)).collect();
            if theirs.iter().all(|(_, beyond)| *beyond > 0) {
                theirs.iter_mut().for_each(|(_, beyond)| *beyond -= 1);
                places.remove(place);
                spare -= 1;
            }
        }
        more.truncate(self.room - places.len());
        places.extend(more);
        places.sort_by(|a, b| b.score.total_cmp(&a.score));
    }

    /// Places that the promotion is to have.
    fn share(&self, promotion: &Promotion) -> usize {
        // 0.07 of 100 is 7, though as floats a little more.
        (promotion.share * self.room as f64 - 1e-9).ceil() as usize
    }

    fn count(&mut self, promotion: &Promotion, places: &[Place]) -> usize {
        places.iter().filter(|place| self.is_about(promotion, place.item)).count()
    }

    fn is_about(&mut self, promotion: &Promotion, item: ItemId) -> bool {
        self.pool.holds(&promotion.condition, item)
    }

    /// At most `missing` items that the promotion is about and that have no place yet: the best candidates,
    /// then what sells best.
    fn promoted(&mut self, promotion: &Promotion, scored: &[Scored], missing: usize) -> Vec<Place> {
        if missing == 0 {
            return Vec::new();
        }
        let passes = |&(item, _): &Scored| {
            !self.seen.contains(&item) && self.pool.holds(&promotion.condition, item)
        };
        let candidates = ranking::best(scored.iter().copied().filter(passes).collect(), usize::MAX);
        let (contents, shelf) = (self.pool.contents, self.pool.gate.shelf);
        let line = self.pool.line_for(&promotion.condition);
        let others = (0..).map_while(|place| line.at(place, contents, shelf));
        let mut more = Vec::new();
        let mut steps = 0;
        for (item, score) in candidates.into_iter().chain(others.map(|item| (item, 0.0))) {
            if more.len() == missing {
                break;
            }
            steps += 1;
            let may = !self.seen.contains(&item)
                && self.pool.holds(&promotion.condition, item)
                && self.pool.may_answer(item);
            if may && self.admit(item) {
                more.push(Place { item, score, put: Some(Put::Rule(promotion.reason())) });
            }
        }
        self.pool.took(steps, &promotion.condition);
        more
    }

    /// Keeps the promise of a full answer: whatever can be offered fills it up.
    fn fill_up(&mut self, places: &mut Vec<Place>) {
        while places.len() < self.room {
            let Some(item) = self.pool.next_in_line() else { return self.pool.end_of_line() };
            let may = !self.seen.contains(&item)
                && !self.pool.is_known(item)
                && self.pool.passes_gate(item);
            if may && self.admit(item) {
                places.push(Place { item, score: 0.0, put: Some(Put::FillUp) });
            }
        }
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
