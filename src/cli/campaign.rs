//! `cartwright campaign`

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, Subcommand};

use super::output::{align_right, print, say, table};
use crate::campaigns::{
    Comparison, Group, Interval, Judgement, Window, judge, read_assignments, subject,
};
use crate::config::Config;
use crate::customers::{Ledger, Paid};
use crate::error::{Error, counted, thousands};
use crate::events::{self, EventLog};
use crate::index::{CustomerKeys, Index};
use crate::time::Timestamp;

/// Tell whether a campaign worked
#[derive(Debug, Args)]
pub(super) struct CampaignCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Compare those who were written to with those who were held out
    Evaluate(Evaluate),
}

#[derive(Debug, Args)]
struct Evaluate {
    /// Who was in it: customer_id, group (treated or holdout), segment; as `audience --out` writes it
    #[arg(long, value_name = "FILE")]
    assignments: PathBuf,
    /// What customers did: files, folders or patterns
    #[arg(long, required = true, num_args = 1.., value_name = "PATH")]
    events: Vec<PathBuf>,
    /// The index whose audience it was: if that holds keyed hashes instead of customers' keys, the events' keys are
    /// hashed in the same way; the secret comes from CARTWRIGHT_CUSTOMER_SECRET
    #[arg(long, value_name = "DIR")]
    index: Option<PathBuf>,
    /// First day of the campaign, as 2026-11-01
    #[arg(long, value_name = "DAY")]
    start: jiff::civil::Date,
    /// Last day of it
    #[arg(long, value_name = "DAY")]
    end: jiff::civil::Date,
    /// So many days before tell what customers spend without it
    #[arg(long, default_value = "90d", value_parser = super::audience::days, value_name = "DAYS")]
    before: u32,
    /// The shop's time zone, such as Europe/Berlin; default that of the index, or UTC
    #[arg(long, value_name = "ZONE")]
    time_zone: Option<String>,
    /// Chance did not decide who was held out: then nothing is concluded
    #[arg(long)]
    not_randomised: bool,
    /// The figures as JSON
    #[arg(long)]
    json: bool,
    /// Takes COLUMN of the events for ROLE, where the guess is wrong: `--map item_id=SKU`
    #[arg(long, value_name = "ROLE=COLUMN", value_parser = super::train::role_and_column)]
    map: Vec<(String, String)>,
}

impl CampaignCommand {
    pub(super) fn run(self, config: Config) -> anyhow::Result<()> {
        match self.action {
            Action::Evaluate(evaluate) => evaluate.run(config),
        }
    }
}

impl Evaluate {
    fn run(self, mut config: Config) -> anyhow::Result<()> {
        config.events.map.extend(self.map.clone());
        let index = self.index.as_ref().map(Index::at);
        let (asked, settings) = (self.time_zone.as_deref(), &config.events.time_zone);
        let zone = index.as_ref().map(|index| super::zone_of(asked, settings, index));
        if let Some(zone) = zone.or(self.time_zone.clone()) {
            config.events.time_zone = zone;
        }
        let zone = config.events.zone()?;
        let moment = |date: jiff::civil::Date| -> anyhow::Result<Timestamp> {
            let day = date.to_zoned(zone.clone()).context("the calendar does not hold this day")?;
            Ok(Timestamp(day.timestamp().as_millisecond()))
        };
        let end = self.end.tomorrow().map_err(|_| {
            Error::Input(format!("--end {}: expected the last day of the campaign", self.end))
        })?;
        let window =
            Window { start: moment(self.start)?, end: moment(end)?, before_days: self.before };
        window.check()?;
        let assignments = read_assignments(&self.assignments)?;
        let called = match &index {
            Some(index) => CustomerKeys::of_current(index)?,
            None => CustomerKeys::from_environment(config.customers.hash_keys)?,
        };
        let told = events::read_as_told(&self.events, &config.events)?;
        told.notes.iter().for_each(|note| say(format_args!("note: {note}")));
        let log = told.whole();
        let unfinished = self.held_against(&log, &window)?;
        let ledger = Ledger::of(&log, &zone);
        let before = Ledger::of(&told.until(window.start), &zone);
        let names = log.customers.keys().map(|key| called.stored(key).into_owned());
        let orders: HashMap<String, usize> = names.zip(0..).collect();
        let known = assignments.iter().filter(|one| orders.contains_key(&one.customer)).count();
        if known == 0 {
            return Err(strangers(&self.assignments, assignments.len()).into());
        }
        let subjects: Vec<_> = assignments
            .iter()
            .map(|assignment| {
                let customer = orders.get(assignment.customer.as_str());
                let paid = |ledger: &Ledger| -> Vec<Paid> {
                    let row = customer.map(|&customer| ledger.orders.row(customer));
                    let paid = row.unwrap_or_default().iter();
                    paid.map(|order| Paid { at: order.at, value: order.value }).collect()
                };
                subject(assignment, &paid(&ledger), &paid(&before), &window)
            })
            .collect();
        let mut judgement = judge(&subjects, !self.not_randomised);
        judgement.note_strangers(assignments.len() - known);
        if let Some(last) = unfinished {
            judgement.note_unfinished(last);
        }
        if self.json {
            return print(serde_json::to_string_pretty(&judgement)?);
        }
        show(&judgement)
    }

    /// The last event, if the campaign goes on after it; says so if the days before the campaign aren't covered.
    ///
    /// Errors: all of the campaign is after the log.
    fn held_against(&self, log: &EventLog, window: &Window) -> anyhow::Result<Option<Timestamp>> {
        let (Some(first), Some(last)) = (log.events.first(), log.events.last()) else {
            return Ok(None);
        };
        if last.at < window.start {
            return Err(Error::Input(format!(
                "the campaign starts on {}, and the last event is of {}: there is nothing to judge it by yet",
                self.start, last.at
            ))
            .into());
        }
        if window.start.plus_days(-i64::from(window.before_days)) < first.at {
            say(format_args!(
                "the first event is of {}: less is known than {} days before",
                first.at, self.before
            ));
        }
        Ok(window.goes_on_after(last.at).then_some(last.at))
    }
}

/// Nobody in the file is a customer of the events: that is no campaign without effect.
fn strangers(file: &Path, count: usize) -> Error {
    Error::Input(format!(
        "{}: {}, and none has ever been in the events. If the file comes from an index that keeps keyed hashes of \
         customers' keys, name that index with --index",
        file.display(),
        counted(count as u64, "customer"),
    ))
}

fn show(judgement: &Judgement) -> anyhow::Result<()> {
    let mut rows = table(&["", "treated", "held out", "difference", "95 %"]);
    add_rows(&mut rows, "all", &judgement.all);
    for (name, comparison) in &judgement.segments {
        add_rows(&mut rows, name, comparison);
    }
    align_right(&mut rows, &[1, 2, 3, 4]);
    print(rows)?;
    print(&judgement.words)
}

fn add_rows(rows: &mut comfy_table::Table, name: &str, comparison: &Comparison) {
    let (treated, held) = (&comparison.treated, &comparison.held_out);
    let each = |sum: f64, customers: u64| sum / customers.max(1) as f64;
    rows.add_row([
        format!("{name}: customers"),
        thousands(treated.customers),
        thousands(held.customers),
        String::new(),
        String::new(),
    ]);
    let mut add =
        |what: &str, sides: Option<[f64; 2]>, difference: Option<Interval>, scale: f64| {
            let figure = |value: f64| format!("{:.2}", cents(scale * value));
            let signed = |value: f64| format!("{:+.2}", cents(scale * value));
            let interval = difference.map(|d| format!("{} to {}", signed(d.low), signed(d.high)));
            rows.add_row([
                format!("  {what}"),
                sides.map(|[treated, _]| figure(treated)).unwrap_or_default(),
                sides.map(|[_, held]| figure(held)).unwrap_or_default(),
                difference.map(|d| signed(d.estimate)).unwrap_or_default(),
                interval.unwrap_or_default(),
            ]);
        };
    let both =
        |of: fn(&Group) -> f64| Some([treated, held].map(|group| each(of(group), group.customers)));
    add("bought, %", both(|group| group.buyers as f64), comparison.rate, 100.0);
    add("orders each", both(|group| group.orders as f64), comparison.orders, 1.0);
    add("money each", both(|group| group.revenue), comparison.revenue, 1.0);
    if let Some(adjusted) = comparison.adjusted_revenue {
        add("money each, adjusted", None, Some(adjusted), 1.0);
    }
}

/// To two digits, and never `-0`, which is what nobody's purchases sum up to.
fn cents(value: f64) -> f64 {
    (100.0 * value).round() / 100.0 + 0.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_that_bought_nothing_spent_nothing_and_not_less() {
        let nobodys = std::iter::empty::<f64>().sum::<f64>();
        assert_eq!(
            [nobodys, -0.001, 1.236].map(|sum| format!("{:.2}", cents(sum))),
            ["0.00", "0.00", "1.24"]
        );
    }
}
