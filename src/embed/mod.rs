//! Stub to build against.
use crate::ids::ItemId;
/// n
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Neighbour {
    /// n
    pub item: ItemId,
    /// n
    pub cosine: f32,
}
