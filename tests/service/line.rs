//! The whole line over a real socket: a made-up shop is written, read, trained, served and asked.

use crate::common::{HANGS, Place, Server, quick};
use cartwright::grpc::pb;
use cartwright::grpc::pb::reason::Why;
use cartwright::grpc::{self, ServeOptions};
use cartwright::index::{Index, Snapshot};
use cartwright::recommend::{Blend, Query, Question, Scratch, answer};
use tonic::{Code, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_types::StatusExt;

const SERVICE: &str = "cartwright.v1.RecommendationService";

fn shop() -> Place {
    Place::made_up(400, 80, 120)
}

fn related(item: &str, limit: i32) -> pb::RelatedItemsRequest {
    pb::RelatedItemsRequest { item_id: item.into(), limit, ..Default::default() }
}

fn basket<Key: AsRef<str>>(items: &[Key]) -> pb::BasketUpsellRequest {
    let line = |item: &Key| pb::BasketLine {
        item_id: item.as_ref().into(),
        quantity: 1.0,
        ..Default::default()
    };
    pb::BasketUpsellRequest { basket: items.iter().map(line).collect(), ..Default::default() }
}

fn customer(key: &str) -> pb::ForCustomerRequest {
    pb::ForCustomerRequest { customer_id: Some(key.into()), ..Default::default() }
}

/// The reply that the library gives, without a server.
fn asked_directly(
    snapshot: &Snapshot,
    question: Question<'_>,
    who: Option<&str>,
) -> Vec<pb::Recommendation> {
    let blend = Blend::learnt(&snapshot.manifest.learnt).expect("the blend can be read");
    let history = who.and_then(|who| snapshot.customers.history(who).expect("it can be read"));
    let query = Query::new(question, history.as_ref(), 10);
    let answer = answer(&snapshot.contents, &blend, &query, &mut Scratch::default());
    grpc::reply(&snapshot.contents, &snapshot.contents.shelf, &answer.recommendations)
}

/// True if every item stands in for something nearer, and says so.
fn all_stand_in(recommendations: &[pb::Recommendation]) -> bool {
    let stands_in = |reason: &pb::Reason| matches!(&reason.why, Some(Why::Popular(popular)) if popular.fallback);
    !recommendations.is_empty() && recommendations.iter().all(|r| r.reasons.iter().any(stands_in))
}

#[tokio::test]
async fn the_socket_answers_the_three_questions_as_the_library_does() {
    let place = shop();
    let server = Server::ready(&place.index).await;
    let mut client = server.client().await;
    // The server has the generation open: this one reads a private copy.
    let snapshot =
        Snapshot::open_current(&place.index).expect("it can be opened beside the server");

    for item in place.shop.items.iter().step_by(7).map(|item| item.item_id.as_str()) {
        let reply = client.related_items(related(item, 0)).await.expect("an answer").into_inner();
        let direct = asked_directly(&snapshot, Question::Related { item }, None);
        assert_eq!(reply.recommendations, direct);
        assert_eq!(reply.generation, 1);
        assert!(!reply.attribution_token.is_empty());
    }
    for pair in place.shop.items.windows(2).step_by(7) {
        let items: Vec<&str> = pair.iter().map(|item| item.item_id.as_str()).collect();
        let reply = client.basket_upsell(basket(&items)).await.expect("an answer").into_inner();
        let direct = asked_directly(&snapshot, Question::Basket { items }, None);
        assert_eq!(reply.recommendations, direct);
    }
    for key in snapshot.customers.keys().step_by(9) {
        let key = key.expect("a readable key");
        let reply = client.for_customer(customer(&key)).await.expect("an answer").into_inner();
        let question = Question::Customer { recent: Vec::new(), exclude_purchased: false };
        assert_eq!(reply.recommendations, asked_directly(&snapshot, question, Some(&key)));
    }
    server.stop().await;
}

#[tokio::test]
async fn every_answer_has_a_token_of_its_own() {
    let place = shop();
    let server = Server::ready(&place.index).await;
    let mut client = server.client().await;
    let mut tokens = std::collections::HashSet::new();
    for _ in 0..50 {
        let reply = client.related_items(related("unknown", 1)).await.expect("an answer");
        assert!(tokens.insert(reply.into_inner().attribution_token));
    }
    server.stop().await;
}

#[tokio::test]
async fn unknown_items_and_customers_fall_back_and_say_so() {
    let place = shop();
    let server = Server::ready(&place.index).await;
    let mut client = server.client().await;
    let reply = client.related_items(related("no such item", 0)).await.expect("an answer");
    assert!(all_stand_in(&reply.into_inner().recommendations));
    let reply = client.basket_upsell(basket(&["no such item"])).await.expect("an answer");
    assert!(all_stand_in(&reply.into_inner().recommendations));
    let reply = client.for_customer(customer("nobody we know")).await.expect("an answer");
    assert!(all_stand_in(&reply.into_inner().recommendations));
    let recent_item_ids = vec!["no such item".to_owned()];
    let request = pb::ForCustomerRequest { recent_item_ids, ..Default::default() };
    let reply = client.for_customer(request).await.expect("an answer");
    assert!(all_stand_in(&reply.into_inner().recommendations));
    server.stop().await;
}

#[tokio::test]
async fn the_limit_is_ten_by_default_and_five_hundred_at_most() {
    let place = Place::made_up(300, 600, 60);
    let server = Server::ready(&place.index).await;
    let mut client = server.client().await;
    let item = place.shop.items[0].item_id.clone();
    for (limit, expected) in
        [(0, 10), (1, 1), (7, 7), (500, 500), (501, 500), (100_000, 500), (i32::MAX, 500)]
    {
        let reply = client.related_items(related(&item, limit)).await.expect("an answer");
        let found = reply.into_inner().recommendations;
        let in_stock = place.shop.items.iter().filter(|item| item.in_stock).count() - 1;
        assert!(found.len() <= expected, "limit {limit}: {} came", found.len());
        if expected < 300 {
            assert_eq!(found.len(), expected.min(in_stock), "limit {limit}");
        }
        let distinct: std::collections::HashSet<&str> =
            found.iter().map(|r| r.item_id.as_str()).collect();
        assert_eq!(distinct.len(), found.len(), "an item came twice");
        assert!(found.windows(2).all(|pair| pair[0].score >= pair[1].score));
        assert!(found.iter().all(|r| !r.reasons.is_empty() && r.item_id != item));
    }
    server.stop().await;
}

#[tokio::test]
async fn every_breach_of_the_contract_is_named_by_its_field() {
    let place = shop();
    let server = Server::ready(&place.index).await;
    let mut client = server.client().await;
    let longest = "k".repeat(1_000);
    let too_long = "k".repeat(1_001);
    let visit = |items: Vec<String>| pb::ForCustomerRequest {
        recent_item_ids: items,
        ..Default::default()
    };
    let with_limit = |limit| pb::BasketUpsellRequest { limit, ..basket(&["a"]) };

    for (request, field) in [
        (related("", 0), "item_id"),
        (related(&too_long, 0), "item_id"),
        (related("a", -1), "limit"),
        (related("a", i32::MIN), "limit"),
        (
            pb::RelatedItemsRequest { customer_id: Some(too_long.clone()), ..related("a", 0) },
            "customer_id",
        ),
    ] {
        violates(client.related_items(request).await, field);
    }
    for (request, field) in [
        (pb::BasketUpsellRequest::default(), "basket"),
        (basket(&["a", ""]), "basket[1].item_id"),
        (basket(&["a", "b", too_long.as_str()]), "basket[2].item_id"),
        (basket(&vec!["a"; 1_001]), "basket"),
        (basket(&vec!["a"; 100_000]), "basket"),
        (with_limit(-7), "limit"),
    ] {
        violates(client.basket_upsell(request).await, field);
    }
    for amount in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0, -f64::MIN_POSITIVE] {
        let mut request = basket(&["a"]);
        request.basket[0].quantity = amount;
        violates(client.basket_upsell(request.clone()).await, "basket[0].quantity");
        request.basket[0].quantity = 1.0;
        request.basket[0].unit_price = Some(amount);
        violates(client.basket_upsell(request).await, "basket[0].unit_price");
    }
    for (request, field) in [
        (pb::ForCustomerRequest::default(), "customer_id"),
        (customer(""), "customer_id"),
        (customer(&too_long), "customer_id"),
        (visit(vec![String::new()]), "recent_item_ids[0]"),
        (visit(vec!["a".into(), too_long.clone()]), "recent_item_ids[1]"),
        (visit(vec!["a".into(); 1_001]), "recent_item_ids"),
        (pb::ForCustomerRequest { limit: -1, ..customer("a") }, "limit"),
    ] {
        violates(client.for_customer(request).await, field);
    }
    // At the edge of what is allowed, and odd, but no breach.
    for key in
        [longest.as_str(), "a\0b", "\0", " ", "\u{feff}", "名前", "'; drop table items", "../.."]
    {
        client.related_items(related(key, 0)).await.expect("an odd key is just unknown");
        client.basket_upsell(basket(&[key])).await.expect("an odd key is just unknown");
        client.for_customer(customer(key)).await.expect("an odd key is just unknown");
        client.for_customer(visit(vec![key.into()])).await.expect("an odd key is just unknown");
    }
    client.basket_upsell(basket(&vec!["a"; 1_000])).await.expect("a thousand lines are allowed");
    client.for_customer(visit(vec!["a".into(); 1_000])).await.expect("so are a thousand looks");
    server.stop().await;
}

/// The reply is INVALID_ARGUMENT, with `google.rpc.BadRequest` naming `field`.
fn violates<T: std::fmt::Debug>(reply: Result<T, Status>, field: &str) {
    let status = reply.expect_err("a breach of the contract");
    assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
    let details = status.get_details_bad_request().expect("google.rpc.BadRequest is attached");
    let fields: Vec<&str> = details.field_violations.iter().map(|v| v.field.as_str()).collect();
    assert!(fields.contains(&field), "{fields:?} should name {field}");
    assert!(details.field_violations.iter().all(|v| !v.description.is_empty()));
}

#[tokio::test]
async fn several_breaches_come_back_at_once() {
    let place = shop();
    let server = Server::ready(&place.index).await;
    let mut client = server.client().await;
    let request = pb::BasketUpsellRequest { limit: -1, ..basket(&["", ""]) };
    let status = client.basket_upsell(request).await.expect_err("three breaches");
    let details = status.get_details_bad_request().expect("google.rpc.BadRequest is attached");
    let fields: Vec<&str> = details.field_violations.iter().map(|v| v.field.as_str()).collect();
    assert_eq!(fields, ["basket[0].item_id", "basket[1].item_id", "limit"]);
    server.stop().await;
}

#[tokio::test]
async fn a_basket_of_the_same_item_is_a_basket_of_one() {
    let place = shop();
    let server = Server::ready(&place.index).await;
    let mut client = server.client().await;
    let item = place.shop.truth.complements[0].anchor.clone();
    let once = client.basket_upsell(basket(&[&item])).await.expect("an answer").into_inner();
    let often = client.basket_upsell(basket(&vec![&item; 900])).await.expect("an answer");
    assert_eq!(often.into_inner().recommendations, once.recommendations);
    server.stop().await;
}

#[tokio::test]
async fn what_is_no_request_at_all_is_refused_and_the_server_lives_on() {
    let place = shop();
    let server = Server::ready(&place.index).await;
    let mut client = server.client().await;
    let status = client.related_items(related(&"x".repeat(5 << 20), 0)).await;
    let status = status.expect_err("more than 4 MiB");
    assert_eq!(status.code(), Code::OutOfRange, "{status:?}");

    // A message of another kind: its first field is text where a basket's line is expected.
    let status = call::<_, pb::BasketUpsellResponse>(
        &server,
        "/cartwright.v1.RecommendationService/BasketUpsell",
        pb::Popular { category: "\u{7f}\u{7f}\u{7f}".into(), ..Default::default() },
    );
    let status = status.await.expect_err("that is no basket");
    assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
    let status = call::<_, pb::BasketUpsellResponse>(
        &server,
        "/cartwright.v1.RecommendationService/Everything",
        pb::BasketUpsellRequest::default(),
    );
    assert_eq!(status.await.expect_err("no such method").code(), Code::Unimplemented);

    let mut client = server.client().await;
    client.related_items(related("a", 0)).await.expect("the server lives on");
    server.stop().await;
}

/// Calls any method with any message.
async fn call<Ask, Reply>(server: &Server, path: &'static str, ask: Ask) -> Result<Reply, Status>
where
    Ask: prost::Message + Send + Sync + 'static,
    Reply: prost::Message + Default + Send + Sync + 'static,
{
    let mut client = tonic::client::Grpc::new(server.channel().await);
    client.ready().await.expect("a connection");
    let codec = tonic_prost::ProstCodec::<Ask, Reply>::default();
    let path = tonic::codegen::http::uri::PathAndQuery::from_static(path);
    Ok(client.unary(tonic::Request::new(ask), path, codec).await?.into_inner())
}

#[tokio::test]
async fn a_message_beyond_the_configured_size_is_refused() {
    let place = shop();
    let options = ServeOptions { max_request_bytes: 1_024, ..quick() };
    let server = Server::start(&place.index, options).await;
    server.until_serving().await;
    let mut client = server.client().await;
    client.related_items(related(&"x".repeat(900), 0)).await.expect("small enough");
    let status = client.basket_upsell(basket(&vec!["item"; 500])).await.expect_err("too large");
    assert_eq!(status.code(), Code::OutOfRange, "{status:?}");
    server.stop().await;
}

/// A pipe in the place of `CURRENT`: whoever reads it waits until the number is let out.
#[cfg(unix)]
struct Withheld {
    current: std::path::PathBuf,
    number: Vec<u8>,
}

#[cfg(unix)]
impl Withheld {
    fn from(index: &Index) -> Self {
        let current = index.root().join("CURRENT");
        let number = std::fs::read(&current).expect("there is a current generation");
        std::fs::remove_file(&current).expect("it can be removed");
        let made = std::process::Command::new("mkfifo").arg(&current).status();
        assert!(made.expect("mkfifo is there").success());
        Self { current, number }
    }
}

#[cfg(unix)]
impl Drop for Withheld {
    /// Lets the number out: also when a test fails, for the server's thread waits for it.
    fn drop(&mut self) {
        use std::io::Write;
        // Opened for both, so that opening does not wait for a reader.
        let pipe = std::fs::File::options().read(true).write(true).open(&self.current);
        let fresh = self.current.with_extension("fresh");
        std::fs::write(&fresh, &self.number).expect("the folder can be written");
        std::fs::rename(&fresh, &self.current).expect("the folder can be written");
        pipe.and_then(|mut pipe| pipe.write_all(&self.number)).expect("a pipe takes a number");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn health_says_not_serving_until_the_index_is_loaded() {
    let place = shop();
    let withheld = Withheld::from(&place.index);
    let server = Server::start(&place.index, quick()).await;
    let mut health = HealthClient::new(server.channel().await);
    for service in ["", SERVICE] {
        let request = HealthCheckRequest { service: service.into() };
        let reply = health.check(request).await.expect("health answers").into_inner();
        assert_eq!(reply.status(), ServingStatus::NotServing, "{service:?}");
    }
    let early = server.client().await.related_items(related("a", 0)).await;
    assert_eq!(early.expect_err("nothing is loaded").code(), Code::Unavailable);

    drop(withheld);
    server.until_serving().await;
    for service in ["", SERVICE] {
        let request = HealthCheckRequest { service: service.into() };
        let reply = health.check(request).await.expect("health answers").into_inner();
        assert_eq!(reply.status(), ServingStatus::Serving, "{service:?}");
    }
    let unknown = HealthCheckRequest { service: "no.such.Service".into() };
    assert_eq!(health.check(unknown).await.expect_err("unknown").code(), Code::NotFound);
    server.client().await.related_items(related("a", 0)).await.expect("an answer");
    server.stop().await;
}

#[tokio::test]
async fn a_server_told_to_stop_says_so_and_ends_although_a_client_never_closes() {
    let place = shop();
    let mut server = Server::start(&place.index, ServeOptions { grace_ms: 50, ..quick() }).await;
    server.until_serving().await;
    let channel = server.channel().await;
    let request = HealthCheckRequest { service: SERVICE.into() };
    let watch = HealthClient::new(channel.clone()).watch(request).await;
    let mut updates = watch.expect("health answers").into_inner();
    let first = updates.message().await.expect("an update").expect("an update");
    assert_eq!(first.status(), ServingStatus::Serving);

    server.tell_to_stop();
    let next = tokio::time::timeout(HANGS, updates.message()).await.expect("it says so");
    let next = next.expect("an update").expect("an update");
    assert_eq!(next.status(), ServingStatus::NotServing);
    let address = server.address.clone();
    server.ended().await.expect("it ends well");
    let late = tonic::transport::Channel::from_shared(address).expect("a sound address");
    late.connect().await.expect_err("nobody listens any more");
    drop((updates, channel));
}

#[tokio::test]
async fn a_server_without_a_generation_says_what_to_do() {
    let folder = crate::common::folder();
    let server = Server::start(&Index::at(folder.path()), quick()).await;
    let error = server.ended().await.expect_err("there is nothing to serve");
    assert!(error.to_string().contains("cartwright train"), "{error}");
}

#[tokio::test]
async fn reflection_lists_the_services_in_both_versions() {
    let place = shop();
    let server = Server::ready(&place.index).await;
    let expected = [SERVICE, "grpc.health.v1.Health"];
    macro_rules! services {
        ($version:ident) => {{
            use reflection::server_reflection_client::ServerReflectionClient;
            use reflection::server_reflection_request::MessageRequest;
            use reflection::server_reflection_response::MessageResponse;
            use tonic_reflection::pb::$version as reflection;
            let ask = |what| reflection::ServerReflectionRequest {
                message_request: Some(what),
                ..Default::default()
            };
            let asked = tokio_stream::iter([
                ask(MessageRequest::ListServices(String::new())),
                ask(MessageRequest::FileContainingSymbol(SERVICE.into())),
            ]);
            let mut client = ServerReflectionClient::new(server.channel().await);
            let mut replies =
                client.server_reflection_info(asked).await.expect("an answer").into_inner();
            let reply = replies.message().await.expect("an answer").expect("an answer");
            let Some(MessageResponse::ListServicesResponse(list)) = reply.message_response else {
                panic!("expected a list, got {reply:?}");
            };
            let reply = replies.message().await.expect("an answer").expect("an answer");
            assert!(
                matches!(reply.message_response, Some(MessageResponse::FileDescriptorResponse(_))),
                "{reply:?}"
            );
            list.service.into_iter().map(|service| service.name).collect::<Vec<String>>()
        }};
    }
    let listed = tokio::time::timeout(HANGS, async { [services!(v1), services!(v1alpha)] });
    for services in listed.await.expect("reflection answers") {
        for service in expected {
            assert!(services.iter().any(|name| name == service), "{services:?} lacks {service}");
        }
    }
    server.stop().await;
}
