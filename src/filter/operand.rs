//! What stands beside a comparison: a value written down, a field, or a calculation.
//!
//! A value that is not known is `None` everywhere here; a number that is not finite is not known.

use std::cmp::Ordering;
use std::fmt;

use super::lex::{figure, quoted, spelt};
use super::order::Step;
use super::{FieldId, Row, Type};
use crate::time::Timestamp;

/// A field, as the schema knows it and as the filter writes it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Field {
    pub(super) id: FieldId,
    pub(super) kind: Type,
    pub(super) name: Box<str>,
    pub(super) of_current: bool,
}

/// One of the types of values: how it is kept, read, ordered and written.
pub(super) trait Kind: Clone + fmt::Debug + PartialEq {
    type Held: Clone + fmt::Debug + PartialEq;
    type Seen<'a>: Copy + PartialOrd;

    fn read<R: Row + ?Sized>(row: &R, field: FieldId) -> Option<Self::Seen<'_>>;
    fn see(held: &Self::Held) -> Self::Seen<'_>;
    fn hold(seen: Self::Seen<'_>) -> Self::Held;
    /// A total order in which only equal values are equal.
    fn order(left: Self::Seen<'_>, right: Self::Seen<'_>) -> Ordering;
    fn write(held: &Self::Held, f: &mut fmt::Formatter<'_>) -> fmt::Result;
}

/// Finite numbers.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Figure;
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Text;
/// Category paths, their levels joined by " > ".
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Path;
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Flag;
/// Whole days, counted from 1970-01-01.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Day;

/// A value written down, or a field.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Leaf<K: Kind> {
    Constant(K::Held),
    Field(Field),
}

/// A number, or how to get it.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Number {
    Leaf(Leaf<Figure>),
    Negated(Box<Number>),
    /// From left to right; the steps are all + and -, or all * and /.
    Chain(Box<Number>, Vec<(Step, Number)>),
}

/// What both sides of a comparison can do.
pub(super) trait Operand: Clone + fmt::Debug + fmt::Display + PartialEq {
    type Kind: Kind;

    /// The value for `row`; fields of the current item are unknown to it.
    fn value<'a, R: Row + ?Sized>(&'a self, row: &'a R) -> Option<Seen<'a, Self>>;
    /// With what `current` says written in; none if it says nothing of what is asked.
    fn bind(&self, current: &dyn Row) -> Option<Self>;
    /// True if `asks` is true of any field.
    fn any_field(&self, asks: &impl Fn(&Field) -> bool) -> bool;
}

pub(super) type Seen<'a, T> = <<T as Operand>::Kind as Kind>::Seen<'a>;

impl<K: Kind> Operand for Leaf<K> {
    type Kind = K;

    #[inline]
    fn value<'a, R: Row + ?Sized>(&'a self, row: &'a R) -> Option<K::Seen<'a>> {
        match self {
            Self::Constant(held) => Some(K::see(held)),
            Self::Field(field) if field.of_current => None,
            Self::Field(field) => K::read(row, field.id),
        }
    }

    fn bind(&self, current: &dyn Row) -> Option<Self> {
        match self {
            Self::Field(field) if field.of_current => {
                K::read(current, field.id).map(|seen| Self::Constant(K::hold(seen)))
            }
            _ => Some(self.clone()),
        }
    }

    fn any_field(&self, asks: &impl Fn(&Field) -> bool) -> bool {
        matches!(self, Self::Field(field) if asks(field))
    }
}

impl Operand for Number {
    type Kind = Figure;

    #[inline]
    fn value<'a, R: Row + ?Sized>(&'a self, row: &'a R) -> Option<f64> {
        match self {
            Self::Leaf(leaf) => leaf.value(row),
            Self::Negated(inner) => inner.value(row).map(|number| -number),
            Self::Chain(first, rest) => rest
                .iter()
                .try_fold(first.value(row)?, |sum, (step, next)| step.take(sum, next.value(row)?)),
        }
    }

    fn bind(&self, current: &dyn Row) -> Option<Self> {
        let bound = match self {
            Self::Leaf(leaf) => return leaf.bind(current).map(Self::Leaf),
            Self::Negated(inner) => Self::Negated(Box::new(inner.bind(current)?)),
            Self::Chain(first, rest) => {
                let bind = |(step, next): &(Step, Self)| Some((*step, next.bind(current)?));
                let rest: Option<Vec<_>> = rest.iter().map(bind).collect();
                Self::Chain(Box::new(first.bind(current)?), rest?)
            }
        };
        if bound.any_field(&|_| true) {
            return Some(bound);
        }
        bound.value(current).map(|number| Self::Leaf(Leaf::Constant(number)))
    }

    fn any_field(&self, asks: &impl Fn(&Field) -> bool) -> bool {
        match self {
            Self::Leaf(leaf) => leaf.any_field(asks),
            Self::Negated(inner) => inner.any_field(asks),
            Self::Chain(first, rest) => {
                first.any_field(asks) || rest.iter().any(|(_, next)| next.any_field(asks))
            }
        }
    }
}

/// The levels of `text`, trimmed and joined by " > "; none if one is empty.
pub(super) fn path(text: &str) -> Option<Box<str>> {
    let levels: Vec<&str> = text.split('>').map(str::trim).collect();
    let whole = levels.iter().all(|level| !level.is_empty());
    whole.then(|| levels.join(" > ").into())
}

/// The day that `text` writes as YYYY-MM-DD.
pub(super) fn day(text: &str) -> Option<i64> {
    let strict = text.bytes().enumerate().all(|(at, sign)| match at {
        4 | 7 => sign == b'-',
        _ => sign.is_ascii_digit(),
    });
    let date: jiff::civil::Date = text.parse().ok().filter(|_| strict && text.len() == 10)?;
    let since = date.since(jiff::civil::date(1970, 1, 1)).ok()?;
    Some(i64::from(since.get_days()))
}

impl Kind for Figure {
    type Held = f64;
    type Seen<'a> = f64;

    #[inline]
    fn read<R: Row + ?Sized>(row: &R, field: FieldId) -> Option<f64> {
        row.number(field).filter(|number| number.is_finite())
    }
    #[inline]
    fn see(held: &f64) -> f64 {
        *held
    }
    fn hold(seen: f64) -> f64 {
        seen
    }
    fn order(left: f64, right: f64) -> Ordering {
        (left + 0.0).total_cmp(&(right + 0.0)) // -0 + 0 is 0
    }
    fn write(held: &f64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&figure(*held))
    }
}

impl Kind for Text {
    type Held = Box<str>;
    type Seen<'a> = &'a str;

    #[inline]
    fn read<R: Row + ?Sized>(row: &R, field: FieldId) -> Option<&str> {
        row.text(field)
    }
    #[inline]
    fn see(held: &Box<str>) -> &str {
        held
    }
    fn hold(seen: &str) -> Box<str> {
        seen.into()
    }
    fn order(left: &str, right: &str) -> Ordering {
        left.cmp(right)
    }
    fn write(held: &Box<str>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&quoted(held, '"'))
    }
}

impl Kind for Path {
    type Held = Box<str>;
    type Seen<'a> = &'a str;

    #[inline]
    fn read<R: Row + ?Sized>(row: &R, field: FieldId) -> Option<&str> {
        row.path(field)
    }
    #[inline]
    fn see(held: &Box<str>) -> &str {
        held
    }
    fn hold(seen: &str) -> Box<str> {
        seen.into()
    }
    fn order(left: &str, right: &str) -> Ordering {
        left.cmp(right)
    }
    fn write(held: &Box<str>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&quoted(held, '"'))
    }
}

impl Kind for Flag {
    type Held = bool;
    type Seen<'a> = bool;

    #[inline]
    fn read<R: Row + ?Sized>(row: &R, field: FieldId) -> Option<bool> {
        row.flag(field)
    }
    #[inline]
    fn see(held: &bool) -> bool {
        *held
    }
    fn hold(seen: bool) -> bool {
        seen
    }
    fn order(left: bool, right: bool) -> Ordering {
        left.cmp(&right)
    }
    fn write(held: &bool, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{held}")
    }
}

impl Kind for Day {
    type Held = i64;
    type Seen<'a> = i64;

    #[inline]
    fn read<R: Row + ?Sized>(row: &R, field: FieldId) -> Option<i64> {
        row.day(field)
    }
    #[inline]
    fn see(held: &i64) -> i64 {
        *held
    }
    fn hold(seen: i64) -> i64 {
        seen
    }
    fn order(left: i64, right: i64) -> Ordering {
        left.cmp(&right)
    }
    fn write(held: &i64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let midnight = Timestamp(0).plus_days(*held).to_string();
        write!(f, "\"{}\"", midnight.split('T').next().unwrap_or_default())
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let owner = if self.of_current { "current." } else { "" };
        let bare = spelt(&self.name);
        write!(f, "{owner}{bare}")
    }
}

impl<K: Kind> fmt::Display for Leaf<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Constant(held) => K::write(held, f),
            Self::Field(field) => field.fmt(f),
        }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Leaf(leaf) => leaf.fmt(f),
            Self::Negated(inner) => {
                f.write_str("-")?;
                inner.write_within(3, f)
            }
            Self::Chain(first, rest) => {
                first.write_within(self.rank() + usize::from(first.rank() == self.rank()), f)?;
                rest.iter().try_for_each(|(step, next)| {
                    write!(f, " {} ", step.sign())?;
                    next.write_within(self.rank() + 1, f)
                })
            }
        }
    }
}

impl Number {
    /// How tightly it holds together: 1 sums, 2 products, 3 everything else.
    fn rank(&self) -> usize {
        match self {
            Self::Chain(_, rest) => match rest.first() {
                Some((Step::Plus | Step::Minus, _)) => 1,
                _ => 2,
            },
            _ => 3,
        }
    }

    /// In brackets if it holds together less than `rank`.
    fn write_within(&self, rank: usize, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.rank() < rank { write!(f, "({self})") } else { write!(f, "{self}") }
    }
}
