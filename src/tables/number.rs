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
    /// Decided once for a column, by what most of its values that leave no doubt write.
    pub fn of<'a>(values: impl Iterator<Item = &'a [u8]>) -> Self {
        Self::told(values).unwrap_or_default()
    }

    /// The styles of a file's columns of numbers: where a column leaves doubt, the others tell.
    pub fn of_file<'a, Values: Iterator<Item = &'a [u8]>, const N: usize>(
        column: impl Fn(usize) -> Values,
        numbers: &[usize],
    ) -> [Self; N] {
        let all = Self::of(numbers.iter().flat_map(|&number| column(number)));
        std::array::from_fn(|number| Self::told(column(number)).unwrap_or(all))
    }

    fn told<'a>(values: impl Iterator<Item = &'a [u8]>) -> Option<Self> {
        let marks = values.filter_map(|value| decimal_mark(std::str::from_utf8(value).ok()?));
        let balance: i64 = marks.map(|mark| if mark == ',' { 1 } else { -1 }).sum();
        (balance != 0).then_some(if balance > 0 { Self::Comma } else { Self::Point })
    }

    /// The finite number that `text` writes; a currency, spaces and thousands' marks are let pass. The column's
    /// style says what is meant where the text alone leaves doubt, as `1,234` does.
    pub fn read(self, text: &[u8]) -> Option<f64> {
        let text = std::str::from_utf8(text).ok()?;
        let plain = match self {
            Self::Point => text.parse().ok(),
            Self::Comma => None,
        };
        plain.or_else(|| self.read_dressed(text)).filter(|number: &f64| number.is_finite())
    }

    fn read_dressed(self, text: &str) -> Option<f64> {
        let text = without_code(text);
        let dress = |c: char| c.is_whitespace() || matches!(c, '$' | '€' | '£' | '¥' | '\'' | '%');
        let decimal = decimal_mark(text).unwrap_or(match self {
            Self::Point => '.',
            Self::Comma => ',',
        });
        let mut plain = String::with_capacity(text.len());
        for letter in text.chars().filter(|&letter| !dress(letter)) {
            match letter {
                '.' | ',' if letter == decimal => plain.push('.'),
                '.' | ',' => {}
                _ => plain.push(letter),
            }
        }
        match taken_away(&plain) {
            Some(amount) => amount.parse().ok().map(|amount: f64| -amount),
            None => plain.parse().ok(),
        }
    }
}

/// What is taken away, as accounts write it: `(12.50)`, or `12.50-`.
fn taken_away(text: &str) -> Option<&str> {
    let within = text.strip_prefix('(').and_then(|text| text.strip_suffix(')'));
    let amount = within.or_else(|| text.strip_suffix('-'))?;
    amount.starts_with(|first: char| first.is_ascii_digit() || first == '.').then_some(amount)
}

/// The text without a currency's code, which white space parts from the number: `USD 12.50`, `12.50 EUR`.
fn without_code(text: &str) -> &str {
    let is_code =
        |word: &str| word.len() == 3 && word.bytes().all(|byte| byte.is_ascii_uppercase());
    match (text.split_once(char::is_whitespace), text.rsplit_once(char::is_whitespace)) {
        (Some((code, number)), _) | (_, Some((number, code))) if is_code(code) => number,
        _ => text,
    }
}

/// What parts the decimals of a number, where the text itself says so: of two marks the later does, and a single one
/// that is not followed by three digits, or has nothing but a 0 in front: no thousands begin with it.
fn decimal_mark(text: &str) -> Option<char> {
    let is_mark = |c: char| matches!(c, '.' | ',');
    let at = text.rfind(is_mark)?;
    let mark = if text[at..].starts_with(',') { ',' } else { '.' };
    let mut before = text[..at].chars().filter(|&c| is_mark(c)).peekable();
    let is_alone = before.peek().is_none();
    let digits = text[at + 1..].chars().take_while(char::is_ascii_digit).count();
    let leading = text[..at].chars().find(char::is_ascii_digit);
    match is_alone {
        true => (digits != 3 || matches!(leading, None | Some('0'))).then_some(mark),
        false => before.all(|other| other != mark).then_some(mark),
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
        assert_eq!(
            style(&["3.50", "4.00", "9,75"]),
            NumberStyle::Point,
            "one does not outvote two"
        );
        assert_eq!(style(&["0,125", "7,125"]), NumberStyle::Comma, "a leading 0 leaves no doubt");
        // Units with three decimals beside prices that leave no doubt.
        let columns = [["1,000", "2,500"], ["12,50", "7,95"], ["x", "y"]];
        let column = |nth: usize| columns[nth].iter().map(|value| value.as_bytes());
        assert_eq!(NumberStyle::of_file(column, &[0, 1]), [NumberStyle::Comma; 3]);
        assert_eq!(
            NumberStyle::of_file(column, &[0]),
            [NumberStyle::Point, NumberStyle::Comma, NumberStyle::Point]
        );
        assert_eq!(NumberStyle::Point.read("£1,234.50".as_bytes()), Some(1234.5));
        assert_eq!(NumberStyle::Comma.read("1.234,50 €".as_bytes()), Some(1234.5));
        for (text, point, comma) in [
            ("9,75", 9.75_f64, 9.75_f64),
            ("3.50", 3.5, 3.5),
            ("1.234,5", 1234.5, 1234.5),
            ("1,234.567", 1234.567, 1234.567),
            ("1,234,567", 1_234_567.0, f64::NAN),
            ("1,234", 1234.0, 1.234),
            ("1.234", 1.234, 1234.0),
            ("0,125", 0.125, 0.125),
            ("0.125", 0.125, 0.125),
            ("-€ 0,125", -0.125, -0.125),
            (",125", 0.125, 0.125),
            ("($12.50)", -12.5, -12.5),
            ("12,50-", -12.5, -12.5),
            ("(-1.5)", f64::NAN, f64::NAN),
            ("--1.5", f64::NAN, f64::NAN),
            ("-1.5-", f64::NAN, f64::NAN),
            ("10,125", 10125.0, 10.125),
        ] {
            let read = |style: NumberStyle| style.read(text.as_bytes()).unwrap_or(f64::NAN);
            assert_eq!(read(NumberStyle::Point).to_bits(), point.to_bits(), "{text}");
            assert_eq!(read(NumberStyle::Comma).to_bits(), comma.to_bits(), "{text}");
        }
        for coded in ["USD 1,234.50", "1,234.50 EUR", "1.234,50\u{a0}CHF"] {
            assert_eq!(NumberStyle::Point.read(coded.as_bytes()), Some(1234.5), "{coded}");
        }
        for hostile in
            ["", "abc", "nan", "inf", "1e999", "--1", "\u{0}", "SKU12", "USD EUR", "12 pieces"]
        {
            assert_eq!(NumberStyle::Point.read(hostile.as_bytes()), None, "{hostile:?}");
        }
    }
}
