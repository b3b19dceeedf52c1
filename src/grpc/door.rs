//! From a connection to the service: hyper speaks HTTP/2, and a request goes straight to its method.
//!
//! tonic's own transport would wrap each request in a router, boxes, a span and a timer for its deadline.
//! Our methods never wait, so that no deadline can pass in them; the layers cost as much as the answer.

use std::convert::Infallible;
use std::pin::pin;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::Service;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tonic::body::Body;
use tonic::codegen::BoxFuture;
use tonic::codegen::http::{Request, Response};
use tonic::service::Routes;
use tracing::debug;

use super::served_pb::recommendation_service_server::{
    RecommendationService, RecommendationServiceServer,
};
use super::server::ServeOptions;

/// What stands open on a connection.
#[derive(Debug)]
pub(super) struct Door<T> {
    /// The recommendations: requests take no detour.
    pub(super) quick: RecommendationServiceServer<T>,
    /// Everything else: health, reflection.
    pub(super) rest: Routes,
    pub(super) streams_per_connection: u32,
}

/// Where the methods of the quick service are.
const QUICK: &str = "/cartwright.v1.RecommendationService/";

impl<T> Clone for Door<T> {
    fn clone(&self) -> Self {
        let Self { quick, rest, streams_per_connection } = self;
        let (quick, rest) = (quick.clone(), rest.clone());
        Self { quick, rest, streams_per_connection: *streams_per_connection }
    }
}

impl<T> Door<T> {
    /// A door to the recommendations, and to `rest` for whatever else is asked.
    pub(super) fn new(
        quick: RecommendationServiceServer<T>,
        rest: Routes,
        options: &ServeOptions,
    ) -> Self {
        let streams_per_connection = options.streams_per_connection;
        Self { quick, rest, streams_per_connection }
    }
}

impl<T: RecommendationService> Service<Request<Incoming>> for Door<T> {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Response<Body>, Infallible>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        if request.uri().path().starts_with(QUICK) {
            tonic::codegen::Service::call(&mut self.quick.clone(), request)
        } else {
            let mut rest = self.rest.clone();
            Box::pin(async move { tonic::codegen::Service::call(&mut rest, request).await })
        }
    }
}

/// Serves one connection until the other side hangs up, or until it has finished what it was at once
/// `stopped` says true.
pub(super) async fn serve_connection<T: RecommendationService>(
    connection: TcpStream,
    door: Door<T>,
    mut stopped: watch::Receiver<bool>,
) {
    let mut connection = pin!(
        http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .max_concurrent_streams(door.streams_per_connection)
            .keep_alive_interval(Some(Duration::from_secs(30)))
            .keep_alive_timeout(Duration::from_secs(20))
            .serve_connection(TokioIo::new(connection), door)
    );
    let stopped = async move {
        let _ = stopped.wait_for(|stopped| *stopped).await; // a dropped sender means the same
    };
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stopped => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        debug!(%error, "a connection broke");
    }
}
