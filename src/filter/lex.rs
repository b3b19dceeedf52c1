//! The text, cut into words: names, values and signs, each with its place.

use std::fmt;

use winnow::ascii::digit1;
use winnow::combinator::{alt, cut_err, delimited, opt, preceded, repeat};
use winnow::error::{ErrMode, ModalResult, ParserError};
use winnow::stream::{LocatingSlice, Location, Stream};
use winnow::token::{any, literal, one_of, take_till, take_while};
use winnow::{Parser, combinator::fail};

use super::wrong::{Fault, quoted_briefly};

/// One word of the text.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Token {
    pub(super) what: What,
    /// Its first byte.
    pub(super) at: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum What {
    /// Finite.
    Number(f64),
    Text(String),
    Flag(bool),
    Field(Name),
    /// A sign, or a word of the language in lower case.
    Sign(&'static str),
    /// Behind the last word.
    End,
}

/// A field as it is asked for: of the row, or of the item that is asked about.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Name {
    pub(super) name: String,
    pub(super) of_current: bool,
}

/// All words of `text`, and [`What::End`].
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, Fault> {
    let words = repeat(0.., preceded(space, token));
    let (mut tokens, _): (Vec<Token>, _) = (words, space)
        .parse_next(&mut LocatingSlice::new(text))
        .map_err(|error: ErrMode<Fault>| error.into_inner().unwrap_or_else(incomplete))?;
    tokens.push(Token { what: What::End, at: text.len() });
    Ok(tokens)
}

/// `name` as it is written in a filter: bare, or in backticks.
pub(super) fn spelt(name: &str) -> String {
    let bare = name.starts_with(opens_a_word) && name.chars().all(continues_a_word);
    if bare && after_current(name).is_none() && reserved(name).is_none() {
        name.to_string()
    } else {
        quoted(name, '`')
    }
}

/// `text` between `quote`s, with escapes where they are needed.
pub(super) fn quoted(text: &str, quote: char) -> String {
    let mut written = String::from(quote);
    for sign in text.chars() {
        match sign {
            '\n' => written.push_str("\\n"),
            '\r' => written.push_str("\\r"),
            '\t' => written.push_str("\\t"),
            sign if sign == quote || sign == '\\' => written.extend(['\\', sign]),
            sign => written.push(sign),
        }
    }
    written.push(quote);
    written
}

/// A finite number as it is written in a filter, exactly.
pub(super) fn figure(number: f64) -> String {
    let written = format!("{number:?}"); // the shortest that reads as the same number
    written.strip_suffix(".0").map_or(written.clone(), str::to_string)
}

/// Never met: the whole text is at hand.
pub(super) fn incomplete<T>(_: T) -> Fault {
    Fault::new(0, "a whole text", "a part of it")
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "the number {}", figure(*number)),
            Self::Text(text) => write!(f, "the text {}", quoted_briefly(text)),
            Self::Flag(flag) => write!(f, "{flag}"),
            Self::Field(name) => write!(f, "the name {}", quoted_briefly(&name.name)),
            Self::Sign(sign) => write!(f, "`{sign}`"),
            Self::End => f.write_str("the end"),
        }
    }
}

type Letters<'t> = LocatingSlice<&'t str>;
type Lexed<T> = ModalResult<T, Fault>;

impl ParserError<Letters<'_>> for Fault {
    type Inner = Self;

    fn from_input(input: &Letters<'_>) -> Self {
        let found = match input.peek_token() {
            Some(sign) => format!("`{}`", sign.escape_debug()),
            None => "the end".to_string(),
        };
        Self::new(input.current_token_start(), "", found)
    }

    fn into_inner(self) -> Result<Self, Self> {
        Ok(self)
    }
}

fn space(input: &mut Letters<'_>) -> Lexed<()> {
    take_while(0.., char::is_whitespace).void().parse_next(input)
}

fn token(input: &mut Letters<'_>) -> Lexed<Token> {
    if input.is_empty() {
        return fail(input);
    }
    let at = input.current_token_start();
    let text = alt((quoted_text('"'), quoted_text('\''))).map(What::Text);
    let name = quoted_text('`').map(|name| What::Field(Name { name, of_current: false }));
    let what = alt((number, text, name, word, mistaken, sign, stranger)).parse_next(input)?;
    Ok(Token { what, at })
}

fn number(input: &mut Letters<'_>) -> Lexed<What> {
    let at = input.current_token_start();
    let exponent = (one_of(['e', 'E']), opt(one_of(['+', '-'])), digit1);
    let digits = (digit1, opt(('.', digit1)), opt(exponent)).take().parse_next(input)?;
    let tail: &str = take_while(0.., continues_a_word).parse_next(input)?;
    let read = digits.parse::<f64>().ok().filter(|number| number.is_finite() && tail.is_empty());
    read.map(What::Number).ok_or_else(|| {
        let found = quoted_briefly(&format!("{digits}{tail}"));
        let advice = "a space is missing, or backticks around a name that begins with a digit";
        let fault = Fault::new(at, "a number from -1.8e308 to 1.8e308", found);
        ErrMode::Cut(if tail.is_empty() { fault } else { fault.advise(advice) })
    })
}

/// What stands between two `quote`s.
fn quoted_text<'t>(quote: char) -> impl Parser<Letters<'t>, String, ErrMode<Fault>> {
    move |input: &mut Letters<'t>| {
        let at = input.current_token_start();
        let plain = take_till(1.., (quote, '\\')).map(str::to_string);
        let escaped = preceded('\\', cut_err(escape)).map(String::from);
        let parts = repeat(0.., alt((plain, escaped))).fold(String::new, |mut whole, part| {
            whole.push_str(&part);
            whole
        });
        let unclosed = move |_: &mut Letters<'t>| {
            let expected = format!("a closing {quote} for what opens here");
            Err(ErrMode::Cut(Fault::new(at, expected, "the end")))
        };
        delimited(quote, parts, alt((quote.void(), unclosed))).parse_next(input)
    }
}

/// What follows a backslash.
fn escape(input: &mut Letters<'_>) -> Lexed<char> {
    let at = input.current_token_start();
    let code = take_while(1..=6, |sign: char| sign.is_ascii_hexdigit());
    let unicode = preceded('u', delimited('{', code, '}'))
        .verify_map(|code: &str| char::from_u32(u32::from_str_radix(code, 16).ok()?));
    let newline = 'n'.value('\n');
    let mut known =
        alt((one_of(['\\', '"', '\'', '`']), newline, 't'.value('\t'), 'r'.value('\r'), unicode));
    known.parse_next(input).map_err(|fault: ErrMode<Fault>| {
        fault.map(|fault| Fault {
            at,
            expected: "\\, a quote, n, r, t or u{code of a character} behind a backslash".into(),
            ..fault
        })
    })
}

fn opens_a_word(sign: char) -> bool {
    sign.is_alphabetic() || sign == '_'
}

fn continues_a_word(sign: char) -> bool {
    sign.is_alphanumeric() || sign == '_' || sign == '.'
}

/// A word of the language, or the name of a field.
fn word(input: &mut Letters<'_>) -> Lexed<What> {
    let word: &str =
        (one_of(opens_a_word), take_while(0.., continues_a_word)).take().parse_next(input)?;
    match (reserved(word), after_current(word)) {
        (Some(what), _) => Ok(what),
        (None, Some("")) => {
            let name = quoted_text('`').parse_next(input).map_err(|error: ErrMode<Fault>| {
                error.map(|fault| match fault.expected.as_str() {
                    "" => Fault { expected: "the name of a field behind current.".into(), ..fault },
                    _ => fault,
                })
            });
            Ok(What::Field(Name { name: name.map_err(ErrMode::cut)?, of_current: true }))
        }
        (None, Some(name)) => Ok(What::Field(Name { name: name.into(), of_current: true })),
        (None, None) => Ok(What::Field(Name { name: word.into(), of_current: false })),
    }
}

/// What `word` means to the language, if anything.
fn reserved(word: &str) -> Option<What> {
    const WORDS: [&str; 6] = ["and", "or", "not", "in", "under", "known"];
    let is = |known: &str| word.eq_ignore_ascii_case(known);
    match WORDS.into_iter().find(|known| is(known)) {
        Some(sign) => Some(What::Sign(sign)),
        None if is("true") => Some(What::Flag(true)),
        None if is("false") => Some(What::Flag(false)),
        None => None,
    }
}

fn after_current(word: &str) -> Option<&str> {
    let (first, rest) = word.split_at_checked("current.".len())?;
    first.eq_ignore_ascii_case("current.").then_some(rest)
}

fn sign(input: &mut Letters<'_>) -> Lexed<What> {
    const SIGNS: [&str; 13] = ["!=", "<=", ">=", "=", "<", ">", "+", "-", "*", "/", "(", ")", ","];
    let known = SIGNS.into_iter().find(|sign| input.starts_with(sign));
    match known {
        Some(sign) => literal(sign).value(What::Sign(sign)).parse_next(input),
        None => fail(input),
    }
}

/// How other languages write it, and pasted texts.
fn mistaken(input: &mut Letters<'_>) -> Lexed<What> {
    const MISTAKEN: [(&str, &str); 13] = [
        ("==", "="),
        ("<>", "!="),
        ("≠", "!="),
        ("≤", "<="),
        ("≥", ">="),
        ("&&", "and"),
        ("||", "or"),
        ("!", "not"),
        ("−", "-"),
        ("“", "\""),
        ("„", "\""),
        ("‘", "'"),
        ("’", "'"),
    ];
    let at = input.current_token_start();
    let meant = MISTAKEN.into_iter().find(|(sign, _)| input.starts_with(sign));
    match meant {
        Some((sign, meant)) if !input.starts_with("!=") => {
            Err(ErrMode::Cut(Fault::new(at, format!("`{meant}`"), format!("`{sign}`"))))
        }
        _ => fail(input),
    }
}

/// A sign that the language doesn't know.
fn stranger(input: &mut Letters<'_>) -> Lexed<What> {
    let fault = Fault::from_input(input);
    any.parse_next(input)?;
    let advice = "a name with other signs than letters, digits, _ and . goes in backticks";
    let expected = "a field, a value or a sign of the language".into();
    Err(ErrMode::Cut(Fault { expected, ..fault }.advise(advice)))
}
