//! Files gone wrong: whatever is in them, every row is accounted for, or the file is refused with words.

use std::collections::BTreeMap;
use std::path::Path;

use super::{ReadOptions, Reading, read};
use crate::Result;
use crate::torment::torment;

const CSV: &[u8] =
    b"customer_id,item_id,timestamp,event_type,order_id,quantity,unit_price,discount\n\
    anna,tea,2025-03-01T10:00:00Z,purchase,o1,2,3.50,0.5\nben,cup,2025-03-02 11:30,view,,,,\n\
    anna,tea,1740900000,return,o1,1,3.50,\n";
const SEMICOLONS: &[u8] =
    b"Kunde;Artikel;invoice_date;qty;price\r\n7;\"a;b\";31.12.2024;1,5;1.234,50 \xe2\x82\xac\r\n";
const LINES: &[u8] = br#"{"user_id": 7, "sku": "tea", "ts": 1740900000123, "quantity": 1}
{"user_id": "anna", "sku": "cup", "ts": "2025-03-01", "quantity": null, "more": {"a": [1]}}
"#;
const SESSIONS: &[u8] = b"SessionId\tItemId\tTime\n1\t214\t1396861020\n1\t215\t1396861021.5\n";

/// Reads bytes as a file of this name.
fn read_as(folder: &Path, name: &str, bytes: &[u8], options: &ReadOptions) -> Result<Reading> {
    let path = folder.join(name);
    std::fs::write(&path, bytes).expect("the folder can be written");
    read(&[path], options)
}

/// True if it was read, and every row is accounted for; a refusal says something.
fn adds_up(reading: Result<Reading>) -> bool {
    match reading {
        Err(error) => {
            assert!(error.to_string().len() > 10);
            false
        }
        Ok(Reading { log, account, .. }) => {
            assert_eq!(account.read, account.used + account.set_aside.values().sum::<u64>());
            assert_eq!(account.used, log.events.len() as u64);
            assert!(log.events.is_sorted_by_key(|event| event.at));
            let is_sound = |quantity: f32, price: f32| quantity > 0.0 && price >= 0.0;
            assert!(log.events.iter().all(|event| is_sound(event.quantity, event.unit_price)));
            true
        }
    }
}

fn any_file(target: &str, name: &str, samples: &[&[u8]]) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let options = ReadOptions { max_unreadable_share: 1.0, ..ReadOptions::default() };
    let understood =
        torment(target, samples, |bytes| adds_up(read_as(folder.path(), name, bytes, &options)));
    assert!(understood > 0);
}

#[test]
fn any_csv_is_read_or_refused() {
    any_file("events.csv", "events.csv", &[CSV, SEMICOLONS, SESSIONS]);
}

#[test]
fn any_json_lines_are_read_or_refused() {
    any_file("events.jsonl", "events.jsonl", &[LINES]);
}

#[test]
fn any_parquet_is_read_or_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("sample.parquet");
    let columns = ["customer_id", "item_id", "order_id"];
    let columns: Vec<(&str, arrow_array::ArrayRef)> = columns
        .iter()
        .map(|&name| {
            let column = arrow_array::StringArray::from(vec![Some("a"), None, Some("c")]);
            (name, std::sync::Arc::new(column) as arrow_array::ArrayRef)
        })
        .collect();
    let batch = arrow_array::RecordBatch::try_from_iter(columns).expect("sound columns");
    let file = std::fs::File::create(&path).expect("the folder can be written");
    let mut writer =
        parquet::arrow::ArrowWriter::try_new(file, batch.schema(), None).expect("sound");
    writer.write(&batch).expect("it can be written");
    writer.close().expect("it can be written");
    let sample = std::fs::read(&path).expect("just written");
    any_file("events.parquet", "events.parquet", &[&sample]);
}

/// The first line maps a role to a column, as `--map` does.
#[test]
fn any_map_of_columns_is_followed_or_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mapped = |map: &str| [map.as_bytes(), b"\n", CSV].concat();
    let samples = ["item_id=item_id", "customer_id=order_id", "discount=discount", "nobody=tea"];
    let samples = samples.map(mapped);
    let samples: Vec<&[u8]> = samples.iter().map(Vec::as_slice).collect();
    let understood = torment("columns", &samples, |bytes| {
        let (map, file) = bytes.split_at(bytes.iter().position(|&b| b == b'\n').unwrap_or(0));
        let map = String::from_utf8_lossy(map);
        let map: BTreeMap<String, String> = map
            .split_once('=')
            .map(|(role, column)| (role.into(), column.into()))
            .into_iter()
            .collect();
        let options = ReadOptions { map, max_unreadable_share: 1.0, ..ReadOptions::default() };
        adds_up(read_as(folder.path(), "events.csv", file.trim_ascii_start(), &options))
    });
    assert!(understood > 0);
}
