//! The titles of items, word by word: a rare word says more than a common one.

use rayon::prelude::*;
use rustc_hash::FxHashMap;
use twox_hash::XxHash3_128;

use super::features::each_title_word;
use crate::catalog::Item;
use crate::lists::Lists;

/// A word of an item's title, or two in a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Word {
    /// The same in all titles.
    pub number: u32,
    /// How much of the title it is, > 0; the squares of all of them add up to 1.
    pub weight: f32,
}

/// The words of each title, by how often they are there and the logarithm of how few titles hold them; what one alone
/// holds, or all, tells nothing.
pub fn words(items: &[Item]) -> Lists<Word> {
    let said = |item: &Item| {
        let mut said = Vec::new();
        each_title_word(item, |word| said.push(XxHash3_128::oneshot(word.as_bytes())));
        said.sort_unstable();
        said
    };
    let said: Vec<Vec<u128>> = items.par_iter().map(said).collect();
    let mut holders: FxHashMap<u128, u32> = FxHashMap::default();
    for same in said.iter().flat_map(|said| said.chunk_by(u128::eq)) {
        *holders.entry(same[0]).or_default() += 1;
    }
    let mut numbers: FxHashMap<u128, u32> = FxHashMap::default();
    let row = |said: Vec<u128>| {
        let mut row: Vec<Word> = Vec::new();
        for same in said.chunk_by(u128::eq) {
            let held_by = holders[&same[0]];
            if held_by > 1 && (held_by as usize) < items.len() {
                let next = numbers.len() as u32;
                let number = *numbers.entry(same[0]).or_insert(next);
                let rarity = (items.len() as f32 / held_by as f32).ln();
                row.push(Word { number, weight: same.len() as f32 * rarity });
            }
        }
        let length = row.iter().map(|word| word.weight * word.weight).sum::<f32>().sqrt();
        row.iter_mut().for_each(|word| word.weight /= length);
        row
    };
    said.into_iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rare_word_says_more_than_a_common_one_and_one_that_all_or_one_alone_have_says_nothing() {
        let titled = |title: &str| Item { title: Some(title.into()), ..Item::default() };
        let words = words(&[
            titled("cup red"),
            titled("cup red rose"),
            titled("cup blue rose"),
            titled("cup blue"),
            titled("cup of blue"),
            titled("cup"),
        ]);
        let row = |item: usize| words.row(item);
        // "cup red" and "red" go together always; "rose" is said of two, "blue" of three.
        assert_eq!(row(0).len(), 2);
        assert_eq!(row(0)[0].weight, row(0)[1].weight);
        let shared = |a: usize, b: usize| -> f32 {
            let weight = |word: &Word| row(b).iter().find(|other| other.number == word.number);
            row(a).iter().map(|word| word.weight * weight(word).map_or(0.0, |w| w.weight)).sum()
        };
        for item in 0..5 {
            assert!((shared(item, item) - 1.0).abs() < 1e-6, "{item}");
        }
        assert!(shared(0, 1) > shared(1, 2) && shared(1, 2) > 0.0);
        assert_eq!(shared(0, 3), 0.0, "all have the cup");
        assert!(row(5).is_empty());
    }
}
