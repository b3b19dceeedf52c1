//! A small language of conditions, for requests, merchandising rules and audiences.
//!
//! ```text
//! price < current.price * 1.2 and brand != current.brand and category under "Food > Bread"
//! days_since_last_order > 60 and value > 100
//! ```
//!
//! This room knows rows of fields, through [`Schema`] and [`Row`]. It refuses to know what they are fields
//! of, where they are kept, and what happens to the rows that match.
//!
//! A text is parsed once, against a schema: what is wrong with it, or makes no sense, is said then, with
//! its place ([`Wrong`]). A [`Filter`] is bound once per request to the item that is asked about, if any.
//! What is [`Bound`] is then held against each row, without allocating and without a lock.
//!
//! # The language
//!
//! ```text
//! condition  = all { "or" all } ;
//! all        = turned { "and" turned } ;
//! turned     = "not" turned | compared ;
//! compared   = sum [ order sum | [ "not" ] "in" "(" sum { "," sum } ")" | "under" sum ] ;
//! order      = "=" | "!=" | "<" | "<=" | ">" | ">=" ;
//! sum        = product { ( "+" | "-" ) product } ;
//! product    = signed { ( "*" | "/" ) signed } ;
//! signed     = "-" signed | single ;
//! single     = number | text | "true" | "false" | field | "known" field | "(" condition ")" ;
//! field      = [ "current." ] name ;
//! name       = ( letter | "_" ) { letter | digit | "_" | "." } | "`" { sign } "`" ;
//! number     = digits [ "." digits ] [ ( "e" | "E" ) [ "+" | "-" ] digits ] ;
//! text       = '"' { sign } '"' | "'" { sign } "'" ;
//! sign       = any character but the closing quote and "\"
//!            | "\" ( "\" | '"' | "'" | "`" | "n" | "r" | "t" | "u{" 1 to 6 hex digits "}" ) ;
//! ```
//!
//! Words of the language are read in any case, names of fields as they are. `current.price` is the price of
//! the item asked about; a field that is itself called so, or like a word of the language, stands in
//! backticks. On top of the grammar stand the types, checked before any row is seen:
//!
//! | Type | Compared by | Written |
//! |---|---|---|
//! | number | all orders, `in`; `+ - * /` give numbers | `1.5`, `-3`, `1e3` |
//! | text | `=`, `!=`, `in`: letter by letter, case counts | `"Acme"`, `'Acme'` |
//! | flag | `=`, `!=`, `in`; alone it is a condition | `true`, `false` |
//! | path, a category | `=`, `!=`, `in`; `under`: that category or one below it, by whole levels; case counts | `"Food > Bread"` |
//! | day | all orders, `in`; two moments of one day are the same | `"2026-11-22"` |
//!
//! Values in a list are written down, or fields of `current`. Days and paths are known by what they are
//! compared with.
//!
//! | Filter | Matches rows |
//! |---|---|
//! | `price < 5 and in_stock` | cheaper than 5, known to be in stock |
//! | `price - 1 <= current.price / 2` | at most 1 dearer than half the price of the item asked about |
//! | `brand in ("Acme", current.brand)` | of Acme, or of the same brand |
//! | `category under "Food > Bread"` | in "Food > Bread" or "Food > Bread > Rolls", not in "Food > Breadcrumbs" |
//! | `launched_at >= "2026-11-01"` | launched on that day of the shop or later |
//! | `brand != "Acme"` | of a brand that is known, and another |
//! | `not brand = "Acme"` | of another brand, or of none that is known |
//! | `not known price or price / weight < 2` | without a price, or cheap for their known weight |
//! | `` `shelf life` > 30 and attributes.colour = 'red' `` | by fields with any name |
//! | `not in_stock or price > 1 and price < 2` | `not` binds tightest, then `and`, then `or` |
//!
//! # What is not known
//!
//! A comparison, list, `under` or bare flag that asks for a value the row (or the current item) doesn't
//! have is **false**: `brand != "Acme"` and `brand not in ("Acme")` too say nothing of a row without a
//! brand. `not` simply turns the outcome, so `not (brand = "Acme")` does match that row. Unlike SQL there is
//! no third outcome: every condition is true or false, `not a` is exactly where `a` is not, and De Morgan's
//! laws hold. `x in (a, b)` means `x = a or x = b`, and `x not in (a, b)` means `x != a and x != b`: with an unknown
//! `current` field in it, the latter is false for every row. Dividing by 0, or any other number that is not
//! finite, makes an unknown value. `known price` asks whether there is one. Without a current item,
//! everything of `current` is unknown.
//!
//! # Bounds
//!
//! A text of 4,096 bytes, 32 brackets, `not` and `-` in one another, 256 comparisons, 1,000 values in a list.
//! Beyond them a text is [`Wrong`].

mod check;
mod condition;
mod lex;
mod operand;
mod order;
mod parse;
mod wrong;

#[cfg(test)]
mod tests;

use std::fmt;

pub use wrong::Wrong;

use condition::Condition;
use wrong::Fault;

/// The longest text, in bytes.
pub const MAX_BYTES: usize = 4096;
/// So many brackets, `not` and `-` may stand in one another.
pub const MAX_DEPTH: usize = 32;
/// The most comparisons, lists, flags, `under` and `known` in one filter.
pub const MAX_CONDITIONS: usize = 256;
/// The most values in one list.
pub const MAX_LIST: usize = 1000;

/// The type of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Type {
    /// A number; one that is not finite counts as unknown.
    Number,
    /// Any text.
    Text,
    /// True or false.
    Flag,
    /// A category from the widest to the narrowest level: `Food > Bread`.
    Path,
    /// A moment, of which only its day is compared: the shop's of a launch, that in UTC of an order.
    Day,
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Number => "number",
            Self::Text => "text",
            Self::Flag => "flag",
            Self::Path => "category",
            Self::Day => "day",
        })
    }
}

/// A field, by the schema's own number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FieldId(pub u32);

/// The text as it is written in a filter.
pub fn quoted(text: &str) -> String {
    lex::quoted(text, '"')
}

/// Which fields rows have.
pub trait Schema {
    /// The field called exactly `name`.
    fn field(&self, name: &str) -> Option<(FieldId, Type)>;
    /// All names, for messages: the first twenty are shown.
    fn names(&self) -> Vec<String>;
}

/// The values of one item or customer; `None` is "not known". A filter asks for a field by its own type only.
pub trait Row {
    /// The value of a [`Type::Number`].
    fn number(&self, field: FieldId) -> Option<f64>;
    /// The value of a [`Type::Text`].
    fn text(&self, field: FieldId) -> Option<&str>;
    /// The value of a [`Type::Flag`].
    fn flag(&self, field: FieldId) -> Option<bool>;
    /// The value of a [`Type::Path`], its levels joined by `" > "`.
    fn path(&self, field: FieldId) -> Option<&str>;
    /// The value of a [`Type::Day`], as days since 1970-01-01 on the shop's calendar.
    fn day(&self, field: FieldId) -> Option<i64>;
}

/// A text that is understood. It is displayed in one normal form, which parses as an equal filter if it is no
/// longer than [`MAX_BYTES`]; filters are equal if they mean the same step by step, however they were written.
///
/// ```
/// use cartwright::filter::{FieldId, Filter, Row, Schema, Type};
///
/// struct Prices;
/// impl Schema for Prices {
///     fn field(&self, name: &str) -> Option<(FieldId, Type)> {
///         (name == "price").then_some((FieldId(0), Type::Number))
///     }
///     fn names(&self) -> Vec<String> {
///         vec!["price".into()]
///     }
/// }
///
/// struct Price(Option<f64>);
/// impl Row for Price {
///     fn number(&self, _: FieldId) -> Option<f64> {
///         self.0
///     }
///     fn text(&self, _: FieldId) -> Option<&str> {
///         None
///     }
///     fn flag(&self, _: FieldId) -> Option<bool> {
///         None
///     }
///     fn path(&self, _: FieldId) -> Option<&str> {
///         None
///     }
///     fn day(&self, _: FieldId) -> Option<i64> {
///         None
///     }
/// }
///
/// let filter = Filter::parse("price < current.price * 1.2", &Prices)?;
/// assert!(filter.needs_current());
/// let bound = filter.bind(Some(&Price(Some(10.0))));
/// assert!(bound.matches(&Price(Some(11.9))));
/// assert!(!bound.matches(&Price(Some(12.0))) && !bound.matches(&Price(None)));
///
/// let wrong = Filter::parse("pricee < 5", &Prices).unwrap_err();
/// assert_eq!(
///     wrong.to_string(),
///     "at character 1: expected a field, found the unknown field \"pricee\"; did you mean price? (fields: price)"
/// );
/// # Ok::<(), cartwright::filter::Wrong>(())
/// ```
#[derive(Clone, Debug)]
pub struct Filter {
    text: Box<str>,
    condition: Condition,
}

impl Filter {
    /// Reads `text` over the fields of `schema`.
    ///
    /// Errors: the first place that is not of the language, makes no sense, or goes beyond a bound.
    pub fn parse(text: &str, schema: &(impl Schema + ?Sized)) -> Result<Self, Wrong> {
        let parsed = fits(text)
            .and_then(|()| lex::tokens(text))
            .and_then(|tokens| parse::parse(&tokens))
            .and_then(|node| check::check(&node, schema));
        let condition = parsed.map_err(|fault| fault.in_text(text))?;
        Ok(Self { text: text.into(), condition })
    }

    /// The text as it was given.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// True if it asks for a field of the current item.
    pub fn needs_current(&self) -> bool {
        self.condition.any_field(&|field| field.of_current)
    }

    /// The filter for one request: what it asks of `current` becomes a constant. Without a current item
    /// all of that is unknown, so whoever takes [`Filter::needs_current`] seriously refuses before.
    pub fn bind(&self, current: Option<&dyn Row>) -> Bound {
        Bound(self.condition.bind(current.unwrap_or(&Nobody)))
    }
}

impl PartialEq for Filter {
    fn eq(&self, other: &Self) -> bool {
        self.condition == other.condition
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.condition.fmt(f)
    }
}

/// A filter that needs nothing more but rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Bound(Condition);

impl Bound {
    /// True if `row` is what the filter asks for.
    #[inline]
    pub fn matches<R: Row + ?Sized>(&self, row: &R) -> bool {
        self.0.holds(row)
    }

    /// The path that this field of a row must be for the row to pass, where the filter says so outright.
    pub fn must_be(&self, field: FieldId) -> Option<&str> {
        self.0.must_be(field)
    }
}

fn fits(text: &str) -> Result<(), Fault> {
    if text.len() <= MAX_BYTES {
        return Ok(());
    }
    let expected = format!("at most {MAX_BYTES} bytes");
    let at = (0..=MAX_BYTES).rev().find(|&at| text.is_char_boundary(at)).unwrap_or_default();
    Err(Fault::new(at, expected, text.len().to_string()))
}

/// The current item where there is none.
struct Nobody;

impl Row for Nobody {
    fn number(&self, _: FieldId) -> Option<f64> {
        None
    }
    fn text(&self, _: FieldId) -> Option<&str> {
        None
    }
    fn flag(&self, _: FieldId) -> Option<bool> {
        None
    }
    fn path(&self, _: FieldId) -> Option<&str> {
        None
    }
    fn day(&self, _: FieldId) -> Option<i64> {
        None
    }
}
