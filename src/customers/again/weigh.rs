//! What the figures weigh: asked on a day in each of the last weeks, and held against what came true.

use std::ops::Range;

use rayon::prelude::*;
use rustc_hash::FxHashMap;

use super::figures::{Asked, BY_RHYTHM, Demand, FIGURES, Figures};
use super::gaps::Past;
use super::{Recurrence, SOON_DAYS};
use crate::customers::history::orders_by_customer;
use crate::customers::logistic::Logistic;
use crate::events::Baskets;
use crate::ids::ItemId;
use crate::time::Timestamp;

/// The weights are learnt from so many weeks before the end …
pub(super) const WEEKS: i64 = 4;
/// … of as many customers as bought so many lines, about.
const ASKED_LINES: usize = 400_000;

/// Belief in the rhythm as it is: it counts as much as some answers.
const RIDGE: f64 = 1.0;

/// What was known, and whether it was bought soon.
type Row = (Figures, bool);

impl Recurrence {
    /// The weights under which what came true in the last weeks was likeliest; where little did, the chance is what
    /// the rhythm says. The rhythms themselves are to be of before these weeks.
    pub(super) fn weighed(&self, baskets: &Baskets, item_count: usize) -> Logistic<FIGURES> {
        let mut believed = Logistic::default();
        believed.0[BY_RHYTHM] = 1.0;
        let customers: Vec<Range<usize>> =
            orders_by_customer(baskets).map(|(_, orders)| orders).collect();
        let Some(end) = customers.iter().map(|orders| baskets.at[orders.end - 1]).max() else {
            return believed;
        };
        let step = baskets.items.entries().len().div_ceil(ASKED_LINES).max(1);
        let mut rows: Vec<Row> = Vec::new();
        for week in (1..=WEEKS).rev() {
            let now = end.plus_days(-week * SOON_DAYS);
            let demand = Demand::of(baskets, item_count, now);
            let asked: Vec<&Range<usize>> = customers.iter().step_by(step).collect();
            let answers: Vec<Vec<Row>> = asked
                .into_par_iter()
                .map(|orders| self.ask(baskets, orders.clone(), &demand, now))
                .collect();
            rows.extend(answers.into_iter().flatten());
        }
        believed.fitted(&rows, RIDGE)
    }

    /// One customer's items that had a rhythm by then.
    fn ask(
        &self,
        baskets: &Baskets,
        orders: Range<usize>,
        demand: &Demand,
        now: Timestamp,
    ) -> Vec<Row> {
        let by = |then: Timestamp| {
            orders.start + baskets.at[orders.clone()].partition_point(|at| *at <= then)
        };
        let (done, until) = (by(now), by(now.plus_days(SOON_DAYS)));
        if done == orders.start {
            return Vec::new();
        }
        let mut shopping = Past::starting(baskets.at[orders.start], 0);
        let mut pasts: FxHashMap<ItemId, Past> = FxHashMap::default();
        for order in orders.start..done {
            let (at, behind) = (baskets.at[order], (done - 1 - order) as u32);
            shopping.add(at, 0);
            for &item in baskets.items.row(order) {
                pasts.entry(item).or_insert(Past::starting(at, behind)).add(at, behind);
            }
        }
        let shopper = self.shopper(shopping, now);
        let mut pasts: Vec<(ItemId, Past)> = pasts.into_iter().collect();
        pasts.sort_unstable_by_key(|(item, _)| *item);
        let row = |(item, past): (ItemId, Past)| {
            let asked = Asked { item, past: &past, shopper: &shopper, demand, now };
            let (_, figures) = self.told(&asked)?;
            let held = |order: usize| baskets.items.row(order).binary_search(&item).is_ok();
            Some((figures, (done..until).any(held)))
        };
        pasts.into_iter().filter_map(row).collect()
    }
}
