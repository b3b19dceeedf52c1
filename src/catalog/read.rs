//! From files to a catalogue.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::category::Levels;
use super::roles::{
    BRAND, CATEGORY, COST, GROUP, IN_STOCK, ITEM, LAUNCHED, PRICE, ROLES, SELLABLE, STOCK, TITLE,
};
use super::words::{in_stock, is_withdrawn};
use super::{Catalog, Item};
use crate::error::counted;
use crate::ids::MAX_AMOUNT;
use crate::tables::{
    Batch, Clock, DateOrder, Decoder, FileColumns, NESTED, NumberStyle, Table, are_whole_floats,
    decoded, detect, is_absent, left_out, list_files, time_zone,
};
use crate::time::Timestamp;
use crate::{Error, Result};

/// How a shop wants its catalogue read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CatalogOptions {
    /// Role → column, where detection guesses wrong: `title = "Label"`. Default: none.
    pub map: BTreeMap<String, String>,
    /// IANA name of the zone in which launch days begin: that of the events. Default: "UTC".
    #[serde(skip)]
    pub time_zone: String,
    /// Whether `1/2/2024` is the first of February, where the events' setting says so. Default: as other dates say.
    #[serde(skip)]
    pub day_first: Option<bool>,
    /// A file with a larger share of unreadable rows is refused, 0 to 1. Default: 0.10.
    pub max_unreadable_share: f64,
    /// True offers nothing that the catalogue does not list. Default: false.
    pub only_listed: bool,
}

impl Default for CatalogOptions {
    fn default() -> Self {
        Self {
            map: BTreeMap::new(),
            time_zone: "UTC".into(),
            day_first: None,
            max_unreadable_share: 0.10,
            only_listed: false,
        }
    }
}

/// What became of the rows: `read` = `items` + `unreadable` + `no_item` + `replaced`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CatalogAccount {
    /// Rows of all files, headers and blank lines not counted.
    pub read: u64,
    /// Items in the catalogue.
    pub items: u64,
    /// Rows without the columns of their header, or whose key is no text.
    pub unreadable: u64,
    /// Rows without a key.
    pub no_item: u64,
    /// Rows whose item came again further down: the last one counts.
    pub replaced: u64,
    /// Values that are not what their column holds: dropped, the rest of the row is kept. By column.
    pub dropped: BTreeMap<String, u64>,
}

/// A catalogue, and how it came about.
#[derive(Clone, Debug, Default)]
pub struct CatalogReading {
    /// What is sold.
    pub catalog: Catalog,
    /// What became of every row.
    pub account: CatalogAccount,
    /// Which column was taken for what, file by file.
    pub columns: Vec<FileColumns>,
    /// What the user should know and may want to mend.
    pub notes: Vec<String>,
}

/// Reads the catalogue from files, folders and patterns; of an item that comes twice the last row counts.
///
/// Errors: a file is missing or damaged, has no item column, or two columns for one role
/// ([`Error::Input`]); too many rows of a file are unreadable ([`Error::Refused`]).
pub fn read(paths: &[PathBuf], options: &CatalogOptions) -> Result<CatalogReading> {
    let zone = time_zone(&options.time_zone)?;
    let mut reading = CatalogReading::default();
    for path in list_files(paths)? {
        read_file(&path, options, &zone, &mut reading)?;
    }
    reading.account.items = reading.catalog.len() as u64;
    if reading.account.items == 0 {
        return Err(Error::Refused(format!(
            "the catalogue holds no item ({} rows were read): without it, what is sold out or hidden would be \
             offered; send it whole, or train without --catalog",
            reading.account.read
        )));
    }
    reading.catalog.is_complete = options.only_listed;
    let told = reading.account.lines();
    reading.notes.extend(told);
    Ok(reading)
}

impl CatalogAccount {
    /// What the user should know of rows and values that are not used.
    fn lines(&self) -> impl Iterator<Item = String> {
        let rows = [
            (self.no_item, "left out for want of an item"),
            (self.replaced, "of an item that comes again further down: its last row counts"),
        ];
        let rows = rows.into_iter().filter(|(rows, _)| *rows > 0);
        rows.map(|(rows, why)| format!("catalogue: {} {why}", counted(rows, "row")))
    }
}

fn read_file(
    path: &Path,
    options: &CatalogOptions,
    zone: &TimeZone,
    reading: &mut CatalogReading,
) -> Result<()> {
    let mut table = Table::open(path)?;
    let mut detected = detect(&table, &ROLES, &options.map).map_err(in_own_words)?;
    detected.require(&table, &ROLES, &["item_id"]).map_err(in_own_words)?;
    table.see_more(&detected.columns.concat())?;
    if !are_counts(&table, &detected.columns[STOCK]) {
        detected.columns[STOCK].clear();
        detected.report.roles.retain(|role| role.role != ROLES[STOCK].name);
    }
    let file = File::new(&table, &detected.columns, options, zone);
    reading.notes.extend(detected.silent(&table));
    reading.notes.extend(detected.notes);
    reading.columns.push(detected.report);
    let before = reading.account.clone();
    let mut first_offence = None;
    let all: Vec<usize> = (0..table.names.len()).collect();
    let (mut dropped, mut above) = (Dropped::new(), Above::default());
    table.read(&all, |batch| {
        for broken in &batch.broken {
            reading.account.read += broken.rows;
            reading.account.unreadable += broken.rows;
            first_offence
                .get_or_insert_with(|| format!("line {}: {}", broken.line, broken.problem));
        }
        for row in 0..batch.len() {
            reading.account.read += 1;
            match std::str::from_utf8(file.field(batch, row, ITEM).unwrap_or_default()) {
                Ok("") => reading.account.no_item += 1,
                Ok(key) if key != NESTED && !key.contains(['\0', '\u{fffd}']) => {
                    let mut item = file.item(batch, row, &mut dropped);
                    above.tell(&mut item, file.is_withdrawn(batch, row));
                    let before = reading.catalog.insert(file.key(key), item);
                    reading.account.replaced += u64::from(before.is_some());
                }
                _ => {
                    reading.account.unreadable += 1;
                    let problem = || {
                        format!(
                            "line {}: expected an item's key, got an object or bytes that are no text",
                            batch.line(row)
                        )
                    };
                    first_offence.get_or_insert_with(problem);
                }
            }
        }
        Ok(())
    })?;
    let (read, unreadable) =
        (reading.account.read - before.read, reading.account.unreadable - before.unreadable);
    if unreadable as f64 > options.max_unreadable_share * read as f64 {
        return Err(Error::Refused(format!(
            "{}: {unreadable} of {read} rows can't be read, and at most {:.1} % are let pass \
             (catalog.max_unreadable_share); the first: {}",
            path.display(),
            100.0 * options.max_unreadable_share,
            first_offence.unwrap_or_default()
        )));
    }
    reading.notes.extend(file.words.note(path));
    for (column, (values, example)) in dropped {
        reading.notes.push(format!(
            "{} of column {column} dropped: not what it should hold, such as {example:?}",
            counted(values, "value")
        ));
        *reading.account.dropped.entry(column).or_default() += values;
    }
    if let Some(first) = first_offence {
        reading.notes.push(left_out(path, unreadable, first));
    }
    Ok(())
}

/// Whether a column says how many there are, and not just whether there are any.
fn are_counts(table: &Table, column: &[usize]) -> bool {
    let values = column.iter().flat_map(|&column| table.sample.column(column));
    let values: Vec<&[u8]> = values.filter(|text| !is_absent(text)).collect();
    let style = NumberStyle::of(values.iter().copied());
    let counts: Vec<f64> = values.iter().filter_map(|text| style.read(text)).collect();
    2 * counts.len() > values.len() && counts.iter().any(|&units| units != 0.0 && units != 1.0)
}

/// The catalogue's columns are named by hand with an option of their own.
fn in_own_words(error: Error) -> Error {
    let own = |told: String| told.replace("--map ", "--catalog-map ");
    match error {
        Error::Config(told) => Error::Config(own(told)),
        Error::Input(told) => Error::Input(own(told)),
        other => other,
    }
}

/// How many values of a column are not what it should hold, and the first of them.
type Dropped = BTreeMap<String, (u64, String)>;

/// The variant in the row above. Some exports say only once what is the same of all variants of a product.
#[derive(Default)]
struct Above {
    title: Option<String>,
    category: Vec<String>,
    brand: Option<String>,
    group: Option<String>,
    is_withdrawn: bool,
}

impl Above {
    /// Adds to a variant what the one above says of both.
    fn tell(&mut self, item: &mut Item, is_withdrawn: Option<bool>) {
        let is_same = item.group_id.is_some() && item.group_id == self.group;
        if is_same {
            item.title = item.title.take().or_else(|| self.title.clone());
            item.brand = item.brand.take().or_else(|| self.brand.clone());
            if item.category.is_empty() {
                item.category.clone_from(&self.category);
            }
        }
        let is_withdrawn = is_withdrawn.unwrap_or(is_same && self.is_withdrawn);
        let Item { title, category, brand, group_id: group, .. } = item.clone();
        *self = Self { title, category, brand, group, is_withdrawn };
        if is_withdrawn {
            (item.in_stock, item.stock) = (Some(false), item.stock.map(|_| 0));
        }
    }
}

/// One file whose columns are known.
struct File<'a> {
    columns: &'a [Vec<usize>],
    attributes: Vec<(usize, &'a str)>,
    styles: [NumberStyle; ROLES.len()],
    levels: Levels,
    whole_floats: bool,
    clock: Clock,
    names: &'a [String],
    words: Decoder,
}

impl<'a> File<'a> {
    fn new(
        table: &'a Table,
        columns: &'a [Vec<usize>],
        options: &CatalogOptions,
        zone: &TimeZone,
    ) -> Self {
        let present = |role: usize| {
            let values = columns[role].iter().flat_map(|&column| table.sample.column(column));
            values.filter(|text| !is_absent(text))
        };
        let categories: Vec<_> = present(CATEGORY).map(decoded).collect();
        // What says whether an item is sold may be asked for by name as well.
        let others = columns[..SELLABLE].iter().flatten();
        let order = || DateOrder::of(present(LAUNCHED));
        let taken = |at: &usize| others.clone().any(|column| column == at);
        Self {
            columns,
            attributes: table
                .in_file()
                .filter(|at| !taken(at) && !table.names[*at].is_empty())
                .map(|at| (at, table.names[at].as_str()))
                .collect(),
            styles: NumberStyle::of_file(present, &[PRICE, COST, STOCK]),
            levels: Levels::of(columns[CATEGORY].len(), categories.iter().map(|value| &**value)),
            whole_floats: are_whole_floats(present(ITEM)),
            clock: Clock::of(
                present(LAUNCHED),
                options.day_first.map_or_else(order, DateOrder::told),
                zone,
            ),
            names: &table.names,
            words: Decoder::default(),
        }
    }

    fn field<'b>(&self, batch: &'b Batch, row: usize, role: usize) -> Option<&'b [u8]> {
        let &column = self.columns[role].first()?;
        Some(batch.field(row, column)).filter(|text| !is_absent(text))
    }

    fn key<'b>(&self, key: &'b str) -> &'b str {
        if self.whole_floats { key.strip_suffix(".0").unwrap_or(key) } else { key }
    }

    fn item(&self, batch: &Batch, row: usize, dropped: &mut Dropped) -> Item {
        let plain = |field: &[u8]| self.text(field);
        let categories = self.columns[CATEGORY].iter();
        let categories: Vec<String> = categories
            .filter_map(|&column| self.parsed(batch, row, column, dropped, plain))
            .collect();
        let mut amount = |role: usize| {
            let read = |text: &[u8]| {
                self.styles[role].read(text).filter(|amount| (0.0..=MAX_AMOUNT).contains(amount))
            };
            self.value(batch, row, role, dropped, read)
        };
        let (price, cost) = (amount(PRICE), amount(COST));
        let in_stock = self.value(batch, row, IN_STOCK, dropped, in_stock);
        let units = self.field(batch, row, STOCK).and_then(|text| self.styles[STOCK].read(text));
        // What is not to be had counts as none.
        let most = if in_stock == Some(false) { 0 } else { i64::MAX };
        let attribute = |&(column, name): &(usize, &str)| {
            let value = Some(batch.field(row, column)).filter(|text| !is_absent(text))?;
            Some((name.to_string(), plain(value)?))
        };
        Item {
            title: self.value(batch, row, TITLE, dropped, plain),
            category: self.levels.path(categories.iter().map(String::as_str)),
            brand: self.value(batch, row, BRAND, dropped, plain),
            price,
            cost,
            in_stock,
            stock: units.map(|units| (units.floor() as i64).min(most)),
            group_id: self.value(batch, row, GROUP, dropped, plain),
            launched_at: self
                .value::<Timestamp>(batch, row, LAUNCHED, dropped, |text| self.clock.read(text)),
            attributes: self.attributes.iter().filter_map(attribute).collect(),
        }
    }

    /// Whether the row says that the item is not sold; none if it says nothing.
    fn is_withdrawn(&self, batch: &Batch, row: usize) -> Option<bool> {
        let statuses = self.columns[SELLABLE].iter().filter_map(|&column| {
            let status = batch.field(row, column);
            // What a number stands for as a status, only the shop knows; as "published" it is yes or no.
            let is_code = self.names[column].to_lowercase().ends_with("status")
                && status.iter().all(|byte| byte.is_ascii_digit());
            (!is_absent(status) && !is_code).then(|| is_withdrawn(status))
        });
        statuses.reduce(|a, b| a || b)
    }

    /// A text, if it is one.
    fn text(&self, field: &[u8]) -> Option<String> {
        (field != NESTED.as_bytes()).then(|| self.words.text(field).into_owned())
    }

    /// The value of a role's column, as [`Self::parsed`].
    fn value<T>(
        &self,
        batch: &Batch,
        row: usize,
        role: usize,
        dropped: &mut Dropped,
        parse: impl Fn(&[u8]) -> Option<T>,
    ) -> Option<T> {
        self.parsed(batch, row, *self.columns[role].first()?, dropped, parse)
    }

    /// The value of a column, or none if it is absent or, which is counted, not what it should be.
    fn parsed<T>(
        &self,
        batch: &Batch,
        row: usize,
        column: usize,
        dropped: &mut Dropped,
        parse: impl Fn(&[u8]) -> Option<T>,
    ) -> Option<T> {
        let text = Some(batch.field(row, column)).filter(|text| !is_absent(text))?;
        let value = parse(text);
        if value.is_none() {
            let (values, example) = dropped.entry(self.names[column].clone()).or_default();
            if *values == 0 {
                *example = decoded(text).chars().take(40).collect();
            }
            *values += 1;
        }
        value
    }
}
