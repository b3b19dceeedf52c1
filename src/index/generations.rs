//! Which generations there are, and which one is served.

use std::fs;
use std::path::{Path, PathBuf};

use super::Manifest;
use crate::error::{Error, Result};
use crate::fault;

pub(super) const CURRENT: &str = "CURRENT";
/// Folders of generations that are not whole yet start with this.
pub(super) const BUILDING: &str = ".building-";

/// An index directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Index {
    root: PathBuf,
}

/// Which generations stay when a new one is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// The latest so many, at least two …
    pub count: usize,
    /// … unless they are older than so many days.
    pub days: u32,
}

/// One generation of an index.
#[derive(Debug)]
pub struct Generation {
    /// Its number.
    pub number: u64,
    /// True for the one that is served.
    pub current: bool,
    /// What it says of itself, or why that can't be read.
    pub manifest: Result<Manifest>,
}

impl Index {
    /// The index in `root`, whether or not anything is there yet.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Its directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn generations_dir(&self) -> PathBuf {
        self.root.join("generations")
    }

    /// Where generation `number` is, or would be.
    pub fn generation_dir(&self, number: u64) -> PathBuf {
        self.generations_dir().join(format!("{number:06}"))
    }

    /// The number of the generation that is served.
    ///
    /// Errors: there is none yet, or `CURRENT` holds no number.
    pub fn current(&self) -> Result<u64> {
        let path = self.root.join(CURRENT);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(Error::index(
                    &self.root,
                    "there is no published generation here; run `cartwright train --events … --index` with this directory first",
                ));
            }
            Err(error) => return Err(Error::io("read", &path)(error)),
        };
        text.trim().parse().map_err(|_| {
            Error::index(
                &path,
                "it should hold the number of a generation; `cartwright index activate N` writes it anew",
            )
        })
    }

    /// The manifest of the generation that is served.
    ///
    /// Errors: there is none yet, or it can't be read.
    pub fn current_manifest(&self) -> Result<Manifest> {
        Manifest::read(&self.generation_dir(self.current()?))
    }

    /// All generations, oldest first.
    pub fn list(&self) -> Result<Vec<Generation>> {
        let current = self.current().ok();
        Ok(self
            .numbers()?
            .into_iter()
            .map(|number| Generation {
                number,
                current: current == Some(number),
                manifest: Manifest::read(&self.generation_dir(number)),
            })
            .collect())
    }

    /// Serves generation `number` from now on.
    ///
    /// Errors: there is no such generation, or its manifest can't be read.
    pub fn activate(&self, number: u64) -> Result<()> {
        let alone = self.locked()?;
        self.require(number)?;
        Manifest::read(&self.generation_dir(number))?;
        self.name_current(number, &alone)
    }

    /// Errors: there is no such generation.
    pub(super) fn require(&self, number: u64) -> Result<()> {
        let known = self.numbers()?;
        match known.contains(&number) {
            true => Ok(()),
            false => Err(Error::index(
                &self.root,
                format!("there is no generation {number}; there are {known:?}"),
            )),
        }
    }

    /// Serves the generation before the current one from now on; its number. One whose manifest can't be read is
    /// passed over.
    ///
    /// Errors: there is none before it.
    pub fn rollback(&self) -> Result<u64> {
        let current = self.current()?;
        let sound = |number: u64| Manifest::read(&self.generation_dir(number)).is_ok();
        let before = self.numbers()?.into_iter().rfind(|&number| number < current && sound(number));
        let Some(before) = before else {
            return Err(Error::index(
                &self.root,
                format!("generation {current} is the oldest there is"),
            ));
        };
        self.activate(before)?;
        Ok(before)
    }

    pub(super) fn latest(&self) -> Result<Option<u64>> {
        Ok(self.numbers()?.last().copied())
    }

    /// Removes what `keep` does not name; never the current generation, nor the one before it.
    pub(super) fn prune(&self, keep: Keep) -> Result<()> {
        let current = self.current()?;
        let numbers = self.numbers()?;
        let before = numbers.iter().rfind(|&&number| number < current).copied();
        let surplus = numbers.len().saturating_sub(keep.count.max(2));
        let oldest =
            jiff::Timestamp::now() - jiff::SignedDuration::from_hours(24 * i64::from(keep.days));
        for (place, &number) in numbers.iter().enumerate() {
            let goes = place < surplus || self.created(number).is_some_and(|at| at < oldest);
            if goes && number != current && Some(number) != before {
                self.remove(number)?;
            }
        }
        Ok(())
    }

    /// When a generation was built; `None` if it does not say.
    fn created(&self, number: u64) -> Option<jiff::Timestamp> {
        Manifest::read(&self.generation_dir(number)).ok()?.created.parse().ok()
    }

    /// Takes a generation away, out of its place first: one that is half removed is none. It stays if it is the current
    /// one: somebody may just have gone back to it.
    pub(super) fn remove(&self, number: u64) -> Result<()> {
        let place = self.generation_dir(number);
        let aside = self.generations_dir().join(format!("{BUILDING}removed-{number:06}"));
        let alone = self.locked()?;
        if self.current()? == number {
            return Ok(());
        }
        fault::pass("prune.rename", || fs::rename(&place, &aside))
            .map_err(Error::io("rename", &place))?;
        drop(alone);
        fault::pass("prune.remove", || fs::remove_dir_all(&aside))
            .map_err(Error::io("remove", &aside))
    }

    fn numbers(&self) -> Result<Vec<u64>> {
        let place = self.generations_dir();
        let entries = match fs::read_dir(&place) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(Error::io("list", &place)(error)),
        };
        let mut numbers = Vec::new();
        for entry in entries {
            let entry = entry.map_err(Error::io("list", &place))?;
            numbers.extend(entry.file_name().to_str().and_then(|name| name.parse::<u64>().ok()));
        }
        numbers.sort_unstable();
        Ok(numbers)
    }
}
