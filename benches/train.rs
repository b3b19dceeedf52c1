//! What the trainer's kernels cost, on a made-up shop: Zipf popularity, geometric basket sizes, seeded.
//!
//! - *count*: pairs counted per second (a basket of n items has n² of them) with gate and top 200, with
//!   and without a limit on a customer's votes. Checked against a brute force of some items.
//! - *factors*: time per iALS epoch at 64 dimensions, the first with setting up. Checked: the loss falls.
//! - *ease*: time to learn pulls over a head of 4,000 and of 8,000 items. Checked: two
//!   columns of the inverse against conjugate gradients in f64.
//! - *neighbours*: time for the 20 nearest of each item, all with all and by graph. Checked: recall.
//!
//! ```text
//! cargo bench --bench train                                  a million baskets, 50,000 items
//! cargo bench --bench train -- --baskets 100000 --items 5000 --vectors 5000
//! cargo bench --bench train -- --log transactions.parquet    neighbours of a shop's items, and nothing else
//! ```
//!
//! Tried for *count*: a `touched.push` behind `if *cell == 0` instead of the unconditional write, and
//! separate arrays of counts and weights instead of one packed integer: both slower.

#![allow(clippy::print_stdout, reason = "a bench reports on stdout")]

use std::path::PathBuf;
use std::time::{Duration, Instant};

use cartwright::embed::{
    Ease, EaseOptions, FactorOptions, Factors, Interactions, NeighbourOptions, Pull, Vectors,
    neighbours, recall,
};
use cartwright::events::{self, ReadOptions};
use cartwright::ids::{CustomerId, ItemId};
use cartwright::lists::Lists;
use cartwright::rules::{GroupIndex, Groups, RuleOptions};

fn main() {
    // `cargo bench` says so; `cargo test --benches` doesn't, and only wants to see it run.
    let full = std::env::args().any(|argument| argument == "--bench");
    if let Some(log) = given("--log") {
        return bench_neighbours_of_a_shop(log.into());
    }
    let baskets = number("--baskets", if full { 1_000_000 } else { 2_000 });
    let items = number("--items", if full { 50_000 } else { 300 });
    let shop = Shop::made_up(baskets, items);
    println!("{baskets} baskets, {items} items, {} threads", rayon::current_num_threads());
    bench_count(&shop, items);
    bench_factors(&shop, items);
    bench_ease(&shop, items);
    bench_neighbours(&clustered(number("--vectors", if full { 20_000 } else { 300 }), 64));
}

/// The number after `name` on the command line.
fn number(name: &str, default: usize) -> usize {
    given(name).map_or(default, |text| text.parse().expect("a whole number"))
}

/// What stands after `name` on the command line.
fn given(name: &str) -> Option<String> {
    std::env::args().skip_while(|argument| argument != name).nth(1)
}

/// The quickest of three runs, and what it gave.
fn best_of_three<T>(mut run: impl FnMut() -> T) -> (Duration, T) {
    let timed = |run: &mut dyn FnMut() -> T| {
        let started = Instant::now();
        let result = run();
        (started.elapsed(), result)
    };
    let runs = [timed(&mut run), timed(&mut run), timed(&mut run)];
    runs.into_iter().min_by_key(|(time, _)| *time).expect("three runs")
}

struct Shop {
    rows: Vec<(Option<CustomerId>, Vec<ItemId>)>,
}

impl Shop {
    fn made_up(baskets: usize, items: usize) -> Self {
        let mut random = fastrand::Rng::with_seed(42);
        let mut cumulative = vec![0.0f64];
        cumulative.extend((1..=items).scan(0.0, |sum, rank| {
            *sum += (rank as f64 + 10.0).powf(-0.9);
            Some(*sum)
        }));
        let total = cumulative[items];
        let customers = (baskets / 5).max(1);
        let rows = (0..baskets)
            .map(|_| {
                let voter =
                    (random.f32() < 0.8).then(|| CustomerId::new(random.usize(0..customers)));
                // Geometric with mean 7: the sum of squares is near 90 per basket.
                let size = 1 + (random.f64().max(1e-12).ln() / (1.0 - 1.0 / 7.0f64).ln()) as usize;
                let pick = |random: &mut fastrand::Rng| {
                    let at = random.f64() * total;
                    let rank = cumulative.partition_point(|sum| *sum <= at).saturating_sub(1);
                    ItemId::new(rank.min(items - 1))
                };
                let row = (0..size.min(items)).map(|_| pick(&mut random)).collect();
                (voter, row)
            })
            .collect();
        Self { rows }
    }

    fn groups(&self) -> Groups {
        Groups::new(self.rows.iter().cloned())
    }
}

fn bench_count(shop: &Shop, items: usize) {
    let groups = shop.groups();
    let pairs: usize = groups.items().rows().map(|row| row.len().pow(2)).sum();
    let million_pairs = pairs as f64 / 1e6;
    let (inverting, index) = best_of_three(|| GroupIndex::new(&groups, items, Some(500)));
    println!("count       inverting {:>8.0} ms", inverting.as_secs_f64() * 1e3);
    for (name, votes_per_customer) in [("all votes", None), ("10 votes", Some(10))] {
        let options = RuleOptions { votes_per_customer, ..RuleOptions::default() };
        let (time, rules) = best_of_three(|| index.rules(&options));
        let seconds = time.as_secs_f64();
        println!(
            "count       {name:>9} {:>8.0} ms, {million_pairs:.0} M pairs, {:.0} M pairs/s, {} rules, gate {:?}",
            seconds * 1e3,
            million_pairs / seconds,
            rules.lists.entries().len(),
            rules.gate,
        );
        if votes_per_customer.is_none() {
            for source in [1, items / 10, items / 2] {
                check_against_brute_force(&groups, source, rules.lists.row(source));
            }
        }
    }
}

fn check_against_brute_force(groups: &Groups, source: usize, rules: &[cartwright::rules::Rule]) {
    let source = ItemId::new(source);
    for rule in rules.iter().take(20) {
        let both = |row: &&[ItemId]| row.contains(&source) && row.contains(&rule.item);
        let together = groups.items().rows().filter(both).count();
        assert_eq!(together, rule.together as usize, "{source:?} with {:?}", rule.item);
    }
}

fn bench_factors(shop: &Shop, items: usize) {
    let triples = shop.rows.iter().filter_map(|(customer, row)| Some(((*customer)?, row)));
    let triples = triples.flat_map(|(c, row)| row.iter().map(move |item| (c.index(), *item, 1.0)));
    let customers = shop.rows.len().div_ceil(5).max(1);
    let interactions = Interactions::new(customers, items, triples).damped();
    let options = FactorOptions { epochs: 3, ..FactorOptions::default() };
    let mut ends = vec![Instant::now()];
    let mut losses = Vec::new();
    Factors::learn_watched(&interactions, &options, |_, factors| {
        let took = ends[ends.len() - 1].elapsed();
        losses.push(factors.loss(&interactions));
        println!("factors     an epoch  {:>8.0} ms", took.as_secs_f64() * 1e3);
        ends.push(Instant::now());
    });
    let (rows, pairs) = (interactions.len(), interactions.pairs());
    println!("factors     {rows} rows, {items} items, {pairs} pairs, {} dimensions", options.dim);
    assert!(losses.is_sorted_by(|before, after| after < before), "the loss falls: {losses:?}");
}

fn bench_ease(shop: &Shop, items: usize) {
    let sets = shop.rows.iter().map(|(_, row)| row.iter().copied()).collect();
    let rows = Interactions::of_sets(&sets, items, 0.5);
    for head in [4_000, 8_000] {
        let options = EaseOptions { regularization: 50.0, head, ..EaseOptions::default() };
        let (time, pulls) = best_of_three(|| Ease::learn(&rows, &options).pulls(options.per_item));
        let ms = time.as_secs_f64() * 1e3;
        println!("ease        {head} of {items} items, {} rows: {ms:.0} ms", rows.len());
        for target in [1, items.min(head) / 2] {
            check_pulls_towards(ItemId::new(target), &rows, items, &options, &pulls);
        }
    }
}

/// The pulls towards `target` stand in one column of the inverse: solved here by conjugate gradients, in
/// f64 and without the matrix.
fn check_pulls_towards(
    target: ItemId,
    rows: &Interactions,
    items: usize,
    options: &EaseOptions,
    pulls: &Lists<Pull>,
) {
    let mut in_rows = vec![0usize; items];
    (0..rows.len()).for_each(|r| rows.row(r).for_each(|(item, _)| in_rows[item.index()] += 1));
    let mut head: Vec<usize> = (0..items).filter(|&item| in_rows[item] > 0).collect();
    head.sort_by_key(|&item| (std::cmp::Reverse(in_rows[item]), item));
    head.truncate(options.head);
    let mut in_head = vec![0.0; items];
    head.iter().for_each(|&item| in_head[item] = 1.0);
    if in_head[target.index()] == 0.0 {
        return;
    }
    let apply = |v: &[f64]| {
        let mut out: Vec<f64> = v.iter().map(|v| v * f64::from(options.regularization)).collect();
        for row in 0..rows.len() {
            let sum: f64 = rows.row(row).map(|(i, x)| f64::from(x) * v[i.index()]).sum();
            rows.row(row).for_each(|(i, x)| {
                out[i.index()] += f64::from(x) * sum * in_head[i.index()];
            });
        }
        out
    };
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let mut column = vec![0.0; items];
    let mut residual = vec![0.0; items];
    residual[target.index()] = 1.0;
    let mut direction = residual.clone();
    let mut error = 1.0;
    while error > 1e-16 {
        let product = apply(&direction);
        let step = error / dot(&direction, &product);
        column.iter_mut().zip(&direction).for_each(|(x, d)| *x += step * d);
        residual.iter_mut().zip(&product).for_each(|(r, p)| *r -= step * p);
        let next = dot(&residual, &residual);
        direction.iter_mut().zip(&residual).for_each(|(d, r)| *d = r + next / error * *d);
        error = next;
    }
    let mut checked = 0;
    for &item in &head {
        let own = pulls.row(item).iter().filter(|pull| pull.item == target);
        for pull in own {
            let exact = -column[item] / column[target.index()];
            let off = (f64::from(pull.weight) - exact).abs();
            assert!(off < 1e-5 + 1e-3 * exact.abs(), "{item} {target:?}: {pull:?} for {exact}");
            checked += 1;
        }
    }
    assert!(checked > 0, "nothing pulls towards {target:?}");
}

/// Vectors around centres, as items of one category are: what is learnt from chance points one way.
fn clustered(count: usize, dim: usize) -> Vectors {
    let mut random = fastrand::Rng::with_seed(17);
    let centres: Vec<f32> = (0..200 * dim).map(|_| random.f32() - 0.5).collect();
    let mut data = Vec::with_capacity(count * dim);
    for _ in 0..count {
        let centre = random.usize(0..200) * dim;
        data.extend((0..dim).map(|d| centres[centre + d] + random.f32() - 0.5));
    }
    Vectors::new(dim, data)
}

/// How long the 20 nearest of each vector take, all with all and by graph, in seconds.
fn bench_neighbours(vectors: &Vectors) -> (f64, f64) {
    let timed = |options: &NeighbourOptions| {
        let started = Instant::now();
        let found = neighbours(vectors, 20, options);
        (started.elapsed().as_secs_f64(), found)
    };
    let (of_all, exact) =
        timed(&NeighbourOptions { exact_up_to: usize::MAX, ..NeighbourOptions::default() });
    let (of_graph, approximate) =
        timed(&NeighbourOptions { exact_up_to: 0, ..NeighbourOptions::default() });
    let recall = recall(&approximate, &exact, 20);
    println!(
        "neighbours  {} × {}: all with all {of_all:.2} s, graph {of_graph:.2} s, recall at 20 {recall:.4}",
        vectors.len(),
        vectors.dim(),
    );
    assert!(recall > 0.8, "recall {recall}");
    (of_all, of_graph)
}

/// The same for what is learnt of a shop's items: a quarter, half, and all of them; and where the two would meet, one
/// growing with n², the other with n · ln n.
fn bench_neighbours_of_a_shop(log: PathBuf) {
    let reading = events::read(&[log], &ReadOptions::default()).expect("a log of events");
    let options = FactorOptions::default();
    let items = Factors::learn(&Interactions::from_log(&reading.log, &options), &options).items;
    for step in [4, 2, 1] {
        let some = (0..items.len()).step_by(step).flat_map(|item| items.row(item).iter().copied());
        let some = Vectors::new(items.dim(), some.collect());
        let (of_all, of_graph) = bench_neighbours(&some);
        let n = some.len() as f64;
        let (square, line) = (of_all / n.powi(2), of_graph / (n * n.ln()));
        let meet = (0..50).fold(n, |meet, _| line / square * meet.ln());
        println!("neighbours  as quick as each other at {:.1} million vectors", meet / 1e6);
    }
}
