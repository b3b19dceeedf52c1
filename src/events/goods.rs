//! What the log's own columns say of its items beside their titles: category and brand.

use std::path::Path;

use crate::ids::ItemId;
use crate::tables::{Batch, Decoder, NESTED, is_absent};

/// A column tells of items, and not of what was done to them, if so many of its values are the first of their item.
const SAME: f64 = 0.9;

/// What the log says of an item.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// The most frequent of its titles.
    pub title: Option<String>,
    /// What its columns of categories say, the widest first, each a level or a whole path.
    pub category: Vec<String>,
    /// Its maker or label.
    pub brand: Option<String>,
}

/// What the columns of one file say of its items, as far as it has been read.
#[derive(Default)]
pub(super) struct Goods {
    columns: Vec<Column>,
}

/// A column, with the first value that it has for each item; shorter than the items if the last have none.
struct Column {
    slot: usize,
    name: String,
    is_brand: bool,
    first: Vec<Option<Box<[u8]>>>,
    /// How often a value came for an item that has one already, and how often it was the same.
    again: u64,
    same: u64,
}

impl Goods {
    /// From where a batch has categories, the widest first, and brands, with the names of these columns.
    pub(super) fn new<'a>(
        categories: impl Iterator<Item = (usize, &'a str)>,
        brands: impl Iterator<Item = (usize, &'a str)>,
    ) -> Self {
        let column = |is_brand, (slot, name): (usize, &str)| Column {
            slot,
            name: name.to_owned(),
            is_brand,
            first: Vec::new(),
            again: 0,
            same: 0,
        };
        let categories = categories.map(|of| column(false, of));
        Self { columns: categories.chain(brands.map(|of| column(true, of))).collect() }
    }

    /// Hears what a row of `batch` says of its item.
    pub(super) fn hear(&mut self, batch: &Batch, row: usize, item: ItemId) {
        for column in &mut self.columns {
            let said = batch.field(row, column.slot);
            if is_absent(said) || said == NESTED.as_bytes() {
                continue;
            }
            if column.first.len() <= item.index() {
                column.first.resize(item.index() + 1, None);
            }
            match &column.first[item.index()] {
                None => column.first[item.index()] = Some(said.into()),
                Some(first) => {
                    column.again += 1;
                    column.same += u64::from(**first == *said);
                }
            }
        }
    }

    /// Adds what was heard to `said`, by item, where that has nothing yet; gives a note on each column that tells of
    /// something else than items.
    pub(super) fn tell(self, said: &mut Vec<Said>, texts: &Decoder, path: &Path) -> Vec<String> {
        let (told, others): (Vec<Column>, Vec<Column>) =
            self.columns.into_iter().partition(Column::tells_of_items);
        let items = told.iter().map(|column| column.first.len()).max().unwrap_or(0);
        said.resize(said.len().max(items), Said::default());
        for (item, said) in said.iter_mut().enumerate() {
            let of = |is_brand: bool| {
                let columns = told.iter().filter(move |column| column.is_brand == is_brand);
                columns.filter_map(|column| column.first.get(item)?.as_deref())
            };
            if said.category.is_empty() {
                said.category = of(false).map(|text| texts.text(text).into_owned()).collect();
            }
            if said.brand.is_none() {
                said.brand = of(true).map(|text| texts.text(text).into_owned()).next();
            }
        }
        let note = |column: &Column| {
            format!(
                "{}: column {:?} says different things of one item: not taken for what it is named like",
                path.display(),
                column.name
            )
        };
        others.iter().map(note).collect()
    }
}

impl Column {
    fn tells_of_items(&self) -> bool {
        self.same as f64 >= SAME * self.again as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::Table;

    /// What rows of `item,category,level,brand` say, and the notes on their columns.
    fn told(rows: &[&str]) -> (Vec<Said>, Vec<String>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.csv");
        std::fs::write(&path, format!("item,wide,narrow,brand\n{}\n", rows.join("\n"))).unwrap();
        let table = Table::open(&path).unwrap();
        let mut goods =
            Goods::new([(1, "wide"), (2, "narrow")].into_iter(), [(3, "brand")].into_iter());
        table
            .read(&[0, 1, 2, 3], |batch| {
                for row in 0..batch.len() {
                    let item = std::str::from_utf8(batch.field(row, 0)).unwrap();
                    goods.hear(batch, row, ItemId::new(item.parse().unwrap()));
                }
                Ok(())
            })
            .unwrap();
        let mut said = Vec::new();
        let notes = goods.tell(&mut said, &Decoder::default(), Path::new("events.csv"));
        (said, notes)
    }

    #[test]
    fn an_items_first_word_counts_and_what_is_absent_is_no_word() {
        let (said, notes) = told(&["1,food,,", "1,null,tea,Assam", "1,food,tea,Assam", "0,,,"]);
        assert_eq!(said[0], Said::default());
        assert_eq!(said[1].category, ["food", "tea"]);
        assert_eq!(said[1].brand.as_deref(), Some("Assam"));
        assert!(notes.is_empty(), "{notes:?}");
    }

    #[test]
    fn a_column_that_says_different_things_of_one_item_is_not_about_items() {
        let rows: Vec<String> =
            (0..20).map(|row| format!("0,food,tea {},{}", row % 2, row / 19)).collect();
        let (said, notes) = told(&rows.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!((said[0].category.as_slice(), notes.len()), (["food".to_owned()].as_slice(), 1));
        assert!(notes[0].contains("\"narrow\""), "{notes:?}");
        assert_eq!(said[0].brand.as_deref(), Some("0"), "one slip in twenty is forgiven");
    }

    #[test]
    fn what_an_earlier_file_said_stays() {
        let mut said = vec![Said { brand: Some("Assam".into()), ..Said::default() }];
        let mut goods = Goods::new([].into_iter(), [(0, "brand")].into_iter());
        goods.columns[0].first = vec![Some(b"Darjeeling".as_slice().into()); 2];
        goods.tell(&mut said, &Decoder::default(), Path::new("events.csv"));
        let brands: Vec<_> = said.iter().map(|said| said.brand.as_deref()).collect();
        assert_eq!(brands, [Some("Assam"), Some("Darjeeling")]);
    }
}
