//! Moments as shops write them: epochs in four units, RFC 3339, and dates without a zone.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::DateOrder;
use crate::time::{DAY_MS, Timestamp};
use crate::{Error, Result};

/// Moments outside these years are typing errors (or sentinels like 9999-12-31).
const YEARS: std::ops::RangeInclusive<i64> = 1900..=2200;

/// A spreadsheet counts so many days up to 1970-01-01 …
const SPREADSHEET_1970: f64 = 25_569.0;
/// … and these from 1990 to 2039: numbers that all lie here are its days, and no seconds of one day in 1970.
const SPREADSHEET: std::ops::Range<f64> = 32_874.0..51_136.0;

/// The time zone with this IANA name, like "Europe/London".
pub fn time_zone(name: &str) -> Result<TimeZone> {
    if name.eq_ignore_ascii_case("utc") {
        return Ok(TimeZone::UTC);
    }
    TimeZone::get(name).map_err(|_| {
        Error::Config(format!("time zone {name:?} is not known: expected an IANA name like \"Europe/London\" or \"UTC\""))
    })
}

/// Reads the moments of one column, which all are written the same way.
#[derive(Clone, Debug)]
pub struct Clock {
    zone: Option<TimeZone>, // none: UTC, for which arithmetic suffices
    writing: Writing,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Writing {
    /// So many milliseconds per unit, and so many of them at a typical moment of the column.
    Epoch { unit_ms: f64, typical_ms: f64 },
    /// Days as a spreadsheet counts them.
    Spreadsheet,
    /// `20101201` or `20101201082600`.
    Compact,
    /// Everything with marks between the numbers.
    Marked { day_first: bool },
}

impl Clock {
    /// Decides from a column's values how it writes moments; `order` says how `1/2/2024` is meant.
    pub fn of<'a>(
        values: impl Iterator<Item = &'a [u8]>,
        order: DateOrder,
        zone: &TimeZone,
    ) -> Self {
        let values: Vec<&[u8]> = values.filter(|value| !value.is_empty()).collect();
        let mut numbers: Vec<f64> = values.iter().filter_map(|value| number(value)).collect();
        let compact = values.iter().filter(|value| compact(value).is_some()).count();
        let writing = if compact * 2 > values.len() {
            Writing::Compact
        } else if numbers.len() * 2 > values.len() {
            numbers.sort_by(f64::total_cmp);
            let typical = numbers[numbers.len() / 2];
            let unit_ms = epoch_unit_ms(typical);
            let few = numbers.len() / 20; // a sentinel or two
            match SPREADSHEET.contains(&numbers[few])
                && SPREADSHEET.contains(&numbers[numbers.len() - 1 - few])
            {
                true => Writing::Spreadsheet,
                false => Writing::Epoch { unit_ms, typical_ms: typical * unit_ms },
            }
        } else {
            Writing::Marked { day_first: order.day_first() }
        };
        let zone = (*zone != TimeZone::UTC).then(|| zone.clone());
        Self { zone, writing }
    }

    /// The moment that `text` writes, or none if it isn't one of the column's kind.
    pub fn read(&self, text: &[u8]) -> Option<Timestamp> {
        match self.writing {
            Writing::Epoch { unit_ms, typical_ms } => epoch(number(text)?, unit_ms, typical_ms),
            Writing::Spreadsheet => self.place(spreadsheet(text)?),
            Writing::Compact => self.place(compact(text)?),
            Writing::Marked { day_first } => self.place(marked(text, day_first)?),
        }
    }

    /// The moment of the day that `day` writes at which the clock shows `time`, as in `2024-01-31` and `16:05`.
    pub fn read_at(&self, day: &[u8], time: &[u8]) -> Option<Timestamp> {
        let mut moment = self.day(day)?;
        let mut cursor = Cursor(time);
        cursor.time(&mut moment)?;
        cursor.0.is_empty().then(|| self.place(moment))?
    }

    /// True if all of these that can be read are days: none tells the time.
    pub fn are_days<'a>(&self, mut values: impl Iterator<Item = &'a [u8]>) -> bool {
        values.all(|value| self.day(value).is_some() || self.read(value).is_none())
    }

    /// What is written where no time of day is, or midnight.
    fn day(&self, text: &[u8]) -> Option<Moment> {
        let moment = match self.writing {
            Writing::Epoch { .. } => None,
            Writing::Spreadsheet => spreadsheet(text),
            Writing::Compact => compact(text),
            Writing::Marked { day_first } => marked(text, day_first),
        };
        moment.filter(|moment| {
            (moment.hour, moment.minute, moment.second, moment.ms) == (0, 0, 0, 0)
                && moment.offset_minutes.is_none()
        })
    }

    fn place(&self, moment: Moment) -> Option<Timestamp> {
        let local = moment.local_ms()?;
        match (&self.zone, moment.offset_minutes) {
            (_, Some(offset)) => Some(Timestamp(local - offset * 60_000)),
            (None, None) => Some(Timestamp(local)),
            (Some(zone), None) => {
                let civil = moment.civil()?;
                Some(Timestamp(zone.to_timestamp(civil).ok()?.as_millisecond()))
            }
        }
    }
}

/// Whether this is a time without a day: `16:05`, `4:05:30 PM`.
pub(super) fn is_time_of_day(text: &[u8]) -> bool {
    let mut cursor = Cursor(text);
    cursor.time(&mut Moment::default()).is_some() && cursor.0.is_empty()
}

fn number(text: &[u8]) -> Option<f64> {
    let number: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    number.is_finite().then_some(number)
}

/// Milliseconds per unit: seconds up to the year 5138, then milliseconds, microseconds, nanoseconds, each 1000
/// times more.
fn epoch_unit_ms(number: f64) -> f64 {
    match number.abs() {
        t if t < 1e11 => 1e3,
        t if t < 1e14 => 1.0,
        t if t < 1e17 => 1e-3,
        _ => 1e-6,
    }
}

/// In the unit of the column, unless in the number's own it is about as typical as the others: exports of two
/// systems in one column.
fn epoch(number: f64, unit_ms: f64, typical_ms: f64) -> Option<Timestamp> {
    let own_ms = number * epoch_unit_ms(number);
    let is_typical = (0.5..2.0).contains(&(own_ms / typical_ms));
    at_ms(if is_typical { own_ms } else { number * unit_ms }.floor())
}

fn at_ms(ms: f64) -> Option<Timestamp> {
    let years = days(*YEARS.start(), 1, 1) as f64..days(YEARS.end() + 1, 1, 1) as f64;
    years.contains(&(ms / DAY_MS as f64)).then_some(Timestamp(ms as i64))
}

/// The days of a spreadsheet are those of its user's clock.
fn spreadsheet(text: &[u8]) -> Option<Moment> {
    let clock = at_ms(((number(text)? - SPREADSHEET_1970) * DAY_MS as f64).round())?;
    let clock = jiff::Timestamp::from_millisecond(clock.0).ok()?.to_zoned(TimeZone::UTC).datetime();
    Some(Moment {
        year: clock.year().into(),
        month: clock.month().into(),
        day: clock.day().into(),
        hour: clock.hour().into(),
        minute: clock.minute().into(),
        second: clock.second().into(),
        ms: clock.millisecond().into(),
        offset_minutes: None,
    })
}

fn compact(text: &[u8]) -> Option<Moment> {
    if !matches!(text.len(), 8 | 14) || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let part = |from: usize, to: usize| text.get(from..to).map_or(0, decimal);
    let moment = Moment {
        year: part(0, 4),
        month: part(4, 6),
        day: part(6, 8),
        hour: part(8, 10),
        minute: part(10, 12),
        second: part(12, 14),
        ms: 0,
        offset_minutes: None,
    };
    moment.local_ms().map(|_| moment)
}

fn decimal(digits: &[u8]) -> i64 {
    digits.iter().fold(0, |number, digit| number * 10 + i64::from(digit - b'0'))
}

/// `2010-12-01`, `2010-12-01T08:26:00.5+01:00`, `12/1/2010 8:26 PM`, `01.12.2010 08:26`, `Wed, 1 Dec 2010 08:26 GMT`
/// and their like.
fn marked(text: &[u8], day_first: bool) -> Option<Moment> {
    let mut cursor = Cursor(text);
    let (year, month, day) = cursor.date(day_first).or_else(|| {
        cursor = Cursor(text);
        cursor.named_date()
    })?;
    let mut moment = Moment { year, month, day, ..Moment::default() };
    if cursor.take(b'T') || cursor.take(b't') || cursor.spaces() {
        match cursor.0 {
            [_, _] => moment.hour = cursor.number().filter(|(_, digits)| *digits == 2)?.0,
            _ => cursor.time(&mut moment)?,
        }
        cursor.spaces();
        moment.offset_minutes = cursor.offset()?;
    }
    cursor.0.is_empty().then_some(moment)
}

#[derive(Clone, Copy, Debug, Default)]
struct Moment {
    year: i64,
    month: i64,
    day: i64,
    hour: i64,
    minute: i64,
    second: i64,
    ms: i64,
    offset_minutes: Option<i64>,
}

impl Moment {
    /// Milliseconds since 1970 on the wall clock; none if there is no such day or time.
    fn local_ms(&self) -> Option<i64> {
        let leap = self.year % 4 == 0 && (self.year % 100 != 0 || self.year % 400 == 0);
        let last_day = match self.month {
            2 if leap => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            1..=12 => 31,
            _ => return None,
        };
        let sane = YEARS.contains(&self.year)
            && (1..=last_day).contains(&self.day)
            && self.hour < 24
            && self.minute < 60
            && self.second <= 60;
        let seconds = (self.hour * 60 + self.minute) * 60 + self.second.min(59);
        sane.then(|| days(self.year, self.month, self.day) * DAY_MS + seconds * 1000 + self.ms)
    }

    fn civil(&self) -> Option<DateTime> {
        let small = |number: i64| i8::try_from(number).ok();
        DateTime::new(
            i16::try_from(self.year).ok()?,
            small(self.month)?,
            small(self.day)?,
            small(self.hour)?,
            small(self.minute)?,
            small(self.second.min(59))?,
            i32::try_from(self.ms * 1_000_000).ok()?,
        )
        .ok()
    }
}

/// Days since 1970-01-01. Source: Howard Hinnant, "chrono-compatible low-level date algorithms".
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

const WEEKDAYS: [&str; 7] =
    ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

/// A year of four digits, or of two: from 1970 to 2069.
fn full_year((year, digits): (i64, usize)) -> Option<i64> {
    match digits {
        4 => Some(year),
        2 if year < 70 => Some(2000 + year),
        2 => Some(1900 + year),
        _ => None,
    }
}

/// What is left to read of a moment's text.
pub(super) struct Cursor<'a>(pub(super) &'a [u8]);

impl Cursor<'_> {
    pub(super) fn take(&mut self, byte: u8) -> bool {
        let taken = self.0.first() == Some(&byte);
        if taken {
            self.0 = &self.0[1..];
        }
        taken
    }

    fn spaces(&mut self) -> bool {
        let before = self.0.len();
        self.0 = self.0.trim_ascii_start();
        self.0.len() < before
    }

    /// A number of 1 to 9 digits, and how many.
    pub(super) fn number(&mut self) -> Option<(i64, usize)> {
        let digits = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let number = (1..=9).contains(&digits).then(|| decimal(&self.0[..digits]))?;
        self.0 = &self.0[digits..];
        Some((number, digits))
    }

    fn date(&mut self, day_first: bool) -> Option<(i64, i64, i64)> {
        let (first, first_digits) = self.number()?;
        let mark = *self.0.first().filter(|mark| b"-/.".contains(mark))?;
        self.take(mark);
        let (second, _) = self.number()?;
        let (third, third_digits) = self.take(mark).then(|| self.number())??;
        if first_digits == 4 {
            return Some((first, second, third));
        }
        let year = full_year((third, third_digits))?;
        Some(if mark == b'.' || day_first { (year, second, first) } else { (year, first, second) })
    }

    /// A date whose month has its English name: `1-Dec-10`, `Wednesday, December 1, 2010`.
    fn named_date(&mut self) -> Option<(i64, i64, i64)> {
        if self.named(&WEEKDAYS).is_some() {
            self.marks();
        }
        let (day, month) = match self.named(&MONTHS) {
            Some(month) => {
                self.marks();
                (self.number()?, month)
            }
            None => {
                let day = self.number()?;
                self.marks();
                (day, self.named(&MONTHS)?)
            }
        };
        self.marks();
        let (year, day) = match (day, self.number()?) {
            (year @ (_, 4), day) => (year, day),
            (day, year) => (year, day),
        };
        Some((full_year(year)?, month as i64 + 1, day.0))
    }

    /// Which of these the letters here name, in full or by their first three.
    fn named(&mut self, names: &[&str]) -> Option<usize> {
        let letters = self.0.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
        let (word, rest) = self.0.split_at(letters);
        let is_named = |name: &&str| {
            letters >= 3
                && name
                    .get(..letters)
                    .is_some_and(|start| word.eq_ignore_ascii_case(start.as_bytes()))
        };
        let found = names.iter().position(is_named)?;
        self.0 = rest;
        Some(found)
    }

    /// Whatever stands between the parts of a date.
    fn marks(&mut self) {
        let marks = self.0.iter().take_while(|byte| b" -/.,".contains(byte)).count();
        self.0 = &self.0[marks..];
    }

    fn time(&mut self, moment: &mut Moment) -> Option<()> {
        moment.hour = self.number()?.0;
        let mark = *self.0.first().filter(|mark| b":.".contains(mark))?;
        moment.minute = self.take(mark).then(|| self.number())??.0;
        // Two numbers with a point between them may be anything.
        if mark == b'.' && self.0.first() != Some(&mark) {
            return None;
        }
        if self.take(mark) {
            moment.second = self.number()?.0;
            if self.take(b'.') || self.take(b',') {
                let (fraction, digits) = self.number()?;
                moment.ms = fraction * 1000 / 10_i64.pow(digits as u32);
            }
        }
        self.half_day(moment)
    }

    fn half_day(&mut self, moment: &mut Moment) -> Option<()> {
        let rest = self.0.trim_ascii_start();
        let afternoon = match rest.get(..2) {
            Some(half) if half.eq_ignore_ascii_case(b"am") => false,
            Some(half) if half.eq_ignore_ascii_case(b"pm") => true,
            _ => return Some(()),
        };
        self.0 = &rest[2..];
        moment.hour = (1..=12)
            .contains(&moment.hour)
            .then(|| moment.hour % 12 + if afternoon { 12 } else { 0 })?;
        Some(())
    }

    /// `Z`, `UTC`, `+01:00`, `+0100`, `+01`, or nothing; the outer none is anything else.
    fn offset(&mut self) -> Option<Option<i64>> {
        for utc in ["Z", "z", "UTC", "GMT"] {
            if self.0 == utc.as_bytes() {
                self.0 = &[];
                return Some(Some(0));
            }
        }
        let sign = match self.0.first() {
            None => return Some(None),
            Some(b'+') => 1,
            Some(b'-') => -1,
            Some(_) => return None,
        };
        self.0 = &self.0[1..];
        let (number, digits) = self.number()?;
        let minutes = match digits {
            4 => number / 100 * 60 + number % 100,
            1 | 2 if self.take(b':') => number * 60 + self.number()?.0,
            1 | 2 => number * 60,
            _ => return None,
        };
        (minutes < 24 * 60).then_some(Some(sign * minutes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_may_have_their_names() {
        let written = [
            "31-Jan-22",
            "31 January 2022",
            "Jan 31, 2022",
            "Monday, January 31, 2022",
            "2022-Jan-31",
            "Mon, 31 Jan 2022 00:00:00 +0000",
            "31 Jan 2022 12:00 AM",
        ];
        for text in written {
            assert_eq!(
                read_in("UTC", &[text]),
                [Some("2022-01-31T00:00:00Z".to_owned())],
                "{text}"
            );
        }
        for text in [
            "31-Ja-22",
            "31 Jam 2022",
            "Monday",
            "31 Jan",
            "Jan 2022",
            "32 Jan 2022",
            "Januaryx 31, 2022",
        ] {
            assert_eq!(read_in("UTC", &[text]), [None], "{text}");
        }
    }

    fn read_in(zone: &str, column: &[&str]) -> Vec<Option<String>> {
        let values = || column.iter().map(|value| value.as_bytes());
        let zone = time_zone(zone).unwrap();
        let clock = Clock::of(values(), DateOrder::of(values()), &zone);
        values().map(|value| clock.read(value).map(|at| at.to_string())).collect()
    }

    fn read(text: &str) -> Option<String> {
        read_in("UTC", &[text]).remove(0)
    }

    #[test]
    fn the_same_moment_is_read_from_every_way_of_writing_it() {
        for text in [
            "1291191960",
            "1291191960.0",
            "1291191960000",
            "1291191960000000",
            "1291191960000000000",
            "2010-12-01 08:26:00",
            "2010-12-01T08:26:00Z",
            "2010-12-01T08:26",
            "2010-12-01 08:26:00 UTC",
            "2010-12-01T09:26:00+01:00",
            "2010-12-01T09:26:00.000+0100",
            "2010/12/01 8:26",
            "12/1/2010 8:26",
            "12/1/10 8:26 AM",
            "12/1/10 8.26.00 AM",
            "01.12.2010 08:26",
            "20101201082600",
        ] {
            assert_eq!(read(text).as_deref(), Some("2010-12-01T08:26:00Z"), "{text}");
        }
        assert_eq!(read("2010-12-01").as_deref(), Some("2010-12-01T00:00:00Z"));
        assert_eq!(read("2010-12-01 08").as_deref(), Some("2010-12-01T08:00:00Z"));
        assert_eq!(read("20101201").as_deref(), Some("2010-12-01T00:00:00Z"));
        assert_eq!(read("12/1/2010 12:05 pm").as_deref(), Some("2010-12-01T12:05:00Z"));
    }

    #[test]
    fn what_is_no_moment_is_none_and_no_panic() {
        for text in [
            "",
            "soon",
            "2010-13-01",
            "2010-02-29",
            "2010-12-01 24:00",
            "2010-12-01 08:26 tea",
            "9999-12-31",
            "1e300",
            "nan",
            "-",
            "2010-",
            "2010-12",
            "2010-12-01T",
            "2010-12-01 8",
            "2010-12-01 25",
            "2010-12-01 8.26",
            "1/2",
            "2010-12-01 08:26 +99:00",
            "99999999999999999999-01-01",
            "2010-12-01 13:00 PM",
            "\u{0}",
        ] {
            assert_eq!(read(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_date_without_zone_is_read_in_the_shops_zone_and_one_with_a_zone_is_not() {
        let column =
            ["2024-07-01 00:30", "2024-01-01 00:30", "2024-07-01T00:30:00Z", "2024-03-31 02:30"];
        let read = read_in("Europe/Berlin", &column);
        let read: Vec<&str> = read.iter().flatten().map(String::as_str).collect();
        // The last one does not exist on the wall clock: it is moved on by the gap.
        let expected = [
            "2024-06-30T22:30:00Z",
            "2023-12-31T23:30:00Z",
            "2024-07-01T00:30:00Z",
            "2024-03-31T01:30:00Z",
        ];
        assert_eq!(read, expected);
        assert!(time_zone("Atlantis").unwrap_err().to_string().contains("IANA"));
    }

    #[test]
    fn a_day_and_a_time_in_two_columns_are_one_moment_on_the_shops_clock() {
        let zone = time_zone("Europe/Berlin").unwrap();
        let at = |day: &[u8], time: &[u8]| {
            let clock = Clock::of([day].into_iter(), DateOrder::default(), &zone);
            clock.read_at(day, time).map(|at| at.to_string())
        };
        for day in [&b"2024-07-01"[..], b"20240701", b"01.07.2024", b"2024-07-01 00:00:00"] {
            assert_eq!(at(day, b"4:05:30 PM").as_deref(), Some("2024-07-01T14:05:30Z"));
        }
        let (days, times) = ([&b"45474"[..], b"45475"], [&b"16:05"[..]]);
        let clock = Clock::of(days.into_iter(), DateOrder::default(), &zone);
        assert!(clock.are_days(days.into_iter()) && !clock.are_days([&b"45474.5"[..]].into_iter()));
        let read = clock.read_at(days[0], times[0]).map(|at| at.to_string());
        assert_eq!(read.as_deref(), Some("2024-07-01T14:05:00Z"));
        for time in [&b"24:00"[..], b"16:05 tea", b"1605", b"", b"16:05+01:00"] {
            assert_eq!(at(b"2024-07-01", time), None);
        }
        assert_eq!(at(b"2024-07-01 10:00", b"16:05"), None);
    }

    #[test]
    fn one_day_over_twelve_tells_for_the_whole_column() {
        assert_eq!(
            read_in("UTC", &["1/2/2024", "13/2/2024"])[0].as_deref(),
            Some("2024-02-01T00:00:00Z")
        );
        assert_eq!(
            read_in("UTC", &["1/2/2024", "2/13/2024"])[0].as_deref(),
            Some("2024-01-02T00:00:00Z")
        );
    }

    #[test]
    fn numbers_of_our_time_are_days_of_a_spreadsheet_and_others_are_none() {
        let read = read_in("UTC", &["45657", "45658.25"]);
        assert_eq!(read[0].as_deref(), Some("2024-12-31T00:00:00Z"));
        assert_eq!(read[1].as_deref(), Some("2025-01-01T06:00:00Z"));
        // Its user's clock is the shop's, as of all that names no zone.
        let read = read_in("America/New_York", &["45657", "45658.25"]);
        assert_eq!(read[0].as_deref(), Some("2024-12-31T05:00:00Z"));
        assert_eq!(read[1].as_deref(), Some("2025-01-01T11:00:00Z"));
        // Steps of a sequence, or seconds of a day, may be anything: as days they would lie in the future.
        let read = read_in("UTC", &["1", "45657", "90000"]);
        assert_eq!(read[1].as_deref(), Some("1970-01-01T12:40:57Z"));
    }

    #[test]
    fn the_unit_of_an_epoch_is_the_columns_unless_a_row_is_of_another_system() {
        let read = read_in("UTC", &["1291191960000", "1291191960000", "5", "1291191960"]);
        assert_eq!(read[2].as_deref(), Some("1970-01-01T00:00:00Z"));
        assert_eq!(read[3], read[0]);
        let read = read_in("UTC", &["1291191960", "1291191961", "1291191960000", "0"]);
        assert_eq!(read[2], read[0]);
        assert_eq!(read[3].as_deref(), Some("1970-01-01T00:00:00Z"));
    }
}
