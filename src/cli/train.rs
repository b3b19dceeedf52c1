//! `cartwright train`

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;

use super::output::{Steps, align_right, print, say, table};
use crate::catalog::{self, CatalogReading};
use crate::config::Config;
use crate::error::thousands;
use crate::events::{self, Account, AttributesReading};
use crate::index::{Index, Manifest};
use crate::tables::FileColumns;
use crate::train::{Input, train};

/// Learn from a shop's events and publish a new generation of its index
///
/// Reads CSV, TSV, JSON Lines and Parquet, plain or as .gz or .zst; finds the columns by name and
/// content; says what it took for what, and what became of every row.
#[derive(Debug, Args)]
pub(super) struct Train {
    /// What customers did: files, folders or patterns
    #[arg(long, required = true, num_args = 1.., value_name = "PATH")]
    events: Vec<PathBuf>,
    /// What the shop sells: files, folders or patterns
    #[arg(long, num_args = 1.., value_name = "PATH")]
    catalog: Vec<PathBuf>,
    /// What is known of the customers (age, income, …): files, folders or patterns
    #[arg(long, num_args = 1.., value_name = "PATH")]
    customers: Vec<PathBuf>,
    /// Directory of the index; made if there is none
    #[arg(long, value_name = "DIR")]
    index: PathBuf,
    /// Takes COLUMN of the events for ROLE, where the guess is wrong: `--map item_id=SKU`
    #[arg(long, value_name = "ROLE=COLUMN", value_parser = role_and_column)]
    map: Vec<(String, String)>,
    /// The same for the catalogue
    #[arg(long, value_name = "ROLE=COLUMN", value_parser = role_and_column)]
    catalog_map: Vec<(String, String)>,
    /// Publishes whatever the gate says; the manifest tells that it was
    #[arg(long)]
    force: bool,
    /// The shop's time zone, such as Europe/Berlin; default UTC
    #[arg(long, value_name = "ZONE")]
    time_zone: Option<String>,
}

pub(super) fn role_and_column(text: &str) -> Result<(String, String), String> {
    let (role, column) =
        text.split_once('=').ok_or_else(|| "expected ROLE=COLUMN, as in item_id=SKU".to_owned())?;
    Ok((role.trim().to_owned(), column.trim().to_owned()))
}

impl Train {
    pub(super) fn run(self, mut config: Config) -> anyhow::Result<()> {
        config.events.map.extend(self.map);
        config.catalog.map.extend(self.catalog_map);
        config.train.gate.force = self.force;
        if let Some(zone) = self.time_zone {
            config.events.time_zone.clone_from(&zone);
            config.catalog.time_zone = zone;
        }
        let manifest = read_and_train(
            &self.events,
            &self.catalog,
            &self.customers,
            &Index::at(&self.index),
            &config,
        )?;
        print(format!("published generation {} in {}", manifest.generation, self.index.display()))
    }
}

/// Reads, says what was read, trains, says what was learnt.
pub(super) fn read_and_train(
    events: &[PathBuf],
    catalog: &[PathBuf],
    customers: &[PathBuf],
    index: &Index,
    config: &Config,
) -> anyhow::Result<Manifest> {
    // Now, not when all is read and learnt.
    crate::train::check(&config.train, &config.customers)?;
    let steps = Steps::new();
    steps.step("reading the events");
    let mut reading = events::read(events, &config.events)?;
    if !reading.log.timed {
        let lost = "what sells of late, who is due or lost, and what came first is not told";
        reading.notes.push(format!("no column holds times: {lost}"));
    }
    let catalog = match catalog {
        [] => CatalogReading::default(),
        paths => {
            steps.step("reading the catalogue");
            catalog::read(paths, &config.catalog)?
        }
    };
    let people = match customers {
        [] => AttributesReading::default(),
        paths => {
            steps.step("reading what is known of customers");
            events::read_attributes(paths, &customer_map(&config.events.map))?
        }
    };
    reading.notes.extend(people.notes);
    let of_events = reading.columns.iter().map(|file| (file, "nothing"));
    let others = catalog.columns.iter().chain(&people.columns);
    let columns = columns_table(of_events.chain(others.map(|file| (file, "attributes"))));
    let account = account_table(&reading.account);
    let read_notes = reading.notes.clone();
    let input = Input {
        reading,
        catalog,
        time_zone: config.events.zone()?,
        attributes: people.attributes,
        customers: config.customers.clone(),
        config: serde_json::to_value(config).context("the configuration can't be written")?,
    };
    let trained = train(input, &config.train, index, &mut |step| steps.step(step));
    let seconds = steps.seconds();
    drop(steps);

    print(columns)?;
    print(account)?;
    // Where nothing was published, what was read tells why.
    let manifest = match trained {
        Ok(manifest) => manifest,
        Err(error) => {
            for note in read_notes {
                print(format!("note: {note}"))?;
            }
            return Err(error.into());
        }
    };
    print(counts_table(&manifest.counts))?;
    if let Some(held_out) = held_out_table(&manifest.learnt) {
        print(held_out)?;
    }
    if let Some(objectives) = objectives_table(&manifest.learnt) {
        print(objectives)?;
    }
    for note in &manifest.notes {
        print(format!("note: {note}"))?;
    }
    say(format_args!("done in {seconds:.1} s"));
    Ok(manifest)
}

/// A column of the events that plays the customer by hand plays it here too.
fn customer_map(map: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let named = map.iter().filter(|(role, _)| *role == "customer_id");
    named.map(|(role, column)| (role.clone(), column.clone())).collect()
}

/// How well each question was answered on the weeks that were held back; `None` if there were too few.
fn held_out_table(learnt: &serde_json::Value) -> Option<comfy_table::Table> {
    let questions = learnt["held_out"].as_object().filter(|questions| !questions.is_empty())?;
    let head = ["held out", "cases", "", "popularity", "best source alone", "Cartwright", "ms"];
    let mut rows = table(&head);
    for (question, score) in questions {
        let figure = |name: &str| format!("{:.4}", score[name].as_f64().unwrap_or(0.0));
        rows.add_row([
            question.replace('_', " "),
            thousands(score["cases"].as_u64().unwrap_or(0)),
            score["metric"].as_str().unwrap_or_default().to_owned(),
            figure("popularity"),
            format!("{} {}", score["best_source"].as_str().unwrap_or_default(), figure("single")),
            figure("after"),
            format!("{:.2}", learnt["milliseconds"][question].as_f64().unwrap_or(0.0)),
        ]);
    }
    align_right(&mut rows, &[1, 3, 4, 5, 6]);
    Some(rows)
}

/// What the other objectives cost and bring; `None` where no prices are known.
fn objectives_table(learnt: &serde_json::Value) -> Option<comfy_table::Table> {
    let questions = learnt["objectives"].as_object().filter(|questions| !questions.is_empty())?;
    let head = ["objective", "question", "power of the value", "ndcg@10 lost", "value gained"];
    let mut rows = table(&head);
    for (question, objectives) in questions {
        for (objective, bent) in objectives.as_object()? {
            let figure = |name: &str| bent[name].as_f64().unwrap_or(0.0);
            rows.add_row([
                objective.clone(),
                question.replace('_', " "),
                format!("{:.2}", figure("power")),
                format!("{:.1}%", 100.0 * figure("relevance_lost")),
                format!("{:+.1}%", 100.0 * figure("value_gained")),
            ]);
        }
    }
    align_right(&mut rows, &[2, 3, 4]);
    Some(rows)
}

/// What each column was taken for, and what those were that have no role.
fn columns_table<'a>(
    files: impl Iterator<Item = (&'a FileColumns, &'static str)>,
) -> comfy_table::Table {
    let mut columns = table(&["file", "column", "taken for", "because of", "for example"]);
    for (file, others) in files {
        let name = file.path.file_name().unwrap_or(file.path.as_os_str()).display().to_string();
        for role in &file.roles {
            columns.add_row([
                name.clone(),
                role.column.clone(),
                role.role.clone(),
                role.why.to_string(),
                role.samples.join(", "),
            ]);
        }
        if !file.unused.is_empty() {
            columns.add_row([&name, &file.unused.join(", "), others, "", ""]);
        }
    }
    columns
}

fn account_table(account: &Account) -> comfy_table::Table {
    let mut rows = table(&["rows", "", "%"]);
    let mut add = |name: &str, count: u64| {
        let percent = 100.0 * count as f64 / account.read.max(1) as f64;
        rows.add_row([name.to_owned(), thousands(count), format!("{percent:.2}")]);
    };
    add("read", account.read);
    add("used", account.used);
    for (cause, &count) in &account.set_aside {
        add(&format!("set aside: {}", cause.label()), count);
    }
    align_right(&mut rows, &[1, 2]);
    rows
}

fn counts_table(counts: &BTreeMap<String, u64>) -> comfy_table::Table {
    let mut rows = table(&["learnt", ""]);
    for (name, &count) in counts {
        rows.add_row([name.replace('_', " "), thousands(count)]);
    }
    align_right(&mut rows, &[1]);
    rows
}
