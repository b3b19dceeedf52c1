//! What the shop says of its customers: a table with a row per customer.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::roles::{CUSTOMER, ROLES};
use crate::Result;
use crate::tables::{
    Decoder, FileColumns, NESTED, Table, are_whole_floats, detect, is_absent, left_out, list_files,
};

/// By the customer's key: every other column, by its name in the file.
pub type CustomerAttributes = BTreeMap<String, BTreeMap<String, String>>;

/// What is said of customers, and how it came about.
#[derive(Clone, Debug, Default)]
pub struct AttributesReading {
    /// What is said.
    pub attributes: CustomerAttributes,
    /// Which column was taken for what, file by file.
    pub columns: Vec<FileColumns>,
    /// What the user should know and may want to mend. No customer's key is in them.
    pub notes: Vec<String>,
}

/// The attributes of customers from files, folders and patterns. Of a customer who comes twice the later row
/// counts, column by column; a row without a customer is passed over. `map` names the customer's column by hand,
/// in files that have it: `customer_id = "household"`.
///
/// Errors: a file is missing or damaged, or has no customer column.
pub fn read_attributes(
    paths: &[PathBuf],
    map: &BTreeMap<String, String>,
) -> Result<AttributesReading> {
    let mut reading = AttributesReading::default();
    for path in list_files(paths)? {
        read_file(&path, map, &mut reading)?;
    }
    Ok(reading)
}

fn read_file(
    path: &Path,
    map: &BTreeMap<String, String>,
    reading: &mut AttributesReading,
) -> Result<()> {
    let role = [ROLES[CUSTOMER]];
    let table = Table::open(path)?;
    let own = map.iter().filter(|(_, column)| table.names.contains(column));
    let own = own.map(|(role, column)| (role.clone(), column.clone())).collect();
    let detected = detect(&table, &role, &own)?;
    detected.require_or(&table, &role, &["customer_id"], "Call the column customer_id.")?;
    let key = detected.columns[0][0];
    let are_floats =
        are_whole_floats(table.sample.column(key).filter(|customer| !is_absent(customer)));
    let all: Vec<usize> = (0..table.names.len()).collect();
    let (mut unreadable, mut first, words) = (0, None, Decoder::default());
    table.read(&all, |batch| {
        for broken in &batch.broken {
            unreadable += broken.rows;
            first.get_or_insert_with(|| format!("line {}: {}", broken.line, broken.problem));
        }
        for row in 0..batch.len() {
            let Ok(customer) = std::str::from_utf8(batch.field(row, key)) else { continue };
            if is_absent(customer.as_bytes()) || customer == NESTED {
                continue;
            }
            let whole = if are_floats { customer.strip_suffix(".0") } else { None };
            let known = reading.attributes.entry(whole.unwrap_or(customer).to_owned()).or_default();
            for column in table.in_file().filter(|&column| column != key) {
                let (name, value) = (&table.names[column], batch.field(row, column));
                if !is_absent(value) && value != NESTED.as_bytes() && !name.is_empty() {
                    known.insert(name.clone(), words.text(value).into_owned());
                }
            }
        }
        Ok(())
    })?;
    reading.notes.extend(words.note(path));
    reading.notes.extend(first.map(|first| left_out(path, unreadable, first)));
    reading.columns.push(detected.report);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_but_the_customers_key_is_an_attribute() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("people.csv");
        std::fs::write(
            &path,
            "household_id,age,income\n1.0,25-34,50K\n2.0,,35K\n,9,9\n1.0,35-44,\n",
        )
        .unwrap();
        let reading = read_attributes(&[path], &BTreeMap::new()).unwrap();
        let AttributesReading { attributes, columns, notes } = reading;
        assert!(notes.is_empty(), "{notes:?}");
        assert_eq!(attributes.len(), 2);
        assert_eq!(attributes["1"]["age"], "35-44");
        assert_eq!(attributes["1"]["income"], "50K");
        assert!(!attributes["2"].contains_key("age"));
        assert_eq!(columns[0].roles[0].column, "household_id");
    }

    #[test]
    fn rows_of_another_width_are_left_out_and_said_without_a_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("people.csv");
        std::fs::write(&path, "customer_id,age\nanna,25\nbert,Mr,40\nclara\ndora,50\n").unwrap();
        let reading = read_attributes(&[path], &BTreeMap::new()).unwrap();
        assert_eq!(reading.attributes.len(), 2);
        let [note] = &reading.notes[..] else { panic!("{:?}", reading.notes) };
        let told =
            "2 rows can't be read, and are left out; the first: line 3: expected 2 columns, got 3";
        assert!(note.contains(told) && !note.contains("bert"), "{note}");
    }

    #[test]
    fn what_names_the_customers_column_of_the_events_is_let_be_where_there_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("people.csv");
        std::fs::write(&path, "customer_id,Household,age\nanna,h1,25\n").unwrap();
        let known = |column: &str| {
            let map = [("customer_id".to_owned(), column.to_owned())].into();
            let reading = read_attributes(std::slice::from_ref(&path), &map).unwrap();
            reading.attributes.into_keys().collect::<Vec<_>>()
        };
        assert_eq!([known("Household"), known("Buyer")], [["h1"], ["anna"]]);
    }

    #[test]
    fn a_table_without_customers_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("people.csv");
        std::fs::write(&path, "age,income\n25-34,50K\n").unwrap();
        let error = read_attributes(&[path], &BTreeMap::new()).unwrap_err().to_string();
        assert!(error.contains("customer_id"), "{error}");
    }
}
