//! What a generation of a large shop costs: writing it, opening it, the memory it takes, and what an answer
//! costs beside one of a small shop. Every item has three lists of 50: bought together, looked at together,
//! close by; there are as many customers as items, with five purchases each.
//!
//! ```text
//! cargo bench --bench index                       10,000 items, and 1,000,000
//! cargo bench --bench index -- 1000000 big.index  one shop, left there for `cartwright bench serve`
//! ```
//!
//! A process of its own opens the index, so that what it holds is the index and nothing else. Checked: what
//! is opened has every entry that was written, and every answer is full.
//!
//! A million items on two shared cores: at first opened in 4.9 to 10 s, and 4.2 GB. Three quarters of that were the
//! system clearing fresh pages, so room is made once for as much as the manifest says (lists that grow touch three
//! times as many), and sled, which keeps every large value that it has read however small its cache, is opened
//! anew between them; transparent huge pages took 6.3 s instead of 3.6: 3.5 to 4.0 s and 2.3 GB, 1.6 of them entries of
//! 8 and 12 bytes. With 4 and 5 it was 1.30 GB. Since items are kept in columns alone it is 2.5 s, 3.9 s where the disk
//! is read first, and 1.13 to 1.17 GB, 1.08 once some thousand answers have made the allocator tidy up; 1.02 are the
//! index's own (with `MIMALLOC_PURGE_DELAY=0`), of them 0.7 the entries. Values of 64 rows instead of 1,024 took 2.1 GB
//! (at 4 and 5 bytes an entry): sled holds on to small ones too.
//! An answer costs two to three times what it does among 10,000 items: what it touches is in none of the caches.

#![allow(clippy::print_stdout, reason = "a bench reports on stdout")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use cartwright::bench::stages::{peak_bytes, resident_bytes};
use cartwright::catalog::Item;
use cartwright::customers::{Bought, Clientele, History, Profile};
use cartwright::events::{self, ReadOptions};
use cartwright::ids::{CustomerId, Interner, ItemId};
use cartwright::index::{
    Contents, CustomerKeys, Description, Index, Keep, People, Snapshot, TrainingLock,
};
use cartwright::lists::{Lists, Ranked};
use cartwright::recommend::{Blend, Query, Question, Scratch, answer};
use cartwright::rules::{Rule, Rules};
use cartwright::train::{TrainOptions, learn};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const LISTED: usize = 50;
const LIMIT: usize = 20;

fn main() -> cartwright::Result<()> {
    // `cargo bench` says so; `cargo test --benches` doesn't, and only wants to see it run.
    let full = std::env::args().any(|argument| argument == "--bench");
    let given: Vec<String> =
        std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match given.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--open", directory] => open(Path::new(directory)),
        [items, directory] => measure(items.parse().expect("a number of items"), directory.into()),
        _ => {
            let sizes: &[usize] = if full { &[10_000, 1_000_000] } else { &[500] };
            for &items in sizes {
                let folder = tempfile::tempdir().expect("a temporary folder");
                measure(items, folder.path().join("index"))?;
            }
            Ok(())
        }
    }
}

fn measure(items: usize, directory: PathBuf) -> cartwright::Result<()> {
    let contents = contents(items)?;
    let (keys, histories) = customers(items);
    let told =
        |some: &[CustomerId]| some.iter().map(|who| histories[who.index()].clone()).collect();
    let people = People {
        keys: &keys,
        histories: &told,
        profiles: &|some| vec![Profile::default(); some.len()],
        clientele: &Clientele::default(),
        called: &CustomerKeys::Plain,
    };
    let index = Index::at(&directory);
    let started = Instant::now();
    let lock = TrainingLock::take(&index)?;
    let built = lock.build(&contents, &people)?;
    let megabytes = built.bytes()? >> 20;
    built.publish(Description::default(), Keep { count: 1, days: 1 })?;
    println!(
        "{items} items: written and read back in {:.1} s, {megabytes} MB on disk",
        started.elapsed().as_secs_f64()
    );
    drop((contents, histories));
    let program = std::env::current_exe().expect("this program has a path");
    let opened = Command::new(program).arg("--open").arg(&directory).status();
    assert!(opened.expect("this program, once more").success());
    Ok(())
}

/// What a shop without a past has, and three random lists for each item; what is popular is listed often.
fn contents(items: usize) -> cartwright::Result<Contents> {
    let file = tempfile::NamedTempFile::with_suffix(".csv").expect("a temporary file");
    std::fs::write(file.path(), format!("order_id,item_id\nO1,{}\n", key(0))).expect("written");
    let mut log = events::read(&[file.path().to_path_buf()], &ReadOptions::default())?.log;
    let keys = Arc::make_mut(&mut log.items);
    (0..items).for_each(|item| _ = keys.intern(&key(item)));
    let named: Vec<Item> = (0..items)
        .map(|item| Item { title: Some(format!("Item {item}")), ..Item::default() })
        .collect();
    let zone = jiff::tz::TimeZone::UTC;
    let mut contents = learn(&log, &named, &zone, &TrainOptions::default(), &mut |_| {}).contents;

    let mut random = fastrand::Rng::with_seed(3);
    let mut listed = move || {
        let mut score = 1.0;
        let mut next = || {
            score *= 0.93 + 0.06 * random.f32();
            (ItemId::new((random.f64().powi(2) * items as f64) as usize), score)
        };
        (0..LISTED).map(|_| next()).collect::<Vec<_>>()
    };
    let mut rules = || {
        let rule = |(item, score)| Rule { item, score, together: 9 };
        let lists = (0..items).map(|_| listed().into_iter().map(rule).collect::<Vec<_>>());
        let lists: Lists<Rule> = lists.collect();
        Rules { groups: 10 * items as u32, item_groups: vec![90; items], lists, ..Rules::default() }
            .kept()
    };
    (contents.bought, contents.viewed) = (rules(), rules());
    contents.neighbours = Ranked::new(items);
    (0..items).for_each(|_| contents.neighbours.push(listed()));
    Ok(contents)
}

fn key(item: usize) -> String {
    format!("I{item:07}")
}

fn customers(count: usize) -> (Interner<CustomerId>, Vec<History>) {
    let mut random = fastrand::Rng::with_seed(4);
    let mut keys = Interner::new();
    let histories = (0..count).map(|customer| {
        keys.intern(&format!("C{customer:07}"));
        let mut items: Vec<usize> = (0..5).map(|_| random.usize(..count)).collect();
        items.sort_unstable();
        items.dedup();
        let bought = |item: usize| Bought {
            item: ItemId::new(item),
            times: 1,
            first: Default::default(),
            last: Default::default(),
            strength: 1.0,
            usual_days: 0.0,
            orders_ago: 1,
            orders_since_first: 1,
            lately: 0.0,
            units: 1.0,
            last_units: 1.0,
        };
        let bought: Vec<Bought> = items.into_iter().map(bought).collect();
        History { orders: bought.len() as u32, bought, ..History::default() }
    });
    let histories = histories.collect();
    (keys, histories)
}

fn open(directory: &Path) -> cartwright::Result<()> {
    let started = Instant::now();
    let snapshot = Snapshot::open_current(&Index::at(directory))?;
    let took = started.elapsed().as_secs_f64();
    println!(
        "  opened in {took:.2} s; holds {} MB, at most {} MB on the way",
        resident_bytes() >> 20,
        peak_bytes() >> 20
    );
    let contents = &snapshot.contents;
    let entries = contents.bought.lists.count() + contents.viewed.lists.count();
    assert_eq!(entries + contents.neighbours.count(), 3 * LISTED * contents.len());

    let mut random = fastrand::Rng::with_seed(5);
    let mut some = |count| -> Vec<String> {
        let popular = |_| key((random.f64().powi(2) * contents.len() as f64) as usize);
        (0..count).map(popular).collect()
    };
    let related = median_us(|| {
        let items = some(1);
        ask(contents, Question::Related { item: &items[0] }, None)
    });
    let basket = median_us(|| {
        let items = some(10);
        ask(contents, Question::Basket { items: items.iter().map(String::as_str).collect() }, None)
    });
    let mut customer = 0;
    let known = median_us(|| {
        customer = (customer + 7_919) % contents.len();
        let history = snapshot.customers.history(&format!("C{customer:07}")).expect("readable");
        let question = Question::Customer { recent: Vec::new(), exclude_purchased: false };
        ask(contents, question, history.as_ref())
    });
    println!(
        "  an answer: related items {related:.0} µs, basket of 10 {basket:.0} µs, customer {known:.0} µs; then holds {} MB",
        resident_bytes() >> 20
    );
    Ok(())
}

fn ask(contents: &Contents, question: Question<'_>, history: Option<&History>) {
    thread_local!(static SCRATCH: std::cell::RefCell<Scratch> = std::cell::RefCell::default());
    let query = Query::new(question, history, LIMIT);
    SCRATCH.with_borrow_mut(|scratch| {
        let found = answer(contents, &Blend::default(), &query, scratch).recommendations;
        assert_eq!(found.len(), LIMIT);
    });
}

/// Of one of 5,000, µs.
fn median_us(mut once: impl FnMut()) -> f64 {
    let mut each: Vec<u128> = Vec::new();
    for _ in 0..5_000 {
        let started = Instant::now();
        once();
        each.push(started.elapsed().as_nanos());
    }
    each.sort_unstable();
    each[each.len() / 2] as f64 / 1e3
}
