//! A question → candidates → ranking → an answer with reasons.
//!
//! Pure: no async, no clock, no I/O, no randomness. What is known of the customer and the moment are
//! arguments. The server asks here, the command line asks here, and the trainer tunes with the very
//! same code.

mod blend;
mod pool;
mod reason;
mod sources;

pub use blend::{Blend, Weights};
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
    let mut pool = Pool::new(contents, scratch);
    let weights = match &query.question {
        Question::Related { item } => {
            sources::related(&mut pool, &blend.related, item);
            &blend.related
        }
        Question::Basket { items } => {
            sources::basket(&mut pool, &blend.basket, items, query.history);
            &blend.basket
        }
        Question::Customer { recent, exclude_purchased } => {
            let weights = match query.history.is_some_and(|history| !history.is_empty()) {
                true if *exclude_purchased => &blend.customer_new,
                true => &blend.customer,
                false => &blend.session,
            };
            sources::customer(&mut pool, weights, recent, query.history, *exclude_purchased);
            weights
        }
    };
    pool.settle(weights, query.limit);
    let ranked = match (&query.question, query.history) {
        (Question::Customer { exclude_purchased: false, .. }, Some(history)) => {
            pool.best_of_both(query.limit, |item| history.bought(item).is_some())
        }
        _ => pool.best(query.limit),
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
