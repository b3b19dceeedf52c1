//! Charts, drawn by hand: bars with intervals, and paired bars.

use std::fmt::Write;

use super::html::escape;

const WIDTH: f64 = 720.0;
const LABELS: f64 = 170.0;
const VALUES: f64 = 64.0;
const ROW: f64 = 26.0;
const BAR: f64 = 14.0;
const TOP: f64 = 6.0;
const AXIS: f64 = 22.0;

/// One bar.
pub(super) struct Bar<'a> {
    /// Its name, at the left.
    pub(super) label: &'a str,
    /// Its length; with an interval, if there is one, that is drawn over its end.
    pub(super) value: f64,
    /// Low and high.
    pub(super) interval: Option<(f64, f64)>,
    /// Class of the bar: its colour.
    pub(super) class: &'a str,
}

/// Horizontal bars from 0, with a scale below. `title` is for those who can't see it.
pub(super) fn bars(title: &str, bars: &[Bar<'_>], as_text: fn(f64) -> String) -> String {
    let height = TOP + bars.len() as f64 * ROW + AXIS;
    let largest = bars
        .iter()
        .map(|bar| bar.interval.map_or(bar.value, |(_, high)| high.max(bar.value)))
        .fold(0.0, f64::max);
    let step = step(largest);
    let end = (largest / step).ceil().max(1.0) * step;
    let plot = WIDTH - LABELS - VALUES;
    let x = |value: f64| LABELS + value.clamp(0.0, end) / end * plot;
    let mut svg = String::new();
    let _ = write!(
        svg,
        r#"<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{}">"#,
        escape(title)
    );
    let bottom = height - AXIS;
    let ticks = (end / step).round() as usize;
    for tick in 0..=ticks {
        let value = tick as f64 * step;
        let at = x(value);
        let _ = write!(
            svg,
            r#"<line class="grid" x1="{at:.1}" x2="{at:.1}" y1="{TOP}" y2="{bottom}"/><text class="tick" x="{at:.1}" y="{:.1}">{}</text>"#,
            bottom + 15.0,
            as_text(value)
        );
    }
    for (place, bar) in bars.iter().enumerate() {
        let top = TOP + place as f64 * ROW + (ROW - BAR) / 2.0;
        let middle = top + BAR / 2.0;
        let end = x(bar.value);
        let _ = write!(
            svg,
            r#"<text class="label {class}" x="{:.1}" y="{:.1}">{}</text><rect class="bar {class}" x="{LABELS}" y="{top:.1}" width="{:.1}" height="{BAR}" rx="2"/>"#,
            LABELS - 10.0,
            middle + 4.0,
            escape(bar.label),
            (end - LABELS).max(0.0),
            class = escape(bar.class),
        );
        let mut text_at = end;
        if let Some((low, high)) = bar.interval {
            let (from, to) = (x(low), x(high));
            let (above, below) = (middle - 4.0, middle + 4.0);
            let _ = write!(
                svg,
                r#"<path class="whisker" d="M{from:.1} {middle:.1}H{to:.1}M{from:.1} {above:.1}V{below:.1}M{to:.1} {above:.1}V{below:.1}"/>"#
            );
            text_at = to;
        }
        let _ = write!(
            svg,
            r#"<text class="value {}" x="{:.1}" y="{:.1}">{}</text>"#,
            escape(bar.class),
            text_at + 8.0,
            middle + 4.0,
            as_text(bar.value)
        );
    }
    svg.push_str("</svg>");
    svg
}

/// 1, 2 or 5 times a power of ten, so that some five ticks span `largest`.
fn step(largest: f64) -> f64 {
    let rough = if largest.is_finite() && largest > 0.0 { largest / 4.0 } else { 0.25 };
    let power = 10f64.powf(rough.log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .map(|times| times * power)
        .into_iter()
        .find(|&step| step >= rough)
        .unwrap_or(rough)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_has_round_steps() {
        for (largest, expected) in [(0.31, 0.1), (0.2, 0.05), (1.0, 0.5), (0.05, 0.02), (0.0, 0.5)]
        {
            assert!((step(largest) - expected).abs() < 1e-12, "{largest}: {}", step(largest));
        }
    }

    #[test]
    fn labels_are_escaped_and_bars_stay_inside() {
        let bar = Bar { label: "<b>", value: 0.2, interval: Some((0.1, 9.0)), class: "subject" };
        let svg = bars("a & b", &[bar], |value| format!("{value:.3}"));
        assert!(svg.contains("&lt;b&gt;") && svg.contains("a &amp; b") && !svg.contains("<b>"));
        assert!(!svg.contains("NaN"));
    }
}
