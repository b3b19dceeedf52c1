//! The made-up shop as files, in the canonical columns that training reads.

use std::fmt::Write as _;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::{Shop, ShopEvent, ShopEventKind, ShopItem};
use crate::error::{Error, Result};

/// The files of a made-up shop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// What happened: `events.csv`.
    pub events: PathBuf,
    /// What is sold: `catalog.csv`.
    pub catalog: PathBuf,
    /// What was planted: `truth.json`.
    pub truth: PathBuf,
}

const EVENT_COLUMNS: [&str; 9] = [
    "customer_id",
    "item_id",
    "timestamp",
    "event_type",
    "order_id",
    "session_id",
    "quantity",
    "unit_price",
    "discount",
];

const ITEM_COLUMNS: [&str; 11] = [
    "item_id",
    "title",
    "category",
    "brand",
    "price",
    "cost",
    "in_stock",
    "group_id",
    "launched_at",
    "color",
    "size",
];

impl Shop {
    /// Writes `events.csv`, `catalog.csv` and `truth.json` into `dir`, which is made if it is missing.
    /// Files of these names are overwritten.
    ///
    /// Errors: [`Error::Io`] with the file that could not be written.
    pub fn write(&self, dir: &Path) -> Result<Written> {
        std::fs::create_dir_all(dir).map_err(Error::io("create", dir))?;
        let written = Written {
            events: dir.join("events.csv"),
            catalog: dir.join("catalog.csv"),
            truth: dir.join("truth.json"),
        };
        write_file(&written.events, |file| self.write_events(file))?;
        write_file(&written.catalog, |file| self.write_catalog(file))?;
        write_file(&written.truth, |file| {
            serde_json::to_writer_pretty(&mut *file, &self.truth)?;
            io::Write::write_all(file, b"\n")
        })?;
        Ok(written)
    }

    fn write_events(&self, file: impl io::Write) -> io::Result<()> {
        let mut table = csv::Writer::from_writer(file);
        table.write_record(EVENT_COLUMNS)?;
        let mut row = Row::default();
        for event in &self.events {
            row.fill(event, &self.item(event.item).item_id);
            table.write_record(&row.0)?;
        }
        table.flush()
    }

    fn write_catalog(&self, file: impl io::Write) -> io::Result<()> {
        let mut table = csv::Writer::from_writer(file);
        table.write_record(ITEM_COLUMNS)?;
        for item in &self.items {
            table.write_record(catalog_row(item))?;
        }
        table.flush()
    }
}

/// The text of one event, column by column; its memory is used again for the next.
#[derive(Default)]
struct Row([String; EVENT_COLUMNS.len()]);

impl Row {
    fn fill(&mut self, event: &ShopEvent, item_id: &str) {
        self.0.iter_mut().for_each(String::clear);
        let [customer, item, at, kind, order, session, quantity, unit_price, discount] =
            &mut self.0;
        put(customer, event.customer.map(super::customer_key));
        item.push_str(item_id);
        put(at, Some(event.at));
        kind.push_str(event.kind.word());
        put(order, event.order);
        put(session, event.session);
        put(quantity, Some(event.quantity));
        put(unit_price, Some(Money(event.unit_price_cents)));
        let sold = matches!(event.kind, ShopEventKind::Purchase | ShopEventKind::Return);
        put(discount, sold.then_some(Money(event.discount_cents)));
    }
}

fn catalog_row(item: &ShopItem) -> [String; ITEM_COLUMNS.len()] {
    [
        item.item_id.clone(),
        item.title.clone(),
        item.category.to_owned(),
        item.brand.to_owned(),
        Money(item.price_cents).to_string(),
        Money(item.cost_cents).to_string(),
        item.in_stock.to_string(),
        item.group_id.clone().unwrap_or_default(),
        item.launched_at.to_string(),
        item.color.unwrap_or_default().to_owned(),
        item.size.unwrap_or_default().to_owned(),
    ]
}

/// Appends what is there.
fn put(text: &mut String, value: Option<impl std::fmt::Display>) {
    if let Some(value) = value {
        write!(text, "{value}").expect("a String takes all that is written to it");
    }
}

/// Cents, shown as `12.34`.
struct Money(u32);

impl std::fmt::Display for Money {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{:02}", self.0 / 100, self.0 % 100)
    }
}

fn write_file(
    path: &Path,
    fill: impl FnOnce(&mut io::BufWriter<File>) -> io::Result<()>,
) -> Result<()> {
    let mut file = io::BufWriter::new(File::create(path).map_err(Error::io("create", path))?);
    let filled = fill(&mut file).and_then(|()| io::Write::flush(&mut file));
    filled.map_err(Error::io("write", path))
}
