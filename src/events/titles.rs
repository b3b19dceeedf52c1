//! What the log calls its items.

use std::num::NonZeroU8;

use super::row::Row;
use crate::ids::{DenseId, Interner, ItemId};

/// The titles that the log gives its items. An item has at most 255 of them: what comes as its title after those is
/// no title but a text of the moment.
#[derive(Default)]
pub(super) struct Titles {
    texts: Interner<TitleId>,
    /// Each item's, in the order of first sight; shorter than the items if the last have none.
    of_items: Vec<Vec<TitleId>>,
}

/// One of the titles of a row's item, in one byte: a log has millions of rows, and an item hardly more than one title.
pub(super) type TitlePlace = Option<NonZeroU8>;

impl Titles {
    /// The title's id, if it was met before.
    pub(super) fn get(&self, title: &str) -> Option<TitleId> {
        self.texts.get(title)
    }

    /// The title's id, given out now if it is new.
    pub(super) fn intern(&mut self, title: &str) -> TitleId {
        self.texts.intern(title)
    }

    /// Which of the item's titles it is, from now on one of them.
    pub(super) fn place(&mut self, item: ItemId, title: TitleId) -> TitlePlace {
        if self.of_items.len() <= item.index() {
            self.of_items.resize(item.index() + 1, Vec::new());
        }
        let titles = &mut self.of_items[item.index()];
        let known = titles.iter().position(|&known| known == title);
        let place = known.unwrap_or_else(|| {
            titles.push(title);
            titles.len() - 1
        });
        let place = u8::try_from(place + 1).ok().and_then(NonZeroU8::new);
        titles.truncate(usize::from(u8::MAX));
        place
    }

    /// Makes the titles of one item those of another too: their places there, in the order of those here.
    pub(super) fn join(&mut self, item: ItemId, with: ItemId) -> Vec<TitlePlace> {
        let titles = self.of_items.get(item.index()).cloned().unwrap_or_default();
        titles.into_iter().map(|title| self.place(with, title)).collect()
    }

    /// The most frequent title of each of so many items in the live rows, ties by the smaller text.
    pub(super) fn most_frequent(&self, rows: &[Row], items: usize) -> Vec<Option<&str>> {
        let mut counts: Vec<Vec<u32>> =
            self.of_items.iter().map(|titles| vec![0; titles.len()]).collect();
        for row in rows.iter().filter(|row| row.is_live()) {
            if let Some(place) = row.title {
                counts[row.item.index()][usize::from(place.get()) - 1] += 1;
            }
        }
        let best = |(counts, titles): (Vec<u32>, &Vec<TitleId>)| {
            let told = counts.into_iter().zip(titles).filter(|(count, _)| *count > 0);
            let told = told.map(|(count, title)| (count, self.texts.key(*title)));
            told.max_by(|a, b| a.0.cmp(&b.0).then(b.1.cmp(a.1))).map(|(_, title)| title)
        };
        let mut best: Vec<_> = counts.into_iter().zip(&self.of_items).map(best).collect();
        best.resize(items, None);
        best
    }
}

/// One of the titles that the log gives its items.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TitleId(u32);

impl DenseId for TitleId {
    fn new(index: usize) -> Self {
        Self(u32::try_from(index).expect("an interner holds fewer than 2^32 keys"))
    }

    fn index(self) -> usize {
        self.0 as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::EventKind;
    use crate::time::Timestamp;

    /// Rows of an item, each with one of the titles.
    fn rows(titles: &mut Titles, item: usize, texts: &[&str]) -> Vec<Row> {
        let item = ItemId::new(item);
        let row = |text: &&str| {
            let id = titles.intern(text);
            Row {
                at: Timestamp(0),
                customer: None,
                item,
                group: None,
                quantity: 1.0,
                unit_price: None.into(),
                kind: EventKind::Purchase,
                discount_percent: 0,
                title: titles.place(item, id),
                fate: None,
            }
        };
        texts.iter().map(row).collect()
    }

    #[test]
    fn the_most_frequent_title_is_an_items_own_and_of_equals_the_smaller_text() {
        let mut titles = Titles::default();
        let mut all = rows(&mut titles, 0, &["tea", "mug", "mug"]);
        all.extend(rows(&mut titles, 2, &["mug", "cup"]));
        assert_eq!(titles.most_frequent(&all, 4), [Some("mug"), None, Some("cup"), None]);
        all[1].fate = Some(crate::events::Cause::Duplicate);
        let told = titles.most_frequent(&all, 4);
        assert_eq!(told[0], Some("mug"), "one each: the smaller text");
        assert_eq!(titles.most_frequent(&[], 1), [None], "what no row says is no title");
    }

    #[test]
    fn what_comes_after_255_titles_is_none() {
        let mut titles = Titles::default();
        let texts: Vec<String> = (0..300).map(|nth| format!("title {nth}")).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let all = rows(&mut titles, 0, &texts);
        assert!(all[..255].iter().all(|row| row.title.is_some()));
        assert!(all[255..].iter().all(|row| row.title.is_none()));
        assert_eq!(rows(&mut titles, 0, &["title 254"])[0].title, all[254].title);
    }
}
