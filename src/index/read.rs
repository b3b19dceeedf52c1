//! Opens a generation: what is served per item comes into memory, checked on the way; customers are
//! read one by one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::codec::{BLOCK, Entry, read_direction_block, read_list_block, read_vector_block};
use super::customers::Customers;
use super::keys::{CustomerKeys, Erased};
use super::manifest::{Digester, TreeDigest};
use super::opened::Opened;
use super::{Contents, Index, Manifest, SLED};
use crate::catalog::{Item, ShelfBuilder};
use crate::customers::{Demand, DueCurve, Interests, Recurrence};
use crate::embed::{ContentModel, UnitVectors, Word};
use crate::error::{Error, Result};
use crate::ids::{Interner, ItemId};
use crate::lists::{Lists, Ranked};
use crate::rules::longer::LongRule;
use crate::rules::onward::Returns;
use crate::rules::visits::Visits;
use crate::rules::{RuleLists, Rules};
use crate::time::Timestamp;
use crate::trends::{Hot, Riser, Seller, Window};

/// One generation, open for answers. Never changes.
#[derive(Debug)]
pub struct Snapshot {
    /// What the generation says of itself.
    pub manifest: Manifest,
    /// What answers are made of.
    pub contents: Contents,
    /// The customers' pasts.
    pub customers: Customers,
}

/// What `verify` found in one tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The tree.
    pub tree: String,
    /// What the manifest says.
    pub expected: TreeDigest,
    /// What is there.
    pub found: TreeDigest,
}

impl Snapshot {
    /// Opens the current generation of `index`.
    ///
    /// Errors: there is none; it is damaged, of another format, or can't be read.
    pub fn open_current(index: &Index) -> Result<Self> {
        Self::open(index, index.current()?)
    }

    /// Opens generation `number` of `index`.
    ///
    /// Errors: as for [`Snapshot::open_current`].
    pub fn open(index: &Index, number: u64) -> Result<Self> {
        let directory = index.generation_dir(number);
        let manifest = Manifest::read(&directory)?;
        if manifest.generation != number {
            return Err(Error::index(
                &directory,
                format!("its manifest belongs to generation {}", manifest.generation),
            ));
        }
        let mut trees = Trees::open(&directory)?;
        let mut contents = Contents::default();
        for part in PARTS {
            part(&Loader { trees: &trees, manifest: &manifest }, &mut contents)?;
            trees = trees.relieved()?;
        }
        let contents = contents.finish();
        Loader { trees: &trees, manifest: &manifest }.check(&contents)?;
        let keys = CustomerKeys::of(&manifest.customer_keys)?;
        let counts = (contents.len(), contents.categories.len());
        let customers = Customers::new(trees, counts, keys, Arc::new(Erased::of(index)?))?;
        Ok(Self { manifest, contents, customers })
    }
}

impl Index {
    /// Reads every byte of generation `number` and compares it with its manifest, tree by tree.
    ///
    /// Errors: the generation can't be opened. A difference is no error: it is in the answer.
    pub fn verify(&self, number: u64) -> Result<Vec<Verified>> {
        self.require(number)?;
        let directory = self.generation_dir(number);
        let manifest = Manifest::read(&directory)?;
        let trees = Trees::open(&directory)?;
        manifest
            .trees
            .into_iter()
            .map(|(tree, expected)| {
                let found = trees.digest(&tree)?;
                Ok(Verified { tree, expected, found })
            })
            .collect()
    }
}

/// Memory for customers' values, bytes.
const CACHE_BYTES: u64 = 64 << 20;
/// sled is opened once more after so many bytes.
const MUCH: u64 = 32 << 20;

/// sled, opened on one generation.
#[derive(Debug)]
pub(super) struct Trees {
    opened: Opened,
    directory: PathBuf,
    /// Bytes read since it was opened.
    read: AtomicU64,
}

impl Trees {
    /// Opens the generation, beside a server that may have it open.
    pub(super) fn open(directory: &Path) -> Result<Self> {
        let place = directory.join(SLED);
        if !place.is_dir() {
            return Err(Error::index(
                directory,
                "its folder `sled` is missing; train again, or go back to an earlier generation",
            ));
        }
        let opened = Opened::at(&place, directory, CACHE_BYTES)?;
        Ok(Self { opened, directory: directory.to_path_buf(), read: AtomicU64::new(0) })
    }

    /// The same, opened once more if much was read: sled holds on to large values far beyond its cache.
    fn relieved(self) -> Result<Self> {
        if self.read.load(Ordering::Relaxed) < MUCH {
            return Ok(self);
        }
        let opened = self.opened.again(&self.directory, CACHE_BYTES)?;
        Ok(Self { opened, read: AtomicU64::new(0), ..self })
    }

    /// Entries and digest of what is in the tree now.
    pub(super) fn digest(&self, name: &str) -> Result<TreeDigest> {
        let mut digester = Digester::default();
        self.each(name, |key, value| {
            digester.add(key, value);
            Some(())
        })?;
        Ok(digester.finish())
    }

    pub(super) fn tree(&self, name: &str) -> Result<sled::Tree> {
        self.opened.db.open_tree(name).map_err(|error| self.failed(name, &error))
    }

    /// Walks the tree in key order; `None` from `visit` means that the bytes make no sense.
    fn each(&self, name: &str, mut visit: impl FnMut(&[u8], &[u8]) -> Option<()>) -> Result<()> {
        for entry in &self.tree(name)? {
            let (key, value) = entry.map_err(|error| self.failed(name, &error))?;
            self.read.fetch_add(value.len() as u64, Ordering::Relaxed);
            visit(&key, &value).ok_or_else(|| self.damaged(name))?;
        }
        Ok(())
    }

    pub(super) fn failed(&self, tree: &str, error: &sled::Error) -> Error {
        Error::index(&self.directory, format!("tree {tree} can't be read: {error}"))
    }

    pub(super) fn damaged(&self, tree: &str) -> Error {
        Error::index(
            &self.directory,
            format!(
                "tree {tree} is damaged: it does not hold what was written; train again, or go back to an earlier generation"
            ),
        )
    }
}

/// Reads trees into memory, comparing digests as the bytes pass.
struct Loader<'a> {
    trees: &'a Trees,
    manifest: &'a Manifest,
}

/// In this order: all but the first want to know how many items there are. Between them sled may forget.
const PARTS: [fn(&Loader<'_>, &mut Contents) -> Result<()>; 9] = [
    |loader, contents| loader.items(contents),
    |loader, contents| loader.bought(contents),
    |loader, contents| loader.collected(contents),
    |loader, contents| loader.viewed(contents),
    |loader, contents| loader.neighbours(contents),
    |loader, contents| loader.pulls(contents),
    |loader, contents| loader.visits(contents),
    |loader, contents| loader.embedding(contents),
    |loader, contents| loader.rest(contents),
];

impl Loader<'_> {
    /// What can only be seen once all is there.
    fn check(&self, contents: &Contents) -> Result<()> {
        if contents.trends.by_category.len() != contents.categories.len() {
            return Err(self.trees.damaged("trends.by_category"));
        }
        let rows = contents.categories.len() + 1;
        let lists = contents.hot.windows.iter();
        if lists.flat_map(|w| [w.sellers.len(), w.risers.len()]).any(|length| length != rows) {
            return Err(self.trees.damaged("hot"));
        }
        Ok(())
    }

    fn bought(&self, contents: &mut Contents) -> Result<()> {
        contents.bought = self.rules("bought", contents.len())?;
        Ok(())
    }

    fn collected(&self, contents: &mut Contents) -> Result<()> {
        contents.collected = self.rules("collected", contents.len())?;
        Ok(())
    }

    fn viewed(&self, contents: &mut Contents) -> Result<()> {
        contents.viewed = self.rules("viewed", contents.len())?;
        Ok(())
    }

    fn neighbours(&self, contents: &mut Contents) -> Result<()> {
        contents.neighbours = self.ranked("neighbours", contents.len())?;
        Ok(())
    }

    fn pulls(&self, contents: &mut Contents) -> Result<()> {
        let count = contents.len();
        contents.called = self.ranked("called", count)?;
        contents.drawn = self.ranked("drawn", count)?;
        Ok(())
    }

    fn visits(&self, contents: &mut Contents) -> Result<()> {
        let count = contents.len();
        contents.next = self.rule_lists("next", count)?;
        contents.freshness = self.vector_of("visits.freshness", count)?;
        let sessions = self.any_lists("visits.sessions")?;
        let postings = self.any_lists("visits.postings")?;
        let held_by = self.vector_of("visits.held_by", count)?;
        let clicks: Vec<u32> = self.vector_of("visits.clicks", 2)?;
        let clicks = u64::from(clicks[0]) | u64::from(clicks[1]) << 32;
        contents.visits = Visits::from_parts(sessions, postings, held_by, clicks)
            .ok_or_else(|| self.trees.damaged("visits.sessions"))?;
        Ok(())
    }

    fn rest(&self, contents: &mut Contents) -> Result<()> {
        let count = contents.len();
        contents.rankers =
            self.load_keyed("rankers", |question, json, rankers: &mut BTreeMap<_, _>| {
                let question = String::from_utf8(question.to_vec()).ok()?;
                rankers.insert(question, serde_json::from_slice(json).ok()?);
                Some(())
            })?;
        contents.longer = self.longer(count)?;
        let trends = &mut contents.trends;
        trends.recent_buyers = self.vector_of("trends.recent_buyers", count)?;
        trends.share = self.vector_of("trends.share", count)?;
        trends.momentum = self.vector_of("trends.momentum", count)?;
        trends.latest_momentum = self.vector_of("trends.latest_momentum", count)?;
        trends.idle_days = self.vector_of("trends.idle_days", count)?;
        trends.ranking = self.vector("trends.ranking")?;
        trends.by_category = self.any_lists("trends.by_category")?;
        let ranked = trends.ranking.iter().chain(trends.by_category.entries());
        if ranked.clone().any(|item| item.index() >= count) {
            return Err(self.trees.damaged("trends.ranking"));
        }
        contents.cadence.return_rate = self.vector_of("cadence.return_rate", count)?;
        contents.cadence.usual_days = self.vector_of("cadence.usual_days", count)?;
        contents.cadence.usual_units = self.vector_of("cadence.usual_units", count)?;
        let due = self.vector::<f32>("cadence.due")?;
        contents.cadence.due =
            DueCurve::from_factors(&due).ok_or_else(|| self.trees.damaged("cadence.due"))?;
        contents.hot = self.hot(count)?;
        contents.recurrence = self.recurrence(count)?;
        let interests = self.vector_of("interests", 3)?;
        let (view, cart, favorite) = (interests[0], interests[1], interests[2]);
        contents.interests = Interests { view, cart, favorite, ..Interests::default() };
        // An index of before has none.
        if self.manifest.trees.contains_key("interests.earlier") {
            contents.interests.earlier = self.vector_of("interests.earlier", 1)?[0];
        }
        let returns = self.vector::<f32>("returns")?;
        contents.returns =
            Returns::from_parts(&returns).ok_or_else(|| self.trees.damaged("returns"))?;
        contents.now = self.vector_of::<Timestamp>("clock.now", 1)?[0];
        let clock = self.vector_of::<u32>("clock.rest", 2)?;
        (contents.timed, contents.trends.recent_days) = (clock[0] != 0, clock[1]);
        Ok(())
    }

    fn embedding(&self, contents: &mut Contents) -> Result<()> {
        let count = contents.len();
        let (dim, steps): (usize, Vec<i8>) = self.load_into(
            "vectors",
            |tree| (0, roomy_for(tree)),
            |_, block, steps| read_direction_block(block, steps),
        )?;
        contents.vectors = UnitVectors::from_steps(dim, steps)
            .filter(|vectors| vectors.len() == count || vectors.is_empty())
            .ok_or_else(|| self.trees.damaged("vectors"))?;
        let card = self.load("content.card", |json, card: &mut Option<_>| {
            *card = Some(serde_json::from_slice(json).ok()?);
            Some(())
        })?;
        let floats: Vec<f32> = self.vector("content.floats")?;
        contents.content = card
            .and_then(|card| ContentModel::from_parts(card, &floats))
            .ok_or_else(|| self.trees.damaged("content.card"))?;
        contents.words = self.lists("words", count, |word: &Word| word.weight > 0.0)?;
        contents.arrivals = self.ranked("arrivals", count)?;
        Ok(())
    }

    fn hot(&self, count: usize) -> Result<Hot> {
        let mut hot = Hot::default();
        for window in Window::ALL {
            let lists = &mut hot.windows[window as usize];
            let tree = |kind: &str| format!("hot.{}.{kind}", window.name());
            lists.sellers = self.any_lists(&tree("sellers"))?;
            lists.risers = self.any_lists(&tree("risers"))?;
            let known = |item: ItemId| item.index() < count;
            if !lists.sellers.entries().iter().all(|seller: &Seller| known(seller.item)) {
                return Err(self.trees.damaged(&tree("sellers")));
            }
            if !lists.risers.entries().iter().all(|riser: &Riser| known(riser.item)) {
                return Err(self.trees.damaged(&tree("risers")));
            }
        }
        Ok(hot)
    }

    /// Empty in a log without time.
    fn recurrence(&self, count: usize) -> Result<Recurrence> {
        let usual_ln: Vec<f32> = self.vector("recurrence.usual_ln")?;
        if !usual_ln.is_empty() && usual_ln.len() != count {
            return Err(self.trees.damaged("recurrence.usual_ln"));
        }
        let count = usual_ln.len();
        let few = |name: &str| self.vector::<f32>(name);
        let orders = few("recurrence.orders")?.try_into();
        let weights = few("recurrence.weights")?.try_into();
        let demand = Demand {
            sold: self.vector_of("recurrence.sold", count)?,
            trend: self.vector_of("recurrence.trend", count)?,
        };
        Ok(Recurrence {
            demand,
            usual_ln,
            spread: self.vector_of("recurrence.spread", count)?,
            again: self.vector_of("recurrence.again", count)?,
            orders: orders.map_err(|_| self.trees.damaged("recurrence.orders"))?,
            weights: weights.map_err(|_| self.trees.damaged("recurrence.weights"))?,
        })
    }

    fn items(&self, contents: &mut Contents) -> Result<()> {
        let empty = |_: &TreeDigest| (Interner::<ItemId>::new(), ShelfBuilder::default());
        let (keys, shelf) = self.load_into("items", empty, |_, block, (keys, shelf)| {
            let rows: Vec<(String, Item)> = serde_json::from_slice(block).ok()?;
            rows.iter().try_for_each(|(key, item)| {
                let is_next = keys.intern(key).index() == shelf.len();
                is_next.then(|| shelf.push(item))
            })
        })?;
        let is_exact = self.manifest.config["events"]["match_case"] == true;
        contents.keys = Arc::new(if is_exact { keys } else { keys.in_any_case() });
        contents.shelf = shelf.build(contents.keys.clone()).in_zone(self.manifest.time_zone());
        Ok(())
    }

    fn rules(&self, name: &str, count: usize) -> Result<Rules<RuleLists>> {
        Ok(Rules {
            groups: self.vector_of(&format!("{name}.groups"), 1)?[0],
            item_groups: self.vector_of(&format!("{name}.item_groups"), count)?,
            lists: self.rule_lists(name, count)?,
            ..Rules::default()
        })
    }

    fn rule_lists(&self, name: &str, count: usize) -> Result<RuleLists> {
        let ranked = self.ranked(name, count)?;
        let together = self.vector(&format!("{name}.together"))?;
        let many: Vec<u32> = self.vector(&format!("{name}.many"))?;
        let (many, rest) = many.as_chunks::<3>();
        let lists = RuleLists::from_parts(ranked, together, many.to_vec());
        lists.filter(|_| rest.is_empty()).ok_or_else(|| self.trees.damaged(name))
    }

    /// A list for each of some items, at most all.
    fn ranked(&self, name: &str, count: usize) -> Result<Ranked> {
        let best = self.vector(&format!("{name}.best"))?;
        let entries: Lists<u32> = self.any_lists(name)?;
        Ranked::from_parts(count, best, entries)
            .filter(|ranked| ranked.len() <= count)
            .ok_or_else(|| self.trees.damaged(name))
    }

    fn longer(&self, count: usize) -> Result<Vec<LongRule>> {
        let left: Lists<ItemId> = self.any_lists("longer.left")?;
        let rest: Vec<u32> = self.vector_of("longer.rest", 3 * left.len())?;
        let known = |index: usize| index < count;
        if !left.entries().iter().all(|item| known(item.index()))
            || !rest.chunks_exact(3).all(|rule| known(rule[0] as usize))
        {
            return Err(self.trees.damaged("longer.left"));
        }
        let rules = left.rows().zip(rest.chunks_exact(3));
        Ok(rules
            .map(|(left, rest)| LongRule {
                left: left.to_vec(),
                right: ItemId::new(rest[0] as usize),
                together: rest[1],
                left_groups: rest[2],
            })
            .collect())
    }

    /// Lists of every item, each entry of which passes.
    fn lists<T: Entry>(
        &self,
        name: &str,
        count: usize,
        sound: impl Fn(&T) -> bool,
    ) -> Result<Lists<T>> {
        let lists: Lists<T> = self.any_lists(name)?;
        if lists.len() > count || !lists.entries().iter().all(sound) {
            return Err(self.trees.damaged(name));
        }
        Ok(lists)
    }

    fn any_lists<T: Entry>(&self, name: &str) -> Result<Lists<T>> {
        let room = |tree: &TreeDigest| {
            let (offsets, entries) = (roomy(BLOCK as u64 * tree.entries + 1), roomy_for(tree));
            Lists::within(offsets, entries)
        };
        self.load_into(name, room, |_, block, lists| read_list_block(block, lists))
    }

    fn vector<T: Entry>(&self, name: &str) -> Result<Vec<T>> {
        self.load_into(name, roomy_for, |_, block, values| read_vector_block(block, values))
    }

    fn vector_of<T: Entry>(&self, name: &str, count: usize) -> Result<Vec<T>> {
        let values = self.vector(name)?;
        if values.len() != count {
            return Err(self.trees.damaged(name));
        }
        Ok(values)
    }

    fn load<T: Default>(
        &self,
        name: &str,
        read: impl Fn(&[u8], &mut T) -> Option<()>,
    ) -> Result<T> {
        self.load_keyed(name, |_, block, value| read(block, value))
    }

    fn load_keyed<T: Default>(
        &self,
        name: &str,
        read: impl Fn(&[u8], &[u8], &mut T) -> Option<()>,
    ) -> Result<T> {
        self.load_into(name, |_| T::default(), read)
    }

    /// Reads a tree into what has `room` for all of it. The first touch of a page is what loading takes longest
    /// over, and what grows as it is filled touches three times as many.
    fn load_into<T>(
        &self,
        name: &str,
        room: impl FnOnce(&TreeDigest) -> T,
        read: impl Fn(&[u8], &[u8], &mut T) -> Option<()>,
    ) -> Result<T> {
        let expected = self.manifest.trees.get(name).ok_or_else(|| {
            Error::index(
                &self.trees.directory,
                format!("its manifest does not name tree {name}; train again"),
            )
        })?;
        let mut value = room(expected);
        let mut digester = Digester::default();
        self.trees.each(name, |key, block| {
            digester.add(key, block);
            read(key, block, &mut value)
        })?;
        if digester.finish() != *expected {
            return Err(self.trees.damaged(name));
        }
        Ok(value)
    }
}

/// Empty, with room for `count`; without, if the system does not have it: a count may be wrong.
fn roomy<T>(count: u64) -> Vec<T> {
    let mut values = Vec::new();
    let _ = usize::try_from(count).map(|count| values.try_reserve_exact(count));
    values
}

/// With room for all that the tree's values can hold.
fn roomy_for<T>(tree: &TreeDigest) -> Vec<T> {
    roomy(tree.bytes / size_of::<T>().max(1) as u64)
}
