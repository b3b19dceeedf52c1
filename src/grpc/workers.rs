//! One thread per core, each with its own runtime and its own share of the connections.
//!
//! A connection never changes threads, so that nothing on the way of a request is shared or locked. The
//! tempting alternative, one runtime over all cores, lets tasks wander: on one core its slowest requests
//! took eight times as long. Connections are dealt out in turn; a port shared by the kernel
//! (`SO_REUSEPORT`) would put eight of them on two cores as chance has it.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use tracing::warn;

use super::admission::{Inside, Queue};
use super::door::{Door, serve_connection};
use super::served_pb::recommendation_service_server::RecommendationService;
use crate::error::{Error, Result};

/// The threads that serve.
#[derive(Debug)]
pub(super) struct Workers {
    dealing: JoinSet<()>,
    stop: watch::Sender<bool>,
    ends: JoinSet<Result<()>>,
}

impl Workers {
    /// Opens `door` on `count` threads to whoever connects to `listener`.
    ///
    /// Errors: a thread or its runtime can't be started.
    pub(super) fn start<T: RecommendationService>(
        listener: TcpListener,
        door: &Door<T>,
        count: usize,
    ) -> Result<Self> {
        let (stop, stopped) = watch::channel(false);
        let (mut lanes, mut ends) = (Vec::new(), JoinSet::new());
        for number in 0..count {
            let (lane, connections) = unbounded_channel();
            let (end, ended) = oneshot::channel();
            work(number, door.clone(), connections, stopped.clone(), end)?;
            lanes.push(lane);
            ends.spawn(end_of(ended));
        }
        let mut dealing = JoinSet::new();
        dealing.spawn(deal(listener, lanes, Arc::new(Queue::new(door.most_connections.max(1)))));
        Ok(Self { dealing, stop, ends })
    }

    /// Completes when all workers have ended, or as soon as one has failed.
    ///
    /// Errors: that one.
    pub(super) async fn ended(&mut self) -> Result<()> {
        while let Some(end) = self.ends.join_next().await {
            end.unwrap_or_else(|_| Err(lost()))?;
        }
        Ok(())
    }

    /// No more connections; those that are open may finish what they are at.
    pub(super) fn stop(&mut self) {
        self.dealing.abort_all();
        let _ = self.stop.send(true); // nobody left to hear it means the same
    }
}

async fn end_of(worker: oneshot::Receiver<Result<()>>) -> Result<()> {
    worker.await.unwrap_or_else(|_| Err(lost()))
}

fn lost() -> Error {
    Error::Server("a serving thread panicked".into())
}

/// Threads to start where `asked` for: 0 = one for each core that the process may use.
pub(super) fn how_many(asked: usize) -> usize {
    match asked {
        0 => std::thread::available_parallelism().map_or(1, NonZeroUsize::get),
        count => count,
    }
}

/// A connection, and its place among those that may be open.
type Taken = (std::net::TcpStream, Inside);

/// Deals connections out in turn. Ends with the first worker that has ended: so does the server.
async fn deal(listener: TcpListener, lanes: Vec<UnboundedSender<Taken>>, room: Arc<Queue>) {
    for lane in lanes.iter().cycle() {
        let (connection, place) = loop {
            match listener.accept().await {
                Ok((connection, _)) => match room.enter() {
                    Some(place) => break (connection, place),
                    None => drop(connection), // as many are open as may be
                },
                Err(error) => {
                    // Out of file descriptors, most likely: more come free as others hang up.
                    warn!(%error, "a connection can't be accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        };
        let _ = connection.set_nodelay(true); // slower without it, not wrong
        if let Ok(connection) = connection.into_std()
            && lane.send((connection, place)).is_err()
        {
            return;
        }
    }
}

fn work<T: RecommendationService>(
    number: usize,
    door: Door<T>,
    mut connections: UnboundedReceiver<Taken>,
    mut stopped: watch::Receiver<bool>,
    end: oneshot::Sender<Result<()>>,
) -> Result<()> {
    let failed = |error: std::io::Error| Error::Server(format!("can't start a thread: {error}"));
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let serve = async move {
        let mut open = JoinSet::new();
        let stopping = stopped.clone();
        let take_in = async {
            while let Some((connection, place)) = connections.recv().await {
                match TcpStream::from_std(connection) {
                    Ok(connection) => {
                        let serving = serve_connection(connection, door.clone(), stopping.clone());
                        open.spawn(async move {
                            let _place = place;
                            serving.await;
                        });
                    }
                    Err(error) => warn!(%error, "a connection can't be taken over"),
                }
                while open.try_join_next().is_some() {}
            }
        };
        tokio::select! {
            () = take_in => {}
            _ = stopped.wait_for(|stopped| *stopped) => {} // a dropped sender means the same
        }
        while open.join_next().await.is_some() {}
    };
    let work = move || {
        runtime.block_on(serve);
        drop(runtime); // and with it whatever still held the index
        let _ = end.send(Ok(())); // whoever waited may be gone
    };
    std::thread::Builder::new().name(format!("serve-{number}")).spawn(work).map_err(failed)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The last worker was waited for before any other was looked at: a server went on with a part of its threads,
    /// and a part of its clients waited for nothing.
    #[tokio::test]
    async fn the_first_worker_that_fails_is_noticed_whatever_the_others_do() {
        for failing in 0..3 {
            let (mut at_work, ends): (Vec<_>, Vec<_>) = (0..3).map(|_| oneshot::channel()).unzip();
            let (stop, _) = watch::channel(false);
            let ends = ends.into_iter().map(end_of).collect();
            let mut workers = Workers { dealing: JoinSet::new(), stop, ends };
            drop(at_work.remove(failing)); // as a panic does
            let ended = tokio::time::timeout(Duration::from_secs(10), workers.ended()).await;
            ended.expect("it is noticed").expect_err("it has failed");
            at_work.into_iter().for_each(|end| end.send(Ok(())).expect("it is waited for"));
            workers.ended().await.expect("the others end well");
        }
    }
}
