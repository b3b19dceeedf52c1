//! Listens, loads, serves, drains.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tonic::service::Routes;
use tracing::{info, warn};

use super::audiences::Audiences;
use super::customers::Customers;
use super::door::Door;
use super::pb;
use super::pb::audience_service_server::AudienceServiceServer;
use super::pb::customer_service_server::CustomerServiceServer;
use super::served::Counter;
use super::served_pb::recommendation_service_server::RecommendationServiceServer;
use super::service::Recommendations;
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
    /// Size of a request, bytes, at most; default 4 MiB.
    pub max_request_bytes: usize,
}

impl Default for ServeOptions {
    fn default() -> Self {
        Self {
            poll_ms: 500,
            grace_ms: 10_000,
            workers: 0,
            remember_mb: 64,
            streams_per_connection: 1_000,
            max_request_bytes: 4 << 20,
        }
    }
}

/// Serves `index` on `listener` until `shutdown` completes; then finishes what is in flight, at most for
/// the grace time.
///
/// Health says NOT_SERVING until the index is loaded, and again from the moment of `shutdown`.
///
/// Errors: there is no generation that can be served, or the listener fails.
pub async fn run(
    listener: TcpListener,
    index: Index,
    options: &ServeOptions,
    shutdown: impl Future<Output = ()>,
) -> Result<()> {
    let failed = |error: &dyn std::fmt::Display| Error::Server(error.to_string());
    let counter = Arc::new(Counter::new(index));
    let (health, health_service) = tonic_health::server::health_reporter();
    health.set_not_serving::<Service>().await;
    health.set_service_status("", tonic_health::ServingStatus::NotServing).await;

    let threads = how_many(options.workers);
    let desk_bytes = options.remember_mb.saturating_mul(1 << 20) / threads;
    let service = Recommendations { counter: counter.clone(), desk_bytes };
    let recommendations = RecommendationServiceServer::new(service)
        .max_decoding_message_size(options.max_request_bytes);
    let customers = CustomerServiceServer::new(Customers { counter: counter.clone() })
        .max_decoding_message_size(options.max_request_bytes);
    let audiences = AudienceServiceServer::new(Audiences { counter: counter.clone() })
        .max_decoding_message_size(options.max_request_bytes);
    let rest = Routes::new(health_service)
        .add_service(customers)
        .add_service(audiences)
        .add_service(reflection_v1().map_err(|e| failed(&e))?)
        .add_service(reflection_v1alpha().map_err(|e| failed(&e))?)
        .prepare();
    let door = Door::new(recommendations, rest, options);
    let mut workers = Workers::start(listener, &door, threads)?;

    let loading = counter.clone();
    let loading = tokio::task::spawn_blocking(move || loading.take_up());
    tokio::pin!(shutdown);
    tokio::select! {
        loaded = loading => {
            loaded.map_err(|_| Error::Server("loading the index panicked".into()))??;
        }
        () = &mut shutdown => return Ok(()), // nothing was served yet
    }
    health.set_serving::<Service>().await;
    health.set_service_status("", tonic_health::ServingStatus::Serving).await;
    let keeping_up = tokio::spawn(counter.keep_up(Duration::from_millis(options.poll_ms.max(10))));

    let ended = tokio::select! {
        ended = workers.ended() => Some(ended),
        () = &mut shutdown => None,
    };
    keeping_up.abort();
    if let Some(ended) = ended {
        return ended;
    }
    info!("stopping: finishing what is in flight");
    health.set_not_serving::<Service>().await;
    health.set_service_status("", tonic_health::ServingStatus::NotServing).await;
    workers.stop();
    match tokio::time::timeout(Duration::from_millis(options.grace_ms), workers.ended()).await {
        Ok(ended) => ended,
        Err(_) => {
            warn!(grace_ms = options.grace_ms, "stopped with connections still open");
            Ok(())
        }
    }
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
