//! What is bought, or seen, together: counted, gated by significance, ranked by a damped score.
//!
//! Input is [`Groups`] of distinct items: baskets, sessions, or all that a customer ever bought.
//! [`count`] gives the rules *item → item*, [`next::count_next`] what is looked at afterwards,
//! [`later::count_later`] what is bought afterwards, [`visits::Visits`] what visitors like this one looked at,
//! [`onward::Onward`] joins these into a next click, and [`longer::mine`] gives rules with several items on the left.
//! All counting is in integers, which merge in any order: the same groups give the same bytes on any number of threads.
//! Scores are computed once, afterwards.
//!
//! This room refuses to know prices, times, and what is answered with its rules.

mod cosine;
mod count;
mod gate;
mod groups;
mod kept;
pub mod later;
pub mod longer;
mod measures;
pub mod next;
pub mod onward;
mod pairs;
mod row;
mod shortlist;
pub mod visits;

use serde::{Deserialize, Serialize};

use crate::ids::ItemId;
use crate::lists::Lists;

pub use cosine::{Shared, cosines};
pub use count::{GroupIndex, count};
pub use gate::Gate;
pub use groups::Groups;
pub use kept::{RuleLists, RuleRow};
pub use measures::{confidence, leverage, lift, llr, p_value, support};

/// How rules are counted, gated and ranked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RuleOptions {
    /// A group of n items weighs n to the power of −`size`, so that large orders say less; 0 to 2,
    /// 0 = all groups weigh 1.
    pub size: f64,
    /// Power of the source item's weight in the score's divisor; 0 to 1.
    pub source: f64,
    /// Power of the target item's weight in the score's divisor, against popular targets; 0 to 1.
    pub target: f64,
    /// Added to the score's divisor, against chance among rare items; in weight of groups, ≥ 0.
    pub shrink: f64,
    /// Pairs in fewer groups than this are no rules; ≥ 1.
    pub min_count: u32,
    /// How many of one customer's groups weigh for one pair, ≥ 1; `None` = all of them. All are counted.
    pub votes_per_customer: Option<u32>,
    /// Groups of more distinct items than this are left out of counting; `None` = no group is.
    pub max_group_items: Option<usize>,
    /// Share of false rules tolerated among all that pass the gate; 0 to 1, and at 1 every pair passes
    /// that is more often together than by chance.
    pub false_discovery_rate: f64,
    /// Rules kept per item, at most.
    pub per_item: usize,
}

impl Default for RuleOptions {
    fn default() -> Self {
        Self {
            size: 0.5,
            source: 0.7,
            target: 0.3,
            shrink: 0.3,
            min_count: 2,
            votes_per_customer: Some(10),
            max_group_items: Some(500),
            false_discovery_rate: 0.05,
            per_item: 200,
        }
    }
}

/// One rule of an item: who gets this item's page may be shown `item`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rule {
    /// The right side.
    pub item: ItemId,
    /// Groups that hold both sides (n_ab), votes of one customer clipped.
    pub together: u32,
    /// Rank score, > 0, comparable within one set of rules only.
    pub score: f32,
}

/// All rules of one kind of groups: as they were counted, or as [`RuleLists`] keeps them for answers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rules<L = Lists<Rule>> {
    /// How many groups were counted (N).
    pub groups: u32,
    /// Per item, in how many groups it is (n_a), votes of one customer clipped.
    pub item_groups: Vec<u32>,
    /// Per item, its rules: best score first, then by id.
    pub lists: L,
    /// What the significance gate did.
    pub gate: Gate,
    /// Groups left out because they are larger than [`RuleOptions::max_group_items`].
    pub left_out_groups: u32,
}
