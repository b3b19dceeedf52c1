//! Columns over time, one on the other.

use std::fmt::Write;

use super::{escape, step};

const HEIGHT: f64 = 220.0;
const LEFT: f64 = 58.0;
const TOP: f64 = 8.0;
const AXIS: f64 = 24.0;
/// Room that a label below takes.
const LABEL: f64 = 84.0;
/// Colours there are.
const COLOURS: usize = 6;

/// What one colour stands for, and its lengths, one per column.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Series {
    /// For the key.
    pub name: String,
    /// ≥ 0.
    pub values: Vec<f64>,
}

/// Columns from 0 in a drawing of `width`, the series one on the other, with a key above if there are
/// several. `labels` stand below, as many as fit. `title` is for those who can't see it.
pub fn columns(
    title: &str,
    width: f64,
    labels: &[String],
    series: &[Series],
    as_text: fn(f64) -> String,
) -> String {
    let count = labels.len();
    let value = |series: &Series, at: usize| {
        series.values.get(at).copied().filter(|value| value.is_finite()).unwrap_or(0.0).max(0.0)
    };
    let whole = |at: usize| series.iter().map(|series| value(series, at)).sum::<f64>();
    let largest = (0..count).map(whole).fold(0.0, f64::max);
    let step = step(largest);
    let end = (largest / step).ceil().max(1.0) * step;
    let bottom = HEIGHT - AXIS;
    let tall = |value: f64| value / end * (bottom - TOP);
    let pitch = (width - LEFT - 8.0) / count.max(1) as f64;
    let mut svg = key(series);
    let _ = write!(
        svg,
        r#"<svg viewBox="0 0 {width} {HEIGHT}" width="{width}" role="img" aria-label="{}">"#,
        escape(title)
    );
    for tick in 0..=(end / step).round() as usize {
        let value = tick as f64 * step;
        let y = bottom - tall(value);
        let _ = write!(
            svg,
            r#"<line class="grid" x1="{LEFT}" x2="{width}" y1="{y:.1}" y2="{y:.1}"/><text class="tick" style="text-anchor:end" x="{:.1}" y="{:.1}">{}</text>"#,
            LEFT - 8.0,
            y + 4.0,
            as_text(value)
        );
    }
    let fit = ((width - LEFT) / LABEL).max(1.0) as usize;
    let every = count.div_ceil(fit).max(1);
    for (at, label) in labels.iter().enumerate() {
        let left = LEFT + (at as f64 + 0.1) * pitch;
        let mut below = bottom;
        for (colour, series) in series.iter().enumerate() {
            let (value, high) = (value(series, at), tall(value(series, at)));
            below -= high;
            let _ = write!(
                svg,
                r#"<rect class="s{}" x="{left:.1}" y="{below:.1}" width="{:.1}" height="{high:.1}"><title>{}, {}: {}</title></rect>"#,
                colour % COLOURS,
                0.8 * pitch,
                escape(label),
                escape(&series.name),
                as_text(value)
            );
        }
        // Centred, so that the last would be cut off where it has no room to the right.
        if at.is_multiple_of(every) && left + 0.4 * pitch + 0.4 * LABEL <= width {
            let (x, y) = (left + 0.4 * pitch, bottom + 16.0);
            let _ =
                write!(svg, r#"<text class="tick" x="{x:.1}" y="{y:.1}">{}</text>"#, escape(label));
        }
    }
    svg.push_str("</svg>");
    svg
}

fn key(series: &[Series]) -> String {
    if series.len() < 2 {
        return String::new();
    }
    let entry = |(colour, series): (usize, &Series)| {
        format!("<span><i class=\"s{}\"></i>{}</span>", colour % COLOURS, escape(&series.name))
    };
    let entries: String = series.iter().enumerate().map(entry).collect();
    format!("<div class=\"key\">{entries}</div>")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_has_its_column_and_nothing_is_left_unescaped() {
        let labels: Vec<String> = (0..40).map(|n| format!("<{n}>")).collect();
        let one = |name: &str| Series { name: name.into(), values: vec![1.0; 40] };
        let svg = columns("a & b", 800.0, &labels, &[one("new"), one("old")], |x| x.to_string());
        assert_eq!(svg.matches("<rect").count(), 80);
        assert!(svg.contains("a &amp; b") && !svg.contains("<0>"));
        assert!(svg.matches("class=\"tick\"").count() < 20, "labels do not touch");
        assert!(svg.contains("class=\"key\""));
    }

    #[test]
    fn nothing_to_draw_is_no_error() {
        let svg = columns("", 400.0, &[], &[], |x| x.to_string());
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        let odd = Series { name: String::new(), values: vec![f64::NAN, -1.0] };
        let svg = columns("", 400.0, &["a".into(), "b".into()], &[odd], |x| x.to_string());
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }
}
