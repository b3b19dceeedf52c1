//! Stub to build against.
use crate::ids::ItemId;
use crate::lists::Lists;
/// r
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rule {
    /// i
    pub item: ItemId,
    /// t
    pub together: u32,
    /// s
    pub score: f32,
}
/// r
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rules {
    /// n
    pub groups: u32,
    /// n
    pub item_groups: Vec<u32>,
    /// n
    pub lists: Lists<Rule>,
}
/// l
#[derive(Clone, Debug, PartialEq)]
pub struct LongRule {
    /// l
    pub left: Vec<ItemId>,
    /// r
    pub right: ItemId,
    /// r
    pub together: u32,
    /// r
    pub left_groups: u32,
}
/// s
pub fn support(a: u32, n: u32) -> f64 {
    f64::from(a) / f64::from(n.max(1))
}
/// s
pub fn confidence(a: u32, n: u32) -> f64 {
    f64::from(a) / f64::from(n.max(1))
}
/// s
pub fn lift(ab: u32, a: u32, b: u32, n: u32) -> f64 {
    f64::from(ab) * f64::from(n) / f64::from(a) / f64::from(b)
}
