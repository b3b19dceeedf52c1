//! Held-out weeks replayed: nothing leaks, the split is the published one, thin logs are told as such, and
//! what was planted in a made-up shop is found.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use cartwright::demo::{ShopOptions, make};
use cartwright::evaluate::{Cut, Exam, HeldOut, Problem, Report, Task, past, purchased};
use cartwright::events::{EventKind, EventLog, ReadOptions, Told, read_as_told};
use cartwright::ids::CustomerId;
use cartwright::recommend::{Query, Question, Scratch, answer};
use cartwright::train::{TrainOptions, learn, stock};
use jiff::tz::TimeZone;

/// A log as a shop would write it.
fn log_of(csv: &str) -> Told {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("events.csv");
    std::fs::write(&path, csv).unwrap();
    read_as_told(&[path], &ReadOptions::default()).unwrap()
}

fn cut_of(told: &Told, test_days: u32) -> Cut {
    Cut::of(&told.whole(), test_days, &TimeZone::UTC).unwrap()
}

fn held_out(told: &Told, cut: Cut) -> (EventLog, HeldOut) {
    let before = past(told, cut);
    let held_out = HeldOut::new(&before, &told.whole(), &told.groups, cut, &TimeZone::UTC, 30);
    (before, held_out)
}

fn examined(told: &Told, test_days: u32) -> Report {
    let cut = cut_of(told, test_days);
    let (before, held_out) = held_out(told, cut);
    let exam = Exam::new(&before, &held_out, cut, &TimeZone::UTC, 30, &Task::ALL);
    exam.sit(&[], |_| true, |_| {})
}

/// Sixty days of `customers` who buy three of ten items every other day.
fn shop(customers: usize) -> String {
    let mut csv = "customer_id,item_id,timestamp,order_id\n".to_owned();
    for day in 0..60 {
        for customer in (0..customers).filter(|customer| (customer + day) % 2 == 0) {
            for item in 0..4 {
                let item = (customer * 3 + day + item * item) % 10;
                let date = jiff::civil::date(2024, 1, 1)
                    .saturating_add(jiff::Span::new().days(day as i64));
                csv += &format!(
                    "c{customer},i{item},{date}T{:02}:00:00Z,o{day}-{customer}\n",
                    customer % 24
                );
            }
        }
    }
    csv
}

const FUTURE: &str = "c1,i1,2024-02-28T10:00:00Z,f1\nc1,brand new,2024-02-28T10:00:00Z,f1\n\
                      stranger,i2,2024-02-28T11:00:00Z,f2\nc0,i3,2024-02-29T12:00:00Z,f3\n";

#[test]
fn a_future_event_planted_in_the_log_changes_nothing_before_it() {
    let (told, more) = (log_of(&shop(20)), log_of(&(shop(20) + FUTURE)));
    let cut = cut_of(&told, 7);
    assert_eq!(cut, Cut::At { at: cartwright::time::Timestamp::from_secs(1_708_646_400), days: 7 });
    let (a, b) = (past(&told, cut), past(&more, cut));
    assert_eq!(a.events, b.events);
    assert_eq!(a.items.keys().collect::<Vec<_>>(), b.items.keys().collect::<Vec<_>>());
    assert_eq!(a.customers.keys().collect::<Vec<_>>(), b.customers.keys().collect::<Vec<_>>());
    assert_eq!(b.items.get("brand new"), None);
    assert_eq!(b.customers.get("stranger"), None);
    let answered = |mut log: EventLog| {
        let items = stock(&mut log, &Default::default());
        let learnt = learn(&log, &items, &TimeZone::UTC, &TrainOptions::default(), &mut |_| {});
        let question = Question::Customer { recent: vec![], exclude_purchased: false };
        let query = Query::new(question, learnt.histories.get(CustomerId::FIRST), 10);
        answer(&learnt.contents, &learnt.blend, &query, &mut Scratch::default()).recommendations
    };
    assert_eq!(answered(a), answered(b));
}

/// The last days once were read apart from the past, which then spelt an item otherwise: nobody could hit it.
#[test]
fn what_is_sent_back_after_the_cut_changes_neither_the_past_nor_a_spelling() {
    let counted = |csv: String| -> String {
        csv.lines().map(|line| format!("{line},1\n")).collect::<String>().replacen(
            ",1\n",
            ",quantity\n",
            1,
        )
    };
    // i1 is spelt I1 more often in the end, though not before the cut.
    let later: String = (0..200).map(|n| format!("d{n},I1,2024-02-29T10:00:00Z,x{n}\n")).collect();
    let csv = counted(shop(4) + &later);
    let (told, with_return) =
        (log_of(&csv), log_of(&(csv.clone() + "c1,i1,2024-02-28T10:00:00Z,r1,-1\n")));
    let cut = cut_of(&told, 7);
    let ((before, held_out), (same, still)) =
        (self::held_out(&told, cut), self::held_out(&with_return, cut));
    assert_eq!(before.events, same.events);
    let keys = |items: &HeldOut| items.items.keys().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(keys(&held_out), keys(&still));
    assert_eq!(before.items.len(), held_out.items.len(), "nothing is new after the cut");
    let bought =
        |log: EventLog| log.events.iter().filter(|e| e.kind == EventKind::Purchase).count();
    assert_eq!(bought(told.whole()), bought(with_return.whole()) + 1, "by now it is known");
}

#[test]
fn items_never_seen_before_stay_in_the_truth() {
    let told = log_of(&(shop(20) + FUTURE));
    let cut = cut_of(&told, 3);
    let (before, held_out) = held_out(&told, cut);
    let new = held_out.items.get("brand new").unwrap();
    assert!(new.index() >= before.items.len());
    let problem = Problem::new(Task::ForCustomerWindow, &held_out, &before, &purchased(&before));
    assert!(problem.cases.iter().any(|case| case.truth.contains(&new)));
}

#[test]
fn a_visit_over_the_midnight_of_the_cut_is_none_of_the_window() {
    let look = |at: &str, item: &str| format!("c,{item},2024-01-{at}:00Z,view\n");
    let looks = [("01T10:00", "a"), ("09T23:40", "a"), ("10T00:05", "b"), ("10T00:20", "d")];
    let visit = [("10T09:00", "e"), ("10T09:10", "f")];
    let rows: String = looks.iter().chain(&visit).map(|(at, item)| look(at, item)).collect();
    let told = log_of(&format!("customer_id,item_id,timestamp,event_type\n{rows}"));
    let report = examined(&told, 1);
    assert_eq!(report.window.held_out_visits, 1, "that of the morning");
}

#[test]
fn a_basket_is_halved_as_the_published_protocol_halves_it() {
    // Python: sorted(items, key=lambda item: (stable_hash("o3", item), item)).
    let csv = "customer_id,item_id,timestamp,order_id\nc,a,2024-01-01,o0\n\
               c,a,2024-01-30,o3\nc,b,2024-01-30,o3\nc,d,2024-01-30,o3\nc,e,2024-01-30,o3\nc,f,2024-01-30,o3\n";
    let told = log_of(csv);
    let cut = cut_of(&told, 1);
    let (before, held_out) = held_out(&told, cut);
    let problem = Problem::new(Task::BasketUpsell, &held_out, &before, &purchased(&before));
    let keys = |items: &[_]| items.iter().map(|&id| held_out.items.key(id)).collect::<String>();
    assert_eq!(problem.cases.len(), 1);
    let case = &problem.cases[0];
    assert_eq!((keys(&case.items).as_str(), keys(&case.truth).as_str()), ("fd", "abe"));
}

#[test]
fn figures_are_the_same_on_any_number_of_threads() {
    let told = log_of(&shop(40));
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| examined(&told, 14))
    };
    let (one, four) = (on(1), on(4));
    assert_eq!(one, four);
    assert!(one.of(Task::ForCustomer).unwrap().cases > 10);
}

#[test]
fn thin_logs_say_what_cannot_be_judged_and_why() {
    let why = |csv: &str, task: Task| {
        let told = log_of(csv);
        let report = examined(&told, 28);
        assert!(report.html().contains("Not judged"));
        report.of(task).unwrap().unjudged.clone().unwrap_or_default()
    };
    let nobody = "item_id,timestamp,order_id\na,2024-01-01,1\nb,2024-01-01,1\na,2024-03-01,2\nb,2024-03-01,2\n";
    assert_eq!(why(nobody, Task::ForCustomer), "the log names no customers");
    assert_eq!(why(nobody, Task::RelatedItems), "");
    assert_eq!(
        why(nobody, Task::BasketUpsellAnonymous),
        "no held-out basket has four distinct items"
    );
    let strangers = "customer_id,item_id,timestamp\na,x,2024-01-01\nb,y,2024-03-01\n";
    let answer = "no customer of the training part buys again in the window";
    assert_eq!(why(strangers, Task::ForCustomer), answer);
    let only_views = "session_id,item_id,timestamp\n1,x,2024-01-01\n2,y,2024-03-01\n";
    assert_eq!(why(only_views, Task::ForCustomerWindow), "nothing is bought in the held-out part");
    assert!(why(only_views, Task::Session).starts_with("every held-out visit has one event"));
    let no_time: String = (0..60).map(|order| format!("{order},a\n{order},b\n")).collect();
    let no_time = format!("order_id,item_id\n{no_time}");
    assert_eq!(why(&no_time, Task::ForCustomer), "the log names no customers");
    assert_eq!(why(&no_time, Task::RelatedItems), "");
}

#[test]
fn a_log_within_one_day_has_no_cut() {
    let told = log_of(
        "customer_id,item_id,timestamp\na,x,2024-01-01T08:00:00Z\na,y,2024-01-01T09:00:00Z\n",
    );
    assert_eq!(Cut::of(&told.whole(), 28, &TimeZone::UTC), None);
    assert_eq!(Cut::of(&EventLog::default(), 28, &TimeZone::UTC), None);
}

#[test]
fn the_window_begins_at_midnight_of_the_shop_also_when_clocks_change() {
    let told = log_of(
        "customer_id,item_id,timestamp\na,x,2024-01-01T08:00:00Z\na,y,2024-04-10T09:00:00Z\n",
    );
    let berlin = TimeZone::get("Europe/Berlin").unwrap();
    let Some(Cut::At { at, days }) = Cut::of(&told.whole(), 20, &berlin) else {
        panic!("a dated log")
    };
    assert_eq!((at.to_string().as_str(), days), ("2024-03-21T23:00:00Z", 20));
}

#[test]
fn an_undated_log_is_split_by_the_published_hash() {
    // Python: stable_hash("groceries", order) % 100 in range(72, 80), of the orders 0 to 59.
    let rows: String = (0..60).map(|order| format!("{order},a\n{order},b\n")).collect();
    let told = log_of(&format!("order_id,item_id\n{rows}"));
    let report = examined(&told, 28);
    assert_eq!((report.window.held_out_orders, report.window.training_events), (5, 74));
}

fn evaluate(paths: &[&Path], extra: &[&str]) -> serde_json::Value {
    let dir = tempfile::tempdir().unwrap();
    let (json, page) = (dir.path().join("report.json"), dir.path().join("report.html"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_cartwright"));
    command.arg("evaluate").arg("--events").arg(paths[0]);
    if let Some(catalog) = paths.get(1) {
        command.arg("--catalog").arg(catalog);
    }
    command.arg("--json").arg(&json).arg("--report").arg(&page).args(extra);
    let done = command.output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let page = std::fs::read_to_string(page).unwrap();
    assert!(page.starts_with("<!doctype html>") && page.contains("<svg"));
    for foreign in ["<script", "http://", "https://", "url(", "@import", "NaN"] {
        assert!(!page.contains(foreign), "the page must stand alone: {foreign}");
    }
    serde_json::from_str(&std::fs::read_to_string(json).unwrap()).unwrap()
}

fn marks<'a>(report: &'a serde_json::Value, task: &str, name: &str) -> &'a serde_json::Value {
    let of = |list: &'a serde_json::Value, key: &str, value: &str| {
        list.as_array().unwrap().iter().find(|entry| entry[key] == value).unwrap()
    };
    of(&of(&report["tasks"], "task", task)["marks"], "name", name)
}

/// A small made-up shop, examined with all baselines: the tests that follow look at one report.
static MADE_UP: LazyLock<serde_json::Value> = LazyLock::new(|| {
    let dir = tempfile::tempdir().unwrap();
    let options = ShopOptions { customers: 600, items: 120, days: 150, ..ShopOptions::default() };
    let written = make(&options).unwrap().write(dir.path()).unwrap();
    evaluate(&[&written.events, &written.catalog], &["--test-days", "21"])
});

fn headline(marks: &serde_json::Value) -> f64 {
    marks["headline"].as_f64().unwrap()
}

/// All who sat for the task but us.
fn rivals(task: &str) -> Vec<&'static serde_json::Value> {
    let tasks = MADE_UP["tasks"].as_array().unwrap();
    let all = tasks.iter().find(|entry| entry["task"] == task).unwrap()["marks"].as_array();
    let rivals = all.unwrap().iter().filter(|marks| marks["name"] != "cartwright");
    let rivals: Vec<_> = rivals.collect();
    assert!(rivals.len() > 4, "{task}: {} are hardly anybody to be better than", rivals.len());
    rivals
}

#[test]
fn what_was_planted_in_a_made_up_shop_is_found_better_than_by_popularity() {
    for task in [
        "for_customer",
        "for_customer_window",
        "basket_upsell_anonymous",
        "related_items",
        "session",
    ] {
        let ours = marks(&MADE_UP, task, "cartwright");
        let theirs = marks(&MADE_UP, task, "popularity");
        let (low, high) =
            (ours["interval"][0].as_f64().unwrap(), theirs["interval"][1].as_f64().unwrap());
        assert!(low > high, "{task}: {} against {}", ours["headline"], theirs["headline"]);
    }
}

#[test]
fn what_a_customer_wants_is_found_better_than_by_each_baseline() {
    for task in ["for_customer", "for_customer_window"] {
        let ours = headline(marks(&MADE_UP, task, "cartwright"));
        for rival in rivals(task) {
            assert!(ours > headline(rival), "{task}: {ours} against {rival:#}");
        }
    }
}

/// Not yet better than each: in so small a shop plain confidence is ahead by a little on product pages and
/// in its 22 baskets, sequential rules are in visits, and factors in what is new to its 129 customers. None of
/// them by more than chance allows.
#[test]
fn no_baseline_finds_more_than_chance_allows_of_the_rest() {
    for task in
        ["for_customer_new", "basket_upsell", "basket_upsell_anonymous", "related_items", "session"]
    {
        let high = marks(&MADE_UP, task, "cartwright")["interval"][1].as_f64().unwrap();
        for rival in rivals(task) {
            assert!(high > headline(rival), "{task}: at most {high} against {rival:#}");
        }
    }
}

/// The figures of the outside judge on its own split of `groceries.csv.gz`, to the fourth digit (two of
/// the shop's keys end in a blank, which reading drops; here they are dropped for both).
#[test]
fn figures_of_a_real_shop_are_those_of_the_outside_judge() {
    let Some(folder) = std::env::var_os("CARTWRIGHT_DATA") else {
        eprintln!("left out: CARTWRIGHT_DATA names no folder with groceries.csv.gz");
        return;
    };
    let path = PathBuf::from(folder).join("groceries.csv.gz");
    let report = evaluate(&[&path], &["--baselines", "popularity,confidence,cosine,bm25"]);
    for (task, name, expected) in JUDGED {
        let came = marks(&report, task, name)["headline"].as_f64().unwrap();
        assert!((came - expected).abs() < 5e-5, "{task} {name}: {came}, the judge says {expected}");
    }
}

const JUDGED: [(&str, &str, f64); 8] = [
    ("basket_upsell_anonymous", "popularity", 0.35387),
    ("basket_upsell_anonymous", "confidence", 0.36349),
    ("basket_upsell_anonymous", "cosine", 0.3692),
    ("basket_upsell_anonymous", "bm25", 0.35589),
    ("related_items", "popularity", 0.30431),
    ("related_items", "confidence", 0.31154),
    ("related_items", "cosine", 0.27947),
    ("related_items", "bm25", 0.2542),
];
