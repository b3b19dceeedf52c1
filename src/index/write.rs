//! Builds a generation aside, checks it, and publishes it by renaming.
//!
//! At every moment `CURRENT` names a whole generation: the new one is built in a folder whose name
//! starts with a dot, read back and compared, renamed to its number, and only then named in `CURRENT`,
//! itself replaced by rename. A trainer that dies on the way leaves a dotted folder behind, which the
//! next one removes.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use super::codec::{
    BLOCK, Entry, direction_blocks, encode_history, encode_profile, list_blocks, vector_blocks,
    with_checksum,
};
use super::generations::{BUILDING, CURRENT, Generation, Index, Keep};
use super::keys::CustomerKeys;
use super::manifest::{Digester, ERASURES, Manifest, TreeDigest, digest_of};
use super::opened::wait_until_closed;
use super::read::Trees;
use super::{Contents, FORMAT, MANIFEST, MANIFEST_DIGEST, SLED};
use crate::customers::{Clientele, History, Profile};
use crate::error::{Error, Result};
use crate::fault;
use crate::ids::{CustomerId, Interner, ItemId};
use crate::lists::{Lists, Ranked};
use crate::rules::RuleLists;
use crate::trends::Window;

/// What sled keeps in memory of what it has written: nobody reads it, and by itself it would keep a gigabyte.
const CACHE_BYTES: u64 = 64 << 20;

/// Of so many customers something is told at a time.
const TOLD_AT_ONCE: usize = 4_096;

/// What the trainer says of a generation, for its manifest.
#[derive(Clone, Debug, Default)]
pub struct Description {
    /// See [`Manifest::counts`].
    pub counts: BTreeMap<String, u64>,
    /// See [`Manifest::account`].
    pub account: serde_json::Value,
    /// See [`Manifest::config`].
    pub config: serde_json::Value,
    /// See [`Manifest::learnt`].
    pub learnt: serde_json::Value,
    /// See [`Manifest::gate`].
    pub gate: serde_json::Value,
    /// See [`Manifest::notes`].
    pub notes: Vec<String>,
}

/// Tells something of some customers, in their order: of a few at a time, for of all it takes much memory.
pub type Told<'a, T> = dyn Fn(&[CustomerId]) -> Vec<T> + 'a;

/// The customers of a generation, in the order of their ids.
#[derive(Clone, Copy)]
pub struct People<'a> {
    /// Their names: see `called`.
    pub keys: &'a Interner<CustomerId>,
    /// Their pasts.
    pub histories: &'a Told<'a, History>,
    /// What is known of each.
    pub profiles: &'a Told<'a, Profile>,
    /// What is known of all.
    pub clientele: &'a Clientele,
    /// What the names are: the shop's keys, or hashes already.
    pub called: &'a CustomerKeys,
}

/// The right to write to an index: one trainer at a time. Given back when dropped.
#[derive(Debug)]
pub struct TrainingLock {
    index: Index,
    _file: File,
}

impl TrainingLock {
    /// Takes the lock, makes the directory if there is none, and clears away what a trainer that died
    /// has left.
    ///
    /// Errors: another trainer is at work; the directory can't be written.
    pub fn take(index: &Index) -> Result<Self> {
        let generations = index.generations_dir();
        fault::pass("generations.create", || fs::create_dir_all(&generations))
            .map_err(Error::io("create", &generations))?;
        let file = locked(index)?;
        for entry in fs::read_dir(&generations).map_err(Error::io("list", &generations))? {
            let entry = entry.map_err(Error::io("list", &generations))?;
            if entry.file_name().to_string_lossy().starts_with(BUILDING) {
                let remove =
                    if entry.path().is_dir() { fs::remove_dir_all } else { fs::remove_file };
                fault::pass("orphan.remove", || remove(entry.path()))
                    .map_err(Error::io("remove", entry.path()))?;
            }
        }
        Ok(Self { index: index.clone(), _file: file })
    }

    /// Writes the trees of a new generation aside, and reads them back. Nothing is published yet.
    ///
    /// Errors: the disk, or what was read back is not what was written.
    pub fn build(&self, contents: &Contents, people: &People<'_>) -> Result<Built<'_>> {
        let generation = self.index.latest()?.map_or(1, |latest| latest + 1);
        let place = self.index.generations_dir().join(format!("{BUILDING}{generation:06}"));
        fault::pass("building.create", || fs::create_dir(&place))
            .map_err(Error::io("create", &place))?;
        let trained_until = contents.timed.then(|| contents.now.to_string());
        let trees = BTreeMap::new();
        let customer_keys = people.called.mark();
        let index = &self.index;
        let mut built = Built { index, generation, place, trained_until, customer_keys, trees };
        built.trees = write_trees(&built.place, contents, people)?;
        fault::at("trees.read_back").map_err(Error::io("read", &built.place))?;
        read_back(&built.place, &built.trees)?;
        sync_dir("sled.sync", &built.place.join(SLED))?;
        Ok(built)
    }
}

/// The lock's file, locked, with a word on who holds it: whoever is refused is told.
fn locked(index: &Index) -> Result<File> {
    let path = index.root().join("train.lock");
    let mut file = fault::pass("lock.open", || {
        File::options().create(true).truncate(false).read(true).write(true).open(&path)
    })
    .map_err(Error::io("open", &path))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(fs::TryLockError::WouldBlock) => {
            let mut holder = String::new();
            let _ = file.read_to_string(&mut holder); // a word more, if there is one
            return Err(Error::index(
                index.root(),
                format!(
                    "another training run ({}) is writing to this index; wait until it is done, or train into another directory",
                    holder.trim()
                ),
            ));
        }
        Err(fs::TryLockError::Error(error)) => return Err(Error::io("lock", &path)(error)),
    }
    let holder = format!("process {}, since {:.0}\n", std::process::id(), jiff::Timestamp::now());
    fault::pass("lock.write", || file.set_len(0).and_then(|()| file.write_all(holder.as_bytes())))
        .map_err(Error::io("write", &path))?;
    Ok(file)
}

/// A generation that stands aside, whole but for its manifest. Removed if it is dropped unpublished.
#[derive(Debug)]
pub struct Built<'a> {
    index: &'a Index,
    generation: u64,
    place: PathBuf,
    trained_until: Option<String>,
    customer_keys: String,
    trees: BTreeMap<String, TreeDigest>,
}

impl Built<'_> {
    /// What its trees take on disk.
    ///
    /// Errors: the disk.
    pub fn bytes(&self) -> Result<u64> {
        bytes_below(&self.place)
    }

    /// Makes it the current generation; those that `keep` does not name go.
    ///
    /// Errors: the disk. The generation that was current before then still is.
    pub fn publish(mut self, description: Description, keep: Keep) -> Result<Manifest> {
        let generation = self.generation;
        let manifest = Manifest {
            format: FORMAT,
            generation,
            created: jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            built_by: format!("cartwright {}", env!("CARGO_PKG_VERSION")),
            trained_until: self.trained_until.take(),
            counts: description.counts,
            account: description.account,
            config: description.config,
            learnt: description.learnt,
            gate: description.gate,
            notes: description.notes,
            customer_keys: std::mem::take(&mut self.customer_keys),
            trees: std::mem::take(&mut self.trees),
        };
        let json = serde_json::to_vec_pretty(&manifest).expect("a manifest has string keys only");
        write_durably("manifest", &self.place.join(MANIFEST), &json)?;
        let digest = format!("{}\n", digest_of(&json));
        write_durably("digest", &self.place.join(MANIFEST_DIGEST), digest.as_bytes())?;
        sync_dir("building.sync", &self.place)?;

        let place = self.index.generation_dir(generation);
        fault::pass("generation.rename", || fs::rename(&self.place, &place))
            .map_err(Error::io("rename", &self.place))?;
        sync_dir("generations.sync", &self.index.generations_dir())?;
        self.index.set_current(generation)?;
        // It is published: what is left over takes room, and no more.
        if let Err(error) = self.index.prune(keep) {
            tracing::warn!(%error, "an old generation can't be removed");
        }
        Ok(manifest)
    }
}

impl Drop for Built<'_> {
    fn drop(&mut self) {
        // Published, it is not there any more; what can't be removed now, the next trainer removes.
        let _ = fs::remove_dir_all(&self.place);
    }
}

fn bytes_below(folder: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder).map_err(Error::io("list", folder))? {
        let entry = entry.map_err(Error::io("list", folder))?;
        let about = entry.metadata().map_err(Error::io("read", entry.path()))?;
        bytes += if about.is_dir() { bytes_below(&entry.path())? } else { about.len() };
    }
    Ok(bytes)
}

impl TrainingLock {
    /// Removes the generations before this one that may still know customers who are to be forgotten: those that were
    /// trained before the last of them asked.
    ///
    /// Errors: the disk.
    pub fn drop_those_who_know_more(&self, than: &Manifest) -> Result<()> {
        let erasures = |manifest: &Manifest| manifest.counts.get(ERASURES).copied().unwrap_or(0);
        let now = erasures(than);
        let earlier = self.index.list()?.into_iter().filter(|g| g.number < than.generation);
        for Generation { number, manifest, .. } in earlier.filter(|_| now > 0) {
            if manifest.map_or(true, |manifest| erasures(&manifest) < now) {
                self.index.remove(number)?;
            }
        }
        Ok(())
    }
}

impl Index {
    /// Names the generation that is served, all at once. One process at a time: a trainer may publish while a
    /// server is told to go back.
    pub(super) fn set_current(&self, generation: u64) -> Result<()> {
        self.name_current(generation, &self.locked()?)
    }

    /// The same for whoever keeps others from it already.
    pub(super) fn name_current(&self, generation: u64, _alone: &File) -> Result<()> {
        let fresh = self.root().join(".CURRENT.new");
        write_durably("current", &fresh, format!("{generation}\n").as_bytes())?;
        fault::pass("current.rename", || fs::rename(&fresh, self.root().join(CURRENT)))
            .map_err(Error::io("rename", &fresh))?;
        sync_dir("root.sync", self.root())
    }

    /// Keeps other processes from replacing a file of the index, for as long as it is held.
    pub(super) fn locked(&self) -> Result<File> {
        let root = File::open(self.root()).map_err(Error::io("open", self.root()))?;
        root.lock().map_err(Error::io("lock", self.root()))?;
        Ok(root)
    }
}

fn write_trees(
    building: &Path,
    contents: &Contents,
    people: &People<'_>,
) -> Result<BTreeMap<String, TreeDigest>> {
    let path = building.join(SLED);
    let failed = |error: sled::Error| Error::index(&path, format!("sled can't write: {error}"));
    let db = sled::Config::new()
        .path(&path)
        .mode(sled::Mode::HighThroughput)
        .cache_capacity(CACHE_BYTES)
        .flush_every_ms(None)
        .open()
        .map_err(failed)?;
    let mut trees = BTreeMap::new();
    {
        let mut writer = TreeWriter { db: &db, trees: &mut trees };
        writer.contents(contents).map_err(failed)?;
        writer.customers(people).map_err(failed)?;
    }
    fault::pass("trees.flush", || db.flush().map_err(std::io::Error::other))
        .map_err(|error| failed(sled::Error::Io(error)))?;
    drop(db);
    wait_until_closed(&path);
    Ok(trees)
}

/// Opens what was just written once more, and compares.
fn read_back(building: &Path, written: &BTreeMap<String, TreeDigest>) -> Result<()> {
    let trees = Trees::open(building)?;
    for (name, expected) in written {
        let found = trees.digest(name)?;
        if found != *expected {
            return Err(Error::index(
                building,
                format!(
                    "tree {name} reads back with {} entries, digest {}, and was written with {}, {}: the disk is not to be trusted; nothing was published",
                    found.entries, found.digest, expected.entries, expected.digest
                ),
            ));
        }
    }
    drop(trees);
    wait_until_closed(&building.join(SLED));
    Ok(())
}

struct TreeWriter<'a> {
    db: &'a sled::Db,
    trees: &'a mut BTreeMap<String, TreeDigest>,
}

impl TreeWriter<'_> {
    fn contents(&mut self, contents: &Contents) -> sled::Result<()> {
        let Contents { keys, shelf, bought, collected, viewed, visits, trends, cadence, .. } =
            contents;
        self.blocks("items", item_blocks(contents))?;
        debug_assert_eq!(keys.len(), shelf.trained());
        for (name, rules) in [("bought", bought), ("collected", collected), ("viewed", viewed)] {
            self.rules(name, &rules.lists)?;
            self.vector(&format!("{name}.item_groups"), &rules.item_groups)?;
            self.vector(&format!("{name}.groups"), &[rules.groups])?;
        }
        self.ranked("called", &contents.called)?;
        self.ranked("drawn", &contents.drawn)?;
        self.rules("next", &contents.next)?;
        self.lists("visits.sessions", visits.sessions())?;
        self.lists("visits.postings", visits.postings())?;
        self.vector("visits.held_by", visits.held_by())?;
        let clicks = visits.clicks();
        self.vector("visits.clicks", &[clicks as u32, (clicks >> 32) as u32])?;
        self.vector("visits.freshness", &contents.freshness)?;
        let rankers = contents.rankers.iter().map(|(question, forest)| {
            let json = serde_json::to_vec(forest).expect("forests hold finite numbers");
            (question.as_bytes().to_vec(), json)
        });
        self.entries("rankers", rankers)?;
        self.lists(
            "longer.left",
            &contents.longer.iter().map(|r| r.left.iter().copied()).collect(),
        )?;
        let rest =
            contents.longer.iter().map(|r| [r.right.index() as u32, r.together, r.left_groups]);
        self.vector("longer.rest", &rest.flatten().collect::<Vec<u32>>())?;
        self.ranked("neighbours", &contents.neighbours)?;
        self.embedding(contents)?;
        self.vector("trends.recent_buyers", &trends.recent_buyers)?;
        self.vector("trends.share", &trends.share)?;
        self.vector("trends.momentum", &trends.momentum)?;
        self.vector("trends.latest_momentum", &trends.latest_momentum)?;
        self.vector("trends.idle_days", &trends.idle_days)?;
        self.vector("trends.ranking", &trends.ranking)?;
        self.lists("trends.by_category", &trends.by_category)?;
        self.vector("cadence.return_rate", &cadence.return_rate)?;
        self.vector("cadence.usual_days", &cadence.usual_days)?;
        self.vector("cadence.usual_units", &cadence.usual_units)?;
        self.vector("cadence.due", cadence.due.factors())?;
        self.hot(contents)?;
        let interests = contents.interests;
        self.vector("interests", &[interests.view, interests.cart, interests.favorite])?;
        self.vector("interests.earlier", &[interests.earlier])?;
        self.vector("returns", &contents.returns.to_parts())?;
        self.vector("clock.now", &[contents.now])?;
        self.vector("clock.rest", &[u32::from(contents.timed), trends.recent_days])
    }

    /// What is hot, what is rising and what is due again.
    fn hot(&mut self, contents: &Contents) -> sled::Result<()> {
        let Contents { hot, recurrence, .. } = contents;
        for window in Window::ALL {
            let (lists, name) = (hot.of(window), window.name());
            self.lists(&format!("hot.{name}.sellers"), &lists.sellers)?;
            self.lists(&format!("hot.{name}.risers"), &lists.risers)?;
        }
        self.vector("recurrence.usual_ln", &recurrence.usual_ln)?;
        self.vector("recurrence.spread", &recurrence.spread)?;
        self.vector("recurrence.again", &recurrence.again)?;
        self.vector("recurrence.orders", &recurrence.orders)?;
        self.vector("recurrence.sold", &recurrence.demand.sold)?;
        self.vector("recurrence.trend", &recurrence.demand.trend)?;
        self.vector("recurrence.weights", &recurrence.weights)
    }

    fn embedding(&mut self, contents: &Contents) -> sled::Result<()> {
        self.blocks("vectors", direction_blocks(&contents.vectors))?;
        let (card, floats) = contents.content.to_parts();
        let card = serde_json::to_vec(&card).expect("a card has string keys and finite numbers");
        self.entries("content.card", std::iter::once((b"card".to_vec(), card)))?;
        self.vector("content.floats", &floats)?;
        self.lists("words", &contents.words)?;
        self.ranked("arrivals", &contents.arrivals)
    }

    fn customers(&mut self, people: &People<'_>) -> sled::Result<()> {
        let ids = (0..).map(CustomerId::new);
        let mut order: Vec<(&str, CustomerId)> = people.keys.keys().zip(ids).collect();
        order.sort_unstable();
        let history = |history: &History| (!history.is_empty()).then(|| encode_history(history));
        self.told("customers", &order, people.histories, history)?;
        let profile = |profile: &Profile| Some(encode_profile(profile));
        self.told("profiles", &order, people.profiles, profile)?;
        let all = serde_json::to_vec(people.clientele).expect("a clientele has string keys only");
        self.entries("clientele", std::iter::once((b"all".to_vec(), with_checksum(all))))
    }

    /// What is told of the customers, as far as it is `encoded`.
    fn told<T>(
        &mut self,
        name: &str,
        customers: &[(&str, CustomerId)],
        tell: &Told<'_, T>,
        encoded: impl Fn(&T) -> Option<Vec<u8>>,
    ) -> sled::Result<()> {
        let told = customers.chunks(TOLD_AT_ONCE).flat_map(|some| {
            let ids: Vec<CustomerId> = some.iter().map(|(_, customer)| *customer).collect();
            let told = tell(&ids);
            debug_assert_eq!(told.len(), ids.len(), "something of each");
            some.iter().zip(told)
        });
        let entry =
            |((key, _), told): (&(&str, _), T)| Some((key.as_bytes().to_vec(), encoded(&told)?));
        self.entries(name, told.filter_map(entry))
    }

    fn rules(&mut self, name: &str, rules: &RuleLists) -> sled::Result<()> {
        self.ranked(name, rules.ranked())?;
        self.vector(&format!("{name}.together"), rules.together())?;
        self.vector(&format!("{name}.many"), rules.many().as_flattened())
    }

    fn ranked(&mut self, name: &str, ranked: &Ranked) -> sled::Result<()> {
        self.vector(&format!("{name}.best"), ranked.best())?;
        self.lists(name, ranked.entries())
    }

    fn lists<T: Entry>(&mut self, name: &str, lists: &Lists<T>) -> sled::Result<()> {
        self.blocks(name, list_blocks(lists))
    }

    fn vector<T: Entry>(&mut self, name: &str, values: &[T]) -> sled::Result<()> {
        self.blocks(name, vector_blocks(values))
    }

    fn blocks(&mut self, name: &str, blocks: impl Iterator<Item = Vec<u8>>) -> sled::Result<()> {
        let numbered = blocks.enumerate();
        self.entries(name, numbered.map(|(n, block)| ((n as u32).to_be_bytes().to_vec(), block)))
    }

    /// `entries` in the order of their keys.
    fn entries(
        &mut self,
        name: &str,
        entries: impl Iterator<Item = (Vec<u8>, Vec<u8>)>,
    ) -> sled::Result<()> {
        let tree = self.db.open_tree(name)?;
        let mut digester = Digester::default();
        for (key, value) in entries {
            digester.add(&key, &value);
            tree.insert(key, value)?;
        }
        fault::at(&format!("tree.{name}"))?;
        self.trees.insert(name.to_owned(), digester.finish());
        Ok(())
    }
}

fn item_blocks(contents: &Contents) -> impl Iterator<Item = Vec<u8>> {
    (0..contents.len()).step_by(BLOCK).map(|start| {
        let ids = (start..contents.len().min(start + BLOCK)).map(ItemId::new);
        let rows: Vec<_> = ids.map(|id| (contents.keys.key(id), contents.shelf.item(id))).collect();
        serde_json::to_vec(&rows).expect("items have string keys only")
    })
}

/// Creates, writes and syncs a file; the points that it passes start with `what`.
pub(super) fn write_durably(what: &str, path: &Path, bytes: &[u8]) -> Result<()> {
    let point = |step: &str| format!("{what}.{step}");
    let mut file =
        fault::pass(&point("create"), || File::create(path)).map_err(Error::io("create", path))?;
    fault::pass(&point("write"), || file.write_all(bytes)).map_err(Error::io("write", path))?;
    fault::pass(&point("sync"), || file.sync_all()).map_err(Error::io("sync", path))
}

pub(super) fn sync_dir(point: &str, path: &Path) -> Result<()> {
    fault::pass(point, || File::open(path).and_then(|dir| dir.sync_all()))
        .map_err(Error::io("sync", path))
}
