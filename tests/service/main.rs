//! What runs: commands, the server, its doors, and what survives when things break.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "tests say what they measured and what they left out; a helper that fails fails its test"
)]

#[path = "../common/mod.rs"]
mod common;

mod admission;
mod ask;
mod brownout;
mod catalogue;
mod cli;
mod corruption;
mod crash;
mod customers;
mod generations;
mod hostile;
mod line;
mod metrics;
mod publishing;
mod rolling;
mod soak;
