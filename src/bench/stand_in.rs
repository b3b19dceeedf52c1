//! Servers that answer without thinking: what they cost is the floor.

use std::convert::Infallible;
use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::error::{Error, Result};

/// What a process of the comparison plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The server itself.
    Real,
    /// The same gRPC server, with recorded replies.
    Twin,
    /// hyper's HTTP/2 and nothing else, with the same replies.
    Raw,
    /// Redis, with the same replies.
    Redis,
}

/// Answers whatever is asked with the next of `replies` (messages without frame) in gRPC's frame and
/// with its trailers, by hyper alone, until `shutdown` completes.
///
/// Errors: there is no reply to give.
pub async fn run_raw(
    listener: TcpListener,
    replies: Vec<Vec<u8>>,
    shutdown: impl Future<Output = ()>,
) -> Result<()> {
    if replies.is_empty() {
        return Err(Error::Server("there is no reply to give".into()));
    }
    let replies: Arc<[Bytes]> = replies.iter().map(|reply| framed(reply)).collect();
    let next = Arc::new(AtomicUsize::new(0));
    let mut connections = JoinSet::new();
    let accept = async {
        loop {
            let Ok((stream, _)) = listener.accept().await else { continue };
            let _ = stream.set_nodelay(true);
            let (replies, next) = (replies.clone(), next.clone());
            let service = service_fn(move |request: Request<Incoming>| {
                let number = next.fetch_add(1, Ordering::Relaxed) % replies.len();
                give(request, replies[number].clone())
            });
            connections.spawn(
                hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                    .max_concurrent_streams(1_000)
                    .serve_connection(TokioIo::new(stream), service),
            );
            while connections.try_join_next().is_some() {}
        }
    };
    tokio::select! {
        () = accept => {}
        () = shutdown => {}
    }
    Ok(())
}

fn framed(message: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(5 + message.len());
    frame.put_u8(0); // not compressed
    frame.put_u32(u32::try_from(message.len()).expect("replies are small"));
    frame.put_slice(message);
    frame.freeze()
}

async fn give(request: Request<Incoming>, reply: Bytes) -> Result<Response<Reply>, Infallible> {
    let mut asked = request.into_body();
    while let Some(Ok(_)) = asked.frame().await {}
    let mut response = Response::new(Reply::Data(reply));
    let grpc = HeaderValue::from_static("application/grpc");
    response.headers_mut().insert("content-type", grpc);
    Ok(response)
}

/// One piece of data, and trailers.
enum Reply {
    Data(Bytes),
    Trailers,
    End,
}

impl Body for Reply {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(match std::mem::replace(&mut *self, Self::End) {
            Self::Data(data) => {
                *self = Self::Trailers;
                Some(Ok(Frame::data(data)))
            }
            Self::Trailers => {
                let mut trailers = HeaderMap::with_capacity(1);
                trailers.insert("grpc-status", HeaderValue::from_static("0"));
                Some(Ok(Frame::trailers(trailers)))
            }
            Self::End => None,
        })
    }
}

/// Writes replies to a file, for a stand-in to give.
///
/// Errors: the disk.
pub fn write_replies(path: &Path, replies: &[Bytes]) -> Result<()> {
    let mut file = BytesMut::new();
    for reply in replies {
        file.put_u32_le(u32::try_from(reply.len()).expect("replies are small"));
        file.put_slice(reply);
    }
    std::fs::write(path, file).map_err(Error::io("write", path))
}

/// What [`write_replies`] wrote.
///
/// Errors: the disk, or a file that something else wrote.
pub fn read_replies(path: &Path) -> Result<Vec<Vec<u8>>> {
    let file = std::fs::read(path).map_err(Error::io("read", path))?;
    let mut rest = file.as_slice();
    let mut replies = Vec::new();
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let length = u32::from_le_bytes(*length) as usize;
        let (reply, after) = after
            .split_at_checked(length)
            .ok_or_else(|| Error::Input(format!("{} is cut short", path.display())))?;
        replies.push(reply.to_vec());
        rest = after;
    }
    Ok(replies)
}
