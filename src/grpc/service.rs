//! The methods: check, ask, answer.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::Semaphore;
use tokio_stream::{Stream, StreamExt};
use tonic::codegen::BoxStream;
use tonic::{Request, Response, Status, Streaming};

use super::admission::{Queue, no_room};
use super::convert::Asked;
use super::convert_hot::placements;
use super::desk::{answer_at_desk, page_at_desk};
use super::pb;
use super::served::{Counter, Served};
use super::served_pb::recommendation_service_server::RecommendationService;
use super::wire::{Reply, addressed};
use crate::error::{Error, Result};
use crate::recommend::Effort;

/// `cartwright.v1.RecommendationService`.
#[derive(Debug)]
pub(super) struct Recommendations {
    counter: Arc<Counter>,
    /// Memory for answers that may be given again, bytes per serving thread.
    desk_bytes: usize,
    /// Where requests wait: when many do, answers are brief.
    queue: Arc<Queue>,
    /// Streams that may be open at once: each may hold half of a request for as long as its client likes.
    streams: Arc<Semaphore>,
}

/// So many streams are open at once in the whole server, at most.
const MOST_STREAMS: usize = 64;

impl Recommendations {
    pub(super) fn new(counter: Arc<Counter>, desk_bytes: usize, queue: Arc<Queue>) -> Self {
        Self { counter, desk_bytes, queue, streams: Arc::new(Semaphore::new(MOST_STREAMS)) }
    }

    fn answer<'a, T>(&self, request: &'a T) -> Result<Response<Reply>, Status>
    where
        Asked<'a>: TryFrom<&'a T, Error = Error>,
    {
        let asked = Asked::try_from(request)?;
        let served = self.counter.served_or_not_yet()?;
        let answer = answer_at_desk(&served, asked, self.desk_bytes, self.queue.effort())?;
        Ok(Response::new(self.counter.reply(&served, answer)))
    }

    fn page(&self, request: &pb::RecommendPageRequest) -> Result<Response<Reply>, Status> {
        let placements = placements(request)?;
        let served = self.counter.served_or_not_yet()?;
        let answer = page_at_desk(&served, placements, self.queue.effort())?;
        Ok(Response::new(self.counter.reply(&served, answer)))
    }
}

impl Counter {
    fn reply(&self, served: &Served, recommendations: Bytes) -> Reply {
        let generation = served.snapshot().manifest.generation;
        Reply::Answer { recommendations, number: self.number(), generation }
    }

    /// The answer to a request of a stream, which is not remembered: of a night's mails none is asked again. It
    /// is never a brief one: a mail can't be sent again.
    fn streamed(&self, request: &pb::ForCustomerRequest, place: u64) -> Result<Reply, Status> {
        let within = |error: Error| error.within(&format!("requests[{place}]."));
        let asked = Asked::try_from(request).map_err(within)?;
        let served = self.served_or_not_yet()?;
        let answer = answer_at_desk(&served, asked, 0, Effort::Full).map_err(within)?;
        let customer = request.customer_id.as_deref().unwrap_or_default();
        Ok(self.reply(&served, addressed(&answer, customer)))
    }
}

/// An answer for each request of a stream, worked out when the one before has been taken: whoever reads slowly
/// is written to slowly, and nothing piles up. Each waits until there is room in the queue: a stream that stands
/// open takes none, and a night's mails give way to those who wait for a page.
fn answers<R, A>(
    requests: impl Stream<Item = Result<R, Status>>,
    queue: Arc<Queue>,
    answer: impl Fn(&R, u64) -> Result<A, Status>,
) -> impl Stream<Item = Result<A, Status>> {
    let answer = Arc::new(answer);
    let mut place = 0;
    let answers = requests.then(move |request| {
        let (answer, queue) = (answer.clone(), queue.clone());
        let here = place;
        place += 1;
        async move {
            // Others on this thread want to be served too.
            tokio::task::yield_now().await;
            let request = request?;
            let _inside = queue.enter_in_time().await;
            answer(&request, here)
        }
    });
    until_failed(answers)
}

/// The stream up to its first failure, which is its end.
fn until_failed<T>(
    stream: impl Stream<Item = Result<T, Status>>,
) -> impl Stream<Item = Result<T, Status>> {
    let mut failed = false;
    stream.take_while(move |answer| {
        let goes_on = !failed;
        failed = answer.is_err();
        goes_on
    })
}

#[tonic::async_trait]
impl RecommendationService for Recommendations {
    async fn related_items(
        &self,
        request: Request<pb::RelatedItemsRequest>,
    ) -> Result<Response<Reply>, Status> {
        self.answer(request.get_ref())
    }

    async fn basket_upsell(
        &self,
        request: Request<pb::BasketUpsellRequest>,
    ) -> Result<Response<Reply>, Status> {
        self.answer(request.get_ref())
    }

    async fn for_customer(
        &self,
        request: Request<pb::ForCustomerRequest>,
    ) -> Result<Response<Reply>, Status> {
        self.answer(request.get_ref())
    }

    async fn trending_items(
        &self,
        request: Request<pb::TrendingItemsRequest>,
    ) -> Result<Response<Reply>, Status> {
        self.answer(request.get_ref())
    }

    async fn buy_again_items(
        &self,
        request: Request<pb::BuyAgainItemsRequest>,
    ) -> Result<Response<Reply>, Status> {
        self.answer(request.get_ref())
    }

    async fn recommend_page(
        &self,
        request: Request<pb::RecommendPageRequest>,
    ) -> Result<Response<Reply>, Status> {
        self.page(request.get_ref())
    }

    type StreamForCustomersStream = BoxStream<Reply>;

    async fn stream_for_customers(
        &self,
        request: Request<Streaming<pb::ForCustomerRequest>>,
    ) -> Result<Response<Self::StreamForCustomersStream>, Status> {
        let open = self.streams.clone().try_acquire_owned().map_err(|_| no_room())?;
        let counter = self.counter.clone();
        let answer = move |request: &_, place| {
            let _until_it_ends = &open;
            counter.streamed(request, place)
        };
        Ok(Response::new(Box::pin(answers(request.into_inner(), self.queue.clone(), answer))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    fn room() -> Arc<Queue> {
        Arc::new(Queue::new(1))
    }

    /// However many streams there were, they were worked on beside a full queue.
    #[tokio::test]
    async fn an_answer_of_a_stream_waits_until_there_is_room_and_leaves_it_again() {
        let queue = room();
        let requests = tokio_stream::iter(0..3u64).map(Ok);
        let answer = |_: &u64, _| {
            assert!(queue.enter().is_none(), "it has a place while it is worked out");
            Ok(())
        };
        let mut answers = std::pin::pin!(answers(requests, queue.clone(), answer));
        let other = queue.enter().expect("there is room");
        let waited = Duration::from_millis(50);
        assert!(tokio::time::timeout(waited, answers.next()).await.is_err(), "there is no room");
        drop(other);
        for _ in 0..3 {
            answers.next().await.unwrap().unwrap();
            drop(queue.enter().expect("none is taken while the answer is on its way"));
        }
        assert!(answers.next().await.is_none());
    }

    /// Memory is bounded because of this: at any moment one request is held, or one answer, and no more.
    #[tokio::test]
    async fn no_request_is_taken_before_the_answer_to_the_one_before_has_been() {
        let (taken, worked_out) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let requests = tokio_stream::iter(0..1_000_000u64).map(|n| {
            taken.fetch_add(1, Ordering::Relaxed);
            Ok(n)
        });
        let answer = |request: &u64, place: u64| {
            worked_out.fetch_add(1, Ordering::Relaxed);
            assert_eq!(*request, place);
            Ok(request + 1)
        };
        let mut answers = std::pin::pin!(answers(requests, room(), answer));
        for read in 1..=100 {
            assert_eq!(answers.next().await.unwrap().unwrap(), read);
            tokio::time::sleep(Duration::from_millis(1)).await;
            let count = |of: &AtomicUsize| of.load(Ordering::Relaxed) as u64;
            assert_eq!((count(&taken), count(&worked_out)), (read, read));
        }
    }

    #[tokio::test]
    async fn nothing_is_taken_after_a_failure() {
        let taken = AtomicUsize::new(0);
        let requests = tokio_stream::iter(0..1_000u64).map(|n| {
            taken.fetch_add(1, Ordering::Relaxed);
            Ok(n)
        });
        let answer = |request: &u64, _| match request {
            0..3 => Ok(()),
            _ => Err(Status::invalid_argument("the fourth")),
        };
        let all: Vec<_> = answers(requests, room(), answer).collect().await;
        assert_eq!(all.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, true, true, false]);
        // The end is noticed when the next is looked for.
        assert!(taken.load(Ordering::Relaxed) <= 5, "{taken:?}");
    }
}
