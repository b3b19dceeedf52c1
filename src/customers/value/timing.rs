//! What the models of value see of a customer: how often, how lately, how long known.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// One customer's days with purchases, as of the last day of the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Timing {
    /// x: days with a purchase after the first such day.
    pub repeats: u32,
    /// t_x: weeks from the first day to the latest; 0 without repeats.
    pub latest_weeks: f64,
    /// T: weeks from the first day to the end of the log.
    pub known_weeks: f64,
}

impl Timing {
    /// From ascending, distinct days, and the last day of the log; `None` without a purchase.
    pub fn of(days: &[i32], today: i32) -> Option<Self> {
        let (first, last) = (*days.first()?, *days.last()?);
        Some(Self {
            repeats: days.len() as u32 - 1,
            latest_weeks: f64::from(last - first) / 7.0,
            known_weeks: f64::from((today - first).max(last - first)) / 7.0,
        })
    }
}

/// Distinct timings with the number of customers that have each: what a likelihood costs grows with
/// these, not with customers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary(Vec<(Timing, f64)>);

/// With more distinct timings than this, days are rounded to whole weeks.
const MOST_EXACT: usize = 50_000;
/// Rows summed at a time: fixed, so that the sum is the same on any number of threads.
const CHUNK: usize = 512;

impl Summary {
    /// Counts equal timings together.
    pub fn of(timings: impl Iterator<Item = Timing>) -> Self {
        let rows = counted(timings.map(|timing| (timing, 1.0)).collect());
        if rows.len() <= MOST_EXACT {
            return Self(rows);
        }
        let whole = |(timing, count): (Timing, f64)| {
            let latest_weeks = timing.latest_weeks.round();
            let known_weeks = timing.known_weeks.round().max(latest_weeks);
            (Timing { latest_weeks, known_weeks, ..timing }, count)
        };
        Self(counted(rows.into_iter().map(whole).collect()))
    }

    /// Distinct timings.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True without a customer.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Customers.
    pub fn customers(&self) -> f64 {
        self.0.iter().map(|(_, count)| count).sum()
    }

    /// Customers who came back.
    pub fn repeaters(&self) -> f64 {
        self.0.iter().filter(|(timing, _)| timing.repeats > 0).map(|(_, count)| count).sum()
    }

    /// The sum of `term` over all customers.
    pub(super) fn total(&self, term: impl Fn(&Timing) -> f64 + Sync) -> f64 {
        let parts: Vec<f64> = self
            .0
            .par_chunks(CHUNK)
            .map(|rows| rows.iter().map(|(timing, count)| count * term(timing)).sum())
            .collect();
        parts.into_iter().sum()
    }
}

fn counted(mut rows: Vec<(Timing, f64)>) -> Vec<(Timing, f64)> {
    rows.sort_by(|(a, _), (b, _)| {
        a.repeats
            .cmp(&b.repeats)
            .then(a.latest_weeks.total_cmp(&b.latest_weeks))
            .then(a.known_weeks.total_cmp(&b.known_weeks))
    });
    rows.dedup_by(|later, kept| {
        let same = later.0 == kept.0;
        kept.1 += if same { later.1 } else { 0.0 };
        same
    });
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_timings_are_counted_together() {
        let one = Timing::of(&[0, 7, 21], 70).unwrap();
        assert_eq!((one.repeats, one.latest_weeks, one.known_weeks), (2, 3.0, 10.0));
        let summary = Summary::of([one, Timing::of(&[5], 70).unwrap(), one].into_iter());
        assert_eq!((summary.len(), summary.customers(), summary.repeaters()), (2, 3.0, 2.0));
        assert_eq!(Timing::of(&[], 70), None);
    }
}
