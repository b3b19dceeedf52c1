//! What resembles what: vectors of items and customers, learnt from who did what, and neighbours by
//! cosine.
//!
//! [`Interactions`] says how strongly each customer (or basket, or session) is tied to which items;
//! [`Factors`] are learnt from them by iALS; [`neighbours()`] lists for each item those closest to it;
//! [`Ease`] says how much one item of the head speaks for another beside all others, and [`Holders`] how much
//! all that somebody holds does; [`Foresight`] says what somebody will buy next; [`ContentModel`] places an item that nobody touched by what the catalogue says of
//! it, and [`nearest`] finds what is near it among [`UnitVectors`]. Only `neighbours.rs` knows hnsw_rs.
//!
//! This room refuses to know what was bought *together* in one basket, and what is answered.

mod content;
mod dense;
mod ease;
mod exam;
mod factors;
mod features;
mod foresight;
mod holders;
mod interactions;
mod neighbours;
mod ridge;
mod solve;
mod tiles;
mod unit;
mod words;

pub use content::{ContentCard, ContentModel, ContentOptions, ContentQuality};
pub use dense::Vectors;
pub use ease::{Ease, EaseOptions, Pull};
pub use factors::{FactorOptions, Factors};
pub use foresight::{Foresight, ForesightLesson, ForesightOptions};
pub use holders::{Holders, Sum};
pub use interactions::{Interactions, KindWeights};
pub use neighbours::{
    Neighbour, NeighbourOptions, neighbours, neighbours_among, neighbours_of, recall,
};
pub use unit::{UnitVectors, nearest};
pub use words::{Word, words};
