//! From files to a checked log.

use std::path::{Path, PathBuf};

use super::account::FileAccount;
use super::check;
use super::dates::Dates;
use super::delivered::Delivered;
use super::goods::Said;
use super::keys::Keys;
use super::kinds::Words;
use super::line::{Above, Aside, FileReader, Offence};
use super::row::Row;
use super::told::Told;
use super::{Account, Cause, Event, EventKind, EventLog, ReadOptions};
use crate::error::counted;
use crate::ids::{DenseId, GroupId, Interner};
use crate::tables::{FileColumns, Table, left_out, list_files};
use crate::{Error, Result};

/// A refusal shows so many of a file's bad rows.
const OFFENCES_SHOWN: usize = 5;

/// A log, and how it came about.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// What happened.
    pub log: EventLog,
    /// What became of every row.
    pub account: Account,
    /// Which column was taken for what, file by file.
    pub columns: Vec<FileColumns>,
    /// What the user should know and may want to mend. No customer's key is in them.
    pub notes: Vec<String>,
}

/// Reads, checks and sorts the events of files, folders and patterns.
///
/// The result is the same whatever the format of the files, and on any number of threads.
///
/// Errors: a file is missing, damaged or without rows; a needed column is missing or ambiguous
/// ([`Error::Input`]); too many rows of a file are unreadable ([`Error::Refused`]).
pub fn read(paths: &[PathBuf], options: &ReadOptions) -> Result<Reading> {
    Ok(intake(paths, options)?.finish(true)?.0)
}

/// The same, as it was told: for who looks at the past as it was.
pub fn read_as_told(paths: &[PathBuf], options: &ReadOptions) -> Result<Told> {
    let (Reading { log, notes, .. }, groups) = intake(paths, options)?.finish(false)?;
    Ok(Told { log, groups, notes })
}

fn intake<'a>(paths: &[PathBuf], options: &'a ReadOptions) -> Result<Intake<'a>> {
    options.check()?;
    let mut intake = Intake::new(options)?;
    let files = list_files(paths)?;
    let dates = Dates::new(&files, options)?;
    for path in &files {
        intake.read_file(path, &dates)?;
    }
    Ok(intake)
}

/// The shop's own keys of orders and sessions.
#[derive(Clone, Debug, Default)]
pub struct GroupKeys(Interner<GroupId>);

impl GroupKeys {
    /// The order's or session's key; empty if the log came without.
    pub fn key(&self, group: GroupId) -> &str {
        // One letter in front tells orders from sessions.
        let is_known = group.index() < self.0.len();
        if is_known { self.0.key(group).get(1..).unwrap_or_default() } else { "" }
    }
}

/// Everything read so far.
struct Intake<'a> {
    options: &'a ReadOptions,
    words: Words,
    keys: Keys,
    /// By item; shorter than the items if nothing is said of the last.
    said: Vec<Said>,
    rows: Vec<Row>,
    /// Where the rows of each file end.
    ends: Vec<usize>,
    delivered: Delivered,
    account: Account,
    columns: Vec<FileColumns>,
    notes: Vec<String>,
    timed: Option<bool>,
    /// Files with rows and no column for customers.
    nobodys: Vec<PathBuf>,
}

impl<'a> Intake<'a> {
    fn new(options: &'a ReadOptions) -> Result<Self> {
        Ok(Self {
            options,
            words: Words::with(&options.event_types)?,
            keys: Keys::default(),
            said: Vec::new(),
            rows: Vec::new(),
            ends: Vec::new(),
            delivered: Delivered::default(),
            account: Account::default(),
            columns: Vec::new(),
            notes: Vec::new(),
            timed: None,
            nobodys: Vec::new(),
        })
    }

    fn read_file(&mut self, path: &Path, dates: &Dates<'_>) -> Result<()> {
        let mut table = Table::open(path)?;
        let reader = FileReader::new(&mut table, self.options, dates, &self.words)?;
        self.notes.extend(reader.notes.iter().cloned());
        self.columns.push(reader.report.clone());
        let first = self.rows.len();
        // Untouched memory costs nothing, and growing needs old and new at once. It is a guess: no harm if it is too much.
        let _ = self.rows.try_reserve(table.about_rows());
        let mut file = FileAccount { path: path.to_path_buf(), ..FileAccount::default() };
        let mut offences = Vec::new();
        let (mut goods, mut above) = (reader.goods(), Above::default());
        table.read(&reader.selected, |batch| {
            for broken in &batch.broken {
                file.read += broken.rows;
                file.unreadable += broken.rows;
                self.account.set_aside(Cause::Unreadable, broken.rows);
                offences.push(Offence {
                    line: broken.line,
                    column: None,
                    problem: broken.problem.clone(),
                });
            }
            for (line, row) in reader.rows(batch, &mut self.keys, &mut above).enumerate() {
                file.read += 1;
                match row {
                    Ok(row) => {
                        goods.hear(batch, line, row.item);
                        self.rows.push(row);
                    }
                    Err(Aside { cause, offence }) => {
                        self.account.set_aside(cause, 1);
                        file.unreadable += u64::from(offence.is_some());
                        offences.extend(offence.filter(|_| offences.len() < OFFENCES_SHOWN));
                    }
                }
            }
            offences.truncate(OFFENCES_SHOWN);
            Ok(())
        })?;
        let rows = &mut self.rows[first..];
        // Visits of which a few are by somebody known are visits all the same.
        let is_of_buyer = |row: &&Row| row.customer.is_some() || self.keys.is_order(row.group);
        if !reader.has_event_type && rows.iter().filter(is_of_buyer).count() * 2 < rows.len() {
            rows.iter_mut().for_each(|row| row.kind = EventKind::View);
        }
        self.refuse_if_unreadable(&file, &offences)?;
        self.notes.extend(goods.tell(&mut self.said, &reader.texts, path));
        self.notes.extend(reader.texts.note(path));
        if let Some(first) = offences.first() {
            self.notes.push(left_out(path, file.unreadable, first));
        }
        if file.read == 0 {
            self.notes.push(format!("{}: a header and no rows", path.display()));
        } else {
            self.nobodys.extend((!reader.has_customer).then(|| path.to_path_buf()));
            self.same_time(path, reader.is_timed)?;
        }
        self.account.read += file.read;
        self.account.files.push(file);
        if let Some(same) = self.delivered.before(path, &self.rows[first..]) {
            let again = self.rows.len() - first;
            self.rows.truncate(first);
            self.account.set_aside(Cause::Duplicate, again as u64);
            self.notes.push(format!(
                "{} holds the very rows of {}: a file delivered twice; its {again} rows count once",
                path.display(),
                same.display()
            ));
        }
        self.ends.push(self.rows.len());
        Ok(())
    }

    fn refuse_if_unreadable(&self, file: &FileAccount, offences: &[Offence]) -> Result<()> {
        if file.unreadable as f64 <= self.options.max_unreadable_share * file.read as f64 {
            return Ok(());
        }
        let shown: Vec<String> = offences.iter().map(|offence| format!("\n  {offence}")).collect();
        Err(Error::Refused(format!(
            "{}: {} of {} rows can't be read ({:.1} %, at most {:.1} % are let pass); the first:{}\n\
             Mend the file, name columns with --map role=COLUMN, or raise events.max_unreadable_share.",
            file.path.display(),
            file.unreadable,
            file.read,
            100.0 * file.unreadable as f64 / file.read as f64,
            100.0 * self.options.max_unreadable_share,
            shown.concat(),
        )))
    }

    fn same_time(&mut self, path: &Path, timed: bool) -> Result<()> {
        if *self.timed.get_or_insert(timed) == timed {
            return Ok(());
        }
        Err(Error::Input(format!(
            "{}: {} a timestamp column, unlike the files before it: train on files that all have one, or none",
            path.display(),
            if timed { "has" } else { "lacks" }
        )))
    }

    /// A log without customers is as it is; a file without them beside others is likely to name its column otherwise.
    fn note_nobodys(&mut self) {
        if let Some((first, more)) = self.nobodys.split_first()
            && !self.keys.customers.is_empty()
        {
            let more = match more.len() as u64 {
                0 => String::new(),
                more => format!(" and {}", counted(more, "more file")),
            };
            self.notes.push(format!(
                "{}{more}: no column for customer_id, unlike other files: these events are nobody's",
                first.display()
            ));
        }
    }

    fn finish(mut self, takes_returned: bool) -> Result<(Reading, GroupKeys)> {
        if self.account.read == 0 {
            return Err(Error::Input(
                "the events have headers and no rows: nothing to learn from".into(),
            ));
        }
        let timed = self.timed.unwrap_or(false);
        self.note_nobodys();
        let mut rows = check::checked(
            self.rows,
            &self.ends,
            &mut self.keys,
            timed,
            self.options,
            &mut self.account,
            &mut self.notes,
        )?;
        if takes_returned {
            check::take_returned(&mut rows, &mut self.account);
        }
        self.account.used = rows.len() as u64;
        let log = log(rows, &self.keys, self.said, timed);
        let Self { account, columns, notes, keys, .. } = self;
        Ok((Reading { log, account, columns, notes }, GroupKeys(keys.groups)))
    }
}

/// The rows as a log of their own ids, given out in the order of first sight.
fn log(rows: Vec<Row>, keys: &Keys, mut said: Vec<Said>, timed: bool) -> EventLog {
    let mut items = Renumbered::new(&keys.items);
    let mut customers = Renumbered::new(&keys.customers);
    let titles = keys.titles.most_frequent(&rows, keys.items.len());
    // Taken by value, so that an event takes the place of its row and the two logs never coexist.
    let events = rows
        .into_iter()
        .map(|row| Event {
            at: row.at,
            customer: row.customer.map(|customer| customers.id(customer)),
            item: items.id(row.item),
            group: row.group,
            quantity: row.quantity,
            unit_price: row.unit_price.told().unwrap_or(0.0),
            kind: row.kind,
            discount_percent: row.discount_percent,
        })
        .collect();
    said.resize(keys.items.len(), Said::default());
    let mut of_items = vec![Said::default(); items.new.len()];
    for ((new, title), said) in items.ids.iter().zip(titles).zip(said) {
        if let Some(new) = new {
            of_items[new.index()] = Said { title: title.map(str::to_owned), ..said };
        }
    }
    if of_items.iter().all(|said| *said == Said::default()) {
        of_items = Vec::new();
    }
    EventLog {
        events,
        items: items.new.into(),
        customers: customers.new.into(),
        said: of_items.into(),
        timed,
    }
}

/// Ids of those keys only that are in use.
struct Renumbered<'a, Id> {
    old: &'a Interner<Id>,
    new: Interner<Id>,
    ids: Vec<Option<Id>>,
}

impl<'a, Id: DenseId> Renumbered<'a, Id> {
    fn new(old: &'a Interner<Id>) -> Self {
        Self { old, new: Interner::new(), ids: vec![None; old.len()] }
    }

    fn id(&mut self, old: Id) -> Id {
        *self.ids[old.index()].get_or_insert_with(|| self.new.intern(self.old.key(old)))
    }
}
