//! Whoever looks around in a shop whose log tells of no visits, and carts of one thing.

use std::sync::LazyLock;

use crate::common::shop_of_orders;
use cartwright::customers::History;
use cartwright::index::Snapshot;
use cartwright::recommend::{Blend, Query, Question, Scratch, answer};

struct Shop {
    snapshot: Snapshot,
    blend: Blend,
}

/// Ten kinds of twelve things. Everybody likes one kind, and buys three of it at a time.
static SHOP: LazyLock<Shop> = LazyLock::new(|| {
    let mut random = fastrand::Rng::with_seed(41);
    let (manifest, snapshot) = shop_of_orders(300, |customer| {
        let order = |_| (0..3).map(|_| (customer % 10, random.usize(..12))).collect();
        (0..5).map(order).collect()
    });
    Shop { snapshot, blend: Blend::learnt(&manifest.learnt).expect("the blend can be read") }
});

/// The keys of what is answered, best first.
fn ask(question: Question<'_>, past: Option<&History>) -> Vec<String> {
    let contents = &SHOP.snapshot.contents;
    let query = Query::new(question, past, 8);
    let found = answer(contents, &SHOP.blend, &query, &mut Scratch::default());
    found.recommendations.iter().map(|one| contents.keys.key(one.item).to_owned()).collect()
}

fn looked_at(recent: &[&'static str]) -> Question<'static> {
    Question::Customer { recent: recent.to_vec(), exclude_purchased: true }
}

fn kind(item: &str) -> &str {
    item.split_once('-').expect("two numbers").0
}

#[test]
fn a_visitor_of_a_shop_without_visits_is_offered_what_a_cart_is() {
    for recent in [&["i3-1", "i3-2"][..], &["i3-1", "i7-2", "i7-4", "nobody knows it"]] {
        let cart = ask(Question::Basket { items: recent.to_vec() }, None);
        assert_eq!(cart.len(), 8);
        assert_eq!(ask(looked_at(recent), None), cart);
    }
    let popular = ask(looked_at(&[]), None);
    assert_eq!(ask(looked_at(&["nobody knows it"]), None), popular);
}

#[test]
fn a_cart_of_one_thing_is_answered_as_its_page_however_often_it_is_in_there() {
    let page = ask(Question::Related { item: "i5-4" }, None);
    assert!(page.iter().all(|item| kind(item) == "i5"), "{page:?}");
    for items in [vec!["i5-4"], vec!["i5-4", "i5-4"]] {
        assert_eq!(ask(Question::Basket { items }, None), page);
    }
    assert_eq!(ask(looked_at(&["i5-4"]), None), page);
}

#[test]
fn what_a_customer_looks_at_does_not_drown_out_what_they_bought() {
    // Whoever has had all of a kind is offered whatever sells.
    let customers = (0..100).map(|customer| format!("c{customer}"));
    let pasts = customers.map(|key| SHOP.snapshot.customers.history(&key).expect("readable"));
    let past = |past: &History| past.bought.len() < 8;
    let past = pasts.flatten().find(past).expect("somebody has bought a few things only");
    let own = kind(SHOP.snapshot.contents.keys.key(past.bought[0].item));
    let looks = match own {
        "i3" => looked_at(&["i4-1", "i4-2", "i4-3"]),
        _ => looked_at(&["i3-1", "i3-2", "i3-3"]),
    };
    let found = ask(looks, Some(&past));
    assert_eq!(kind(&found[0]), own, "{found:?}");
    assert!(found.iter().any(|item| kind(item) != own), "{own}: {found:?}");
}
