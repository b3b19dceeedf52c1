//! Two servers restarted in turn behind a client that follows the published service config: no call fails.
//!
//! `CARTWRIGHT_RESTARTS=50` restarts more often than the usual 5 times.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::common::{Server, folder, publish, quick, write_small_shop};
use cartwright::grpc::pb;
use cartwright::grpc::pb::recommendation_service_client::RecommendationServiceClient;
use cartwright::index::Index;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};

/// `retryPolicy` of the published service config.
#[derive(Clone, Debug)]
struct RetryPolicy {
    attempts: usize,
    first_wait: Duration,
    longest_wait: Duration,
    multiplier: f64,
    codes: Vec<Code>,
}

impl RetryPolicy {
    fn published() -> Self {
        let text = include_str!("../../proto/cartwright/v1/service_config.json");
        let config: serde_json::Value = serde_json::from_str(text).expect("JSON");
        let policy = &config["methodConfig"][0]["retryPolicy"];
        let seconds = |name: &str| {
            let text = policy[name].as_str().and_then(|text| text.strip_suffix('s'));
            Duration::from_secs_f64(text.and_then(|text| text.parse().ok()).expect("seconds"))
        };
        let codes = policy["retryableStatusCodes"].as_array().expect("a list");
        assert_eq!(codes, &["UNAVAILABLE"], "the client below knows no other");
        Self {
            attempts: policy["maxAttempts"].as_u64().expect("a number") as usize,
            first_wait: seconds("initialBackoff"),
            longest_wait: seconds("maxBackoff"),
            multiplier: policy["backoffMultiplier"].as_f64().expect("a number"),
            codes: vec![Code::Unavailable],
        }
    }

    /// A client that never tries again.
    fn none() -> Self {
        Self { attempts: 1, ..Self::published() }
    }
}

/// A client of both servers, which takes turns, as `round_robin` does.
#[derive(Clone)]
struct Client {
    servers: [RecommendationServiceClient<Channel>; 2],
    policy: RetryPolicy,
    turn: usize,
}

impl Client {
    fn of(addresses: [SocketAddr; 2], policy: RetryPolicy) -> Self {
        let connect = |address| {
            let endpoint = Endpoint::from_shared(format!("http://{address}"));
            let endpoint = endpoint.expect("a sound address").timeout(Duration::from_secs(2));
            RecommendationServiceClient::new(endpoint.connect_lazy())
        };
        Self { servers: addresses.map(connect), policy, turn: 0 }
    }

    async fn ask(&mut self, item: String) -> Result<(), Status> {
        let mut wait = self.policy.first_wait;
        for attempt in 1.. {
            self.turn += 1;
            let server = &mut self.servers[self.turn % 2];
            let request = pb::RelatedItemsRequest { item_id: item.clone(), ..Default::default() };
            match server.related_items(request).await {
                Ok(answer) => {
                    assert!(!answer.get_ref().recommendations.is_empty(), "an empty answer");
                    return Ok(());
                }
                Err(status) if attempt >= self.policy.attempts => return Err(status),
                Err(status) if !self.policy.codes.contains(&code(&status)) => return Err(status),
                Err(_) => tokio::time::sleep(wait).await,
            }
            wait = wait.mul_f64(self.policy.multiplier).min(self.policy.longest_wait);
        }
        unreachable!("the last attempt returns")
    }
}

/// The code that a gRPC library has for it: where the server has taken leave in good order before it began with a
/// request, or the connection was closed before the request left or broke on its way, that is UNAVAILABLE (and may
/// be tried again in any case). tonic 0.14 says INTERNAL, CANCELLED and UNKNOWN.
fn code(status: &Status) -> Code {
    let mut source = std::error::Error::source(status);
    while let Some(error) = source {
        let goodbye = error.downcast_ref::<h2::Error>().is_some_and(|error| {
            error.is_go_away() && error.reason() == Some(h2::Reason::NO_ERROR)
        });
        let never_sent =
            error.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_canceled);
        if goodbye || never_sent || error.is::<std::io::Error>() {
            return Code::Unavailable;
        }
        source = error.source();
    }
    status.code()
}

/// What some clients came to.
#[derive(Default)]
struct Tally {
    asked: AtomicU64,
    failed: AtomicU64,
    enough: AtomicBool,
}

async fn ask_on(mut client: Client, tally: Arc<Tally>) {
    let mut turn = 0;
    while !tally.enough.load(Ordering::Relaxed) {
        turn += 1;
        if let Err(status) = client.ask(format!("a{}", turn % 30)).await {
            if client.policy.attempts > 1 {
                eprintln!("a call failed: {status:?}");
            }
            tally.failed.fetch_add(1, Ordering::Relaxed);
        }
        tally.asked.fetch_add(1, Ordering::Relaxed);
    }
}

/// Waits until so many more calls have been made.
async fn until_asked(tally: &Tally, more: u64) {
    let enough = tally.asked.load(Ordering::Relaxed) + more;
    while tally.asked.load(Ordering::Relaxed) < enough {
        tokio::task::yield_now().await;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rolling_restarts_fail_no_call_of_a_client_that_tries_again() {
    let restarts: usize =
        std::env::var("CARTWRIGHT_RESTARTS").map_or(5, |n| n.parse().expect("a number"));
    let place = folder();
    let index = Index::at(place.path().join("index"));
    let events = place.path().join("events.csv");
    write_small_shop(&events, "a");
    publish(&index, &events, None).expect("the shop can be learnt");
    let mut servers = Vec::new();
    for _ in 0..2 {
        let server = Server::start(&index, quick()).await;
        server.until_serving().await;
        servers.push(server);
    }
    let address = |server: &Server| -> SocketAddr {
        server.address["http://".len()..].parse().expect("an address")
    };
    let addresses = [address(&servers[0]), address(&servers[1])];
    let (patient, hasty) = (Arc::new(Tally::default()), Arc::new(Tally::default()));
    let mut asking = Vec::new();
    for _ in 0..3 {
        let client = Client::of(addresses, RetryPolicy::published());
        asking.push(tokio::spawn(ask_on(client, patient.clone())));
    }
    // One that does not try again shows that there was something to survive.
    let client = Client::of(addresses, RetryPolicy::none());
    asking.push(tokio::spawn(ask_on(client, hasty.clone())));
    for restart in 0..restarts {
        let which = restart % 2;
        until_asked(&patient, 100).await;
        let server = servers.remove(which);
        server.stop().await;
        until_asked(&hasty, 20).await; // it is gone, and asked for
        let server = Server::start_at(&index, quick(), addresses[which]).await;
        server.until_serving().await;
        servers.insert(which, server);
    }
    until_asked(&patient, 100).await;
    for tally in [&patient, &hasty] {
        tally.enough.store(true, Ordering::Relaxed);
    }
    for task in asking {
        task.await.expect("no client panicked");
    }
    let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
    eprintln!(
        "{restarts} restarts: {} calls with tries again, {} failed; {} without, {} failed",
        of(&patient.asked),
        of(&patient.failed),
        of(&hasty.asked),
        of(&hasty.failed)
    );
    assert_eq!(of(&patient.failed), 0);
    assert!(of(&hasty.failed) > 0, "without trying again some calls must have failed");
    for server in servers {
        server.stop().await;
    }
}
