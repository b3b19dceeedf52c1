//! The nightly line: the order of the rooms, rehearsed on the last weeks before it is played.
//!
//! ```text
//! log + catalogue → learn up to the last weeks → try on them: damping, pulls
//!                 → learn up to the weeks before, and those before them → try on all: blend, rankers
//!                 → learn from the whole log, so tuned → place what is new → gate → publish
//!
//! learn: baskets, sessions → counts → rules, pulls ┐
//!                          → factors → neighbours  ├→ contents, clients (tell histories)
//!                          → trends, cadence       ┘
//! ```

mod arrivals;
mod cases;
mod clients;
mod crowds;
mod cut;
mod damping;
mod foresee;
pub mod gate;
mod lacking;
mod learn;
mod listed;
mod objective;
mod options;
mod order;
mod people;
mod price;
mod pulls;
mod ranker;
mod returns;
mod share;
mod trials;
mod tune;

pub use clients::{Clients, Histories};
pub use crowds::quieted;
pub use gate::GateOptions;
use learn::learn_for;
pub use learn::{Learnt, Lesson, learn};
pub use objective::{Bends, Bent};
pub use options::TrainOptions;
use ranker::Rankers;
pub use ranker::Worth;
pub use tune::Score;

use std::sync::Arc;

use jiff::tz::TimeZone;
use rustc_hash::FxHashSet;

use self::cases::Split;
use self::cut::HeldBack;
use self::gate::{Arrival, InputFigures};
use self::lacking::Cases;
use self::share::Share;
use crate::catalog::{Catalog, CatalogReading, Item, Levels};
use crate::customers::{ProfileOptions, Profiler, Source};
use crate::error::{Error, Result, counted};
use crate::events::{CustomerAttributes, EventKind, EventLog, Reading, baskets};
use crate::ids::{Interner, ItemId};
use crate::index::{
    CustomerKeys, Description, ERASURES, Erased, Index, Keep, Manifest, People, TrainingLock,
};
use crate::recommend::Kind;
use crate::rules::Groups;

/// So often something is held back to tune on, each time something else: what suits one of them only does not
/// suit the next.
const STRETCHES: usize = 4;

/// Of every question that is asked at all so many cases are enough: a large shop needs two stretches only.
const CASES: usize = 6_000;

/// Hears of every step. Of no type of its own: else whoever trains would compile the trainer once more.
pub type Watch<'a> = &'a mut dyn FnMut(&str);

/// What was held back, mostly a stretch of weeks, and what was learnt before it.
struct Rehearsal {
    learnt: Learnt,
    split: Split,
}

/// Rules and pulls of a shop with fewer events than this are quickly learnt, and tried on all that is held back.
const FEW_EVENTS: usize = 150_000;

/// How often the question is asked in all rehearsals.
fn cases(rehearsals: &[Rehearsal], kind: Kind) -> usize {
    rehearsals.iter().map(|rehearsal| rehearsal.split.cases(kind).len()).sum()
}

fn are_enough(rehearsals: &[Rehearsal]) -> bool {
    let is_enough = |kind: &Kind| {
        let cases = cases(rehearsals, *kind);
        cases == 0 || cases >= CASES
    };
    rehearsals.len() > 1 && Kind::ALL.iter().all(is_enough)
}

/// What a training run starts from.
#[derive(Clone, Debug)]
pub struct Input {
    /// The shop's events.
    pub reading: Reading,
    /// The shop's catalogue; empty if there is none.
    pub catalog: CatalogReading,
    /// Decides what a day is.
    pub time_zone: TimeZone,
    /// What the shop says of its customers; empty if nothing.
    pub attributes: CustomerAttributes,
    /// How customers are told of.
    pub customers: ProfileOptions,
    /// The configuration, for the manifest.
    pub config: serde_json::Value,
}

/// Whether the settings can be trained with, as far as that can be told before anything is read.
///
/// Errors: one is out of its range; the golden queries can't be read; customers' keys are to be hashed and the secret
/// is missing.
pub fn check(options: &TrainOptions, customers: &ProfileOptions) -> Result<()> {
    options.check()?;
    customers.worth.check()?;
    CustomerKeys::from_environment(customers.hash_keys)?;
    options.gate.golden.as_deref().map_or(Ok(()), |golden| gate::golden::read(golden).map(drop))
}

/// Learns from the input and publishes a new generation of the index; `watch` hears of every step.
///
/// Errors: nothing to learn from; the [gate] refuses it; another trainer is at work; the disk. The generation that
/// was current before then still is.
pub fn train(
    input: Input,
    options: &TrainOptions,
    index: &Index,
    watch: Watch<'_>,
) -> Result<Manifest> {
    check(options, &input.customers)?;
    let lock = TrainingLock::take(index)?;
    let Input { reading, catalog, time_zone, attributes, customers, config } = input;
    let called = CustomerKeys::from_environment(customers.hash_keys)?;
    if !customers.hash_keys && !options.gate.force && keeps_hashes(index) {
        return Err(Error::Refused(
            "the current generation keeps hashes of customers' keys, and this one would keep the keys themselves: \
             set customers.hash_keys = true (CARTWRIGHT_CUSTOMERS__HASH_KEYS), or say --force"
                .into(),
        ));
    }
    let erased = Erased::of(index)?;
    let read = reading.log.events.len();
    let (mut log, attributes) = people::named(reading.log, attributes, &called, &erased);
    let forgotten = read - log.events.len();
    if log.events.is_empty() {
        return Err(Error::Input(format!(
            "there is nothing to learn from: {} read, and none could be used: {}",
            counted(reading.account.read, "row"),
            reading.account.why(forgotten)
        )));
    }
    let strange = listed::against(&log, &catalog.catalog, options.gate.force)?;
    let items = stock(&mut log, &catalog.catalog);
    let (quiet, crowds) = match options.keep_crowds {
        true => (log.clone(), Vec::new()),
        false => crowds::quieted(&log, &time_zone),
    };
    let tuned = learn_tuned(&quiet, &items, &time_zone, options, watch);
    let Tuned { learnt, mut clients, how, lacking } = tuned;
    watch("getting to know the customers");
    if quiet.events.len() < log.events.len() {
        clients.remember(&log, &time_zone);
    }
    let source = Source {
        log: &log,
        items: &items,
        categories: &learnt.contents.categories,
        pasts: clients.pasts(),
        cadence: &learnt.contents.cadence,
        zone: &time_zone,
    };
    let mut profiler = Profiler::learn(source, &customers.worth);
    let (attributes, strangers) = people::known(&log, attributes);
    profiler.note_attributes(attributes);
    let (account, columns) = (&reading.account, &reading.columns);
    let input = InputFigures::of(&log, &catalog.catalog, account, columns, &time_zone);
    let mut counts = learnt.counts(&quiet);
    let people = People {
        keys: &log.customers,
        histories: &|customers| clients.tell(&learnt.contents, customers),
        profiles: &|customers| profiler.tell(customers),
        clientele: &profiler.clientele,
        called: &called,
    };
    watch("writing the index");
    let built = lock.build(&learnt.contents, &people)?;
    watch("comparing it with the current generation");
    let bytes = built.bytes()?;
    let arrival = Arrival { learnt: &learnt, input, counts: &counts, how: &how, bytes };
    let verdict = gate::judge(arrival, index, &options.gate)?;
    watch("publishing");
    if !erased.is_empty() {
        counts.insert(ERASURES.to_owned(), erased.len() as u64);
    }
    let mut notes = [reading.notes, catalog.notes].concat();
    notes.extend(strangers.into_iter().chain(strange));
    if forgotten > 0 {
        notes.push(format!(
            "erasures: {forgotten} events of customers who asked to be forgotten are left out"
        ));
    }
    let until = learnt.contents.timed.then(|| learnt.contents.now.to_string());
    notes.extend(nothing_new(index, until));
    notes.extend(learnt.notes());
    notes.extend(verdict.notes());
    notes.extend(crowds);
    notes.extend(lacking.iter().map(|line| format!("not learnt yet: {line}")));
    let json = |what: &str, value: serde_json::Result<serde_json::Value>| {
        value.map_err(|error| Error::Server(format!("the {what} can't be written: {error}")))
    };
    let description = Description {
        counts,
        account: json("account", serde_json::to_value(&reading.account))?,
        config,
        learnt: how,
        gate: json("gate's verdict", serde_json::to_value(&verdict))?,
        notes,
    };
    let keep = Keep { count: options.keep_generations, days: options.keep_days };
    let manifest = built.publish(description, keep)?;
    lock.drop_those_who_know_more(&manifest)?;
    Ok(manifest)
}

/// What was learnt, tuned to the shop.
#[derive(Debug)]
pub struct Tuned {
    /// Learnt from the whole log; no history is told yet.
    pub learnt: Learnt,
    /// Tell the histories.
    pub clients: Clients,
    /// The blend, the rules' damping and the rankers that were chosen, and how good they are, for the
    /// manifest.
    pub how: serde_json::Value,
    /// What could not be learnt yet, and how much more of what it takes: a line each.
    pub lacking: Vec<String>,
}

/// Learns from the log up to its last weeks, tunes on these, and learns once more from all of it. `items` is
/// what the catalogue says, in the order of their ids, and `zone` decides what a day is.
pub fn learn_tuned(
    log: &EventLog,
    items: &[Item],
    zone: &TimeZone,
    options: &TrainOptions,
    watch: Watch<'_>,
) -> Tuned {
    let mut options = options.clone();
    let gap = options.session_gap_minutes;
    let share = Share::of(log.events.len());
    let held_back = HeldBack::of(log, zone);
    if held_back.is_in_pieces() {
        options.drawn.head = options.drawn.head.saturating_mul(pulls::MORE_OF_LIKINGS);
    }
    let rehearse = |before: &[Rehearsal], options: &TrainOptions, watch: Watch<'_>| {
        let (nth, more) = (before.len() as u64, if before.is_empty() { "" } else { " more of" });
        watch(&format!("holding back{more} {}, to tune on", held_back.name()));
        let whole = before.last().filter(|_| !held_back.orders).map_or(log, |r| &r.split.past);
        let split = Split::of(held_back.cut(whole, nth, zone), zone, gap);
        let asked = split.asked();
        let (mut learnt, clients) =
            learn_for(Some(&asked), &split.past, items, zone, options, watch);
        learnt.histories = clients.histories(&learnt.contents, asked.customers);
        Rehearsal { learnt, split }
    };
    let rehearse_more = |all: &mut Vec<Rehearsal>, options: &TrainOptions, watch: Watch<'_>| {
        while all.len() < STRETCHES && !are_enough(all) {
            all.push(rehearse(all, options, watch));
        }
    };
    let without_pulls = pulls::none(&options); // they are learnt when they are tuned
    let mut rehearsals = vec![rehearse(&[], &without_pulls, watch)];
    if log.events.len() < FEW_EVENTS {
        rehearse_more(&mut rehearsals, &without_pulls, watch);
    }
    watch("tuning the rules");
    let orders = |r: &Rehearsal| Groups::from_baskets(&baskets(&r.split.past, zone));
    let orders: Vec<Groups> = rehearsals.iter().map(orders).collect();
    options.bought = damping::of_baskets(&mut rehearsals, &orders, &options.bought);
    if !log.customers.is_empty() {
        options.collected = damping::of_customers(&mut rehearsals, &orders, &options.collected);
        order::tune(&mut rehearsals, &mut options, held_back.is_in_pieces());
    }
    pulls::tune(&mut rehearsals, &orders, &mut options);
    drop(orders);
    rehearse_more(&mut rehearsals, &options, watch);
    let returns = returns::tune(&mut rehearsals);
    watch("tuning the blend");
    let (mut blend, scores) = tune::tune(&rehearsals, share);
    watch("learning to rank");
    let Rankers { rankers, of_earlier, worths } =
        ranker::learn_rankers(&rehearsals, &blend, share, held_back.turns());
    let cases = Cases::of(&rehearsals);
    rehearsals[0].learnt.contents.rankers = of_earlier;
    blend.acceptance = objective::acceptance(&rehearsals[0], &blend);
    let bends = objective::bend(&rehearsals[0], &mut blend, options.objective_loss);
    let price = price::milliseconds(&rehearsals[0], &blend);
    drop(rehearsals);

    watch("learning from the whole log");
    let (learnt, clients) = learn_for(None, log, items, zone, &options, watch);
    let mut learnt = Learnt { blend, ..learnt };
    learnt.contents.rankers = rankers;
    learnt.contents.returns = returns;
    watch("placing what is new");
    arrivals::place(&mut learnt, items, &options);
    let orders = Groups::from_baskets(&baskets(log, zone));
    let lacking = lacking::lines(log, &learnt, &orders, &cases);
    let how = serde_json::json!({
        "held_back": held_back.name(),
        "blend": learnt.blend,
        "held_out": scores,
        "rankers": worths,
        "milliseconds": price,
        "objectives": bends,
        "rules": { "bought": options.bought, "collected": options.collected },
        "interests": learnt.contents.interests,
        "returns": learnt.contents.returns,
        "pulls": { "called": options.called, "drawn": options.drawn },
        "content": learnt.contents.content.quality(),
    });
    Tuned { learnt, clients, how, lacking }
}

/// A word on a log that ends where that of the current generation did.
fn nothing_new(index: &Index, until: Option<String>) -> Option<String> {
    let current = index.current_manifest().ok()?;
    let until = until.filter(|until| current.trained_until.as_ref() == Some(until))?;
    Some(format!(
        "no event is later than those of generation {}, which end at {until} too: is the export still running?",
        current.generation
    ))
}

/// Whether the current generation, if there is one that can be read, keeps hashes instead of customers' keys.
fn keeps_hashes(index: &Index) -> bool {
    index.current_manifest().is_ok_and(|manifest| !manifest.customer_keys.is_empty())
}

/// What the catalogue says of every item of the log, in the order of their ids. Items of the catalogue
/// that nobody has touched yet follow behind; what the catalogue does not say, the log may.
pub fn stock(log: &mut EventLog, catalog: &Catalog) -> Vec<Item> {
    let sold: FxHashSet<*const Item> =
        log.items.keys().filter_map(|key| catalog.get(key)).map(std::ptr::from_ref).collect();
    for (key, _) in catalog.iter().filter(|(_, item)| !sold.contains(&std::ptr::from_ref(*item))) {
        Arc::make_mut(&mut log.items).intern(key);
    }
    let prices = latest_prices(log);
    let keys: &Interner<ItemId> = &log.items;
    let unlisted = Item { in_stock: catalog.is_complete().then_some(false), ..Item::default() };
    let of_key = |key| catalog.get(key).unwrap_or(&unlisted).clone();
    let mut items: Vec<Item> = keys.keys().map(of_key).collect();
    let columns = log.said.iter().map(|said| said.category.len()).max().unwrap_or(0);
    let levels = log.said.iter().flat_map(|said| &said.category).map(String::as_str);
    let levels = Levels::of(columns, levels);
    for (item, said) in items.iter_mut().zip(log.said.iter()) {
        if item.title.is_none() {
            item.title.clone_from(&said.title);
        }
        if item.category.is_empty() {
            item.category = levels.path(said.category.iter().map(String::as_str));
        }
        if item.brand.is_none() {
            item.brand.clone_from(&said.brand);
        }
    }
    for (item, price) in items.iter_mut().zip(prices) {
        item.price = item.price.or(price);
    }
    items
}

/// What each item was last sold for, where the log says.
fn latest_prices(log: &EventLog) -> Vec<Option<f64>> {
    let mut prices = vec![None; log.items.len()];
    for event in log.events.iter().filter(|event| event.kind == EventKind::Purchase) {
        if event.unit_price > 0.0 {
            prices[event.item.index()] = Some(f64::from(event.unit_price));
        }
    }
    prices
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_of_the_catalogue_is_one_of_the_logs_only_where_that_is_told_by_it() {
        let titled = |(key, title): (&str, &str)| {
            (key.to_owned(), Item { title: Some(title.to_owned()), ..Item::default() })
        };
        let catalog: Catalog =
            [("x", "small"), ("X", "large"), ("y", "other")].map(titled).into_iter().collect();
        let mut log = EventLog::default();
        ["X", "Y"].iter().for_each(|key| _ = Arc::make_mut(&mut log.items).intern(key));
        let items = stock(&mut log, &catalog);
        let titles: Vec<_> = items.iter().filter_map(|item| item.title.as_deref()).collect();
        assert_eq!(log.items.keys().collect::<Vec<_>>(), ["X", "Y", "x"]);
        assert_eq!(titles, ["large", "other", "small"]);
    }
}
