//! # Cartwright
//!
//! A recommendation service for online shops. Every night a trainer reads what customers did and
//! builds an index; all day a gRPC server answers from it.

pub mod catalog;
pub mod demo;
pub mod error;
pub mod events;
pub mod ids;
pub mod lists;
pub mod time;

pub use error::{Error, Result};
