//! Memory on the way from question to answer: taken per answer, never per candidate.

use crate::common::Place;
use cartwright::index::Snapshot;
use cartwright::recommend::{Blend, Query, Question, Scratch, answer};

/// Times that memory is taken for an answer, once the thread's scratch has grown.
fn allocations(snapshot: &Snapshot, blend: &Blend, query: &Query<'_>) -> u64 {
    let mut scratch = Scratch::default();
    let mut ask = || answer(&snapshot.contents, blend, query, &mut scratch);
    assert!(!ask().recommendations.is_empty(), "there is something to answer");
    allocation_counter::measure(|| drop(ask())).count_total
}

#[test]
fn an_answer_takes_memory_a_few_times_however_many_candidates_there_are() {
    let place = Place::made_up(800, 400, 180);
    let snapshot = Snapshot::open_current(&place.index).expect("it was published");
    let blend = Blend::learnt(&snapshot.manifest.learnt).expect("a blend");
    let keys: Vec<&str> = snapshot.contents.keys.keys().collect();

    for lines in [1, 10, 40] {
        let items = keys.iter().step_by(keys.len() / lines).take(lines).copied().collect();
        let query = Query::new(Question::Basket { items }, None, 1);
        let taken = allocations(&snapshot, &blend, &query);
        assert!(taken <= 40, "{taken} times for a basket of {lines} lines");
    }
    let customers: Vec<String> =
        snapshot.customers.keys().map(|key| key.expect("readable")).collect();
    for customer in customers.iter().step_by(37) {
        let history = snapshot.customers.history(customer).expect("readable");
        let question = Question::Customer { recent: Vec::new(), exclude_purchased: false };
        let query = Query::new(question, history.as_ref(), 1);
        let taken = allocations(&snapshot, &blend, &query);
        assert!(taken <= 50, "{taken} times for a customer");
    }
}
