//! Real shops' files, read as they were shipped. They are not part of the project: the environment variable
//! `CARTWRIGHT_DATA` names the folder that holds them, and without it these tests are left out.

use std::path::{Path, PathBuf};

use cartwright::catalog;
use cartwright::events::{Cause, EventKind, ReadOptions, Reading, baskets, read, sessions};

/// A real shop's file, below the folder that `CARTWRIGHT_DATA` names.
fn real(file: &str) -> Option<PathBuf> {
    let Some(folder) = std::env::var_os("CARTWRIGHT_DATA") else {
        eprintln!("left out: CARTWRIGHT_DATA names no folder with {file}");
        return None;
    };
    Some(Path::new(&folder).join(file))
}

fn read_real(file: &str) -> Option<Reading> {
    let reading = read(&[real(file)?], &ReadOptions::default()).unwrap();
    let account = &reading.account;
    assert_eq!(account.read, account.used + account.set_aside.values().sum::<u64>(), "{account:?}");
    assert_eq!(account.used, reading.log.events.len() as u64);
    Some(reading)
}

#[test]
fn online_retail_is_read_as_it_is() {
    let Some(reading) = read_real("online_retail.csv.gz") else { return };
    assert_eq!(reading.account.read, 461_207);
    assert!(reading.account.used > 440_000, "{:?}", reading.account);
    let log = &reading.log;
    let title = |key: &str| log.said[log.items.get(key).unwrap().index()].title.as_deref();
    assert_eq!(title("22697"), Some("GREEN REGENCY TEACUP AND SAUCER"));
    for bookkeeping in [
        "POST",
        "DOT",
        "M",
        "m",
        "D",
        "S",
        "B",
        "C2",
        "BANK CHARGES",
        "AMAZONFEE",
        "CRUK",
        "gift_0001_20",
    ] {
        assert_eq!(log.items.get(bookkeeping), None, "{bookkeeping}");
    }
    // From quality.md: 479 of the 556 orders with both teacups also hold the third.
    let ids = ["22697", "22698", "22699"].map(|key| log.items.get(key).unwrap());
    let baskets = baskets(log, &ReadOptions::default().zone().unwrap());
    let holding = |ids: &[_]| {
        baskets.items.rows().filter(|items| ids.iter().all(|id| items.contains(id))).count()
    };
    let (both, all) = (holding(&ids[..2]), holding(&ids));
    assert!((540..=560).contains(&both) && all * 100 > both * 84, "{both} {all}");
}

#[test]
fn complete_journey_is_read_without_its_fuel() {
    let Some(reading) = read_real("complete_journey/transactions.parquet") else { return };
    assert_eq!(reading.account.read, 1_339_220);
    assert!(reading.account.set_aside[&Cause::AbsurdQuantity] > 10_000);
    assert!(reading.log.events.iter().filter(|event| event.quantity > 100.0).count() < 10);
    assert!(reading.log.events.iter().any(|event| event.discount_percent > 0));
    let path = real("complete_journey/products.csv.gz").unwrap();
    let goods = catalog::read(&[path], &catalog::CatalogOptions::default()).unwrap();
    let ice = goods.catalog.get("25671").unwrap();
    assert_eq!(ice.category, ["GROCERY", "FRZN ICE", "ICE - CRUSHED/CUBED"]);
    assert_eq!(
        (ice.brand.as_deref(), ice.attributes["package_size"].as_str()),
        (Some("National"), "22 LB")
    );
}

#[test]
fn retailrocket_keeps_its_kinds() {
    let Some(reading) = read_real("retailrocket.csv.gz") else { return };
    let of = |kind| reading.log.events.iter().filter(|event| event.kind == kind).count();
    let kinds = [EventKind::View, EventKind::Cart, EventKind::Purchase].map(of);
    assert_eq!((kinds, reading.log.customers.len()), ([75_374, 12_456, 9_551], 2_174));
}

#[test]
fn clicks_are_sessions_of_views() {
    let Some(reading) = read_real("clicks.tsv.gz") else { return };
    let sessions = sessions(&reading.log, 30);
    assert_eq!((sessions.items.len(), reading.log.items.len()), (23_753, 18_009));
    assert!(reading.log.events.iter().all(|event| event.kind == EventKind::View));
}

#[test]
fn groceries_are_9835_baskets_of_169_items() {
    let Some(reading) = read_real("groceries.csv.gz") else { return };
    let baskets = baskets(&reading.log, &ReadOptions::default().zone().unwrap());
    assert_eq!(
        (baskets.items.len(), reading.log.items.len(), reading.log.timed),
        (9_835, 169, false)
    );
    let path = real("groceries_items.csv").unwrap();
    let goods = catalog::read(&[path], &catalog::CatalogOptions::default()).unwrap();
    assert_eq!(goods.catalog.get("frankfurter").unwrap().category, ["meat and sausage", "sausage"]);
    assert!(reading.log.items.keys().all(|key| goods.catalog.get(key).is_some()));
}
