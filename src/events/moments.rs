//! Clocks that went wrong: events that have not happened yet, and some from long before all others.

use super::Cause;
use super::row::Row;
use crate::error::counted;
use crate::time::{DAY_MS, Timestamp};

/// What an export writes where it knows no moment: within a day of 1970, by whatever zone.
const UNTOLD_MS: i64 = DAY_MS;
/// No shop's log ends before 1990.
const EARLIEST_END_MS: i64 = 7_305 * DAY_MS;
/// Clocks and time zones differ by less than this.
const AHEAD_MS: i64 = DAY_MS;
/// A log of fewer rows says nothing of what is far from the rest of it.
const LEAST_ROWS: usize = 200;
/// The rows of a clock that was reset are so far before all others …
const LONG_BEFORE_MS: i64 = 365 * DAY_MS;
/// … and one in so many, at most, or all of the moment from which clocks count.
const ONE_IN: usize = 100;

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
        let some = counted(ahead as u64, "row");
        notes.push(format!("clocks: {some} in the future, up to {last}; {what}"));
        if !stay {
            let fate = |row: &mut Row| row.fate = Some(Cause::InTheFuture);
            rows[first_ahead..].iter_mut().for_each(fate);
        }
    }
    let rows = &mut rows[..first_ahead];
    if let Some(last) = rows.last().map(|row| row.at).filter(|last| last.0 < EARLIEST_END_MS) {
        notes.push(format!(
            "clocks: the latest row is of {last}: are moments counted from another day than 1970-01-01, or in another unit?"
        ));
    }
    if let Some((old, stay)) = long_before(rows) {
        let (first, next) = (rows[0].at, rows[old].at);
        let what = if stay { "they stay: if a clock was wrong, set after" } else { "set aside" };
        notes.push(format!(
            "clocks: {}, from {first} on, long before the others, which begin at {next}; {what}",
            counted(old as u64, "row")
        ));
        if !stay {
            rows[..old].iter_mut().for_each(|row| row.fate = Some(Cause::LongBefore));
        }
    }
}

/// How many of the first rows are no more than half of all and far before those behind them, and whether they are
/// so many, and of such moments, that they may well be right.
fn long_before(rows: &[Row]) -> Option<(usize, bool)> {
    let most = if rows.len() < LEAST_ROWS { 0 } else { rows.len() / 2 };
    let gap = |&old: &usize| rows[old].at.0.saturating_sub(rows[old - 1].at.0) >= LONG_BEFORE_MS;
    let below = |most: usize| (1..=most).rev().find(gap);
    let untold = rows.iter().take_while(|row| row.at.0.abs() < UNTOLD_MS).count();
    let untold = Some(untold).filter(|rows| (1..=most).contains(rows)).filter(gap);
    let wrong = below(most.min(rows.len() / ONE_IN)).or(untold);
    wrong.map(|old| (old, false)).or_else(|| below(most).map(|old| (old, true)))
}
