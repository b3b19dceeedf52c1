//! One short list per dense id, all in one flat array.

mod ranked;

use std::ops::Range;

pub use ranked::{Ranked, RankedRow};

/// `lists.row(i)` is the list of the id with index `i`; memory is one entry array and one offset per row.
///
/// Panics at the 2^32nd entry.
#[derive(Clone, Debug, PartialEq)]
pub struct Lists<T> {
    offsets: Vec<u32>,
    entries: Vec<T>,
}

impl<T> Default for Lists<T> {
    fn default() -> Self {
        Self { offsets: vec![0], entries: Vec::new() }
    }
}

impl<T> Lists<T> {
    /// No rows yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// No rows yet, with room for `rows` and `entries`.
    pub fn with_capacity(rows: usize, entries: usize) -> Self {
        let mut offsets = Vec::with_capacity(rows + 1);
        offsets.push(0);
        Self { offsets, entries: Vec::with_capacity(entries) }
    }

    /// No rows yet, in the room of these two, which must be empty.
    pub(crate) fn within(mut offsets: Vec<u32>, entries: Vec<T>) -> Self {
        debug_assert!(offsets.is_empty() && entries.is_empty());
        offsets.push(0);
        Self { offsets, entries }
    }

    /// Rows end to end: row i is what lies between offsets i and i + 1.
    ///
    /// Panics unless the offsets ascend from 0 to the number of entries.
    pub fn from_parts(offsets: Vec<u32>, entries: Vec<T>) -> Self {
        let spans_all =
            offsets.first() == Some(&0) && offsets.last() == Some(&offset(entries.len()));
        assert!(spans_all && offsets.is_sorted(), "offsets ascend over all entries");
        Self { offsets, entries }
    }

    /// `count` rows of entries that come with the index of their row, each row in the order in which they come;
    /// `any` entry fills the room until they do.
    ///
    /// Panics if an index is not below `count`.
    pub fn dealt(count: usize, any: T, entries: impl Iterator<Item = (usize, T)> + Clone) -> Self
    where
        T: Copy,
    {
        let mut offsets = vec![0u32; count + 1];
        entries.clone().for_each(|(row, _)| offsets[row + 1] += 1);
        for row in 0..count {
            offsets[row + 1] = offsets[row + 1].checked_add(offsets[row]).expect(FEWER);
        }
        let mut dealt = vec![any; offsets[count] as usize];
        let mut next = offsets.clone();
        for (row, entry) in entries {
            dealt[next[row] as usize] = entry;
            next[row] += 1;
        }
        Self { offsets, entries: dealt }
    }

    /// Appends the next row.
    pub fn push(&mut self, row: impl IntoIterator<Item = T>) {
        self.entries.extend(row);
        self.offsets.push(offset(self.entries.len()));
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    /// True if there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The entries of row `index`; empty beyond the last row.
    #[inline]
    pub fn row(&self, index: usize) -> &[T] {
        &self.entries[self.span(index)]
    }

    /// Where row `index` lies in [`Self::entries`]; empty beyond the last row.
    #[inline]
    pub fn span(&self, index: usize) -> Range<usize> {
        match self.offsets.get(index..index + 2) {
            Some(span) => span[0] as usize..span[1] as usize,
            None => 0..0,
        }
    }

    /// All rows, in order.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[T]> + Clone {
        self.offsets.windows(2).map(|span| &self.entries[span[0] as usize..span[1] as usize])
    }

    /// Shortens every row, in place: `shorten` may change it, and says how many of its first entries stay.
    ///
    /// Panics if more are to stay than there are.
    pub fn shorten(&mut self, mut shorten: impl FnMut(&mut [T]) -> usize)
    where
        T: Copy,
    {
        let (mut start, mut kept) = (0, 0);
        for offset in &mut self.offsets[1..] {
            let end = *offset as usize;
            let stay = shorten(&mut self.entries[start..end]);
            self.entries[..end].copy_within(start..start + stay, kept);
            kept += stay;
            start = end;
            *offset = kept as u32;
        }
        self.entries.truncate(kept);
    }

    /// All entries of all rows, in order.
    pub fn entries(&self) -> &[T] {
        &self.entries
    }

    /// All entries of all rows, in order, to be changed in place.
    pub fn entries_mut(&mut self) -> &mut [T] {
        &mut self.entries
    }
}

const FEWER: &str = "fewer than 2^32 entries";

fn offset(entries: usize) -> u32 {
    u32::try_from(entries).expect(FEWER)
}

impl<T, Row: IntoIterator<Item = T>> FromIterator<Row> for Lists<T> {
    fn from_iter<Rows: IntoIterator<Item = Row>>(rows: Rows) -> Self {
        let mut lists = Self::new();
        rows.into_iter().for_each(|row| lists.push(row));
        lists
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back_as_they_went_in_and_a_row_beyond_the_end_is_empty() {
        let rows = vec![vec![1, 2], vec![], vec![3]];
        let lists: Lists<i32> = rows.clone().into_iter().collect();
        assert_eq!(lists.rows().map(<[i32]>::to_vec).collect::<Vec<_>>(), rows);
        assert_eq!(lists.row(2), [3]);
        assert!(lists.row(3).is_empty() && lists.row(99).is_empty());
    }

    #[test]
    fn what_is_dealt_stays_in_order_within_its_row() {
        let dealt = Lists::dealt(4, 'x', [(2, 'b'), (0, 'z'), (2, 'a'), (0, 'y')].into_iter());
        let expected: Lists<char> =
            [vec!['z', 'y'], vec![], vec!['b', 'a'], vec![]].into_iter().collect();
        assert_eq!(dealt, expected);
    }

    #[test]
    fn each_row_keeps_the_first_entries_that_it_is_told_to() {
        let mut lists: Lists<u8> =
            [vec![1, 2, 3], vec![], vec![4, 5], vec![6], vec![7, 8]].into_iter().collect();
        lists.shorten(|row| {
            row.reverse();
            row.len() / 2
        });
        let expected: Lists<u8> = [vec![3], vec![], vec![5], vec![], vec![8]].into_iter().collect();
        assert_eq!(lists, expected);
    }
}
