//! Under which names customers go into the index, and who does not.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::events::{CustomerAttributes, EventLog};
use crate::ids::{CustomerId, Interner};
use crate::index::{CustomerKeys, Erased};

/// The log and the attributes under the names that are kept on disk, without all that those did who are to
/// be forgotten.
pub(super) fn named(
    mut log: EventLog,
    attributes: CustomerAttributes,
    called: &CustomerKeys,
    erased: &Erased,
) -> (EventLog, CustomerAttributes) {
    if *called == CustomerKeys::Plain && erased.is_empty() {
        return (log, attributes);
    }
    let forgotten = |key: &str| {
        !erased.is_empty() && (erased.contains(key) || erased.contains(&called.stored(key)))
    };
    let mut customers = Interner::new();
    let ids: Vec<_> = log
        .customers
        .keys()
        .map(|key| (!forgotten(key)).then(|| customers.intern(&called.stored(key))))
        .collect();
    log.events.retain_mut(|event| {
        let was_known = event.customer.is_some();
        event.customer = event.customer.and_then(|old| ids[old.index()]);
        event.customer.is_some() == was_known
    });
    log.customers = Arc::new(customers);
    let kept = attributes.into_iter().filter(|(key, _)| !forgotten(key));
    let attributes = kept.map(|(key, row)| (called.stored(&key).into_owned(), row)).collect();
    (log, attributes)
}

/// The attributes of each customer of the log; what is said of strangers to it is dropped, and counted.
pub(super) fn known(
    log: &EventLog,
    attributes: CustomerAttributes,
) -> (FxHashMap<CustomerId, BTreeMap<String, String>>, Option<String>) {
    let all = attributes.len();
    let known = attributes.into_iter();
    let known = known.filter_map(|(key, row)| Some((log.customers.get(&key)?, row)));
    let known: FxHashMap<_, _> = known.collect();
    let strangers = all - known.len();
    let note = (strangers > 0).then(|| {
        format!(
            "customers: {strangers} of {all} in the table are in no event; nothing of them is kept"
        )
    });
    (known, note)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::{Event, EventKind};
    use crate::ids::{CustomerId, ItemId};
    use crate::index::Index;
    use crate::time::Timestamp;

    #[test]
    fn who_is_forgotten_leaves_no_event_and_everybody_else_keeps_theirs_under_another_name() {
        let mut customers = Interner::<CustomerId>::new();
        let purchase = |(n, key): (usize, &str)| Event {
            at: Timestamp(n as i64),
            customer: Some(customers.intern(key)),
            item: ItemId::new(n),
            group: None,
            quantity: 1.0,
            unit_price: 1.0,
            kind: EventKind::Purchase,
            discount_percent: 0,
        };
        let events = ["ann", "bob", "eve"].into_iter().enumerate().map(purchase).collect();
        let log = EventLog { events, customers: Arc::new(customers), ..EventLog::default() };
        let folder = tempfile::tempdir().unwrap();
        let index = Index::at(folder.path());
        let erased = Erased::of(&index).unwrap();
        erased.erase(&index, "bob").unwrap();
        let called = CustomerKeys::Hashed("sixteen letters and more".into());
        let attributes = ["ann", "bob"].map(|key| (key.to_owned(), Default::default()));
        let (log, attributes) = named(log, attributes.into(), &called, &erased);
        assert_eq!(log.events.len(), 2);
        assert_eq!(attributes.len(), 1);
        let strange = ["tim", "kim"].map(|key| (key.to_owned(), Default::default()));
        let (told, strangers) = known(&log, strange.into_iter().chain(attributes).collect());
        assert_eq!(
            told.keys().map(|id| log.customers.key(*id)).collect::<Vec<_>>(),
            [&*called.stored("ann")]
        );
        let note = "customers: 2 of 3 in the table are in no event; nothing of them is kept";
        assert_eq!(strangers.as_deref(), Some(note));
        let key = |at: usize| log.customers.key(log.events[at].customer.unwrap());
        assert_eq!((key(0), key(1)), (&*called.stored("ann"), &*called.stored("eve")));
        assert!(log.customers.keys().all(|key| key.len() == 32));
    }
}
