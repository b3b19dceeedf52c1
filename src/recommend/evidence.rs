//! Why a source proposes an item: what the reasons are made of.

use super::reason;
use crate::customers::EventKind;
use crate::ids::{CategoryId, ItemId};
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
    /// What proposed the item.
    pub(super) fn source(self) -> reason::Source {
        use reason::Source;
        match self {
            Self::Bought { .. } | Self::Longer { .. } => Source::BoughtTogether,
            Self::Collected { .. } => Source::SameCustomers,
            Self::Called { .. } => Source::CalledFor,
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
