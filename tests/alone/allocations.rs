//! Memory on the way from question to answer: taken per answer, never per candidate.

use std::sync::LazyLock;

use crate::common::Place;
use cartwright::grpc::{self, pb};
use cartwright::index::Snapshot;
use cartwright::recommend::{Blend, Query, Question, Scratch, answer};
use prost::Message;

/// A shop to ask, and how.
static SHOP: LazyLock<(Place, Snapshot, Blend)> = LazyLock::new(|| {
    let place = Place::made_up(200, 400, 120);
    let snapshot = Snapshot::open_current(&place.index).expect("it was published");
    let blend = Blend::learnt(&snapshot.manifest.learnt).expect("a blend");
    (place, snapshot, blend)
});

/// Times that memory is taken for an answer, once the thread's scratch has grown.
fn allocations(snapshot: &Snapshot, blend: &Blend, query: &Query<'_>) -> u64 {
    let mut scratch = Scratch::default();
    let mut ask = || answer(&snapshot.contents, blend, query, &mut scratch);
    assert!(!ask().recommendations.is_empty(), "there is something to answer");
    allocation_counter::measure(|| drop(ask())).count_total
}

#[test]
fn an_answer_takes_memory_a_few_times_however_many_candidates_there_are() {
    let (_, snapshot, blend) = &*SHOP;
    let keys: Vec<&str> = snapshot.contents.keys.keys().collect();

    for lines in [1, 10, 40] {
        let items = keys.iter().step_by(keys.len() / lines).take(lines).copied().collect();
        let query = Query::new(Question::Basket { items }, None, 1);
        let taken = allocations(snapshot, blend, &query);
        assert!(taken <= 40, "{taken} times for a basket of {lines} lines");
    }
    let customers: Vec<String> =
        snapshot.customers.keys().map(|key| key.expect("readable")).collect();
    for customer in customers.iter().step_by(37) {
        let history = snapshot.customers.history(customer).expect("readable");
        let question = Question::Customer { recent: Vec::new(), exclude_purchased: false };
        let query = Query::new(question, history.as_ref(), 1);
        let taken = allocations(snapshot, blend, &query);
        assert!(taken <= 50, "{taken} times for a customer");
    }
}

/// From the bytes of a request to those of its reply, as the server does it.
fn reply_to(snapshot: &Snapshot, blend: &Blend, scratch: &mut Scratch, request: &[u8]) -> Vec<u8> {
    let request = pb::BasketUpsellRequest::decode(request).expect("a request");
    let items = request.basket.iter().map(|line| line.item_id.as_str()).collect();
    let limit = grpc::limit(request.limit).expect("sound");
    let query = Query::new(Question::Basket { items }, None, limit);
    let contents = &snapshot.contents;
    let answer = answer(contents, blend, &query, scratch);
    let recommendations = grpc::reply(contents, &contents.shelf, &answer.recommendations);
    let ledger = Some(grpc::ledger(&answer.ledger));
    pb::BasketUpsellResponse { recommendations, ledger, ..Default::default() }.encode_to_vec()
}

#[test]
fn from_decoding_to_encoding_memory_is_taken_per_line_and_per_item_of_the_answer_only() {
    let (_, snapshot, blend) = &*SHOP;
    let keys: Vec<&str> = snapshot.contents.keys.keys().collect();
    let mut scratch = Scratch::default();
    for (lines, limit) in [(1, 1), (10, 1), (40, 1), (10, 20), (40, 20)] {
        let line = |key: &&str| pb::BasketLine { item_id: (*key).to_owned(), ..Default::default() };
        let basket = keys.iter().step_by(keys.len() / lines).take(lines).map(line).collect();
        let request = pb::BasketUpsellRequest { basket, limit, ..Default::default() };
        let bytes = request.encode_to_vec();
        let mut ask = || reply_to(snapshot, blend, &mut scratch, &bytes);
        let once = ask();
        let reply = pb::BasketUpsellResponse::decode(&*once).expect("a reply");
        assert_eq!(reply.recommendations.len(), limit as usize);
        let taken = allocation_counter::measure(|| drop(ask())).count_total;
        let most = 50 + 2 * lines as u64 + 8 * limit as u64;
        assert!(taken <= most, "{taken} times for {lines} lines and {limit} recommendations");
    }
}
