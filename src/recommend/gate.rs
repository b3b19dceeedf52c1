//! What keeps items out of an answer, whatever the sources say.

use super::sieve::{Condition, Sieves};
use super::terms::Dropped;
use crate::catalog::{Absence, Shelf};
use crate::ids::ItemId;

/// What keeps items out of an answer, whatever the sources say.
#[derive(Debug)]
pub(super) struct Gate<'a> {
    pub(super) shelf: &'a Shelf,
    /// Shown elsewhere on the page; ascending.
    pub(super) shown: &'a [ItemId],
    pub(super) must_hold: Vec<Condition>,
    pub(super) must_not_hold: Vec<Condition>,
    /// Products of which a variant is what was asked about.
    pub(super) groups_asked: Vec<u32>,
}

impl Gate<'_> {
    /// Why the item can't be answered, if so.
    #[inline]
    pub(super) fn drops(&self, sieves: &mut Sieves, item: ItemId) -> Option<Dropped> {
        match self.shelf.absence(item) {
            Some(Absence::SoldOut) => return Some(Dropped::OutOfStock),
            Some(Absence::Hidden | Absence::Deleted) => return Some(Dropped::Hidden),
            None => {}
        }
        let mut holds = |condition| sieves.holds(condition, self.shelf, item);
        match () {
            () if self.shown.binary_search(&item).is_ok() => Some(Dropped::Duplicate),
            () if self.must_not_hold.iter().any(&mut holds) => Some(Dropped::Hidden),
            () if !self.must_hold.iter().all(&mut holds) => Some(Dropped::Filtered),
            () if !self.groups_asked.is_empty() => {
                let group = self.shelf.group(item)?;
                self.groups_asked.contains(&group).then_some(Dropped::Variant)
            }
            () => None,
        }
    }
}
