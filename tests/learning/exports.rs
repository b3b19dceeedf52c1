//! Exports as shops' own systems write them: columns left empty, old encodings, names that mean something else.

use std::sync::Arc;

use arrow_array::builder::{Float32Builder, ListBuilder, StringBuilder};
use arrow_array::{ArrayRef, RecordBatch, StringArray, StructArray};
use cartwright::Error;
use cartwright::catalog::{self, CatalogOptions, CatalogReading};
use cartwright::events::{ReadOptions, Reading, read};

/// Reads files of these names and contents as one log.
fn events(files: &[(&str, &[u8])]) -> Reading {
    let folder = tempfile::tempdir().unwrap();
    let paths = files.iter().map(|(name, bytes)| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    });
    read(&paths.collect::<Vec<_>>(), &ReadOptions::default()).unwrap()
}

fn csv(text: &str) -> Reading {
    events(&[("events.csv", text.as_bytes())])
}

fn goods(name: &str, bytes: &[u8]) -> CatalogReading {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    catalog::read(&[path], &CatalogOptions::default()).unwrap()
}

fn column<'a>(reading: &'a Reading, role: &str) -> Option<&'a str> {
    let found = reading.columns[0].roles.iter().find(|column| column.role == role);
    found.map(|column| column.column.as_str())
}

fn is_told(notes: &[String], what: &str) -> bool {
    notes.iter().any(|note| note.contains(what))
}

#[test]
fn an_empty_column_takes_no_role_from_a_full_one_whatever_their_names() {
    // The column with the better name was taken unseen, and a shop's customers or items were lost.
    let reading = csv("order_id,customer_id,email,item_id,sku\no1,,a@x,,tea\no2,NULL,b@x,,cup\n");
    assert_eq!(column(&reading, "customer_id"), Some("email"));
    assert_eq!(column(&reading, "item_id"), Some("sku"));
    assert_eq!((reading.log.customers.len(), reading.log.items.len()), (2, 2));
    assert!(reading.notes.is_empty(), "{:?}", reading.notes);

    let visit = |n: usize| {
        format!("{{\"user_id\":null,\"user_pseudo_id\":\"{n}.7\",\"item_id\":\"tea\"}}\n")
    };
    let lines: String = (0..3).map(visit).collect();
    let reading = events(&[("ga4.jsonl", lines.as_bytes())]);
    assert_eq!(column(&reading, "customer_id"), Some("user_pseudo_id"));
    let known = lines.replace("null", "\"me\"");
    let reading = events(&[("ga4.jsonl", known.as_bytes())]);
    assert_eq!(column(&reading, "customer_id"), Some("user_id"));
}

#[test]
fn a_column_with_nothing_in_it_that_has_no_rival_is_said() {
    let reading = csv("order_id,customer_id,item_id\no1,,tea\no2,,cup\n");
    assert_eq!(column(&reading, "customer_id"), Some("customer_id"));
    assert!(is_told(&reading.notes, "no row has a value in customer_id"), "{:?}", reading.notes);
    let late: String =
        (0..2_000).map(|n| format!("o{n},{},tea\n", if n < 1_500 { "" } else { "c" })).collect();
    let reading = csv(&format!("order_id,customer_id,item_id\n{late}"));
    assert!(!is_told(&reading.notes, "no row has a value"), "{:?}", reading.notes);
}

#[test]
fn in_stock_with_a_question_mark_is_stock_and_an_empty_column_beside_it_is_not() {
    // WooCommerce counts stock only if told to; what was sold out was offered.
    let reading =
        goods("goods.csv", b"SKU,Name,In stock?,Stock\np0,Tea,1,\np1,Cup,0,\np2,Pot,backorder,\n");
    let in_stock = |key| reading.catalog.get(key).unwrap().in_stock;
    assert_eq!(["p0", "p1", "p2"].map(in_stock), [Some(true), Some(false), Some(true)]);
}

#[test]
fn words_in_the_encoding_of_western_excel_are_read_and_said_and_keys_in_it_stay_refused() {
    let told = "texts that are not UTF-8 are read as Windows-1252";
    let rows = "c,tea,Tee\n".repeat(20);
    let text = [b"customer_id,item_id,title\nc,p1,K\xe4se\n".as_slice(), rows.as_bytes()].concat();
    let reading = events(&[("events.csv", &text)]);
    assert_eq!(reading.log.said[0].title.as_deref(), Some("Käse"));
    assert_eq!(reading.notes.iter().filter(|note| note.contains(told)).count(), 1);

    let reading = goods(
        "goods.csv",
        b"item_id,title,category,in_stock,Gr\xf6\xdfe\np0,M\xfcsli,B\xfccher > B\xe4r,s\xed,gro\xdf\n",
    );
    let item = reading.catalog.get("p0").unwrap();
    assert_eq!((item.title.as_deref(), item.in_stock), (Some("Müsli"), Some(true)));
    assert_eq!(item.category, ["Bücher", "Bär"]);
    assert_eq!(item.attributes.iter().next(), Some((&"Größe".to_owned(), &"groß".to_owned())));
    assert!(is_told(&reading.notes, told), "{:?}", reading.notes);
    let reading = goods("goods.csv", "item_id,title\np0,Müsli\n".as_bytes());
    assert!(reading.notes.is_empty(), "{:?}", reading.notes);
}

#[test]
fn a_list_in_parquet_reads_as_in_json_lines_and_what_is_nested_otherwise_is_dropped_and_counted() {
    let texts = |values: [&str; 2]| -> ArrayRef { Arc::new(StringArray::from_iter_values(values)) };
    let mut paths = ListBuilder::new(StringBuilder::new());
    paths.append_value([Some("Food"), Some("Tea")]);
    paths.append_null();
    let mut vectors = ListBuilder::new(Float32Builder::new());
    vectors.append_value([Some(0.5), Some(0.25)]);
    vectors.append_null();
    let price = StructArray::try_from(vec![("cents", texts(["1", "2"]))]).unwrap();
    let batch = RecordBatch::try_from_iter_with_nullable([
        ("item_id", texts(["p0", "p1"]), true),
        ("category", Arc::new(paths.finish()) as ArrayRef, true),
        ("vector", Arc::new(vectors.finish()) as ArrayRef, true),
        ("price", Arc::new(price) as ArrayRef, true),
    ])
    .unwrap();
    let mut bytes = Vec::new();
    let mut writer =
        parquet::arrow::ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let reading = goods("goods.parquet", &bytes);
    let [tea, bare] = ["p0", "p1"].map(|key| reading.catalog.get(key).unwrap());
    assert_eq!((tea.category.join("/"), bare.category.len()), ("Food/Tea".into(), 0));
    assert!(tea.attributes.is_empty() && tea.price.is_none());
    assert!(is_told(&reading.notes, "2 values of column price dropped"), "{:?}", reading.notes);
}

#[test]
fn a_standard_order_export_of_shopify_is_read_as_it_is() {
    let reading = csv(
        "Name,Email,Financial Status,Paid at,Created at,Total,Lineitem quantity,Lineitem name,\
         Lineitem price,Lineitem sku\n\
         #1001,a@x,paid,2024-01-01 10:00:00 +0100,2024-01-01 10:00:00 +0100,9.50,2,Green tea,3.00,tea\n\
         #1001,a@x,,,2024-01-01 10:00:00 +0100,,1,Cup,3.50,cup\n",
    );
    let roles = ["order_id", "customer_id", "title", "timestamp", "unit_price"];
    let columns = ["Name", "Email", "Lineitem name", "Created at", "Lineitem price"];
    assert_eq!(roles.map(|role| column(&reading, role)), columns.map(Some));
    assert_eq!(reading.log.events[0].group, reading.log.events[1].group);
    let plain = csv("customer_id,sku,name\na,tea,Green tea\n");
    assert_eq!(["order_id", "title"].map(|role| column(&plain, role)), [None, Some("name")]);
}

/// The status of an order, and what is said of a product, stand on the first of its lines only.
#[test]
fn lines_below_belong_to_what_is_said_above_them() {
    let head = "Name,Email,Financial Status,Created at,Lineitem quantity,Lineitem name,Lineitem price,Lineitem sku";
    let first = "#1,a@x,refunded,2024-01-01,1,Tea,3.00,tea\n#1,a@x,,2024-01-01,1,Cup,3.50,cup\n\
                 #2,a@x,paid,2024-01-02,1,Tea,3.00,tea\n#2,a@x,,2024-01-02,1,Pot,9.50,pot\n\
                 #3,b@x,voided,2024-01-03,1,No key,9.50,\n#3,b@x,,2024-01-03,1,Cup,3.50,cup\n";
    let reading = csv(&format!("{head}\n{first}"));
    let bought = |reading: &Reading| -> Vec<String> {
        let log = &reading.log;
        log.events.iter().map(|event| log.items.key(event.item).to_owned()).collect()
    };
    assert_eq!(bought(&reading), ["tea", "pot"]);
    // Delivered again, what was paid is refunded now.
    let again = "#2,a@x,refunded,2024-01-02,1,Tea,3.00,tea\n#2,a@x,,2024-01-02,1,Pot,9.50,pot\n\
                 #4,a@x,paid,2024-01-05,1,Cup,3.50,cup\n";
    assert_eq!(bought(&csv(&format!("{head}\n{first}{again}"))), ["cup"]);

    let reading = goods(
        "products.csv",
        b"Handle,Title,Vendor,Status,Variant SKU,Variant Price,Variant Inventory Qty\n\
          tent,Tent,Acme,draft,tent-s,90,4\ntent,,,,tent-l,120,3\npot,Pot,Acme,active,pot-1,9.50,7\n",
    );
    let ambiguous = goods(
        "stock.csv",
        b"sku,stock_quantity,stock_status,status,published\na,3,instock,0,1\nb,0,outofstock,0,1\nc,3,instock,1,0\n",
    );
    let there = ["a", "b", "c"].map(|key| ambiguous.catalog.get(key).unwrap().is_in_stock());
    assert_eq!(there, [Some(true), Some(false), Some(false)]);
    let [small, large, pot] =
        ["tent-s", "tent-l", "pot-1"].map(|key| reading.catalog.get(key).unwrap());
    assert_eq!((large.title.as_deref(), large.brand.as_deref()), (Some("Tent"), Some("Acme")));
    assert_eq!(
        [small, large, pot].map(|item| item.is_in_stock()),
        [Some(false), Some(false), Some(true)]
    );
    assert_eq!((large.price, pot.stock), (Some(120.0), Some(7)));
}

/// The first thousand rows leave open whether 1.234 is a thousand: every format looks at as many.
#[test]
fn the_same_rows_are_the_same_log_whatever_the_format() {
    let price = |row: usize| if row < 1_100 { "1.234" } else { "12,50" };
    let rows: Vec<[String; 3]> =
        (0..3_000).map(|row| [format!("c{row}"), "tea".into(), price(row).into()]).collect();
    let lines: String = rows.iter().map(|row| row.join(";") + "\n").collect();
    let of_csv = csv(&format!("customer_id;item_id;price\n{lines}"));
    let column = |at: usize| -> ArrayRef {
        Arc::new(rows.iter().map(|row| Some(row[at].as_str())).collect::<StringArray>())
    };
    let names = ["customer_id", "item_id", "price"];
    let columns = names.into_iter().zip([column(0), column(1), column(2)]);
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut bytes = Vec::new();
    let mut writer =
        parquet::arrow::ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let of_parquet = events(&[("events.parquet", &bytes)]);
    assert_eq!(of_parquet.log.events.len(), 3_000);
    assert_eq!(of_csv.log.events, of_parquet.log.events);
}

#[test]
fn long_numbers_that_lose_their_digits_are_no_keys() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.jsonl");
    let row = |key: u128| format!("{{\"customer_id\":{key},\"item_id\":\"tea\"}}\n");
    let first = 1_000_000_000_000_000_000_000_000;
    std::fs::write(&path, (first..first + 9).map(row).collect::<String>()).unwrap();
    let error = read(std::slice::from_ref(&path), &ReadOptions::default()).unwrap_err().to_string();
    assert!(error.contains("export keys as text") && error.contains("customer_id"), "{error}");
    let whole = 10_000_000_000_000_000_000;
    std::fs::write(&path, (whole..whole + 9).map(row).collect::<String>()).unwrap();
    assert_eq!(read(&[path], &ReadOptions::default()).unwrap().log.customers.len(), 9);
}

#[test]
fn what_is_taken_off_an_order_is_not_taken_off_its_first_line() {
    let reading = csv(
        "Name,Email,Created at,Discount Amount,Total,Currency,Lineitem name,Lineitem price,Lineitem quantity,Lineitem sku\n\
         #1,a@x,2024-01-01,5.00,4.50,EUR,Tea,3.00,1,tea\n#1,a@x,2024-01-01,,,,Cup,6.50,1,cup\n\
         #2,b@x,2024-01-02,,3.00,USD,Tea,3.00,1,tea\n",
    );
    assert!(reading.log.events.iter().all(|event| event.discount_percent == 0));
    assert!(is_told(&reading.notes, "several currencies (EUR, USD)"), "{:?}", reading.notes);
}

#[test]
fn orders_whose_items_stand_in_a_list_are_refused_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("orders.jsonl");
    let row = "{\"user_id\":\"a\",\"event_date\":\"20240101\",\"items\":[{\"item_id\":\"tea\"}]}\n";
    std::fs::write(&path, row.repeat(3)).unwrap();
    let error = read(&[path], &ReadOptions::default()).unwrap_err().to_string();
    assert!(error.contains("Objects stand in items") && error.contains("UNNEST"), "{error}");
}

#[test]
fn units_are_read_as_the_prices_beside_them_are_written() {
    let reading = csv(
        "customer_id;item_id;quantity;price\na;tea;1,000;12,50\nb;tea;2,000;7,95\nguest;cup;1,000;3,10\n",
    );
    let units: Vec<f32> = reading.log.events.iter().map(|event| event.quantity).collect();
    assert_eq!(units, [1.0, 2.0], "and what nobody bought in no order is nobody's");
}

#[test]
fn german_columns_are_known_with_umlauts_and_without() {
    for price in ["Stückpreis", "Stueckpreis", "EINZELPREIS"] {
        let head = format!("Kundennummer;Artikelnummer;Belegnummer;Menge;{price};Warengruppe");
        let reading =
            csv(&format!("{head}\nk1;tee;b1;2;1,50;Getränke\nk2;tasse;b2;1;9,90;Geschirr\n"));
        assert_eq!(column(&reading, "unit_price"), Some(price));
        assert_eq!(column(&reading, "category"), Some("Warengruppe"));
        assert_eq!(reading.log.events[0].unit_price, 1.5);
    }
    let rows = "tee;Grüner Tee;Getränke;Teehaus;3,20\n";
    let reading = goods(
        "artikel.csv",
        format!("Artikelnummer;Bezeichnung;Warengruppe;Marke;Preis\n{rows}").as_bytes(),
    );
    let item = reading.catalog.get("tee").expect("an item");
    assert_eq!(
        (item.title.as_deref(), item.brand.as_deref()),
        (Some("Grüner Tee"), Some("Teehaus"))
    );
    assert_eq!((item.category.concat().as_str(), item.price), ("Getränke", Some(3.2)));
}

#[test]
fn the_moment_of_an_event_goes_before_its_day() {
    let reading =
        csv("user_id,item_id,event_date,event_timestamp\na,tea,20240101,1704103200000000\n");
    assert_eq!(column(&reading, "timestamp"), Some("event_timestamp"));
    let reading = csv("user_id,item_id,event_date\na,tea,20240101\n");
    assert_eq!(column(&reading, "timestamp"), Some("event_date"));
}

#[test]
fn a_day_and_a_time_of_day_in_two_columns_are_one_moment() {
    // A till's export: the time was left unused without a word, and every basket of a day was at midnight.
    for (day, time) in [("date", "time"), ("Order Date", "Order Time")] {
        let text = format!(
            "receipt_no,customer_id,item_id,{day},{time}\n1,a,tea,31.01.2024,9:05\n2,a,cup,31.01.2024,16:30:10\n\
             3,a,pot,31.01.2024,\n"
        );
        let reading = csv(&text);
        assert_eq!(column(&reading, "time_of_day"), Some(time));
        let at: Vec<String> = reading.log.events.iter().map(|event| event.at.to_string()).collect();
        assert_eq!(at, ["2024-01-31T00:00:00Z", "2024-01-31T09:05:00Z", "2024-01-31T16:30:10Z"]);
    }
    let moments = csv("customer_id,item_id,timestamp,time\na,tea,2024-01-31 08:00,09:00\n");
    assert_eq!(moments.log.events[0].at.to_string(), "2024-01-31T08:00:00Z");
    assert_eq!(moments.columns[0].unused, ["time"]);
}

#[test]
fn a_file_without_customers_beside_files_that_have_them_is_said() {
    let (known, unknown) =
        (b"customer_id,order_id,item_id\na,1,tea\n", b"order_id,item_id\n2,tea\n");
    let reading = events(&[("a.csv", known), ("b.csv", unknown), ("c.csv", unknown)]);
    let told = "b.csv and 1 more file: no column for customer_id, unlike other files";
    assert!(is_told(&reading.notes, told), "{:?}", reading.notes);
    for alone in [&known[..], &unknown[..]] {
        assert!(events(&[("a.csv", alone)]).notes.is_empty());
    }
}

#[test]
fn the_catalogue_names_its_own_option_for_columns() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("goods.csv");
    std::fs::write(&path, "item_id,title\np0,Tea\n").unwrap();
    let map = [("weight".to_owned(), "X".to_owned())].into();
    let options = CatalogOptions { map, ..CatalogOptions::default() };
    let refused = catalog::read(&[path], &options).unwrap_err();
    assert_eq!(refused.exit_code(), 2);
    assert!(refused.to_string().contains("--catalog-map weight=X: no such role"), "{refused}");
}

#[test]
fn an_error_of_the_disk_says_its_cause_once() {
    let full = Error::io("write", "index")(std::io::Error::other("no space left"));
    let told = format!("{:#}", anyhow::Error::new(full));
    assert_eq!(told, "cannot write index: no space left");
}
