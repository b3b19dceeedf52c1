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

    /// The same day, as YYYY-MM-DD.
    pub fn date(self, zone: &TimeZone) -> String {
        let midnight = Self(self.day(zone).saturating_mul(DAY_MS)).to_string();
        midnight.split('T').next().unwrap_or_default().to_owned()
    }

    /// When a day on the calendar of `zone` begins, told as [`Timestamp::day`] tells it.
    pub fn of_day(day: i64, zone: &TimeZone) -> Self {
        let utc = Self(day.saturating_mul(DAY_MS));
        let begins = jiff::Timestamp::from_millisecond(utc.0).ok().and_then(|moment| {
            let date = moment.to_zoned(TimeZone::UTC).date();
            Some(Self(date.to_zoned(zone.clone()).ok()?.timestamp().as_millisecond()))
        });
        begins.unwrap_or(utc)
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

    #[test]
    fn a_day_begins_at_its_midnight_on_the_shops_clock_whatever_the_season() {
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        for (day, begins) in [
            (19_752, "2024-01-29T23:00:00Z"),
            (19_904, "2024-06-29T22:00:00Z"),
            (-1, "1969-12-30T23:00:00Z"),
        ] {
            let midnight = Timestamp::of_day(day, &berlin);
            assert_eq!(midnight.to_string(), begins);
            assert_eq!(midnight.day(&berlin), day);
            assert_eq!(midnight.date(&berlin), Timestamp(day * DAY_MS).date(&TimeZone::UTC));
            assert_eq!(Timestamp(midnight.0 - 1).day(&berlin), day - 1);
        }
        assert_eq!(Timestamp::of_day(19_752, &TimeZone::UTC).to_string(), "2024-01-30T00:00:00Z");
    }
}
