//! The planted structure is counted in the raw events, without a look at how they were made.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::time::DAY_MS;

fn default_shop() -> &'static Shop {
    static SHOP: std::sync::OnceLock<Shop> = std::sync::OnceLock::new();
    SHOP.get_or_init(|| make(&ShopOptions::default()).unwrap())
}

fn small_options() -> ShopOptions {
    ShopOptions { customers: 300, items: 60, days: 120, ..ShopOptions::default() }
}

fn small_shop() -> &'static Shop {
    static SHOP: std::sync::OnceLock<Shop> = std::sync::OnceLock::new();
    SHOP.get_or_init(|| make(&small_options()).unwrap())
}

/// The distinct items of each order, by item key.
fn orders(shop: &Shop) -> BTreeMap<OrderNumber, BTreeSet<&str>> {
    let mut orders = BTreeMap::<_, BTreeSet<_>>::new();
    for event in shop.events.iter().filter(|event| event.kind == ShopEventKind::Purchase) {
        let order = event.order.unwrap();
        orders.entry(order).or_default().insert(shop.item(event.item).item_id.as_str());
    }
    orders
}

/// The distinct items viewed in each session, by item key.
fn views(shop: &Shop) -> BTreeMap<SessionNumber, BTreeSet<&str>> {
    let mut sessions = BTreeMap::<_, BTreeSet<_>>::new();
    for event in shop.events.iter().filter(|event| event.kind == ShopEventKind::View) {
        let session = event.session.unwrap();
        sessions.entry(session).or_default().insert(shop.item(event.item).item_id.as_str());
    }
    sessions
}

/// In how many baskets `items` are all together.
fn together<'a>(baskets: impl Iterator<Item = &'a BTreeSet<&'a str>>, items: &[&str]) -> f64 {
    baskets.filter(|basket| items.iter().all(|item| basket.contains(item))).count() as f64
}

/// The days on which each customer bought each item.
fn purchase_days(shop: &Shop) -> BTreeMap<(String, &str), BTreeSet<i64>> {
    let mut days = BTreeMap::<_, BTreeSet<_>>::new();
    for event in shop.events.iter().filter(|event| event.kind == ShopEventKind::Purchase) {
        if let Some(customer) = event.customer {
            let key = (customer_key(customer), shop.item(event.item).item_id.as_str());
            days.entry(key).or_default().insert(event.at.0.div_euclid(DAY_MS));
        }
    }
    days
}

/// How many planted complements are among the five items most bought with their anchor.
fn complements_in_the_top_5(shop: &Shop) -> usize {
    let orders = orders(shop);
    let found = shop.truth.complements.iter().filter(|planted| {
        let mut counts = BTreeMap::<&str, usize>::new();
        for order in orders.values().filter(|order| order.contains(planted.anchor.as_str())) {
            for item in order.iter().filter(|&&item| item != planted.anchor) {
                *counts.entry(item).or_default() += 1;
            }
        }
        let mut ranked: Vec<_> = counts.into_iter().map(|(item, count)| (count, item)).collect();
        ranked.sort_unstable_by(|a, b| b.cmp(a));
        ranked.iter().take(5).any(|&(_, item)| item == planted.complement)
    });
    found.count()
}

#[test]
fn the_same_seed_makes_the_same_shop_and_another_seed_another() {
    assert!(make(&small_options()).unwrap() == *small_shop());
    let other = make(&ShopOptions { seed: 2, ..small_options() }).unwrap();
    assert!(other.events != small_shop().events);
    assert!(other.items != small_shop().items);
}

/// Fingerprints differ if any machine, or any later version, draws differently. A deliberate change
/// of the generator changes them too: then look at the new shop, and write the new ones down.
#[test]
fn the_small_shop_is_the_same_on_every_machine() {
    let dir = tempfile::tempdir().unwrap();
    let written = small_shop().write(dir.path()).unwrap();
    let fingerprint = |path: &std::path::Path| {
        let bytes = std::fs::read(path).unwrap();
        format!("{:032x}", twox_hash::XxHash3_128::oneshot(&bytes))
    };
    assert_eq!(fingerprint(&written.events), "64e10380c6ec9d41824f446b2a1b35ed");
    assert_eq!(fingerprint(&written.catalog), "4012aa66e5fbc8e586944942df824b5c");
    assert_eq!(fingerprint(&written.truth), "d05e01bfcc6565941c424b4c624cf708");
}

#[test]
fn the_default_shop_has_a_believable_size_and_mix() {
    let shop = default_shop();
    let count = |kind| shop.events.iter().filter(|event| event.kind == kind).count() as f64;
    assert!((300_000..500_000).contains(&shop.events.len()), "{} events", shop.events.len());
    assert_eq!(shop.items.len(), 400);
    let returned = count(ShopEventKind::Return) / count(ShopEventKind::Purchase);
    assert!((0.02..0.04).contains(&returned), "{returned} of purchases returned");
    let left_in_the_cart = 1.0 - count(ShopEventKind::Purchase) / count(ShopEventKind::Cart);
    assert!((0.02..0.5).contains(&left_in_the_cart), "{left_in_the_cart} of carts abandoned");
    let sessions: BTreeMap<_, _> =
        shop.events.iter().filter_map(|event| Some((event.session?, event.customer))).collect();
    let anonymous = sessions.values().filter(|customer| customer.is_none()).count() as f64;
    let anonymous = anonymous / sessions.len() as f64;
    assert!((0.1..0.2).contains(&anonymous), "{anonymous} of sessions anonymous");
    let customers: BTreeSet<_> = shop.events.iter().filter_map(|event| event.customer).collect();
    assert_eq!(customers.len(), 4_000);
    let truth = &shop.truth;
    assert_eq!((truth.complements.len(), truth.reorder.len()), (40, 40));
    assert_eq!((truth.bursts.len(), truth.new_arrivals.len(), truth.sold_out.len()), (8, 20, 2));
    assert!(truth.due.len() > 100 && truth.churned.len() > 800);
}

#[test]
fn titles_stay_distinct_when_the_shop_outgrows_its_words() {
    let options = ShopOptions { customers: 10, items: 60_000, days: 30, ..ShopOptions::default() };
    let items = make(&options).unwrap().items;
    let distinct = |text: fn(&ShopItem) -> &str| items.iter().map(text).collect::<BTreeSet<_>>();
    assert_eq!(distinct(|item| &item.title).len(), items.len());
    assert_eq!(distinct(|item| &item.item_id).len(), items.len());
    assert!(items.iter().all(|item| item.cost_cents < item.price_cents));
    assert!(items.iter().all(|item| item.color.is_some() != item.size.is_some()));
}

#[test]
fn variants_share_a_group_a_brand_and_a_category_and_differ_in_colour_or_size() {
    let mut groups = BTreeMap::<&str, Vec<&ShopItem>>::new();
    for item in &default_shop().items {
        if let Some(group) = &item.group_id {
            groups.entry(group).or_default().push(item);
        }
    }
    let pairs: Vec<_> = groups.values().filter(|variants| variants.len() > 1).collect();
    assert!(pairs.len() > 50);
    for variants in pairs {
        let [a, b] = variants[..] else { panic!("two variants each") };
        assert_eq!((a.brand, a.category), (b.brand, b.category));
        assert_ne!((a.color, a.size), (b.color, b.size));
    }
}

#[test]
fn planted_complements_have_high_confidence_and_lift() {
    let shop = default_shop();
    let orders = orders(shop);
    for planted in &shop.truth.complements {
        let (anchor, complement) = (planted.anchor.as_str(), planted.complement.as_str());
        let anchors = together(orders.values(), &[anchor]);
        let complements = together(orders.values(), &[complement]);
        let confidence = together(orders.values(), &[anchor, complement]) / anchors;
        let lift = confidence / (complements / orders.len() as f64);
        assert!(anchors >= 30.0, "{planted:?}: {anchors} orders");
        assert!((0.2..0.8).contains(&confidence), "{planted:?}: confidence {confidence}");
        assert!(lift > 5.0, "{planted:?}: lift {lift}");
    }
}

#[test]
fn planted_complements_are_in_the_top_5_of_their_anchor_in_shops_of_any_size() {
    let planted = &default_shop().truth.complements;
    assert_eq!(complements_in_the_top_5(default_shop()), planted.len());
    for seed in 1..=5 {
        let shop = make(&ShopOptions { seed, ..small_options() }).unwrap();
        assert_eq!(shop.truth.complements.len(), 6);
        let found = complements_in_the_top_5(&shop);
        assert!(found >= 5, "seed {seed}: {found} of 6");
    }
}

#[test]
fn substitutes_are_viewed_together_and_not_bought_together() {
    let shop = default_shop();
    let lift = |baskets: Vec<BTreeSet<&str>>| {
        let all = baskets.len() as f64;
        let (mut came, mut expected) = (0.0, 0.0);
        for group in &shop.truth.substitutes {
            for (place, a) in group.iter().enumerate() {
                for b in &group[place + 1..] {
                    let alone = |item| together(baskets.iter(), &[item]);
                    came += together(baskets.iter(), &[a, b]);
                    expected += alone(a) * alone(b) / all;
                }
            }
        }
        came / expected
    };
    assert!(shop.truth.substitutes.iter().all(|group| (3..=5).contains(&group.len())));
    let viewed = lift(views(shop).into_values().collect());
    assert!(viewed > 10.0, "viewed together with lift {viewed}");
    let bought = lift(orders(shop).into_values().collect());
    assert!(bought < 0.5, "bought together with lift {bought}");
}

#[test]
fn reorders_come_at_the_planted_cycle() {
    let shop = default_shop();
    let days = purchase_days(shop);
    for planted in &shop.truth.reorder {
        let mut gaps: Vec<i64> = days
            .iter()
            .filter(|((_, item), days)| *item == planted.item && days.len() >= 3)
            .flat_map(|(_, days)| {
                let days: Vec<_> = days.iter().copied().collect();
                days.windows(2).map(|pair| pair[1] - pair[0]).collect::<Vec<_>>()
            })
            .collect();
        gaps.sort_unstable();
        assert!(gaps.len() >= 15, "{planted:?}: {} gaps", gaps.len());
        let median = gaps[gaps.len() / 2] as f64 / f64::from(planted.every_days);
        assert!((0.85..1.15).contains(&median), "{planted:?}: median at {median} of the cycle");
    }
}

#[test]
fn due_customers_bought_last_about_one_cycle_before_the_end() {
    for shop in [default_shop(), small_shop()] {
        let end = shop.events.last().unwrap().at.0.div_euclid(DAY_MS);
        let days = purchase_days(shop);
        let cycle: BTreeMap<_, _> =
            shop.truth.reorder.iter().map(|planted| (&planted.item, planted.every_days)).collect();
        assert!(shop.truth.due.len() >= 10, "{} due", shop.truth.due.len());
        let shares = shop.truth.due.iter().map(|due| {
            let last = days[&(due.customer.clone(), due.item.as_str())].last().unwrap();
            (end - last) as f64 / f64::from(cycle[&due.item])
        });
        let regular = shares.filter(|share| (0.65..1.2).contains(share)).count() as f64;
        assert!(regular >= 0.9 * shop.truth.due.len() as f64, "{regular} regular");
    }
}

#[test]
fn bursts_stand_out_against_the_item_s_own_past() {
    let shop = default_shop();
    for burst in &shop.truth.bursts {
        let (mut during, mut before) = (0.0, 0.0);
        let first = burst.first_day;
        for event in &shop.events {
            let day = jiff::Timestamp::from_millisecond(event.at.0).unwrap();
            let day = day.to_zoned(jiff::tz::TimeZone::UTC).date();
            if shop.item(event.item).item_id == burst.item && event.customer.is_some() {
                during += f64::from(u8::from(day >= first && day <= burst.last_day));
                before += f64::from(u8::from(day < first));
            }
        }
        let length = f64::from((burst.last_day - first).get_days() + 1);
        let past = f64::from((first - ShopOptions::default().first_day).get_days());
        let growth = (during / length) / ((before + 1.0) / past);
        assert!(growth > 4.0, "{burst:?}: {growth} times the usual");
    }
    let last_day = jiff::civil::date(2025, 12, 31);
    assert!(shop.truth.bursts.iter().any(|burst| burst.last_day == last_day));
}

#[test]
fn churned_customers_do_nothing_after_they_left() {
    let shop = default_shop();
    let mut last_seen = BTreeMap::new();
    for event in shop.events.iter().filter(|event| event.session.is_some()) {
        if let Some(customer) = event.customer {
            last_seen.insert(customer_key(customer), event.at.to_string());
        }
    }
    for former in &shop.truth.churned {
        assert!(last_seen[&former.customer] < former.left_on.to_string(), "{former:?}");
    }
}

#[test]
fn new_arrivals_and_sold_out_items_are_met_only_while_they_are_sold() {
    let shop = default_shop();
    let mut seen = BTreeMap::<&str, (String, String)>::new();
    for event in shop.events.iter().filter(|event| event.session.is_some()) {
        let at = event.at.to_string();
        let (_, last) = seen
            .entry(&shop.item(event.item).item_id)
            .or_insert_with(|| (at.clone(), String::new()));
        *last = at;
    }
    let met = |item: &str| seen.get(item);
    for arrival in &shop.truth.new_arrivals {
        let first = met(&arrival.item).map(|(first, _)| first);
        assert!(first.is_none_or(|first| *first >= arrival.launched_on.to_string()));
        let item = shop.items.iter().find(|item| item.item_id == arrival.item).unwrap();
        assert!(item.launched_at.to_string().starts_with(&arrival.launched_on.to_string()));
    }
    assert!(shop.truth.new_arrivals.iter().any(|arrival| met(&arrival.item).is_some()));
    for gone in &shop.truth.sold_out {
        assert!(met(&gone.item).is_none_or(|(_, last)| *last < gone.from_day.to_string()));
    }
    let out_of_stock = shop.items.iter().filter(|item| !item.in_stock).count();
    assert_eq!(out_of_stock, shop.truth.sold_out.len());
}

#[test]
fn every_return_sends_back_a_line_of_an_earlier_order_as_it_was_bought() {
    let shop = default_shop();
    let mut bought = BTreeMap::new();
    for event in &shop.events {
        let line = (event.order, event.item);
        match event.kind {
            ShopEventKind::Purchase => {
                assert!(bought.insert(line, event).is_none(), "one line per item and order");
            }
            ShopEventKind::Return => {
                let purchase = bought[&line];
                assert!(event.order.is_some() && event.session.is_none());
                assert!(event.at > purchase.at);
                let terms =
                    |e: &ShopEvent| (e.customer, e.quantity, e.unit_price_cents, e.discount_cents);
                assert_eq!(terms(event), terms(purchase));
            }
            _ => assert!(event.order.is_none() && event.discount_cents == 0),
        }
    }
}

#[test]
fn no_order_and_no_session_mixes_customers() {
    let shop = default_shop();
    let (mut orders, mut sessions) = (BTreeMap::new(), BTreeMap::new());
    for event in &shop.events {
        if let Some(order) = event.order {
            assert_eq!(*orders.entry(order).or_insert(event.customer), event.customer);
        }
        if let Some(session) = event.session {
            assert_eq!(*sessions.entry(session).or_insert(event.customer), event.customer);
        }
    }
}

#[test]
fn events_are_in_order_within_the_days_of_the_log_and_about_items_of_the_catalogue() {
    for shop in [default_shop(), small_shop()] {
        assert!(shop.events.is_sorted_by_key(|event| event.at));
        assert!(shop.events.iter().all(|event| event.item.index() < shop.items.len()));
        assert!(shop.events[0].at.to_string().starts_with("2025-01-01T"));
        assert!(shop.events.iter().all(|event| event.quantity >= 1 && event.unit_price_cents > 0));
        let worth = |e: &ShopEvent| e.unit_price_cents * u32::from(e.quantity);
        assert!(shop.events.iter().all(|event| event.discount_cents < worth(event)));
    }
    let last = |shop: &Shop| shop.events.last().unwrap().at.to_string();
    assert!(last(default_shop()).starts_with("2025-12-31T"));
    assert!(last(small_shop()).starts_with("2025-04-30T"));
}

#[test]
fn the_smallest_shop_can_be_made() {
    let options = ShopOptions { customers: 10, items: 20, days: 30, ..ShopOptions::default() };
    for seed in 0..50 {
        let shop = make(&ShopOptions { seed, ..options.clone() }).unwrap();
        assert_eq!(shop.items.len(), 20);
        assert_eq!((shop.truth.complements.len(), shop.truth.reorder.len()), (2, 2));
        assert!(shop.events.len() > 50, "{} events", shop.events.len());
    }
}

#[test]
fn options_out_of_range_are_refused_by_name() {
    let default = ShopOptions::default;
    let cases = [
        (
            ShopOptions { customers: 9, ..default() },
            "demo customers: expected 10 to 1000000, got 9",
        ),
        (ShopOptions { items: 19, ..default() }, "demo items: expected 20 to 200000, got 19"),
        (ShopOptions { days: 29, ..default() }, "demo days: expected 30 to 3650, got 29"),
        (ShopOptions { days: 3651, ..default() }, "demo days: expected 30 to 3650, got 3651"),
        (
            ShopOptions { customers: 1_000_000, days: 401, ..default() },
            "demo customers × days: expected 300 to 400000000, got 401000000",
        ),
        (
            ShopOptions { first_day: Date::MIN, ..default() },
            "demo first_day: expected a date from 1970-01-01 to 9000-12-31, got -009999-01-01",
        ),
    ];
    for (options, message) in cases {
        let error = make(&options).unwrap_err();
        assert_eq!(error.to_string(), format!("configuration: {message}"));
        assert_eq!(error.exit_code(), 2);
    }
}

#[test]
fn the_written_files_parse_and_hold_every_row() {
    let shop = small_shop();
    let dir = tempfile::tempdir().unwrap();
    let written = shop.write(&dir.path().join("a shop")).unwrap();
    let rows = |path: &std::path::Path| {
        let mut reader = csv::Reader::from_path(path).unwrap();
        let rows: Vec<BTreeMap<String, String>> =
            reader.deserialize().collect::<Result<_, _>>().unwrap();
        rows
    };
    let events = rows(&written.events);
    assert_eq!(events.len(), shop.events.len());
    for (row, event) in events.iter().zip(&shop.events) {
        assert_eq!(row["item_id"], shop.item(event.item).item_id);
        assert_eq!(row["timestamp"], event.at.to_string());
        assert_eq!(row["event_type"], event.kind.word());
        assert_eq!(row["customer_id"], event.customer.map(customer_key).unwrap_or_default());
        assert_eq!(row["order_id"].is_empty(), event.order.is_none());
        let price: f64 = row["unit_price"].parse().unwrap();
        assert_eq!((price * 100.0).round() as u32, event.unit_price_cents);
    }
    let items = rows(&written.catalog);
    assert_eq!(items.len(), shop.items.len());
    for (row, item) in items.iter().zip(&shop.items) {
        assert_eq!((&row["title"], row["category"].as_str()), (&item.title, item.category));
    }
    let truth: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&written.truth).unwrap()).unwrap();
    assert_eq!(truth["complements"].as_array().unwrap().len(), shop.truth.complements.len());
    assert_eq!(truth["bursts"][0]["first_day"], shop.truth.bursts[0].first_day.to_string());
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("taken");
    std::fs::write(&file, "a file").unwrap();
    let message = small_shop().write(&file).unwrap_err().to_string();
    assert!(message.contains("taken"), "{message}");
}
