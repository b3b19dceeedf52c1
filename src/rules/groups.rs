//! Groups of distinct items, and whose vote each is.

use crate::events::{Baskets, Sessions};
use crate::ids::{CustomerId, ItemId};
use crate::lists::Lists;

/// Distinct items seen together, one row per basket, session or customer.
///
/// Rows are ascending and distinct, and sorted by voter (rows without one last): a voter's rows are
/// neighbours. A row without a voter is a voter of its own.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Groups {
    items: Lists<ItemId>,
    voters: Vec<Option<CustomerId>>,
}

impl Groups {
    /// Groups from rows in any order, with repeats.
    pub fn new(rows: impl IntoIterator<Item = (Option<CustomerId>, Vec<ItemId>)>) -> Self {
        let mut rows: Vec<_> = rows.into_iter().collect();
        rows.sort_by_key(|(voter, _)| (voter.is_none(), *voter));
        let mut groups = Self::default();
        for (voter, mut row) in rows {
            row.sort_unstable();
            row.dedup();
            groups.items.push(row);
            groups.voters.push(voter);
        }
        groups
    }

    /// One group per basket.
    pub fn from_baskets(baskets: &Baskets) -> Self {
        Self { items: baskets.items.clone(), voters: baskets.customers.clone() }
    }

    /// One group per session: what was looked at in it, in no order.
    pub fn from_sessions(sessions: &Sessions) -> Self {
        // Numbers are sorted, not rows: a log has millions of visits.
        let mut order: Vec<u32> = (0..).take(sessions.items.len()).collect();
        let voter = |visit: u32| sessions.customers[visit as usize];
        order.sort_by_key(|&visit| (voter(visit).is_none(), voter(visit)));
        let mut row: Vec<ItemId> = Vec::new();
        let mut groups = Self::default();
        for visit in order {
            row.clear();
            row.extend(sessions.items.row(visit as usize));
            row.sort_unstable();
            row.dedup();
            groups.items.push(row.iter().copied());
            groups.voters.push(voter(visit));
        }
        groups
    }

    /// One group per customer: all that is in their groups. Groups without a customer stay as they are.
    ///
    /// For shops where a basket rarely holds two items.
    pub fn one_per_customer(&self) -> Self {
        let mut united = Self::default();
        for (voter, rows) in self.by_voter() {
            let mut row: Vec<ItemId> = rows.flat_map(|row| self.items.row(row)).copied().collect();
            row.sort_unstable();
            row.dedup();
            united.items.push(row);
            united.voters.push(voter);
        }
        united
    }

    /// Items per group, ascending and distinct.
    pub fn items(&self) -> &Lists<ItemId> {
        &self.items
    }

    /// Whose vote each group is.
    pub fn voters(&self) -> &[Option<CustomerId>] {
        &self.voters
    }

    /// How many groups there are.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// True if there is no group.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Each voter with the range of its rows.
    pub(super) fn by_voter(
        &self,
    ) -> impl Iterator<Item = (Option<CustomerId>, std::ops::Range<usize>)> {
        let mut start = 0;
        self.voters.chunk_by(|a, b| a.is_some() && a == b).map(move |run| {
            let rows = start..start + run.len();
            start = rows.end;
            (run[0], rows)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(indices: &[usize]) -> Vec<ItemId> {
        indices.iter().map(|&index| ItemId::new(index)).collect()
    }

    #[test]
    fn sessions_become_distinct_groups_with_a_voters_groups_side_by_side() {
        let (anna, ben) = (Some(CustomerId::new(0)), Some(CustomerId::new(1)));
        let sessions = Sessions {
            items: [items(&[3, 1, 3]), items(&[2]), items(&[5, 4])].into_iter().collect(),
            customers: vec![ben, None, anna],
            at: vec![],
        };
        let groups = Groups::from_sessions(&sessions);
        assert_eq!(groups.voters(), [anna, ben, None]);
        assert_eq!(groups.items().row(0), items(&[4, 5]));
        assert_eq!(groups.items().row(1), items(&[1, 3]));
    }

    #[test]
    fn one_group_per_customer_unites_theirs_and_leaves_the_nameless_alone() {
        let anna = Some(CustomerId::new(0));
        let rows = [
            (anna, items(&[1, 2])),
            (None, items(&[7])),
            (anna, items(&[2, 3])),
            (None, items(&[8])),
        ];
        let united = Groups::new(rows).one_per_customer();
        assert_eq!(united.voters(), [anna, None, None]);
        assert_eq!(united.items().row(0), items(&[1, 2, 3]));
        assert_eq!(united.items().row(2), items(&[8]));
    }
}
