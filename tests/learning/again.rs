//! Shops whose customers buy each thing once, like books, and shops whose customers buy it again, like bread.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::common::{folder, publish};
use cartwright::index::{Index, Snapshot};
use cartwright::recommend::{Blend, Query, Question, Scratch, answer};

const CUSTOMERS: usize = 150;
const ITEMS: usize = 120;
const ORDERS: usize = 8;

/// Customers with one of three tastes, each with eight orders of three items; what is in them.
fn orders(twice: bool) -> Vec<(usize, usize, BTreeSet<usize>)> {
    let mut random = fastrand::Rng::with_seed(17);
    let mut orders = Vec::new();
    for customer in 0..CUSTOMERS {
        let mut liked: Vec<usize> = (0..ITEMS).filter(|item| item % 3 == customer % 3).collect();
        random.shuffle(&mut liked);
        for order in 0..ORDERS {
            let from = if twice { 0 } else { 3 * order };
            orders.push((customer, order, liked[from..from + 3].iter().copied().collect()));
        }
    }
    orders
}

/// Whether the shop learns that customers buy again, and how many customers are offered something that they have.
fn offered_what_they_have(twice: bool) -> (bool, usize) {
    let orders = orders(twice);
    let place = folder();
    let path = place.path().join("events.csv");
    let mut text = "customer_id,item_id,timestamp,order_id\n".to_owned();
    for (customer, order, items) in &orders {
        let day = 20 * order + customer % 20;
        for item in items {
            let at = 1_700_000_000 + 86_400 * day;
            let _ = writeln!(text, "c{customer},i{item},{at},o{customer}-{order}");
        }
    }
    std::fs::write(&path, text).expect("the folder can be written");
    let index = Index::at(place.path().join("index"));
    let manifest = publish(&index, &path, None).expect("the shop can be learnt");
    let snapshot = Snapshot::open_current(&index).expect("what was published can be read");
    let blend = Blend::learnt(&manifest.learnt).expect("the blend can be read");
    let has_some = |customer: &usize| {
        let key = format!("c{customer}");
        let history = snapshot.customers.history(&key).expect("readable").expect("known");
        let question = Question::Customer { recent: Vec::new(), exclude_purchased: false };
        let query = Query::new(question, Some(&history), 10);
        let found = answer(&snapshot.contents, &blend, &query, &mut Scratch::default());
        assert_eq!(found.recommendations.len(), 10);
        found.recommendations.iter().any(|offered| history.bought(offered.item).is_some())
    };
    (blend.again, (0..CUSTOMERS).filter(has_some).count())
}

#[test]
fn where_nobody_buys_a_thing_twice_customers_are_offered_what_is_new_to_them() {
    assert_eq!(offered_what_they_have(false), (false, 0));
}

#[test]
fn where_customers_buy_again_they_are_offered_what_they_have() {
    assert_eq!(offered_what_they_have(true), (true, CUSTOMERS));
}
