//! Returns take back what they return.

use rustc_hash::FxHashMap;

use super::row::Row;
use super::{Cause, EventKind};
use crate::ids::{CustomerId, ItemId};

/// Below this a rest of units is a rounding error.
const NOTHING: f32 = 1e-4;

/// Each return takes units from the same customer's purchases of the item, the latest earlier one first.
/// A purchase of which nothing is left is set aside, and so is a return that found nothing to take; one that found
/// less than it says is of what it found.
///
/// `rows` are in order of time. One pass: purchases wait on a stack per customer and item.
pub(super) fn take_back(rows: &mut [Row]) {
    if !rows.iter().any(|row| row.kind == EventKind::Return) {
        return;
    }
    let mut bought: FxHashMap<(CustomerId, ItemId), Vec<usize>> = FxHashMap::default();
    let returned: rustc_hash::FxHashSet<(CustomerId, ItemId)> = rows
        .iter()
        .filter(|row| row.kind == EventKind::Return)
        .filter_map(|row| Some((row.customer?, row.item)))
        .collect();
    for index in 0..rows.len() {
        let owner = rows[index].customer.map(|customer| (customer, rows[index].item));
        match (rows[index].kind, owner) {
            (EventKind::Purchase, Some(owner)) if returned.contains(&owner) => {
                bought.entry(owner).or_default().push(index);
            }
            (EventKind::Return, owner) => {
                let purchases = owner.and_then(|owner| bought.get_mut(&owner));
                let units = rows[index].quantity;
                match purchases.filter(|purchases| !purchases.is_empty()) {
                    Some(purchases) => rows[index].quantity = take(rows, purchases, units),
                    None => rows[index].fate = Some(Cause::ReturnWithoutPurchase),
                }
            }
            _ => {}
        }
    }
}

/// Takes `units` from the top of the stack; gives back how many were there.
fn take(rows: &mut [Row], purchases: &mut Vec<usize>, units: f32) -> f32 {
    let mut wanted = units;
    while wanted > NOTHING {
        let Some(&last) = purchases.last() else { break };
        let taken = wanted.min(rows[last].quantity);
        rows[last].quantity -= taken;
        wanted -= taken;
        if rows[last].quantity <= NOTHING {
            rows[last].fate = Some(Cause::Returned);
            purchases.pop();
        }
    }
    if wanted > NOTHING { units - wanted } else { units }
}
