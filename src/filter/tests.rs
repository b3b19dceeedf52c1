//! What the language says, sentence by sentence.

use super::*;

mod refusals;
mod torment;

const FIELDS: [(&str, Type); 9] = [
    ("price", Type::Number),
    ("weight", Type::Number),
    ("shelf life", Type::Number),
    ("brand", Type::Text),
    ("attributes.colour", Type::Text),
    ("in_stock", Type::Flag),
    ("category", Type::Path),
    ("launched_at", Type::Day),
    ("sold_at", Type::Day),
];

struct Shop;

impl Schema for Shop {
    fn field(&self, name: &str) -> Option<(FieldId, Type)> {
        let at = FIELDS.iter().position(|(known, _)| *known == name)?;
        Some((FieldId(at as u32), FIELDS[at].1))
    }

    fn names(&self) -> Vec<String> {
        FIELDS.iter().map(|(name, _)| name.to_string()).collect()
    }
}

/// An item, by the names of its fields; what isn't named isn't known.
#[derive(Clone, Copy, Default)]
struct Goods {
    numbers: [Option<f64>; 3],
    brand: Option<&'static str>,
    colour: Option<&'static str>,
    in_stock: Option<bool>,
    category: Option<&'static str>,
    launched_at: Option<i64>, // hours since 1970
}

impl Row for Goods {
    fn number(&self, field: FieldId) -> Option<f64> {
        self.numbers[field.0 as usize]
    }
    fn text(&self, field: FieldId) -> Option<&str> {
        if field.0 == 3 { self.brand } else { self.colour }
    }
    fn flag(&self, _: FieldId) -> Option<bool> {
        self.in_stock
    }
    fn path(&self, _: FieldId) -> Option<&str> {
        self.category
    }
    fn day(&self, field: FieldId) -> Option<i64> {
        self.launched_at.filter(|_| field.0 == 7).map(|hours| hours.div_euclid(24))
    }
}

const NOTHING: Goods = Goods {
    numbers: [None; 3],
    brand: None,
    colour: None,
    in_stock: None,
    category: None,
    launched_at: None,
};

fn priced(price: f64) -> Goods {
    Goods { numbers: [Some(price), None, None], ..NOTHING }
}

fn roll() -> Goods {
    Goods {
        numbers: [Some(4.0), Some(2.0), Some(40.0)],
        brand: Some("Acme"),
        colour: Some("red"),
        in_stock: Some(true),
        category: Some("Food > Bread > Rolls"),
        launched_at: Some(24 * 20_778 + 13), // 2026-11-21, 13:00
    }
}

fn filter(text: &str) -> Filter {
    Filter::parse(text, &Shop).unwrap_or_else(|wrong| panic!("{text}: {wrong}"))
}

fn matches(text: &str, row: Goods) -> bool {
    filter(text).bind(None).matches(&row)
}

fn matches_beside(text: &str, row: Goods, current: Goods) -> bool {
    filter(text).bind(Some(&current)).matches(&row)
}

/// The message for `text`, which is no filter.
fn wrong(text: &str) -> String {
    Filter::parse(text, &Shop).expect_err("this is no filter").to_string()
}

#[test]
fn the_examples_of_the_documentation_match_what_they_say() {
    let roll = roll();
    assert!(matches("price < 5 and in_stock", roll));
    assert!(!matches("price < 5 and in_stock", priced(4.0)));
    assert!(matches_beside("price - 1 <= current.price / 2", roll, priced(6.0)));
    assert!(!matches_beside("price - 1 <= current.price / 2", roll, priced(5.9)));
    let same_brand = "brand in (\"Acme\", current.brand)";
    let other = Goods { brand: Some("Other"), ..roll };
    assert!(matches_beside(same_brand, roll, other) && matches_beside(same_brand, other, other));
    assert!(!matches_beside(same_brand, other, roll));
    let under_bread = "category under \"Food > Bread\"";
    let filed = |category| Goods { category: Some(category), ..NOTHING };
    assert!(matches(under_bread, roll) && matches(under_bread, filed("Food > Bread")));
    assert!(!matches(under_bread, filed("Food > Breadcrumbs")));
    assert!(!matches(under_bread, filed("Food")));
    assert!(!matches("launched_at >= \"2026-11-22\"", roll));
    assert!(matches("launched_at >= \"2026-11-21\"", roll));
    assert!(matches("brand != \"Acme\"", other) && !matches("brand != \"Acme\"", NOTHING));
    assert!(matches("not brand = \"Acme\"", other) && matches("not brand = \"Acme\"", NOTHING));
    let cheap = "not known price or price / weight < 2";
    assert!(matches(cheap, NOTHING) && !matches(cheap, roll) && !matches(cheap, priced(1.0)));
    assert!(matches("`shelf life` > 30 and attributes.colour = 'red'", roll));
    let tight = "not in_stock or price > 1 and price < 2";
    assert!(!matches(tight, roll) && matches(tight, NOTHING) && matches(tight, priced(1.5)));
    assert!(matches_beside(
        "price < current.price * 1.2 and brand != current.brand and category under \"Food > Bread\"",
        roll,
        Goods { numbers: [Some(3.5), None, None], ..other },
    ));
}

#[test]
fn every_order_compares_numbers() {
    for (sign, below, same, above) in [
        ("=", false, true, false),
        ("!=", true, false, true),
        ("<", true, false, false),
        ("<=", true, true, false),
        (">", false, false, true),
        (">=", false, true, true),
    ] {
        let text = format!("price {sign} 2");
        let outcomes = [1.0, 2.0, 3.0].map(|price| matches(&text, priced(price)));
        assert_eq!(outcomes, [below, same, above], "{text}");
    }
}

#[test]
fn products_bind_tighter_than_sums_and_both_go_from_left_to_right() {
    for (sum, result) in [
        ("1 + 2 * 3", 7.0),
        ("(1 + 2) * 3", 9.0),
        ("10 - 3 - 2", 5.0),
        ("10 - (3 - 2)", 9.0),
        ("8 / 4 / 2", 1.0),
        ("8 / (4 / 2)", 4.0),
        ("2 * 3 + 4 * 5 - 6 / 3", 24.0),
        ("-2 * -3", 6.0),
        ("2--3", 5.0),
        ("-(1 + 2)", -3.0),
        ("1.5e2 + 5E-1", 150.5),
    ] {
        assert!(matches(&format!("price = {sum}"), priced(result)), "{sum} is {result}");
    }
}

#[test]
fn not_binds_tighter_than_and_which_binds_tighter_than_or() {
    assert!(matches("true or true and false", NOTHING));
    assert!(!matches("(true or true) and false", NOTHING));
    assert!(!matches("not true and false", NOTHING));
    assert!(matches("not (true and false)", NOTHING));
    assert!(matches("NOT false And TRUE oR false", NOTHING));
}

#[test]
fn texts_are_compared_letter_by_letter() {
    assert!(matches("brand = 'Acme'", roll()) && !matches("brand = 'acme'", roll()));
    assert!(!matches("brand in ('acme', 'Acme ')", roll()));
    let odd = Goods { brand: Some("a\"b'c\\d\n\t€"), ..NOTHING };
    assert!(matches(r#"brand = "a\"b'c\\d\n\t\u{20ac}""#, odd));
    assert!(matches(r#"brand = 'a"b\'c\\d\n\t€'"#, odd));
}

#[test]
fn paths_are_equal_whatever_the_spaces_in_the_filter_but_not_by_parts() {
    assert!(matches("category = \"Food>Bread  >  Rolls\"", roll()));
    assert!(!matches("category = \"Food > Bread\"", roll()));
    assert!(matches("\"Food > Bread > Rolls\" = category", roll()));
    assert!(matches_beside("category under current.category", roll(), roll()));
    assert!(!matches_beside("category under current.category", roll(), NOTHING));
}

#[test]
fn two_moments_of_a_day_are_the_same_day() {
    let noon = |day: i64| Goods { launched_at: Some(24 * day + 12), ..NOTHING };
    assert!(matches("launched_at = \"1970-01-02\"", noon(1)));
    assert!(matches("launched_at <= \"1970-01-02\"", noon(1)));
    assert!(!matches("launched_at > \"1970-01-02\"", noon(1)));
    assert!(matches("launched_at = \"1969-12-31\"", noon(-1)));
    let early = Goods { launched_at: Some(24), ..NOTHING };
    assert!(matches_beside("launched_at = current.launched_at", noon(1), early));
}

#[test]
fn lists_are_searched_whole_whatever_their_order() {
    for price in 0..=9 {
        let listed = [7, 1, 3].contains(&price);
        assert_eq!(matches("price in (7, 1, 3, 1)", priced(price.into())), listed, "{price}");
        assert_eq!(matches("price not in (7, 1, 3)", priced(price.into())), !listed, "{price}");
    }
    assert!(matches("price in (-0)", priced(0.0)) && matches("price in (0)", priced(-0.0)));
    assert!(matches("launched_at in ('2026-11-21')", roll()));
    assert!(matches("category in (\"Drink\", \"Food > Bread > Rolls\")", roll()));
    assert!(matches("price * 2 in (8)", roll()) && matches("in_stock in (true)", roll()));
}

#[test]
fn what_is_not_known_makes_a_comparison_false_and_not_turns_that() {
    for text in [
        "price = 1",
        "price != 1",
        "price - price = 0",
        "brand = \"\"",
        "brand != 'a'",
        "brand in ('a')",
        "brand not in ('a')",
        "in_stock",
        "in_stock = false",
        "in_stock != true",
        "category under \"Food\"",
        "launched_at < \"2026-11-22\"",
        "known price",
        "known category",
    ] {
        assert!(!matches(text, NOTHING), "{text}");
        assert!(matches(&format!("not ({text})"), NOTHING), "not {text}");
    }
}

#[test]
fn a_number_that_is_not_finite_is_not_known() {
    for text in ["price / 0 > 1", "price / (price - price) != 1", "price * 1e308 * 10 > 1"] {
        assert!(!matches(text, priced(5.0)), "{text}");
    }
    for odd in [f64::NAN, f64::INFINITY] {
        assert!(!matches("price != 1", priced(odd)) && !matches("known price", priced(odd)));
        assert!(!matches_beside("price < current.price", priced(1.0), priced(odd)));
    }
}

#[test]
fn an_unknown_current_item_leaves_only_what_does_not_ask_for_it() {
    let roll = roll();
    assert!(!matches("brand != current.brand", roll) && matches("not brand = current.brand", roll));
    assert!(matches("brand in ('Acme', current.brand)", roll));
    assert!(!matches("brand not in ('Other', current.brand)", roll));
    assert!(matches_beside(
        "brand not in ('Other', current.brand)",
        roll,
        Goods { brand: Some("x"), ..roll }
    ));
    assert!(!matches("current.in_stock or known current.price", roll));
    assert!(matches_beside("current.in_stock and known current.price", NOTHING, roll));
    assert!(!matches_beside("price < 5 and current.price > 9", roll, roll));
}

#[test]
fn a_filter_says_whether_it_asks_for_the_current_item() {
    for text in [
        "price < 2 * current.price",
        "not (in_stock or known CURRENT.brand)",
        "brand in (current.brand)",
        "price < 1 and current.`shelf life` + 1 > 3",
        "category under current.category",
    ] {
        assert!(filter(text).needs_current(), "{text}");
    }
    assert!(!filter("price < 2 and brand in ('current.brand')").needs_current());
}

#[test]
fn a_filter_keeps_its_text_and_shows_its_normal_form() {
    let text = " ((price)<5.0 AND(NOT(in_stock))) or brand NOT IN('b',\"a\\\"\", current.brand)";
    let read = filter(text);
    assert_eq!(read.text(), text);
    let normal = r#"price < 5 and not in_stock or brand not in ("a\"", "b", current.brand)"#;
    assert_eq!(read.to_string(), normal);
    assert_eq!(read, filter(normal));
    assert_ne!(read, filter("price < 5"));
    for normal in [
        "`shelf life` - (price - weight) * 2 / -weight < 1e300",
        "(price + 1) / (price * 2) >= -0.25 and known current.`shelf life`",
        "(in_stock or true) and not (price = 1 and category under \"Food > Bread\")",
        "launched_at != \"0001-02-03\" and sold_at < launched_at",
    ] {
        assert_eq!(filter(normal).to_string(), normal);
    }
}

#[test]
fn names_that_look_like_the_language_stand_in_backticks() {
    struct Odd;
    impl Schema for Odd {
        fn field(&self, name: &str) -> Option<(FieldId, Type)> {
            let at = self.names().iter().position(|known| known == name)?;
            Some((FieldId(at as u32), Type::Number))
        }
        fn names(&self) -> Vec<String> {
            ["and", "current.x", "3d", "a`b\\c", "größe", "True", "current"]
                .map(String::from)
                .into()
        }
    }
    let text =
        r"`and` + `current.x` + `3d` + `a\`b\\c` + größe + `True` + current + current.`3d` > 1";
    let read = Filter::parse(text, &Odd).unwrap();
    assert_eq!(read.to_string(), text);
    let advice = Filter::parse("X > 1", &Odd).unwrap_err().advice;
    assert!(advice.starts_with("did you mean `current.x`?"), "{advice}");
}
