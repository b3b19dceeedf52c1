//! The keys that lines name, and the ids they get.

use std::borrow::Cow;

use super::titles::{TitleId, TitlePlace, Titles};
use crate::ids::{CustomerId, DenseId, GroupId, Interner, ItemId};

/// In front of the key of an order …
const ORDER: char = 'o';
/// … and of a session, so that those of the same key stay apart.
const SESSION: char = 's';

/// All keys and titles met so far, in the order of first sight.
#[derive(Default)]
pub(super) struct Keys {
    pub(super) items: Interner<ItemId>,
    pub(super) customers: Interner<CustomerId>,
    /// Orders as `o…` and sessions as `s…`.
    pub(super) groups: Interner<GroupId>,
    pub(super) titles: Titles,
    marked: String,
}

/// Who and what a line names: ids of what was met before, and keys of what is new.
pub(super) struct Named<'a> {
    pub(super) item: Key<&'a str, ItemId>,
    pub(super) customer: Option<Key<&'a str, CustomerId>>,
    pub(super) group: Option<Group<'a>>,
    pub(super) title: Option<Key<Cow<'a, str>, TitleId>>,
}

/// The same, all of it met now.
pub(super) struct Known {
    pub(super) item: ItemId,
    pub(super) customer: Option<CustomerId>,
    pub(super) group: Option<GroupId>,
    pub(super) title: TitlePlace,
}

/// What the shop holds together: an order, or a session.
pub(super) enum Group<'a> {
    Order(Key<&'a str, GroupId>),
    Session(Key<&'a str, GroupId>),
}

/// A key, as its id where it has one.
pub(super) enum Key<Text, Id> {
    Known(Id),
    New(Text),
}

impl<Text: AsRef<str>, Id> Key<Text, Id> {
    fn of(text: Text, look_up: impl FnOnce(&str) -> Option<Id>) -> Self {
        look_up(text.as_ref()).map_or(Self::New(text), Self::Known)
    }

    fn or_learn(self, learn: impl FnOnce(&str) -> Id) -> Id {
        match self {
            Self::Known(id) => id,
            Self::New(text) => learn(text.as_ref()),
        }
    }
}

impl Keys {
    /// Whether it is an order, not a session.
    pub(super) fn is_order(&self, group: Option<GroupId>) -> bool {
        group.is_some_and(|group| self.groups.key(group).starts_with(ORDER))
    }

    /// The ids of all that a line names, given out now where there are none.
    pub(super) fn learn(&mut self, named: Named<'_>) -> Known {
        let Self { items, customers, groups, titles, marked } = self;
        let mut group = |mark, key: Key<&str, GroupId>| {
            key.or_learn(|key| groups.intern(with_mark(marked, mark, key)))
        };
        let item = named.item.or_learn(|key| items.intern(key));
        Known {
            item,
            customer: named.customer.map(|key| key.or_learn(|key| customers.intern(key))),
            group: named.group.map(|known| match known {
                Group::Order(key) => group(ORDER, key),
                Group::Session(key) => group(SESSION, key),
            }),
            title: named.title.and_then(|title| {
                let title = title.or_learn(|title| titles.intern(title));
                titles.place(item, title)
            }),
        }
    }

    /// For looking keys up line by line, by as many threads as there are.
    pub(super) fn look<'a>(&self) -> Look<'_, 'a> {
        let (customer, order, session) = (Memo(None), Memo(None), Memo(None));
        Look { keys: self, customer, order, session, marked: String::new() }
    }
}

/// Looks keys up.
pub(super) struct Look<'k, 'a> {
    keys: &'k Keys,
    customer: Memo<'a, CustomerId>,
    order: Memo<'a, GroupId>,
    session: Memo<'a, GroupId>,
    marked: String,
}

impl<'a> Look<'_, 'a> {
    pub(super) fn item(&self, key: &'a str) -> Key<&'a str, ItemId> {
        Key::of(key, |key| self.keys.items.get(key))
    }

    pub(super) fn customer(&mut self, key: &'a str) -> Key<&'a str, CustomerId> {
        self.customer.or_look_up(key, |key| self.keys.customers.get(key))
    }

    pub(super) fn order(&mut self, key: &'a str) -> Key<&'a str, GroupId> {
        let groups = &self.keys.groups;
        self.order.or_look_up(key, |key| groups.get(with_mark(&mut self.marked, ORDER, key)))
    }

    pub(super) fn session(&mut self, key: &'a str) -> Key<&'a str, GroupId> {
        let groups = &self.keys.groups;
        self.session.or_look_up(key, |key| groups.get(with_mark(&mut self.marked, SESSION, key)))
    }

    pub(super) fn title(&self, title: Cow<'a, str>) -> Key<Cow<'a, str>, TitleId> {
        Key::of(title, |title| self.keys.titles.get(title))
    }
}

/// The key that was looked up last, and what came of it: neighbouring lines often share customer and order.
struct Memo<'a, Id>(Option<(&'a str, Option<Id>)>);

impl<'a, Id: DenseId> Memo<'a, Id> {
    fn or_look_up(
        &mut self,
        key: &'a str,
        look_up: impl FnOnce(&str) -> Option<Id>,
    ) -> Key<&'a str, Id> {
        let id = match self.0 {
            Some((last, id)) if last == key => id,
            _ => look_up(key),
        };
        self.0 = Some((key, id));
        Key::of(key, |_| id)
    }
}

fn with_mark<'a>(marked: &'a mut String, mark: char, key: &str) -> &'a str {
    marked.clear();
    marked.push(mark);
    marked.push_str(key);
    marked
}
