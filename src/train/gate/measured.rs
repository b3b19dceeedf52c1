//! What a generation was made from, and what came of it: the figures that two generations are compared by.

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::catalog::{Catalog, Item};
use crate::events::{Account, EventKind, EventLog};
use crate::ids::ItemId;
use crate::index::Contents;
use crate::recommend::{Blend, Query, Question, Reason, Recommendation, Scratch, answer};
use crate::tables::FileColumns;
use crate::time::Timestamp;

/// Days of the log whose rows are counted, the last ones.
const DAYS: i64 = 56;
/// So many of the most popular items have their lists kept, to compare the next generation's with.
const TOPS: usize = 100;
/// So many items, spread over the catalogue, are asked about to see how many have evidence.
const ASKED: usize = 500;
/// Length of the lists.
const LENGTH: usize = 10;

/// The figures of one generation. Of items their keys are in it; of customers, nothing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Measured {
    /// The input.
    pub input: InputFigures,
    /// What was counted and learnt, as in the manifest.
    pub counts: BTreeMap<String, u64>,
    /// What was held back to ask about, in words; as in the manifest, where it stands beside these figures.
    #[serde(skip)]
    pub held_back: String,
    /// The rates of false discoveries that were chosen, by the rules' name in `counts`; as in the manifest.
    #[serde(skip)]
    pub false_discovery_rates: BTreeMap<&'static str, f64>,
    /// How well each question was answered on what was held back.
    pub accuracy: BTreeMap<String, Accuracy>,
    /// Share of items whose related items have evidence, 0 to 1; absent if there is no item.
    pub coverage: Option<f64>,
    /// Share of items that have no related item at all though others could be named, 0 to 1.
    pub unanswered: f64,
    /// The related items of the most popular items.
    pub tops: BTreeMap<String, Vec<String>>,
    /// Bytes on disk.
    pub bytes: u64,
    /// The median answer to each question, milliseconds.
    pub milliseconds: BTreeMap<String, f64>,
}

/// What a log looks like from far away.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct InputFigures {
    /// Rows read.
    pub read: u64,
    /// Rows used.
    pub used: u64,
    /// Rows that somebody may have put there to be learnt from, and that are set aside.
    pub planted: u64,
    /// Rows set aside, by cause in words.
    pub set_aside: BTreeMap<String, u64>,
    /// Rows used of each kind.
    pub kinds: BTreeMap<String, u64>,
    /// The columns that were taken for each role.
    pub columns: BTreeMap<String, BTreeSet<String>>,
    /// Rows used on each of the last days of the log, `YYYY-MM-DD`; empty if it has no time.
    pub days: BTreeMap<String, u64>,
    /// What is usually paid for a unit: the geometric mean over purchases that say a price; absent if none does.
    pub price: Option<f64>,
    /// Items of the catalogue.
    pub listed: u64,
    /// Those of them that have a price above 0.
    pub priced: u64,
    /// The last moment, milliseconds since 1970; absent if the log has no time.
    pub until: Option<Timestamp>,
}

/// How well a question was answered on what was held back.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Accuracy {
    /// Which figure.
    pub metric: String,
    /// Cases it was measured on.
    pub cases: usize,
    /// By this generation's manner, 0 to 1.
    pub ours: f64,
    /// By popularity alone, 0 to 1.
    pub popularity: f64,
}

impl Measured {
    /// True if the accuracies can be compared: with others held back, the questions are harder or easier.
    pub(super) fn is_asked_as(&self, other: &Self) -> bool {
        self.held_back == other.held_back
    }

    /// True if these rules can be compared: where chance may count too, there are many times as many.
    pub(super) fn has_rules_as(&self, other: &Self, rules: &str) -> bool {
        self.false_discovery_rates.get(rules) == other.false_discovery_rates.get(rules)
    }
}

impl InputFigures {
    /// Of a log and a catalogue as they were read; `zone` decides what a day is.
    pub(in crate::train) fn of(
        log: &EventLog,
        catalog: &Catalog,
        account: &Account,
        columns: &[FileColumns],
        zone: &TimeZone,
    ) -> Self {
        let until = log.events.last().map(|event| event.at).filter(|_| log.timed);
        let mut kinds = BTreeMap::new();
        for event in &log.events {
            *kinds.entry(format!("{:?}", event.kind).to_lowercase()).or_default() += 1;
        }
        let is_priced = |(_, item): &(&str, &Item)| item.price.is_some_and(|price| price > 0.0);
        let label =
            |(cause, &rows): (&crate::events::Cause, &u64)| (cause.label().to_owned(), rows);
        let planted = |(cause, _): &(&crate::events::Cause, &u64)| cause.is_planted();
        Self {
            read: account.read,
            used: account.used,
            planted: account.set_aside.iter().filter(planted).map(|(_, rows)| rows).sum(),
            set_aside: account.set_aside.iter().map(label).collect(),
            kinds,
            columns: roles(columns),
            days: until.map(|until| days(log, until, zone)).unwrap_or_default(),
            price: usual_price(log),
            listed: catalog.len() as u64,
            priced: catalog.iter().filter(is_priced).count() as u64,
            until,
        }
    }
}

fn usual_price(log: &EventLog) -> Option<f64> {
    let bought = log.events.iter().filter(|event| event.kind == EventKind::Purchase);
    let prices = bought.map(|event| f64::from(event.unit_price)).filter(|&price| price > 0.0);
    let (count, sum) = prices.fold((0, 0.0), |(count, sum), price| (count + 1, sum + price.ln()));
    (count > 0).then(|| (sum / f64::from(count)).exp())
}

fn roles(files: &[FileColumns]) -> BTreeMap<String, BTreeSet<String>> {
    let mut roles: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for found in files.iter().flat_map(|file| &file.roles) {
        roles.entry(found.role.clone()).or_default().insert(found.column.clone());
    }
    roles
}

/// Rows on each of the last days, those without any among them. The first is left out where the limit cuts the log.
fn days(log: &EventLog, until: Timestamp, zone: &TimeZone) -> BTreeMap<String, u64> {
    let from = until.plus_days(-DAYS);
    let mut days: BTreeMap<jiff::civil::Date, u64> = BTreeMap::new();
    for event in log.events.iter().rev().take_while(|event| event.at >= from) {
        if let Ok(moment) = jiff::Timestamp::from_millisecond(event.at.0) {
            *days.entry(zone.to_datetime(moment).date()).or_default() += 1;
        }
    }
    let (first, last) = (days.keys().next().copied(), days.keys().next_back().copied());
    let span = first.zip(last).map(|(first, last)| {
        first.series(jiff::Span::new().days(1)).take_while(move |&day| day <= last)
    });
    let is_cut = log.events.first().is_some_and(|event| event.at < from);
    let all = span.into_iter().flatten().skip(usize::from(is_cut));
    all.map(|day| (day.to_string(), days.get(&day).copied().unwrap_or(0))).collect()
}

/// What was held back, from what the manifest says of tuning.
pub(super) fn held_back(learnt: &serde_json::Value) -> String {
    learnt["held_back"].as_str().unwrap_or_default().to_owned()
}

/// The rates of false discoveries, from what the manifest says of tuning.
pub(super) fn false_discovery_rates(learnt: &serde_json::Value) -> BTreeMap<&'static str, f64> {
    let rate = |rules: &str| learnt["rules"][rules]["false_discovery_rate"].as_f64();
    let named = [("bought_together", "bought"), ("same_customers", "collected")];
    named.into_iter().filter_map(|(name, rules)| Some((name, rate(rules)?))).collect()
}

impl Accuracy {
    /// Of all questions that had cases, from what the manifest will say of tuning.
    pub(super) fn all(learnt: &serde_json::Value) -> BTreeMap<String, Self> {
        let questions = learnt["held_out"].as_object().into_iter().flatten();
        questions.map(|(question, score)| (question.clone(), Self::of(score))).collect()
    }

    fn of(score: &serde_json::Value) -> Self {
        let figure = |name: &str| score[name].as_f64().unwrap_or(f64::NAN);
        Self {
            metric: score["metric"].as_str().unwrap_or_default().to_owned(),
            cases: score["cases"].as_u64().unwrap_or(0) as usize,
            ours: figure("after"),
            popularity: figure("popularity"),
        }
    }

    /// The standard error of `ours`, at most: a figure from 0 to 1 with mean m varies by m (1 − m) at most.
    pub(super) fn error(&self) -> f64 {
        (self.ours * (1.0 - self.ours) / self.cases.max(1) as f64).max(0.0).sqrt()
    }
}

/// What a generation answers, asked before it is published.
pub(super) struct Asker<'a> {
    contents: &'a Contents,
    blend: &'a Blend,
    scratch: Scratch,
}

impl<'a> Asker<'a> {
    pub(super) fn new(contents: &'a Contents, blend: &'a Blend) -> Self {
        Self { contents, blend, scratch: Scratch::default() }
    }

    /// True if anybody did anything with the item: that a catalogue names it is not enough.
    pub(super) fn knows(&self, item: &str) -> bool {
        let known = self.contents.keys.get(item);
        known.is_some_and(|item| self.contents.trends.ranking.contains(&item))
    }

    pub(super) fn answer(&mut self, question: Question<'_>, limit: usize) -> Vec<Recommendation> {
        let query = Query::new(question, None, limit);
        answer(self.contents, self.blend, &query, &mut self.scratch).recommendations
    }

    /// The keys of the answer.
    pub(super) fn keys(&mut self, question: Question<'_>, limit: usize) -> Vec<String> {
        let found = self.answer(question, limit);
        found.iter().map(|one| self.contents.keys.key(one.item).to_owned()).collect()
    }

    pub(super) fn related(&mut self, item: &str) -> Vec<String> {
        self.keys(Question::Related { item }, LENGTH)
    }

    /// The lists of the most popular items.
    pub(super) fn tops(&mut self) -> BTreeMap<String, Vec<String>> {
        let contents = self.contents;
        let items = contents.trends.ranking.iter().take(TOPS);
        items
            .map(|&item| contents.keys.key(item))
            .map(|key| (key.to_owned(), self.related(key)))
            .collect()
    }

    /// Shares of items that are answered from evidence, and that are not answered at all.
    pub(super) fn coverage(&mut self) -> Option<(f64, f64)> {
        let contents = self.contents;
        let (mut asked, mut evident, mut silent) = (0, 0, 0);
        for key in contents.keys.keys().step_by(contents.len().div_ceil(ASKED).max(1)) {
            let found = self.answer(Question::Related { item: key }, LENGTH);
            let reasons = found.iter().flat_map(|one| &one.reasons);
            asked += 1;
            evident +=
                usize::from(reasons.into_iter().any(|r| !matches!(r, Reason::Popular { .. })));
            silent += usize::from(found.is_empty());
        }
        let share = |count: usize| count as f64 / asked as f64;
        (asked > 0)
            .then(|| (share(evident), if self.sells_several() { share(silent) } else { 0.0 }))
    }

    /// True if every item has another to be named beside it.
    fn sells_several(&self) -> bool {
        let shelf = &self.contents.shelf;
        let sold = (0..shelf.len()).filter(|&item| shelf.absence(ItemId::new(item)).is_none());
        sold.take(2).count() > 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::DAY_MS;

    /// The first of the days of a log of so many, closed every seventh day.
    fn first_of(count: i64) -> (String, usize) {
        let event = |day: i64| crate::events::Event {
            at: Timestamp(day * DAY_MS + DAY_MS / 2),
            customer: None,
            item: ItemId::new(0),
            group: None,
            quantity: 1.0,
            unit_price: 1.0,
            kind: EventKind::Purchase,
            discount_percent: 0,
        };
        let open = (0..count).filter(|day| day % 7 != 3).map(event);
        let log = EventLog { events: open.collect(), timed: true, ..EventLog::default() };
        let until = log.events.last().expect("some").at;
        let days = days(&log, until, &TimeZone::UTC);
        (days.keys().next().expect("some").clone(), days.len())
    }

    #[test]
    fn a_day_that_the_limit_cuts_is_left_out_though_the_shop_is_closed_on_others() {
        assert_eq!(first_of(30), ("1970-01-01".into(), 30), "nothing is cut");
        // Of the day that begins the 56 before the last one's noon, half is cut.
        assert_eq!(first_of(101), ("1970-02-15".into(), 56));
    }
}
