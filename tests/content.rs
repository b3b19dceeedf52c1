//! Content vectors on real shops, through the public API: are items placed by what the catalogue says of them
//! near the items that customers would put them near?

#![allow(clippy::print_stdout, reason = "a test says what it measured")]

mod common;

use std::collections::BTreeSet;
use std::time::Instant;

use cartwright::catalog::Item;
use cartwright::embed::{
    ContentModel, ContentOptions, FactorOptions, Factors, Interactions, Neighbour, UnitVectors,
    nearest,
};
use cartwright::ids::{Interner, ItemId};
use cartwright::train::stock;
use common::{read, real_data};

/// A shop whose items have vectors from who bought what.
struct Learnt {
    keys: Interner<ItemId>,
    items: Vec<Item>,
    vectors: UnitVectors,
    touched: Vec<u32>,
}

fn learnt(events: &str, catalog: Option<&str>) -> Option<Learnt> {
    let events = real_data(events)?;
    let catalog = catalog.and_then(real_data);
    let input = read(&events, catalog.as_deref()).expect("the shop can be read");
    let mut log = input.reading.log;
    let items = stock(&mut log, &input.catalog.catalog);
    let interactions = Interactions::from_log(&log, &FactorOptions::default());
    let factors = Factors::learn(&interactions, &FactorOptions::default());
    let vectors = UnitVectors::from(&factors.items);
    Some(Learnt { keys: log.items, items, vectors, touched: interactions.touched() })
}

/// What was found of the 20 nearest of 200 items that the model did not learn from.
#[derive(Debug)]
struct Found {
    content: f64,
    same_category: f64,
    chance: f64,
}

impl Learnt {
    /// Items that many have touched, in a fixed but mixed order.
    fn trained(&self) -> Vec<ItemId> {
        let mut ids: Vec<ItemId> = (0..self.items.len()).map(ItemId::new).collect();
        ids.retain(|id| self.touched[id.index()] >= 3 && self.vectors.has(*id));
        ids
    }

    fn hold_out(&self) -> Found {
        let trained = self.trained();
        let held: BTreeSet<ItemId> =
            (0..200).map(|n| trained[(n * 7919 + 13) % trained.len()]).collect();
        let mut touched = self.touched.clone();
        held.iter().for_each(|id| touched[id.index()] = 0);
        let started = Instant::now();
        let model =
            ContentModel::learn(&self.items, &self.vectors, &touched, &ContentOptions::default());
        println!("learnt in {:?}: {:?}", started.elapsed(), model.quality());
        let mut known = UnitVectors::none(self.vectors.dim(), self.items.len());
        for &id in &trained {
            known.set(id, &self.vectors.of(id).expect("it was learnt"));
        }
        let mut by_sales = trained.clone();
        by_sales.sort_by_key(|id| (std::cmp::Reverse(self.touched[id.index()]), *id));

        let mut found = Found { content: 0.0, same_category: 0.0, chance: 0.0 };
        for &id in &held {
            let near = |vector: &[f32]| without(id, nearest(&known, vector, 21));
            let truth = near(&known.of(id).expect("it was learnt"));
            let share = |guess: &[ItemId]| {
                guess.iter().filter(|id| truth.contains(id)).count() as f64
                    / truth.len() as f64
                    / held.len() as f64
            };
            let guess = model.vector(&self.items[id.index()]).map(|vector| near(&vector));
            found.content += share(&guess.unwrap_or_default());
            let category = &self.items[id.index()].category;
            let alike = by_sales
                .iter()
                .filter(|other| **other != id && self.items[other.index()].category == *category);
            found.same_category += share(&alike.take(20).copied().collect::<Vec<_>>());
            found.chance += 20.0 / trained.len() as f64 / held.len() as f64;
        }
        found
    }

    /// Some items, and what the catalogue alone puts near them.
    fn show(&self, keys: &[&str]) {
        let model = ContentModel::learn(
            &self.items,
            &self.vectors,
            &self.touched,
            &ContentOptions::default(),
        );
        for key in keys {
            let Some(id) = self.keys.get(key) else { continue };
            println!("{}", self.name(id));
            let Some(vector) = model.vector(&self.items[id.index()]) else { continue };
            for near in nearest(&self.vectors, &vector, 5) {
                println!("    {:.2} {}", near.cosine, self.name(near.item));
            }
        }
    }

    fn name(&self, id: ItemId) -> String {
        let item = &self.items[id.index()];
        let title = item.title.clone().unwrap_or_else(|| item.category.join(" > "));
        format!("{} {title} ({})", self.keys.key(id), self.touched[id.index()])
    }
}

fn without(own: ItemId, found: Vec<Neighbour>) -> Vec<ItemId> {
    let others = found.into_iter().map(|neighbour| neighbour.item).filter(|id| *id != own);
    others.take(20).collect()
}

#[test]
fn titles_of_a_gift_shop_place_items_near_their_neighbours() {
    let Some(shop) = learnt("online_retail.csv.gz", None) else { return };
    let found = shop.hold_out();
    println!("{found:?}");
    shop.show(&["22697", "85123A", "20725"]);
    assert!(found.content > 5.0 * found.chance, "{found:?}");
}

#[test]
fn categories_of_a_supermarket_place_items_near_their_neighbours() {
    let catalog = Some("complete_journey/products.csv.gz");
    let Some(shop) = learnt("complete_journey/transactions.parquet", catalog) else { return };
    let found = shop.hold_out();
    println!("{found:?}");
    shop.show(&["26093", "27334", "1082185"]);
    assert!(found.content > 5.0 * found.chance, "{found:?}");
}
