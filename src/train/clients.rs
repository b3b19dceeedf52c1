//! What there is to know of each customer, told when it is asked for: of all at once it takes more memory than the
//! log that it is told from.

use jiff::tz::TimeZone;
use rayon::prelude::*;

use super::foresee::foreseen;
use super::pulls::Drawing;
use crate::customers::{History, KEPT_DUE, Pasts};
use crate::embed::Foresight;
use crate::events::{EventLog, baskets};
use crate::ids::CustomerId;
use crate::index::Contents;

/// Customers whom one thread tells of at a time.
const AT_ONCE: usize = 64;

/// Tells customers' pasts, with what these speak for, what they foretell and what of them is due.
#[derive(Debug)]
pub struct Clients {
    /// What was learnt from.
    pasts: Pasts,
    /// With all that was left out of it.
    whole: Option<Pasts>,
    pub(super) drawing: Option<Drawing>,
    pub(super) foresight: Option<Foresight>,
}

/// The pasts of some customers.
#[derive(Clone, Debug, Default)]
pub struct Histories {
    /// Ascending.
    customers: Vec<CustomerId>,
    /// Of each of them.
    pasts: Vec<History>,
}

impl Clients {
    /// Those who did this, and nothing of them is known yet but that.
    pub(super) fn new(pasts: Pasts) -> Self {
        Self { pasts, whole: None, drawing: None, foresight: None }
    }

    /// Remembers all that the customers did, also what was left out when the rest was learnt.
    pub fn remember(&mut self, log: &EventLog, zone: &TimeZone) {
        self.whole = Some(self.pasts.also(log, baskets(log, zone)));
    }

    /// All that they did.
    pub fn pasts(&self) -> &Pasts {
        self.whole.as_ref().unwrap_or(&self.pasts)
    }

    /// What there is to know of these customers, in their order; `contents` are what was learnt with them.
    pub fn tell(&self, contents: &Contents, customers: &[CustomerId]) -> Vec<History> {
        let some = customers.par_chunks(AT_ONCE);
        some.flat_map_iter(|customers| self.tell_some(contents, customers)).collect()
    }

    /// The same of these customers, to be looked up.
    pub fn histories(
        &self,
        contents: &Contents,
        customers: impl IntoIterator<Item = CustomerId>,
    ) -> Histories {
        let mut customers: Vec<CustomerId> = customers.into_iter().collect();
        customers.sort_unstable();
        customers.dedup();
        Histories { pasts: self.tell(contents, &customers), customers }
    }

    /// The same of all customers.
    pub fn all(&self, contents: &Contents) -> Histories {
        self.histories(contents, (0..self.pasts.customers()).map(CustomerId::new))
    }

    fn tell_some(&self, contents: &Contents, customers: &[CustomerId]) -> Vec<History> {
        let Contents { cadence, recurrence, interests, now, .. } = contents;
        let past = |&customer| self.pasts.of(customer, cadence);
        let mut histories: Vec<History> = customers.iter().map(past).collect();
        if let Some(drawing) = &self.drawing {
            let draw = |history: &mut History| history.drawn = drawing.of(history, interests);
            histories.iter_mut().for_each(draw);
        }
        if let Some(foresight) = &self.foresight {
            let foreseen = foreseen(foresight, &histories, interests);
            let each = histories.iter_mut().zip(foreseen);
            each.for_each(|(history, foreseen)| history.foreseen = foreseen);
        }
        for (history, &customer) in histories.iter_mut().zip(customers) {
            if let Some(whole) = &self.whole {
                let History { drawn, foreseen, .. } = std::mem::take(history);
                *history = History { drawn, foreseen, ..whole.of(customer, cadence) };
            }
            history.due = recurrence.due(history, *now);
            history.due.truncate(KEPT_DUE);
        }
        histories
    }
}

impl Histories {
    /// The past of a customer; `None` if it is not told.
    pub fn get(&self, customer: CustomerId) -> Option<&History> {
        self.customers.binary_search(&customer).ok().map(|place| &self.pasts[place])
    }

    /// In the order of the customers' ids.
    pub fn as_slice(&self) -> &[History] {
        &self.pasts
    }

    pub(super) fn as_mut_slice(&mut self) -> &mut [History] {
        &mut self.pasts
    }
}

#[cfg(test)]
mod tests {
    use super::super::foresee::tests::log;
    use super::super::{TrainOptions, learn::learn_for};
    use super::*;
    use crate::catalog::Item;
    use crate::ids::ItemId;

    const LEFT_OUT: usize = 200;

    #[test]
    fn a_customer_is_told_of_alone_as_among_others_and_nothing_that_they_did_is_forgotten() {
        // Whoever has taken a plant comes for its pot a week after; one customer takes something more.
        let lines = (0..280).flat_map(|customer| {
            let (plant, day) = (customer % 5, 7 * (customer as i64 / 15));
            [(customer, plant, day), (customer, plant + 5, day + 7)]
        });
        let mut lines: Vec<(usize, usize, i64)> = lines.chain([(0, LEFT_OUT, 9)]).collect();
        lines.sort_by_key(|line| line.2);
        let whole = log(&lines, true);
        let quiet = whole.only(|event| event.item.index() != LEFT_OUT);
        let items = vec![Item::default(); whole.items.len()];
        let (zone, options) = (TimeZone::UTC, TrainOptions::default());
        let (learnt, mut clients) = learn_for(None, &quiet, &items, &zone, &options, &mut |_| ());
        let all = clients.all(&learnt.contents);
        assert!(all.as_slice().iter().any(|h| !h.drawn.is_empty() && !h.foreseen.is_empty()));
        let told = |clients: &Clients, customer| {
            let [told] = &clients.tell(&learnt.contents, &[CustomerId::new(customer)])[..] else {
                panic!("one was asked about")
            };
            told.clone()
        };
        let among_others = |customer| all.get(CustomerId::new(customer)).cloned();
        (0..300).for_each(|n| assert_eq!(Some(told(&clients, n)), among_others(n), "{n}"));

        clients.remember(&whole, &zone);
        let (before, after) = (among_others(0).unwrap_or_default(), told(&clients, 0));
        let left_out = |history: &History| history.bought(ItemId::new(LEFT_OUT)).is_some();
        assert_eq!([&before, &after].map(left_out), [false, true]);
        assert_eq!(
            (before.drawn, before.foreseen),
            (after.drawn, after.foreseen),
            "not learnt from"
        );
        assert_eq!(Some(told(&clients, 1)), among_others(1));
    }
}
