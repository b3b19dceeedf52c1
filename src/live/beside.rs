//! The changes of an index on which another process takes them.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::store::{DIRECTORY, Kept, read};
use crate::error::Result;

/// A file may be written twice within one tick of its time; after this long it has ticked.
const TICK: Duration = Duration::from_secs(1);

/// The changes as of the last look.
#[derive(Debug)]
pub struct Beside {
    root: PathBuf,
    why: String,
    seen: Stamp,
    kept: Kept,
}

/// When the files were written last, and how long they are together, bytes.
type Stamp = Option<(SystemTime, u64)>;

impl Beside {
    /// The changes of the index at `root`, not looked at yet. `why` they can't be taken here is kept.
    pub fn new(root: &Path, why: String) -> Self {
        Self { root: root.to_path_buf(), why, seen: None, kept: Kept::default() }
    }

    /// Why changes can't be taken here.
    pub fn why(&self) -> &str {
        &self.why
    }

    /// The index whose changes these are.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// What was there at the last look.
    pub fn kept(&self) -> &Kept {
        &self.kept
    }

    /// Looks again; what was there before, if it was something else.
    ///
    /// Errors: the disk, or the other process was just writing. Then the last look stands, and the next tries again.
    pub fn look(&mut self) -> Result<Option<Kept>> {
        let seen = stamp(&self.root.join(DIRECTORY));
        let is_settled = seen.is_none_or(|(at, _)| at.elapsed().is_ok_and(|age| age > TICK));
        if seen == self.seen {
            return Ok(None);
        }
        let before = std::mem::replace(&mut self.kept, read(&self.root)?);
        self.seen = seen.filter(|_| is_settled);
        Ok((before != self.kept).then_some(before))
    }
}

fn stamp(place: &Path) -> Stamp {
    let files = std::fs::read_dir(place).ok()?;
    let files = files.filter_map(|entry| entry.ok()?.metadata().ok());
    files
        .filter_map(|file| Some((file.modified().ok()?, file.len())))
        .reduce(|(newest, bytes), (modified, more)| (newest.max(modified), bytes + more))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::{Live, Overlay};

    #[test]
    fn what_another_keeps_is_seen_at_the_next_look() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let live = Live::open(root.path()).expect("it can be opened");
        let mut beside = Beside::new(root.path(), "it is held".to_owned());
        assert_eq!(beside.look().expect("readable"), None, "nothing was changed yet");
        for stock in [3, 0] {
            let before = live.kept().expect("readable");
            live.keep(&[("tea".to_owned(), Overlay::of("stock", stock))]).expect("kept");
            assert_eq!(beside.look().expect("readable"), Some(before));
            assert_eq!(beside.look().expect("readable"), None, "the second look finds nothing new");
            assert_eq!(beside.kept().items, live.items().expect("readable"));
        }
        live.put_rule("spring", b"{}").expect("kept");
        assert!(beside.look().expect("readable").is_some());
        assert_eq!(beside.kept().rules, live.rules().expect("readable"));
    }
}
