//! Who may come in, how many at once, and for how long; and what unfriendly clients can't do.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::common::{HANGS, Server, folder, publish, quick, until, write_small_shop};
use bytes::Bytes;
use cartwright::grpc::pb;
use cartwright::grpc::pb::index_service_client::IndexServiceClient;
use cartwright::grpc::pb::recommendation_service_client::RecommendationServiceClient;
use cartwright::grpc::{ServeOptions, TlsOptions, hash_of_key};
use cartwright::index::Index;
use h2::client::SendRequest;
use prost::Message;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tonic::metadata::MetadataValue;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Identity};
use tonic::{Code, Request, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_types::StatusExt;

pub(crate) struct Place {
    folder: TempDir,
    pub(crate) index: Index,
}

impl Place {
    pub(crate) fn new() -> Self {
        let folder = folder();
        let index = Index::at(folder.path().join("index"));
        let events = folder.path().join("events.csv");
        write_small_shop(&events, "a");
        publish(&index, &events, None).expect("the shop can be learnt");
        Self { folder, index }
    }

    pub(crate) async fn serve(&self, options: ServeOptions) -> Server {
        let server = Server::start(&self.index, options).await;
        server.until_serving().await;
        server
    }

    /// A server without encryption or keys is waited for by its health; the others by connecting.
    fn write(&self, name: &str, text: &str) -> std::path::PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).expect("the folder can be written");
        path
    }
}

fn related(item: &str) -> pb::RelatedItemsRequest {
    pb::RelatedItemsRequest { item_id: item.into(), ..Default::default() }
}

const RELATED: &str = "/cartwright.v1.RecommendationService/RelatedItems";

/// HTTP/2 by hand, for what no gRPC client would do.
pub(crate) async fn by_hand(server: &Server) -> SendRequest<Bytes> {
    let address: SocketAddr = server.address["http://".len()..].parse().expect("an address");
    let stream = TcpStream::connect(address).await.expect("it listens");
    let (send, connection) = h2::client::handshake(stream).await.expect("it speaks HTTP/2");
    tokio::spawn(async move {
        let _ = connection.await;
    });
    send.ready().await.expect("there is room for a stream")
}

/// The head of a request for a method.
pub(crate) fn head_of(method: &str) -> http::Request<()> {
    let head = http::Request::post(format!("http://localhost{method}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers");
    head.body(()).expect("a sound request")
}

fn head(timeout: Option<&str>) -> http::Request<()> {
    let mut head = head_of(RELATED);
    if let Some(timeout) = timeout {
        head.headers_mut().insert("grpc-timeout", timeout.parse().expect("a header"));
    }
    head
}

/// A message as gRPC frames it.
pub(crate) fn framed(message: &impl Message) -> Bytes {
    let body = message.encode_to_vec();
    let length = u32::try_from(body.len()).expect("short").to_be_bytes();
    [&[0][..], &length, &body].concat().into()
}

/// The status of a reply, from its head or its trailers.
pub(crate) async fn status(response: h2::client::ResponseFuture) -> Code {
    let mut reply = response.await.expect("a reply");
    let code = |headers: &http::HeaderMap| {
        let text = headers.get("grpc-status")?.to_str().ok()?.parse::<i32>().ok()?;
        Some(Code::from_i32(text))
    };
    if let Some(code) = code(reply.headers()) {
        return code;
    }
    while let Some(data) = reply.body_mut().data().await {
        let length = data.expect("data").len();
        let _ = reply.body_mut().flow_control().release_capacity(length);
    }
    let trailers = reply.body_mut().trailers().await.expect("an end").expect("trailers");
    code(&trailers).expect("a status")
}

#[tokio::test]
async fn the_shorter_deadline_counts_and_ends_as_deadline_exceeded() {
    let place = Place::new();
    let server = place.serve(ServeOptions { deadline_ms: 300, ..quick() }).await;
    // Over before it begins; within time; no time at all.
    for (timeout, expected) in [
        (Some("1n"), Code::DeadlineExceeded),
        (Some("10S"), Code::Ok),
        (None, Code::Ok),
        (Some("soon"), Code::InvalidArgument),
    ] {
        let mut send = by_hand(&server).await;
        let (reply, mut body) = send.send_request(head(timeout), false).expect("it is open");
        body.send_data(framed(&related("a1")), true).expect("it is open");
        assert_eq!(status(reply).await, expected, "{timeout:?}");
    }
    // The body never comes: the client's time, and where that is longer, the server's.
    for (timeout, least, most) in
        [(Some("50m"), 50, 290), (Some("1H"), 300, 5_000), (None, 300, 5_000)]
    {
        let started = Instant::now();
        let mut send = by_hand(&server).await;
        let (reply, _body) = send.send_request(head(timeout), false).expect("it is open");
        assert_eq!(status(reply).await, Code::DeadlineExceeded, "{timeout:?}");
        let taken = started.elapsed().as_millis();
        assert!((least..most).contains(&taken), "{timeout:?}: {taken} ms");
    }
    server.stop().await;
}

#[tokio::test]
async fn whoever_finds_no_room_is_told_at_once_and_when_to_come_back() {
    let place = Place::new();
    let server = place.serve(ServeOptions { queue: 2, deadline_ms: 60_000, ..quick() }).await;
    // Those who never send their bodies take all the room there is …
    let mut client = server.client().await;
    let mut waiting = Vec::new();
    let mut connections = Vec::new();
    while client.related_items(related("a1")).await.is_ok() {
        let mut slow = by_hand(&server).await;
        waiting.push(slow.send_request(head(None), false).expect("it is open"));
        connections.push(slow);
        assert!(waiting.len() < 1_000, "there is always room");
    }
    let refusal = until("there is no room", || {
        let mut client = client.clone();
        async move { client.related_items(related("a1")).await.err() }
    })
    .await;
    assert_eq!(refusal.code(), Code::ResourceExhausted);
    let retry = refusal.get_error_details().retry_info().and_then(|info| info.retry_delay);
    assert_eq!(retry, Some(Duration::from_millis(100)));
    // … and health has room all the same.
    let mut health = HealthClient::new(server.channel().await);
    health.check(HealthCheckRequest::default()).await.expect("health answers");
    // Gone, they make room: nothing is worked on for them any more.
    for (_, body) in &mut waiting {
        body.send_reset(h2::Reason::CANCEL);
    }
    until("there is room again", || {
        let mut client = client.clone();
        async move { client.related_items(related("a1")).await.ok() }
    })
    .await;
    client.related_items(related("a2")).await.expect("there is room");
    server.stop().await;
}

/// Each may hold a request, half sent or not yet answered, for as long as it likes.
#[tokio::test]
async fn only_so_many_streams_are_open_at_once() {
    let place = Place::new();
    let server = place.serve(quick()).await;
    let client = server.client().await;
    let open = || async {
        let (asks, nothing) = tokio::sync::mpsc::channel::<pb::ForCustomerRequest>(1);
        let nothing = tokio_stream::wrappers::ReceiverStream::new(nothing);
        let answers = client.clone().stream_for_customers(nothing).await;
        answers.map(|answers| (asks, answers)).map_err(|status| status.code())
    };
    let mut streams = Vec::new();
    let refusal = loop {
        match open().await {
            Ok(stream) => streams.push(stream),
            Err(refusal) => break refusal,
        }
    };
    assert_eq!((streams.len(), refusal), (64, Code::ResourceExhausted));
    streams.pop();
    until("there is room for one", || async { open().await.ok() }).await;
    server.stop().await;
}

/// Clients other than tonic's give each request a frame of its own, and send on before they have read an answer.
#[tokio::test]
async fn a_stream_of_many_small_frames_is_answered_to_its_end() {
    const REQUESTS: usize = 10_000;
    let place = Place::new();
    let server = place.serve(quick()).await;
    let stream = TcpStream::connect(server.address.trim_start_matches("http://")).await;
    let mut builder = h2::client::Builder::new();
    // The answers are short, too, and wait to be read.
    builder.data_frame_budget(1 << 30);
    let (send, connection) = builder.handshake(stream.expect("it listens")).await.expect("HTTP/2");
    tokio::spawn(connection);
    let mut send = send.ready().await.expect("there is room for a stream");
    let method = "/cartwright.v1.RecommendationService/StreamForCustomers";
    let (reply, mut asks) = send.send_request(head_of(method), false).expect("it is open");
    let request = pb::ForCustomerRequest { limit: 1, ..Default::default() };
    for number in 0..REQUESTS {
        let customer_id = Some(format!("c{number}"));
        let request = pb::ForCustomerRequest { customer_id, ..request.clone() };
        asks.send_data(framed(&request), number + 1 == REQUESTS).expect("it is open");
    }
    let mut reply = tokio::time::timeout(HANGS, reply).await.expect("in time").expect("a reply");
    let (mut answers, mut left) = (0, Vec::new());
    while let Some(data) = reply.body_mut().data().await {
        let data = data.expect("the connection stands");
        let _ = reply.body_mut().flow_control().release_capacity(data.len());
        left.extend_from_slice(&data);
        while let Some(length) = left
            .first_chunk::<5>()
            .map(|&[_, a, b, c, d]| 5 + u32::from_be_bytes([a, b, c, d]) as usize)
            .filter(|length| *length <= left.len())
        {
            left.drain(..length);
            answers += 1;
        }
    }
    assert_eq!(answers, REQUESTS);
    server.stop().await;
}

/// A request takes a place for as long as somebody waits for it: an answer takes less than a millisecond once its
/// request is whole, and what is still waiting is dropped with its connection.
#[tokio::test]
async fn a_client_that_hangs_up_takes_its_requests_with_it() {
    let place = Place::new();
    let server = place.serve(ServeOptions { queue: 2, deadline_ms: 60_000, ..quick() }).await;
    let client = server.client().await;
    let asked = || async {
        let mut client = client.clone();
        client.related_items(related("a1")).await.map(drop).map_err(|status| status.code())
    };
    let address: SocketAddr = server.address["http://".len()..].parse().expect("an address");
    let (mut connected, mut waiting) = (Vec::new(), Vec::new());
    // One after the other: whoever asks meanwhile may have taken the last place.
    while asked().await != Err(Code::ResourceExhausted) {
        let stream = TcpStream::connect(address).await.expect("it listens");
        let (send, connection) = h2::client::handshake(stream).await.expect("HTTP/2");
        connected.push(tokio::spawn(connection));
        let mut send: SendRequest<Bytes> = send.ready().await.expect("there is room for a stream");
        waiting.push((send.send_request(head(None), false).expect("it is open"), send));
        assert!(waiting.len() < 1_000, "there is always room");
    }
    // No reset, no goodbye: the sockets are closed, and their requests are gone.
    connected.iter().for_each(tokio::task::JoinHandle::abort);
    until("there is room again", || async { asked().await.ok() }).await;
    server.stop().await;
}

/// A client that opened 600 requests and never sent their bodies once kept everybody else out.
#[tokio::test]
async fn one_connection_does_not_take_all_the_room() {
    let place = Place::new();
    let server = place.serve(ServeOptions { queue: 8, deadline_ms: 60_000, ..quick() }).await;
    let mut greedy = by_hand(&server).await;
    let mut waiting = Vec::new();
    for _ in 0..20 {
        greedy = greedy.ready().await.expect("there is room for a stream");
        waiting.push(greedy.send_request(head(None), false).expect("it is open"));
    }
    let (reply, _) = waiting.pop().expect("the last of them");
    assert_eq!(status(reply).await, Code::ResourceExhausted, "beyond its share");
    let mut client = server.client().await;
    for _ in 0..20 {
        client.related_items(related("a1")).await.expect("there is room for others");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_more_than_it_can_do_all_are_answered_or_refused_and_it_recovers() {
    let place = Place::new();
    let options = ServeOptions { queue: 8, workers: 1, remember_mb: 0, ..quick() };
    let server = place.serve(options).await;
    let mut asking = Vec::new();
    for _ in 0..16 {
        let mut send = by_hand(&server).await;
        asking.push(tokio::spawn(async move {
            let (mut good, mut refused) = (0, 0);
            for _ in 0..20 {
                let mut replies = Vec::new();
                for _ in 0..50 {
                    send = send.ready().await.expect("it is open");
                    let (reply, mut body) = send.send_request(head(None), false).expect("open");
                    body.send_data(framed(&related("a1")), true).expect("it is open");
                    replies.push(reply);
                }
                for reply in replies {
                    match status(reply).await {
                        Code::Ok => good += 1,
                        Code::ResourceExhausted => refused += 1,
                        other => panic!("neither answered nor refused: {other:?}"),
                    }
                }
            }
            (good, refused)
        }));
    }
    let (mut good, mut refused) = (0, 0);
    for task in asking {
        let (answered, turned_away) = task.await.expect("answered or refused");
        (good, refused) = (good + answered, refused + turned_away);
    }
    eprintln!("{good} answered, {refused} refused of {}", good + refused);
    assert!(good > 0 && refused > 0, "{good} {refused}");
    let mut client = server.client().await;
    for _ in 0..100 {
        client.related_items(related("a1")).await.expect("it has recovered");
    }
    server.stop().await;
}

fn with_key<T>(message: T, key: &str) -> Request<T> {
    let mut request = Request::new(message);
    let value = MetadataValue::try_from(format!("Bearer {key}")).expect("a header");
    request.metadata_mut().insert("authorization", value);
    request
}

#[tokio::test]
async fn keys_open_what_they_are_for_and_wrong_ones_are_held_up() {
    let place = Place::new();
    let lines = format!("shop read {}\nops admin {}\n", hash_of_key("r-key"), hash_of_key("a-key"));
    let keys = place.write("keys", &lines);
    let server = place.serve(ServeOptions { keys: Some(keys), ..quick() }).await;
    let mut client = server.client().await;
    let mut index = IndexServiceClient::new(server.channel().await);
    let list = pb::ListGenerationsRequest {};
    let code = |status: Status| status.code();

    client.related_items(with_key(related("a1"), "r-key")).await.expect("it may read");
    client.related_items(with_key(related("a1"), "a-key")).await.expect("and so may this one");
    index.list_generations(with_key(list, "a-key")).await.expect("it may do all");
    let beyond = index.list_generations(with_key(list, "r-key")).await.map_err(code);
    assert_eq!(beyond.err(), Some(Code::PermissionDenied));
    let none = client.related_items(related("a1")).await.map_err(code);
    assert_eq!(none.err(), Some(Code::Unauthenticated));
    // Health needs no key: `serve` has waited for it without one.

    let mut codes = Vec::new();
    for _ in 0..12 {
        let wrong = client.related_items(with_key(related("a1"), "guess")).await;
        codes.push(wrong.expect_err("it is not known").code());
    }
    assert_eq!(codes.first(), Some(&Code::Unauthenticated));
    assert_eq!(codes.last(), Some(&Code::ResourceExhausted), "{codes:?}");
    let list = pb::ListGenerationsRequest {};
    let beyond = index.list_generations(with_key(list, "r-key")).await.map_err(code);
    assert_eq!(beyond.err(), Some(Code::PermissionDenied), "nobody guessed this one");
    // Whoever has the right one is not held up by the neighbour's guessing.
    client.related_items(with_key(related("a1"), "r-key")).await.expect("it may read");

    // A key that is taken out opens nothing any more.
    place.write("keys", &format!("ops admin {}\n", hash_of_key("a-key")));
    until("the key is not known any more", || {
        let mut client = client.clone();
        async move { client.related_items(with_key(related("a1"), "r-key")).await.err() }
    })
    .await;
    client.related_items(with_key(related("a1"), "a-key")).await.expect("this one still is");
    server.stop().await;
}

/// An authority, and what it signs.
struct Authority {
    issuer: rcgen::Issuer<'static, rcgen::KeyPair>,
    certificate: String,
}

impl Authority {
    fn new() -> Self {
        let key = rcgen::KeyPair::generate().expect("a key");
        let mut params = rcgen::CertificateParams::new(Vec::new()).expect("sound");
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).expect("signed").pem();
        Self { issuer: rcgen::Issuer::new(params, key), certificate }
    }

    /// A certificate for localhost and its key.
    fn signs(&self) -> (String, String) {
        let key = rcgen::KeyPair::generate().expect("a key");
        let params = rcgen::CertificateParams::new(vec!["localhost".into()]).expect("sound");
        let certificate = params.signed_by(&key, &self.issuer).expect("signed");
        (certificate.pem(), key.serialize_pem())
    }

    fn write(&self, place: &Place) -> TlsOptions {
        let (certificate, key) = self.signs();
        TlsOptions {
            certificate: Some(place.write("server.pem", &certificate)),
            key: Some(place.write("server.key", &key)),
            client_ca: None,
        }
    }
}

async fn encrypted(
    server: &Server,
    authority: &Authority,
    identity: Option<(String, String)>,
) -> Result<RecommendationServiceClient<Channel>, Box<dyn std::error::Error>> {
    let mut tls = ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(&authority.certificate))
        .domain_name("localhost");
    if let Some((certificate, key)) = identity {
        tls = tls.identity(Identity::from_pem(certificate, key));
    }
    let address = server.address.replace("http://", "https://");
    let channel = Channel::from_shared(address)?.tls_config(tls)?.connect().await?;
    Ok(RecommendationServiceClient::new(channel))
}

/// Asks until the index is loaded.
async fn answers(client: &RecommendationServiceClient<Channel>) {
    until("it answers", || {
        let mut client = client.clone();
        async move { client.related_items(related("a1")).await.ok() }
    })
    .await;
}

#[tokio::test]
async fn certificates_are_read_again_and_open_connections_stay() {
    let place = Place::new();
    let (old, new) = (Authority::new(), Authority::new());
    let tls = old.write(&place);
    let server = Server::start(&place.index, ServeOptions { tls, ..quick() }).await;
    let before = encrypted(&server, &old, None).await.expect("encrypted");
    answers(&before).await;
    encrypted(&server, &new, None).await.expect_err("signed by another");
    // Half written first: it is said, and the old one stays.
    place.write("server.key", "nonsense");
    // It looks every 20 ms: whoever comes meanwhile gets in as before.
    let written = Instant::now();
    while written.elapsed() < Duration::from_millis(200) {
        answers(&encrypted(&server, &old, None).await.expect("the old one stays")).await;
    }
    new.write(&place);
    let after = until("the new certificate is shown", || async {
        encrypted(&server, &new, None).await.ok()
    })
    .await;
    answers(&after).await;
    answers(&before).await; // the same connection as ever
    assert!(TcpStream::connect(&server.address["http://".len()..]).await.is_ok());
    server.stop().await;
}

#[tokio::test]
async fn without_a_certificate_of_the_shop_nobody_gets_in() {
    let place = Place::new();
    let (ours, others) = (Authority::new(), Authority::new());
    let client_ca = Some(place.write("ca.pem", &ours.certificate));
    let tls = TlsOptions { client_ca, ..ours.write(&place) };
    let server = Server::start(&place.index, ServeOptions { tls, ..quick() }).await;
    let known = encrypted(&server, &ours, Some(ours.signs())).await.expect("it is ours");
    answers(&known).await;
    for identity in [None, Some(others.signs())] {
        // The client hears of it with its first request, if not before.
        if let Ok(mut client) = encrypted(&server, &ours, identity).await {
            client.related_items(related("a1")).await.expect_err("it is not let in");
        }
    }
    answers(&known).await;
    server.stop().await;
}

#[tokio::test]
async fn a_server_whose_keys_or_certificates_can_not_be_read_does_not_start() {
    let place = Place::new();
    let missing = |name: &str| Some(Path::new("/no/such").join(name));
    let keys = ServeOptions { keys: missing("keys"), ..quick() };
    let half = TlsOptions { certificate: missing("c.pem"), ..TlsOptions::default() };
    let whole = TlsOptions { key: missing("k.pem"), ..half.clone() };
    for (options, word) in [
        (keys, "/no/such/keys"),
        (ServeOptions { tls: half, ..quick() }, "both"),
        (ServeOptions { tls: whole, ..quick() }, "/no/such/"),
    ] {
        let error = Server::start(&place.index, options).await.ended().await.expect_err("refused");
        assert!(error.to_string().contains(word), "{error}");
    }
}

/// Whoever connected and said nothing kept a place among the connections for ever: ten thousand such kept all others
/// out.
#[tokio::test]
async fn whoever_connects_and_does_not_greet_is_hung_up_on() {
    let place = Place::new();
    let server = place.serve(quick()).await;
    let address = &server.address["http://".len()..];
    let mut silent = TcpStream::connect(address).await.expect("it listens");
    let mut halfway = TcpStream::connect(address).await.expect("it listens");
    halfway.write_all(b"PRI * HTTP/2").await.expect("it is open");
    // It greets, and keeps its connection.
    let mut good = server.client().await;
    for connection in [&mut silent, &mut halfway] {
        let mut said = Vec::new();
        let end = tokio::time::timeout(HANGS, connection.read_to_end(&mut said)).await;
        let _ = end.expect("it is hung up on"); // with or without a goodbye
    }
    good.related_items(related("a1")).await.expect("a good client is answered");
    server.stop().await;
}

/// The slowest of some requests of a good client.
async fn slowest(client: &mut RecommendationServiceClient<Channel>) -> Duration {
    let mut slowest = Duration::ZERO;
    for _ in 0..200 {
        let started = Instant::now();
        client.related_items(related("a1")).await.expect("a good client is answered");
        slowest = slowest.max(started.elapsed());
    }
    slowest
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rapid_resets_floods_of_headers_and_idle_connections_harm_no_good_client() {
    let place = Place::new();
    let server = place.serve(ServeOptions { connections: 400, ..quick() }).await;
    let mut good = server.client().await;
    let before = slowest(&mut good).await;
    // Streams that are reset as soon as they are open; the server may hang up on whoever does that.
    let mut rapid = by_hand(&server).await;
    for _ in 0..5_000 {
        rapid = match rapid.ready().await {
            Ok(ready) => ready,
            Err(_) => by_hand(&server).await,
        };
        if let Ok((_, mut body)) = rapid.send_request(head(None), false) {
            body.send_reset(h2::Reason::CANCEL);
        }
    }
    let during = slowest(&mut good).await;
    // Headers beyond all measure.
    let mut flood = by_hand(&server).await;
    let mut large = head(None);
    for nth in 0..40 {
        let name = http::HeaderName::try_from(format!("x-{nth}")).expect("a name");
        large.headers_mut().insert(name, "y".repeat(1_000).parse().expect("a value"));
    }
    let (reply, _body) = flood.send_request(large, true).expect("it is open");
    if let Ok(reply) = reply.await {
        assert_eq!(reply.status(), 431, "headers that long are refused");
    }
    // More connections than may be open: those beyond are closed, and none that is open.
    let address = &server.address["http://".len()..];
    let mut idle = Vec::new();
    for _ in 0..600 {
        idle.extend(TcpStream::connect(address).await.ok());
    }
    let crowded = slowest(&mut good).await;
    eprintln!("slowest of 200: {before:?}, after resets {during:?}, among idle {crowded:?}");
    drop(idle);
    until("a new connection finds room", || async {
        let channel = Channel::from_shared(server.address.clone()).expect("sound").connect().await;
        let mut client = RecommendationServiceClient::new(channel.ok()?);
        client.related_items(related("a1")).await.ok()
    })
    .await;
    server.stop().await;
}
