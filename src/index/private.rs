//! A private copy of a generation's trees, where they can't be opened in their own place.
//!
//! It goes when it is dropped. A process that is killed leaves its copy behind, and the next one that makes a copy
//! finds it unlocked, and removes it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::error::{Error, Result};

/// Folders of copies start with this, in the system's temporary folder.
const PREFIX: &str = "cartwright-copy-";
/// The file in it that is locked as long as its owner lives.
const LOCK: &str = "lock";
const TREES: &str = "sled";

/// A copy, and the lock that keeps others from sweeping it away.
#[derive(Debug)]
pub(super) struct PrivateCopy {
    folder: PathBuf,
    _lock: File,
}

impl PrivateCopy {
    /// Copies a folder with all that is in it, once the copies of the dead are swept away.
    ///
    /// Errors: the temporary folder can't be written, or the original can't be read.
    pub(super) fn of(place: &Path) -> Result<Self> {
        let all = std::env::temp_dir();
        sweep(&all);
        let folder = TempDir::with_prefix(PREFIX).map_err(Error::io("create", &all))?;
        let lock = locked(folder.path()).map_err(Error::io("lock", folder.path()))?;
        let copy = Self { folder: folder.keep(), _lock: lock };
        fs::create_dir(copy.trees()).map_err(Error::io("create", copy.trees()))?;
        copy_dir(place, &copy.trees())?;
        Ok(copy)
    }

    /// Where the trees are.
    pub(super) fn trees(&self) -> PathBuf {
        self.folder.join(TREES)
    }
}

impl Drop for PrivateCopy {
    fn drop(&mut self) {
        remove(&self.folder);
    }
}

/// The lock goes last: of whoever is killed on the way, the next one finds it. What can't be removed is another's,
/// or the next one's to try.
fn remove(copy: &Path) {
    let _ = fs::remove_dir_all(copy.join(TREES));
    if !copy.join(TREES).exists() {
        let _ = fs::remove_dir_all(copy);
    }
}

/// A lock file, there only once it is locked: one that is not would be swept away.
fn locked(folder: &Path) -> std::io::Result<File> {
    let fresh = folder.join(".lock.new");
    let file = File::create(&fresh)?;
    file.lock()?;
    fs::rename(fresh, folder.join(LOCK))?;
    Ok(file)
}

/// Removes the copies of those who are gone.
fn sweep(all: &Path) {
    for entry in fs::read_dir(all).into_iter().flatten().flatten() {
        let is_copy = entry.file_name().to_string_lossy().starts_with(PREFIX);
        let lock = is_copy.then(|| File::open(entry.path().join(LOCK)).ok()).flatten();
        if lock.is_some_and(|lock| lock.try_lock().is_ok()) {
            remove(&entry.path());
        }
    }
}

/// Files are written anew rather than copied with their permissions: those of a read-only index would stay so.
fn copy_dir(from: &Path, to: &Path) -> Result<()> {
    for entry in fs::read_dir(from).map_err(Error::io("list", from))? {
        let entry = entry.map_err(Error::io("list", from))?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if source.is_dir() {
            fs::create_dir(&target).map_err(Error::io("create", &target))?;
            copy_dir(&source, &target)?;
        } else {
            let copied = File::open(&source)
                .and_then(|mut source| std::io::copy(&mut source, &mut File::create(&target)?));
            copied.map_err(Error::io("copy", &source))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_of_the_dead_are_swept_away_and_those_of_the_living_stay() {
        let all = tempfile::tempdir().expect("a temporary folder");
        let [dead, alive, other] =
            ["cartwright-copy-dead", "cartwright-copy-alive", "cartwright-demo-x"].map(|name| {
                let folder = all.path().join(name);
                fs::create_dir(&folder).expect("writable");
                folder
            });
        drop(locked(&dead).expect("it can be locked"));
        drop(locked(&other).expect("it can be locked"));
        let lock = locked(&alive).expect("it can be locked");
        sweep(all.path());
        assert_eq!([&dead, &alive, &other].map(|folder| folder.exists()), [false, true, true]);
        drop(lock);
        sweep(all.path());
        assert!(!alive.exists());
    }
}
