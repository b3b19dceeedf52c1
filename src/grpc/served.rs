//! The generation that is served, and how a newer one takes its place.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use tonic::Status;
use tracing::{error, info};

use super::status::NOT_YET;
use crate::customers::Clientele;
use crate::error::Result;
use crate::index::{Index, Snapshot};
use crate::recommend::Blend;

/// A generation, open, with the blend that was learnt for it.
#[derive(Debug)]
pub(super) struct Served {
    pub(super) snapshot: Snapshot,
    pub(super) blend: Blend,
    pub(super) clientele: Clientele,
}

/// What all requests share. Each takes the generation once, and answers from that alone.
#[derive(Debug)]
pub(super) struct Counter {
    index: Index,
    served: ArcSwapOption<Served>,
    answers: AtomicU64,
    started: u64,
}

impl Counter {
    pub(super) fn new(index: Index) -> Self {
        let started = jiff::Timestamp::now().as_nanosecond() as u64;
        Self { index, served: ArcSwapOption::empty(), answers: AtomicU64::new(0), started }
    }

    /// The generation to answer from; `None` until the first is loaded.
    pub(super) fn served(&self) -> Option<Arc<Served>> {
        self.served.load_full()
    }

    /// The same.
    ///
    /// Errors: UNAVAILABLE until the first is loaded.
    pub(super) fn served_or_not_yet(&self) -> Result<Arc<Served>, Status> {
        self.served().ok_or_else(|| Status::unavailable(NOT_YET))
    }

    /// Forgets the customer at once and for good.
    pub(super) fn erase(&self, customer: &str) -> Result<(), Status> {
        let served = self.served_or_not_yet()?;
        served.snapshot.customers.erase(&self.index, customer)?;
        info!("a customer was erased");
        Ok(())
    }

    /// A number that no other answer of this server has, and that gives nothing away.
    pub(super) fn number(&self) -> u64 {
        let number = self.answers.fetch_add(1, Ordering::Relaxed);
        scrambled(self.started.wrapping_add(number))
    }

    /// Loads the current generation, if it is not the one that is served.
    pub(super) fn take_up(&self) -> Result<()> {
        let current = self.index.current()?;
        let serving = self.served().map(|served| served.snapshot.manifest.generation);
        if serving == Some(current) {
            // Another process may have been told to forget somebody.
            return self
                .served()
                .map_or(Ok(()), |served| served.snapshot.customers.refresh(&self.index));
        }
        let started = Instant::now();
        let mut snapshot = Snapshot::open(&self.index, current)?;
        let blend = Blend::learnt(&snapshot.manifest.learnt)?;
        snapshot.contents.raise_momentum(blend.momentum_powers());
        let items = snapshot.contents.len();
        let clientele = snapshot.customers.clientele()?;
        self.served.store(Some(Arc::new(Served { snapshot, blend, clientele })));
        info!(
            generation = current,
            items,
            elapsed_ms = started.elapsed().as_millis() as u64,
            "serving a generation"
        );
        Ok(())
    }

    /// Looks for a newer generation again and again; one that can't be loaded is reported once, and the
    /// old one goes on.
    pub(super) async fn keep_up(self: Arc<Self>, every: Duration) {
        let mut reported = None;
        loop {
            tokio::time::sleep(every).await;
            let counter = self.clone();
            let failure = match tokio::task::spawn_blocking(move || counter.take_up()).await {
                Ok(Ok(())) => None,
                Ok(Err(error)) => Some(error.to_string()),
                Err(_) => Some("loading it panicked".to_owned()),
            };
            if failure.is_some() && failure != reported {
                error!(
                    reason = failure.as_deref(),
                    "the current generation can't be served; the one before goes on"
                );
            }
            reported = failure;
        }
    }
}

/// A bijection on 64 bits (the finaliser of SplitMix64): neighbours become strangers.
fn scrambled(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}
