//! From scored candidates to the list that is answered.

use crate::ids::ItemId;
use crate::rank::Forest;

/// A candidate and its score.
pub(super) type Scored = (ItemId, f32);

/// The best `limit`, best first; ties fall to the lower id.
pub(super) fn best(scored: Vec<Scored>, limit: usize) -> Vec<Scored> {
    picked(scored, limit, drop)
}

/// Two kinds of candidates of which neither must push the other out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// Bought with it; bought before.
    One,
    /// Seen instead of it; new.
    Other,
    /// None of the two.
    Neither,
}

/// The same, but `reserved` places (at most half) are for each side, if it has so many. What would not get
/// there by itself takes the last places.
pub(super) fn best_of_both(
    scored: Vec<Scored>,
    limit: usize,
    reserved: usize,
    side: impl Fn(ItemId) -> Side,
) -> Vec<Scored> {
    let reserved = reserved.min(limit / 2);
    let (mut sides, mut rest) = ([Vec::new(), Vec::new()], Vec::new());
    for candidate in scored {
        match side(candidate.0) {
            Side::One => sides[0].push(candidate),
            Side::Other => sides[1].push(candidate),
            Side::Neither => rest.push(candidate),
        }
    }
    let mut ranked = Vec::with_capacity(limit);
    for kind in sides {
        let mut kind = best(kind, limit);
        rest.extend(kind.split_off(reserved.min(kind.len())));
        ranked.extend(kind);
    }
    let places = limit - ranked.len();
    ranked.extend(best(rest, places));
    best(ranked, limit)
}

/// The best `count`, best first, and all others in no order.
pub(super) fn parted(scored: Vec<Scored>, count: usize) -> (Vec<Scored>, Vec<Scored>) {
    let mut rest = Vec::new();
    let first = picked(scored, count, |other| rest.push(other));
    (first, rest)
}

/// Room for so many beside the best, at least, so that they are looked through seldom.
const LEAST_ROOM: usize = 64;

/// The best `count`, best first; the others are handed on as they fall behind.
fn picked(scored: Vec<Scored>, count: usize, mut others: impl FnMut(Scored)) -> Vec<Scored> {
    let room = count.saturating_add(count.max(LEAST_ROOM));
    let mut picked = Vec::with_capacity(scored.len().min(room.saturating_add(1)));
    // Most are worse than so many others already, and that is all there is to find out about them.
    let mut least = 0;
    for candidate in scored {
        if worth(&candidate) < least {
            others(candidate);
            continue;
        }
        picked.push(candidate);
        if picked.len() > room {
            picked.select_nth_unstable_by(count, better);
            least = worth(&picked[count]);
            picked.drain(count..).for_each(&mut others);
        }
    }
    picked.sort_unstable_by(better);
    picked.drain(count.min(picked.len())..).for_each(others);
    picked
}

/// The first in the ranker's order, by a row of features each; the rest keep their order behind them.
pub(super) fn reordered(
    mut first: Vec<Scored>,
    rest: Vec<Scored>,
    ranker: &Forest,
    features: &[f32],
) -> Vec<Scored> {
    let Some(&(_, last)) = first.last() else { return rest };
    let mut scores = vec![0.0; first.len()];
    ranker.score_all(features, &mut scores);
    first.iter_mut().zip(&scores).for_each(|((_, score), ranked)| *score = *ranked);
    let lowest = scores.iter().copied().fold(f32::INFINITY, f32::min);
    let behind = |score: f32| lowest - 2.0 + score / last.max(f32::MIN_POSITIVE);
    first.extend(rest.into_iter().map(|(item, score)| (item, behind(score))));
    first
}

/// The better of two comes first; ties fall to the lower id.
pub(super) fn better(a: &Scored, b: &Scored) -> std::cmp::Ordering {
    worth(b).cmp(&worth(a))
}

/// The larger the better, as one number: comparing numbers takes no branch, which sorting is all about.
fn worth(&(item, score): &Scored) -> u64 {
    let bits = score.to_bits();
    // In the order of `f32::total_cmp`: what is negative turned around, and below what isn't.
    let ordered = if bits >> 31 == 1 { !bits } else { bits | 1 << 31 };
    u64::from(ordered) << 32 | u64::from(!(item.index() as u32))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scored(scores: &[f32]) -> Vec<Scored> {
        scores.iter().enumerate().map(|(i, &score)| (ItemId::new(i), score)).collect()
    }

    fn places(ranked: &[Scored]) -> Vec<usize> {
        ranked.iter().map(|(item, _)| item.index()).collect()
    }

    #[test]
    fn the_best_come_first_and_ties_fall_to_the_lower_id() {
        let ranked = best(scored(&[0.1, 0.5, 0.5, 0.9, 0.2]), 3);
        assert_eq!(places(&ranked), [3, 1, 2]);
        assert!(best(scored(&[0.1]), 0).is_empty());
    }

    #[test]
    fn the_first_and_the_rest_are_those_of_a_whole_sort() {
        for (candidates, count) in [(0, 3), (7, 0), (7, 7), (7, 9), (500, 1), (500, 20), (500, 249)]
        {
            // Without order, and many alike.
            let scores: Vec<f32> =
                (0..candidates).map(|n| (n * n * 7 % 41) as f32 - 20.0).collect();
            let mut sorted = scored(&scores);
            sorted.sort_by(better);
            let (first, mut rest) = parted(scored(&scores), count);
            let (best_first, behind) = sorted.split_at(count.min(candidates));
            assert_eq!(first, best_first);
            assert_eq!(best(scored(&scores), count), best_first);
            rest.sort_by(better);
            assert_eq!(rest, behind);
        }
        assert_eq!(best(scored(&[0.1, 0.2]), usize::MAX).len(), 2);
    }

    #[test]
    fn scores_are_in_the_order_of_all_numbers() {
        let scores = [f32::INFINITY, 2.0, 1e-40, 0.0, -0.0, -1e-40, -0.5, -7.0, f32::NEG_INFINITY];
        assert_eq!(places(&best(scored(&scores), 9)), (0..9).collect::<Vec<_>>());
        let upside_down: Vec<f32> = scores.iter().rev().copied().collect();
        assert_eq!(places(&best(scored(&upside_down), 9)), (0..9).rev().collect::<Vec<_>>());
    }

    #[test]
    fn one_in_ten_is_new_to_the_customer_even_if_all_old_ones_score_higher() {
        let scores: Vec<f32> = (0..30).map(|i| 30.0 - i as f32).collect();
        let side = |item: ItemId| if item.index() < 20 { Side::One } else { Side::Other };
        let ranked = best_of_both(scored(&scores), 10, 1, side);
        assert_eq!(places(&ranked), [0, 1, 2, 3, 4, 5, 6, 7, 8, 20]);
        let only_old = best_of_both(scored(&scores), 10, 1, |_| Side::One);
        assert_eq!(places(&only_old), (0..10).collect::<Vec<_>>());
    }

    #[test]
    fn a_list_of_one_has_no_room_for_both_kinds() {
        let side = |item: ItemId| if item.index() == 0 { Side::One } else { Side::Other };
        let ranked = best_of_both(scored(&[2.0, 1.0]), 1, 1, side);
        assert_eq!(places(&ranked), [0]);
    }
}
