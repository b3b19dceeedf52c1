//! sled, opened for reading beside whoever else has it open.

use std::fs;
use std::path::Path;

use crate::error::{Error, Result};

/// A database, where it is or as a private copy.
#[derive(Debug)]
pub struct Opened {
    /// The database.
    pub(crate) db: sled::Db,
    /// Where sled works, if not in the place itself. Removed when dropped, after sled.
    _copy: Option<tempfile::TempDir>,
}

impl Opened {
    /// Opens the database at `place` with a cache of so many bytes. sled wants it for itself, and to write:
    /// where another process has it open, or it is read-only, a private copy is opened instead.
    ///
    /// Errors name `owner`, the directory that people know: it is damaged, or can't be copied.
    pub fn at(place: &Path, owner: &Path, cache_bytes: u64) -> Result<Self> {
        match open(place, cache_bytes) {
            Ok(db) => return Ok(Self { db, _copy: None }),
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
        let copy = tempfile::TempDir::with_prefix("cartwright-")
            .map_err(Error::io("create", std::env::temp_dir()))?;
        copy_dir(place, copy.path())?;
        let db = open(copy.path(), cache_bytes).map_err(|error| {
            Error::index(owner, format!("sled can't open a copy of it: {error}"))
        })?;
        Ok(Self { db, _copy: Some(copy) })
    }
}

fn open(place: &Path, cache_bytes: u64) -> sled::Result<sled::Db> {
    sled::Config::new().path(place).cache_capacity(cache_bytes).flush_every_ms(None).open()
}

fn copy_dir(from: &Path, to: &Path) -> Result<()> {
    for entry in fs::read_dir(from).map_err(Error::io("list", from))? {
        let entry = entry.map_err(Error::io("list", from))?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if source.is_dir() {
            fs::create_dir(&target).map_err(Error::io("create", &target))?;
            copy_dir(&source, &target)?;
        } else {
            fs::copy(&source, &target).map_err(Error::io("copy", &source))?;
        }
    }
    Ok(())
}
