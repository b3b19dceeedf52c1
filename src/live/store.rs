//! Where changes are kept.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use super::Overlay;
use crate::error::{Error, Result};
use crate::ids::{Interner, ItemId};
use crate::index::Opened;

/// Name of the database in the index directory.
pub(super) const DIRECTORY: &str = "live";
/// Beside it: how many writes are on disk. A database that was damaged opens as if there had been fewer.
const WRITES: &str = "writes";
const ITEMS: &str = "items";
const RULES: &str = "rules";
const CACHE_BYTES: u64 = 16 << 20;

/// The changes of one index, open to take more.
///
/// Once the disk has failed, the database answers nobody any more: not even to be closed. Nothing is asked of it from
/// then on; what was kept is read beside it, and changes are refused.
#[derive(Debug)]
pub struct Live {
    /// Until it is dropped.
    store: Option<Store>,
    place: PathBuf,
    /// What the disk said.
    failure: OnceLock<String>,
    missing: u64,
    /// The keys of all that is kept, found in any case; filled when that is asked for.
    keys: Mutex<Interner<ItemId>>,
}

#[derive(Debug)]
struct Store {
    db: sled::Db,
    items: sled::Tree,
    rules: sled::Tree,
    writes: sled::Tree,
    /// Of writes.
    count: AtomicU64,
}

/// Where the count stands.
const COUNT: &str = "count";

impl Store {
    /// Does something, and counts it once it is on disk: in the database, and then in the file beside it.
    fn write<T>(
        &self,
        work: impl FnOnce(&Self) -> sled::Result<T>,
        beside: &Path,
    ) -> sled::Result<T> {
        let done = work(self)?;
        let count = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        self.writes.insert(COUNT, &count.to_be_bytes())?;
        self.db.flush()?;
        let mut file = File::options().write(true).create(true).truncate(false).open(beside)?;
        file.write_all(&count.to_be_bytes())?;
        file.sync_data()?;
        Ok(done)
    }
}

/// How many writes were on disk when the last was acknowledged.
fn acknowledged(place: &Path) -> Result<u64> {
    let path = place.join(WRITES);
    match std::fs::read(&path) {
        Ok(bytes) => Ok(bytes.try_into().map_or(0, u64::from_be_bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(0),
        Err(error) => Err(Error::io("read", &path)(error)),
    }
}

impl Live {
    /// Opens the changes of the index at `root`, for this process alone.
    ///
    /// Errors: another process has them open; the disk.
    pub fn open(root: &Path) -> Result<Self> {
        if !root.is_dir() {
            return Err(Error::index(
                root,
                "there is no index to change; make one with `cartwright train`",
            ));
        }
        let place = root.join(DIRECTORY);
        let least = acknowledged(&place)?;
        let db = config(&place).open().map_err(|error| {
            Error::index(
                &place,
                format!(
                    "the changes since last night can't be opened; if another server runs on this index, it is the one that takes them: {error}"
                ),
            )
        })?;
        let mut live = Self::in_db(db, place)?;
        live.missing = least.saturating_sub(live.count());
        Ok(live)
    }

    fn in_db(db: sled::Db, place: PathBuf) -> Result<Self> {
        let tree = |name: &str| db.open_tree(name).map_err(|error| failed(&place, &error));
        let (items, rules, writes) = (tree(ITEMS)?, tree(RULES)?, tree(WRITES)?);
        let count = writes.get(COUNT).map_err(|error| failed(&place, &error))?;
        let count =
            count.and_then(|bytes| bytes.as_ref().try_into().ok()).map_or(0, u64::from_be_bytes);
        let store = Some(Store { db, items, rules, writes, count: AtomicU64::new(count) });
        let keys = Mutex::default();
        Ok(Self { store, place, failure: OnceLock::new(), missing: 0, keys })
    }

    /// The database, as long as it answers.
    fn store(&self) -> Option<&Store> {
        self.store.as_ref().filter(|_| self.failure.get().is_none())
    }

    /// Has the database do something, all of it on disk.
    ///
    /// Errors: the disk, now or earlier.
    fn write<T>(&self, work: impl FnOnce(&Store) -> sled::Result<T>) -> Result<T> {
        let Some(store) = self.store() else {
            return Err(Error::Unavailable(format!(
                "changes can't be kept since the disk failed ({}): once it has room again, restart the server; what was \
                 acknowledged is kept",
                self.failure.get().map_or("", String::as_str)
            )));
        };
        let done = store.write(work, &self.place.join(WRITES));
        done.map_err(|error| {
            _ = self.failure.set(error.to_string());
            failed(&self.place, &error)
        })
    }

    /// How many times changes were acknowledged that are no longer there: the database was damaged, or copied while it
    /// was written to.
    pub fn missing(&self) -> u64 {
        self.missing
    }

    fn count(&self) -> u64 {
        self.store.as_ref().map_or(0, |store| store.count.load(Ordering::Relaxed))
    }

    /// The index whose changes these are.
    pub fn root(&self) -> &Path {
        self.place.parent().expect("the database lies in the index directory")
    }

    /// Lays the changes over what is kept of these items; nothing is kept of it yet. If keys are found `in_any_case`, an
    /// item is kept under the key by which it was told of first.
    ///
    /// Errors: the disk.
    pub fn laid_over(
        &self,
        mut changes: Vec<(String, Overlay)>,
        in_any_case: bool,
    ) -> Result<Vec<(String, Overlay)>> {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        match in_any_case {
            true => self.find_in_any_case(&mut changes, &mut keys)?,
            false => *keys = Interner::new(),
        }
        let mut kept: Vec<(String, Overlay)> = Vec::with_capacity(changes.len());
        let mut places = std::collections::HashMap::new();
        for (key, change) in changes {
            match places.get(&key) {
                Some(&place) => {
                    let (_, before): &mut (String, Overlay) = &mut kept[place];
                    *before = std::mem::take(before).and(change);
                }
                None => {
                    places.insert(key.clone(), kept.len());
                    let before = self.store().map(|store| store.items.get(&key)).transpose();
                    let before = before.map_err(|error| failed(&self.place, &error))?.flatten();
                    let before = before.map(|value| self.parsed(&value)).transpose()?;
                    let before = before.unwrap_or_default();
                    kept.push((key, before.and(change)));
                }
            }
        }
        Ok(kept)
    }

    fn find_in_any_case(
        &self,
        changes: &mut [(String, Overlay)],
        keys: &mut Interner<ItemId>,
    ) -> Result<()> {
        if !keys.is_in_any_case() {
            let mut all = Interner::new();
            self.items()?.iter().for_each(|(key, _)| _ = all.intern(key));
            *keys = all.in_any_case();
        }
        for (key, _) in changes {
            match keys.get(key) {
                Some(known) => keys.key(known).clone_into(key),
                None => _ = keys.intern(key),
            }
        }
        Ok(())
    }

    /// Keeps what was laid over. When it returns, it is on disk, all of it.
    ///
    /// Errors: the disk. Then none counts for now, and nothing more is taken; a later start may find it written after all.
    pub fn keep(&self, overlays: &[(String, Overlay)]) -> Result<()> {
        let mut batch = sled::Batch::default();
        for (key, overlay) in overlays {
            let value = serde_json::to_vec(overlay).expect("an overlay is JSON already");
            batch.insert(key.as_bytes(), value);
        }
        self.write(|store| store.items.apply_batch(batch))
    }

    /// All that was changed, in the order of the keys.
    ///
    /// Errors: the disk, or what is there makes no sense.
    pub fn items(&self) -> Result<Vec<(String, Overlay)>> {
        let Some(store) = self.store() else { return Ok(read(self.root())?.items) };
        let entries = self.entries(&store.items)?.into_iter();
        entries.map(|(key, value)| Ok((key, self.parsed(&value)?))).collect()
    }

    /// Keeps a rule, or replaces the one of this id. When it returns, it is on disk.
    ///
    /// Errors: the disk.
    pub fn put_rule(&self, id: &str, rule: &[u8]) -> Result<()> {
        self.write(|store| store.rules.insert(id, rule)).map(|_| ())
    }

    /// Forgets a rule; false if there was none of this id.
    ///
    /// Errors: the disk.
    pub fn remove_rule(&self, id: &str) -> Result<bool> {
        Ok(self.write(|store| store.rules.remove(id))?.is_some())
    }

    /// All rules that are kept, by id, as they were given.
    ///
    /// Errors: the disk.
    pub fn rules(&self) -> Result<Vec<(String, Vec<u8>)>> {
        let Some(store) = self.store() else { return Ok(read(self.root())?.rules) };
        let entries = self.entries(&store.rules)?.into_iter();
        Ok(entries.map(|(id, rule)| (id, rule.to_vec())).collect())
    }

    /// Both of them.
    ///
    /// Errors: the disk, or what is there makes no sense.
    pub fn kept(&self) -> Result<Kept> {
        Ok(Kept { items: self.items()?, rules: self.rules()? })
    }

    fn entries(&self, tree: &sled::Tree) -> Result<Vec<(String, sled::IVec)>> {
        tree.iter()
            .map(|entry| {
                let (key, value) = entry.map_err(|error| failed(&self.place, &error))?;
                let key = String::from_utf8(key.to_vec()).map_err(|_| damaged(&self.place))?;
                Ok((key, value))
            })
            .collect()
    }

    fn parsed(&self, value: &[u8]) -> Result<Overlay> {
        serde_json::from_slice(value).map_err(|_| damaged(&self.place))
    }
}

fn damaged(place: &Path) -> Error {
    Error::index(
        place,
        "the changes since last night are damaged: move the directory away, and send the changes again",
    )
}

impl Drop for Live {
    fn drop(&mut self) {
        if self.failure.get().is_some() {
            std::mem::forget(self.store.take()); // it would wait for ever to write what it can't
        }
    }
}

/// All that is kept.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Kept {
    /// See [`Live::items`].
    pub items: Vec<(String, Overlay)>,
    /// See [`Live::rules`].
    pub rules: Vec<(String, Vec<u8>)>,
}

/// What was changed of the index at `root`, beside a server that may have it open. Nothing if nothing ever was.
///
/// Errors: the disk.
pub fn read(root: &Path) -> Result<Kept> {
    let place = root.join(DIRECTORY);
    if !place.is_dir() {
        return Ok(Kept::default());
    }
    let opened = Opened::at(&place, &place, CACHE_BYTES)?;
    Live::in_db(opened.db.clone(), place)?.kept()
}

fn config(place: &Path) -> sled::Config {
    sled::Config::new().path(place).cache_capacity(CACHE_BYTES).flush_every_ms(None)
}

fn failed(place: &Path, error: &sled::Error) -> Error {
    Error::index(place, format!("the changes since last night: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn an_item_is_kept_under_one_key_however_it_is_spelt_where_case_does_not_matter() {
        let kept = |in_any_case| {
            let root = tempfile::tempdir().expect("a temporary folder");
            let of = |key: &str, field| (key.to_owned(), Overlay::of(field, true));
            for changes in [
                vec![of("New-1", "hidden"), of("NEW-1", "in_stock")],
                vec![of("new-1", "in_stock"), of("other", "hidden")],
            ] {
                // Opened anew each time: what was kept before is found as well.
                let live = Live::open(root.path()).expect("opened");
                let overlays = live.laid_over(changes, in_any_case).expect("readable");
                live.keep(&overlays).expect("kept");
            }
            let live = Live::open(root.path()).expect("opened");
            let items = live.items().expect("readable").into_iter();
            items.map(|(key, _)| key).collect::<Vec<_>>()
        };
        assert_eq!(kept(true), ["New-1", "other"]);
        assert_eq!(kept(false), ["NEW-1", "New-1", "new-1", "other"]);
    }

    #[test]
    fn what_was_acknowledged_is_there_when_it_is_opened_again() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let change = |field, value: i64| ("tea".to_owned(), Overlay::of(field, value));
        {
            let live = Live::open(root.path()).expect("it can be opened");
            let keep = |changes| {
                let overlays = live.laid_over(changes, false).expect("readable");
                live.keep(&overlays).expect("kept");
                overlays
            };
            keep(vec![change("stock", 3), change("price", 2)]);
            let kept = keep(vec![change("stock", 0)]);
            let expected = Overlay::of("price", 2).and(Overlay::of("stock", 0));
            assert_eq!(kept, [("tea".to_owned(), expected)]);
            live.put_rule("spring", b"{}").expect("kept");
            assert!(!live.remove_rule("autumn").expect("readable"));
        }
        let live = opened(root.path());
        let expected = Overlay::of("price", 2).and(Overlay::of("stock", 0));
        assert_eq!(live.items().expect("readable"), [("tea".to_owned(), expected)]);
        assert_eq!(live.rules().expect("readable"), [("spring".to_owned(), b"{}".to_vec())]);
        let Kept { items, rules } = read(root.path()).expect("readable beside whoever holds it");
        assert_eq!((items.len(), rules.len()), (1, 1));
    }

    /// Opens it again: sled lets go of its lock a moment after it is dropped, when its threads have.
    fn opened(root: &Path) -> Live {
        let again =
            || Live::open(root).inspect_err(|_| std::thread::sleep(Duration::from_millis(20)));
        (0..100).find_map(|_| again().ok()).expect("it can be opened again")
    }

    #[test]
    fn a_database_with_fewer_writes_than_were_acknowledged_says_how_many_are_missing() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let keep =
            |live: &Live, stock: i64| live.keep(&[("tea".to_owned(), Overlay::of("stock", stock))]);
        {
            let live = Live::open(root.path()).expect("it can be opened");
            (0..3).for_each(|stock| keep(&live, stock).expect("kept"));
        }
        assert_eq!(opened(root.path()).missing(), 0);
        // As a damaged database is: sled leaves out what it can't read, and all after it.
        let file = root.path().join(DIRECTORY).join(WRITES);
        assert_eq!(std::fs::read(&file).expect("it is there"), 3u64.to_be_bytes());
        std::fs::write(&file, 5u64.to_be_bytes()).expect("it can be written");
        let live = opened(root.path());
        assert_eq!(live.missing(), 2);
        keep(&live, 9).expect("changes are taken again");
        drop(live);
        assert_eq!(opened(root.path()).missing(), 0, "it is said once");
    }

    #[test]
    fn what_the_disk_did_not_take_stops_all_changes_and_nothing_else() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let live = Live::open(root.path()).expect("it can be opened");
        live.keep(&[("tea".to_owned(), Overlay::of("hidden", true))]).expect("kept");
        let full = || sled::Error::Io(std::io::Error::other("no room"));
        let failed = live.write(|_| Err::<(), _>(full())).expect_err("it fails");
        assert!(failed.to_string().contains("no room"), "{failed}");
        for refused in
            [live.keep(&[]), live.put_rule("a", b"{}"), live.remove_rule("a").map(|_| ())]
        {
            let refused = refused.expect_err("nothing is taken any more");
            assert!(matches!(refused, Error::Unavailable(_)), "{refused}");
            assert!(refused.to_string().contains("no room"), "{refused}");
        }
        assert_eq!(live.kept().expect("readable").items.len(), 1, "what was kept can be read");
    }

    #[test]
    fn an_index_without_changes_has_none() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let Kept { items, rules } = read(root.path()).expect("nothing to read");
        assert!(items.is_empty() && rules.is_empty());
    }
}
