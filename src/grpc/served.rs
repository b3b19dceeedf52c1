//! The generation that is served, and how a newer one takes its place.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use jiff::tz::TimeZone;
use tracing::{error, info, warn};

use crate::catalog::{Change, Shelf};
use crate::error::{Error, Result};
use crate::index::{Contents, Index, Snapshot};
use crate::live::{Live, Overlay};
use crate::merchandising::{MOST_RULES, RuleText, Rules, parse_file};
use crate::recommend::Blend;

/// A generation, open, with the blend that was learnt for it.
#[derive(Debug)]
pub(super) struct Generation {
    pub(super) snapshot: Snapshot,
    pub(super) blend: Blend,
}

/// What requests are answered from: a generation, and what the shop offers now.
#[derive(Debug)]
pub(super) struct Served {
    pub(super) generation: Arc<Generation>,
    pub(super) shelf: Shelf,
    pub(super) rules: Rules,
    /// A number that no other state of the server has.
    pub(super) number: u64,
}

/// What all requests share. Each takes the generation once, and answers from that alone.
#[derive(Debug)]
pub(super) struct Counter {
    index: Index,
    served: ArcSwapOption<Served>,
    /// Changes come one at a time.
    changing: Mutex<Changing>,
    states: AtomicU64,
    answers: AtomicU64,
    started: u64,
    zone: TimeZone,
}

/// Where changes are kept, and what is needed to lay them over the next generation.
#[derive(Debug)]
struct Changing {
    /// Why changes can't be taken, if so.
    live: std::result::Result<Live, String>,
    /// Those of the shop's file.
    file_rules: Vec<RuleText>,
}

impl Counter {
    /// `zone` decides when a day of the shop's rules begins.
    pub(super) fn new(index: Index, zone: TimeZone) -> Self {
        let started = jiff::Timestamp::now().as_nanosecond() as u64;
        let live = Live::open(index.root()).map_err(|error| {
            warn!(%error, "changes of the catalogue can't be taken");
            error.to_string()
        });
        Self {
            index,
            served: ArcSwapOption::empty(),
            changing: Mutex::new(Changing { live, file_rules: Vec::new() }),
            states: AtomicU64::new(1),
            answers: AtomicU64::new(0),
            started,
            zone,
        }
    }

    /// The generation to answer from; `None` until the first is loaded.
    pub(super) fn served(&self) -> Option<Arc<Served>> {
        self.served.load_full()
    }

    /// A number that no other answer of this server has, and that gives nothing away.
    pub(super) fn number(&self) -> u64 {
        let number = self.answers.fetch_add(1, Ordering::Relaxed);
        scrambled(self.started.wrapping_add(number))
    }

    /// Loads the current generation, if it is not the one that is served.
    pub(super) fn take_up(&self) -> Result<()> {
        let current = self.index.current()?;
        let serving = self.served().map(|served| served.generation.snapshot.manifest.generation);
        if serving == Some(current) {
            return Ok(());
        }
        let started = Instant::now();
        let mut snapshot = Snapshot::open(&self.index, current)?;
        let blend = Blend::learnt(&snapshot.manifest.learnt)?;
        snapshot.contents.raise_momentum(blend.momentum_powers());
        let generation = Arc::new(Generation { snapshot, blend });
        let changing = self.changing();
        let contents = &generation.snapshot.contents;
        let kept = changing.live.as_ref().map_or(Ok(Vec::new()), Live::items)?;
        let shelf = shelf_with(contents, kept)?;
        let items = shelf.len();
        self.serve(&changing, generation, shelf);
        info!(
            generation = current,
            items,
            elapsed_ms = started.elapsed().as_millis() as u64,
            "serving a generation"
        );
        Ok(())
    }

    fn changing(&self) -> MutexGuard<'_, Changing> {
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on requests are answered from this.
    fn serve(&self, changing: &Changing, generation: Arc<Generation>, shelf: Shelf) {
        let rules = changing.rules(&shelf, &self.zone);
        let number = self.states.fetch_add(1, Ordering::Relaxed);
        self.served.store(Some(Arc::new(Served { generation, shelf, rules, number })));
    }

    /// Keeps changes of items and lets them count; the keys of those that the shop does not have come back.
    ///
    /// Errors: changes can't be taken, or could not be kept. Then none counts.
    pub(super) fn change(&self, wanted: Vec<(String, Overlay)>) -> Result<Vec<String>> {
        let changing = self.changing();
        let live = changing.live()?;
        let served = self.served().ok_or_else(loading)?;
        let kept = live.change(wanted)?;
        let unknown = kept.iter().map(|(key, _)| key).filter(|key| served.shelf.get(key).is_none());
        let unknown = unknown.cloned().collect();
        let contents = &served.generation.snapshot.contents;
        let shelf = served.shelf.with(changes(contents, kept)?);
        self.serve(&changing, served.generation.clone(), shelf);
        Ok(unknown)
    }

    /// Checks a rule, keeps it and lets it count.
    ///
    /// Errors: it can't be understood; changes can't be taken.
    pub(super) fn put_rule(&self, rule: &RuleText) -> Result<()> {
        let changing = self.changing();
        let live = changing.live()?;
        let served = self.served().ok_or_else(loading)?;
        Rules::new(std::slice::from_ref(rule), &served.shelf, &self.zone)?;
        let is_known = changing.rule_texts().iter().any(|known| known.id == rule.id);
        if !is_known && changing.rule_texts().len() >= MOST_RULES {
            return Err(Error::Input(format!("there are {MOST_RULES} rules already")));
        }
        let json = serde_json::to_vec(rule).expect("a rule is plain texts and finite numbers");
        live.put_rule(&rule.id, &json)?;
        self.serve(&changing, served.generation.clone(), served.shelf.clone());
        Ok(())
    }

    /// Forgets a rule; false if none of this id was put.
    ///
    /// Errors: changes can't be taken.
    pub(super) fn delete_rule(&self, id: &str) -> Result<bool> {
        let changing = self.changing();
        let served = self.served().ok_or_else(loading)?;
        let was_there = changing.live()?.remove_rule(id)?;
        self.serve(&changing, served.generation.clone(), served.shelf.clone());
        Ok(was_there)
    }

    /// All rules as they were given, by id.
    pub(super) fn rules(&self) -> Vec<RuleText> {
        self.changing().rule_texts()
    }

    /// Takes up the rules of the shop's file, if all of them can be understood.
    ///
    /// Errors: the first that can't be; then those before go on.
    pub(super) fn take_up_rules(&self, rules: Vec<RuleText>) -> Result<()> {
        let mut changing = self.changing();
        let served = self.served().ok_or_else(loading)?;
        Rules::new(&rules, &served.shelf, &self.zone)?;
        changing.file_rules = rules;
        self.serve(&changing, served.generation.clone(), served.shelf.clone());
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

    /// Looks again and again whether the shop's file of rules has changed; one that can't be understood is
    /// reported once, and the rules before it go on.
    pub(super) async fn follow_rules(self: Arc<Self>, file: PathBuf, every: Duration) {
        let mut known = std::fs::read(&file).ok();
        loop {
            tokio::time::sleep(every).await;
            let (counter, file, before) = (self.clone(), file.clone(), known.clone());
            let looked = tokio::task::spawn_blocking(move || {
                let now = std::fs::read(&file).ok();
                if now != before {
                    counter.rules_changed(&file);
                }
                now
            });
            known = looked.await.unwrap_or(known);
        }
    }

    fn rules_changed(&self, file: &Path) {
        let taken = rules_in(file).and_then(|rules| {
            let count = rules.len();
            self.take_up_rules(rules).map(|()| count)
        });
        match taken {
            Ok(rules) => info!(rules, "the shop's rules have changed"),
            Err(error) => error!(%error, "the shop's rules can't be used; those before go on"),
        }
    }
}

/// The rules in the shop's file.
///
/// Errors: it can't be read, or is not what it should be.
pub(super) fn rules_in(file: &Path) -> Result<Vec<RuleText>> {
    let text = std::fs::read_to_string(file).map_err(Error::io("read", file))?;
    parse_file(&text).map_err(|error| Error::Input(format!("{}: {error}", file.display())))
}

impl Changing {
    fn live(&self) -> Result<&Live> {
        self.live.as_ref().map_err(|why| Error::Unavailable(why.clone()))
    }

    /// Those of the file, and those that were put, which count where both have an id.
    fn rule_texts(&self) -> Vec<RuleText> {
        let kept = self.live.as_ref().ok().and_then(|live| live.rules().ok()).unwrap_or_default();
        let put = kept.iter().filter_map(|(_, rule)| serde_json::from_slice(rule).ok());
        let file = self.file_rules.iter().cloned();
        let by_id = |rule: RuleText| (rule.id.clone(), rule);
        let all: BTreeMap<String, RuleText> = file.chain(put).map(by_id).collect();
        all.into_values().collect()
    }

    /// The rules that can be understood; others are reported, and don't act: a field that they name may have
    /// gone with last night's catalogue.
    fn rules(&self, shelf: &Shelf, zone: &TimeZone) -> Rules {
        let mut sound = self.rule_texts();
        sound.truncate(MOST_RULES);
        sound.retain(|rule| match Rules::new(std::slice::from_ref(rule), shelf, zone) {
            Ok(_) => true,
            Err(error) => {
                error!(%error, "a rule of the shop does not act");
                false
            }
        });
        Rules::new(&sound, shelf, zone).unwrap_or_default()
    }
}

/// What a generation's shop offers, with what was changed since laid over it.
///
/// Errors: a change does not fit an item.
pub fn shelf_with(contents: &Contents, kept: Vec<(String, Overlay)>) -> Result<Shelf> {
    match kept.is_empty() {
        true => Ok(contents.shelf.clone()),
        false => Ok(contents.shelf.with(changes(contents, kept)?)),
    }
}

/// What is kept of each item, laid over what the generation's catalogue says of it.
fn changes(contents: &Contents, kept: Vec<(String, Overlay)>) -> Result<Vec<Change>> {
    kept.into_iter()
        .map(|(key, overlay)| {
            let trained = contents.keys.get(&key);
            let listing = overlay.over(trained.map(|item| &contents.items[item.index()]))?;
            let near = match trained {
                Some(_) => Vec::new(),
                None => contents.near_by_content(&listing.item),
            };
            Ok(Change { key, listing, near })
        })
        .collect()
}

fn loading() -> Error {
    Error::Unavailable("the index is still being loaded".to_owned())
}

/// A bijection on 64 bits (the finaliser of SplitMix64): neighbours become strangers.
fn scrambled(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}
