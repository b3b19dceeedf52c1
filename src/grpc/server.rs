//! Listens, loads, serves, drains.

use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tonic::service::Routes;
use tonic_health::ServingStatus::{NotServing, Serving};
use tracing::{info, warn};

use super::audiences::Audiences;
use super::catalog::Catalogue;
use super::changes::read_rules;
use super::customers::Customers;
use super::door::Door;
use super::generations::Generations;
use super::guard::Guard;
use super::metrics::{self, Figures};
use super::pb;
use super::pb::audience_service_server::AudienceServiceServer;
use super::pb::catalog_service_server::CatalogServiceServer;
use super::pb::customer_service_server::CustomerServiceServer;
use super::pb::index_service_server::IndexServiceServer;
use super::pb::rule_service_server::RuleServiceServer;
use super::rules::ShopRules;
use super::served::{CURRENT, Counter};
use super::served_pb::recommendation_service_server::RecommendationServiceServer;
use super::service::Recommendations;
use super::tls::TlsOptions;
use super::workers::{Workers, how_many};
use crate::error::{Error, Result};
use crate::index::Index;

/// How the server behaves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServeOptions {
    /// How often it looks for a newer generation. Milliseconds, ≥ 10; default 500.
    pub poll_ms: u64,
    /// How long requests in flight may take to finish once it is told to stop. Milliseconds; default
    /// 10,000.
    pub grace_ms: u64,
    /// Threads that serve, each on its own share of the connections; default 0 = one per core.
    pub workers: usize,
    /// Memory for answers that may be given again while the generation lasts. Megabytes (MiB), all threads
    /// together; 0 works every answer out afresh; default 64.
    pub remember_mb: usize,
    /// Requests at once on one connection, at most; default 1,000.
    pub streams_per_connection: u32,
    /// Requests at once in the whole server, at most: more are refused with RESOURCE_EXHAUSTED, and so are
    /// those of one connection beyond half of it. While more than half of it is taken, answers are brief and marked
    /// as `degraded`. Of a stream each answer counts while it is worked out, and waits for room. Default 512: two
    /// cores work that off in less than 100 ms.
    pub queue: usize,
    /// Time that a request may take, milliseconds, if its client does not want it sooner: then it is answered
    /// with DEADLINE_EXCEEDED. Default 2,000. What is about a whole shop, UpsertItems and the AudienceService, has
    /// 300,000, and the IndexService 60,000.
    pub deadline_ms: u64,
    /// Connections at once, at most; more are closed at once. Default 10,000.
    pub connections: usize,
    /// File of the keys that clients need; default: none, and none is needed.
    pub keys: Option<PathBuf>,
    /// Certificates; default: none, and connections are not encrypted.
    pub tls: TlsOptions,
    /// Size of a request, bytes, at most; default 4 MiB.
    pub max_request_bytes: usize,
    /// Address at which `GET /metrics` tells Prometheus how the server does, without keys or encryption; default: none.
    pub metrics: Option<SocketAddr>,
    /// The shop's file of rules, in TOML: read again when it changes; none by default.
    pub rules: Option<PathBuf>,
    /// Decides when a day of these rules begins; that of the events.
    #[serde(skip)]
    pub time_zone: String,
}

impl Default for ServeOptions {
    fn default() -> Self {
        Self {
            poll_ms: 500,
            grace_ms: 10_000,
            workers: 0,
            remember_mb: 64,
            streams_per_connection: 1_000,
            queue: 512,
            deadline_ms: 2_000,
            connections: 10_000,
            keys: None,
            tls: TlsOptions::default(),
            max_request_bytes: 4 << 20,
            metrics: None,
            rules: None,
            time_zone: "UTC".to_owned(),
        }
    }
}

impl ServeOptions {
    /// Errors: a figure is one with which nothing could be answered.
    pub(crate) fn check(&self) -> Result<()> {
        let least = [
            ("streams_per_connection", self.streams_per_connection as usize, 1),
            ("queue", self.queue, 2), // from half of it on, answers are brief
            ("connections", self.connections, 1),
            ("deadline_ms", self.deadline_ms as usize, 1),
            ("max_request_bytes", self.max_request_bytes, 1_024),
        ];
        match least.into_iter().find(|(_, value, least)| value < least) {
            None => Ok(()),
            Some((name, value, least)) => {
                Err(Error::Config(format!("serve.{name} must be at least {least}, and is {value}")))
            }
        }
    }
}

/// Size of a message that may be about a whole shop, at most: changes of 100,000 items, or a campaign of as many
/// customers, with their keys.
const MAX_WHOLE_BYTES: usize = 64 << 20;

/// Completes when the server is to stop.
pub type Shutdown<'a> = Pin<&'a mut (dyn Future<Output = ()> + Send)>;

/// Serves `index` on `listener` until `shutdown` completes; then finishes what is in flight, at most for
/// the grace time.
///
/// Health says NOT_SERVING until the index is loaded, and again from the moment of `shutdown`. Under the name
/// `cartwright.index.current` it says whether the current generation is what is answered from: one that can't be
/// read gives way to the newest that can.
///
/// Errors: there is no generation that can be served, keys or certificates can't be read, or the listener fails.
#[inline(never)] // in a box that is made here: else whoever serves would compile the server once more
pub fn run<'a>(
    listener: TcpListener,
    index: Index,
    options: &'a ServeOptions,
    shutdown: Shutdown<'a>,
) -> Pin<Box<dyn Future<Output = Result<()>> + Send + 'a>> {
    Box::pin(serve(listener, index, options, shutdown))
}

async fn serve(
    listener: TcpListener,
    index: Index,
    options: &ServeOptions,
    shutdown: Shutdown<'_>,
) -> Result<()> {
    let failed = |error: &dyn std::fmt::Display| Error::Server(error.to_string());
    let zone = TimeZone::get(&options.time_zone)
        .map_err(|_| Error::Config(format!("there is no time zone {:?}", options.time_zone)))?;
    options.check()?;
    let guard = Arc::new(Guard::new(options)?);
    let counter = Arc::new(Counter::new(index, zone));
    let (health, health_service) = tonic_health::server::health_reporter();
    health.set_not_serving::<Service>().await;
    health.set_service_status("", NotServing).await;

    let threads = how_many(options.workers);
    let desk_bytes = options.remember_mb.saturating_mul(1 << 20) / threads;
    let (counter_of, queue) = (counter.clone(), guard.queue());
    let service = Recommendations::new(counter_of, desk_bytes, queue);
    let recommendations = RecommendationServiceServer::new(service)
        .max_decoding_message_size(options.max_request_bytes);
    let catalog = CatalogServiceServer::new(Catalogue { counter: counter.clone() })
        .max_decoding_message_size(MAX_WHOLE_BYTES);
    let customers = CustomerServiceServer::new(Customers { counter: counter.clone() })
        .max_decoding_message_size(options.max_request_bytes);
    let audiences = AudienceServiceServer::new(Audiences::new(counter.clone()))
        .max_decoding_message_size(MAX_WHOLE_BYTES);
    let rest = Routes::new(health_service)
        .add_service(catalog)
        .add_service(RuleServiceServer::new(ShopRules { counter: counter.clone() }))
        .add_service(customers)
        .add_service(audiences)
        .add_service(reflection_v1().map_err(|e| failed(&e))?)
        .add_service(reflection_v1alpha().map_err(|e| failed(&e))?)
        .add_service(IndexServiceServer::new(Generations { counter: counter.clone() }))
        .prepare();
    let door = Door::new(recommendations, rest, options, guard.clone());
    let mut workers = Workers::start(listener, &door, threads)?;

    let mut upkeep = JoinSet::new();
    if let Some(address) = options.metrics {
        let (meter, queue) = (guard.meter().clone(), guard.queue());
        let figures = Figures { meter, queue, counter: counter.clone() };
        upkeep.spawn(metrics::tell(metrics::listen(address).await?, figures));
    }
    let serving = async {
        let (loading, rules) = (counter.clone(), options.rules.clone());
        let loading = tokio::task::spawn_blocking(move || {
            let Some(file) = rules else { return Ok((loading.take_up_any()?, None)) };
            let text = read_rules(&file)?;
            loading.begin_with_rules(&file, &text)?;
            Ok::<_, Error>((loading.take_up_any()?, Some((file, text))))
        });
        let (is_current, rules) =
            loading.await.map_err(|_| Error::Server("loading the index panicked".into()))??;
        let current = health.clone();
        let tell_current = move |is_served: bool| {
            let (health, status) = (current.clone(), if is_served { Serving } else { NotServing });
            async move { health.set_service_status(CURRENT, status).await }
        };
        tell_current(is_current).await;
        health.set_serving::<Service>().await;
        health.set_service_status("", Serving).await;
        let every = Duration::from_millis(options.poll_ms.max(10));
        upkeep.spawn(counter.clone().keep_up(every, tell_current));
        if let Some((file, known)) = rules {
            upkeep.spawn(counter.clone().follow_rules(file, known, every));
        }
        upkeep.spawn(guard.keep_up(every));
        workers.ended().await
    };
    let ended = tokio::select! {
        ended = serving => ended,
        () = shutdown => Ok(()),
    };
    upkeep.shutdown().await;
    info!("stopping: finishing what is in flight");
    health.set_not_serving::<Service>().await;
    health.set_service_status("", NotServing).await;
    // However it ends: a thread that still held the index when the process goes would leave a copy of it behind.
    workers.stop();
    let grace = Duration::from_millis(options.grace_ms);
    let drained = tokio::time::timeout(grace, workers.ended()).await.unwrap_or_else(|_| {
        warn!(grace_ms = options.grace_ms, "stopped with connections still open");
        Ok(())
    });
    counter.changing().close();
    ended.and(drained)
}

type Service = RecommendationServiceServer<Recommendations>;

fn reflection() -> tonic_reflection::server::Builder<'static> {
    tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(pb::DESCRIPTORS)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
}

fn reflection_v1() -> Result<
    tonic_reflection::server::v1::ServerReflectionServer<
        impl tonic_reflection::server::v1::ServerReflection,
    >,
    tonic_reflection::server::Error,
> {
    reflection().build_v1()
}

fn reflection_v1alpha() -> Result<
    tonic_reflection::server::v1alpha::ServerReflectionServer<
        impl tonic_reflection::server::v1alpha::ServerReflection,
    >,
    tonic_reflection::server::Error,
> {
    reflection().build_v1alpha()
}
