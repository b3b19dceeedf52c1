//! The Cartwright side of `against_implicit.py`, which says what is measured and how to run it.
//!
//! Reads a matrix from a file, a row of item numbers per line, runs one kernel, and prints one JSON line:
//! seconds, bytes that the kernel added to the process at its peak, and what it found, in a file beside
//! the matrix.

#![allow(clippy::print_stdout, reason = "a bench reports on stdout")]

use std::fs;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::time::Instant;

use cartwright::embed::{FactorOptions, Factors, Interactions};
use cartwright::ids::ItemId;
use cartwright::lists::Lists;
use cartwright::rules::cosines;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::io::Result<()> {
    let Some(matrix) = text("--matrix") else {
        println!("left out: python benches/against_implicit.py runs this");
        return Ok(());
    };
    let mut rows = Lists::new();
    for line in BufReader::new(fs::File::open(&matrix)?).lines() {
        rows.push(line?.split_ascii_whitespace().map(item));
    }
    let items = rows.entries().iter().map(|item| item.index() + 1).max().unwrap_or(0);
    match text("--kernel").as_deref() {
        Some("factors") => factors(&matrix, &rows, items),
        _ => count(&matrix, &rows, items),
    }
}

fn count(matrix: &str, rows: &Lists<ItemId>, items: usize) -> std::io::Result<()> {
    let most = number("--most").unwrap_or(20.0) as usize;
    let cost = Cost::start();
    let lists = cosines(rows, items, most);
    cost.print();
    let mut out = BufWriter::new(fs::File::create(format!("{matrix}.cosines"))?);
    for list in lists.rows() {
        for shared in list {
            write!(out, "{} ", shared.cosine)?;
        }
        writeln!(out)?;
    }
    out.flush()
}

fn factors(matrix: &str, rows: &Lists<ItemId>, items: usize) -> std::io::Result<()> {
    let weight = number("--weight").unwrap_or(1.0) as f32;
    let triples = rows.rows().enumerate();
    let triples = triples.flat_map(|(row, items)| items.iter().map(move |&i| (row, i, weight)));
    let interactions = Interactions::new(rows.len(), items, triples);
    let options = FactorOptions {
        dim: number("--dim").unwrap_or(64.0) as usize,
        epochs: number("--epochs").unwrap_or(5.0) as usize,
        unobserved: 1.0,
        regularization: number("--regularization").unwrap_or(0.01) as f32,
        regularization_power: 0.0,
        ..FactorOptions::default()
    };
    let cost = Cost::start();
    let factors = Factors::learn(&interactions, &options);
    cost.print();
    for (name, vectors) in [("rows", &factors.rows), ("items", &factors.items)] {
        let bytes: Vec<u8> = vectors.data().iter().flat_map(|x| x.to_le_bytes()).collect();
        fs::write(format!("{matrix}.{name}"), bytes)?;
    }
    Ok(())
}

/// The word after `name` on the command line.
fn text(name: &str) -> Option<String> {
    std::env::args().skip_while(|argument| argument != name).nth(1)
}

fn number(name: &str) -> Option<f64> {
    text(name).map(|text| text.parse().expect("a number"))
}

fn item(text: &str) -> ItemId {
    ItemId::new(text.parse().expect("a whole number"))
}

/// What a kernel costs: wall and processor seconds, and bytes.
struct Cost {
    started: Instant,
    cpu: f64,
    resident: u64,
}

impl Cost {
    fn start() -> Self {
        Self { started: Instant::now(), cpu: cpu_seconds(), resident: memory("VmRSS:") }
    }

    fn print(self) {
        let (seconds, cpu) = (self.started.elapsed().as_secs_f64(), cpu_seconds() - self.cpu);
        let peak = memory("VmHWM:");
        let added = peak.saturating_sub(self.resident);
        println!(
            "{{\"seconds\": {seconds}, \"cpu\": {cpu}, \"peak\": {peak}, \"added\": {added}}}"
        );
    }
}

/// A figure of this process in bytes; 0 where the system has none.
fn memory(name: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kib: u64 = line.and_then(|l| l.split_whitespace().next()?.parse().ok()).unwrap_or(0);
    kib * 1024
}

/// Processor time of this process, to a hundredth; 0 where the system has none.
fn cpu_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(") ").next().unwrap_or_default().split_whitespace();
    let ticks: u32 = fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<u32>().ok()).sum();
    f64::from(ticks) / 100.0
}
