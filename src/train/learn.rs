//! From a log to everything that answers are made of.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;

use super::cases::Asked;
use super::clients::{Clients, Histories};
use super::pulls::Drawing;
use super::{TrainOptions, Watch, foresee, pulls};
use crate::catalog::{CategoryTree, Item, Shelf};
use crate::customers::{Cadence, Foretold, Interests, Pasts, Recurrence};
use crate::embed::{
    FactorOptions, Factors, Interactions, KindWeights, UnitVectors, neighbours, neighbours_of,
    words,
};
use crate::events::{EventLog, Sessions, baskets, sessions, steps};
use crate::ids::ItemId;
use crate::index::Contents;
use crate::lists::Ranked;
use crate::recommend::Blend;
use crate::rules::onward::OnwardOptions;
use crate::rules::visits::Visits;
use crate::rules::{self, Groups, RuleLists, RuleOptions, Rules};
use crate::time::Timestamp;
use crate::trends::{self, Hot};

/// What was learnt.
#[derive(Clone, Debug)]
pub struct Learnt {
    /// What answers are made of.
    pub contents: Contents,
    /// The pasts of those customers who are asked about.
    pub histories: Histories,
    /// How the sources are mixed.
    pub blend: Blend,
    /// What it was learnt from.
    pub lesson: Lesson,
    /// Per item, the customers and nameless orders and sessions that have to do with it.
    pub touched: Vec<u32>,
}

/// The size of what was learnt from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lesson {
    /// Orders.
    pub baskets: u64,
    /// Visits.
    pub sessions: u64,
    /// True if the longer rules had to be cut to their most frequent.
    pub longer_cut: bool,
}

/// Learns from a log; `items` is what the catalogue says, in the order of their ids, and `zone` decides
/// what a day is. Any customer may be asked about.
pub fn learn(
    log: &EventLog,
    items: &[Item],
    zone: &TimeZone,
    options: &TrainOptions,
    watch: Watch<'_>,
) -> Learnt {
    let (mut learnt, clients) = learn_for(None, log, items, zone, options, watch);
    learnt.histories = clients.all(&learnt.contents);
    learnt
}

/// The same, but no past is told yet; and if it is said what is `asked`, there are no neighbours of other items:
/// there are several rehearsals in memory, and each takes its time.
pub(super) fn learn_for(
    asked: Option<&Asked>,
    log: &EventLog,
    items: &[Item],
    zone: &TimeZone,
    options: &TrainOptions,
    watch: Watch<'_>,
) -> (Learnt, Clients) {
    let count = items.len();
    let now = log.events.last().map(|event| event.at).unwrap_or_default();

    watch("grouping events into baskets and visits");
    let baskets = baskets(log, zone);
    let sessions = sessions(log, options.session_gap_minutes);
    let orders = Groups::from_baskets(&baskets);

    watch("counting what is bought together");
    let bought = rules::count(&orders, count, &options.bought).kept();
    let collected = collected(&orders, log, count, &options.collected);
    watch("counting what is looked at together");
    // Where nobody looks at anything, all that is known of what comes after what is in which order it is bought.
    let next = match sessions.items.is_empty() && options.bought_later {
        true => {
            let steps = steps(log);
            let orders = steps.as_ref().unwrap_or(&baskets);
            rules::later::count_later(orders, count, options.next.per_item)
        }
        false => rules::next::count_next(&sessions, count, &options.next),
    };
    let next = RuleLists::of(&next);
    let visits = Visits::new(&sessions, count, &OnwardOptions::default().visits);
    let freshness = freshness(&sessions, count, now);
    let visited = Groups::from_sessions(&sessions);
    drop(sessions); // a log has millions; to count takes memory enough
    let viewed = rules::count(&visited, count, &options.viewed).kept();
    let sessions = visited.len() as u64;
    drop(visited);
    watch("mining longer rules");
    let longer = rules::longer::mine(&orders, &options.longer);
    let lesson = Lesson { baskets: orders.len() as u64, sessions, longer_cut: longer.cut };

    watch("learning vectors");
    let foretold = Foretold::count(log);
    let options_of_factors = weighted(&options.factors, &foretold);
    let interactions = Interactions::from_log(log, &options_of_factors);
    let factors = Factors::learn(&interactions, &options_of_factors);
    watch("finding neighbours");
    let (per_item, how) = (options.neighbours_per_item, &options.neighbours);
    let neighbours = match asked {
        Some(asked) => neighbours_of(&factors.items, |i| asked.items.contains(&i), per_item, how),
        None => neighbours(&factors.items, per_item, how),
    };
    let neighbours = Ranked::of(count, &neighbours);
    let (touched, vectors) = (interactions.touched(), UnitVectors::from(&factors.items));
    drop((interactions, factors));

    watch("measuring trends and customers");
    let categories = CategoryTree::new(items);
    let trends = trends::measure(log, &categories, count, now, &options.trends);
    let hot = Hot::measure(log, zone, &categories, count);
    let recurrence = Recurrence::learn(&baskets, &categories, count, log.timed);
    let cadence = Cadence::learn(&baskets, count, log.timed, &options.history);
    let contents = Contents {
        now,
        timed: log.timed,
        keys: log.items.clone(),
        words: words(items),
        shelf: Shelf::new(log.items.clone(), items),
        bought,
        collected,
        viewed,
        next,
        visits,
        freshness,
        longer: longer.rules,
        neighbours,
        vectors,
        trends,
        cadence,
        hot,
        recurrence,
        interests: foretold
            .interests(Interests { earlier: options.history.earlier, ..Interests::default() }),
        ..Contents::default()
    };
    let contents = contents.finish();
    let histories = Histories::default();
    let mut learnt = Learnt { contents, histories, blend: Blend::default(), lesson, touched };
    let mut clients = Clients::new(Pasts::new(log, baskets, now, &options.history));
    watch("learning what calls for what");
    pulls::call(&mut learnt.contents, &orders, &options.called);
    let drawing = Drawing::learn(&mut learnt.contents, &orders.one_per_customer(), &options.drawn);
    if !log.customers.is_empty() {
        clients.drawing = Some(drawing);
        watch("learning what customers buy next");
        clients.foresight = foresee::learn(&learnt.contents, log, zone, options);
    }
    (learnt, clients)
}

/// The options, with each kind of event weighing what it foretells unless they say what it weighs.
fn weighted(options: &FactorOptions, foretold: &Foretold) -> FactorOptions {
    let KindWeights { view, cart, favorite, purchase } = KindWeights::default();
    let assumed = Interests { view, cart, favorite, ..Interests::default() };
    let Interests { view, cart, favorite, .. } = foretold.interests(assumed);
    let learnt = KindWeights { view, cart, favorite, purchase };
    FactorOptions { kinds: Some(options.kinds.unwrap_or(learnt)), ..options.clone() }
}

/// Per item: visits that saw it, each halved by every two days of its age, plus ½, over all its visits.
fn freshness(sessions: &Sessions, count: usize, now: Timestamp) -> Vec<f32> {
    let (mut fresh, mut all) = (vec![0.5f64; count], vec![0u32; count]);
    let mut seen: Vec<ItemId> = Vec::new();
    for (items, &at) in sessions.items.rows().zip(&sessions.at) {
        let weight = 0.5f64.powf(now.days_since(at) / 2.0);
        seen.clear();
        seen.extend(items);
        seen.sort_unstable();
        seen.dedup();
        for item in &seen {
            fresh[item.index()] += weight;
            all[item.index()] += 1;
        }
    }
    fresh.into_iter().zip(all).map(|(fresh, all)| (fresh / f64::from(all.max(1))) as f32).collect()
}

/// Rules over customers; none in a shop that knows no customers.
fn collected(
    orders: &Groups,
    log: &EventLog,
    count: usize,
    options: &RuleOptions,
) -> Rules<RuleLists> {
    if log.customers.is_empty() {
        return Rules { item_groups: vec![0; count], ..Rules::default() };
    }
    rules::count(&orders.one_per_customer(), count, options).kept()
}

impl Learnt {
    /// How many of everything there are, for the manifest.
    pub fn counts(&self, log: &EventLog) -> BTreeMap<String, u64> {
        let Contents {
            shelf, bought, collected, viewed, next, longer, neighbours, arrivals, ..
        } = &self.contents;
        let entries = |rules: &Rules<RuleLists>| rules.lists.count() as u64;
        let (viewed_next, bought_later) = match self.contents.has_visits() {
            true => (next.count(), 0),
            false => (0, next.count()),
        };
        let counts: [(&str, u64); 14] = [
            ("items", shelf.trained() as u64),
            ("customers", log.customers.len() as u64),
            ("events", log.events.len() as u64),
            ("baskets", self.lesson.baskets),
            ("sessions", self.lesson.sessions),
            ("bought_together", entries(bought)),
            ("same_customers", entries(collected)),
            ("viewed_together", entries(viewed)),
            ("viewed_next", viewed_next as u64),
            ("bought_later", bought_later as u64),
            ("longer_rules", longer.len() as u64),
            ("neighbours", neighbours.count() as u64),
            ("arrivals", arrivals.count() as u64),
            ("baskets_left_out", u64::from(bought.left_out_groups)),
        ];
        counts.into_iter().map(|(name, count)| (name.to_owned(), count)).collect()
    }

    /// What the shop should know of the result.
    pub fn notes(&self) -> Vec<String> {
        let bought = &self.contents.bought;
        let mut notes = Vec::new();
        if bought.left_out_groups > 0 {
            notes.push(format!(
                "{} baskets hold more items than train.bought.max_group_items and were left out of counting",
                bought.left_out_groups
            ));
        }
        if self.lesson.longer_cut {
            notes.push(
                "longer rules: only the most frequent were kept, within train.longer.max_sets"
                    .into(),
            );
        }
        notes
    }
}
