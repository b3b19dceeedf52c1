//! How good is what is said of customers: held against the weeks after, each beside the obvious rule.
//!
//! Everything is learnt from before the cut. Several stretches may be held out, one after the other, each judged
//! by what was learnt before it. An interval is a 95 % bootstrap of the difference to the rule: over customers,
//! each with all that is theirs.

mod audiences;
mod measures;
mod worth;

use serde::Serialize;

use crate::customers::{Clientele, History, Profile};
use crate::events::{Event, EventLog};
use crate::ids::ItemId;
use crate::index::Contents;
use crate::time::Timestamp;
use audiences::Picks;
use worth::People;

pub use worth::Decile;

/// What was learnt from before the cut, and what came after.
#[derive(Clone, Copy, Debug)]
pub struct CustomerCase<'a> {
    /// What the index would hold.
    pub contents: &'a Contents,
    /// The customers' pasts, in the order of their ids.
    pub histories: &'a [History],
    /// What is known of each.
    pub profiles: &'a [Profile],
    /// What is known of all.
    pub clientele: &'a Clientele,
    /// The whole log, under the same ids.
    pub whole: &'a EventLog,
    /// The first moment that is held out.
    pub cut: Timestamp,
    /// Days that are held out.
    pub days: u32,
}

impl<'a> CustomerCase<'a> {
    fn after(&self, days: u32) -> impl Iterator<Item = &'a Event> {
        let (cut, end) = (self.cut, self.cut.plus_days(i64::from(days)));
        self.whole.events.iter().filter(move |event| cut <= event.at && event.at < end)
    }

    /// Items that were first bought in the held-out days, by how often; the most bought first.
    fn new_items(&self) -> Vec<(ItemId, u32)> {
        use crate::events::EventKind::Purchase;
        let end = self.cut.plus_days(i64::from(self.days));
        let mut known = vec![false; self.whole.items.len()];
        let mut sold = vec![0u32; self.whole.items.len()];
        for event in self.whole.events.iter().filter(|event| event.kind == Purchase) {
            match event.at < self.cut {
                true => known[event.item.index()] = true,
                false if event.at < end => sold[event.item.index()] += 1,
                false => {}
            }
        }
        let fresh = (0..known.len()).filter(|&item| !known[item] && sold[item] > 0);
        let mut fresh: Vec<(ItemId, u32)> =
            fresh.map(|item| (ItemId::new(item), sold[item])).collect();
        fresh.sort_by_key(|&(item, sold)| (std::cmp::Reverse(sold), item));
        fresh
    }
}

/// One figure of ours beside that of the obvious rule.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Beside {
    /// What was judged: "churn within 28 days".
    pub what: String,
    /// How: "AUC".
    pub metric: String,
    /// The obvious rule: "recency alone".
    pub rule: String,
    /// Customers, pairs or messages judged.
    pub cases: u64,
    /// Ours.
    pub ours: f64,
    /// The rule's.
    pub theirs: f64,
    /// 95 % interval of the difference, ours − theirs.
    pub low: f64,
    /// Its other end.
    pub high: f64,
    /// True where less is better.
    pub less_is_better: bool,
}

impl Beside {
    /// True if the interval of the difference lies on the better side of 0.
    pub fn beats(&self) -> bool {
        if self.less_is_better { self.high < 0.0 } else { self.low > 0.0 }
    }

    /// In words: better, worse, or not shown to be either.
    pub fn verdict(&self) -> &'static str {
        let loses = if self.less_is_better { self.low > 0.0 } else { self.high < 0.0 };
        match (self.beats(), loses) {
            (true, _) => "better",
            (_, true) => "worse",
            _ => "not shown to be better",
        }
    }
}

/// All that was judged.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct CustomerReport {
    /// Stretches that were held out, one after the other, each judged by what was learnt before it.
    pub windows: usize,
    /// Ours beside the rules.
    pub figures: Vec<Beside>,
    /// Customers by tenths of expected orders: what was expected, and what came.
    pub expected_orders: Vec<Decile>,
    /// Customers by tenths of the probability of an order: what was expected, and what came.
    pub order_probability: Vec<Decile>,
    /// BG/NBD beside Pareto/NBD, in words; empty where there is no model.
    pub models: Vec<String>,
    /// What could not be judged, and why.
    pub left_out: Vec<String>,
}

/// Holds what was learnt before a cut against what came after, for one window or several.
#[derive(Debug, Default)]
pub struct Judging {
    people: People,
    picks: Picks,
    windows: usize,
}

impl Judging {
    /// Adds a window, the latest first; all are as long.
    pub fn add(&mut self, case: &CustomerCase<'_>) {
        self.people.add(case);
        self.picks.add(case);
        self.windows += 1;
    }

    /// What all windows say together; nothing without one.
    pub fn report(self) -> CustomerReport {
        let mut report = CustomerReport { windows: self.windows, ..CustomerReport::default() };
        if self.windows > 0 {
            self.people.report(&mut report);
            self.picks.report(&mut report);
        }
        report
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_better_worse_or_neither_and_less_may_be_better() {
        let verdict = |low: f64, high: f64, less_is_better: bool| {
            let (what, metric, rule) = Default::default();
            let (cases, ours, theirs) = Default::default();
            Beside { what, metric, rule, cases, ours, theirs, low, high, less_is_better }.verdict()
        };
        assert_eq!(verdict(0.1, 0.2, false), "better");
        assert_eq!(verdict(0.1, 0.2, true), "worse");
        assert_eq!(verdict(-0.2, -0.1, false), "worse");
        assert_eq!(verdict(-0.2, 0.1, true), "not shown to be better");
    }
}
