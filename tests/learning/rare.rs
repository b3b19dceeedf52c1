//! Filters that hardly anything passes, asked again and again while the shop changes: what a thread remembers of
//! them must never show.

use std::sync::{Arc, LazyLock};

use cartwright::catalog::{Change, Item, Shelf};
use cartwright::filter::Filter;
use cartwright::ids::{Interner, ItemId};
use cartwright::index::Contents;
use cartwright::merchandising::{Rules, parse_file};
use cartwright::recommend::{Answer, Blend, Query, Question, Scratch, Terms, answer};
use cartwright::time::Timestamp;
use cartwright::trends::Trends;
use jiff::tz::TimeZone;
use proptest::prelude::*;

const ITEMS: usize = 3_000;
const LIMIT: usize = 20;

/// 300 categories of ten items, of which one in two ever sold; `i7` sells better than `i1`.
static SHOP: LazyLock<Contents> = LazyLock::new(|| {
    let mut keys = Interner::<ItemId>::new();
    (0..ITEMS).for_each(|number| _ = keys.intern(&format!("i{number}")));
    let sold: Vec<ItemId> =
        (0..ITEMS).step_by(2).map(|n| ItemId::new((n * 7 + 1) % ITEMS)).collect();
    let trends = Trends {
        share: (0..ITEMS).map(|n| if n % 2 == 1 { 0.001 } else { 0.0 }).collect(),
        momentum: vec![1.0; ITEMS],
        ranking: sold,
        ..Trends::default()
    };
    let items: Vec<Item> = (0..ITEMS).map(item).collect();
    let mut contents = Contents::of(Arc::new(keys), &items);
    contents.trends = trends;
    contents.finish()
});

fn item(number: usize) -> Item {
    Item {
        category: vec![format!("C{}", number % 300)],
        brand: Some(format!("B{}", number % 1_000)),
        price: Some((number % 500) as f64),
        ..Item::default()
    }
}

/// All of them few pass, and the last one nobody does.
const FILTERS: [&str; 7] = [
    "brand = \"B7\"",
    "category = \"C7\"",
    "price < 4",
    "price < 4 and category = current.category",
    "category = current.category and price != current.price",
    "brand = \"B9\" or price > 498",
    "price > 1e6",
];

#[derive(Clone, Debug)]
enum Step {
    Price(usize, f64),
    Stock(usize, i64),
    Moves(usize, usize),
    Arrives(usize),
    Ask { filter: usize, about: usize },
    AskPromoting { filter: usize, about: usize },
}

fn step() -> impl Strategy<Value = Step> {
    let (item, filter) = (0..40usize, 0..FILTERS.len());
    prop_oneof![
        1 => (item.clone(), prop_oneof![Just(2.0), Just(100.0), Just(499.0)])
            .prop_map(|(item, price)| Step::Price(item, price)),
        1 => (item.clone(), 0..2i64).prop_map(|(item, units)| Step::Stock(item, units)),
        1 => (item.clone(), 0..20usize).prop_map(|(item, to)| Step::Moves(item, to)),
        1 => (0..5usize).prop_map(Step::Arrives),
        8 => (filter, item.clone()).prop_map(|(filter, about)| Step::Ask { filter, about }),
        4 => (0..3usize, item).prop_map(|(filter, about)| Step::AskPromoting { filter, about }),
    ]
}

/// What the step makes of the shop, if anything.
fn change(shelf: &Shelf, step: &Step) -> Option<Change> {
    let (key, numbers) = match step {
        Step::Arrives(number) => (format!("new{number}"), *number),
        Step::Price(number, _) | Step::Stock(number, _) | Step::Moves(number, _) => {
            (format!("i{number}"), *number)
        }
        Step::Ask { .. } | Step::AskPromoting { .. } => return None,
    };
    let mut listing = match shelf.get(&key) {
        Some(known) => shelf.listing(known),
        None => item(numbers).into(),
    };
    match step {
        Step::Price(_, price) => listing.item.price = Some(*price),
        Step::Stock(_, units) => listing.item.stock = Some(*units),
        Step::Moves(_, to) => listing.item.category = vec![format!("C{to}")],
        _ => {}
    }
    Some(Change { key, listing, near: Vec::new() })
}

/// How many items of the whole shop may be answered.
fn eligible(shelf: &Shelf, filter: usize, about: usize) -> usize {
    let about = shelf.get(&format!("i{about}")).expect("it is sold");
    let filter = Filter::parse(FILTERS[filter], shelf).expect("a filter");
    let bound = filter.bind(Some(&shelf.row(about)));
    let may = |item| item != about && shelf.absence(item).is_none();
    let all = (0..shelf.len()).map(ItemId::new);
    all.filter(|item| may(*item) && bound.matches(&shelf.row(*item))).count()
}

fn promoting(filter: &str, shelf: &Shelf) -> Rules {
    let toml = format!("[[rule]]\nid = \"p\"\npromote = {{ filter = '{filter}', share = 0.5 }}\n");
    let texts = parse_file(&toml).expect("TOML");
    Rules::new(&texts, shelf, &TimeZone::UTC).expect("a sound rule")
}

fn ask(shelf: &Shelf, step: &Step, scratch: &mut Scratch) -> Option<Answer> {
    let (filter, about, promotes) = match step {
        Step::Ask { filter, about } => (*filter, *about, false),
        Step::AskPromoting { filter, about } => (*filter, *about, true),
        _ => return None,
    };
    let text = FILTERS[filter];
    let filter = Filter::parse(text, shelf).expect("a filter");
    let rules = promotes.then(|| promoting(text, shelf));
    let terms = Terms {
        shelf: Some(shelf),
        filter: (!promotes).then_some(&filter),
        rules: rules.as_ref(),
        now: Timestamp(0),
        ..Terms::default()
    };
    let about = format!("i{about}");
    let question = Question::Related { item: &about };
    let query = Query { question, history: None, limit: LIMIT, terms };
    Some(answer(&SHOP, &Blend::default(), &query, scratch))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_remembered_of_a_filter_changes_no_answer(
        steps in prop::collection::vec(step(), 1..60)
    ) {
        let mut shelf = SHOP.shelf.clone();
        let mut used = Scratch::default();
        for step in &steps {
            if let Some(change) = change(&shelf, step) {
                shelf = shelf.with([change]);
            }
            let Some(remembering) = ask(&shelf, step, &mut used) else { continue };
            let afresh = ask(&shelf, step, &mut Scratch::default()).expect("it is a question");
            prop_assert_eq!(&remembering.recommendations, &afresh.recommendations);
            if let Step::Ask { filter, about } = step {
                prop_assert_eq!(afresh.recommendations.len(), eligible(&shelf, *filter, *about).min(LIMIT));
            }
            let total = |answer: &Answer| answer.ledger.returned + answer.ledger.dropped.iter().sum::<u32>();
            if afresh.recommendations.len() < LIMIT {
                prop_assert_eq!(total(&remembering), shelf.len() as u32);
                prop_assert_eq!(total(&afresh), shelf.len() as u32);
            }
        }
    }
}
