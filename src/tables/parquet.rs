//! Parquet, through Arrow.

use std::fs::File;
use std::path::{Path, PathBuf};

use arrow_array::{Array, ArrayRef, RecordBatch, StringArray};
use arrow_schema::{DataType, TimeUnit};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

use super::Batch;
use super::open::damaged;
use crate::{Error, Result};

const ROWS_AT_ONCE: usize = 1 << 13;

/// The columns that hold one value per row.
pub(super) fn names(path: &Path) -> Result<Vec<String>> {
    let builder = builder(path)?;
    let flat = |kind: &DataType| !kind.is_nested() || matches!(kind, DataType::Dictionary(..));
    let fields = builder.schema().fields().iter().filter(|field| flat(field.data_type()));
    Ok(fields.map(|field| field.name().clone()).collect())
}

/// The rows of some columns.
pub(super) struct ParquetRows {
    path: PathBuf,
    reader: ParquetRecordBatchReader,
    order: Vec<usize>, // where each asked-for column stands in what the reader gives
    row: u64,
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
        })
    }

    pub(super) fn fill(&mut self, batch: &mut Batch, most: usize) -> Result<bool> {
        while !batch.is_full() && batch.len() < most {
            let Some(rows) = self.reader.next() else { return Ok(false) };
            let rows = rows
                .map_err(|error| damaged(&self.path, format!("after row {}: {error}", self.row)))?;
            let texts = self.texts(&rows)?;
            for row in 0..rows.num_rows() {
                self.row += 1;
                batch.push(self.row, texts.iter().map(|column| cell(column, row)));
            }
        }
        Ok(true)
    }

    fn texts(&self, rows: &RecordBatch) -> Result<Vec<StringArray>> {
        let column = |&at: &usize| as_text(rows.column(at));
        let texts: Result<_, arrow_schema::ArrowError> = self.order.iter().map(column).collect();
        texts.map_err(|error| damaged(&self.path, error))
    }
}

fn cell(column: &StringArray, row: usize) -> &[u8] {
    if column.is_null(row) { &[] } else { column.value(row).as_bytes() }
}

/// Moments with a zone become moments of UTC; those without stay without, like their text in a CSV.
fn as_text(column: &ArrayRef) -> Result<StringArray, arrow_schema::ArrowError> {
    let plain = match column.data_type() {
        DataType::Timestamp(_, Some(_)) => {
            let utc = DataType::Timestamp(TimeUnit::Millisecond, Some("+00:00".into()));
            arrow_cast::cast(column, &utc)?
        }
        _ => column.clone(),
    };
    let text = arrow_cast::cast(&plain, &DataType::Utf8)?;
    Ok(text.as_any().downcast_ref::<StringArray>().expect("a cast to Utf8 gives strings").clone())
}

fn builder(path: &Path) -> Result<ParquetRecordBatchReaderBuilder<File>> {
    let file = File::open(path).map_err(Error::io("read", path))?;
    ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| damaged(path, error))
}
