//! Parquet, through Arrow.

use std::fs::File;
use std::path::{Path, PathBuf};

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, ListArray, RecordBatch, StringArray};
use arrow_schema::{ArrowError, DataType, TimeUnit};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

use super::open::damaged;
use super::{Batch, NESTED};
use crate::{Error, Result};

const ROWS_AT_ONCE: usize = 1 << 13;

/// The columns at the top.
pub(super) fn names(path: &Path) -> Result<Vec<String>> {
    let builder = builder(path)?;
    Ok(builder.schema().fields().iter().map(|field| field.name().clone()).collect())
}

/// The rows of some columns.
pub(super) struct ParquetRows {
    path: PathBuf,
    reader: ParquetRecordBatchReader,
    order: Vec<usize>, // where each asked-for column stands in what the reader gives
    row: u64,
    /// What was read and not yet asked for: columns, and the place of the first row.
    rest: Option<(Vec<StringArray>, usize)>,
}

impl ParquetRows {
    pub(super) fn open(path: &Path, columns: &[&str]) -> Result<Self> {
        let builder = builder(path)?;
        let fields = builder.schema().fields().clone();
        let wanted: Vec<usize> =
            (0..fields.len()).filter(|&at| columns.contains(&fields[at].name().as_str())).collect();
        let given = |name: &&str| wanted.iter().position(|&at| fields[at].name() == name);
        let order = columns.iter().filter_map(given).collect();
        let mask = ProjectionMask::roots(builder.parquet_schema(), wanted.iter().copied());
        let reader = builder.with_projection(mask).with_batch_size(ROWS_AT_ONCE).build();
        Ok(Self {
            path: path.to_path_buf(),
            reader: reader.map_err(|error| damaged(path, error))?,
            order,
            row: 0,
            rest: None,
        })
    }

    pub(super) fn fill(&mut self, batch: &mut Batch, most: usize) -> Result<bool> {
        while !batch.is_full() && batch.len() < most {
            let Some((texts, first)) = self.next_rows()? else { return Ok(false) };
            let end = texts.first().map_or(0, StringArray::len).min(first + most - batch.len());
            for row in first..end {
                self.row += 1;
                batch.push(self.row, texts.iter().map(|column| cell(column, row).as_bytes()));
            }
            self.rest = Some((texts, end));
        }
        Ok(true)
    }

    fn next_rows(&mut self) -> Result<Option<(Vec<StringArray>, usize)>> {
        let rest = self.rest.take();
        let rest =
            rest.filter(|(texts, first)| texts.first().is_some_and(|all| *first < all.len()));
        if rest.is_some() {
            return Ok(rest);
        }
        let Some(rows) = self.reader.next() else { return Ok(None) };
        let rows =
            rows.map_err(|error| damaged(&self.path, format!("after row {}: {error}", self.row)))?;
        Ok(Some((self.texts(&rows)?, 0)))
    }

    fn texts(&self, rows: &RecordBatch) -> Result<Vec<StringArray>> {
        let column = |&at: &usize| as_text(rows.column(at));
        let texts: Result<_, ArrowError> = self.order.iter().map(column).collect();
        texts.map_err(|error| damaged(&self.path, error))
    }
}

fn cell(column: &StringArray, row: usize) -> &str {
    if column.is_null(row) { "" } else { column.value(row) }
}

/// Moments with a zone become moments of UTC; those without stay without, like their text in a CSV. What is nested
/// reads as in JSON Lines: a list is a path (`a > b`), anything else is [`NESTED`], and so are the long lists of floats
/// that models keep here.
fn as_text(column: &ArrayRef) -> Result<StringArray, ArrowError> {
    let plain = match column.data_type() {
        DataType::List(of) | DataType::LargeList(of) | DataType::FixedSizeList(of, _)
            if !of.data_type().is_floating() =>
        {
            return paths(arrow_cast::cast(column, &DataType::List(of.clone()))?.as_list());
        }
        kind if kind.is_nested() => {
            let is_there = |row| (!column.is_null(row)).then_some(NESTED);
            return Ok((0..column.len()).map(is_there).collect());
        }
        DataType::Timestamp(_, Some(_)) => {
            let utc = DataType::Timestamp(TimeUnit::Millisecond, Some("+00:00".into()));
            arrow_cast::cast(column, &utc)?
        }
        _ => column.clone(),
    };
    let text = arrow_cast::cast(&plain, &DataType::Utf8)?;
    Ok(text.as_string().clone())
}

fn paths(lists: &ListArray) -> Result<StringArray, ArrowError> {
    let values = as_text(lists.values())?;
    let path = |bounds: &[i32]| {
        let levels = (bounds[0] as usize..bounds[1] as usize).map(|at| cell(&values, at));
        let levels: Vec<&str> = levels.filter(|level| !level.is_empty()).collect();
        if levels.contains(&NESTED) { NESTED.to_owned() } else { levels.join(" > ") }
    };
    Ok(lists.value_offsets().windows(2).map(|bounds| Some(path(bounds))).collect())
}

fn builder(path: &Path) -> Result<ParquetRecordBatchReaderBuilder<File>> {
    let file = File::open(path).map_err(Error::io("read", path))?;
    ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| damaged(path, error))
}
