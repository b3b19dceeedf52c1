//! What the same customers buy *after* an item: ordered pairs between their orders.
//!
//! Where [`next`](super::next) looks within visits, this looks from order to order: who comes for a printer comes back
//! for ink.

use rayon::prelude::*;
use rustc_hash::FxHashSet;

use super::Rule;
use super::row::{Packing, Row};
use crate::events::Baskets;
use crate::ids::ItemId;
use crate::lists::Lists;

/// How far after an order followers are looked for, in orders of the same customer.
const ORDERS: usize = 4;
/// Powers of how many customers have the item, and its follower, in the score's divisor.
const SOURCE: f64 = 0.7;
const TARGET: f64 = 0.3;

/// Per item its followers, best first, then by id: at most `per_item`.
///
/// A customer is one vote for a pair, and only when the follower is new to them: of what is bought again and again the
/// order says nothing. It weighs 1/(orders between · √(items of the later order)) at their closest; the score is the
/// votes' weight over n_a^0.7 · n_b^0.3, with n in customers.
pub fn count_later(baskets: &Baskets, item_count: usize, per_item: usize) -> Lists<Rule> {
    let places = places(baskets, item_count);
    let holders: Vec<u32> = (0..item_count)
        .into_par_iter()
        .map(|item| of_customers(baskets, places.row(item)).count() as u32)
        .collect();
    let largest = baskets.items.rows().map(<[ItemId]>::len).max().unwrap_or(0);
    let most = holders.iter().copied().max().unwrap_or(0);
    let packing = Packing::new(most, f64::from(most));
    let weights = (0..=largest).flat_map(|size| {
        (1..=ORDERS).map(move |after| 1.0 / (after as f64 * (size.max(1) as f64).sqrt()))
    });
    let votes = weights.map(|weight| packing.vote(weight)).collect();
    let followers = Followers { baskets, is_new: new(baskets), holders, votes, packing, per_item };
    let lists: Vec<Vec<Rule>> = (0..item_count)
        .into_par_iter()
        .with_min_len(64)
        .map_init(
            || (Row::new(item_count), Vec::new()),
            |(row, near), item| followers.of(ItemId::new(item), places.row(item), row, near),
        )
        .collect();
    lists.into_iter().collect()
}

/// Per item the orders of known customers that hold it: each customer's side by side, the oldest first.
fn places(baskets: &Baskets, item_count: usize) -> Lists<u32> {
    let known = (0..).zip(&baskets.customers).filter(|(_, customer)| customer.is_some());
    let held = known.flat_map(|(order, _): (u32, _)| {
        baskets.items.row(order as usize).iter().map(move |item| (item.index(), order))
    });
    Lists::dealt(item_count, 0, held)
}

/// An item's orders, customer by customer.
fn of_customers<'a>(baskets: &'a Baskets, orders: &'a [u32]) -> impl Iterator<Item = &'a [u32]> {
    let customer = |order: u32| baskets.customers[order as usize];
    orders.chunk_by(move |&a, &b| customer(a) == customer(b))
}

/// Of each line of the baskets, whether the customer had never bought its item before.
fn new(baskets: &Baskets) -> Vec<bool> {
    let mut is_new = Vec::with_capacity(baskets.items.entries().len());
    let mut had = FxHashSet::default();
    let mut last = None;
    for (items, &customer) in baskets.items.rows().zip(&baskets.customers) {
        if customer != last {
            had = FxHashSet::default(); // to clear one takes as long as it was ever large
            last = customer;
        }
        is_new.extend(items.iter().map(|item| had.insert(*item)));
    }
    is_new
}

struct Followers<'a> {
    baskets: &'a Baskets,
    is_new: Vec<bool>,
    /// Per item, how many customers have it.
    holders: Vec<u32>,
    /// By items of the later order, and how many orders after.
    votes: Vec<u64>,
    packing: Packing,
    per_item: usize,
}

/// An item that follows, after how many orders, and in one of how many items.
type Follower = (ItemId, usize, usize);

impl Followers<'_> {
    fn of(
        &self,
        item: ItemId,
        orders: &[u32],
        row: &mut Row<u64>,
        near: &mut Vec<Follower>,
    ) -> Vec<Rule> {
        for orders in of_customers(self.baskets, orders) {
            self.nearest(item, orders, near);
            for &(follower, after, size) in near.iter() {
                row.add(&[follower.index() as u32], self.votes[size * ORDERS + after - 1]);
            }
        }
        let of_item = f64::from(self.holders[item.index()]).powf(SOURCE);
        let mut rules = Vec::new();
        row.drain(|follower, cell| {
            let divisor = of_item * f64::from(self.holders[follower]).powf(TARGET);
            let score = (self.packing.weight(cell) / divisor) as f32;
            let together = self.packing.count(cell);
            rules.push(Rule { item: ItemId::new(follower), together, score });
        });
        rules.sort_unstable_by(|a, b| b.score.total_cmp(&a.score).then(a.item.cmp(&b.item)));
        rules.truncate(self.per_item);
        rules.shrink_to_fit();
        rules
    }

    /// What one customer bought for the first time after `orders`, which hold `item`: each at its closest.
    fn nearest(&self, item: ItemId, orders: &[u32], near: &mut Vec<Follower>) {
        let Baskets { items, customers, .. } = self.baskets;
        near.clear();
        for &order in orders {
            let order = order as usize;
            let of_customer = |later: &usize| customers.get(*later) == Some(&customers[order]);
            for later in (order + 1..=order + ORDERS).take_while(of_customer) {
                let bought = items.row(later);
                let lines = bought.iter().zip(&self.is_new[items.span(later)]);
                let new = lines.filter(|(follower, is_new)| **is_new && **follower != item);
                near.extend(new.map(|(&follower, _)| (follower, later - order, bought.len())));
            }
        }
        near.sort_unstable();
        near.dedup_by_key(|(follower, ..)| *follower);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::CustomerId;
    use crate::time::Timestamp;

    type Order<'a> = (Option<usize>, &'a [usize]);

    /// Item, customers and score of what follows, where these are all orders: each customer's side by side.
    fn told(orders: &[Order<'_>], item: usize) -> Vec<(usize, u32, f32)> {
        let mut baskets = Baskets::default();
        for (customer, items) in orders {
            let items = items.iter().map(|&item| (ItemId::new(item), 1.0));
            baskets.push(customer.map(CustomerId::new), Timestamp(0), items);
        }
        let later = count_later(&baskets, 6, 10);
        later.row(item).iter().map(|rule| (rule.item.index(), rule.together, rule.score)).collect()
    }

    #[test]
    fn followers_weigh_less_the_later_they_come_and_the_more_come_with_them() {
        let orders: [Order<'_>; 4] =
            [(Some(0), &[0]), (Some(0), &[1]), (Some(0), &[2, 3, 4, 5]), (Some(1), &[1])];
        let told = told(&orders, 0);
        assert_eq!(told.iter().map(|rule| rule.0).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
        let of_two_customers = 2.0f32.powf(-0.3);
        assert!((told[0].2 - of_two_customers).abs() < 1e-5, "{told:?}");
        // In the second order after it, with three others.
        assert!(told[1..].iter().all(|rule| (rule.2 - 0.25).abs() < 1e-5), "{told:?}");
    }

    #[test]
    fn a_customer_is_one_vote_for_what_is_new_to_them_and_nobody_is_none() {
        let orders: [Order<'_>; 9] = [
            (Some(0), &[0, 1]),
            (Some(0), &[2]),
            (Some(0), &[0, 1]), // had both before
            (Some(0), &[2]),
            (Some(1), &[0]),
            (Some(1), &[2]),
            (Some(2), &[2]), // another customer's
            (None, &[0]),
            (None, &[3]),
        ];
        let counts: Vec<_> = told(&orders, 0).iter().map(|rule| (rule.0, rule.1)).collect();
        assert_eq!(counts, [(2, 2)]);
        assert!(told(&orders, 2).is_empty(), "what came before is no follower");
        assert!(told(&orders, 3).is_empty());
    }

    #[test]
    fn what_comes_too_late_does_not_follow_and_without_orders_nothing_does() {
        let orders: Vec<Order<'_>> =
            [&[0usize][..], &[1], &[2], &[3], &[4], &[5]].map(|items| (Some(0), items)).to_vec();
        let followers: Vec<usize> = told(&orders, 0).iter().map(|rule| rule.0).collect();
        assert_eq!(followers, [1, 2, 3, 4], "the fifth order after it is too far");
        assert!(told(&[], 0).is_empty());
    }
}
