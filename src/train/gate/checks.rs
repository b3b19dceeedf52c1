//! One bound after the other: what is asked for, what was found, and by how much it fails.

use std::collections::BTreeMap;

use serde::Serialize;

use super::measured::{Accuracy, Measured};
use super::options::GateOptions;
use crate::error::thousands;

/// With fewer rows than this in the current generation, doubling or halving overnight means nothing.
const LEAST_ROWS: u64 = 1_000;
/// The same for items, customers and rules.
const LEAST_THINGS: u64 = 100;
/// The same for the lists that are compared.
const LEAST_LISTS: usize = 50;
/// With fewer cases a question says nothing of popularity.
const LEAST_CASES: usize = 100;
/// Below this size the fixed parts of the files outweigh their contents.
const LEAST_BYTES: u64 = 4 << 20;
/// Answers within this time are quick enough, whatever they took before.
const QUICK_MS: f64 = 50.0;
/// So many standard errors are chance.
const ERRORS: f64 = 3.0;

/// One bound, and whether it holds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Check {
    /// What is bounded: "rows", "accuracy of basket".
    pub name: String,
    /// The knob below `train.gate`; empty where there is none.
    pub knob: &'static str,
    /// Of the new generation.
    pub found: f64,
    /// Of the current one; absent where nothing is compared.
    pub before: Option<f64>,
    /// The least that is let pass; absent if any is.
    pub least: Option<f64>,
    /// The most that is let pass; absent if any is.
    pub most: Option<f64>,
    /// What does not show in figures: the golden queries that failed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub which: Vec<String>,
}

impl Check {
    pub(super) fn new(name: impl Into<String>, knob: &'static str, found: f64) -> Self {
        let name = name.into();
        Self { name, knob, found, before: None, least: None, most: None, which: Vec::new() }
    }

    fn since(self, before: f64) -> Self {
        Self { before: Some(before), ..self }
    }

    pub(super) fn at_least(self, least: f64) -> Self {
        Self { least: Some(least), ..self }
    }

    fn at_most(self, most: f64) -> Self {
        Self { most: Some(most), ..self }
    }

    /// True if the figure is a number within the bound.
    pub fn holds(&self) -> bool {
        self.found >= self.least.unwrap_or(f64::NEG_INFINITY)
            && self.found <= self.most.unwrap_or(f64::INFINITY)
    }
}

impl std::fmt::Display for Check {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { name, knob, found, before, least, most, which } = self;
        write!(f, "{name}: {}", figure(*found))?;
        match (least, most) {
            (Some(least), _) if found < least || found.is_nan() => {
                let short = figure(least - found);
                write!(f, ", and at least {} is asked for: {short} too little", figure(*least))?;
            }
            (_, Some(most)) if found > most || found.is_nan() => {
                let over = figure(found - most);
                write!(f, ", and at most {} is let pass: {over} too much", figure(*most))?;
            }
            _ => {}
        }
        if let Some(before) = before {
            write!(f, "; the current generation has {}", figure(*before))?;
        }
        if !knob.is_empty() {
            write!(f, " (train.gate.{knob})")?;
        }
        which.iter().try_for_each(|one| write!(f, "\n      {one}"))
    }
}

/// Counts whole, shares to four places.
fn figure(value: f64) -> String {
    if value.fract() == 0.0 || value.abs() >= 1_000.0 {
        thousands(value)
    } else {
        format!("{value:.4}")
    }
}

/// What must hold of any generation, whatever was there before.
pub(super) fn absolute(new: &Measured, options: &GateOptions) -> Vec<Check> {
    let mut checks = vec![
        Check::new("items", "", count(&new.counts, "items")).at_least(1.0),
        Check::new("share of items without an answer", "", new.unanswered).at_most(0.5),
    ];
    for (question, accuracy) in &new.accuracy {
        let name = format!("accuracy of {question} ({})", accuracy.metric);
        let check = Check::new(name, "least_of_popularity", accuracy.ours);
        checks.push(if accuracy.cases < LEAST_CASES {
            check // a number, and no more is asked
        } else {
            let least = options.least_of_popularity * accuracy.popularity;
            check.at_least(least - ERRORS * accuracy.error())
        });
    }
    for (question, &milliseconds) in &new.milliseconds {
        let name = format!("time of {question}, ms");
        checks.push(Check::new(name, "most_ms", milliseconds).at_most(options.most_ms));
    }
    checks
}

/// What must hold beside the current generation. `overlap` and `known` are of its lists: how much of them is in
/// the new ones, and how many of their items are known.
pub(super) fn relative(
    new: &Measured,
    old: &Measured,
    (overlap, known): (f64, f64),
    options: &GateOptions,
) -> Vec<Check> {
    let mut checks = of_input(new, old, options);
    checks.extend(of_counts(new, old, options));
    checks.extend(of_answers(new, old, options));
    if old.tops.len() >= LEAST_LISTS {
        let name = "share of the most popular items that are still known";
        checks.push(Check::new(name, "least_known", known).at_least(options.least_known));
        let name = "share of the top lists that stays";
        checks.push(Check::new(name, "least_overlap", overlap).at_least(options.least_overlap));
    }
    checks
}

fn of_input(new: &Measured, old: &Measured, options: &GateOptions) -> Vec<Check> {
    let (now, before) = (&new.input, &old.input);
    let mut checks = Vec::new();
    if before.used >= LEAST_ROWS {
        let used = before.used as f64;
        checks.push(dropped("rows", "rows_drop", now.used, used, options.rows_drop));
        checks.push(risen("rows", "rows_rise", now.used, used, options.rows_rise));
        let check = Check::new("share of rows set aside", "set_aside_rise", now.share_set_aside());
        let share = before.share_set_aside();
        checks.push(check.since(share).at_most(share + options.set_aside_rise));
    }
    for (kind, &rows) in before.kinds.iter().filter(|(_, rows)| **rows >= LEAST_ROWS) {
        let found = now.kinds.get(kind).copied().unwrap_or(0);
        let name = format!("rows of kind {kind}");
        checks.push(dropped(&name, "kind_drop", found, rows as f64, options.kind_drop));
    }
    if before.listed >= LEAST_THINGS {
        let (name, listed) = ("items of the catalogue", before.listed as f64);
        checks.push(dropped(name, "listed_drop", now.listed, listed, options.listed_drop));
    }
    if let (Some(now), Some(before)) = (now.until, before.until) {
        let back = before.days_since(now);
        let name = "days that the log ends before the current one's end";
        checks.push(Check::new(name, "days_back", back).at_most(options.days_back));
    }
    checks
}

fn of_counts(new: &Measured, old: &Measured, options: &GateOptions) -> Vec<Check> {
    let figure = |name: &str| (count(&new.counts, name) as u64, count(&old.counts, name));
    let mut checks = Vec::new();
    let (items, before) = figure("items");
    if before >= LEAST_THINGS as f64 {
        checks.push(dropped("items", "items_drop", items, before, options.items_drop));
        checks.push(risen("items", "items_rise", items, before, options.items_rise));
    }
    let (customers, before) = figure("customers");
    if before >= LEAST_THINGS as f64 {
        let drop = options.customers_drop;
        checks.push(dropped("customers", "customers_drop", customers, before, drop));
    }
    for rules in ["bought_together", "same_customers", "viewed_together"] {
        let (found, before) = figure(rules);
        let is_known = new.has_rules_as(old, rules) && old.input.used >= LEAST_ROWS;
        if before >= LEAST_THINGS as f64 && is_known {
            let name = format!("rules of {rules}");
            checks.push(dropped(&name, "rules_drop", found, before, options.rules_drop));
            checks.push(risen(&name, "rules_rise", found, before, options.rules_rise));
        }
    }
    checks
}

fn of_answers(new: &Measured, old: &Measured, options: &GateOptions) -> Vec<Check> {
    let mut checks = Vec::new();
    for (question, before) in old.accuracy.iter().filter(|_| new.is_asked_as(old)) {
        if let Some(now) = new.accuracy.get(question).filter(|now| now.metric == before.metric) {
            checks.push(accuracy(question, now, before, options));
        }
    }
    if let (Some(now), Some(before)) = (new.coverage, old.coverage)
        && count(&old.counts, "items") >= LEAST_THINGS as f64
        && new.false_discovery_rates == old.false_discovery_rates
    {
        let least = (1.0 - options.coverage_drop) * before;
        let check = Check::new("share of items answered from evidence", "coverage_drop", now);
        checks.push(check.since(before).at_least(least));
    }
    if old.bytes >= LEAST_BYTES {
        let bytes = old.bytes as f64;
        checks.push(dropped("bytes on disk", "size_drop", new.bytes, bytes, options.size_drop));
        checks.push(risen("bytes on disk", "size_rise", new.bytes, bytes, options.size_rise));
    }
    for (question, &before) in &old.milliseconds {
        if let Some(&now) = new.milliseconds.get(question) {
            let check = Check::new(format!("time of {question}, ms"), "time_rise", now);
            checks.push(check.since(before).at_most((options.time_rise * before).max(QUICK_MS)));
        }
    }
    checks
}

fn accuracy(question: &str, now: &Accuracy, before: &Accuracy, options: &GateOptions) -> Check {
    let chance = ERRORS * now.error().hypot(before.error());
    let least = before.ours - (options.accuracy_drop * before.ours).max(chance);
    let name = format!("accuracy of {question} ({})", now.metric);
    Check::new(name, "accuracy_drop", now.ours).since(before.ours).at_least(least)
}

fn dropped(name: &str, knob: &'static str, found: u64, before: f64, drop: f64) -> Check {
    let least = ((1.0 - drop) * before).floor();
    Check::new(name, knob, found as f64).since(before).at_least(least)
}

fn risen(name: &str, knob: &'static str, found: u64, before: f64, rise: f64) -> Check {
    let most = ((1.0 + rise) * before).ceil();
    Check::new(name, knob, found as f64).since(before).at_most(most)
}

fn count(counts: &BTreeMap<String, u64>, name: &str) -> f64 {
    counts.get(name).copied().unwrap_or(0) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::gate::InputFigures;

    fn shop() -> Measured {
        let kinds = [("purchase".to_owned(), 50_000)].into();
        let input = InputFigures { read: 52_000, used: 50_000, kinds, ..InputFigures::default() };
        let counts = [("items", 2_000), ("customers", 4_000), ("bought_together", 30_000)];
        let accuracy =
            Accuracy { metric: "ndcg@10".into(), cases: 2_000, ours: 0.3, popularity: 0.1 };
        Measured {
            input,
            counts: counts.map(|(name, count)| (name.to_owned(), count)).into(),
            accuracy: [("customer".to_owned(), accuracy)].into(),
            coverage: Some(0.9),
            tops: (0..100).map(|n| (n.to_string(), Vec::new())).collect(),
            bytes: 40 << 20,
            milliseconds: [("customer".to_owned(), 0.2)].into(),
            ..Measured::default()
        }
    }

    /// The names of what does not hold after a change of the new generation.
    fn failing(change: impl Fn(&mut Measured)) -> Vec<String> {
        let mut new = shop();
        change(&mut new);
        failing_beside(&new, (0.8, 1.0))
    }

    fn failing_beside(new: &Measured, stays: (f64, f64)) -> Vec<String> {
        let options = GateOptions::default();
        let checks = [absolute(new, &options), relative(new, &shop(), stays, &options)].concat();
        checks.into_iter().filter(|check| !check.holds()).map(|check| check.name).collect()
    }

    fn ours(new: &mut Measured, ours: f64) {
        new.accuracy.get_mut("customer").expect("it is there").ours = ours;
    }

    #[test]
    fn a_generation_like_the_current_one_passes() {
        assert_eq!(failing(|_| {}), [] as [&str; 0]);
    }

    #[test]
    fn accuracies_are_compared_only_where_the_same_was_held_back() {
        let names = failing(|new| {
            ours(new, 0.2);
            new.held_back = "the last order of each customer".into();
        });
        assert_eq!(names, [] as [&str; 0]);
    }

    #[test]
    fn rules_are_compared_only_where_as_much_may_be_chance() {
        let many = |rules: &'static str| {
            move |new: &mut Measured| {
                new.counts.insert("bought_together".into(), 900_000);
                new.false_discovery_rates = [(rules, 1.0)].into();
            }
        };
        assert_eq!(failing(many("same_customers")), ["rules of bought_together"]);
        assert_eq!(failing(many("bought_together")), [] as [&str; 0]);
        let learnt = serde_json::json!({ "rules": { "bought": { "false_discovery_rate": 0.05 } } });
        let rates = super::super::measured::false_discovery_rates(&learnt);
        assert_eq!(rates, [("bought_together", 0.05)].into());
    }

    #[test]
    fn what_a_season_brings_passes() {
        let names = failing(|new| {
            new.input.used = 36_000;
            new.input.read = 38_000;
            new.input.kinds.insert("purchase".into(), 36_000);
            new.counts.insert("bought_together".into(), 16_000);
            new.bytes = 20 << 20;
            new.milliseconds.insert("customer".into(), 1.9);
            ours(new, 0.24);
        });
        assert_eq!(names, [] as [&str; 0]);
    }

    #[test]
    fn every_bound_can_fail() {
        type Change = fn(&mut Measured);
        let changes: [(&str, Change); 11] = [
            ("rows", |new| (new.input.used, new.input.read) = (30_000, 31_000)),
            ("rows", |new| (new.input.used, new.input.read) = (160_000, 161_000)),
            ("share of rows set aside", |new| new.input.read = 65_000),
            ("rows of kind purchase", |new| new.input.kinds = BTreeMap::new()),
            ("items", |new| *new.counts.get_mut("items").expect("there") = 1_000),
            ("customers", |new| *new.counts.get_mut("customers").expect("there") = 1_000),
            ("rules of bought_together", |new| {
                new.counts.remove("bought_together");
            }),
            ("share of items answered from evidence", |new| new.coverage = Some(0.6)),
            ("bytes on disk", |new| new.bytes = 300 << 20),
            ("share of items without an answer", |new| new.unanswered = 0.7),
            ("time of customer, ms", |new| {
                new.milliseconds.insert("customer".into(), 60.0);
            }),
        ];
        for (name, change) in changes {
            assert_eq!(failing(change), [name]);
        }
        let accuracy = "accuracy of customer (ndcg@10)";
        assert_eq!(failing(|new| ours(new, 0.2)), [accuracy]);
        assert_eq!(
            failing(|new| ours(new, f64::NAN)),
            [accuracy, accuracy],
            "no number is no pass"
        );
        assert_eq!(failing(|new| ours(new, 0.01)), [accuracy, accuracy], "popularity does better");
        let stays = |overlap, known| failing_beside(&shop(), (overlap, known));
        assert_eq!(stays(0.1, 1.0), ["share of the top lists that stays"]);
        assert_eq!(stays(0.8, 0.4), ["share of the most popular items that are still known"]);
    }

    #[test]
    fn a_bound_says_by_how_much_it_fails() {
        let check = dropped("rows", "rows_drop", 41_000, 102_000.0, 0.3);
        let said = "rows: 41,000, and at least 71,400 is asked for: 30,400 too little; \
                    the current generation has 102,000 (train.gate.rows_drop)";
        assert_eq!(check.to_string(), said);
    }

    #[test]
    fn a_handful_of_cases_may_come_out_otherwise() {
        let few = |ours| Accuracy { metric: "m".into(), cases: 20, ours, popularity: 0.1 };
        let options = GateOptions::default();
        assert!(accuracy("customer", &few(0.1), &few(0.3), &options).holds());
        assert!(!accuracy("customer", &few(0.0), &few(0.8), &options).holds());
    }
}
