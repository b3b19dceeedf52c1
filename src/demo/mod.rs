//! A made-up shop: a year of believable customers, with a truth to check answers against.
//!
//! The shop sells coffee machines, pesto and bird seed under titles a shop owner would smile at. What
//! its customers do is drawn from a seed, and nothing else: the same [`ShopOptions`] give the same
//! bytes on any machine. Some of what they do is planted, and told in [`Truth`]: which items go
//! together, which stand in for one another, what is reordered how often and who is due, what rose
//! suddenly, what is new, who stayed away.
//!
//! ```text
//! families ─→ goods ──────┐            words, then items with popularity and roles
//!             calendar ───┼─→ visits   sessions, orders, returns, customer by customer
//!             people ─────┘     ↓
//!                             Shop ─→ write   events.csv, catalog.csv, truth.json
//! ```
//!
//! This room knows nothing of training or serving: it only writes what a shop's own systems would.

mod calendar;
mod chance;
mod families;
mod goods;
mod people;
#[cfg(test)]
mod tests;
mod truth;
mod visits;
mod write;

use std::num::NonZeroU32;

use jiff::civil::Date;

use crate::error::{Error, Result};
use crate::ids::{CustomerId, ItemId};
use crate::time::Timestamp;

pub use truth::{
    Burst, Complement, DueCustomer, FormerCustomer, NewArrival, ReorderItem, SoldOut, Truth,
};
pub use write::Written;

/// How large a shop to make up, and which.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShopOptions {
    /// Customers who ever shop there, 10 to 1,000,000.
    pub customers: usize,
    /// Items of the catalogue, 20 to 200,000.
    pub items: usize,
    /// Days the log covers, 30 to 3,650; `customers` × `days` at most 400,000,000, which makes a
    /// hundred million events.
    pub days: u32,
    /// Another seed makes another shop.
    pub seed: u64,
    /// The first day of the log, in UTC.
    pub first_day: Date,
}

impl Default for ShopOptions {
    /// 4,000 customers, 400 items, the 365 days of 2025.
    fn default() -> Self {
        let first_day = Date::constant(2025, 1, 1);
        Self { customers: 4_000, items: 400, days: 365, seed: 1, first_day }
    }
}

/// Makes up a shop.
///
/// Errors: [`Error::Config`] if an option is out of range.
pub fn make(options: &ShopOptions) -> Result<Shop> {
    options.check()?;
    let goods = goods::Goods::make(options);
    let calendar = calendar::Calendar::make(options, &goods);
    let visits = visits::make(options, &goods, &calendar);
    let truth = truth::tell(&goods, &calendar, &visits);
    Ok(Shop { events: visits.events, items: goods.items, truth })
}

/// Everything a made-up shop knows, and the truth about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Shop {
    /// What happened, by time.
    pub events: Vec<ShopEvent>,
    /// The catalogue; [`ItemId::index`] is the position in it.
    pub items: Vec<ShopItem>,
    /// What was planted.
    pub truth: Truth,
}

impl Shop {
    /// The item that an event, or any [`ItemId`] of this shop, means.
    pub fn item(&self, id: ItemId) -> &ShopItem {
        &self.items[id.index()]
    }
}

/// The shop's own key of a customer: `C00042`.
pub fn customer_key(id: CustomerId) -> String {
    format!("C{:05}", id.index() + 1)
}

/// What a customer did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ShopEventKind {
    /// Looked at the item's page.
    View,
    /// Marked it as a favourite.
    Favorite,
    /// Put it in the cart.
    Cart,
    /// Bought it.
    Purchase,
    /// Sent it back.
    Return,
}

impl ShopEventKind {
    /// The word in the `event_type` column.
    pub fn word(self) -> &'static str {
        match self {
            Self::View => "view",
            Self::Favorite => "favorite",
            Self::Cart => "cart",
            Self::Purchase => "purchase",
            Self::Return => "return",
        }
    }
}

/// One line of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShopEvent {
    /// When, to the second.
    pub at: Timestamp,
    /// Who; nobody knows in an anonymous session.
    pub customer: Option<CustomerId>,
    /// Which item of [`Shop::items`].
    pub item: ItemId,
    /// In which order; purchases and returns only.
    pub order: Option<OrderNumber>,
    /// In which session; a return has none.
    pub session: Option<SessionNumber>,
    /// The price on that day, in cents, before `discount_cents`.
    pub unit_price_cents: u32,
    /// Money taken off the line, in cents; 0 for everything but purchases and returns.
    pub discount_cents: u32,
    /// How many, at least 1.
    pub quantity: u16,
    /// What was done.
    pub kind: ShopEventKind,
}

macro_rules! number {
    ($(#[$doc:meta])* $name:ident, $format:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub NonZeroU32);

        impl $name {
            /// The number that stands at `index` when counting from 0.
            fn at(index: usize) -> Self {
                let number = u32::try_from(index).ok().and_then(|index| NonZeroU32::MIN.checked_add(index));
                Self(number.expect("the options keep sessions and orders below 2^32 - 1"))
            }

            fn index(self) -> usize {
                self.0.get() as usize - 1
            }
        }

        impl std::fmt::Display for $name {
            /// The shop's own key.
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, $format, self.0)
            }
        }
    };
}

number! {
    /// An order, counted from 1 in the order of time; shown as `O0000042`.
    OrderNumber, "O{:07}"
}
number! {
    /// A session, counted from 1 in the order of time; shown as `S0000042`.
    SessionNumber, "S{:07}"
}

/// One line of the catalogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShopItem {
    /// The shop's own key: `KIT-0042`.
    pub item_id: String,
    /// Distinct within the shop: `Copperpot Slow Drip Coffee Machine, cream`.
    pub title: String,
    /// A path: `Kitchen > Coffee > Machines`.
    pub category: &'static str,
    /// Who makes it.
    pub brand: &'static str,
    /// The price at the end of the log, in cents.
    pub price_cents: u32,
    /// What the shop pays for it, in cents.
    pub cost_cents: u32,
    /// False if it is sold out at the end of the log.
    pub in_stock: bool,
    /// The product that this is a variant of, if it has several.
    pub group_id: Option<String>,
    /// Start of the day on which it was first sold; before the log for most.
    pub launched_at: Timestamp,
    /// Colour, where variants differ by it.
    pub color: Option<&'static str>,
    /// Size of the piece or the pack, where variants differ by it.
    pub size: Option<&'static str>,
}

impl ShopOptions {
    fn check(&self) -> Result<()> {
        within("customers", self.customers as u64, 10, 1_000_000)?;
        within("items", self.items as u64, 20, 200_000)?;
        within("days", u64::from(self.days), 30, 3_650)?;
        let customer_days = self.customers as u64 * u64::from(self.days);
        within("customers × days", customer_days, 300, 400_000_000)?;
        if !(1970..=9000).contains(&self.first_day.year()) {
            return Err(Error::Config(format!(
                "demo first_day: expected a date from 1970-01-01 to 9000-12-31, got {}",
                self.first_day
            )));
        }
        Ok(())
    }
}

fn within(option: &str, came: u64, least: u64, most: u64) -> Result<()> {
    if (least..=most).contains(&came) {
        return Ok(());
    }
    Err(Error::Config(format!("demo {option}: expected {least} to {most}, got {came}")))
}
