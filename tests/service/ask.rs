//! `cartwright ask` for what is hot, what is due again, a page, and everyone at once.

use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::process::{Command, Output};

use crate::common::Place;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;

fn place() -> Place {
    Place::made_up(200, 60, 90)
}

fn run(place: &Place, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cartwright"));
    command.arg("ask").args(arguments).args(["--index", "index"]).current_dir(place.path());
    command.output().expect("the binary can be run")
}

fn asked(place: &Place, arguments: &[&str]) -> Value {
    let output = run(place, &[arguments, &["--json"]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("stdout is JSON and nothing else")
}

fn items(reply: &Value) -> Vec<&str> {
    let recommendations = reply["recommendations"].as_array().expect("a list");
    recommendations.iter().map(|r| r["item_id"].as_str().expect("a key")).collect()
}

#[test]
fn what_is_hot_and_what_is_due_are_answered_with_reasons_in_json() {
    let place = place();
    let hot = asked(&place, &["trending", "--window", "month", "--limit", "5"]);
    assert_eq!(items(&hot).len(), 5);
    assert!(hot["recommendations"][0]["reasons"][0]["selling"]["count"].as_u64() > Some(0));
    assert_eq!(hot["ledger"]["returned"], 5);
    let rising = asked(&place, &["trending", "--by", "rising"]);
    assert_eq!(items(&rising).len(), 10);
    let due = &place.shop.truth.due[0];
    let again = asked(&place, &["again", &due.customer, "--limit", "5"]);
    let first = &again["recommendations"][0]["reasons"][0];
    assert!(first["bought_before"]["due"]["chance"].as_f64() > Some(0.0), "{again:#}");
}

/// It is "as the server would", and mails were written with what the shop hides.
#[test]
fn the_shops_file_of_rules_counts_without_a_server_too_on_the_shops_days() {
    let place = place();
    let item = place.shop.items[0].item_id.as_str();
    let first = items(&asked(&place, &["related", item]))[0].to_owned();
    let write = |name: &str, text: &str| {
        std::fs::write(place.path().join(name), text).expect("the folder can be written");
    };
    write("cartwright.toml", "[serve]\nrules = \"rules.toml\"\n");
    let hides = |days: &str| {
        let filter = format!("item_id = \"{first}\"");
        write(
            "rules.toml",
            &format!("[[rule]]\nid = \"h\"\nhide = {{ filter = '{filter}' }}\n{days}"),
        );
        !items(&asked(&place, &["related", item])).contains(&first.as_str())
    };
    assert!(hides(""));
    assert!(!hides("until = \"2020-01-01\"\n"));
    // Somewhere it is another day already, or still.
    let now = jiff::Timestamp::now();
    let zones = ["Pacific/Kiritimati", "Pacific/Pago_Pago"];
    let days = zones.map(|zone| now.in_tz(zone).expect("a zone").date());
    let toml =
        |zone| format!("[events]\ntime_zone = \"{zone}\"\n[serve]\nrules = \"rules.toml\"\n");
    for (zone, day) in zones.into_iter().zip(days) {
        write("cartwright.toml", &toml(zone));
        assert!(hides(&format!("from = \"{day}\"\nuntil = \"{day}\"\n")), "{zone}");
    }
    assert_ne!(days[0], days[1]);
    write("rules.toml", "[[rule]]\nid = 3\n");
    let wrong = run(&place, &["related", item]);
    let said = String::from_utf8_lossy(&wrong.stderr);
    assert!(!wrong.status.success() && said.contains("rules.toml"), "{said}");
}

#[test]
fn a_page_repeats_nothing() {
    let place = place();
    let due = &place.shop.truth.due[0];
    let again = format!("again:{}", due.customer);
    let page = asked(&place, &["page", &again, "trending", "rising:month", "--limit", "8"]);
    let placements = page["placements"].as_array().expect("a list");
    let all: Vec<&str> = placements.iter().flat_map(items).collect();
    assert_eq!(all.len(), 24);
    assert_eq!(all.iter().collect::<HashSet<_>>().len(), 24, "{all:?}");
    assert_eq!(placements[1]["name"], "trending");
    let wrong = run(&place, &["page", "hero:x"]);
    assert_eq!(wrong.status.code(), Some(2));
}

/// Customer → items, in the order of their places.
type Answers = BTreeMap<String, Vec<String>>;

fn in_parquet(place: &Place) -> Answers {
    let file = File::open(place.path().join("all.parquet")).expect("it was written");
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).expect("a parquet file");
    let mut answers = Answers::new();
    for batch in reader.build().expect("readable") {
        let batch = batch.expect("readable");
        let column = |name: &str| {
            let column = batch.column_by_name(name).expect("the column is there");
            let column = column.as_any().downcast_ref::<arrow_array::StringArray>();
            column.expect("a column of texts").clone()
        };
        let (customers, items, because) =
            (column("customer_id"), column("item_id"), column("because"));
        for row in 0..batch.num_rows() {
            assert!(!because.value(row).is_empty());
            let answer = answers.entry(customers.value(row).to_owned()).or_default();
            answer.push(items.value(row).to_owned());
        }
    }
    answers
}

#[test]
fn everyone_is_answered_into_one_file_as_if_each_were_asked_alone() {
    let place = place();
    for ending in ["parquet", "csv", "jsonl"] {
        let out = format!("all.{ending}");
        let output = run(&place, &["customer", "--all", "--out", &out, "--limit", "4"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let files = std::fs::read_dir(place.path()).expect("readable");
        let mut names = files.map(|file| file.expect("readable").file_name());
        assert!(names.all(|name| !name.to_string_lossy().ends_with(".part")));
    }
    let answers = in_parquet(&place);
    assert!(answers.len() > 150, "{} customers", answers.len());
    assert!(answers.values().all(|items| items.len() == 4));
    for (customer, found) in answers.iter().step_by(40) {
        let alone = asked(&place, &["customer", customer, "--limit", "4"]);
        assert_eq!(items(&alone), *found);
    }
    let text = |name: &str| std::fs::read_to_string(place.path().join(name)).expect("readable");
    assert_eq!(text("all.csv").lines().count(), 1 + 4 * answers.len());
    let lines: Vec<Value> = text("all.jsonl")
        .lines()
        .map(|line| serde_json::from_str(line).expect("a line of JSON"))
        .collect();
    assert_eq!(lines.len(), 4 * answers.len());
    let rows = lines.iter().map(|line| {
        let text = |name: &str| line[name].as_str().expect("a text").to_owned();
        (text("customer_id"), text("item_id"))
    });
    let mut in_lines = Answers::new();
    rows.for_each(|(customer, item)| in_lines.entry(customer).or_default().push(item));
    assert_eq!(in_lines, answers);
}

#[test]
fn a_file_of_another_kind_is_wrong_usage() {
    let place = place();
    let output = run(&place, &["customer", "--all", "--out", "all.xls"]);
    assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(run(&place, &["customer", "--all"]).status.code(), Some(2));
}
