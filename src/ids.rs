//! The shop's keys ↔ dense ids.
//!
//! A key is whatever text the shop uses ("85123A", "household 17"). Inside, every item, customer and
//! order is a small number that indexes flat arrays. Dense ids belong to one training run: they are
//! never stored outside a generation, and the shop's own key goes back at the edge.

use std::hash::{BuildHasher, Hasher};
use std::num::NonZeroU32;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use rustc_hash::FxBuildHasher;

/// Length of a key of the shop, bytes, at most: in files and in requests.
pub const MAX_KEY_BYTES: usize = 1_000;

/// Amount of money, in the shop's currency, at most: in files and in requests. More is a broken export, and sums of
/// it would not be finite.
pub const MAX_AMOUNT: f64 = 1e12;

macro_rules! dense_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(NonZeroU32); // index + 1, so that an Option costs nothing

        impl $name {
            /// The one at position 0.
            pub const FIRST: Self = Self(NonZeroU32::MIN);

            /// The id at position `index`.
            ///
            /// Panics above 4,294,967,294: an [`Interner`] refuses long before.
            #[inline]
            pub fn new(index: usize) -> Self {
                let stored = u32::try_from(index).ok().and_then(|i| i.checked_add(1));
                Self(stored.and_then(NonZeroU32::new).expect("dense ids stay below 2^32 - 1"))
            }

            /// Position in arrays, from 0.
            #[inline]
            pub fn index(self) -> usize {
                self.0.get() as usize - 1
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.index())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_u32(self.0.get() - 1)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let index: u32 = serde::Deserialize::deserialize(from)?;
                let stored = index.checked_add(1).and_then(NonZeroU32::new);
                stored.map(Self).ok_or_else(|| serde::de::Error::custom("no dense id"))
            }
        }

        impl DenseId for $name {
            fn new(index: usize) -> Self {
                Self::new(index)
            }
            fn index(self) -> usize {
                self.index()
            }
        }
    };
}

/// What the ids have in common, for [`Interner`].
pub trait DenseId: Copy {
    /// The id at position `index`.
    fn new(index: usize) -> Self;
    /// Position in arrays, from 0.
    fn index(self) -> usize;
}

/// How many positions an array needs that has one for each of these.
pub(crate) fn room_for<Id: DenseId>(ids: impl Iterator<Item = Id>) -> usize {
    ids.map(|id| id.index() + 1).max().unwrap_or(0)
}

dense_id! {
    /// An item of the shop.
    ItemId
}
dense_id! {
    /// A customer of the shop.
    CustomerId
}
dense_id! {
    /// A node of the category tree.
    CategoryId
}
dense_id! {
    /// The shop's own order id (of purchases and returns) or session id (of everything else).
    GroupId
}

/// Texts end to end in one: some 8 bytes a text and the text.
#[derive(Clone, Debug, Default)]
pub struct Strings {
    all: String,
    ends: Vec<usize>,
}

impl Strings {
    /// Adds one behind the others.
    pub fn push(&mut self, text: &str) {
        self.all.push_str(text);
        self.ends.push(self.all.len());
    }

    /// The one at position `index`.
    ///
    /// Panics where there is none.
    pub fn get(&self, index: usize) -> &str {
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        &self.all[start..self.ends[index]]
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &str> {
        (0..self.len()).map(|index| self.get(index))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }
}

/// Gives out dense ids in order of first sight, and remembers the keys: some 16 bytes a key and the key.
#[derive(Clone, Debug)]
pub struct Interner<Id> {
    keys: Strings,
    table: HashTable<u32>,
    /// By keys without case, the first of those that are alike, and whether there are more.
    alike: Option<HashTable<(u32, bool)>>,
    id: std::marker::PhantomData<Id>,
}

impl<Id> Default for Interner<Id> {
    fn default() -> Self {
        let (keys, table) = (Strings::default(), HashTable::new());
        Self { keys, table, alike: None, id: std::marker::PhantomData }
    }
}

impl<Id: DenseId> Interner<Id> {
    /// An interner that knows nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same keys, from now on found in any case, where only one is written so.
    pub fn in_any_case(mut self) -> Self {
        let mut alike = HashTable::with_capacity(self.len());
        (0..self.len() as u32).for_each(|index| note_alike(&mut alike, &self.keys, index));
        self.alike = Some(alike);
        self
    }

    /// Whether keys are found in any case.
    pub fn is_in_any_case(&self) -> bool {
        self.alike.is_some()
    }

    /// The id of `key` as it is written, made now if it is new.
    pub fn intern(&mut self, key: &str) -> Id {
        let Self { keys, table, alike, .. } = self;
        let same = |&index: &u32| keys.get(index as usize) == key;
        let hash_of = |&index: &u32| hash(keys.get(index as usize));
        let vacant = match table.entry(hash(key), same, hash_of) {
            Entry::Occupied(known) => return Id::new(*known.get() as usize),
            Entry::Vacant(vacant) => vacant,
        };
        let index = keys.len();
        let stored = u32::try_from(index).expect("fewer than 2^32 keys");
        vacant.insert(stored);
        keys.push(key);
        if let Some(alike) = alike {
            note_alike(alike, keys, stored);
        }
        Id::new(index)
    }

    /// The id of a key seen before.
    pub fn get(&self, key: &str) -> Option<Id> {
        let same = |&index: &u32| self.keys.get(index as usize) == key;
        let exactly = self.table.find(hash(key), same).copied();
        exactly.or_else(|| self.only_alike(key)).map(|index| Id::new(index as usize))
    }

    fn only_alike(&self, key: &str) -> Option<u32> {
        let alike = |&(index, _): &(u32, bool)| is_alike(self.keys.get(index as usize), key);
        let found = self.alike.as_ref()?.find(caseless_hash(key), alike);
        found.filter(|(_, more)| !more).map(|(index, _)| *index)
    }

    /// The shop's key of `id`.
    pub fn key(&self, id: Id) -> &str {
        self.keys.get(id.index())
    }

    /// All keys in the order of their ids.
    pub fn keys(&self) -> impl ExactSizeIterator<Item = &str> {
        self.keys.iter()
    }

    /// The first `count` keys, under the same ids.
    pub fn first(&self, count: usize) -> Self {
        let mut first = Self::new();
        self.keys().take(count).for_each(|key| {
            first.intern(key);
        });
        first
    }

    /// How many keys there are; ids run from 0 to one less.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// True while nothing was interned.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
}

fn hash(key: &str) -> u64 {
    FxBuildHasher.hash_one(key)
}

/// Notes the key at `index`, beside those that are like it.
fn note_alike(alike: &mut HashTable<(u32, bool)>, keys: &Strings, index: u32) {
    let key_of = |&(known, _): &(u32, bool)| keys.get(known as usize);
    let key = keys.get(index as usize);
    let same = |known: &(u32, bool)| is_alike(key_of(known), key);
    match alike.entry(caseless_hash(key), same, |known| caseless_hash(key_of(known))) {
        Entry::Occupied(mut known) => known.get_mut().1 = true,
        Entry::Vacant(vacant) => _ = vacant.insert((index, false)),
    }
}

fn is_alike(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
}

fn caseless_hash(key: &str) -> u64 {
    let mut hasher = FxBuildHasher.build_hasher();
    key.bytes().for_each(|byte| hasher.write_u8(byte.to_ascii_lowercase()));
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_keys_even_empty_ones_and_prefixes_of_others_stay_apart() {
        let mut items = Interner::<ItemId>::new();
        let keys: Vec<String> = (0..20_000)
            .map(|n| format!("{n}"))
            .chain(["".into(), "ä".into(), "äö".into()])
            .collect();
        let ids: Vec<ItemId> = keys.iter().map(|key| items.intern(key)).collect();
        assert!(ids.iter().enumerate().all(|(index, id)| id.index() == index));
        assert!(keys.iter().zip(&ids).all(|(key, id)| items.get(key) == Some(*id)));
        assert!(items.keys().eq(keys.iter().map(String::as_str)));
        assert_eq!(items.first(3).get("3"), None);
        assert_eq!(items.clone().get("äö"), ids.last().copied());
    }

    #[test]
    fn the_same_key_always_gets_the_same_id_and_gives_it_back() {
        let mut items = Interner::<ItemId>::new();
        let tea = items.intern("tea");
        let cup = items.intern("cup");
        assert_eq!(items.intern("tea"), tea);
        assert_eq!((tea.index(), cup.index()), (0, 1));
        assert_eq!(items.key(cup), "cup");
        assert_eq!(items.get("pot"), None);
        assert_eq!(items.keys().collect::<Vec<_>>(), ["tea", "cup"]);
    }

    #[test]
    fn a_key_is_found_in_any_case_if_that_is_wanted_and_only_one_is_meant() {
        let mut items = Interner::<ItemId>::new();
        let [code, small, large] = ["85123A", "x", "X"].map(|key| items.intern(key));
        assert_eq!(items.get("85123a"), None);
        let items = items.in_any_case();
        assert_eq!(items.get("85123a"), Some(code));
        assert_eq!([items.get("x"), items.get("X")], [Some(small), Some(large)]);
        assert_eq!(items.get("y"), None);
        let mut items = Interner::<ItemId>::new();
        let first = items.intern("Tea-1");
        let mut items = items.in_any_case();
        assert_eq!(items.get("tea-1"), Some(first));
        items.intern("TEA-1");
        assert_eq!(items.get("tea-1"), None, "which of the two?");
    }

    #[test]
    fn an_optional_id_costs_no_more_than_an_id() {
        assert_eq!(size_of::<Option<CustomerId>>(), size_of::<u32>());
    }
}
