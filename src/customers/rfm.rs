//! Recency, frequency, monetary value; and the names marketers give to what comes out.

use serde::{Deserialize, Serialize};

use super::ledger::{Ledger, Order};
use crate::time::Timestamp;

/// What a customer's orders say of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rfm {
    /// Their first order.
    pub first_order: Timestamp,
    /// Their latest order.
    pub last_order: Timestamp,
    /// Days since the latest order, at the end of the log.
    pub recency_days: u32,
    /// Orders, ≥ 1.
    pub orders: u32,
    /// What they paid in all, returned units taken out; money.
    pub total: f32,
    /// What they paid per order; money.
    pub average: f32,
    /// What they sent back; money.
    pub returned: f32,
    /// 1 to 5; 5 = bought most lately.
    pub r: u8,
    /// 1 to 5; 5 = most orders.
    pub f: u8,
    /// 1 to 5; 5 = paid most in all.
    pub m: u8,
}

/// What marketers call a customer of these scores; see [`Rfm::segment`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the table at `Rfm::segment` says what each means")]
pub enum RfmSegment {
    Champions,
    Loyal,
    Potential,
    Recent,
    Promising,
    NeedsAttention,
    AboutToSleep,
    CannotLose,
    AtRisk,
    Hibernating,
    Lost,
}

impl RfmSegment {
    /// All of them, in the order of the table.
    pub const ALL: [Self; 11] = [
        Self::Champions,
        Self::Loyal,
        Self::Potential,
        Self::Recent,
        Self::Promising,
        Self::NeedsAttention,
        Self::AboutToSleep,
        Self::CannotLose,
        Self::AtRisk,
        Self::Hibernating,
        Self::Lost,
    ];

    /// "champions", "at_risk", …
    pub fn name(self) -> &'static str {
        match self {
            Self::Champions => "champions",
            Self::Loyal => "loyal",
            Self::Potential => "potential",
            Self::Recent => "recent",
            Self::Promising => "promising",
            Self::NeedsAttention => "needs_attention",
            Self::AboutToSleep => "about_to_sleep",
            Self::CannotLose => "cannot_lose",
            Self::AtRisk => "at_risk",
            Self::Hibernating => "hibernating",
            Self::Lost => "lost",
        }
    }
}

impl Rfm {
    /// The name of this customer's scores, by R and by FM, the mean of F and M, halves rounded up:
    ///
    /// | | R 5 | R 4 | R 3 | R 2 | R 1 |
    /// |---|---|---|---|---|---|
    /// | FM 5 | champions | loyal | loyal | at risk | cannot lose |
    /// | FM 4 | champions | loyal | loyal | at risk | at risk |
    /// | FM 3 | potential | potential | needs attention | at risk | at risk |
    /// | FM 2 | potential | potential | needs attention | hibernating | lost |
    /// | FM 1 | recent | promising | about to sleep | hibernating | lost |
    pub fn segment(&self) -> RfmSegment {
        match (self.r, (self.f + self.m).div_ceil(2)) {
            (5, 4..) => RfmSegment::Champions,
            (3 | 4, 4..) => RfmSegment::Loyal,
            (4.., 2 | 3) => RfmSegment::Potential,
            (5, _) => RfmSegment::Recent,
            (4, _) => RfmSegment::Promising,
            (3, 2 | 3) => RfmSegment::NeedsAttention,
            (3, _) => RfmSegment::AboutToSleep,
            (1, 5..) => RfmSegment::CannotLose,
            (_, 3..) => RfmSegment::AtRisk,
            (2, _) => RfmSegment::Hibernating,
            _ => RfmSegment::Lost,
        }
    }
}

/// Values, sorted: which share of all lies below one.
#[derive(Clone, Debug, Default)]
pub(super) struct Ranks(Vec<f32>);

impl Ranks {
    pub(super) fn of(values: impl Iterator<Item = f32>) -> Self {
        let mut sorted: Vec<f32> = values.collect();
        sorted.sort_unstable_by(f32::total_cmp);
        Self(sorted)
    }

    /// Share of the values below `value`, with half of those equal to it; 0 to 1, ½ where there is none.
    pub(super) fn share_below(&self, value: f32) -> f64 {
        let below = self.0.partition_point(|&v| v < value);
        let upto = self.0.partition_point(|&v| v <= value);
        if self.0.is_empty() { 0.5 } else { (below + upto) as f64 / (2 * self.0.len()) as f64 }
    }

    /// 1 to 5 by fifths of the shop's customers. Equal values get equal scores: that of the middle of
    /// their places.
    pub(super) fn quintile(&self, value: f32) -> u8 {
        (1.0 + 5.0 * self.share_below(value)).floor().clamp(1.0, 5.0) as u8
    }

    /// The value below which this share lies; 0 where there is none.
    pub(super) fn at(&self, share: f64) -> f32 {
        let last = self.0.len().saturating_sub(1);
        self.0.get((share * last as f64).round() as usize).copied().unwrap_or(0.0)
    }
}

/// The RFM of every customer, in the order of their ids; `None` for those who never bought.
pub(super) fn rfm(ledger: &Ledger) -> Vec<Option<Rfm>> {
    let plain: Vec<Option<Rfm>> = (0..ledger.len())
        .map(|customer| {
            unscored(ledger.orders.row(customer), ledger.returned[customer], ledger.today)
        })
        .collect();
    let bought = || plain.iter().flatten();
    let recency = Ranks::of(bought().map(|rfm| -(rfm.recency_days as f32)));
    let frequency = Ranks::of(bought().map(|rfm| rfm.orders as f32));
    let monetary = Ranks::of(bought().map(|rfm| rfm.total));
    let scored = |rfm: Rfm| Rfm {
        r: recency.quintile(-(rfm.recency_days as f32)),
        f: frequency.quintile(rfm.orders as f32),
        m: monetary.quintile(rfm.total),
        ..rfm
    };
    plain.into_iter().map(|rfm| rfm.map(scored)).collect()
}

fn unscored(orders: &[Order], returned: f32, today: i32) -> Option<Rfm> {
    let (first, last) = (orders.first()?, orders.last()?);
    let total: f64 = orders.iter().map(|order| f64::from(order.value)).sum();
    Some(Rfm {
        first_order: first.at,
        last_order: last.at,
        recency_days: (today - last.day).max(0) as u32,
        orders: orders.len() as u32,
        total: total as f32,
        average: (total / orders.len() as f64) as f32,
        returned,
        r: 0,
        f: 0,
        m: 0,
    })
}

#[cfg(test)]
mod tests {
    use super::super::ledger::tests::log;
    use super::*;

    #[test]
    fn fifths_of_the_customers_get_scores_from_one_to_five_and_equals_share_one() {
        let ranks = Ranks::of((1..=10).map(|n| n as f32));
        let scores: Vec<u8> = (1..=10).map(|n| ranks.quintile(n as f32)).collect();
        assert_eq!(scores, [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]);
        let ties = Ranks::of([1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 2.0, 3.0].into_iter());
        assert_eq!([1.0, 2.0, 3.0].map(|value| ties.quintile(value)), [2, 5, 5]);
    }

    proptest::proptest! {
        #[test]
        fn scores_rise_with_values_and_stay_within_one_and_five(
            mut values in proptest::collection::vec(-100.0f32..100.0, 1..200),
        ) {
            let ranks = Ranks::of(values.iter().copied());
            values.sort_by(f32::total_cmp);
            let scores: Vec<u8> = values.iter().map(|&value| ranks.quintile(value)).collect();
            assert!(scores.is_sorted() && scores.iter().all(|score| (1..=5).contains(score)));
        }
    }

    #[test]
    fn a_customer_is_counted_by_orders_and_money_and_days_since_the_last() {
        let log = log(&[(0, 0, 1, 0, 10.0, 0), (0, 30, 2, 0, 20.0, 0), (1, 40, 3, 0, 5.0, 0)]);
        let all = rfm(&Ledger::of(&log, &jiff::tz::TimeZone::UTC));
        let first = all[0].as_ref().unwrap();
        assert_eq!((first.recency_days, first.orders), (10, 2));
        assert_eq!((first.total, first.average), (30.0, 15.0));
        assert!(first.r < all[1].as_ref().unwrap().r);
        assert!(first.m > all[1].as_ref().unwrap().m);
    }

    #[test]
    fn every_score_has_a_name_and_the_corners_are_what_marketers_expect() {
        let of = |r, f, m| {
            let orders = [Order::default()];
            Rfm { r, f, m, ..unscored(&orders, 0.0, 0).unwrap() }.segment()
        };
        assert_eq!(of(5, 5, 5), RfmSegment::Champions);
        assert_eq!(of(1, 5, 5), RfmSegment::CannotLose);
        assert_eq!(of(1, 1, 1), RfmSegment::Lost);
        assert_eq!(of(5, 1, 1), RfmSegment::Recent);
        assert_eq!(of(2, 3, 3), RfmSegment::AtRisk);
        assert_eq!(of(4, 4, 5), RfmSegment::Loyal);
    }
}
