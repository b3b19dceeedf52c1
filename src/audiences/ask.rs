//! Which audiences there are.

use crate::ids::ItemId;

/// An audience that is asked for.
#[derive(Clone, Debug, PartialEq)]
pub enum Audience {
    /// Earlier customers most likely to want these items, not their present buyers.
    NewArrival {
        /// The items.
        items: Vec<ItemId>,
    },
    /// Put something in the cart or on a wish list, so many days ago, and has not bought it since.
    Interest {
        /// Not less; days.
        from_days: u32,
        /// Not more; days.
        to_days: u32,
    },
    /// Something they buy again and again is due.
    ReorderDue {
        /// Due now, or within so many days.
        within_days: u32,
    },
    /// Most lifetime value at risk.
    AtRisk,
    /// Churned, and brought more than the middle customer.
    WinBack,
    /// Bought once, and the time in which second purchases come is not over.
    SecondPurchase,
    /// Buys with money off clearly more often than the shop's customers do.
    DiscountSensitive,
    /// Bought lately, often and much.
    Champions,
    /// A segment by its name: one of RFM, or one of those found in the shop.
    Segment(String),
    /// By the customer's fields, in the language of filters.
    Where(String),
}

/// The names of all audiences.
pub const NAMES: [&str; 10] = [
    "new-arrival",
    "interest",
    "reorder-due",
    "at-risk",
    "win-back",
    "second-purchase",
    "discount-sensitive",
    "champions",
    "segment",
    "where",
];

impl Audience {
    /// Its name, as the command line says it.
    pub fn name(&self) -> &'static str {
        NAMES[match self {
            Self::NewArrival { .. } => 0,
            Self::Interest { .. } => 1,
            Self::ReorderDue { .. } => 2,
            Self::AtRisk => 3,
            Self::WinBack => 4,
            Self::SecondPurchase => 5,
            Self::DiscountSensitive => 6,
            Self::Champions => 7,
            Self::Segment(_) => 8,
            Self::Where(_) => 9,
        }]
    }
}
