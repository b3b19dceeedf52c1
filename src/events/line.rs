//! One line of a file, understood.

use std::fmt;

use super::kinds::{Meaning, Words};
use super::roles::{
    CUSTOMER, DISCOUNT, EVENT_TYPE, ITEM, LINE_TOTAL, ORDER, QUANTITY, ROLES, SESSION, TIMESTAMP,
    TITLE, UNIT_PRICE,
};
use super::row::{Row, TitleId};
use super::{Cause, EventKind, ReadOptions};
use crate::Result;
use crate::ids::{CustomerId, DenseId, GroupId, Interner, ItemId};
use crate::tables::{
    Batch, Clock, Content, DateOrder, FileColumns, NumberStyle, Table, detect, is_absent,
};
use crate::time::Timestamp;

/// Longer keys are broken rows.
const MAX_KEY_BYTES: usize = 1024;

/// All keys and titles met so far, in the order of first sight.
#[derive(Default)]
pub(super) struct Keys {
    pub(super) items: Interner<ItemId>,
    pub(super) customers: Interner<CustomerId>,
    /// Orders as `o…` and sessions as `s…`, so that an order and a session of the same key stay apart.
    pub(super) groups: Interner<GroupId>,
    pub(super) titles: Interner<TitleId>,
    last_order: Memo<GroupId>,
    last_session: Memo<GroupId>,
    last_customer: Memo<CustomerId>,
    scratch: String,
}

/// The key that was looked up last: neighbouring lines often share customer and order.
struct Memo<Id>(String, Option<Id>);

impl<Id> Default for Memo<Id> {
    fn default() -> Self {
        Self(String::new(), None)
    }
}

impl<Id: DenseId> Memo<Id> {
    fn or_look_up(&mut self, key: &str, look_up: impl FnOnce(&str) -> Id) -> Id {
        match self.1 {
            Some(id) if self.0 == key => id,
            _ => {
                key.clone_into(&mut self.0);
                *self.1.insert(look_up(key))
            }
        }
    }
}

impl Keys {
    fn customer(&mut self, key: &str) -> CustomerId {
        self.last_customer.or_look_up(key, |key| self.customers.intern(key))
    }

    fn order(&mut self, key: &str) -> GroupId {
        self.last_order.or_look_up(key, |key| marked(&mut self.groups, &mut self.scratch, 'o', key))
    }

    fn session(&mut self, key: &str) -> GroupId {
        self.last_session
            .or_look_up(key, |key| marked(&mut self.groups, &mut self.scratch, 's', key))
    }
}

fn marked(groups: &mut Interner<GroupId>, scratch: &mut String, mark: char, key: &str) -> GroupId {
    scratch.clear();
    scratch.push(mark);
    scratch.push_str(key);
    groups.intern(scratch)
}

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

/// What is wrong with a line. It never holds a customer's, order's or session's key.
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
    pub(super) is_timed: bool,
    names: Vec<String>,
    slots: [Vec<usize>; ROLES.len()], // where in a batch each role stands
    whole_floats: [bool; ROLES.len()],
    styles: [NumberStyle; ROLES.len()],
    clock: Clock,
    words: &'a Words,
}

impl<'a> FileReader<'a> {
    /// Decides what the columns of `table` mean and how they are written.
    pub(super) fn new(
        table: &Table,
        options: &ReadOptions,
        zone: &jiff::tz::TimeZone,
        words: &'a Words,
    ) -> Result<Self> {
        let detected = detect(table, &ROLES, &options.map)?;
        detected.require(table, &ROLES, &["item_id"])?;
        detected.require(table, &ROLES, &["customer_id", "order_id", "session_id"])?;
        let mut columns = detected.columns;
        let mut notes = detected.notes;
        columns[TIMESTAMP].retain(|&column| {
            table.sample.is_empty() || present(table, &[column]).next().is_some()
        });
        let clock = clock(table, &columns[TIMESTAMP], zone, &mut notes)?;
        let mut selected: Vec<usize> = columns.concat();
        selected.sort_unstable();
        selected.dedup();
        let slot = |column: &usize| {
            selected.binary_search(column).expect("every role's column is selected")
        };
        Ok(Self {
            slots: std::array::from_fn(|role| columns[role].iter().map(slot).collect()),
            whole_floats: std::array::from_fn(|role| {
                role <= SESSION
                    && present(table, &columns[role]).next().is_some()
                    && present(table, &columns[role]).all(is_whole_float)
            }),
            styles: std::array::from_fn(|role| NumberStyle::of(present(table, &columns[role]))),
            has_event_type: !columns[EVENT_TYPE].is_empty(),
            is_timed: !columns[TIMESTAMP].is_empty(),
            names: selected.iter().map(|&column| table.names[column].clone()).collect(),
            report: detected.report,
            selected,
            notes,
            clock,
            words,
        })
    }

    /// The row that line `line` of `batch` says.
    pub(super) fn row(&self, batch: &Batch, line: usize, keys: &mut Keys) -> Result<Row, Aside> {
        let line = Line { reader: self, batch, row: line };
        let kind = line.kind()?;
        let item = line.key(ITEM)?.ok_or(Cause::NoItem)?;
        let customer = line.key(CUSTOMER)?;
        let order = line.key(ORDER)?;
        let session = line.key(SESSION)?;
        if customer.is_none() && order.is_none() && session.is_none() {
            return Err(Cause::NoOwner.into());
        }
        let at = line.at()?;
        let quantity = line.number(QUANTITY)?.unwrap_or(1.0);
        let (unit_price, discount_percent) = line.money(quantity)?;
        let title = line.text(TITLE).map(String::from_utf8_lossy);
        Ok(Row {
            at,
            customer: customer.map(|key| keys.customer(key)),
            item: keys.items.intern(item),
            order: order.map(|key| keys.order(key)),
            session: session.map(|key| keys.session(key)),
            title: title.map(|title| keys.titles.intern(&title)),
            kind,
            quantity: quantity as f32,
            unit_price: unit_price.map(|price| price as f32).into(),
            discount_percent,
            fate: None,
        })
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
            Ok(key) if !key.contains(['\0', '\u{fffd}']) => {
                let whole =
                    if self.reader.whole_floats[role] { key.strip_suffix(".0") } else { None };
                Ok(Some(whole.unwrap_or(key)))
            }
            _ => Err(self.offence(role, "expected a key, got bytes that are no text")),
        }
    }

    fn kind(self) -> Result<EventKind, Aside> {
        let Some(word) = self.text(EVENT_TYPE) else { return Ok(EventKind::Purchase) };
        match self.reader.words.meaning(word) {
            Some(Meaning::Kind(kind)) => Ok(kind),
            Some(Meaning::Ignore) => Err(Cause::IgnoredEventType.into()),
            None => {
                let expected = "view, cart, favorite, purchase or return (own words: event_types)";
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
        self.reader.clock.read(text).ok_or_else(|| {
            self.unexpected(TIMESTAMP, "a moment, written like the rest of the column", text)
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
            off += amount.abs();
        }
        let before = paid.unwrap_or(0.0).abs() + off;
        let known = off > 0.0 && paid.is_some();
        Ok((unit_price, if known { (100.0 * off / before).round() as u8 } else { 0 }))
    }

    fn unexpected(self, role: usize, expected: &str, came: &[u8]) -> Aside {
        let came: String = String::from_utf8_lossy(came).chars().take(40).collect();
        debug_assert!(
            ROLES[role].content != Content::PrivateText,
            "a customer's key is never quoted"
        );
        self.offence(role, &format!("expected {expected}, got {came:?}"))
    }

    fn offence(self, role: usize, problem: &str) -> Aside {
        let column = self.reader.slots[role].first().map(|&slot| self.reader.names[slot].clone());
        let offence =
            Offence { line: self.batch.line(self.row), column, problem: problem.to_string() };
        Aside { cause: Cause::Unreadable, offence: Some(offence) }
    }
}

fn present<'a>(table: &'a Table, columns: &'a [usize]) -> impl Iterator<Item = &'a [u8]> {
    columns.iter().flat_map(|&column| table.sample.column(column)).filter(|text| !is_absent(text))
}

/// `17850.0`: a whole number that went through a float, as pandas does where some are missing.
fn is_whole_float(text: &[u8]) -> bool {
    text.strip_suffix(b".0")
        .is_some_and(|digits| !digits.is_empty() && digits.iter().all(u8::is_ascii_digit))
}

fn clock(
    table: &Table,
    column: &[usize],
    zone: &jiff::tz::TimeZone,
    notes: &mut Vec<String>,
) -> Result<Clock> {
    let mut order = DateOrder::of(present(table, column));
    if order.is_unclear() {
        // A sorted file may begin with a thousand rows of 1/2/2024: only all of it can tell.
        table.read(column, |batch| {
            batch.column(0).for_each(|text| order.see(text));
            Ok(())
        })?;
    }
    if order.is_unclear() {
        notes.push(format!(
            "{}: dates like 1/2/2024 are read as month/day/year: none of them says otherwise",
            table.path.display()
        ));
    }
    Ok(Clock::of(present(table, column), order, zone))
}
