//! One page that stands alone: inline style, inline charts, no script.

use std::fmt::Write;

use super::{Report, TaskReport, hot};
use crate::charts::{self, Row, bars, escape, figure};
use crate::error::thousands;
use crate::evaluate::Marks;

/// Bars of one row: lengths with their classes.
type Lengths = Vec<(f64, &'static str)>;

/// Widths of the charts.
const WIDE: f64 = 880.0;
const NARROW: f64 = 430.0;

pub(super) fn page(report: &Report) -> String {
    let mut body = header(report);
    body.push_str(&overview(report));
    for task in &report.tasks {
        body.push_str(&section(report, task));
    }
    body.extend(report.rising.iter().map(hot::rising));
    body.extend(report.again.iter().map(hot::again));
    body.push_str(&tuned(&report.learnt));
    body.push_str(&footer(report.window.cut.is_some()));
    charts::page("How good are the answers?", &body)
}

fn header(report: &Report) -> String {
    let window = &report.window;
    let held_out = match (&window.first_day, window.days) {
        (Some(first), Some(days)) => format!(
            "The last {days} days, from {first}, were held out; everything was learnt from before."
        ),
        _ => "The log has no time: orders were split by a hash, 72 to learn from for 8 to judge."
            .into(),
    };
    let facts = [
        (window.training_events, "events learnt from"),
        (window.training_items, "items"),
        (window.training_customers, "customers"),
        (window.held_out_orders, "orders held out"),
        (window.held_out_visits, "visits held out"),
    ];
    let mut html = format!(
        "<header><h1>How good are the answers?</h1><p>{}</p><ul class=\"facts\">",
        escape(&held_out)
    );
    for (number, what) in facts {
        let _ = write!(html, "<li><b>{}</b> {what}</li>", thousands(number));
    }
    html.push_str("</ul>");
    for note in &report.notes {
        let _ = write!(html, "<p class=\"note\">{}</p>", escape(note));
    }
    html + "</header>"
}

/// A row per task: the system under test, the best baseline, popularity.
fn overview(report: &Report) -> String {
    let Some(subject) = report.subjects.first() else { return String::new() };
    let mut html = format!(
        "<section><h2>At a glance</h2><div class=\"wide\"><table><thead><tr><th>task</th><th>figure</th>\
         <th class=\"n\">{}</th><th class=\"n\">best baseline</th><th></th><th class=\"n\">gain</th>\
         <th class=\"n\">popularity</th></tr></thead><tbody>",
        escape(subject)
    );
    for task in report.tasks.iter().filter(|task| task.cases > 0) {
        let Some(own) = task.of(subject) else { continue };
        let best = task.best_baseline(&report.subjects);
        let figure =
            |marks: Option<&Marks>| marks.map_or("–".to_owned(), |marks| three(marks.headline));
        let gain = best.filter(|best| best.headline > 0.0).map_or("–".to_owned(), |best| {
            format!("{:+.1} %", 100.0 * (own.headline / best.headline - 1.0))
        });
        let _ = write!(
            html,
            "<tr><td><a href=\"#{name}\">{name}</a></td><td>{}</td><td class=\"n own\">{}</td>\
             <td class=\"n\">{}</td><td class=\"dim\">{}</td><td class=\"n\">{gain}</td><td class=\"n\">{}</td></tr>",
            task.headline.name(),
            three(own.headline),
            figure(best),
            escape(best.map_or("", |best| &best.name)),
            figure(task.of("popularity")),
            name = task.task.name(),
        );
    }
    html + "</tbody></table></div></section>"
}

/// What the trainer chose for each question, and what it gained on the weeks it tuned on.
fn tuned(learnt: &serde_json::Value) -> String {
    let Some(questions) = learnt["held_out"].as_object().filter(|all| !all.is_empty()) else {
        return String::new();
    };
    let mut html = String::from(
        "<section id=\"tuned\"><h2>What the trainer chose</h2><p class=\"dim\">On held-out parts of what it \
         learnt from, so before anything judged above.</p><div class=\"wide\"><table><thead><tr>\
         <th>question</th><th>figure</th><th class=\"n\">blend</th><th class=\"n\">popularity</th>\
         <th class=\"n\">best source alone</th><th></th><th class=\"n\">ranker, of blend</th>\
         <th class=\"n\">ms an answer</th></tr></thead><tbody>",
    );
    let mut blends = String::new();
    for (question, score) in questions {
        let number = |value: &serde_json::Value| value.as_f64().map_or("–".to_owned(), three);
        let ranker = &learnt["rankers"][question];
        let gain =
            match (ranker["trees"].as_u64(), ranker["ranker"].as_f64(), ranker["blend"].as_f64()) {
                (Some(1..), Some(ranked), Some(blend)) if blend > 0.0 => {
                    format!("{:+.1} %", 100.0 * (ranked / blend - 1.0))
                }
                _ => "none".to_owned(),
            };
        let mut weights: Vec<(&String, f64)> = learnt["blend"][question]
            .as_object()
            .into_iter()
            .flatten()
            .filter_map(|(name, weight)| Some((name, weight.as_f64().filter(|w| *w > 0.0)?)))
            .collect();
        weights.sort_by(|a, b| a.0.cmp(b.0));
        let weights: Vec<String> =
            weights.iter().map(|(name, weight)| format!("{name} {weight:.3}")).collect();
        let _ = write!(
            html,
            "<tr><td>{}</td><td>{}</td><td class=\"n own\">{}</td><td class=\"n\">{}</td>\
             <td class=\"n\">{}</td><td class=\"dim\">{}</td><td class=\"n\">{gain}</td>\
             <td class=\"n\">{}</td></tr>",
            escape(&question.replace('_', " ")),
            escape(score["metric"].as_str().unwrap_or_default()),
            number(&score["after"]),
            number(&score["popularity"]),
            number(&score["single"]),
            escape(score["best_source"].as_str().unwrap_or_default()),
            number(&learnt["milliseconds"][question]),
        );
        let _ = write!(
            blends,
            "<p class=\"dim\"><b>{}</b>: {}</p>",
            escape(&question.replace('_', " ")),
            escape(&weights.join(", "))
        );
    }
    html + "</tbody></table></div>" + &blends + "</section>"
}

fn section<'a>(report: &Report, task: &'a TaskReport) -> String {
    let mut html = format!(
        "<section id=\"{name}\"><h2>{name}</h2><p class=\"dim\">{}",
        escape(task.description),
        name = task.task.name()
    );
    if let Some(why) = &task.unjudged {
        let _ = write!(html, ".</p><p class=\"note\">Not judged: {}.</p></section>", escape(why));
        return html;
    }
    let _ = write!(
        html,
        ". {} cases, {:.1} right items each.</p>",
        thousands(task.cases),
        task.mean_truth
    );
    let class = |marks: &Marks| if report.subjects.contains(&marks.name) { "own" } else { "peer" };
    let rows = |bars: &dyn Fn(&Marks) -> Option<Lengths>, with_interval: bool| {
        let row = |marks: &'a Marks| {
            Some(Row {
                label: &marks.name,
                class: class(marks),
                bars: bars(marks)?,
                interval: with_interval.then_some(marks.interval),
            })
        };
        task.marks.iter().filter_map(row).collect::<Vec<_>>()
    };
    let title = format!("{}, 95 % interval", task.headline.name());
    let headline = rows(&|marks| Some(vec![(marks.headline, class(marks))]), true);
    html.push_str(&figure(&title, &bars(&title, WIDE, &headline, three)));
    html.push_str("<div class=\"pair\">");
    let parted = rows(
        &|marks| {
            let (repeat, explore) = (marks.repeat?.at10.recall, marks.explore?.at10.recall);
            Some(vec![(repeat, "repeat"), (explore, "explore")])
        },
        false,
    );
    if !parted.is_empty() {
        let title = "Recall@10: bought before (upper bar), new (lower bar)";
        html.push_str(&figure(title, &bars(title, NARROW, &parted, three)));
    }
    let title = "Share of the catalogue that is shown to anyone";
    let shown = rows(&|marks| Some(vec![(marks.coverage, class(marks))]), false);
    html.push_str(&figure(title, &bars(title, NARROW, &shown, percent)));
    html.push_str("</div>");
    html.push_str(&details(report, task));
    html + "</section>"
}

fn details(report: &Report, task: &TaskReport) -> String {
    let mut html = String::from(
        "<details><summary>All figures</summary><div class=\"wide\"><table><thead><tr><th></th>",
    );
    for column in [
        "ndcg@10",
        "recall@10",
        "hit@10",
        "mrr@10",
        "ndcg@20",
        "recall@20",
        "hit@20",
        "mrr@20",
        "repeat r@10",
        "explore r@10",
        "revenue r@10",
        "coverage",
        "gini",
        "novelty",
        "p50 µs",
        "p99 µs",
    ] {
        let _ = write!(html, "<th class=\"n\">{column}</th>");
    }
    html.push_str("</tr></thead><tbody>");
    for marks in &task.marks {
        let own = if report.subjects.contains(&marks.name) { " class=\"own\"" } else { "" };
        let _ = write!(html, "<tr{own}><td>{}</td>", escape(&marks.name));
        let part = |part: Option<super::super::Part>| {
            part.map_or("–".to_owned(), |part| three(part.at10.recall))
        };
        let (at10, at20) = (&marks.at10, &marks.at20);
        let cells = [
            three(at10.ndcg),
            three(at10.recall),
            three(at10.hit_rate),
            three(at10.mrr),
            three(at20.ndcg),
            three(at20.recall),
            three(at20.hit_rate),
            three(at20.mrr),
            part(marks.repeat),
            part(marks.explore),
            marks.revenue_recall_at10.map_or("–".to_owned(), three),
            percent(marks.coverage),
            three(marks.gini),
            format!("{:.1} bit", marks.novelty),
            format!("{:.0}", marks.latency.p50_us),
            format!("{:.0}", marks.latency.p99_us),
        ];
        for cell in cells {
            let _ = write!(html, "<td class=\"n\">{cell}</td>");
        }
        html.push_str("</tr>");
    }
    html + "</tbody></table></div></details>"
}

fn footer(in_time: bool) -> String {
    let cut = match in_time {
        true => "One cut in time; everything, popularity too, was learnt before it.",
        false => "Everything, popularity too, was learnt from the orders that are not judged.",
    };
    format!(
        "<footer><p>{cut} Lists of up to 20 are \
     ranked over the whole catalogue. Recall divides by all that is right, so it cannot reach 1 where \
     that is more than ten items; the ideal list of NDCG is cut at k. Items asked with, and known items \
     where new ones are asked for, are never credited. Whiskers are 95 % bootstrap intervals over \
     customers (orders or visits of nobody known).</p></footer>"
    )
}

fn three(value: f64) -> String {
    format!("{value:.3}")
}

fn percent(value: f64) -> String {
    format!("{:.0} %", 100.0 * value)
}
