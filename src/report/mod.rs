//! What the shop's owner looks at: customers, on one page that needs nothing from outside.
//!
//! This room knows figures and draws them. It refuses to know how they came about.

mod quality;
mod text;
mod who;

use std::fmt::Write;

use self::text::{day, labels, last, month_label, percent, short, two};
use crate::charts::{Row, Series, bars, columns, escape, figure, page};
use crate::customers::{Clientele, Cohort, Kpis, Period, RfmSegment, Rhythm, Stage};
use crate::error::thousands;
use crate::evaluate::customers::CustomerReport;

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
    body.push_str(&lifecycle(clientele));
    body.push_str(&business(clientele));
    body.push_str(&funnel(&clientele.kpis));
    body.push_str(&cohorts(&clientele.kpis.cohorts));
    body.push_str(&who::segments(clientele, rfm));
    body.push_str(&who::models(clientele));
    if let Some(report) = held_out {
        body.push_str(&quality::quality(report));
    }
    page("The shop's customers", &body)
}

fn header(clientele: &Clientele) -> String {
    let kpis = &clientele.kpis;
    let [quarter, half, most] = kpis.days_to_second;
    let mut facts = vec![
        (thousands(clientele.buyers as f64), "customers who bought"),
        (percent(kpis.repeat_share), "of them ordered again"),
    ];
    if half > 0.0 {
        let second = "to the second day with an order, for half of those who had one";
        facts.extend([
            (format!("{half:.0} days"), second),
            (format!("{quarter:.0} to {most:.0} days"), "for the middle half"),
        ]);
    }
    if clientele.rhythm.is_learnt() {
        let usual = clientele.rhythm.usual_days;
        facts.push((format!("{usual:.0} days"), "usually between two orders"));
    }
    let facts: String =
        facts.iter().map(|(number, what)| format!("<li><b>{number}</b> {what}</li>")).collect();
    let until = day(clientele.today);
    format!(
        "<header><h1>The shop's customers</h1><p>As of {until}, the last day of the log.</p>\
         <ul class=\"facts\">{facts}</ul></header>"
    )
}

fn lifecycle(clientele: &Clientele) -> String {
    let Clientele { kpis, rhythm, .. } = clientele;
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
    let by_month = columns(title, WIDE, &labels(months), &stages(months), thousands);
    let week_title = "The same, by week";
    let by_week = columns(week_title, WIDE, &labels(weeks), &stages(weeks), thousands);
    let words = if rhythm.is_learnt() {
        "Stages follow each customer's own rhythm: silent, sleeping and churned begin where a pause is \
         longer than 80, 95 and 99 of 100 pauses that ended, measured in the customer's own cadence."
            .to_owned()
    } else {
        let Rhythm { second_days, second_late_days: [sleeping, churned], .. } = rhythm;
        format!(
            "Too few customers have come back to learn their rhythm from. Until then it is assumed: who \
             bought on one day is silent {second_days}, sleeping {sleeping} and churned {churned} days after."
        )
    };
    section(
        "Where customers are",
        &words,
        &(figure(title, &by_month) + &figure(week_title, &by_week) + &flow(months)),
    )
}

/// From where to where, in the last whole period.
fn flow(months: &[Period]) -> String {
    // The last month is seldom over; the one before tells more.
    let whole = months.len().checked_sub(2).and_then(|last| months.get(last));
    let Some(month) = whole else { return String::new() };
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
            let _ = write!(html, "<td class=\"n\">{}</td>", thousands(row[*stage as usize]));
        }
        html.push_str("</tr>");
    }
    html + "</tbody></table></div>"
}

fn business(clientele: &Clientele) -> String {
    let kpis = &clientele.kpis;
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
        html.push_str(&figure(
            &title,
            &columns(&title, WIDE, &labels(periods), &buyers, thousands),
        ));
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
    let words = format!(
        "Orders of known customers, returned units taken out. The latest month and week are told up to {}.",
        day(clientele.today)
    );
    section("What they bring", &words, &html)
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
    let body = chart("Customers", |row| row.1, thousands)
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
    for cohort in shown.iter().filter(|cohort| cohort.customers > 0) {
        let label = month_label(cohort.first_day);
        let size = thousands(cohort.customers);
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

fn section(title: &str, words: &str, body: &str) -> String {
    let (title, words) = (escape(title), escape(words));
    format!("<section><h2>{title}</h2><p class=\"dim\">{words}</p>{body}</section>")
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
        let mut segments = Segments::default();
        segments.groups.push(group);
        segments.features = vec!["orders".into(); 7];
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
        assert!(!page.contains(" days</b>"), "nobody came back, so nothing is told of when");
        assert!(
            page.contains("Too few customers have come back") && page.contains("up to 1970-01-01")
        );
        let rhythm = Rhythm { usual_days: 12.0, ..Rhythm::default() };
        let kpis = Kpis { days_to_second: [3.0, 5.0, 8.0], ..Kpis::default() };
        let page =
            customers_page(&Clientele { rhythm, kpis, ..Clientele::default() }, &Vec::new(), None);
        for fact in ["5 days</b>", "3 to 8 days</b>", "12 days</b>", "pauses that ended"] {
            assert!(page.contains(fact), "{fact}");
        }
    }
}
