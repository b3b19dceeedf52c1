//! Learning to rank from rows of numbers.
//!
//! This room knows features as columns of numbers, groups of rows (the candidates of one question) and
//! labels (how good each row turned out to be). It refuses to know what an item or a customer is: what a
//! column means, and where its labels come from, is the business of whoever fills a [`Sheet`].
//!
//! ```text
//! Sheet ── bins (quantiles, u8) ─┐
//!   └─ base column → scores ─→ gradients ─→ a tree ─→ scores …  until held-out groups gain no more
//!                                               └─→ Forest ─→ together ─→ score, score_all
//! ```
//!
//! [`fit`] boosts small trees over histograms (Ke et al. 2017, "LightGBM: A Highly Efficient Gradient
//! Boosting Decision Tree") by the gradients of `LambdaMART` (Burges 2010, "From `RankNet` to `LambdaRank` to
//! `LambdaMART`: An Overview"), or of plain logistic regression. It starts from a column that orders the
//! rows already, if there is one, so that a forest without trees keeps that order, and trees must earn
//! their place on groups they have not seen.
//!
//! Three properties hold throughout:
//!
//! - *The same bytes on any number of threads.* Gradients are rounded to integers before they are summed,
//!   so sums don't depend on their order, and a parent's histogram minus one child's is exactly the other's.
//! - *Unknown is a value.* NaN, and anything infinite, goes to the side that each split has learnt for it.
//! - *Nothing panics on odd data.* No positive label, one row, constant or empty columns give a forest
//!   without trees; a forest that was tampered with is refused when it is read.

mod base;
mod bins;
mod boost;
mod forest;
mod gradients;
mod grow;
mod histogram;
mod measure;
mod options;
mod sheet;

pub use boost::{Binned, Fitted, Measured, fit};
pub use forest::Forest;
pub use options::{Objective, RankOptions};
pub use sheet::{MAX_COLUMNS, Sheet};
