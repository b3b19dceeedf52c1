//! What happened: the shop's event log, read, checked and grouped into baskets and sessions.
//!
//! This room knows files and rows and what a customer can do. It refuses to know what is recommended.

mod account;
mod attributes;
mod baskets;
mod bursts;
mod check;
mod dates;
mod delivered;
mod goods;
mod keys;
mod kinds;
mod line;
mod log;
mod machines;
mod moments;
mod options;
mod read;
mod returns;
mod roles;
mod row;
mod sessions;
mod titles;
mod told;
#[cfg(test)]
mod torment;

pub use account::{Account, Cause, FileAccount};
pub use attributes::{AttributesReading, CustomerAttributes, read_attributes};
pub use baskets::{baskets, order_of, steps};
pub use goods::Said;
pub use log::{EventLog, Events};
pub use options::ReadOptions;
pub use read::{GroupKeys, Reading, read, read_as_told};
pub use sessions::sessions;
pub use told::Told;

use crate::ids::{CustomerId, GroupId, ItemId};
use crate::lists::Lists;
use crate::time::Timestamp;

/// The kinds of things a customer does to an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum EventKind {
    /// Looked at its page.
    View,
    /// Put it in the cart.
    Cart,
    /// Put it on a wish list.
    Favorite,
    /// Bought it.
    Purchase,
    /// Sent it back.
    Return,
}

/// One thing a customer did to one item at one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Event {
    /// When. All zero if the log has no time (see [`EventLog::timed`]).
    pub at: Timestamp,
    /// Who, if known.
    pub customer: Option<CustomerId>,
    /// With which item.
    pub item: ItemId,
    /// The shop's own order id of a purchase or return; its session id of anything else.
    pub group: Option<GroupId>,
    /// Units, > 0 (1 where the log does not say).
    pub quantity: f32,
    /// Price per unit in the shop's currency, ≥ 0 (0 where the log does not say).
    pub unit_price: f32,
    /// What was done.
    pub kind: EventKind,
    /// Money off, in percent of the price before it, 0 to 100.
    pub discount_percent: u8,
}

/// Distinct items bought together, one row per order.
///
/// Sorted by customer (orders without one last), then time: a customer's orders are neighbours.
#[derive(Clone, Debug, Default)]
pub struct Baskets {
    /// Items of each basket, ascending and distinct.
    pub items: Lists<ItemId>,
    /// Of each entry of `items`, the units bought, > 0.
    pub units: Vec<f32>,
    /// Whose it was.
    pub customers: Vec<Option<CustomerId>>,
    /// When it was first added to.
    pub at: Vec<Timestamp>,
}

/// One visitor's consecutive events, one row per session, oldest session first.
#[derive(Clone, Debug, Default)]
pub struct Sessions {
    /// Items in the order they were looked at; an item may come back.
    pub items: Lists<ItemId>,
    /// Who, if known.
    pub customers: Vec<Option<CustomerId>>,
    /// When the last event was.
    pub at: Vec<Timestamp>,
}
