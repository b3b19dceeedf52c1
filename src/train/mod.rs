//! The nightly line: the order of the rooms, nothing else.
//!
//! ```text
//! log + catalogue → baskets, sessions → counts → rules ┐
//!                                     → factors → neighbours ├→ contents + histories → publish
//!                                     → trends, cadence      ┘
//! ```

mod learn;
mod options;

pub use learn::{Learnt, Lesson, learn};
pub use options::TrainOptions;

use crate::catalog::{Catalog, CatalogReading, Item};
use rustc_hash::FxHashSet;

use crate::error::{Error, Result};
use crate::events::{EventKind, EventLog, Reading};
use crate::ids::{Interner, ItemId};
use crate::index::{Description, Index, Manifest, TrainingLock};

/// What a training run starts from.
#[derive(Clone, Debug)]
pub struct Input {
    /// The shop's events.
    pub reading: Reading,
    /// The shop's catalogue; empty if there is none.
    pub catalog: CatalogReading,
    /// Decides what a day is.
    pub time_zone: jiff::tz::TimeZone,
    /// The configuration, for the manifest.
    pub config: serde_json::Value,
}

/// Learns from the input and publishes a new generation of the index; `watch` hears of every step.
///
/// Errors: nothing to learn from; another trainer is at work; the disk. The generation that was current
/// before then still is.
pub fn train(
    input: Input,
    options: &TrainOptions,
    index: &Index,
    mut watch: impl FnMut(&str),
) -> Result<Manifest> {
    options.check()?;
    let lock = TrainingLock::take(index)?;
    let Input { reading, catalog, time_zone, config } = input;
    let mut log = reading.log;
    if log.events.is_empty() {
        return Err(Error::Input(format!(
            "there is nothing to learn from: {} rows were read, and none could be used",
            reading.account.read
        )));
    }
    let items = stock(&mut log, &catalog.catalog);
    let learnt = learn(&log, items, &time_zone, options, &mut watch);
    watch("publishing");
    let mut notes = [reading.notes, catalog.notes].concat();
    notes.extend(learnt.notes());
    let description = Description {
        counts: learnt.counts(&log),
        account: serde_json::to_value(&reading.account)
            .map_err(|error| Error::Server(format!("the account can't be written: {error}")))?,
        config,
        learnt: serde_json::json!({ "blend": learnt.blend }),
        notes,
    };
    let keep = options.keep_generations;
    lock.publish(&learnt.contents, &log.customers, &learnt.histories, description, keep)
}

/// What the catalogue says of every item of the log, in the order of their ids. Items of the catalogue
/// that nobody has touched yet follow behind; titles come from the log where the catalogue has none.
pub fn stock(log: &mut EventLog, catalog: &Catalog) -> Vec<Item> {
    let sold: FxHashSet<String> = log.items.keys().map(str::to_lowercase).collect();
    for (key, _) in catalog.iter().filter(|(key, _)| !sold.contains(&key.to_lowercase())) {
        log.items.intern(key);
    }
    let prices = latest_prices(log);
    let keys: &Interner<ItemId> = &log.items;
    let mut items: Vec<Item> =
        keys.keys().map(|key| catalog.get(key).cloned().unwrap_or_default()).collect();
    for (item, title) in items.iter_mut().zip(&log.titles) {
        if item.title.is_none() {
            item.title.clone_from(title);
        }
    }
    for (item, price) in items.iter_mut().zip(prices) {
        item.price = item.price.or(price);
    }
    items
}

/// What each item was last sold for, where the log says.
fn latest_prices(log: &EventLog) -> Vec<Option<f64>> {
    let mut prices = vec![None; log.items.len()];
    for event in log.events.iter().filter(|event| event.kind == EventKind::Purchase) {
        if event.unit_price > 0.0 {
            prices[event.item.index()] = Some(f64::from(event.unit_price));
        }
    }
    prices
}
