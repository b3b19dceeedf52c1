//! Bytes gone wrong, for tests: samples that are changed again and again, always in the same manner.
//!
//! A fuzzer that stable Rust can run with plain `cargo test`. What the code under test accepts becomes a sample
//! itself, so that changes pile up on what is still understood. `CARTWRIGHT_FUZZ=1000000` has each target run
//! so often instead of some thousand times, and `CARTWRIGHT_FUZZ_SEED=2` in another way. An input that makes a
//! panic is printed; it then belongs among the samples of its target, for good.

use std::hash::BuildHasher;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::{Duration, Instant};

use fastrand::Rng;
use rustc_hash::FxBuildHasher;

/// Executions of a target where nobody asks for more.
const USUAL: u64 = 3_000;
/// Samples kept, at most, and how long each may grow.
const SAMPLES: usize = 500;
const LONGEST: usize = 4_096;
/// Nothing this small may take so long.
const HANGS: Duration = Duration::from_secs(5);
/// What numbers and texts go wrong with.
const ODD: [&[u8]; 30] = [
    b"0",
    b"-1",
    b"1e308",
    b"-0.0",
    b"NaN",
    b"inf",
    b"2147483647",
    b"-2147483648",
    b"4294967295",
    b"18446744073709551615",
    b"9999-12-31",
    b"0000-00-00",
    b"\0",
    b"\r\n",
    b"\"",
    b"'",
    b",",
    b";",
    b"\t",
    b"{",
    b"[",
    b"(((((((((((((((((((((((((((((((((",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    "\u{202e}".as_bytes(),
    "ß".as_bytes(),
    b"\xff\xff\xff\xff",
    b"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01",
    b" ",
    b"null",
];

/// Runs `check` on the samples as they are, and then on changed ones; true says that the input was understood.
/// The number of executions is printed.
///
/// Panics if `check` does, or takes too long.
pub(crate) fn torment(
    target: &str,
    samples: &[&[u8]],
    mut check: impl FnMut(&[u8]) -> bool,
) -> u64 {
    let number = |name: &str, usual: u64| {
        std::env::var(name).map_or(usual, |text| text.parse().expect("a number"))
    };
    let (executions, seed) = (number("CARTWRIGHT_FUZZ", USUAL), number("CARTWRIGHT_FUZZ_SEED", 1));
    let mut random = Rng::with_seed(FxBuildHasher.hash_one((target, seed)));
    let mut samples: Vec<Vec<u8>> = samples.iter().map(|sample| sample.to_vec()).collect();
    let given = samples.len();
    samples.iter().for_each(|sample| {
        watched(target, sample, &mut check);
    });
    let mut understood = 0u64;
    for _ in 0..executions {
        let input = changed(&samples, &mut random);
        if watched(target, &input, &mut check) {
            understood += 1;
            keep(&mut samples, given, input, &mut random);
        }
    }
    eprintln!("{target}: {executions} executions, {understood} understood");
    understood
}

fn watched(target: &str, input: &[u8], check: &mut impl FnMut(&[u8]) -> bool) -> bool {
    let mut timed = || {
        let started = Instant::now();
        let checked = catch_unwind(AssertUnwindSafe(|| check(input)));
        let understood = checked.unwrap_or_else(|panic| {
            eprintln!("{target} fails on b\"{}\"", input.escape_ascii());
            resume_unwind(panic)
        });
        (started.elapsed(), understood)
    };
    let (mut taken, understood) = timed();
    // A busy machine may let anything wait: what hangs, hangs each time.
    for _ in 0..3 {
        if taken < HANGS {
            return understood;
        }
        taken = timed().0;
    }
    panic!("{target} hangs on b\"{}\"", input.escape_ascii());
}

/// Takes an input among the samples; beyond the most it takes the place of one that was not given.
fn keep(samples: &mut Vec<Vec<u8>>, given: usize, input: Vec<u8>, random: &mut Rng) {
    if input.len() > LONGEST || samples.contains(&input) {
        return;
    }
    if samples.len() < given + SAMPLES {
        samples.push(input);
    } else {
        samples[given + random.usize(..SAMPLES)] = input;
    }
}

/// One of the samples, changed at one to six places.
fn changed(samples: &[Vec<u8>], random: &mut Rng) -> Vec<u8> {
    let mut bytes = samples[random.usize(..samples.len())].clone();
    for _ in 0..random.usize(1..=6) {
        let at = random.usize(..=bytes.len());
        let some = random.usize(0..=16).min(bytes.len() - at);
        match random.u8(..9) {
            0 => bytes.truncate(at),
            1 => drop(bytes.drain(at..at + some)),
            2 => {
                let again = bytes[at..at + some].to_vec();
                bytes.splice(at..at, again);
            }
            3 => drop(bytes.splice(at..at, ODD[random.usize(..ODD.len())].iter().copied())),
            4 => drop(bytes.splice(at..at + some, ODD[random.usize(..ODD.len())].iter().copied())),
            5 => {
                let other = &samples[random.usize(..samples.len())];
                let from = random.usize(..=other.len());
                bytes.splice(at.., other[from..].iter().copied());
            }
            6 => bytes.insert(at, random.u8(..)),
            _ if at < bytes.len() => bytes[at] ^= 1 << random.u8(..8),
            _ => {}
        }
    }
    bytes
}

#[test]
#[should_panic(expected = "planted")]
fn a_planted_panic_is_found() {
    // Behind two conditions that chance alone would meet once in 2^32.
    torment("planted", &[b"item,price\na,1\n"], |bytes| {
        let text = String::from_utf8_lossy(bytes);
        assert!(!(text.contains("-1") && text.contains("NaN")), "planted");
        text.starts_with("item")
    });
}

#[test]
fn the_same_inputs_come_each_time() {
    let inputs = || {
        let mut seen = Vec::new();
        torment("seen", &[b"a,b\n1,2\n"], |bytes| {
            seen.push(bytes.to_vec());
            bytes.len() < 30
        });
        seen
    };
    assert_eq!(inputs(), inputs());
}
