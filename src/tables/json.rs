//! JSON Lines: one object per line; keys are columns.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::Batch;
use super::open::{SAMPLE_ROWS, damaged, unpacked};
use crate::{Error, Result};

/// No table has more columns than this; a file with more keys has values for keys.
const MOST_KEYS: usize = 4096;

/// What stands where an object was written for a value: no key, number or moment is read from it.
pub const NESTED: &str = "{…}";

/// How many keys the first thousand objects have; these, and those that first come further down, sorted each.
pub(super) fn names(path: &Path) -> Result<(usize, Vec<String>)> {
    let mut lines = JsonRows::open(path, Vec::new())?;
    let mut sampled = BTreeSet::new();
    let mut later = BTreeSet::new();
    let mut problem = None;
    for row in 0.. {
        if !lines.next_line()? {
            break;
        }
        match serde_json::from_slice::<BTreeMap<String, IgnoredAny>>(&lines.line) {
            Ok(object) if row < SAMPLE_ROWS => sampled.extend(object.into_keys()),
            Ok(object) => later.extend(object.into_keys().filter(|key| !sampled.contains(key))),
            Err(error) => problem = problem.or((row < SAMPLE_ROWS).then(|| broken(&error))),
        }
        if sampled.len() + later.len() > MOST_KEYS {
            return Err(Error::Input(format!(
                "{}: expected objects with the same few keys, got more than {MOST_KEYS} different keys up to line \
                 {}: write what differs from row to row as values",
                path.display(),
                lines.number
            )));
        }
    }
    if let Some(problem) = problem.filter(|_| sampled.is_empty()) {
        return Err(Error::Input(format!("{}: in the first lines: {problem}", path.display())));
    }
    Ok((sampled.len(), sampled.into_iter().chain(later).collect()))
}

/// Where a line is no object; the error's own text may quote a value.
fn broken(error: &serde_json::Error) -> String {
    format!("expected a JSON object, broken at column {}", error.column())
}

/// The objects of a file.
pub(super) struct JsonRows {
    path: PathBuf,
    reader: BufReader<Box<dyn Read + Send>>,
    keys: Vec<String>,
    line: Vec<u8>,
    number: u64,
    values: Vec<String>,
}

impl JsonRows {
    pub(super) fn open(path: &Path, keys: Vec<String>) -> Result<Self> {
        let reader = BufReader::with_capacity(1 << 16, unpacked(path)?);
        let values = vec![String::new(); keys.len()];
        Ok(Self { path: path.to_path_buf(), reader, keys, line: Vec::new(), number: 0, values })
    }

    pub(super) fn fill(&mut self, batch: &mut Batch, most: usize) -> Result<bool> {
        while !batch.is_full() && batch.len() < most {
            if !self.next_line()? {
                return Ok(false);
            }
            match self.object() {
                Ok(()) => batch.push(self.number, self.values.iter().map(String::as_bytes)),
                Err(error) => batch.push_broken(self.number, 1, broken(&error)),
            }
        }
        Ok(true)
    }

    /// Puts the next line that isn't blank into `line`; false at the end.
    fn next_line(&mut self) -> Result<bool> {
        loop {
            self.line.clear();
            let read = self.reader.read_until(b'\n', &mut self.line).map_err(|error| {
                damaged(&self.path, format!("after line {}: {error}", self.number))
            })?;
            if read == 0 {
                return Ok(false);
            }
            self.number += 1;
            if !self.line.trim_ascii().is_empty() {
                return Ok(true);
            }
        }
    }

    fn object(&mut self) -> serde_json::Result<()> {
        self.values.iter_mut().for_each(String::clear);
        let text = String::from_utf8_lossy(&self.line);
        let mut parser = serde_json::Deserializer::from_str(&text);
        Picked { keys: &self.keys, values: &mut self.values }.deserialize(&mut parser)?;
        parser.end()
    }
}

/// An object of which only some keys are wanted.
struct Picked<'a> {
    keys: &'a [String],
    values: &'a mut [String],
}

impl<'de> DeserializeSeed<'de> for Picked<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, parser: D) -> Result<(), D::Error> {
        parser.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Picked<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<std::borrow::Cow<'_, str>>()? {
            match self.keys.iter().position(|wanted| *wanted == key) {
                Some(at) => {
                    self.values[at].clear();
                    map.next_value_seed(Text(&mut self.values[at]))?;
                }
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

/// A value as text: null is empty, a list is a path (`a > b`), an object, or a list that holds one, is [`NESTED`].
struct Text<'a>(&'a mut String);

impl<'de> DeserializeSeed<'de> for Text<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, parser: D) -> Result<(), D::Error> {
        parser.deserialize_any(self)
    }
}

impl Text<'_> {
    fn write<E>(self, value: impl fmt::Display) -> Result<(), E> {
        self.0.push_str(&value.to_string());
        Ok(())
    }
}

impl<'de> Visitor<'de> for Text<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_str<E>(self, value: &str) -> Result<(), E> {
        self.0.push_str(value);
        Ok(())
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.write(value)
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        self.write(value)
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        self.write(value)
    }

    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        // `{:?}` keeps the ".0" that tells a float from a whole number, as CSV and Parquet do. Where it writes an
        // exponent, digits may be lost: it gets the sign that spreadsheets write, by which no key is made of it.
        self.write(format!("{value:?}").replace('e', "e+").replace("e+-", "e-"))
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let mut value = String::new();
        let mut is_nested = false;
        while list.next_element_seed(Text(&mut value))?.is_some() {
            is_nested |= value == NESTED;
            if !self.0.is_empty() {
                self.0.push_str(" > ");
            }
            self.0.push_str(&value);
            value.clear();
        }
        if is_nested {
            NESTED.clone_into(self.0);
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        self.0.push_str(NESTED);
        Ok(())
    }
}
