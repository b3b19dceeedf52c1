//! CSV and its relatives.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use csv::ByteRecord;

use super::open::{damaged, unpacked};
use super::{Batch, decoded};
use crate::{Error, Result};

/// The byte between columns: what a line `sep=;` says, or the most frequent of the usual ones in the header line.
pub(super) fn mark(head: &[u8], named_tsv: bool) -> u8 {
    let line = head.split(|byte| matches!(byte, b'\n' | b'\r')).find(|line| !line.is_empty());
    if let Some([word @ .., mark]) = line
        && word.eq_ignore_ascii_case(SEPARATOR)
    {
        return *mark;
    }
    let usual = if named_tsv { *b"\t,;|" } else { *b",\t;|" };
    let count = |mark: u8| {
        let mut quoted = false;
        let bare = line.unwrap_or_default().iter().filter(|&&byte| {
            quoted ^= byte == b'"';
            byte == mark && !quoted
        });
        bare.count()
    };
    let most = usual.iter().map(|&mark| count(mark)).max().unwrap_or(0);
    usual.into_iter().find(|&mark| count(mark) == most).unwrap_or(b',')
}

/// The header line, trimmed.
pub(super) fn names(path: &Path, mark: u8) -> Result<Vec<String>> {
    let header = header(path, &mut reader(mark, unpacked(path)?))?;
    if header.iter().any(|name| name.contains(&0)) {
        return Err(Error::Input(format!(
            "{}: not a text file: its first line holds NUL bytes (UTF-16 needs its byte-order mark)",
            path.display()
        )));
    }
    Ok(header.iter().map(|name| decoded(name.trim_ascii()).into_owned()).collect())
}

/// How the line begins in which Excel says what parts the columns.
const SEPARATOR: &[u8] = b"sep=";

/// The first line that is a row.
fn header<R: Read>(path: &Path, reader: &mut csv::Reader<R>) -> Result<ByteRecord> {
    let mut header = ByteRecord::new();
    let mut read = |header: &mut ByteRecord| {
        reader.read_byte_record(header).map_err(|error| damaged(path, error))
    };
    read(&mut header)?;
    if header.len() == 2 && header[0].eq_ignore_ascii_case(SEPARATOR) && header[1].is_empty() {
        read(&mut header)?;
    }
    Ok(header)
}

/// The rows below the header.
pub(super) struct TextRows {
    path: PathBuf,
    reader: csv::Reader<Watched>,
    tail: Arc<Tail>,
    mark: u8,
    columns: Vec<usize>,
    width: usize,
    record: ByteRecord,
}

impl TextRows {
    pub(super) fn open(path: &Path, mark: u8, columns: &[usize], width: usize) -> Result<Self> {
        let tail = Arc::new(Tail::default());
        let counting =
            Watched { inner: unpacked(path)?, begun: false, last: 0, tail: tail.clone() };
        let mut reader = reader(mark, counting);
        let record = header(path, &mut reader)?;
        Ok(Self {
            path: path.to_path_buf(),
            reader,
            tail,
            mark,
            columns: columns.to_vec(),
            width,
            record,
        })
    }

    pub(super) fn fill(&mut self, batch: &mut Batch, most: usize) -> Result<bool> {
        while !batch.is_full() && batch.len() < most {
            let more = self.reader.read_byte_record(&mut self.record).map_err(|error| {
                damaged(
                    &self.path,
                    format!("after line {}: {error}", self.reader.position().line()),
                )
            })?;
            if !more {
                return Ok(false);
            }
            self.take_row(batch);
        }
        Ok(true)
    }

    fn take_row(&mut self, batch: &mut Batch) {
        let record = &self.record;
        let line = record.position().map_or(0, csv::Position::line);
        let lines = self.reader.position().line() - line;
        // Between two rows the reader stands behind `\r`, and before `\n`.
        let line = line + u64::from(self.tail.ends_with_both.load(Ordering::Relaxed));
        let spare = record.iter().skip(self.width);
        if record.len() < self.width
            || spare.into_iter().any(|field| !field.trim_ascii().is_empty())
        {
            let rows = lines.max(1);
            let perhaps = match record.len() > self.width {
                _ if rows > 1 => format!(" over {rows} lines (a quote left open?)"),
                true => " (a separator in a text without quotes, or a decimal comma?)".to_owned(),
                false => String::new(),
            };
            let problem = format!("expected {} columns, got {}{perhaps}", self.width, record.len());
            batch.push_broken(line, rows, problem);
        } else if lines > 1 && self.holds_rows() {
            let problem =
                format!("a quote is left open, and swallows {lines} lines up to the next");
            batch.push_broken(line, lines, problem);
        } else if lines > 1 && self.swallows_the_end() {
            let problem = format!("a quote is left open, and swallows the last {lines} lines");
            batch.push_broken(line, lines, problem);
        } else {
            batch.push(line, self.columns.iter().map(|&column| &record[column]));
        }
    }

    /// Whether a field holds what looks like whole rows: a quote was left open, and closed by the next one.
    fn holds_rows(&self) -> bool {
        let is_row =
            |line: &&[u8]| line.iter().filter(|&&byte| byte == self.mark).count() + 1 == self.width;
        self.width > 1
            && self.record.iter().any(|field| {
                let lines: Vec<&[u8]> = field.split(|&byte| byte == b'\n').collect();
                matches!(&lines[..], [_, inner @ .., _] if !inner.is_empty() && inner.iter().all(is_row))
            })
    }

    /// Whether this is the last row of a file, and its quote was never closed.
    fn swallows_the_end(&self) -> bool {
        let ended = self.tail.ended.load(Ordering::Relaxed);
        let open = self.tail.quotes.load(Ordering::Relaxed) % 2 == 1;
        ended && open
    }
}

fn reader<R: Read>(mark: u8, bytes: R) -> csv::Reader<R> {
    csv::ReaderBuilder::new()
        .delimiter(mark)
        .has_headers(false)
        .flexible(true)
        .buffer_capacity(1 << 16)
        .from_reader(bytes)
}

/// What is seen of a file before it is split into rows.
#[derive(Default)]
struct Tail {
    /// An odd number of them, at the end, tells that one was left open.
    quotes: AtomicU64,
    ended: AtomicBool,
    /// Whether the first line ends with `\r\n`.
    ends_with_both: AtomicBool,
}

struct Watched {
    inner: Box<dyn Read + Send>,
    /// Whether the end of the first line was seen, and the last byte before it so far.
    begun: bool,
    last: u8,
    tail: Arc<Tail>,
}

impl Read for Watched {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.inner.read(buffer)?;
        if !self.begun {
            let end = buffer[..read].iter().position(|&byte| byte == b'\n');
            let before = end.unwrap_or(read).checked_sub(1).map_or(self.last, |at| buffer[at]);
            (self.begun, self.last) = (end.is_some(), before);
            self.tail.ends_with_both.store(end.is_some() && before == b'\r', Ordering::Relaxed);
        }
        let quotes = buffer[..read].iter().filter(|&&byte| byte == b'"').count();
        self.tail.quotes.fetch_add(quotes as u64, Ordering::Relaxed);
        self.tail.ended.fetch_or(read == 0, Ordering::Relaxed);
        Ok(read)
    }
}
