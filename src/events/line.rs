//! One line of a file, understood.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use rayon::iter::{IndexedParallelIterator, IntoParallelIterator, ParallelIterator};
use rustc_hash::FxHashSet;

use super::dates::Dates;
use super::goods::Goods;
use super::keys::{Group, Keys, Known, Look, Named};
use super::kinds::{Meaning, Words};
use super::roles::{
    BRAND, CATEGORY, CUSTOMER, DISCOUNT, EVENT_TYPE, ITEM, LINE_TOTAL, ORDER, QUANTITY, ROLES,
    SESSION, STATUS, TIME_OF_DAY, TIMESTAMP, TITLE, UNIT_PRICE, roles,
};
use super::row::Row;
use super::{Cause, EventKind, ReadOptions};
use crate::ids::{MAX_AMOUNT, MAX_KEY_BYTES};
use crate::tables::{
    Batch, Clock, Decoder, FileColumns, NESTED, NumberStyle, Table, Why, are_whole_floats, decoded,
    detect, is_absent, quoted,
};
use crate::time::Timestamp;
use crate::{Error, Result};

/// Events are of no more kinds than this: a column of more words holds something else, names perhaps.
const MOST_KINDS: usize = 20;

/// Of what costs this much nobody takes less than 1 off, in the shop's currency.
const DEAR: f64 = 20.0;

/// Roles whose columns hold numbers.
const NUMBERS: [usize; 4] = [QUANTITY, UNIT_PRICE, LINE_TOTAL, DISCOUNT];

/// Of a purchase that was none in the end.
const UNDONE: [&str; 26] = [
    "cancelled",
    "canceled",
    "void",
    "voided",
    "refunded",
    "returned",
    "failed",
    "declined",
    "rejected",
    "expired",
    "abandoned",
    "storniert",
    "storno",
    "annulliert",
    "abgebrochen",
    "widerrufen",
    "retourniert",
    "annulé",
    "annulée",
    "remboursé",
    "remboursée",
    "cancelado",
    "cancelada",
    "annullato",
    "rimborsato",
    "geannuleerd",
];

/// With fewer lines at a time, threads cost more than they bring.
const LEAST_LINES: usize = 256;

/// Why a line gives no row.
pub(super) struct Aside {
    pub(super) cause: Cause,
    /// What is wrong with it, if it is not just of no use.
    pub(super) offence: Option<Offence>,
}

impl From<Cause> for Aside {
    fn from(cause: Cause) -> Self {
        Self { cause, offence: None }
    }
}

/// What is wrong with a line. It never holds a customer's, order's or session's key, nor what may be one.
#[derive(Debug)]
pub(super) struct Offence {
    pub(super) line: u64,
    pub(super) column: Option<String>,
    pub(super) problem: String,
}

impl fmt::Display for Offence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.column {
            Some(column) => write!(f, "line {}, column {column}: {}", self.line, self.problem),
            None => write!(f, "line {}: {}", self.line, self.problem),
        }
    }
}

/// Reads the lines of one file, whose columns are known.
pub(super) struct FileReader<'a> {
    /// The table's columns to ask for.
    pub(super) selected: Vec<usize>,
    pub(super) report: FileColumns,
    pub(super) notes: Vec<String>,
    pub(super) has_event_type: bool,
    pub(super) has_customer: bool,
    pub(super) is_timed: bool,
    holds_kinds: bool,
    names: Vec<String>,
    slots: [Vec<usize>; ROLES.len()], // where in a batch each role stands
    whole_floats: [bool; ROLES.len()],
    styles: [NumberStyle; ROLES.len()],
    discounts_are_shares: bool,
    clock: Clock,
    words: &'a Words,
    nobody: &'a [String],
    pub(super) texts: Decoder,
}

impl<'a> FileReader<'a> {
    /// Decides what the columns of `table` mean and how they are written.
    pub(super) fn new(
        table: &mut Table,
        options: &'a ReadOptions,
        dates: &Dates<'_>,
        words: &'a Words,
    ) -> Result<Self> {
        let roles = roles(&table.names);
        let mut map = options.map.clone();
        let product = product_beside_row_keys(table).filter(|_| !map.contains_key("item_id"));
        if let Some(product) = &product {
            map.insert("item_id".to_owned(), product.clone());
        }
        let mut detected = detect(table, &roles, &map)?;
        if let Some(product) = product {
            let mut roles = detected.report.roles.iter_mut();
            roles.find(|role| role.role == "item_id").expect("it is mapped").why = Why::Alias;
            detected.notes.push(format!(
                "{}: item_id is another one in every row, as if it were the row's own key: {product} is taken for the \
                 item; --map item_id=item_id takes it all the same",
                table.path.display()
            ));
        }
        detected.require(table, &roles, &["item_id"])?;
        detected.require(table, &roles, &["customer_id", "order_id", "session_id"])?;
        table.see_more(&detected.columns.concat())?;
        let table = &*table;
        detected.notes.extend(currencies(table));
        if let Some(&item) = detected.columns[ITEM].first() {
            refuse_lists(table, item)?;
        }
        let silent = detected.silent(table);
        let mut columns = detected.columns;
        let mut notes = detected.notes;
        notes.extend(silent);
        columns[TIMESTAMP].retain(|&column| {
            table.sample.is_empty() || present(table, &[column]).next().is_some()
        });
        let clock = dates.clock(table, &columns[TIMESTAMP], &mut notes)?;
        let mut report = detected.report;
        let is_untimed = columns[TIMESTAMP].is_empty();
        let are_days = clock.are_days(present(table, &columns[TIMESTAMP]));
        let other_type = other_type(table, &columns[EVENT_TYPE], &options.map, words);
        let mut free = |role: usize| {
            let spare = columns[role].drain(..).map(|column| table.names[column].clone());
            report.unused.extend(spare);
            report.roles.retain(|column| column.role != ROLES[role].name);
        };
        if is_untimed || !are_days {
            free(TIME_OF_DAY);
        }
        if let Some(note) = other_type {
            free(EVENT_TYPE);
            notes.push(note);
        }
        let mut selected: Vec<usize> = columns.concat();
        selected.sort_unstable();
        selected.dedup();
        let slot = |column: &usize| {
            selected.binary_search(column).expect("every role's column is selected")
        };
        Ok(Self {
            slots: std::array::from_fn(|role| columns[role].iter().map(slot).collect()),
            whole_floats: std::array::from_fn(|role| {
                role <= SESSION && are_whole_floats(present(table, &columns[role]))
            }),
            styles: NumberStyle::of_file(|role| present(table, &columns[role]), &NUMBERS),
            discounts_are_shares: are_shares(table, &columns),
            has_event_type: !columns[EVENT_TYPE].is_empty(),
            has_customer: !columns[CUSTOMER].is_empty(),
            is_timed: !columns[TIMESTAMP].is_empty(),
            holds_kinds: holds_kinds(present(table, &columns[EVENT_TYPE])),
            names: selected.iter().map(|&column| table.names[column].clone()).collect(),
            report,
            selected,
            notes,
            clock,
            words,
            nobody: &options.nobody,
            texts: Decoder::default(),
        })
    }

    fn is_nobody(&self, customer: &str) -> bool {
        self.nobody.iter().any(|nobody| nobody.eq_ignore_ascii_case(customer))
    }

    /// For what the lines say of their items.
    pub(super) fn goods(&self) -> Goods {
        let named = |role: usize| {
            let slots = self.slots[role].iter();
            slots.map(|&slot| (slot, self.names[slot].as_str()))
        };
        Goods::new(named(CATEGORY), named(BRAND))
    }

    /// What each line of `batch` says, in their order; `above` is of the batch before.
    pub(super) fn rows<'b>(
        &'b self,
        batch: &'b Batch,
        keys: &'b mut Keys,
        above: &'b mut Above,
    ) -> impl Iterator<Item = Result<Row, Aside>> {
        let lines = (0..batch.len()).into_par_iter().with_min_len(LEAST_LINES);
        let lines = lines.map_init(
            || keys.look(),
            |look, line| (self.status(batch, line), self.said(batch, line, look)),
        );
        let lines: Vec<_> = lines.collect();
        lines.into_iter().map(|(status, said)| {
            let is_undone = above.is_undone(status);
            let row = said?.row(keys);
            let is_undone = is_undone && row.kind == EventKind::Purchase;
            Ok(Row { fate: is_undone.then_some(Cause::Undone), ..row })
        })
    }

    /// What the line says of its order's fate.
    fn status<'b>(&'b self, batch: &'b Batch, line: usize) -> Status<'b> {
        if self.slots[STATUS].is_empty() {
            return Status::default();
        }
        let line = Line { reader: self, batch, row: line };
        Status { order: line.text(ORDER), is_undone: line.text(STATUS).map(is_undone) }
    }

    fn said<'b>(
        &'b self,
        batch: &'b Batch,
        line: usize,
        look: &mut Look<'_, 'b>,
    ) -> Result<Said<'b>, Aside> {
        let line = Line { reader: self, batch, row: line };
        let item = line.key(ITEM)?.ok_or(Cause::NoItem)?;
        let kind = line.kind()?;
        let customer = line.key(CUSTOMER)?.filter(|key| !self.is_nobody(key));
        let order = line.key(ORDER)?;
        let session = line.key(SESSION)?;
        if customer.is_none() && order.is_none() && session.is_none() {
            return Err(Cause::NoOwner.into());
        }
        let at = line.at()?;
        let quantity = line.number(QUANTITY)?.unwrap_or(1.0);
        let (unit_price, discount_percent) = line.money(quantity)?;
        let title = line.text(TITLE).map(|title| self.texts.text(title));
        let title = title.filter(|title| title != NESTED);
        let has_orders = matches!(kind, EventKind::Purchase | EventKind::Return);
        let named = Named {
            item: look.item(item),
            customer: customer.map(|key| look.customer(key)),
            group: match (order.filter(|_| has_orders), session) {
                (Some(key), _) => Some(Group::Order(look.order(key))),
                (None, Some(key)) => Some(Group::Session(look.session(key))),
                (None, None) => None,
            },
            title: title.map(|title| look.title(title)),
        };
        Ok(Said { named, at, kind, quantity, unit_price, discount_percent })
    }
}

/// An order, and whether it was undone, if the line says so: some exports do on an order's first line only.
#[derive(Clone, Copy, Default)]
struct Status<'a> {
    order: Option<&'a [u8]>,
    is_undone: Option<bool>,
}

/// The order of the lines above, and whether it was undone.
#[derive(Default)]
pub(super) struct Above {
    order: Vec<u8>,
    is_undone: bool,
}

impl Above {
    fn is_undone(&mut self, status: Status<'_>) -> bool {
        let is_same = status.order.is_some_and(|order| order == self.order);
        self.is_undone = status.is_undone.unwrap_or(is_same && self.is_undone);
        if !is_same {
            self.order.clear();
            self.order.extend_from_slice(status.order.unwrap_or_default());
        }
        self.is_undone
    }
}

/// What a line says.
struct Said<'a> {
    named: Named<'a>,
    at: Timestamp,
    kind: EventKind,
    quantity: f64,
    unit_price: Option<f64>,
    discount_percent: u8,
}

impl Said<'_> {
    fn row(self, keys: &mut Keys) -> Row {
        let Known { item, customer, group, title } = keys.learn(self.named);
        Row {
            at: self.at,
            customer,
            item,
            group,
            quantity: self.quantity as f32,
            unit_price: self.unit_price.map(|price| price as f32).into(),
            kind: self.kind,
            discount_percent: self.discount_percent,
            title,
            fate: None,
        }
    }
}

/// One line and what its columns mean.
#[derive(Clone, Copy)]
struct Line<'a> {
    reader: &'a FileReader<'a>,
    batch: &'a Batch,
    row: usize,
}

impl<'a> Line<'a> {
    fn text(self, role: usize) -> Option<&'a [u8]> {
        let &slot = self.reader.slots[role].first()?;
        Some(self.batch.field(self.row, slot)).filter(|text| !is_absent(text))
    }

    fn key(self, role: usize) -> Result<Option<&'a str>, Aside> {
        let Some(text) = self.text(role) else { return Ok(None) };
        if text.len() > MAX_KEY_BYTES {
            return Err(self.offence(
                role,
                &format!("expected a key of at most {MAX_KEY_BYTES} bytes, got {}", text.len()),
            ));
        }
        match std::str::from_utf8(text) {
            Ok(NESTED) => Err(self.offence(role, "expected a key, got an object")),
            Ok(key) if is_rounded(key) => Err(self.offence(
                role,
                "expected a key, got a long number whose last digits were rounded away: export keys as text",
            )),
            Ok(key) if is_clean(key) => {
                let whole =
                    if self.reader.whole_floats[role] { key.strip_suffix(".0") } else { None };
                Ok(Some(whole.unwrap_or(key)))
            }
            _ => Err(self.offence(
                role,
                "expected a key, got bytes that are no UTF-8: save the file as UTF-8",
            )),
        }
    }

    fn kind(self) -> Result<EventKind, Aside> {
        let Some(word) = self.text(EVENT_TYPE) else { return Ok(EventKind::Purchase) };
        match self.reader.words.meaning(word) {
            Some(Meaning::Kind(kind)) => Ok(kind),
            Some(Meaning::Ignore) => Err(Cause::IgnoredEventType.into()),
            None => {
                let expected =
                    "view, cart, favorite, purchase or return (own words: [events.event_types])";
                Err(Aside {
                    cause: Cause::UnknownEventType,
                    ..self.unexpected(EVENT_TYPE, expected, word)
                })
            }
        }
    }

    fn at(self) -> Result<Timestamp, Aside> {
        if !self.reader.is_timed {
            return Ok(Timestamp(0));
        }
        let text = self.text(TIMESTAMP).unwrap_or_default();
        let clock = &self.reader.clock;
        let time = self.text(TIME_OF_DAY);
        let at = time.map_or_else(|| clock.read(text), |time| clock.read_at(text, time));
        at.ok_or_else(|| match time.filter(|_| clock.read(text).is_some()) {
            Some(time) => self.unexpected(TIME_OF_DAY, "a time like 16:05", time),
            None => {
                self.unexpected(TIMESTAMP, "a moment, written like the rest of the column", text)
            }
        })
    }

    fn number(self, role: usize) -> Result<Option<f64>, Aside> {
        let Some(text) = self.text(role) else { return Ok(None) };
        match self.reader.styles[role].read(text) {
            Some(number) => Ok(Some(number)),
            None => Err(self.unexpected(role, "a number", text)),
        }
    }

    /// Price per unit, and the percentage taken off: 100 · off ÷ (paid + off), where off is the sum of all
    /// discount columns without their signs (`complete_journey`: retail, coupon and matched coupon).
    fn money(self, quantity: f64) -> Result<(Option<f64>, u8), Aside> {
        let unit_price = self.number(UNIT_PRICE)?;
        let total = self.number(LINE_TOTAL)?;
        let paid = unit_price.map(|price| price * quantity).or(total);
        let unit_price =
            unit_price.or_else(|| paid.filter(|_| quantity != 0.0).map(|paid| paid / quantity));
        if unit_price.is_some_and(|price| price.abs() > MAX_AMOUNT) {
            let role = if self.text(UNIT_PRICE).is_some() { UNIT_PRICE } else { LINE_TOTAL };
            let expected = format!("a price of at most {MAX_AMOUNT}");
            return Err(self.unexpected(role, &expected, self.text(role).unwrap_or_default()));
        }
        let mut off = 0.0;
        for &slot in &self.reader.slots[DISCOUNT] {
            let text = self.batch.field(self.row, slot);
            if is_absent(text) {
                continue;
            }
            let amount = self.reader.styles[DISCOUNT]
                .read(text)
                .ok_or_else(|| self.unexpected(DISCOUNT, "a number", text))?;
            if text.ends_with(b"%") {
                return Ok((unit_price, amount.abs().round().min(100.0) as u8));
            }
            if self.reader.discounts_are_shares {
                return Ok((unit_price, (100.0 * amount.abs()).round().min(100.0) as u8));
            }
            off += amount.abs();
        }
        let before = paid.unwrap_or(0.0).abs() + off;
        let known = off > 0.0 && paid.is_some();
        Ok((unit_price, if known { (100.0 * off / before).round() as u8 } else { 0 }))
    }

    fn unexpected(self, role: usize, expected: &str, came: &[u8]) -> Aside {
        let came = quoted(came, role == EVENT_TYPE && self.reader.holds_kinds);
        self.offence(role, &format!("expected {expected}, got {came}"))
    }

    fn offence(self, role: usize, problem: &str) -> Aside {
        let column = self.reader.slots[role].first().map(|&slot| self.reader.names[slot].clone());
        let offence =
            Offence { line: self.batch.line(self.row), column, problem: problem.to_string() };
        Aside { cause: Cause::Unreadable, offence: Some(offence) }
    }
}

/// A word on prices of several currencies, going by a column of that name.
fn currencies(table: &Table) -> Option<String> {
    let is_currency = |name: &String| {
        let name = name.to_ascii_lowercase().replace([' ', '_', '-'], "");
        matches!(name.as_str(), "currency" | "currencycode" | "ordercurrency" | "currencyiso")
    };
    let column = table.names.iter().position(is_currency)?;
    // Nothing else is shown of it: where columns are shifted, it may be a customer's key.
    let is_code = |text: &&[u8]| text.len() == 3 && text.iter().all(u8::is_ascii_alphabetic);
    let codes = table.sample.column(column).filter(is_code);
    let different: BTreeSet<String> = codes.map(|code| decoded(code).to_uppercase()).collect();
    (different.len() > 1).then(|| {
        let named: Vec<&str> = different.iter().take(5).map(String::as_str).collect();
        format!(
            "{}: prices are of several currencies ({}), and are added up as if they were of one: convert them first",
            table.path.display(),
            named.join(", ")
        )
    })
}

/// Whether a key holds neither a NUL nor what stands for bytes that could not be decoded.
fn is_clean(key: &str) -> bool {
    // Hardly any key has a byte of the two: no need to look at its characters.
    !key.bytes().any(|byte| matches!(byte, 0 | 0xef)) || !key.contains(['\0', '\u{fffd}'])
}

/// Whether this is a number as spreadsheets write one that is too long for them: `1.23457E+15`.
fn is_rounded(key: &str) -> bool {
    if !matches!(key.as_bytes(), [b'0'..=b'9', b'.' | b'E' | b'e', ..]) {
        return false; // as nearly all are: to search each for an exponent costs more than to read it
    }
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let Some((mantissa, exponent)) = key.split_once("E+").or_else(|| key.split_once("e+")) else {
        return false;
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
    whole.len() == 1 && digits(whole) && digits(fraction) && digits(exponent)
}

/// The column of products where `item_id` is the key of the row itself, as in Magento's `sales_order_item`: in no two
/// rows the same, while products come again.
fn product_beside_row_keys(table: &Table) -> Option<String> {
    const LEAST_ROWS: usize = 50;
    let column = |name: &str| table.names.iter().position(|known| known.eq_ignore_ascii_case(name));
    let kinds = |column: usize| table.sample.column(column).collect::<FxHashSet<_>>().len();
    let rows = table.sample.len();
    let is_row_key = rows >= LEAST_ROWS && kinds(column("item_id")?) == rows;
    let products = ["product_id", "sku"].into_iter().filter_map(column);
    let mut products = products.filter(|&column| (2..rows).contains(&kinds(column)));
    products.next().filter(|_| is_row_key).map(|column| table.names[column].clone())
}

/// Whether the one column of discounts holds shares of the price, 0.15 for 15 %, and not money: it never holds more than
/// 1, though most that is sold for less costs far more.
fn are_shares(table: &Table, columns: &[Vec<usize>]) -> bool {
    let &[discount] = columns[DISCOUNT].as_slice() else { return false };
    let style = |column: usize| NumberStyle::of(present(table, &[column]));
    let number = |column: usize| {
        let style = style(column);
        move |row: usize| style.read(table.sample.field(row, column))
    };
    let off = number(discount);
    let price = [UNIT_PRICE, LINE_TOTAL].into_iter().find_map(|role| columns[role].first());
    let Some(price) = price.map(|&column| number(column)) else { return false };
    let rows = (0..table.sample.len()).filter_map(|row| Some((off(row)?.abs(), price(row)?.abs())));
    let (mut dear, mut cheap) = (0, 0);
    for (off, price) in rows.filter(|(off, _)| *off > 0.0) {
        if off > 1.0 {
            return false;
        }
        if price >= DEAR { dear += 1 } else { cheap += 1 }
    }
    dear > cheap
}

/// Whether an order of this status came to nothing: `Cancelled`, `Shipped - Returned to Seller`.
fn is_undone(status: &[u8]) -> bool {
    let status = decoded(status).to_lowercase();
    let words = || status.split(|letter: char| !letter.is_alphabetic());
    let says = |of: &[&str]| words().any(|word| of.contains(&word));
    says(&UNDONE) && !says(&["partially", "partly", "not", "never", "nicht", "teilweise"])
}

/// Errors: most items are written as lists, `['tea', 'cup']`: a whole order to a row.
fn refuse_lists(table: &Table, item: usize) -> Result<()> {
    let is_list = |text: &&[u8]| text.starts_with(b"[") && text.ends_with(b"]");
    let (lists, all) = (present(table, &[item]).filter(is_list).count(), table.sample.len());
    if lists == 0 || 2 * lists < all {
        return Ok(());
    }
    Err(Error::Input(format!(
        "{}: column {:?} holds lists of items: expected a row for each item, with the same order_id for those of one order",
        table.path.display(),
        table.names[item]
    )))
}

/// A word on a column that is called `type` or `kind`, where these are types of something else: none of its words is
/// known.
fn other_type(
    table: &Table,
    column: &[usize],
    map: &BTreeMap<String, String>,
    words: &Words,
) -> Option<String> {
    let name = &table.names[*column.first()?];
    let is_vague = ["type", "kind"].iter().any(|vague| name.eq_ignore_ascii_case(vague));
    let is_known = present(table, column).any(|word| words.meaning(word).is_some());
    if !is_vague || is_known || map.contains_key(ROLES[EVENT_TYPE].name) {
        return None;
    }
    Some(format!(
        "{}: column {name:?} holds no words for events that are known, and is not taken for their type (own words: \
         event_types)",
        table.path.display()
    ))
}

/// Whether these are so few different words that they may be kinds of events.
fn holds_kinds<'a>(words: impl Iterator<Item = &'a [u8]>) -> bool {
    let mut different = FxHashSet::default();
    words.map(|word| different.insert(word)).filter(|is_new| *is_new).nth(MOST_KINDS).is_none()
}

pub(super) fn present<'a>(
    table: &'a Table,
    columns: &'a [usize],
) -> impl Iterator<Item = &'a [u8]> {
    columns.iter().flat_map(|&column| table.sample.column(column)).filter(|text| !is_absent(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_undone_where_its_status_says_so_in_a_word_of_its_own() {
        for undone in [
            "Cancelled",
            "canceled",
            "Shipped - Returned to Seller",
            "REFUNDED",
            "voided",
            "STORNIERT",
            "Annulée",
        ] {
            assert!(is_undone(undone.as_bytes()), "{undone}");
        }
        for sold in [
            "Complete",
            "Shipped",
            "paid",
            "partially_refunded",
            "returnable",
            "never refunded",
            "",
        ] {
            assert!(!is_undone(sold.as_bytes()), "{sold}");
        }
    }

    #[test]
    fn a_long_number_that_was_rounded_is_no_key() {
        for rounded in ["1.23457E+15", "1e+24", "9.007199254740993e+15", "1E+06"] {
            assert!(is_rounded(rounded), "{rounded}");
        }
        for key in ["1E15", "85123E+1", "E+1", "1.E+5", "1.5E-3", "1.5E+", "A+B", "1e+x"] {
            assert!(!is_rounded(key), "{key}");
        }
    }

    #[test]
    fn a_column_of_more_than_twenty_words_holds_no_kinds() {
        let words: Vec<String> = (0..21).map(|nth| format!("word {nth}")).collect();
        let first = |count: usize| words[..count].iter().map(String::as_bytes);
        assert!(holds_kinds(first(0)));
        assert!(
            holds_kinds(first(20).chain(first(20))),
            "words that come again are no more of them"
        );
        assert!(!holds_kinds(first(21)));
    }
}
