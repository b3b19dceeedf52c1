//! What changed since last night: stock, prices, hidden items, new ones, and the shop's own rules. Durable,
//! small, and independent of any generation: changes are kept under the shop's keys, field by field, and
//! laid over whatever catalogue the next generation brings.
//!
//! ```text
//! index/live/      one sled database, held by the one server that takes changes; others read copies
//!   items          item key → what was changed of it
//!   rules          rule id → the rule, as it was given
//! ```
//!
//! This room refuses to know what an answer is.

mod beside;
mod overlay;
mod store;

pub use beside::Beside;
pub use overlay::Overlay;
pub use store::{Kept, Live, read};
