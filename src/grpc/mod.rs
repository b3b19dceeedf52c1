//! The counter: takes requests, asks `recommend`, hands out replies.
//!
//! tonic and prost live here (the load of `bench` is made of prost messages too). This room refuses to know how an answer comes about.

mod admission;
mod audiences;
mod catalog;
mod catalog_convert;
mod changes;
mod convert;
mod convert_hot;
mod customers;
mod desk;
mod door;
mod generations;
mod greeting;
mod guard;
mod keys;
mod meter;
mod metrics;
mod names;
mod remembered;
mod rules;
mod served;
mod server;
mod service;
mod status;
mod tls;
#[cfg(test)]
mod torment;
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

pub use changes::{rules_of, rules_with, shelf_with};
pub use convert::{MAX_BASKET_LINES, MAX_LIMIT, MAX_RECENT};
pub use convert::{ledger, limit, reason, reply};
pub use convert_hot::MAX_PLACEMENTS;
pub use guard::may_listen;
pub use keys::{Scope, hash_of_key};
pub use server::{ServeOptions, Shutdown, run};
pub use tls::TlsOptions;
pub use twin::run_twin;
