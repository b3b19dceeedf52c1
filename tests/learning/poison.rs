//! Bad data and poison: programs, crowds, wrong clocks, things delivered twice.
//!
//! The made-up shop is honest; each test adds to its log what somebody else might.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::LazyLock;

use crate::common::{folder, publish};
use cartwright::demo::{ShopOptions, make};
use cartwright::events::{Cause, ReadOptions, Reading, read};
use cartwright::index::{Index, Snapshot};
use cartwright::recommend::{Blend, Query, Question, Scratch, answer};
use cartwright::train::{Learnt, TrainOptions, learn, quieted, stock};

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
    learn(&log, &items, &zone, &TrainOptions::default(), &mut |_| {})
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
            row.customer = "COUNTER".into();
        }
    }
    let guests = reading(&rows);
    assert_eq!(set_aside(&guests, Cause::Program), 0, "{:?}", guests.notes);
    assert!(says(&guests.notes, "programs: one customer has", "events.nobody"));
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
    // A log of one day does not say what others are like.
    let on = |last: i64| -> Vec<Row> {
        (0..500).flat_map(|nth| basket(nth, if nth < 490 { 0 } else { last })).collect()
    };
    is_told_nothing(&reading(&on(0)));
    assert_eq!(set_aside(&reading(&on(7)), Cause::Burst), 2 * (490 - 3 * 10));
}

/// How many accounts there are, and the shop that they are one per cent of.
fn crowd_size() -> (usize, Vec<Row>) {
    match std::env::var("CARTWRIGHT_CROWD") {
        Ok(count) => (count.parse().expect("a number"), honest(15_000, 400, 365)),
        Err(_) => (100, honest(2_500, 300, 365)),
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

/// Of how many lists the first ten are others, and how many hold what was pushed and did not before.
fn changed(keys: &[String], before: &Learnt, after: &Learnt, pushed: [&str; 2]) -> (usize, usize) {
    let (mut other, mut moved) = (0, 0);
    for key in keys {
        let (was, is) = (list(before, key), list(after, key));
        let new: Vec<&String> = is.difference(&was).collect();
        other += usize::from(!new.is_empty());
        moved += usize::from(new.iter().any(|item| pushed.contains(&item.as_str())));
    }
    (other, moved)
}

/// What is learnt where crowds are held down, and what is said of them.
fn quietly_learnt(reading: &Reading) -> (Learnt, Vec<String>) {
    let zone = ReadOptions::default().zone().expect("UTC");
    let (log, lines) = quieted(&reading.log, &zone);
    (learnt(&Reading { log, ..reading.clone() }), lines)
}

#[test]
fn a_crowd_of_fake_accounts_gets_into_few_lists_and_is_told() {
    let (accounts, rows) = crowd_size();
    let keys = item_keys(&rows);
    let (before, lines) = quietly_learnt(&reading(&rows));
    assert!(lines.is_empty(), "an honest shop hears nothing: {lines:?}");
    let (a, b) = strange_pairs(&before, &keys, 1).remove(0);
    let fake = crowd(&rows, accounts, [&a, &b]);
    eprintln!("{accounts} accounts, {} of {} rows", fake.len(), rows.len());
    let poisoned = reading(&[rows.clone(), fake].concat());
    let (after, lines) = quietly_learnt(&poisoned);
    let told = lines.iter().find(|line| line.contains("newcomers above all"));
    let told = told.unwrap_or_else(|| panic!("nothing is said: {lines:?}"));
    assert!(told.contains(&a) && told.contains(&b), "{told}");
    let (other, moved) = changed(&keys, &before, &after, [&a, &b]);
    let harmed = changed(&keys, &before, &learnt(&poisoned), [&a, &b]);
    // Every hundredth order of the honest: so much do lists change by themselves.
    let orders: BTreeSet<&str> = rows.iter().map(|row| row.order.as_str()).collect();
    let gone: BTreeSet<&str> = orders.into_iter().step_by(100).collect();
    let left = rows.iter().filter(|row| !gone.contains(row.order.as_str())).cloned();
    let fewer = reading(&left.collect::<Vec<_>>());
    let (by_itself, _) = changed(&keys, &quietly_learnt(&fewer).0, &before, [&a, &b]);
    eprintln!(
        "of {} lists {moved} hold what was pushed, {} where it counts in full; {other} are others in some place, and \
         by a hundredth of the honest orders {by_itself} are",
        keys.len(),
        harmed.1
    );
    let share = |lists: usize| lists as f64 / keys.len() as f64;
    assert!(share(moved) <= 0.05, "{moved} of {}", keys.len());
    assert!(share(other) <= share(by_itself) + 0.05, "{other}, and {by_itself} by itself");
    // That the crowd would have got into more, held down by nothing: else nothing was shown.
    assert!(share(harmed.1) > 0.05, "{harmed:?}");
}

#[test]
fn what_newcomers_have_always_begun_with_is_no_crowd() {
    // A machine, which everybody buys once and first; who comes back buys what it takes.
    let rows = |always: bool| {
        let mut rows = Vec::new();
        for customer in 0..2_000i64 {
            let (who, came) = (format!("c{customer}"), customer * DAY / 10);
            let buys = |item: String, at: i64| bought(&who, &item, at, &format!("{who}-{at}"));
            if always || customer >= 1_800 {
                rows.push(buys("machine".to_owned(), came));
            }
            let refills = (came..200 * DAY).step_by(30 * DAY as usize);
            rows.extend(refills.map(|at| buys(format!("refill {}", (customer + at) % 7), at)));
        }
        rows
    };
    let lines = |always: bool| quietly_learnt(&reading(&rows(always))).1;
    assert!(lines(true).is_empty(), "{:?}", lines(true));
    assert!(says(&lines(false), "crowd: ", "machine"), "{:?}", lines(false));
}

#[test]
fn who_is_in_a_crowd_is_still_known_by_what_they_bought() {
    let keys = item_keys(&SHOP);
    let pushed = [&*keys[3], &*keys[keys.len() / 2]];
    let (place, events) = write(&[SHOP.clone(), crowd(&SHOP, 60, pushed)].concat());
    let index = Index::at(place.path().join("index"));
    let manifest = publish(&index, &events, None).expect("a crowd is no reason not to learn");
    assert!(says(&manifest.notes, "crowd: ", "newcomers above all"), "{:?}", manifest.notes);
    let snapshot = Snapshot::open_current(&index).expect("what was published can be read");
    let blend = Blend::learnt(&manifest.learnt).expect("the blend can be read");
    for account in 0..60 {
        let who = format!("fake{account}");
        let history = snapshot.customers.history(&who).expect("readable").expect("known");
        let profile = snapshot.customers.profile(&who).expect("readable").expect("known");
        let buyer = profile.buyer.expect("one who bought");
        assert_eq!((history.orders, buyer.latest_orders.len()), (1, 1));
        let question = Question::Customer { recent: Vec::new(), exclude_purchased: true };
        let query = Query::new(question, Some(&history), keys.len());
        let found = answer(&snapshot.contents, &blend, &query, &mut Scratch::default());
        let offered = found.recommendations.iter().map(|one| snapshot.contents.keys.key(one.item));
        assert_eq!(offered.filter(|key| pushed.contains(key)).count(), 0, "{who} has both");
    }
}

#[test]
fn a_clock_that_went_wrong_is_found_and_said() {
    let (first, _) = span(&SHOP);
    let keys = item_keys(&SHOP);
    let ahead: Vec<Row> = (0..7).map(|n| bought("c", &keys[n], 4_070_908_800, "future")).collect();
    let reset: Vec<Row> = (0..5).map(|n| bought("c", &keys[n], 86_400, "past")).collect();
    let skewed = reading(&[SHOP.clone(), ahead, reset].concat());
    assert_eq!(set_aside(&skewed, Cause::InTheFuture), 7, "{:?}", skewed.notes);
    assert_eq!(set_aside(&skewed, Cause::LongBefore), 5, "{:?}", skewed.notes);
    assert!(says(&skewed.notes, "clocks: 7 rows in the future", "2099-01-01"));
    assert!(says(&skewed.notes, "clocks: 5 rows, from 1970-01-02", "set aside"));
    assert_eq!(skewed.log.events, reading(&SHOP).log.events);
    // So many that one in ten has no moment, or is of a shop before this one.
    let none: Vec<Row> = SHOP
        .iter()
        .step_by(10)
        .enumerate()
        .map(|(n, row)| Row { at: [0, -3_600][n % 2], ..row.clone() })
        .collect();
    let untold = reading(&[SHOP.clone(), none].concat());
    assert_eq!(untold.log.events, reading(&SHOP).log.events);
    assert!(says(&untold.notes, "clocks: ", "set aside"), "{:?}", untold.notes);
    let older = |row: &Row| Row { at: row.at - 900 * DAY, ..row.clone() };
    let older: Vec<Row> = SHOP.iter().step_by(10).map(older).collect();
    let two = reading(&[SHOP.clone(), older].concat());
    assert_eq!(set_aside(&two, Cause::LongBefore), 0, "{:?}", two.notes);
    assert!(says(&two.notes, "clocks: ", "they stay"), "{:?}", two.notes);
    // A clock of this machine that is behind all of them.
    let later = 40 * 365 * DAY;
    let all: Vec<Row> = SHOP.iter().map(|row| Row { at: row.at + later, ..row.clone() }).collect();
    let behind = reading(&all);
    assert_eq!(set_aside(&behind, Cause::InTheFuture), 0);
    assert!(says(&behind.notes, "clocks", "is this machine's clock right?"), "{:?}", behind.notes);
    // Days of a spreadsheet are what they are; of those that are counted from the shop's first, and taken for seconds,
    // it is said.
    let days = |day_0: i64| {
        let counted = |row: &Row| Row { at: row.at / DAY - day_0, ..row.clone() };
        reading(&SHOP.iter().map(counted).collect::<Vec<_>>())
    };
    let last = |reading: &Reading| reading.log.events.last().expect("events").at.0 / 1_000 / DAY;
    let spreadsheet = days(-25_569);
    assert_eq!(last(&spreadsheet), last(&reading(&SHOP)));
    assert!(!spreadsheet.notes.iter().any(|note| note.contains("clocks")));
    let counted = days(first / DAY);
    assert!(
        says(&counted.notes, "clocks: the latest row is of 1970", "another unit"),
        "{:?}",
        counted.notes
    );
    // Last winter's orders, few and well before the rest, are none of a reset clock's.
    let winter =
        reading(&[SHOP.clone(), vec![bought("c", &keys[0], first - 200 * DAY, "w")]].concat());
    is_told_nothing(&winter);
}

#[test]
fn what_is_delivered_twice_counts_once_and_is_said() {
    let once = reading(&SHOP);
    // The same rows twice in one file.
    let twice = reading(&[SHOP.clone(), SHOP.clone()].concat());
    assert_eq!(
        set_aside(&twice, Cause::Duplicate),
        once.account.used + set_aside(&once, Cause::Duplicate) * 2
    );
    assert!(says(&twice.notes, "duplicates", "delivered twice"), "{:?}", twice.notes);
    assert_eq!(twice.log.events, once.log.events);
    // The same file under two names; in another order, and without times or orders, which tell rows apart.
    let place = folder();
    let line = |row: &Row| format!("{},{}", row.customer, row.item);
    let named = || SHOP.iter().filter(|row| !row.customer.is_empty());
    let lines: Vec<String> = named().map(line).collect();
    let mut turned = lines.clone();
    turned.reverse();
    let paths = [("monday.csv", &lines), ("copy of monday.csv", &turned)].map(|(name, lines)| {
        let path = place.path().join(name);
        let text = format!("customer_id,item_id\n{}\n", lines.join("\n"));
        std::fs::write(&path, text).expect("the folder can be written");
        path
    });
    let both = read(&paths, &ReadOptions::default()).expect("readable");
    assert_eq!(set_aside(&both, Cause::Duplicate), lines.len() as u64);
    assert!(says(&both.notes, "", "a file delivered twice"), "{:?}", both.notes);
    let one = read(&paths[..1], &ReadOptions::default()).expect("readable");
    assert_eq!(both.account.used, one.account.used);
    // Another day's file is another file.
    std::fs::write(&paths[1], format!("customer_id,item_id\n{}\n", lines[1..].join("\n")))
        .expect("writable");
    let next = read(&paths, &ReadOptions::default()).expect("readable");
    assert_eq!(set_aside(&next, Cause::Duplicate), 0, "{:?}", next.notes);
}

/// Real shops are told nothing: nobody there is taken for a program, and nothing is held down.
#[test]
fn real_shops_are_honest() {
    for file in [
        "online_retail.csv.gz",
        "retailrocket.csv.gz",
        "groceries.csv.gz",
        "clicks.tsv.gz",
        "cdnow_sample.csv",
        "complete_journey/transactions.parquet",
    ] {
        let Some(path) = crate::common::real_data(file) else { return };
        // The sample of CDNOW has customers and no items.
        let Ok(reading) = read(&[path], &ReadOptions::default()) else { continue };
        for cause in [Cause::Program, Cause::Burst, Cause::InTheFuture, Cause::LongBefore] {
            assert_eq!(set_aside(&reading, cause), 0, "{file}: {:?}", reading.notes);
        }
        let (log, lines) = quieted(&reading.log, &ReadOptions::default().zone().expect("UTC"));
        eprintln!("{file}: {lines:?}");
        assert_eq!(log.events.len(), reading.log.events.len(), "{file}: {lines:?}");
    }
}
