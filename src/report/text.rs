//! Days and numbers, as people read them.

use crate::customers::{Period, date};

pub(super) fn last<T>(all: &[T], most: usize) -> &[T] {
    &all[all.len().saturating_sub(most)..]
}

pub(super) fn labels(periods: &[Period]) -> Vec<String> {
    periods.iter().map(|period| day(period.first_day)).collect()
}

pub(super) fn day(day: i32) -> String {
    date(day).map(|date| date.to_string()).unwrap_or_default()
}

pub(super) fn month_label(first: i32) -> String {
    day(first).chars().take(7).collect()
}

pub(super) fn percent(share: f64) -> String {
    format!("{:.0} %", 100.0 * share)
}

pub(super) fn two(value: f64) -> String {
    format!("{value:.2}")
}

/// `1234567` as `1.2m`.
pub(super) fn short(value: f64) -> String {
    match value.abs() {
        v if v >= 1e6 => format!("{:.1}m", value / 1e6),
        v if v >= 1e4 => format!("{:.0}k", value / 1e3),
        _ => format!("{value:.0}"),
    }
}
