//! # Cartwright
//!
//! A recommendation service for online shops. Every night a trainer reads what customers did and builds
//! an index; all day a gRPC server answers from it, and says why.
//!
//! ```text
//! offline   events + catalogue → check → intern → baskets, sessions, interactions
//!             → counts → rules ┐
//!             → factors → neighbours ├→ contents, histories → index, published whole
//!             → trends, cadence ┘
//! online    request → question → candidates → ranking → reasons → reply
//! ```
//!
//! ## Where is what
//!
//! | Room | What for |
//! |---|---|
//! | [`tables`] | files of rows: formats, compression, encodings, which column is what |
//! | [`events`] | what happened: read, checked, grouped into baskets and sessions |
//! | [`catalog`] | what is sold |
//! | [`rules`] | what is bought, or seen, together |
//! | [`embed`] | what resembles what: vectors and neighbours |
//! | [`trends`] | what sells, and what sells better than it used to |
//! | [`customers`] | who buys: pasts, and how soon people come back |
//! | [`index`] | the book on disk: generations, written once, read by many |
//! | [`filter`] | conditions in words, over any rows that have fields: `price < current.price and brand = "Acme"` |
//! | [`rank`] | learning an order from rows of numbers: boosted trees |
//! | [`live`] | what changed since last night: stock, prices, hidden and new items; durable |
//! | [`merchandising`] | the shop's own rules: pin, boost, bury, hide, promote |
//! | [`recommend`] | question → candidates → ranking → answer; pure |
//! | [`audiences`] | whom to talk to: customers picked for one message, with reasons |
//! | [`campaigns`] | whether talking to them worked |
//! | [`train`] | the nightly line: the order of the rooms |
//! | [`evaluate`] | replay of held-out weeks: how good are the answers, beside simple and strong baselines |
//! | [`report`] | what the shop's owner looks at: customers, on one page |
//! | [`charts`] | pages and charts, drawn by hand |
//! | [`grpc`] | the counter |
//! | [`demo`] | a made-up shop, to try and to test against |
//! | [`mod@bench`] | how fast it is here: shops of any size, load for the counter, and servers to hold it against |
//! | [`config`], [`cli`] | every knob; one file per command |
//!
//! Beside them stand [`ids`], [`lists`], [`time`], [`fault`], [`error`] and special functions, which every room may
//! use. Who else may import whom is written down, and checked, in `tests/house.rs`.

pub mod audiences;
pub mod bench;
pub mod campaigns;
pub mod catalog;
pub mod charts;
pub mod cli;
pub mod config;
pub mod customers;
pub mod demo;
pub mod embed;
pub mod error;
pub mod evaluate;
pub mod events;
pub mod fault;
pub mod filter;
pub mod grpc;
pub mod ids;
pub mod index;
pub mod lists;
pub mod live;
pub mod merchandising;
pub mod rank;
pub mod recommend;
pub mod report;
pub mod rules;
mod special;
pub mod tables;
pub mod time;
#[cfg(test)]
mod torment;
pub mod train;
pub mod trends;

pub use error::{Error, Result};
