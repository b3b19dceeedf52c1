//! What is sold: items with title, category path, brand, price and stock.
//!
//! This room knows what the shop says of its goods. It refuses to know who bought them.

mod tree;

use serde::{Deserialize, Serialize};

pub use tree::CategoryTree;

use crate::time::Timestamp;

/// What the shop says of one item. Everything is optional: an item may be known from its sales alone.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Item {
    /// What customers read.
    pub title: Option<String>,
    /// From the widest to the narrowest: `["Grocery", "Bread", "Rolls"]`.
    pub category: Vec<String>,
    /// Maker or label.
    pub brand: Option<String>,
    /// Selling price in the shop's currency, ≥ 0.
    pub price: Option<f64>,
    /// What it costs the shop, ≥ 0.
    pub cost: Option<f64>,
    /// False hides it from answers; unknown counts as in stock.
    pub in_stock: Option<bool>,
    /// Variants of one product share it.
    pub group_id: Option<String>,
    /// First day of sale.
    pub launched_at: Option<Timestamp>,
    /// Every other column, by its name in the file.
    #[serde(skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    pub attributes: std::collections::BTreeMap<String, String>,
}
