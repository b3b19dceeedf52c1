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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Item;
    use crate::customers::{Bought, History};
    use crate::embed::words;
    use crate::time::Timestamp;

    #[test]
    fn who_bought_teacups_is_told_of_teacups_when_something_new_is_wanted() {
        let titled = |title: &str| Item { title: Some(title.into()), ..Item::default() };
        let items = ["green teacup", "red teacup", "red lamp", "green lamp", "plate", ""];
        let contents = Contents { words: words(&items.map(titled)), ..Contents::default() };
        let bought =
            |item: usize, times| Bought { times, ..Bought::never(ItemId::new(item), Timestamp(0)) };
        let history =
            |times| History { bought: vec![bought(0, times), bought(4, 1)], ..History::default() };
        let taste = |times, exclude_purchased| {
            let history = history(times);
            let question = Question::Customer { recent: vec![], exclude_purchased };
            let taste = Taste::new(&contents, &Query::new(question, Some(&history), 10))?;
            Some([0, 1, 2, 3].map(|item| taste.of(ItemId::new(item))))
        };
        let [own, red_cup, red_lamp, green_lamp] = taste(1, true).expect("there is a past");
        // The four words are as rare as each other: two titles that share one have a cosine of a half.
        let near = |a: f32, b: f32| (a - b).abs() < 1e-6;
        assert!(near(own[1], 0.5) && near(red_cup[1], 0.25), "of two bought: {own:?} {red_cup:?}");
        assert!(near(red_cup[0], 0.5 * 2.0f32.ln()) && red_lamp == [0.0; 2], "{red_cup:?}");
        assert_eq!(green_lamp, red_cup);
        let often = taste(3, true).expect("there is a past")[1];
        assert!(near(often[0], 0.5 * 4.0f32.ln()) && often[1] == red_cup[1], "{often:?}");
        assert_eq!(taste(1, false), None, "of what was bought there is more to say");
        assert_eq!(taste(0, true), None, "what went back was not wanted");
    }
}
