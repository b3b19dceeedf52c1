//! What the shop says of its customers: a table with a row per customer.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::roles::{CUSTOMER, ROLES};
use crate::Result;
use crate::tables::{FileColumns, NESTED, Table, detect, is_absent, list_files};

/// By the customer's key: every other column, by its name in the file.
pub type CustomerAttributes = BTreeMap<String, BTreeMap<String, String>>;

/// The attributes of customers from files, folders and patterns, and which columns were taken for what. Of
/// a customer who comes twice the later row counts, column by column; a row without a customer is passed
/// over. `map` names the customer's column by hand: `customer_id = "household"`.
///
/// Errors: a file is missing or damaged, or has no customer column.
pub fn read_attributes(
    paths: &[PathBuf],
    map: &BTreeMap<String, String>,
) -> Result<(CustomerAttributes, Vec<FileColumns>)> {
    let mut attributes = CustomerAttributes::new();
    let mut columns = Vec::new();
    let role = [ROLES[CUSTOMER]];
    for path in list_files(paths)? {
        let table = Table::open(&path)?;
        let detected = detect(&table, &role, map)?;
        detected.require(&table, &role, &["customer_id"])?;
        let key = detected.columns[0][0];
        let all: Vec<usize> = (0..table.names.len()).collect();
        table.read(&all, |batch| {
            for row in 0..batch.len() {
                let Ok(customer) = std::str::from_utf8(batch.field(row, key)) else { continue };
                if is_absent(customer.as_bytes()) {
                    continue;
                }
                let known = attributes.entry(customer.to_owned()).or_default();
                for &column in all.iter().filter(|&&column| column != key) {
                    let value = batch.field(row, column);
                    let value = String::from_utf8_lossy(value);
                    if !is_absent(value.as_bytes())
                        && value != NESTED
                        && !table.names[column].is_empty()
                    {
                        let value = value.into_owned();
                        known.insert(table.names[column].clone(), value);
                    }
                }
            }
            Ok(())
        })?;
        columns.push(detected.report);
    }
    Ok((attributes, columns))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_but_the_customers_key_is_an_attribute() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("people.csv");
        std::fs::write(&path, "household_id,age,income\n1,25-34,50K\n2,,35K\n,9,9\n1,35-44,\n")
            .unwrap();
        let (attributes, columns) = read_attributes(&[path], &BTreeMap::new()).unwrap();
        assert_eq!(attributes.len(), 2);
        assert_eq!(attributes["1"]["age"], "35-44");
        assert_eq!(attributes["1"]["income"], "50K");
        assert!(!attributes["2"].contains_key("age"));
        assert_eq!(columns[0].roles[0].column, "household_id");
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
