//! What can be offered right now: every item's price, stock, brand and so on, in columns.
//!
//! The columns come in chunks of 1,024 items. A change copies the chunk it falls into and leaves the others
//! to be shared, so that whoever holds the shelf of a moment ago goes on reading it, and a change of one
//! price costs the same in a shop of a million items as in a small one.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::tz::TimeZone;
use rustc_hash::FxHashMap;

use super::columns::{Chunk, Texts};
use super::fields::{Attributes, Field};
use super::{Absence, BELOW, Item, Listing};
use crate::filter::{FieldId, Row};
use crate::ids::{Interner, ItemId, Strings};
use crate::time::Timestamp;

/// Items per chunk.
pub const CHUNK: usize = 1024;

/// An item's nearest in the trained index, with cosines.
pub type Near = Vec<(ItemId, f32)>;

/// All items: those of the trained index in the order of their ids, and the arrivals behind them.
#[derive(Clone, Default)]
pub struct Shelf {
    keys: Arc<Interner<ItemId>>,
    /// As of last night; empty where there is none.
    titles: Arc<Strings>,
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
    /// What decides on which day a moment lies; none is UTC.
    zone: Option<TimeZone>,
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
    /// By category: each they were in since they came.
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

/// A shelf that is being filled, item by item in the order of their ids.
#[derive(Debug, Default)]
pub struct ShelfBuilder {
    titles: Strings,
    chunks: Vec<Chunk>,
    absent: Vec<u64>,
    has_groups: bool,
    latest_launch: Timestamp,
    texts: Texts,
    attributes: Attributes,
}

impl ShelfBuilder {
    /// Puts up the next item.
    pub fn push(&mut self, item: &Item) {
        let index = self.len();
        self.attributes.add(item);
        if index.is_multiple_of(CHUNK) {
            self.chunks.push(Chunk::default());
        }
        let chunk = self.chunks.last_mut().expect("just made if there was none");
        let place = chunk.push();
        chunk.set(place, item, &self.attributes.values(item), &mut self.texts);
        self.absent.resize(index / 64 + 1, 0);
        if item.is_in_stock() == Some(false) {
            self.absent[index / 64] |= 1 << (index % 64);
        }
        self.has_groups |= item.group_id.is_some();
        self.latest_launch = self.latest_launch.max(item.launched_at.unwrap_or_default());
        self.titles.push(item.title.as_deref().unwrap_or_default());
    }

    /// How many items were put up.
    pub fn len(&self) -> usize {
        self.titles.len()
    }

    /// True before the first item.
    pub fn is_empty(&self) -> bool {
        self.titles.is_empty()
    }

    /// The shelf of these items, whose keys are `keys`.
    pub fn build(self, keys: Arc<Interner<ItemId>>) -> Shelf {
        debug_assert_eq!(keys.len(), self.len());
        let arrived = match keys.is_in_any_case() {
            true => Interner::new().in_any_case(),
            false => Interner::new(),
        };
        Shelf {
            keys,
            arrivals: Arc::new(Arrivals { keys: arrived, ..Arrivals::default() }),
            titles: Arc::new(self.titles),
            chunks: self.chunks.into_iter().map(Arc::new).collect(),
            absent: Arc::new(self.absent),
            has_groups: self.has_groups,
            latest_launch: self.latest_launch,
            texts: self.texts.settled(),
            attributes: Arc::new(self.attributes),
            number: SHELVES.fetch_add(1, Ordering::Relaxed),
            ..Shelf::default()
        }
    }
}

/// One item that has changed, or arrived.
#[derive(Clone, Debug)]
pub struct Change {
    /// The shop's key.
    pub key: String,
    /// As it is from now on.
    pub listing: Listing,
    /// Close to it in the trained index, if the trainer has not seen it.
    pub near: Near,
}

impl Shelf {
    /// The same shelf, of a shop of this time zone.
    pub fn in_zone(self, zone: TimeZone) -> Self {
        Self { zone: Some(zone), ..self }
    }

    /// The shelf as the catalogue filled it last night; `items` in the order of their ids.
    pub fn new(keys: Arc<Interner<ItemId>>, items: &[Item]) -> Self {
        let mut builder = ShelfBuilder::default();
        items.iter().for_each(|item| builder.push(item));
        builder.build(keys)
    }

    /// The same shelf after the changes. A key that the trainer has not seen becomes an arrival.
    pub fn with(&self, changes: impl IntoIterator<Item = Change>) -> Self {
        let mut next = self.clone();
        next.version += 1;
        for Change { key, listing, near } in changes {
            let known = next.get(&key);
            let item = known.unwrap_or_else(|| next.arrive(&key));
            next.place_near(item, near);
            next.put(item, listing, known.is_none());
        }
        next
    }

    fn arrive(&mut self, key: &str) -> ItemId {
        let arrivals = Arc::make_mut(&mut self.arrivals);
        let number: ItemId = arrivals.keys.intern(key);
        let item = ItemId::new(self.keys.len() + number.index());
        arrivals.near.push(Vec::new());
        if item.index().is_multiple_of(CHUNK) {
            self.chunks.push(Arc::default());
        }
        let last = self.chunks.last_mut().expect("just made if there was none");
        Arc::make_mut(last).push();
        item
    }

    /// An arrival's nearest, which are others once the shop says more of it.
    fn place_near(&mut self, item: ItemId, near: Near) {
        let Some(number) = item.index().checked_sub(self.keys.len()) else { return };
        if self.arrivals.near[number] == near {
            return;
        }
        let Arrivals { near: all, close_to, .. } = Arc::make_mut(&mut self.arrivals);
        for (trained, _) in &all[number] {
            close_to.entry(*trained).or_default().retain(|(arrival, _)| *arrival != item);
        }
        for &(trained, cosine) in &near {
            close_to.entry(trained).or_default().push((item, cosine));
        }
        all[number] = near;
    }

    fn put(&mut self, item: ItemId, listing: Listing, is_new: bool) {
        if listing.item.attributes.keys().any(|name| self.attributes.names.get(name).is_none()) {
            Arc::make_mut(&mut self.attributes).add_new(&listing.item);
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
        let before = self.category(item);
        let values = self.attributes.values(&listing.item);
        let chunk = Arc::make_mut(&mut self.chunks[item.index() / CHUNK]);
        chunk.version = self.version;
        chunk.set(item.index() % CHUNK, &listing.item, &values, &mut self.texts);
        chunk.list(item.index() % CHUNK, listing);
        let category = self.category(item);
        self.has_moved |= !is_new && category != before;
        let has_arrived = item.index() >= self.keys.len();
        if let Some(category) = category.filter(|_| has_arrived && (is_new || category != before)) {
            let arrivals = &mut Arc::make_mut(&mut self.arrivals).of_category;
            let arrivals = arrivals.entry(category).or_default();
            if is_new || !arrivals.contains(&item) {
                arrivals.push(item);
            }
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

    /// How many attributes filters can name.
    pub fn attributes(&self) -> usize {
        self.attributes.names.len()
    }

    /// How many more were sent, and were too many.
    pub fn left_out(&self) -> usize {
        self.attributes.left_out.len()
    }

    /// The same with a number of its own: what is laid over it has nothing to do with what was laid over this.
    pub fn apart(self) -> Self {
        Self { number: SHELVES.fetch_add(1, Ordering::Relaxed), ..self }
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

    /// The item with this key; in any case, if the index knows its items so.
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
        self.told_title(item).unwrap_or_else(|| self.key(item))
    }

    /// The title, if there is one.
    pub fn told_title(&self, item: ItemId) -> Option<&str> {
        match self.changed(item) {
            Some(listing) => listing.item.title.as_deref(),
            None => Some(self.titles.get(item.index())).filter(|title| !title.is_empty()),
        }
    }

    /// Maker or label, if the shop says.
    pub fn brand(&self, item: ItemId) -> Option<&str> {
        let (chunk, place) = self.at(item);
        self.texts.get(chunk.brand(place)?)
    }

    /// The full path of its category, `a > b > c`, if it has one.
    pub fn path(&self, item: ItemId) -> Option<&str> {
        self.texts.get(self.category(item)?)
    }

    /// First day of sale, if the shop says.
    pub fn launched_at(&self, item: ItemId) -> Option<Timestamp> {
        let (chunk, place) = self.at(item);
        chunk.launched(place)
    }

    /// The day of the shop in which the moment lies, as days since 1970-01-01.
    pub fn day_of(&self, moment: Timestamp) -> i64 {
        moment.day(self.zone.as_ref().unwrap_or(&TimeZone::UTC))
    }

    /// What the shop says of the item.
    pub fn item(&self, item: ItemId) -> Item {
        if let Some(listing) = self.changed(item) {
            return listing.item.clone();
        }
        let ((chunk, place), row) = (self.at(item), self.row(item));
        let owned = |text: Option<&str>| text.map(str::to_owned);
        let levels = self.path(item).map(|path| path.split(BELOW).map(str::to_owned).collect());
        Item {
            title: owned(self.told_title(item)),
            category: levels.unwrap_or_default(),
            brand: owned(self.brand(item)),
            price: self.price(item),
            cost: chunk.cost(place),
            in_stock: chunk.in_stock(place),
            stock: chunk.stock(place).map(|units| units as i64),
            group_id: owned(row.text(Field::GroupId.id())),
            launched_at: self.launched_at(item),
            attributes: row.attributes(),
        }
    }

    /// The same with stock, and whether it is hidden or deleted.
    pub fn listing(&self, item: ItemId) -> Listing {
        match self.changed(item) {
            Some(listing) => listing.clone(),
            None => self.item(item).into(),
        }
    }

    fn changed(&self, item: ItemId) -> Option<&Listing> {
        let (chunk, place) = self.at(item);
        chunk.listing(place)
    }

    /// Where the item's columns are.
    #[inline]
    pub(super) fn at(&self, item: ItemId) -> (&Chunk, usize) {
        (&self.chunks[item.index() / CHUNK], item.index() % CHUNK)
    }

    /// Why the item can't be offered now, if so.
    #[inline]
    pub fn absence(&self, item: ItemId) -> Option<Absence> {
        if self.absent[item.index() / 64] & (1 << (item.index() % 64)) == 0 {
            return None;
        }
        let (chunk, place) = self.at(item);
        chunk.absence(place)
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

    /// When items are launched that are launched after this moment, in no order.
    pub fn launches_after(&self, moment: Timestamp) -> impl Iterator<Item = Timestamp> {
        // Mostly there is none, and nothing to go through.
        let chunks = if self.latest_launch > moment { &self.chunks[..] } else { &[] };
        let launches = chunks.iter().flat_map(|chunk| chunk.launches());
        launches.filter(move |launched| *launched > moment)
    }

    /// The field of the category, as filters know it.
    pub fn category_field(&self) -> FieldId {
        Field::Category.id()
    }

    /// The variants of one product share this.
    #[inline]
    pub fn group(&self, item: ItemId) -> Option<u32> {
        let (chunk, place) = self.at(item);
        chunk.group(place)
    }

    /// The category path as a number: the same for the same path.
    pub fn category(&self, item: ItemId) -> Option<u32> {
        let (chunk, place) = self.at(item);
        chunk.category(place)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::{Schema, Type};

    #[test]
    fn an_item_is_launched_on_a_day_of_the_shop() {
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        let launched_at = Some(Timestamp::of_day(19_754, &berlin)); // 2024-02-01, at midnight
        let mut keys = Interner::new();
        keys.intern("tent");
        let shelf = Shelf::new(Arc::new(keys), &[Item { launched_at, ..Item::default() }]);
        let field = |shelf: &Shelf| shelf.field("launched_at").expect("it is a field").0;
        let day = |shelf: &Shelf| shelf.row(ItemId::FIRST).day(field(shelf));
        assert_eq!(day(&shelf), Some(19_753), "in UTC it is the evening before");
        assert_eq!(day(&shelf.in_zone(berlin)), Some(19_754));
    }

    #[test]
    fn an_item_comes_back_as_it_was_put_up_whatever_came_later() {
        let owned = |text: &str| Some(text.to_owned());
        let full = Item {
            title: owned("Ceylon tea"),
            category: vec!["Food".into(), "Tea > loose".into()],
            brand: owned("Leaf"),
            price: Some(0.0),
            cost: Some(1.25),
            in_stock: Some(true),
            stock: Some(0),
            group_id: owned("tea"),
            launched_at: Some(Timestamp(-7)),
            attributes: [("size", "10"), ("", "")].map(|(a, b)| (a.into(), b.into())).into(),
        };
        let late = Item {
            title: owned("A pot"),
            in_stock: Some(true),
            attributes: [("glaze".to_owned(), "blue".to_owned())].into(),
            ..Item::default()
        };
        let mut items = vec![full.clone(), Item::default()];
        items.resize(CHUNK, Item::default());
        items.push(late);
        let mut keys = Interner::new();
        (0..items.len()).for_each(|item| _ = keys.intern(&item.to_string()));
        let shelf = Shelf::new(Arc::new(keys), &items);
        // A level that is a path itself is several levels.
        items[0].category = ["Food", "Tea", "loose"].map(String::from).into();
        let all = || (0..items.len()).map(ItemId::new);
        assert!(all().map(|item| shelf.item(item)).eq(items.iter().cloned()));
        assert_eq!(
            all().filter(|item| shelf.absence(*item).is_some()).collect::<Vec<_>>(),
            [ItemId::FIRST]
        );

        let listing = Listing::from(Item { title: owned("Tea"), ..full });
        let changed =
            shelf.with([Change { key: "0".into(), listing: listing.clone(), near: Vec::new() }]);
        assert_eq!(changed.item(ItemId::FIRST), listing.item);
        assert_eq!(changed.title(ItemId::FIRST), "Tea");
        assert_eq!(changed.title(ItemId::new(1)), "1");
        assert_eq!(shelf.item(ItemId::FIRST), items[0], "who holds the earlier shelf reads on");
    }

    #[test]
    fn a_column_of_numbers_stays_one_until_the_next_night_whatever_comes() {
        let sized = |of: &[(&str, &str)]| Item {
            attributes: of.iter().map(|(name, size)| ((*name).into(), (*size).into())).collect(),
            ..Item::default()
        };
        let mut keys = Interner::new();
        keys.intern("cup");
        let shelf = Shelf::new(Arc::new(keys), &[sized(&[("size", "10")])]);
        let pot = |key: &str, grade: &str| {
            let listing = sized(&[("size", "L"), ("grade", grade)]).into();
            Change { key: key.into(), listing, near: Vec::new() }
        };
        for (one, other) in [("7", "L"), ("L", "7")] {
            let changed = shelf.with([pot("pot", one), pot("jug", other)]);
            let kind = |name: &str| changed.field(name).map(|(_, kind)| kind);
            assert_eq!([kind("size"), kind("grade")], [Some(Type::Number), Some(Type::Text)]);
            assert_eq!(changed.item(ItemId::new(1)).attributes["size"], "L");
        }
    }

    #[test]
    fn an_arrivals_nearest_and_category_are_those_of_what_was_said_last() {
        let mut keys = Interner::new();
        ["cup", "pot"].iter().for_each(|key| _ = keys.intern(key));
        let [cup, pot, jug] = [0, 1, 2].map(ItemId::new);
        let shelf = Shelf::new(Arc::new(keys), &[Item::default(), Item::default()]);
        let jug_is = |category: &[&str], near: Near| {
            let category = category.iter().map(|level| (*level).to_owned()).collect();
            let listing = Item { category, ..Item::default() }.into();
            [Change { key: "jug".into(), listing, near }]
        };
        let bare = shelf.with(jug_is(&[], vec![(cup, 0.5)]));
        assert_eq!(bare.arrivals_close_to(cup), [(jug, 0.5)]);
        let told = bare.with(jug_is(&["Kitchen"], vec![(pot, 0.75)]));
        let told = told.with(jug_is(&["Kitchen"], vec![(pot, 0.75)]));
        assert_eq!((told.near(jug), told.arrivals_close_to(cup)), (&[(pot, 0.75)][..], &[][..]));
        assert_eq!(told.arrivals_close_to(pot), [(jug, 0.75)]);
        assert_eq!(told.arrivals_at("Kitchen"), [jug]);
    }
}
