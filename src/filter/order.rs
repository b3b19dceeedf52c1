//! The signs between two values.

/// How two values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Same,
    Differs,
    Less,
    AtMost,
    More,
    AtLeast,
}

impl Order {
    const SIGNS: [(Self, &str); 6] = [
        (Self::Same, "="),
        (Self::Differs, "!="),
        (Self::Less, "<"),
        (Self::AtMost, "<="),
        (Self::More, ">"),
        (Self::AtLeast, ">="),
    ];

    pub(super) fn of(sign: &str) -> Option<Self> {
        Self::SIGNS.iter().find(|(_, known)| *known == sign).map(|(order, _)| *order)
    }

    pub(super) fn sign(self) -> &'static str {
        Self::SIGNS.iter().find(|(order, _)| *order == self).map_or("", |(_, sign)| *sign)
    }

    /// True for = and !=, which need no order.
    pub(super) fn asks_only_whether_the_same(self) -> bool {
        matches!(self, Self::Same | Self::Differs)
    }

    #[inline]
    pub(super) fn holds<T: PartialOrd>(self, left: T, right: T) -> bool {
        match self {
            Self::Same => left == right,
            Self::Differs => left != right,
            Self::Less => left < right,
            Self::AtMost => left <= right,
            Self::More => left > right,
            Self::AtLeast => left >= right,
        }
    }
}

/// What is done with the next number of a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Plus,
    Minus,
    Times,
    Over,
}

impl Step {
    pub(super) fn sign(self) -> char {
        match self {
            Self::Plus => '+',
            Self::Minus => '-',
            Self::Times => '*',
            Self::Over => '/',
        }
    }

    /// The result, unless it is unknown: not finite.
    #[inline]
    pub(super) fn take(self, left: f64, right: f64) -> Option<f64> {
        let result = match self {
            Self::Plus => left + right,
            Self::Minus => left - right,
            Self::Times => left * right,
            Self::Over => left / right,
        };
        result.is_finite().then_some(result)
    }
}
