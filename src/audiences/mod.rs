//! Whom to talk to: customers picked for one message, each with a score, a reason and the items to show.
//!
//! | File | What |
//! |---|---|
//! | `ask` | which audiences there are, and what they are asked with |
//! | `pick` | one customer, held against one audience |
//! | `arrival` | who may want a new item |
//! | `fields` | a profile as a row of fields, for `where` |
//! | `select` | everybody held against an audience: the best, and a part held out |
//!
//! This room knows profiles, pasts and what goes with what. It refuses to know how messages are sent, and
//! whether they worked.

mod arrival;
mod ask;
mod fields;
mod pick;
mod select;

pub use ask::{Audience, NAMES};
pub use fields::{Fields, Person};
pub use pick::{Pick, Picker};
pub use select::{Chosen, Selection, is_held_out, select};
