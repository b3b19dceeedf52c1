//! Lists of items with scores, four bytes an entry.

use super::Lists;
use crate::ids::ItemId;

/// Per row other items with scores, the best first: lists without end are most of what a large shop's index holds.
///
/// An entry is one number. Its low bits are the item's, as many as the shop's items need. The others say by how much
/// the score, as a share of the row's best, falls short of 1 in the order of floats: four bits of exponent, and all
/// that is left of the fraction. A score is exact to 1 part in 65,000 in a shop of 5,000 items, in 500 in one of a
/// million; what is below 1/65,536 of the best counts as that.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ranked {
    /// The bits of an entry that are its item's.
    mask: u32,
    /// Of each row its best score.
    best: Vec<f32>,
    entries: Lists<u32>,
}

/// One row.
#[derive(Clone, Copy, Debug)]
pub struct RankedRow<'a> {
    mask: u32,
    best: f32,
    entries: &'a [u32],
}

const ONE: u32 = 1f32.to_bits();
/// An entry's score bits, shifted down by these, are of a float's fraction and the last four bits of its exponent.
const SHIFT: u32 = 5;
/// Bits left to the score, at least: its exponent's.
const LEAST_BITS: u32 = 4;

impl Ranked {
    /// No rows yet, for a shop of so many items.
    ///
    /// Panics beyond 268,435,456 items.
    pub fn new(items: usize) -> Self {
        Self { mask: mask(items), ..Self::default() }
    }

    /// These lists, of a shop of so many items: see [`Self::push`]. Of empty rows at the end nothing is kept.
    pub fn of<'a, T>(items: usize, lists: &'a Lists<T>) -> Self
    where
        (ItemId, f32): From<&'a T>,
    {
        let mut ranked = Self::new(items);
        let told = (0..lists.len()).rev().find(|&row| !lists.row(row).is_empty());
        let rows = lists.rows().take(told.map_or(0, |last| last + 1));
        rows.for_each(|row| ranked.push(row.iter().map(From::from)));
        ranked
    }

    /// Appends the next row: items of the shop and their scores, all > 0, the best first.
    pub fn push(&mut self, row: impl IntoIterator<Item = (ItemId, f32)>) {
        let mut row = row.into_iter().peekable();
        let best = row.peek().map_or(0.0, |(_, score)| *score);
        self.best.push(best);
        self.entries.push(row.map(|(item, score)| entry(self.mask, item, score / best)));
    }

    /// What [`Self::best`] and [`Self::entries`] gave; `None` if these can't be of a shop of so many items.
    pub fn from_parts(items: usize, best: Vec<f32>, entries: Lists<u32>) -> Option<Self> {
        let mask = mask(items);
        let is_sound = best.len() == entries.len()
            && entries.entries().iter().all(|entry| ((entry & mask) as usize) < items);
        is_sound.then_some(Self { mask, best, entries })
    }

    /// Of each row its best score; 0 where it is empty.
    pub fn best(&self) -> &[f32] {
        &self.best
    }

    /// The entries as they are packed.
    pub fn entries(&self) -> &Lists<u32> {
        &self.entries
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.best.len()
    }

    /// True if there is no row.
    pub fn is_empty(&self) -> bool {
        self.best.is_empty()
    }

    /// How many entries all rows have.
    pub fn count(&self) -> usize {
        self.entries.entries().len()
    }

    /// Row `index`; empty beyond the last.
    #[inline]
    pub fn row(&self, index: usize) -> RankedRow<'_> {
        let best = self.best.get(index).copied().unwrap_or(0.0);
        RankedRow { mask: self.mask, best, entries: self.entries.row(index) }
    }

    /// All rows, in order.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = RankedRow<'_>> {
        (0..self.len()).map(|index| self.row(index))
    }
}

impl<'a> RankedRow<'a> {
    /// How many entries it has.
    pub fn len(self) -> usize {
        self.entries.len()
    }

    /// True if it has none.
    pub fn is_empty(self) -> bool {
        self.entries.is_empty()
    }

    /// The score of its first entry; 0 if there is none.
    pub fn best(self) -> f32 {
        self.best
    }

    /// Its first entries, as many as that.
    #[inline]
    pub fn first(self, count: usize) -> Self {
        Self { entries: &self.entries[..count.min(self.len())], ..self }
    }

    /// Those of its entries, the first, whose scores are at least that.
    #[inline]
    pub fn at_least(self, score: f32) -> Self {
        self.first(self.entries.partition_point(|&entry| self.score(entry) >= score))
    }

    /// Its items and their scores.
    #[inline]
    pub fn iter(self) -> impl ExactSizeIterator<Item = (ItemId, f32)> + Clone + use<'a> {
        self.entries.iter().map(move |&entry| (self.item(entry), self.score(entry)))
    }

    /// The score of an entry in each line of the cache that it fills. Memory fetches many rows at once faster than
    /// one after the other, so who is about to walk along some has a look at these of all first.
    pub fn cache_lines(self) -> impl Iterator<Item = f32> + use<'a> {
        const CACHE_LINE: usize = 64;
        let ahead = self.entries.iter().step_by(CACHE_LINE / size_of::<u32>());
        ahead.map(move |&entry| self.score(entry))
    }

    /// Where the item stands in it.
    pub fn place(self, item: ItemId) -> Option<usize> {
        self.entries.iter().position(|&entry| (entry & self.mask) as usize == item.index())
    }

    /// The item's score.
    pub fn of(self, item: ItemId) -> Option<f32> {
        Some(self.score(self.entries[self.place(item)?]))
    }

    #[inline]
    fn item(self, entry: u32) -> ItemId {
        ItemId::new((entry & self.mask) as usize)
    }

    #[inline]
    fn score(self, entry: u32) -> f32 {
        self.best * f32::from_bits(ONE - ((entry & !self.mask) >> SHIFT))
    }
}

/// The bits that the items' need; no fewer than a float's fraction can do without.
fn mask(items: usize) -> u32 {
    let bits = usize::BITS - items.saturating_sub(1).leading_zeros();
    assert!(bits <= u32::BITS - LEAST_BITS, "more than 2^28 items: an index can't list them");
    (1 << bits.max(SHIFT)) - 1
}

fn entry(mask: u32, item: ItemId, share: f32) -> u32 {
    debug_assert!(item.index() <= mask as usize, "the item is one of the shop's");
    debug_assert!(share > 0.0 && share <= 1.0, "{share}: the best comes first, and is above 0");
    let short = u64::from(ONE.saturating_sub(share.max(0.0).to_bits())) << SHIFT;
    let step = u64::from(mask) + 1;
    let nearest = (short + step / 2) / step * step;
    nearest.min(u64::from(!mask)) as u32 | item.index() as u32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ranked(items: usize, row: &[(usize, f32)]) -> Ranked {
        let mut ranked = Ranked::new(items);
        ranked.push(row.iter().map(|&(item, score)| (ItemId::new(item), score)));
        ranked
    }

    #[test]
    fn a_row_is_read_as_far_as_it_says_enough_and_an_item_is_found_in_it() {
        let ranked = ranked(1_000_000, &[(999_999, 8.0), (0, 4.0), (7, 2.0), (8, 1.0)]);
        let row = ranked.row(0);
        let read: Vec<_> = row.iter().map(|(item, score)| (item.index(), score)).collect();
        assert_eq!(read, [(999_999, 8.0), (0, 4.0), (7, 2.0), (8, 1.0)]);
        assert_eq!(
            (row.at_least(2.0).len(), row.at_least(2.1).len(), row.at_least(9.0).len()),
            (3, 2, 0)
        );
        assert_eq!((row.of(ItemId::new(7)), row.of(ItemId::new(9))), (Some(2.0), None));
        assert_eq!((row.best(), ranked.row(1).best(), ranked.row(1).len()), (8.0, 0.0, 0));
    }

    #[test]
    fn what_is_hardly_said_is_still_said() {
        let ranked = ranked(50, &[(1, 1.0), (2, 1e-30)]);
        let (_, faint) = ranked.row(0).iter().nth(1).expect("two entries");
        assert!(faint > 0.0 && faint < 1.0 / 60_000.0, "{faint}");
    }

    #[test]
    fn parts_that_name_an_item_the_shop_does_not_have_are_refused() {
        let parts = |items| {
            let ranked = ranked(9, &[(8, 1.0)]);
            Ranked::from_parts(items, ranked.best().to_vec(), ranked.entries().clone())
        };
        assert_eq!(parts(9), Some(ranked(9, &[(8, 1.0)])));
        assert_eq!(parts(8), None);
        assert_eq!(Ranked::from_parts(9, vec![], ranked(9, &[(8, 1.0)]).entries().clone()), None);
    }

    proptest! {
        #[test]
        fn scores_come_back_in_their_order_and_as_near_as_the_shop_s_size_allows(
            items in prop_oneof![Just(3usize), Just(4_000), Just(1_000_000), Just(1 << 24)],
            mut scores in prop::collection::vec(1e-3f32..1e3, 1..60),
        ) {
            scores.sort_by(|a, b| b.total_cmp(a));
            let row: Vec<_> = scores.iter().enumerate().map(|(n, &score)| (n * 7_919 % items, score)).collect();
            let ranked = ranked(items, &row);
            let read: Vec<_> = ranked.row(0).iter().map(|(item, score)| (item.index(), score)).collect();
            prop_assert!(read.is_sorted_by(|a, b| a.1 >= b.1));
            let bits = 32 - mask(items).count_ones();
            let exact = 0.5f32.powi(bits as i32 - 3) + 1e-6;
            for ((item, score), (was, before)) in read.iter().zip(&row) {
                prop_assert_eq!(item, was);
                let is_faint = *before < row[0].1 / 60_000.0;
                prop_assert!(is_faint || (score / before - 1.0).abs() <= exact, "{} for {}", score, before);
            }
        }
    }
}
