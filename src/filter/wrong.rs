//! What is wrong with a filter's text, and where.

use std::fmt;

use super::Schema;
use super::lex::spelt;

/// Why a text is no filter. It quotes the text, so it may be told to whoever wrote that, and to nobody else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// Where, in bytes from 0; the length of the text if it ends too early.
    pub position: usize,
    /// The same place in characters, from 1.
    pub column: usize,
    /// What could have stood there.
    pub expected: String,
    /// What stands there.
    pub found: String,
    /// What to do about it; may be empty.
    pub advice: String,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { column, expected, found, advice, .. } = self;
        write!(f, "at character {column}: expected {expected}, found {found}")?;
        if advice.is_empty() { Ok(()) } else { write!(f, "; {advice}") }
    }
}

impl std::error::Error for Wrong {}

/// A [`Wrong`] that has not seen the text as a whole.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Fault {
    pub(super) at: usize,
    pub(super) expected: String,
    pub(super) found: String,
    pub(super) advice: String,
}

impl Fault {
    pub(super) fn new(at: usize, expected: impl Into<String>, found: impl Into<String>) -> Self {
        Self { at, expected: expected.into(), found: found.into(), advice: String::new() }
    }

    pub(super) fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice = advice.into();
        self
    }

    /// The fault as the one who wrote `text` counts its characters.
    pub(super) fn in_text(self, text: &str) -> Wrong {
        let before = text.char_indices().take_while(|&(at, _)| at < self.at).count();
        Wrong {
            position: self.at,
            column: before + 1,
            expected: self.expected,
            found: self.found,
            advice: self.advice,
        }
    }
}

/// `text` in double quotes, on one line and cut short.
pub(super) fn quoted_briefly(text: &str) -> String {
    let start: String = text.chars().take(LONGEST_QUOTE).collect();
    let more = if start.len() < text.len() { "…" } else { "" };
    format!("\"{}{more}\"", start.escape_debug())
}

const LONGEST_QUOTE: usize = 40; // characters

/// Names that a schema doesn't know: the nearest that it does know, and which there are.
pub(super) fn unknown_field(at: usize, name: &str, schema: &(impl Schema + ?Sized)) -> Fault {
    let names = schema.names();
    let near = nearest(name, &names);
    let hint = if near.is_empty() {
        "a text goes in quotes".to_string()
    } else {
        format!("did you mean {}?", near.join(" or "))
    };
    let found = format!("the unknown field {}", quoted_briefly(name));
    Fault::new(at, "a field", found).advise(format!("{hint} {}", listed(&names)))
}

/// At most so many fields are listed.
const LISTED: usize = 20;

fn listed(names: &[String]) -> String {
    let first: Vec<String> = names.iter().take(LISTED).map(|name| spelt(name)).collect();
    match names.len().saturating_sub(LISTED) {
        0 if first.is_empty() => "(there are no fields)".to_string(),
        0 => format!("(fields: {})", first.join(", ")),
        more => format!("(fields: {} and {more} more)", first.join(", ")),
    }
}

/// At most three known names, by how many slips of the finger lie between (case aside, and of a name with
/// dots perhaps only the last part was written), then by name.
fn nearest(name: &str, names: &[String]) -> Vec<String> {
    let letters = name.chars().count();
    if letters > LONGEST_QUOTE {
        return Vec::new(); // no name that was mistyped, and slow to hold against many
    }
    let written = name.to_lowercase();
    let slips = |known: &str| strsim::damerau_levenshtein(&written, &known.to_lowercase());
    let mut near: Vec<(usize, &String)> = names
        .iter()
        .filter(|known| known.chars().count() <= 4 * LONGEST_QUOTE)
        .map(|known| {
            let last = known.rsplit('.').next().unwrap_or(known);
            (slips(known).min(slips(last)), known)
        })
        .filter(|&(slips, _)| slips <= (letters / 3).max(1))
        .collect();
    near.sort();
    near.into_iter().take(3).map(|(_, known)| spelt(known)).collect()
}
