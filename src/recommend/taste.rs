//! What a customer's past says in the words of titles: who bought two teacups may like the third.

use rustc_hash::FxHashMap;

use super::{Query, Question};
use crate::ids::ItemId;
use crate::index::Contents;

/// Numbers per candidate.
pub(super) const TASTES: usize = 2;

/// What all candidates of one query have in common.
pub(super) struct Taste<'a> {
    contents: &'a Contents,
    /// By number of the word: over what was bought, by how often, the sum of its weights; and their mean.
    said: FxHashMap<u32, [f32; TASTES]>,
}

impl<'a> Taste<'a> {
    /// `None` unless something new is wanted for a customer with a past: of what was bought before there is more to
    /// say than in words.
    pub(super) fn new(contents: &'a Contents, query: &Query<'a>) -> Option<Self> {
        let Question::Customer { exclude_purchased: true, .. } = query.question else {
            return None;
        };
        let bought = || query.history.into_iter().flat_map(|h| &h.bought).filter(|b| b.times > 0);
        let share = 1.0 / bought().count() as f32;
        let mut said: FxHashMap<u32, [f32; TASTES]> = FxHashMap::default();
        for bought in bought() {
            let often = (bought.times as f32).ln_1p();
            for word in contents.words.row(bought.item.index()) {
                let [sum, mean] = said.entry(word.number).or_default();
                *sum += word.weight * often;
                *mean += word.weight * share;
            }
        }
        (!said.is_empty()).then_some(Self { contents, said })
    }

    /// How much the item's title is like those of what the customer bought: the sum, and the mean, of cosines.
    pub(super) fn of(&self, item: ItemId) -> [f32; TASTES] {
        let mut tastes = [0.0; TASTES];
        for word in self.contents.words.row(item.index()) {
            let said = self.said.get(&word.number).copied().unwrap_or_default();
            tastes.iter_mut().zip(said).for_each(|(taste, said)| *taste += word.weight * said);
        }
        tastes
    }
}
