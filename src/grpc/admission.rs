//! How many may be inside at once, and how long each may take.
//!
//! Beyond half of the bound answers are brief, and marked so. Beyond the bound a request is refused at once:
//! RESOURCE_EXHAUSTED, with the time after which to try again. A request that has waited past its deadline is not
//! worked out any more: nobody waits for the answer.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::task::JoinError;
use tokio::time::Sleep;
use tonic::body::Body;
use tonic::codegen::BoxFuture;
use tonic::codegen::http::{HeaderMap, Response};
use tonic::{Code, Request, Status};
use tonic_types::{ErrorDetails, StatusExt};

use super::meter::Measure;
use crate::recommend::Effort;

/// After so long a client that was refused may try again: a full queue is worked off by then.
const RETRY_AFTER: Duration = Duration::from_millis(100);

/// Whoever waits for room looks so often whether there is some.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// The requests inside, of all connections and threads.
#[derive(Debug)]
pub(super) struct Queue {
    inside: AtomicUsize,
    most: usize,
    refused: AtomicU64,
    brief: AtomicU64,
}

/// What became of those who found the queue long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) refused: u64,
    pub(super) brief: u64,
}

/// One request's place inside; given back when dropped, however the request ends.
#[derive(Debug)]
pub(super) struct Inside(Arc<Queue>);

/// A request's places inside, shared by all who work on it: in the server, and among those of its connection.
pub(super) type Places = Arc<[Option<Inside>; 2]>;

/// Those of a request, where it has any.
pub(super) fn places<T>(request: &Request<T>) -> Option<Places> {
    request.extensions().get().cloned()
}

/// Works on a thread that may block. The places of the request are kept until that is done: such work goes on where
/// nobody waits for the answer any more.
///
/// Errors: the work panicked.
pub(super) async fn aside<T: Send + 'static>(
    places: Option<Places>,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, JoinError> {
    let kept = move || {
        let done = work();
        drop(places);
        done
    };
    tokio::task::spawn_blocking(kept).await
}

impl Queue {
    pub(super) fn new(most: usize) -> Self {
        let (refused, brief) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { inside: AtomicUsize::new(0), most, refused, brief }
    }

    /// `None` if there are as many inside as may be.
    pub(super) fn enter(self: &Arc<Self>) -> Option<Inside> {
        let inside = self.entered();
        if inside.is_none() {
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
        inside
    }

    /// Waits until there is room.
    pub(super) async fn enter_in_time(self: &Arc<Self>) -> Inside {
        loop {
            match self.entered() {
                Some(inside) => return inside,
                None => tokio::time::sleep(LOOK_AGAIN).await,
            }
        }
    }

    fn entered(self: &Arc<Self>) -> Option<Inside> {
        let inside = Inside(self.clone());
        let before = self.inside.fetch_add(1, Ordering::Relaxed);
        (before < self.most).then_some(inside) // dropped, it leaves again
    }

    /// How much trouble to take over an answer now: from half of the queue on, little. So the queue is worked off
    /// sooner, and fewer are refused.
    pub(super) fn effort(&self) -> Effort {
        if self.inside.load(Ordering::Relaxed) * 2 <= self.most {
            return Effort::Full;
        }
        self.brief.fetch_add(1, Ordering::Relaxed);
        Effort::Brief
    }

    /// How many are inside.
    pub(super) fn inside(&self) -> usize {
        self.inside.load(Ordering::Relaxed)
    }

    /// How many were refused, and how many were asked for a brief answer, since the start.
    pub(super) fn tally(&self) -> Tally {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Tally { refused: of(&self.refused), brief: of(&self.brief) }
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.inside.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What a client is told for whom there is no room.
pub(super) fn no_room() -> Status {
    try_again("as many requests as may be are being answered; try again", RETRY_AFTER)
}

/// RESOURCE_EXHAUSTED, with the time after which to try again.
pub(super) fn try_again(message: &str, after: Duration) -> Status {
    let details = ErrorDetails::with_retry_info(Some(after));
    Status::with_error_details(Code::ResourceExhausted, message, details)
}

/// The time that a request may take: the client's, and never more than the server's.
///
/// Errors: `grpc-timeout` is there and is none. Source: gRPC over HTTP2, "Timeout".
pub(super) fn time_allowed(headers: &HeaderMap, most: Duration) -> Result<Duration, Status> {
    let Some(text) = headers.get("grpc-timeout") else { return Ok(most) };
    let asked = text.to_str().ok().and_then(timeout);
    let broken =
        || Status::invalid_argument("grpc-timeout must be 1 to 8 digits and one of HMSmun");
    asked.map(|asked| asked.min(most)).ok_or_else(broken)
}

fn timeout(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if !(1..=8).contains(&number.len()) || !number.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let number: u64 = number.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(number * 3_600),
        "M" => Duration::from_secs(number * 60),
        "S" => Duration::from_secs(number),
        "m" => Duration::from_millis(number),
        "u" => Duration::from_micros(number),
        "n" => Duration::from_nanos(number),
        _ => return None,
    })
}

/// A request being answered, until its deadline.
///
/// The deadline is looked at before each step. A timer is only set for a request that has to wait, for its body
/// most likely: most have it with them, and a timer costs as much as finding their way does.
pub(super) struct Timely {
    answering: BoxFuture<Response<Body>, Infallible>,
    deadline: Instant,
    timer: Option<Pin<Box<Sleep>>>,
    measure: Measure,
    _inside: [Option<Inside>; 2],
}

impl Timely {
    pub(super) fn new(
        answering: BoxFuture<Response<Body>, Infallible>,
        deadline: Instant,
        measure: Measure,
        inside: [Option<Inside>; 2],
    ) -> Self {
        Self { answering, deadline, timer: None, measure, _inside: inside }
    }

    fn polled(&mut self, context: &mut Context<'_>) -> Poll<Result<Response<Body>, Infallible>> {
        let too_late = || Status::deadline_exceeded("the deadline has passed").into_http();
        if Instant::now() >= self.deadline {
            return Poll::Ready(Ok(too_late()));
        }
        if let Poll::Ready(answer) = self.answering.as_mut().poll(context) {
            return Poll::Ready(answer);
        }
        let deadline = self.deadline.into();
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        timer.as_mut().poll(context).map(|()| Ok(too_late()))
    }
}

impl Future for Timely {
    type Output = Result<Response<Body>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let polled = self.polled(context);
        if let Poll::Ready(Ok(answer)) = &polled {
            self.measure.end(answer);
        }
        polled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_reads_as_the_protocol_writes_it() {
        for (text, expected) in [
            ("1H", Duration::from_secs(3_600)),
            ("2M", Duration::from_secs(120)),
            ("3S", Duration::from_secs(3)),
            ("40m", Duration::from_millis(40)),
            ("99999999u", Duration::from_micros(99_999_999)),
            ("0n", Duration::ZERO),
        ] {
            assert_eq!(timeout(text), Some(expected), "{text}");
        }
        for text in ["", "S", "5", "123456789m", "-1S", "1 S", "1s", "1.5S", "٣S", "5€"] {
            assert_eq!(timeout(text), None, "{text}");
        }
    }

    #[test]
    fn the_shorter_time_counts() {
        let allowed = |text: &'static str| {
            let headers = [("grpc-timeout".parse().expect("a name"), text.parse().expect("text"))];
            time_allowed(&headers.into_iter().collect(), Duration::from_secs(1)).ok()
        };
        assert_eq!(allowed("10m"), Some(Duration::from_millis(10)));
        assert_eq!(allowed("10S"), Some(Duration::from_secs(1)));
        assert_eq!(allowed("soon"), None);
    }

    #[test]
    fn beyond_half_of_the_queue_answers_are_brief_and_both_are_counted() {
        let queue = Arc::new(Queue::new(4));
        let mut inside = vec![queue.enter(), queue.enter()];
        assert_eq!(queue.effort(), Effort::Full);
        inside.extend([queue.enter(), queue.enter()]);
        assert_eq!(queue.effort(), Effort::Brief);
        assert!(queue.enter().is_none());
        assert_eq!(queue.tally(), Tally { refused: 1, brief: 1 });
        inside.truncate(2);
        assert_eq!(queue.effort(), Effort::Full);
    }

    #[tokio::test]
    async fn who_can_wait_enters_when_another_leaves_and_is_not_refused() {
        let queue = Arc::new(Queue::new(1));
        let first = queue.enter();
        let waiting = tokio::time::timeout(5 * LOOK_AGAIN, queue.enter_in_time()).await;
        assert!(first.is_some() && waiting.is_err());
        drop(first);
        drop(queue.enter_in_time().await);
        assert_eq!(queue.tally(), Tally::default());
        assert!(queue.enter().is_some());
    }

    #[tokio::test]
    async fn work_that_nobody_waits_for_any_more_keeps_its_place() {
        let queue = Arc::new(Queue::new(1));
        let places: Places = Arc::new([queue.enter(), None]);
        let (go_on, waiting) = std::sync::mpsc::channel::<()>();
        let work = aside(Some(places), move || waiting.recv());
        let gone = tokio::time::timeout(Duration::from_millis(20), work).await;
        assert!(gone.is_err() && queue.enter().is_none(), "it is still at work");
        drop(go_on);
        tokio::time::timeout(Duration::from_secs(10), queue.enter_in_time()).await.expect("done");
    }

    #[test]
    fn whoever_leaves_makes_room() {
        let queue = Arc::new(Queue::new(2));
        let (one, two) = (queue.enter(), queue.enter());
        assert!(
            one.is_some() && two.is_some() && queue.enter().is_none() && queue.enter().is_none()
        );
        drop(one);
        assert!(queue.enter().is_some());
    }
}
