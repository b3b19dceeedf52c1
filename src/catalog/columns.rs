//! The columns of a shelf, a chunk of items at a time.

use std::sync::Arc;

use super::fields::number;
use super::shelf::CHUNK;
use super::{Absence, Item, Listing};
use crate::ids::{DenseId, Interner};
use crate::time::Timestamp;

/// Texts that many items share, by number.
#[derive(Clone, Debug, Default)]
pub(super) struct Texts {
    /// As of last night.
    settled: Arc<Interner<Text>>,
    /// Since then: few, so that a change copies little.
    added: Arc<Interner<Text>>,
}

/// A text that many items share.
#[derive(Clone, Copy, Debug)]
struct Text(u32);

impl DenseId for Text {
    fn new(index: usize) -> Self {
        Self(u32::try_from(index).expect("fewer than 2^32 texts"))
    }

    fn index(self) -> usize {
        self.0 as usize
    }
}

impl Texts {
    fn number(&mut self, text: &str) -> u32 {
        self.find(text).unwrap_or_else(|| {
            self.settled.len() as u32 + Arc::make_mut(&mut self.added).intern(text).0
        })
    }

    /// The number of a text that is there.
    pub(super) fn find(&self, text: &str) -> Option<u32> {
        let settled = self.settled.get(text).map(|known| known.0);
        settled.or_else(|| Some(self.settled.len() as u32 + self.added.get(text)?.0))
    }

    /// The text with this number.
    pub(super) fn get(&self, number: u32) -> Option<&str> {
        let number = number as usize;
        let (settled, added) = (self.settled.len(), self.added.len());
        match number.checked_sub(settled) {
            None => Some(self.settled.key(Text::new(number))),
            Some(number) => (number < added).then(|| self.added.key(Text::new(number))),
        }
    }

    /// The same texts, all as of last night.
    pub(super) fn settled(self) -> Self {
        debug_assert!(self.settled.is_empty(), "nothing else was settled before");
        Self { settled: self.added, added: Arc::default() }
    }
}

/// No text, or no item.
const NONE: u32 = u32::MAX;

/// No launch.
const NEVER: Timestamp = Timestamp(i64::MIN);

/// The columns of up to [`CHUNK`] items: all that is said of them but their titles.
#[derive(Clone, Debug, Default)]
pub(super) struct Chunk {
    /// The version of the shelf that changed it last.
    pub(super) version: u64,
    state: Vec<State>,
    price: Vec<f64>,
    cost: Vec<f64>,
    stock: Vec<f64>,
    launched: Vec<Timestamp>,
    brand: Vec<u32>,
    category: Vec<u32>,
    group: Vec<u32>,
    /// Those that some item here has; shorter than the shelf's names if none has the last of them.
    attributes: Vec<Column>,
    /// What was said of an item since last night; empty if nothing was of any.
    listings: Vec<Option<Arc<Listing>>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct State {
    absence: Option<Absence>,
    /// As the catalogue says, whatever the count of units.
    in_stock: Option<bool>,
}

/// Empty where no item of the chunk has it.
#[derive(Clone, Debug, Default)]
struct Column {
    texts: Vec<u32>,
    numbers: Vec<f64>,
}

impl Chunk {
    /// Makes room for one more item, and gives its place.
    pub(super) fn push(&mut self) -> usize {
        let place = self.state.len();
        debug_assert!(place < CHUNK);
        self.state.push(State::default());
        self.price.push(f64::NAN);
        self.cost.push(f64::NAN);
        self.stock.push(f64::NAN);
        self.launched.push(NEVER);
        for column in [&mut self.brand, &mut self.category, &mut self.group] {
            column.push(NONE);
        }
        self.attributes
            .iter_mut()
            .filter(|column| column.is_used())
            .for_each(|c| c.resize(place + 1));
        if !self.listings.is_empty() {
            self.listings.push(None);
        }
        place
    }

    /// Puts down what the catalogue says of the item at `place`.
    pub(super) fn set(
        &mut self,
        place: usize,
        item: &Item,
        attributes: &[(usize, &str)],
        texts: &mut Texts,
    ) {
        let sold_out = item.is_in_stock() == Some(false);
        self.state[place] =
            State { absence: sold_out.then_some(Absence::SoldOut), in_stock: item.in_stock };
        self.stock[place] = item.stock.map_or(f64::NAN, |units| units as f64);
        self.price[place] = item.price.unwrap_or(f64::NAN);
        self.cost[place] = item.cost.unwrap_or(f64::NAN);
        self.launched[place] = item.launched_at.unwrap_or(NEVER);
        let mut text = |text: Option<&str>| text.map_or(NONE, |text| texts.number(text));
        self.brand[place] = text(item.brand.as_deref());
        self.group[place] = text(item.group_id.as_deref());
        self.category[place] = text(item.path().as_deref());
        for column in self.attributes.iter_mut().filter(|column| column.is_used()) {
            (column.texts[place], column.numbers[place]) = (NONE, f64::NAN);
        }
        for &(column, value) in attributes {
            self.attributes.resize(self.attributes.len().max(column + 1), Column::default());
            let column = &mut self.attributes[column];
            column.resize(self.state.len());
            column.texts[place] = text(Some(value));
            column.numbers[place] = number(value).unwrap_or(f64::NAN);
        }
    }

    /// Keeps the listing of the item at `place`, and puts down whether it can be offered.
    pub(super) fn list(&mut self, place: usize, listing: Listing) {
        self.state[place].absence = listing.absence();
        self.listings.resize(self.state.len(), None);
        self.listings[place] = Some(Arc::new(listing));
    }

    pub(super) fn listing(&self, place: usize) -> Option<&Listing> {
        self.listings.get(place)?.as_deref()
    }

    #[inline]
    pub(super) fn absence(&self, place: usize) -> Option<Absence> {
        self.state[place].absence
    }

    /// As the catalogue says, whatever the count of units.
    pub(super) fn in_stock(&self, place: usize) -> Option<bool> {
        self.state[place].in_stock
    }

    pub(super) fn stock(&self, place: usize) -> Option<f64> {
        some(self.stock[place])
    }

    pub(super) fn price(&self, place: usize) -> Option<f64> {
        some(self.price[place])
    }

    pub(super) fn cost(&self, place: usize) -> Option<f64> {
        some(self.cost[place])
    }

    pub(super) fn launches(&self) -> impl Iterator<Item = Timestamp> {
        self.launched.iter().copied().filter(|&launched| launched != NEVER)
    }

    pub(super) fn launched(&self, place: usize) -> Option<Timestamp> {
        Some(self.launched[place]).filter(|&launched| launched != NEVER)
    }

    pub(super) fn brand(&self, place: usize) -> Option<u32> {
        known(self.brand[place])
    }

    pub(super) fn category(&self, place: usize) -> Option<u32> {
        known(self.category[place])
    }

    pub(super) fn group(&self, place: usize) -> Option<u32> {
        known(self.group[place])
    }

    /// An attribute as a number.
    pub(super) fn number(&self, attribute: usize, place: usize) -> Option<f64> {
        some(*self.attributes.get(attribute)?.numbers.get(place)?)
    }

    /// An attribute as a text.
    pub(super) fn text(&self, attribute: usize, place: usize) -> Option<u32> {
        known(*self.attributes.get(attribute)?.texts.get(place)?)
    }
}

impl Column {
    fn is_used(&self) -> bool {
        !self.texts.is_empty()
    }

    fn resize(&mut self, count: usize) {
        self.texts.resize(count, NONE);
        self.numbers.resize(count, f64::NAN);
    }
}

fn known(text: u32) -> Option<u32> {
    (text != NONE).then_some(text)
}

fn some(number: f64) -> Option<f64> {
    (!number.is_nan()).then_some(number)
}
