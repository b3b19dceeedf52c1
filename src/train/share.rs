//! How many cases are looked at, and which.
//!
//! Everything else that training does grows with the log, so a large shop can afford to be tuned on more
//! cases; and needs them, for what is left to gain there is less than what chance does to a few hundred.

/// Shops of up to so many events are tuned on the number of cases that each step says.
const USUAL_EVENTS: f64 = 500_000.0;
/// No shop is tuned on more than so many times that number: all candidates of all cases are in memory then …
const MOST: f64 = 2.0;
/// … and none is learnt from more: all that a stretch keeps are not many more.
const MOST_TO_LEARN: f64 = 4.0;

/// How many times the usual number of cases a shop is tuned on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Share {
    /// Its events ÷ 500,000.
    size: f64,
}

impl Share {
    /// Of a shop with so many events.
    pub(super) fn of(events: usize) -> Self {
        Self { size: events as f64 / USUAL_EVENTS }
    }

    /// Cases to measure by: √size times the usual number, once to twice. With four times the log and twice the
    /// cases, the error of a mean over cases is √½ of what it was, and tuning is half the part of training that it
    /// was.
    pub(super) fn times(self, usual: usize) -> usize {
        (self.size.sqrt().clamp(1.0, MOST) * usual as f64) as usize
    }

    /// Cases to learn from: size times the usual number, once to 4 times. A ranker with twice the cases knows
    /// finer differences, not only the same ones better.
    pub(super) fn times_to_learn(self, usual: usize) -> usize {
        (self.size.clamp(1.0, MOST_TO_LEARN) * usual as f64) as usize
    }
}

/// `limit` of the cases, evenly spread; all, if there are no more.
pub(super) fn evenly<T>(cases: &[T], limit: usize) -> impl Iterator<Item = &T> {
    let (count, limit) = (cases.len(), limit.min(cases.len()));
    // The last of each of `limit` stretches of equal length.
    (1..=limit).map(move |nth| &cases[(nth * count).div_ceil(limit) - 1])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_even_share_is_exactly_as_large_as_asked_for_and_evenly_spread() {
        let cases: Vec<usize> = (0..1_700).collect();
        for limit in [0, 1, 7, 799, 800, 850, 1_699, 1_700, 9_000] {
            let share: Vec<usize> = evenly(&cases, limit).copied().collect();
            assert_eq!(share.len(), limit.min(cases.len()));
            let gap = cases.len().div_ceil(limit.max(1));
            assert!(share.windows(2).all(|two| (1..=gap).contains(&(two[1] - two[0]))), "{limit}");
            assert!(share.last().is_none_or(|&last| last == 1_699));
        }
        assert_eq!(evenly(&[] as &[usize], 5).count(), 0);
    }

    #[test]
    fn a_log_of_four_times_the_events_is_tuned_on_twice_the_cases_within_bounds() {
        let cases = |events| Share::of(events).times(800);
        assert_eq!([0, 430_000, 500_000].map(cases), [800; 3]);
        assert_eq!([2_000_000, 8_000_000, 100_000_000].map(cases), [1_600, 1_600, 1_600]);
        assert!((1_280..1_300).contains(&cases(1_300_000)));
        let to_learn = |events| Share::of(events).times_to_learn(800);
        assert_eq!([0, 500_000, 1_000_000, 9_000_000].map(to_learn), [800, 800, 1_600, 3_200]);
    }
}
