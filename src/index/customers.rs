//! The customers of a generation, on disk: read one by one, through sled's bounded cache.

use std::sync::Arc;

use super::Index;
use super::codec::{checked, decode_history, decode_profile};
use super::keys::{CustomerKeys, Erased};
use super::read::Trees;
use crate::customers::{Clientele, History, Profile};
use crate::error::Result;
use crate::ids::ItemId;

/// The customers of a generation, without those who are to be forgotten.
#[derive(Debug)]
pub struct Customers {
    histories: sled::Tree,
    profiles: sled::Tree,
    item_count: usize,
    category_count: usize,
    keys: CustomerKeys,
    erased: Arc<Erased>,
    trees: Trees,
}

impl Customers {
    pub(super) fn new(
        trees: Trees,
        (item_count, category_count): (usize, usize),
        keys: CustomerKeys,
        erased: Arc<Erased>,
    ) -> Result<Self> {
        let histories = trees.tree("customers")?;
        let profiles = trees.tree("profiles")?;
        Ok(Self { histories, profiles, item_count, category_count, keys, erased, trees })
    }

    /// True for a customer who is to be forgotten.
    pub fn is_erased(&self, customer: &str) -> bool {
        !self.erased.is_empty()
            && (self.erased.contains(customer) || self.erased.contains(&self.keys.stored(customer)))
    }

    /// How many are to be forgotten.
    pub fn count_erased(&self) -> usize {
        self.erased.len()
    }

    /// Leaves it to `erased` who is to be forgotten: for generations that are served one after the other, or loaded
    /// while another is served.
    pub fn heed(&mut self, erased: Arc<Erased>) {
        self.erased = erased;
    }

    /// Forgets the customer at once and for good; see [`Erased::erase`].
    ///
    /// Errors: the disk.
    pub fn erase(&self, index: &Index, customer: &str) -> Result<()> {
        self.erased.erase(index, customer)?;
        self.erased.erase(index, &self.keys.stored(customer))
    }

    /// The past of the customer with the shop's key `customer`; `None` if the shop has no such customer.
    ///
    /// Errors: the disk, or a damaged value. The message does not name the customer.
    pub fn history(&self, customer: &str) -> Result<Option<History>> {
        if self.is_erased(customer) {
            return Ok(None);
        }
        self.stored_history(&self.keys.stored(customer))
    }

    /// The profile of the customer with the shop's key `customer`; `None` if the shop has no such customer.
    ///
    /// Errors: as for [`history`](Self::history).
    pub fn profile(&self, customer: &str) -> Result<Option<Profile>> {
        if self.is_erased(customer) {
            return Ok(None);
        }
        self.stored_profile(&self.keys.stored(customer))
    }

    /// The profile of whoever has this name in the shop, or else on disk, as audiences name them; `None` if nobody has.
    ///
    /// Errors: as for [`history`](Self::history).
    pub fn named_profile(&self, name: &str) -> Result<Option<Profile>> {
        match self.profile(name)? {
            None if !self.is_erased(name) => self.stored_profile(name),
            found => Ok(found),
        }
    }

    /// The profile of the customer with this name on disk.
    ///
    /// Errors: as for [`history`](Self::history).
    pub fn stored_profile(&self, stored: &str) -> Result<Option<Profile>> {
        let value = self.profiles.get(stored).map_err(|e| self.trees.failed("profiles", &e))?;
        value.map(|value| self.decoded(&value)).transpose()
    }

    /// Everybody's profile, by the name on disk, in the order of these; without those who are to be
    /// forgotten.
    pub fn profiles(&self) -> impl Iterator<Item = Result<(String, Profile)>> {
        self.profiles.iter().filter_map(|entry| {
            let entry = entry.map_err(|e| self.trees.failed("profiles", &e));
            let named = entry.and_then(|(key, value)| {
                let key =
                    String::from_utf8(key.to_vec()).map_err(|_| self.trees.damaged("profiles"))?;
                Ok((key, self.decoded(&value)?))
            });
            match named {
                Ok((key, _)) if self.erased.contains(&key) => None,
                other => Some(other),
            }
        })
    }

    /// The past of the customer with this name on disk.
    ///
    /// Errors: as for [`history`](Self::history).
    pub fn stored_history(&self, stored: &str) -> Result<Option<History>> {
        let value = self.histories.get(stored).map_err(|e| self.trees.failed("customers", &e))?;
        let Some(value) = value else { return Ok(None) };
        decode_history(&value)
            .filter(|history| {
                history.bought.iter().all(|b| self.knows(b.item))
                    && history.glances.iter().all(|g| self.knows(g.item))
                    && history.drawn.iter().all(|d| self.knows(d.item) && self.knows(d.by))
                    && history.foreseen.iter().all(|f| self.knows(f.item))
                    && history.due.iter().all(|due| self.knows(due.item))
            })
            .map(Some)
            .ok_or_else(|| self.trees.damaged("customers"))
    }

    /// What is known of all customers together.
    ///
    /// Errors: the disk, or a damaged value.
    pub fn clientele(&self) -> Result<Clientele> {
        let tree = self.trees.tree("clientele")?;
        let value = tree.get(b"all").map_err(|e| self.trees.failed("clientele", &e))?;
        value
            .and_then(|value| serde_json::from_slice(checked(&value)?).ok())
            .ok_or_else(|| self.trees.damaged("clientele"))
    }

    /// The names on disk of all customers with a past, in order; without those who are to be forgotten.
    pub fn keys(&self) -> impl Iterator<Item = Result<String>> {
        let keys = self.histories.iter().keys().map(|key| {
            let key = key.map_err(|e| self.trees.failed("customers", &e))?;
            String::from_utf8(key.to_vec()).map_err(|_| self.trees.damaged("customers"))
        });
        keys.filter(|key| !key.as_ref().is_ok_and(|key| self.erased.contains(key)))
    }

    fn decoded(&self, value: &[u8]) -> Result<Profile> {
        decode_profile(value)
            .filter(|profile| {
                profile.buyer.as_ref().is_none_or(|buyer| {
                    let likes = &buyer.preferences;
                    likes.favourites.iter().all(|favourite| self.knows(favourite.item))
                        && likes.categories.iter().all(|(c, _)| c.index() < self.category_count)
                })
            })
            .ok_or_else(|| self.trees.damaged("profiles"))
    }

    fn knows(&self, item: ItemId) -> bool {
        item.index() < self.item_count
    }
}
