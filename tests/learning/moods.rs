//! Shops in which the order tells what customers want next, and shops in which it tells nothing.

use std::fmt::Write as _;

use crate::common::{learnt_from, shop_of_orders};
use cartwright::index::{Manifest, Snapshot};
use cartwright::recommend::{Blend, Query, Question, Reason, Scratch, Source, answer};

const CUSTOMERS: usize = 400;

/// Orders of two things of which each kind has twenty. Whoever moves on likes another kind after every four orders,
/// others stay with two kinds.
fn moods(moves_on: bool) -> (Manifest, Snapshot) {
    let mut random = fastrand::Rng::with_seed(29);
    shop_of_orders(CUSTOMERS, |customer| {
        let mut liked: Vec<(usize, usize)> = Vec::new();
        let mut orders = Vec::new();
        for order in 0..16 {
            if order == 0 || moves_on && (order + customer) % 4 == 0 {
                let kinds = if moves_on { 1 } else { 2 };
                let kinds: Vec<usize> = (0..kinds).map(|_| random.usize(..10)).collect();
                liked =
                    kinds.iter().flat_map(|&kind| (0..20).map(move |nth| (kind, nth))).collect();
                random.shuffle(&mut liked);
            }
            orders.push(liked.split_off(liked.len() - 2));
        }
        orders
    })
}

fn earlier((manifest, snapshot): (Manifest, Snapshot)) -> f32 {
    let told = manifest.learnt["interests"]["earlier"].as_f64().expect("a figure") as f32;
    assert_eq!(snapshot.contents.interests.earlier, told);
    told
}

#[test]
fn what_was_bought_long_ago_says_less_only_where_customers_move_on() {
    assert!(earlier(moods(true)) < 1.0);
    assert_eq!(earlier(moods(false)), 1.0);
}

/// Twenty-four things in one day, a minute apart and without an order's id, of three of ten kinds of which each has
/// twenty: of one kind after the other, or mixed.
fn lists(moves_on: bool) -> (Manifest, Snapshot) {
    let mut random = fastrand::Rng::with_seed(37);
    let mut text = "customer_id,item_id,timestamp\n".to_owned();
    for customer in 0..CUSTOMERS {
        let kinds = random.choose_multiple(0..10usize, 3);
        let of_kinds = kinds.into_iter().flat_map(|kind| (0..20).map(move |nth| (kind, nth)));
        let mut liked = random.choose_multiple(of_kinds, 24);
        random.shuffle(&mut liked);
        if moves_on {
            liked.sort_by_key(|(kind, _)| *kind);
        }
        for (minute, (kind, nth)) in liked.into_iter().enumerate() {
            let at = 1_700_006_400 + 86_400 * (customer % 90) + 60 * minute;
            let _ = writeln!(text, "c{customer},i{kind}-{nth},{at}");
        }
    }
    learnt_from(&text)
}

#[test]
fn what_was_put_on_a_list_first_says_less_only_where_customers_move_on_within_it() {
    assert!(earlier(lists(true)) < 1.0);
    assert_eq!(earlier(lists(false)), 1.0);
}

/// Series of ten volumes, which everybody begins somewhere and reads on from there, one to an order.
#[test]
fn who_read_one_volume_is_offered_the_next_and_told_that_others_read_on() {
    let mut random = fastrand::Rng::with_seed(31);
    let (manifest, snapshot) = shop_of_orders(CUSTOMERS, |_| {
        let (mut series, mut volume) = (random.usize(..12), random.usize(..6));
        let mut orders = Vec::new();
        while orders.len() < 9 {
            orders.push(vec![(series, volume)]);
            volume += 1;
            if volume == 10 {
                (series, volume) = (random.usize(..12), 0);
            }
        }
        orders
    });
    assert!(manifest.counts["bought_later"] > 0, "{:?}", manifest.counts);
    let blend = Blend::learnt(&manifest.learnt).expect("the blend can be read");
    let (mut next, mut said_so, mut asked) = (0, 0, 0);
    for customer in 0..CUSTOMERS {
        let key = format!("c{customer}");
        let history = snapshot.customers.history(&key).expect("readable").expect("known");
        let latest = history.bought.iter().max_by_key(|bought| bought.last).expect("an order");
        let latest = snapshot.contents.keys.key(latest.item);
        let (series, volume) = latest.split_once('-').expect("two numbers");
        let volume: usize = volume.parse().expect("a number");
        if volume == 9 {
            continue; // it was the last
        }
        let question = Question::Customer { recent: Vec::new(), exclude_purchased: true };
        let query = Query::new(question, Some(&history), 3);
        let found = answer(&snapshot.contents, &blend, &query, &mut Scratch::default());
        let first = &found.recommendations[0];
        asked += 1;
        if snapshot.contents.keys.key(first.item) == format!("{series}-{}", volume + 1) {
            next += 1;
            let read_on =
                |reason: &Reason| matches!(reason, Reason::SameCustomers { after: true, .. });
            said_so += usize::from(
                first.source == Source::SameCustomers && first.reasons.iter().any(read_on),
            );
        }
    }
    assert!(next * 10 > asked * 9, "{next} of {asked}");
    assert!(said_so * 2 > next, "{said_so} of {next}");
}
