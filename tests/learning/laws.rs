//! The laws of an answer, over random small shops.

use std::collections::HashSet;
use std::sync::Arc;

use cartwright::catalog::Item;
use cartwright::customers::History;
use cartwright::events::{Event, EventKind, EventLog};
use cartwright::ids::{CustomerId, GroupId, Interner, ItemId};
use cartwright::recommend::{
    Association, Blend, Query, Question, Reason, Recommendation, SOURCES, Scratch, TrendingBy,
    Weights, Window, answer,
};
use cartwright::time::Timestamp;
use cartwright::train::{Learnt, TrainOptions, learn};
use proptest::prelude::*;

/// A random log in plain figures: `None` where the shop does not say.
#[derive(Clone, Debug)]
struct Line {
    minute: i64,
    customer: Option<usize>,
    item: usize,
    group: Option<usize>,
    kind: EventKind,
}

#[derive(Clone, Debug)]
struct RandomShop {
    lines: Vec<Line>,
    items: usize,
    timed: bool,
    /// By item: category, and whether it is in stock.
    shelves: Vec<(Option<usize>, Option<bool>)>,
    /// Takes every coincidence for a rule, and every source for as good as any other.
    credulous: bool,
}

fn any_kind() -> impl Strategy<Value = EventKind> {
    prop_oneof![
        4 => Just(EventKind::Purchase),
        4 => Just(EventKind::View),
        1 => Just(EventKind::Cart),
        1 => Just(EventKind::Favorite),
        1 => Just(EventKind::Return),
    ]
}

fn any_shop() -> impl Strategy<Value = RandomShop> {
    (1..16usize, 1..12usize).prop_flat_map(|(items, customers)| {
        let line = (
            0..200_000i64,
            proptest::option::weighted(0.8, 0..customers),
            0..items,
            proptest::option::weighted(0.6, 0..40usize),
            any_kind(),
        );
        let line = line.prop_map(|(minute, customer, item, group, kind)| Line {
            minute,
            customer,
            item,
            // The reader keeps no row without a customer, order or session.
            group: group.or(if customer.is_none() { Some(0) } else { None }),
            kind,
        });
        let shelf = (proptest::option::of(0..3usize), proptest::option::of(any::<bool>()));
        (
            proptest::collection::vec(line, 1..250),
            proptest::bool::weighted(0.8),
            proptest::collection::vec(shelf, items..=items + 2),
            any::<bool>(),
        )
            .prop_map(|(lines, timed, shelves, credulous)| RandomShop {
                lines,
                items: shelves.len(),
                timed,
                shelves,
                credulous,
            })
    })
}

impl RandomShop {
    fn log(&self) -> EventLog {
        let mut log = EventLog { timed: self.timed, ..EventLog::default() };
        let (mut events, mut customers) = (Vec::new(), Interner::new());
        (0..self.items).for_each(|item| {
            Arc::make_mut(&mut log.items).intern(&format!("i{item}"));
        });
        let mut lines = self.lines.clone();
        if self.timed {
            lines.sort_by_key(|line| line.minute);
        }
        let mut groups = Interner::<GroupId>::new();
        for line in lines {
            let is_order = matches!(line.kind, EventKind::Purchase | EventKind::Return);
            let mark = if is_order { 'o' } else { 's' };
            events.push(Event {
                at: Timestamp(if self.timed { line.minute * 60_000 } else { 0 }),
                customer: line.customer.map(|customer| customers.intern(&format!("c{customer}"))),
                item: ItemId::new(line.item),
                group: line.group.map(|group| groups.intern(&format!("{mark}{group}"))),
                quantity: 1.0,
                unit_price: 2.5,
                kind: line.kind,
                discount_percent: 0,
            });
        }
        (log.events, log.customers) = (events.into(), customers.into());
        log
    }

    fn stock(&self) -> Vec<Item> {
        let item = |&(category, in_stock): &(Option<usize>, Option<bool>)| Item {
            category: category.map(|c| vec!["All".into(), format!("C{c}")]).unwrap_or_default(),
            in_stock,
            ..Item::default()
        };
        self.shelves.iter().map(item).collect()
    }

    fn learnt(&self) -> (EventLog, Learnt) {
        let log = self.log();
        let mut options = TrainOptions::default();
        if self.credulous {
            for rules in [&mut options.bought, &mut options.collected, &mut options.viewed] {
                (rules.min_count, rules.false_discovery_rate) = (1, 1.0);
            }
        }
        let mut learnt = taught(&log, self.stock(), &options);
        if self.credulous {
            learnt.blend = even_blend();
        }
        (log, learnt)
    }
}

fn taught(log: &EventLog, items: Vec<Item>, options: &TrainOptions) -> Learnt {
    learn(log, &items, &jiff::tz::TimeZone::UTC, options, &mut |_| {})
}

/// A blend in which every source has its say.
fn even_blend() -> Blend {
    let even =
        Weights { momentum: 1.0, decay: 0.5, ..Weights::default() }.with_sources([1.0; SOURCES]);
    Blend {
        related: even.clone(),
        basket: even.clone(),
        basket_anonymous: even.clone(),
        customer: even.clone(),
        customer_new: even.clone(),
        session: even,
        ..Blend::default()
    }
}

/// What any answer must hold, whatever was asked.
fn check(learnt: &Learnt, query: &Query<'_>, found: &[Recommendation]) {
    let contents = &learnt.contents;
    let told = || format!("{query:?} → {found:#?}");
    assert!(found.len() <= query.limit, "longer than its limit: {}", told());
    let distinct: HashSet<ItemId> = found.iter().map(|r| r.item).collect();
    assert_eq!(distinct.len(), found.len(), "an item came twice: {}", told());
    assert!(found.iter().all(|r| r.score.is_finite()), "a score is no number: {}", told());
    assert!(found.windows(2).all(|w| w[0].score >= w[1].score), "a score rises: {}", told());
    let unwanted: Vec<&str> = match &query.question {
        Question::Related { item } => vec![item],
        Question::Basket { items } => items.clone(),
        Question::Customer { recent, .. } => recent.last().copied().into_iter().collect(),
        Question::Trending { .. } | Question::Again => Vec::new(),
    };
    for recommended in found {
        let item = recommended.item;
        assert!(!unwanted.contains(&contents.keys.key(item)), "what was asked about: {}", told());
        assert_eq!(contents.shelf.absence(item), None, "sold out: {}", told());
        if let Question::Trending { category: category @ ("All" | "All>C1"), .. } = query.question
            && let Some(known) = contents.categories.get(&category.replace('>', " > "))
        {
            let of_item = contents.categories.of(item);
            let is_in = contents.categories.upwards(of_item).any(|above| above == known);
            assert!(is_in, "of another category: {}", told());
        }
        if let Question::Customer { exclude_purchased: true, .. } = query.question {
            let bought = query.history.and_then(|history| history.bought(item));
            assert!(bought.is_none(), "bought before: {}", told());
        }
        assert!(!recommended.reasons.is_empty(), "without a reason: {}", told());
        for reason in &recommended.reasons {
            check_reason(reason, &told);
            let text = reason.text(contents, &contents.shelf);
            assert!(!text.is_empty() && !text.contains("NaN"));
        }
    }
}

fn check_reason(reason: &Reason, told: &dyn Fn() -> String) {
    match reason {
        Reason::BoughtTogether { counted, .. }
        | Reason::SameCustomers { counted, .. }
        | Reason::ViewedTogether { counted, .. } => {
            let Association { together, support, confidence, lift } = *counted;
            assert!(together > 0, "counted nothing: {reason:?} in {}", told());
            let is_share = |share: f64| (0.0..=1.0).contains(&share);
            assert!(is_share(support) && is_share(confidence), "{reason:?} in {}", told());
            assert!(support <= confidence, "{reason:?} in {}", told());
            assert!(lift.is_finite() && lift >= 0.0, "{reason:?} in {}", told());
        }
        Reason::Similar { cosine, .. } => {
            assert!((-1.001..=1.001).contains(cosine), "{reason:?} in {}", told());
        }
        Reason::BoughtBefore { times, usual_days, days_since, due, .. } => {
            if let Some(due) = due {
                assert!((0.0..=1.0).contains(&due.chance) && *usual_days > 0.0, "{}", told());
                assert!(due.in_days >= 0.0 && due.in_days <= *usual_days, "{}", told());
            }
            assert!(*times > 0 && *usual_days >= 0.0 && *days_since >= 0.0, "{}", told());
            assert!(usual_days.is_finite() && days_since.is_finite(), "{}", told());
        }
        Reason::CalledFor { weight, .. } | Reason::Foreseen { weight } => {
            assert!(weight.is_finite(), "{reason:?} in {}", told());
        }
        Reason::SeenBefore { .. }
        | Reason::ThisVisit
        | Reason::VisitsLikeThis { .. }
        | Reason::Popular { .. } => {}
        Reason::Selling { count, .. } => assert!(*count > 0, "{}", told()),
        Reason::Rising { count, expected, at_least, .. } => {
            assert!(*count > 0 && *expected > 0.0 && *at_least > 1.0, "{}", told());
            let ratio = f64::from(*count) / f64::from(*expected);
            assert!(f64::from(*at_least) < ratio, "{reason:?} in {}", told());
        }
        Reason::New { .. } | Reason::UpSell { .. } | Reason::Rule { .. } => {
            panic!("nobody asked for it: {reason:?} in {}", told())
        }
    }
}

/// Asks a learnt shop all it can be asked: each item, each pair of neighbours, each customer.
fn ask_everything(log: &EventLog, learnt: &Learnt) -> Vec<Vec<Recommendation>> {
    let keys: Vec<&str> = learnt.contents.keys.keys().chain(["no such item"]).collect();
    let histories: Vec<Option<&History>> =
        learnt.histories.as_slice().iter().map(Some).chain([None]).collect();
    assert_eq!(histories.len(), log.customers.len() + 1);
    let mut questions: Vec<(Question<'_>, Option<&History>)> = Vec::new();
    for (number, &item) in keys.iter().enumerate() {
        let history = histories[number % histories.len()];
        let next = keys[(number + 1) % keys.len()];
        questions.push((Question::Related { item }, history));
        questions.push((Question::Basket { items: vec![item] }, None));
        questions.push((Question::Basket { items: vec![item, next, item] }, history));
        let recent = vec![item, next, item, next];
        questions.push((Question::Customer { recent, exclude_purchased: false }, None));
    }
    questions.push((Question::Basket { items: keys.clone() }, None));
    for (number, window) in Window::ALL.into_iter().cycle().take(12).enumerate() {
        let by = [TrendingBy::BestSellers, TrendingBy::Rising][number / 3 % 2];
        let category = ["", "All", "All>C1", "no such category"][number % 4];
        questions.push((Question::Trending { window, category, by }, None));
    }
    for &history in &histories {
        questions.push((Question::Again, history));
    }
    for (number, history) in histories.into_iter().enumerate() {
        for exclude_purchased in [false, true] {
            let recent = keys.iter().copied().skip(number % keys.len()).take(number % 4).collect();
            questions.push((Question::Customer { recent, exclude_purchased }, history));
        }
    }
    // One scratch for all: what an answer leaves behind must not show in the next.
    let mut scratch = Scratch::default();
    let mut answers = Vec::new();
    for (number, (question, history)) in questions.into_iter().enumerate() {
        let query = Query::new(question, history, [10, 1, 3, 500, 0][number % 5]);
        let found = answer(&learnt.contents, &learnt.blend, &query, &mut scratch).recommendations;
        check(learnt, &query, &found);
        let again = answer(&learnt.contents, &learnt.blend, &query, &mut Scratch::default())
            .recommendations;
        assert_eq!(found, again, "a used scratch changes the answer to {query:?}");
        answers.push(found);
    }
    answers
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_answer_of_any_shop_keeps_the_laws(shop in any_shop()) {
        let (log, learnt) = shop.learnt();
        ask_everything(&log, &learnt);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_learnt_is_the_same_on_any_number_of_threads(shop in any_shop()) {
        let on = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
            pool.install(|| {
                let (log, learnt) = shop.learnt();
                // Bit by bit: the figures print with all their digits.
                let text = format!("{:?} {:?} {:?}", learnt.contents, learnt.histories, learnt.blend);
                (text, ask_everything(&log, &learnt))
            })
        };
        prop_assert_eq!(on(1), on(3));
    }
}

/// A log of purchases, one order after another, each by the customer of that number.
fn orders(baskets: &[(Option<usize>, &[usize])]) -> RandomShop {
    let lines = baskets.iter().enumerate().flat_map(|(order, (customer, items))| {
        items.iter().map(move |&item| Line {
            minute: order as i64 * 3_000,
            customer: *customer,
            item,
            group: Some(order),
            kind: EventKind::Purchase,
        })
    });
    shop_of(lines.collect())
}

fn shop_of(lines: Vec<Line>) -> RandomShop {
    let items = lines.iter().map(|line| line.item + 1).max().unwrap_or(0);
    RandomShop { lines, items, timed: true, shelves: vec![(None, None); items], credulous: false }
}

/// Asks everything, also of a trainer that believes anything; the law keepers look at it.
fn answers(shop: &RandomShop) -> Vec<Vec<Recommendation>> {
    let (log, learnt) = RandomShop { credulous: true, ..shop.clone() }.learnt();
    ask_everything(&log, &learnt);
    let (log, learnt) = shop.learnt();
    ask_everything(&log, &learnt)
}

#[test]
fn a_shop_with_one_order_of_one_item_has_nothing_else_to_offer() {
    let found = answers(&orders(&[(Some(0), &[0])]));
    // To its one customer, and to strangers, it offers the item; on the item's page nothing.
    assert!(found.iter().flatten().all(|r| r.item == ItemId::new(0)));
    assert!(found[0].is_empty());
    assert!(found.iter().any(|answer| !answer.is_empty()));
}

#[test]
fn a_shop_with_one_order_offers_the_rest_of_it() {
    let found = answers(&orders(&[(Some(0), &[0, 1, 2])]));
    assert_eq!(found[0].len(), 2, "{found:#?}");
}

#[test]
fn a_shop_with_one_customer_still_answers() {
    let weeks: Vec<(Option<usize>, &[usize])> =
        (0..30).map(|week| (Some(0), [&[0, 1][..], &[1, 2], &[0, 3]][week % 3])).collect();
    assert!(answers(&orders(&weeks)).iter().any(|answer| !answer.is_empty()));
}

#[test]
fn a_shop_where_every_basket_is_the_same_still_answers() {
    let same: Vec<(Option<usize>, &[usize])> = (0..40).map(|c| (Some(c), &[0, 1, 2][..])).collect();
    assert_eq!(answers(&orders(&same))[0].len(), 2);
}

#[test]
fn a_shop_without_customers_still_answers() {
    let unknown: Vec<(Option<usize>, &[usize])> =
        (0..40).map(|order| (None, [&[0, 1][..], &[2, 3]][order % 2])).collect();
    assert!(answers(&orders(&unknown)).iter().any(|answer| !answer.is_empty()));
}

#[test]
fn a_shop_of_looks_alone_answers_from_looks() {
    for customer in [None, Some(0)] {
        let looks = (0..200).map(|n| Line {
            minute: n as i64,
            customer: customer.map(|_| n / 4),
            item: [n % 2, 2 + n % 3][n / 2 % 2],
            group: Some(n / 4),
            kind: EventKind::View,
        });
        let shop = shop_of(looks.collect());
        for timed in [true, false] {
            let found = answers(&RandomShop { timed, ..shop.clone() });
            assert!(found.iter().any(|answer| !answer.is_empty()));
            let of_looks = found.iter().flatten().flat_map(|r| &r.reasons);
            assert!(
                of_looks.clone().all(|reason| !matches!(
                    reason,
                    Reason::BoughtTogether { .. } | Reason::BoughtBefore { .. }
                )),
                "nothing was ever bought"
            );
        }
    }
}

#[test]
fn a_shop_of_returns_alone_offers_what_it_sells() {
    let returns = (0..40).map(|n| Line {
        minute: n as i64,
        customer: Some(n % 5),
        item: n % 4,
        group: None,
        kind: EventKind::Return,
    });
    answers(&shop_of(returns.collect()));
}

#[test]
fn a_shop_that_sells_nothing_answers_with_nothing() {
    let log = EventLog { timed: true, ..EventLog::default() };
    let learnt = taught(&log, Vec::new(), &TrainOptions::default());
    assert!(ask_everything(&log, &learnt).iter().all(Vec::is_empty));
}

#[test]
fn items_that_nobody_touched_do_no_harm() {
    let mut shop = orders(&[(Some(0), &[0, 1]), (Some(1), &[0, 1])]);
    shop.items = 30;
    shop.shelves = vec![(Some(1), Some(true)); 30];
    answers(&shop);
}

#[test]
fn ids_far_apart_in_time_do_no_harm() {
    let mut shop = orders(&[(Some(0), &[0, 1]), (Some(0), &[0, 1]), (Some(1), &[0, 2])]);
    shop.lines[0].minute = -60_000_000; // more than a century before
    shop.lines[5].minute = 60_000_000;
    answers(&shop);
    assert_eq!(CustomerId::new(1).index(), 1);
}
