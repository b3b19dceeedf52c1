//! Where changes are kept.

use std::path::{Path, PathBuf};

use super::Overlay;
use crate::error::{Error, Result};
use crate::index::Opened;

/// Name of the database in the index directory.
pub(super) const DIRECTORY: &str = "live";
const ITEMS: &str = "items";
const RULES: &str = "rules";
const CACHE_BYTES: u64 = 16 << 20;

/// The changes of one index, open to take more.
#[derive(Debug)]
pub struct Live {
    db: sled::Db,
    items: sled::Tree,
    rules: sled::Tree,
    place: PathBuf,
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
        let db = config(&place).open().map_err(|error| {
            Error::index(
                &place,
                format!(
                    "the changes since last night can't be opened; if another server runs on this index, it is the one that takes them: {error}"
                ),
            )
        })?;
        Self::in_db(db, place)
    }

    fn in_db(db: sled::Db, place: PathBuf) -> Result<Self> {
        let tree = |name: &str| db.open_tree(name).map_err(|error| failed(&place, &error));
        let (items, rules) = (tree(ITEMS)?, tree(RULES)?);
        Ok(Self { db, items, rules, place })
    }

    /// The index whose changes these are.
    pub fn root(&self) -> &Path {
        self.place.parent().expect("the database lies in the index directory")
    }

    /// Lays the changes over what is kept of these items; nothing is kept of it yet.
    ///
    /// Errors: the disk.
    pub fn laid_over(&self, changes: Vec<(String, Overlay)>) -> Result<Vec<(String, Overlay)>> {
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
                    let before = self.of(&key)?.unwrap_or_default();
                    kept.push((key, before.and(change)));
                }
            }
        }
        Ok(kept)
    }

    /// Keeps what was laid over. When it returns, it is on disk, all of it.
    ///
    /// Errors: the disk. Then none is kept.
    pub fn keep(&self, overlays: &[(String, Overlay)]) -> Result<()> {
        let mut batch = sled::Batch::default();
        for (key, overlay) in overlays {
            let value = serde_json::to_vec(overlay).expect("an overlay is JSON already");
            batch.insert(key.as_bytes(), value);
        }
        self.items.apply_batch(batch).map_err(|error| failed(&self.place, &error))?;
        self.flush()
    }

    fn of(&self, key: &str) -> Result<Option<Overlay>> {
        let value = self.items.get(key).map_err(|error| failed(&self.place, &error))?;
        value.map(|value| self.parsed(&value)).transpose()
    }

    /// All that was changed, in the order of the keys.
    ///
    /// Errors: the disk, or what is there makes no sense.
    pub fn items(&self) -> Result<Vec<(String, Overlay)>> {
        self.entries(&self.items)?.into_iter().map(|(key, v)| Ok((key, self.parsed(&v)?))).collect()
    }

    /// Keeps a rule, or replaces the one of this id. When it returns, it is on disk.
    ///
    /// Errors: the disk.
    pub fn put_rule(&self, id: &str, rule: &[u8]) -> Result<()> {
        self.rules.insert(id, rule).map_err(|error| failed(&self.place, &error))?;
        self.flush()
    }

    /// Forgets a rule; false if there was none of this id.
    ///
    /// Errors: the disk.
    pub fn remove_rule(&self, id: &str) -> Result<bool> {
        let before = self.rules.remove(id).map_err(|error| failed(&self.place, &error))?;
        self.flush()?;
        Ok(before.is_some())
    }

    /// All rules that are kept, by id, as they were given.
    ///
    /// Errors: the disk.
    pub fn rules(&self) -> Result<Vec<(String, Vec<u8>)>> {
        Ok(self.entries(&self.rules)?.into_iter().map(|(id, rule)| (id, rule.to_vec())).collect())
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
                let key = String::from_utf8(key.to_vec()).map_err(|_| self.damaged())?;
                Ok((key, value))
            })
            .collect()
    }

    fn parsed(&self, value: &[u8]) -> Result<Overlay> {
        serde_json::from_slice(value).map_err(|_| self.damaged())
    }

    fn flush(&self) -> Result<()> {
        self.db.flush().map(|_| ()).map_err(|error| failed(&self.place, &error))
    }

    fn damaged(&self) -> Error {
        Error::index(
            &self.place,
            "the changes since last night are damaged: move the directory away, and send the changes again",
        )
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
    fn what_was_acknowledged_is_there_when_it_is_opened_again() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let change = |field, value: i64| ("tea".to_owned(), Overlay::of(field, value));
        {
            let live = Live::open(root.path()).expect("it can be opened");
            let keep = |changes| {
                let overlays = live.laid_over(changes).expect("readable");
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
        // sled lets go of its lock a moment after it is dropped, when its threads have.
        let again = || {
            Live::open(root.path()).inspect_err(|_| std::thread::sleep(Duration::from_millis(20)))
        };
        let live = (0..100).find_map(|_| again().ok()).expect("it can be opened again");
        let expected = Overlay::of("price", 2).and(Overlay::of("stock", 0));
        assert_eq!(live.items().expect("readable"), [("tea".to_owned(), expected)]);
        assert_eq!(live.rules().expect("readable"), [("spring".to_owned(), b"{}".to_vec())]);
        let Kept { items, rules } = read(root.path()).expect("readable beside whoever holds it");
        assert_eq!((items.len(), rules.len()), (1, 1));
    }

    #[test]
    fn an_index_without_changes_has_none() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let Kept { items, rules } = read(root.path()).expect("nothing to read");
        assert!(items.is_empty() && rules.is_empty());
    }
}
