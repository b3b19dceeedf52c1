//! Builds a generation aside, checks it, and publishes it by renaming.
//!
//! At every moment `CURRENT` names a whole generation: the new one is built in a folder whose name
//! starts with a dot, read back and compared, renamed to its number, and only then named in `CURRENT`,
//! itself replaced by rename. A trainer that dies on the way leaves a dotted folder behind, which the
//! next one removes.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use super::codec::{BLOCK, Entry, encode_history, list_blocks, vector_blocks};
use super::generations::{BUILDING, CURRENT, Index};
use super::manifest::{Digester, Manifest, TreeDigest};
use super::read::Trees;
use super::{Contents, FORMAT, MANIFEST, SLED};
use crate::customers::History;
use crate::error::{Error, Result};
use crate::ids::{CustomerId, Interner};
use crate::lists::Lists;

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
    /// See [`Manifest::notes`].
    pub notes: Vec<String>,
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
        fs::create_dir_all(&generations).map_err(Error::io("create", &generations))?;
        let path = index.root().join("train.lock");
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(Error::io("open", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => {
                return Err(Error::index(
                    index.root(),
                    "another training run is writing to this index; wait until it is done, or train into another directory",
                ));
            }
            Err(fs::TryLockError::Error(error)) => return Err(Error::io("lock", &path)(error)),
        }
        for entry in fs::read_dir(&generations).map_err(Error::io("list", &generations))? {
            let entry = entry.map_err(Error::io("list", &generations))?;
            if entry.file_name().to_string_lossy().starts_with(BUILDING) {
                let remove =
                    if entry.path().is_dir() { fs::remove_dir_all } else { fs::remove_file };
                remove(entry.path()).map_err(Error::io("remove", entry.path()))?;
            }
        }
        Ok(Self { index: index.clone(), _file: file })
    }

    /// Writes a new generation and makes it the current one; the latest `keep` generations stay.
    ///
    /// Errors: the disk, or what was read back is not what was written. The generation that was current
    /// before then still is.
    pub fn publish(
        &self,
        contents: &Contents,
        customers: &Interner<CustomerId>,
        histories: &[History],
        description: Description,
        keep: usize,
    ) -> Result<Manifest> {
        let generation = self.index.latest()?.map_or(1, |latest| latest + 1);
        let building = self.index.generations_dir().join(format!("{BUILDING}{generation:06}"));
        fs::create_dir(&building).map_err(Error::io("create", &building))?;

        let trees = write_trees(&building, contents, customers, histories)?;
        read_back(&building, &trees)?;
        let manifest = Manifest {
            format: FORMAT,
            generation,
            created: jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            built_by: format!("cartwright {}", env!("CARGO_PKG_VERSION")),
            trained_until: contents.timed.then(|| contents.now.to_string()),
            counts: description.counts,
            account: description.account,
            config: description.config,
            learnt: description.learnt,
            notes: description.notes,
            trees,
        };
        let json = serde_json::to_vec_pretty(&manifest).expect("a manifest has string keys only");
        write_durably(&building.join(MANIFEST), &json)?;

        let place = self.index.generation_dir(generation);
        fs::rename(&building, &place).map_err(Error::io("rename", &building))?;
        sync_dir(&self.index.generations_dir())?;
        self.index.set_current(generation)?;
        self.index.prune(keep)?;
        Ok(manifest)
    }
}

impl Index {
    /// Names the generation that is served, all at once.
    pub(super) fn set_current(&self, generation: u64) -> Result<()> {
        let fresh = self.root().join(".CURRENT.new");
        write_durably(&fresh, format!("{generation}\n").as_bytes())?;
        fs::rename(&fresh, self.root().join(CURRENT)).map_err(Error::io("rename", &fresh))?;
        sync_dir(self.root())
    }
}

fn write_trees(
    building: &Path,
    contents: &Contents,
    customers: &Interner<CustomerId>,
    histories: &[History],
) -> Result<BTreeMap<String, TreeDigest>> {
    let path = building.join(SLED);
    let failed = |error: sled::Error| Error::index(&path, format!("sled can't write: {error}"));
    let db = sled::Config::new()
        .path(&path)
        .mode(sled::Mode::HighThroughput)
        .flush_every_ms(None)
        .open()
        .map_err(failed)?;
    let mut trees = BTreeMap::new();
    {
        let mut writer = TreeWriter { db: &db, trees: &mut trees };
        writer.contents(contents).map_err(failed)?;
        writer.customers(customers, histories).map_err(failed)?;
    }
    db.flush().map_err(failed)?;
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
    Ok(())
}

struct TreeWriter<'a> {
    db: &'a sled::Db,
    trees: &'a mut BTreeMap<String, TreeDigest>,
}

impl TreeWriter<'_> {
    fn contents(&mut self, contents: &Contents) -> sled::Result<()> {
        let Contents { keys, items, bought, collected, viewed, visits, trends, cadence, .. } =
            contents;
        self.blocks("items", item_blocks(contents))?;
        debug_assert_eq!(keys.len(), items.len());
        for (name, rules) in [("bought", bought), ("collected", collected), ("viewed", viewed)] {
            self.lists(name, &rules.lists)?;
            self.vector(&format!("{name}.item_groups"), &rules.item_groups)?;
            self.vector(&format!("{name}.groups"), &[rules.groups])?;
        }
        self.lists("called", &contents.called)?;
        self.lists("drawn", &contents.drawn)?;
        self.lists("next", &contents.next)?;
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
        self.lists("neighbours", &contents.neighbours)?;
        self.vector("trends.recent_buyers", &trends.recent_buyers)?;
        self.vector("trends.share", &trends.share)?;
        self.vector("trends.momentum", &trends.momentum)?;
        self.vector("trends.latest_momentum", &trends.latest_momentum)?;
        self.vector("trends.idle_days", &trends.idle_days)?;
        self.vector("trends.ranking", &trends.ranking)?;
        self.lists("trends.by_category", &trends.by_category)?;
        self.vector("cadence.return_rate", &cadence.return_rate)?;
        self.vector("cadence.usual_days", &cadence.usual_days)?;
        self.vector("cadence.due", cadence.due.factors())?;
        let interests = contents.interests;
        self.vector("interests", &[interests.view, interests.cart, interests.favorite])?;
        self.vector("clock.now", &[contents.now])?;
        self.vector("clock.rest", &[u32::from(contents.timed), trends.recent_days])
    }

    fn customers(
        &mut self,
        keys: &Interner<CustomerId>,
        histories: &[History],
    ) -> sled::Result<()> {
        let mut order: Vec<(&str, &History)> =
            keys.keys().zip(histories).filter(|(_, history)| !history.is_empty()).collect();
        order.sort_unstable_by_key(|(key, _)| *key);
        self.entries(
            "customers",
            order
                .into_iter()
                .map(|(key, history)| (key.as_bytes().to_vec(), encode_history(history))),
        )
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
        self.trees.insert(name.to_owned(), digester.finish());
        Ok(())
    }
}

fn item_blocks(contents: &Contents) -> impl Iterator<Item = Vec<u8>> {
    let rows: Vec<_> = contents.keys.keys().zip(contents.items.iter()).collect();
    let blocks: Vec<_> = rows
        .chunks(BLOCK)
        .map(|block| serde_json::to_vec(block).expect("items have string keys only"))
        .collect();
    blocks.into_iter()
}

fn write_durably(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut file = File::create(path).map_err(Error::io("create", path))?;
    file.write_all(bytes).map_err(Error::io("write", path))?;
    file.sync_all().map_err(Error::io("sync", path))
}

fn sync_dir(path: &Path) -> Result<()> {
    File::open(path).and_then(|dir| dir.sync_all()).map_err(Error::io("sync", path))
}
