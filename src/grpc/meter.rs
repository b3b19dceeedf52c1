//! What is counted of requests and answers. Nothing in it tells who asked, or about what.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use prost::Message;
use rustc_hash::FxHashMap;
use tonic::body::Body;
use tonic::codegen::http::Response;

use super::pb;

/// Upper bounds of the times that are told apart, seconds.
pub(super) const BOUNDS: [f64; 14] =
    [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5];

/// As many as gRPC has codes.
const CODES: usize = 17;

/// What is counted of requests, by the method that was called.
#[derive(Debug)]
pub(super) struct Meter {
    /// Path → place among the calls.
    places: FxHashMap<String, usize>,
    /// The shop's own methods, and behind them everything else: health, reflection, what does not exist.
    pub(super) calls: Vec<Call>,
}

/// The requests of one method.
#[derive(Debug, Default)]
pub(super) struct Call {
    pub(super) service: String,
    pub(super) method: String,
    codes: [AtomicU64; CODES],
    /// Those that took at most as long as each bound, and longer than the one before; then those beyond.
    within: [AtomicU64; BOUNDS.len() + 1],
    nanoseconds: AtomicU64,
}

impl Default for Meter {
    fn default() -> Self {
        let compiled = prost_types::FileDescriptorSet::decode(pb::DESCRIPTORS);
        let files = compiled.expect("compiled with the program").file.into_iter();
        let (mut places, mut calls) = (FxHashMap::default(), Vec::new());
        for (package, service) in
            files.flat_map(|file| file.service.into_iter().map(move |s| (file.package.clone(), s)))
        {
            let package = package.unwrap_or_default();
            for method in &service.method {
                let (service, method) = (service.name().to_owned(), method.name().to_owned());
                places.insert(format!("/{package}.{service}/{method}"), calls.len());
                calls.push(Call { service, method, ..Call::default() });
            }
        }
        calls.push(Call { service: "other".to_owned(), ..Call::default() });
        Self { places, calls }
    }
}

impl Meter {
    /// A request has come.
    pub(super) fn begin(self: &Arc<Self>, path: &str) -> Measure {
        let other = self.calls.len() - 1;
        let place = self.places.get(path).copied().unwrap_or(other);
        Measure { meter: self.clone(), place, began: Instant::now() }
    }
}

impl Call {
    fn count(&self, code: usize, took: Duration) {
        let within = BOUNDS.partition_point(|bound| *bound < took.as_secs_f64());
        let nanoseconds = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.codes[code.min(CODES - 1)].fetch_add(1, Ordering::Relaxed);
        self.within[within].fetch_add(1, Ordering::Relaxed);
        self.nanoseconds.fetch_add(nanoseconds, Ordering::Relaxed);
    }

    /// How often each code was answered, of those that ever were.
    pub(super) fn codes(&self) -> impl Iterator<Item = (i32, u64)> {
        (0..)
            .zip(&self.codes)
            .map(|(code, count)| (code, count.load(Ordering::Relaxed)))
            .filter(|(_, count)| *count > 0)
    }

    /// Per bound, how many took so long and no longer than it; then those beyond. And all their seconds.
    pub(super) fn times(&self) -> (Vec<u64>, f64) {
        let within = self.within.iter().map(|count| count.load(Ordering::Relaxed)).collect();
        (within, self.nanoseconds.load(Ordering::Relaxed) as f64 / 1e9)
    }
}

/// A request on its way.
pub(super) struct Measure {
    meter: Arc<Meter>,
    place: usize,
    began: Instant,
}

impl Measure {
    /// It is answered, or its stream has begun.
    pub(super) fn end(&self, answer: &Response<Body>) {
        let code = answer.headers().get("grpc-status");
        let code = code.and_then(|code| code.to_str().ok()?.parse().ok()).unwrap_or(0);
        self.meter.calls[self.place].count(code, self.began.elapsed());
    }
}

/// What is counted of answers.
#[derive(Debug, Default)]
pub(super) struct Answers {
    /// Given once more as they had been worked out before.
    pub(super) remembered: AtomicU64,
    /// Worked out.
    pub(super) worked_out: AtomicU64,
    /// Items in those that were worked out …
    pub(super) items: AtomicU64,
    /// … and those among them that only fill up the list.
    pub(super) fallbacks: AtomicU64,
}

impl Answers {
    pub(super) fn remember(&self) {
        self.remembered.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn work_out(&self, items: usize, fallbacks: usize) {
        self.worked_out.fetch_add(1, Ordering::Relaxed);
        self.items.fetch_add(items as u64, Ordering::Relaxed);
        self.fallbacks.fetch_add(fallbacks as u64, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tonic::Status;

    #[test]
    fn requests_are_counted_by_method_code_and_time() {
        let meter = Arc::new(Meter::default());
        let path = "/cartwright.v1.RecommendationService/RelatedItems";
        let good = Response::new(Body::empty());
        let bad = Status::not_found("nothing").into_http();
        meter.begin(path).end(&good);
        meter.begin(path).end(&good);
        meter.begin(path).end(&bad);
        meter.begin("/no.such.Service/Method?customer=17850").end(&bad);
        let call = |service: &str, method: &str| {
            let named =
                |call: &&Call| (call.service.as_str(), call.method.as_str()) == (service, method);
            meter.calls.iter().find(named).expect("it is counted")
        };
        let related = call("RecommendationService", "RelatedItems");
        assert_eq!(related.codes().collect::<Vec<_>>(), [(0, 2), (5, 1)]);
        assert_eq!(related.times().0.iter().sum::<u64>(), 3);
        assert_eq!(call("other", "").codes().collect::<Vec<_>>(), [(5, 1)]);
        related.count(0, Duration::from_millis(1));
        related.count(0, Duration::from_secs(9));
        let (within, seconds) = related.times();
        assert!(within[3] >= 1 && within[BOUNDS.len()] == 1, "{within:?}");
        assert!((9.001..9.5).contains(&seconds), "{seconds}");
    }
}
