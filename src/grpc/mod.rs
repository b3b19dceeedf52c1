//! The counter: takes requests, asks `recommend`, hands out replies.
//!
//! tonic and prost live here (the load of `bench` is made of prost messages too). This room refuses to know how an answer comes about.

mod catalog;
mod catalog_convert;
mod convert;
mod convert_hot;
mod desk;
mod door;
mod remembered;
mod rules;
mod served;
mod server;
mod service;
mod status;
mod twin;
mod wire;
mod workers;

/// The contract, as compiled from `proto/cartwright/v1`.
#[allow(missing_docs, unreachable_pub, clippy::all)] // generated; documented in the protos
pub mod pb {
    tonic::include_proto!("cartwright.v1");
    /// The compiled protos, for reflection.
    pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
}

/// The service as the server sees it: made from the same protos, with replies that come encoded.
#[allow(missing_docs, unreachable_pub, private_interfaces, clippy::all)] // generated; documented in the protos
mod served_pb {
    include!(concat!(env!("OUT_DIR"), "/served/cartwright.v1.rs"));
}

pub use convert::{MAX_BASKET_LINES, MAX_KEY_BYTES, MAX_LIMIT, MAX_RECENT};
pub use convert::{ledger, limit, reason, reply};
pub use convert_hot::MAX_PLACEMENTS;
pub use served::shelf_with;
pub use server::{ServeOptions, run};
pub use twin::run_twin;
