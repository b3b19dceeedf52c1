//! Some rows of a table: the asked-for columns only, all text in one buffer.

use std::path::Path;

use crate::error::counted;

/// Rows are cut into batches of about this many bytes or rows, whichever comes first.
const BATCH_BYTES: usize = 1 << 20;
const BATCH_ROWS: usize = 1 << 14;

/// Rows as text, trimmed of white space; an absent value is empty.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    width: usize,
    bytes: Vec<u8>,
    ends: Vec<usize>, // rows × width
    lines: Vec<u64>,
    /// The last columns, which the file's place tells.
    of_place: Vec<Vec<u8>>,
    /// Rows that could not be split into columns at all.
    pub broken: Vec<Broken>,
}

/// A stretch of the file that is no row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Line of the file (row, in Parquet), from 1.
    pub line: u64,
    /// How many lines of the file it swallowed, ≥ 1.
    pub rows: u64,
    /// What was expected and what came.
    pub problem: String,
}

/// What the user should know of a file's rows that can't be read.
pub fn left_out(path: &Path, rows: u64, first: impl std::fmt::Display) -> String {
    let are = if rows == 1 { "is" } else { "are" };
    let rows = counted(rows, "row");
    format!("{}: {rows} can't be read, and {are} left out; the first: {first}", path.display())
}

impl Batch {
    /// `of_place` are the last of its columns, the same in every row.
    pub(super) fn new(width: usize, of_place: Vec<Vec<u8>>) -> Self {
        Self { width, of_place, ..Self::default() }
    }

    /// Forgets its rows, not its memory.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
        self.lines.clear();
        self.broken.clear();
    }

    pub(super) fn is_full(&self) -> bool {
        self.bytes.len() >= BATCH_BYTES || self.lines.len() >= BATCH_ROWS
    }

    /// How many good rows there are.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// True without a good row.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Line of the file (row, in Parquet) where good row `row` starts, from 1.
    pub fn line(&self, row: usize) -> u64 {
        self.lines[row]
    }

    /// The text in good row `row` of the `column`th asked-for column.
    #[inline]
    pub fn field(&self, row: usize, column: usize) -> &[u8] {
        debug_assert!(column < self.width);
        let at = row * self.width + column;
        let start = if at == 0 { 0 } else { self.ends[at - 1] };
        &self.bytes[start..self.ends[at]]
    }

    /// All texts of one column.
    pub fn column(&self, column: usize) -> impl Iterator<Item = &[u8]> {
        (0..self.len()).map(move |row| self.field(row, column))
    }

    /// Appends a row; `fields` must yield as many as the batch is wide, but for those of the file's place.
    #[inline]
    pub(super) fn push<'a>(&mut self, line: u64, fields: impl Iterator<Item = &'a [u8]>) {
        for field in fields {
            self.bytes.extend_from_slice(field.trim_ascii());
            self.ends.push(self.bytes.len());
        }
        for field in &self.of_place {
            self.bytes.extend_from_slice(field.trim_ascii());
            self.ends.push(self.bytes.len());
        }
        self.lines.push(line);
        debug_assert_eq!(self.ends.len(), self.lines.len() * self.width);
    }

    /// Appends a row of a batch of the same columns.
    pub(super) fn push_of(&mut self, other: &Self, row: usize) {
        let in_file = 0..self.width - self.of_place.len();
        self.push(other.line(row), in_file.map(|column| other.field(row, column)));
    }

    pub(super) fn push_broken(&mut self, line: u64, rows: u64, problem: String) {
        self.broken.push(Broken { line, rows, problem });
    }
}
