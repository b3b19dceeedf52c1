//! Segments and models: who the customers are, and what to expect of them.

use std::fmt::Write;

use super::text::short;
use super::{NARROW, RfmCounts, section};
use crate::charts::{Row, bars, escape, figure};
use crate::customers::{Clientele, LostBy, RfmSegment};
use crate::error::thousands;

pub(super) fn segments(clientele: &Clientele, rfm: &RfmCounts) -> String {
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
        chart("Customers by RFM", |entry| entry.1 as f64, thousands),
        chart("What they paid in all", |entry| entry.2, short)
    );
    let found = &clientele.segments;
    if !found.groups.is_empty() {
        let stability = found.stability.iter().map(|(k, alike)| format!("{k}: {alike:.2}"));
        let stability: Vec<String> = stability.collect();
        let _ = write!(
            html,
            "<h2>Customers who are alike</h2><p class=\"dim\">k-means++; as many groups as keep coming \
             out the same from two draws of customers (adjusted Rand index {}). Bars are standard \
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
        let size = thousands(group.customers);
        let _ = write!(html, "<tr><td>{}</td><td class=\"n\">{size}</td>", escape(&group.name));
        for &value in &group.centre {
            let _ = write!(html, "<td>{}</td>", deviation(value));
        }
        html.push_str("</tr>");
    }
    html + "</tbody></table></div>"
}

/// A bar to the left or the right of the middle, two standard deviations wide at most.
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

pub(super) fn models(clientele: &Clientele) -> String {
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
    let lost_by = match clientele.lost_by {
        LostBy::Alive => "by the probability that they still buy at all",
        LostBy::Return => {
            "by how much less likely an order is than it was right after their latest: the model above loses \
             hardly anybody here"
        }
    };
    let _ = write!(html, "<p>Who is at risk is told {lost_by}.</p>");
    section("What to expect", "The models behind expected orders and lifetime value.", &html)
}
