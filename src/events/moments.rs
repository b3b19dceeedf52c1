//! Clocks that went wrong: events that have not happened yet, and some from long before all others.

use super::Cause;
use super::row::Row;
use crate::time::{DAY_MS, Timestamp};

/// Clocks and time zones differ by less than this.
const AHEAD_MS: i64 = DAY_MS;
/// A log of fewer rows says nothing of what is far from the rest of it.
const LEAST_ROWS: usize = 200;
/// The rows of a clock that was reset are one in so many, at most …
const ONE_IN: usize = 100;
/// … and so far before all others.
const LONG_BEFORE_MS: i64 = 365 * DAY_MS;

/// The moment after which nothing can have happened.
pub(super) fn now() -> Timestamp {
    Timestamp(jiff::Timestamp::now().as_millisecond())
}

/// Sets aside what happened after `now`, and what a reset clock dated long before everything else; `rows`
/// are in order of time. One event of the year 2099 would make all others a lifetime old.
///
/// Where most rows are in the future it is the clock of this machine that is wrong: they stay, and it is
/// said.
pub(super) fn check_clocks(rows: &mut [Row], now: Timestamp, notes: &mut Vec<String>) {
    let first_ahead = rows.partition_point(|row| row.at.0 <= now.0.saturating_add(AHEAD_MS));
    let ahead = rows.len() - first_ahead;
    if ahead > 0 {
        let last = rows[rows.len() - 1].at;
        let stay = ahead * 2 > rows.len();
        let what = if stay { "they stay: is this machine's clock right?" } else { "set aside" };
        notes.push(format!("clocks: {ahead} rows are in the future, up to {last}; {what}"));
        if !stay {
            let fate = |row: &mut Row| row.fate = Some(Cause::InTheFuture);
            rows[first_ahead..].iter_mut().for_each(fate);
        }
    }
    if let Some(old) = long_before(&rows[..first_ahead]) {
        let (first, next) = (rows[0].at, rows[old].at);
        notes.push(format!(
            "clocks: {old} rows, from {first} on, are from long before the others, which begin at {next}; set aside"
        ));
        rows[..old].iter_mut().for_each(|row| row.fate = Some(Cause::LongBefore));
    }
}

/// How many of the first rows are few, and far before those behind them.
fn long_before(rows: &[Row]) -> Option<usize> {
    let few = if rows.len() < LEAST_ROWS { 0 } else { rows.len() / ONE_IN };
    let gap = |&old: &usize| rows[old].at.0.saturating_sub(rows[old - 1].at.0) >= LONG_BEFORE_MS;
    (1..=few).rev().find(gap)
}
