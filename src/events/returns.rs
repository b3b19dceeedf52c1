//! Returns take back what they return.

use rustc_hash::{FxHashMap, FxHashSet};

use super::row::{Price, Row};
use super::{Cause, Event, EventKind};
use crate::ids::{CustomerId, ItemId};

/// Below this a rest of units is a rounding error.
const NOTHING: f32 = 1e-4;

/// What is bought and sent back: rows on their way into a log, and its events.
pub(super) trait Line {
    fn kind(&self) -> EventKind;
    /// Who bought or returned what, where that is known.
    fn owner(&self) -> Option<(CustomerId, ItemId)>;
    fn quantity(&mut self) -> &mut f32;
    /// What one unit cost, if that is told.
    fn unit_price(&self) -> Option<f32>;
    fn set_unit_price(&mut self, price: f32);
}

macro_rules! line {
    ($kind:ty, $told:expr) => {
        impl Line for $kind {
            fn kind(&self) -> EventKind {
                self.kind
            }

            fn owner(&self) -> Option<(CustomerId, ItemId)> {
                Some((self.customer?, self.item))
            }

            fn quantity(&mut self) -> &mut f32 {
                &mut self.quantity
            }

            fn unit_price(&self) -> Option<f32> {
                $told(self.unit_price)
            }

            fn set_unit_price(&mut self, price: f32) {
                self.unit_price = price.into();
            }
        }
    };
}

line!(Row, Price::told);
line!(Event, |price: f32| (price > 0.0).then_some(price));

/// Each return takes units from the same customer's purchases of the item, the latest earlier one first; a return
/// that found less than it says is of what it found, and where it tells no price, it is worth what was paid for that.
/// Gives back the places to be set aside, and why: a purchase of which nothing is left, a return that found nothing to
/// take.
///
/// `lines` are in order of time. One pass: purchases wait on a stack per customer and item.
pub(super) fn take_back(lines: &mut [impl Line]) -> Vec<(usize, Cause)> {
    let returned: FxHashSet<(CustomerId, ItemId)> = lines
        .iter()
        .filter(|line| line.kind() == EventKind::Return)
        .filter_map(|line| line.owner())
        .collect();
    let mut bought: FxHashMap<(CustomerId, ItemId), Vec<usize>> = FxHashMap::default();
    let mut aside = Vec::new();
    for place in 0..lines.len() {
        let owner = lines[place].owner();
        match (lines[place].kind(), owner) {
            (EventKind::Purchase, Some(owner)) if returned.contains(&owner) => {
                bought.entry(owner).or_default().push(place);
            }
            (EventKind::Return, owner) => {
                let purchases = owner.and_then(|owner| bought.get_mut(&owner));
                let units = *lines[place].quantity();
                match purchases.filter(|purchases| !purchases.is_empty()) {
                    Some(purchases) => {
                        let (found, worth) = take(lines, purchases, units, &mut aside);
                        let line = &mut lines[place];
                        *line.quantity() = found;
                        if line.unit_price().is_none() && found > NOTHING && worth > 0.0 {
                            line.set_unit_price(worth / found);
                        }
                    }
                    None => aside.push((place, Cause::ReturnWithoutPurchase)),
                }
            }
            _ => {}
        }
    }
    aside
}

/// Takes `units` from the top of the stack; gives back how many were there, and what was paid for them.
fn take(
    lines: &mut [impl Line],
    purchases: &mut Vec<usize>,
    units: f32,
    aside: &mut Vec<(usize, Cause)>,
) -> (f32, f32) {
    let (mut wanted, mut worth) = (units, 0.0);
    while wanted > NOTHING {
        let Some(&last) = purchases.last() else { break };
        let price = lines[last].unit_price().unwrap_or(0.0);
        let left = lines[last].quantity();
        let taken = wanted.min(*left);
        *left -= taken;
        wanted -= taken;
        worth += taken * price;
        if *left <= NOTHING {
            aside.push((last, Cause::Returned));
            purchases.pop();
        }
    }
    (if wanted > NOTHING { units - wanted } else { units }, worth)
}
