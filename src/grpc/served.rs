//! The generation that is served, and how another takes its place.
//!
//! What `CURRENT` names is served, unless it can't be: then what was served before goes on, and a server that has
//! just started takes the newest other generation that is sound. Health tells: [`CURRENT`] is SERVING only while
//! the current generation is what is answered from.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use tracing::{error, info, warn};

use crate::error::{Error, Result};
use crate::index::{Index, Snapshot};
use crate::recommend::Blend;

/// Under this name health tells whether the current generation is what is answered from.
pub(super) const CURRENT: &str = "cartwright.index.current";

/// A generation, open, with the blend that was learnt for it.
#[derive(Debug)]
pub(super) struct Served {
    pub(super) snapshot: Snapshot,
    pub(super) blend: Blend,
}

/// What all requests share. Each takes the generation once, and answers from that alone.
#[derive(Debug)]
pub(super) struct Counter {
    index: Index,
    served: ArcSwapOption<Served>,
    /// Held while the generation changes: one change at a time.
    changing: Mutex<()>,
    answers: AtomicU64,
    started: u64,
}

impl Counter {
    pub(super) fn new(index: Index) -> Self {
        let started = jiff::Timestamp::now().as_nanosecond() as u64;
        let (served, changing) = (ArcSwapOption::empty(), Mutex::new(()));
        Self { index, served, changing, answers: AtomicU64::new(0), started }
    }

    pub(super) fn index(&self) -> &Index {
        &self.index
    }

    /// The generation to answer from; `None` until the first is loaded.
    pub(super) fn served(&self) -> Option<Arc<Served>> {
        self.served.load_full()
    }

    /// Its number.
    pub(super) fn generation(&self) -> Option<u64> {
        self.served().map(|served| served.snapshot.manifest.generation)
    }

    /// A number that no other answer of this server has, and that gives nothing away.
    pub(super) fn number(&self) -> u64 {
        let number = self.answers.fetch_add(1, Ordering::Relaxed);
        scrambled(self.started.wrapping_add(number))
    }

    /// Loads the current generation, if it is not the one that is served.
    pub(super) fn take_up(&self) -> Result<()> {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let current = self.index.current()?;
        if self.generation() != Some(current) {
            self.serve(open(&self.index, current)?);
        }
        Ok(())
    }

    /// Loads the current generation, or if that can't be, the newest other one that is sound; true if it is the
    /// current one.
    ///
    /// Errors: none is sound; why the current one is not.
    pub(super) fn take_up_any(&self) -> Result<bool> {
        let Err(refusal) = self.take_up() else { return Ok(true) };
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let current = self.index.current().ok();
        let others = self.index.list()?.into_iter().rev().map(|generation| generation.number);
        for number in others.filter(|&number| Some(number) != current) {
            match open(&self.index, number) {
                Ok(served) => {
                    error!(
                        reason = %refusal,
                        instead = number,
                        "the current generation can't be served; the newest sound one is"
                    );
                    self.serve(served);
                    return Ok(false);
                }
                Err(error) => warn!(reason = %error, generation = number, "not sound either"),
            }
        }
        Err(refusal)
    }

    /// Serves generation `number` from now on, here and on disk: loaded first, and only then made current.
    ///
    /// Errors: it can't be loaded, or the disk can't be written; nothing has changed then.
    pub(super) fn activate(&self, number: u64) -> Result<()> {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let loaded = (self.generation() != Some(number)).then(|| open(&self.index, number));
        let loaded = loaded.transpose()?;
        self.index.activate(number)?;
        if let Some(loaded) = loaded {
            self.serve(loaded);
        }
        Ok(())
    }

    /// Serves the newest sound generation before the current one; its number.
    ///
    /// Errors: there is none.
    pub(super) fn roll_back(&self) -> Result<u64> {
        let current = self.index.current()?;
        let before = self.index.list()?.into_iter().rev().map(|generation| generation.number);
        for number in before.filter(|&number| number < current) {
            match self.activate(number) {
                Ok(()) => return Ok(number),
                Err(error) => warn!(reason = %error, generation = number, "can't go back to it"),
            }
        }
        let root = self.index.root();
        Err(Error::index(root, format!("there is no sound generation before {current}")))
    }

    fn serve(&self, served: Served) {
        let generation = served.snapshot.manifest.generation;
        let items = served.snapshot.contents.len();
        self.served.store(Some(Arc::new(served)));
        info!(generation, items, "serving a generation");
    }

    /// Looks for a newer generation again and again, and has `tell` know whether the current one is served; one
    /// that can't be loaded is reported once, and the old one goes on.
    pub(super) async fn keep_up<F: Future<Output = ()>>(
        self: Arc<Self>,
        every: Duration,
        tell: impl Fn(bool) -> F,
    ) {
        let (mut reported, mut told) = (None, None);
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
            if told.replace(failure.is_none()) != Some(failure.is_none()) {
                tell(failure.is_none()).await; // whoever watches is woken each time
            }
            reported = failure;
        }
    }
}

/// Opens a generation for answers.
fn open(index: &Index, number: u64) -> Result<Served> {
    let started = Instant::now();
    let mut snapshot = Snapshot::open(index, number)?;
    let blend = Blend::learnt(&snapshot.manifest.learnt)?;
    snapshot.contents.raise_momentum(blend.momentum_powers());
    let elapsed_ms = started.elapsed().as_millis() as u64;
    info!(generation = number, elapsed_ms, "loaded a generation");
    Ok(Served { snapshot, blend })
}

/// A bijection on 64 bits (the finaliser of SplitMix64): neighbours become strangers.
fn scrambled(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}
