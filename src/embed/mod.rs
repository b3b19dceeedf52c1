//! What resembles what: vectors of items and customers, learnt from who did what, and neighbours by
//! cosine.
//!
//! [`Interactions`] says how strongly each customer (or basket, or session) is tied to which items;
//! [`Factors`] are learnt from them by iALS; [`neighbours()`] lists for each item those closest to it.
//! Only `neighbours.rs` knows hnsw_rs.
//!
//! This room refuses to know what was bought *together* in one basket, and what is answered.

mod dense;
mod factors;
mod interactions;
mod neighbours;
mod solve;

pub use dense::Vectors;
pub use factors::{FactorOptions, Factors};
pub use interactions::{Interactions, KindWeights};
pub use neighbours::{Neighbour, NeighbourOptions, VectorIndex, neighbours, recall};
