//! How good it is, on weeks that were held out.

use std::fmt::Write;

use super::text::two;
use super::{NARROW, section};
use crate::charts::{Row, bars, escape, figure};
use crate::error::thousands;
use crate::evaluate::customers::{CustomerReport, Decile};

pub(super) fn quality(report: &CustomerReport) -> String {
    let mut html = String::from(
        "<div class=\"wide\"><table><thead><tr><th>judged</th><th>by</th><th class=\"n\">cases</th><th \
         class=\"n\">Cartwright</th><th class=\"n\">rule</th><th class=\"n\">difference, \
         95 %</th><th>rule</th><th></th></tr></thead><tbody>",
    );
    for figure in &report.figures {
        let verdict = figure.verdict();
        let _ = write!(
            html,
            "<tr><td>{}</td><td>{}</td><td class=\"n\">{}</td><td class=\"n own\">{:.4}</td><td \
             class=\"n\">{:.4}</td><td class=\"n\">{:+.4} to {:+.4}</td><td>{}</td><td>{verdict}</td></tr>",
            escape(&figure.what),
            escape(&figure.metric),
            thousands(figure.cases as f64),
            figure.ours,
            figure.theirs,
            figure.low,
            figure.high,
            escape(&figure.rule),
        );
    }
    html.push_str("</tbody></table></div><div class=\"pair\">");
    html.push_str(&calibration(
        "Expected orders within 28 days, and what came",
        &report.expected_orders,
    ));
    html.push_str(&calibration(
        "Probability of an order, and what came",
        &report.order_probability,
    ));
    html.push_str("</div>");
    for line in report.models.iter().chain(&report.left_out) {
        let _ = write!(html, "<p class=\"note\">{}</p>", escape(line));
    }
    section("How good is this?", "Learnt from before the last weeks, held against them.", &html)
}

fn calibration(title: &str, deciles: &[Decile]) -> String {
    let labels: Vec<String> = (1..=deciles.len()).map(|n| format!("tenth {n}")).collect();
    let rows: Vec<Row<'_>> = deciles
        .iter()
        .zip(&labels)
        .map(|(decile, label)| Row {
            label,
            class: "",
            bars: vec![(decile.expected, "own"), (decile.came, "peer")],
            interval: None,
        })
        .collect();
    figure(&format!("{title} (green: expected)"), &bars(title, NARROW, &rows, two))
}
