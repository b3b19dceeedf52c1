//! The shop's own rules over its answers: pin, boost, bury, hide, promote.
//!
//! ```toml
//! [[rule]]
//! id = "own-label-in-spring"
//! boost = { filter = 'brand = "Private"', factor = 1.5 }
//! placements = ["related_items", "for_customer"]   # everywhere, if left out
//! when = 'category under "GROCERY"'                # only where the item asked about is such a one
//! from = "2026-03-01"                              # the first day, and
//! until = "2026-05-31"                             # the last, in the shop's time zone
//! ```
//!
//! | Action | Means |
//! |---|---|
//! | `pin = { item = "85123A", position = 1 }` | this item at this place, if it can be offered |
//! | `boost = { filter = "…", factor = 2.0 }` | the score of what passes, times the factor (> 1) |
//! | `bury = { filter = "…", factor = 2.0 }` | the score of what passes, divided by the factor (> 1) |
//! | `hide = { filter = "…" }` | what passes is left out |
//! | `promote = { filter = "…", share = 0.2 }` | at least this share of the places, rounded up, is for what passes |
//!
//! This room reads and checks the rules, and says which of them act. It refuses to know how an answer comes
//! about.

mod text;

pub use text::{Hide, Pin, Promote, RuleText, Weigh, is_name, parse_file};

use crate::error::{Error, Result};
use crate::filter::{Filter, Row, Schema};
use crate::time::Timestamp;

/// Most rules that a shop can have.
pub const MOST_RULES: usize = 1_000;

/// A rule that was checked.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Its name, for people and reasons.
    pub id: std::sync::Arc<str>,
    /// What it does.
    pub action: Action,
    placements: Vec<String>,
    when: Option<Filter>,
    from: Option<Timestamp>,
    /// The first moment after it.
    end: Option<Timestamp>,
}

/// What a rule does.
#[derive(Clone, Debug)]
pub enum Action {
    /// Puts an item at a place.
    Pin {
        /// The shop's key.
        item: String,
        /// From 1.
        position: usize,
    },
    /// Multiplies the score of what passes.
    Weigh {
        /// What it acts on.
        filter: Filter,
        /// Above 1 boosts, below 1 buries; > 0.
        factor: f32,
    },
    /// Leaves out what passes.
    Hide {
        /// What it acts on.
        filter: Filter,
    },
    /// Keeps places for what passes.
    Promote {
        /// What it acts on.
        filter: Filter,
        /// Share of the places, 0 to 1.
        share: f64,
    },
}

/// All rules of a shop.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    rules: Vec<Rule>,
}

impl Rules {
    /// Checks rules against the fields that the shop's items have.
    ///
    /// Errors: the first rule that can't be understood, by its id, and why; two of the same id; too many.
    pub fn new(
        texts: &[RuleText],
        schema: &impl Schema,
        zone: &jiff::tz::TimeZone,
    ) -> Result<Self> {
        if texts.len() > MOST_RULES {
            let count = texts.len();
            return Err(Error::Input(format!(
                "there are {count} rules, and at most {MOST_RULES} can be had"
            )));
        }
        let mut seen = std::collections::HashSet::new();
        let mut rules = Vec::with_capacity(texts.len());
        for text in texts {
            if !seen.insert(text.id.as_str()) {
                return Err(Error::Input(format!("there are two rules called {:?}", text.id)));
            }
            rules.push(text.checked(schema, zone)?);
        }
        Ok(Self { rules })
    }

    /// Those of the rules that can be understood, and why the others can't; no two may have the same id.
    pub fn understood(
        texts: &[RuleText],
        schema: &impl Schema,
        zone: &jiff::tz::TimeZone,
    ) -> (Self, Vec<Error>) {
        let (mut rules, mut wrong) = (Vec::with_capacity(texts.len()), Vec::new());
        for text in texts {
            match text.checked(schema, zone) {
                Ok(rule) => rules.push(rule),
                Err(error) => wrong.push(error),
            }
        }
        (Self { rules }, wrong)
    }

    /// True without a rule.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// When rules begin, and when they have ended; in no order.
    pub fn turns(&self) -> impl Iterator<Item = Timestamp> {
        self.rules.iter().flat_map(|rule| [rule.from, rule.end]).flatten()
    }

    /// The rules that act in this placement at this moment, where `asked` are the items asked about: of
    /// several in a basket, one that fits is enough.
    pub fn acting<'a, R: Row + 'a>(
        &'a self,
        placement: &'a str,
        now: Timestamp,
        asked: &'a [R],
    ) -> impl Iterator<Item = &'a Rule> {
        self.rules.iter().filter(move |rule| {
            let placed =
                rule.placements.is_empty() || rule.placements.iter().any(|p| p == placement);
            let due =
                rule.from.is_none_or(|from| from <= now) && rule.end.is_none_or(|end| now < end);
            placed && due && rule.fits(asked)
        })
    }
}

impl Rule {
    fn fits(&self, asked: &[impl Row]) -> bool {
        self.when.as_ref().is_none_or(|when| {
            let when = when.bind(None);
            asked.iter().any(|item| when.matches(item))
        })
    }
}
