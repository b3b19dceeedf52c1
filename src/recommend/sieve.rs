//! Filters at work: what an item gave once is remembered until the item changes.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::line::are_few;
use super::terms::PriceBand;
use crate::catalog::{CHUNK, Shelf, ShelfRow};
use crate::filter::{Bound, Filter, Row};
use crate::ids::ItemId;
use crate::index::Contents;
use crate::time::Timestamp;

/// After so many filters the memory starts anew, unless one question asks for half of them. Each takes two bits per
/// item.
const MOST_KEPT: usize = 64;

/// The filters of late, with what they gave. Belongs to one thread.
#[derive(Debug, Default)]
pub(super) struct Sieves {
    /// The shelf that they were asked about.
    shelf: u64,
    kept: Vec<Kept>,
    /// By the question at hand.
    asked: usize,
    by_text: FxHashMap<String, usize>,
}

#[derive(Debug)]
struct Kept {
    bound: Bound,
    chunks: Vec<Memo>,
    passing: Passing,
}

/// All items that pass a filter, what sells best first.
#[derive(Debug, Default)]
enum Passing {
    /// Nobody has needed to know.
    #[default]
    Unknown,
    /// An answer was so hard to fill up that the next to ask shall know.
    Wanted,
    /// Too many to be worth a list.
    Many,
    These {
        items: Arc<Vec<ItemId>>,
        /// Of the shelf.
        version: u64,
        /// Of its chunks.
        chunks: Vec<u64>,
    },
}

/// What a chunk of the shelf gave, as long as it stays at this version.
#[derive(Clone, Copy, Debug, Default)]
struct Memo {
    version: u64,
    known: [u64; CHUNK / 64],
    passes: [u64; CHUNK / 64],
}

/// A filter, ready to be asked.
#[derive(Debug)]
pub(super) enum Condition {
    /// The same for everybody who asks: remembered, under this number.
    Kept(usize),
    /// It compares with the item asked about.
    Once(Bound),
    /// First on sale after this moment.
    OnSaleAfter(Timestamp),
}

impl Sieves {
    /// Begins a question to this shelf: conditions of the question before are no longer good.
    pub(super) fn begin(&mut self, shelf: &Shelf) {
        // The shop's rules ask for theirs with every question.
        let most = MOST_KEPT.max(2 * self.asked);
        if self.shelf != shelf.number() || self.kept.len() >= most {
            self.kept.clear();
            self.by_text.clear();
            self.shelf = shelf.number();
        }
        self.asked = 0;
    }

    /// Makes a filter ready; `current` is the item asked about.
    pub(super) fn condition(
        &mut self,
        filter: &Filter,
        current: Option<&ShelfRow<'_>>,
    ) -> Condition {
        if filter.needs_current() {
            return Condition::Once(filter.bind(current.map(|row| row as &dyn Row)));
        }
        self.asked += 1;
        if let Some(&number) = self.by_text.get(filter.text()) {
            return Condition::Kept(number);
        }
        let number = self.kept.len();
        let (bound, chunks) = (filter.bind(None), Vec::new());
        self.kept.push(Kept { bound, chunks, passing: Passing::Unknown });
        self.by_text.insert(filter.text().to_owned(), number);
        Condition::Kept(number)
    }

    /// In the category with this path, or in one below it; `None` if the path is longer than a filter can be.
    pub(super) fn in_category(&mut self, shelf: &Shelf, path: &str) -> Option<Condition> {
        let text = format!("category under {}", crate::filter::quoted(path));
        let filter = Filter::parse(&text, shelf).ok()?;
        Some(self.condition(&filter, None))
    }

    /// In the same category as the item asked about, and within a band of its price.
    pub(super) fn better_of_the_same_kind(
        &mut self,
        shelf: &Shelf,
        band: PriceBand,
        current: Option<&ShelfRow<'_>>,
    ) -> Condition {
        let PriceBand { least, most } = band;
        let text = format!(
            "category = current.category and price > current.price * {least} and price <= current.price * {most}"
        );
        let filter = Filter::parse(&text, shelf).expect("a shelf has prices and categories");
        self.condition(&filter, current)
    }

    /// Notes that it took long to find enough that passes.
    pub(super) fn want_passing(&mut self, condition: &Condition) {
        if let Condition::Kept(number) = condition {
            let passing = &mut self.kept[*number].passing;
            if matches!(passing, Passing::Unknown) {
                *passing = Passing::Wanted;
            }
        }
    }

    /// All items that pass a kept filter, what sells best first, if that was wanted and they are few.
    pub(super) fn passing(
        &mut self,
        number: usize,
        contents: &Contents,
        shelf: &Shelf,
    ) -> Option<Arc<Vec<ItemId>>> {
        self.kept[number].passing(contents, shelf)
    }

    /// Whether the item passes.
    pub(super) fn holds(&mut self, condition: &Condition, shelf: &Shelf, item: ItemId) -> bool {
        match condition {
            Condition::Once(bound) => bound.matches(&shelf.row(item)),
            Condition::OnSaleAfter(now) => shelf.launched_at(item).is_some_and(|at| at > *now),
            Condition::Kept(number) => self.kept[*number].holds(shelf, item),
        }
    }
}

impl Kept {
    fn passing(&mut self, contents: &Contents, shelf: &Shelf) -> Option<Arc<Vec<ItemId>>> {
        let (known, known_chunks) = match std::mem::take(&mut self.passing) {
            Passing::These { items, version, chunks } if version == shelf.version() => {
                self.passing = Passing::These { items: items.clone(), version, chunks };
                return Some(items);
            }
            Passing::These { items, chunks, .. } => (items, chunks),
            Passing::Wanted => Default::default(),
            as_before @ (Passing::Unknown | Passing::Many) => {
                self.passing = as_before;
                return None;
            }
        };
        let firsts = (0..shelf.len()).step_by(CHUNK).map(ItemId::new);
        let chunks: Vec<u64> = firsts.map(|first| shelf.version_at(first)).collect();
        let is_stale = |chunk: usize| known_chunks.get(chunk) != Some(&chunks[chunk]);
        let mut items: Vec<ItemId> =
            known.iter().copied().filter(|item| !is_stale(item.index() / CHUNK)).collect();
        for chunk in (0..chunks.len()).filter(|chunk| is_stale(*chunk)) {
            let places = chunk * CHUNK..((chunk + 1) * CHUNK).min(shelf.len());
            items.extend(places.map(ItemId::new).filter(|item| self.holds(shelf, *item)));
            if !are_few(items.len(), shelf) {
                self.passing = Passing::Many;
                return None;
            }
        }
        items.sort_unstable_by_key(|item| contents.popularity_rank(*item));
        let items = Arc::new(items);
        let version = shelf.version();
        self.passing = Passing::These { items: items.clone(), version, chunks };
        Some(items)
    }

    fn holds(&mut self, shelf: &Shelf, item: ItemId) -> bool {
        let (chunk, place) = (item.index() / CHUNK, item.index() % CHUNK);
        if self.chunks.len() <= chunk {
            self.chunks.resize(shelf.len().div_ceil(CHUNK), Memo::default());
        }
        let memo = &mut self.chunks[chunk];
        let version = shelf.version_at(item);
        if memo.version != version {
            *memo = Memo { version, ..Memo::default() };
        }
        let (word, bit) = (place / 64, 1u64 << (place % 64));
        if memo.known[word] & bit == 0 {
            memo.known[word] |= bit;
            if self.bound.matches(&shelf.row(item)) {
                memo.passes[word] |= bit;
            }
        }
        memo.passes[word] & bit != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_shops_rules_ask_of_every_question_is_kept_however_much_it_is() {
        let shelf = Shelf::default();
        let filters = |from: usize, count: usize| {
            (from..from + count)
                .map(|price| Filter::parse(&format!("price < {price}"), &Shelf::default()))
        };
        let mut sieves = Sieves::default();
        let mut ask = |all: Vec<_>| {
            sieves.begin(&shelf);
            let before = sieves.kept.len();
            let all: Vec<Filter> =
                all.into_iter().map(|filter: Result<_, _>| filter.expect("a filter")).collect();
            all.iter().for_each(|filter| _ = sieves.condition(filter, None));
            (before, sieves.kept.len())
        };
        assert_eq!(ask(filters(0, 100).collect()), (0, 100));
        assert_eq!(ask(filters(0, 100).collect()), (100, 100));
        assert_eq!(ask(filters(0, 101).collect()), (100, 101), "and one of a visitor's own");
        for visitor in 1..99 {
            ask(filters(0, 100).chain(filters(1_000 + visitor, 1)).collect());
        }
        assert!(ask(filters(0, 100).collect()).1 <= 202, "but not everything for ever");
    }
}
