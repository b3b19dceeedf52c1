//! Load, and how long the answers take.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::{JoinSet, LocalSet};

use super::connection::Connection;
use super::questions::Questions;
use crate::error::{Error, Result};

/// What was measured in one slice of time.
#[derive(Clone, Debug)]
pub(super) struct Slice {
    /// Nanoseconds from when a request was to be sent until its reply was there.
    pub(super) latencies: Histogram<u64>,
    pub(super) elapsed: Duration,
}

/// Asks questions by their number, one after the other.
pub(super) trait Asker {
    /// Errors: there is no answer.
    async fn ask(&mut self, number: usize) -> Result<()>;
}

/// Over HTTP/2.
impl Asker for (Connection, Arc<Questions>) {
    async fn ask(&mut self, number: usize) -> Result<()> {
        let (connection, questions) = self;
        connection.ask(&questions.0[number % questions.len()], |_| {}).await
    }
}

/// So many who ask over these connections.
pub(super) fn askers(
    connections: &[Connection],
    questions: &Arc<Questions>,
    count: usize,
) -> impl Iterator<Item = impl Asker + 'static> {
    let connections = connections.iter().cycle().take(count);
    connections.map(|connection| (connection.clone(), questions.clone()))
}

/// Which question is next, and where the latencies go: shared by all that ask at once.
struct Shared {
    next: Cell<usize>,
    latencies: RefCell<Histogram<u64>>,
    failure: RefCell<Option<Error>>,
}

impl Shared {
    fn new(first: usize) -> Result<Rc<Self>> {
        let failed = |error| Error::Server(format!("no histogram: {error}"));
        let latencies = Histogram::new_with_bounds(1, 60_000_000_000, 3).map_err(failed)?;
        Ok(Rc::new(Self {
            next: Cell::new(first),
            latencies: RefCell::new(latencies),
            failure: RefCell::default(),
        }))
    }

    /// Asks the next question; its latency runs from `since`.
    async fn ask(&self, asker: &mut impl Asker, since: Instant) {
        let number = self.next.get();
        self.next.set(number + 1);
        match asker.ask(number).await {
            Ok(()) => {
                let nanoseconds = u64::try_from(since.elapsed().as_nanos()).unwrap_or(u64::MAX);
                self.latencies.borrow_mut().saturating_record(nanoseconds);
            }
            Err(error) => {
                self.failure.borrow_mut().get_or_insert(error);
            }
        }
    }

    fn has_failed(&self) -> bool {
        self.failure.borrow().is_some()
    }

    fn finish(&self, elapsed: Duration) -> Result<Slice> {
        match self.failure.take() {
            Some(error) => Err(error),
            None => Ok(Slice { latencies: self.latencies.borrow().clone(), elapsed }),
        }
    }
}

/// Closed loop: each asks again as soon as it has its answer. They begin with question number `first`.
///
/// Errors: a request failed.
pub(super) async fn closed(
    askers: impl IntoIterator<Item = impl Asker + 'static>,
    first: usize,
    duration: Duration,
) -> Result<Slice> {
    let shared = Shared::new(first)?;
    let started = Instant::now();
    let mut asking = JoinSet::new();
    let local = LocalSet::new();
    for mut asker in askers {
        let shared = shared.clone();
        let ask_on = async move {
            while started.elapsed() < duration && !shared.has_failed() {
                shared.ask(&mut asker, Instant::now()).await;
            }
        };
        asking.spawn_local_on(ask_on, &local);
    }
    local.run_until(asking.join_all()).await;
    shared.finish(started.elapsed())
}

/// Open loop: `rate` requests a second, whether or not the server keeps up. Latency counts from the
/// moment a request was meant to be sent, so that a server which stalls is charged for all who had to
/// wait (no coordinated omission).
///
/// Errors: a request failed.
pub(super) async fn open(
    connections: &[Connection],
    questions: &Arc<Questions>,
    first: usize,
    rate: f64,
    duration: Duration,
) -> Result<Slice> {
    let shared = Shared::new(first)?;
    let (due, mut dues) = unbounded_channel();
    let started = Instant::now();
    let pacing = std::thread::spawn(move || pace(rate, duration, &due));
    let ask_all = async {
        // Tasks of their own, or a slow answer would hold up the next question.
        let mut askers = JoinSet::new();
        let mut connections = connections.iter().cycle();
        while let (Some(since), false) = (dues.recv().await, shared.has_failed()) {
            let Some(connection) = connections.next() else { break };
            let (mut asker, shared) = ((connection.clone(), questions.clone()), shared.clone());
            askers.spawn_local(async move { shared.ask(&mut asker, since).await });
            while askers.try_join_next().is_some() {}
        }
        askers.join_all().await;
    };
    LocalSet::new().run_until(ask_all).await;
    drop(dues); // ends the pacing thread, if a failure came first
    pacing.join().map_err(|_| Error::Server("the pacing thread panicked".into()))?;
    shared.finish(started.elapsed())
}

/// Says when each request is due. A thread of its own, since an async timer has a grain of 1 ms.
pub(super) fn pace(rate: f64, duration: Duration, due: &UnboundedSender<Instant>) {
    let started = Instant::now();
    for number in 0.. {
        let at = Duration::from_secs_f64(f64::from(number) / rate);
        if at >= duration {
            return;
        }
        let ahead = at.saturating_sub(started.elapsed());
        if !ahead.is_zero() {
            std::thread::sleep(ahead);
        }
        if due.send(started + at).is_err() {
            return;
        }
    }
}
