//! What can be offered right now: every item's price, stock, brand and so on, in columns.
//!
//! The columns come in chunks of 1,024 items. A change copies the chunk it falls into and leaves the others
//! to be shared, so that whoever holds the shelf of a moment ago goes on reading it, and a change of one
//! price costs the same in a shop of a million items as in a small one.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustc_hash::FxHashMap;

use super::columns::{Chunk, Texts};
use super::fields::{Attributes, Field};
use super::{Absence, Item, Listing};
use crate::filter::{FieldId, Row};
use crate::ids::{Interner, ItemId};
use crate::time::Timestamp;

/// Items per chunk.
pub const CHUNK: usize = 1024;

/// An item's nearest in the trained index, with cosines.
pub type Near = Vec<(ItemId, f32)>;

/// All items: those of the trained index in the order of their ids, and the arrivals behind them.
#[derive(Clone, Default)]
pub struct Shelf {
    keys: Arc<Interner<ItemId>>,
    items: Arc<Vec<Item>>,
    pub(super) chunks: Vec<Arc<Chunk>>,
    /// A bit per item: it can't be offered. Answers ask this of thousands of items.
    absent: Arc<Vec<u64>>,
    /// Some item is a variant of a product.
    has_groups: bool,
    /// Some item has gone to another category than it was in when it came.
    has_moved: bool,
    /// The latest that any item was, is or will be launched.
    latest_launch: Timestamp,
    pub(super) texts: Texts,
    pub(super) attributes: Arc<Attributes>,
    arrivals: Arc<Arrivals>,
    number: u64,
    version: u64,
}

/// Shelves made so far; that of nobody is 0.
static SHELVES: AtomicU64 = AtomicU64::new(1);

/// Items that the trainer has not seen.
#[derive(Clone, Debug, Default)]
struct Arrivals {
    keys: Interner<ItemId>,
    near: Vec<Near>,
    /// The other way round: trained item → arrivals close to it.
    close_to: FxHashMap<ItemId, Near>,
    /// By category, as it was when they came.
    of_category: FxHashMap<u32, Vec<ItemId>>,
}

impl fmt::Debug for Shelf {
    /// Without its number, which is another one in each run.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shelf")
            .field("chunks", &self.chunks)
            .field("texts", &self.texts)
            .field("arrivals", &self.arrivals)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

/// One item that has changed, or arrived.
#[derive(Clone, Debug)]
pub struct Change {
    /// The shop's key.
    pub key: String,
    /// As it is from now on.
    pub listing: Listing,
    /// Close to it in the trained index; looked at for arrivals only.
    pub near: Near,
}

impl Shelf {
    /// The shelf as the catalogue filled it last night.
    pub fn new(keys: Arc<Interner<ItemId>>, items: Arc<Vec<Item>>) -> Self {
        let attributes = Attributes::of(&items);
        let mut texts = Texts::default();
        let chunks = items
            .chunks(CHUNK)
            .map(|items| {
                let mut chunk = Chunk::with_columns(attributes.names.len());
                for item in items {
                    let place = chunk.push();
                    chunk.set(place, item, &attributes.values(item), &mut texts);
                }
                Arc::new(chunk)
            })
            .collect();
        let texts = texts.settled();
        let attributes = Arc::new(attributes);
        let number = SHELVES.fetch_add(1, Ordering::Relaxed);
        let arrivals = Arc::default();
        let mut absent = vec![0; items.len().div_ceil(64)];
        for (place, _) in items.iter().enumerate().filter(|(_, i)| i.in_stock == Some(false)) {
            absent[place / 64] |= 1 << (place % 64);
        }
        let has_groups = items.iter().any(|item| item.group_id.is_some());
        let latest_launch = items.iter().filter_map(|item| item.launched_at).max();
        let absent = Arc::new(absent);
        Self {
            keys,
            items,
            chunks,
            absent,
            has_groups,
            has_moved: false,
            latest_launch: latest_launch.unwrap_or_default(),
            texts,
            attributes,
            arrivals,
            number,
            version: 0,
        }
    }

    /// The same shelf after the changes. A key that the trainer has not seen becomes an arrival.
    pub fn with(&self, changes: impl IntoIterator<Item = Change>) -> Self {
        let mut next = self.clone();
        next.version += 1;
        for Change { key, listing, near } in changes {
            let known = next.get(&key);
            let item = known.unwrap_or_else(|| next.arrive(&key, near));
            next.put(item, listing, known.is_none());
        }
        next
    }

    fn arrive(&mut self, key: &str, near: Near) -> ItemId {
        let arrivals = Arc::make_mut(&mut self.arrivals);
        let number: ItemId = arrivals.keys.intern(key);
        let item = ItemId::new(self.keys.len() + number.index());
        for &(trained, cosine) in &near {
            arrivals.close_to.entry(trained).or_default().push((item, cosine));
        }
        arrivals.near.push(near);
        if item.index().is_multiple_of(CHUNK) {
            self.chunks.push(Arc::new(Chunk::with_columns(self.attributes.names.len())));
        }
        let last = self.chunks.last_mut().expect("just made if there was none");
        Arc::make_mut(last).push();
        item
    }

    fn put(&mut self, item: ItemId, listing: Listing, is_new: bool) {
        if listing.item.attributes.keys().any(|name| self.attributes.names.get(name).is_none()) {
            Arc::make_mut(&mut self.attributes).add(&listing.item);
        }
        self.has_groups |= listing.item.group_id.is_some();
        self.latest_launch = self.latest_launch.max(listing.item.launched_at.unwrap_or_default());
        let absent = Arc::make_mut(&mut self.absent);
        absent.resize(absent.len().max(item.index() / 64 + 1), 0);
        let (word, bit) = (&mut absent[item.index() / 64], 1 << (item.index() % 64));
        match listing.absence() {
            Some(_) => *word |= bit,
            None => *word &= !bit,
        }
        self.has_moved |= !is_new && listing.item.category != self.item(item).category;
        let values = self.attributes.values(&listing.item);
        let chunk = Arc::make_mut(&mut self.chunks[item.index() / CHUNK]);
        chunk.version = self.version;
        chunk.widen(self.attributes.names.len());
        chunk.set(item.index() % CHUNK, &listing.item, &values, &mut self.texts);
        chunk.list(item.index() % CHUNK, listing);
        if let (true, Some(category)) = (is_new, self.category(item)) {
            Arc::make_mut(&mut self.arrivals).of_category.entry(category).or_default().push(item);
        }
    }

    /// How many items there are, arrivals and what can't be offered included.
    pub fn len(&self) -> usize {
        self.keys.len() + self.arrivals.keys.len()
    }

    /// True without an item.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many of them the trainer has seen: they have the first ids.
    pub fn trained(&self) -> usize {
        self.keys.len()
    }

    /// A number that only this shelf has, and what becomes of it by changes.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Grows with every change.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The same as long as nothing changes in the item's chunk.
    pub fn version_at(&self, item: ItemId) -> u64 {
        self.chunks[item.index() / CHUNK].version
    }

    /// The item with this key.
    pub fn get(&self, key: &str) -> Option<ItemId> {
        self.keys.get(key).or_else(|| {
            let arrival: ItemId = self.arrivals.keys.get(key)?;
            Some(ItemId::new(self.keys.len() + arrival.index()))
        })
    }

    /// The shop's key of the item.
    pub fn key(&self, item: ItemId) -> &str {
        match item.index().checked_sub(self.keys.len()) {
            None => self.keys.key(item),
            Some(arrival) => self.arrivals.keys.key(ItemId::new(arrival)),
        }
    }

    /// What customers read: the title, or the key where there is none.
    pub fn title(&self, item: ItemId) -> &str {
        self.item(item).title.as_deref().unwrap_or_else(|| self.key(item))
    }

    /// What the shop says of the item.
    pub fn item(&self, item: ItemId) -> &Item {
        match self.changed(item) {
            Some(listing) => &listing.item,
            None => &self.items[item.index()],
        }
    }

    /// The same with stock, and whether it is hidden or deleted.
    pub fn listing(&self, item: ItemId) -> Listing {
        match self.changed(item) {
            Some(listing) => listing.clone(),
            None => self.items[item.index()].clone().into(),
        }
    }

    fn changed(&self, item: ItemId) -> Option<&Listing> {
        self.chunks[item.index() / CHUNK].listing(item.index() % CHUNK)
    }

    /// Why the item can't be offered now, if so.
    #[inline]
    pub fn absence(&self, item: ItemId) -> Option<Absence> {
        if self.absent[item.index() / 64] & (1 << (item.index() % 64)) == 0 {
            return None;
        }
        self.chunks[item.index() / CHUNK].absence(item.index() % CHUNK)
    }

    /// Selling price, ≥ 0, if known.
    pub fn price(&self, item: ItemId) -> Option<f64> {
        self.row(item).number(Field::Price.id())
    }

    /// What the shop earns by one: price less cost, if both are known.
    pub fn margin(&self, item: ItemId) -> Option<f64> {
        self.row(item).number(Field::Margin.id())
    }

    /// Whether any item is a variant of a product.
    pub fn has_groups(&self) -> bool {
        self.has_groups
    }

    /// Whether any item has gone to another category since the catalogue filled the shelf, or since it arrived.
    pub fn has_moved(&self) -> bool {
        self.has_moved
    }

    /// The latest that any item was, is or will be launched; 1970 if nobody says.
    pub fn latest_launch(&self) -> Timestamp {
        self.latest_launch
    }

    /// The field of the category, as filters know it.
    pub fn category_field(&self) -> FieldId {
        Field::Category.id()
    }

    /// The variants of one product share this.
    #[inline]
    pub fn group(&self, item: ItemId) -> Option<u32> {
        self.chunks[item.index() / CHUNK].group(item.index() % CHUNK)
    }

    /// The category path as a number: the same for the same path.
    pub fn category(&self, item: ItemId) -> Option<u32> {
        self.chunks[item.index() / CHUNK].category(item.index() % CHUNK)
    }

    /// Close to an arrival in the trained index; nothing for other items.
    pub fn near(&self, arrival: ItemId) -> &[(ItemId, f32)] {
        let number = arrival.index().checked_sub(self.keys.len());
        number.map_or(&[], |number| &self.arrivals.near[number])
    }

    /// Arrivals that are close to a trained item.
    pub fn arrivals_close_to(&self, item: ItemId) -> &[(ItemId, f32)] {
        self.arrivals.close_to.get(&item).map_or(&[], Vec::as_slice)
    }

    /// At most `size` items whose keys come after `after`, in the order of the keys, without those that were
    /// deleted; and whether they are the last.
    pub fn page(&self, after: Option<&str>, size: usize) -> (Vec<ItemId>, bool) {
        let deleted = |item: ItemId| self.absence(item) == Some(Absence::Deleted);
        let mut later: Vec<ItemId> = (0..self.len())
            .map(ItemId::new)
            .filter(|item| after.is_none_or(|after| self.key(*item) > after) && !deleted(*item))
            .collect();
        let is_last = later.len() <= size;
        if !is_last {
            later.select_nth_unstable_by(size, |a, b| self.key(*a).cmp(self.key(*b)));
            later.truncate(size);
        }
        later.sort_unstable_by(|a, b| self.key(*a).cmp(self.key(*b)));
        (later, is_last)
    }

    /// Arrivals in the category of this number, in the order in which they came.
    pub fn arrivals_in(&self, category: u32) -> &[ItemId] {
        self.arrivals.of_category.get(&category).map_or(&[], Vec::as_slice)
    }

    /// The same for a category's path.
    pub fn arrivals_at(&self, path: &str) -> &[ItemId] {
        self.texts.find(path).map_or(&[], |category| self.arrivals_in(category))
    }
}
