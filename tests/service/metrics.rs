//! What a shop's own watch reads off a server.

use std::net::{SocketAddr, TcpListener};

use crate::admission::Place;
use crate::common::{Server, quick, until};
use cartwright::grpc::{ServeOptions, pb};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// An address at which nobody listens.
fn free() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    listener.local_addr().expect("it has an address")
}

async fn got(address: SocketAddr, path: &str) -> String {
    let mut connection = TcpStream::connect(address).await.expect("it listens");
    let request = format!("GET {path} HTTP/1.1\r\nHost: shop\r\n\r\n");
    connection.write_all(request.as_bytes()).await.expect("it hears");
    let mut text = String::new();
    connection.read_to_string(&mut text).await.expect("it answers and hangs up");
    text
}

#[tokio::test]
async fn requests_answers_and_the_generation_are_told_and_nobody_by_name() {
    let place = Place::new();
    let address = free();
    let server = place.serve(ServeOptions { metrics: Some(address), ..quick() }).await;
    let mut client = server.client().await;
    let related =
        |limit| pb::RelatedItemsRequest { item_id: "a1".into(), limit, ..Default::default() };
    let mut shown = 0;
    for _ in 0..2 {
        let answer = client.related_items(related(3)).await.expect("an answer").into_inner();
        shown = answer.recommendations.len();
    }
    client.related_items(related(-1)).await.expect_err("no length");
    let customer_id = Some("customer-17850".to_owned());
    let request = pb::ForCustomerRequest { customer_id, limit: 1, ..Default::default() };
    let of_customer = client.for_customer(request).await.expect("an answer").into_inner();
    shown += of_customer.recommendations.len();

    let text = until("all is counted", || async {
        let text = got(address, "/metrics").await;
        text.contains("method=\"ForCustomer\"").then_some(text)
    })
    .await;
    assert!(text.starts_with("HTTP/1.1 200") && text.ends_with("# EOF\n"), "{text}");
    assert!(text.contains("content-type: application/openmetrics-text"), "{text}");
    let of = "service=\"RecommendationService\",method=\"RelatedItems\"";
    for line in [
        &format!("cartwright_requests_total{{{of},code=\"Ok\"}} 2"),
        &format!("cartwright_requests_total{{{of},code=\"InvalidArgument\"}} 1"),
        &format!("cartwright_request_duration_seconds_count{{{of}}} 3"),
        "cartwright_answers_remembered_total 1",
        "cartwright_answers_worked_out_total 2",
        &format!("cartwright_recommendations_total {shown}"),
        "cartwright_generation 1.0",
        "cartwright_generation_is_current 1.0",
    ] {
        assert!(text.lines().any(|told| told == line), "{line} is not in\n{text}");
    }
    assert!(!text.contains("17850") && !text.contains("a1"), "{text}");
    assert!(got(address, "/").await.starts_with("HTTP/1.1 404"));
    server.stop().await;
}

#[tokio::test]
async fn a_server_that_can_not_tell_its_figures_does_not_start() {
    let place = Place::new();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = taken.local_addr().expect("it has an address");
    let options = ServeOptions { metrics: Some(address), ..quick() };
    let error =
        Server::start(&place.index, options).await.ended().await.expect_err("the port is taken");
    assert!(error.to_string().contains("serve.metrics"), "{error}");
}
