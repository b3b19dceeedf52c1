//! The binary: parses, logs, exit codes.

fn main() {}
