//! `cartwright bench train`

use std::fs::File;
use std::io::BufWriter;
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use serde::Serialize;

use super::output::{Steps, align_right, print, table};
use crate::bench::shop::{self, Size};
use crate::bench::stages::{Stage, Stopwatch, peak_bytes, resident_bytes};
use crate::catalog::CatalogReading;
use crate::config::Config;
use crate::error::thousands;
use crate::events::{self, baskets};
use crate::index::Index;
use crate::train::{Input, train};

/// Writes a log with Zipf popularity and customers who come back into a temporary folder, reads it,
/// trains on it, and says what each stage took.
#[derive(Debug, Args)]
pub(super) struct BenchTrain {
    /// Items that the shop sells
    #[arg(long, default_value_t = 20_000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    items: u32,
    /// Customers of the shop
    #[arg(long, default_value_t = 100_000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    customers: u32,
    /// Lines of its log
    #[arg(long, default_value_t = 1_000_000, value_name = "N")]
    events: u64,
    /// Read the log and go no further
    #[arg(long)]
    only_read: bool,
    /// Leave the index here, for `bench serve`
    #[arg(long, value_name = "DIR", conflicts_with = "only_read")]
    index: Option<PathBuf>,
    /// All figures as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// What a run cost.
#[derive(Debug, Serialize)]
struct Report {
    items: u32,
    customers: u32,
    events: u64,
    log_bytes: u64,
    /// Rows of the log through reading and checking.
    rows_per_s: f64,
    /// Pairs of items in one order (n² for an order of n items), through the whole of counting and rules.
    pairs: u64,
    pairs_per_s: Option<f64>,
    resident_bytes_per_event_after_reading: f64,
    peak_bytes_per_event: f64,
    peak_bytes: u64,
    seconds: f64,
    stages: Vec<Stage>,
}

impl BenchTrain {
    pub(super) fn run(self, config: &Config) -> anyhow::Result<()> {
        let folder = tempfile::tempdir().context("no temporary folder can be made")?;
        let log = folder.path().join("events.csv");
        let size = Size {
            items: self.items as usize,
            customers: self.customers as usize,
            events: self.events,
        };
        let steps = Steps::new();
        steps.step("making up a shop");
        shop::write(size, BufWriter::new(File::create(&log)?))
            .with_context(|| format!("{} can't be written", log.display()))?;
        let log_bytes = log.metadata()?.len();

        let mut stopwatch = Stopwatch::new();
        let mut begin = |name: &str| {
            steps.step(name);
            stopwatch.begin(name);
        };
        begin(READING);
        let reading = events::read(&[log], &config.events)?;
        let resident = resident_bytes();
        begin("grouping orders");
        let time_zone = config.events.zone()?;
        let orders = baskets(&reading.log, &time_zone);
        let pairs = orders.items.rows().map(|order| (order.len() as u64).pow(2)).sum();
        drop(orders);
        if !self.only_read {
            let (catalog, config_value) = (CatalogReading::default(), serde_json::Value::Null);
            let input = Input {
                reading,
                catalog,
                time_zone,
                attributes: Default::default(),
                customers: config.customers.clone(),
                config: config_value,
            };
            let directory = self.index.clone().unwrap_or_else(|| folder.path().join("index"));
            train(input, &config.train, &Index::at(directory), &mut begin)?;
        }
        let stages = stopwatch.finish();
        drop(steps);
        self.tell(stages, log_bytes, pairs, resident)
    }

    fn tell(
        &self,
        stages: Vec<Stage>,
        log_bytes: u64,
        pairs: u64,
        resident: u64,
    ) -> anyhow::Result<()> {
        let seconds_of = |name: &str| -> f64 {
            stages.iter().filter(|stage| stage.name == name).map(|stage| stage.seconds).sum()
        };
        let counted = stages.iter().filter(|stage| stage.name == COUNTING).count() as f64;
        let counting = seconds_of(COUNTING);
        let per_event = |bytes: u64| bytes as f64 / self.events.max(1) as f64;
        let report = Report {
            items: self.items,
            customers: self.customers,
            events: self.events,
            log_bytes,
            rows_per_s: self.events as f64 / seconds_of(READING),
            pairs,
            // Counted anew for each rehearsal, on nearly as much.
            pairs_per_s: (counting > 0.0).then(|| counted * pairs as f64 / counting),
            resident_bytes_per_event_after_reading: per_event(resident),
            peak_bytes_per_event: per_event(peak_bytes()),
            peak_bytes: peak_bytes(),
            seconds: stages.iter().map(|stage| stage.seconds).sum(),
            stages,
        };
        if let Some(path) = &self.json {
            let file = File::create(path)
                .with_context(|| format!("{} can't be written", path.display()))?;
            serde_json::to_writer_pretty(file, &report)?;
        }
        print(report.table())?;
        print(report.summary())
    }
}

/// Stages by the names that they are told by.
const READING: &str = "reading the events";
const COUNTING: &str = "counting what is bought together";

impl Report {
    fn table(&self) -> comfy_table::Table {
        let mut rows = table(&["stage", "s", "peak MB"]);
        for stage in &self.stages {
            let (seconds, peak) = (format!("{:.2}", stage.seconds), stage.peak_bytes >> 20);
            rows.add_row([stage.name.clone(), seconds, thousands(peak)]);
        }
        align_right(&mut rows, &[1, 2]);
        rows
    }

    fn summary(&self) -> String {
        let reading = self.events as f64 / self.rows_per_s;
        format!(
            "{} events, {} items, {} customers: {:.1} s\n\
             read {} rows/s, {:.0} MB/s; counted {} pairs/s of {}\n\
             peak {} MB, {:.0} bytes an event; {:.0} an event after reading",
            thousands(self.events),
            thousands(self.items),
            thousands(self.customers),
            self.seconds,
            thousands(self.rows_per_s as u64),
            self.log_bytes as f64 / 1e6 / reading,
            self.pairs_per_s.map_or("no".to_owned(), |pairs| thousands(pairs as u64)),
            thousands(self.pairs),
            thousands(self.peak_bytes >> 20),
            self.peak_bytes_per_event,
            self.resident_bytes_per_event_after_reading,
        )
    }
}
