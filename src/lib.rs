//! # Cartwright
//!
//! A recommendation service for online shops. Every night a trainer reads what customers did and
//! builds an index; all day a gRPC server answers from it.

pub mod catalog;
pub mod cli;
pub mod config;
pub mod customers;
pub mod demo;
pub mod embed;
pub mod error;
pub mod events;
pub mod grpc;
pub mod ids;
pub mod index;
pub mod lists;
pub mod recommend;
pub mod rules;
pub mod tables;
pub mod time;
pub mod train;
pub mod trends;

pub use error::{Error, Result};
