//! Horizontal bars with intervals, one or two to a row.

use std::fmt::Write;

use super::{escape, step};

const VALUES: f64 = 62.0;
const ROW: f64 = 26.0;
const TOP: f64 = 6.0;
const AXIS: f64 = 22.0;
/// Of a letter in a label, about.
const LETTER: f64 = 7.4;

/// One row: a name, and its bars one below the other.
pub struct Row<'a> {
    /// At the left.
    pub label: &'a str,
    /// Class of the label: its colour.
    pub class: &'a str,
    /// Lengths, each with the class of the bar.
    pub bars: Vec<(f64, &'a str)>,
    /// Low and high, drawn over the end of a single bar.
    pub interval: Option<(f64, f64)>,
}

/// Horizontal bars from 0 in a drawing of `width`, with a scale below. `title` is for those who can't
/// see it.
pub fn bars(title: &str, width: f64, rows: &[Row<'_>], as_text: fn(f64) -> String) -> String {
    let height = TOP + rows.len() as f64 * ROW + AXIS;
    let longest = rows.iter().map(|row| row.label.chars().count()).max().unwrap_or(0);
    let labels = (longest as f64 * LETTER + 12.0).min(width / 2.0);
    let reach = |row: &Row<'_>| {
        let high = row.interval.map_or(0.0, |(_, high)| high);
        row.bars.iter().map(|&(value, _)| value).fold(high, f64::max)
    };
    let largest = rows.iter().map(reach).fold(0.0, f64::max);
    let step = step(largest);
    let end = (largest / step).ceil().max(1.0) * step;
    let plot = width - labels - VALUES;
    let x = |value: f64| labels + value.clamp(0.0, end) / end * plot;
    let bottom = height - AXIS;
    let mut svg = format!(
        r#"<svg viewBox="0 0 {width} {height}" width="{width}" role="img" aria-label="{}">"#,
        escape(title)
    );
    for tick in 0..=(end / step).round() as usize {
        let value = tick as f64 * step;
        let (at, below) = (x(value), bottom + 15.0);
        let _ = write!(
            svg,
            r#"<line class="grid" x1="{at:.1}" x2="{at:.1}" y1="{TOP}" y2="{bottom}"/><text class="tick" x="{at:.1}" y="{below:.1}">{}</text>"#,
            as_text(value)
        );
    }
    for (place, row) in rows.iter().enumerate() {
        let middle = TOP + (place as f64 + 0.5) * ROW;
        let _ = write!(
            svg,
            r#"<text class="label {}" x="{:.1}" y="{:.1}">{}</text>"#,
            escape(row.class),
            labels - 10.0,
            middle + 4.0,
            escape(row.label)
        );
        let thick = if row.bars.len() > 1 { 11.0 } else { 14.0 };
        let first = middle - thick * row.bars.len() as f64 / 2.0;
        for (number, &(value, class)) in row.bars.iter().enumerate() {
            let top = first + number as f64 * thick;
            let (long, class) = ((x(value) - labels).max(0.0), escape(class));
            let _ = write!(
                svg,
                r#"<rect class="bar {class}" x="{labels:.1}" y="{top:.1}" width="{long:.1}" height="{:.1}" rx="2"/>"#,
                thick - 1.0
            );
            let mut text_at = x(value);
            if let Some((low, high)) = row.interval {
                let (from, to, above, below) = (x(low), x(high), middle - 4.0, middle + 4.0);
                let _ = write!(
                    svg,
                    r#"<path class="whisker" d="M{from:.1} {middle:.1}H{to:.1}M{from:.1} {above:.1}V{below:.1}M{to:.1} {above:.1}V{below:.1}"/>"#
                );
                text_at = to;
            }
            let size = if row.bars.len() > 1 { " small" } else { "" };
            let _ = write!(
                svg,
                r#"<text class="value {class}{size}" x="{:.1}" y="{:.1}">{}</text>"#,
                text_at + 8.0,
                top + thick / 2.0 + 3.5,
                as_text(value)
            );
        }
    }
    svg.push_str("</svg>");
    svg
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_escaped_and_there_is_always_a_scale() {
        let bars_of = |bars| Row { label: "<b>", class: "own", bars, interval: Some((0.1, 9.0)) };
        let svg = bars("a & b", 720.0, &[bars_of(vec![(0.2, "own")])], |x| format!("{x:.3}"));
        assert!(svg.contains("&lt;b&gt;") && svg.contains("a &amp; b") && !svg.contains("<b>"));
        let nothing =
            Row { label: "", class: "", bars: vec![(0.0, ""), (0.0, "")], interval: None };
        let svg = bars("", 400.0, &[nothing], |x| format!("{x:.3}"));
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }
}
