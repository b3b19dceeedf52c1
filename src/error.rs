//! One error for the whole library: what was expected, what came, where, and what to do.

use std::path::{Path, PathBuf};

/// The library's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that can go wrong, by who can mend it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file, folder or pattern could not be read or written.
    #[error("cannot {action} {path}: {cause}", path = .path.display())]
    Io {
        /// What was tried: "read", "create", …
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said; part of the message, so no source beside it.
        cause: std::io::Error,
    },
    /// The input as a whole can't be used: no files, no such column, a tie between columns, an empty table.
    /// The message says what was expected, what was found, where, and what to do.
    #[error("{0}")]
    Input(String),
    /// Too many rows of the input are unreadable to trust the rest.
    #[error("{0}")]
    Refused(String),
    /// A generation on disk is missing, damaged, or of another format.
    #[error("index {path}: {what}", path = .path.display())]
    Index {
        /// The index directory, or the part of it that is meant.
        path: PathBuf,
        /// What is wrong, and what to do.
        what: String,
    },
    /// A setting is unknown, of the wrong type, or out of range.
    #[error("configuration: {0}")]
    Config(String),
    /// A request breaks the contract, field by field.
    #[error("invalid request: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    InvalidRequest(Vec<Violation>),
    /// It can't be done now, and may be later; the message says why.
    #[error("{0}")]
    Unavailable(String),
    /// The server could not start or stopped.
    #[error("server: {0}")]
    Server(String),
}

/// One field of a request that breaks the contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The field, as the proto names it: `basket[3].item_id`.
    pub field: String,
    /// What was expected and what came.
    pub description: String,
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.field, self.description)
    }
}

/// `1234567` as `1,234,567`.
pub(crate) fn thousands(number: impl std::fmt::Display) -> String {
    let digits = format!("{number:.0}");
    let whole = digits.strip_prefix('-').unwrap_or(&digits);
    let mut text = String::from(if whole.len() < digits.len() { "-" } else { "" });
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// How many of what, for messages: `1 row`, `2 rows`.
pub(crate) fn counted(count: u64, one: &str) -> String {
    Counted(count, one).to_string()
}

/// The same, written into a sentence without a text of its own.
pub(crate) struct Counted<'a>(pub(crate) u64, pub(crate) &'a str);

impl std::fmt::Display for Counted<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self(count, one) = self;
        write!(f, "{count} {one}{}", if *count == 1 { "" } else { "s" })
    }
}

impl Error {
    /// An [`Error::Io`], ready for `map_err`.
    pub fn io(action: &'static str, path: impl AsRef<Path>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.as_ref().to_path_buf();
        move |cause| Self::Io { action, path, cause }
    }

    /// An [`Error::Index`].
    pub fn index(path: impl AsRef<Path>, what: impl Into<String>) -> Self {
        Self::Index { path: path.as_ref().to_path_buf(), what: what.into() }
    }

    /// The same error of a part of a request: its fields are named with `part` before them.
    pub fn within(self, part: &str) -> Self {
        match self {
            Self::InvalidRequest(mut violations) => {
                for violation in &mut violations {
                    violation.field.insert_str(0, part);
                }
                Self::InvalidRequest(violations)
            }
            other => other,
        }
    }

    /// Exit code of a command that ends with this error: 1 failed, 2 wrong usage, 3 refused.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Refused(_) => 3,
            Self::Config(_) | Self::InvalidRequest(_) => 2,
            Self::Io { .. }
            | Self::Input(_)
            | Self::Index { .. }
            | Self::Unavailable(_)
            | Self::Server(_) => 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_numbers_are_grouped_by_three() {
        let written = [0, 999, 1_000, 461_207, 12_345_678].map(thousands);
        assert_eq!(written, ["0", "999", "1,000", "461,207", "12,345,678"]);
        assert_eq!([-999.4, -1_234.5].map(thousands), ["-999", "-1,234"]);
    }
}
