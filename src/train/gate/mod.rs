//! The gate: nothing is published unmeasured, and nothing that a broken export made.
//!
//! A new generation is held against bounds that any must keep, and against the current one. Where a bound does
//! not hold, the current generation goes on, and the refusal says which bound, by how much, and what in the
//! input probably caused it. The first generation, and one after a format that this program can't read, has
//! nothing to be compared with.
//!
//! The figures stand in the manifest, so that the next generation is compared without opening this one.
//! This room refuses to know how anything was learnt.

mod chart;
mod checks;
pub mod golden;
mod measured;
mod options;

pub use checks::Check;
pub use measured::{Accuracy, InputFigures, Measured};
pub use options::GateOptions;

use std::fmt::Write as _;

use serde::Serialize;

use self::measured::Asker;
use super::Learnt;
use crate::error::{Error, Result};
use crate::index::Index;

/// What the gate found, for the manifest.
#[derive(Clone, Debug, Serialize)]
pub struct Verdict {
    /// The generation it was compared with; absent if with none.
    pub compared_with: Option<u64>,
    /// All bounds that were asked about.
    pub checks: Vec<Check>,
    /// True if it was published though bounds did not hold.
    pub forced: bool,
    /// What stood out in the input, a line each.
    pub odd: Vec<String>,
    /// The figures.
    pub measured: Measured,
}

/// What is asked at the gate, beside what was learnt.
#[derive(Debug)]
pub(super) struct Arrival<'a> {
    pub(super) learnt: &'a Learnt,
    /// Of the log, as it was read.
    pub(super) input: InputFigures,
    /// As the manifest will have them.
    pub(super) counts: &'a std::collections::BTreeMap<String, u64>,
    /// As the manifest will have it.
    pub(super) how: &'a serde_json::Value,
    /// Of the trees, on disk.
    pub(super) bytes: u64,
}

/// Holds a new generation against the bounds and the current generation of `index`.
///
/// Errors: a bound does not hold ([`Error::Refused`]), unless `force` is set; the golden queries can't be read.
pub(super) fn judge(arrival: Arrival<'_>, index: &Index, options: &GateOptions) -> Result<Verdict> {
    let golden = options.golden.as_deref().map(golden::read).transpose()?.unwrap_or_default();
    let mut asker = Asker::new(&arrival.learnt.contents, &arrival.learnt.blend);
    let measured = measure(&arrival, &mut asker);
    let current = current(index);
    let mut checks = checks::absolute(&measured, options);
    checks.extend(golden::check(&golden, &mut asker));
    let none = InputFigures::default();
    let mut before = &none;
    if let Some((_, old)) = &current {
        checks.extend(checks::relative(&measured, old, stays(old, &mut asker), options));
        before = &old.input;
    }
    let odd = match &current {
        Some((_, old)) => odd(&measured, old),
        None => chart::odd_lines(&measured.input.days),
    };
    let failed = checks.iter().any(|check| !check.holds());
    let compared_with = current.as_ref().map(|(number, _)| *number);
    let drawn = chart::chart(&measured.input, before);
    let forced = failed && options.force;
    let verdict = Verdict { compared_with, checks, forced, odd, measured };
    if failed && !forced { Err(Error::Refused(verdict.refusal(&drawn))) } else { Ok(verdict) }
}

/// The current generation and its figures, if there is one that can be compared with.
fn current(index: &Index) -> Option<(u64, Measured)> {
    let number = index.current().ok()?;
    let listed = index.list().ok()?.into_iter().find(|generation| generation.number == number)?;
    let manifest = match listed.manifest {
        Ok(manifest) => manifest,
        Err(error) => {
            tracing::warn!(%error, "the current generation can't be compared with");
            return None;
        }
    };
    let measured: Measured = match serde_json::from_value(manifest.gate["measured"].clone()) {
        Ok(measured) => measured,
        Err(error) => {
            tracing::warn!(%error, "the current generation's figures can't be compared with");
            return None;
        }
    };
    let held_back = measured::held_back(&manifest.learnt);
    let false_discovery_rates = measured::false_discovery_rates(&manifest.learnt);
    Some((number, Measured { held_back, false_discovery_rates, ..measured }))
}

/// What stands out beside the current generation, a line each.
fn odd(new: &Measured, old: &Measured) -> Vec<String> {
    let mut odd = chart::causes(&new.input, &old.input);
    if !new.is_asked_as(old) {
        odd.push(format!(
            "accuracies are not compared: held back to ask about was {}, and is {}",
            old.held_back, new.held_back
        ));
    }
    for (rules, rate) in &new.false_discovery_rates {
        if !new.has_rules_as(old, rules) {
            odd.push(format!(
                "rules of {rules} are not compared: their rate of false discoveries is {rate}, and was another"
            ));
        }
    }
    odd
}

fn measure(arrival: &Arrival<'_>, asker: &mut Asker<'_>) -> Measured {
    let (coverage, unanswered) = asker.coverage().unzip();
    let times = arrival.how["milliseconds"].as_object().into_iter().flatten();
    Measured {
        input: arrival.input.clone(),
        counts: arrival.counts.clone(),
        held_back: measured::held_back(arrival.how),
        false_discovery_rates: measured::false_discovery_rates(arrival.how),
        accuracy: Accuracy::all(arrival.how),
        coverage,
        unanswered: unanswered.unwrap_or(0.0),
        tops: asker.tops(),
        bytes: arrival.bytes,
        milliseconds: times
            .filter_map(|(question, ms)| Some((question.clone(), ms.as_f64()?)))
            .collect(),
    }
}

/// How much of the current lists is in the new ones, and how many of their items are known: 0 to 1 each.
fn stays(old: &Measured, asker: &mut Asker<'_>) -> (f64, f64) {
    let (mut kept, mut listed, mut known) = (0, 0, 0);
    for (item, list) in old.tops.iter() {
        if asker.knows(item) {
            known += 1;
            let found = asker.related(item);
            kept += list.iter().filter(|one| found.contains(one)).count();
            listed += list.len();
        }
    }
    let share = |part: usize, whole: usize| part as f64 / whole.max(1) as f64;
    (share(kept, listed), share(known, old.tops.len()))
}

impl Verdict {
    /// The bounds that do not hold.
    pub fn failed(&self) -> impl Iterator<Item = &Check> {
        self.checks.iter().filter(|check| !check.holds())
    }

    /// What the shop should know, a line each, for the manifest's notes.
    pub(super) fn notes(&self) -> Vec<String> {
        let odd = self.odd.iter().map(|line| format!("input: {line}"));
        let forced = self.failed().map(|check| format!("published by --force although {check}"));
        odd.chain(forced).collect()
    }

    fn refusal(&self, chart: &str) -> String {
        let (failed, all) = (self.failed().count(), self.checks.len());
        let mut text = match self.compared_with {
            Some(number) => format!("the gate keeps generation {number}"),
            None => "the gate lets nothing through".to_owned(),
        };
        let _ = writeln!(text, ": {failed} of {all} bounds do not hold");
        for check in self.failed() {
            let _ = writeln!(text, "    {check}");
        }
        text.push_str("  in the input, the probable cause:\n");
        if self.odd.is_empty() {
            text.push_str("    nothing stands out\n");
        }
        for line in &self.odd {
            let _ = writeln!(text, "    {line}");
        }
        if !chart.is_empty() {
            text.push_str("  rows per day, now and when the current generation was trained:\n");
            text.push_str(chart);
        }
        text.push_str("  If it is right all the same: `--force` publishes it; the bounds are set under [train.gate].");
        text
    }
}
