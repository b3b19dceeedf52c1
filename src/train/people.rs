//! Under which names customers go into the index, and who does not.

use std::sync::Arc;

use crate::customers::Profile;
use crate::events::{CustomerAttributes, Event, EventLog};
use crate::ids::Interner;
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
    let renamed = |event: &Event| match event.customer {
        None => Some(*event),
        Some(old) => ids[old.index()].map(|new| Event { customer: Some(new), ..*event }),
    };
    log.events = log.events.iter().filter_map(renamed).collect();
    log.customers = Arc::new(customers);
    let kept = attributes.into_iter().filter(|(key, _)| !forgotten(key));
    let attributes = kept.map(|(key, row)| (called.stored(&key).into_owned(), row)).collect();
    (log, attributes)
}

/// Puts each customer's attributes into their profile; what is said of strangers to the log is dropped, and counted.
pub(super) fn add_attributes(
    log: &EventLog,
    attributes: CustomerAttributes,
    profiles: &mut [Profile],
) -> Option<String> {
    let (all, mut strangers) = (attributes.len(), 0);
    for (key, row) in attributes {
        match log.customers.get(&key) {
            Some(customer) => profiles[customer.index()].attributes = row,
            None => strangers += 1,
        }
    }
    (strangers > 0).then(|| {
        format!(
            "customers: {strangers} of {all} in the table are in no event; nothing of them is kept"
        )
    })
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
        let mut profiles = vec![Profile::default(); 2];
        let strange = ["tim", "kim"].map(|key| (key.to_owned(), Default::default()));
        let strangers =
            add_attributes(&log, strange.into_iter().chain(attributes).collect(), &mut profiles);
        let told = "customers: 2 of 3 in the table are in no event; nothing of them is kept";
        assert_eq!(strangers.as_deref(), Some(told));
        let key = |at: usize| log.customers.key(log.events[at].customer.unwrap());
        assert_eq!((key(0), key(1)), (&*called.stored("ann"), &*called.stored("eve")));
        assert!(log.customers.keys().all(|key| key.len() == 32));
    }
}
