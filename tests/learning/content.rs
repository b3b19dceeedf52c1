//! Content vectors through the public API: are items placed by what the catalogue says of them near the items
//! that customers would put them near; do arrivals get into the index whole, and is damage noticed?
//!
//! Real shops come from the folder that the environment variable `CARTWRIGHT_DATA` names; without it their tests
//! say that they were left out. `cargo test --release --test learning content -- --nocapture` prints what was found.

use std::collections::BTreeSet;
use std::time::Instant;

use crate::common::{Place, folder, publish, read, real_data};
use cartwright::catalog::Item;
use cartwright::embed::{
    ContentModel, ContentOptions, FactorOptions, Factors, Interactions, Neighbour, UnitVectors,
    nearest,
};
use cartwright::ids::{Interner, ItemId};
use cartwright::index::{Index, Snapshot};
use cartwright::train::stock;

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
    Some(Learnt { keys: (*log.items).clone(), items, vectors, touched: interactions.touched() })
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
    assert!(found.content > 0.25, "{found:?}");
    assert!(found.content > 20.0 * found.chance.max(found.same_category), "{found:?}");
}

#[test]
fn categories_of_a_supermarket_place_items_near_their_neighbours() {
    let catalog = Some("complete_journey/products.csv.gz");
    let Some(shop) = learnt("complete_journey/transactions.parquet", catalog) else { return };
    let found = shop.hold_out();
    println!("{found:?}");
    shop.show(&["26093", "27334", "1082185"]);
    assert!(found.content > 50.0 * found.chance, "{found:?}");
    assert!(found.content > 1.2 * found.same_category, "{found:?}");
}

/// A shop of three shelves, whose customers keep to one of them each; `new-1` and `new-2` were never sold, and
/// `new-1` came three days before the log ends.
fn publish_three_shelves(index: &Index, folder: &std::path::Path) {
    const SHELVES: [&str; 3] = ["tea", "tools", "toys"];
    let (mut events, mut catalog) = (
        String::from("customer_id,item_id,timestamp,order_id\n"),
        String::from("item_id,title,category,launched_at\n"),
    );
    for order in 0..900usize {
        let customer = order % 60;
        let at = 1_700_000_000 + order * 9_600; // a hundred days
        for line in 0..3 {
            let item = 3 * ((order * 7 + line * 5 + order / 60) % 20) + customer % 3;
            events += &format!("c{customer},i{item},{at},o{order}\n");
        }
    }
    for item in 0..60 {
        let shelf = SHELVES[item % 3];
        catalog += &format!("i{item},Item {item} for {shelf},Shop > {shelf},2021-01-01\n");
    }
    catalog += "new-1,Something for tools,Shop > tools,2024-02-19\n";
    catalog += "new-2,Something for tea,Shop > tea,2021-01-01\n";
    let files = [folder.join("events.csv"), folder.join("catalog.csv")];
    std::fs::write(&files[0], events).expect("the folder can be written");
    std::fs::write(&files[1], catalog).expect("the folder can be written");
    publish(index, &files[0], Some(&files[1])).expect("the shop can be learnt");
}

#[test]
fn what_nobody_touched_is_placed_on_its_shelf_and_only_what_is_new_is_an_arrival() {
    let folder = folder();
    let index = Index::at(folder.path().join("index"));
    publish_three_shelves(&index, folder.path());
    let snapshot = Snapshot::open_current(&index).expect("sound");
    let contents = &snapshot.contents;
    let [new, old] = ["new-1", "new-2"].map(|key| contents.keys.get(key).expect("in stock"));
    let shelf = |id: ItemId| contents.shelf.path(id).expect("a place").rsplit(" > ").next();
    for (id, own) in [(new, "tools"), (old, "tea")] {
        let near = contents.neighbours.row(id.index()).first(10);
        assert!(
            near.len() == 10 && near.iter().all(|(near, _)| shelf(near) == Some(own)),
            "{near:?}"
        );
        let placed = contents.content.vector(&contents.shelf.item(id)).expect("placed");
        assert_eq!(nearest(&contents.vectors, &placed, 1)[0].item, id);
    }
    for (index, arrivals) in contents.arrivals.rows().enumerate() {
        assert!(arrivals.len() <= 5 && arrivals.iter().all(|(near, _)| near == new));
        let own = ItemId::new(index);
        assert_eq!(
            arrivals.len(),
            usize::from(own != new && shelf(own) == Some("tools")),
            "{own:?}"
        );
    }
    let of_the_sold = (0..60).map(|n| contents.keys.get(&format!("i{n}")).expect("sold"));
    for (near, _) in of_the_sold.flat_map(|id| contents.neighbours.row(id.index()).iter()) {
        assert!(near != new && near != old, "lists of what is sold stay as they are");
    }
    assert_eq!(snapshot.manifest.learnt["content"]["held_back"], 60);
}

#[test]
fn a_changed_byte_in_what_places_new_items_is_refused() {
    let place = Place::made_up(300, 60, 60);
    let sound = Snapshot::open(&place.index, 1).expect("sound");
    assert!(!sound.contents.content.is_empty(), "{:?}", sound.contents.content.quality());
    drop(sound);
    for tree in ["vectors", "content.card", "content.floats", "arrivals"] {
        let place = Place::made_up(300, 60, 60);
        let sled = sled::open(place.index.generation_dir(1).join("sled")).expect("sound");
        let entries = sled.open_tree(tree).expect("a tree");
        let (key, value) = entries.iter().next().expect("an entry").expect("readable");
        let mut value = value.to_vec();
        let last = value.len() - 1;
        value[last] ^= 1;
        entries.insert(key, value).expect("it can be written");
        sled.flush().expect("it can be written");
        drop((entries, sled));
        let error = Snapshot::open(&place.index, 1).expect_err("it was changed").to_string();
        assert!(error.contains(&format!("tree {tree} is damaged")), "{error}");
        let found = place.index.verify(1).expect("it can be opened");
        let differ = found.iter().filter(|tree| tree.found != tree.expected);
        assert_eq!(differ.map(|t| t.tree.as_str()).collect::<Vec<_>>(), [tree]);
    }
}

/// A measurement, in release: `cargo test --release --test learning content::nearest -- --ignored --nocapture`.
#[test]
#[ignore = "measures, and takes half a gigabyte"]
fn the_nearest_of_a_million_are_found_by_looking_at_all() {
    for count in [65_000usize, 1_000_000] {
        let mut random = fastrand::Rng::with_seed(1);
        let steps: Vec<i8> = (0..64 * count).map(|_| random.i8(-127..=127)).collect();
        let vectors = UnitVectors::from_steps(64, steps).expect("whole vectors");
        let mut times: Vec<_> = (0..21)
            .map(|n| {
                let asked = ItemId::new(n * 1_000);
                let query = vectors.of(asked).expect("it has one");
                let started = Instant::now();
                let found = nearest(&vectors, &query, 20);
                let took = started.elapsed();
                assert_eq!((found.len(), found[0].item), (20, asked));
                took
            })
            .collect();
        times.sort_unstable();
        println!("{count} items: median {:?}", times[10]);
    }
}
