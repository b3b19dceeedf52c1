//! `cartwright report`

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::bail;
use clap::{Args, Subcommand};

use super::evaluate::as_it_was;
use super::output::{Steps, align_right, print, say, table};
use crate::catalog::{self, CatalogReading};
use crate::config::Config;
use crate::customers::{Buyer, Pasts, Profiler, RfmSegment, Source};
use crate::error::{Error, thousands};
use crate::evaluate::customers::{CustomerCase, CustomerReport, Judging};
use crate::evaluate::last_days;
use crate::events::{self, baskets};
use crate::index::{Index, Snapshot};
use crate::report::{RfmCounts, customers_page};
use crate::train::{learn, stock};

/// Reports for the shop's owner
#[derive(Debug, Args)]
pub(super) struct ReportCommand {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Customers: where they are, what they bring, who stays, who they are
    Customers(Customers),
}

#[derive(Debug, Args)]
struct Customers {
    /// Directory of the index
    #[arg(long, value_name = "DIR")]
    index: PathBuf,
    /// One page that needs nothing from outside
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Also measures how good the figures are, on the last weeks of these events
    #[arg(long, num_args = 1.., value_name = "PATH")]
    events: Vec<PathBuf>,
    /// The catalogue that goes with the events
    #[arg(long, num_args = 1.., value_name = "PATH")]
    catalog: Vec<PathBuf>,
    /// Days held out for that; with fewer than 28 whether customers come back is not judged
    #[arg(long, default_value_t = 28, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..))]
    held_out_days: u32,
    /// So many stretches of that length are held out, one after the other, each judged by what was before it
    #[arg(long, default_value_t = 4, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    windows: u32,
    /// Takes COLUMN of the events for ROLE, where the guess is wrong: `--map item_id=SKU`
    #[arg(long, value_name = "ROLE=COLUMN", value_parser = super::train::role_and_column)]
    map: Vec<(String, String)>,
    /// The shop's time zone, such as Europe/Berlin; default that of the index
    #[arg(long, value_name = "ZONE")]
    time_zone: Option<String>,
    /// The figures as JSON
    #[arg(long)]
    json: bool,
}

/// Days that are known before every stretch but the last.
const LEAST_KNOWN_DAYS: i64 = 84;

impl ReportCommand {
    pub(super) fn run(self, config: Config) -> anyhow::Result<()> {
        match self.what {
            What::Customers(customers) => customers.run(config),
        }
    }
}

impl Customers {
    fn run(self, mut config: Config) -> anyhow::Result<()> {
        config.events.map.extend(self.map.clone());
        config.train.check()?;
        config.customers.worth.check()?;
        let index = Index::at(&self.index);
        let zone = super::zone_of(self.time_zone.as_deref(), &config.events.time_zone, &index);
        config.catalog.time_zone.clone_from(&zone);
        config.events.time_zone = zone;
        let snapshot = Snapshot::open_current(&index)?;
        let clientele = snapshot.customers.clientele()?;
        if clientele.buyers == 0 {
            bail!("nothing is known of customers here: the log has no time, or no customers");
        }
        let rfm = rfm_counts(&snapshot)?;
        let held_out = match self.events.as_slice() {
            [] => None,
            _ => Some(self.judged(&config)?),
        };
        if let Some(path) = &self.html {
            let page = customers_page(&clientele, &rfm, held_out.as_ref());
            std::fs::write(path, page).map_err(Error::io("write", path))?;
            say(format_args!("wrote {}", path.display()));
        }
        if self.json {
            let json = serde_json::json!({
                "customers": clientele.buyers,
                "kpis": clientele.kpis,
                "segments": clientele.segments,
                "models": clientele.models,
                "held_out": held_out,
            });
            return print(serde_json::to_string_pretty(&json)?);
        }
        show(&rfm)?;
        held_out.map_or(Ok(()), |report| show_judged(&report))
    }

    fn judged(&self, config: &Config) -> anyhow::Result<CustomerReport> {
        let steps = Steps::new();
        steps.step("reading the events");
        let told = events::read_as_told(&self.events, &config.events)?;
        told.notes.iter().for_each(|note| say(format_args!("note: {note}")));
        let whole = told.whole();
        let catalog = match self.catalog.as_slice() {
            [] => CatalogReading::default(),
            paths => catalog::read(paths, &config.catalog)?,
        };
        let Some(last) = whole.events.last().filter(|_| whole.timed) else {
            bail!("the events have no time: nothing can be held out");
        };
        let zone = config.events.zone()?;
        let end = last.at;
        let days = end.days_since(whole.events[0].at) as i64;
        if days < i64::from(self.held_out_days) {
            return Err(Error::Input(format!(
                "the events span {days} days: nothing is left to learn from before the {} that are held out",
                self.held_out_days
            ))
            .into());
        }
        let known_from = whole.events[0].at.plus_days(LEAST_KNOWN_DAYS);
        let mut judging = Judging::default();
        for window in 1..=self.windows {
            let cut = last_days(end, window.saturating_mul(self.held_out_days), &zone);
            if window > 1 && cut < known_from {
                break;
            }
            let mut past = told.until(cut);
            let known = as_it_was(&catalog.catalog, &past, Some(cut));
            let items = stock(&mut past, &known);
            let learnt = learn(&past, &items, &zone, &config.train, &mut |step| steps.step(step));
            steps.step("getting to know the customers");
            let last = past.events.last().map(|event| event.at).unwrap_or_default();
            let pasts = Pasts::new(&past, baskets(&past, &zone), last, &config.train.history);
            let source = Source {
                log: &past,
                items: &items,
                categories: &learnt.contents.categories,
                pasts: &pasts,
                cadence: &learnt.contents.cadence,
                zone: &zone,
            };
            let profiler = Profiler::learn(source, &config.customers.worth);
            let profiles = profiler.all();
            steps.step("holding it against the weeks after");
            judging.add(&CustomerCase {
                contents: &learnt.contents,
                histories: learnt.histories.as_slice(),
                profiles: &profiles,
                clientele: &profiler.clientele,
                whole: &whole,
                cut,
                days: self.held_out_days,
            });
        }
        Ok(judging.report())
    }
}

fn rfm_counts(snapshot: &Snapshot) -> anyhow::Result<RfmCounts> {
    let mut counts: BTreeMap<RfmSegment, (u64, f64)> = BTreeMap::new();
    for entry in snapshot.customers.profiles() {
        if let Some(Buyer { rfm, .. }) = &entry?.1.buyer {
            let (customers, money) = counts.entry(rfm.segment()).or_default();
            *customers += 1;
            *money += f64::from(rfm.total);
        }
    }
    Ok(counts.into_iter().map(|(name, (customers, money))| (name, customers, money)).collect())
}

fn show(rfm: &RfmCounts) -> anyhow::Result<()> {
    let mut rows = table(&["segment", "customers", "paid in all"]);
    for (name, customers, money) in rfm {
        rows.add_row([
            name.name().replace('_', " "),
            thousands(*customers),
            thousands(money.round().max(0.0) as u64),
        ]);
    }
    align_right(&mut rows, &[1, 2]);
    print(rows)
}

fn show_judged(report: &CustomerReport) -> anyhow::Result<()> {
    let mut rows =
        table(&["judged", "by", "cases", "Cartwright", "rule", "difference, 95 %", "rule", ""]);
    for figure in &report.figures {
        rows.add_row([
            figure.what.clone(),
            figure.metric.clone(),
            thousands(figure.cases),
            format!("{:.4}", figure.ours),
            format!("{:.4}", figure.theirs),
            format!("{:+.4} to {:+.4}", figure.low, figure.high),
            figure.rule.clone(),
            figure.verdict().to_owned(),
        ]);
    }
    align_right(&mut rows, &[2, 3, 4, 5]);
    print(rows)?;
    print(format!(
        "stretches held out, each judged by what was learnt before it: {}",
        report.windows
    ))?;
    for line in report.models.iter().chain(&report.left_out) {
        print(line)?;
    }
    Ok(())
}
