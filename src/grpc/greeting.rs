//! Whoever connects says soon that it speaks HTTP/2, or is hung up on: a connection that says nothing would keep its
//! place for ever. From the greeting on, pings tell whether there is still somebody.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

/// What each connection begins with. Source: RFC 9113, 3.4.
const GREETING: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A connection that fails unless as much as a greeting is read from it in time.
pub(super) struct Greeting<C> {
    connection: C,
    /// Bytes of it that have not come yet; what they are, others look at.
    missing: usize,
    /// None once it has come.
    timer: Option<Pin<Box<Sleep>>>,
}

impl<C> Greeting<C> {
    pub(super) fn within(time: Duration, connection: C) -> Self {
        let timer = Some(Box::pin(tokio::time::sleep(time)));
        Self { connection, missing: GREETING.len(), timer }
    }
}

impl<C: AsyncRead + Unpin> AsyncRead for Greeting<C> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.connection).poll_read(context, buffer);
        let Some(timer) = &mut self.timer else { return read };
        if read.is_pending() {
            let too_late = || Err(io::Error::new(io::ErrorKind::TimedOut, "no greeting came"));
            return timer.as_mut().poll(context).map(|()| too_late());
        }
        self.missing = self.missing.saturating_sub(buffer.filled().len() - before);
        if self.missing == 0 {
            self.timer = None;
        }
        read
    }
}

impl<C: AsyncWrite + Unpin> AsyncWrite for Greeting<C> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.connection).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.connection).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.connection.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.connection).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.connection).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    const SOON: Duration = Duration::from_millis(50);

    #[tokio::test]
    async fn whoever_greets_in_part_is_hung_up_on_and_whoever_greets_may_be_silent() {
        let (here, mut there) = tokio::io::duplex(1_000);
        let mut greeting = Greeting::within(SOON, here);
        let mut read = [0; 100];
        there.write_all(&GREETING[..23]).await.unwrap();
        assert_eq!(greeting.read(&mut read).await.unwrap(), 23);
        let late = tokio::time::timeout(200 * SOON, greeting.read(&mut read)).await;
        let error = late.expect("it does not wait for ever").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);

        let (here, mut there) = tokio::io::duplex(1_000);
        let mut greeting = Greeting::within(SOON, here);
        there.write_all(GREETING).await.unwrap();
        assert_eq!(greeting.read(&mut read).await.unwrap(), GREETING.len());
        let silent = tokio::time::timeout(3 * SOON, greeting.read(&mut read)).await;
        assert!(silent.is_err(), "it waits for as long as it takes");
    }
}
