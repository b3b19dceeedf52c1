//! The empty twin: the same server, the same bytes, and no looking up. What it costs is what gRPC costs;
//! whatever a request costs beyond that is ours.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use tokio::net::TcpListener;
use tonic::codegen::BoxStream;
use tonic::service::Routes;
use tonic::{Request, Response, Status, Streaming};

use super::door::Door;
use super::guard::Guard;
use super::pb;
use super::served_pb::recommendation_service_server::{
    RecommendationService, RecommendationServiceServer,
};
use super::server::ServeOptions;
use super::wire::Reply;
use super::workers::{Workers, how_many};
use crate::error::{Error, Result};

/// Answers whatever is asked with the next of `replies`, round and round, until `shutdown` completes.
///
/// Errors: there is no reply to give, or a serving thread can't be started or fails.
pub async fn run_twin(
    listener: TcpListener,
    replies: Vec<Vec<u8>>,
    options: &ServeOptions,
    shutdown: impl Future<Output = ()>,
) -> Result<()> {
    if replies.is_empty() {
        return Err(Error::Server("the twin needs at least one reply to give".into()));
    }
    let replies = replies.into_iter().map(Bytes::from).collect();
    let twin = Twin(Arc::new(Replies { replies, next: AtomicUsize::new(0) }));
    let service =
        RecommendationServiceServer::new(twin).max_decoding_message_size(options.max_request_bytes);
    let guard = Arc::new(Guard::new(options)?);
    let door = Door::new(service, Routes::default(), options, guard);
    let mut workers = Workers::start(listener, &door, how_many(options.workers))?;
    tokio::select! {
        ended = workers.ended() => ended,
        () = shutdown => {
            workers.stop();
            Ok(())
        }
    }
}

#[derive(Debug)]
struct Replies {
    replies: Vec<Bytes>,
    next: AtomicUsize,
}

#[derive(Debug)]
struct Twin(Arc<Replies>);

impl Twin {
    fn next(&self) -> Result<Response<Reply>, Status> {
        let Replies { replies, next } = &*self.0;
        let number = next.fetch_add(1, Ordering::Relaxed) % replies.len();
        Ok(Response::new(Reply::Whole(replies[number].clone())))
    }
}

#[tonic::async_trait]
impl RecommendationService for Twin {
    async fn related_items(
        &self,
        _: Request<pb::RelatedItemsRequest>,
    ) -> Result<Response<Reply>, Status> {
        self.next()
    }

    async fn basket_upsell(
        &self,
        _: Request<pb::BasketUpsellRequest>,
    ) -> Result<Response<Reply>, Status> {
        self.next()
    }

    async fn for_customer(
        &self,
        _: Request<pb::ForCustomerRequest>,
    ) -> Result<Response<Reply>, Status> {
        self.next()
    }

    async fn trending_items(
        &self,
        _: Request<pb::TrendingItemsRequest>,
    ) -> Result<Response<Reply>, Status> {
        self.next()
    }

    async fn buy_again_items(
        &self,
        _: Request<pb::BuyAgainItemsRequest>,
    ) -> Result<Response<Reply>, Status> {
        self.next()
    }

    async fn recommend_page(
        &self,
        _: Request<pb::RecommendPageRequest>,
    ) -> Result<Response<Reply>, Status> {
        self.next()
    }

    type StreamForCustomersStream = BoxStream<Reply>;

    async fn stream_for_customers(
        &self,
        _: Request<Streaming<pb::ForCustomerRequest>>,
    ) -> Result<Response<Self::StreamForCustomersStream>, Status> {
        Err(Status::unimplemented("the twin answers one request at a time"))
    }
}
