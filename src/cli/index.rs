//! `cartwright index`

use std::path::PathBuf;

use anyhow::bail;
use clap::{Args, Subcommand};

use super::output::{align_right, print, table};
use crate::error::thousands;
use crate::index::Index;

/// Show and check the generations of an index, and choose which one is served
///
/// An index keeps its latest generations; one of them is served.
#[derive(Debug, Args)]
pub(super) struct IndexCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Show all generations
    List(Place),
    /// Read a generation whole and compare it with its manifest
    Verify {
        /// Which; default: the one that is served
        generation: Option<u64>,
        #[command(flatten)]
        place: Place,
    },
    /// Serve this generation from now on
    Activate {
        /// Which
        generation: u64,
        #[command(flatten)]
        place: Place,
    },
    /// Serve the generation before the current one from now on
    Rollback(Place),
}

#[derive(Debug, Args)]
struct Place {
    /// Directory of the index
    #[arg(long, value_name = "DIR")]
    index: PathBuf,
}

impl Place {
    fn open(&self) -> Index {
        Index::at(&self.index)
    }
}

impl IndexCommand {
    pub(super) fn run(self) -> anyhow::Result<()> {
        match self.action {
            Action::List(place) => list(&place.open()),
            Action::Verify { generation, place } => verify(&place.open(), generation),
            Action::Activate { generation, place } => {
                place.open().activate(generation)?;
                print(format!("generation {generation} is served from now on"))
            }
            Action::Rollback(place) => {
                let generation = place.open().rollback()?;
                print(format!("generation {generation} is served from now on"))
            }
        }
    }
}

fn list(index: &Index) -> anyhow::Result<()> {
    let generations = index.list()?;
    if generations.is_empty() {
        index.current()?; // says what to do
    }
    let mut rows =
        table(&["generation", "", "built", "trained until", "items", "customers", "events"]);
    for generation in generations {
        let served = if generation.current { "served" } else { "" };
        let number = generation.number.to_string();
        match generation.manifest {
            Ok(manifest) => {
                let count = |name| thousands(manifest.counts.get(name).copied().unwrap_or(0));
                rows.add_row([
                    number,
                    served.to_owned(),
                    manifest.created.clone(),
                    manifest.trained_until.clone().unwrap_or_default(),
                    count("items"),
                    count("customers"),
                    count("events"),
                ]);
            }
            Err(error) => {
                rows.add_row([number, served.to_owned(), error.to_string()]);
            }
        }
    }
    align_right(&mut rows, &[0, 4, 5, 6]);
    print(rows)
}

fn verify(index: &Index, generation: Option<u64>) -> anyhow::Result<()> {
    let generation = match generation {
        Some(number) => number,
        None => index.current()?,
    };
    let trees = index.verify(generation)?;
    let mut rows = table(&["tree", "entries", "digest", ""]);
    let damaged: Vec<&str> =
        trees.iter().filter(|t| t.found != t.expected).map(|t| t.tree.as_str()).collect();
    for tree in &trees {
        let verdict = if tree.found == tree.expected { "sound" } else { "DAMAGED" };
        rows.add_row([
            tree.tree.clone(),
            thousands(tree.found.entries),
            tree.found.digest.clone(),
            verdict.to_owned(),
        ]);
    }
    align_right(&mut rows, &[1]);
    print(rows)?;
    if !damaged.is_empty() {
        bail!("generation {generation} is damaged in {}", damaged.join(", "));
    }
    print(format!("generation {generation} holds what was written"))
}
