//! How fast is it here? Made-up logs to train on, and real load over HTTP/2, beside servers that answer the
//! same bytes without thinking.
//!
//! [`shop`] writes a log of a given size, [`stages`] tells how long each part of a run took and how much
//! memory the process held.
//!
//! To load, servers stand side by side, each a process of its own on one core, the load on another: the
//! real one as `serve` runs it; the same with every answer worked out afresh; its *empty twin* (the same gRPC
//! server, which gives recorded replies in turn); and hyper's bare HTTP/2 with the same bytes; Redis as well, where it
//! is installed. They are loaded in turn, a slice of time each, round after round, so that a machine which slows down slows all of them down.
//! Figures are medians over the rounds.
//!
//! This room knows what logs and requests look like, and refuses to know how anything is learnt or answered.

mod compare;
mod connection;
mod figures;
mod load;
mod machine;
mod overload;
mod questions;
mod redis;
mod servers;
pub mod shop;
pub mod stages;
mod stand_in;

pub use compare::{Options, Progress, compare};
pub use figures::{Beside, Figures, OpenRun, Report, Run};
pub use machine::{pin, usable_cores};
pub use overload::{Strain, Strained, overload};
pub use questions::{QueryKind, Questions, Shape, generated, recorded};
pub use redis::RedisServer;
pub use servers::{Server, Servers};
pub use stand_in::{Role, read_replies, run_raw, write_replies};
