//! Who may want an item that is new: learnt from how earlier newcomers were received.
//!
//! ```text
//! items that were first sold in each of the last windows ─ what the pasts of customers said of them before
//!   ─ who bought them ─ weights ─ the same figures for what is new now
//! ```
//!
//! | File | What |
//! |---|---|
//! | `likeness` | how like a new item the others are, by the catalogue |
//! | `taste` | what a customer's past says of it, in figures |
//! | `learn` | what these weigh |

mod learn;
mod likeness;
mod taste;

use serde::{Deserialize, Serialize};

use super::history::{Bought, History};
use super::interest::Interests;
use crate::ids::ItemId;
use crate::time::Timestamp;
use taste::{FIGURES, Had, figures, speaks};

pub use likeness::{Kin, Likeness};

/// What the figures of a past weigh when it comes to something new.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ArrivalModel {
    weights: [f64; FIGURES],
    /// Items that were new once, and told this; 0 if what is weighed was assumed.
    pub learnt_from: u32,
}

impl Default for ArrivalModel {
    /// What a shop starts from in which too little was ever new: likeness first, then the category, orders of late
    /// and a taste for what is new.
    fn default() -> Self {
        let mut weights = [0.0; FIGURES];
        for (figure, weight) in [(12, 1.0), (1, 0.3), (6, 0.2), (17, 0.2), (19, 0.2)] {
            weights[figure] = weight;
        }
        Self { weights, learnt_from: 0 }
    }
}

/// A customer who may want a new item.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Calling {
    /// The odds of buying it, beside other customers': > 0, comparable for one item.
    pub odds: f64,
    /// What in the past speaks for it most.
    pub because: ItemId,
}

impl ArrivalModel {
    /// How much a past speaks for the item that `kin` is about; `None` for one who has it, or of whose past nothing
    /// is near.
    pub fn calling(
        &self,
        kin: &Kin,
        history: &History,
        interests: &Interests,
        now: Timestamp,
    ) -> Option<Calling> {
        let past: Vec<Had> =
            history.bought.iter().filter(|bought| bought.times > 0).map(Had::from).collect();
        let looks = || history.glances.iter().map(|glance| (glance.item, glance.kind));
        let looks = || looks().map(|(item, kind)| (item, kin.like(item) * interests.of(kind)));
        let bought = past.iter().map(|had| (had.item, speaks(kin.like(had.item), had.times)));
        let (because, _) = bought
            .chain(looks())
            .filter(|(_, says)| *says > 0.0)
            .max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0)))?;
        let glanced: f32 = looks().map(|(_, says)| says).sum();
        let figures = figures(kin, &past, history.orders, glanced, now)?;
        let sum: f64 = self.weights.iter().zip(figures).map(|(w, x)| w * f64::from(x)).sum();
        Some(Calling { odds: sum.exp(), because })
    }
}

impl Kin {
    fn like(&self, item: ItemId) -> f32 {
        self.near[item.index()].like
    }
}

impl From<&Bought> for Had {
    fn from(bought: &Bought) -> Self {
        let &Bought { item, times, first, last, .. } = bought;
        Self { item, times, first, last }
    }
}
