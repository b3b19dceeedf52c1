//! What `evaluate` says of risers and of what is due again.

use super::output::{align_right, print, table};
use crate::error::thousands;
use crate::evaluate::{AgainReport, RisingReport};

pub(super) fn show_rising(report: &RisingReport) -> anyhow::Result<()> {
    print(format!(
        "\nrising: asked at the end of {} weeks for 50 items; right is what sells at least twice its usual share \
         in the week after, and to 5 customers, each once a day; {:.0} such items a week",
        report.weeks, report.true_risers
    ))?;
    let mut rows = table(&["", "precision@50", "95 % interval"]);
    for marks in &report.marks {
        let (low, high) = marks.interval;
        rows.add_row([
            starred(marks.name),
            format!("{:.3}", marks.precision_at50),
            format!("{low:.3} – {high:.3}"),
        ]);
    }
    align_right(&mut rows, &[1, 2]);
    print(rows)
}

pub(super) fn show_again(report: &AgainReport) -> anyhow::Result<()> {
    print(format!(
        "\nbuy_again: asked at the beginning of {} weeks; {} items answered; right is what was bought within 7 days; \
         the others choose as many items of the same customers",
        report.weeks,
        thousands(report.answered as u64)
    ))?;
    let mut rows = table(&["", "bought", "95 % interval", "cartwright is above, 95 %"]);
    for marks in &report.marks {
        let (low, high) = marks.interval;
        rows.add_row([
            starred(marks.name),
            format!("{:.1} %", 100.0 * marks.bought),
            format!("{:.1} – {:.1} %", 100.0 * low, 100.0 * high),
            match marks.gain {
                (0.0, 0.0) => String::new(),
                (low, high) => format!("{:+.2} to {:+.2}", 100.0 * low, 100.0 * high),
            },
        ]);
    }
    align_right(&mut rows, &[1, 2, 3]);
    print(rows)?;
    let (low, high) = report.due_interval;
    print(format!(
        "\n{} of them were said to be due within 7 days, with a chance of {:.1} % on average; {:.1} % were bought \
         ({:.1} – {:.1} %). In ten groups by the chance stated:",
        thousands(report.due.said as u64),
        100.0 * report.due.stated,
        100.0 * report.due.bought,
        100.0 * low,
        100.0 * high
    ))?;
    let mut rows = table(&["stated", "bought", "items"]);
    for group in &report.by_chance {
        rows.add_row([
            format!("{:.1} %", 100.0 * group.stated),
            format!("{:.1} %", 100.0 * group.bought),
            thousands(group.said as u64),
        ]);
    }
    align_right(&mut rows, &[0, 1, 2]);
    print(rows)
}

fn starred(name: &str) -> String {
    if name == "cartwright" { format!("{name} *") } else { name.to_owned() }
}
