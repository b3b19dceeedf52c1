//! What the shop changes during the day: taken, kept, and laid over whatever generation is served.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use tracing::{error, info, warn};

use super::served::{Counter, Served};
use super::status::NOT_YET;
use crate::catalog::{Change, MOST_ATTRIBUTES, Shelf};
use crate::error::{Error, Result, Violation};
use crate::index::Contents;
use crate::live::{Beside, Kept, Live, Overlay};
use crate::merchandising::{MOST_RULES, RuleText, Rules, parse_file};

/// Where changes are kept, and what is needed to lay them over the next generation.
#[derive(Debug)]
pub(super) struct Changing {
    /// Where they can't be taken, the changes that another process takes.
    live: std::result::Result<Live, Beside>,
    /// Why these could not be read the last time, if so: it is reported once.
    trouble: Option<String>,
    /// What of them the shelf that is served has laid over it, if that may not be all.
    laid: Option<Kept>,
    /// Those of the shop's file.
    file_rules: Vec<RuleText>,
    /// Decides when a day of the rules begins.
    zone: TimeZone,
}

impl Changing {
    /// What is kept in the index at `root`; where another server has it, no changes can be taken here, but those
    /// taken there count here too.
    pub(super) fn new(root: &Path, zone: TimeZone) -> Self {
        let live = opened(root).map_err(|error| {
            warn!(%error, "changes of the catalogue can't be taken");
            Beside::new(root, error.to_string())
        });
        let mut changing = Self { live, trouble: None, laid: None, file_rules: Vec::new(), zone };
        changing.look();
        changing
    }

    /// Where another server takes the changes: takes its place if it has gone, else looks at what it has taken.
    pub(super) fn look(&mut self) {
        let Err(beside) = &mut self.live else { return };
        if let Ok(live) = opened(beside.root()) {
            info!("changes of the catalogue can be taken from now on");
            self.laid.get_or_insert_with(|| beside.kept().clone());
            self.live = Ok(live);
            return;
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
        if let Ok(Some(before)) = looked {
            self.laid.get_or_insert(before); // an earlier one may not have been followed yet
        }
    }

    /// The shelf with all that another server has changed since it was laid out, if that is anything.
    ///
    /// Errors: the disk; a change does not fit an item.
    pub(super) fn followed(&self, served: &Served) -> Result<Option<Shelf>> {
        let Some(laid) = &self.laid else { return Ok(None) };
        let kept = self.kept()?;
        if kept == *laid {
            return Ok(None);
        }
        let contents = &served.snapshot().contents;
        let shelf = match later(&laid.items, &kept.items) {
            Some(later) => served.shelf.with(changes(contents, &served.shelf, &later)?),
            None => shelf_with(contents, &kept.items)?,
        };
        Ok(Some(shelf))
    }

    /// From now on the shelf that is served has all laid over it that is kept.
    pub(super) fn has_followed(&mut self) {
        self.laid = None;
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
        shelf_with(contents, &self.live.as_ref().map_or_else(beside, Live::items)?)
    }

    fn kept(&self) -> Result<Kept> {
        self.live.as_ref().map_or_else(|beside| Ok(beside.kept().clone()), Live::kept)
    }

    /// The rules of the shop's file and those that were put, as far as they act on this shelf.
    ///
    /// Errors: the disk.
    pub(super) fn rules(&self, shelf: &Shelf) -> Result<Rules> {
        Ok(rules_with(&self.file_rules, &self.kept_rules()?, shelf, &self.zone))
    }

    fn checked(&self, rules: &[RuleText], shelf: &Shelf) -> Result<Rules> {
        Rules::new(rules, shelf, &self.zone)
    }

    fn live(&self) -> Result<&Live> {
        self.live.as_ref().map_err(|beside| Error::Unavailable(beside.why().to_owned()))
    }

    /// Those of the file and those that were put.
    ///
    /// Errors: the disk.
    fn rule_texts(&self) -> Result<Vec<RuleText>> {
        Ok(all_rules(&self.file_rules, &self.kept_rules()?))
    }

    fn kept_rules(&self) -> Result<Vec<(String, Vec<u8>)>> {
        let beside = |beside: &Beside| Ok(beside.kept().rules.clone());
        self.live.as_ref().map_or_else(beside, Live::rules)
    }
}

/// The changes that are kept; says if some are missing that were acknowledged.
fn opened(root: &Path) -> Result<Live> {
    let live = Live::open(root)?;
    if live.missing() > 0 {
        error!(
            missing = live.missing(),
            "changes of the catalogue that were acknowledged are gone: their files were damaged, or copied while they \
             were written; send stock, prices, hidden items and rules again"
        );
    }
    Ok(live)
}

impl Counter {
    /// Keeps changes of items and lets them count; the keys of those that the shop does not have come back.
    ///
    /// Errors: changes can't be taken, or could not be kept. Then none counts.
    pub(super) fn change(&self, wanted: Vec<(String, Overlay)>) -> Result<Vec<String>> {
        let changing = self.changing();
        let live = changing.live()?;
        let served = self.served().ok_or_else(loading)?;
        // Under the key that the shelf has it by, whatever its case here.
        let known = |key: String| match served.shelf.get(&key) {
            Some(item) => served.shelf.key(item).to_owned(),
            None => key,
        };
        let wanted = wanted.into_iter().map(|(key, overlay)| (known(key), overlay)).collect();
        let in_any_case = served.snapshot().contents.keys.is_in_any_case();
        let overlays = live.laid_over(wanted, in_any_case)?;
        // Before they are kept: what can't be laid over an item must not be found in the store tomorrow.
        let changes = changes(&served.snapshot().contents, &served.shelf, &overlays)?;
        let shelf = served.shelf.with(changes);
        if shelf.left_out() > served.shelf.left_out() {
            let description = format!(
                "would bring the shop beyond {MOST_ATTRIBUTES} names of attributes: put what differs from item to item into values"
            );
            return Err(Error::InvalidRequest(vec![Violation {
                field: "items.attributes".to_owned(),
                description,
            }]));
        }
        let rules = match shelf.attributes() == served.shelf.attributes() {
            true => served.rules.clone(),
            false => Arc::new(changing.rules(&shelf)?), // one may have waited for what it asks about
        };
        live.keep(&overlays)?;
        let unknown = overlays.into_iter().map(|(key, _)| key);
        let unknown = unknown.filter(|key| served.shelf.get(key).is_none()).collect();
        self.answer_from(served.generation.clone(), shelf, rules);
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

    /// Has the rules of the shop's file count from the first answer on.
    ///
    /// Errors: they can't be read.
    pub(super) fn begin_with_rules(&self, file: &Path, text: &str) -> Result<()> {
        self.changing().file_rules = file_rules(file, text)?;
        Ok(())
    }

    /// Takes up the rules of the shop's file, if all of them can be understood.
    ///
    /// Errors: the first that can't be; then those before go on.
    pub(super) fn take_up_rules(&self, file: &Path, text: &str) -> Result<usize> {
        let rules = file_rules(file, text)?;
        let mut changing = self.changing();
        let served = self.served().ok_or_else(loading)?;
        changing.checked(&rules, &served.shelf).map_err(|error| of_file(file, &error))?;
        let count = rules.len();
        changing.file_rules = rules;
        self.serve(&changing, served.generation.clone(), served.shelf.clone())?;
        Ok(count)
    }

    /// Looks again and again whether the shop's file of rules says something else than `known`; one that can't be
    /// understood is reported once, and the rules before it go on.
    pub(super) async fn follow_rules(
        self: Arc<Self>,
        file: PathBuf,
        known: String,
        every: Duration,
    ) {
        let mut known = Some(known);
        loop {
            tokio::time::sleep(every).await;
            let (counter, file, before) = (self.clone(), file.clone(), known.clone());
            let looked = tokio::task::spawn_blocking(move || {
                let now = read_rules(&file);
                let unusable = |error: &Error| {
                    error!(%error, "the shop's rules can't be used; those before go on");
                };
                match &now {
                    _ if now.as_ref().ok() == before.as_ref() => {}
                    Ok(text) => match counter.take_up_rules(&file, text) {
                        Ok(rules) => info!(rules, "the shop's rules have changed"),
                        Err(error) => unusable(&error),
                    },
                    Err(error) => unusable(error),
                }
                now.ok()
            });
            known = looked.await.unwrap_or(known);
        }
    }
}

/// The text of the shop's file of rules.
///
/// Errors: it can't be read.
pub(super) fn read_rules(file: &Path) -> Result<String> {
    std::fs::read_to_string(file).map_err(Error::io("read the shop's rules (serve.rules)", file))
}

/// The rules of the shop's file.
///
/// Errors: it can't be read; it is no file of rules.
pub fn rules_of(file: &Path) -> Result<Vec<RuleText>> {
    file_rules(file, &read_rules(file)?)
}

fn file_rules(file: &Path, text: &str) -> Result<Vec<RuleText>> {
    parse_file(text).map_err(|error| of_file(file, &error))
}

fn of_file(file: &Path, error: &Error) -> Error {
    Error::Input(format!("{}: {error}", file.display()))
}

/// Those of the file, and those that were put, which count where both have an id; by id. What was put and can't be read
/// is reported, and does not act.
fn all_rules(file: &[RuleText], put: &[(String, Vec<u8>)]) -> Vec<RuleText> {
    let parsed = |(id, rule): &(String, Vec<u8>)| {
        let parsed: Result<RuleText, serde_json::Error> = serde_json::from_slice(rule);
        parsed.inspect_err(|error| {
            error!(rule = id, %error, "a rule of the shop can't be read, and does not act");
        })
    };
    let put = put.iter().filter_map(|rule| parsed(rule).ok());
    let by_id = |rule: RuleText| (rule.id.clone(), rule);
    let all: BTreeMap<String, RuleText> = file.iter().cloned().chain(put).map(by_id).collect();
    all.into_values().collect()
}

/// The rules of the shop's file and those that were put, as far as they can be understood; others are reported, and
/// don't act: a field that they name may have gone with last night's catalogue.
pub fn rules_with(
    file: &[RuleText],
    put: &[(String, Vec<u8>)],
    shelf: &Shelf,
    zone: &TimeZone,
) -> Rules {
    let mut texts = all_rules(file, put);
    if texts.len() > MOST_RULES {
        error!(rules = texts.len(), most = MOST_RULES, "the last rules of the shop do not act");
        texts.truncate(MOST_RULES);
    }
    let (rules, wrong) = Rules::understood(&texts, shelf, zone);
    wrong.iter().for_each(|error| error!(%error, "a rule of the shop does not act"));
    rules
}

/// What a generation's shop offers, with what was changed since laid over it.
///
/// Errors: a change does not fit an item.
pub fn shelf_with(contents: &Contents, kept: &[(String, Overlay)]) -> Result<Shelf> {
    if kept.is_empty() {
        return Ok(contents.shelf.clone());
    }
    // Another one may have been laid over the same, of which other things are known.
    let bare = contents.shelf.clone().apart();
    let shelf = bare.with(changes(contents, &bare, kept)?);
    if shelf.left_out() > 0 {
        error!(
            attributes = shelf.left_out(),
            most = MOST_ATTRIBUTES,
            "attributes of too many names were sent: no filter and no rule knows the last of them"
        );
    }
    Ok(shelf)
}

/// What is kept otherwise than it was, both in the order of the keys; `None` if something is no longer kept.
fn later(was: &[(String, Overlay)], is: &[(String, Overlay)]) -> Option<Vec<(String, Overlay)>> {
    let mut was = was.iter().peekable();
    let mut later = Vec::new();
    for entry in is {
        match was.next_if(|before| before.0 == entry.0) {
            Some(before) if before == entry => {}
            _ => later.push(entry.clone()),
        }
    }
    was.next().is_none().then_some(later)
}

/// What is kept of each item, laid over what the generation's catalogue says of it; `shelf` as it was. What is kept of
/// an item that has not come yet makes no item.
fn changes(contents: &Contents, shelf: &Shelf, kept: &[(String, Overlay)]) -> Result<Vec<Change>> {
    kept.iter()
        .map(|(key, overlay)| (key, overlay, shelf.get(key)))
        .filter(|(_, overlay, known)| known.is_some() || overlay.is_listed())
        .map(|(key, overlay, known)| {
            let trained = contents.keys.get(key);
            let listing = overlay.over(trained.map(|item| contents.shelf.item(item)))?;
            let near = match known {
                Some(_) if trained.is_some() => Vec::new(),
                Some(item) if shelf.item(item).reads_as(&listing.item) => shelf.near(item).to_vec(),
                _ => contents.near_by_content(&listing.item),
            };
            Ok(Change { key: key.clone(), listing, near })
        })
        .collect()
}

fn loading() -> Error {
    Error::Unavailable(NOT_YET.to_owned())
}
