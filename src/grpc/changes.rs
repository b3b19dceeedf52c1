//! What the shop changes during the day: taken, kept, and laid over whatever generation is served.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use tracing::{error, info, warn};

use super::served::Counter;
use crate::catalog::{Change, Shelf};
use crate::error::{Error, Result};
use crate::index::Contents;
use crate::live::{Beside, Live, Overlay};
use crate::merchandising::{MOST_RULES, RuleText, Rules, parse_file};

/// Where changes are kept, and what is needed to lay them over the next generation.
#[derive(Debug)]
pub(super) struct Changing {
    /// Where they can't be taken, the changes that another process takes.
    live: std::result::Result<Live, Beside>,
    /// Why these could not be read the last time, if so: it is reported once.
    trouble: Option<String>,
    /// Those of the shop's file.
    file_rules: Vec<RuleText>,
    /// Decides when a day of the rules begins.
    zone: TimeZone,
}

impl Changing {
    /// What is kept in the index at `root`; where another server has it, no changes can be taken here, but those
    /// taken there count here too.
    pub(super) fn new(root: &Path, zone: TimeZone) -> Self {
        let live = Live::open(root).map_err(|error| {
            warn!(%error, "changes of the catalogue can't be taken");
            Beside::new(root, error.to_string())
        });
        let mut changing = Self { live, trouble: None, file_rules: Vec::new(), zone };
        changing.follow();
        changing
    }

    /// Where another server takes the changes: takes its place if it has gone, else looks at what it has taken;
    /// whether anything is different.
    pub(super) fn follow(&mut self) -> bool {
        let Err(beside) = &mut self.live else { return false };
        if let Ok(live) = Live::open(beside.root()) {
            info!("changes of the catalogue can be taken from now on");
            let has_changed = live.kept().map_or(true, |kept| kept != *beside.kept());
            self.live = Ok(live);
            return has_changed;
        }
        let looked = beside.look();
        let trouble = looked.as_ref().err().map(ToString::to_string);
        if trouble.is_some() && trouble != self.trouble {
            warn!(
                reason = trouble.as_deref(),
                "what another server has changed can't be read; trying again"
            );
        }
        self.trouble = trouble;
        looked.unwrap_or(false)
    }

    /// Leaves the changes to whichever server comes next.
    pub(super) fn close(&mut self) {
        if let Ok(live) = &self.live {
            self.live = Err(Beside::new(live.root(), "this server is stopping".to_owned()));
        }
    }

    /// What the shop of a generation offers now.
    ///
    /// Errors: the disk; a change does not fit an item.
    pub(super) fn shelf(&self, contents: &Contents) -> Result<Shelf> {
        let beside = |beside: &Beside| Ok(beside.kept().items.clone());
        shelf_with(contents, self.live.as_ref().map_or_else(beside, Live::items)?)
    }

    /// The rules that can be understood; others are reported, and don't act: a field that they name may have
    /// gone with last night's catalogue.
    ///
    /// Errors: the disk.
    pub(super) fn rules(&self, shelf: &Shelf) -> Result<Rules> {
        let mut sound = self.rule_texts()?;
        if sound.len() > MOST_RULES {
            error!(rules = sound.len(), most = MOST_RULES, "the last rules of the shop do not act");
        }
        sound.truncate(MOST_RULES);
        sound.retain(|rule| match self.checked(std::slice::from_ref(rule), shelf) {
            Ok(_) => true,
            Err(error) => {
                error!(%error, "a rule of the shop does not act");
                false
            }
        });
        self.checked(&sound, shelf)
    }

    fn checked(&self, rules: &[RuleText], shelf: &Shelf) -> Result<Rules> {
        Rules::new(rules, shelf, &self.zone)
    }

    fn live(&self) -> Result<&Live> {
        self.live.as_ref().map_err(|beside| Error::Unavailable(beside.why().to_owned()))
    }

    /// Those of the file, and those that were put, which count where both have an id.
    ///
    /// Errors: the disk.
    fn rule_texts(&self) -> Result<Vec<RuleText>> {
        let beside = |beside: &Beside| Ok(beside.kept().rules.clone());
        let kept = self.live.as_ref().map_or_else(beside, Live::rules)?;
        let put = kept.iter().filter_map(|(id, rule)| parsed(id, rule));
        let file = self.file_rules.iter().cloned();
        let by_id = |rule: RuleText| (rule.id.clone(), rule);
        let all: BTreeMap<String, RuleText> = file.chain(put).map(by_id).collect();
        Ok(all.into_values().collect())
    }
}

/// A rule as it was put; one that can't be read is reported, and does not act.
fn parsed(id: &str, rule: &[u8]) -> Option<RuleText> {
    let parsed: Result<RuleText, serde_json::Error> = serde_json::from_slice(rule);
    if let Err(error) = &parsed {
        error!(rule = id, %error, "a rule of the shop can't be read, and does not act");
    }
    parsed.ok()
}

impl Counter {
    /// Keeps changes of items and lets them count; the keys of those that the shop does not have come back.
    ///
    /// Errors: changes can't be taken, or could not be kept. Then none counts.
    pub(super) fn change(&self, wanted: Vec<(String, Overlay)>) -> Result<Vec<String>> {
        let changing = self.changing();
        let live = changing.live()?;
        let served = self.served().ok_or_else(loading)?;
        let overlays = live.laid_over(wanted)?;
        // Before they are kept: what can't be laid over an item must not be found in the store tomorrow.
        let changes = changes(&served.snapshot().contents, &overlays)?;
        live.keep(&overlays)?;
        let unknown = overlays.into_iter().map(|(key, _)| key);
        let unknown = unknown.filter(|key| served.shelf.get(key).is_none()).collect();
        let shelf = served.shelf.with(changes);
        self.answer_from(served.generation.clone(), shelf, served.rules.clone());
        Ok(unknown)
    }

    /// Checks a rule, keeps it and lets it count.
    ///
    /// Errors: it can't be understood; changes can't be taken.
    pub(super) fn put_rule(&self, rule: &RuleText) -> Result<()> {
        let changing = self.changing();
        let live = changing.live()?;
        let served = self.served().ok_or_else(loading)?;
        changing.checked(std::slice::from_ref(rule), &served.shelf)?;
        let known = changing.rule_texts()?;
        if known.len() >= MOST_RULES && !known.iter().any(|known| known.id == rule.id) {
            return Err(Error::Input(format!("there are {MOST_RULES} rules already")));
        }
        let json = serde_json::to_vec(rule).expect("a rule is plain texts and finite numbers");
        live.put_rule(&rule.id, &json)?;
        self.serve(&changing, served.generation.clone(), served.shelf.clone())
    }

    /// Forgets a rule; false if none of this id was put.
    ///
    /// Errors: changes can't be taken.
    pub(super) fn delete_rule(&self, id: &str) -> Result<bool> {
        let changing = self.changing();
        let served = self.served().ok_or_else(loading)?;
        let was_there = changing.live()?.remove_rule(id)?;
        self.serve(&changing, served.generation.clone(), served.shelf.clone())?;
        Ok(was_there)
    }

    /// All rules as they were given, by id.
    ///
    /// Errors: the disk.
    pub(super) fn rules(&self) -> Result<Vec<RuleText>> {
        self.changing().rule_texts()
    }

    /// Takes up the rules of the shop's file, if all of them can be understood.
    ///
    /// Errors: the first that can't be; then those before go on.
    pub(super) fn take_up_rules(&self, file: &Path) -> Result<usize> {
        let text = std::fs::read_to_string(file).map_err(Error::io("read", file))?;
        let of_file = |error: Error| Error::Input(format!("{}: {error}", file.display()));
        let rules = parse_file(&text).map_err(of_file)?;
        let mut changing = self.changing();
        let served = self.served().ok_or_else(loading)?;
        changing.checked(&rules, &served.shelf).map_err(of_file)?;
        let count = rules.len();
        changing.file_rules = rules;
        self.serve(&changing, served.generation.clone(), served.shelf.clone())?;
        Ok(count)
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
                    match counter.take_up_rules(&file) {
                        Ok(rules) => info!(rules, "the shop's rules have changed"),
                        Err(error) => {
                            error!(%error, "the shop's rules can't be used; those before go on")
                        }
                    }
                }
                now
            });
            known = looked.await.unwrap_or(known);
        }
    }
}

/// What a generation's shop offers, with what was changed since laid over it.
///
/// Errors: a change does not fit an item.
pub fn shelf_with(contents: &Contents, kept: Vec<(String, Overlay)>) -> Result<Shelf> {
    match kept.is_empty() {
        true => Ok(contents.shelf.clone()),
        false => Ok(contents.shelf.with(changes(contents, &kept)?)),
    }
}

/// What is kept of each item, laid over what the generation's catalogue says of it. What is kept of an item that has
/// not come yet makes no item.
fn changes(contents: &Contents, kept: &[(String, Overlay)]) -> Result<Vec<Change>> {
    kept.iter()
        .map(|(key, overlay)| (key, overlay, contents.keys.get(key)))
        .filter(|(_, overlay, trained)| trained.is_some() || overlay.is_listed())
        .map(|(key, overlay, trained)| {
            let listing = overlay.over(trained.map(|item| contents.shelf.item(item)))?;
            let near = match trained {
                Some(_) => Vec::new(),
                None => contents.near_by_content(&listing.item),
            };
            Ok(Change { key: key.clone(), listing, near })
        })
        .collect()
}

fn loading() -> Error {
    Error::Unavailable("the index is still being loaded".to_owned())
}
