//! Returns take back what they return.

use rustc_hash::{FxHashMap, FxHashSet};

use super::row::Row;
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
}

macro_rules! line {
    ($kind:ty) => {
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
        }
    };
}

line!(Row);
line!(Event);

/// Each return takes units from the same customer's purchases of the item, the latest earlier one first; a return
/// that found less than it says is of what it found. Gives back the places to be set aside, and why: a purchase of
/// which nothing is left, a return that found nothing to take.
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
                        *lines[place].quantity() = take(lines, purchases, units, &mut aside);
                    }
                    None => aside.push((place, Cause::ReturnWithoutPurchase)),
                }
            }
            _ => {}
        }
    }
    aside
}

/// Takes `units` from the top of the stack; gives back how many were there.
fn take(
    lines: &mut [impl Line],
    purchases: &mut Vec<usize>,
    units: f32,
    aside: &mut Vec<(usize, Cause)>,
) -> f32 {
    let mut wanted = units;
    while wanted > NOTHING {
        let Some(&last) = purchases.last() else { break };
        let left = lines[last].quantity();
        let taken = wanted.min(*left);
        *left -= taken;
        wanted -= taken;
        if *left <= NOTHING {
            aside.push((last, Cause::Returned));
            purchases.pop();
        }
    }
    if wanted > NOTHING { units - wanted } else { units }
}
