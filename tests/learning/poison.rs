//! Bad data and poison: programs, crowds, wrong clocks, things delivered twice.
//!
//! The made-up shop is honest; each test adds to its log what somebody else might.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::LazyLock;

use crate::common::folder;
use cartwright::demo::{ShopOptions, make};
use cartwright::events::{Cause, ReadOptions, Reading, read};
use cartwright::recommend::{Blend, Query, Question, Scratch, answer};
use cartwright::train::{Learnt, TrainOptions, learn, stock};

const HEADER: &str = "customer_id,item_id,timestamp,event_type,order_id";
const DAY: i64 = 86_400;

/// One row of a log.
#[derive(Clone, Debug)]
struct Row {
    customer: String,
    item: String,
    at: i64,
    kind: &'static str,
    order: String,
}

fn bought(customer: &str, item: &str, at: i64, order: &str) -> Row {
    Row { customer: customer.into(), item: item.into(), at, kind: "purchase", order: order.into() }
}

/// An honest shop: its purchases, and its looks without sessions.
fn honest(customers: usize, items: usize, days: u32) -> Vec<Row> {
    let options = ShopOptions { customers, items, days, ..ShopOptions::default() };
    let shop = make(&options).expect("the options are in range");
    let row = |event: &cartwright::demo::ShopEvent| Row {
        customer: event.customer.map(cartwright::demo::customer_key).unwrap_or_default(),
        item: shop.item(event.item).item_id.clone(),
        at: event.at.0 / 1_000,
        kind: event.kind.word(),
        order: event.order.map(|order| order.to_string()).unwrap_or_default(),
    };
    let rows = shop.events.iter().map(row);
    rows.filter(|row| !row.order.is_empty() && row.kind == "purchase").collect()
}

static SHOP: LazyLock<Vec<Row>> = LazyLock::new(|| honest(700, 200, 200));

fn write(rows: &[Row]) -> (tempfile::TempDir, PathBuf) {
    let place = folder();
    let path = place.path().join("events.csv");
    let mut text = format!("{HEADER}\n");
    for Row { customer, item, at, kind, order } in rows {
        let _ = writeln!(text, "{customer},{item},{at},{kind},{order}");
    }
    std::fs::write(&path, text).expect("the folder can be written");
    (place, path)
}

fn reading(rows: &[Row]) -> Reading {
    reading_with(rows, &ReadOptions::default())
}

fn reading_with(rows: &[Row], options: &ReadOptions) -> Reading {
    let (_place, path) = write(rows);
    let reading = read(&[path], options).expect("readable");
    let account = &reading.account;
    assert_eq!(account.read, account.used + account.set_aside.values().sum::<u64>(), "{account:?}");
    reading
}

fn set_aside(reading: &Reading, cause: Cause) -> u64 {
    reading.account.set_aside.get(&cause).copied().unwrap_or(0)
}

fn says(notes: &[String], start: &str, word: &str) -> bool {
    notes.iter().any(|note| note.starts_with(start) && note.contains(word))
}

/// What a shop that nobody has harmed hears.
fn is_told_nothing(reading: &Reading) {
    let causes = [Cause::Program, Cause::Burst, Cause::InTheFuture, Cause::LongBefore];
    for cause in causes {
        assert_eq!(set_aside(reading, cause), 0, "{cause:?}: {:?}", reading.notes);
    }
    for start in ["programs", "bursts", "clocks", "crowd", "duplicates"] {
        assert!(!says(&reading.notes, start, ""), "{:?}", reading.notes);
    }
}

fn learnt(reading: &Reading) -> Learnt {
    let mut log = reading.log.clone();
    let items = stock(&mut log, &cartwright::catalog::Catalog::default());
    let zone = ReadOptions::default().zone().expect("UTC");
    learn(&log, items, &zone, &TrainOptions::default(), &mut |_| {})
}

/// The first ten of an item's page.
fn list(learnt: &Learnt, item: &str) -> BTreeSet<String> {
    let query = Query::new(Question::Related { item }, None, 10);
    let found = answer(&learnt.contents, &Blend::default(), &query, &mut Scratch::default());
    let key = |item| learnt.contents.keys.key(item).to_owned();
    found.recommendations.iter().map(|one| key(one.item)).collect()
}

fn item_keys(rows: &[Row]) -> Vec<String> {
    let keys: BTreeSet<&String> = rows.iter().map(|row| &row.item).collect();
    keys.into_iter().cloned().collect()
}

/// When the log begins, and how many seconds it lasts.
fn span(rows: &[Row]) -> (i64, i64) {
    let at = || rows.iter().map(|row| row.at);
    let (first, last) = (at().min().expect("rows"), at().max().expect("rows"));
    (first, last - first)
}

/// Pairs that a program wants to push: nobody is shown one for the other.
fn strange_pairs(clean: &Learnt, keys: &[String], count: usize) -> Vec<(String, String)> {
    let mut random = fastrand::Rng::with_seed(11);
    let mut pairs = Vec::new();
    while pairs.len() < count {
        let [a, b] = [0, 1].map(|_| keys[random.usize(..keys.len())].clone());
        if a != b && !list(clean, &a).contains(&b) && !list(clean, &b).contains(&a) {
            pairs.push((a, b));
        }
    }
    pairs
}

/// 10,000 baskets of one customer, spread over the log, a pair in each.
fn program(rows: &[Row], pairs: &[(String, String)]) -> Vec<Row> {
    let (first, lasts) = span(rows);
    let basket = |nth: usize| {
        let at = first + nth as i64 * lasts / 10_000;
        let (a, b) = &pairs[nth % pairs.len()];
        [a, b].map(|item| bought("bot", item, at, &format!("fake{nth}")))
    };
    (0..10_000).flat_map(basket).collect()
}

/// How many of the pairs are in a list of ten, either way.
fn moved(learnt: &Learnt, pairs: &[(String, String)]) -> usize {
    let is_moved =
        |(a, b): &&(String, String)| list(learnt, a).contains(b) || list(learnt, b).contains(a);
    pairs.iter().filter(is_moved).count()
}

#[test]
fn one_program_with_ten_thousand_baskets_moves_no_pair() {
    let clean = reading(&SHOP);
    is_told_nothing(&clean);
    let keys = item_keys(&SHOP);
    let before = learnt(&clean);
    let pairs = strange_pairs(&before, &keys, 40);
    let poisoned = [SHOP.clone(), program(&SHOP, &pairs)].concat();
    let after = reading(&poisoned);
    assert_eq!(set_aside(&after, Cause::Program), 20_000);
    assert!(says(&after.notes, "programs: one customer has 10000 orders", "set aside"));
    assert!(after.notes.iter().all(|note| !note.contains("bot")), "a customer's key is in a note");
    // What is learnt from is what it was, to the byte: so is every list.
    assert_eq!(after.log.events, clean.log.events);
    assert_eq!(moved(&learnt(&after), &pairs), 0);
    // That the pairs would have been moved: else nothing was shown.
    let kept = ReadOptions { keep_programs: true, ..ReadOptions::default() };
    let harm = moved(&learnt(&reading_with(&poisoned, &kept)), &pairs);
    eprintln!("of 40 pairs {harm} would have been moved into a list of ten");
    assert!(harm > 30, "{harm}");
}

#[test]
fn a_program_that_hides_among_honest_baskets_is_found_too() {
    let orders = orders_of(&SHOP);
    let (first, lasts) = span(&SHOP);
    let pushed = item_keys(&SHOP).pop().expect("items");
    let fake = (0..10_000).flat_map(|nth| {
        let at = first + nth as i64 * lasts / 10_000;
        let order = format!("fake{nth}");
        let honest = orders[nth * 7 % orders.len()].iter().map(|row| row.item.as_str());
        let items = honest.take(3).chain([pushed.as_str()]);
        items.map(|item| bought("bot", item, at, &order)).collect::<Vec<_>>()
    });
    let after = reading(&[SHOP.clone(), fake.collect()].concat());
    assert!(set_aside(&after, Cause::Program) > 20_000, "{:?}", after.notes);
    assert_eq!(after.log.events, reading(&SHOP).log.events);
}

/// The rows of each order.
fn orders_of(rows: &[Row]) -> Vec<Vec<Row>> {
    let mut orders: std::collections::BTreeMap<&str, Vec<Row>> = Default::default();
    for row in rows {
        orders.entry(&row.order).or_default().push(row.clone());
    }
    orders.into_values().collect()
}

#[test]
fn a_till_and_a_wholesaler_go_on_counting() {
    // Every other customer buys as a guest, in one account.
    let mut rows = SHOP.clone();
    for row in &mut rows {
        if row.customer.bytes().last().is_some_and(|digit| digit % 2 == 0) {
            row.customer = "GUEST".into();
        }
    }
    let guests = reading(&rows);
    assert_eq!(set_aside(&guests, Cause::Program), 0, "{:?}", guests.notes);
    assert!(says(&guests.notes, "programs: one customer has", "leave its customer empty"));
    // One customer has the orders of a hundred, and nobody is told.
    let mut rows = SHOP.clone();
    let names: BTreeSet<String> = rows.iter().map(|row| row.customer.clone()).collect();
    let few: BTreeSet<&String> = names.iter().filter(|name| !name.is_empty()).take(30).collect();
    for row in &mut rows {
        if few.contains(&row.customer) {
            row.customer = "WHOLESALE".into();
        }
    }
    let wholesale = reading(&rows);
    assert_eq!(set_aside(&wholesale, Cause::Program), 0, "{:?}", wholesale.notes);
    // Nobody has a customer: all count.
    rows.iter_mut().for_each(|row| row.customer.clear());
    let nameless = reading(&rows);
    is_told_nothing(&nameless);
    assert_eq!(nameless.account.used, reading(&SHOP).account.used);
}

#[test]
fn a_burst_of_equal_baskets_of_nobody_counts_no_more_than_a_busy_day() {
    let keys = item_keys(&SHOP);
    let (first, lasts) = span(&SHOP);
    let basket = |nth: usize, day: i64| {
        let order = format!("{day}fake{nth}");
        [0, 9].map(|item| bought("", &keys[item], first + day * DAY + nth as i64, &order))
    };
    let burst: Vec<Row> = (0..500).flat_map(|nth| basket(nth, 30)).collect();
    let after = reading(&[SHOP.clone(), burst].concat());
    assert_eq!(set_aside(&after, Cause::Burst), 2 * 480, "{:?}", after.notes);
    assert!(says(&after.notes, "bursts: 1 baskets", "480 such orders"), "{:?}", after.notes);
    // A lunch deal sells every day, once it is there.
    let days = lasts / DAY - 1;
    let deal: Vec<Row> =
        (0..days).flat_map(|day| (0..60).flat_map(move |nth| basket(nth, day))).collect();
    let daily = reading(&[SHOP.clone(), deal].concat());
    assert_eq!(set_aside(&daily, Cause::Burst), 0, "{:?}", daily.notes);
}

/// How many accounts there are, and the shop that they are one per cent of.
fn crowd_size() -> (usize, Vec<Row>) {
    match std::env::var("CARTWRIGHT_CROWD") {
        Ok(count) => (count.parse().expect("a number"), honest(12_000, 400, 365)),
        Err(_) => (100, SHOP.clone()),
    }
}

/// Accounts that each come once in the last two weeks and buy the same two items, and others by chance; a
/// hundredth of all rows in all.
fn crowd(rows: &[Row], accounts: usize, pushed: [&str; 2]) -> Vec<Row> {
    let keys = item_keys(rows);
    let (first, lasts) = span(rows);
    let mut random = fastrand::Rng::with_seed(5);
    let mut fake = Vec::new();
    for account in 0..accounts {
        let at = first + lasts - random.i64(0..14 * DAY);
        let more = (rows.len() / 100).saturating_sub(2 * accounts) * (account + 1) / accounts
            - (rows.len() / 100).saturating_sub(2 * accounts) * account / accounts;
        let others = (0..more).map(|_| keys[random.usize(..keys.len())].clone());
        let items: Vec<String> = pushed.iter().map(|&item| item.to_owned()).chain(others).collect();
        let (who, order) = (format!("fake{account}"), format!("fake{account}"));
        fake.extend(items.iter().map(|item| bought(&who, item, at, &order)));
    }
    fake
}

#[test]
fn a_crowd_of_fake_accounts_changes_few_lists_and_is_told() {
    let (accounts, rows) = crowd_size();
    let keys = item_keys(&rows);
    let clean = reading(&rows);
    let before = learnt(&clean);
    let (a, b) = strange_pairs(&before, &keys, 1).remove(0);
    let fake = crowd(&rows, accounts, [&a, &b]);
    eprintln!("{accounts} accounts, {} of {} rows", fake.len(), rows.len());
    let after = reading(&[rows, fake].concat());
    let poisoned = learnt(&after);
    let (mut pushed, mut other) = (0, 0);
    for key in &keys {
        let (was, is) = (list(&before, key), list(&poisoned, key));
        let new: Vec<&String> = is.difference(&was).collect();
        pushed += usize::from(new.iter().any(|item| **item == a || **item == b));
        other += usize::from(!new.is_empty());
    }
    let share = |lists: usize| 100.0 * lists as f64 / keys.len() as f64;
    eprintln!(
        "of {} lists {pushed} ({:.1} %) hold what was pushed, {other} ({:.1} %) have changed at all",
        keys.len(),
        share(pushed),
        share(other)
    );
    assert!(share(pushed) <= 5.0);
}
