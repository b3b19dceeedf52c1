//! What is judged: the tasks, what each is asked with, and the figure that counts.

use serde::{Serialize, Serializer};

use super::metrics::AtCutoff;

/// One kind of question with its own notion of what is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Task {
    /// A customer; right is the customer's first basket in the window.
    ForCustomer,
    /// A customer; right is all that the customer buys in the window.
    ForCustomerWindow,
    /// A customer, without what was ever bought; right is what is new to the customer in the window.
    ForCustomerNew,
    /// Half of a known customer's basket; right is the other half.
    BasketUpsell,
    /// Half of a basket of nobody known; right is the other half.
    BasketUpsellAnonymous,
    /// One item; right is the rest of its basket.
    RelatedItems,
    /// What a visitor looked at so far; right is what comes next.
    Session,
}

/// The figure that a task is ranked by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Headline {
    /// Of the first ten.
    NdcgAt10,
    /// Of the first ten.
    RecallAt10,
    /// Of the first twenty.
    MrrAt20,
}

impl Task {
    /// All of them, in the order of the report.
    pub const ALL: [Self; 7] = [
        Self::ForCustomer,
        Self::ForCustomerWindow,
        Self::ForCustomerNew,
        Self::BasketUpsell,
        Self::BasketUpsellAnonymous,
        Self::RelatedItems,
        Self::Session,
    ];

    /// As the command line and the report call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::ForCustomer => "for_customer",
            Self::ForCustomerWindow => "for_customer_window",
            Self::ForCustomerNew => "for_customer_new",
            Self::BasketUpsell => "basket_upsell",
            Self::BasketUpsellAnonymous => "basket_upsell_anonymous",
            Self::RelatedItems => "related_items",
            Self::Session => "session",
        }
    }

    /// The task of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|task| task.name() == name)
    }

    /// What is asked and what is right, for people.
    pub fn description(self) -> &'static str {
        match self {
            Self::ForCustomer => "asked for a customer; right is their next basket",
            Self::ForCustomerWindow => {
                "asked for a customer; right is all they bought in the window"
            }
            Self::ForCustomerNew => {
                "asked for a customer, new items only; right is what they bought for the first time"
            }
            Self::BasketUpsell => {
                "asked with half of a known customer's basket; right is the other half"
            }
            Self::BasketUpsellAnonymous => "asked with half of a basket; right is the other half",
            Self::RelatedItems => "asked with one item; right is the rest of its basket",
            Self::Session => "asked with the visit so far; right is the next item looked at",
        }
    }

    /// The figure that counts.
    pub fn headline(self) -> Headline {
        match self {
            Self::BasketUpsell | Self::BasketUpsellAnonymous => Headline::RecallAt10,
            Self::Session => Headline::MrrAt20,
            _ => Headline::NdcgAt10,
        }
    }

    /// True where whoever answers is told who asks.
    pub fn names_customer(self) -> bool {
        self.is_for_customer() || self == Self::BasketUpsell
    }

    /// True where a list is filled from a customer's past alone.
    pub fn is_for_customer(self) -> bool {
        matches!(self, Self::ForCustomer | Self::ForCustomerWindow | Self::ForCustomerNew)
    }

    /// True where the items asked with are in the cart or on the page, and no answer.
    pub(super) fn forbids_query(self) -> bool {
        matches!(self, Self::BasketUpsell | Self::BasketUpsellAnonymous | Self::RelatedItems)
    }

    /// True where the truth is also judged in two parts: bought before, and new.
    pub(super) fn splits_truth(self) -> bool {
        self.is_for_customer() || matches!(self, Self::BasketUpsell | Self::BasketUpsellAnonymous)
    }
}

impl Serialize for Task {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl Headline {
    /// `ndcg@10`.
    pub fn name(self) -> &'static str {
        match self {
            Self::NdcgAt10 => "ndcg@10",
            Self::RecallAt10 => "recall@10",
            Self::MrrAt20 => "mrr@20",
        }
    }

    /// The figure, from the values at 10 and at 20.
    pub fn of(self, at10: &AtCutoff, at20: &AtCutoff) -> f64 {
        match self {
            Self::NdcgAt10 => at10.ndcg,
            Self::RecallAt10 => at10.recall,
            Self::MrrAt20 => at20.mrr,
        }
    }
}

impl Serialize for Headline {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}
