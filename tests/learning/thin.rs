//! Shops that have hardly begun: sensible answers all the same, and a plain line on what is missing.

use std::fmt::Write as _;
use std::hash::{Hash as _, Hasher as _};

use crate::common::{folder, publish};
use cartwright::index::{Index, Snapshot};
use cartwright::recommend::{Blend, Query, Question, Scratch, answer};

/// Trains on the rows of a CSV with these columns, asks all there is to ask, and gives the notes.
fn notes_of(columns: &str, rows: &[String]) -> Vec<String> {
    let place = folder();
    let events = place.path().join("events.csv");
    let text = rows.iter().fold(format!("{columns}\n"), |mut text, row| {
        let _ = writeln!(text, "{row}");
        text
    });
    std::fs::write(&events, text).expect("the folder can be written");
    let index = Index::at(place.path().join("index"));
    let manifest = publish(&index, &events, None).expect("a thin shop can be learnt");
    let snapshot = Snapshot::open_current(&index).expect("what was published can be read");
    let contents = &snapshot.contents;
    let blend = Blend::learnt(&manifest.learnt).expect("the blend can be read");
    let keys: Vec<&str> = contents.keys.keys().collect();
    let history = snapshot.customers.history("c0").expect("a readable index");
    for &item in &keys {
        let recent = vec![item];
        let questions = [
            Question::Related { item },
            Question::Basket { items: vec![item] },
            Question::Customer { recent, exclude_purchased: false },
            Question::Customer { recent: Vec::new(), exclude_purchased: true },
        ];
        for question in questions {
            let query = Query::new(question, history.as_ref(), 10);
            let found = answer(contents, &blend, &query, &mut Scratch::default()).recommendations;
            assert!(found.iter().all(|one| one.score.is_finite() && !one.reasons.is_empty()));
            if matches!(query.question, Question::Related { .. }) {
                assert_eq!(found.len(), (keys.len() - 1).min(10), "all others fill the answer");
            }
        }
    }
    manifest
        .notes
        .into_iter()
        .filter_map(|n| Some(n.strip_prefix("not learnt yet: ")?.to_owned()))
        .collect()
}

fn day(nth: usize) -> String {
    format!("2025-{:02}-{:02}T10:00:00Z", 1 + nth / 28 % 12, 1 + nth % 28)
}

fn has(lines: &[String], start: &str, end: &str) -> bool {
    lines.iter().any(|line| line.starts_with(start) && line.contains(end))
}

const WITH_CUSTOMERS: &str = "customer_id,item_id,timestamp,order_id";

#[test]
fn fifty_orders_say_how_many_more_it_takes() {
    // Any two items meet in two orders at most.
    let rows: Vec<String> = (0..50)
        .flat_map(|order| {
            [order % 10, (order / 10 + order) % 10]
                .map(|item| format!("c{},i{item},{},o{order}", order % 20, day(order)))
        })
        .collect();
    let lines = notes_of(WITH_CUSTOMERS, &rows);
    assert!(has(&lines, "related items from rules: about ", " more orders"), "{lines:?}");
    assert!(has(&lines, "tuning of ", " more orders"), "{lines:?}");
}

#[test]
fn one_customer_and_one_item_are_a_shop_too() {
    let rows: Vec<String> = (0..30).map(|n| format!("c0,i{},{},o{n}", n % 7, day(n * 2))).collect();
    assert!(has(&notes_of(WITH_CUSTOMERS, &rows), "related items from rules: no two items", ""));
    let rows: Vec<String> = (0..30).map(|n| format!("c{n},i0,{},o{n}", day(n))).collect();
    assert!(has(&notes_of(WITH_CUSTOMERS, &rows), "related items from rules: no two items", ""));
}

#[test]
fn where_nobody_comes_back_buying_again_is_not_learnt() {
    let rows: Vec<String> = (0..60).map(|n| format!("c{n},i{},{},o{n}", n % 5, day(n))).collect();
    assert!(has(&notes_of(WITH_CUSTOMERS, &rows), "buying again: ", ""));
}

#[test]
fn orders_that_are_all_alike_tell_nothing_of_one_item_beside_another() {
    let rows: Vec<String> = (0..60)
        .flat_map(|n| (0..3).map(move |item| format!("c{n},i{item},{},o{n}", day(n))))
        .collect();
    assert!(has(
        &notes_of(WITH_CUSTOMERS, &rows),
        "related items from rules: nothing is bought together more often than chance",
        ""
    ));
}

#[test]
fn looks_alone_say_what_is_looked_at_and_that_nothing_is_bought() {
    let rows: Vec<String> =
        (0..80).map(|n| format!("c{},i{},{},view", n % 9, n * 7 % 12, day(n))).collect();
    let lines = notes_of("customer_id,item_id,timestamp,event_type", &rows);
    assert!(has(&lines, "what is bought: ", "purchase"), "{lines:?}");
}

#[test]
fn orders_without_customers_say_which_column_is_missing() {
    let rows: Vec<String> = (0..40)
        .flat_map(|order| [order % 6, order % 7 + 6].map(|item| format!("i{item},o{order}")))
        .collect();
    let lines = notes_of("item_id,order_id", &rows);
    assert!(has(&lines, "items for a customer: ", "customer_id"), "{lines:?}");
}

/// The blend leant on what the rehearsals had learnt of nameless orders and the published index had not: answers were
/// best sellers.
#[test]
fn what_the_blend_leans_on_is_published_though_no_customer_is_known() {
    let rows: Vec<String> = (0..1_500)
        .flat_map(|order| {
            let first = order * 7 % 60 / 3 * 3;
            [first + order % 3, first + (order + 1) % 3, order * 7_919 % 1_009 % 60]
                .map(|item| format!("i{item},{},o{order}", day(order / 5)))
        })
        .collect();
    let place = folder();
    let events = place.path().join("events.csv");
    let text = format!("item_id,timestamp,order_id\n{}\n", rows.join("\n"));
    std::fs::write(&events, text).expect("the folder can be written");
    let index = Index::at(place.path().join("index"));
    let manifest = publish(&index, &events, None).expect("it can be learnt");
    let snapshot = Snapshot::open_current(&index).expect("what was published can be read");
    assert!(snapshot.contents.drawn.count() > 0);
    let blend = Blend::learnt(&manifest.learnt).expect("the blend can be read");
    for item in 0..60 {
        let key = format!("i{item}");
        let query = Query::new(Question::Related { item: &key }, None, 2);
        let found = answer(&snapshot.contents, &blend, &query, &mut Scratch::default());
        let near = |item: usize| item / 3;
        let keys = found.recommendations.iter().map(|one| snapshot.contents.keys.key(one.item));
        let of_its_kind =
            keys.filter(|key| near(key[1..].parse().expect("a number")) == near(item));
        assert_eq!(of_its_kind.count(), 2, "{item}");
    }
}

#[test]
fn without_times_and_orders_it_is_learnt_from_what_each_customer_has_what_else_they_like() {
    // Three tastes of 30 items; of theirs each customer has two thirds, of the others' a few.
    let has = |customer: usize, item: usize| {
        let mut luck = std::hash::DefaultHasher::new();
        (customer, item).hash(&mut luck);
        luck.finish() % 100 < if customer % 3 == item % 3 { 65 } else { 3 }
    };
    let rows: Vec<String> = (0..240)
        .flat_map(|customer| {
            let items = (0..90).filter(move |&item| has(customer, item));
            items.map(move |item| format!("c{customer},i{item}"))
        })
        .collect();
    let place = folder();
    let events = place.path().join("events.csv");
    std::fs::write(&events, format!("customer_id,item_id\n{}\n", rows.join("\n"))).expect("room");
    let index = Index::at(place.path().join("index"));
    let manifest = publish(&index, &events, None).expect("customers and items are enough");
    let lines = manifest.notes.iter().filter(|note| note.contains("tuning of customer"));
    assert_eq!(lines.count(), 0, "{:?}", manifest.notes);
    let held_back = "a tenth of the orders, and of what customers bought, the last or by lot";
    assert_eq!(manifest.learnt["held_back"], held_back);
    let held_out = &manifest.learnt["held_out"]["customer_new"];
    let figure = |name: &str| held_out[name].as_f64().expect("a figure");
    assert!(figure("cases") > 100.0, "{held_out}");
    assert!(figure("after") > 2.0 * figure("popularity"), "{held_out}");

    let snapshot = Snapshot::open_current(&index).expect("what was published can be read");
    let blend = Blend::learnt(&manifest.learnt).expect("the blend can be read");
    let of_taste = (0..240).map(|customer| {
        let history = snapshot.customers.history(&format!("c{customer}")).expect("readable");
        let question = Question::Customer { recent: Vec::new(), exclude_purchased: true };
        let query = Query::new(question, history.as_ref(), 5);
        let found = answer(&snapshot.contents, &blend, &query, &mut Scratch::default());
        let shares = found.recommendations.iter().map(|one| {
            let item: usize = snapshot.contents.keys.key(one.item)[1..].parse().expect("i7");
            usize::from(item % 3 == customer % 3)
        });
        (shares.sum::<usize>(), found.recommendations.len())
    });
    let (right, all) = of_taste.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    assert!(right * 10 > all * 9, "{right} of {all} are to the customer's taste");
}
