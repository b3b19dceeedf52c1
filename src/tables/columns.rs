//! Which column plays which role: by name first, then by content, and the hand-made map above all.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::moment::is_time_of_day;
use super::{Clock, DateOrder, NESTED, NumberStyle, Table, decoded};
use crate::{Error, Result};

/// What a role's values must look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Names and words: anything.
    Text,
    /// Keys of customers and orders: anything, and never shown.
    PrivateText,
    /// A number.
    Number,
    /// A moment.
    Moment,
    /// Hours and minutes, without a day.
    TimeOfDay,
}

/// Something a column can mean.
#[derive(Clone, Copy, Debug)]
pub struct Role {
    /// The canonical column name.
    pub name: &'static str,
    /// Other names, in tiers: a name of an earlier tier is preferred.
    pub aliases: &'static [&'static [&'static str]],
    /// What its values must look like.
    pub content: Content,
    /// True if several columns may play it together, in the order of their names here.
    pub several: bool,
}

impl Role {
    /// One that a single column plays.
    pub const fn one(
        name: &'static str,
        content: Content,
        aliases: &'static [&'static [&'static str]],
    ) -> Self {
        Self { name, aliases, content, several: false }
    }
}

/// Why a column plays its role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Why {
    /// It bears the canonical name.
    Exact,
    /// It bears another usual name.
    Alias,
    /// `--map` says so.
    Map,
}

impl std::fmt::Display for Why {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Exact => "its name",
            Self::Alias => "a usual name",
            Self::Map => "--map",
        })
    }
}

/// The guess for one role of one file, for the user to check.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RoleColumn {
    /// The role, by its canonical name.
    pub role: String,
    /// The column, as the file names it.
    pub column: String,
    /// Why this one.
    pub why: Why,
    /// Up to three different values; of customers and orders only their shape.
    pub samples: Vec<String>,
}

/// The guess for one file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FileColumns {
    /// The file.
    pub path: std::path::PathBuf,
    /// CSV, TSV, …
    pub format: String,
    /// The roles that were found, in canonical order.
    pub roles: Vec<RoleColumn>,
    /// Columns without a role.
    pub unused: Vec<String>,
}

/// The columns of each role, as positions in the table.
#[derive(Clone, Debug)]
pub struct Detected {
    /// One list per role, in the order the roles were given; empty if no column plays it.
    pub columns: Vec<Vec<usize>>,
    /// The same, for the user.
    pub report: FileColumns,
    /// Columns that bear a role's name but not its content.
    pub notes: Vec<String>,
}

/// Finds the columns of `roles` in `table`; `map` (role → column) overrides names.
///
/// Errors: `map` names an unknown role or column; two columns are equally good for a role.
pub fn detect(table: &Table, roles: &[Role], map: &BTreeMap<String, String>) -> Result<Detected> {
    let mapped = mapped(table, roles, map)?;
    let mut columns = Vec::new();
    let mut found = Vec::new();
    let mut notes = Vec::new();
    for role in roles {
        let (mine, why) = match mapped.get(role.name) {
            Some(&column) => (vec![column], Why::Map),
            None => {
                let by_hand = |at: &usize| mapped.values().any(|column| column == at);
                let mut taken = (Vec::new(), Why::Exact);
                for mut columns in best_first(table, role) {
                    columns.retain(|at| !by_hand(at));
                    taken = by_name(table, role, &columns, &mut notes)?;
                    if !taken.0.is_empty() {
                        break;
                    }
                }
                taken
            }
        };
        found.extend(mine.iter().map(|&column| RoleColumn {
            role: role.name.into(),
            column: table.names[column].clone(),
            why,
            samples: samples(table, column, role.content),
        }));
        columns.push(mine);
    }
    let unused =
        (0..table.names.len()).filter(|at| !columns.iter().flatten().any(|used| used == at));
    let report = FileColumns {
        path: table.path.clone(),
        format: table.format.to_string(),
        roles: found,
        unused: unused.map(|at| table.names[at].clone()).collect(),
    };
    Ok(Detected { columns, report, notes })
}

impl Detected {
    /// Says which columns were taken for a role and hold nothing, as far as `table` has been looked at.
    pub fn silent(&self, table: &Table) -> Option<String> {
        let taken = self.columns.iter().flatten().filter(|column| table.is_silent(**column));
        let names: Vec<String> = taken.map(|&column| table.names[column].clone()).collect();
        (!names.is_empty() && !table.sample.is_empty())
            .then(|| format!("{}: no row has a value in {}", table.path.display(), listed(&names)))
    }

    /// Errors: none of the roles called `names` has a column.
    pub fn require(&self, table: &Table, roles: &[Role], names: &[&str]) -> Result<()> {
        let remedy = format!("To name the column by hand: --map {}=COLUMN", names[0]);
        self.require_or(table, roles, names, &remedy)
    }

    /// The same, with another remedy.
    pub fn require_or(
        &self,
        table: &Table,
        roles: &[Role],
        names: &[&str],
        remedy: &str,
    ) -> Result<()> {
        let wanted =
            || roles.iter().zip(&self.columns).filter(|(role, _)| names.contains(&role.name));
        if wanted().any(|(_, columns)| !columns.is_empty()) {
            return Ok(());
        }
        let looked_for: Vec<String> = wanted()
            .map(|(role, _)| format!("{} (or {})", role.name, role.aliases.concat().join(", ")))
            .collect();
        let is_foreign = self.columns.iter().all(Vec::is_empty);
        let has_digit = |name: &String| name.contains(|letter: char| letter.is_ascii_digit());
        let is_headless = looks_like_data(table) || is_foreign && table.names.iter().any(has_digit);
        Err(Error::Input(format!(
            "{}: no column for {}. Looked for {}; {}{} {remedy}",
            table.path.display(),
            names.join(" or "),
            looked_for.join("; "),
            there_are(table, is_headless),
            nested(table),
        )))
    }
}

/// A word on columns in which whole objects stand, as the items of an order do in some exports.
fn nested(table: &Table) -> String {
    let is_nested = |column: &usize| {
        let mut values = table.sample.column(*column);
        values.any(|value| value == NESTED.as_bytes())
    };
    let nested: Vec<String> = (0..table.names.len())
        .filter(is_nested)
        .map(|column| table.names[column].clone())
        .collect();
    match nested.as_slice() {
        [] => String::new(),
        nested => format!(
            " Objects stand in {}: give each of them a row of its own (UNNEST in BigQuery, explode elsewhere).",
            listed(nested)
        ),
    }
}

/// True for a value that says "nothing" in the way of some export: empty, NULL, nan, None, NA, \N.
pub fn is_absent(text: &[u8]) -> bool {
    match text.len() {
        0 => true,
        2 => text == b"\\N" || text.eq_ignore_ascii_case(b"na"),
        3 => text.eq_ignore_ascii_case(b"nan") || text.eq_ignore_ascii_case(b"n/a"),
        4 => [b"null".as_slice(), b"none", b"<na>"]
            .iter()
            .any(|word| text.eq_ignore_ascii_case(word)),
        _ => false,
    }
}

/// True if all of these keys are whole numbers that went through a float, as `17850.0`: pandas does it where some
/// are missing.
pub fn are_whole_floats<'a>(keys: impl Iterator<Item = &'a [u8]>) -> bool {
    let is_whole = |key: &[u8]| {
        let digits = key.strip_suffix(b".0");
        digits.is_some_and(|digits| !digits.is_empty() && digits.iter().all(u8::is_ascii_digit))
    };
    let mut keys = keys.peekable();
    keys.peek().is_some() && keys.all(is_whole)
}

fn mapped<'a>(
    table: &Table,
    roles: &[Role],
    map: &'a BTreeMap<String, String>,
) -> Result<BTreeMap<&'a str, usize>> {
    let mut mapped = BTreeMap::new();
    for (role, column) in map {
        if !roles.iter().any(|known| known.name == role) {
            let known: Vec<&str> = roles.iter().map(|role| role.name).collect();
            return Err(Error::Config(format!(
                "--map {role}={column}: no such role; there are: {}",
                known.join(", ")
            )));
        }
        let alike: Vec<usize> =
            (0..table.names.len()).filter(|&at| plain(&table.names[at]) == plain(column)).collect();
        let exact: Vec<usize> =
            alike.iter().copied().filter(|&at| table.names[at] == *column).collect();
        match (exact.as_slice(), alike.as_slice()) {
            ([one], _) | ([], [one]) => mapped.insert(role.as_str(), *one),
            ([], []) => {
                return Err(Error::Input(format!(
                    "{}: --map {role}={column}: no such column; {}",
                    table.path.display(),
                    there_are(table, looks_like_data(table))
                )));
            }
            _ => return Err(tie(table, role, &alike)),
        };
    }
    Ok(mapped)
}

/// The columns in which a role's name is looked for, set by set: an empty column takes no role from a full one, a name
/// that comes but late none from one that is there from the start, and a folder's name none from the file.
fn best_first(table: &Table, role: &Role) -> Vec<Vec<usize>> {
    let in_file = table.in_file().end;
    let late = (table.sampled..in_file).collect();
    let of_place = (in_file..table.names.len()).collect();
    if role.several {
        return vec![(0..table.sampled).collect(), late, of_place];
    }
    let (silent, full) = (0..table.sampled).partition(|&column| table.is_silent(column));
    vec![full, silent, late, of_place]
}

fn by_name(
    table: &Table,
    role: &Role,
    free: &[usize],
    notes: &mut Vec<String>,
) -> Result<(Vec<usize>, Why)> {
    let bearing = |names: &[&str]| -> Vec<usize> {
        let alike = |name: &&str, at: &usize| plain(&table.names[*at]) == plain(name);
        let mut bearing = Vec::new();
        for column in names.iter().flat_map(|name| free.iter().filter(move |at| alike(name, at))) {
            // Two names may be the same but for marks between their words.
            if !bearing.contains(column) {
                bearing.push(*column);
            }
        }
        bearing
    };
    let exact = bearing(&[role.name]);
    if role.several {
        let mut all: Vec<usize> = role.aliases.iter().flat_map(|tier| bearing(tier)).collect();
        if !exact.iter().all(|column| all.contains(column)) {
            all.splice(0..0, exact.iter().copied()); // first, unless the aliases give it another place
        }
        all.retain(|&column| fits(table, role, column, Why::Alias, notes));
        return Ok((all, if exact.is_empty() { Why::Alias } else { Why::Exact }));
    }
    let tiers = role.aliases.iter().map(|tier| (bearing(tier), Why::Alias));
    for (mut candidates, why) in std::iter::once((exact, Why::Exact)).chain(tiers) {
        candidates.retain(|&column| fits(table, role, column, why, notes));
        let good: Vec<usize> = candidates
            .iter()
            .copied()
            .filter(|&column| fit(table, role.content, column) > 0.5)
            .collect();
        match (good.as_slice(), candidates.as_slice()) {
            ([one], _) | ([], [one]) => return Ok((vec![*one], why)),
            ([], []) => {}
            _ => return Err(tie(table, role.name, &candidates)),
        }
    }
    Ok((Vec::new(), Why::Exact))
}

/// Whether the content speaks against a column: the canonical name and a moment's name are trusted (bad
/// values are then unreadable rows), another number's name is not, nor that of a time of day.
fn fits(table: &Table, role: &Role, column: usize, why: Why, notes: &mut Vec<String>) -> bool {
    let doubtful = match role.content {
        Content::TimeOfDay => true, // whole moments bear such names, too
        Content::Number => why == Why::Alias && !table.is_silent(column),
        Content::Text | Content::PrivateText | Content::Moment => false,
    };
    let fits = !doubtful || fit(table, role.content, column) > 0.1;
    if !fits && role.content == Content::Number {
        notes.push(format!(
            "{}: column {:?} is named like {} but holds no numbers: left out",
            table.path.display(),
            table.names[column],
            role.name
        ));
    }
    fits
}

/// Share of the sample that is what the role needs: non-empty, and a number or a moment.
fn fit(table: &Table, content: Content, column: usize) -> f64 {
    let is_good = reads(table, content, column);
    let present = table.sample.column(column).filter(|value| !is_absent(value));
    present.filter(|value| is_good(value)).count() as f64 / table.sample.len().max(1) as f64
}

/// Tells what the role needs, written as the column writes it.
fn reads(table: &Table, content: Content, column: usize) -> impl Fn(&[u8]) -> bool {
    let present = || table.sample.column(column).filter(|value| !is_absent(value));
    let style = (content == Content::Number).then(|| NumberStyle::of(present()));
    let clock = (content == Content::Moment)
        .then(|| Clock::of(present(), DateOrder::of(present()), &TimeZone::UTC));
    move |value| {
        (content != Content::TimeOfDay || is_time_of_day(value))
            && style.as_ref().is_none_or(|style| style.read(value).is_some())
            && clock.as_ref().is_none_or(|clock| clock.read(value).is_some())
    }
}

fn tie(table: &Table, role: &str, columns: &[usize]) -> Error {
    let names: Vec<String> = columns.iter().map(|&at| table.names[at].clone()).collect();
    Error::Input(format!(
        "{}: columns {} are equally good for {role}. To choose one: --map {role}=COLUMN",
        table.path.display(),
        listed(&names)
    ))
}

fn samples(table: &Table, column: usize, content: Content) -> Vec<String> {
    let is_good = reads(table, content, column);
    let mut samples: Vec<String> = Vec::new();
    for value in table.sample.column(column).filter(|value| !is_absent(value)) {
        let text = decoded(value);
        let shown = match content {
            Content::PrivateText => masked(&text),
            _ if !is_good(value) => outline(value),
            _ => text.chars().take(40).collect(),
        };
        if !samples.contains(&shown) {
            samples.push(shown);
        }
        if samples.len() == 3 {
            break;
        }
    }
    samples
}

/// The shape of a key that must not be shown: `1…0 (5 characters)`.
fn masked(key: &str) -> String {
    let length = key.chars().count();
    match (key.chars().next(), key.chars().next_back()) {
        (Some(first), Some(last)) if length >= 5 => format!("{first}…{last} ({length} characters)"),
        _ => format!("… ({length} characters)"),
    }
}

/// How a field is written that can't be read, with 9 for every digit and x for every letter: where columns are
/// shifted, it may be a customer's key.
fn outline(field: &[u8]) -> String {
    let outlined = |letter: char| match letter {
        _ if letter.is_numeric() => '9',
        _ if letter.is_alphabetic() => 'x',
        _ => letter,
    };
    String::from_utf8_lossy(field).chars().take(40).map(outlined).collect()
}

/// A field for a message that says what was expected instead: a word as it stands, if `is_word` and it is one, all
/// else by how it is written.
pub fn quoted(field: &[u8], is_word: bool) -> String {
    let is_letter = |byte: &u8| byte.is_ascii_alphabetic() || b" _-".contains(byte);
    let is_code = field.len() <= 2 && field.iter().all(u8::is_ascii_digit);
    match is_word && (is_code || field.iter().all(is_letter)) {
        true => format!("{:?}", String::from_utf8_lossy(field)),
        false => format!("what is written like {:?}", outline(field)),
    }
}

/// A name without case, spaces, `_`, `-`, `.` and `?`; an umlaut is the two letters that stand for it elsewhere.
fn plain(name: &str) -> String {
    let letters =
        name.chars().filter(|letter| !letter.is_whitespace() && !"_-.?".contains(*letter));
    let lower = letters.flat_map(char::to_lowercase).collect::<String>();
    lower.replace('ä', "ae").replace('ö', "oe").replace('ü', "ue").replace('ß', "ss")
}

fn listed(names: &[String]) -> String {
    match names.len() {
        0..=30 => names.join(", "),
        more => format!("{}, … ({more} in all)", names[..30].join(", ")),
    }
}

/// The file's columns, unless their names are somebody's first event, who is not to be named.
fn there_are(table: &Table, is_headless: bool) -> String {
    if is_headless {
        return format!(
            "the file has {} columns, and its first line looks like data: does it lack its header line?",
            table.names.len()
        );
    }
    format!("the file has: {}.", listed(&table.names))
}

fn looks_like_data(table: &Table) -> bool {
    let is_value = |name: &String| {
        let text = name.as_bytes();
        let one = || std::iter::once(text);
        name.is_empty()
            || name.contains('@')
            || NumberStyle::Point.read(text).is_some()
            || Clock::of(one(), DateOrder::of(one()), &TimeZone::UTC).read(text).is_some()
    };
    table.names.iter().any(is_value)
}
