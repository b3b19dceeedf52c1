//! What it measures.
fn main() {}
