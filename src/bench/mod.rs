//! How fast is the server? Real load over HTTP/2, beside servers that answer the same bytes without
//! thinking.
//!
//! Three servers stand side by side, each a process of its own on one core, the load on another: the
//! real one; its *empty twin* (the same gRPC server, which gives recorded replies in turn); and hyper's
//! bare HTTP/2 with the same bytes. They are loaded in turn, a slice of time each, round after round, so
//! that a machine which slows down slows all three down. Figures are medians over the rounds.
//!
//! This room knows what requests look like, and refuses to know how they are answered.

mod compare;
mod connection;
mod figures;
mod load;
mod machine;
mod questions;
mod servers;
mod stand_in;

pub use compare::{Options, Progress, compare};
pub use figures::{Figures, OpenRun, Report, Run};
pub use machine::{pin, usable_cores};
pub use questions::{QueryKind, Questions, Shape, generated, recorded};
pub use servers::{Server, Servers};
pub use stand_in::{Role, read_replies, run_raw, write_replies};
