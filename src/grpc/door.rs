//! From a connection to the service: hyper speaks HTTP/2, and a request goes straight to its method.
//!
//! tonic's own transport would wrap each request in a router, boxes, a span and a timer for its deadline; the
//! layers cost as much as the answer. Keys, queue and deadline are the [`Guard`]'s.

use std::convert::Infallible;
use std::future::ready;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::Service;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tonic::body::Body;
use tonic::codegen::BoxFuture;
use tonic::codegen::http::{Request, Response};
use tonic::service::Routes;
use tracing::debug;

use super::admission::{Places, Queue, Timely, no_room};
use super::greeting::Greeting;
use super::guard::Guard;
use super::served_pb::recommendation_service_server::{
    RecommendationService, RecommendationServiceServer,
};
use super::server::ServeOptions;

/// What stands open on a connection.
#[derive(Debug)]
pub(super) struct Door<T> {
    /// The recommendations: requests take no detour.
    pub(super) quick: RecommendationServiceServer<T>,
    /// Everything else: health, reflection, the index.
    pub(super) rest: Routes,
    pub(super) streams_per_connection: u32,
    pub(super) most_connections: usize,
    guard: Arc<Guard>,
    /// Who is at the other end.
    from: IpAddr,
    /// The requests of this connection: it may not take all the room there is.
    own: Arc<Queue>,
    share: usize,
}

/// Of what a client sends on one stream, so much may wait to be read: a stream of requests that is not read on holds
/// thousands of these …
const STREAM_WINDOW: u32 = 64 << 10;
/// … and so much of all its streams. Where each request has a frame of its own, as most clients send them, h2 counts
/// what small frames cost it, up to half of this window, and hangs up on whoever makes it hold more: so this is wide.
const CONNECTION_WINDOW: u32 = 4 << 20;

/// Where the methods of the quick service are.
const QUICK: &str = "/cartwright.v1.RecommendationService/";

impl<T> Clone for Door<T> {
    fn clone(&self) -> Self {
        let (quick, rest, guard) = (self.quick.clone(), self.rest.clone(), self.guard.clone());
        Self { quick, rest, guard, own: self.own.clone(), ..*self }
    }
}

impl<T> Door<T> {
    /// A door to the recommendations, and to `rest` for whatever else is asked.
    pub(super) fn new(
        quick: RecommendationServiceServer<T>,
        rest: Routes,
        options: &ServeOptions,
        guard: Arc<Guard>,
    ) -> Self {
        let streams_per_connection = options.streams_per_connection;
        let most_connections = options.connections;
        let from = IpAddr::from([0, 0, 0, 0]); // nobody yet
        let share = options.queue.div_ceil(2).max(1);
        let own = Arc::new(Queue::new(share));
        Self { quick, rest, streams_per_connection, most_connections, guard, from, own, share }
    }
}

impl<T: RecommendationService> Service<Request<Incoming>> for Door<T> {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Timely;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        let path = request.uri().path();
        let measure = self.guard.meter().begin(path);
        let admitted = self.guard.admit(path, request.headers(), self.from).and_then(|admitted| {
            let (deadline, inside) = admitted;
            let own = self.own.enter();
            let has_room = own.is_some() || inside.is_none(); // health always has
            if has_room { Ok((deadline, [inside, own])) } else { Err(no_room()) }
        });
        let (deadline, mut inside) = match admitted {
            Ok(admitted) => admitted,
            Err(status) => {
                let soon = Instant::now() + Duration::from_secs(60); // it is ready
                let refusal: BoxFuture<_, _> = Box::pin(ready(Ok(status.into_http())));
                return Timely::new(refusal, soon, measure, [None, None]);
            }
        };
        let answering = if path.starts_with(QUICK) {
            tonic::codegen::Service::call(&mut self.quick.clone(), request)
        } else {
            let mut rest = self.rest.clone();
            let places: Places = Arc::new(std::mem::take(&mut inside));
            request.extensions_mut().insert(places.clone());
            Box::pin(async move {
                let _places = places;
                tonic::codegen::Service::call(&mut rest, request).await
            })
        };
        // Health and reflection may be watched for as long as the client likes: only their start is timed.
        Timely::new(answering, deadline, measure, inside)
    }
}

/// A client has so long to agree on encryption, and then so long to say that it speaks HTTP/2.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Headers of a request, bytes, at most.
const MAX_HEADER_BYTES: u32 = 16 << 10;

/// Serves one connection until the other side hangs up, or until it has finished what it was at once
/// `stopped` says true.
pub(super) async fn serve_connection<T: RecommendationService>(
    connection: TcpStream,
    mut door: Door<T>,
    stopped: watch::Receiver<bool>,
) {
    door.own = Arc::new(Queue::new(door.share));
    if let Ok(peer) = connection.peer_addr() {
        door.from = peer.ip().to_canonical();
    }
    let Some(tls) = door.guard.tls() else { return speak(connection, door, stopped).await };
    match tokio::time::timeout(HANDSHAKE, tls.accept(connection)).await {
        Ok(Ok(encrypted)) => speak(encrypted, door, stopped).await,
        Ok(Err(error)) => debug!(from = %door.from, %error, "no encryption was agreed on"),
        Err(_) => debug!(from = %door.from, "encryption was not agreed on in time"),
    }
}

async fn speak<T: RecommendationService>(
    connection: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    door: Door<T>,
    mut stopped: watch::Receiver<bool>,
) {
    let mut connection = pin!(
        http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .max_concurrent_streams(door.streams_per_connection)
            .max_header_list_size(MAX_HEADER_BYTES)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .keep_alive_interval(Some(Duration::from_secs(30)))
            .keep_alive_timeout(Duration::from_secs(20))
            .serve_connection(TokioIo::new(Greeting::within(HANDSHAKE, connection)), door)
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
