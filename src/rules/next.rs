//! What is looked at *after* an item: ordered pairs within sessions.
//!
//! Source: Ludewig & Jannach 2018, "Evaluation of session-based recommendation algorithms": sequential
//! rules (SR), with weight 1/distance.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::Rule;
use super::row::{Packing, Row};
use crate::events::Sessions;
use crate::ids::ItemId;
use crate::lists::Lists;

/// How followers are counted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NextOptions {
    /// How far after an item its followers are looked for, in events; ≥ 1.
    pub steps: usize,
    /// How many of one customer's sessions weigh for one pair, ≥ 1; `None` = all of them. All are counted.
    pub votes_per_customer: Option<u32>,
    /// Followers in fewer sessions than this are left out; ≥ 1.
    pub min_count: u32,
    /// Followers kept per item, at most.
    pub per_item: usize,
}

impl Default for NextOptions {
    fn default() -> Self {
        Self { steps: 10, votes_per_customer: Some(10), min_count: 1, per_item: 200 }
    }
}

/// Where an item stands: a session, and a place in it.
#[derive(Clone, Copy)]
struct Place {
    session: u32,
    at: u32,
}

/// Per item its followers, best first, then by id.
///
/// A session is one vote for a pair, weighing 1/distance at their closest. The score is the followers'
/// weight over the sessions that hold the item: Σ 1/distance ÷ n_a, 0 to 1.
pub fn count_next(sessions: &Sessions, item_count: usize, options: &NextOptions) -> Lists<Rule> {
    let count = u32::try_from(sessions.items.len()).expect("fewer than 2^32 sessions");
    let places = places(sessions, item_count);
    let steps = options.steps.max(1);
    let packing = Packing::new(count, f64::from(count));
    let votes: Vec<u64> = (1..=steps).map(|distance| packing.vote(1.0 / distance as f64)).collect();
    let followers = Followers { sessions, options, votes, packing };
    let lists: Vec<Vec<Rule>> = (0..places.len())
        .into_par_iter()
        .with_min_len(64)
        .map_init(
            || (Row::new(places.len()), Vec::new()),
            |(row, near), item| followers.of(ItemId::new(item), places.row(item), row, near),
        )
        .collect();
    lists.into_iter().collect()
}

/// Per item every place it stands at: a customer's sessions side by side.
fn places(sessions: &Sessions, item_count: usize) -> Lists<Place> {
    let mut order: Vec<usize> = (0..sessions.items.len()).collect();
    let customer = |session: usize| sessions.customers.get(session).copied().flatten();
    order.sort_by_key(|&session| (customer(session).is_none(), customer(session)));
    let mut places: Vec<Vec<Place>> = vec![Vec::new(); item_count];
    for session in order {
        for (at, item) in sessions.items.row(session).iter().enumerate() {
            if item.index() >= places.len() {
                places.resize(item.index() + 1, Vec::new());
            }
            places[item.index()].push(Place { session: session as u32, at: at as u32 });
        }
    }
    places.into_iter().collect()
}

struct Followers<'a> {
    sessions: &'a Sessions,
    options: &'a NextOptions,
    /// By distance − 1.
    votes: Vec<u64>,
    packing: Packing,
}

impl Followers<'_> {
    fn of(
        &self,
        item: ItemId,
        places: &[Place],
        row: &mut Row<u64>,
        near: &mut Vec<(ItemId, usize)>,
    ) -> Vec<Rule> {
        let limit = self.options.votes_per_customer.unwrap_or(u32::MAX);
        let mut sessions = 0u32;
        let mut voter = None;
        for visits in places.chunk_by(|a, b| a.session == b.session) {
            let session = visits[0].session as usize;
            let customer = self.sessions.customers.get(session).copied().flatten();
            if customer.is_none() || customer != voter {
                row.next_voter();
                voter = customer;
            }
            sessions += 1;
            self.nearest(item, visits, near);
            for &(follower, distance) in near.iter() {
                let (follower, vote) = (follower.index() as u32, self.votes[distance - 1]);
                row.add_limited(&[follower], vote, Packing::BARE, limit);
            }
        }
        row.next_voter();
        let mut rules = Vec::new();
        row.drain(|item, cell| {
            let together = self.packing.count(cell);
            if together >= self.options.min_count {
                let score = (self.packing.weight(cell) / f64::from(sessions)) as f32;
                rules.push(Rule { item: ItemId::new(item), together, score });
            }
        });
        rules.sort_unstable_by(|a, b| b.score.total_cmp(&a.score).then(a.item.cmp(&b.item)));
        rules.truncate(self.options.per_item);
        rules.shrink_to_fit();
        rules
    }

    /// What follows `item` in one session, each at its shortest distance.
    fn nearest(&self, item: ItemId, visits: &[Place], near: &mut Vec<(ItemId, usize)>) {
        let events = self.sessions.items.row(visits[0].session as usize);
        near.clear();
        for visit in visits {
            let after = events[visit.at as usize + 1..].iter().zip(1..=self.votes.len());
            near.extend(after.filter(|(follower, _)| **follower != item).map(|(&f, d)| (f, d)));
        }
        near.sort_unstable();
        near.dedup_by_key(|(follower, _)| *follower);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::CustomerId;

    fn sessions(rows: &[(&[usize], Option<usize>)]) -> Sessions {
        Sessions {
            items: rows.iter().map(|(row, _)| row.iter().map(|&i| ItemId::new(i))).collect(),
            customers: rows.iter().map(|(_, customer)| customer.map(CustomerId::new)).collect(),
            at: vec![],
        }
    }

    #[test]
    fn followers_weigh_one_over_their_shortest_distance() {
        let log = sessions(&[(&[0, 1, 2], None), (&[0, 2, 0, 1], None)]);
        let next = count_next(&log, 3, &NextOptions::default());
        let of_first: Vec<_> =
            next.row(0).iter().map(|r| (r.item.index(), r.together, r.score)).collect();
        assert_eq!(of_first, [(1, 2, 1.0), (2, 2, 0.75)]);
        let of_last: Vec<_> = next.row(2).iter().map(|r| (r.item.index(), r.score)).collect();
        assert_eq!(of_last, [(0, 0.5), (1, 0.25)]);
    }

    #[test]
    fn a_customers_visits_are_all_counted_and_weigh_as_far_as_allowed() {
        let log = sessions(&[
            (&[0, 1], Some(7)),
            (&[0, 2], Some(8)),
            (&[0, 1], Some(7)),
            (&[0, 1], Some(7)),
            (&[0, 2], None),
            (&[0, 2], None),
        ]);
        let options = NextOptions { votes_per_customer: Some(2), ..NextOptions::default() };
        let next = count_next(&log, 3, &options);
        let votes: Vec<_> = next.row(0).iter().map(|r| (r.item.index(), r.together)).collect();
        assert_eq!(votes, [(2, 3), (1, 3)]);
        assert_eq!([0, 1].map(|place| next.row(0)[place].score), [0.5, 1.0 / 3.0]);
    }

    #[test]
    fn no_sessions_give_no_followers() {
        assert!(count_next(&Sessions::default(), 2, &NextOptions::default()).entries().is_empty());
    }
}
