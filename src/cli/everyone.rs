//! Answers for every customer of an index, into a file.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use arrow_array::{ArrayRef, BooleanArray, Float64Array, Int32Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use serde::Serialize;

use crate::catalog::Shelf;
use crate::customers::History;
use crate::error::{Error, Result};
use crate::index::Snapshot;
use crate::recommend::{Recommendation, Scratch};
use crate::tables::Part;

/// Customers that one thread takes at once: memory is that of a few hundred answers, however many there are.
const AT_ONCE: usize = 256;

/// What was written.
pub(super) struct Written {
    pub(super) customers: u64,
    pub(super) rows: u64,
}

/// One recommendation for one customer.
#[derive(Debug, Serialize)]
struct Row {
    customer_id: String,
    place: i32,
    item_id: String,
    score: f64,
    fallback: bool,
    because: String,
}

/// Asks `answered` for every customer, on all cores, and writes the answers in the order of the customers' keys.
///
/// Errors: the file's name ends on nothing that is known; the index can't be read, or the file not written.
/// Nothing but a whole file gets the name.
pub(super) fn all_customers(
    snapshot: &Snapshot,
    shelf: &Shelf,
    answered: impl Fn(Option<&History>, &mut Scratch) -> Vec<Recommendation> + Sync,
    out: &Path,
) -> anyhow::Result<Written> {
    let mut writer = RowWriter::create(out)?;
    let threads = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let mut scratches: Vec<Scratch> = (0..threads).map(|_| Scratch::default()).collect();
    let mut keys = snapshot.customers.keys();
    let mut written = Written { customers: 0, rows: 0 };
    let rows_of = |keys: &[String], scratch: &mut Scratch| -> Result<Vec<Row>> {
        let mut rows = Vec::new();
        for key in keys {
            let history = snapshot.customers.stored_history(key)?;
            let answer = answered(history.as_ref(), scratch);
            rows.extend(answer.iter().zip(1..).map(|(recommended, place)| {
                Row {
                    customer_id: key.clone(),
                    place,
                    item_id: shelf.key(recommended.item).to_owned(),
                    score: f64::from(recommended.score),
                    fallback: recommended.fallback,
                    because: recommended
                        .reasons
                        .first()
                        .map_or(String::new(), |reason| reason.text(&snapshot.contents, shelf)),
                }
            }));
        }
        Ok(rows)
    };
    loop {
        let batch = keys.by_ref().take(AT_ONCE * threads).collect::<Result<Vec<String>>>()?;
        if batch.is_empty() {
            break;
        }
        let share = batch.len().div_ceil(threads);
        let parts: Vec<Result<Vec<Row>>> = std::thread::scope(|scope| {
            let rows_of = &rows_of;
            let work = |(keys, scratch)| scope.spawn(move || rows_of(keys, scratch));
            let working: Vec<_> = batch.chunks(share).zip(&mut scratches).map(work).collect();
            working.into_iter().map(|part| part.join().expect("answers don't panic")).collect()
        });
        written.customers += batch.len() as u64;
        for part in parts {
            let rows = part?;
            written.rows += rows.len() as u64;
            let written = writer.write(&rows);
            written.with_context(|| format!("{} can't be written", out.display()))?;
        }
    }
    writer.finish(out)?;
    Ok(written)
}

/// A file of rows, under another name until it is whole.
struct RowWriter {
    format: Format,
    part: Part,
}

enum Format {
    Parquet(Box<ArrowWriter<File>>),
    Csv(Box<csv::Writer<File>>),
    JsonLines(BufWriter<File>),
}

impl RowWriter {
    fn create(out: &Path) -> anyhow::Result<Self> {
        let ending = out.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        if !["parquet", "csv", "jsonl"].contains(&ending) {
            let name = out.display();
            let wanted = "a name that ends on .parquet, .csv or .jsonl";
            return Err(Error::Config(format!("--out: expected {wanted}, not {name}")).into());
        }
        let part = Part::of(out)?;
        let file = File::create(&part.path).map_err(Error::io("create", &part.path))?;
        let format = match ending {
            "parquet" => {
                let zstd = Compression::ZSTD(Default::default());
                let properties = WriterProperties::builder().set_compression(zstd).build();
                let writer = ArrowWriter::try_new(file, schema(), Some(properties))?;
                Format::Parquet(Box::new(writer))
            }
            "csv" => Format::Csv(Box::new(csv::Writer::from_writer(file))),
            _ => Format::JsonLines(BufWriter::new(file)),
        };
        Ok(Self { format, part })
    }

    fn write(&mut self, rows: &[Row]) -> anyhow::Result<()> {
        match &mut self.format {
            Format::Parquet(writer) => writer.write(&batch(rows)?)?,
            Format::Csv(writer) => rows.iter().try_for_each(|row| writer.serialize(row))?,
            Format::JsonLines(writer) => {
                for row in rows {
                    serde_json::to_writer(&mut *writer, row)?;
                    writer.write_all(b"\n")?;
                }
            }
        }
        Ok(())
    }

    fn finish(self, out: &Path) -> anyhow::Result<()> {
        let file = match self.format {
            Format::Parquet(writer) => writer.into_inner()?,
            Format::Csv(writer) => writer.into_inner().context("the last rows can't be written")?,
            Format::JsonLines(writer) => {
                writer.into_inner().context("the last rows can't be written")?
            }
        };
        drop(file);
        Ok(self.part.finish(out)?)
    }
}

fn schema() -> Arc<Schema> {
    Arc::new(Schema::new(vec![
        Field::new("customer_id", DataType::Utf8, false),
        Field::new("place", DataType::Int32, false),
        Field::new("item_id", DataType::Utf8, false),
        Field::new("score", DataType::Float64, false),
        Field::new("fallback", DataType::Boolean, false),
        Field::new("because", DataType::Utf8, false),
    ]))
}

fn batch(rows: &[Row]) -> anyhow::Result<RecordBatch> {
    let texts = |of: fn(&Row) -> &str| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(rows.iter().map(of)))
    };
    let columns: Vec<ArrayRef> = vec![
        texts(|row| &row.customer_id),
        Arc::new(Int32Array::from_iter_values(rows.iter().map(|row| row.place))),
        texts(|row| &row.item_id),
        Arc::new(Float64Array::from_iter_values(rows.iter().map(|row| row.score))),
        Arc::new(BooleanArray::from_iter(rows.iter().map(|row| Some(row.fallback)))),
        texts(|row| &row.because),
    ];
    Ok(RecordBatch::try_new(schema(), columns)?)
}
