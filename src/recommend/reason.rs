//! Why an item is recommended: the evidence of the strongest source, in figures.

use std::sync::Arc;

use super::evidence::{Evidence, orders_with};
use crate::customers::{Bought, EventKind, History};
use crate::ids::{CategoryId, ItemId};
use crate::index::Contents;
use crate::rules::{self, RuleLists, Rules};
use crate::time::Timestamp;

/// One reason, with its evidence.
#[derive(Clone, Debug, PartialEq)]
pub enum Reason {
    /// In the same orders, more often than by chance.
    BoughtTogether {
        /// The items of the question it was bought with.
        with: Vec<ItemId>,
        /// The counts behind it, in orders.
        counted: Association,
    },
    /// By the same customers, be it on other days.
    SameCustomers {
        /// The item of the question or of the customer's past.
        with: ItemId,
        /// The counts behind it, in customers.
        counted: Association,
        /// Only customers who bought it for the first time in a later order count.
        after: bool,
    },
    /// What is bought with it, all considered, speaks for it.
    CalledFor {
        /// The item of the question or of the customer's past.
        by: ItemId,
        /// How much it speaks for it; comparable within one answer.
        weight: f32,
        /// Learnt from orders; else from all that each customer bought.
        in_orders: bool,
    },
    /// Customers with a past like this one's bought it next.
    Foreseen {
        /// About how likely it is to be among what they buy next, drawn towards 0; comparable within one answer.
        weight: f32,
    },
    /// In the same visits.
    ViewedTogether {
        /// The item of the question.
        with: ItemId,
        /// The counts behind it, in visits.
        counted: Association,
        /// Seen instead of it rather than bought with it.
        alternative: bool,
        /// Only visits that saw it afterwards count.
        after: bool,
    },
    /// Visits like this one went on to it.
    VisitsLikeThis {
        /// The visitor's latest item.
        after: ItemId,
        /// How many of the visits most like this one saw it; 0 if only visits like those did.
        sessions: u32,
    },
    /// Close in the embedding space.
    Similar {
        /// The item of the question or of the customer's past.
        to: ItemId,
        /// -1 to 1.
        cosine: f32,
        /// Wanted instead of it rather than bought with it.
        alternative: bool,
    },
    /// The customer bought it before.
    BoughtBefore {
        /// In how many orders.
        times: u32,
        /// The latest of them; absent if the log has no time.
        last: Option<Timestamp>,
        /// Days usually between two purchases of it; 0 if not known.
        usual_days: f32,
        /// Days since the latest purchase.
        days_since: f64,
        /// When it is due, where that was asked for and it is bought in a rhythm.
        due: Option<DueAgain>,
    },
    /// The customer looked at it, put it in the cart or on a wish list, and did not buy it since.
    SeenBefore {
        /// What was done.
        kind: EventKind,
        /// When; absent if the log has no time.
        at: Option<Timestamp>,
    },
    /// It is among what the visitor looked at just now.
    ThisVisit,
    /// It sells well.
    Popular {
        /// Where; `None` is the whole shop.
        category: Option<CategoryId>,
        /// Distinct buyers in the window.
        count: u32,
        /// Days of the window; 0 is all of the log.
        window_days: u32,
        /// Stands in because nothing nearer is known.
        fallback: bool,
    },
    /// It sells best of late.
    Selling {
        /// Where; `None` is the whole shop.
        category: Option<CategoryId>,
        /// Distinct customers in the window.
        count: u32,
        /// Days of the window; 0 is all of the log.
        window_days: u32,
        /// Stands in because too little rises, or the category that was asked for is not known.
        fallback: bool,
    },
    /// It sells better than it used to.
    Rising {
        /// Where; `None` is the whole shop.
        category: Option<CategoryId>,
        /// Distinct customers in the window, each once a day.
        count: u32,
        /// As many as its usual rate would have brought.
        expected: f32,
        /// Its rate is at least so many times the usual, with 95 % confidence.
        at_least: f32,
        /// Days of the window.
        window_days: u32,
        /// Stands in: it may have risen by chance alone, or the category that was asked for is not known.
        fallback: bool,
    },
    /// It came after the index was trained, or shortly before.
    New {
        /// What it is close to by category, brand and title, if that is why it is here.
        like: Option<ItemId>,
        /// How close, -1 to 1.
        cosine: f32,
    },
    /// A better one of the same kind.
    UpSell {
        /// Than this.
        from: ItemId,
        /// Its price as a multiple of that one's.
        price_ratio: f64,
    },
    /// A rule of the shop acted.
    Rule {
        /// Which.
        id: Arc<str>,
        /// What it did.
        act: RuleAct,
    },
}

/// When something is due again.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DueAgain {
    /// Days until the usual time has passed; 0 if it has.
    pub in_days: f32,
    /// The chance of a purchase within 7 days, 0 to 1.
    pub chance: f32,
}

/// What a rule of the shop did to an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleAct {
    /// Put it at a place.
    Pinned,
    /// Raised its score.
    Boosted,
    /// Lowered its score.
    Buried,
    /// Kept a place for it.
    Promoted,
}

/// What proposed an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Rules over orders.
    BoughtTogether,
    /// Rules over customers.
    SameCustomers,
    /// What calls for what (EASE).
    CalledFor,
    /// What customers with such a past bought next.
    Foreseen,
    /// Rules over visits.
    ViewedTogether,
    /// Visits like this one.
    VisitsLikeThis,
    /// Neighbours in the embedding space.
    Similar,
    /// The customer's own purchases.
    BoughtBefore,
    /// What the customer looked at.
    SeenBefore,
    /// What is popular in the category.
    Category,
    /// What is popular in the shop.
    Popular,
    /// What has just come, and is close by content.
    NewArrival,
    /// A rule of the shop.
    Rule,
    /// What sells best of late.
    BestSeller,
    /// What sells better than it used to.
    Rising,
}

/// How often two things go together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Association {
    /// Orders, customers or visits with both.
    pub together: u32,
    /// Share of all with both, 0 to 1.
    pub support: f64,
    /// Share of those with the first that have both, 0 to 1.
    pub confidence: f64,
    /// Against chance, 1.0 = independent.
    pub lift: f64,
}

impl Association {
    fn of(rules: &Rules<RuleLists>, together: u32, from: ItemId, to: ItemId) -> Self {
        let n = |item: ItemId| rules.item_groups[item.index()].max(together);
        Self::counted(together, n(from), n(to), rules.groups)
    }

    fn counted(together: u32, from: u32, to: u32, all: u32) -> Self {
        Self {
            together,
            support: rules::support(together, all),
            confidence: rules::confidence(together, from),
            lift: rules::lift(together, from, to, all),
        }
    }
}

/// The reasons for an item, the strongest first.
pub(super) fn reasons(
    contents: &Contents,
    history: Option<&History>,
    item: ItemId,
    evidence: Evidence,
) -> Vec<Reason> {
    let past = history.and_then(|history| history.bought(item)).filter(|bought| bought.times > 0);
    let before = past.map(|bought| bought_before(contents, bought, evidence));
    if matches!(evidence, Evidence::Own | Evidence::Due { .. }) {
        return before.into_iter().collect();
    }
    let foreseen = || history?.foreseen.iter().find(|foreseen| foreseen.item == item);
    let first = match evidence {
        Evidence::Foreseen => {
            Reason::Foreseen { weight: foreseen().map_or(0.0, |foreseen| foreseen.weight) }
        }
        other => reason(contents, item, other),
    };
    let also = match &first {
        Reason::ViewedTogether { with, .. } => bought_together(contents, *with, item),
        _ => None,
    };
    std::iter::once(first).chain(also).chain(before).collect()
}

/// The rule from one item to another, if the two are bought together more often than by chance.
fn bought_together(contents: &Contents, with: ItemId, item: ItemId) -> Option<Reason> {
    let together = orders_with(contents, with, item);
    (together > 0).then(|| Reason::BoughtTogether {
        with: vec![with],
        counted: Association::of(&contents.bought, together, with, item),
    })
}

fn bought_before(contents: &Contents, bought: &Bought, evidence: Evidence) -> Reason {
    let (usual_days, due) = match evidence {
        Evidence::Due { usual_days, in_days, chance } => {
            (usual_days, Some(DueAgain { in_days, chance }))
        }
        _ => (if contents.timed { bought.usual_days } else { 0.0 }, None),
    };
    Reason::BoughtBefore {
        times: bought.times,
        last: contents.timed.then_some(bought.last),
        usual_days,
        days_since: contents.now.days_since(bought.last),
        due,
    }
}

fn reason(contents: &Contents, item: ItemId, evidence: Evidence) -> Reason {
    let popular = |category, fallback| Reason::Popular {
        category,
        count: contents.trends.recent_buyers.get(item.index()).copied().unwrap_or(0),
        window_days: contents.trends.recent_days,
        fallback,
    };
    match evidence {
        Evidence::Bought { with, together } => Reason::BoughtTogether {
            with: vec![with],
            counted: Association::of(&contents.bought, together, with, item),
        },
        Evidence::Collected { with, together } => Reason::SameCustomers {
            with,
            counted: Association::of(&contents.collected, together, with, item),
            after: false,
        },
        Evidence::Later { with, together } => Reason::SameCustomers {
            with,
            counted: Association::of(&contents.collected, together, with, item),
            after: true,
        },
        Evidence::Called { by, weight, in_orders } => called(contents, item, by, weight, in_orders),
        Evidence::Viewed { with, together, alternative } => Reason::ViewedTogether {
            with,
            counted: Association::of(&contents.viewed, together, with, item),
            alternative,
            after: false,
        },
        Evidence::Next { with, together, alternative } => Reason::ViewedTogether {
            with,
            counted: Association::of(&contents.viewed, together, with, item),
            alternative,
            after: true,
        },
        Evidence::Onward { after, sessions } => Reason::VisitsLikeThis { after, sessions },
        Evidence::Longer { rule } => {
            let rule = &contents.longer[rule as usize];
            let right = contents.bought.item_groups[item.index()].max(rule.together);
            Reason::BoughtTogether {
                with: rule.left.clone(),
                counted: Association::counted(
                    rule.together,
                    rule.left_groups,
                    right,
                    contents.bought.groups,
                ),
            }
        }
        Evidence::Similar { to, cosine, alternative } => {
            Reason::Similar { to, cosine, alternative }
        }
        Evidence::Selling { window, row, place, fallback } => {
            let seller = contents.hot.of(window).sellers.row(row as usize)[place as usize];
            Reason::Selling {
                category: category_of(row),
                count: seller.count,
                window_days: if contents.timed { window.days() } else { 0 },
                fallback,
            }
        }
        Evidence::Rising { window, row, place, fallback } => {
            let riser = contents.hot.of(window).risers.row(row as usize)[place as usize];
            Reason::Rising {
                category: category_of(row),
                count: riser.count,
                expected: riser.expected,
                at_least: riser.at_least,
                window_days: window.days(),
                fallback,
            }
        }
        Evidence::Own | Evidence::Due { .. } | Evidence::Foreseen => {
            unreachable!("handled by the caller, which has the customer's past")
        }
        Evidence::Glanced { kind, at } => {
            Reason::SeenBefore { kind, at: contents.timed.then_some(at) }
        }
        Evidence::ThisVisit => Reason::ThisVisit,
        Evidence::Category { category, fallback } => popular(Some(category), fallback),
        Evidence::Popular { fallback } => popular(None, fallback),
    }
}

/// The category of a row of hot lists: the first is the whole shop's.
fn category_of(row: u32) -> Option<CategoryId> {
    (row as usize).checked_sub(1).map(CategoryId::new)
}

/// Where the two are known to go together, how often they do says more than a weight. A shop that knows no customer
/// has orders only.
fn called(contents: &Contents, item: ItemId, by: ItemId, weight: f32, in_orders: bool) -> Reason {
    let in_orders = in_orders || contents.collected.groups == 0;
    let known = match in_orders {
        true => bought_together(contents, by, item),
        false => {
            let rules = contents.collected.lists.row(by.index());
            rules.together_with(item).map(|together| Reason::SameCustomers {
                with: by,
                counted: Association::of(&contents.collected, together, by, item),
                after: false,
            })
        }
    };
    known.unwrap_or(Reason::CalledFor { by, weight, in_orders })
}
