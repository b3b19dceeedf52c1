//! On what terms a question is to be answered, and what became of the candidates.

use crate::catalog::Shelf;
use crate::filter::Filter;
use crate::ids::ItemId;
use crate::merchandising::Rules;
use crate::time::Timestamp;

/// What the shop and the request ask for beside relevance. The default asks for nothing.
#[derive(Clone, Debug, Default)]
pub struct Terms<'a> {
    /// What can be offered now; `None` is what could be when the generation was trained.
    pub shelf: Option<&'a Shelf>,
    /// Only what passes may be answered.
    pub filter: Option<&'a Filter>,
    /// Only these may not be, for they are shown already; ascending.
    pub shown: &'a [ItemId],
    /// The shop's own rules.
    pub rules: Option<&'a Rules>,
    /// Where the answer is shown, as the rules name it; empty is the question's own.
    pub placement: &'a str,
    /// The moment, for the rules, and for what is yet to be launched; 1970 if it is not known.
    pub now: Timestamp,
    /// What the order of the answer is to serve.
    pub objective: Objective,
    /// How different from one another the items should be, 0 (do not care) to 5.
    pub diversity: u8,
    /// Lets several variants of one product into an answer.
    pub allow_variants: bool,
    /// Only better items of the same kind, within a band of prices: for a product page.
    pub up_sell: Option<PriceBand>,
    /// How a basket should be filled up.
    pub order_value: Option<OrderValue>,
    /// How much trouble is taken over the answer.
    pub effort: Effort,
}

/// How much trouble is taken over an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Effort {
    /// All that was learnt.
    #[default]
    Full,
    /// The quick sources only, and no ranker: where many wait.
    Brief,
}

/// What the order of an answer serves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Objective {
    /// What the customer most likely wants.
    #[default]
    Relevance,
    /// That, and what it costs.
    Revenue,
    /// That, and what the shop earns by it.
    Margin,
}

/// A band of prices, as multiples of the price of the item asked about.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PriceBand {
    /// Above this; ≥ 1.
    pub least: f64,
    /// At most this.
    pub most: f64,
}

impl Default for PriceBand {
    fn default() -> Self {
        Self { least: 1.05, most: 1.5 }
    }
}

/// A basket that should reach some value: free shipping, a coupon.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OrderValue {
    /// What is in it, in the shop's currency.
    pub now: f64,
    /// What it should be worth.
    pub target: f64,
}

/// Why a candidate is not in the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dropped {
    /// It is what was asked about, in the basket, or on the page already.
    Asked,
    /// It was bought before, and only new ones are wanted.
    Purchased,
    /// It would be bought instead of something in the basket.
    Substitute,
    /// The shop hides it, or sells it no more, or not yet.
    Hidden,
    /// None is left.
    OutOfStock,
    /// The filter, or the band of prices, keeps it out.
    Filtered,
    /// Another variant of the same product is there.
    Variant,
    /// It is shown in another place of the same page.
    Duplicate,
}

/// What became of the candidates of one answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    /// The greatest length that was wanted.
    pub requested: u32,
    /// The length that it has.
    pub returned: u32,
    /// Candidates dropped, by [`Dropped`] in its order.
    pub dropped: [u32; 8],
}

impl Ledger {
    /// So many were dropped for this.
    pub fn dropped_for(&self, why: Dropped) -> u32 {
        self.dropped[why as usize]
    }

    pub(super) fn drop(&mut self, why: Dropped) {
        self.drop_many(why, 1);
    }

    pub(super) fn drop_many(&mut self, why: Dropped, count: usize) {
        self.dropped[why as usize] += count as u32; // of the shop's items, which u32 counts
    }
}
