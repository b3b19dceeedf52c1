//! Why a source proposes an item: what the reasons are made of.

use super::blend::Source;
use super::reason;
use crate::customers::EventKind;
use crate::ids::{CategoryId, ItemId};
use crate::index::Contents;
use crate::lists::Ranked;
use crate::rules::RuleLists;
use crate::time::Timestamp;
use crate::trends::Window;

/// Why a source proposes an item.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Evidence {
    Bought {
        with: ItemId,
        together: u32,
    },
    Collected {
        with: ItemId,
        together: u32,
    },
    Called {
        by: ItemId,
        weight: f32,
        in_orders: bool,
    },
    Foreseen,
    Viewed {
        with: ItemId,
        together: u32,
        alternative: bool,
    },
    Next {
        with: ItemId,
        together: u32,
        alternative: bool,
    },
    /// In a later order of the same customers.
    Later {
        with: ItemId,
        together: u32,
    },
    Onward {
        after: ItemId,
        sessions: u32,
    },
    Longer {
        rule: u32,
    },
    Similar {
        to: ItemId,
        cosine: f32,
        alternative: bool,
    },
    Own,
    Glanced {
        kind: EventKind,
        at: Timestamp,
    },
    ThisVisit,
    Category {
        category: CategoryId,
        fallback: bool,
    },
    Popular {
        fallback: bool,
    },
    /// Place in the row of a window's sellers.
    Selling {
        window: Window,
        row: u32,
        place: u32,
        fallback: bool,
    },
    /// Place in the row of a window's risers.
    Rising {
        window: Window,
        row: u32,
        place: u32,
        fallback: bool,
    },
    Due {
        usual_days: f32,
        in_days: f32,
        chance: f32,
    },
}

impl Evidence {
    /// What the source's list for `with` says of an item that stands in it.
    pub(super) fn in_list(contents: &Contents, source: Source, with: ItemId, item: ItemId) -> Self {
        let Contents { bought, collected, viewed, next, called, drawn, neighbours, .. } = contents;
        let together =
            |rules: &RuleLists| rules.row(with.index()).together_with(item).expect(STANDS_THERE);
        let score = |list: &Ranked| list.row(with.index()).of(item).expect(STANDS_THERE);
        let alternative = || is_alternative(contents, with, item);
        match source {
            Source::Bought => Self::Bought { with, together: together(&bought.lists) },
            Source::Collected => Self::Collected { with, together: together(&collected.lists) },
            Source::Viewed => {
                let together = together(&viewed.lists);
                Self::Viewed { with, together, alternative: alternative() }
            }
            Source::Next if !contents.has_visits() => {
                Self::Later { with, together: together(next) }
            }
            Source::Next => {
                let together = together(next);
                Self::Next { with, together, alternative: alternative() }
            }
            Source::Called => Self::Called { by: with, weight: score(called), in_orders: true },
            Source::Drawn => Self::Called { by: with, weight: score(drawn), in_orders: false },
            Source::Similar => {
                let cosine = score(neighbours);
                Self::Similar { to: with, cosine, alternative: alternative() }
            }
            other => unreachable!("{other:?} has no list for each item"),
        }
    }

    /// What proposed the item.
    pub(super) fn source(self) -> reason::Source {
        use reason::Source;
        match self {
            Self::Bought { .. } | Self::Longer { .. } => Source::BoughtTogether,
            Self::Collected { .. } | Self::Later { .. } => Source::SameCustomers,
            Self::Called { .. } => Source::CalledFor,
            Self::Foreseen => Source::Foreseen,
            Self::Viewed { .. } | Self::Next { .. } => Source::ViewedTogether,
            Self::Onward { .. } => Source::VisitsLikeThis,
            Self::Similar { .. } => Source::Similar,
            Self::Own | Self::Due { .. } => Source::BoughtBefore,
            Self::Glanced { .. } | Self::ThisVisit => Source::SeenBefore,
            Self::Category { .. } => Source::Category,
            Self::Popular { .. } => Source::Popular,
            Self::Selling { .. } => Source::BestSeller,
            Self::Rising { .. } => Source::Rising,
        }
    }

    /// Whether the item stands in because nothing nearer is known.
    pub(super) fn is_fallback(self) -> bool {
        match self {
            Self::Category { fallback, .. }
            | Self::Popular { fallback }
            | Self::Selling { fallback, .. }
            | Self::Rising { fallback, .. } => fallback,
            _ => false,
        }
    }
}

const STANDS_THERE: &str = "what a list proposed stands in it";

/// Whether the item is of the same category as another, and not bought with it more often than by chance.
pub(super) fn is_alternative(contents: &Contents, with: ItemId, item: ItemId) -> bool {
    same_category(contents, with, item) == Some(true) && orders_with(contents, with, item) == 0
}

/// `None` if one of the two has no category.
pub(super) fn same_category(contents: &Contents, a: ItemId, b: ItemId) -> Option<bool> {
    let categories = &contents.categories;
    Some(categories.of(a)? == categories.of(b)?)
}

/// In how many orders the two are; 0 if no more often than by chance.
pub(super) fn orders_with(contents: &Contents, with: ItemId, item: ItemId) -> u32 {
    contents.bought.lists.row(with.index()).together_with(item).unwrap_or(0)
}
