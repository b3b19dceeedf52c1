//! Golden queries: a handful of questions whose answers the shop's own people know.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::checks::Check;
use super::measured::Asker;
use crate::error::{Error, Result};
use crate::recommend::Question;

/// A question, and an item that its answer must name. One JSON object a line:
///
/// ```json
/// {"related": "22697", "expect": ["22699"], "within": 5}
/// {"basket": ["22697", "22698"], "expect": ["22699"]}
/// {"recent": ["22697"], "expect": ["22698", "22699"]}
/// ```
///
/// Customers are left out: who they are is nobody's to write down in a settings file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Golden {
    /// What goes with this item? One of `related`, `basket` and `recent` is needed.
    pub related: Option<String>,
    /// What completes this basket?
    pub basket: Option<Vec<String>>,
    /// What would a visitor want who looked at these, oldest first?
    pub recent: Option<Vec<String>>,
    /// Items that the answer must name.
    pub expect: Vec<String>,
    /// … among its first so many; default 10.
    #[serde(default = "ten")]
    pub within: usize,
}

fn ten() -> usize {
    10
}

/// Reads golden queries; blank lines are passed over.
///
/// Errors: the file can't be read; a line is none (it is named by its number).
pub fn read(path: &Path) -> Result<Vec<Golden>> {
    let text = std::fs::read_to_string(path)
        .map_err(Error::io("read the golden queries (train.gate.golden)", path))?;
    let lines = text.lines().zip(1..).filter(|(line, _)| !line.trim().is_empty());
    lines.map(|(line, number)| parse(line).map_err(|why| wrong(path, number, &why))).collect()
}

fn parse(line: &str) -> std::result::Result<Golden, String> {
    const EXAMPLE: &str = r#"{"related": "KEY", "expect": ["KEY"], "within": 10}"#;
    let golden: Golden =
        serde_json::from_str(line).map_err(|error| format!("{error}; expected {EXAMPLE}"))?;
    if golden.question().is_none() {
        return Err("expected one of `related`, `basket` and `recent`".into());
    }
    Ok(golden)
}

fn wrong(path: &Path, line: usize, why: &str) -> Error {
    Error::Config(format!("golden queries {}, line {line}: {why}", path.display()))
}

impl Golden {
    /// `None` unless exactly one question is put.
    fn question(&self) -> Option<Question<'_>> {
        fn borrowed(items: &[String]) -> Vec<&str> {
            items.iter().map(String::as_str).collect()
        }
        match (&self.related, &self.basket, &self.recent) {
            (Some(item), None, None) => Some(Question::Related { item }),
            (None, Some(items), None) => Some(Question::Basket { items: borrowed(items) }),
            (None, None, Some(recent)) => {
                let recent = borrowed(recent);
                Some(Question::Customer { recent, exclude_purchased: false })
            }
            _ => None,
        }
    }

    /// What is missing from the answer, in words; `None` if nothing is.
    fn fails(&self, asker: &mut Asker<'_>) -> Option<String> {
        let question = self.question()?;
        let asked = format!("{question:?}");
        let found = asker.keys(question, self.within);
        let missing: Vec<&str> =
            self.expect.iter().filter(|item| !found.contains(item)).map(String::as_str).collect();
        let unknown: Vec<&str> =
            missing.iter().copied().filter(|item| !asker.knows(item)).collect();
        let why = match unknown.as_slice() {
            [] => String::new(),
            unknown => format!(" ({} not in the shop any more)", unknown.join(", ")),
        };
        (!missing.is_empty()).then(|| {
            format!("{asked}: {} not among the first {}{why}", missing.join(", "), self.within)
        })
    }
}

/// Asks them all: the share that is answered as expected must be 1.
pub(super) fn check(queries: &[Golden], asker: &mut Asker<'_>) -> Option<Check> {
    let which: Vec<String> = queries.iter().filter_map(|golden| golden.fails(asker)).collect();
    let right = (queries.len() - which.len()) as f64;
    let check = Check::new("golden queries answered", "golden", right);
    let check = Check { which, ..check.at_least(queries.len() as f64) };
    (!queries.is_empty()).then_some(check)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_no_golden_query_is_named() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("golden.jsonl");
        let good = r#"{"related": "a", "expect": ["b"]}"#;
        for bad in ["{}", r#"{"expect": ["b"]}"#, r#"{"related": "a", "basket": [], "expect": []}"#]
        {
            std::fs::write(&path, format!("{good}\n\n{bad}\n")).expect("written");
            let error = read(&path).expect_err("the third line is none").to_string();
            assert!(error.contains("line 3"), "{error}");
        }
        std::fs::write(&path, good).expect("written");
        assert_eq!(read(&path).expect("sound")[0].within, 10);
    }
}
