//! What is known of a candidate, as a row of numbers for the ranker.

use super::affinity::{AFFINITIES, Affinity};
use super::blend::SOURCES;
use super::taste::{TASTES, Taste};
use super::{Query, Question};
use crate::customers::{Bought, History};
use crate::ids::ItemId;
use crate::index::Contents;
use crate::time::Timestamp;

/// Numbers per candidate: what each source says, and then what is known of the item and of the customer with it.
pub const FEATURES: usize = SOURCES + OTHERS + AFFINITIES + TASTES;
const OTHERS: usize = 32;
/// The column with the blend's score as a share of the best candidate's: the blend's order.
pub const RELATIVE_BLEND_COLUMN: usize = SOURCES + 1;

/// What all candidates of one query have in common.
pub(super) struct Features<'a> {
    contents: &'a Contents,
    history: Option<&'a History>,
    asked: f32,
    pasts: f32,
    /// Orders.
    orders: f32,
    latest: Option<Timestamp>,
    /// Days since the latest order.
    away: f32,
    top: f32,
    affinity: Option<Affinity<'a>>,
    taste: Option<Taste<'a>>,
}

impl<'a> Features<'a> {
    /// `top` is the blend's score of the best candidate.
    pub(super) fn new(contents: &'a Contents, query: &Query<'a>, top: f32) -> Self {
        let asked = query.question.asked(contents);
        let is_known = |key: &&&str| contents.keys.get(key).is_some();
        let count = match &query.question {
            Question::Related { .. } => 1, // also where it is new, and others stand in for it
            Question::Customer { recent, .. } => recent.iter().filter(is_known).count(),
            Question::Basket { .. } | Question::Trending { .. } | Question::Again => asked.len(),
        };
        let history = query.history;
        let latest = history.and_then(|history| history.bought.iter().map(|b| b.last).max());
        let away = latest.filter(|_| contents.timed);
        Self {
            contents,
            history,
            asked: count as f32,
            pasts: history.map_or(0.0, |history| history.bought.len() as f32),
            orders: history.map_or(0.0, |history| history.orders as f32),
            latest,
            away: away.map_or(f32::NAN, |latest| contents.now.days_since(latest) as f32),
            top: top.max(f32::MIN_POSITIVE),
            affinity: Affinity::new(contents, query.history, &asked),
            taste: Taste::new(contents, query),
        }
    }

    /// Orders from one that held it to the next.
    fn orders_between(&self, bought: &Bought) -> f32 {
        (bought.orders_since_first + 1) as f32 / bought.times.max(1) as f32
    }

    /// How much of what was bought last should be used up by now, at the rate at which it is bought; 1.0 = all
    /// of it.
    fn used_up(&self, bought: &Bought, days_since: f32) -> f32 {
        let days = self.contents.now.days_since(bought.first) as f32;
        days_since * bought.units / (days + 1.0) / bought.last_units
    }

    /// Appends the numbers of one candidate. NaN means that there is none.
    pub(super) fn of(
        &self,
        item: ItemId,
        says: &[f32; SOURCES],
        score: f32,
        place: usize,
        out: &mut Vec<f32>,
    ) {
        let Contents { trends, cadence, now, timed, .. } = self.contents;
        let index = item.index();
        out.extend(says);
        out.extend([
            score,
            score / self.top,
            place as f32,
            trends.momentum[index],
            trends.share[index],
            trends.recent_buyers[index] as f32,
            trends.latest_momentum[index],
            trends.idle_days[index],
            cadence.return_rate[index],
            cadence.usual_days[index],
            self.asked,
            self.pasts,
            self.orders,
            self.pasts / self.orders.max(1.0),
            self.away,
        ]);
        let own = self.history.and_then(|history| history.bought(item));
        let affinity = self.affinity.as_ref().map(|affinity| affinity.of(item, own));
        out.extend(affinity.unwrap_or([f32::NAN; AFFINITIES]));
        out.extend(self.taste.as_ref().map_or([f32::NAN; TASTES], |taste| taste.of(item)));
        match own {
            Some(bought) => {
                let days_since = if *timed { now.days_since(bought.last) as f32 } else { f32::NAN };
                let orders_ago = self.latest.map_or(f32::NAN, |l| l.days_since(bought.last) as f32);
                let elapsed = match bought.usual_days > 0.0 {
                    true => days_since / bought.usual_days,
                    false => f32::NAN,
                };
                out.extend([
                    bought.times as f32,
                    bought.strength,
                    days_since,
                    orders_ago,
                    bought.usual_days,
                    elapsed,
                    bought.times as f32 / self.pasts.max(1.0),
                    bought.orders_ago as f32,
                    bought.lately,
                    bought.times as f32 / (bought.orders_since_first + 1) as f32,
                    bought.orders_ago as f32 / self.orders_between(bought),
                    bought.times as f32 / self.orders.max(1.0),
                    bought.last_units,
                    cadence.usual_units[index],
                    bought.last_units / cadence.usual_units[index],
                    bought.last_units / (bought.units / bought.times as f32),
                    self.used_up(bought, days_since),
                ]);
            }
            None => {
                out.extend([0.0, 0.0, f32::NAN, f32::NAN, f32::NAN, f32::NAN, 0.0]);
                out.extend([f32::NAN, 0.0, 0.0, f32::NAN, 0.0]);
                out.extend([f32::NAN; 5]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::customers::Cadence;
    use crate::time::DAY_MS;
    use crate::trends::Trends;

    /// What the ranker is told last of an item of which a customer had `units` in two orders, days 0 and 10, as of
    /// day 20.
    fn told_of_units(units: f32, last_units: f32) -> [f32; 5] {
        let contents = Contents {
            now: Timestamp(20 * DAY_MS),
            timed: true,
            trends: Trends {
                momentum: vec![1.0],
                share: vec![1.0],
                recent_buyers: vec![1],
                latest_momentum: vec![1.0],
                idle_days: vec![10.0],
                ..Trends::default()
            },
            cadence: Cadence {
                return_rate: vec![0.0],
                usual_days: vec![0.0],
                usual_units: vec![4.0],
                ..Cadence::default()
            },
            ..Contents::default()
        };
        let last = Timestamp(10 * DAY_MS);
        let never = Bought::never(ItemId::new(0), Timestamp(0));
        let bought = vec![Bought { times: 2, last, units, last_units, ..never }];
        let history = History { bought, orders: 2, ..History::default() };
        let question = Question::Customer { recent: vec![], exclude_purchased: false };
        let features = Features::new(&contents, &Query::new(question, Some(&history), 10), 1.0);
        let mut row = Vec::new();
        features.of(ItemId::new(0), &[0.0; SOURCES], 1.0, 0, &mut row);
        assert_eq!(row.len(), FEATURES);
        *row.last_chunk().expect("there are five at least")
    }

    #[test]
    fn a_page_is_about_one_item_and_a_basket_or_visit_about_those_that_are_known() {
        let mut keys = crate::ids::Interner::default();
        keys.intern("tea");
        let contents = Contents { keys: keys.into(), ..Contents::default() };
        let asked = |question| Features::new(&contents, &Query::new(question, None, 10), 1.0).asked;
        assert_eq!(["tea", "new"].map(|item| asked(Question::Related { item })), [1.0, 1.0]);
        assert_eq!(asked(Question::Basket { items: vec!["tea", "new", "tea"] }), 1.0);
        let recent = vec!["tea", "new", "tea"];
        assert_eq!(asked(Question::Customer { recent, exclude_purchased: false }), 2.0);
    }

    #[test]
    fn who_took_much_last_time_has_some_of_it_left() {
        let [last, usual, of_usual, of_own, used_up] = told_of_units(8.0, 2.0);
        assert_eq!((last, usual, of_usual, of_own), (2.0, 4.0, 0.5, 0.5));
        assert!(
            (1.5..2.0).contains(&used_up),
            "8 units in 20 days, and 2 since 10 days: {used_up}"
        );
        let [last, usual, of_usual, of_own, used_up] = told_of_units(8.0, 6.0);
        assert_eq!((last, usual, of_usual, of_own), (6.0, 4.0, 1.5, 1.5));
        assert!((0.5..0.7).contains(&used_up), "{used_up}");
    }
}
