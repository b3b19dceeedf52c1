//! What a customer's past, and what is asked about, say of whole categories: who always buys the other milk.

use rustc_hash::FxHashMap;

use crate::catalog::CategoryTree;
use crate::customers::{Bought, History};
use crate::ids::{CategoryId, ItemId};
use crate::index::Contents;
use crate::time::Timestamp;

/// Numbers per candidate.
pub(super) const AFFINITIES: usize = 7;

/// What all candidates of one query have in common.
pub(super) struct Affinity<'a> {
    contents: &'a Contents,
    past: FxHashMap<CategoryId, Past>,
    asked: Vec<Place>,
}

/// What the customer bought of a category.
#[derive(Clone, Copy, Debug)]
struct Past {
    times: f32,
    lately: f32,
    last: Timestamp,
}

/// An item's narrowest category, and the one above.
type Place = (Option<CategoryId>, Option<CategoryId>);

impl<'a> Affinity<'a> {
    /// Of a past, and of what is asked about; `None` where no item has a category.
    pub(super) fn new(
        contents: &'a Contents,
        history: Option<&History>,
        asked: &[ItemId],
    ) -> Option<Self> {
        if contents.categories.is_empty() {
            return None;
        }
        let asked = asked.iter().map(|&item| place(&contents.categories, item)).collect();
        let past = history.map_or_else(FxHashMap::default, |past| by_category(contents, past));
        Some(Self { contents, past, asked })
    }

    /// The numbers of one candidate, of which the customer bought `own` before. NaN means that there is none.
    pub(super) fn of(&self, item: ItemId, own: Option<&Bought>) -> [f32; AFFINITIES] {
        let (category, above) = place(&self.contents.categories, item);
        let past = |category: Option<CategoryId>| self.past.get(&category?);
        let (here, there) = (past(category), past(above));
        let days =
            here.filter(|_| self.contents.timed).map(|p| self.contents.now.days_since(p.last));
        let (times, lately) = own.map_or((0.0, 0.0), |own| (own.times as f32, own.lately));
        let asked = |is_there: &dyn Fn(&Place) -> bool| {
            self.asked.iter().filter(|place| is_there(place)).count() as f32
        };
        [
            here.map_or(0.0, |past| past.times - times),
            here.map_or(0.0, |past| past.lately - lately),
            days.map_or(f32::NAN, |days| days as f32),
            there.map_or(0.0, |past| past.times),
            there.map_or(0.0, |past| past.lately),
            asked(&|place| category.is_some() && place.0 == category),
            asked(&|place| above.is_some() && place.1 == above),
        ]
    }
}

fn place(categories: &CategoryTree, item: ItemId) -> Place {
    let mut upwards = categories.upwards(categories.of(item));
    (upwards.next(), upwards.next())
}

/// What was bought of the narrowest category of each item, and of the one above.
fn by_category(contents: &Contents, history: &History) -> FxHashMap<CategoryId, Past> {
    let mut past: FxHashMap<CategoryId, Past> = FxHashMap::default();
    past.reserve(history.bought.len());
    for bought in &history.bought {
        let (category, above) = place(&contents.categories, bought.item);
        for category in [category, above].into_iter().flatten() {
            let none = Past { times: 0.0, lately: 0.0, last: bought.last };
            let past = past.entry(category).or_insert(none);
            past.times += bought.times as f32;
            past.lately += bought.lately;
            past.last = past.last.max(bought.last);
        }
    }
    past
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Item;
    use crate::ids::Interner;
    use crate::recommend::Question;
    use std::sync::Arc;

    const NONE: f32 = 0.0;

    /// Milk and other milk, bread, and a thing without a place.
    fn contents() -> Contents {
        let mut keys = Interner::default();
        for key in ["milk", "other milk", "bread", "thing"] {
            keys.intern(key);
        }
        let item = |path: &[&str]| Item {
            category: path.iter().map(ToString::to_string).collect(),
            ..Item::default()
        };
        let milk = ["food", "dairy", "milk"];
        let items = vec![item(&milk), item(&milk), item(&["food", "bakery"]), item(&[])];
        Contents {
            now: Timestamp(10 * crate::time::DAY_MS),
            timed: true,
            ..Contents::of(Arc::new(keys), &items)
        }
        .finish()
    }

    fn bought(item: usize, times: u32, day: i64) -> Bought {
        let at = Timestamp(day * crate::time::DAY_MS);
        Bought { times, lately: 0.5, ..Bought::never(ItemId::new(item), at) }
    }

    #[test]
    fn who_buys_the_other_milk_is_known_to_buy_milk() {
        let contents = contents();
        let history =
            History { bought: vec![bought(0, 3, 7), bought(1, 2, 9)], ..History::default() };
        let affinity = Affinity::new(&contents, Some(&history), &[]).expect("there are categories");
        let of = |item: usize| affinity.of(ItemId::new(item), history.bought(ItemId::new(item)));
        assert_eq!(of(0), [2.0, 0.5, 1.0, 5.0, 1.0, NONE, NONE], "but for its own purchases");
        assert_eq!(of(1), [3.0, 0.5, 1.0, 5.0, 1.0, NONE, NONE]);
        for item in [2, 3] {
            let [times, lately, days, rest @ ..] = of(item);
            assert!(days.is_nan());
            assert_eq!((times, lately, rest), (NONE, NONE, [NONE; 4]));
        }
    }

    #[test]
    fn items_asked_about_are_counted_by_category_and_the_one_above() {
        let contents = contents();
        let question =
            Question::Basket { items: vec!["milk", "bread", "milk", "thing", "nothing"] };
        let asked = question.asked(&contents);
        assert_eq!(asked, [0, 2, 3].map(ItemId::new), "each once, and none that nobody knows");
        let affinity = Affinity::new(&contents, None, &asked).expect("there are categories");
        let asked = |item: usize| affinity.of(ItemId::new(item), None)[5..].to_vec();
        assert_eq!([0, 1, 2, 3].map(asked), [[1.0, 1.0], [1.0, 1.0], [1.0, 1.0], [NONE, NONE]]);
        let nowhere = Contents::default();
        assert!(Affinity::new(&nowhere, None, &[]).is_none());
    }
}
