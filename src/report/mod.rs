//! What the shop's owner looks at: customers, on one page that needs nothing from outside.
//!
//! This room knows figures and draws them. It refuses to know how they came about.

use std::fmt::Write;

use crate::charts::{Row, Series, bars, columns, escape, figure, page};
use crate::customers::{Clientele, Cohort, Kpis, Period, RfmSegment, Stage, date};
use crate::evaluate::customers::{CustomerReport, Decile};

/// Widths of the charts.
const WIDE: f64 = 880.0;
const NARROW: f64 = 430.0;
/// Periods drawn at once, the latest.
const DAYS: usize = 90;
const WEEKS: usize = 53;
const MONTHS: usize = 24;

/// Customers by RFM segment: how many, and what they paid in all.
pub type RfmCounts = Vec<(RfmSegment, u64, f64)>;

/// The page. `held_out` is how good the figures were on weeks held out, if that was measured.
pub fn customers_page(
    clientele: &Clientele,
    rfm: &RfmCounts,
    held_out: Option<&CustomerReport>,
) -> String {
    let mut body = header(clientele);
    body.push_str(&lifecycle(&clientele.kpis));
    body.push_str(&business(&clientele.kpis));
    body.push_str(&funnel(&clientele.kpis));
    body.push_str(&cohorts(&clientele.kpis.cohorts));
    body.push_str(&segments(clientele, rfm));
    body.push_str(&models(clientele));
    if let Some(report) = held_out {
        body.push_str(&quality(report));
    }
    page("The shop's customers", &body)
}

fn header(clientele: &Clientele) -> String {
    let kpis = &clientele.kpis;
    let [quarter, half, most] = kpis.days_to_second;
    let facts = [
        (grouped(clientele.buyers as f64), "customers who bought"),
        (percent(kpis.repeat_share), "of them came back"),
        (format!("{half:.0} days"), "to the second order, for half of those"),
        (format!("{quarter:.0} to {most:.0} days"), "for the middle half"),
        (format!("{:.0} days", clientele.rhythm.usual_days), "usually between two orders"),
    ];
    let facts: String =
        facts.iter().map(|(number, what)| format!("<li><b>{number}</b> {what}</li>")).collect();
    let until = day(clientele.today);
    format!(
        "<header><h1>The shop's customers</h1><p>As of {until}, the last day of the log.</p>\
         <ul class=\"facts\">{facts}</ul></header>"
    )
}

fn lifecycle(kpis: &Kpis) -> String {
    let months = last(&kpis.months, MONTHS);
    let weeks = last(&kpis.weeks, WEEKS);
    let stages = |periods: &[Period]| -> Vec<Series> {
        let bought = Stage::ALL.iter().filter(|stage| **stage != Stage::Prospect);
        bought
            .map(|&stage| Series {
                name: stage.name().to_owned(),
                values: periods.iter().map(|p| f64::from(p.stages[stage as usize])).collect(),
            })
            .collect()
    };
    let title = "Customers by stage, at the end of each month";
    let by_month = columns(title, WIDE, &labels(months), &stages(months), grouped);
    let week_title = "The same, by week";
    let by_week = columns(week_title, WIDE, &labels(weeks), &stages(weeks), grouped);
    section(
        "Where customers are",
        "Stages follow each customer's own rhythm: silent, sleeping and churned begin where a pause is \
         longer than 80, 95 and 99 of 100 pauses that ended, measured in the customer's own cadence.",
        &(figure(title, &by_month) + &figure(week_title, &by_week) + &flow(months)),
    )
}

/// From where to where, in the last whole period.
fn flow(months: &[Period]) -> String {
    let Some(month) = months.last() else { return String::new() };
    let mut html = format!(
        "<h2>From stage to stage in the month from {}</h2><div class=\"wide\"><table><thead><tr><th>from \
         ╲ to</th>",
        day(month.first_day)
    );
    let to = || Stage::ALL.iter().filter(|stage| **stage != Stage::Prospect);
    for stage in to() {
        let _ = write!(html, "<th class=\"n\">{}</th>", stage.name());
    }
    html.push_str("</tr></thead><tbody>");
    for (from, row) in Stage::ALL.iter().zip(&month.flow) {
        let name = if *from == Stage::Prospect { "first bought" } else { from.name() };
        let _ = write!(html, "<tr><td>{name}</td>");
        for stage in to() {
            let _ = write!(html, "<td class=\"n\">{}</td>", grouped(row[*stage as usize].into()));
        }
        html.push_str("</tr>");
    }
    html + "</tbody></table></div>"
}

fn business(kpis: &Kpis) -> String {
    let mut html = String::new();
    for (name, periods) in [
        ("month", last(&kpis.months, MONTHS)),
        ("week", last(&kpis.weeks, WEEKS)),
        ("day", last(&kpis.days, DAYS)),
    ] {
        let buyers = [("new", true), ("came back", false)].map(|(series, fresh)| Series {
            name: series.to_owned(),
            values: periods
                .iter()
                .map(|p| f64::from(if fresh { p.new_buyers } else { p.buyers - p.new_buyers }))
                .collect(),
        });
        let title = format!("Customers who bought, by {name}");
        html.push_str(&figure(&title, &columns(&title, WIDE, &labels(periods), &buyers, grouped)));
        let one = |title: &str, of: fn(&Period) -> f64, text: fn(f64) -> String| {
            let title = format!("{title}, by {name}");
            let values = periods.iter().map(of).collect();
            let series = [Series { name: title.clone(), values }];
            figure(&title, &columns(&title, NARROW, &labels(periods), &series, text))
        };
        let _ = write!(
            html,
            "<div class=\"pair\">{}{}{}{}</div>",
            one("Revenue", |p| p.revenue, short),
            one("Average order", Period::average_order, two),
            one("Items per order", Period::items_per_order, two),
            one("Share of buyers who had bought before", Period::repeat_rate, percent),
        );
    }
    section("What they bring", "Orders of known customers, returned units taken out.", &html)
}

fn funnel(kpis: &Kpis) -> String {
    let rows: Vec<(String, f64, f64)> = kpis
        .funnel
        .iter()
        .map(|step| (format!("{}× or more", step.orders), f64::from(step.customers), step.revenue))
        .collect();
    let chart = |title: &str, of: fn(&(String, f64, f64)) -> f64, text: fn(f64) -> String| {
        let rows: Vec<Row<'_>> = rows
            .iter()
            .map(|row| Row {
                label: &row.0,
                class: "",
                bars: vec![(of(row), "own")],
                interval: None,
            })
            .collect();
        figure(title, &bars(title, NARROW, &rows, text))
    };
    let body = chart("Customers", |row| row.1, grouped)
        + &chart("What they paid in all", |row| row.2, short);
    section(
        "How far they come",
        "The second order is what makes a customer.",
        &format!("<div class=\"pair\">{body}</div>"),
    )
}

fn cohorts(cohorts: &[Cohort]) -> String {
    let shown = last(cohorts, MONTHS);
    let most = shown.iter().map(|cohort| cohort.came_back.len()).max().unwrap_or(0);
    let mut html = String::from(
        "<div class=\"wide\"><table><thead><tr><th>first order in</th><th class=\"n\">customers</th>",
    );
    for month in 1..most {
        let _ = write!(html, "<th class=\"n\">+{month}</th>");
    }
    html.push_str("</tr></thead><tbody>");
    for cohort in shown {
        let label = month_label(cohort.first_day);
        let size = grouped(cohort.customers.into());
        let _ = write!(html, "<tr><td>{label}</td><td class=\"n\">{size}</td>");
        for back in cohort.came_back.iter().skip(1) {
            let share = f64::from(*back) / f64::from(cohort.customers.max(1));
            let _ = write!(
                html,
                "<td class=\"heat\" style=\"background:rgba(15,118,110,{:.2})\">{:.0} %</td>",
                0.75 * share,
                100.0 * share
            );
        }
        html.push_str("</tr>");
    }
    html.push_str("</tbody></table></div>");
    section(
        "Who stays",
        "Share of each month's new customers who bought so many months later.",
        &html,
    )
}

fn segments(clientele: &Clientele, rfm: &RfmCounts) -> String {
    let names: Vec<String> = rfm.iter().map(|(name, ..)| name.name().replace('_', " ")).collect();
    let chart = |title: &str, of: fn(&(RfmSegment, u64, f64)) -> f64, text: fn(f64) -> String| {
        let row = |(entry, label): (&(RfmSegment, u64, f64), &String)| (of(entry), label.clone());
        let values: Vec<(f64, String)> = rfm.iter().zip(&names).map(row).collect();
        let rows: Vec<Row<'_>> = values
            .iter()
            .map(|(value, label)| Row {
                label,
                class: "",
                bars: vec![(*value, "own")],
                interval: None,
            })
            .collect();
        figure(title, &bars(title, NARROW, &rows, text))
    };
    let mut html = format!(
        "<div class=\"pair\">{}{}</div>",
        chart("Customers by RFM", |entry| entry.1 as f64, grouped),
        chart("What they paid in all", |entry| entry.2, short)
    );
    let found = &clientele.segments;
    if !found.groups.is_empty() {
        let stability = found.stability.iter().map(|(k, alike)| format!("{k}: {alike:.2}"));
        let stability: Vec<String> = stability.collect();
        let _ = write!(
            html,
            "<h2>Customers who are alike</h2><p class=\"dim\">k-means++; as many groups as keep coming \
             out the same on halves of the customers (adjusted Rand index {}). Bars are standard \
             deviations from the shop's mean.</p>",
            stability.join(", ")
        );
        html.push_str(&portraits(clientele));
    }
    section("Who they are", "Recency, frequency and money by fifths of the customers.", &html)
}

/// What is special about each group, feature by feature.
fn portraits(clientele: &Clientele) -> String {
    let found = &clientele.segments;
    let mut html = String::from(
        "<div class=\"wide\"><table><thead><tr><th>group</th><th class=\"n\">customers</th>",
    );
    for feature in &found.features {
        let _ = write!(html, "<th class=\"n\">{}</th>", escape(feature));
    }
    html.push_str("</tr></thead><tbody>");
    for group in &found.groups {
        let size = grouped(group.customers.into());
        let _ = write!(html, "<tr><td>{}</td><td class=\"n\">{size}</td>", escape(&group.name));
        for &value in &group.centre {
            let _ = write!(html, "<td>{}</td>", deviation(value));
        }
        html.push_str("</tr>");
    }
    html + "</tbody></table></div>"
}

/// A bar to the left or the right of the middle, three standard deviations wide at most.
fn deviation(value: f32) -> String {
    let (half, value) = (34.0, f64::from(value.clamp(-2.0, 2.0)));
    let (x, long) = (half + half * value.min(0.0) / 2.0, half * value.abs() / 2.0);
    let colour = if value < 0.0 { "s4" } else { "s0" };
    format!(
        "<svg viewBox=\"0 0 68 14\" width=\"68\" role=\"img\" aria-label=\"{value:+.1}\"><rect \
         class=\"{colour}\" x=\"{x:.1}\" y=\"2\" width=\"{long:.1}\" height=\"10\"/><line class=\"grid\" \
         x1=\"34\" x2=\"34\" y1=\"0\" y2=\"14\"/></svg>"
    )
}

fn models(clientele: &Clientele) -> String {
    let Some(models) = &clientele.models else {
        return section("What to expect", "Hardly anybody came back: there is no model yet.", "");
    };
    let orders = &models.orders;
    let mut html = format!(
        "<p>BG/NBD: r {:.4}, α {:.4} weeks, a {:.4}, b {:.4}; log-likelihood {:.1} over {} distinct \
         pasts.</p>",
        orders.r, orders.alpha, orders.a, orders.b, models.orders_ll, models.distinct
    );
    if let Some(money) = &models.money {
        let _ = write!(
            html,
            "<p>Gamma–Gamma: p {:.3}, q {:.3}, γ {:.3}; log-likelihood {:.1}. An order of somebody new is \
             expected to be worth {:.2}.</p>",
            money.p,
            money.q,
            money.gamma,
            models.money_ll,
            money.expected(None)
        );
    }
    section("What to expect", "The models behind expected orders and lifetime value.", &html)
}

fn quality(report: &CustomerReport) -> String {
    let mut html = String::from(
        "<div class=\"wide\"><table><thead><tr><th>judged</th><th>by</th><th class=\"n\">cases</th><th \
         class=\"n\">Cartwright</th><th class=\"n\">rule</th><th class=\"n\">difference, \
         95 %</th><th>rule</th><th></th></tr></thead><tbody>",
    );
    for figure in &report.figures {
        let verdict = if figure.beats() { "better" } else { "not shown to be better" };
        let _ = write!(
            html,
            "<tr><td>{}</td><td>{}</td><td class=\"n\">{}</td><td class=\"n own\">{:.4}</td><td \
             class=\"n\">{:.4}</td><td class=\"n\">{:+.4} to {:+.4}</td><td>{}</td><td>{verdict}</td></tr>",
            escape(&figure.what),
            escape(&figure.metric),
            grouped(figure.cases as f64),
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

fn section(title: &str, words: &str, body: &str) -> String {
    let (title, words) = (escape(title), escape(words));
    format!("<section><h2>{title}</h2><p class=\"dim\">{words}</p>{body}</section>")
}

fn last<T>(all: &[T], most: usize) -> &[T] {
    &all[all.len().saturating_sub(most)..]
}

fn labels(periods: &[Period]) -> Vec<String> {
    periods.iter().map(|period| day(period.first_day)).collect()
}

fn day(day: i32) -> String {
    date(day).map(|date| date.to_string()).unwrap_or_default()
}

fn month_label(first: i32) -> String {
    day(first).chars().take(7).collect()
}

fn percent(share: f64) -> String {
    format!("{:.0} %", 100.0 * share)
}

fn two(value: f64) -> String {
    format!("{value:.2}")
}

/// `1234567` as `1.2m`.
fn short(value: f64) -> String {
    match value.abs() {
        v if v >= 1e6 => format!("{:.1}m", value / 1e6),
        v if v >= 1e4 => format!("{:.0}k", value / 1e3),
        _ => format!("{value:.0}"),
    }
}

/// `1234567` as `1,234,567`.
fn grouped(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::customers::{Segment, Segments};

    #[test]
    fn the_page_stands_alone_and_shows_every_part() {
        let stages = [0, 1, 2, 3, 4, 5];
        let period =
            Period { first_day: 20_000, stages, flow: vec![stages; 6], ..Period::default() };
        let kpis = Kpis {
            days: vec![period.clone()],
            weeks: vec![period.clone()],
            months: vec![period],
            cohorts: vec![Cohort { first_day: 20_000, customers: 10, came_back: vec![10, 4] }],
            ..Kpis::default()
        };
        let group = Segment { name: "a <b>".into(), centre: vec![1.0; 7], ..Segment::default() };
        let segments = Segments {
            groups: vec![group],
            features: vec!["orders".into(); 7],
            ..Segments::default()
        };
        let clientele = Clientele { kpis, segments, ..Clientele::default() };
        let rfm = vec![(RfmSegment::Champions, 3, 100.0)];
        let page = customers_page(&clientele, &rfm, Some(&CustomerReport::default()));
        for part in ["Where customers are", "40 %", "champions", "a &lt;b&gt;", "How good is this?"]
        {
            assert!(page.contains(part), "{part}");
        }
        for outside in ["http://", "https://", "<script", "NaN", "inf"] {
            assert!(!page.contains(outside), "{outside}");
        }
        customers_page(&Clientele::default(), &Vec::new(), None);
    }
}
