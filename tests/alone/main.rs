//! Tests that need a process to themselves: its memory is counted, or all its log is read.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "tests say what they measured and what they left out; a helper that fails fails its test"
)]

#[path = "../common/mod.rs"]
mod common;

mod allocations;
mod take_up;
