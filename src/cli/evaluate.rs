//! `cartwright evaluate`

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use anyhow::Context;
use clap::Args;
use jiff::tz::TimeZone;

use super::evaluate_hot::{show_again, show_rising};
use super::output::{Steps, align_right, print, say, table};
use super::train::role_and_column;
use crate::catalog::{self, Catalog};
use crate::config::Config;
use crate::error::Error;
use crate::evaluate::baselines::LINE_UP;
use crate::evaluate::report::TaskReport;
use crate::evaluate::{
    Cut, Exam, HeldOut, Question, Recommender, Report, Task, again_over_weeks, past,
    rising_over_weeks,
};
use crate::events::{self, EventLog};
use crate::ids::ItemId;
use crate::recommend::{self, Query, Scratch, answer};
use crate::time::Timestamp;
use crate::train::{Learnt, TrainOptions, Tuned, learn_tuned, quieted, stock};

/// Replay held-out weeks: how good are the answers, beside simple and strong baselines
///
/// Learns from all before the shop's last weeks, asks what customers would want, and compares with what they
/// did. Nothing is published.
#[derive(Debug, Args)]
pub(super) struct Evaluate {
    /// What customers did: files, folders or patterns
    #[arg(long, required = true, num_args = 1.., value_name = "PATH")]
    events: Vec<PathBuf>,
    /// What the shop sells: files, folders or patterns
    #[arg(long, num_args = 1.., value_name = "PATH")]
    catalog: Vec<PathBuf>,
    /// Days held out, the last of the log; fewer where it is shorter than four times that
    #[arg(long, default_value_t = 28, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    test_days: u32,
    /// Writes all figures as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Writes a page with charts
    #[arg(long, value_name = "FILE.html")]
    report: Option<PathBuf>,
    /// Only these tasks, with commas between them
    #[arg(long, value_delimiter = ',', value_name = "TASK", value_parser = task)]
    tasks: Vec<Judged>,
    /// Only these baselines, with commas between them; or `none`, or `all`
    #[arg(long, value_delimiter = ',', default_value = "all", value_name = "NAME", value_parser = baseline)]
    baselines: Vec<String>,
    /// Takes COLUMN of the events for ROLE, where the guess is wrong: `--map item_id=SKU`
    #[arg(long, value_name = "ROLE=COLUMN", value_parser = role_and_column)]
    map: Vec<(String, String)>,
    /// The same for the catalogue
    #[arg(long, value_name = "ROLE=COLUMN", value_parser = role_and_column)]
    catalog_map: Vec<(String, String)>,
    /// The shop's time zone, such as Europe/Berlin; default UTC
    #[arg(long, value_name = "ZONE")]
    time_zone: Option<String>,
}

/// What can be judged.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Judged {
    Task(Task),
    Rising,
    Again,
}

fn task(name: &str) -> Result<Judged, String> {
    match name {
        "rising" => Ok(Judged::Rising),
        "buy_again" => Ok(Judged::Again),
        _ => Task::named(name).map(Judged::Task).ok_or_else(|| {
            let names = Task::ALL.map(Task::name).join(", ");
            format!("expected one of {names}, rising, buy_again")
        }),
    }
}

fn baseline(name: &str) -> Result<String, String> {
    if matches!(name, "all" | "none") || LINE_UP.iter().any(|entry| entry.name == name) {
        return Ok(name.to_owned());
    }
    let mut names: Vec<&str> = LINE_UP.iter().map(|entry| entry.name).collect();
    names.dedup();
    Err(format!("expected all, none, or some of {}", names.join(", ")))
}

impl Evaluate {
    pub(super) fn run(self, mut config: Config) -> anyhow::Result<()> {
        config.events.map.extend(self.map.iter().cloned());
        config.catalog.map.extend(self.catalog_map.iter().cloned());
        if let Some(zone) = &self.time_zone {
            config.events.time_zone.clone_from(zone);
            config.catalog.time_zone.clone_from(zone);
        }
        config.train.check()?;
        let steps = Steps::new();
        let report = self.measured(&config, &steps)?;
        let seconds = steps.seconds();
        drop(steps);
        show(&report)?;
        if let Some(path) = &self.json {
            write(
                path,
                &serde_json::to_string_pretty(&report).context("the figures can't be written")?,
            )?;
        }
        if let Some(path) = &self.report {
            write(path, &report.html())?;
        }
        say(format_args!("done in {seconds:.1} s"));
        Ok(())
    }

    fn measured(&self, config: &Config, steps: &Steps) -> anyhow::Result<Report> {
        let zone = config.events.zone()?;
        let gap = config.train.session_gap_minutes;
        steps.step("reading the events");
        let told = events::read_as_told(&self.events, &config.events)?;
        let whole = told.whole();
        let cut = Cut::of(&whole, self.test_days, &zone).ok_or_else(|| {
            Error::Input(
                "the log lies within one day: there is nothing before it to learn from and nothing after to \
                 judge by"
                    .into(),
            )
        })?;
        let mut before = past(&told, cut);
        if before.events.is_empty() {
            let what = "too few orders: by the hash that splits them, none is left to learn from";
            return Err(Error::Input(what.into()).into());
        }
        let catalog = match self.catalog.as_slice() {
            [] => Catalog::default(),
            paths => {
                steps.step("reading the catalogue");
                let at = match cut {
                    Cut::At { at, .. } => Some(at),
                    Cut::ByHash => None,
                };
                as_it_was(&catalog::read(paths, &config.catalog)?.catalog, &before, at)
            }
        };
        let items = stock(&mut before, &catalog);
        let held_out = HeldOut::new(&before, &whole, &told.groups, cut, &zone, gap);
        let wants_it = |what| self.tasks.is_empty() || self.tasks.contains(&what);
        let sold = stock(&mut whole.clone(), &catalog);
        let rising = wants_it(Judged::Rising).then(|| {
            steps.step("asking week by week what rises");
            rising_over_weeks(&told, &sold, &zone)
        });
        let again = wants_it(Judged::Again).then(|| {
            steps.step("asking week by week what is due again");
            again_over_weeks(&told, &sold, &zone, &config.train.history)
        });
        drop(whole);
        let unasked = [
            (matches!(rising, Some(None)), "rising", "it takes thirteen weeks with times"),
            (matches!(again, Some(None)), "buy_again", "hardly anybody buys anything again here"),
        ];
        let unasked = unasked.into_iter().filter(|(is_so, ..)| *is_so);
        let unasked = unasked.map(|(_, what, why)| format!("{what}: not judged: {why}"));
        let notes: Vec<String> = told.notes.iter().cloned().chain(unasked).collect();
        drop(told);
        let tasks: Vec<Task> =
            Task::ALL.into_iter().filter(|task| wants_it(Judged::Task(*task))).collect();
        let exam = Exam::new(&before, &held_out, cut, &zone, gap, &tasks);
        let cartwright = match exam.is_empty() {
            true => None,
            false => Some(Cartwright::learn(
                &before,
                &items,
                (&exam, &held_out),
                &zone,
                &config.train,
                steps,
            )),
        };
        let systems: Vec<&dyn Recommender> =
            cartwright.iter().map(|system| system as &dyn Recommender).collect();
        let all = self.baselines.iter().any(|name| name == "all");
        let wants = |name: &str| all || self.baselines.iter().any(|wanted| wanted == name);
        let mut report = exam.sit(&systems, wants, |step| steps.step(step));
        (report.rising, report.again) = (rising.flatten(), again.flatten());
        report.notes.extend(notes);
        if let Some(Cartwright { how, lacking, .. }) = cartwright {
            report.learnt = how;
            report.notes.extend(lacking.iter().map(|line| format!("not learnt yet: {line}")));
        }
        if let Cut::At { days, .. } = cut
            && days < self.test_days
        {
            let note =
                format!("the log is short: {days} days are held out instead of {}", self.test_days);
            report.notes.insert(0, note);
        }
        Ok(report)
    }
}

/// The catalogue as far as it could be known at that moment: no later arrivals, and nothing on today's stock.
pub(super) fn as_it_was(catalog: &Catalog, before: &EventLog, at: Option<Timestamp>) -> Catalog {
    let sold: std::collections::HashSet<String> =
        before.items.keys().map(str::to_lowercase).collect();
    let was_there =
        |launched: Option<Timestamp>| launched.zip(at).is_some_and(|(day, at)| day < at);
    catalog
        .iter()
        .filter(|(key, item)| was_there(item.launched_at) || sold.contains(&key.to_lowercase()))
        .map(|(key, item)| {
            (key.to_owned(), catalog::Item { in_stock: None, stock: None, ..item.clone() })
        })
        .collect()
}

/// The program itself, as the exam sees it.
struct Cartwright<'a> {
    learnt: Learnt,
    how: serde_json::Value,
    lacking: Vec<String>,
    held_out: &'a HeldOut,
    /// One per thread at work.
    scratches: Mutex<Vec<Scratch>>,
}

impl<'a> Cartwright<'a> {
    fn learn(
        before: &EventLog,
        items: &[catalog::Item],
        (exam, held_out): (&Exam<'_>, &'a HeldOut),
        zone: &TimeZone,
        options: &TrainOptions,
        steps: &Steps,
    ) -> Self {
        // As when it is trained: what a crowd did teaches nothing, and is remembered of those who did it.
        let quiet = (!options.keep_crowds).then(|| quieted(before, zone).0);
        let quiet = quiet.as_ref().unwrap_or(before);
        let Tuned { mut learnt, mut clients, how, lacking } =
            learn_tuned(quiet, items, zone, options, &mut |step| steps.step(step));
        if quiet.events.len() < before.events.len() {
            clients.remember(before, zone);
        }
        // Of those who are asked about: of all, they would take more than the log.
        let cases = exam.problems().iter().flat_map(|problem| &problem.cases);
        let asked = cases.filter_map(|case| case.customer);
        learnt.histories = clients.histories(&learnt.contents, asked);
        Self { learnt, how, lacking, held_out, scratches: Mutex::default() }
    }
}

impl Recommender for Cartwright<'_> {
    fn name(&self) -> &str {
        "cartwright"
    }

    fn recommend(&self, question: &Question<'_>, limit: usize) -> Vec<ItemId> {
        let keys = || question.items.iter().map(|&item| self.held_out.items.key(item));
        let history = question.customer.and_then(|who| self.learnt.histories.get(who));
        let question = match question.task {
            Task::RelatedItems => {
                recommend::Question::Related { item: keys().next().unwrap_or_default() }
            }
            Task::BasketUpsell | Task::BasketUpsellAnonymous => {
                recommend::Question::Basket { items: keys().collect() }
            }
            Task::Session | Task::ForCustomer | Task::ForCustomerWindow | Task::ForCustomerNew => {
                recommend::Question::Customer {
                    recent: keys().collect(),
                    exclude_purchased: question.task == Task::ForCustomerNew,
                }
            }
        };
        let taken = self.scratches.lock().ok().and_then(|mut scratches| scratches.pop());
        let mut scratch = taken.unwrap_or_default();
        let query = Query::new(question, history, limit);
        let answer = answer(&self.learnt.contents, &self.learnt.blend, &query, &mut scratch);
        if let Ok(mut scratches) = self.scratches.lock() {
            scratches.push(scratch);
        }
        answer.recommendations.into_iter().map(|recommended| recommended.item).collect()
    }
}

fn show(report: &Report) -> anyhow::Result<()> {
    let window = &report.window;
    print(match (&window.cut, window.days) {
        (Some(cut), Some(days)) => format!("held out: the last {days} days, from {cut}"),
        _ => "held out: orders by a hash, for the log has no time".to_owned(),
    })?;
    for task in &report.tasks {
        show_task(report, task)?;
    }
    if let Some(rising) = &report.rising {
        show_rising(rising)?;
    }
    if let Some(again) = &report.again {
        show_again(again)?;
    }
    for note in &report.notes {
        print(format!("note: {note}"))?;
    }
    Ok(())
}

fn show_task(report: &Report, task: &TaskReport) -> anyhow::Result<()> {
    let name = task.task.name();
    if let Some(why) = &task.unjudged {
        return print(format!("\n{name}: not judged: {why}"));
    }
    print(format!("\n{name}: {}; {} cases", task.description, task.cases))?;
    let headline = task.headline.name();
    let mut rows = table(&[
        "",
        headline,
        "95 % interval",
        "recall@10",
        "hit@10",
        "repeat",
        "explore",
        "revenue",
        "coverage",
        "p50",
    ]);
    for marks in &task.marks {
        let part = |part: Option<crate::evaluate::Part>| {
            part.map_or(String::new(), |part| format!("{:.3}", part.at10.recall))
        };
        let star = if report.subjects.contains(&marks.name) { " *" } else { "" };
        rows.add_row([
            format!("{}{star}", marks.name),
            format!("{:.4}", marks.headline),
            format!("{:.4} – {:.4}", marks.interval.0, marks.interval.1),
            format!("{:.4}", marks.at10.recall),
            format!("{:.4}", marks.at10.hit_rate),
            part(marks.repeat),
            part(marks.explore),
            marks.revenue_recall_at10.map_or(String::new(), |share| format!("{share:.3}")),
            format!("{:.1} %", 100.0 * marks.coverage),
            format!("{:.0} µs", marks.latency.p50_us),
        ]);
    }
    align_right(&mut rows, &[1, 2, 3, 4, 5, 6, 7, 8, 9]);
    print(rows)
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    std::fs::write(path, text).map_err(Error::io("write", path))?;
    say(format_args!("wrote {}", path.display()));
    Ok(())
}
