//! Numbers as shops write them.

/// How a column writes its numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NumberStyle {
    /// `1,234.50`
    #[default]
    Point,
    /// `1.234,50`
    Comma,
}

impl NumberStyle {
    /// Decided once for a column: a comma is decimal if some value has one that can't part thousands.
    pub fn of<'a>(mut values: impl Iterator<Item = &'a [u8]>) -> Self {
        let decimal_comma = |value: &[u8]| match value.iter().rposition(|&byte| byte == b',') {
            Some(at) => {
                let digits =
                    value[at + 1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
                let commas = value.iter().filter(|&&byte| byte == b',').count();
                commas == 1 && digits != 3 && !value[at..].contains(&b'.')
            }
            None => false,
        };
        if values.any(decimal_comma) { Self::Comma } else { Self::Point }
    }

    /// The finite number that `text` writes; a currency sign, spaces and thousands' marks are let pass.
    pub fn read(self, text: &[u8]) -> Option<f64> {
        let text = std::str::from_utf8(text).ok()?;
        let plain = match self {
            Self::Point => text.parse().ok(),
            Self::Comma => None,
        };
        plain.or_else(|| self.read_dressed(text)).filter(|number: &f64| number.is_finite())
    }

    fn read_dressed(self, text: &str) -> Option<f64> {
        let dress = |c: char| c.is_whitespace() || matches!(c, '$' | '€' | '£' | '¥' | '\'' | '%');
        let mut plain = String::with_capacity(text.len());
        for letter in text.chars().filter(|&letter| !dress(letter)) {
            match (self, letter) {
                (Self::Point, ',') | (Self::Comma, '.') => {}
                (Self::Comma, ',') => plain.push('.'),
                _ => plain.push(letter),
            }
        }
        plain.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_writes_decimals_with_point_or_comma_and_thousands_are_told_apart() {
        let style = |values: &[&str]| NumberStyle::of(values.iter().map(|value| value.as_bytes()));
        assert_eq!(style(&["1,234", "7"]), NumberStyle::Point);
        assert_eq!(style(&["1,234.50"]), NumberStyle::Point);
        assert_eq!(style(&["7", "1.234,50"]), NumberStyle::Comma);
        assert_eq!(NumberStyle::Point.read("£1,234.50".as_bytes()), Some(1234.5));
        assert_eq!(NumberStyle::Comma.read("1.234,50 €".as_bytes()), Some(1234.5));
        for hostile in ["", "abc", "nan", "inf", "1e999", "--1", "\u{0}"] {
            assert_eq!(NumberStyle::Point.read(hostile.as_bytes()), None, "{hostile:?}");
        }
    }
}
