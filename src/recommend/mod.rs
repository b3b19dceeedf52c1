//! A question → candidates → ranking → an answer with reasons.
//!
//! Pure: no async, no clock, no I/O, no randomness. What is known of the customer and the moment are
//! arguments. The server asks here, the command line asks here, and the trainer tunes with the very
//! same code.

mod blend;
mod features;
mod pool;
mod ranking;
mod reason;
mod sources;

pub use blend::{Blend, SOURCES, Weights};
pub use features::{FEATURES, RELATIVE_BLEND_COLUMN};
pub use pool::Scratch;
pub use reason::{Association, Reason};

use crate::customers::History;
use crate::ids::ItemId;
use crate::index::Contents;
use features::Features;
use pool::Pool;
use ranking::Side;

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

/// The kinds of questions that are tuned apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// [`Question::Related`].
    Related,
    /// [`Question::Basket`].
    Basket,
    /// [`Question::Customer`] of a customer with a past.
    Customer,
    /// The same, where only what is new to the customer is wanted.
    CustomerNew,
    /// [`Question::Customer`] of a visitor without a past.
    Session,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Related, Self::Basket, Self::Customer, Self::CustomerNew, Self::Session];

    /// As the manifest names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Related => "related",
            Self::Basket => "basket",
            Self::Customer => "customer",
            Self::CustomerNew => "customer_new",
            Self::Session => "session",
        }
    }

    /// The question of this kind about `items`.
    pub fn question(self, items: Vec<&str>) -> Question<'_> {
        match self {
            Self::Related => Question::Related { item: items.first().copied().unwrap_or_default() },
            Self::Basket => Question::Basket { items },
            Self::Customer | Self::Session => {
                Question::Customer { recent: items, exclude_purchased: false }
            }
            Self::CustomerNew => Question::Customer { recent: items, exclude_purchased: true },
        }
    }
}

impl Query<'_> {
    /// Which kind of question this is.
    pub fn kind(&self) -> Kind {
        match &self.question {
            Question::Related { .. } => Kind::Related,
            Question::Basket { .. } => Kind::Basket,
            Question::Customer { exclude_purchased, .. } => {
                match self.history.is_some_and(|history| !history.is_empty()) {
                    true if *exclude_purchased => Kind::CustomerNew,
                    true => Kind::Customer,
                    false => Kind::Session,
                }
            }
        }
    }
}

/// Answers the query, best first: never more than its limit, never an item twice, never the item asked
/// about or one in the basket, never one that is out of stock. Shorter only when nothing is left.
pub fn answer(
    contents: &Contents,
    blend: &Blend,
    query: &Query<'_>,
    scratch: &mut Scratch,
) -> Vec<Recommendation> {
    let kind = query.kind();
    let weights = blend.of(kind);
    let mut pool = gather(contents, weights, query, scratch);
    let mut scored = pool.scored(weights);
    let ranker = contents.rankers.get(kind.name());
    if let Some(ranker) = ranker.filter(|ranker| ranker.columns() == FEATURES) {
        let (first, rest) = ranking::parted(scored, SHORTLIST);
        let features = shortlist_features(&pool, query, &first);
        scored = ranking::reordered(first, rest, ranker, &features);
    }
    let ranked = match (&query.question, query.history) {
        (Question::Customer { exclude_purchased: false, .. }, Some(history)) => {
            pool.mark_past(history);
            let known = |item| if pool.is_past(item) { Side::One } else { Side::Other };
            ranking::best_of_both(scored, query.limit, query.limit.div_ceil(10), known)
        }
        (Question::Related { .. }, _) => {
            let side = |item| match (pool.is_bought_with(item), pool.is_viewed_with(item)) {
                (true, _) => Side::One,
                (false, true) => Side::Other,
                (false, false) => Side::Neither,
            };
            ranking::best_of_both(scored, query.limit, query.limit.div_ceil(4), side)
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

/// So many of the blend's best are put in order by the ranker.
const SHORTLIST: usize = 100;

/// The blend's best candidates for one query, as the ranker sees them: for the trainer, which learns it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Shortlist {
    /// At most a hundred, the blend's best first.
    pub items: Vec<ItemId>,
    /// [`FEATURES`] numbers for each.
    pub features: Vec<f32>,
}

/// The shortlist for the query.
pub fn shortlist(
    contents: &Contents,
    weights: &Weights,
    query: &Query<'_>,
    scratch: &mut Scratch,
) -> Shortlist {
    let pool = gather(contents, weights, query, scratch);
    let (first, _) = ranking::parted(pool.scored(weights), SHORTLIST);
    let features = shortlist_features(&pool, query, &first);
    Shortlist { items: first.into_iter().map(|(item, _)| item).collect(), features }
}

fn shortlist_features(pool: &Pool<'_>, query: &Query<'_>, first: &[ranking::Scored]) -> Vec<f32> {
    let top = first.first().map_or(0.0, |(_, score)| *score);
    let features = Features::new(pool.contents, query, top);
    let mut rows = Vec::with_capacity(first.len() * FEATURES);
    for (place, &(item, score)) in first.iter().enumerate() {
        features.of(item, pool.says(item), score, place, &mut rows);
    }
    rows
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

/// All candidates for the query, from the sources that `weights` listen to.
pub fn gathered(
    contents: &Contents,
    weights: &Weights,
    query: &Query<'_>,
    scratch: &mut Scratch,
) -> Gathered {
    let pool = gather(contents, weights, query, scratch);
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
        Question::Basket { items } => sources::basket(&mut pool, weights.due, items, query.history),
        Question::Customer { recent, exclude_purchased } => {
            sources::customer(&mut pool, weights, recent, query.history, *exclude_purchased);
        }
    }
    pool.add_popular(query.limit);
    pool
}
