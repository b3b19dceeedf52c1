//! Filters, stock, variants, rules and the promise of a full answer, held against random shops.

use std::collections::{BTreeMap, HashSet};
use std::sync::OnceLock;

use cartwright::catalog::{Absence, Change, Item, Listing, Shelf};
use cartwright::events::{self, EventLog, ReadOptions};
use cartwright::filter::Filter;
use cartwright::ids::ItemId;
use cartwright::merchandising::{Rules, parse_file};
use cartwright::recommend::{
    Answer, Dropped, Objective, OrderValue, PriceBand, Query, Question, Reason, RuleAct, Scratch,
    Source, Terms, answer,
};
use cartwright::time::Timestamp;
use cartwright::train::{Learnt, TrainOptions, learn, stock};
use jiff::tz::TimeZone;
use proptest::prelude::*;

const ITEMS: usize = 60;

/// A shop of 60 items in 6 categories of 4 brands, with prices from 1 to 60; neighbours in number are bought
/// together.
fn shop() -> &'static (EventLog, Learnt) {
    static SHOP: OnceLock<(EventLog, Learnt)> = OnceLock::new();
    SHOP.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("events.csv");
        let mut csv = String::from("customer_id,item_id,timestamp,order_id\n");
        for order in 0..600usize {
            let first = order * 7 % (ITEMS - 5); // the last items are never sold
            for item in [first, first + 1, (order * 11 + 3) % (ITEMS - 5)] {
                let at = 1_700_000_000 + order / 20 * 86_400;
                csv += &format!("c{},i{item},{at},o{order}\n", order % 40);
            }
        }
        std::fs::write(&path, csv).expect("written");
        let mut log = events::read(&[path], &ReadOptions::default()).expect("readable").log;
        let catalog = (0..ITEMS).map(|number| (format!("i{number}"), item(number))).collect();
        let items = stock(&mut log, &catalog);
        let options = TrainOptions::default();
        let mut learnt = learn(&log, &items, &TimeZone::UTC, &options, &mut |_| {});
        learnt.blend.related.revenue = 1.0;
        learnt.blend.related.margin = 1.0;
        (log, learnt)
    })
}

fn item(number: usize) -> Item {
    Item {
        title: Some(format!("Thing {number}")),
        category: vec!["All".into(), format!("C{}", number % 6)],
        brand: Some(format!("B{}", number % 4)),
        price: Some(1.0 + number as f64),
        cost: Some(0.5 + (number % 7) as f64 / 10.0),
        group_id: number.is_multiple_of(3).then(|| format!("g{}", number / 6)),
        attributes: BTreeMap::from([("size".to_owned(), (number % 5).to_string())]),
        ..Item::default()
    }
}

fn ask(question: Question<'_>, limit: usize, terms: Terms<'_>) -> Answer {
    let (_, learnt) = shop();
    let query = Query { question, history: None, limit, terms };
    answer(&learnt.contents, &learnt.blend, &query, &mut Scratch::default())
}

fn keys(shelf: &Shelf, answer: &Answer) -> Vec<String> {
    answer.recommendations.iter().map(|r| shelf.key(r.item).to_owned()).collect()
}

fn page(limit: usize, terms: Terms<'_>) -> Answer {
    ask(Question::Related { item: "i12" }, limit, terms)
}

/// What can happen to an item during the day.
#[derive(Clone, Copy, Debug)]
enum Fate {
    SoldOut,
    Hidden,
    Deleted,
    Dearer,
}

fn changed(shelf: &Shelf, fates: &[(usize, Fate)], arrivals: usize) -> Shelf {
    let mut next = shelf.clone();
    for &(number, fate) in fates {
        let key = format!("i{number}");
        let mut listing = next.listing(next.get(&key).expect("it is sold"));
        match fate {
            Fate::SoldOut => listing.item.stock = Some(0),
            Fate::Hidden => listing.hidden = true,
            Fate::Deleted => listing.deleted = true,
            Fate::Dearer => listing.item.price = Some(1000.0),
        }
        next = next.with([Change { key, listing, near: Vec::new() }]);
    }
    next.with((0..arrivals).map(|number| Change {
        key: format!("new{number}"),
        listing: item(number).into(),
        near: vec![(shelf.get("i12").expect("it is sold"), 0.9)],
    }))
}

/// A filter in words and as plain code.
type Judge = fn(&Item, Option<&Item>) -> bool;

const FILTERS: [(&str, Judge); 7] = [
    ("", |_, _| true),
    ("price < 20", |item, _| item.price < Some(20.0)),
    ("brand = \"B1\" or size >= 3", |item, _| {
        let size: i32 = item.attributes["size"].parse().expect("a number");
        item.brand.as_deref() == Some("B1") || size >= 3
    }),
    ("category under \"All > C2\"", |item, _| item.category[1] == "C2"),
    ("price < current.price * 1.2 and brand != current.brand", |item, asked| {
        asked.is_some_and(|asked| {
            item.price < asked.price.map(|price| price * 1.2) && item.brand != asked.brand
        })
    }),
    ("item_id in (\"i3\", \"i4\", \"i59\", \"new0\")", |item, _| {
        let number: f64 = item.price.expect("it has one") - 1.0;
        [0.0, 3.0, 4.0, 59.0].contains(&number) // new0 looks like i0, see below
    }),
    ("price > 1e6", |_, _| false),
];

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![Just(Fate::SoldOut), Just(Fate::Hidden), Just(Fate::Deleted), Just(Fate::Dearer)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_answer_is_full_of_eligible_items_or_holds_all_there_are(
        fates in prop::collection::vec((0..ITEMS, fate()), 0..70),
        arrivals in 0..3usize,
        (text, judge) in prop::sample::select(FILTERS.to_vec()),
        asked in 0..ITEMS,
        limit in prop::sample::select(vec![1usize, 4, 10, 40, 100]),
        allow_variants: bool,
        diversity in 0..6u8,
        is_page: bool,
    ) {
        prop_assume!(is_page || !text.contains("current"));
        let shelf = changed(&shop().1.contents.shelf, &fates, arrivals);
        let filter = (!text.is_empty()).then(|| Filter::parse(text, &shelf).expect("a filter"));
        let asked = format!("i{asked}");
        let question = match is_page {
            true => Question::Related { item: &asked },
            false => Question::Customer { recent: vec![&asked], exclude_purchased: false },
        };
        let terms = Terms {
            shelf: Some(&shelf),
            filter: filter.as_ref(),
            allow_variants,
            diversity,
            ..Terms::default()
        };
        let found = ask(question, limit, terms);

        let asked = shelf.get(&asked).expect("it is sold");
        let asked_group = (is_page && !allow_variants).then(|| shelf.group(asked)).flatten();
        let current = is_page.then(|| shelf.item(asked));
        let by_key = text.starts_with("item_id");
        let eligible = |item: ItemId| {
            let listed = ["i3", "i4", "i59", "new0"].contains(&shelf.key(item));
            let passes = if by_key { listed } else { judge(&shelf.item(item), current.as_ref()) };
            let is_variant = asked_group.is_some() && shelf.group(item) == asked_group;
            item != asked && shelf.absence(item).is_none() && !is_variant && passes
        };
        let all: Vec<ItemId> = (0..shelf.len()).map(ItemId::new).filter(|i| eligible(*i)).collect();
        let groups: HashSet<u32> = all.iter().filter_map(|item| shelf.group(*item)).collect();
        let single = all.iter().filter(|item| shelf.group(**item).is_none()).count();
        let most = if allow_variants { all.len() } else { single + groups.len() };

        let items: Vec<ItemId> = found.recommendations.iter().map(|r| r.item).collect();
        prop_assert_eq!(items.len(), most.min(limit), "{:?}", found.ledger);
        prop_assert!(items.iter().all(|item| eligible(*item)));
        prop_assert_eq!(items.iter().collect::<HashSet<_>>().len(), items.len());
        let shown: Vec<u32> = items.iter().filter_map(|item| shelf.group(*item)).collect();
        let distinct: HashSet<&u32> = shown.iter().collect();
        prop_assert!(allow_variants || distinct.len() == shown.len(), "two variants of one product");
        let scores: Vec<f32> = found.recommendations.iter().map(|r| r.score).collect();
        prop_assert!(scores.is_sorted_by(|a, b| a >= b) && scores.iter().all(|s| s.is_finite()));
        for recommended in &found.recommendations {
            prop_assert!(!recommended.reasons.is_empty());
            let texts = recommended.reasons.iter().map(|r| r.text(&shop().1.contents, &shelf));
            prop_assert!(texts.into_iter().all(|text| !text.is_empty() && !text.contains("NaN")));
        }
        prop_assert_eq!(found.ledger.returned as usize, items.len());
        prop_assert_eq!(found.ledger.requested as usize, limit);
        if items.len() < limit {
            // Everything was looked at: what is not here was dropped for a reason.
            let dropped: u32 = found.ledger.dropped.iter().sum();
            prop_assert_eq!(dropped as usize + items.len(), shelf.len(), "{:?}", found.ledger);
        }
    }
}

#[test]
fn a_used_scratch_and_a_changed_shelf_give_the_answer_of_today() {
    let (_, learnt) = shop();
    let mut scratch = Scratch::default();
    let mut shelf = learnt.contents.shelf.clone();
    let filter = Filter::parse("price < 20", &shelf).expect("a filter");
    for (number, fate) in [(13, Fate::Dearer), (11, Fate::SoldOut), (10, Fate::Hidden)] {
        shelf = changed(&shelf, &[(number, fate)], 0);
        let terms = Terms { shelf: Some(&shelf), filter: Some(&filter), ..Terms::default() };
        let query =
            Query { question: Question::Related { item: "i12" }, history: None, limit: 30, terms };
        let used = answer(&learnt.contents, &learnt.blend, &query, &mut scratch);
        let fresh = answer(&learnt.contents, &learnt.blend, &query, &mut Scratch::default());
        assert_eq!(used, fresh);
        assert!(!keys(&shelf, &used).contains(&format!("i{number}")));
    }
}

#[test]
fn hidden_items_come_back_when_they_are_unhidden() {
    let shelf = &shop().1.contents.shelf;
    let first = keys(shelf, &page(1, Terms::default())).remove(0);
    let number = first[1..].parse().expect("a number");
    let hidden = changed(shelf, &[(number, Fate::Hidden)], 0);
    let found = page(60, Terms { shelf: Some(&hidden), ..Terms::default() });
    assert!(!keys(&hidden, &found).contains(&first));
    assert_eq!(found.ledger.dropped_for(Dropped::Hidden), 1);
    let item = hidden.get(&first).expect("it is sold");
    assert_eq!(hidden.absence(item), Some(Absence::Hidden));
    let listing = Listing { hidden: false, ..hidden.listing(item) };
    let back = hidden.with([Change { key: first.clone(), listing, near: Vec::new() }]);
    let found = page(1, Terms { shelf: Some(&back), ..Terms::default() });
    assert_eq!(keys(&back, &found), [first]);
}

#[test]
fn a_new_arrival_is_welcome_where_it_is_close_and_says_that_it_is_new() {
    let shelf = changed(&shop().1.contents.shelf, &[], 1);
    let found = page(10, Terms { shelf: Some(&shelf), ..Terms::default() });
    let new = found.recommendations.last().expect("ten of them");
    assert_eq!((shelf.key(new.item), new.source), ("new0", Source::NewArrival));
    let like = shelf.get("i12");
    assert_eq!(new.reasons, [Reason::New { like, cosine: 0.9 }]);
    // And it is asked about like any other item: what goes with its like goes with it.
    let terms = Terms { shelf: Some(&shelf), ..Terms::default() };
    let of_new = ask(Question::Related { item: "new0" }, 10, terms);
    assert!(!of_new.recommendations.iter().any(|r| r.fallback), "{of_new:#?}");
    assert!(keys(&shelf, &of_new).contains(&"i13".to_owned()));
}

#[test]
fn what_is_launched_later_is_not_offered_before() {
    let day = |text: &str| {
        let moment: jiff::Timestamp = text.parse().expect("a moment");
        Timestamp(moment.as_millisecond())
    };
    let first = keys(&shop().1.contents.shelf, &page(1, Terms::default())).remove(0);
    let plain = changed(&shop().1.contents.shelf, &[], 1);
    let launched = |key: &str| {
        let mut listing = plain.listing(plain.get(key).expect("it is there"));
        listing.item.launched_at = Some(day("2026-03-03T09:00:00Z"));
        Change { key: key.into(), listing, near: Vec::new() }
    };
    let shelf = plain.with([launched(&first), launched("new0"), launched("i58")]);
    let (before, at) = (day("2026-03-03T08:59:59Z"), day("2026-03-03T09:00:00Z"));
    for (now, hidden) in [(NOW, 3), (before, 3), (at, 0), (Timestamp(0), 0)] {
        let terms = Terms { shelf: Some(&shelf), now, allow_variants: true, ..Terms::default() };
        let found = page(ITEMS + 1, terms);
        assert_eq!(found.ledger.dropped_for(Dropped::Hidden), hidden, "{now}");
        for key in [first.as_str(), "new0", "i58"] {
            assert_eq!(
                keys(&shelf, &found).iter().any(|one| one == key),
                hidden == 0,
                "{key} {now}"
            );
        }
    }
}

fn rules(toml: &str) -> Rules {
    let texts = parse_file(toml).expect("TOML");
    Rules::new(&texts, &shop().1.contents.shelf, &TimeZone::UTC).expect("sound rules")
}

const NOW: Timestamp = Timestamp(1_772_409_600_000); // 2026-03-02

fn ruled(rules: &Rules, limit: usize) -> Answer {
    page(limit, Terms { rules: Some(rules), now: NOW, ..Terms::default() })
}

fn acted(answer: &Answer, key: &str) -> Option<RuleAct> {
    let shelf = &shop().1.contents.shelf;
    let found = answer.recommendations.iter().find(|r| shelf.key(r.item) == key)?;
    found.reasons.iter().find_map(|reason| match reason {
        Reason::Rule { act, .. } => Some(*act),
        _ => None,
    })
}

#[test]
fn a_pinned_item_stands_at_its_place_and_says_so() {
    let rules = rules("[[rule]]\nid = \"p\"\npin = { item = \"i58\", position = 3 }\n");
    let found = ruled(&rules, 10);
    let shelf = &shop().1.contents.shelf;
    assert_eq!(keys(shelf, &found)[2], "i58");
    assert_eq!(acted(&found, "i58"), Some(RuleAct::Pinned));
    assert_eq!(found.recommendations.len(), 10);
    assert_eq!(keys(shelf, &ruled(&rules, 2)).len(), 2, "no third place");
    let sold_out = changed(shelf, &[(58, Fate::SoldOut)], 0);
    let terms = Terms { shelf: Some(&sold_out), rules: Some(&rules), now: NOW, ..Terms::default() };
    assert!(!keys(&sold_out, &page(10, terms)).contains(&"i58".to_owned()));
}

#[test]
fn pins_and_promotions_never_bring_two_variants_or_leave_a_place_empty() {
    // i54 and i57 are variants of one product.
    let rules = rules(
        "[[rule]]\nid = \"p\"\npin = { item = \"i54\", position = 2 }\n\
         [[rule]]\nid = \"q\"\npin = { item = \"i57\", position = 1 }\n\
         [[rule]]\nid = \"own\"\npromote = { filter = 'brand = \"B1\"', share = 0.4 }\n",
    );
    let shelf = &shop().1.contents.shelf;
    for limit in [1, 2, 5, 10, 30, 100] {
        let found = ruled(&rules, limit);
        let groups: Vec<u32> =
            found.recommendations.iter().filter_map(|r| shelf.group(r.item)).collect();
        assert_eq!(groups.iter().collect::<HashSet<_>>().len(), groups.len(), "{limit}");
        // 40 items without variants, and one each of the nine products that i12 is not of.
        assert_eq!(found.recommendations.len(), limit.min(49));
    }
}

#[test]
fn more_pins_than_places_fill_the_answer_and_no_more() {
    let pin = |id: usize| {
        format!("[[rule]]\nid = \"p{id}\"\npin = {{ item = \"i{id}\", position = 1 }}\n")
    };
    let rules = rules(&[58, 59, 4].map(pin).concat());
    for limit in [1, 2, 3, 4] {
        let found = ruled(&rules, limit);
        let pinned = found
            .recommendations
            .iter()
            .filter(|r| r.reasons.iter().any(|reason| matches!(reason, Reason::Rule { .. })));
        assert_eq!((found.recommendations.len(), pinned.count()), (limit, limit.min(3)));
    }
}

#[test]
fn boost_and_bury_move_what_passes_and_say_so() {
    let shelf = &shop().1.contents.shelf;
    let place = |answer: &Answer, key: &str| keys(shelf, answer).iter().position(|k| k == key);
    let plain = page(30, Terms::default());
    let (first, later) = (&keys(shelf, &plain)[0], &keys(shelf, &plain)[8]);
    let toml = format!(
        "[[rule]]\nid = \"up\"\nboost = {{ filter = 'item_id = \"{later}\"', factor = 1000 }}\n\
         [[rule]]\nid = \"down\"\nbury = {{ filter = 'item_id = \"{first}\"', factor = 1000 }}\n"
    );
    let found = ruled(&rules(&toml), 30);
    assert!(place(&found, later) < place(&plain, later));
    assert!(place(&found, first) > place(&plain, first));
    assert_eq!(acted(&found, later), Some(RuleAct::Boosted));
    assert_eq!(acted(&found, first), Some(RuleAct::Buried));
}

#[test]
fn promoted_items_get_their_share_of_the_places() {
    let rules =
        rules("[[rule]]\nid = \"own\"\npromote = { filter = 'brand = \"B3\"', share = 0.5 }\n");
    let found = ruled(&rules, 10);
    let shelf = &shop().1.contents.shelf;
    let promoted = found.recommendations.iter().filter(|r| shelf.brand(r.item) == Some("B3"));
    assert!(promoted.count() >= 5, "{:?}", keys(shelf, &found));
    assert_eq!(found.recommendations.len(), 10);
}

/// It jumped to the top, above all that was bought with the item.
#[test]
fn a_promotion_leaves_an_arrival_its_place_at_the_end() {
    let shelf = changed(&shop().1.contents.shelf, &[], 1);
    for share in [0.1, 0.5] {
        let rules = rules(&format!(
            "[[rule]]\nid = \"own\"\npromote = {{ filter = 'brand = \"B3\"', share = {share} }}\n"
        ));
        let terms = Terms { shelf: Some(&shelf), rules: Some(&rules), ..Terms::default() };
        let found = keys(&shelf, &page(10, terms));
        assert!(found[..5].iter().all(|key| key != "new0"), "{share}: {found:?}");
        assert!(found[5..].contains(&"new0".to_owned()), "{share}: {found:?}");
    }
}

/// The second took the places that the first counted on, though others were nobody's.
#[test]
fn a_promotion_takes_no_place_that_another_needs() {
    let shelf = &shop().1.contents.shelf;
    let plain = page(10, Terms::default());
    let count = |answer: &Answer, brand: &str| {
        answer.recommendations.iter().filter(|r| shelf.brand(r.item) == Some(brand)).count()
    };
    let promotes = |share: f64, brand: &str| {
        format!(
            "[[rule]]\nid = \"{brand}\"\npromote = {{ filter = 'brand = \"{brand}\"', share = {share} }}\n"
        )
    };
    let brands = ["B0", "B1", "B2", "B3"];
    for one in brands {
        // What it has by itself is what it is to have; the other shall have four more than that.
        let by_itself = count(&plain, one);
        for other in brands.into_iter().filter(|&other| other != one) {
            let more = (count(&plain, other) + 4).min(10 - by_itself);
            for order in [[(by_itself, one), (more, other)], [(more, other), (by_itself, one)]] {
                let toml =
                    order.map(|(places, brand)| promotes(places.max(1) as f64 / 10.0, brand));
                let found = ruled(&rules(&toml.concat()), 10);
                let counts = (count(&found, one), count(&found, other));
                assert!(counts.0 >= by_itself && counts.1 >= more, "{order:?}: {counts:?}");
                assert_eq!(found.recommendations.len(), 10);
            }
        }
    }
}

#[test]
fn a_rule_acts_in_its_placement_on_its_days_where_its_condition_holds() {
    let hides = |more: &str| {
        let toml = format!("[[rule]]\nid = \"h\"\nhide = {{ filter = 'price > 0' }}\n{more}");
        ruled(&rules(&toml), 10).recommendations.is_empty()
    };
    assert!(hides(""));
    assert!(hides("placements = [\"related_items\"]"));
    assert!(!hides("placements = [\"basket_upsell\"]"));
    assert!(hides("from = \"2026-03-02\"\nuntil = \"2026-03-02\""));
    assert!(!hides("from = \"2026-03-03\""));
    assert!(!hides("until = \"2026-03-01\""));
    assert!(hides("when = 'category under \"All > C0\"'"));
    assert!(!hides("when = 'category under \"All > C1\"'"));
}

#[test]
fn a_rule_that_can_t_be_understood_is_named_with_what_is_wrong() {
    let shelf = &shop().1.contents.shelf;
    let wrong = |rule: &str| {
        let texts = parse_file(&format!("[[rule]]\nid = \"x\"\n{rule}")).expect("TOML");
        Rules::new(&texts, shelf, &TimeZone::UTC).expect_err("it is wrong").to_string()
    };
    for (rule, says) in [
        ("", "just one of"),
        ("hide = { filter = 'prise > 0' }", "did you mean price?"),
        ("hide = { filter = 'price > current.price' }", "no `current` item"),
        ("boost = { filter = 'price > 0', factor = 0.5 }", "above 1"),
        ("promote = { filter = 'price > 0', share = 1.5 }", "at most 1"),
        ("pin = { item = \"i1\", position = 0 }", "from 1 to 500"),
        ("pin = { item = \"\", position = 1 }", "1 to 1000 bytes"),
        ("hide = { filter = 'price > 0' }\nplacements = [\"home page\"]", "each of `placements`"),
        ("hide = { filter = 'price > 0' }\nfrom = \"soon\"", "a day such as"),
        (
            "hide = { filter = 'price > 0' }\nfrom = \"2026-02-02\"\nuntil = \"2026-02-01\"",
            "before",
        ),
    ] {
        let error = wrong(rule);
        assert!(error.contains("\"x\"") && error.contains(says), "{error}");
    }
    assert!(parse_file("[[rule]]\nid = 3\n").is_err());
    assert!(parse_file("[[rule]]\nid = \"x\"\nhyde = { filter = 'price > 0' }\n").is_err());
}

#[test]
fn revenue_and_margin_move_what_is_worth_more_to_the_front() {
    let shelf = &shop().1.contents.shelf;
    let mean = |objective, value: &dyn Fn(ItemId) -> Option<f64>| {
        let found = page(10, Terms { objective, ..Terms::default() });
        let values = found.recommendations.iter().filter_map(|r| value(r.item));
        values.sum::<f64>() / 10.0
    };
    let price = |item| shelf.price(item);
    let margin = |item| shelf.margin(item);
    assert!(mean(Objective::Revenue, &price) > mean(Objective::Relevance, &price));
    assert!(mean(Objective::Margin, &margin) > mean(Objective::Relevance, &margin));
}

#[test]
fn an_order_is_filled_up_to_its_target_by_what_closes_the_gap() {
    let shelf = &shop().1.contents.shelf;
    let question = || Question::Basket { items: vec!["i12", "i30"] };
    let first_price = |target: f64| {
        let order_value = Some(OrderValue { now: 13.0, target });
        let found = ask(question(), 3, Terms { order_value, ..Terms::default() });
        assert!(found.expected_order_value > 13.0);
        shelf.price(found.recommendations[0].item).expect("it has one")
    };
    // A gap of 50 is closed by something dear, one of 10 by something cheap.
    assert!((first_price(63.0) - 50.0).abs() < (first_price(23.0) - 50.0).abs());
    let plain = ask(question(), 3, Terms::default());
    let reached = Some(OrderValue { now: 13.0, target: 12.0 });
    let found = ask(question(), 3, Terms { order_value: reached, ..Terms::default() });
    assert_eq!(keys(shelf, &found), keys(shelf, &plain), "there is no gap");
    assert_eq!(plain.expected_order_value, 0.0);
}

#[test]
fn what_is_moved_up_for_its_price_is_no_likelier_to_be_taken() {
    let shelf = &shop().1.contents.shelf;
    let all = |target: f64| {
        let order_value = Some(OrderValue { now: 13.0, target });
        let question = Question::Basket { items: vec!["i12", "i30"] };
        ask(question, ITEMS, Terms { order_value, allow_variants: true, ..Terms::default() })
    };
    let (moved, likely) = (all(63.0), all(13.0));
    let [mut moved_keys, mut likely_keys] = [&moved, &likely].map(|found| keys(shelf, found));
    assert_ne!(moved_keys, likely_keys, "what closes the gap is moved up");
    moved_keys.sort_unstable();
    likely_keys.sort_unstable();
    assert_eq!(moved_keys, likely_keys);
    // The same things in another order: each is as likely as it was.
    assert!((moved.expected_order_value - likely.expected_order_value).abs() < 1e-6);
}

#[test]
fn an_up_sell_is_of_the_same_kind_within_the_band_and_says_what_it_is() {
    let shelf = &shop().1.contents.shelf;
    let up_sell = Some(PriceBand { least: 1.05, most: 3.0 });
    let found = page(10, Terms { up_sell, ..Terms::default() });
    let expected = (0..ITEMS).filter(|n| n % 6 == 0 && (14..=39).contains(&(n + 1)));
    let mut expected: Vec<String> = expected.map(|n| format!("i{n}")).collect();
    let mut told = keys(shelf, &found);
    expected.retain(|key| {
        shelf.group(shelf.get(key).expect("sold")) != shelf.group(shelf.get("i12").expect("sold"))
    });
    expected.sort_unstable();
    told.sort_unstable();
    assert_eq!(told, expected);
    let says = |r: &cartwright::recommend::Recommendation| {
        r.reasons.iter().any(|reason| matches!(reason, Reason::UpSell { price_ratio, .. } if (1.05..=3.0).contains(price_ratio)))
    };
    assert!(found.recommendations.iter().all(says));
}

#[test]
fn the_more_diversity_is_asked_for_the_fewer_items_share_a_category() {
    let shelf = &shop().1.contents.shelf;
    let alike_beside = |item: &str, diversity| {
        let terms = Terms { diversity, ..Terms::default() };
        let found = ask(Question::Related { item }, 9, terms).recommendations;
        let same =
            |a: usize, b: usize| shelf.category(found[a].item) == shelf.category(found[b].item);
        let pairs = (0..9).flat_map(|a| (0..a).map(move |b| (a, b)));
        pairs.filter(|(a, b)| same(*a, *b)).count()
    };
    let alike = |diversity| -> usize {
        (0..ITEMS).step_by(5).map(|n| alike_beside(&format!("i{n}"), diversity)).sum()
    };
    let [none, some, most] = [0, 2, 5].map(alike);
    assert!(most < some && some < none, "{none}, {some}, {most}");
}
