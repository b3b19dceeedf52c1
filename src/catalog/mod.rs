//! What is sold: items with title, category path, brand, price and stock.
//!
//! This room knows what the shop says of its goods. It refuses to know who bought them.

mod category;
mod columns;
mod fields;
mod listing;
mod read;
mod roles;
mod shelf;
mod tree;
mod words;

pub use category::Levels;
pub use read::{CatalogAccount, CatalogOptions, CatalogReading, read};

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use fields::{MOST_ATTRIBUTES, ShelfRow};
pub use listing::{Absence, Listing};
pub use shelf::{CHUNK, Change, Near, Shelf, ShelfBuilder};
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
    /// Units in stock, which say more than that; none left hides it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stock: Option<i64>,
    /// Variants of one product share it.
    pub group_id: Option<String>,
    /// First day of sale.
    pub launched_at: Option<Timestamp>,
    /// Every other column, by its name in the file.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
}

/// Stands between the levels of a category's path.
const BELOW: &str = " > ";

impl Item {
    /// The full path of its category, `a > b > c`, if it has one.
    pub fn path(&self) -> Option<String> {
        (!self.category.is_empty()).then(|| self.category.join(BELOW))
    }

    /// Whether the same can be read of both: all by which items are alike.
    pub fn reads_as(&self, other: &Self) -> bool {
        self.title == other.title
            && self.category == other.category
            && self.brand == other.brand
            && self.attributes == other.attributes
    }

    /// Whether it is in stock, as far as anyone knows.
    pub fn is_in_stock(&self) -> Option<bool> {
        self.stock.map(|units| units > 0).or(self.in_stock)
    }
}

/// All items of the shop, by their keys.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Catalog {
    items: BTreeMap<String, Item>,
    /// Lower-case key → key, where only one item is called so.
    folded: BTreeMap<String, Option<String>>,
    is_complete: bool,
}

impl Catalog {
    /// What the shop says of the item called `key`; case counts only between keys that differ by it alone.
    pub fn get(&self, key: &str) -> Option<&Item> {
        self.items.get(key).or_else(|| {
            let alike = self.folded.get(&key.to_lowercase())?;
            self.items.get(alike.as_deref()?)
        })
    }

    /// All items, by key.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Item)> {
        self.items.iter().map(|(key, item)| (key.as_str(), item))
    }

    /// Whether what is not in it is not for sale.
    pub fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// How many items there are.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// True without an item.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Adds an item; the one that had the key before, if any, comes back.
    pub fn insert(&mut self, key: &str, item: Item) -> Option<Item> {
        let before = self.items.insert(key.to_string(), item);
        if before.is_none() {
            let only = |alike: &mut Option<String>| *alike = None;
            self.folded.entry(key.to_lowercase()).and_modify(only).or_insert(Some(key.to_string()));
        }
        before
    }
}

impl FromIterator<(String, Item)> for Catalog {
    fn from_iter<Items: IntoIterator<Item = (String, Item)>>(items: Items) -> Self {
        let mut catalog = Self::default();
        for (key, item) in items {
            catalog.insert(&key, item);
        }
        catalog
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_is_found_whatever_its_case_unless_that_is_ambiguous() {
        let named = |title: &str| Item { title: Some(title.into()), ..Item::default() };
        let catalog: Catalog = [("85123A", "heart"), ("x", "small"), ("X", "large")]
            .map(|(key, title)| (key.to_string(), named(title)))
            .into_iter()
            .collect();
        assert_eq!(catalog.get("85123a"), Some(&named("heart")));
        assert_eq!(catalog.get("x"), Some(&named("small")));
        assert_eq!(catalog.get("X"), Some(&named("large")));
        assert_eq!(catalog.get("y"), None);
    }
}
