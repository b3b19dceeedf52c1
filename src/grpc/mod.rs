//! The counter: takes requests, asks `recommend`, hands out replies.
//!
//! tonic and prost live here and nowhere else. This room refuses to know how an answer comes about.

mod convert;
mod served;
mod server;
mod service;
mod status;

/// The contract, as compiled from `proto/cartwright/v1`.
#[allow(missing_docs, unreachable_pub, clippy::all)] // generated; documented in the protos
pub mod pb {
    tonic::include_proto!("cartwright.v1");
    /// The compiled protos, for reflection.
    pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
}

pub use convert::{MAX_BASKET_LINES, MAX_KEY_BYTES, MAX_LIMIT, MAX_RECENT};
pub use convert::{limit, reason, reply};
pub use server::{ServeOptions, run};
