//! What a generation holds per item: flat arrays, in memory, the same for the trainer that made them
//! and the server that read them.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::catalog::{CategoryTree, Item, Near, Shelf};
use crate::customers::{Cadence, Interests, Recurrence};
use crate::embed::{ContentModel, UnitVectors, Word, nearest};
use crate::ids::{Interner, ItemId};
use crate::lists::{Lists, Ranked};
use crate::rank::Forest;
use crate::rules::longer::{LeftSides, LongRule};
use crate::rules::onward::Returns;
use crate::rules::visits::Visits;
use crate::rules::{RuleLists, Rules};
use crate::time::Timestamp;
use crate::trends::{Hot, Trends};

/// So many of the likest items are known of one that came after the training.
const NEAR_AN_ARRIVAL: usize = 20;

/// Everything that answers are made of, customers apart. Rows are by [`ItemId`].
#[derive(Clone, Debug, Default)]
pub struct Contents {
    /// The last moment of the log: "now", as far as the answers know.
    pub now: Timestamp,
    /// False if the log has no time.
    pub timed: bool,
    /// The shop's keys.
    pub keys: Arc<Interner<ItemId>>,
    /// What can be offered, as the catalogue filled it last night.
    pub shelf: Shelf,
    /// The categories that its items span; derived.
    pub categories: CategoryTree,
    /// Bought in the same basket.
    pub bought: Rules<RuleLists>,
    /// Bought by the same customer, at any time.
    pub collected: Rules<RuleLists>,
    /// What an item in an order speaks for.
    pub called: Ranked,
    /// What an item in a customer's past speaks for.
    pub drawn: Ranked,
    /// Looked at in the same visit.
    pub viewed: Rules<RuleLists>,
    /// Looked at after it in the same visit, with the visits that did; where there are [no visits](Self::has_visits),
    /// bought after it in a later order, with the customers who did.
    pub next: RuleLists,
    /// Visits as they were, newest first.
    pub visits: Visits,
    /// Per item, its latest visits beside all of them; see [`Onward`](crate::rules::onward::Onward).
    pub freshness: Vec<f32>,
    /// Rules with several items on the left, the strongest first.
    pub longer: Vec<LongRule>,
    /// Close in the embedding space.
    pub neighbours: Ranked,
    /// Where each item is in the embedding space: from who wanted it, or where hardly anybody did, from what
    /// the catalogue says of it.
    pub vectors: UnitVectors,
    /// Where items belong that the trainer has not seen, by what is said of them.
    pub content: ContentModel,
    /// The title of each item, word by word.
    pub words: Lists<Word>,
    /// Close in the embedding space, and new in the shop.
    pub arrivals: Ranked,
    /// What sells.
    pub trends: Trends,
    /// How soon people come back for it.
    pub cadence: Cadence,
    /// What is hot, and what is rising.
    pub hot: Hot,
    /// What is due again, and when.
    pub recurrence: Recurrence,
    /// What an unfinished step foretells.
    pub interests: Interests,
    /// What a visitor's own clicks count as what comes next.
    pub returns: Returns,
    /// What puts the best candidates of a question in order, by the question's name.
    pub rankers: BTreeMap<String, Forest>,
    /// Finds rules in `longer`; derived.
    pub(crate) left_sides: LeftSides,
    /// Every item: what sells best first, then what never sold; derived.
    pub(crate) by_popularity: Vec<ItemId>,
    /// Of each item, its place there; derived.
    pub(crate) popularity_ranks: Vec<u32>,
    /// Of each category, the items for which it is the narrowest, in that order; derived.
    pub(crate) of_category: Lists<ItemId>,
    /// The items' standing, by powers that will be asked for; derived.
    pub(crate) standings: Vec<(Powers, Vec<f32>)>,
}

/// Powers of what is known of an item's sales, by which they multiply its scores.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Powers {
    /// Of its momentum.
    pub momentum: f32,
    /// Of its [reach](Contents::reach).
    pub reach: f32,
}

/// What each item's sales multiply its scores with.
#[derive(Clone, Copy, Debug)]
pub enum Standing<'a> {
    /// 1.
    One,
    /// Worked out beforehand.
    Ready(&'a [f32]),
    /// To be worked out, one by one.
    ToRaise(&'a Contents, Powers),
}

impl Standing<'_> {
    /// Of one item.
    pub fn of(self, item: ItemId) -> f32 {
        match self {
            Self::One => 1.0,
            Self::Ready(standings) => standings[item.index()],
            Self::ToRaise(contents, powers) => contents.raised(item, powers),
        }
    }
}

impl Contents {
    /// Of items alone, in the order of their keys' ids.
    pub fn of(keys: Arc<Interner<ItemId>>, items: &[Item]) -> Self {
        Self { shelf: Shelf::new(keys.clone(), items), keys, ..Self::default() }
    }

    /// Whether anybody looked at anything in the log.
    pub fn has_visits(&self) -> bool {
        self.viewed.groups > 0
    }

    /// Fills in what is derived from the rest; call it once all is there.
    pub fn finish(mut self) -> Self {
        let all = (0..self.len()).map(ItemId::new);
        self.categories = CategoryTree::over(all.map(|item| self.shelf.path(item)));
        self.left_sides = LeftSides::of(&self.longer);
        let mut ranked = vec![false; self.len()];
        self.trends.ranking.iter().for_each(|item| ranked[item.index()] = true);
        let unranked = (0..ranked.len()).filter(|&item| !ranked[item]).map(ItemId::new);
        self.by_popularity = self.trends.ranking.iter().copied().chain(unranked).collect();
        self.popularity_ranks = vec![0; ranked.len()];
        let mut of_category = vec![Vec::new(); self.categories.len()];
        for (&item, rank) in self.by_popularity.iter().zip(0..) {
            self.popularity_ranks[item.index()] = rank;
            if let Some(category) = self.categories.of(item) {
                of_category[category.index()].push(item);
            }
        }
        self.of_category = of_category.into_iter().collect();
        self
    }

    /// The item's place by popularity, from 0: what never sold behind what did, new arrivals last.
    pub(crate) fn popularity_rank(&self, item: ItemId) -> u32 {
        self.popularity_ranks.get(item.index()).copied().unwrap_or(item.index() as u32)
    }

    /// Whether the item sold at all, so that its popularity is known.
    pub(crate) fn is_ranked(&self, item: ItemId) -> bool {
        (self.popularity_rank(item) as usize) < self.trends.ranking.len()
    }

    /// Works out the items' standing by these powers: a question asks for it of thousands of items.
    pub fn raise(&mut self, powers: impl IntoIterator<Item = Powers>) {
        for powers in powers {
            if matches!(self.standing(powers), Standing::ToRaise(..)) {
                let all = (0..self.len()).map(ItemId::new);
                let standings = all.map(|item| self.raised(item, powers)).collect();
                self.standings.push((powers, standings));
            }
        }
    }

    /// The items' standing by these powers.
    pub fn standing(&self, powers: Powers) -> Standing<'_> {
        if powers == Powers::default() {
            return Standing::One;
        }
        match self.standings.iter().find(|(raised_to, _)| *raised_to == powers) {
            Some((_, standings)) => Standing::Ready(standings),
            None => Standing::ToRaise(self, powers),
        }
    }

    fn raised(&self, item: ItemId, powers: Powers) -> f32 {
        let momentum = self.trends.momentum[item.index()];
        momentum.powf(powers.momentum) * self.reach(item).powf(powers.reach)
    }

    /// One more than the orders that the item is in.
    pub fn reach(&self, item: ItemId) -> f32 {
        let orders = self.bought.item_groups.get(item.index()).copied().unwrap_or(0);
        orders as f32 + 1.0
    }

    /// How many items there are.
    pub fn len(&self) -> usize {
        self.shelf.trained()
    }

    /// True in a shop without items.
    pub fn is_empty(&self) -> bool {
        self.shelf.is_empty()
    }

    /// The items that one is most like by what its catalogue entry says, with cosines, the likest first; none
    /// where the catalogue says too little to tell.
    pub fn near_by_content(&self, item: &Item) -> Near {
        let vector = self.content.vector(item).unwrap_or_default();
        let near = nearest(&self.vectors, &vector, NEAR_AN_ARRIVAL);
        near.into_iter().map(|near| (near.item, near.cosine)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_items_standing_is_its_momentum_and_its_reach_each_to_its_power() {
        let mut keys = Interner::<ItemId>::new();
        ["tea", "cup", "pot"].iter().for_each(|key| _ = keys.intern(key));
        let mut contents = Contents::of(Arc::new(keys), &vec![Item::default(); 3]);
        contents.trends.momentum = vec![1.0, 4.0, 0.25];
        contents.bought.item_groups = vec![0, 3, 15];
        let powers = Powers { momentum: 0.5, reach: -0.5 };
        let standings = |contents: &Contents, powers| {
            [0, 1, 2].map(|i| contents.standing(powers).of(ItemId::new(i)))
        };
        let one_by_one = standings(&contents, powers);
        assert_eq!(one_by_one, [1.0, 1.0, 0.125]);
        contents.raise([powers]);
        assert!(matches!(contents.standing(powers), Standing::Ready(_)));
        assert_eq!(standings(&contents, powers), one_by_one);
        assert_eq!(standings(&contents, Powers::default()), [1.0; 3]);
    }
}
