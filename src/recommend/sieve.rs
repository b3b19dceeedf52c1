//! Filters at work: what an item gave once is remembered until the item changes.

use rustc_hash::FxHashMap;

use super::terms::PriceBand;
use crate::catalog::{CHUNK, Shelf, ShelfRow};
use crate::filter::{Bound, Filter, Row};
use crate::ids::ItemId;

/// After so many filters the memory starts anew. Each takes two bits per item.
const MOST_KEPT: usize = 64;

/// The filters of late, with what they gave. Belongs to one thread.
#[derive(Debug, Default)]
pub(super) struct Sieves {
    /// The shelf that they were asked about.
    shelf: u64,
    kept: Vec<Kept>,
    by_text: FxHashMap<String, usize>,
}

#[derive(Debug)]
struct Kept {
    bound: Bound,
    chunks: Vec<Memo>,
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
}

impl Sieves {
    /// Begins a question to this shelf: conditions of the question before are no longer good.
    pub(super) fn begin(&mut self, shelf: &Shelf) {
        if self.shelf != shelf.number() || self.kept.len() >= MOST_KEPT {
            self.kept.clear();
            self.by_text.clear();
            self.shelf = shelf.number();
        }
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
        if let Some(&number) = self.by_text.get(filter.text()) {
            return Condition::Kept(number);
        }
        let number = self.kept.len();
        self.kept.push(Kept { bound: filter.bind(None), chunks: Vec::new() });
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

    /// Whether the item passes.
    pub(super) fn holds(&mut self, condition: &Condition, shelf: &Shelf, item: ItemId) -> bool {
        match condition {
            Condition::Once(bound) => bound.matches(&shelf.row(item)),
            Condition::Kept(number) => self.kept[*number].holds(shelf, item),
        }
    }
}

impl Kept {
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
