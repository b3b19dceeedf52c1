//! Matrix factorisation, and nothing else.

use super::training::Training;
use super::{Asked, Score};
use crate::embed::{FactorOptions, Factors, Interactions};
use crate::events::EventLog;
use crate::ids::ItemId;

pub(super) struct Als<'a> {
    factors: Factors,
    items: &'a [ItemId],
}

impl<'a> Als<'a> {
    pub(super) fn new(past: &EventLog, training: &'a Training, options: &FactorOptions) -> Self {
        let interactions = Interactions::from_log(past, options);
        Self { factors: Factors::learn(&interactions, options), items: &training.items }
    }
}

impl Score for Als<'_> {
    fn score(&self, asked: &Asked, row: &mut [f32]) {
        // A basket says more of itself than its customer's whole past does.
        let folded = (!asked.by_customer).then(|| {
            let items: Vec<(ItemId, f32)> =
                asked.items.iter().map(|&code| (self.items[code as usize], 1.0)).collect();
            self.factors.fold_in(&items)
        });
        let vector = match (&folded, asked.customer) {
            (Some(folded), _) => folded,
            (None, Some(customer)) => self.factors.rows.row(customer.index()),
            (None, None) => return,
        };
        for (cell, &item) in row.iter_mut().zip(self.items) {
            *cell = self.factors.affinity(vector, item);
        }
    }
}
