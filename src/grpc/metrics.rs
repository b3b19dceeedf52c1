//! `GET /metrics`, for Prometheus and whoever reads its format.

use std::convert::Infallible;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::encoding::{EncodeMetric, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tonic::Code;
use tonic::codegen::http::{Method, Request, Response, StatusCode};
use tracing::{info, warn};

use super::admission::Queue;
use super::meter::{BOUNDS, Meter};
use super::served::Counter;
use crate::error::{Error, Result};

/// What is told.
#[derive(Clone, Debug)]
pub(super) struct Figures {
    pub(super) meter: Arc<Meter>,
    pub(super) queue: Arc<Queue>,
    pub(super) counter: Arc<Counter>,
}

/// Readers at once, at most; others wait.
const READERS: usize = 8;
/// A reader has so long to ask and to read.
const PATIENCE: Duration = Duration::from_secs(10);

/// Opens the address at which figures are told.
///
/// Errors: nobody can listen there.
pub(super) async fn listen(address: SocketAddr) -> Result<TcpListener> {
    let listener = TcpListener::bind(address).await;
    let listener = listener.map_err(|error| {
        Error::Server(format!("cannot listen on serve.metrics {address}: {error}"))
    })?;
    info!(%address, "telling figures at /metrics");
    Ok(listener)
}

/// Tells them to whoever asks.
pub(super) async fn tell(listener: TcpListener, figures: Figures) {
    let mut registry = Registry::with_prefix("cartwright");
    registry.register_collector(Box::new(figures));
    let (registry, readers) = (Arc::new(registry), Arc::new(Semaphore::new(READERS)));
    loop {
        let Ok(reader) = readers.clone().acquire_owned().await else { return };
        let connection = match listener.accept().await {
            Ok((connection, _)) => connection,
            Err(error) => {
                warn!(%error, "a reader of figures can't be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let registry = registry.clone();
        tokio::spawn(async move {
            let answer = service_fn(move |request| ready(registry.clone(), request));
            let mut http = http1::Builder::new();
            let http = http.timer(TokioTimer::new()).keep_alive(false);
            let told = http.serve_connection(TokioIo::new(connection), answer);
            let _ = tokio::time::timeout(PATIENCE, told).await; // a reader that has gone misses nothing
            drop(reader);
        });
    }
}

async fn ready(
    registry: Arc<Registry>,
    request: Request<Incoming>,
) -> std::result::Result<Response<Full<Bytes>>, Infallible> {
    if request.method() != Method::GET || request.uri().path() != "/metrics" {
        let mut answer = Response::new(Full::from("GET /metrics\n"));
        *answer.status_mut() = StatusCode::NOT_FOUND;
        return Ok(answer);
    }
    // Which generation is current is read off the disk.
    let text = tokio::task::spawn_blocking(move || {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).map(|()| text)
    });
    let Ok(Ok(text)) = text.await else {
        let mut answer = Response::new(Full::from("the figures can't be told\n"));
        *answer.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        return Ok(answer);
    };
    let mut answer = Response::new(Full::from(text));
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    let kind = kind.parse().expect("a header's value");
    answer.headers_mut().insert(http::header::CONTENT_TYPE, kind);
    Ok(answer)
}

impl Collector for Figures {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        self.requests(&mut encoder)?;
        self.answers(&mut encoder)?;
        self.generation(&mut encoder)
    }
}

impl Figures {
    fn requests(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let help = "Requests answered, by the code of the answer";
        let mut requests =
            encoder.encode_descriptor("requests", help, None, MetricType::Counter)?;
        for call in &self.meter.calls {
            for (code, count) in call.codes() {
                let code = format!("{:?}", Code::from(code));
                let labels =
                    [("service", call.service.as_str()), ("method", &call.method), ("code", &code)];
                ConstCounter::new(count).encode(requests.encode_family(&labels)?)?;
            }
        }
        let help = "Time from a request's head to its answer, or to the beginning of a stream";
        let name = "request_duration_seconds";
        let mut times = encoder.encode_descriptor(name, help, None, MetricType::Histogram)?;
        for call in self.meter.calls.iter().filter(|call| call.codes().next().is_some()) {
            let (within, seconds) = call.times();
            let bounds = BOUNDS.into_iter().chain([f64::INFINITY]);
            let buckets: Vec<(f64, u64)> = bounds.zip(within.iter().copied()).collect();
            let labels = [("service", call.service.as_str()), ("method", call.method.as_str())];
            let mut of_call = times.encode_family(&labels)?;
            of_call.encode_histogram::<NoLabelSet>(seconds, within.iter().sum(), &buckets, None)?;
        }
        let (inside, tally) = (self.queue.inside(), self.queue.tally());
        gauge(encoder, "requests_in_flight", "Requests being answered", inside as f64)?;
        let help = "Requests for which there was no room";
        counter(encoder, "requests_refused", help, tally.refused)?;
        let help = "Requests answered briefly, since there was much to do";
        counter(encoder, "requests_brief", help, tally.brief)
    }

    fn answers(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let answers = self.counter.answers();
        let told = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let help = "Answers given again as they had been worked out before";
        counter(encoder, "answers_remembered", help, told(&answers.remembered))?;
        counter(encoder, "answers_worked_out", "Answers worked out", told(&answers.worked_out))?;
        let help = "Items in the answers worked out";
        counter(encoder, "recommendations", help, told(&answers.items))?;
        let help = "Those among them that only fill up a list";
        counter(encoder, "recommendations_fallback", help, told(&answers.fallbacks))
    }

    fn generation(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let current = f64::from(u8::from(self.counter.serves_the_current()));
        let help = "1 while the current generation is what is answered from";
        gauge(encoder, "generation_is_current", help, current)?;
        let Some(served) = self.counter.served() else { return Ok(()) };
        let manifest = &served.snapshot().manifest;
        let help = "The generation that is answered from";
        gauge(encoder, "generation", help, manifest.generation as f64)?;
        gauge(encoder, "items", "Items that the shop has now", served.shelf.len() as f64)?;
        let seconds = |moment: &str| {
            let moment: Option<jiff::Timestamp> = moment.parse().ok();
            moment.map(|moment| moment.as_second() as f64)
        };
        if let Some(created) = seconds(&manifest.created) {
            let help = "When it was built, seconds since 1970";
            gauge(encoder, "generation_created_timestamp_seconds", help, created)?;
        }
        if let Some(until) = manifest.trained_until.as_deref().and_then(seconds) {
            let help = "The last event that it was learnt from, seconds since 1970";
            gauge(encoder, "generation_trained_until_timestamp_seconds", help, until)?;
        }
        Ok(())
    }
}

fn counter(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, count: u64) -> fmt::Result {
    let count = ConstCounter::new(count);
    count.encode(encoder.encode_descriptor(name, help, None, MetricType::Counter)?)
}

fn gauge(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: f64) -> fmt::Result {
    let value = ConstGauge::new(value);
    value.encode(encoder.encode_descriptor(name, help, None, MetricType::Gauge)?)
}
