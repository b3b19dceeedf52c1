//! How fast is it here: made-up load, and what it costs.
//!
//! [`shop`] writes a log of a given size, [`stages`] tells how long each part of a run took and how much
//! memory the process held. This room refuses to know how anything is learnt.

pub mod shop;
pub mod stages;
