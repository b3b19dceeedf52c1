//! The sections of the page on what rises and what is due again.

use std::fmt::Write;

use crate::charts::{Row, bars, escape};
use crate::evaluate::{AgainReport, RisingReport};

const WIDTH: f64 = 880.0;

/// Whether what is said to rise does.
pub(super) fn rising(report: &RisingReport) -> String {
    let marks = report.marks.iter().map(|m| (m.name, m.precision_at50, m.interval));
    let what = format!(
        "Asked at the end of {} weeks for 50 items. Right is what sells at least twice its usual share of the shop's \
         sales in the week after, and to 5 customers, each once a day: {:.0} items a week.",
        report.weeks, report.true_risers
    );
    section("rising", &what, "precision@50, 95 % interval", marks, |value| format!("{value:.2}"))
        + "</section>"
}

/// Whether what is said to be due again is bought.
pub(super) fn again(report: &AgainReport) -> String {
    let marks = report.marks.iter().map(|m| (m.name, m.bought, m.interval));
    let (low, high) = report.due_interval;
    let what = format!(
        "Asked at the beginning of {} weeks: {} items were answered. Right is what was bought within 7 days; the others \
         choose as many items of the same customers. {} were said to be due within 7 days, with a chance of {:.1} % on \
         average; {:.1} % were bought ({:.1} – {:.1} %).",
        report.weeks,
        report.answered,
        report.due.said,
        100.0 * report.due.stated,
        100.0 * report.due.bought,
        100.0 * low,
        100.0 * high
    );
    let share = |value: f64| format!("{:.1} %", 100.0 * value);
    let title = "bought within 7 days, 95 % interval";
    let mut html = section("buy_again", &what, title, marks, share);
    html.push_str(
        "<details><summary>By the chance that was stated</summary><div class=\"wide\"><table><thead><tr>\
         <th class=\"n\">stated</th><th class=\"n\">bought</th><th class=\"n\">items</th></tr></thead><tbody>",
    );
    for group in &report.by_chance {
        let (stated, bought) = (100.0 * group.stated, 100.0 * group.bought);
        let _ = write!(
            html,
            "<tr><td class=\"n\">{stated:.1} %</td><td class=\"n\">{bought:.1} %</td><td class=\"n\">{}</td></tr>",
            group.said
        );
    }
    html + "</tbody></table></div></details></section>"
}

fn section<'a>(
    name: &str,
    what: &str,
    title: &str,
    marks: impl Iterator<Item = (&'a str, f64, (f64, f64))>,
    as_text: fn(f64) -> String,
) -> String {
    let class = |name: &str| if name == "cartwright" { "own" } else { "peer" };
    let rows: Vec<Row<'_>> = marks
        .map(|(label, value, interval)| Row {
            label,
            class: class(label),
            bars: vec![(value, class(label))],
            interval: Some(interval),
        })
        .collect();
    format!(
        "<section id=\"{name}\"><h2>{name}</h2><p class=\"dim\">{}</p><figure><figcaption>{}</figcaption>{}</figure>",
        escape(what),
        escape(title),
        bars(title, WIDTH, &rows, as_text)
    )
}
