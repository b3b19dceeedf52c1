//! What filters, live stock and the shop's rules add to an answer, in a shop of 100,000 items: related items
//! from 50 rules each, 20 wanted, everything beside the network.
//!
//! Run it with `cargo bench --bench terms`. A reply itself costs 13 to 20 µs with nothing in it; a filter should
//! not cost more than that. Each answer is checked before it is timed.
//!
//! A filter that does not compare with the item on the page is the same for everybody, so what it gives per item
//! is remembered, two bits each, until the item changes; once filling up an answer took long, also the list of
//! what passes, if that is little. One that asks for the category of the item on the page looks at that category
//! only. Medians of one run on two shared cores: no terms 8.3 µs; half passes 8.6; compared with the item on the
//! page 15.8; one in a hundred passes 6.1; one in a thousand 6.0 (107 before it had a list); one in five hundred,
//! beside the item on the page, 10.3; a tenth sold out 8.2; ten rules of the shop 13.5.

use std::sync::{Arc, LazyLock};

use cartwright::catalog::{Change, Item, Shelf};
use cartwright::filter::Filter;
use cartwright::ids::{Interner, ItemId};
use cartwright::index::Contents;
use cartwright::lists::Lists;
use cartwright::merchandising::{Rules as ShopRules, parse_file};
use cartwright::recommend::{Blend, Query, Question, Scratch, Terms, answer};
use cartwright::rules::{Rule, Rules};
use cartwright::time::Timestamp;
use cartwright::trends::Trends;
use divan::{Bencher, black_box};

fn main() {
    divan::main();
}

const ITEMS: usize = 100_000;
const LIMIT: usize = 20;

static SHOP: LazyLock<Contents> = LazyLock::new(|| {
    let mut random = fastrand::Rng::with_seed(7);
    let mut keys = Interner::<ItemId>::new();
    let items: Vec<Item> = (0..ITEMS)
        .map(|number| {
            keys.intern(&format!("i{number}"));
            Item {
                category: vec!["All".into(), format!("C{}", number % 100)],
                brand: Some(format!("B{}", number % 500)),
                price: Some(1.0 + random.f64() * 99.0),
                ..Item::default()
            }
        })
        .collect();
    let rules = |random: &mut fastrand::Rng| {
        let mut score = 1.0;
        let rule = |_| {
            score *= 0.9 + 0.1 * random.f32();
            Rule { item: ItemId::new(random.usize(..ITEMS)), score, together: 3 }
        };
        (0..50).map(rule).collect::<Vec<_>>()
    };
    let lists: Lists<Rule> = (0..ITEMS).map(|_| rules(&mut random)).collect();
    let bought =
        Rules { groups: 1_000_000, item_groups: vec![100; ITEMS], lists, ..Rules::default() }
            .kept();
    let trends = Trends {
        ranking: (0..ITEMS).map(ItemId::new).collect(),
        share: vec![1.0 / ITEMS as f32; ITEMS],
        momentum: vec![1.0; ITEMS],
        ..Trends::default()
    };
    let mut contents = Contents::of(Arc::new(keys), &items);
    (contents.bought, contents.trends) = (bought, trends);
    contents.finish()
});

/// Asks page after page on these terms, after checking that a few answers are full.
fn related(bencher: Bencher, terms: &Terms<'_>) {
    let contents = &*SHOP;
    let blend = Blend::default();
    let mut scratch = Scratch::default();
    let mut turn = 0;
    let mut ask = move || {
        turn = (turn + 7_919) % ITEMS;
        let question = Question::Related { item: contents.keys.key(ItemId::new(turn)) };
        let query = Query { question, history: None, limit: LIMIT, terms: terms.clone() };
        answer(contents, &blend, black_box(&query), &mut scratch)
    };
    assert!((0..5_000).all(|_| ask().recommendations.len() == LIMIT), "every answer is full");
    bencher.bench_local(ask);
}

fn filtered(bencher: Bencher, text: &str) {
    let filter = Filter::parse(text, &SHOP.shelf).expect("a filter");
    related(bencher, &Terms { filter: Some(&filter), ..Terms::default() });
}

#[divan::bench]
fn on_no_terms(bencher: Bencher) {
    related(bencher, &Terms::default());
}

#[divan::bench]
fn where_half_pass(bencher: Bencher) {
    filtered(bencher, "price < 50");
}

#[divan::bench]
fn where_one_in_a_hundred_passes(bencher: Bencher) {
    filtered(bencher, "category under \"All > C7\"");
}

#[divan::bench]
fn where_one_in_a_thousand_passes(bencher: Bencher) {
    filtered(bencher, "category under \"All > C7\" and price < 10");
}

#[divan::bench]
fn compared_with_the_item_on_the_page(bencher: Bencher) {
    filtered(bencher, "price < current.price * 1.2 + 1 and brand != current.brand");
}

#[divan::bench]
fn where_hardly_anything_passes_beside_the_item_on_the_page(bencher: Bencher) {
    filtered(bencher, "category = current.category and brand = current.brand");
}

fn sold_out(share: usize) -> Shelf {
    let shelf = &SHOP.shelf;
    shelf.with((0..ITEMS).step_by(share).map(|number| {
        let item = ItemId::new(number);
        let mut listing = shelf.listing(item);
        listing.item.stock = Some(0);
        Change { key: shelf.key(item).to_owned(), listing, near: Vec::new() }
    }))
}

#[divan::bench]
fn with_a_tenth_sold_out(bencher: Bencher) {
    let shelf = sold_out(10);
    related(bencher, &Terms { shelf: Some(&shelf), ..Terms::default() });
}

#[divan::bench]
fn with_ten_rules_of_the_shop(bencher: Bencher) {
    let rule = |n: usize| {
        format!("[[rule]]\nid = \"r{n}\"\nboost = {{ filter = 'brand = \"B{n}\"', factor = 2 }}\n")
    };
    let toml: String = (0..10).map(rule).collect();
    let texts = parse_file(&toml).expect("TOML");
    let rules = ShopRules::new(&texts, &SHOP.shelf, &jiff::tz::TimeZone::UTC).expect("sound rules");
    related(bencher, &Terms { rules: Some(&rules), now: Timestamp(0), ..Terms::default() });
}

#[divan::bench]
fn spread_out_as_much_as_can_be(bencher: Bencher) {
    related(bencher, &Terms { diversity: 5, ..Terms::default() });
}

/// One price changes: what a server does before it acknowledges, beside the disk.
#[divan::bench]
fn one_price_changes(bencher: Bencher) {
    let mut shelf = SHOP.shelf.clone();
    let mut turn = 0;
    bencher.bench_local(|| {
        turn = (turn + 7_919) % ITEMS;
        let item = ItemId::new(turn);
        let mut listing = shelf.listing(item);
        listing.item.price = Some(turn as f64);
        let key = shelf.key(item).to_owned();
        shelf = shelf.with([Change { key, listing, near: Vec::new() }]);
    });
    assert!(shelf.version() > 0);
}
