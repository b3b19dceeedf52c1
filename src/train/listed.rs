//! The catalogue held against the log: what of it both know, and what speaks for a mistake.

use std::collections::BTreeMap;

use crate::catalog::Catalog;
use crate::error::{Error, Result, counted};
use crate::events::{EventKind, EventLog};

/// With fewer items on either side nothing is said of how few are known to both.
const FEW: usize = 10;
/// Best-selling items that are named.
const NAMED: usize = 3;
/// Nobody pays so many times less, or more, than the catalogue asks.
const MANY_TIMES: f64 = 20.0;
/// Prices are compared where so many items have both.
const LEAST_PRICES: usize = 10;

/// What the user should know of a catalogue beside this log.
///
/// Errors: none of its items is in the log, so that stock and status would be of no effect; unless `forced`.
pub(super) fn against(log: &EventLog, catalog: &Catalog, forced: bool) -> Result<Vec<String>> {
    if catalog.is_empty() {
        return Ok(Vec::new());
    }
    let known = log.items.keys().filter(|key| catalog.get(key).is_some()).count();
    let could = log.items.len().min(catalog.len());
    if 10 * known < could {
        let strange = format!(
            "catalogue: {known} of its {} are in the events, which have {}: does its column of items hold other \
             keys? {}",
            counted(catalog.len() as u64, "item"),
            log.items.len(),
            better_column(log, catalog)
        );
        return match known == 0 && could >= FEW && !forced {
            true => Err(Error::Refused(format!(
                "{strange}; what is sold out or hidden would be offered. To publish it all the same: --force"
            ))),
            false => Ok(vec![strange]),
        };
    }
    Ok(unlisted(log, catalog).into_iter().chain(other_prices(log, catalog)).collect())
}

/// How to name the column of keys; and which it is, where another one holds those of the log.
fn better_column(log: &EventLog, catalog: &Catalog) -> String {
    let mut held: BTreeMap<&str, usize> = BTreeMap::new();
    for (column, value) in catalog.iter().flat_map(|(_, item)| &item.attributes) {
        *held.entry(column).or_default() += usize::from(log.items.get(value).is_some());
    }
    match held.into_iter().max_by_key(|&(_, held)| held).filter(|&(_, held)| held > 0) {
        Some((column, held)) => {
            let items = counted(held as u64, "item");
            format!(
                "Its column {column} holds {items} of the events: --catalog-map item_id={column:?}"
            )
        }
        None => "To name the column: --catalog-map item_id=COLUMN".to_owned(),
    }
}

/// A word on what is sold and not in the catalogue.
fn unlisted(log: &EventLog, catalog: &Catalog) -> Option<String> {
    let mut sold = vec![0_u64; log.items.len()];
    let bought = log.events.iter().filter(|event| event.kind == EventKind::Purchase);
    bought.for_each(|event| sold[event.item.index()] += 1);
    let all: u64 = sold.iter().sum();
    let keys = log.items.keys().zip(sold).filter(|(key, _)| catalog.get(key).is_none());
    let mut unlisted: Vec<(&str, u64)> = keys.collect();
    if unlisted.is_empty() || all == 0 {
        return None;
    }
    unlisted.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    let share = 100.0 * unlisted.iter().map(|(_, sold)| sold).sum::<u64>() as f64 / all as f64;
    let most: Vec<String> =
        unlisted.iter().take(NAMED).map(|(key, _)| format!("{key:?}")).collect();
    Some(format!(
        "catalogue: {} of the events, {share:.1} % of what is bought, not in it, most of all {}: {}",
        counted(unlisted.len() as u64, "item"),
        most.join(", "),
        match catalog.is_complete() {
            true => "what is not listed is not offered (catalog.only_listed)",
            false => "offered all the same, unless catalog.only_listed = true",
        }
    ))
}

/// A word on prices in another unit than those paid.
fn other_prices(log: &EventLog, catalog: &Catalog) -> Option<String> {
    let mut ratios: Vec<f64> = super::latest_prices(log)
        .into_iter()
        .zip(log.items.keys())
        .filter_map(|(paid, key)| Some(catalog.get(key)?.price? / paid?))
        .filter(|ratio| *ratio > 0.0)
        .collect();
    if ratios.len() < LEAST_PRICES {
        return None;
    }
    ratios.sort_by(f64::total_cmp);
    let usual = ratios[ratios.len() / 2];
    (!(1.0 / MANY_TIMES..MANY_TIMES).contains(&usual)).then(|| {
        format!(
            "catalogue: its prices are {usual:.3} × what was paid, for half of the items: are they of another unit, such \
             as cents?"
        )
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::catalog::Item;
    use crate::events::Event;
    use crate::ids::{Interner, ItemId};
    use crate::time::Timestamp;

    /// Twenty items, `a0` sold most, for 2.50 each.
    fn log() -> EventLog {
        let mut items = Interner::new();
        let mut events = Vec::new();
        for nth in 0..20 {
            let item: ItemId = items.intern(&format!("a{nth}"));
            let event = Event {
                at: Timestamp(0),
                customer: None,
                item,
                group: None,
                quantity: 1.0,
                unit_price: 2.5,
                kind: EventKind::Purchase,
                discount_percent: 0,
            };
            events.extend(std::iter::repeat_n(event, 20 - nth));
        }
        EventLog { events: events.into(), items: Arc::new(items), ..EventLog::default() }
    }

    fn catalog(key: impl Fn(usize) -> String, price: f64) -> Catalog {
        let item = |nth: usize| Item {
            price: Some(price),
            attributes: [("ID".to_owned(), format!("a{nth}"))].into(),
            ..Item::default()
        };
        (0..20).map(|nth| (key(nth), item(nth))).collect()
    }

    #[test]
    fn a_catalogue_of_other_keys_is_refused_and_the_right_column_named() {
        let other = catalog(|nth| format!("b{nth}"), 2.5);
        let error = against(&log(), &other, false).expect_err("nothing is known").to_string();
        assert!(error.contains("Its column ID holds 20 items"), "{error}");
        assert_eq!(against(&log(), &other, true).expect("forced").len(), 1);
    }

    #[test]
    fn what_is_sold_and_not_listed_and_prices_of_another_unit_are_told() {
        let sound = catalog(|nth| format!("a{nth}"), 3.0);
        assert!(against(&log(), &sound, false).expect("sound").is_empty());
        let some = catalog(|nth| format!("a{}", nth + 2), 3.0);
        let notes = against(&log(), &some, false).expect("most are known");
        assert!(notes[0].contains("2 items of the events, 18.6 % of what is bought"), "{notes:?}");
        assert!(notes[0].contains("most of all \"a0\", \"a1\""), "{notes:?}");
        let cents = catalog(|nth| format!("a{nth}"), 300.0);
        let notes = against(&log(), &cents, false).expect("known");
        assert!(notes[0].contains("120.000 × what was paid"), "{notes:?}");
    }
}
