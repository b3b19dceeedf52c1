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
pub struct Rhythm {
    /// Days usually between two days with orders of the same customer (geometric mean).
    pub usual_days: f64,
    /// Days within which four in five of all second purchases came.
    pub second_days: f64,
    /// Silent, sleeping, churned begin where the pause is so many times the customer's own cadence.
    pub late: [f64; 3],
}

impl Default for Rhythm {
    fn default() -> Self {
        Self { usual_days: 30.0, second_days: 60.0, late: [2.0, 4.0, 8.0] }
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
        rhythm.second_days = f64::from(Ranks::of(seconds.map(|gap| gap as f32)).at(0.8)).max(1.0);
        let ratios = days.iter().flat_map(|days| {
            let cadence = rhythm.cadence(days);
            gaps_of(days).map(move |gap| (gap / cadence) as f32)
        });
        let ratios = Ranks::of(ratios);
        rhythm.late = LATE_SHARES.map(|share| f64::from(ratios.at(share)).max(1.0));
        rhythm
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
        let mut silent = self.late[0] * cadence;
        let first = if days.len() == 1 { Stage::New } else { Stage::Active };
        if days.len() == 1 {
            silent = self.second_days;
        }
        let sleeping = (self.late[1] * cadence).max(silent);
        let churned = (self.late[2] * cadence).max(sleeping);
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
    days.windows(2).map(|pair| f64::from(pair[1] - pair[0]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RHYTHM: Rhythm = Rhythm { usual_days: 30.0, second_days: 45.0, late: [1.5, 3.0, 6.0] };

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
