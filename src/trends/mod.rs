//! What is hot, in the whole shop and in each category, and what sells better than it used to.
//!
//! This room counts events over time. It refuses to know who the customers are beyond telling them
//! apart.

mod days;
mod hot;
mod rising;
mod sellers;

pub use days::{Days, OnDay};
pub use hot::{Hot, HotLists, LONGEST_LIST, Window};
pub use rising::{Riser, risers};
pub use sellers::{Seller, sellers};

use rayon::slice::ParallelSliceMut;
use serde::{Deserialize, Serialize};

use crate::catalog::CategoryTree;
use crate::error::{Error, Result};
use crate::events::{Event, EventKind, EventLog};
use crate::ids::ItemId;
use crate::lists::Lists;
use crate::time::Timestamp;

/// How popularity ages.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrendOptions {
    /// After so many days a sale counts half. Days, > 0; default 30.
    pub half_life_days: f64,
    /// "Recent" means the last so many days of the log. Days, ≥ 1; default 28.
    pub recent_days: u32,
    /// Length of the list of popular items per category. Default 100.
    pub per_category: usize,
}

impl Default for TrendOptions {
    fn default() -> Self {
        Self { half_life_days: 30.0, recent_days: 28, per_category: 100 }
    }
}

impl TrendOptions {
    /// Errors: a value out of its range.
    pub fn check(&self) -> Result<()> {
        if !(self.half_life_days > 0.0 && self.half_life_days.is_finite()) {
            return Err(Error::Config(format!(
                "train.trends.half_life_days must be a positive number of days, not {}",
                self.half_life_days
            )));
        }
        if self.recent_days == 0 {
            return Err(Error::Config("train.trends.recent_days must be at least 1".into()));
        }
        Ok(())
    }
}

/// What sells, per item and as rankings.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trends {
    /// Days that "recent" spans; 0 if the log has no time and everything counts.
    pub recent_days: u32,
    /// Per item: distinct customers (orders or visits, where there are no customers) who bought it
    /// recently; where nothing was ever bought, who looked at it.
    pub recent_buyers: Vec<u32>,
    /// Per item: share of all decayed sales, 0 to 1; the sum is 1 (or 0 in an empty shop).
    pub share: Vec<f32>,
    /// Per item: recent sales over what its share of all sales would predict, 1.0 = as ever.
    pub momentum: Vec<f32>,
    /// The same of the last quarter of the recent days.
    pub latest_momentum: Vec<f32>,
    /// Per item: days since it was last sold (or looked at, where nothing is ever sold); infinite if it
    /// never was, or if the log has no time.
    pub idle_days: Vec<f32>,
    /// Every item that was ever sold (or looked at), most popular first.
    pub ranking: Vec<ItemId>,
    /// The same per category, cut to `per_category`; a category holds the items of those below it.
    pub by_category: Lists<ItemId>,
}

/// Measures popularity at the end of the log.
///
/// Purchases decide; items that were only looked at, put in a cart or on a wish list follow behind,
/// for a shop may have items that nobody has bought yet.
pub fn measure(
    log: &EventLog,
    categories: &CategoryTree,
    item_count: usize,
    now: Timestamp,
    options: &TrendOptions,
) -> Trends {
    let sold = log.events.iter().any(|event| event.kind == EventKind::Purchase);
    let counted = |event: &&Event| counts_as_sold(event, sold);
    let days_back = |days: u32| if log.timed { now.plus_days(-i64::from(days)) } else { now };
    let since = days_back(options.recent_days);
    let since_latest = days_back(options.recent_days.div_ceil(4));
    let is_recent = |event: &Event| !log.timed || event.at > since;

    let mut decayed = vec![0.0f64; item_count];
    let mut idle_days = vec![f32::INFINITY; item_count];
    let (mut all, mut recent) = (vec![0u32; item_count], vec![0u32; item_count]);
    let mut latest = vec![0u32; item_count];
    for event in log.events.iter().filter(counted) {
        let item = event.item.index();
        let age = if log.timed { now.days_since(event.at) } else { 0.0 };
        decayed[item] += 0.5f64.powf(age / options.half_life_days);
        all[item] += 1;
        recent[item] += u32::from(is_recent(event));
        latest[item] += u32::from(!log.timed || event.at > since_latest);
        if log.timed {
            idle_days[item] = idle_days[item].min(age as f32);
        }
    }
    let glances = glances(log, item_count);

    let mut ranking: Vec<ItemId> =
        (0..item_count).filter(|&i| all[i] > 0 || glances[i] > 0).map(ItemId::new).collect();
    ranking.sort_by(|a, b| {
        let key = |id: &ItemId| (decayed[id.index()], f64::from(glances[id.index()]));
        key(b).0.total_cmp(&key(a).0).then(key(b).1.total_cmp(&key(a).1)).then(a.cmp(b))
    });
    let total: f64 = decayed.iter().sum();
    Trends {
        recent_days: if log.timed { options.recent_days } else { 0 },
        recent_buyers: distinct_voters(log, item_count, |e| counted(&e) && is_recent(e)),
        share: decayed
            .iter()
            .map(|&d| if total > 0.0 { (d / total) as f32 } else { 0.0 })
            .collect(),
        momentum: momentum(&all, &recent),
        latest_momentum: momentum(&all, &latest),
        idle_days,
        by_category: by_category(&ranking, categories, options.per_category),
        ranking,
    }
}

/// (recent + 1) ÷ (usual + 1), where usual is what the item's share of all sales predicts for the
/// recent days.
fn momentum(all: &[u32], recent: &[u32]) -> Vec<f32> {
    let sum = |counts: &[u32]| counts.iter().map(|&n| u64::from(n)).sum::<u64>() as f64;
    let recent_share = sum(recent) / sum(all).max(1.0);
    let ratio = |(&n, &r): (&u32, &u32)| (f64::from(r) + 1.0) / (f64::from(n) * recent_share + 1.0);
    all.iter().zip(recent).map(|pair| ratio(pair) as f32).collect()
}

fn glances(log: &EventLog, item_count: usize) -> Vec<u32> {
    let mut counts = vec![0; item_count];
    let looked = |e: &&Event| !matches!(e.kind, EventKind::Purchase | EventKind::Return);
    log.events.iter().filter(looked).for_each(|event| counts[event.item.index()] += 1);
    counts
}

/// Whether the event counts as a sale: purchases do; where nothing is ever sold, looks do.
fn counts_as_sold(event: &Event, sold: bool) -> bool {
    match event.kind {
        EventKind::Purchase => true,
        EventKind::View | EventKind::Cart | EventKind::Favorite => !sold,
        EventKind::Return => false,
    }
}

/// Whose event it is: a customer's, else an order's or a visit's.
fn voter(event: &Event) -> u64 {
    match (event.customer, event.group) {
        (Some(customer), _) => customer.index() as u64,
        (None, Some(group)) => 1 << 32 | group.index() as u64,
        (None, None) => 2 << 32,
    }
}

/// Per item, how many different customers (else orders or visits) have an event that passes.
fn distinct_voters(log: &EventLog, item_count: usize, passes: impl Fn(&Event) -> bool) -> Vec<u32> {
    let mut votes: Vec<_> =
        log.events.iter().filter(|e| passes(e)).map(|e| (e.item, voter(e))).collect();
    votes.par_sort_unstable();
    votes.dedup();
    let mut counts = vec![0; item_count];
    votes.iter().for_each(|(item, _)| counts[item.index()] += 1);
    counts
}

fn by_category(ranking: &[ItemId], categories: &CategoryTree, limit: usize) -> Lists<ItemId> {
    let mut lists = vec![Vec::new(); categories.len()];
    for &item in ranking {
        for category in categories.upwards(categories.of(item)) {
            let list = &mut lists[category.index()];
            if list.len() < limit {
                list.push(item);
            }
        }
    }
    lists.into_iter().collect()
}
