//! Filters gone wrong: whatever is written, it is refused with its place, or tells yes from no.

use super::*;
use crate::torment::torment;

const SAMPLES: [&str; 9] = [
    "price < current.price * 1.2 and brand != current.brand",
    r#"category under "Grocery > Bread" and not in_stock = false"#,
    r#"brand in ("Acme", "Zenith") or known price and price - weight > 3"#,
    r#"`shelf life` >= 30 and attributes.colour = 'red'"#,
    r#"launched_at >= "2026-11-01" or launched_at < sold_at"#,
    "not (not (price = 1))",
    "-price * -2 / 0 <= +1e5",
    "in_stock",
    "((((((price<1))))))",
];

#[test]
fn any_text_is_a_filter_or_refused_with_its_place() {
    let samples = SAMPLES.map(str::as_bytes);
    let goods = [
        Goods::default(),
        Goods {
            numbers: [Some(3.0), Some(f64::NAN), None],
            brand: Some("Acme"),
            ..Goods::default()
        },
        Goods {
            numbers: [Some(0.0), Some(-1.0), Some(f64::MAX)],
            colour: Some("red"),
            in_stock: Some(false),
            category: Some("Grocery > Bread > Rye"),
            launched_at: Some(500_000),
            ..Goods::default()
        },
    ];
    let understood = torment("filter", &samples, |bytes| {
        let text = String::from_utf8_lossy(bytes);
        let filter = match Filter::parse(&text, &Shop) {
            Ok(filter) => filter,
            Err(wrong) => {
                assert!(wrong.to_string().len() < 2_000 + 4 * text.len());
                return false;
            }
        };
        assert_eq!(filter.text(), text);
        for current in &goods {
            let bound = filter.bind(Some(current));
            goods.iter().for_each(|item| {
                bound.matches(item);
            });
            filter.bind(None).matches(current);
        }
        true
    });
    assert!(understood > 0);
}
