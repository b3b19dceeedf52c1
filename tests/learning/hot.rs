//! What is hot, what is due again, whole pages and streams: asked over a real connection, and as a property of
//! any page.

use std::collections::HashSet;
use std::sync::OnceLock;

use crate::common::{Place, Server};
use cartwright::customers::History;
use cartwright::grpc::pb;
use cartwright::grpc::pb::page_placement::Question as Placed;
use cartwright::ids::ItemId;
use cartwright::index::Snapshot;
use cartwright::recommend::{
    Blend, Dropped, Query, Question, Scratch, Terms, TrendingBy, Window, answer,
};
use proptest::prelude::*;
use tokio_stream::StreamExt;
use tonic::{Code, Status};
use tonic_types::StatusExt;

fn place() -> Place {
    Place::made_up(300, 120, 120)
}

fn trending(window: pb::TrendingWindow, by: pb::TrendingBy) -> pb::TrendingItemsRequest {
    pb::TrendingItemsRequest { window: window as i32, by: by as i32, ..Default::default() }
}

fn again(customer: &str) -> pb::BuyAgainItemsRequest {
    pb::BuyAgainItemsRequest { customer_id: customer.into(), ..Default::default() }
}

fn customer(key: &str) -> pb::ForCustomerRequest {
    pb::ForCustomerRequest { customer_id: Some(key.into()), ..Default::default() }
}

/// The reply is INVALID_ARGUMENT, and names these fields.
fn violates<T: std::fmt::Debug>(reply: Result<T, Status>, fields: &[&str]) {
    let status = reply.expect_err("a breach of the contract");
    assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
    let details = status.get_details_bad_request().expect("google.rpc.BadRequest is attached");
    let named: Vec<&str> = details.field_violations.iter().map(|v| v.field.as_str()).collect();
    assert_eq!(named, fields, "{status:?}");
}

/// Full, without repeats, every item with a reason, scores that never rise.
fn is_sound(found: &[pb::Recommendation], ledger: Option<&pb::Ledger>, length: usize) {
    assert_eq!(found.len(), length, "{found:#?}");
    let distinct: HashSet<&str> = found.iter().map(|r| r.item_id.as_str()).collect();
    assert_eq!(distinct.len(), length, "an item came twice");
    assert!(found.windows(2).all(|pair| pair[0].score >= pair[1].score), "{found:#?}");
    assert!(found.iter().all(|r| !r.reasons.is_empty() && r.source != 0), "{found:#?}");
    let ledger = ledger.expect("a ledger");
    assert_eq!(ledger.returned as usize, length);
}

#[tokio::test]
async fn what_is_hot_is_answered_for_every_window_and_way_as_long_as_it_was_asked_for() {
    let place = place();
    let server = Server::ready(&place.index).await;
    let mut client = server.client().await;
    use pb::TrendingBy::{BestSellers, Rising};
    use pb::TrendingWindow::{Day, Month, Unspecified, Week};
    for window in [Unspecified, Day, Week, Month] {
        for by in [BestSellers, Rising] {
            for (limit, length) in [(0, 10), (3, 3), (60, 60)] {
                let request = pb::TrendingItemsRequest { limit, ..trending(window, by) };
                let reply = client.trending_items(request).await.expect("answered").into_inner();
                is_sound(&reply.recommendations, reply.ledger.as_ref(), length);
                assert!(reply.generation == 1 && !reply.attribution_token.is_empty());
            }
        }
    }
    let best = client.trending_items(trending(Week, BestSellers)).await.expect("answered");
    let first = &best.into_inner().recommendations[0];
    assert_eq!(first.source(), pb::Source::BestSeller);
    assert!(first.reasons[0].text.contains("in the last 7 days"), "{first:?}");
    server.stop().await;
}

#[tokio::test]
async fn a_category_is_kept_to_and_an_unknown_one_falls_back_to_the_shop_and_says_so() {
    let place = place();
    let server = Server::ready(&place.index).await;
    let mut client = server.client().await;
    let mut ask = async |category: &str, filter: &str| {
        let request = pb::TrendingItemsRequest {
            category: category.into(),
            filter: filter.into(),
            limit: 500,
            ..trending(pb::TrendingWindow::Month, pb::TrendingBy::BestSellers)
        };
        client.trending_items(request).await.expect("answered").into_inner()
    };
    let category = place.shop.items[0].category;
    let department = category.split(" > ").next().expect("it has a level");
    let of = |path: &str| {
        let under = format!("{path} > ");
        let items = place.shop.items.iter().filter(|item| item.in_stock);
        let items = items.filter(|item| item.category == path || item.category.starts_with(&under));
        items.map(|item| item.item_id.clone()).collect::<HashSet<String>>()
    };
    for path in [category, department, &department.replace(' ', "")] {
        let found = ask(path, "").await.recommendations;
        let allowed = of(path);
        assert!(!found.is_empty() && found.len() <= allowed.len());
        assert!(found.iter().all(|r| allowed.contains(&r.item_id)), "{path}: {found:#?}");
    }
    // Both count: the category, and the filter of the request.
    let cheap = ask(department, "price < 10").await;
    assert!(cheap.ledger.expect("a ledger").filtered > 0);
    let unknown = ask("No such > Thing", "").await.recommendations;
    assert!(!unknown.is_empty() && unknown.iter().all(|r| r.fallback), "{unknown:?}");
    server.stop().await;
}

#[tokio::test]
async fn what_is_due_says_when_and_a_stranger_gets_what_is_popular_said_to_stand_in() {
    let place = place();
    let server = Server::ready(&place.index).await;
    let mut client = server.client().await;
    let due = &place.shop.truth.due[0];
    let reply = client.buy_again_items(again(&due.customer)).await.expect("answered").into_inner();
    is_sound(&reply.recommendations, reply.ledger.as_ref(), 10);
    let first = &reply.recommendations[0];
    let Some(pb::reason::Why::BoughtBefore(before)) = &first.reasons[0].why else {
        panic!("bought before: {first:?}")
    };
    let when = before.due.as_ref().expect("it is due at some time");
    assert!(when.in_days >= 0.0 && (0.0..=1.0).contains(&when.chance), "{before:?}");
    assert!(first.reasons[0].text.contains("usually every"), "{first:?}");
    let reply = client.buy_again_items(again("nobody")).await.expect("answered").into_inner();
    is_sound(&reply.recommendations, reply.ledger.as_ref(), 10);
    assert!(reply.recommendations.iter().all(|r| r.fallback), "{:?}", reply.recommendations);
    server.stop().await;
}

#[tokio::test]
async fn every_breach_of_the_new_questions_is_named_by_its_field() {
    let place = place();
    let server = Server::ready(&place.index).await;
    let mut client = server.client().await;
    let wrong = pb::TrendingItemsRequest {
        window: 9,
        category: "c".repeat(1_001),
        limit: -1,
        by: 7,
        diversity: 6,
        ..Default::default()
    };
    let fields = ["window", "category", "limit", "by", "diversity"];
    violates(client.trending_items(wrong.clone()).await, &fields);
    let wrong_filter = pb::TrendingItemsRequest { filter: "price <".into(), ..Default::default() };
    violates(client.trending_items(wrong_filter.clone()).await, &["filter"]);
    violates(client.buy_again_items(again("")).await, &["customer_id"]);
    let page = |placements: Vec<Option<Placed>>| pb::RecommendPageRequest {
        placements: placements
            .into_iter()
            .map(|question| pb::PagePlacement { name: String::new(), question })
            .collect(),
    };
    violates(client.recommend_page(page(Vec::new())).await, &["placements"]);
    violates(client.recommend_page(page(vec![None; 21])).await, &["placements"]);
    let placements = vec![
        None,
        Some(Placed::BuyAgainItems(again(""))),
        Some(Placed::ForCustomer(pb::ForCustomerRequest { limit: -2, ..customer("a") })),
    ];
    violates(
        client.recommend_page(page(placements)).await,
        &[
            "placements[0].question",
            "placements[1].buy_again_items.customer_id",
            "placements[2].for_customer.limit",
        ],
    );
    let placements = vec![Some(Placed::TrendingItems(wrong_filter))];
    let named = ["placements[0].trending_items.filter"];
    violates(client.recommend_page(page(placements)).await, &named);
    server.stop().await;
}

#[tokio::test]
async fn a_page_repeats_nothing_and_its_ledgers_say_what_was_shown_above() {
    let place = place();
    let server = Server::ready(&place.index).await;
    let mut client = server.client().await;
    let due = &place.shop.truth.due[0];
    let hot = || Placed::TrendingItems(pb::TrendingItemsRequest { limit: 8, ..Default::default() });
    let questions = [
        Placed::BuyAgainItems(again(&due.customer)),
        hot(),
        Placed::ForCustomer(customer(&due.customer)),
        hot(),
        Placed::RelatedItems(pb::RelatedItemsRequest {
            item_id: place.shop.truth.complements[0].anchor.clone(),
            ..Default::default()
        }),
    ];
    let lengths = [10, 8, 10, 8, 10];
    let placements = questions.into_iter().zip(0..).map(|(question, number)| pb::PagePlacement {
        name: format!("place {number}"),
        question: Some(question),
    });
    let request = pb::RecommendPageRequest { placements: placements.collect() };
    let page = client.recommend_page(request).await.expect("answered").into_inner();
    assert_eq!(page.placements.len(), 5);
    let mut seen = HashSet::new();
    for ((placement, length), number) in page.placements.iter().zip(lengths).zip(0..) {
        assert_eq!(placement.name, format!("place {number}"));
        is_sound(&placement.recommendations, placement.ledger.as_ref(), length);
        for recommended in &placement.recommendations {
            assert!(seen.insert(recommended.item_id.clone()), "{} twice", recommended.item_id);
        }
    }
    let ledger = page.placements[3].ledger.as_ref().expect("a ledger");
    assert!(ledger.duplicates >= 8, "the eight of the first such placement: {ledger:?}");
    assert!(page.generation == 1 && !page.attribution_token.is_empty());
    server.stop().await;
}

#[tokio::test]
async fn a_stream_answers_each_customer_in_order_as_if_asked_alone() {
    let place = place();
    let server = Server::ready(&place.index).await;
    let mut client = server.client().await;
    let keys: Vec<String> = (0..200).map(|n| format!("C{:05}", n * 7 % 310 + 1)).collect();
    let requests: Vec<_> = keys.iter().map(|key| customer(key)).collect();
    let replies = client.stream_for_customers(tokio_stream::iter(requests)).await;
    let replies: Vec<_> = replies.expect("a stream").into_inner().collect().await;
    assert_eq!(replies.len(), keys.len());
    for (key, reply) in keys.iter().zip(replies).step_by(9) {
        let reply = reply.expect("answered");
        assert_eq!(reply.customer_id, *key);
        let alone = client.for_customer(customer(key)).await.expect("answered").into_inner();
        assert_eq!(reply.recommendations, alone.recommendations);
        assert_eq!(reply.ledger, alone.ledger);
        assert_ne!(reply.attribution_token, alone.attribution_token);
    }
    server.stop().await;
}

#[tokio::test]
async fn a_stream_ends_at_the_first_breach_and_says_which_request_it_was() {
    let place = place();
    let server = Server::ready(&place.index).await;
    let mut client = server.client().await;
    let broken = pb::ForCustomerRequest { limit: -1, ..customer("a") };
    let requests = vec![customer("a"), customer("b"), broken, customer("c")];
    let replies = client.stream_for_customers(tokio_stream::iter(requests)).await;
    let mut replies: Vec<_> = replies.expect("a stream").into_inner().collect().await;
    assert_eq!(replies.len(), 3, "{replies:?}");
    violates(replies.pop().expect("three"), &["requests[2].limit"]);
    assert!(replies.iter().all(Result::is_ok));
    server.stop().await;
}

/// A slow reader must not make the server work ahead without bound: what nobody takes is not worked out.
#[tokio::test]
async fn a_stream_that_nobody_reads_is_not_worked_out_ahead() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    let place = place();
    let server = Server::ready(&place.index).await;
    let mut client = server.client().await;
    let sent = Arc::new(AtomicUsize::new(0));
    let counting = sent.clone();
    // Each of 9 kB: what lies in the windows of the connection, some megabytes, is few of them.
    let looks = vec!["x".repeat(900); 10];
    let requests = tokio_stream::iter(0..50_000).map(move |_| {
        counting.fetch_add(1, Ordering::Relaxed);
        let recent_item_ids = looks.clone();
        pb::ForCustomerRequest { limit: 50, recent_item_ids, ..customer("C00001") }
    });
    let replies = client.stream_for_customers(requests).await.expect("a stream");
    let mut replies = replies.into_inner();
    for _ in 0..10 {
        replies.message().await.expect("goes on").expect("an answer");
    }
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    let taken = sent.load(Ordering::Relaxed);
    assert!(taken < 2_000, "{taken} requests were taken for 10 answers that were read");
    drop(replies);
    server.stop().await;
}

struct Asked {
    snapshot: Snapshot,
    blend: Blend,
    histories: Vec<History>,
    _place: Place,
}

fn asked() -> &'static Asked {
    static ASKED: OnceLock<Asked> = OnceLock::new();
    ASKED.get_or_init(|| {
        let place = place();
        let snapshot = Snapshot::open_current(&place.index).expect("sound");
        let histories = snapshot
            .customers
            .keys()
            .step_by(11)
            .map(|key| snapshot.customers.history(&key.expect("readable")))
            .map(|history| history.expect("readable").expect("there"))
            .collect();
        let blend = Blend::learnt(&snapshot.manifest.learnt).expect("a blend");
        Asked { snapshot, blend, histories, _place: place }
    })
}

fn any_question() -> impl Strategy<Value = (Question<'static>, bool)> {
    let item = |number: usize| {
        let keys = &asked().snapshot.contents.keys;
        keys.key(ItemId::new(number % keys.len()))
    };
    let window = prop::sample::select(Window::ALL.to_vec());
    let by = prop_oneof![Just(TrendingBy::BestSellers), Just(TrendingBy::Rising)];
    prop_oneof![
        (0..500usize).prop_map(move |n| (Question::Related { item: item(n) }, false)),
        (0..500usize).prop_map(move |n| {
            (Question::Basket { items: vec![item(n), item(n * 7 + 1)] }, true)
        }),
        any::<bool>().prop_map(|exclude_purchased| {
            (Question::Customer { recent: Vec::new(), exclude_purchased }, true)
        }),
        Just((Question::Again, true)),
        (window, by)
            .prop_map(|(window, by)| { (Question::Trending { window, category: "", by }, false) }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_page_shows_an_item_twice_or_leaves_a_place_empty_that_could_be_filled(
        placements in prop::collection::vec((any_question(), 1..40usize), 1..8),
        who in any::<prop::sample::Index>(),
    ) {
        let Asked { snapshot, blend, histories, .. } = asked();
        let contents = &snapshot.contents;
        let history = &histories[who.index(histories.len())];
        let mut scratch = Scratch::default();
        let mut shown: Vec<ItemId> = Vec::new();
        for ((question, with_history), limit) in placements {
            let history = with_history.then_some(history);
            let is_listed = matches!(question, Question::Again | Question::Trending { .. });
            let terms = Terms { shown: &shown, allow_variants: true, ..Terms::default() };
            let query = Query { question, history, limit, terms };
            let found = answer(contents, blend, &query, &mut scratch);
            prop_assert!(found.recommendations.len() <= limit);
            for recommended in &found.recommendations {
                prop_assert!(shown.binary_search(&recommended.item).is_err(), "shown above");
                prop_assert!(!recommended.reasons.is_empty());
            }
            if is_listed && found.recommendations.len() < limit {
                // Nothing that could be offered is left.
                let offered = (0..contents.len()).map(ItemId::new).filter(|item| contents.shelf.absence(*item).is_none());
                let left = offered.filter(|item| shown.binary_search(item).is_err()).count();
                prop_assert_eq!(left, found.recommendations.len());
            }
            let duplicates = found.ledger.dropped_for(Dropped::Duplicate) as usize;
            prop_assert!(duplicates <= shown.len(), "each is dropped once at most");
            prop_assert_eq!(found.ledger.returned as usize, found.recommendations.len());
            shown.extend(found.recommendations.iter().map(|recommended| recommended.item));
            shown.sort_unstable();
            prop_assert!(shown.windows(2).all(|pair| pair[0] != pair[1]));
        }
    }
}
