//! What reading a log costs: rows and megabytes per second, of the file's own bytes.
//!
//! - *split*: a CSV split into columns, nothing made of them. Checked: the number of rows.
//! - *log*: the same file read, checked and sorted into a log. Checked: every row is used.
//!
//! ```text
//! cargo bench --bench read                              two million rows
//! cargo bench --bench read -- --events 200000
//! ```
//!
//! One thread splits ahead; all read lines and look their keys up, and only what is new is learnt one after the
//! other. Tried on two cores with ten million rows of 200,000 items and a million customers, which took 10 s and 118
//! bytes a row at first, now 7 to 8 s and 46 (38 for each row more: 32 for its event, 4 for its place in order, the rest
//! for keys):
//!
//! - transparent huge pages, which the allocator asks for unless told otherwise: without them 8.8 → 6.9 s, the
//!   clearing of fresh pages 14 → 3 % of the CPU time;
//! - looking for programs in arrays instead of hash maps: 2.4 → 1.3 s, and then side by side;
//! - sorting places, not rows: 1.0 → 0.5 s;
//! - a row of 32 bytes, not 40, and places of rows, not copies, for those who look for programs: 58 → 46 bytes, and as
//!   long;
//! - looking up items, customers and orders each on a thread, and batches of a quarter: before and
//!   after overlapped;
//! - giving used batches back to the thread that reads; telling duplicates within one moment only.

#![allow(clippy::print_stdout, reason = "a bench reports on stdout")]

use std::fs::File;
use std::io::BufWriter;
use std::time::Instant;

use cartwright::bench::shop::{self, Size};
use cartwright::events::{self, ReadOptions};
use cartwright::tables::Table;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> cartwright::Result<()> {
    // `cargo bench` says so; `cargo test --benches` doesn't, and only wants to see it run.
    let full = std::env::args().any(|argument| argument == "--bench");
    let mut asked = std::env::args().skip_while(|argument| argument != "--events").skip(1);
    let default = if full { 2_000_000 } else { 5_000 };
    let events = asked.next().map_or(default, |text| text.parse().expect("a whole number"));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("events.csv");
    let size = Size { items: 20_000, customers: 100_000, events };
    let file = File::create(&path).expect("a file in the temporary folder");
    shop::write(size, BufWriter::new(file)).expect("a written log");
    let megabytes = path.metadata().map_or(0.0, |file| file.len() as f64 / 1e6);

    let table = Table::open(&path)?;
    let all: Vec<usize> = (0..table.names.len()).collect();
    median_of_five("split", events, megabytes, || {
        let mut rows = 0;
        table.read(&all, |batch| {
            rows += batch.len() as u64;
            Ok(())
        })?;
        assert_eq!(rows, events);
        Ok(())
    })?;
    median_of_five("log", events, megabytes, || {
        let reading = events::read(std::slice::from_ref(&path), &ReadOptions::default())?;
        let twice = reading.account.set_aside.values().sum::<u64>();
        assert_eq!(reading.account.used + twice, events);
        assert!(twice * 10 < events, "{twice} of {events} rows are set aside");
        Ok(())
    })
}

fn median_of_five(
    name: &str,
    events: u64,
    megabytes: f64,
    mut run: impl FnMut() -> cartwright::Result<()>,
) -> cartwright::Result<()> {
    let mut seconds = Vec::new();
    for _ in 0..5 {
        let started = Instant::now();
        run()?;
        seconds.push(started.elapsed().as_secs_f64());
    }
    seconds.sort_by(f64::total_cmp);
    let median = seconds[2];
    println!(
        "{name:6} {:>6.0} ms, {:.2} M rows/s, {:.0} MB/s",
        median * 1e3,
        events as f64 / median / 1e6,
        megabytes / median
    );
    Ok(())
}
