//! Pages and charts, drawn by hand: inline style, inline SVG, no script, nothing from outside.
//!
//! This room knows lengths, colours and letters. It refuses to know what they stand for.

mod bars;
mod columns;

pub use bars::{Row, bars};
pub use columns::{Series, columns};

/// The style of every page.
const STYLE: &str = include_str!("page.css");

/// A whole page; `body` is HTML, the title is not.
pub fn page(title: &str, body: &str) -> String {
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <title>{}</title><style>{STYLE}</style></head><body><main>{body}</main></body></html>\n",
        escape(title)
    )
}

/// A chart under its title.
pub fn figure(title: &str, svg: &str) -> String {
    format!("<figure><figcaption>{}</figcaption>{svg}</figure>", escape(title))
}

/// Text that may stand anywhere in the page.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// 1, 2 or 5 times a power of ten, so that some four ticks span `largest`.
fn step(largest: f64) -> f64 {
    let rough = if largest.is_finite() && largest > 0.0 { largest / 4.0 } else { 0.25 };
    let power = 10f64.powf(rough.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|times| times * power);
    steps.into_iter().find(|&step| step >= rough).unwrap_or(rough)
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
}
