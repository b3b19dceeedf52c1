//! Files as shops send them, and as accidents leave them: a clear error or a counted row, never a panic.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use cartwright::catalog;
use cartwright::customers::{Cadence, HistoryOptions, Pasts};
use cartwright::events::{
    Cause, Event, EventKind, ReadOptions, Reading, baskets, read, sessions, steps,
};
use cartwright::ids::CustomerId;
use cartwright::{Error, Result};
use proptest::prelude::*;

const HEADER: &str = "customer_id,item_id,timestamp,event_type,order_id,quantity,unit_price";

/// Reads one file of these bytes.
fn read_bytes(name: &str, bytes: &[u8], options: &ReadOptions) -> Result<Reading> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    read(&[path], options)
}

fn read_csv(text: &str) -> Result<Reading> {
    read_bytes("events.csv", text.as_bytes(), &ReadOptions::default())
}

/// Rows under the canonical header.
fn read_rows(rows: &[&str]) -> Reading {
    read_csv(&format!("{HEADER}\n{}\n", rows.join("\n"))).unwrap()
}

fn lenient() -> ReadOptions {
    ReadOptions { max_unreadable_share: 1.0, ..ReadOptions::default() }
}

fn set_aside(reading: &Reading) -> Vec<(Cause, u64)> {
    reading.account.set_aside.iter().map(|(cause, rows)| (*cause, *rows)).collect()
}

/// Everything that is known of an event, in the shop's own keys.
fn told(reading: &Reading) -> Vec<String> {
    let log = &reading.log;
    let line = |event: &Event| {
        let customer = event.customer.map(|customer| log.customers.key(customer));
        let Event { at, group, quantity, unit_price, kind, discount_percent, .. } = event;
        let item = log.items.key(event.item);
        format!(
            "{at} {customer:?} {item} {group:?} {kind:?} {quantity} x {unit_price} -{discount_percent}%"
        )
    };
    log.events.iter().map(line).collect()
}

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zst(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).unwrap()
}

fn utf16(text: &str, encode: fn(u16) -> [u8; 2]) -> Vec<u8> {
    std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(encode).collect()
}

/// A small shop's week as rows of text.
fn week() -> Vec<[String; 7]> {
    let row = |i: usize| {
        let kind = ["view", "cart", "purchase", "purchase"][i % 4];
        let order = if kind == "purchase" { format!("{}", 5000 + i / 8) } else { String::new() };
        let customer = if i.is_multiple_of(11) && kind == "purchase" {
            String::new()
        } else {
            format!("{}", i % 7)
        };
        let moment = format!("2024-03-{:02} 10:{:02}:00", 1 + i / 60, i % 60);
        [
            customer,
            format!("tea {}", i % 13),
            moment,
            kind.into(),
            order,
            format!("{}", 1 + i % 3),
            format!("{}.5", i % 9),
        ]
    };
    (0..300).map(row).collect()
}

fn delimited(rows: &[[String; 7]], mark: &str) -> Vec<u8> {
    let header = HEADER.replace(',', mark);
    let lines: Vec<String> = rows.iter().map(|row| row.join(mark)).collect();
    format!("{header}\n{}\n", lines.join("\n")).into_bytes()
}

fn json_lines(rows: &[[String; 7]]) -> Vec<u8> {
    let line = |row: &[String; 7]| {
        let [customer, item, moment, kind, order, quantity, price] = row;
        let customer: Option<u64> = customer.parse().ok();
        serde_json::json!({
            "customer_id": customer, "item_id": item, "timestamp": moment, "event_type": kind, "order_id": order,
            "quantity": quantity.parse::<u64>().unwrap(), "unit_price": price.parse::<f64>().unwrap(), "more": {"x": [1]},
        })
        .to_string()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n").into_bytes()
}

fn parquet(rows: &[[String; 7]]) -> Vec<u8> {
    let texts = |column: usize| -> ArrayRef {
        let texts =
            rows.iter().map(|row| Some(row[column].as_str()).filter(|text| !text.is_empty()));
        Arc::new(texts.collect::<StringArray>())
    };
    let numbers = |column: usize| -> ArrayRef {
        let numbers = rows.iter().map(|row| row[column].parse::<f64>().ok());
        Arc::new(numbers.collect::<Float64Array>())
    };
    let moments = arrow_cast::cast(
        &texts(2),
        &arrow_schema::DataType::Timestamp(arrow_schema::TimeUnit::Microsecond, None),
    );
    let batch = RecordBatch::try_from_iter_with_nullable([
        ("customer_id", numbers(0), true), // as pandas does where some are missing: 3.0
        ("item_id", texts(1), true),
        ("timestamp", moments.unwrap(), true),
        ("event_type", texts(3), true),
        ("order_id", texts(4), true),
        ("quantity", numbers(5), true),
        ("unit_price", numbers(6), true),
    ])
    .unwrap();
    in_parquet(&batch)
}

fn in_parquet(batch: &RecordBatch) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer =
        parquet::arrow::ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
    bytes
}

/// The same week in every format and packing.
fn formats() -> Vec<(&'static str, Vec<u8>)> {
    let week = week();
    let csv = delimited(&week, ",");
    let text = String::from_utf8(csv.clone()).unwrap();
    vec![
        ("a.csv", csv.clone()),
        ("b.tsv", delimited(&week, "\t")),
        ("c.csv", delimited(&week, ";")),
        ("d.csv", delimited(&week, "|")),
        ("e.csv.gz", gz(&csv)),
        ("f.csv.zst", zst(&csv)),
        ("g.csv", [b"\xef\xbb\xbf".as_slice(), &csv].concat()),
        ("h.csv", utf16(&text, u16::to_le_bytes)),
        ("i.csv", utf16(&text, u16::to_be_bytes)),
        ("j.csv", text.replace('\n', "\r\n").into_bytes()),
        ("k.jsonl", json_lines(&week)),
        ("l.ndjson.gz", gz(&json_lines(&week))),
        ("m.parquet", parquet(&week)),
        ("n.txt", gz(&csv)),
        ("o.csv", [b"\xef\xbb\xbfsep=;\r\n".as_slice(), &delimited(&week, ";")].concat()),
    ]
}

#[test]
fn every_format_gives_the_identical_log() {
    let mut readings = Vec::new();
    for (name, bytes) in formats() {
        let reading = read_bytes(name, &bytes, &ReadOptions::default());
        readings.push((name, reading.unwrap_or_else(|error| panic!("{name}: {error}"))));
    }
    let (_, first) = &readings[0];
    assert_eq!(first.account.read, 300);
    for (name, reading) in &readings {
        assert_eq!(told(reading), told(first), "{name}");
        assert_eq!(reading.account.set_aside, first.account.set_aside, "{name}");
    }
}

#[test]
fn what_only_the_folders_of_a_file_tell_is_a_column_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let put = |path: &str, bytes: &[u8]| {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    };
    put("dt=2024-03-01/event_type=purchase/0.csv", b"customer_id,item_id\nc,a\n");
    put("dt=2024-03-02/event_type=view/0.csv", b"customer_id,item_id\nc,b\n");
    put("dt=2024-03-03/event_type=view/0.jsonl", br#"{"customer_id": "c", "item_id": "d"}"#);
    put("dt=2024-03-04/event_type=view/0.csv", b"customer_id,item_id,action\nc,e,purchase\n");
    let customers: ArrayRef = Arc::new(StringArray::from(vec!["c"]));
    let items: ArrayRef = Arc::new(StringArray::from(vec!["f"]));
    let columns = [("customer_id", customers), ("item_id", items)];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    put("dt=2024-03-05/event_type=view/0.parquet", &in_parquet(&batch));
    put("dt=2024-03-06/customer_id=d/0.parquet", &in_parquet(&batch));
    let long = "c,g,\n".repeat(1500); // an order's key comes but late
    put(
        "dt=2024-03-07/event_type=cart/0.csv",
        format!("customer_id,item_id,order_id\n{long}c,h,9\n").as_bytes(),
    );

    let reading = read(&[folder.path().to_path_buf()], &ReadOptions::default()).unwrap();
    let log = &reading.log;
    let line = |event: &Event| {
        let item = log.items.key(event.item);
        format!("{} {item} {:?}", &event.at.to_string()[..10], event.kind)
    };
    let mut lines: Vec<_> = log.events.iter().map(line).collect();
    lines.dedup();
    assert_eq!(
        lines,
        [
            "2024-03-01 a Purchase",
            "2024-03-02 b View",
            "2024-03-03 d View",
            "2024-03-04 e Purchase", // the file knows better
            "2024-03-05 f View",
            "2024-03-06 f Purchase",
            "2024-03-07 g Cart",
            "2024-03-07 h Cart",
        ]
    );
    assert_eq!(log.customers.keys().collect::<Vec<_>>(), ["c"], "never what the file has itself");

    // The place of a catalogue, or of what is known of customers, is nothing that items or customers are like.
    put("of/env=prod/items.csv", b"item_id,colour\na,red\n");
    let items = folder.path().join("of/env=prod/items.csv");
    let catalog = catalog::read(&[items], &catalog::CatalogOptions::default()).unwrap().catalog;
    let attributes = &catalog.get("a").unwrap().attributes;
    assert_eq!(attributes.keys().collect::<Vec<_>>(), ["colour"]);
}

#[test]
fn the_result_is_the_same_on_any_number_of_threads() {
    let bytes = delimited(&week(), ",");
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| told(&read_bytes("a.csv", &bytes, &ReadOptions::default()).unwrap()))
    };
    assert_eq!(on(1), on(5));
}

#[test]
fn a_file_cut_short_is_an_error_or_counted_rows_and_never_a_panic() {
    for (name, bytes) in formats() {
        for cut in (0..bytes.len()).step_by(bytes.len() / 37 + 1) {
            let result = read_bytes(name, &bytes[..cut], &lenient());
            let packed = [".gz", ".zst", ".parquet"].iter().any(|ending| name.ends_with(ending));
            if packed {
                let error = result.expect_err(name).to_string();
                assert!(error.contains(name), "{name} cut at {cut}: {error}");
            } else if let Ok(reading) = result {
                assert_adds_up(&reading);
            }
        }
    }
}

#[test]
fn a_file_with_one_byte_wrong_never_makes_a_panic() {
    for (name, bytes) in formats() {
        for at in (0..bytes.len()).step_by(bytes.len() / 61 + 1) {
            let mut wrong = bytes.clone();
            wrong[at] ^= 0x5a;
            if let Ok(reading) = read_bytes(name, &wrong, &lenient()) {
                assert_adds_up(&reading);
            }
        }
    }
}

#[test]
fn what_is_no_table_is_refused_with_words() {
    let cases: [(&str, &[u8], &str); 10] = [
        ("empty.csv", b"", "empty file"),
        ("blank.csv", b"\n \n", "empty file"),
        ("header.csv", b"customer_id,item_id\n", "headers and no rows"),
        ("sheet.csv", b"PK\x03\x04rest", "spreadsheet"),
        ("not.parquet", b"customer_id,item_id\n1,2\n", "no Parquet file"),
        ("cut.parquet", b"PAR1\x15\x04", "truncated or damaged"),
        ("array.json", b"[{\"item_id\": 1}]", "one object per line"),
        ("wide.csv", b"c\0u\0s\0t\0o\0m\0e\0r\0\n\0", "byte-order mark"),
        ("wrong.csv", b"colour,size\nred,3\n", "no column for item_id"),
        ("headless.csv", b"17850,85123A,6\n17850,71053,6\n", "lack its header line"),
    ];
    for (name, bytes, expected) in cases {
        let error = read_bytes(name, bytes, &ReadOptions::default()).expect_err(name);
        assert_eq!(error.exit_code(), 1, "{name}: {error}");
        assert!(error.to_string().contains(expected), "{name}: {error}");
    }
}

#[test]
fn a_missing_column_names_what_was_looked_for_what_is_there_and_what_to_do() {
    let error = read_csv("colour,product_id\nred,3\n").unwrap_err().to_string();
    for expected in [
        "customer_id (or user_id",
        "order_id",
        "session_id",
        "colour, product_id",
        "--map customer_id=COLUMN",
    ] {
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn a_tie_is_an_error_until_the_map_breaks_it() {
    let text = "user_id,sku,product_id\n1,a,b\n2,c,d\n";
    let error = read_csv(text).unwrap_err().to_string();
    assert!(error.contains("product_id, sku") && error.contains("--map item_id=COLUMN"), "{error}");
    let map = |role: &str, column: &str| {
        let map = BTreeMap::from([(role.to_string(), column.to_string())]);
        read_bytes("a.csv", text.as_bytes(), &ReadOptions { map, ..ReadOptions::default() })
    };
    assert_eq!(map("item_id", "SKU").unwrap().log.items.keys().collect::<Vec<_>>(), ["a", "c"]);
    let unknown_role = map("colour", "sku").unwrap_err();
    assert_eq!(unknown_role.exit_code(), 2);
    assert!(unknown_role.to_string().contains("there are: item_id, customer_id"), "{unknown_role}");
    let unknown_column = map("item_id", "ean").unwrap_err().to_string();
    assert!(unknown_column.contains("the file has: user_id, sku, product_id"), "{unknown_column}");
}

#[test]
fn broken_rows_are_counted_and_too_many_refuse_the_file_with_line_and_column() {
    let good: String = (0..40).map(|i| format!("c{i},i{i},2024-01-01,view,,1,\n")).collect();
    let bad = "c,i,2024-01-01,view\nc,i,yesterday,view,,1,\nc,i,2024-01-01,dance,,1,\nc,i,2024-01-01,view,,many,\n";
    let reading = read_csv(&format!("{HEADER}\n{good}{bad}")).unwrap();
    assert_eq!(set_aside(&reading), [(Cause::Unreadable, 3), (Cause::UnknownEventType, 1)]);
    assert_adds_up(&reading);
    let told = "4 rows can't be read, and are left out; the first: line 42: expected 7 columns";
    assert!(reading.notes.iter().any(|note| note.contains(told)), "{:?}", reading.notes);

    let refused = read_csv(&format!("{HEADER}\nc,i,2024-01-01,view,,1,\n{bad}")).unwrap_err();
    assert_eq!(refused.exit_code(), 3);
    let message = refused.to_string();
    for expected in [
        "4 of 5 rows",
        "line 3: expected 7 columns, got 4",
        "line 4, column timestamp: expected a moment",
        "\"xxxxxxxxx\"",
        "line 5, column event_type",
        "got \"dance\"",
        "line 6, column quantity: expected a number, got what is written like \"xxxx\"",
    ] {
        assert!(message.contains(expected), "{expected} in {message}");
    }
}

#[test]
fn a_quote_left_open_loses_no_row_unseen() {
    for last in ["unit_price", "x"] {
        let header = HEADER.replace("unit_price", last);
        let rows =
            "c,i,2024-01-01,view,,1,\"2\n".to_string() + &"c,i,2024-01-02,view,,1,2\n".repeat(9);
        let reading =
            read_bytes("a.csv", format!("{header}\n{rows}").as_bytes(), &lenient()).unwrap();
        assert_eq!((reading.account.read, reading.account.set_aside[&Cause::Unreadable]), (10, 10));
        let refused = read_csv(&format!("{header}\n{rows}")).unwrap_err().to_string();
        assert!(refused.contains("a quote is left open"), "{refused}");
    }
}

#[test]
fn odd_bytes_break_a_key_but_not_a_title() {
    let text = b"customer_id,item_id,title\n1,a,Caf\xe9\n1,b\xe9,Tea\n1\0,c,Tea\n1,d,\"two\nlines\"\n1,e,\n";
    let reading = read_bytes("a.csv", text, &lenient()).unwrap();
    assert_eq!(set_aside(&reading), [(Cause::Unreadable, 2)]);
    assert_eq!(reading.log.items.keys().collect::<Vec<_>>(), ["a", "d", "e"]);
    assert_eq!(reading.log.said[0].title.as_deref(), Some("Café"));
}

/// The sample of a file was filled until it had a thousand rows; a batch that one huge field had filled
/// took no more, and reading never ended.
#[test]
fn a_huge_field_is_an_unreadable_row() {
    let huge = format!("customer_id,item_id\n1,{}\n1,b\n", "x".repeat(5_000_000));
    let reading = read_bytes("a.csv", huge.as_bytes(), &lenient()).unwrap();
    assert_eq!((reading.account.read, reading.account.used), (2, 1));
}

#[test]
fn a_message_never_holds_a_customers_key() {
    let rows: String = (0..5).map(|i| format!("secret{i}\0,i,soon,view,order{i}\0,1,\n")).collect();
    let refused = read_csv(&format!("{HEADER}\n{rows}")).unwrap_err().to_string();
    assert!(!refused.contains("secret") && !refused.contains("order0"), "{refused}");
    let reading = read_rows(&["secret7,i,2024-01-01,purchase,order7,1,2"]);
    let shown = format!("{:?} {:?}", reading.columns, reading.notes);
    assert!(shown.contains("s…7 (7 characters)") && !shown.contains("secret7"), "{shown}");
    assert!(!shown.contains("order7"), "{shown}");
    let good = "c,i,2024-01-01T10:00:00Z,view,,1,\n".repeat(30);
    let text = format!("{HEADER}\nc,i,secret@7,view,,1,\n{good}");
    let reading = read_csv(&text).unwrap();
    let shown: String =
        reading.columns[0].roles.iter().map(|role| role.samples.join(" ")).collect();
    assert!(shown.contains("xxxxxx@9 2024-01-01T10:00:00Z"), "{shown}");
}

#[test]
fn a_message_holds_no_customers_key_where_columns_are_shifted_or_the_header_is_missing() {
    for shifted in [
        "i,2024-01-01,purchase,secret7,1,2,",
        "c,i,secret7,purchase,o,1,2",
        "c,i,2024-01-01,purchase,o,secret7,2",
        "c,i,2024-01-01,purchase,o,1,secret@7",
    ] {
        let refused = read_csv(&format!("{HEADER}\n{shifted}\n")).unwrap_err().to_string();
        assert!(refused.contains("line 2"), "{refused}");
        assert!(!refused.contains("secret"), "{refused}");
    }
    // Too many words to be kinds of events.
    let names: String = ('a'..='z').map(|n| format!("c,i,2024-01-01,secret{n},o,1,2\n")).collect();
    let refused = read_csv(&format!("{HEADER}\n{names}")).unwrap_err().to_string();
    assert!(refused.contains("column event_type: expected view"), "{refused}");
    assert!(!refused.contains("secret"), "{refused}");
    for headless in
        ["secret7,i,2024-01-01\nc,i,2024-01-01\n", "secret7,i\nc,i\n", "secret@home,i\nc,i\n"]
    {
        let refused = read_csv(headless).unwrap_err().to_string();
        assert!(refused.contains("does it lack its header line?"), "{refused}");
        assert!(!refused.contains("secret"), "{refused}");
    }
    let lines = b"{\"customer_id\": \"secret7\"\n";
    let refused = read_bytes("a.jsonl", lines, &ReadOptions::default()).unwrap_err().to_string();
    assert!(refused.contains("expected a JSON object"), "{refused}");
    assert!(!refused.contains("secret"), "{refused}");
    // A header in other words is told, so that it can be mapped.
    let refused = read_csv("Kunde,Artikel\nc,i\n").unwrap_err().to_string();
    assert!(refused.contains("the file has: Kunde, Artikel."), "{refused}");
}

#[test]
fn an_absent_customer_is_absent_however_the_export_writes_it() {
    let rows: Vec<String> = ["", "nan", "NULL", "None", "\\N", " NA "]
        .iter()
        .enumerate()
        .map(|(i, customer)| format!("{customer},i,2024-01-0{},purchase,{i},1,2", i + 1))
        .collect();
    let reading = read_rows(&rows.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(reading.log.customers.is_empty());
    assert_eq!(reading.account.used, 6);
    let ownerless =
        read_rows(&["nan,i,2024-01-01,purchase,,1,2", "c,NULL,2024-01-01,purchase,,1,2"]);
    assert_eq!(set_aside(&ownerless), [(Cause::NoItem, 1), (Cause::NoOwner, 1)]);
}

#[test]
fn keys_that_went_through_a_float_are_whole_again() {
    let reading = read_csv("customer_id,item_id\n17850.0,a\n,b\n17851.0,1.0\n").unwrap();
    assert_eq!(reading.log.customers.keys().collect::<Vec<_>>(), ["17850", "17851"]);
    assert_eq!(reading.log.items.keys().collect::<Vec<_>>(), ["a", "1.0"]);
}

#[test]
fn spellings_of_one_key_become_the_most_frequent_one() {
    let reading = read_rows(&[
        "c,85123a,2024-01-01,purchase,1,1,2",
        "c,85123A,2024-01-02,purchase,2,1,2",
        "d,85123A,2024-01-03,purchase,3,1,2",
        "c,x1,2024-01-04,purchase,4,1,2",
        "c,X1,2024-01-05,purchase,5,1,2",
    ]);
    assert_eq!(reading.log.items.keys().collect::<Vec<_>>(), ["85123A", "X1"]);
    assert!(reading.notes[0].starts_with("2 item keys"), "{:?}", reading.notes);
}

#[test]
fn titles_go_along_when_spellings_are_joined() {
    let rows = "c,A1,1,tea\nc,A1,2,mug\nc,A1,3,jar\nc,a1,4,cup\nc,a1,5,cup\n";
    let reading = read_csv(&format!("customer_id,item_id,order_id,title\n{rows}")).unwrap();
    assert_eq!(reading.log.items.keys().collect::<Vec<_>>(), ["A1"]);
    assert_eq!(reading.log.said[0].title.as_deref(), Some("cup"));
}

#[test]
fn what_the_log_says_of_its_items_is_what_the_catalogue_leaves_out() {
    let rows = "1,A1,tea,Food,Hot drinks,Assam\n1,b2,mug,Kitchen,,\n2,a1,tea,Food,Hot drinks,\n\
                2,c3,tin,Food,Cans,Zinc\n2,A1,tea,Food,Hot drinks,Assam\n";
    let mut reading =
        read_csv(&format!("customer_id,item_id,title,category,sub-category,vendor\n{rows}"))
            .unwrap();
    assert_eq!(reading.log.items.keys().collect::<Vec<_>>(), ["A1", "b2", "c3"]);
    let own = |title: &str| cartwright::catalog::Item {
        title: Some(title.into()),
        category: vec!["Own".into()],
        ..Default::default()
    };
    let catalog = [("c3".to_owned(), own("a tin")), ("d4".to_owned(), own("a jar"))];
    let items = cartwright::train::stock(&mut reading.log, &catalog.into_iter().collect());
    let told: Vec<_> = items
        .iter()
        .map(|item| (item.title.as_deref().unwrap(), item.path().unwrap(), item.brand.as_deref()))
        .collect();
    assert_eq!(
        told,
        [
            ("tea", "Food > Hot drinks".to_owned(), Some("Assam")),
            ("mug", "Kitchen".to_owned(), None),
            ("a tin", "Own".to_owned(), Some("Zinc")),
            ("a jar", "Own".to_owned(), None),
        ]
    );
}

#[test]
fn a_column_called_brand_that_changes_from_row_to_row_is_no_brand() {
    let rows: String = (0..40).map(|row| format!("{row},a,{}\n", row % 2)).collect();
    let reading = read_csv(&format!("customer_id,item_id,brand\n{rows}")).unwrap();
    assert!(reading.log.said.is_empty());
    let note = reading.notes.iter().find(|note| note.contains("\"brand\""));
    assert!(note.is_some_and(|note| note.contains("different things of one item")), "{note:?}");
}

/// As shares of the price, in Superstore's and Northwind's manner.
#[test]
fn a_discount_of_at_most_one_is_a_share_where_things_are_dear() {
    let percent = |price: f64, discounts: [&str; 3]| {
        let rows = discounts.map(|off| format!("c,i{off},{price},{off}\n")).concat();
        let log = read_csv(&format!("customer_id,item_id,price,discount\n{rows}")).unwrap().log;
        log.events.iter().map(|event| event.discount_percent).collect::<Vec<_>>()
    };
    assert_eq!(percent(50.0, ["0", "0.2", "0.15"]), [0, 20, 15]);
    assert_eq!(percent(1.8, ["0", "0.2", "0.9"]), [0, 10, 33]);
    assert_eq!(percent(50.0, ["0", "0.2", "12.5"]), [0, 0, 20], "one of them is money");
}

/// Pizzas have a type too.
#[test]
fn types_of_something_else_are_no_kinds_of_events() {
    let rows = "1,a,classic\n1,b,veggie\n2,a,classic\n";
    let reading = read_csv(&format!("order_id,item_id,type\n{rows}")).unwrap();
    assert!(reading.log.events.iter().all(|event| event.kind == EventKind::Purchase));
    assert!(reading.columns[0].roles.iter().all(|role| role.role != "event_type"));
    assert_eq!(reading.columns[0].unused, ["type"]);
    assert!(reading.notes.iter().any(|note| note.contains("\"type\"")), "{:?}", reading.notes);
    // Where the name says what they are, words that are not known stay an error.
    assert!(read_csv(&format!("order_id,item_id,event_type\n{rows}")).is_err());
    let known = read_csv("order_id,item_id,type\n1,a,view\n1,b,veggie\n1,c,view\n");
    assert!(known.is_err(), "a third of the rows can't be read");
}

#[test]
fn lines_are_counted_from_one_whatever_ends_them() {
    for end in ["\n", "\r\n"] {
        let rows: Vec<String> = (0..40).map(|row| format!("c,i{row},{row}")).collect();
        let mut rows = rows.join(end);
        rows = rows.replace("c,i3,3", "c,i3,three");
        let reading = read_csv(&format!("customer_id,item_id,quantity{end}{rows}{end}")).unwrap();
        let note = reading.notes.iter().find(|note| note.contains("can't be read"));
        assert!(note.is_some_and(|note| note.contains("line 5,")), "{:?}", reading.notes);
    }
}

/// Orders that were called off counted as sold.
#[test]
fn what_was_cancelled_by_its_status_was_not_sold() {
    let reading = read_csv(
        "customer_id,item_id,order_status,fulfillment_status\n1,a,Shipped,x\n1,b,Cancelled,x\n\
         2,a,Shipped - Returned to Seller,x\n2,b,,x\n3,c,partially_refunded,x\n",
    );
    let reading = reading.unwrap();
    assert_eq!(reading.log.events.len(), 3);
    assert_eq!(reading.account.set_aside, [(Cause::Undone, 2)].into());
    let shopify = "Name,Email,Financial Status,Fulfillment Status,Lineitem name,Lineitem sku\n\
                   #1,a@b.c,voided,,Tea,t\n#2,d@e.f,paid,fulfilled,Cup,c\n";
    assert_eq!(read_csv(shopify).unwrap().account.set_aside, [(Cause::Undone, 1)].into());
}

/// Of a shop's own keys and the world's, the shop's; of an id and a code that variants share, the id.
#[test]
fn of_several_keys_of_items_the_closest_is_taken() {
    for (text, key) in [
        ("customer_id,asin,sku\n1,B0,s1\n", "s1"),
        ("customer_id,product_code,article_id\n1,c,a1\n", "a1"),
        ("customer_id,ean,stock_code\n1,40,85123A\n", "85123A"),
    ] {
        let reading = read_csv(text).unwrap();
        assert_eq!(reading.log.items.keys().collect::<Vec<_>>(), [key]);
    }
    assert!(read_csv("customer_id,sku,product_id\n1,s,p\n").is_err(), "equally good");
}

#[test]
fn a_column_of_moments_may_be_called_datetime_however_that_is_spelt() {
    for name in ["datetime", "DateTime", "date_time", "Date Time"] {
        let reading = read_csv(&format!("customer_id,item_id,{name}\nc,a,2024-01-31 10:00\n"));
        let reading = reading.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(told(&reading)[0].split(' ').next(), Some("2024-01-31T10:00:00Z"), "{name}");
    }
}

#[test]
fn the_keys_of_rows_are_no_items_where_products_have_keys_of_their_own() {
    let rows = |count: usize| -> String {
        let row = |n| format!("{n},o{},p{},c{},2024-01-{:02}\n", n / 3, n % 7, n % 5, 1 + n % 28);
        (0..count).map(row).collect()
    };
    let header = "item_id,order_id,product_id,customer_id,created_at\n";
    let reading = read_csv(&format!("{header}{}", rows(60))).unwrap();
    assert_eq!(reading.log.items.len(), 7);
    assert!(reading.notes.iter().any(|note| note.contains("product_id is taken for the item")));
    let map = BTreeMap::from([("item_id".to_owned(), "item_id".to_owned())]);
    let options = ReadOptions { map, ..ReadOptions::default() };
    let all = format!("{header}{}", rows(60));
    let reading = read_bytes("events.csv", all.as_bytes(), &options).unwrap();
    assert_eq!(reading.log.items.len(), 60, "as it is said by hand");
    let few = read_csv(&format!("{header}{}", rows(20))).unwrap();
    assert_eq!(few.log.items.len(), 20, "too few rows tell");
}

#[test]
fn units_with_a_row_each_count_as_often_as_they_come_where_that_is_said() {
    let line = "c,a,2024-01-31 10:00,purchase,o,1,2\n";
    let text = format!("{HEADER}\n{line}{line}{line}");
    let units = |keep_repeats| {
        let options = ReadOptions { keep_repeats, ..ReadOptions::default() };
        let reading = read_bytes("events.csv", text.as_bytes(), &options).unwrap();
        reading.log.events.iter().map(|event| event.quantity).sum::<f32>()
    };
    assert_eq!([false, true].map(units), [1.0, 3.0]);
}

#[test]
fn a_visit_that_is_dated_by_its_day_comes_back_to_things() {
    let looks = |rows: &str| {
        let reading = read_csv(&format!("session_id,item_id,timestamp\n{rows}")).unwrap();
        reading.log.events.len()
    };
    assert_eq!(looks("1,a,2024-01-02\n1,b,2024-01-02\n1,a,2024-01-02\n2,c,2024-01-02\n"), 4);
    let at = |second: u32| format!("2024-01-02T10:00:{second:02}Z");
    let rows = format!("1,a,{0}\n1,a,{0}\n1,b,{1}\n2,c,{1}\n", at(1), at(5));
    assert_eq!(looks(&rows), 3, "a reload is no second look");
}

/// Of pages without an item there is nothing to learn, whatever their events are called.
#[test]
fn words_of_events_without_an_item_need_not_be_known() {
    let reading = read_csv(
        "user_pseudo_id,event_name,event_timestamp,item_id\n1,session_start,1700000000,\n\
         1,view_item,1700000001,a\n1,scroll,1700000002,\n1,user_engagement,1700000003,\n",
    );
    let reading = reading.unwrap();
    assert_eq!(reading.account.set_aside, [(Cause::NoItem, 3)].into());
    let codes = read_csv("customer_id,item_id,behavior_type\n1,a,4\n").unwrap_err().to_string();
    assert!(codes.contains("got \"4\"") && codes.contains("event_types"), "{codes}");
}

/// The item's name is its key where a till has no other.
#[test]
fn goods_that_have_only_names_are_known_by_them() {
    let text = "Member_number,Date,itemDescription\n1808,21-07-2015,tropical fruit\n2552,05-01-2015,whole milk\n";
    let reading = read_csv(text).unwrap();
    assert_eq!(reading.log.items.keys().collect::<Vec<_>>(), ["whole milk", "tropical fruit"]);
    assert!(reading.log.timed && reading.log.customers.len() == 2);
    let both = read_csv("customer_id,item_id,item_name\n1,t,Tea\n").unwrap().log;
    assert_eq!(both.items.keys().collect::<Vec<_>>(), ["t"]);
}

#[test]
fn a_log_without_kinds_is_purchases_unless_there_are_only_sessions() {
    let kinds = |text: &str| -> Vec<EventKind> {
        read_csv(text).unwrap().log.events.iter().map(|event| event.kind).collect()
    };
    assert_eq!(kinds("customer_id,item_id\n1,a\n"), [EventKind::Purchase]);
    assert_eq!(kinds("basket_id,item_id\n1,a\n"), [EventKind::Purchase]);
    assert_eq!(kinds("SessionId\tItemId\tTime\n1\ta\t1592337718.0\n"), [EventKind::View]);
    assert_eq!(kinds("customer_id,session_id,item_id\n,1,a\n,2,b\n"), [EventKind::View; 2]);
    assert_eq!(kinds("customer_id,session_id,item_id\n,1,a\n7,2,b\n"), [EventKind::Purchase; 2]);
    assert_eq!(kinds("customer_id,session_id,item_id\n,1,a\n,2,a\n7,3,b\n"), [EventKind::View; 3]);
}

#[test]
fn a_return_takes_back_the_latest_earlier_purchases_up_to_its_quantity() {
    let reading = read_rows(&[
        "c,tea,2024-01-01,purchase,1,5,2",
        "c,tea,2024-01-02,purchase,2,3,2",
        "d,tea,2024-01-02,purchase,3,9,2",
        "c,tea,2024-01-03,purchase,4,-4,2", // three of the second of January, one of the first
        "c,tea,2024-01-04,purchase,5,2,2",  // bought later: not touched
        "d,cup,2024-01-05,return,6,1,2",    // never bought
        ",tea,2024-01-05,return,7,1,2",     // nobody's
    ]);
    assert_eq!(set_aside(&reading), [(Cause::Returned, 1), (Cause::ReturnWithoutPurchase, 2)]);
    let left: Vec<_> =
        reading.log.events.iter().map(|event| (event.kind, event.quantity)).collect();
    let purchase = EventKind::Purchase;
    assert_eq!(left, [(purchase, 4.0), (purchase, 9.0), (EventKind::Return, 4.0), (purchase, 2.0)]);
    assert_adds_up(&reading);
}

#[test]
fn a_return_that_tells_no_price_is_worth_what_was_paid() {
    let reading = read_rows(&[
        "c,tea,2024-01-01,purchase,1,5,2",
        "c,tea,2024-01-02,purchase,2,3,6",
        "c,tea,2024-01-03,return,3,4,", // three for 6, one for 2
        "c,tea,2024-01-04,return,4,1,1",
    ]);
    let events = reading.log.events.iter().filter(|event| event.kind == EventKind::Return);
    let told: Vec<_> = events.map(|event| (event.quantity, event.unit_price)).collect();
    assert_eq!(told, [(4.0, 5.0), (1.0, 1.0)]);
}

#[test]
fn lines_of_a_cancelled_order_are_returns() {
    let reading = read_rows(&[
        "1,tea,2024-01-01,,100,2,1",
        "1,cup,2024-01-01,,101,2,1",
        "1,tea,2024-01-02,,C102,2,1",
    ]);
    assert_eq!(set_aside(&reading), [(Cause::Returned, 1)]);
    assert_eq!(reading.log.events[1].kind, EventKind::Return);
}

#[test]
fn odd_quantities_prices_and_bookkeeping_are_set_aside_by_cause() {
    let reading = read_csv(
        "customer_id,item_id,date,quantity,price,description\n\
         1,a,2024-01-01,1,2.5,Tea\n1,a,2024-01-01,1,2.5,Tea\n1,b,2024-01-01,0,2.5,Cup\n1,c,2024-01-01,200000,2.5,Pot\n\
         1,d,2024-01-01,1200,0.002,Fuel\n1,e,2024-01-01,1,0,Free\n1,POST,2024-01-01,1,18,POSTAGE\n\
         1,M,2024-01-01,1,18,Manual\n1,S,2024-01-01,1,18,Small cup\n",
    )
    .unwrap();
    assert_eq!(
        set_aside(&reading),
        [
            (Cause::NotAProduct, 2),
            (Cause::ZeroOrNegativeQuantity, 1),
            (Cause::AbsurdQuantity, 2),
            (Cause::Duplicate, 1)
        ]
    );
    assert_eq!(reading.log.items.keys().collect::<Vec<_>>(), ["a", "e", "S"]);
}

#[test]
fn what_costs_nothing_is_a_stock_adjustment_unless_a_known_customer_got_it() {
    let reading = read_rows(&[
        ",a,2024-01-01,purchase,1,1,2.5",
        ",b,2024-01-01,purchase,2,1,0",
        "c,b,2024-01-01,purchase,3,1,0",
        "c,a,2024-01-02,purchase,4,1,-2.5",
        "c,a,2024-01-03,purchase,5,1,2.5",
        "c,a,2024-01-04,purchase,6,1,2.5",
    ]);
    assert_eq!(set_aside(&reading), [(Cause::Unpriced, 2)]);
    assert_adds_up(&reading);
}

#[test]
fn prices_that_are_all_nothing_count_as_unknown() {
    let reading =
        read_rows(&["c,a,2024-01-01,purchase,1,1,0.0", "c,b,2024-01-01,purchase,1,1,0.0"]);
    assert_eq!(reading.account.used, 2);
}

#[test]
fn a_line_total_becomes_a_unit_price_and_its_discounts_a_percentage() {
    let reading = read_csv(
        "household_id,product_id,quantity,sales_value,retail_disc,coupon_disc\n1,a,2,6,1.5,0.5\n",
    )
    .unwrap();
    let event = reading.log.events[0];
    assert_eq!((event.unit_price, event.discount_percent), (3.0, 25));
}

#[test]
fn events_outside_the_limits_are_set_aside_and_days_begin_in_the_shops_zone() {
    let options = ReadOptions {
        after: Some("2024-01-02".into()),
        before: Some("2024-01-03".into()),
        time_zone: "America/New_York".into(),
        ..ReadOptions::default()
    };
    let text = "customer_id,item_id,time\n1,a,2024-01-01 23:59\n1,b,2024-01-02 00:00\n1,c,2024-01-03T04:59:59Z\n1,d,2024-01-03T05:00:00Z\n";
    let reading = read_bytes("a.csv", text.as_bytes(), &options).unwrap();
    assert_eq!(reading.log.items.keys().collect::<Vec<_>>(), ["b", "c"]);
    assert_eq!(baskets(&reading.log, &options.zone().unwrap()).items.len(), 1);
    let wrong = ReadOptions { before: Some("soon".into()), ..ReadOptions::default() };
    assert_eq!(read_bytes("a.csv", text.as_bytes(), &wrong).unwrap_err().exit_code(), 2);
}

#[test]
fn a_sorted_file_whose_first_thousand_dates_are_unclear_is_read_by_its_later_ones() {
    let rows: String = (0..1500).map(|i| format!("c,i{i},01/02/2024\n")).collect();
    let reading = read_csv(&format!("customer_id,item_id,date\n{rows}c,j,13/02/2024\n")).unwrap();
    assert_eq!(reading.log.events[0].at.to_string(), "2024-02-01T00:00:00Z");
    assert!(reading.notes.is_empty(), "{:?}", reading.notes);
}

/// The days of what customers bought, where each night's file holds these dates, and what is noted.
fn days_of_nights(nights: &[&str], day_first: Option<bool>) -> (Vec<String>, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    for (night, date) in nights.iter().enumerate() {
        let text = format!("customer_id,item_id,date\nc,i{night},{date}\n");
        std::fs::write(folder.path().join(format!("{night}.csv")), text).unwrap();
    }
    let options = ReadOptions { day_first, ..ReadOptions::default() };
    let reading = read(&[folder.path().to_path_buf()], &options).unwrap();
    let day = |event: &Event| event.at.to_string()[..10].to_owned();
    (reading.log.events.iter().map(day).collect(), reading.notes)
}

#[test]
fn a_night_whose_date_is_unclear_is_read_as_the_other_nights_are_unless_the_shop_says_so() {
    let (days, notes) = days_of_nights(&["12/03/2024", "13/03/2024"], None);
    assert_eq!(days, ["2024-03-12", "2024-03-13"]);
    assert!(notes.is_empty(), "{notes:?}");

    let (days, notes) = days_of_nights(&["12/03/2024", "12/04/2024"], None);
    assert_eq!(days, ["2024-12-03", "2024-12-04"]);
    assert!(notes[0].contains("month/day/year") && notes[0].contains("events.day_first"));
    let (days, notes) = days_of_nights(&["12/03/2024", "12/04/2024"], Some(true));
    assert_eq!(days, ["2024-03-12", "2024-04-12"]);
    assert!(notes.is_empty(), "{notes:?}");

    let (days, notes) = days_of_nights(&["12/03/2024", "13/03/2024", "03/14/2024"], None);
    assert_eq!(days, ["2024-03-13", "2024-03-14", "2024-12-03"], "of two kinds, each as it can be");
    assert!(notes[0].contains("not all"), "{notes:?}");
}

#[test]
fn what_was_bought_at_other_moments_of_a_day_is_another_step_and_what_has_an_order_is_not() {
    let orders_only = read_rows(&["c,a,2024-01-01T10:00:00Z,purchase,1,1,1"]);
    assert!(steps(&orders_only.log).is_none(), "it is what an order is");
    let reading = read_csv(
        "customer_id,item_id,timestamp,order_id\n\
         1,a,2024-01-01T10:00:00Z,\n1,b,2024-01-01T10:00:00Z,\n1,c,2024-01-01T10:00:01Z,\n\
         1,d,2024-01-02T10:00:00Z,A\n1,e,2024-01-02T10:00:01Z,A\n",
    )
    .unwrap();
    let lines = |baskets: cartwright::events::Baskets| {
        baskets.items.rows().map(<[_]>::len).collect::<Vec<_>>()
    };
    assert_eq!(lines(baskets(&reading.log, &ReadOptions::default().zone().unwrap())), [3, 2]);
    assert_eq!(steps(&reading.log).map(lines), Some(vec![2, 1, 2]));
}

#[test]
fn units_of_an_item_add_up_in_an_order_and_over_all_that_a_customer_had() {
    let reading = read_csv(
        "customer_id,item_id,timestamp,order_id,quantity\n\
         1,a,2024-01-01,A,2\n1,b,2024-01-01,A,1\n1,a,2024-01-01,A,3\n1,a,2024-01-09,B,4\n,a,2024-01-10,C,3\n",
    )
    .unwrap();
    let log = &reading.log;
    let [a, b] = ["a", "b"].map(|key| log.items.get(key).unwrap());
    let baskets = baskets(log, &ReadOptions::default().zone().unwrap());
    let lines = |basket| baskets.lines(basket).collect::<Vec<_>>();
    assert_eq!([0, 1, 2].map(lines), [vec![(a, 5.0), (b, 1.0)], vec![(a, 4.0)], vec![(a, 3.0)]]);

    let options = HistoryOptions::default();
    let cadence = Cadence::learn(&baskets, log.items.len(), log.timed, &options);
    assert_eq!([a, b].map(|item| cadence.usual_units[item.index()]), [4.0, 1.0]);
    let now = log.events.last().unwrap().at;
    let past = Pasts::new(log, baskets, now, &options).of(CustomerId::FIRST, &cadence);
    let units = |item| past.bought(item).map(|bought| (bought.units, bought.last_units));
    assert_eq!([a, b].map(units), [Some((9.0, 4.0)), Some((1.0, 1.0))]);
}

#[test]
fn a_look_takes_no_units_and_an_earlier_cart_keeps_its_own_day() {
    let reading = read_rows(&[
        "c,i,2024-01-05,cart,,0,",
        "c,i,2024-03-10,view,,-1,",
        "c,j,2024-03-11,purchase,o,0,",
        "d,j,2024-03-12,purchase,p,1,",
    ]);
    assert_eq!(set_aside(&reading), [(Cause::ZeroOrNegativeQuantity, 1)]);
    let (log, options) = (&reading.log, HistoryOptions::default());
    let baskets = baskets(log, &ReadOptions::default().zone().unwrap());
    let now = log.events.last().unwrap().at;
    let customer = log.customers.get("c").unwrap();
    let past = Pasts::new(log, baskets, now, &options).of(customer, &Cadence::default());
    let [glance] = past.glances[..] else { panic!("one item was looked at") };
    assert_eq!((glance.kind, glance.at), (EventKind::Cart, log.events[0].at));
}

#[test]
fn what_was_bought_and_sent_back_is_no_cart_left_behind_until_it_is_put_there_again() {
    // The purchase that went back is no event any more, and its cart looked as if it had been left.
    let rows = [
        "c,a,2024-01-01 10:00,cart,,1,2",
        "c,a,2024-01-01 10:10,purchase,o1,1,2",
        "c,a,2024-01-03 10:00,return,o1,1,2",
        "c,b,2024-01-04 10:00,cart,,1,2",
    ];
    let left = |rows: &[&str]| {
        let log = read_rows(rows).log;
        let zone = ReadOptions::default().zone().unwrap();
        let (baskets, options) = (baskets(&log, &zone), HistoryOptions::default());
        let now = log.events.last().unwrap().at;
        let pasts = Pasts::new(&log, baskets, now, &options);
        let past = pasts.of(CustomerId::FIRST, &Cadence::default());
        past.glances.iter().map(|glance| log.items.key(glance.item).to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(left(&rows), ["b"]);
    assert_eq!(left(&[&rows[..], &["c,a,2024-01-05 10:00,cart,,1,2"]].concat()), ["a", "b"]);
}

#[test]
fn a_column_that_begins_empty_is_read_by_what_it_holds_further_down() {
    let row = |n: usize| match n < 1_100 {
        true => format!(",i{},,o{n}\n", n % 7),
        false => format!("{}.0,i{},2024-01-02 10:{:02},o{n}\n", n % 40, n % 7, n % 60),
    };
    let text: String = (0..15_000).map(row).collect();
    let reading = read_csv(&format!("customer_id,item_id,timestamp,order_id\n{text}")).unwrap();
    assert!(reading.log.timed, "{:?}", reading.notes);
    assert_eq!(set_aside(&reading), [(Cause::Unreadable, 1_100)]);
    assert!(
        reading.log.customers.get("28").is_some() && reading.log.customers.get("28.0").is_none()
    );
}

#[test]
fn a_json_key_that_appears_late_is_a_column_and_takes_no_role_from_one_that_is_there_from_the_start()
 {
    // Columns were the keys of the first thousand lines: the customers of a shop whose log begins with a day of
    // anonymous visits were lost without a word.
    let line = |n: usize| match n {
        0..1_200 => format!("{{\"session_id\":\"s{n}\",\"sku\":\"i{}\"}}\n", n % 7),
        _ => format!("{{\"sku\":\"i{}\",\"user_id\":{}.0,\"item_id\":null}}\n", n % 7, n % 40),
    };
    let text: String = (0..2_000).map(line).collect();
    let reading = read_bytes("a.jsonl", text.as_bytes(), &ReadOptions::default()).unwrap();
    assert_eq!((reading.log.items.len(), reading.log.customers.len()), (7, 40));
    assert!(reading.log.customers.get("28").is_some(), "what comes late is looked at, too");
}

#[test]
fn json_whose_keys_are_values_is_refused_and_names_none_of_them() {
    let line = |n: usize| format!("{{\"item_id\":\"i\",\"c{n}@shop.example\":1}}\n");
    let text: String = (0..5_000).map(line).collect();
    let refused = read_bytes("a.jsonl", text.as_bytes(), &lenient()).unwrap_err().to_string();
    assert!(refused.contains("more than 4096 different keys up to line 4096"), "{refused}");
    assert!(!refused.contains('@'), "{refused}");
}

#[test]
fn a_price_that_no_shop_has_is_an_unreadable_row() {
    let text = "order_id,customer_id,item_id,unit_price,quantity\n\
                1,c,a,2.5,1\n2,c,a,1e39,1\n3,c,b,1e12,2\n4,c,b,-1e300,1\n";
    let reading = read_bytes("a.csv", text.as_bytes(), &lenient()).unwrap();
    assert_eq!(set_aside(&reading), [(Cause::Unreadable, 2)]);
    assert!(reading.log.events.iter().all(|event| event.unit_price.is_finite()));
    let total = "order_id,customer_id,item_id,line_total,quantity\n1,c,a,9,1\n2,c,a,10,1e-30\n";
    let reading = read_bytes("a.csv", total.as_bytes(), &lenient()).unwrap();
    assert_eq!(set_aside(&reading), [(Cause::Unreadable, 1)]);
    let refused = read_bytes("a.csv", text.as_bytes(), &ReadOptions::default()).unwrap_err();
    assert!(refused.to_string().contains("line 3, column unit_price: expected a price of at most"));
}

#[test]
fn an_object_in_a_column_that_is_read_is_an_unreadable_row_with_its_cause() {
    let row = |item: &str, price: &str| {
        format!("{{\"customer_id\":\"c\",\"item_id\":{item},\"unit_price\":{price}}}")
    };
    let rows = [
        row("\"a\"", "1"),
        row("{\"id\":\"a\"}", "1"),
        row("[{\"id\":\"a\"}]", "1"),
        row("\"a\"", "{\"cents\":100}"),
    ];
    for (broken, told) in [
        (1, "line 2, column item_id: expected a key, got an object"),
        (2, "line 2, column item_id: expected a key, got an object"),
        (3, "line 2, column unit_price: expected a number"),
    ] {
        let text = format!("{}\n{}\n", rows[0], rows[broken]);
        let reading = read_bytes("a.jsonl", text.as_bytes(), &lenient()).unwrap();
        assert_eq!(set_aside(&reading), [(Cause::Unreadable, 1)], "{broken}");
        assert!(reading.notes.iter().any(|note| note.contains(told)), "{:?}", reading.notes);
    }
}

#[test]
fn an_object_in_a_column_of_the_catalogue_is_a_value_that_is_dropped_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("goods.jsonl");
    let item = r#"{"id":1,"title":"Tea","category":{"name":"Drinks"},"price":{"cents":1},"size":{"cm":3}}"#;
    let late = r#"{"id":2,"title":"Cup","price":"0,5","launched_at":"2024-01-31"}"#;
    std::fs::write(&path, format!("{}{late}\n", format!("{item}\n").repeat(1_001))).unwrap();
    let reading = catalog::read(&[path], &catalog::CatalogOptions::default()).unwrap();
    let (tea, cup) = (reading.catalog.get("1").unwrap(), reading.catalog.get("2").unwrap());
    assert!(tea.category.is_empty() && tea.price.is_none() && tea.attributes.is_empty());
    assert_eq!((cup.price, cup.launched_at.is_some()), (Some(0.5), true));
    let dropped = BTreeMap::from([("category".into(), 1_001), ("price".into(), 1_001)]);
    assert_eq!(reading.account.dropped, dropped);
}

#[test]
fn a_quote_that_the_next_one_closes_swallows_no_row_unseen() {
    let row = |n: usize| match n {
        30 => format!("c{n},i{n},2024-01-01,view,,1,\"open\n"),
        60 => format!("c{n},i{n},2024-01-01,view,,1,\"again\n"),
        _ => format!("c{n},i{n},2024-01-01,view,,1,tee\n"),
    };
    let text: String = (0..1_000).map(row).collect();
    let header = HEADER.replace("unit_price", "title");
    let reading = read_csv(&format!("{header}\n{text}")).unwrap();
    assert_eq!((reading.account.read, reading.account.used), (1_000, 969), "{:?}", reading.notes);
    assert!(reading.notes.iter().any(|note| note.contains("line 32: a quote is left open")));
    let own = read_csv(&format!("{header}\nc,i,2024-01-01,view,,1,\"two\nlines, and\na third\"\n"));
    assert_eq!(own.unwrap().account.used, 1, "a title may have lines of its own");
}

#[test]
fn baskets_are_by_order_then_by_day_and_sessions_by_id_then_by_gap() {
    let reading = read_csv(
        "customer_id,item_id,timestamp,event_type,order_id,session_id\n\
         2,a,2024-01-01 10:00,purchase,77,\n2,b,2024-01-03 10:00,purchase,77,\n\
         1,a,2024-01-01 10:00,purchase,,\n1,a,2024-01-01 23:00,purchase,,\n1,b,2024-01-01 23:30,purchase,,\n1,c,2024-01-02 00:10,purchase,,\n\
         ,d,2024-01-01 09:00,purchase,78,\n\
         1,a,2024-01-01 12:00,view,,\n1,b,2024-01-01 12:30,cart,,\n1,c,2024-01-01 13:01,view,,\n\
         ,a,2024-01-01 08:00,view,,s\n,b,2024-01-01 12:10,view,,s\n",
    )
    .unwrap();
    let key = |item: &_| reading.log.items.key(*item).to_string();
    let zone = ReadOptions::default().zone().unwrap();
    let baskets = baskets(&reading.log, &zone);
    let mut rows: Vec<(Option<&str>, String)> = Vec::new();
    for (items, customer) in baskets.items.rows().zip(&baskets.customers) {
        let mut items: Vec<String> = items.iter().map(key).collect();
        items.sort();
        rows.push((customer.map(|customer| reading.log.customers.key(customer)), items.concat()));
    }
    rows.sort();
    let row = |customer, items: &str| (customer, items.to_string());
    assert_eq!(
        rows,
        [row(None, "d"), row(Some("1"), "ab"), row(Some("1"), "c"), row(Some("2"), "ab")]
    );

    let sessions = sessions(&reading.log, 30);
    let rows: Vec<String> =
        sessions.items.rows().map(|items| items.iter().map(key).collect()).collect();
    assert_eq!(rows, ["ab", "ab", "c"]);
    assert!(sessions.at.is_sorted());
}

#[test]
fn units_in_stock_are_counted_and_flags_stay_flags() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("goods.csv");
    let stock = |text: &str| {
        std::fs::write(&path, text).unwrap();
        let options = catalog::CatalogOptions::default();
        let catalog = catalog::read(std::slice::from_ref(&path), &options).unwrap().catalog;
        ["a", "b"].map(|key| {
            let item = catalog.get(key).unwrap();
            (item.stock, item.is_in_stock())
        })
    };
    let counted = stock("item_id,stock\na,0\nb,7\n");
    assert_eq!(counted, [(Some(0), Some(false)), (Some(7), Some(true))]);
    let flagged = stock("item_id,stock\na,0\nb,1\n");
    assert_eq!(flagged, [(None, Some(false)), (None, Some(true))]);
    let in_words = stock("item_id,stock\na,sold out\nb,in stock\n");
    assert_eq!(in_words, flagged);
    let both = stock("item_id,in_stock,stock\na,no,7\nb,yes,3\n");
    assert_eq!(both, [(Some(0), Some(false)), (Some(3), Some(true))]);
}

#[test]
fn a_catalogue_keeps_a_row_whose_price_is_bad_and_what_it_does_not_know_as_attributes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("goods.csv");
    let text = "SKU,Title,Category,Price,In Stock,Launch Date,Colour\n\
                1,Tea,Drinks > Hot,2.50,yes,2024-01-01,green\n2,Cup,Drinks > Cups,cheap,0,soon,\n1,Green tea,Drinks > Hot,3,no,,\n,Pot,,,,,\n";
    std::fs::write(&path, text).unwrap();
    let reading = catalog::read(&[path], &catalog::CatalogOptions::default()).unwrap();
    let (tea, cup) = (reading.catalog.get("1").unwrap(), reading.catalog.get("2").unwrap());
    assert_eq!(
        (tea.title.as_deref(), tea.price, tea.in_stock),
        (Some("Green tea"), Some(3.0), Some(false))
    );
    assert_eq!((cup.price, cup.in_stock, cup.launched_at), (None, Some(false), None));
    assert_eq!(cup.category, ["Drinks", "Cups"]);
    assert!(tea.attributes.is_empty());
    let account = &reading.account;
    assert_eq!((account.read, account.items, account.replaced, account.no_item), (4, 2, 1, 1));
    assert_eq!(account.dropped, BTreeMap::from([("Price".into(), 1), ("Launch Date".into(), 1)]));
    std::fs::write(folder.path().join("goods.csv"), "SKU,Title\n").unwrap();
    let none = catalog::read(&[folder.path().into()], &catalog::CatalogOptions::default());
    let refused = none.unwrap_err();
    assert_eq!(refused.exit_code(), 3);
    assert!(refused.to_string().contains("the catalogue holds no item (0 rows"), "{refused}");
    for told in [
        "1 row left out for want of an item",
        "its last row counts",
        "1 value of column Price dropped",
    ] {
        assert!(reading.notes.iter().any(|note| note.contains(told)), "{:?}", reading.notes);
    }
}

fn assert_adds_up(reading: &Reading) {
    let account = &reading.account;
    assert_eq!(account.read, account.used + account.set_aside.values().sum::<u64>(), "{account:?}");
    assert_eq!(account.read, account.files.iter().map(|file| file.read).sum::<u64>());
    assert_eq!(account.used, reading.log.events.len() as u64);
    for event in &reading.log.events {
        assert!(
            event.quantity > 0.0 && event.unit_price >= 0.0 && event.discount_percent <= 100,
            "{event:?}"
        );
    }
    assert!(reading.log.events.is_sorted_by_key(|event| event.at));
    let known = |event: &&Event| event.item.index() < reading.log.items.len();
    assert!(reading.log.events.iter().all(|event| known(&event)));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_account_adds_up_whatever_the_rows(
        rows in prop::collection::vec(
            ("|nan|c[1-3]", "|[ab][1-2]|A1|POST", "|2024-01-0[1-4]|2024-01-01 1[0-9]:00|soon", "|view|cart|buy|refund|dance",
             "|100[1-3]|C1001|x", "|-?[0-3]|1e9|many", "|[0-2]|-1|0.001|free"), 1..60),
        soup in prop::collection::vec("[ -~\u{e9}\n\"]{0,30}", 0..4),
    ) {
        let mut text = format!("{HEADER}\n");
        for (customer, item, at, kind, order, quantity, price) in &rows {
            text += &format!("{customer},{item},{at},{kind},{order},{quantity},{price}\n");
        }
        text += &soup.join("\n");
        let reading = read_bytes("a.csv", text.as_bytes(), &lenient());
        if let Ok(reading) = reading {
            assert_adds_up(&reading);
        }
    }

    #[test]
    fn any_bytes_at_all_are_an_error_or_a_log_and_never_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let with_header = [b"customer_id,item_id,time\n".as_slice(), &bytes].concat();
        for (name, bytes) in [("a.csv", &bytes), ("a.parquet", &bytes), ("b.csv", &with_header)] {
            if let Ok(reading) = read_bytes(name, bytes, &lenient()) {
                assert_adds_up(&reading);
            }
        }
    }
}

#[test]
fn a_folder_and_a_pattern_are_read_as_one_log_and_a_file_named_twice_once() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (folder.path().join("2024-01.csv"), folder.path().join("2024-02.csv.gz"));
    std::fs::write(&first, "customer_id,item_id,date\n1,a,2024-01-05\n").unwrap();
    std::fs::write(&second, gz(b"user,sku,date\n1,b,2024-02-05\n")).unwrap();
    for paths in [
        vec![folder.path().to_path_buf(), first.clone()],
        vec![folder.path().join("*.csv*")],
        vec![second, first],
    ] {
        let reading = read(&paths, &ReadOptions::default()).unwrap();
        assert_eq!(reading.log.items.keys().collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!((reading.account.read, reading.columns.len()), (2, 2));
    }
    let missing = read(&[folder.path().join("no.csv")], &ReadOptions::default()).unwrap_err();
    assert!(matches!(missing, Error::Io { .. }), "{missing}");
}
