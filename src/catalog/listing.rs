//! An item as it is on sale now.

use serde::{Deserialize, Serialize};

use super::Item;

/// What the shop says of an item, and what it has decided since.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Listing {
    /// As in the catalogue.
    #[serde(flatten)]
    pub item: Item,
    /// Kept out of answers until it is unhidden.
    pub hidden: bool,
    /// No longer sold: never to be seen again, unless it is put back into the catalogue.
    pub deleted: bool,
}

impl Listing {
    /// Why it can't be offered now, if so.
    pub fn absence(&self) -> Option<Absence> {
        match () {
            () if self.deleted => Some(Absence::Deleted),
            () if self.hidden => Some(Absence::Hidden),
            () if self.item.is_in_stock() == Some(false) => Some(Absence::SoldOut),
            () => None,
        }
    }
}

/// Why an item can't be offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absence {
    /// The shop hides it.
    Hidden,
    /// None is left.
    SoldOut,
    /// The shop sells it no more.
    Deleted,
}

impl From<Item> for Listing {
    fn from(item: Item) -> Self {
        Self { item, ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_of_units_says_more_than_a_flag_of_last_night() {
        let listing =
            |stock| -> Listing { Item { in_stock: Some(false), stock, ..Item::default() }.into() };
        assert_eq!(listing(None).absence(), Some(Absence::SoldOut));
        assert_eq!(listing(Some(3)).absence(), None);
        assert_eq!(listing(Some(0)).absence(), Some(Absence::SoldOut));
        assert_eq!(Listing { deleted: true, ..listing(Some(3)) }.absence(), Some(Absence::Deleted));
    }
}
