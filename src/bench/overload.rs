//! More than a server can do: what comes out, how late, and how soon it is well again.
//!
//! First a closed loop says how much it can do. Then an open loop asks several times that much, each request with
//! a deadline, whatever becomes of the others; then half of what it can do, until it is well.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use prost::Message;
use serde::Serialize;
use tokio::sync::mpsc::unbounded_channel;
use tokio::task::{JoinSet, LocalSet};

use super::connection::Connection;
use super::load::{askers, closed, pace};
use super::questions::Questions;
use super::servers::Server;
use crate::error::{Error, Result};
use crate::grpc::pb;

/// How to overload a server.
#[derive(Clone, Debug, PartialEq)]
pub struct Strain {
    /// So many times what it can do is asked for.
    pub times: f64,
    /// How long, and how long each of the stretches before and after.
    pub duration: Duration,
    /// The deadline of each request.
    pub deadline: Duration,
    /// HTTP/2 connections, ≥ 1.
    pub connections: usize,
}

/// What came of it.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Strained {
    /// Answers per second that it can give: 64 under way at any moment, none refused.
    pub peak_per_s: f64,
    /// Requests per second that were asked.
    pub asked_per_s: f64,
    /// Answers per second while so much was asked.
    pub answered_per_s: f64,
    /// That, as a share of what it can do.
    pub goodput: f64,
    /// Share of these answers that were brief, 0 to 1.
    pub degraded: f64,
    /// Share of the requests that were refused at once.
    pub refused: f64,
    /// Share of the requests whose deadline passed.
    pub late: f64,
    /// Median and 99th percentile of the answers, from when each was due, milliseconds.
    pub p50_ms: f64,
    /// See above.
    pub p99_ms: f64,
    /// Seconds until nothing was refused, late or brief any more, once half of what it can do was asked.
    pub recovered_after_s: f64,
    /// Share of the requests that failed otherwise: 0 is hoped for.
    pub failed: f64,
}

/// Requests under way while it is measured how much the server can do.
const IN_FLIGHT: usize = 64;
/// Every so manieth answer is read, to see whether it is a brief one.
const READ: usize = 16;

/// What became of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Answered,
    Brief,
    Refused,
    Late,
    Failed,
}

/// What became of many.
struct Tally {
    counts: [u64; 5],
    latencies: Histogram<u64>,
    read: (u64, u64),
    asked: usize,
    /// When something else than a full answer came last.
    last_unwell: Option<Instant>,
}

impl Tally {
    fn new() -> Result<Self> {
        let failed = |error| Error::Server(format!("no histogram: {error}"));
        let latencies = Histogram::new_with_bounds(1, 60_000_000, 3).map_err(failed)?;
        Ok(Self { counts: [0; 5], latencies, read: (0, 0), asked: 0, last_unwell: None })
    }

    fn note(&mut self, outcome: Outcome, since: Instant) {
        self.counts[outcome as usize] += 1;
        if matches!(outcome, Outcome::Answered | Outcome::Brief) {
            let micros = u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX);
            self.latencies.saturating_record(micros);
        }
        if outcome != Outcome::Answered {
            self.last_unwell = Some(Instant::now());
        }
    }

    fn share(&self, outcome: Outcome) -> f64 {
        self.counts[outcome as usize] as f64 / self.counts.iter().sum::<u64>().max(1) as f64
    }
}

/// Overloads the server and looks at what comes out.
///
/// Errors: it can't be reached, or can't answer in peace.
pub async fn overload(server: &Server, questions: Questions, strain: &Strain) -> Result<Strained> {
    let questions = Arc::new(questions);
    let first = questions.0.first().ok_or_else(|| Error::Server("no question to ask".into()))?;
    let patience = Duration::from_secs(120);
    let ready = Connection::once_ready(server.address, first, patience).await?;
    drop(ready);
    let mut connections = Vec::new();
    for _ in 0..strain.connections.max(1) {
        connections.push(Connection::open(server.address).await?);
    }
    let second = Duration::from_secs(1);
    closed(askers(&connections, &questions, IN_FLIGHT), 0, second).await?; // warms up
    let peace = closed(askers(&connections, &questions, IN_FLIGHT), 0, strain.duration).await?;
    let peak_per_s = peace.latencies.len() as f64 / peace.elapsed.as_secs_f64();

    let asked_per_s = peak_per_s * strain.times;
    let load = Load { connections: &connections, questions: &questions, deadline: strain.deadline };
    let (during, seconds) = load.open(asked_per_s, strain.duration).await?;
    let ended = Instant::now();
    let (after, _) = load.open(peak_per_s / 2.0, strain.duration).await?;

    let of = |outcome| during.counts[outcome as usize] as f64;
    let answered = of(Outcome::Answered) + of(Outcome::Brief);
    let millis = |quantile| during.latencies.value_at_quantile(quantile) as f64 / 1_000.0;
    let unwell = after.last_unwell.map_or(Duration::ZERO, |last| last.duration_since(ended));
    Ok(Strained {
        peak_per_s,
        asked_per_s,
        answered_per_s: answered / seconds,
        goodput: answered / seconds / peak_per_s,
        degraded: during.read.1 as f64 / during.read.0.max(1) as f64,
        refused: during.share(Outcome::Refused),
        late: during.share(Outcome::Late),
        p50_ms: millis(0.5),
        p99_ms: millis(0.99),
        recovered_after_s: unwell.as_secs_f64(),
        failed: during.share(Outcome::Failed) + after.share(Outcome::Failed),
    })
}

/// Where the requests go, and which.
struct Load<'a> {
    connections: &'a [Connection],
    questions: &'a Arc<Questions>,
    deadline: Duration,
}

impl Load<'_> {
    /// So many requests a second, whatever becomes of them; and the seconds until the last was sent.
    async fn open(&self, rate: f64, duration: Duration) -> Result<(Tally, f64)> {
        let tally = Rc::new(RefCell::new(Tally::new()?));
        let (due, mut dues) = unbounded_channel();
        let started = Instant::now();
        let pacing = std::thread::spawn(move || pace(rate, duration, &due));
        let mut sent = 0.0;
        let ask_all = async {
            let mut askers = JoinSet::new();
            let mut connections = self.connections.iter().cycle();
            while let (Some(since), Some(connection)) = (dues.recv().await, connections.next()) {
                let (mut connection, tally) = (connection.clone(), tally.clone());
                let (questions, deadline) = (self.questions.clone(), self.deadline);
                askers.spawn_local(async move {
                    ask(&mut connection, &questions, &tally, since, deadline).await;
                });
                while askers.try_join_next().is_some() {}
                sent = started.elapsed().as_secs_f64();
            }
            askers.join_all().await;
        };
        LocalSet::new().run_until(ask_all).await;
        pacing.join().map_err(|_| Error::Server("the pacing thread panicked".into()))?;
        let tally = Rc::into_inner(tally).map(RefCell::into_inner);
        let tally = tally.ok_or_else(|| Error::Server("a request has no end".into()))?;
        Ok((tally, sent.max(f64::EPSILON)))
    }
}

async fn ask(
    connection: &mut Connection,
    questions: &Questions,
    tally: &RefCell<Tally>,
    since: Instant,
    deadline: Duration,
) {
    let number = tally.borrow().asked;
    tally.borrow_mut().asked += 1;
    let question = &questions.0[number % questions.len()];
    let is_read = number.is_multiple_of(READ);
    let mut reply = Vec::new();
    let take = |piece: &bytes::Bytes| {
        if is_read {
            reply.extend_from_slice(piece);
        }
    };
    let outcome = match connection.ask_within(question, deadline, take).await {
        Ok(Some(0)) if is_brief(&reply) => Outcome::Brief,
        Ok(Some(0)) => Outcome::Answered,
        Ok(Some(8)) => Outcome::Refused,
        Ok(Some(4)) => Outcome::Late,
        _ => Outcome::Failed,
    };
    let mut tally = tally.borrow_mut();
    if is_read && matches!(outcome, Outcome::Answered | Outcome::Brief) {
        tally.read.0 += 1;
        tally.read.1 += u64::from(outcome == Outcome::Brief);
    }
    tally.note(outcome, since);
}

/// Whether the reply, in gRPC's frame, is marked as degraded. All responses are alike there.
fn is_brief(reply: &[u8]) -> bool {
    let message = reply.get(5..).unwrap_or_default();
    pb::RelatedItemsResponse::decode(message).is_ok_and(|response| response.degraded)
}
