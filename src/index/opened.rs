//! sled, opened for reading beside whoever else has it open.

use std::path::{Path, PathBuf};

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
}
