//! Of the lists of several items, what a source says too quietly is left unread: unless too little else is there.

use std::sync::{Arc, LazyLock};

use cartwright::catalog::Item;
use cartwright::filter::Filter;
use cartwright::ids::{Interner, ItemId};
use cartwright::index::Contents;
use cartwright::lists::Lists;
use cartwright::recommend::{
    Answer, Blend, Dropped, Kind, Query, Question, Scratch, Source, Terms, Weights, answer,
    gathered,
};
use cartwright::rules::{Rule, Rules};
use cartwright::trends::Trends;

/// Two items to ask about, …
const ASKED: usize = 2;
/// … so many that go with the first of them, some more than others, …
const LOUD: usize = 40;
/// … and so many that hardly go with the second.
const QUIET: usize = 40;
const ALL: usize = ASKED + LOUD + QUIET;

static SHOP: LazyLock<Contents> = LazyLock::new(|| shop(0.029));

/// The loud ones are said to go with the first item by 1.0 at most, the quiet ones with the second by so much.
fn shop(most: f32) -> Contents {
    let mut keys = Interner::<ItemId>::new();
    (0..ALL).for_each(|number| _ = keys.intern(&format!("i{number}")));
    let rule = |number: usize, score: f32| Rule { item: ItemId::new(number), together: 5, score };
    let loud = (0..LOUD).map(|n| rule(ASKED + n, 1.0 - n as f32 / 50.0)).collect();
    let quiet = (0..QUIET).map(|n| rule(ASKED + LOUD + n, most - n as f32 / 2_000.0)).collect();
    let mut lists: Vec<Vec<Rule>> = vec![loud, quiet];
    lists.resize(ALL, Vec::new());
    let lists: Lists<Rule> = lists.into_iter().collect();
    let item = |number: usize| Item {
        brand: Some(if is_quiet(number) { "quiet" } else { "loud" }.into()),
        ..Item::default()
    };
    let items: Vec<Item> = (0..ALL).map(item).collect();
    let mut contents = Contents::of(Arc::new(keys), &items);
    contents.bought =
        Rules { groups: 1_000, item_groups: vec![10; ALL], lists, ..Rules::default() }.kept();
    contents.viewed = Rules { item_groups: vec![0; ALL], ..Rules::default() };
    contents.trends = Trends { momentum: vec![1.0; ALL], ..Trends::default() };
    contents.finish()
}

fn is_quiet(number: usize) -> bool {
    number >= ASKED + LOUD
}

fn ask(question: Question<'_>, limit: usize, filter: &str) -> Answer {
    let filter = Filter::parse(filter, &SHOP.shelf).expect("a filter");
    let terms = Terms { filter: Some(&filter), ..Terms::default() };
    let query = Query { question, history: None, limit, terms };
    answer(&SHOP, &Blend::default(), &query, &mut Scratch::default())
}

fn basket() -> Question<'static> {
    Question::Basket { items: vec!["i0", "i1"] }
}

/// How many of the answer's items are bought with one that was asked about, and how many of these are quiet.
fn heard(answer: &Answer) -> (usize, usize) {
    let told = answer.recommendations.iter().filter(|r| r.source == Source::BoughtTogether);
    (told.clone().count(), told.filter(|r| is_quiet(r.item.index())).count())
}

#[test]
fn what_is_said_quietly_is_no_candidate() {
    let candidates = |shop: &Contents| {
        let (blend, query) = (Blend::default(), Query::new(basket(), None, 5));
        let weights = blend.of(Kind::BasketAnonymous);
        let items = gathered(shop, weights, &query, &mut Scratch::default()).items;
        (items.len(), items.iter().filter(|item| is_quiet(item.index())).count())
    };
    assert_eq!(candidates(&SHOP), (LOUD, 0));
    // Half of them by more than 0.03 of the loudest.
    let half_heard = shop(0.03 + (QUIET as f32 - 1.0) / 2.0 / 2_000.0);
    assert_eq!(candidates(&half_heard), (LOUD + QUIET / 2, QUIET / 2));
}

#[test]
fn what_a_source_says_is_quiet_if_it_counts_for_little_beside_others() {
    let mut shop = SHOP.clone();
    let rule = |n: usize| Rule { item: ItemId::new(ASKED + LOUD + n), together: 5, score: 1.0 };
    let mut lists = vec![(0..QUIET).map(rule).collect::<Vec<_>>()];
    lists.resize(ALL, Vec::new());
    let lists: Lists<Rule> = lists.into_iter().collect();
    shop.collected =
        Rules { groups: 1_000, item_groups: vec![10; ALL], lists, ..Rules::default() }.kept();
    let loud = Filter::parse("brand = \"loud\"", &shop.shelf).expect("a filter");
    let terms = Terms { filter: Some(&loud), ..Terms::default() };
    let query = Query { terms, ..Query::new(basket(), None, 5) };
    for (collected, heard) in [(0.029, 0), (0.031, QUIET)] {
        let weights = Weights { collected, ..Weights::default() };
        let tried =
            gathered(&shop, &weights, &Query::new(basket(), None, 5), &mut Scratch::default());
        assert_eq!(tried.items.len(), LOUD + QUIET, "another weight may be tried");
        let blend = Blend { basket_anonymous: weights, ..Blend::default() };
        let ledger = answer(&shop, &blend, &query, &mut Scratch::default()).ledger;
        let of_collected = ledger.dropped_for(Dropped::Filtered) as usize;
        assert_eq!(of_collected, heard, "bought together counts for 1.0 at most");
    }
}

#[test]
fn what_is_said_quietly_is_heard_where_little_else_is_there() {
    assert_eq!(heard(&ask(basket(), 10, "brand != \"none\"")), (10, 0));
    let long = ask(basket(), 60, "brand != \"none\"");
    assert_eq!(heard(&long), (60, 20), "the loud ones are too few for this answer");
    let first_quiet = long.recommendations.iter().position(|r| is_quiet(r.item.index()));
    assert_eq!(first_quiet, Some(LOUD), "and come first");
    assert_eq!(heard(&ask(basket(), 5, "brand = \"quiet\"")), (5, 5), "only they may be answered");
}

#[test]
fn of_one_item_all_is_heard() {
    assert_eq!(heard(&ask(Question::Related { item: "i1" }, 5, "brand != \"none\"")), (5, 5));
    assert_eq!(heard(&ask(Question::Basket { items: vec!["i1"] }, 5, "brand != \"none\"")), (5, 5));
}
