//! What is learnt, and what is answered from it: truths, laws, models.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "tests say what they measured and what they left out; a helper that fails fails its test"
)]

#[path = "../common/mod.rs"]
mod common;

mod again;
mod content;
mod embed;
mod evaluate;
mod exports;
mod filter;
mod gate;
mod hot;
mod input;
mod laws;
mod moods;
mod poison;
mod quiet;
mod rank;
mod rare;
mod real;
mod rules;
mod shops;
mod terms;
mod thin;
mod truths;
mod value;
mod visitors;
mod visits;
