//! Before anybody is refused, answers are brief, and say so.

use crate::admission::{Place, by_hand, head_of};
use crate::common::{Server, quick, until};
use bytes::Bytes;
use cartwright::grpc::pb;
use cartwright::grpc::pb::page_placement::Question;
use cartwright::grpc::pb::recommendation_service_client::RecommendationServiceClient;
use cartwright::grpc::{ServeOptions, pb::ForCustomerRequest};
use h2::SendStream;
use h2::client::ResponseFuture;
use std::sync::atomic::{AtomicI32, Ordering};
use tonic::transport::Channel;

type Client = RecommendationServiceClient<Channel>;

/// Requests whose bodies never come: each takes a place in the queue.
async fn hold(server: &Server, places: usize) -> Vec<(ResponseFuture, SendStream<Bytes>)> {
    let mut held = Vec::new();
    for _ in 0..places {
        let mut send = by_hand(server).await;
        let head = head_of("/cartwright.v1.RecommendationService/RelatedItems");
        held.push(send.send_request(head, false).expect("it is open"));
    }
    held
}

fn related() -> pb::RelatedItemsRequest {
    pb::RelatedItemsRequest { item_id: "a1".into(), limit: 10, ..Default::default() }
}

async fn page_of(client: &Client) -> pb::RelatedItemsResponse {
    client.clone().related_items(related()).await.expect("it is answered").into_inner()
}

/// Asks until answers are brief, or until they are full again.
async fn until_degraded(client: &Client, degraded: bool) -> pb::RelatedItemsResponse {
    let what = if degraded { "answers are brief" } else { "answers are full again" };
    until(what, || async { Some(page_of(client).await).filter(|a| a.degraded == degraded) }).await
}

/// What is recommended: the token tells answers apart, nothing else does.
fn items(answer: &pb::RelatedItemsResponse) -> Vec<&pb::Recommendation> {
    answer.recommendations.iter().collect()
}

#[tokio::test]
async fn beyond_half_of_the_queue_answers_are_brief_and_up_to_it_they_are_not() {
    let place = Place::new();
    let options = ServeOptions { queue: 8, deadline_ms: 60_000, ..quick() };
    let server = place.serve(ServeOptions { remember_mb: 0, ..options }).await;
    let client = server.client().await;
    let full = page_of(&client).await;
    assert!(!full.degraded && !full.recommendations.is_empty());
    // Four others and the one who asks are more than half of eight.
    let mut held = hold(&server, 4).await;
    let brief = until_degraded(&client, true).await;
    let mut seen: Vec<&str> = brief.recommendations.iter().map(|r| r.item_id.as_str()).collect();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), full.recommendations.len(), "as long as a full one");
    assert!(brief.recommendations.iter().all(|one| !one.reasons.is_empty()));
    assert_eq!(brief.ledger.expect("a ledger").returned as usize, seen.len());
    every_question_says_so(&client).await;
    // Three others and the one who asks are half of it: nobody notices.
    held.pop().expect("four").1.send_reset(h2::Reason::CANCEL);
    let after = until_degraded(&client, false).await;
    assert_eq!(items(&after), items(&full));
    for _ in 0..50 {
        assert!(!page_of(&client).await.degraded, "up to half of the queue answers are full");
    }
    server.stop().await;
}

async fn every_question_says_so(client: &Client) {
    let mut client = client.clone();
    let line = pb::BasketLine { item_id: "a1".into(), ..Default::default() };
    let basket = pb::BasketUpsellRequest { basket: vec![line], ..Default::default() };
    let basket = client.basket_upsell(basket).await.expect("answered").into_inner();
    let customer = ForCustomerRequest { customer_id: Some("c1".into()), ..Default::default() };
    let customer = client.for_customer(customer).await.expect("answered").into_inner();
    let placement =
        pb::PagePlacement { name: "top".into(), question: Some(Question::RelatedItems(related())) };
    let page = pb::RecommendPageRequest { placements: vec![placement] };
    let page = client.recommend_page(page).await.expect("answered").into_inner();
    assert_eq!([basket.degraded, customer.degraded, page.degraded], [true; 3]);
    assert!(!basket.recommendations.is_empty() && !customer.recommendations.is_empty());
    // What is listed beforehand costs little: it is never cut.
    let trending = client.trending_items(pb::TrendingItemsRequest::default()).await;
    assert!(!trending.expect("answered").get_ref().degraded);
}

/// Asks what nobody has asked before, each time with the next of `limits`, until the answer is brief.
async fn until_unknown_is_brief(client: &Client, limits: &AtomicI32) {
    until("answers to what is unknown are brief", || async {
        let limit = limits.fetch_add(1, Ordering::Relaxed);
        let unknown = pb::RelatedItemsRequest { limit, ..related() };
        let answer = client.clone().related_items(unknown).await.expect("answered");
        answer.get_ref().degraded.then_some(())
    })
    .await;
}

/// A brief answer once was remembered, and given to those who came when there was time.
#[tokio::test]
async fn a_brief_answer_is_not_remembered_and_a_remembered_one_is_not_brief() {
    let place = Place::new();
    let options = ServeOptions { queue: 8, deadline_ms: 60_000, workers: 1, ..quick() };
    let server = place.serve(options).await;
    let client = server.client().await;
    let limits = AtomicI32::new(11);
    let mut held = hold(&server, 4).await;
    until_unknown_is_brief(&client, &limits).await;
    assert!(page_of(&client).await.degraded);
    held.pop().expect("four").1.send_reset(h2::Reason::CANCEL);
    let full = until_degraded(&client, false).await;
    held.extend(hold(&server, 1).await);
    // What nobody has asked yet is brief again, and what is known is not.
    until_unknown_is_brief(&client, &limits).await;
    let known = page_of(&client).await;
    assert!(!known.degraded);
    assert_eq!(items(&known), items(&full));
    server.stop().await;
}
