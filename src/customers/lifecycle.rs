//! Where a customer is on the way from the first order to the last, by their own rhythm.

use serde::{Deserialize, Serialize};

use super::ledger::Ledger;
use super::rfm::Ranks;

/// Where a customer is.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Looked around, and never bought.
    #[default]
    Prospect,
    /// Bought once, and may still come back within the time in which most do.
    New,
    /// Within the usual time of their own.
    Active,
    /// Late: so long a pause comes but once in five.
    Silent,
    /// Very late: so long a pause comes but once in twenty.
    Sleeping,
    /// Gone, as far as one can see: so long a pause comes but once in a hundred.
    Churned,
}

impl Stage {
    /// All of them, from first to last.
    pub const ALL: [Self; 6] =
        [Self::Prospect, Self::New, Self::Active, Self::Silent, Self::Sleeping, Self::Churned];

    /// "new", "active", …
    pub fn name(self) -> &'static str {
        match self {
            Self::Prospect => "prospect",
            Self::New => "new",
            Self::Active => "active",
            Self::Silent => "silent",
            Self::Sleeping => "sleeping",
            Self::Churned => "churned",
        }
    }
}

/// How far a customer has come: the second purchase is what makes one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Never bought.
    #[default]
    None,
    /// Bought once, and the time in which second purchases come is not over.
    First,
    /// Bought once, and that time is over.
    OneTime,
    /// Bought twice, the second time within that time.
    Second,
    /// Bought twice, the second time later than that.
    LateSecond,
    /// Bought three times or more.
    Repeat,
}

impl Standing {
    /// "first", "second", …
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::First => "first",
            Self::OneTime => "one_time",
            Self::Second => "second",
            Self::LateSecond => "late_second",
            Self::Repeat => "repeat",
        }
    }
}

/// Where one customer is, and since when.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Lifecycle {
    /// Where.
    pub stage: Stage,
    /// Days in that stage.
    pub stage_days: f32,
    /// Days this customer usually lets pass between two orders, shrunk to the shop's; 0 for a prospect.
    pub cadence_days: f32,
    /// First, second, repeat purchase.
    pub standing: Standing,
}

/// The shop's own rhythm.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rhythm {
    /// Days usually between two days with orders of the same customer (geometric mean).
    pub usual_days: f64,
    /// Days within which four in five of all second purchases came.
    pub second_days: f64,
    /// Days within which 95 and 99 in a hundred of them came: who bought once is sleeping, and churned, after that.
    pub second_late_days: [f64; 2],
    /// Of all others, silent, sleeping, churned begin where the pause is so many times the customer's own cadence.
    pub late: [f64; 3],
}

impl Default for Rhythm {
    fn default() -> Self {
        Self {
            usual_days: 30.0,
            second_days: 60.0,
            second_late_days: [120.0, 240.0],
            late: [2.0, 4.0, 8.0],
        }
    }
}

/// Gaps of the shop's usual length that a customer's own are weighed against.
const PRIOR_GAPS: f64 = 2.0;
/// Pauses longer than this share of all that ended are silence, sleep, churn.
const LATE_SHARES: [f64; 3] = [0.80, 0.95, 0.99];
/// Fewer gaps than this say nothing of a shop.
const LEAST_GAPS: usize = 30;

impl Rhythm {
    /// Learns from pauses that ended; a shop with hardly any gets the defaults.
    pub fn learn(ledger: &Ledger) -> Self {
        let days: Vec<Vec<i32>> = (0..ledger.len()).map(|customer| ledger.days(customer)).collect();
        let gaps = || days.iter().flat_map(|days| gaps_of(days));
        let count = gaps().count();
        if count < LEAST_GAPS {
            return Self::default();
        }
        let usual_days = (gaps().map(f64::ln).sum::<f64>() / count as f64).exp();
        let mut rhythm = Self { usual_days, ..Self::default() };
        let seconds = days.iter().filter_map(|days| gaps_of(days).next());
        let seconds = Ranks::of(seconds.map(|gap| gap as f32));
        let [silent, late @ ..] = LATE_SHARES.map(|share| f64::from(seconds.at(share)).max(1.0));
        (rhythm.second_days, rhythm.second_late_days) = (silent, late);
        // Each pause beside the cadence that the customer had when it began.
        let later = |days: &Vec<i32>| -> Vec<f32> {
            let ends = 2..days.len();
            ends.map(|end| (gap(days, end) / rhythm.cadence(&days[..end])) as f32).collect()
        };
        let ratios: Vec<f32> = days.iter().flat_map(later).collect();
        if ratios.len() >= LEAST_GAPS {
            let ratios = Ranks::of(ratios.into_iter());
            rhythm.late = LATE_SHARES.map(|share| f64::from(ratios.at(share)).max(1.0));
        }
        rhythm
    }

    /// Whether enough pauses ended to learn from; if not, these are the defaults.
    pub fn is_learnt(&self) -> bool {
        *self != Self::default()
    }

    /// Days that a customer with these days of purchase (ascending, distinct) usually lets pass:
    /// exp((k ln usual + Σ ln gap)/(k + n)) over their n gaps, with k = 2.
    pub fn cadence(&self, days: &[i32]) -> f64 {
        let own: f64 = gaps_of(days).map(f64::ln).sum();
        let count = days.len().saturating_sub(1) as f64;
        ((PRIOR_GAPS * self.usual_days.ln() + own) / (PRIOR_GAPS + count)).exp()
    }

    /// Where a customer with these days of purchase is on the day `today`, none of them later.
    pub fn lifecycle(&self, days: &[i32], today: i32) -> Lifecycle {
        let Some(&last) = days.last() else { return Lifecycle::default() };
        let since = f64::from(today - last);
        let cadence = self.cadence(days);
        let begins = self.stage_begins(days, cadence);
        let at = begins.iter().rposition(|&(_, from)| since >= from).unwrap_or(0);
        let (stage, from) = begins[at];
        Lifecycle {
            stage,
            stage_days: (since - from) as f32,
            cadence_days: cadence as f32,
            standing: self.standing(days, since),
        }
    }

    /// Stages, each with the days since the latest order at which it begins, ascending.
    fn stage_begins(&self, days: &[i32], cadence: f64) -> [(Stage, f64); 4] {
        let [sleeping, churned] = self.second_late_days;
        let (first, [silent, sleeping, churned]) = match days.len() {
            1 => (Stage::New, [self.second_days, sleeping, churned]),
            _ => (Stage::Active, self.late.map(|late| late * cadence)),
        };
        [
            (first, 0.0),
            (Stage::Silent, silent),
            (Stage::Sleeping, sleeping),
            (Stage::Churned, churned),
        ]
    }

    fn standing(&self, days: &[i32], since: f64) -> Standing {
        match days {
            [] => Standing::None,
            [_] if since <= self.second_days => Standing::First,
            [_] => Standing::OneTime,
            [a, b] if f64::from(b - a) <= self.second_days => Standing::Second,
            [_, _] => Standing::LateSecond,
            _ => Standing::Repeat,
        }
    }
}

fn gaps_of(days: &[i32]) -> impl Iterator<Item = f64> {
    (1..days.len()).map(|end| gap(days, end))
}

/// The days before the one at `end`, since the last with an order.
fn gap(days: &[i32], end: usize) -> f64 {
    f64::from(days[end] - days[end - 1])
}

#[cfg(test)]
mod tests {
    use super::super::ledger::tests::log;
    use super::*;

    const RHYTHM: Rhythm = Rhythm {
        usual_days: 30.0,
        second_days: 45.0,
        second_late_days: [90.0, 180.0],
        late: [1.5, 3.0, 6.0],
    };

    #[test]
    fn who_comes_every_week_is_late_sooner_than_who_comes_every_quarter() {
        let weekly: Vec<i32> = (0..20).map(|n| n * 7).collect();
        let quarterly: Vec<i32> = (0..4).map(|n| n * 90).collect();
        let stage =
            |days: &[i32], pause: i32| RHYTHM.lifecycle(days, days[days.len() - 1] + pause).stage;
        assert_eq!(stage(&weekly, 5), Stage::Active);
        assert_eq!(stage(&weekly, 21), Stage::Silent);
        assert_eq!(stage(&weekly, 100), Stage::Churned);
        assert_eq!(stage(&quarterly, 60), Stage::Active);
    }

    #[test]
    fn a_pause_is_as_rare_as_its_stage_says_when_it_begins() {
        let mut random = fastrand::Rng::with_seed(4);
        let mut rows = Vec::new();
        for customer in 0..600 {
            let mut day = random.i64(0..30) as f64;
            let usual = 5.0 + 20.0 * random.f64();
            for order in 0..2 + random.usize(0..12) {
                rows.push((customer, day.round() as i64, order));
                day += 1.0 - usual * (1.0 - random.f64()).ln();
            }
        }
        let rows: Vec<_> = rows
            .iter()
            .map(|&(customer, on, order)| (customer, on, 20 * customer + order + 1, 0, 1.0, 0))
            .collect();
        let ledger = Ledger::of(&log(&rows), &jiff::tz::TimeZone::UTC);
        let rhythm = Rhythm::learn(&ledger);
        let (mut pauses, mut beyond) = ([0; 2], [[0; 3]; 2]);
        for customer in 0..ledger.len() {
            let days = ledger.days(customer);
            for end in 1..days.len() {
                let kind = usize::from(end > 1);
                let stage = rhythm.lifecycle(&days[..end], days[end] - 1).stage;
                pauses[kind] += 1;
                let stages = [Stage::Silent, Stage::Sleeping, Stage::Churned];
                for (beyond, least) in beyond[kind].iter_mut().zip(stages) {
                    *beyond += i32::from(stage >= least);
                }
            }
        }
        for (pauses, beyond) in pauses.into_iter().zip(beyond) {
            let shares = beyond.map(|beyond| f64::from(beyond) / f64::from(pauses));
            for (share, expected) in shares.into_iter().zip(LATE_SHARES) {
                assert!(share <= 1.0 - expected && share > 0.6 * (1.0 - expected), "{shares:?}");
            }
        }
    }

    #[test]
    fn who_bought_once_is_new_until_second_purchases_are_over() {
        let once = RHYTHM.lifecycle(&[100], 140);
        assert_eq!((once.stage, once.standing), (Stage::New, Standing::First));
        let over = RHYTHM.lifecycle(&[100], 150);
        assert_eq!((over.stage, over.standing), (Stage::Silent, Standing::OneTime));
        assert_eq!(over.stage_days, 5.0);
        assert_eq!(RHYTHM.lifecycle(&[], 9).stage, Stage::Prospect);
        assert_eq!(RHYTHM.lifecycle(&[0, 20], 30).standing, Standing::Second);
        assert_eq!(RHYTHM.lifecycle(&[0, 80], 90).standing, Standing::LateSecond);
    }

    #[test]
    fn stages_only_ever_go_forward_while_nothing_is_bought() {
        for days in [vec![0], vec![0, 3], vec![0, 100, 130], (0..9).map(|n| n * 14).collect()] {
            let last = days[days.len() - 1];
            let stages: Vec<Stage> =
                (0..900).map(|since| RHYTHM.lifecycle(&days, last + since).stage).collect();
            assert!(stages.is_sorted() && stages[899] == Stage::Churned, "{days:?}");
        }
    }
}
