//! A question → candidates → ranking → an answer with reasons.
//!
//! Pure: no async, no clock, no I/O, no randomness. What is known of the customer and the moment are
//! arguments. The server asks here, the command line asks here, and the trainer tunes with the very
//! same code.

mod blend;
mod pool;
mod ranking;
mod reason;
mod sources;

pub use blend::{Blend, SOURCES, Weights};
pub use pool::Scratch;
pub use reason::{Association, Reason};

use crate::customers::History;
use crate::ids::ItemId;
use crate::index::Contents;
use pool::Pool;

/// What is asked. Keys are the shop's; those it does not know are passed over.
#[derive(Clone, Debug, PartialEq)]
pub enum Question<'a> {
    /// What goes with this item?
    Related {
        /// The item on the page.
        item: &'a str,
    },
    /// What completes this basket?
    Basket {
        /// What is in the cart.
        items: Vec<&'a str>,
    },
    /// What would this customer, or this visitor, want?
    Customer {
        /// Looked at just now, oldest first.
        recent: Vec<&'a str>,
        /// Leaves out whatever was ever bought.
        exclude_purchased: bool,
    },
}

/// A question with everything that is needed to answer it.
#[derive(Clone, Debug, PartialEq)]
pub struct Query<'a> {
    /// What is asked.
    pub question: Question<'a>,
    /// The past of the customer who asks, if the shop knows one.
    pub history: Option<&'a History>,
    /// Greatest length of the answer.
    pub limit: usize,
}

/// One recommended item.
#[derive(Clone, Debug, PartialEq)]
pub struct Recommendation {
    /// Which.
    pub item: ItemId,
    /// Higher is better; comparable within one answer only.
    pub score: f32,
    /// Why, the strongest first; never empty.
    pub reasons: Vec<Reason>,
}

/// Answers the query, best first: never more than its limit, never an item twice, never the item asked
/// about or one in the basket, never one that is out of stock. Shorter only when nothing is left.
pub fn answer(
    contents: &Contents,
    blend: &Blend,
    query: &Query<'_>,
    scratch: &mut Scratch,
) -> Vec<Recommendation> {
    let weights = blend.of(query);
    let pool = gather(contents, weights, query, scratch);
    let by_source = weights.by_source();
    let scored = pool
        .candidates()
        .map(|(item, says)| {
            let momentum = contents.trends.momentum[item.index()];
            (item, weights.score(&by_source, says, momentum))
        })
        .filter(|(_, score)| *score > 0.0)
        .collect();
    let ranked = match (&query.question, query.history) {
        (Question::Customer { exclude_purchased: false, .. }, Some(history)) => {
            ranking::best_of_both(scored, query.limit, |item| history.bought(item).is_some())
        }
        _ => ranking::best(scored, query.limit),
    };
    ranked
        .into_iter()
        .map(|(item, score)| Recommendation {
            item,
            score,
            reasons: reason::reasons(contents, query.history, item, pool.evidence(item)),
        })
        .collect()
}

/// Candidates for one query with what each source says of each: for the trainer, which tries many weights
/// on the same candidates.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Gathered {
    /// The candidates.
    pub items: Vec<ItemId>,
    /// What each source says, in the order of the fields of [`Weights`].
    pub says: Vec<[f32; SOURCES]>,
}

/// All candidates for the query, from every source, whatever the weights; `decay` is that of [`Weights`].
pub fn gathered(
    contents: &Contents,
    decay: f32,
    query: &Query<'_>,
    scratch: &mut Scratch,
) -> Gathered {
    let pool = gather(contents, &Weights::all(decay), query, scratch);
    let (items, says) = pool.candidates().map(|(item, says)| (item, *says)).unzip();
    Gathered { items, says }
}

/// Every candidate for the query, from every source that is listened to.
fn gather<'a>(
    contents: &'a Contents,
    weights: &Weights,
    query: &Query<'_>,
    scratch: &'a mut Scratch,
) -> Pool<'a> {
    let mut pool = Pool::new(contents, weights, scratch);
    match &query.question {
        Question::Related { item } => sources::related(&mut pool, item),
        Question::Basket { items } => sources::basket(&mut pool, items, query.history),
        Question::Customer { recent, exclude_purchased } => {
            let decay = weights.decay;
            sources::customer(&mut pool, decay, recent, query.history, *exclude_purchased);
        }
    }
    pool.add_popular(query.limit);
    pool
}
