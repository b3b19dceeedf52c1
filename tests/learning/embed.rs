//! Vectors and neighbours on real shops, through the public API.

use std::collections::HashMap;
use std::path::PathBuf;

use cartwright::embed::{
    Ease, EaseOptions, FactorOptions, Factors, Interactions, NeighbourOptions, Vectors, neighbours,
    recall,
};
use cartwright::ids::{Interner, ItemId};

/// The folder of real shops' data, or a word on what was left out.
fn data(file: &str) -> Option<PathBuf> {
    let path = std::env::var_os("CARTWRIGHT_DATA").map(|folder| PathBuf::from(folder).join(file));
    if path.is_none() {
        println!("left out: set CARTWRIGHT_DATA to the folder that holds {file}");
    }
    path
}

/// A compressed CSV as (row, item) by two of its columns; rows without a value in `row` are left out.
fn interactions(file: &str, row: &str, item: &str) -> Option<(Interactions, Interner<ItemId>)> {
    let delimiter = if file.contains(".tsv") { b'\t' } else { b',' };
    let file = std::fs::File::open(data(file)?).expect("the file is there");
    let file = flate2::read::GzDecoder::new(file);
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).from_reader(file);
    let header = reader.headers().expect("a header").clone();
    let column = |name: &str| header.iter().position(|h| h == name).expect("the column is there");
    let (row, item) = (column(row), column(item));
    let (mut rows, mut items) = (HashMap::new(), Interner::<ItemId>::new());
    let mut triples = Vec::new();
    for line in reader.byte_records() {
        let line = line.expect("a readable row");
        if !line[row].is_empty() {
            let next = rows.len();
            let row = *rows.entry(line[row].to_vec()).or_insert(next);
            triples.push((row, items.intern(&String::from_utf8_lossy(&line[item])), 1.0));
        }
    }
    Some((Interactions::new(rows.len(), items.len(), triples).damped(), items))
}

fn online_retail() -> Option<(Interactions, Interner<ItemId>)> {
    interactions("online_retail.csv.gz", "CustomerID", "StockCode")
}

/// As good as done: later epochs move vectors little, and take long.
fn few_epochs() -> FactorOptions {
    FactorOptions { epochs: 3, ..FactorOptions::default() }
}

/// Recall at 20 of the graph on item vectors.
fn graph_recall(items: &Vectors) -> f64 {
    let exact = neighbours(items, 20, &NeighbourOptions::default());
    let options = NeighbourOptions { exact_up_to: 0, ..NeighbourOptions::default() };
    recall(&neighbours(items, 20, &options), &exact, 20)
}

#[test]
fn the_graph_finds_the_neighbours_of_real_shops_items() {
    for shop in [
        online_retail(),
        interactions("groceries.csv.gz", "basket_id", "item_id"),
        interactions("retailrocket.csv.gz", "customer_id", "item_id"),
        interactions("clicks.tsv.gz", "SessionId", "ItemId"),
    ] {
        let Some((interactions, items)) = shop else { continue };
        let factors = Factors::learn(&interactions, &few_epochs());
        let recall = graph_recall(&factors.items);
        println!("{} items: recall {recall:.4}", items.len());
        assert!(recall >= 0.98, "recall at 20 of {} items: {recall}", items.len());
    }
}

#[test]
fn the_green_teacup_resembles_the_other_regency_teacups() {
    let Some((interactions, items)) = online_retail() else { return };
    let factors = Factors::learn(&interactions, &few_epochs());
    let lists = neighbours(&factors.items, 5, &NeighbourOptions::default());
    let green = items.get("22697").expect("the green teacup is sold");
    let near: Vec<&str> = lists.row(green.index()).iter().map(|n| items.key(n.item)).collect();
    assert!(near[..2].contains(&"22699") && near[..2].contains(&"22698"), "{near:?}");
}

#[test]
fn the_green_teacup_pulls_the_other_regency_teacups() {
    let Some((interactions, items)) = online_retail() else { return };
    let started = std::time::Instant::now();
    let pulls = Ease::learn(&interactions, &EaseOptions::default()).pulls(200);
    println!("{} rows, {} items: {:?}", interactions.len(), items.len(), started.elapsed());
    let green = items.get("22697").expect("the green teacup is sold");
    let near: Vec<&str> = pulls.row(green.index()).iter().map(|p| items.key(p.item)).collect();
    assert!(near[..2].contains(&"22699") && near[..2].contains(&"22698"), "{:?}", &near[..5]);
}

#[test]
fn factors_foretell_held_out_purchases_better_than_popularity() {
    let Some((all, items)) = online_retail() else { return };
    // Every fifth item of a customer is held out.
    let (mut kept, mut held_out) = (Vec::new(), Vec::new());
    for row in 0..all.len() {
        for (place, (item, weight)) in all.row(row).enumerate() {
            if (place * 7 + row) % 5 == 0 {
                held_out.push((row, item));
            } else {
                kept.push((row, item, weight));
            }
        }
    }
    let known = Interactions::new(all.len(), items.len(), kept);
    let mut popularity = vec![0.0f32; items.len()];
    for row in 0..known.len() {
        known.row(row).for_each(|(item, _)| popularity[item.index()] += 1.0);
    }
    let recall_at_20 = |score: &dyn Fn(usize, ItemId) -> f32| {
        let (mut hits, mut asked) = (0, 0);
        for truth in held_out.chunk_by(|a, b| a.0 == b.0) {
            let row = truth[0].0;
            let owned: Vec<ItemId> = known.row(row).map(|(item, _)| item).collect();
            let mut ranked: Vec<(f32, usize)> = (0..items.len())
                .filter(|item| !owned.contains(&ItemId::new(*item)))
                .map(|item| (-score(row, ItemId::new(item)), item))
                .collect();
            ranked.select_nth_unstable_by(20, |a, b| a.0.total_cmp(&b.0));
            hits +=
                truth.iter().filter(|(_, i)| ranked[..20].iter().any(|r| r.1 == i.index())).count();
            asked += truth.len().min(20);
        }
        f64::from(hits as u32) / asked as f64
    };
    let by_popularity = recall_at_20(&|_, item| popularity[item.index()]);
    let options = few_epochs();
    let factors = Factors::learn(&known, &options);
    let by_factors = recall_at_20(&|row, item| factors.affinity(factors.rows.row(row), item));
    println!("recall at 20: factors {by_factors:.4}, popularity {by_popularity:.4}");
    assert!(by_factors > 1.5 * by_popularity, "{by_factors} against {by_popularity}");
}
