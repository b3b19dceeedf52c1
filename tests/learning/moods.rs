//! Shops whose customers move on from one kind of things to the next, and shops whose customers stay with one.

use std::fmt::Write as _;

use crate::common::{folder, publish};
use cartwright::index::{Index, Snapshot};

const CUSTOMERS: usize = 400;
/// Kinds of things, each of so many.
const KINDS: usize = 10;
const OF_A_KIND: usize = 20;
/// Orders of two things each, a week apart; whoever moves on does so after so many.
const ORDERS: usize = 16;
const BEFORE_MOVING: usize = 4;

/// What an earlier purchase says beside one in the next order, as the shop learns it; and as the index has it.
fn earlier(moves_on: bool) -> [f32; 2] {
    let mut random = fastrand::Rng::with_seed(29);
    let mut text = "customer_id,item_id,timestamp,order_id\n".to_owned();
    for customer in 0..CUSTOMERS {
        let mut liked: Vec<usize> = Vec::new();
        for order in 0..ORDERS {
            if order == 0 || moves_on && (order + customer) % BEFORE_MOVING == 0 {
                let kind = random.usize(..KINDS);
                liked = (0..OF_A_KIND).map(|nth| OF_A_KIND * kind + nth).collect();
                if !moves_on {
                    let other = random.usize(..KINDS);
                    liked.extend((0..OF_A_KIND).map(|nth| OF_A_KIND * other + nth));
                }
                random.shuffle(&mut liked);
            }
            let day = 7 * order + customer % 7;
            for _ in 0..2 {
                let item = liked.pop().expect("of each kind there are enough");
                let at = 1_700_000_000 + 86_400 * day;
                let _ = writeln!(text, "c{customer},i{item},{at},o{customer}-{order}");
            }
        }
    }
    let place = folder();
    let path = place.path().join("events.csv");
    std::fs::write(&path, text).expect("the folder can be written");
    let index = Index::at(place.path().join("index"));
    let manifest = publish(&index, &path, None).expect("the shop can be learnt");
    let snapshot = Snapshot::open_current(&index).expect("what was published can be read");
    let told = manifest.learnt["interests"]["earlier"].as_f64().expect("a figure");
    [told as f32, snapshot.contents.interests.earlier]
}

#[test]
fn what_was_bought_long_ago_says_less_only_where_customers_move_on() {
    let [told, kept] = earlier(true);
    assert!(told < 1.0, "they move on after {BEFORE_MOVING} orders");
    assert_eq!(kept, told);
    assert_eq!(earlier(false), [1.0, 1.0]);
}
