//! How good are the answers? Held-out weeks replayed: what customers did next, and who would have known.
//!
//! ```text
//! log ─ cut ─┬─ past ──────→ baselines, the system under test ─ lists ┐
//!            └─ held out ──→ cases of each task ──────────────────────┴→ judged → report
//! ```
//!
//! One global cut in time; everything, popularity too, is learnt before it. Lists are ranked over the
//! whole catalogue. [`Cut`] and [`past`] make the training part, [`HeldOut`], [`Problem`] and [`Exam`] the exam,
//! [`judge`] the marks, [`Report`] the page. The protocol is that of an outside judge, to the same hash,
//! so that both come to the same figures.
//!
//! What is said to rise, and to be due again, is judged week by week: [`rising_over_weeks`], [`again_over_weeks`].
//!
//! This room refuses to know how the system under test is trained: it takes whatever implements
//! [`Recommender`].

mod again;
pub mod baselines;
mod cases;
pub mod customers;
mod exam;
mod hash;
mod held_out;
mod judge;
mod metrics;
mod protocol;
pub mod report;
mod rising;
mod task;

pub use again::{AgainMarks, AgainReport, Stated, again_over_weeks};
pub use cases::{Case, Problem, purchased};
pub use exam::Exam;
pub use held_out::HeldOut;
pub use judge::{Background, Marks, Part, judge};
pub use metrics::{AtCutoff, LIMIT, gini, interval};
pub use protocol::{Cut, last_days, past};
pub use report::Report;
pub use rising::{RisingMarks, RisingReport, rising_over_weeks};
pub use task::{Headline, Task};

use crate::ids::{CustomerId, ItemId};

/// Whoever answers: Cartwright, or a baseline.
pub trait Recommender: Sync {
    /// As the report calls it.
    fn name(&self) -> &str;

    /// At most `limit` items, best first, in the ids of [`HeldOut::items`].
    fn recommend(&self, question: &Question<'_>, limit: usize) -> Vec<ItemId>;
}

/// What whoever answers is told of a case.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// What is asked for.
    pub task: Task,
    /// Who asks, if that is told and the training log knows them.
    pub customer: Option<CustomerId>,
    /// Basket so far, the one item, or the visit so far, oldest first; items that the training log does
    /// not know lie beyond its ids.
    pub items: &'a [ItemId],
    /// What is never credited, ascending: the items asked with, or what was bought before.
    pub forbidden: &'a [ItemId],
}
