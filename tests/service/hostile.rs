//! Hostile requests, each with the status that it must get; and the server goes on as if nothing had been.

use crate::admission::{Place, by_hand, framed, head_of, status};
use crate::common::quick;
use bytes::Bytes;
use cartwright::grpc::pb;
use prost::Message;
use tonic::Code::{self, *};

const SERVICE: &str = "/cartwright.v1.RecommendationService/";

/// A request as it goes over the wire.
struct Hostile {
    name: &'static str,
    method: String,
    body: Bytes,
    /// A header that no good client would send.
    header: Option<(&'static str, &'static str)>,
    expected: Code,
}

fn hostile(name: &'static str, method: &str, message: &impl Message, expected: Code) -> Hostile {
    raw(name, method, framed(message), expected)
}

fn raw(name: &'static str, method: &str, body: Bytes, expected: Code) -> Hostile {
    Hostile { name, method: format!("{SERVICE}{method}"), body, header: None, expected }
}

fn related(name: &'static str, request: pb::RelatedItemsRequest, expected: Code) -> Hostile {
    hostile(name, "RelatedItems", &request, expected)
}

fn basket(name: &'static str, lines: Vec<pb::BasketLine>, expected: Code) -> Hostile {
    let request = pb::BasketUpsellRequest { basket: lines, ..Default::default() };
    hostile(name, "BasketUpsell", &request, expected)
}

fn item(item_id: impl Into<String>) -> pb::RelatedItemsRequest {
    pb::RelatedItemsRequest { item_id: item_id.into(), ..Default::default() }
}

fn line(item_id: &str, quantity: f64) -> pb::BasketLine {
    pb::BasketLine { item_id: item_id.into(), quantity, unit_price: None }
}

fn priced(unit_price: f64) -> pb::BasketLine {
    pb::BasketLine { unit_price: Some(unit_price), ..line("a1", 1.0) }
}

fn filtered(filter: String) -> pb::RelatedItemsRequest {
    pb::RelatedItemsRequest { filter, ..item("a1") }
}

fn page(count: usize) -> pb::RecommendPageRequest {
    let question = pb::page_placement::Question::RelatedItems(item("a1"));
    let placement = pb::PagePlacement { name: "top".into(), question: Some(question) };
    pb::RecommendPageRequest { placements: vec![placement; count] }
}

/// Numbers and lengths beyond what the contract allows, and just within it.
fn out_of_bounds() -> Vec<Hostile> {
    let limited = |limit| pb::RelatedItemsRequest { limit, ..item("a1") };
    let nobody = pb::ForCustomerRequest::default();
    let visit =
        pb::ForCustomerRequest { recent_item_ids: vec!["a1".into(); 1_001], ..Default::default() };
    let enough = |value| pb::BasketUpsellRequest {
        basket: vec![line("a1", 1.0)],
        order_value_target: value,
        ..Default::default()
    };
    let by = pb::TrendingItemsRequest { by: 77, ..Default::default() };
    vec![
        related("limit 2^31 - 1", limited(i32::MAX), Ok),
        related("limit -1", limited(-1), InvalidArgument),
        related("limit -2^31", limited(i32::MIN), InvalidArgument),
        basket("100,000 lines", vec![line("a1", 1.0); 100_000], InvalidArgument),
        basket("1,001 lines", vec![line("a1", 1.0); 1_001], InvalidArgument),
        basket("1,000 equal lines", vec![line("a1", 1.0); 1_000], Ok),
        basket("no line", vec![], InvalidArgument),
        basket("quantity NaN", vec![line("a1", f64::NAN)], InvalidArgument),
        basket("quantity infinite", vec![line("a1", f64::INFINITY)], InvalidArgument),
        basket("quantity -1", vec![line("a1", -1.0)], InvalidArgument),
        basket("quantity 10^12", vec![line("a1", 1e12)], Ok),
        basket("quantity 10^308", vec![line("a1", 1e308)], InvalidArgument),
        basket("price NaN", vec![priced(f64::NAN)], InvalidArgument),
        basket("price -0.01", vec![priced(-0.01)], InvalidArgument),
        basket("duplicate lines", vec![line("a1", 1.0), line("a1", 2.0)], Ok),
        hostile("target NaN", "BasketUpsell", &enough(f64::NAN), InvalidArgument),
        hostile("nobody and nothing", "ForCustomer", &nobody, InvalidArgument),
        hostile("1,001 items seen", "ForCustomer", &visit, InvalidArgument),
        related(
            "unknown objective",
            pb::RelatedItemsRequest { objective: 4_711, ..item("a1") },
            InvalidArgument,
        ),
        related(
            "diversity 6",
            pb::RelatedItemsRequest { diversity: 6, ..item("a1") },
            InvalidArgument,
        ),
        hostile("unknown ranking", "TrendingItems", &by, InvalidArgument),
        hostile("no placement", "RecommendPage", &page(0), InvalidArgument),
        hostile("20 placements", "RecommendPage", &page(20), Ok),
        hostile("21 placements", "RecommendPage", &page(21), InvalidArgument),
    ]
}

/// Texts that are no keys, no filters, no names.
fn odd_texts() -> Vec<Hostile> {
    let deep = |depth: usize| format!("{}price < 1{}", "(".repeat(depth), ")".repeat(depth));
    let nots = "not ".repeat(1_000) + "price < 1";
    vec![
        related("an empty id", item(""), InvalidArgument),
        related("an id of 1 MB", item("x".repeat(1 << 20)), InvalidArgument),
        related("an id of 1,000 bytes", item("x".repeat(1_000)), Ok),
        related("an id of NUL", item("\0"), Ok), // unknown, as any other
        related("an id that is a path", item("../../etc/passwd"), Ok),
        related("an id of line ends", item("a1\r\nx: y"), Ok),
        related("a filter 2,000 deep", filtered(deep(2_000)), InvalidArgument),
        related("1,000 times not", filtered(nots), InvalidArgument),
        related("a filter of 5,000 bytes", filtered("x".repeat(5_000)), InvalidArgument),
        related("a filter on no field", filtered("prise < 1".into()), InvalidArgument),
        related("a filter of quotes", filtered("brand = '".into()), InvalidArgument),
        related("a filter of NUL", filtered("\0".into()), InvalidArgument),
        related(
            "a placement of a line end",
            pb::RelatedItemsRequest { placement: "a\nb".into(), ..item("a1") },
            InvalidArgument,
        ),
    ]
}

/// Bytes that are no request.
fn odd_bytes() -> Vec<Hostile> {
    let frame = |announced: u32, body: &[u8]| -> Bytes {
        [&[0][..], &announced.to_be_bytes(), body].concat().into()
    };
    let not_utf8 = [0x0a, 2, 0xff, 0xfe];
    let compressed: Bytes = [&[1][..], &4u32.to_be_bytes(), b"abcd"].concat().into();
    let longer = [0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f, b'x'];
    let sound = raw("a timeout of words", "RelatedItems", framed(&item("a1")), InvalidArgument);
    let mut hostile = vec![
        raw("no message", "RelatedItems", Bytes::new(), Internal),
        raw("64 MB announced", "BasketUpsell", frame(64 << 20, &[0; 1_000]), OutOfRange),
        raw("4 GB announced", "RelatedItems", frame(u32::MAX, &[0; 10]), OutOfRange),
        raw("a text that is none", "RelatedItems", frame(4, &not_utf8), InvalidArgument),
        raw("a length beyond the end", "RelatedItems", frame(7, &longer), InvalidArgument),
        raw("less than announced", "RelatedItems", frame(100, b"x"), Internal),
        raw("compressed without a word", "RelatedItems", compressed, Internal),
        raw("no such method", "DropTable", framed(&item("a1")), Unimplemented),
        Hostile { header: Some(("grpc-timeout", "soon")), ..sound },
    ];
    let elsewhere = raw("no such service", "", framed(&item("a1")), Unimplemented);
    hostile.push(Hostile { method: "/cartwright.v9.Nothing/AtAll".into(), ..elsewhere });
    hostile
}

#[tokio::test]
async fn every_hostile_request_gets_the_status_that_it_must_get() {
    let place = Place::new();
    let server = place.serve(quick()).await;
    let mut wrong = Vec::new();
    let all = out_of_bounds().into_iter().chain(odd_texts()).chain(odd_bytes());
    let mut asked = 0;
    for Hostile { name, method, body, header, expected } in all {
        let mut send = by_hand(&server).await;
        let mut head = head_of(&method);
        if let Some((header, value)) = header {
            head.headers_mut().insert(header, value.parse().expect("a value"));
        }
        let (reply, mut stream) = send.send_request(head, false).expect("it is open");
        let _ = stream.send_data(body, true); // it may have been refused already
        let found = status(reply).await;
        if found != expected {
            wrong.push(format!("{name}: {found:?}, and {expected:?} is specified"));
        }
        asked += 1;
    }
    assert!(wrong.is_empty(), "of {asked}:\n{}", wrong.join("\n"));
    let mut client = server.client().await;
    let answer = client.related_items(item("a1")).await.expect("it goes on");
    assert!(!answer.get_ref().recommendations.is_empty());
    server.stop().await;
}

/// 64 MB that are really sent.
#[tokio::test]
async fn a_message_of_64_mb_is_refused_and_harms_nobody() {
    let place = Place::new();
    let server = place.serve(quick()).await;
    let mut client = server.client().await.max_encoding_message_size(usize::MAX);
    let huge = pb::BasketUpsellRequest {
        basket: vec![line(&"x".repeat(1 << 20), 1.0); 64],
        ..Default::default()
    };
    let refused = client.basket_upsell(huge).await.expect_err("too large");
    assert_eq!(refused.code(), OutOfRange, "{refused:?}");
    client.related_items(item("a1")).await.expect("the same connection goes on");
    server.stop().await;
}
