//! The figures that a shop's owner looks at, by day, week and month.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::ledger::{Ledger, Order};
use super::lifecycle::{Rhythm, Stage};
use super::rfm::Ranks;

/// Customers by stage, in the order of [`Stage::ALL`].
pub type Stages = [u32; Stage::ALL.len()];

/// One day, week or month of the shop's known customers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Period {
    /// Its first day: days since 1970.
    pub first_day: i32,
    /// Customers who bought.
    pub buyers: u32,
    /// Those of them who never had before.
    pub new_buyers: u32,
    /// Orders.
    pub orders: u32,
    /// Distinct items, over orders.
    pub items: u32,
    /// Money, returned units taken out.
    pub revenue: f64,
    /// Where everybody who ever bought stood at its end; empty for days.
    pub stages: Stages,
    /// From stage (row, as at the end of the period before; prospects are those who had not bought) to
    /// stage (column); empty for days.
    pub flow: Vec<Stages>,
}

impl Period {
    /// Share of its buyers who had bought before it, 0 to 1.
    pub fn repeat_rate(&self) -> f64 {
        f64::from(self.buyers - self.new_buyers) / f64::from(self.buyers.max(1))
    }

    /// Money per order.
    pub fn average_order(&self) -> f64 {
        self.revenue / f64::from(self.orders.max(1))
    }

    /// Distinct items per order.
    pub fn items_per_order(&self) -> f64 {
        f64::from(self.items) / f64::from(self.orders.max(1))
    }
}

/// Customers with at least so many orders, and what they bring.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Orders, at least.
    pub orders: u32,
    /// Customers who got so far.
    pub customers: u32,
    /// What they paid in all.
    pub revenue: f64,
}

/// Who first bought in the same month, and how many of them bought in each month since.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Cohort {
    /// The month's first day: days since 1970.
    pub first_day: i32,
    /// Customers.
    pub customers: u32,
    /// Of them, who bought in the same month (all), the next, …
    pub came_back: Vec<u32>,
}

/// All of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Kpis {
    /// Every day with an order.
    pub days: Vec<Period>,
    /// Weeks from Monday, to the end of the log.
    pub weeks: Vec<Period>,
    /// Calendar months, to the end of the log.
    pub months: Vec<Period>,
    /// Share of all buyers with a second order, 0 to 1.
    pub repeat_share: f64,
    /// Days from the first day with an order to the second: for a quarter, a half, three quarters of those who
    /// got so far it was at most this.
    pub days_to_second: [f64; 3],
    /// Bought once, twice, three, five and ten times.
    pub funnel: Vec<Step>,
    /// By the month of the first order, oldest first.
    pub cohorts: Vec<Cohort>,
}

const FUNNEL: [u32; 5] = [1, 2, 3, 5, 10];
const CHUNK: usize = 2048;

/// Works out all figures.
pub(super) fn kpis(ledger: &Ledger, rhythm: &Rhythm) -> Kpis {
    let Some(first) = ledger.orders.entries().iter().map(|order| order.day).min() else {
        return Kpis::default();
    };
    let weeks = Calendar::new(first, ledger.today, monday);
    let months = Calendar::new(first, ledger.today, month);
    let seconds = (0..ledger.len()).filter_map(|customer| {
        let days = ledger.days(customer);
        Some((days.get(1)? - days[0]) as f32)
    });
    let seconds = Ranks::of(seconds);
    let buyers = || ledger.orders.rows().filter(|orders| !orders.is_empty());
    let again = buyers().filter(|orders| orders.len() > 1).count();
    let mut days = Calendar::new(first, ledger.today, |day| day).periods(ledger, None);
    days.retain(|day| day.orders > 0);
    Kpis {
        days,
        weeks: weeks.periods(ledger, Some(rhythm)),
        repeat_share: again as f64 / buyers().count().max(1) as f64,
        days_to_second: [0.25, 0.5, 0.75].map(|share| f64::from(seconds.at(share))),
        funnel: FUNNEL.map(|least| step(buyers(), least)).to_vec(),
        cohorts: cohorts(ledger, &months),
        months: months.periods(ledger, Some(rhythm)),
    }
}

fn step<'a>(buyers: impl Iterator<Item = &'a [Order]>, least: u32) -> Step {
    let mut step = Step { orders: least, ..Step::default() };
    for orders in buyers.filter(|orders| orders.len() >= least as usize) {
        step.customers += 1;
        step.revenue += orders.iter().map(|order| f64::from(order.value)).sum::<f64>();
    }
    step
}

/// Days cut into periods.
struct Calendar {
    /// First day of each period, ascending.
    starts: Vec<i32>,
    today: i32,
}

impl Calendar {
    fn new(first: i32, today: i32, start_of: impl Fn(i32) -> i32) -> Self {
        let mut starts: Vec<i32> = (first..=today.max(first)).map(start_of).collect();
        starts.dedup();
        Self { starts, today }
    }

    fn of(&self, day: i32) -> usize {
        self.starts.partition_point(|&start| start <= day).saturating_sub(1)
    }

    fn last_day(&self, period: usize) -> i32 {
        self.starts.get(period + 1).map_or(self.today, |next| next - 1)
    }

    fn periods(&self, ledger: &Ledger, rhythm: Option<&Rhythm>) -> Vec<Period> {
        let customers: Vec<usize> = (0..ledger.len()).collect();
        let parts: Vec<Vec<Period>> = customers
            .par_chunks(CHUNK)
            .map(|chunk| {
                let mut periods = self.blank(rhythm.is_some());
                for &customer in chunk {
                    self.count(ledger.orders.row(customer), &mut periods);
                    if let Some(rhythm) = rhythm {
                        self.follow(&ledger.days(customer), rhythm, &mut periods);
                    }
                }
                periods
            })
            .collect();
        let mut all = self.blank(rhythm.is_some());
        for part in &parts {
            all.iter_mut().zip(part).for_each(|(sum, more)| sum.add(more));
        }
        all
    }

    fn blank(&self, staged: bool) -> Vec<Period> {
        let flow = vec![Stages::default(); if staged { Stage::ALL.len() } else { 0 }];
        let blank =
            |&first_day: &i32| Period { first_day, flow: flow.clone(), ..Period::default() };
        self.starts.iter().map(blank).collect()
    }

    fn count(&self, orders: &[Order], periods: &mut [Period]) {
        let mut latest = None;
        for order in orders {
            let at = self.of(order.day);
            let period = &mut periods[at];
            period.orders += 1;
            period.items += order.items;
            period.revenue += f64::from(order.value);
            period.buyers += u32::from(latest != Some(at));
            period.new_buyers += u32::from(latest.is_none());
            latest = Some(at);
        }
    }

    /// Where one customer stood at the end of every period since the first order.
    fn follow(&self, days: &[i32], rhythm: &Rhythm, periods: &mut [Period]) {
        let Some(&first) = days.first() else { return };
        let mut before = Stage::Prospect;
        let from = self.of(first);
        for (at, period) in periods.iter_mut().enumerate().skip(from) {
            let end = self.last_day(at);
            let past = &days[..days.partition_point(|&day| day <= end)];
            let stage = rhythm.lifecycle(past, end).stage;
            period.stages[stage as usize] += 1;
            period.flow[before as usize][stage as usize] += 1;
            before = stage;
        }
    }
}

impl Period {
    fn add(&mut self, more: &Self) {
        self.buyers += more.buyers;
        self.new_buyers += more.new_buyers;
        self.orders += more.orders;
        self.items += more.items;
        self.revenue += more.revenue;
        add(&mut self.stages, &more.stages);
        self.flow.iter_mut().zip(&more.flow).for_each(|(sum, more)| add(sum, more));
    }
}

fn add(sum: &mut Stages, more: &Stages) {
    sum.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
}

fn cohorts(ledger: &Ledger, months: &Calendar) -> Vec<Cohort> {
    let count = months.starts.len();
    let cohort = |(at, &first_day): (usize, &i32)| Cohort {
        first_day,
        customers: 0,
        came_back: vec![0; count - at],
    };
    let mut cohorts: Vec<Cohort> = months.starts.iter().enumerate().map(cohort).collect();
    for orders in ledger.orders.rows().filter(|orders| !orders.is_empty()) {
        let mut bought: Vec<usize> = orders.iter().map(|order| months.of(order.day)).collect();
        bought.sort_unstable();
        bought.dedup();
        let cohort = &mut cohorts[bought[0]];
        cohort.customers += 1;
        bought.iter().for_each(|month| cohort.came_back[month - bought[0]] += 1);
    }
    cohorts
}

/// The Monday on or before a day: 1970-01-05 was one.
fn monday(day: i32) -> i32 {
    day - (day - 4).rem_euclid(7)
}

/// The first of a day's month.
fn month(day: i32) -> i32 {
    let date = date(day);
    day - i32::from(date.map_or(1, |date| date.day())) + 1
}

/// A day on the calendar; `None` beyond what calendars hold.
pub fn date(day: i32) -> Option<jiff::civil::Date> {
    jiff::civil::date(1970, 1, 1).checked_add(jiff::Span::new().try_days(day).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::super::ledger::tests::log;
    use super::*;

    #[test]
    fn periods_and_cohorts_and_funnel_count_every_buyer_once() {
        // Customer 0 on January 1st and 3rd and February 10th, customer 1 on February 10th.
        let rows = [
            (0, 0, 1, 0, 10.0, 0),
            (0, 0, 1, 1, 10.0, 0),
            (0, 2, 2, 0, 5.0, 0),
            (0, 40, 3, 0, 5.0, 0),
            (1, 40, 4, 0, 8.0, 0),
        ];
        let ledger = Ledger::of(&log(&rows), &jiff::tz::TimeZone::UTC);
        let kpis = kpis(&ledger, &Rhythm::default());
        assert_eq!(kpis.days.len(), 3);
        let [january, february] = &kpis.months[..] else { panic!("{:?}", kpis.months) };
        assert_eq!((january.buyers, january.new_buyers, january.orders), (1, 1, 2));
        assert_eq!((february.buyers, february.new_buyers, february.revenue), (2, 1, 13.0));
        assert_eq!(february.repeat_rate(), 0.5);
        assert_eq!(january.items_per_order(), 1.5);
        assert_eq!(february.stages.iter().sum::<u32>(), 2);
        assert_eq!(kpis.cohorts[0].came_back, [1, 1]);
        assert_eq!(kpis.cohorts[1].came_back, [1]);
        assert_eq!(kpis.funnel[0].customers, 2);
        assert_eq!(kpis.funnel[1], Step { orders: 2, customers: 1, revenue: 30.0 });
        assert_eq!((kpis.repeat_share, kpis.days_to_second), (0.5, [2.0; 3]));
        assert!(
            kpis.weeks.len() >= 6
                && kpis.weeks.iter().all(|week| monday(week.first_day) == week.first_day)
        );
    }

    #[test]
    fn the_flow_of_a_period_ends_where_its_stages_are() {
        let rows: Vec<_> = (0..40usize)
            .flat_map(|c| (0..4).map(move |n| (c, n * (10 + c as i64), 0, 0, 1.0, 0)))
            .collect();
        let ledger = Ledger::of(&log(&rows), &jiff::tz::TimeZone::UTC);
        let kpis = kpis(&ledger, &Rhythm::learn(&ledger));
        for period in &kpis.months {
            let mut arrived = Stages::default();
            period.flow.iter().for_each(|row| add(&mut arrived, row));
            assert_eq!(arrived, period.stages);
        }
        for pair in kpis.months.windows(2) {
            let left: u32 = pair[1].flow[1..].iter().flatten().sum();
            assert_eq!(left, pair[0].stages.iter().sum::<u32>());
        }
    }
}
