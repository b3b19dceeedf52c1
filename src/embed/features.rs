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

/// The number of a feature, and how much an item has of it.
pub(super) type Feature = (u32, f32);

/// How items are read.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Features {
    /// Attributes that tell kinds of items rather than single ones.
    attributes: BTreeSet<String>,
    /// Per bucket the number of the feature in it, counted through; [`UNKNOWN`] where fewer than two items have
    /// something there: that teaches nothing about others.
    numbers: Vec<u32>,
}

const UNKNOWN: u32 = u32::MAX;

/// An attribute tells kinds of items if a value is shared by so many, on average.
const ITEMS_PER_VALUE: usize = 4;

impl Features {
    /// Learns from `items` which attributes and which buckets say something.
    pub(super) fn learn(items: &[&Item], buckets: usize) -> Self {
        let attributes = telling_attributes(items);
        let mut holders = vec![0u32; buckets];
        for item in items {
            let held = signed(item, &attributes, buckets);
            held.iter().for_each(|(bucket, _)| holders[*bucket as usize] += 1);
        }
        let known: Vec<u32> =
            (0u32..).zip(&holders).filter(|(_, held_by)| **held_by > 1).map(|(b, _)| b).collect();
        Self::from_parts(attributes, &known, buckets).expect("they ascend below `buckets`")
    }

    /// From the buckets that are known; none unless these ascend below `buckets`.
    pub(super) fn from_parts(
        attributes: BTreeSet<String>,
        known: &[u32],
        buckets: usize,
    ) -> Option<Self> {
        let ascend = known.is_sorted_by(|a, b| a < b);
        if !ascend || known.last().is_some_and(|&last| last as usize >= buckets) {
            return None;
        }
        let mut numbers = vec![UNKNOWN; buckets];
        known.iter().zip(0..).for_each(|(&bucket, number)| numbers[bucket as usize] = number);
        Some(Self { attributes, numbers })
    }

    /// The attributes that are looked at.
    pub(super) fn attributes(&self) -> &BTreeSet<String> {
        &self.attributes
    }

    /// Buckets, known or not.
    pub(super) fn buckets(&self) -> usize {
        self.numbers.len()
    }

    /// The buckets that are known, ascending.
    pub(super) fn known(&self) -> Vec<u32> {
        let known = (0u32..).zip(&self.numbers).filter(|(_, number)| **number != UNKNOWN);
        known.map(|(bucket, _)| bucket).collect()
    }

    /// The item's features by number, of length 1; empty if nothing is known of it that was also said of
    /// others.
    pub(super) fn row(&self, item: &Item) -> Vec<Feature> {
        let mut row = signed(item, &self.attributes, self.numbers.len());
        row.iter_mut().for_each(|(bucket, _)| *bucket = self.numbers[*bucket as usize]);
        row.retain(|(number, _)| *number != UNKNOWN);
        let length = row.iter().map(|(_, x)| x * x).sum::<f32>().sqrt();
        row.iter_mut().for_each(|(_, x)| *x /= length);
        row
    }
}

/// What falls into each bucket, ascending, 0 left out.
fn signed(item: &Item, attributes: &BTreeSet<String>, buckets: usize) -> Vec<Feature> {
    let mut all: Vec<Feature> = Vec::new();
    each_word(item, attributes, |word| {
        let hash = XxHash3_128::oneshot(word.as_bytes());
        let sign = if hash >> 127 == 0 { 1.0 } else { -1.0 };
        all.push(((hash as u64 % buckets as u64) as u32, sign));
    });
    all.sort_unstable_by_key(|(bucket, _)| *bucket);
    let sums = all.chunk_by(|a, b| a.0 == b.0);
    let sums = sums.map(|same| (same[0].0, same.iter().map(|(_, x)| x).sum::<f32>()));
    sums.filter(|(_, x)| *x != 0.0).collect()
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
    each_title_word(item, &mut visit);
    for (name, value) in &item.attributes {
        if attributes.contains(name) {
            visit(&format!("attribute\0{name}\0{}", value.to_lowercase()));
        }
    }
}

/// Each word of the title, and each two in a row.
pub(super) fn each_title_word(item: &Item, mut visit: impl FnMut(&str)) {
    let Some(title) = &item.title else { return };
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

#[cfg(test)]
mod tests {
    use super::*;

    fn item(title: &str, category: &[&str], attributes: &[(&str, &str)]) -> Item {
        Item {
            title: (!title.is_empty()).then(|| title.into()),
            category: category.iter().map(ToString::to_string).collect(),
            attributes: attributes.iter().map(|(n, v)| (n.to_string(), v.to_string())).collect(),
            ..Item::default()
        }
    }

    fn words(item: &Item, attributes: &[&str]) -> Vec<String> {
        let attributes = attributes.iter().map(ToString::to_string).collect();
        let mut words = Vec::new();
        each_word(item, &attributes, |word| words.push(word.replace('\0', "/")));
        words
    }

    #[test]
    fn an_item_is_its_categories_its_brand_its_words_and_its_telling_attributes() {
        let mut cup = item("Green TEACUP, green", &["Home", "Tea"], &[("size", "L"), ("ean", "4")]);
        cup.brand = Some("Regency".into());
        let expected = [
            "category/home",
            "category/home/tea",
            "brand/regency",
            "title/green",
            "title/teacup",
            "title/green/teacup",
            "title/green",
            "title/teacup/green",
            "attribute/size/l",
        ];
        assert_eq!(words(&cup, &["size"]), expected);
        assert!(words(&Item::default(), &["size"]).is_empty());
    }

    #[test]
    fn an_attribute_that_names_single_items_tells_nothing() {
        let items: Vec<Item> = (0..12)
            .map(|n| item("", &[], &[("ean", &n.to_string()), ("size", ["S", "L"][n % 2])]))
            .collect();
        let telling = telling_attributes(&items.iter().collect::<Vec<_>>());
        assert_eq!(telling, BTreeSet::from(["size".to_owned()]));
    }

    #[test]
    fn a_row_has_length_1_and_knows_only_what_two_items_share() {
        let items =
            [item("red cup", &["tea"], &[]), item("blue cup", &["tea"], &[]), item("x", &[], &[])];
        let features = Features::learn(&items.iter().collect::<Vec<_>>(), 1 << 20);
        assert_eq!(features.known().len(), 2);
        for row in [features.row(&items[0]), features.row(&item("cup", &["tea"], &[]))] {
            assert_eq!(row.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [0, 1]);
            assert!((row.iter().map(|(_, x)| x * x).sum::<f32>() - 1.0).abs() < 1e-6);
        }
        assert!(features.row(&items[2]).is_empty());
        assert!(features.row(&Item::default()).is_empty());
    }

    #[test]
    fn parts_that_do_not_fit_are_refused() {
        let attributes = BTreeSet::from(["size".to_owned()]);
        let features = Features::from_parts(attributes.clone(), &[1, 4], 5).expect("they fit");
        assert_eq!((features.known(), features.buckets()), (vec![1, 4], 5));
        assert_eq!(Features::from_parts(attributes.clone(), &[4, 1], 5), None);
        assert_eq!(Features::from_parts(attributes.clone(), &[1, 1], 5), None);
        assert_eq!(Features::from_parts(attributes, &[1, 5], 5), None);
    }
}
