//! Files of rows, written: CSV, JSON Lines or Parquet, by the file's ending.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use tempfile::TempPath;

use crate::{Error, Result};

/// The values of one column; all columns of a table are as long.
#[derive(Clone, Debug, PartialEq)]
pub enum Column {
    /// Texts; empty for none.
    Text(Vec<String>),
    /// Numbers; none where not known or not finite.
    Number(Vec<Option<f64>>),
}

impl Column {
    fn len(&self) -> usize {
        match self {
            Self::Text(values) => values.len(),
            Self::Number(values) => values.len(),
        }
    }

    fn number(&self, row: usize) -> Option<f64> {
        match self {
            Self::Text(_) => None,
            Self::Number(values) => values[row].filter(|value| value.is_finite()),
        }
    }

    fn text(&self, row: usize) -> String {
        match self {
            Self::Text(values) => values[row].clone(),
            Self::Number(_) => self.number(row).map(|value| value.to_string()).unwrap_or_default(),
        }
    }

    fn json(&self, row: usize) -> serde_json::Value {
        match self {
            Self::Text(values) => values[row].as_str().into(),
            Self::Number(_) => self.number(row).into(),
        }
    }

    fn array(&self) -> ArrayRef {
        match self {
            Self::Text(values) => Arc::new(StringArray::from_iter_values(values)),
            Self::Number(values) => {
                Arc::new((0..values.len()).map(|row| self.number(row)).collect::<Float64Array>())
            }
        }
    }
}

/// Writes named columns of equal length to `path`: `.csv`, `.jsonl` or `.parquet`.
///
/// Errors: another ending; the disk. Then what was there before still is.
pub fn write(path: &Path, columns: &[(&str, Column)]) -> Result<()> {
    let rows = columns.first().map_or(0, |(_, column)| column.len());
    debug_assert!(columns.iter().all(|(_, column)| column.len() == rows));
    let part = Part::of(path)?;
    match path.extension().and_then(|ending| ending.to_str()) {
        Some("csv") => write_csv(&part.path, columns, rows),
        Some("jsonl" | "ndjson") => write_json_lines(&part.path, columns, rows),
        Some("parquet") => write_parquet(&part.path, columns),
        _ => Err(Error::Config(format!(
            "{}: expected a file that ends in .csv, .jsonl or .parquet",
            path.display()
        ))),
    }?;
    part.finish(path)
}

/// A file under a name of its own, beginning with the file's and ending in `.part`, until it is whole; it is taken away
/// again if it never is.
#[derive(Debug)]
pub struct Part {
    /// Where it is written. Nobody else may read it: it may hold customers' keys.
    pub path: TempPath,
}

impl Part {
    /// Of the file that is to be at `path`.
    ///
    /// Errors: there is no such folder.
    pub fn of(path: &Path) -> Result<Self> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let file = tempfile::Builder::new()
            .prefix(path.file_name().unwrap_or_default())
            .suffix(".part")
            .tempfile_in(folder.unwrap_or(Path::new(".")))
            .map_err(Error::io("create", path))?;
        Ok(Self { path: file.into_temp_path() })
    }

    /// Gives it its name, once it is on disk.
    ///
    /// Errors: the disk.
    pub fn finish(self, path: &Path) -> Result<()> {
        let file = File::open(&self.path).map_err(Error::io("open", &self.path))?;
        if let Ok(before) = path.metadata() {
            // Who kept it to themselves goes on doing so.
            let kept = file.set_permissions(before.permissions());
            kept.map_err(Error::io("set the permissions of", path))?;
        }
        file.sync_all().map_err(Error::io("sync", path))?;
        self.path.persist(path).map_err(|kept| Error::io("rename", path)(kept.error))
    }
}

fn write_csv(path: &Path, columns: &[(&str, Column)], rows: usize) -> Result<()> {
    let failed = |error: csv::Error| Error::io("write", path)(error.into());
    let mut writer = csv::Writer::from_writer(BufWriter::new(create(path)?));
    writer.write_record(columns.iter().map(|(name, _)| name)).map_err(failed)?;
    for row in 0..rows {
        writer.write_record(columns.iter().map(|(_, column)| column.text(row))).map_err(failed)?;
    }
    writer.flush().map_err(Error::io("write", path))
}

fn write_json_lines(path: &Path, columns: &[(&str, Column)], rows: usize) -> Result<()> {
    let mut out = BufWriter::new(create(path)?);
    for row in 0..rows {
        let values = columns.iter().map(|(name, column)| ((*name).to_owned(), column.json(row)));
        let line = serde_json::Value::Object(values.collect());
        writeln!(out, "{line}").map_err(Error::io("write", path))?;
    }
    out.flush().map_err(Error::io("write", path))
}

fn write_parquet(path: &Path, columns: &[(&str, Column)]) -> Result<()> {
    let failed = |error: &dyn std::fmt::Display| {
        Error::io("write", path)(std::io::Error::other(error.to_string()))
    };
    let arrays = columns.iter().map(|(name, column)| (*name, column.array()));
    let batch = RecordBatch::try_from_iter(arrays).map_err(|error| failed(&error))?;
    let compressed = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    let mut writer = ArrowWriter::try_new(create(path)?, batch.schema(), Some(compressed))
        .map_err(|error| failed(&error))?;
    writer.write(&batch).map_err(|error| failed(&error))?;
    writer.close().map(|_| ()).map_err(|error| failed(&error))
}

fn create(path: &Path) -> Result<File> {
    File::create(path).map_err(Error::io("create", path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::Table;

    #[test]
    fn what_is_written_reads_back_the_same_from_every_format() {
        let folder = tempfile::tempdir().unwrap();
        let columns = [
            ("who", Column::Text(vec!["a,\"b\"".into(), "ü".into()])),
            ("much", Column::Number(vec![Some(1.5), None])),
        ];
        for name in ["t.csv", "t.jsonl", "t.parquet"] {
            let path = folder.path().join(name);
            write(&path, &columns).unwrap();
            let table = Table::open(&path).unwrap();
            let who = table.names.iter().position(|name| name == "who").unwrap();
            let much = table.names.iter().position(|name| name == "much").unwrap();
            let texts = |column| -> Vec<String> {
                let texts = table.sample.column(column);
                texts.map(|text| String::from_utf8_lossy(text).into_owned()).collect()
            };
            assert_eq!(texts(who), ["a,\"b\"", "ü"], "{name}");
            assert_eq!(texts(much)[0], "1.5", "{name}");
        }
        let error = write(&folder.path().join("t.xls"), &columns).unwrap_err().to_string();
        assert!(error.contains(".parquet"), "{error}");
    }
}
