//! A question → candidates → ranking → an answer with reasons.
//!
//! Pure: no async, no clock, no I/O, no randomness. What is known of the customer and the moment are
//! arguments. The server asks here, the command line asks here, and the trainer tunes with the very
//! same code.

mod affinity;
mod arrange;
mod blend;
mod evidence;
mod features;
mod gate;
mod line;
mod listed;
mod merchandise;
mod pool;
mod ranking;
mod reason;
mod seating;
mod sieve;
mod sources;
mod taste;
mod terms;
mod wording;

/// How far back what is hot, or rises, is looked for.
pub use crate::trends::Window;
pub use blend::{Blend, SOURCES, Weights};
pub use features::{FEATURES, RELATIVE_BLEND_COLUMN};
pub use listed::known_category;
pub use pool::Scratch;
pub use reason::{Association, DueAgain, Reason, RuleAct, Source};
pub use terms::{Dropped, Effort, Ledger, Objective, OrderValue, PriceBand, Terms};

use rustc_hash::FxHashMap;

use crate::catalog::Shelf;
use crate::customers::History;
use crate::ids::ItemId;
use crate::index::Contents;
use crate::time::Timestamp;
use features::Features;
use gate::Gate;
use merchandise::Acting;
use pool::Pool;
use ranking::Scored;
use sieve::{Condition, Sieves};

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
    /// What sells best of late, or better than it used to?
    Trending {
        /// How far back.
        window: Window,
        /// Only this category and those below it: `a > b > c`; the whole shop if it is empty or not known.
        category: &'a str,
        /// By what.
        by: TrendingBy,
    },
    /// What does this customer need again?
    Again,
}

/// What trending items are ranked by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TrendingBy {
    /// Distinct customers, weighted and decayed; see [`trends::sellers`](crate::trends::sellers).
    #[default]
    BestSellers,
    /// The lower bound of the recent rate over the usual; see [`trends::risers`](crate::trends::risers).
    Rising,
}

impl Question<'_> {
    /// What the shop's rules call the place where it is asked.
    pub fn placement(&self) -> &'static str {
        match self {
            Self::Related { .. } => "related_items",
            Self::Basket { .. } => "basket_upsell",
            Self::Customer { .. } => "for_customer",
            Self::Trending { .. } => "trending_items",
            Self::Again => "buy_again_items",
        }
    }

    /// What is on the page or in the basket, as far as the trainer knows it, each once: as it has learnt to be asked.
    fn asked(&self, contents: &Contents) -> Vec<ItemId> {
        let keys = match self {
            Self::Related { item } => std::slice::from_ref(item),
            Self::Basket { items } => items.as_slice(),
            Self::Customer { .. } | Self::Trending { .. } | Self::Again => &[],
        };
        let mut asked: Vec<ItemId> = keys.iter().filter_map(|key| contents.keys.get(key)).collect();
        asked.sort_unstable();
        asked.dedup();
        asked
    }
}

/// A question with everything that is needed to answer it.
#[derive(Clone, Debug)]
pub struct Query<'a> {
    /// What is asked.
    pub question: Question<'a>,
    /// The past of the customer who asks, if the shop knows one.
    pub history: Option<&'a History>,
    /// Greatest length of the answer.
    pub limit: usize,
    /// What else it is to be like.
    pub terms: Terms<'a>,
}

/// What is recommended, and what became of the other candidates.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// Best first.
    pub recommendations: Vec<Recommendation>,
    /// What was dropped, and why.
    pub ledger: Ledger,
    /// What the order will be worth, if the items are taken as such items are; 0 unless a target was given.
    pub expected_order_value: f64,
    /// How much trouble was taken: what is listed beforehand takes none, and is never brief.
    pub effort: Effort,
}

/// One recommended item.
#[derive(Clone, Debug, PartialEq)]
pub struct Recommendation {
    /// Which.
    pub item: ItemId,
    /// Higher is better; comparable within one answer only.
    pub score: f32,
    /// Where it comes from.
    pub source: Source,
    /// It stands in because nothing nearer is known, or can be offered.
    pub fallback: bool,
    /// Why, the strongest first; never empty.
    pub reasons: Vec<Reason>,
}

/// The kinds of questions that are tuned apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// [`Question::Related`].
    Related,
    /// [`Question::Basket`] of a customer with a past.
    Basket,
    /// The same of somebody without one, or whom the shop does not know.
    BasketAnonymous,
    /// [`Question::Customer`] of a customer with a past.
    Customer,
    /// The same, where only what is new to the customer is wanted.
    CustomerNew,
    /// [`Question::Customer`] of a visitor without a past.
    Session,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Related,
        Self::Basket,
        Self::BasketAnonymous,
        Self::Customer,
        Self::CustomerNew,
        Self::Session,
    ];

    /// As the manifest names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Related => "related",
            Self::Basket => "basket",
            Self::BasketAnonymous => "basket_anonymous",
            Self::Customer => "customer",
            Self::CustomerNew => "customer_new",
            Self::Session => "session",
        }
    }

    /// The question of this kind about `items`.
    pub fn question(self, items: Vec<&str>) -> Question<'_> {
        match self {
            Self::Related => Question::Related { item: items.first().copied().unwrap_or_default() },
            Self::Basket | Self::BasketAnonymous => Question::Basket { items },
            Self::Customer | Self::Session => {
                Question::Customer { recent: items, exclude_purchased: false }
            }
            Self::CustomerNew => Question::Customer { recent: items, exclude_purchased: true },
        }
    }
}

impl<'a> Query<'a> {
    /// A question on no special terms.
    pub fn new(question: Question<'a>, history: Option<&'a History>, limit: usize) -> Self {
        Self { question, history, limit, terms: Terms::default() }
    }

    /// The query of a customer who may be offered what they bought before, for what is new to them.
    fn for_what_is_new(&self) -> Option<Self> {
        let Question::Customer { recent, exclude_purchased: false } = &self.question else {
            return None;
        };
        let question = Question::Customer { recent: recent.clone(), exclude_purchased: true };
        Some(Query { question, ..self.clone() })
    }

    /// The query as the trainer has learnt to be asked, if that is another one. Where no log tells of visits, what a
    /// visitor without a past looks at is all but a basket; and one item in a basket is all but a page.
    fn as_learnt(&self, contents: &Contents) -> Option<Self> {
        let (items, is_basket) = match (&self.question, self.kind()) {
            (Question::Basket { items }, Kind::BasketAnonymous) => (items, true),
            (Question::Customer { recent, .. }, Kind::Session) if !contents.has_visits() => {
                (recent, false)
            }
            _ => return None,
        };
        let shelf = self.terms.shelf.unwrap_or(&contents.shelf);
        let mut known = items.iter().filter(|item| shelf.get(item).is_some());
        let item = known.next()?;
        let question = match (known.all(|other| other == item), is_basket) {
            (true, _) => Question::Related { item },
            (false, true) => return None,
            (false, false) => Question::Basket { items: items.clone() },
        };
        Some(Query { question, ..self.clone() })
    }

    /// Which kind of question this is, or is most like: what is listed beforehand has nothing to be tuned but what
    /// the objectives weigh.
    pub fn kind(&self) -> Kind {
        let has_past = self.history.is_some_and(|history| !history.is_empty());
        match &self.question {
            Question::Trending { .. } => Kind::Session,
            Question::Again => Kind::Customer,
            Question::Related { .. } => Kind::Related,
            Question::Basket { .. } if has_past => Kind::Basket,
            Question::Basket { .. } => Kind::BasketAnonymous,
            Question::Customer { .. } if !has_past => Kind::Session,
            Question::Customer { exclude_purchased: true, .. } => Kind::CustomerNew,
            Question::Customer { exclude_purchased: false, .. } => Kind::Customer,
        }
    }
}

/// Answers the query, best first: never more than its limit, never an item twice, never the item asked
/// about or one in the basket, never one that can't be offered, is filtered out, or is a second variant of a
/// product. Shorter only when nothing is left that may be answered.
pub fn answer(
    contents: &Contents,
    blend: &Blend,
    query: &Query<'_>,
    scratch: &mut Scratch,
) -> Answer {
    let only_new = (!blend.again).then(|| query.for_what_is_new()).flatten();
    let query = only_new.as_ref().unwrap_or(query);
    let as_learnt = query.as_learnt(contents);
    let learnt = as_learnt.as_ref().unwrap_or(query);
    let kind = learnt.kind();
    let is_listed = listed::is_listed(&query.question);
    let weights = if is_listed { listed::weights() } else { blend.of(kind) };
    let brief = (query.terms.effort == Effort::Brief && !is_listed).then(|| weights.brief());
    let weights = brief.as_ref().unwrap_or(weights);
    let (acting, gate) = terms_of(contents, query, &mut scratch.sieves);
    let mut pool = Pool::new(contents, gate, weights, scratch);
    let gather_all = |pool: &mut Pool<'_>| {
        if let (Question::Basket { items }, Question::Related { .. }) =
            (&query.question, &learnt.question)
        {
            sources::keep_substitutes_out(pool, items);
        }
        gather(pool, weights, learnt);
        pool.scored(weights)
    };
    let mut scored = gather_all(&mut pool);
    if scored.len() < ENOUGH * query.limit && pool.listen_closely() {
        scored = gather_all(&mut pool);
    }
    let ranker = contents.rankers.get(kind.name()).filter(|_| !is_listed && brief.is_none());
    if let Some(ranker) = ranker.filter(|ranker| ranker.columns() == FEATURES) {
        let (first, rest) = ranking::parted(scored, SHORTLIST);
        let features = shortlist_features(&pool, learnt, &first);
        scored = ranking::reordered(first, rest, ranker, &features);
    }
    let likely = query.terms.order_value.map(|_| ranking::parted(scored.clone(), SHORTLIST).0);
    let recommendations = arrange::arranged(&mut pool, blend, query, &acting, scored);
    let ledger = Ledger {
        requested: query.limit as u32, // at most some hundreds
        returned: recommendations.len() as u32,
        ..pool.ledger
    };
    let expected_order_value = query.terms.order_value.map_or(0.0, |value| {
        let likely = likely.unwrap_or_default();
        let shelf = pool.gate.shelf;
        value.now + expected_value(shelf, &blend.acceptance, &likely, &recommendations)
    });
    let effort = if brief.is_some() { Effort::Brief } else { Effort::Full };
    Answer { recommendations, ledger, expected_order_value, effort }
}

/// Σ chance that the item is taken × its price. The chance is that of its place among the `likely`, best first: to be
/// shown sooner for its price makes it no likelier.
fn expected_value(
    shelf: &Shelf,
    acceptance: &[f32],
    likely: &[Scored],
    answer: &[Recommendation],
) -> f64 {
    let places: FxHashMap<ItemId, usize> = likely.iter().map(|(item, _)| *item).zip(0..).collect();
    let taken = answer.iter().map(|recommended| {
        let place = places.get(&recommended.item).copied().unwrap_or(SHORTLIST);
        let price = shelf.price(recommended.item).unwrap_or(0.0);
        f64::from(arrange::chance_at(acceptance, place)) * price
    });
    taken.sum()
}

/// The shop's rules that act on the query, and what keeps items out of its answer.
fn terms_of<'a>(
    contents: &'a Contents,
    query: &Query<'a>,
    sieves: &mut Sieves,
) -> (Acting, Gate<'a>) {
    let terms = &query.terms;
    let shelf = terms.shelf.unwrap_or(&contents.shelf);
    sieves.begin(shelf);
    let asked = match &query.question {
        Question::Related { item } => shelf.get(item).into_iter().collect(),
        Question::Basket { items } => items.iter().filter_map(|item| shelf.get(item)).collect(),
        Question::Customer { .. } | Question::Trending { .. } | Question::Again => Vec::new(),
    };
    let placement = match terms.placement {
        "" => query.question.placement(),
        named => named,
    };
    let mut acting = Acting::of(terms, placement, shelf, &asked, sieves);
    // Training says no moment: what sold in its past may be dated later by the catalogue.
    if terms.now > Timestamp::default() && shelf.latest_launch() > terms.now {
        acting.hides.push(Condition::OnSaleAfter(terms.now));
    }
    let current = match &query.question {
        Question::Related { .. } => asked.first().map(|item| shelf.row(*item)),
        _ => None,
    };
    let filter = terms.filter.map(|filter| sieves.condition(filter, current.as_ref()));
    let better =
        terms.up_sell.map(|band| sieves.better_of_the_same_kind(shelf, band, current.as_ref()));
    let category = match query.question {
        Question::Trending { category, .. } => listed::known_category(contents, category)
            .and_then(|category| sieves.in_category(shelf, contents.categories.path(category))),
        _ => None,
    };
    let gate = Gate {
        shelf,
        shown: terms.shown,
        must_hold: filter.into_iter().chain(better).chain(category).collect(),
        must_not_hold: std::mem::take(&mut acting.hides),
        groups_asked: match terms.allow_variants {
            true => Vec::new(),
            false => asked.iter().filter_map(|item| shelf.group(*item)).collect(),
        },
    };
    (acting, gate)
}

/// So many candidates for each place of the answer, what is popular in the shop among them, are enough: with fewer,
/// what is said quietly is heard as well.
const ENOUGH: usize = 3;

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
    let (_, gate) = terms_of(contents, query, &mut scratch.sieves);
    let mut pool = Pool::new(contents, gate, weights, scratch);
    gather(&mut pool, weights, query);
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
    let (_, gate) = terms_of(contents, query, &mut scratch.sieves);
    let mut pool = Pool::new(contents, gate, weights, scratch);
    pool.listen_to_each(); // other weights are to be tried
    gather(&mut pool, weights, query);
    let mut gathered = Gathered::default();
    pool.for_each(|item, says| {
        gathered.items.push(item);
        gathered.says.push(*says);
    });
    gathered
}

/// Every candidate for the query, from every source that is listened to.
fn gather(pool: &mut Pool<'_>, weights: &Weights, query: &Query<'_>) {
    match &query.question {
        Question::Related { item } => sources::related(pool, item),
        Question::Basket { items } => sources::basket(pool, weights.due, items, query.history),
        Question::Customer { recent, exclude_purchased } => {
            let (history, effort) = (query.history, query.terms.effort);
            sources::customer(pool, weights, recent, history, *exclude_purchased, effort);
        }
        Question::Trending { window, category, by } => {
            listed::trending(pool, *window, category, *by, query.limit);
            return;
        }
        Question::Again => {
            listed::again(pool, query.history, query.limit);
            return;
        }
    }
    pool.add_popular(query.limit);
}
