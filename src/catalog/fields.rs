//! The fields of an item, as filters name and read them: the fixed ones, and whatever else the catalogue has.

use std::collections::{BTreeMap, BTreeSet};

use super::Item;
use super::columns::Chunk;
use super::shelf::Shelf;
use crate::filter::{FieldId, Row, Schema, Type};
use crate::ids::{DenseId, Interner, ItemId};

/// The columns beside the fixed ones, as the catalogue names them.
#[derive(Clone, Debug, Default)]
pub(super) struct Attributes {
    pub(super) names: Interner<Attribute>,
    /// Those in which every value is a number.
    pub(super) numeric: Vec<bool>,
    /// Names that came when there were enough.
    pub(super) left_out: BTreeSet<String>,
}

/// Changes bring a shelf to so many names of attributes at most: each takes 12 bytes for every item of a chunk in which
/// one has it.
pub const MOST_ATTRIBUTES: usize = 1_000;

/// A column beside the fixed ones.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attribute(u32);

impl DenseId for Attribute {
    fn new(index: usize) -> Self {
        Self(u32::try_from(index).expect("few columns"))
    }

    fn index(self) -> usize {
        self.0 as usize
    }
}

impl Attributes {
    /// Takes last night's item into account: one value that is no number makes its column a text.
    pub(super) fn add(&mut self, item: &Item) {
        for (name, value) in &item.attributes {
            let column = self.names.intern(name).index();
            self.numeric.resize(self.names.len(), true);
            self.numeric[column] &= number(value).is_some();
        }
    }

    /// Adds columns that were not there, up to [`MOST_ATTRIBUTES`], as texts, and leaves the others what they are: until
    /// the next night has seen all values, filters go on meaning what they meant, whatever comes first.
    pub(super) fn add_new(&mut self, item: &Item) {
        for name in item.attributes.keys() {
            if self.names.get(name).is_some() {
                continue;
            }
            if self.names.len() < MOST_ATTRIBUTES {
                self.names.intern(name);
                self.numeric.push(false);
            } else if !self.left_out.contains(name) {
                self.left_out.insert(name.clone());
            }
        }
    }

    pub(super) fn values<'a>(&self, item: &'a Item) -> Vec<(usize, &'a str)> {
        let known = item.attributes.iter();
        known
            .filter_map(|(name, value)| Some((self.names.get(name)?.index(), value.as_str())))
            .collect()
    }
}

/// A finite number, as people write it in a file.
pub(super) fn number(text: &str) -> Option<f64> {
    text.trim().parse().ok().filter(|number: &f64| number.is_finite())
}

/// The fields that every item has, as filters name them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    ItemId,
    Title,
    Brand,
    Category,
    GroupId,
    Price,
    Cost,
    Margin,
    Stock,
    InStock,
    LaunchedAt,
}

impl Field {
    const ALL: [(Self, &'static str, Type); 11] = [
        (Self::ItemId, "item_id", Type::Text),
        (Self::Title, "title", Type::Text),
        (Self::Brand, "brand", Type::Text),
        (Self::Category, "category", Type::Path),
        (Self::GroupId, "group_id", Type::Text),
        (Self::Price, "price", Type::Number),
        (Self::Cost, "cost", Type::Number),
        (Self::Margin, "margin", Type::Number),
        (Self::Stock, "stock", Type::Number),
        (Self::InStock, "in_stock", Type::Flag),
        (Self::LaunchedAt, "launched_at", Type::Day),
    ];

    pub(super) fn id(self) -> FieldId {
        FieldId(self as u32)
    }

    fn of(id: FieldId) -> Option<Self> {
        Self::ALL.get(id.0 as usize).map(|(field, ..)| *field)
    }
}

/// Attributes may be named as they are, or as `attributes.NAME` where a fixed field has the name.
const ATTRIBUTES: &str = "attributes.";

impl Schema for Shelf {
    fn field(&self, name: &str) -> Option<(FieldId, Type)> {
        if let Some((field, _, kind)) = Field::ALL.iter().find(|(_, known, _)| *known == name) {
            return Some((field.id(), *kind));
        }
        let name = name.strip_prefix(ATTRIBUTES).unwrap_or(name);
        let column = self.attributes.names.get(name)?.index();
        let kind = if self.attributes.numeric[column] { Type::Number } else { Type::Text };
        Some((FieldId((Field::ALL.len() + column) as u32), kind))
    }

    fn names(&self) -> Vec<String> {
        let fixed = Field::ALL.iter().map(|(_, name, _)| (*name).to_owned());
        fixed.chain(self.attributes.names.keys().map(str::to_owned)).collect()
    }
}

impl Shelf {
    /// The item as a filter sees it.
    #[inline]
    pub fn row(&self, item: ItemId) -> ShelfRow<'_> {
        ShelfRow { shelf: self, item }
    }
}

/// One item, as a filter sees it.
#[derive(Clone, Copy, Debug)]
pub struct ShelfRow<'a> {
    shelf: &'a Shelf,
    item: ItemId,
}

impl ShelfRow<'_> {
    fn at(&self) -> (&Chunk, usize) {
        self.shelf.at(self.item)
    }

    /// What the columns beside the fixed ones say, by their names.
    pub(super) fn attributes(&self) -> BTreeMap<String, String> {
        let (chunk, place) = self.at();
        let names = self.shelf.attributes.names.keys().enumerate();
        let told = names.filter_map(|(column, name)| Some((name, chunk.text(column, place)?)));
        told.filter_map(|(name, text)| {
            Some((name.to_owned(), self.shelf.texts.get(text)?.to_owned()))
        })
        .collect()
    }
}

impl Row for ShelfRow<'_> {
    fn number(&self, field: FieldId) -> Option<f64> {
        let (chunk, place) = self.at();
        match Field::of(field) {
            Some(Field::Price) => chunk.price(place),
            Some(Field::Cost) => chunk.cost(place),
            Some(Field::Margin) => Some(chunk.price(place)? - chunk.cost(place)?),
            Some(Field::Stock) => chunk.stock(place),
            Some(_) => None,
            None => chunk.number(field.0 as usize - Field::ALL.len(), place),
        }
    }

    fn text(&self, field: FieldId) -> Option<&str> {
        let (chunk, place) = self.at();
        let texts = &self.shelf.texts;
        match Field::of(field) {
            Some(Field::ItemId) => Some(self.shelf.key(self.item)),
            Some(Field::Title) => self.shelf.told_title(self.item),
            Some(Field::Brand) => self.shelf.brand(self.item),
            Some(Field::GroupId) => texts.get(chunk.group(place)?),
            Some(_) => None,
            None => texts.get(chunk.text(field.0 as usize - Field::ALL.len(), place)?),
        }
    }

    fn flag(&self, field: FieldId) -> Option<bool> {
        let (chunk, place) = self.at();
        match Field::of(field)? {
            Field::InStock => {
                chunk.stock(place).map(|units| units > 0.0).or_else(|| chunk.in_stock(place))
            }
            _ => None,
        }
    }

    fn path(&self, field: FieldId) -> Option<&str> {
        match Field::of(field)? {
            Field::Category => self.shelf.path(self.item),
            _ => None,
        }
    }

    fn day(&self, field: FieldId) -> Option<i64> {
        match Field::of(field)? {
            Field::LaunchedAt => Some(self.shelf.day_of(self.shelf.launched_at(self.item)?)),
            _ => None,
        }
    }
}
