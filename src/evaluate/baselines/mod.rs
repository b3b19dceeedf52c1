//! What has to be beaten: simple and strong recommenders of the literature, plainly written.
//!
//! Every baseline scores all items; the best are listed, ties to the more popular item. A score of
//! exactly 0 means "no evidence" and is not listed, so lists may be shorter than asked for.
//!
//! [`LINE_UP`] names them with their parameters and the tasks they are for; [`Hall`] holds the training
//! log in their codes and fits one at a time.

mod factors;
mod frequency;
mod item_item;
mod popularity;
mod training;
mod visits;

use std::sync::OnceLock;

use jiff::tz::TimeZone;

use self::training::Training;
use super::{Question, Recommender, Task};
use crate::embed::FactorOptions;
use crate::events::EventLog;
use crate::ids::{CustomerId, ItemId};

/// One baseline with its parameters. Defaults are those of the published implementations.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Baseline {
    /// Purchases per item, over everything or over the last `days`.
    Popularity {
        /// How far back.
        days: Option<u32>,
    },
    /// In how many of the customer's baskets the item was, one that is a baskets old counting decayᵃ, plus
    /// `prior` times the item's popularity as a share of the most popular item's.
    ///
    /// With decay 1 and prior 0 this is P-TopFreq; filled with popular items, GP-TopFreq. Source: Li,
    /// Jullien, Ariannezhad & de Rijke 2023, "A next basket recommendation reality check".
    Frequency {
        /// Per basket, 0 to 1.
        decay: f64,
        /// ≥ 0.
        prior: f64,
        /// Whether the rest of the list is what is popular.
        fill: bool,
    },
    /// Σ over the basket of P(item | basket item), from pairs in at least `support` baskets.
    Confidence {
        /// Baskets.
        support: u32,
    },
    /// Neighbours by cosine of their customers, or baskets; each item keeps `neighbours`, itself included.
    Cosine {
        /// K.
        neighbours: usize,
        /// What an item of the visit counts for each later one; 1 = all the same.
        decay: f32,
    },
    /// The same with BM25 weights. Source: `implicit`, `bm25_weight`.
    Bm25 {
        /// K.
        neighbours: usize,
        /// Saturation.
        k1: f64,
        /// How much an item's popularity is held against it, 0 to 1.
        b: f64,
    },
    /// Matrix factorisation alone; see [`crate::embed::Factors`].
    Als {
        /// Floats per vector.
        dim: usize,
    },
    /// What was seen d clicks after the last item, at most `steps`, counts 1/d.
    ///
    /// Source: Ludewig & Jannach 2018, "Evaluation of session-based recommendation algorithms".
    SequentialRules {
        /// Clicks.
        steps: usize,
    },
    /// What was seen in the same visit as the last item, at most `steps` clicks away: the same source.
    AssociationRules {
        /// Clicks.
        steps: usize,
    },
    /// The most recent visits that share an item, the most similar of them, their items by similarity,
    /// place of the last shared item and rarity.
    ///
    /// Source: Kersbergen, Sprangers & Schelter 2022, "Serenade".
    VmisKnn {
        /// m: visits looked at.
        recent: usize,
        /// k: visits used.
        neighbours: usize,
        /// Items of the visit that count.
        last_items: usize,
    },
}

/// A baseline under the name that the report gives it, and the tasks it is for.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// `popularity_recent`.
    pub name: &'static str,
    /// Which, and how.
    pub baseline: Baseline,
    /// For these.
    pub tasks: &'static [Task],
}

const CUSTOMER: &[Task] = &[Task::ForCustomer, Task::ForCustomerWindow];
const ANY_CUSTOMER: &[Task] = &[Task::ForCustomer, Task::ForCustomerWindow, Task::ForCustomerNew];
const BASKET: &[Task] = &[Task::BasketUpsell, Task::BasketUpsellAnonymous, Task::RelatedItems];
const BOUGHT: &[Task] = &[
    Task::ForCustomer,
    Task::ForCustomerWindow,
    Task::ForCustomerNew,
    Task::BasketUpsell,
    Task::BasketUpsellAnonymous,
    Task::RelatedItems,
];
const SESSION: &[Task] = &[Task::Session];

const fn frequency(decay: f64, prior: f64, fill: bool) -> Baseline {
    Baseline::Frequency { decay, prior, fill }
}

const fn entry(name: &'static str, baseline: Baseline, tasks: &'static [Task]) -> Entry {
    Entry { name, baseline, tasks }
}

/// Every baseline that is asked. A name may come twice, with parameters for other tasks.
pub const LINE_UP: [Entry; 18] = [
    entry("popularity", Baseline::Popularity { days: None }, &Task::ALL),
    entry("popularity_recent", Baseline::Popularity { days: Some(28) }, BOUGHT),
    entry("popularity_recent", Baseline::Popularity { days: Some(2) }, SESSION),
    entry("p_topfreq", frequency(1.0, 0.0, false), CUSTOMER),
    entry("gp_topfreq", frequency(1.0, 0.0, true), CUSTOMER),
    entry("decayed_frequency", frequency(0.95, 3.0, false), CUSTOMER),
    entry("personal_only", frequency(0.95, 0.0, true), &[Task::BasketUpsell]),
    entry("confidence", Baseline::Confidence { support: 2 }, BASKET),
    entry("cosine", Baseline::Cosine { neighbours: 200, decay: 1.0 }, ANY_CUSTOMER),
    entry("cosine", Baseline::Cosine { neighbours: 500, decay: 1.0 }, BASKET),
    entry("cosine", Baseline::Cosine { neighbours: 200, decay: 0.8 }, SESSION),
    entry("bm25", Baseline::Bm25 { neighbours: 200, k1: 1.2, b: 0.75 }, ANY_CUSTOMER),
    entry("bm25", Baseline::Bm25 { neighbours: 500, k1: 1.2, b: 0.75 }, BASKET),
    entry("als", Baseline::Als { dim: 64 }, BOUGHT),
    entry("ar", Baseline::AssociationRules { steps: 10 }, SESSION),
    entry("sr", Baseline::SequentialRules { steps: 10 }, SESSION),
    entry("vmis_knn", Baseline::VmisKnn { recent: 500, neighbours: 100, last_items: 3 }, SESSION),
    entry(
        "vmis_knn_published",
        Baseline::VmisKnn { recent: 500, neighbours: 50, last_items: 2 },
        SESSION,
    ),
];

/// The training log as baselines see it. They learn what is bought from purchases, and what is looked
/// at next from visits; ids are recoded by popularity.
pub struct Hall<'a> {
    past: &'a EventLog,
    zone: &'a TimeZone,
    session_gap_minutes: u32,
    bought: OnceLock<Training>,
    looked_at: OnceLock<Training>,
}

/// A baseline that has learnt.
pub struct Fitted<'a> {
    name: &'static str,
    training: &'a Training,
    scorer: Box<dyn Score + 'a>,
}

/// What a baseline is asked, in its own codes.
struct Asked {
    customer: Option<CustomerId>,
    /// True where the customer's past is the question, and there are no items.
    by_customer: bool,
    /// Known items, oldest first.
    items: Vec<u32>,
}

/// A score per item.
trait Score: Sync {
    /// Adds to `row`, which is all 0 and has a cell for each code.
    fn score(&self, asked: &Asked, row: &mut [f32]);
}

impl<'a> Hall<'a> {
    /// Of a training log; nothing is computed yet.
    pub fn new(past: &'a EventLog, zone: &'a TimeZone, session_gap_minutes: u32) -> Self {
        let (bought, looked_at) = (OnceLock::new(), OnceLock::new());
        Self { past, zone, session_gap_minutes, bought, looked_at }
    }

    /// Lets a baseline learn for `task`, and for those that are like it: see [`Entry::tasks`].
    pub fn fit(&self, name: &'static str, baseline: &Baseline, task: Task) -> Fitted<'_> {
        let training = match task {
            Task::Session => self
                .looked_at
                .get_or_init(|| Training::of_visits(self.past, self.session_gap_minutes)),
            _ => self.bought.get_or_init(|| Training::of_purchases(self.past, self.zone)),
        };
        let by_customer = task.is_for_customer();
        let scorer: Box<dyn Score + '_> = match *baseline {
            Baseline::Popularity { days } => Box::new(popularity::Popularity::new(training, days)),
            Baseline::Frequency { decay, prior, fill } => {
                Box::new(frequency::Frequency::new(training, decay, prior, fill))
            }
            Baseline::Confidence { support } => {
                Box::new(item_item::Confidence::new(training, support))
            }
            Baseline::Cosine { neighbours, decay } => {
                Box::new(item_item::Neighbours::cosine(training, by_customer, neighbours, decay))
            }
            Baseline::Bm25 { neighbours, k1, b } => {
                Box::new(item_item::Neighbours::bm25(training, by_customer, neighbours, k1, b))
            }
            Baseline::Als { dim } => {
                let options = FactorOptions { dim, ..FactorOptions::default() };
                Box::new(factors::Als::new(self.past, training, &options))
            }
            Baseline::SequentialRules { steps } => {
                Box::new(visits::NextRules::sequential(training, steps))
            }
            Baseline::AssociationRules { steps } => {
                Box::new(visits::NextRules::both_ways(training, steps))
            }
            Baseline::VmisKnn { recent, neighbours, last_items } => {
                Box::new(visits::VmisKnn::new(training, recent, neighbours, last_items))
            }
        };
        Fitted { name, training, scorer }
    }
}

impl Recommender for Fitted<'_> {
    fn name(&self) -> &str {
        self.name
    }

    fn recommend(&self, question: &Question<'_>, limit: usize) -> Vec<ItemId> {
        let code = |item: &ItemId| self.training.codes.get(item.index()).copied().flatten();
        let items = question.items.iter().filter_map(code).collect();
        let mut row = vec![0.0f32; self.training.items.len()];
        let by_customer = question.task.is_for_customer();
        self.scorer.score(&Asked { customer: question.customer, by_customer, items }, &mut row);
        question.forbidden.iter().filter_map(code).for_each(|code| row[code as usize] = 0.0);
        let ranked = best(&row, limit);
        ranked.into_iter().map(|(_, code)| self.training.items[code as usize]).collect()
    }
}

/// The `limit` best scores with their codes, best first; of equals the lower code. What has no score is
/// left out.
fn best(row: &[f32], limit: usize) -> Vec<(f32, u32)> {
    let mut ranked: Vec<(f32, u32)> = Vec::with_capacity(limit + 1);
    for (&score, code) in row.iter().zip(0..) {
        let is_full = ranked.len() >= limit;
        let too_low = is_full && ranked.last().is_none_or(|&(least, _)| score <= least);
        if score == 0.0 || too_low || !score.is_finite() {
            continue;
        }
        if is_full {
            ranked.pop();
        }
        let place = ranked.partition_point(|&(other, _)| other >= score);
        ranked.insert(place, (score, code));
    }
    ranked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_are_listed_and_ties_fall_to_the_more_popular() {
        let row = [0.5, 0.0, 2.0, 0.5, f32::NAN, -1.0, 2.0];
        assert_eq!(best(&row, 3), [(2.0, 2), (2.0, 6), (0.5, 0)]);
        let all = best(&row, 20);
        assert_eq!(all.iter().map(|&(_, code)| code).collect::<Vec<_>>(), [2, 6, 0, 3, 5]);
        assert!(best(&row, 0).is_empty() && best(&[], 5).is_empty());
    }

    #[test]
    fn every_baseline_of_the_line_up_is_for_some_task_and_no_task_hears_a_name_twice() {
        for task in Task::ALL {
            let mut names: Vec<&str> = LINE_UP
                .iter()
                .filter(|entry| entry.tasks.contains(&task))
                .map(|entry| entry.name)
                .collect();
            let all = names.len();
            names.sort_unstable();
            names.dedup();
            assert!(names.len() == all && all > 3, "{}: {names:?}", task.name());
        }
    }
}
