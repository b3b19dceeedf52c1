//! What the catalogue says of an item, as a few numbers: categories, brand, words of the title and
//! attributes, hashed into a fixed number of buckets.
//!
//! A hashed feature needs no dictionary, so an item that arrives later is read as the others were. Half of
//! the features count as −1, so that what falls into one bucket by chance cancels rather than adds up.
//! Source: Weinberger et al. 2009, "Feature hashing for large scale multitask learning".

use std::collections::{BTreeMap, BTreeSet};

use rustc_hash::FxHashSet;
use twox_hash::XxHash3_128;

use crate::catalog::Item;

/// A bucket, and how much an item has of it.
pub(super) type Feature = (u32, f32);

/// How items are read.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Features {
    /// Attributes that tell kinds of items rather than single ones.
    pub(super) attributes: BTreeSet<String>,
    /// ln(1 + items ÷ items with it) per bucket; 0 where fewer than two items have it.
    /// Source: Spärck Jones 1972, "A statistical interpretation of term specificity".
    pub(super) rarity: Vec<f32>,
}

/// An attribute tells kinds of items if a value is shared by so many, on average.
const ITEMS_PER_VALUE: usize = 4;

impl Features {
    /// Learns from `items` which attributes and which buckets say something.
    pub(super) fn learn(items: &[&Item], buckets: usize) -> Self {
        let attributes = telling_attributes(items);
        let mut features = Self { attributes, rarity: vec![1.0; buckets] };
        let mut holders = vec![0u32; buckets];
        for item in items {
            features.signed(item).iter().for_each(|(bucket, _)| holders[*bucket as usize] += 1);
        }
        let rarity = |&held_by: &u32| match held_by {
            0 | 1 => 0.0,
            _ => (1.0 + items.len() as f32 / held_by as f32).ln(),
        };
        features.rarity = holders.iter().map(rarity).collect();
        features
    }

    /// The item's features by bucket, of length 1; empty if nothing is known of it that was also said of
    /// others.
    pub(super) fn row(&self, item: &Item) -> Vec<Feature> {
        let mut row = self.signed(item);
        row.iter_mut().for_each(|(bucket, x)| *x *= self.rarity[*bucket as usize]);
        row.retain(|(_, x)| *x != 0.0);
        let length = row.iter().map(|(_, x)| x * x).sum::<f32>().sqrt();
        row.iter_mut().for_each(|(_, x)| *x /= length);
        row
    }

    /// What falls into each bucket, ascending, 0 left out.
    fn signed(&self, item: &Item) -> Vec<Feature> {
        let mut all: Vec<Feature> = Vec::new();
        each_word(item, &self.attributes, |word| {
            let hash = XxHash3_128::oneshot(word.as_bytes());
            let sign = if hash >> 127 == 0 { 1.0 } else { -1.0 };
            all.push(((hash as u64 % self.rarity.len() as u64) as u32, sign));
        });
        all.sort_unstable_by_key(|(bucket, _)| *bucket);
        let sums = all.chunk_by(|a, b| a.0 == b.0);
        let sums = sums.map(|same| (same[0].0, same.iter().map(|(_, x)| x).sum::<f32>()));
        sums.filter(|(_, x)| *x != 0.0).collect()
    }
}

/// Attributes whose values are shared by some items each.
fn telling_attributes(items: &[&Item]) -> BTreeSet<String> {
    let mut values: BTreeMap<&str, (usize, FxHashSet<&str>)> = BTreeMap::new();
    for (name, value) in items.iter().flat_map(|item| &item.attributes) {
        let (held_by, distinct) = values.entry(name).or_default();
        *held_by += 1;
        distinct.insert(value);
    }
    let telling = |(held_by, distinct): &(usize, FxHashSet<&str>)| {
        distinct.len() > 1 && distinct.len() * ITEMS_PER_VALUE <= *held_by
    };
    let telling = values.into_iter().filter(|(_, counts)| telling(counts));
    telling.map(|(name, _)| name.to_owned()).collect()
}

/// Everything that is said of an item, a word each; words of different columns differ.
fn each_word(item: &Item, attributes: &BTreeSet<String>, mut visit: impl FnMut(&str)) {
    let mut path = String::from("category");
    for level in &item.category {
        path.push('\0');
        path.push_str(&level.to_lowercase());
        visit(&path);
    }
    if let Some(brand) = &item.brand {
        visit(&format!("brand\0{}", brand.to_lowercase()));
    }
    if let Some(group) = &item.group_id {
        visit(&format!("group\0{group}"));
    }
    if let Some(title) = &item.title {
        let title = title.to_lowercase();
        let words = title.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
        let mut before = None;
        for word in words {
            visit(&format!("title\0{word}"));
            if let Some(before) = before.replace(word) {
                visit(&format!("title\0{before}\0{word}"));
            }
        }
    }
    for (name, value) in &item.attributes {
        if attributes.contains(name) {
            visit(&format!("attribute\0{name}\0{}", value.to_lowercase()));
        }
    }
}
