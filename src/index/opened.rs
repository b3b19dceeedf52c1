//! sled, opened for reading beside whoever else has it open.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::private::PrivateCopy;
use crate::error::{Error, Result};

/// A database, where it is or as a private copy.
#[derive(Debug)]
pub struct Opened {
    /// The database.
    pub(crate) db: sled::Db,
    place: PathBuf,
    /// Where sled works, if not in the place itself. Removed when dropped, after sled.
    copy: Option<PrivateCopy>,
}

impl Opened {
    /// Opens the database at `place` with a cache of so many bytes. sled wants it for itself, and to write:
    /// where another process has it open, or it is read-only, a private copy is opened instead.
    ///
    /// Errors name `owner`, the directory that people know: it is damaged, or can't be copied.
    pub fn at(place: &Path, owner: &Path, cache_bytes: u64) -> Result<Self> {
        match open(place, cache_bytes) {
            Ok(db) => return Ok(Self { db, place: place.to_path_buf(), copy: None }),
            Err(sled::Error::Io(_)) => {}
            Err(error) => {
                return Err(Error::index(
                    owner,
                    format!(
                        "sled can't open it: {error}; train again, or go back to an earlier generation"
                    ),
                ));
            }
        }
        let copy = PrivateCopy::of(place)?;
        Self::in_copy(copy, place.to_path_buf(), owner, cache_bytes)
    }

    /// Closed, and opened once more: in the same place, unless another process was quicker.
    ///
    /// Errors: as those of [`Opened::at`].
    pub fn again(self, owner: &Path, cache_bytes: u64) -> Result<Self> {
        let Self { db, place, copy } = self;
        drop(db);
        wait_until_closed(&copy.as_ref().map_or_else(|| place.clone(), PrivateCopy::trees));
        match copy {
            Some(copy) => Self::in_copy(copy, place, owner, cache_bytes),
            None => Self::at(&place, owner, cache_bytes),
        }
    }

    fn in_copy(copy: PrivateCopy, place: PathBuf, owner: &Path, cache_bytes: u64) -> Result<Self> {
        let db = open(&copy.trees(), cache_bytes).map_err(|error| {
            Error::index(owner, format!("sled can't open a copy of it: {error}"))
        })?;
        Ok(Self { db, place, copy: Some(copy) })
    }
}

/// So long sled's threads are waited for, at most.
const LONGEST: Duration = Duration::from_secs(10);

/// Waits until a database that was dropped is let go of: sled's threads finish what they are at after that, and may
/// still remove files. Whoever opens it then finds another process there, or nobody.
pub(super) fn wait_until_closed(place: &Path) {
    let begun = Instant::now();
    let is_held = || File::open(place.join("db")).is_ok_and(|file| file.try_lock().is_err());
    while is_held() && begun.elapsed() < LONGEST {
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn open(place: &Path, cache_bytes: u64) -> sled::Result<sled::Db> {
    sled::Config::new().path(place).cache_capacity(cache_bytes).flush_every_ms(None).open()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_opened_again_is_where_it_was_and_holds_the_same() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let place = folder.path().join("sled");
        let first = Opened::at(&place, folder.path(), 1 << 20).expect("a place of its own");
        first.db.insert("key", "value").and_then(|_| first.db.flush()).expect("written");
        let beside = Opened::at(&place, folder.path(), 1 << 20).expect("a copy");
        let copied = beside.copy.as_ref().map(PrivateCopy::trees).expect("it is in use");

        let beside = beside.again(folder.path(), 1 << 20).expect("the same copy");
        let first = first.again(folder.path(), 1 << 20).expect("the same place");
        assert_eq!(beside.copy.as_ref().map(PrivateCopy::trees), Some(copied));
        assert!(first.copy.is_none());
        for opened in [first, beside] {
            assert_eq!(opened.db.get("key").expect("readable").as_deref(), Some(&b"value"[..]));
        }
    }

    #[test]
    fn what_sled_is_slow_to_let_go_of_is_waited_for() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let place = folder.path().join("sled");
        let opened = Opened::at(&place, folder.path(), 1 << 20).expect("a place of its own");
        let held = opened.db.clone();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                std::thread::sleep(Duration::from_millis(100));
                drop(held);
            });
            let again = opened.again(folder.path(), 1 << 20).expect("it can be opened");
            assert!(again.copy.is_none(), "it is nobody else's");
        });
    }
}
