//! The generation that is served, and how another takes its place.
//!
//! What `CURRENT` names is served, unless it can't be: then what was served before goes on, and a server that has
//! just started takes the newest other generation that is sound. Health tells: [`CURRENT`] is SERVING only while
//! the current generation is what is answered from.
//!
//! A generation is loaded beside what goes on: changes of the shop don't wait for it, and whom the shop forgets
//! meanwhile is forgotten in it too.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use jiff::tz::TimeZone;
use tonic::Status;
use tracing::{error, info, warn};

use super::changes::Changing;
use super::meter::Answers;
use super::status::NOT_YET;
use crate::catalog::Shelf;
use crate::customers::Clientele;
use crate::error::{Error, Result};
use crate::index::{Erased, Index, Snapshot};
use crate::merchandising::Rules;
use crate::recommend::Blend;

/// Under this name health tells whether the current generation is what is answered from.
pub(super) const CURRENT: &str = "cartwright.index.current";

/// A generation, open, with the blend that was learnt for it.
#[derive(Debug)]
pub(super) struct Generation {
    pub(super) snapshot: Snapshot,
    pub(super) blend: Blend,
    pub(super) clientele: Clientele,
}

/// What requests are answered from: a generation, and what the shop offers now.
#[derive(Debug)]
pub(super) struct Served {
    pub(super) generation: Arc<Generation>,
    pub(super) shelf: Shelf,
    pub(super) rules: Arc<Rules>,
    /// A number that no other state of the server has.
    pub(super) number: u64,
    /// What is counted, whatever is served.
    pub(super) answers: Arc<Answers>,
}

impl Served {
    /// The generation's figures and customers.
    pub(super) fn snapshot(&self) -> &Snapshot {
        &self.generation.snapshot
    }
}

/// What all requests share. Each takes the generation once, and answers from that alone.
#[derive(Debug)]
pub(super) struct Counter {
    index: Index,
    /// Those who asked to be forgotten, whatever generation is served.
    erased: Arc<Erased>,
    served: ArcSwapOption<Served>,
    /// Held by whoever loads a generation: one at a time. What the current one was refused for last, if it was.
    loading: Mutex<Option<Refused>>,
    /// What the shop changes; held while anything is changed, generations too: one change at a time.
    changing: Mutex<Changing>,
    states: AtomicU64,
    numbers: AtomicU64,
    answers: Arc<Answers>,
    started: u64,
}

/// A generation that could not be loaded, and when to try again.
#[derive(Debug)]
struct Refused {
    number: u64,
    reason: String,
    again: Instant,
    pause: Duration,
}

/// Before a generation is tried for the second time; each time after that twice as long …
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// … and so long at most.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

impl Counter {
    /// `zone` decides when a day of the shop's rules begins.
    pub(super) fn new(index: Index, zone: TimeZone) -> Self {
        let started = jiff::Timestamp::now().as_nanosecond() as u64;
        let changing = Mutex::new(Changing::new(index.root(), zone));
        Self {
            index,
            erased: Arc::default(),
            served: ArcSwapOption::empty(),
            loading: Mutex::default(),
            changing,
            states: AtomicU64::new(1),
            numbers: AtomicU64::new(0),
            answers: Arc::default(),
            started,
        }
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
        self.served().map(|served| served.snapshot().manifest.generation)
    }

    /// The generation to answer from.
    ///
    /// Errors: UNAVAILABLE until the first is loaded.
    pub(super) fn served_or_not_yet(&self) -> Result<Arc<Served>, Status> {
        self.served().ok_or_else(|| Status::unavailable(NOT_YET))
    }

    /// What is counted of answers.
    pub(super) fn answers(&self) -> &Answers {
        &self.answers
    }

    /// Forgets the customer at once and for good.
    pub(super) fn erase(&self, customer: &str) -> Result<(), Status> {
        let served = self.served_or_not_yet()?;
        served.snapshot().customers.erase(&self.index, customer)?;
        info!("a customer was erased");
        Ok(())
    }

    /// A number that no other answer of this server has, and that gives nothing away.
    pub(super) fn number(&self) -> u64 {
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        scrambled(self.started.wrapping_add(number))
    }

    /// Loads the current generation, if it is not the one that is served, and follows what others change and whom
    /// they forget: each of these, whether or not the others can be done.
    pub(super) fn take_up(&self) -> Result<()> {
        let forgotten = self.erased.refresh(&self.index);
        let followed = self.follow();
        let served = self.take_up_current();
        forgotten.and(followed).and(served)
    }

    fn follow(&self) -> Result<()> {
        let mut changing = self.changing();
        changing.look();
        let Some(served) = self.served() else { return Ok(()) };
        if let Some(shelf) = changing.followed(&served)? {
            self.serve(&changing, served.generation.clone(), shelf)?;
        }
        changing.has_followed();
        Ok(())
    }

    /// One that was refused is not tried at each look: it may be large, and most likely it is as damaged as before.
    fn take_up_current(&self) -> Result<()> {
        let mut refused = self.loading();
        let current = self.index.current()?;
        if self.generation() == Some(current) {
            return Ok(());
        }
        let before = refused.as_ref().filter(|before| before.number == current);
        if let Some(before) = before.filter(|before| Instant::now() < before.again) {
            return Err(Error::Unavailable(before.reason.clone()));
        }
        let pause = before.map_or(FIRST_PAUSE, |before| LONGEST_PAUSE.min(before.pause * 2));
        let loaded = self.open(current);
        let served = loaded.and_then(|loaded| self.serve_generation(loaded));
        *refused = served.as_ref().err().map(|error| {
            let (reason, again) = (error.to_string(), Instant::now() + pause);
            Refused { number: current, reason, again, pause }
        });
        served
    }

    /// Loads the current generation, or if that can't be, the newest other one that is sound; true if it is the
    /// current one.
    ///
    /// Errors: none is sound; why the current one is not.
    pub(super) fn take_up_any(&self) -> Result<bool> {
        let Err(refusal) = self.take_up() else { return Ok(true) };
        if self.serves_the_current() {
            error!(reason = %refusal, "{ALL_BUT_FOLLOWED}");
            return Ok(true);
        }
        let _loading = self.loading();
        let current = self.index.current().ok();
        let others = self.index.list()?.into_iter().rev().map(|generation| generation.number);
        for number in others.filter(|&number| Some(number) != current) {
            match self.open(number) {
                Ok(generation) => {
                    error!(
                        reason = %refusal,
                        instead = number,
                        "the current generation can't be served; the newest sound one is"
                    );
                    self.serve_generation(generation)?;
                    return Ok(false);
                }
                Err(error) => warn!(reason = %error, generation = number, "not sound either"),
            }
        }
        Err(refusal)
    }

    /// Serves generation `number` from now on, here and on disk: loaded first, and only then made current.
    ///
    /// Errors: it can't be loaded, or the disk can't be written: nothing has changed then. Or what the shop changes
    /// can't be read: then it is current, and is taken up as soon as it can be.
    pub(super) fn activate(&self, number: u64) -> Result<()> {
        let _loading = self.loading();
        self.go_to(number, self.other(number)?)
    }

    /// The generation of this number, if it is not the one that is served.
    fn other(&self, number: u64) -> Result<Option<Generation>> {
        let is_other = self.generation() != Some(number);
        is_other.then(|| self.open(number)).transpose()
    }

    fn go_to(&self, number: u64, other: Option<Generation>) -> Result<()> {
        self.index.activate(number)?;
        other.map_or(Ok(()), |other| self.serve_generation(other))
    }

    /// Whether answers are of the current generation.
    pub(super) fn serves_the_current(&self) -> bool {
        self.index.current().is_ok_and(|current| self.generation() == Some(current))
    }

    /// Serves the newest sound generation before the current one; its number.
    ///
    /// Errors: there is none.
    pub(super) fn roll_back(&self) -> Result<u64> {
        let _loading = self.loading();
        let current = self.index.current()?;
        let before = self.index.list()?.into_iter().rev().map(|generation| generation.number);
        for number in before.filter(|&number| number < current) {
            match self.other(number) {
                Ok(other) => return self.go_to(number, other).map(|()| number),
                Err(error) => warn!(reason = %error, generation = number, "can't go back to it"),
            }
        }
        let root = self.index.root();
        Err(Error::index(root, format!("there is no sound generation before {current}")))
    }

    pub(super) fn changing(&self) -> MutexGuard<'_, Changing> {
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn loading(&self) -> MutexGuard<'_, Option<Refused>> {
        self.loading.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens a generation for answers.
    fn open(&self, number: u64) -> Result<Generation> {
        let started = Instant::now();
        let mut snapshot = Snapshot::open(&self.index, number)?;
        self.erased.refresh(&self.index)?;
        snapshot.customers.heed(self.erased.clone());
        let blend = Blend::learnt(&snapshot.manifest.learnt)?;
        snapshot.contents.raise(blend.powers());
        let elapsed_ms = started.elapsed().as_millis() as u64;
        info!(generation = number, elapsed_ms, "loaded a generation");
        let clientele = snapshot.customers.clientele()?;
        Ok(Generation { snapshot, blend, clientele })
    }

    /// Lays over a generation what the shop has changed, and answers from it from now on.
    fn serve_generation(&self, generation: Generation) -> Result<()> {
        let mut changing = self.changing();
        let shelf = changing.shelf(&generation.snapshot.contents)?;
        let (number, items) = (generation.snapshot.manifest.generation, shelf.len());
        self.serve(&changing, Arc::new(generation), shelf)?;
        changing.has_followed();
        info!(generation = number, items, "serving a generation");
        Ok(())
    }

    /// From now on requests are answered from this.
    ///
    /// Errors: the shop's rules can't be read. Then all goes on as before: what they hide must not be shown.
    pub(super) fn serve(
        &self,
        changing: &Changing,
        generation: Arc<Generation>,
        shelf: Shelf,
    ) -> Result<()> {
        let rules = Arc::new(changing.rules(&shelf)?);
        self.answer_from(generation, shelf, rules);
        Ok(())
    }

    /// The same, where the shop's rules are known.
    pub(super) fn answer_from(&self, generation: Arc<Generation>, shelf: Shelf, rules: Arc<Rules>) {
        let number = self.states.fetch_add(1, Ordering::Relaxed);
        let answers = self.answers.clone();
        self.served.store(Some(Arc::new(Served { generation, shelf, rules, number, answers })));
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
            let look = move || (counter.take_up(), counter.serves_the_current());
            let (failure, is_served) = match tokio::task::spawn_blocking(look).await {
                Ok((taken, is_served)) => (taken.err().map(|error| error.to_string()), is_served),
                Err(_) => (Some("loading it panicked".to_owned()), self.serves_the_current()),
            };
            if failure.is_some() && failure != reported {
                let what = match is_served {
                    true => ALL_BUT_FOLLOWED,
                    false => "the current generation can't be served; the one before goes on",
                };
                error!(reason = failure.as_deref(), "{what}");
            }
            if told.replace(is_served) != Some(is_served) {
                tell(is_served).await; // whoever watches is woken each time
            }
            reported = failure;
        }
    }
}

const ALL_BUT_FOLLOWED: &str =
    "the current generation is served, without all that was changed or erased since";

/// A bijection on 64 bits (the finaliser of SplitMix64): neighbours become strangers.
fn scrambled(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}
