//! Who stands in line to fill an answer up: every item of the shop, what sells best first; or, where a filter
//! that few pass is asked about again and again, those few, so that nobody walks a shop to find twenty.

use std::sync::Arc;

use super::sieve::{Condition, Sieves};
use crate::catalog::Shelf;
use crate::ids::ItemId;
use crate::index::Contents;

/// Few is at most one item in so many.
const FEW: usize = 64;

/// Items in the order in which they may fill an answer up. Everything that can be answered is among them.
#[derive(Clone, Debug)]
pub(super) enum Line<'a> {
    /// The whole shop.
    All,
    /// One category: what was trained, and what has arrived since.
    Category(&'a [ItemId], &'a [ItemId]),
    /// What passes a filter.
    Passing(Arc<Vec<ItemId>>),
}

impl<'a> Line<'a> {
    /// The shortest line that holds whatever passes all the conditions.
    pub(super) fn of(
        must_hold: &[Condition],
        sieves: &mut Sieves,
        contents: &'a Contents,
        shelf: &'a Shelf,
    ) -> Self {
        let lines = must_hold.iter().filter_map(|condition| match condition {
            Condition::Kept(number) => sieves.passing(*number, contents, shelf).map(Self::Passing),
            Condition::Once(bound) => {
                Self::of_category(bound.must_be(shelf.category_field())?, contents, shelf)
            }
            Condition::OnSaleAfter(_) => None,
        });
        lines.min_by_key(|line| line.len(shelf)).unwrap_or(Self::All)
    }

    /// The items of exactly this category, if they are few and none has changed its category.
    fn of_category(path: &str, contents: &'a Contents, shelf: &'a Shelf) -> Option<Self> {
        let category = contents.categories.get(path);
        let items = category.map_or(&[][..], |known| contents.of_category.row(known.index()));
        let line = Self::Category(items, shelf.arrivals_at(path));
        (!shelf.has_moved() && are_few(line.len(shelf), shelf)).then_some(line)
    }

    /// How many stand in line.
    pub(super) fn len(&self, shelf: &Shelf) -> usize {
        match self {
            Self::All => shelf.len(),
            Self::Category(items, arrivals) => items.len() + arrivals.len(),
            Self::Passing(items) => items.len(),
        }
    }

    /// Whoever stands at a place, from 0; `None` behind the last.
    #[inline]
    pub(super) fn at(&self, place: usize, contents: &Contents, shelf: &Shelf) -> Option<ItemId> {
        let (items, arrivals) = match self {
            Self::All => {
                // What has arrived has the last ids.
                let arrived = || (place < shelf.len()).then(|| ItemId::new(place));
                return contents.by_popularity.get(place).copied().or_else(arrived);
            }
            Self::Category(items, arrivals) => (*items, *arrivals),
            Self::Passing(items) => (&items[..], &[][..]),
        };
        items.get(place).or_else(|| arrivals.get(place - items.len())).copied()
    }
}

/// Whether so many items are few enough, in this shop, to be worth a line of their own.
pub(super) fn are_few(items: usize, shelf: &Shelf) -> bool {
    items <= shelf.len() / FEW
}

/// Whether finding what fills an answer up has taken so many steps that a line of their own would pay.
pub(super) fn is_far(steps: usize, shelf: &Shelf) -> bool {
    steps > 2 * FEW && !are_few(steps, shelf)
}
