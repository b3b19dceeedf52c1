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
    /// Looked at after it in the same visit, with the visits that did.
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
    /// `trends.momentum` to powers that will be asked for; derived.
    pub(crate) raised_momentum: Vec<(f32, Vec<f32>)>,
}

/// Each item's momentum to some power, or 1 where that is 0.
#[derive(Clone, Copy, Debug)]
pub enum Momentum<'a> {
    /// To the power of 0.
    One,
    /// Worked out beforehand.
    Ready(&'a [f32]),
    /// To be raised to a power, one by one.
    ToRaise(&'a [f32], f32),
}

impl Momentum<'_> {
    /// Of one item.
    pub fn of(self, item: ItemId) -> f32 {
        match self {
            Self::One => 1.0,
            Self::Ready(raised) => raised[item.index()],
            Self::ToRaise(momentum, power) => momentum[item.index()].powf(power),
        }
    }
}

impl Contents {
    /// Of items alone, in the order of their keys' ids.
    pub fn of(keys: Arc<Interner<ItemId>>, items: &[Item]) -> Self {
        Self { shelf: Shelf::new(keys.clone(), items), keys, ..Self::default() }
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

    /// Works out the items' momentum to these powers: a question asks for it of thousands of items.
    pub fn raise_momentum(&mut self, powers: impl IntoIterator<Item = f32>) {
        for power in powers {
            if let Momentum::ToRaise(momentum, _) = self.momentum_to(power) {
                let raised = momentum.iter().map(|momentum| momentum.powf(power)).collect();
                self.raised_momentum.push((power, raised));
            }
        }
    }

    /// The items' momentum to a power.
    pub fn momentum_to(&self, power: f32) -> Momentum<'_> {
        if power == 0.0 {
            return Momentum::One;
        }
        match self.raised_momentum.iter().find(|(raised_to, _)| *raised_to == power) {
            Some((_, raised)) => Momentum::Ready(raised),
            None => Momentum::ToRaise(&self.trends.momentum, power),
        }
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
