//! The gate: what a broken export makes is not published, what a shop's next day brings is.

use std::path::{Path, PathBuf};

use crate::common::{folder, read};
use cartwright::Error;
use cartwright::events::ReadOptions;
use cartwright::index::{Index, Manifest};
use cartwright::train::gate::GateOptions;
use cartwright::train::{TrainOptions, train};
use tempfile::TempDir;

/// A shop that is just large enough to be compared with: 120 items, ten weeks, 600 orders and as many visits.
struct Place {
    folder: TempDir,
    index: Index,
}

const HEADER: &str = "customer_id,item_id,timestamp,event_type,order_id";
/// 2025-01-01.
const FIRST_DAY: usize = 1_735_689_600;
/// Items 2n and 2n + 1 are bought together.
const ITEMS: usize = 120;

fn shop() -> Place {
    let folder = folder();
    let index = Index::at(folder.path().join("index"));
    let place = Place { folder, index };
    let mut rows = Vec::new();
    for order in 0..600 {
        let day = FIRST_DAY + order / 9 * 86_400;
        let at = day + order % 24 * 3_600;
        let anchor = order * 7 % (ITEMS / 2) * 2;
        for item in [anchor, anchor + 1, (order * 11 + 3) % ITEMS] {
            for kind in ["view", "purchase"] {
                let order = if kind == "purchase" { format!("o{order}") } else { String::new() };
                rows.push(format!("c{},i{item},{at},{kind},{order}", order.len() + item % 50));
            }
        }
    }
    let events = write(&place, HEADER, rows);
    std::fs::rename(events, place.events()).expect("it can be renamed");
    place.publish(&place.events(), GateOptions::default()).expect("the shop can be learnt");
    place
}

impl Place {
    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn events(&self) -> PathBuf {
        self.path().join("events.csv")
    }

    fn publish(&self, events: &Path, gate: GateOptions) -> cartwright::Result<Manifest> {
        let options = TrainOptions { gate, ..TrainOptions::default() };
        train(read(events, None)?, &options, &self.index, &mut |_| {})
    }
}

/// The rows of its events, the header apart.
fn rows(place: &Place) -> (String, Vec<String>) {
    let text = std::fs::read_to_string(place.events()).expect("it is there");
    let mut lines = text.lines().map(str::to_owned);
    (lines.next().expect("a header"), lines.collect())
}

/// Days from the first day to that of a row.
fn day_of(row: &str) -> usize {
    let at: usize = row.split(',').nth(2).and_then(|at| at.parse().ok()).expect("a moment");
    (at - FIRST_DAY) / 86_400
}

/// Writes the rows to a file of their own.
fn write(place: &Place, header: &str, rows: impl IntoIterator<Item = String>) -> PathBuf {
    let path = place.path().join("other.csv");
    let rows: Vec<String> = rows.into_iter().collect();
    std::fs::write(&path, format!("{header}\n{}\n", rows.join("\n"))).expect("it can be written");
    path
}

/// Trains on other events; what the gate said, which must have refused it and left everything as it was.
fn refused(place: &Place, events: &Path) -> String {
    refused_by(place, events, GateOptions::default())
}

fn refused_by(place: &Place, events: &Path, gate: GateOptions) -> String {
    let before = place.index.current().ok();
    let error = place.publish(events, gate).expect_err("the gate refuses it");
    assert!(matches!(error, Error::Refused(_)), "{error}");
    assert_eq!(error.exit_code(), 3);
    assert_eq!(place.index.current().ok(), before);
    let generations = std::fs::read_dir(place.index.root().join("generations")).expect("a folder");
    let names = generations.map(|entry| entry.expect("readable").file_name());
    assert_eq!(names.count(), usize::from(before.is_some()), "nothing is left lying about");
    error.to_string()
}

fn says(refusal: &str, words: &[&str]) {
    for word in words {
        assert!(refusal.contains(word), "expected {word:?} in: {refusal}");
    }
}

fn failed(manifest: &Manifest) -> Vec<String> {
    let checks = manifest.gate["checks"].as_array().expect("a list of checks");
    let outside = |check: &&serde_json::Value| {
        let found = check["found"].as_f64().unwrap_or(f64::NAN);
        check["least"].as_f64().is_some_and(|least| found < least)
            || check["most"].as_f64().is_some_and(|most| found > most)
    };
    checks.iter().filter(outside).map(|check| check["name"].to_string()).collect()
}

#[test]
fn the_first_generation_is_compared_with_none_and_the_next_with_it() {
    let place = shop();
    let listed = place.index.list().expect("it can be listed").remove(0);
    let first = listed.manifest.expect("sound");
    assert!(first.gate["compared_with"].is_null(), "{}", first.gate);
    let second =
        place.publish(&place.events(), GateOptions::default()).expect("the same once more passes");
    assert_eq!(second.gate["compared_with"], 1);
    let checks = |manifest: &Manifest| manifest.gate["checks"].as_array().map_or(0, Vec::len);
    assert!(checks(&second) > checks(&first) + 10, "{}", second.gate);
    assert!(failed(&second).is_empty());
    // The figures are of items and days, and of no customer.
    let text = second.gate.to_string();
    assert!(!text.contains("\"c1"), "{text}");
}

#[test]
fn every_next_day_passes() {
    let place = shop();
    let index = Index::at(place.path().join("daily"));
    for day in ["2025-03-08", "2025-03-09", "2025-03-10", "2025-03-11"] {
        let options = ReadOptions { before: Some(day.into()), ..ReadOptions::default() };
        let events = [place.events()];
        let reading = cartwright::events::read(&events, &options).expect("readable");
        let mut input = read(&events[0], None).expect("readable");
        input.reading = reading;
        let manifest = train(input, &TrainOptions::default(), &index, &mut |_| {});
        assert!(failed(&manifest.expect("a normal day passes")).is_empty());
    }
}

#[test]
fn half_a_file_is_refused_with_the_bound_the_shortfall_and_the_days() {
    let place = shop();
    let (header, rows) = rows(&place);
    let half = rows.len() / 2;
    let refusal = refused(&place, &write(&place, &header, rows.into_iter().take(half)));
    says(&refusal, &["keeps generation 1", "rows:", "too little", "train.gate.rows_drop"]);
    says(&refusal, &["the log ends on", "rows per day", "2025-03-08          -", "--force"]);
}

#[test]
fn days_that_are_missing_are_named_and_shown() {
    let place = shop();
    let (header, rows) = rows(&place);
    let gone = ["2025-02-25", "2025-02-26"];
    let left = rows.into_iter().filter(|row| ![55, 56].contains(&day_of(row)));
    let events = write(&place, &header, left);
    // Two days of seventy are no reason to stop, and one to tell.
    let manifest = place.publish(&events, GateOptions::default()).expect("it passes");
    for day in gone {
        let told = format!("input: {day} is missing");
        assert!(manifest.notes.iter().any(|note| note.contains(&told)), "{:?}", manifest.notes);
    }
    let strict = GateOptions { rows_drop: 0.0, ..GateOptions::default() };
    let place = shop();
    let left = self::rows(&place).1.into_iter().filter(|row| day_of(row) != 55);
    let events = write(&place, &header, left);
    let refusal = refused_by(&place, &events, strict);
    says(&refusal, &["2025-02-25 is missing", "2025-02-25          0", "<- odd"]);
}

#[test]
fn a_column_that_moved_is_refused_and_named() {
    let place = shop();
    let (header, rows) = rows(&place);
    let events = write(&place, &header.replace("event_type", "channel"), rows);
    let refusal = refused(&place, &events);
    says(&refusal, &["no column is event_type any more; `event_type` was", "rows of kind view"]);
}

#[test]
fn another_shops_log_is_refused() {
    let place = shop();
    let (header, rows) = rows(&place);
    let renamed = rows.into_iter().map(|row| {
        let mut cells: Vec<String> = row.split(',').map(str::to_owned).collect();
        cells[1] = format!("z{}", cells[1]);
        cells.join(",")
    });
    let refusal = refused(&place, &write(&place, &header, renamed));
    says(&refusal, &["most popular items that are still known", "train.gate.least_known"]);
}

#[test]
fn items_that_lost_their_meaning_are_refused_for_their_answers() {
    let place = shop();
    let (header, rows) = rows(&place);
    let cells: Vec<Vec<String>> =
        rows.iter().map(|row| row.split(',').map(str::to_owned).collect()).collect();
    // Every row gets the item of another row: all counts stay, and nothing goes together any more.
    let count = cells.len();
    let shuffled = (0..count).map(|place| {
        let mut row = cells[place].clone();
        row[1] = cells[(place * 7_919 + 13) % count][1].clone();
        row.join(",")
    });
    let refusal = refused(&place, &write(&place, &header, shuffled));
    says(&refusal, &["rules of same_customers", "train.gate.rules_drop", "top lists"]);
}

#[test]
fn a_file_delivered_three_times_over_is_refused() {
    let place = shop();
    let (header, rows) = rows(&place);
    // With other customers and orders, so that no row is a duplicate of another.
    let again = (0..4).flat_map(|time| {
        rows.iter().map(move |row| {
            let mut cells: Vec<String> = row.split(',').map(str::to_owned).collect();
            cells[0] = format!("{}{time}", cells[0]);
            if !cells[4].is_empty() {
                cells[4] += &format!("-{time}");
            }
            cells.join(",")
        })
    });
    let refusal = refused(&place, &write(&place, &header, again.collect::<Vec<_>>()));
    says(&refusal, &["rows:", "too much", "train.gate.rows_rise"]);
}

#[test]
fn force_publishes_and_the_manifest_tells() {
    let place = shop();
    let (header, rows) = rows(&place);
    let half = rows.len() / 2;
    let events = write(&place, &header, rows.into_iter().take(half));
    let gate = GateOptions { force: true, ..GateOptions::default() };
    let manifest = place.publish(&events, gate).expect("it is forced");
    assert_eq!((place.index.current().expect("published"), manifest.generation), (2, 2));
    assert_eq!(manifest.gate["forced"], true);
    assert!(failed(&manifest).iter().any(|name| name.contains("rows")), "{}", manifest.gate);
    let told = manifest.notes.iter().any(|note| note.starts_with("published by --force although"));
    assert!(told, "{:?}", manifest.notes);
    // It is the measure from now on.
    let events = place.path().join("other.csv");
    let manifest = place.publish(&events, GateOptions::default()).expect("the same again");
    assert_eq!(manifest.gate["forced"], false);
}

#[test]
fn a_catalogue_that_lost_its_prices_its_keys_or_itself_is_told() {
    let place = shop();
    let catalog = place.path().join("goods.csv");
    let publish = |prefix: &str, items: usize, price: &str, with: bool| {
        let rows: String = (0..items).map(|n| format!("{prefix}{n},{price}\n")).collect();
        std::fs::write(&catalog, format!("item_id,price\n{rows}")).expect("it can be written");
        let mut input = read(&place.events(), with.then_some(&*catalog)).expect("readable");
        let known = ("c8".to_owned(), Default::default());
        input.attributes = [known, ("nobody".to_owned(), Default::default())].into();
        let options = TrainOptions::default();
        match train(input, &options, &place.index, &mut |_| {}) {
            Ok(manifest) => manifest.notes.join("\n"),
            Err(refused) => refused.to_string(),
        }
    };
    says(
        &publish("z", 20, "2.50", true),
        &["catalogue: 0 of its 20 items are in the events, which have 120", "--force"],
    );
    let sound = publish("i", ITEMS, "2.50", true);
    assert!(!sound.contains("catalogue"), "{sound}");
    says(&sound, &["customers: 1 of 2 in the table are in no event"]);
    says(
        &publish("i", ITEMS, "0", true),
        &["input: 0 of 120 items in the catalogue have a price above 0"],
    );
    says(
        &publish("i", ITEMS, "0", false),
        &["there is no catalogue any more; it had 120 items", "train.gate.listed_drop"],
    );
    says(
        &publish("i", 80, "2.50", true),
        &["the catalogue has 80 items; it had 120", "at least 84 is asked for"],
    );
    let some_taken_off = publish("i", 90, "2.50", true);
    assert!(!some_taken_off.contains("the catalogue has"), "some are every day");
    says(
        &some_taken_off,
        &[
            "catalogue: 30 items of the events",
            "catalog.only_listed = true",
            "no event is later than those of generation",
        ],
    );
}

#[test]
fn golden_queries_hold_or_are_named() {
    let place = shop();
    let listed = place.index.list().expect("it can be listed").remove(0);
    let lists = listed.manifest.expect("sound").gate["measured"]["tops"].clone();
    let (anchor, list) = lists.as_object().and_then(|lists| lists.iter().next()).expect("lists");
    let partner = list[0].as_str().expect("an item");
    let golden = place.path().join("golden.jsonl");
    let gate = GateOptions { golden: Some(golden.clone()), ..GateOptions::default() };
    let events = place.events();
    let query = |expected: &str| {
        let line = serde_json::json!({"related": anchor, "expect": [expected], "within": 5});
        std::fs::write(&golden, format!("{line}\n")).expect("it can be written");
    };
    query(partner);
    place.publish(&events, gate.clone()).expect("the answer is as expected");
    place.index.rollback().expect("there is one before");
    std::fs::remove_dir_all(place.index.generation_dir(2)).expect("it can be removed");
    query("NO-SUCH-ITEM");
    let refusal = refused_by(&place, &events, gate.clone());
    says(
        &refusal,
        &["golden queries answered", "NO-SUCH-ITEM", "not in the shop any more", anchor],
    );
    std::fs::remove_file(&golden).expect("it was there");
    let error = place.publish(&events, gate).expect_err("the file is missing").to_string();
    assert!(error.contains("golden.jsonl"), "{error}");
}

#[test]
fn the_first_generation_too_must_be_sane() {
    let place = shop();
    let index = Index::at(place.path().join("fresh"));
    let gate = GateOptions { least_of_popularity: 1e6, ..GateOptions::default() };
    let options = TrainOptions { gate, ..TrainOptions::default() };
    let input = read(&place.events(), None).expect("readable");
    let error =
        train(input, &options, &index, &mut |_| {}).expect_err("nothing is so good").to_string();
    says(&error, &["lets nothing through", "accuracy of", "train.gate.least_of_popularity"]);
    index.current().expect_err("nothing was published");
}
