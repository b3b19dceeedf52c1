//! HTTP/2 from the asking side, as thin as it gets: h2, and no gRPC library in between.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use h2::client::SendRequest;
use http::{HeaderMap, Request};

use super::questions::QueryKind;
use crate::error::{Error, Result};

/// One connection; clones share it.
#[derive(Clone, Debug)]
pub(super) struct Connection {
    requests: SendRequest<Bytes>,
    /// The heads of requests, one per [`QueryKind`].
    heads: [Request<()>; 3],
}

/// Room for bytes on the way, so large that nobody waits for a window to open.
const WINDOW_BYTES: u32 = 16 << 20;

impl Connection {
    /// Connects to a server. What arrives is taken in by a task on the current runtime.
    pub(super) async fn open(server: SocketAddr) -> Result<Self> {
        let failed = |what: &dyn std::fmt::Display| {
            Error::Server(format!("can't connect to {server}: {what}"))
        };
        let stream = tokio::net::TcpStream::connect(server).await.map_err(|e| failed(&e))?;
        stream.set_nodelay(true).map_err(|e| failed(&e))?;
        let (requests, connection) = h2::client::Builder::new()
            .initial_window_size(WINDOW_BYTES)
            .initial_connection_window_size(WINDOW_BYTES)
            .handshake::<_, Bytes>(stream)
            .await
            .map_err(|e| failed(&e))?;
        tokio::spawn(connection); // its end shows in the next request
        let heads = QueryKind::ALL.map(|kind| head(server, kind));
        Ok(Self { requests, heads })
    }

    /// Connects and asks, until the server is there and answers; `patience` at most.
    pub(super) async fn once_ready(
        server: SocketAddr,
        question: &(QueryKind, Bytes),
        patience: Duration,
    ) -> Result<Self> {
        let deadline = tokio::time::Instant::now() + patience;
        loop {
            let tried = async {
                let mut connection = Self::open(server).await?;
                connection.ask(question, |_| {}).await?;
                Ok(connection)
            };
            match tried.await {
                Err(error) if tokio::time::Instant::now() > deadline => return Err(error),
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
                Ok(connection) => return Ok(connection),
            }
        }
    }

    /// Asks, and gives the pieces of the reply to `take` as they arrive.
    ///
    /// Errors: the connection broke, or the reply is not a gRPC reply of status OK.
    pub(super) async fn ask(
        &mut self,
        (kind, message): &(QueryKind, Bytes),
        mut take: impl FnMut(&Bytes),
    ) -> Result<()> {
        let broken = |error: h2::Error| Error::Server(format!("the connection broke: {error}"));
        let mut requests = self.requests.clone().ready().await.map_err(broken)?;
        let head = self.heads[*kind as usize].clone();
        let (reply, mut body) = requests.send_request(head, false).map_err(broken)?;
        body.send_data(message.clone(), true).map_err(broken)?;
        let (head, mut body) = reply.await.map_err(broken)?.into_parts();
        while let Some(piece) = body.data().await {
            let piece = piece.map_err(broken)?;
            body.flow_control().release_capacity(piece.len()).map_err(broken)?;
            take(&piece);
        }
        let trailers = body.trailers().await.map_err(broken)?;
        check_status(trailers.as_ref().unwrap_or(&head.headers))
    }

    /// Asks with a deadline, and gives the pieces of the reply to `take` as they arrive: the status; `None` if there
    /// is none.
    ///
    /// Errors: the connection broke.
    pub(super) async fn ask_within(
        &mut self,
        (kind, message): &(QueryKind, Bytes),
        deadline: Duration,
        mut take: impl FnMut(&Bytes),
    ) -> Result<Option<u32>> {
        let broken = |error: h2::Error| Error::Server(format!("the connection broke: {error}"));
        let mut requests = self.requests.clone().ready().await.map_err(broken)?;
        let mut head = self.heads[*kind as usize].clone();
        let timeout = format!("{}u", deadline.as_micros().min(99_999_999));
        let timeout = timeout.parse().expect("digits and a letter make a header");
        head.headers_mut().insert("grpc-timeout", timeout);
        let (reply, mut body) = requests.send_request(head, false).map_err(broken)?;
        let _ = body.send_data(message.clone(), true); // it may have been refused already
        let (head, mut body) = reply.await.map_err(broken)?.into_parts();
        if let Some(status) = status_of(&head.headers) {
            return Ok(Some(status));
        }
        while let Some(piece) = body.data().await {
            let piece = piece.map_err(broken)?;
            body.flow_control().release_capacity(piece.len()).map_err(broken)?;
            take(&piece);
        }
        let trailers = body.trailers().await.map_err(broken)?;
        Ok(trailers.as_ref().and_then(status_of))
    }

    /// Asks, and gives the message of the reply, without its frame.
    pub(super) async fn message(&mut self, question: &(QueryKind, Bytes)) -> Result<Bytes> {
        let mut reply = BytesMut::new();
        self.ask(question, |piece| reply.extend_from_slice(piece)).await?;
        match reply.len() {
            0..5 => Err(Error::Server("a reply without a message".into())),
            _ => Ok(reply.freeze().slice(5..)),
        }
    }
}

fn status_of(headers: &HeaderMap) -> Option<u32> {
    headers.get("grpc-status")?.to_str().ok()?.parse().ok()
}

fn check_status(trailers: &HeaderMap) -> Result<()> {
    let status = trailers.get("grpc-status").map(|status| status.as_bytes());
    if status == Some(b"0") {
        return Ok(());
    }
    let text =
        |value: Option<&[u8]>| String::from_utf8_lossy(value.unwrap_or(b"none")).into_owned();
    let message = trailers.get("grpc-message").map(|message| message.as_bytes());
    Err(Error::Server(format!("answered with status {}: {}", text(status), text(message))))
}

fn head(server: SocketAddr, kind: QueryKind) -> Request<()> {
    Request::post(format!("http://{server}{}", kind.path()))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(())
        .expect("an address and a path make a URI")
}
