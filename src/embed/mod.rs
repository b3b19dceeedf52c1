//! What resembles what: vectors of items and customers, learnt from who did what, and neighbours by
//! cosine.
//!
//! [`Interactions`] says how strongly each customer (or basket, or session) is tied to which items;
//! [`Factors`] are learnt from them by iALS; [`neighbours()`] lists for each item those closest to it;
//! [`ease()`] says how much one item of the head speaks for another beside all others. Only `neighbours.rs` knows hnsw_rs.
//!
//! This room refuses to know what was bought *together* in one basket, and what is answered.

mod dense;
mod ease;
mod factors;
mod interactions;
mod neighbours;
mod solve;
mod tiles;

pub use dense::Vectors;
pub use ease::{EaseOptions, Pull, ease};
pub use factors::{FactorOptions, Factors};
pub use interactions::{Interactions, KindWeights};
pub use neighbours::{Neighbour, NeighbourOptions, VectorIndex, neighbours, recall};
