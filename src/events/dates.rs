//! How the moments of a file are written: above all, whether the day comes first in dates like `1/2/2024`.
//!
//! A file of one day often can't tell, where a shop delivers one every night. Then its other files do, or the shop.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;

use super::ReadOptions;
use super::line::present;
use super::roles::{TIMESTAMP, roles};
use crate::Result;
use crate::tables::{Clock, DateOrder, Table, detect};

/// What is known of the dates of all files of one reading.
pub(super) struct Dates<'a> {
    zone: TimeZone,
    /// What the shop says.
    day_first: Option<bool>,
    map: &'a BTreeMap<String, String>,
    files: &'a [PathBuf],
    /// What the files say together, once one of them says nothing.
    of_all: OnceCell<DateOrder>,
}

impl<'a> Dates<'a> {
    pub(super) fn new(files: &'a [PathBuf], options: &'a ReadOptions) -> Result<Self> {
        let ReadOptions { map, day_first, .. } = options;
        let of_all = OnceCell::new();
        Ok(Self { zone: options.zone()?, day_first: *day_first, map, files, of_all })
    }

    /// Reads the moments of the table's `column`: of one at most.
    pub(super) fn clock(
        &self,
        table: &Table,
        column: &[usize],
        notes: &mut Vec<String>,
    ) -> Result<Clock> {
        let mut order = DateOrder::of(present(table, column));
        let file = table.path.display();
        if order.is_mixed() {
            notes.push(format!(
                "{file}: dates are written in two ways, like 2024-01-31 and 1/31/2024: where a spreadsheet has swapped \
                 day and month in some of them, these are read as they stand"
            ));
        }
        if let Some(day_first) = self.day_first {
            order = DateOrder::told(day_first);
        } else if order.is_unclear() {
            // A sorted file may begin with a thousand rows of 1/2/2024: only all of it can tell.
            table.read(column, |batch| {
                batch.column(0).for_each(|text| order.see(text));
                Ok(())
            })?;
        }
        if order.is_unclear() {
            order = *self.of_all.get_or_init(|| self.look_at_all());
            let written = if order.day_first() { "day/month/year" } else { "month/day/year" };
            let otherwise = match (order.is_unclear(), order.is_divided()) {
                (true, _) => Some("nothing says otherwise"),
                (_, true) => Some("other files say so, but not all"),
                (false, false) => None,
            };
            notes.extend(otherwise.map(|otherwise| {
                format!(
                    "{file}: dates like 1/2/2024 are read as {written}: {otherwise}; the setting events.day_first = true \
                     or false does"
                )
            }));
        }
        Ok(Clock::of(present(table, column), order, &self.zone))
    }

    fn look_at_all(&self) -> DateOrder {
        self.files.iter().fold(DateOrder::default(), |all, file| all.and(self.look_at(file)))
    }

    /// What the first rows of a file say. What can't be opened says nothing: its own reading says why.
    fn look_at(&self, file: &Path) -> DateOrder {
        let order = |table: Table| {
            let columns = detect(&table, &roles(&table.names), self.map)?.columns;
            Ok(DateOrder::of(present(&table, &columns[TIMESTAMP])))
        };
        Table::open(file).and_then(order).unwrap_or_default()
    }
}
