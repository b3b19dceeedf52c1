//! Conditions: what a text means once its types are known.

use std::fmt;

use super::operand::{Day, Figure};
use super::operand::{Field, Flag, Kind, Leaf, Number, Operand, Path, Seen, Text};
use super::order::Order;
use super::{FieldId, Row};

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Condition {
    Any(Vec<Condition>),
    /// Never holds another `All`, as `Any` never holds another `Any`.
    All(Vec<Condition>),
    Not(Box<Condition>),
    Flag(Leaf<Flag>),
    Known(Field),
    Numbers(Test<Number>),
    Texts(Test<Leaf<Text>>),
    Paths(Test<Leaf<Path>>),
    Flags(Test<Leaf<Flag>>),
    Days(Test<Leaf<Day>>),
    Under(Leaf<Path>, Leaf<Path>),
}

/// Values of one type, held against one another.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Test<T: Operand> {
    Compare(T, Order, T),
    Among { value: T, differs: bool, list: List<T::Kind> },
}

/// The values of a list.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct List<K: Kind> {
    /// Ascending and distinct.
    constants: Vec<K::Held>,
    /// Of the current item; none once it is bound.
    current: Vec<Field>,
}

impl Condition {
    /// Brackets around parts that are joined by the same word change nothing, and go.
    pub(super) fn any(parts: Vec<Self>) -> Self {
        let open = |part| match part {
            Self::Any(parts) => parts,
            part => vec![part],
        };
        Self::Any(parts.into_iter().flat_map(open).collect())
    }

    /// As [`Condition::any`].
    pub(super) fn all(parts: Vec<Self>) -> Self {
        let open = |part| match part {
            Self::All(parts) => parts,
            part => vec![part],
        };
        Self::All(parts.into_iter().flat_map(open).collect())
    }

    pub(super) fn holds<R: Row + ?Sized>(&self, row: &R) -> bool {
        match self {
            Self::Any(parts) => parts.iter().any(|part| part.holds(row)),
            Self::All(parts) => parts.iter().all(|part| part.holds(row)),
            Self::Not(inner) => !inner.holds(row),
            Self::Flag(flag) => flag.value(row).unwrap_or(false),
            Self::Known(field) => field.is_known(row),
            Self::Numbers(test) => test.holds(row),
            Self::Texts(test) => test.holds(row),
            Self::Paths(test) => test.holds(row),
            Self::Flags(test) => test.holds(row),
            Self::Days(test) => test.holds(row),
            Self::Under(path, above) => {
                let both = path.value(row).zip(above.value(row));
                both.is_some_and(|(path, above)| is_under(path, above))
            }
        }
    }

    /// With what `current` says written in, and the cheapest parts first.
    pub(super) fn bind(&self, current: &dyn Row) -> Self {
        let bound = match self {
            Self::Any(parts) => return decide(parts, current, true, Self::any),
            Self::All(parts) => return decide(parts, current, false, Self::all),
            Self::Not(inner) => {
                let inner = inner.bind(current);
                return inner
                    .decided()
                    .map_or_else(|| Self::Not(Box::new(inner)), |is| always(!is));
            }
            Self::Known(field) if field.of_current => return always(field.is_known(current)),
            Self::Known(_) => return self.clone(),
            Self::Flag(flag) => flag.bind(current).map(Self::Flag),
            Self::Numbers(test) => test.bind(current).map(Self::Numbers),
            Self::Texts(test) => test.bind(current).map(Self::Texts),
            Self::Paths(test) => test.bind(current).map(Self::Paths),
            Self::Flags(test) => test.bind(current).map(Self::Flags),
            Self::Days(test) => test.bind(current).map(Self::Days),
            Self::Under(path, above) => path
                .bind(current)
                .zip(above.bind(current))
                .map(|(path, above)| Self::Under(path, above)),
        };
        // What is held against something unknown is false, whatever the row.
        let bound = bound.unwrap_or(always(false));
        if bound.any_field(&|_| true) { bound } else { always(bound.holds(current)) }
    }

    /// The path that the field must be, if this or one of its joined parts asks for just that.
    pub(super) fn must_be(&self, field: FieldId) -> Option<&str> {
        match self {
            Self::All(parts) => parts.iter().find_map(|part| part.must_be(field)),
            Self::Paths(Test::Compare(left, Order::Same, right)) => match (left, right) {
                (Leaf::Field(asked), Leaf::Constant(path))
                | (Leaf::Constant(path), Leaf::Field(asked))
                    if asked.id == field && !asked.of_current =>
                {
                    Some(path)
                }
                _ => None,
            },
            _ => None,
        }
    }

    /// True if `asks` is true of any field.
    pub(super) fn any_field(&self, asks: &impl Fn(&Field) -> bool) -> bool {
        match self {
            Self::Any(parts) | Self::All(parts) => parts.iter().any(|part| part.any_field(asks)),
            Self::Not(inner) => inner.any_field(asks),
            Self::Flag(flag) => flag.any_field(asks),
            Self::Known(field) => asks(field),
            Self::Numbers(test) => test.any_field(asks),
            Self::Texts(test) => test.any_field(asks),
            Self::Paths(test) => test.any_field(asks),
            Self::Flags(test) => test.any_field(asks),
            Self::Days(test) => test.any_field(asks),
            Self::Under(path, above) => path.any_field(asks) || above.any_field(asks),
        }
    }

    /// The answer, if it is the same for every row.
    fn decided(&self) -> Option<bool> {
        match self {
            Self::Flag(Leaf::Constant(flag)) => Some(*flag),
            _ => None,
        }
    }

    /// Roughly what it takes to tell: reading a flag or a number is 1.
    fn cost(&self) -> u32 {
        match self {
            Self::Flag(_) | Self::Known(_) => 1,
            Self::Numbers(test) => test.cost(1),
            Self::Flags(test) => test.cost(1),
            Self::Days(test) => test.cost(2),
            Self::Texts(test) => test.cost(3),
            Self::Paths(test) => test.cost(3),
            Self::Under(..) => 4,
            Self::Not(inner) => inner.cost(),
            Self::Any(parts) | Self::All(parts) => parts.iter().map(Self::cost).sum(),
        }
    }
}

fn always(flag: bool) -> Condition {
    Condition::Flag(Leaf::Constant(flag))
}

/// The parts, bound and without those that change nothing; `settles` is the outcome of a part that decides all.
fn decide(
    parts: &[Condition],
    current: &dyn Row,
    settles: bool,
    join: fn(Vec<Condition>) -> Condition,
) -> Condition {
    let bound: Vec<Condition> = parts.iter().map(|part| part.bind(current)).collect();
    if bound.iter().any(|part| part.decided() == Some(settles)) {
        return always(settles);
    }
    let mut open: Vec<Condition> =
        bound.into_iter().filter(|part| part.decided().is_none()).collect();
    open.sort_by_key(Condition::cost);
    match open.len() {
        0 => always(!settles),
        1 => open.remove(0),
        _ => join(open),
    }
}

/// By whole levels: "Food > Breadcrumbs" is not under "Food > Bread".
fn is_under(path: &str, above: &str) -> bool {
    let below = path.strip_prefix(above);
    below.is_some_and(|below| below.is_empty() || below.starts_with(" > "))
}

impl Field {
    fn is_known<R: Row + ?Sized>(&self, row: &R) -> bool {
        match self.kind {
            super::Type::Number => Figure::read(row, self.id).is_some(),
            super::Type::Text => row.text(self.id).is_some(),
            super::Type::Flag => row.flag(self.id).is_some(),
            super::Type::Path => row.path(self.id).is_some(),
            super::Type::Day => row.day(self.id).is_some(),
        }
    }
}

impl<T: Operand> Test<T> {
    #[inline]
    fn holds<R: Row + ?Sized>(&self, row: &R) -> bool {
        match self {
            Self::Compare(left, order, right) => match (left.value(row), right.value(row)) {
                (Some(left), Some(right)) => order.holds(left, right),
                _ => false,
            },
            Self::Among { value, differs, list } => {
                value.value(row).is_some_and(|value| list.has::<T>(value) != *differs)
            }
        }
    }

    /// None if a side is unknown: the test is false then.
    fn bind(&self, current: &dyn Row) -> Option<Self> {
        Some(match self {
            Self::Compare(left, order, right) => {
                Self::Compare(left.bind(current)?, *order, right.bind(current)?)
            }
            Self::Among { value, differs, list } => Self::Among {
                value: value.bind(current)?,
                differs: *differs,
                list: list.bind(current, *differs)?,
            },
        })
    }

    fn any_field(&self, asks: &impl Fn(&Field) -> bool) -> bool {
        match self {
            Self::Compare(left, _, right) => left.any_field(asks) || right.any_field(asks),
            Self::Among { value, list, .. } => {
                value.any_field(asks) || list.current.iter().any(asks)
            }
        }
    }

    fn cost(&self, reading: u32) -> u32 {
        match self {
            Self::Compare(..) => 1 + reading,
            Self::Among { list, .. } => reading * (2 + list.constants.len().max(1).ilog2()),
        }
    }
}

impl<K: Kind> List<K> {
    pub(super) fn new(leaves: Vec<Leaf<K>>) -> Self {
        let (mut constants, mut current) = (Vec::new(), Vec::new());
        for leaf in leaves {
            match leaf {
                Leaf::Constant(held) => constants.push(held),
                Leaf::Field(field) => current.push(field),
            }
        }
        constants.sort_by(|left, right| K::order(K::see(left), K::see(right)));
        constants.dedup();
        Self { constants, current }
    }

    fn has<T: Operand<Kind = K>>(&self, value: Seen<'_, T>) -> bool {
        self.constants.binary_search_by(|held| K::order(K::see(held), value)).is_ok()
    }

    /// A field of which `current` says nothing can be nobody's equal, and nobody is known to differ from it.
    fn bind(&self, current: &dyn Row, differs: bool) -> Option<Self> {
        let mut leaves: Vec<Leaf<K>> = self.constants.iter().cloned().map(Leaf::Constant).collect();
        for field in &self.current {
            match K::read(current, field.id) {
                Some(seen) => leaves.push(Leaf::Constant(K::hold(seen))),
                None if differs => return None,
                None => {}
            }
        }
        Some(Self::new(leaves))
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any(parts) => self.write_joined(parts, " or ", f),
            Self::All(parts) => self.write_joined(parts, " and ", f),
            Self::Not(inner) => {
                f.write_str("not ")?;
                inner.write_within(self.rank(), f)
            }
            Self::Flag(flag) => flag.fmt(f),
            Self::Known(field) => write!(f, "known {field}"),
            Self::Numbers(test) => test.fmt(f),
            Self::Texts(test) => test.fmt(f),
            Self::Paths(test) => test.fmt(f),
            Self::Flags(test) => test.fmt(f),
            Self::Days(test) => test.fmt(f),
            Self::Under(path, above) => write!(f, "{path} under {above}"),
        }
    }
}

impl Condition {
    /// How tightly it holds together.
    fn rank(&self) -> u8 {
        match self {
            Self::Any(_) => 0,
            Self::All(_) => 1,
            _ => 2,
        }
    }

    fn write_within(&self, rank: u8, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.rank() < rank { write!(f, "({self})") } else { write!(f, "{self}") }
    }

    fn write_joined(
        &self,
        parts: &[Self],
        between: &str,
        f: &mut fmt::Formatter<'_>,
    ) -> fmt::Result {
        parts.iter().enumerate().try_for_each(|(at, part)| {
            f.write_str(if at > 0 { between } else { "" })?;
            part.write_within(self.rank() + 1, f)
        })
    }
}

impl<T: Operand> fmt::Display for Test<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Compare(left, order, right) => write!(f, "{left} {} {right}", order.sign()),
            Self::Among { value, differs, list } => {
                let not = if *differs { "not " } else { "" };
                write!(f, "{value} {not}in ({list})")
            }
        }
    }
}

impl<K: Kind> fmt::Display for List<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, held) in self.constants.iter().enumerate() {
            f.write_str(if at > 0 { ", " } else { "" })?;
            K::write(held, f)?;
        }
        for (at, field) in self.current.iter().enumerate() {
            let between = if at + self.constants.len() > 0 { ", " } else { "" };
            write!(f, "{between}{field}")?;
        }
        Ok(())
    }
}
