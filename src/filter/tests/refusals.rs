//! What is no filter, and what its author is told.

use super::*;

fn assert_told(told: &[(&str, &str)]) {
    for (text, message) in told {
        assert_eq!(wrong(text), *message, "{text}");
    }
}

#[test]
fn a_text_that_is_not_of_the_language_is_told_where_and_what_was_expected() {
    assert_told(&[
        ("", "at character 1: expected a field or a value, found the end"),
        ("   ", "at character 4: expected a field or a value, found the end"),
        (
            "price",
            "at character 1: expected a condition such as price < 10, found the number field price",
        ),
        ("price <", "at character 8: expected a field or a value, found the end"),
        (
            "price < 5 5",
            "at character 11: expected an operator, `and`, `or` or the end, found the number 5",
        ),
        ("price < 5 and", "at character 14: expected a field or a value, found the end"),
        ("(price < 5", "at character 11: expected an operator or `)`, found the end"),
        ("price < 5)", "at character 10: expected an operator, `and`, `or` or the end, found `)`"),
        (
            "1 < price < 5",
            "at character 11: expected `and`, `or` or the end, found `<`; comparisons don't chain: write 1 < price and price < 5",
        ),
        ("price == 5", "at character 7: expected `=`, found `==`"),
        ("price <> 5", "at character 7: expected `!=`, found `<>`"),
        ("in_stock && true", "at character 10: expected `and`, found `&&`"),
        ("! in_stock", "at character 1: expected `not`, found `!`"),
        ("brand = “Acme”", r#"at character 9: expected `"`, found `“`"#),
        (
            r#"brand = "Acme"#,
            r#"at character 9: expected a closing " for what opens here, found the end"#,
        ),
        (
            r#"brand = 'a\x'"#,
            r#"at character 12: expected \, a quote, n, r, t or u{code of a character} behind a backslash, found `x`"#,
        ),
        (
            r#"brand = '\u{d800}'"#,
            r#"at character 11: expected \, a quote, n, r, t or u{code of a character} behind a backslash, found `u`"#,
        ),
        (
            "price < 1e999",
            r#"at character 9: expected a number from -1.8e308 to 1.8e308, found "1e999""#,
        ),
        (
            "3d < 1",
            r#"at character 1: expected a number from -1.8e308 to 1.8e308, found "3d"; a space is missing, or backticks around a name that begins with a digit"#,
        ),
        (
            "price # 5",
            "at character 7: expected a field, a value or a sign of the language, found `#`; a name with other signs than letters, digits, _ and . goes in backticks",
        ),
        (
            "brand in 'a'",
            r#"at character 10: expected `(` and a list of values, found the text "a""#,
        ),
        ("brand in ()", "at character 11: expected a field or a value, found `)`"),
        ("brand in ('a' 'b')", r#"at character 15: expected `,` or `)`, found the text "b""#),
        ("brand not 'a'", r#"at character 11: expected `in` behind `not`, found the text "a""#),
        ("known 5", "at character 7: expected a field behind `known`, found the number 5"),
        ("known", "at character 6: expected a field behind `known`, found the end"),
        ("current. < 5", "at character 9: expected the name of a field behind current., found ` `"),
        (
            "größe = 1 € 2",
            "at character 11: expected a field, a value or a sign of the language, found `€`; a name with other signs than letters, digits, _ and . goes in backticks",
        ),
        ("current.`a", "at character 9: expected a closing ` for what opens here, found the end"),
    ]);
}

#[test]
fn a_text_that_makes_no_sense_is_told_where_and_what_was_expected() {
    assert_told(&[
        (r#"price < "abc""#, r#"at character 9: expected a number, found the text "abc""#),
        (
            "price < '5'",
            r#"at character 9: expected a number, found the text "5"; numbers stand without quotes"#,
        ),
        ("'abc' < price", r#"at character 1: expected a number, found the text "abc""#),
        ("price < brand", "at character 9: expected a number, found the text field brand"),
        (
            "brand = 5",
            "at character 9: expected a text in quotes or a text field, found the number 5; texts stand in quotes",
        ),
        (
            "brand = price",
            "at character 9: expected a text in quotes or a text field, found the number field price",
        ),
        (
            "brand < 'a'",
            "at character 7: expected `=` or `!=`, found `<`; only numbers and days have an order",
        ),
        ("in_stock = 1", "at character 12: expected true, false or a flag, found the number 1"),
        (
            "in_stock > false",
            "at character 10: expected `=` or `!=`, found `>`; only numbers and days have an order",
        ),
        (
            "category = 3",
            r#"at character 12: expected a category path such as "Food > Bread", found the number 3"#,
        ),
        (
            "category under brand",
            r#"at character 16: expected a category path such as "Food > Bread", found the text field brand"#,
        ),
        (
            "brand under 'Food'",
            r#"at character 1: expected a category path such as "Food > Bread", found the text field brand"#,
        ),
        (
            "category under 'Food > '",
            r#"at character 16: expected a category path such as "Food > Bread", found the text "Food > ""#,
        ),
        (
            "category = brand",
            r#"at character 12: expected a category path such as "Food > Bread", found the text field brand"#,
        ),
        (
            "launched_at > 2026-11-22",
            r#"at character 15: expected a day in quotes such as "2026-11-22", found a calculated number"#,
        ),
        (
            "launched_at > '22.11.2026'",
            r#"at character 15: expected a day in quotes such as "2026-11-22", found the text "22.11.2026""#,
        ),
        (
            "launched_at > '2026-02-30'",
            r#"at character 15: expected a day in quotes such as "2026-11-22", found the text "2026-02-30""#,
        ),
        (
            "launched_at + 1 > sold_at",
            "at character 1: expected a number, found the day field launched_at",
        ),
        ("brand + 1 > 2", "at character 1: expected a number, found the text field brand"),
        ("-brand < 1", "at character 2: expected a number, found the text field brand"),
        (
            "price and in_stock",
            "at character 1: expected a condition such as price < 10, found the number field price",
        ),
        (
            "in_stock and 5",
            "at character 14: expected a condition such as price < 10, found the number 5",
        ),
        (
            "not brand",
            "at character 5: expected a condition such as price < 10, found the text field brand",
        ),
        (
            "price < (in_stock and true)",
            "at character 9: expected a field or a value, found a condition",
        ),
        ("(price < 5) = true", "at character 1: expected a field or a value, found a condition"),
        ("price in (1, 'a')", r#"at character 14: expected a number, found the text "a""#),
        (
            "brand in (brand)",
            "at character 11: expected a value written down or a field of current, found the text field brand",
        ),
        (
            "price in (1, weight)",
            "at character 14: expected a value written down or a field of current, found the number field weight",
        ),
        (
            "price in (1 + 1)",
            "at character 11: expected a value written down or a field of current, found a calculated number",
        ),
    ]);
}

#[test]
fn an_unknown_field_is_told_its_nearest_and_what_fields_there_are() {
    let fields = "(fields: price, weight, `shelf life`, brand, attributes.colour, in_stock, category, launched_at, sold_at)";
    for (text, message) in [
        (
            "known prise",
            r#"at character 7: expected a field, found the unknown field "prise"; did you mean price?"#,
        ),
        (
            "pricee < 5",
            r#"at character 1: expected a field, found the unknown field "pricee"; did you mean price?"#,
        ),
        (
            "brand = Acme",
            r#"at character 9: expected a field, found the unknown field "Acme"; a text goes in quotes"#,
        ),
        (
            "current.colour = 'red'",
            r#"at character 1: expected a field, found the unknown field "colour"; did you mean attributes.colour?"#,
        ),
        (
            "price < 5 and Category = 'x'",
            r#"at character 15: expected a field, found the unknown field "Category"; did you mean category?"#,
        ),
    ] {
        assert_eq!(wrong(text), format!("{message} {fields}"), "{text}");
    }
}

#[test]
fn of_many_fields_twenty_are_listed_and_the_others_counted() {
    struct Wide(usize);
    impl Schema for Wide {
        fn field(&self, _: &str) -> Option<(FieldId, Type)> {
            None
        }
        fn names(&self) -> Vec<String> {
            (0..self.0).map(|number| format!("column{number:02}")).collect()
        }
    }
    let advice = |fields| Filter::parse("Column7 > 1", &Wide(fields)).unwrap_err().advice;
    assert!(advice(27).starts_with("did you mean column07 or column17 or column00? (fields: "));
    assert!(advice(27).ends_with(", column18, column19 and 7 more)"), "{}", advice(27));
    assert!(advice(20).ends_with(", column18, column19)"), "{}", advice(20));
    assert_eq!(advice(0), "a text goes in quotes (there are no fields)");
}

#[test]
fn the_place_is_given_in_bytes_and_in_characters() {
    let wrong = Filter::parse("brand = 'größe' or price < 'x'", &Shop).unwrap_err();
    assert_eq!((wrong.position, wrong.column), (29, 28));
    assert_eq!((&*wrong.expected, &*wrong.found), ("a number", "the text \"x\""));
}

#[test]
fn what_is_long_is_quoted_briefly_and_on_one_line() {
    let message = wrong(&format!("price < 'line\n{}'", "x".repeat(500)));
    let start = format!("line\\n{}", "x".repeat(35));
    assert_eq!(message, format!("at character 9: expected a number, found the text \"{start}…\""));
}

/// That `count` of something is a filter, and one more is refused at byte `at`, and why.
fn assert_bound(text: impl Fn(usize) -> String, count: usize, at: usize, expected: &str) {
    assert!(Filter::parse(&text(count), &Shop).is_ok(), "{count} are a filter");
    let wrong = Filter::parse(&text(count + 1), &Shop).expect_err("one too many");
    assert_eq!((wrong.position, &*wrong.expected), (at, expected));
}

#[test]
fn beyond_its_bounds_a_text_is_refused() {
    let padded = |bytes: usize| format!("true{}", " ".repeat(bytes - 4));
    assert_bound(padded, 4096, 4096, "at most 4096 bytes");
    let deep = "at most 32 brackets, `not` and `-` in one another";
    assert_bound(|n| format!("{}true{}", "(".repeat(n), ")".repeat(n)), 32, 32, deep);
    assert_bound(|n| format!("{}true", "not ".repeat(n)), 32, 128, deep);
    assert_bound(|n| format!("{}price < 0", "-".repeat(n)), 32, 32, deep);
    let many = "at most 256 comparisons";
    assert_bound(|n| format!("true{}", " or true".repeat(n - 1)), 256, 8 * 256, many);
    let listed = |n| format!("price in (1{})", ",1".repeat(n - 1));
    assert_bound(listed, 1000, 10 + 2 * 1000, "at most 1000 values in a list");
}

#[test]
fn a_text_too_long_is_cut_between_characters() {
    let wrong = Filter::parse(&"€".repeat(1366), &Shop).unwrap_err();
    assert_eq!((wrong.position, wrong.column, &*wrong.found), (4095, 1366, "4098"));
}
