//! Opening a file by what it holds: the first bytes decide, the name only breaks ties.

use std::fs::File;
use std::io::{BufReader, Cursor, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;
use std::time::SystemTime;

use super::{Batch, is_absent, json, parquet, place, text};
use crate::{Error, Result};

/// Columns are judged by so many rows at the top of a file.
pub(super) const SAMPLE_ROWS: usize = 1000;
/// Batches that may wait between the thread that reads and the one that uses.
const WAITING: usize = 4;

/// How a file writes its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Text with this byte between columns, and a header line.
    Delimited(u8),
    /// One JSON object per line.
    JsonLines,
    /// Apache Parquet.
    Parquet,
}

impl std::fmt::Display for Format {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Delimited(b'\t') => f.write_str("TSV"),
            Self::Delimited(b',') => f.write_str("CSV"),
            Self::Delimited(mark) => write!(f, "CSV with {:?}", char::from(*mark)),
            Self::JsonLines => f.write_str("JSON Lines"),
            Self::Parquet => f.write_str("Parquet"),
        }
    }
}

/// A file of rows, looked at but not yet read: its columns and its first rows.
#[derive(Clone, Debug)]
pub struct Table {
    /// Where it is.
    pub path: PathBuf,
    /// How it writes its rows.
    pub format: Format,
    /// The columns, as the file names them (JSON Lines: all keys, those of the sample first); then those that only its
    /// folders name, as in `event_type=view/part-0.parquet`.
    pub names: Vec<String>,
    /// So many of them stand in the sample; the others first come further down.
    pub(super) sampled: usize,
    /// What its folders say of every row: the values of the last names.
    of_place: Vec<Vec<u8>>,
    /// Its first thousand rows, all columns; see also [`Self::see_more`].
    pub sample: Batch,
    stamp: Stamp,
}

/// By which a file is known to be as it was: which it is, how long, and when it was written to.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Stamp {
    file: u64,
    written: (u64, Option<SystemTime>),
}

impl Stamp {
    fn of(path: &Path) -> Result<Self> {
        let of = path.metadata().map_err(Error::io("read", path))?;
        #[cfg(unix)]
        let file = std::os::unix::fs::MetadataExt::ino(&of);
        #[cfg(not(unix))]
        let file = 0;
        Ok(Self { file, written: (of.len(), of.modified().ok()) })
    }
}

impl Table {
    /// Looks at the head of a file.
    ///
    /// Errors: not readable, empty, truncated, or not a table.
    pub fn open(path: &Path) -> Result<Self> {
        guarded(path, || {
            let stamp = Stamp::of(path)?;
            let format = format(path)?;
            let all = |names: Vec<String>| (names.len(), names);
            let (sampled, mut names) = match format {
                Format::Delimited(mark) => all(text::names(path, mark)?),
                Format::JsonLines => json::names(path)?,
                Format::Parquet => all(parquet::names(path)?),
            };
            let of_place = place::columns(path, &names);
            let (named, of_place): (Vec<_>, Vec<_>) = of_place.into_iter().unzip();
            names.extend(named);
            let sample = Batch::default();
            let path = path.to_path_buf();
            let mut table = Self { path, format, names, sampled, of_place, sample, stamp };
            let all: Vec<usize> = (0..table.names.len()).collect();
            let mut sample = table.batch(&all);
            table.rows(&all)?.fill(&mut sample, SAMPLE_ROWS)?;
            table.sample = sample;
            Ok(table)
        })
    }

    /// Where the sample has no value in one of `columns`, adds later rows that have: a column that begins empty is
    /// not read by what it holds further down otherwise.
    ///
    /// Errors: a file that turns out truncated or damaged.
    pub fn see_more(&mut self, columns: &[usize]) -> Result<()> {
        let silent: Vec<usize> =
            columns.iter().copied().filter(|&column| self.is_silent(column)).collect();
        if silent.is_empty() || self.sample.len() < SAMPLE_ROWS {
            return Ok(());
        }
        let all: Vec<usize> = (0..self.names.len()).collect();
        let (mut more, mut is_enough) = (self.batch(&all), false);
        let read = self.read(&all, |batch| {
            for row in 0..batch.len() {
                let tells = |column: &usize| !is_absent(batch.field(row, *column));
                if more.len() < SAMPLE_ROWS && silent.iter().any(tells) {
                    more.push_of(batch, row);
                }
            }
            is_enough = more.len() == SAMPLE_ROWS;
            // Any error ends the reading.
            if is_enough { Err(damaged(&self.path, "read no further")) } else { Ok(()) }
        });
        if !is_enough {
            read?;
        }
        for row in 0..more.len() {
            self.sample.push_of(&more, row);
        }
        Ok(())
    }

    /// The columns that stand in the file itself.
    pub fn in_file(&self) -> std::ops::Range<usize> {
        0..self.names.len() - self.of_place.len()
    }

    /// True if the sample has no value in this column.
    pub(super) fn is_silent(&self, column: usize) -> bool {
        self.sample.column(column).all(is_absent)
    }

    /// About how many rows there are, rather too many than too few; only a hint.
    pub fn about_rows(&self) -> usize {
        let bytes = self.path.metadata().map_or(0, |file| file.len()) as usize;
        let sampled: usize = (0..self.names.len())
            .flat_map(|column| self.sample.column(column))
            .map(|text| text.len() + 1)
            .sum();
        // Shorter rows may come after the sample.
        let a_row = (sampled / self.sample.len().max(1)).max(self.names.len()).max(1);
        bytes / a_row + bytes / a_row / 4
    }

    /// Reads all rows of `columns` (positions in `names`, ascending, some of them in the file itself), batch by batch, in
    /// the order of the file.
    ///
    /// A second thread unpacks and splits ahead; `visit` runs on this one.
    ///
    /// Errors: those of `visit`; a file that turns out truncated or damaged, or is not as it was when it was opened.
    pub fn read(
        &self,
        columns: &[usize],
        mut visit: impl FnMut(&Batch) -> Result<()>,
    ) -> Result<()> {
        self.as_it_was(|now| *now == self.stamp)?;
        self.read_through(columns, &mut visit)?;
        // Another file in its place meanwhile does no harm: the one that was opened was read to its end.
        self.as_it_was(|now| now.file != self.stamp.file || now.written == self.stamp.written)
    }

    fn as_it_was(&self, is_so: impl Fn(&Stamp) -> bool) -> Result<()> {
        match is_so(&Stamp::of(&self.path)?) {
            true => Ok(()),
            false => Err(Error::Input(format!(
                "{}: it was written to while it was read: wait until the export is done; best it writes another file, and \
                 gives it this name when it is whole",
                self.path.display()
            ))),
        }
    }

    fn read_through(
        &self,
        columns: &[usize],
        visit: &mut impl FnMut(&Batch) -> Result<()>,
    ) -> Result<()> {
        std::thread::scope(|scope| {
            let (sender, receiver) = sync_channel::<Batch>(WAITING);
            // Used batches go back: fresh memory for each would be cleared page by page.
            let (give_back, used) = std::sync::mpsc::channel::<Batch>();
            let reader = scope.spawn(move || {
                guarded(&self.path, || {
                    let mut rows = self.rows(columns)?;
                    loop {
                        let mut batch = used.try_recv().unwrap_or_else(|_| self.batch(columns));
                        batch.clear();
                        let more = rows.fill(&mut batch, usize::MAX)?;
                        if sender.send(batch).is_err() || !more {
                            return Ok(()); // the receiver goes first only if `visit` failed
                        }
                    }
                })
            });
            for batch in receiver {
                visit(&batch)?;
                // The reader may have read all there is and gone.
                let _ = give_back.send(batch);
            }
            reader.join().unwrap_or_else(|_| Err(damaged(&self.path, "its reader gave up")))
        })
    }

    /// An empty batch for these columns.
    fn batch(&self, columns: &[usize]) -> Batch {
        let of_place = columns.iter().filter_map(|column| column.checked_sub(self.in_file().end));
        Batch::new(columns.len(), of_place.map(|at| self.of_place[at].clone()).collect())
    }

    /// The rows of these columns, but for those that the batches of [`Self::batch`] hold already.
    fn rows(&self, columns: &[usize]) -> Result<Rows> {
        debug_assert!(columns.is_sorted());
        let columns = &columns[..columns.partition_point(|column| self.in_file().contains(column))];
        Ok(match self.format {
            Format::Delimited(mark) => {
                let width = self.in_file().len();
                Rows::Text(text::TextRows::open(&self.path, mark, columns, width)?)
            }
            Format::JsonLines => {
                let keys = columns.iter().map(|&column| self.names[column].clone()).collect();
                Rows::Json(json::JsonRows::open(&self.path, keys)?)
            }
            Format::Parquet => {
                let names = columns.iter().map(|&column| self.names[column].as_str());
                Rows::Parquet(parquet::ParquetRows::open(&self.path, &names.collect::<Vec<_>>())?)
            }
        })
    }
}

enum Rows {
    Text(text::TextRows),
    Json(json::JsonRows),
    Parquet(parquet::ParquetRows),
}

impl Rows {
    /// Fills `batch` until it is full or has `most` rows; false at the end of the file.
    fn fill(&mut self, batch: &mut Batch, most: usize) -> Result<bool> {
        match self {
            Self::Text(rows) => rows.fill(batch, most),
            Self::Json(rows) => rows.fill(batch, most),
            Self::Parquet(rows) => rows.fill(batch, most),
        }
    }
}

/// The error of a file that can't be read on: truncated, corrupt, not what it says it is.
pub(super) fn damaged(path: &Path, what: impl std::fmt::Display) -> Error {
    Error::Input(format!("{}: truncated or damaged: {what}", path.display()))
}

/// Decoders of hostile files may panic; that is an error of the file.
fn guarded<T>(path: &Path, work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(damaged(path, "can't be decoded")))
}

/// The unpacked bytes of a text file: gzip and Zstandard by their magic numbers, UTF-16 and the UTF-8
/// mark by theirs. Bytes that are not UTF-8 pass as they are.
pub(super) fn unpacked(path: &Path) -> Result<Box<dyn Read + Send>> {
    let file = File::open(path).map_err(Error::io("read", path))?;
    let (head, file) = peek(file, 4).map_err(Error::io("read", path))?;
    let packed = BufReader::with_capacity(1 << 16, file);
    let bytes: Box<dyn Read + Send> = match head.as_slice() {
        [0x1f, 0x8b, ..] => Box::new(flate2::read::MultiGzDecoder::new(packed)),
        [0x28, 0xb5, 0x2f, 0xfd] => {
            Box::new(zstd::Decoder::with_buffer(packed).map_err(Error::io("read", path))?)
        }
        _ => Box::new(packed),
    };
    let decoder = encoding_rs_io::DecodeReaderBytesBuilder::new()
        .utf8_passthru(true)
        .strip_bom(true)
        .bom_override(true)
        .build(bytes);
    Ok(Box::new(decoder))
}

type Peeked<R> = std::io::Chain<Cursor<Vec<u8>>, R>;

/// The first `most` bytes (fewer in a shorter file), and a reader that still has them.
fn peek<R: Read>(mut reader: R, most: u64) -> std::io::Result<(Vec<u8>, Peeked<R>)> {
    let mut head = Vec::new();
    reader.by_ref().take(most).read_to_end(&mut head)?;
    Ok((head.clone(), Cursor::new(head).chain(reader)))
}

fn format(path: &Path) -> Result<Format> {
    let name = path.file_name().map(|name| name.to_string_lossy().to_ascii_lowercase());
    let name = name.unwrap_or_default();
    let mut magic = Vec::new();
    let file = File::open(path).map_err(Error::io("read", path))?;
    file.take(6).read_to_end(&mut magic).map_err(Error::io("read", path))?;
    let foreign = match magic.as_slice() {
        [] => {
            return Err(Error::Input(format!(
                "{}: empty file: expected a header line and rows",
                path.display()
            )));
        }
        [b'P', b'A', b'R', b'1', ..] => return Ok(Format::Parquet),
        [b'P', b'K', 3, 4, ..] => Some("a zip archive or a spreadsheet"),
        [0xfd, b'7', b'z', ..] => Some("packed with xz"),
        [b'B', b'Z', b'h', ..] => Some("packed with bzip2"),
        _ if name.ends_with(".parquet") => Some("no Parquet file, though its name says so"),
        _ => None,
    };
    if let Some(foreign) = foreign {
        return Err(Error::Input(format!(
            "{}: {foreign}: expected CSV, TSV or JSON Lines (also .gz or .zst), or Parquet",
            path.display()
        )));
    }
    let (head, _) = peek(unpacked(path)?, 1 << 16).map_err(|error| damaged(path, error))?;
    match head.trim_ascii_start().first() {
        None => Err(Error::Input(format!(
            "{}: empty file: expected a header line and rows",
            path.display()
        ))),
        Some(b'{') => Ok(Format::JsonLines),
        Some(b'[') if name.contains(".json") => Err(Error::Input(format!(
            "{}: a JSON array: expected JSON Lines, one object per line (jq -c '.[]' makes them)",
            path.display()
        ))),
        Some(_) => Ok(Format::Delimited(text::mark(&head, name.contains(".tsv")))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_written_to_while_it_is_read_is_refused_and_one_that_is_replaced_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.csv");
        let write = || std::fs::write(&path, "customer_id,item_id\na,tea\n").unwrap();
        write();
        let table = Table::open(&path).unwrap();
        let grow = |_: &Batch| {
            let mut file = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
            std::io::Write::write_all(&mut file, b"b,cup\n").map_err(Error::io("write", &path))
        };
        let error = table.read(&[0], grow).unwrap_err().to_string();
        assert!(error.contains("written to while it was read"), "{error}");
        let error = table.read(&[0], |_| Ok(())).unwrap_err().to_string();
        assert!(error.contains("written to"), "what was looked at is another file: {error}");

        write();
        let table = Table::open(&path).unwrap();
        let replace = |_: &Batch| {
            let other = folder.path().join("other.csv");
            std::fs::write(&other, "a,b\n1,2\n3,4\n").map_err(Error::io("write", &other))?;
            std::fs::rename(&other, &path).map_err(Error::io("rename", &path))
        };
        table.read(&[0], replace).expect("what was opened was read to its end");
    }
}
