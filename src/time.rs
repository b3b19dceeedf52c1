//! Moments, as every room writes them.

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

/// Milliseconds in a day.
pub const DAY_MS: i64 = 86_400_000;

/// A moment: milliseconds since 1970-01-01T00:00:00Z.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// From seconds since 1970.
    pub fn from_secs(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// Days from `earlier` to this moment; negative if this is the earlier one.
    pub fn days_since(self, earlier: Timestamp) -> f64 {
        self.0.saturating_sub(earlier.0) as f64 / DAY_MS as f64
    }

    /// The day on the calendar of `zone`, as days since 1970-01-01 there.
    pub fn day(self, zone: &TimeZone) -> i64 {
        let offset_s = match jiff::Timestamp::from_millisecond(self.0) {
            Ok(moment) if *zone != TimeZone::UTC => zone.to_offset(moment).seconds(),
            _ => 0,
        };
        self.0.saturating_add(i64::from(offset_s) * 1000).div_euclid(DAY_MS)
    }

    /// This moment, `days` later (or earlier, if negative).
    pub fn plus_days(self, days: i64) -> Self {
        Self(self.0.saturating_add(days.saturating_mul(DAY_MS)))
    }
}

impl std::fmt::Display for Timestamp {
    /// RFC 3339 in UTC, to the second.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(moment) => write!(f, "{}", moment.strftime("%Y-%m-%dT%H:%M:%SZ")),
            Err(_) => write!(f, "{} ms", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_reads_as_rfc_3339() {
        assert_eq!(Timestamp::from_secs(1_592_337_718).to_string(), "2020-06-16T20:01:58Z");
        assert_eq!(Timestamp::from_secs(86_400).days_since(Timestamp(0)), 1.0);
    }
}
