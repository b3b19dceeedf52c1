//! What in the input probably caused it: columns, kinds and days, and a chart of these in text.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use jiff::civil::{Date, Weekday};

use super::measured::InputFigures;
use crate::error::{counted, thousands};

/// Days on the chart, the last ones.
const SHOWN: usize = 21;
/// The longest bar.
const WIDTH: u64 = 40;
/// A day with less than this share of its weekday's usual rows is thin.
const THIN: f64 = 0.3;
/// A weekday with fewer rows than this has no usual.
const LEAST_USUAL: u64 = 20;
/// So many times what was usually paid is no matter of prices.
const PRICES: f64 = 8.0;
/// Odd days are told one by one up to so many: a small shop has many.
const MOST_TOLD: usize = 5;
/// A weekday must have come so often to have a usual.
const LEAST_TIMES: usize = 3;

/// A day beside what its weekday usually has.
#[derive(Clone, Debug, PartialEq)]
struct Odd {
    day: String,
    rows: u64,
    usual: u64,
}

/// Days without rows, or with hardly any, though their weekday usually has some.
fn odd_days(days: &BTreeMap<String, u64>) -> Vec<Odd> {
    let dated: Vec<(Date, u64)> =
        days.iter().filter_map(|(day, &rows)| Some((day.parse().ok()?, rows))).collect();
    // The last day of a log is hardly ever whole.
    let whole = &dated[..dated.len().saturating_sub(1)];
    let odd = |&(day, rows): &(Date, u64)| {
        let usual = usual(whole, day.weekday())?;
        let is_odd = usual >= LEAST_USUAL && (rows as f64) < THIN * usual as f64;
        is_odd.then(|| Odd { day: day.to_string(), rows, usual })
    };
    whole.iter().filter_map(odd).collect()
}

/// The median of a weekday's rows.
fn usual(days: &[(Date, u64)], weekday: Weekday) -> Option<u64> {
    let mut rows: Vec<u64> =
        days.iter().filter(|(day, _)| day.weekday() == weekday).map(|&(_, rows)| rows).collect();
    rows.sort_unstable();
    (rows.len() >= LEAST_TIMES).then(|| rows[rows.len() / 2])
}

/// Everything in the input that could be the cause, a line each.
pub(super) fn causes(new: &InputFigures, old: &InputFigures) -> Vec<String> {
    let mut causes = columns(new, old);
    causes.extend(kinds(new, old));
    causes.extend(set_aside(new, old));
    causes.extend(prices(new, old));
    if let (Some(now), Some(before)) = (new.until, old.until)
        && now < before
    {
        causes.push(format!("the log ends on {now}, before the current one's end, {before}"));
    }
    causes.extend(odd_lines(&new.days));
    let same_day = new.days.iter().filter_map(|(day, &now)| Some((day, now, *old.days.get(day)?)));
    let fewer = same_day.filter(|&(_, now, before)| before >= LEAST_USUAL && 2 * now < before);
    causes.extend(fewer.map(|(day, now, before)| {
        let now = counted(now, "row");
        format!("{day} has {now}, and had {before} when the current generation was trained")
    }));
    causes
}

/// The latest of the odd days in words, and how many there are before them.
pub(super) fn odd_lines(days: &BTreeMap<String, u64>) -> Vec<String> {
    let odd = odd_days(days);
    let (before, latest) = odd.split_at(odd.len().saturating_sub(MOST_TOLD));
    let more = (!before.is_empty()).then(|| {
        let days = counted(before.len() as u64, "day");
        format!("{days} before these had as few rows for such a weekday, or none")
    });
    latest.iter().map(Odd::to_string).chain(more).collect()
}

impl std::fmt::Display for Odd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { day, rows, usual } = self;
        match rows {
            0 => write!(f, "{day} is missing: such a weekday usually has {usual} rows"),
            _ => {
                write!(f, "{day} has {}: such a weekday usually has {usual}", counted(*rows, "row"))
            }
        }
    }
}

fn columns(new: &InputFigures, old: &InputFigures) -> Vec<String> {
    let mut lines = Vec::new();
    let names = |columns: &std::collections::BTreeSet<String>| {
        columns.iter().map(|column| format!("`{column}`")).collect::<Vec<_>>().join(", ")
    };
    for (role, before) in &old.columns {
        match new.columns.get(role) {
            None => lines.push(format!("no column is {role} any more; {} was", names(before))),
            Some(now) if now.is_disjoint(before) => lines.push(format!(
                "{role} comes from {} now, and came from {}",
                names(now),
                names(before)
            )),
            Some(_) => {}
        }
    }
    let fresh = new.columns.iter().filter(|(role, _)| !old.columns.contains_key(*role));
    lines.extend(fresh.map(|(role, now)| format!("{} is {role} now; no column was", names(now))));
    lines
}

fn kinds(new: &InputFigures, old: &InputFigures) -> Vec<String> {
    let found = |kind: &str| new.kinds.get(kind).copied().unwrap_or(0);
    let fewer = old.kinds.iter().filter(|(kind, rows)| 10 * found(kind) < 7 * **rows);
    fewer
        .map(|(kind, rows)| {
            format!("{} of kind {kind}; there were {rows}", counted(found(kind), "row"))
        })
        .collect()
}

fn set_aside(new: &InputFigures, old: &InputFigures) -> Vec<String> {
    let share = |figures: &InputFigures, cause: &str| {
        figures.set_aside.get(cause).copied().unwrap_or(0) as f64 / figures.read.max(1) as f64
    };
    let grown = new.set_aside.keys().filter(|cause| share(new, cause) > share(old, cause) + 0.05);
    let percent = |figures, cause| 100.0 * share(figures, cause);
    grown
        .map(|cause| {
            let (now, before) = (percent(new, cause), percent(old, cause));
            format!("{now:.0} % of the rows are set aside: {cause}; it was {before:.0} %")
        })
        .collect()
}

/// A catalogue that is gone, in part or whole, or whose prices are; and another currency, or cents, in the events.
fn prices(new: &InputFigures, old: &InputFigures) -> Vec<String> {
    let mut lines = Vec::new();
    if new.listed == 0 && old.listed > 0 {
        lines.push(format!("there is no catalogue any more; it had {} items", old.listed));
    } else if 10 * new.listed < 7 * old.listed {
        lines.push(format!("the catalogue has {} items; it had {}", new.listed, old.listed));
    } else if 2 * new.priced * old.listed < old.priced * new.listed {
        lines.push(format!(
            "{} of {} items in the catalogue have a price above 0; {} of {} had",
            new.priced, new.listed, old.priced, old.listed
        ));
    }
    if let (Some(now), Some(before)) = (new.price, old.price)
        && (now / before).ln().abs() > PRICES.ln()
    {
        lines.push(format!(
            "a unit is usually paid with {now:.2}, and was with {before:.2}: are these cents, or another currency?"
        ));
    }
    lines
}

/// Rows on each of the last days, as bars, beside those of the current generation; nothing if the log has no
/// time.
pub(super) fn chart(new: &InputFigures, old: &InputFigures) -> String {
    let all: BTreeMap<&str, ()> =
        new.days.keys().chain(old.days.keys()).map(|day| (day.as_str(), ())).collect();
    let shown: Vec<&str> = all.keys().copied().rev().take(SHOWN).collect();
    let rows = |days: &BTreeMap<String, u64>, day: &str| days.get(day).copied();
    let most = shown.iter().filter_map(|day| rows(&new.days, day).max(rows(&old.days, day))).max();
    let odd = odd_days(&new.days);
    let mut text = String::new();
    for day in shown.into_iter().rev() {
        let (now, before) = (rows(&new.days, day), rows(&old.days, day));
        let length = now.unwrap_or(0) * WIDTH / most.unwrap_or(0).max(1);
        let bar = "#".repeat(length as usize);
        let mark = if odd.iter().any(|odd| odd.day == day) { "  <- odd" } else { "" };
        let counted = |rows: Option<u64>| rows.map_or("-".into(), thousands);
        let (now, before) = (counted(now), counted(before));
        let _ = writeln!(text, "    {day} {now:>10} {before:>10}  {bar}{mark}");
    }
    text
}

impl InputFigures {
    /// Share of the shop's own rows that are not used, 0 to 1: nobody stops training by planting rows.
    pub(super) fn share_set_aside(&self) -> f64 {
        let own = self.read.saturating_sub(self.planted);
        1.0 - self.used as f64 / own.max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Eight weeks of 100 rows a day, none on Sundays.
    fn days() -> BTreeMap<String, u64> {
        let first: Date = "2025-03-03".parse().expect("a Monday");
        let days = first.series(jiff::Span::new().days(1)).take(56);
        days.map(|day| (day.to_string(), if day.weekday() == Weekday::Sunday { 0 } else { 100 }))
            .collect()
    }

    #[test]
    fn a_day_without_rows_is_odd_unless_such_weekdays_never_have_any() {
        let mut days = days();
        assert!(odd_days(&days).is_empty());
        days.insert("2025-04-15".into(), 0);
        days.insert("2025-04-16".into(), 12);
        let odd: Vec<String> = odd_days(&days).iter().map(ToString::to_string).collect();
        assert_eq!(
            odd,
            [
                "2025-04-15 is missing: such a weekday usually has 100 rows",
                "2025-04-16 has 12 rows: such a weekday usually has 100"
            ]
        );
        assert_eq!(odd_lines(&days), odd);
        (1..=7).for_each(|day| _ = days.insert(format!("2025-04-0{day}"), 1));
        let lines = odd_lines(&days);
        assert_eq!((&lines[3..5], lines.len()), (&odd[..], MOST_TOLD + 1));
        assert_eq!(lines[5], "3 days before these had as few rows for such a weekday, or none");
    }

    #[test]
    fn the_last_day_may_be_half_a_day() {
        let mut days = days();
        let (last, _) = days.pop_last().expect("a Sunday");
        days.insert(last, 0);
        days.insert("2025-04-28".into(), 3);
        assert!(odd_days(&days).is_empty());
    }

    #[test]
    fn the_chart_shows_both_generations() {
        let mut new = InputFigures { days: days(), ..InputFigures::default() };
        let old = new.clone();
        new.days.insert("2025-04-25".into(), 50);
        let chart = chart(&new, &old);
        assert_eq!(chart.lines().count(), SHOWN);
        let line = chart.lines().find(|line| line.contains("2025-04-25")).expect("it is shown");
        assert_eq!(line, format!("    2025-04-25         50        100  {}", "#".repeat(20)));
    }

    #[test]
    fn columns_and_kinds_that_changed_are_named() {
        let column = |role: &str, name: &str| (role.to_owned(), [name.to_owned()].into());
        let figures = |columns: Vec<_>, purchases| InputFigures {
            read: 100,
            used: 100,
            columns: columns.into_iter().collect(),
            kinds: [("purchase".to_owned(), purchases)].into(),
            ..InputFigures::default()
        };
        let old = figures(vec![column("item_id", "SKU"), column("unit_price", "price")], 90);
        let new = figures(vec![column("item_id", "EAN")], 40);
        assert_eq!(
            causes(&new, &old),
            [
                "item_id comes from `EAN` now, and came from `SKU`",
                "no column is unit_price any more; `price` was",
                "40 rows of kind purchase; there were 90"
            ]
        );
        assert!(causes(&old, &old).is_empty());
    }

    #[test]
    fn prices_and_a_catalogue_that_are_gone_and_prices_in_cents_are_named() {
        let figures =
            |listed, priced, price| InputFigures { listed, priced, price, ..Default::default() };
        let old = figures(200, 190, Some(12.5));
        for (new, told) in [
            (figures(0, 0, Some(12.0)), "there is no catalogue any more; it had 200 items"),
            (
                figures(210, 3, None),
                "3 of 210 items in the catalogue have a price above 0; 190 of 200 had",
            ),
            (
                figures(200, 190, Some(1250.0)),
                "a unit is usually paid with 1250.00, and was with 12.50",
            ),
            (
                figures(200, 190, Some(0.125)),
                "a unit is usually paid with 0.12, and was with 12.50",
            ),
        ] {
            let causes = causes(&new, &old);
            assert!(matches!(&causes[..], [one] if one.starts_with(told)), "{causes:?}");
        }
        assert!(causes(&figures(400, 300, Some(25.0)), &old).is_empty());
        assert!(
            causes(&old, &InputFigures::default()).is_empty(),
            "of old figures nothing is known"
        );
    }
}
