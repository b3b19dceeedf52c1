//! Pulls between items, from the inverse of all that goes together: EASE.
//!
//! Where a count says that B goes with A, EASE says how much of it A *explains* beside all other items,
//! so that what everyone buys pulls nobody. It is dense: it covers the head of the catalogue only.
//!
//! Sources: Steck 2019, "Embarrassingly shallow autoencoders for sparse data", eq. 8; and, for what drops out,
//! Steck 2020, "Autoencoders that don't overfit towards the identity".

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::Interactions;
use super::interactions::says_something;
use super::tiles::Tiles;
use crate::ids::ItemId;
use crate::lists::Lists;

/// How EASE is learnt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EaseOptions {
    /// Added to the diagonal (λ), in rows of usual weight: against chance; > 0. Raised by itself where
    /// f32 cannot carry it.
    pub regularization: f32,
    /// Pulls are those that foretell an item best where each other item of a row is left out with this chance, 0 to
    /// below 1: what many of its items say together counts, and not what one says alone. Raises each item's own λ by
    /// its sum of squares times p ÷ (1 − p).
    pub dropout: f32,
    /// A row of n items weighs n to the power of −`size`, 0 to 2; 0 = all weigh the same.
    pub size: f32,
    /// How many items take part, at most: those in most rows. Time grows with its third power, memory
    /// (4 bytes times its square) with its second.
    pub head: usize,
    /// Pulls kept per item, at most.
    pub per_item: usize,
}

impl Default for EaseOptions {
    fn default() -> Self {
        Self { regularization: 200.0, dropout: 0.0, size: 0.0, head: 8_000, per_item: 200 }
    }
}

/// How much having one item speaks for having another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pull {
    /// What is spoken for.
    pub item: ItemId,
    /// B_ij, > 0: a row's score of item j is Σ x_i B_ij over its items i, with their weights x_i.
    pub weight: f32,
}

impl From<&Pull> for (ItemId, f32) {
    fn from(pull: &Pull) -> Self {
        (pull.item, pull.weight)
    }
}

/// Tiles of this side: their product fits the cache, and few of them leave no thread idle.
const SIDE: usize = 256;

/// P = (XᵀX + Λ)⁻¹ over the head of the catalogue, with the weights of the rows as X.
#[derive(Debug)]
pub struct Ease {
    pub(super) items: usize, // those beyond the head too
    pub(super) head: Vec<u32>,
    pub(super) inverse: Option<Tiles>,
}

impl Ease {
    /// Learns from `rows`; for rows that count less the larger they are, see [`Interactions::of_sets`]. Memory: twice
    /// 4 bytes times the head's square while it learns.
    pub fn learn(rows: &Interactions, options: &EaseOptions) -> Self {
        Self::in_tiles(rows, options, SIDE)
    }

    /// Learns from sets of items: baskets, or all that each customer bought. λ is taken times the mean
    /// weight of the rows, so that it means the same whatever their sizes. Where most items are in one set only, these
    /// take no part: what that says is told by counting, and they would take most of the time.
    pub fn of_sets(sets: &Lists<ItemId>, items: usize, options: &EaseOptions) -> Self {
        let mut met = vec![0u32; items];
        sets.rows().flatten().for_each(|item| met[item.index()] += 1);
        let in_more_than = |sets: u32| met.iter().filter(|&&count| count > sets).count();
        let (met, again) = (in_more_than(0), in_more_than(1));
        let head = if 2 * again < met { options.head.min(again) } else { options.head };
        let rows = Interactions::of_sets(sets, items, options.size);
        let weight = |row: usize| rows.row(row).next().map_or(0.0, |(_, x)| f64::from(x * x));
        let mean = (0..rows.len()).map(weight).sum::<f64>() / rows.len().max(1) as f64;
        let regularization = options.regularization * mean as f32;
        Self::learn(&rows, &EaseOptions { regularization, head, ..options.clone() })
    }

    pub(super) fn in_tiles(rows: &Interactions, options: &EaseOptions, side: usize) -> Self {
        let by_item = rows.by_item();
        let head = head(&by_item, options.head);
        let side = side.min(head.len()).max(1);
        let inverse = regularized_inverse(rows, &by_item, &head, options, side);
        Self { items: rows.items(), head, inverse }
    }

    /// Per item its strongest pulls B_ij = −P_ij ÷ P_jj above 0, at most `per_item`, best first, then by id;
    /// empty beyond the head.
    pub fn pulls(&self, per_item: usize) -> Lists<Pull> {
        let mut pulls = vec![Vec::new(); self.items];
        if let Some(inverse) = &self.inverse {
            let of_head = strongest(inverse, &self.head, per_item);
            let items = self.head.iter().zip(of_head);
            items.for_each(|(&item, of_item)| pulls[item as usize] = of_item);
        }
        pulls.into_iter().collect()
    }
}

/// The `limit` items in most rows, those first, then by id; items in no row are left out.
fn head(by_item: &Lists<(u32, f32)>, limit: usize) -> Vec<u32> {
    let rows_of = |item: u32| by_item.row(item as usize).len();
    let mut head: Vec<u32> = (0..by_item.len() as u32).filter(|&item| rows_of(item) > 0).collect();
    head.sort_by_key(|&item| (std::cmp::Reverse(rows_of(item)), item));
    head.truncate(limit);
    head
}

/// (XᵀX + Λ)⁻¹ over the head, with λ raised tenfold until the inverse can be computed.
fn regularized_inverse(
    rows: &Interactions,
    by_item: &Lists<(u32, f32)>,
    head: &[u32],
    options: &EaseOptions,
    side: usize,
) -> Option<Tiles> {
    let weight = |&item: &u32| by_item.row(item as usize).iter().map(|(_, x)| x * x).sum::<f32>();
    let largest = head.iter().map(weight).fold(0.0, f32::max);
    // Below this λ drowns in the rounding of the sums it is added to.
    let mut ridge = options.regularization.max(largest * f32::EPSILON).max(f32::MIN_POSITIVE);
    let ranked = ranked(rows, head);
    // As if each item stood in so many more rows, alone: 1 + p ÷ (1 − p).
    let own = (1.0 - options.dropout).recip();
    while ridge.is_finite() {
        if let Some(inverse) = gram(&ranked, by_item, head, (own, ridge), side).inverse() {
            return Some(inverse);
        }
        tracing::debug!(ridge, "EASE cannot invert with so little regularization, takes more");
        ridge *= 10.0;
    }
    None
}

/// Each row's items of the head by rank, ascending, with their weights.
fn ranked(rows: &Interactions, head: &[u32]) -> Lists<(u32, f32)> {
    let mut rank = vec![u32::MAX; rows.items()];
    head.iter().zip(0..).for_each(|(&item, place)| rank[item as usize] = place);
    let mut row = Vec::new();
    let mut lists = Lists::with_capacity(rows.len(), rows.pairs());
    for items in rows.by_row().rows() {
        row.clear();
        row.extend(items.iter().map(|&(item, x)| (rank[item as usize], x)));
        row.retain(|&(rank, _)| rank != u32::MAX);
        row.sort_unstable_by_key(|&(rank, _)| rank);
        lists.push(row.iter().copied());
    }
    lists
}

/// XᵀX with its diagonal times `own` plus `ridge`, in tiles, nothing above the diagonal; what the last tiles have
/// beyond the head is the unit matrix.
///
/// A sum runs over an item's rows in their order: the same on any number of threads.
fn gram(
    ranked: &Lists<(u32, f32)>,
    by_item: &Lists<(u32, f32)>,
    head: &[u32],
    (own, ridge): (f32, f32),
    side: usize,
) -> Tiles {
    let row_of_tiles = |i: usize| {
        let mut tiles = vec![vec![0.0f32; side * side]; i + 1];
        let mut sums = vec![0.0f32; (i + 1) * side];
        for row in 0..side {
            let rank = i * side + row;
            let Some(&item) = head.get(rank) else {
                tiles[i][row * side + row] = 1.0;
                continue;
            };
            sums.fill(0.0);
            for &(of, x) in by_item.row(item as usize) {
                let others = ranked.row(of as usize).iter();
                for &(other, y) in others.take_while(|(other, _)| *other as usize <= rank) {
                    sums[other as usize] += x * y;
                }
            }
            sums[rank] = own * sums[rank] + ridge;
            for (tile, sums) in tiles.iter_mut().zip(sums.chunks_exact(side)) {
                tile[row * side..(row + 1) * side].copy_from_slice(sums);
            }
        }
        tiles
    };
    let count = head.len().div_ceil(side);
    let rows = (0..count).into_par_iter().with_max_len(1).map(row_of_tiles).collect();
    Tiles::from_rows(side, rows)
}

/// For each of the head its pulls, from P.
fn strongest(inverse: &Tiles, head: &[u32], per_item: usize) -> Vec<Vec<Pull>> {
    let (n, side) = (head.len(), inverse.side());
    let diagonal = diagonal(inverse, n);
    let count = n.div_ceil(side);
    let width = count * side;
    let of_tiles = |i: usize| {
        let mut rows = vec![0.0f32; side * width];
        whole_rows(inverse, i, &mut rows);
        let ranks = i * side..n.min((i + 1) * side);
        let of_rank = |rank: usize| {
            let row = rows[rank % side * width..].iter().zip(&diagonal).zip(head).enumerate();
            let others = row.filter(|(other, _)| *other != rank);
            let pulls = others.map(|(_, ((p, own), &item))| Pull {
                item: ItemId::new(item as usize),
                weight: -p / own,
            });
            best(pulls, per_item)
        };
        ranks.map(of_rank).collect::<Vec<_>>()
    };
    (0..count).into_par_iter().with_max_len(1).flat_map_iter(of_tiles).collect()
}

/// P_jj of the first `n`.
pub(super) fn diagonal(inverse: &Tiles, n: usize) -> Vec<f32> {
    let side = inverse.side();
    (0..n).map(|j| inverse.tile(j / side, j / side)[j % side * (side + 1)]).collect()
}

/// The rows of P that the tiles `i` hold, each in one piece: `side` rows, one after the other.
pub(super) fn whole_rows(inverse: &Tiles, i: usize, rows: &mut [f32]) {
    let side = inverse.side();
    let width = rows.len() / side;
    for j in 0..width / side {
        for (row, out) in rows.chunks_exact_mut(width).enumerate() {
            let out = &mut out[j * side..(j + 1) * side];
            if j <= i {
                out.copy_from_slice(&inverse.tile(i, j)[row * side..(row + 1) * side]);
            } else {
                let turned = inverse.tile(j, i)[row..].iter().step_by(side);
                out.iter_mut().zip(turned).for_each(|(out, x)| *out = *x);
            }
        }
    }
}

/// The strongest `limit` of those that say something, in order.
pub(super) fn best(pulls: impl Iterator<Item = Pull>, limit: usize) -> Vec<Pull> {
    let order =
        |a: &Pull, b: &Pull| b.weight.total_cmp(&a.weight).then_with(|| a.item.cmp(&b.item));
    let mut kept: Vec<Pull> = Vec::new();
    // As soon as there are twice as many, the weaker half goes, and with it all that is weaker still.
    let (most, mut least) = (limit.saturating_mul(2), 0.0);
    for pull in pulls {
        if pull.weight >= least && says_something(pull.weight) {
            kept.push(pull);
            if kept.len() == most {
                let (_, weakest, _) = kept.select_nth_unstable_by(limit - 1, order);
                least = weakest.weight;
                kept.truncate(limit);
            }
        }
    }
    kept.sort_unstable_by(order);
    kept.truncate(limit);
    kept
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sets(rows: &[Vec<usize>], items: usize, size: f32) -> Interactions {
        let lists: Lists<ItemId> =
            rows.iter().map(|row| row.iter().map(|&i| ItemId::new(i))).collect();
        Interactions::of_sets(&lists, items, size)
    }

    #[test]
    fn what_is_in_one_set_only_takes_part_unless_most_items_are_such() {
        let pulls = |single: usize| {
            // Items 0 to 3 come again and again, each of the others once, beside item 0.
            let again = (0..8).map(|row| vec![row % 4, (row + 1) % 4]);
            let rows: Vec<Vec<usize>> = again.chain((0..single).map(|n| vec![0, 4 + n])).collect();
            let lists: Lists<ItemId> =
                rows.iter().map(|row| row.iter().map(|&i| ItemId::new(i))).collect();
            Ease::of_sets(&lists, 4 + single, &EaseOptions::default()).pulls(5)
        };
        assert!(!pulls(3).row(4).is_empty());
        let sparse = pulls(9);
        assert!(sparse.row(4).is_empty() && !sparse.row(1).is_empty());
    }

    /// B from the formula.
    fn by_elimination(rows: &Interactions, ridge: f64) -> Vec<Vec<f64>> {
        let n = rows.items();
        let mut gram = vec![vec![0.0f64; n]; n];
        for row in 0..rows.len() {
            for (i, x) in rows.row(row) {
                for (j, y) in rows.row(row) {
                    gram[i.index()][j.index()] += f64::from(x) * f64::from(y);
                }
            }
        }
        of_gram(gram, ridge)
    }

    fn of_gram(gram: Vec<Vec<f64>>, ridge: f64) -> Vec<Vec<f64>> {
        let n = gram.len();
        let p = inverse(gram, ridge);
        let b = |i: usize, j: usize| if i == j { 0.0 } else { -p[i][j] / p[j][j] };
        (0..n).map(|i| (0..n).map(|j| b(i, j)).collect()).collect()
    }

    /// (A + λI)⁻¹ by Gauss–Jordan.
    pub(in crate::embed) fn inverse(mut a: Vec<Vec<f64>>, ridge: f64) -> Vec<Vec<f64>> {
        let n = a.len();
        for (i, row) in a.iter_mut().enumerate() {
            row[i] += ridge;
            row.resize(2 * n, 0.0);
            row[n + i] = 1.0;
        }
        for i in 0..n {
            let pivot = a[i][i];
            a[i].iter_mut().for_each(|x| *x /= pivot);
            let done = a[i].clone();
            for (k, row) in a.iter_mut().enumerate() {
                let factor = row[i];
                if k != i {
                    row.iter_mut().zip(&done).for_each(|(x, y)| *x -= factor * y);
                }
            }
        }
        a.into_iter().map(|mut row| row.split_off(n)).collect()
    }

    fn options(regularization: f32, head: usize) -> EaseOptions {
        EaseOptions { regularization, head, per_item: 200, ..EaseOptions::default() }
    }

    fn ease(rows: &Interactions, options: &EaseOptions) -> Lists<Pull> {
        Ease::learn(rows, options).pulls(options.per_item)
    }

    /// Whether each pull is B_ij, or none where that is below 0.
    fn are(pulls: &Lists<Pull>, exact: &[Vec<f64>]) -> bool {
        let is_near = |(row, exact): (&[Pull], &Vec<f64>)| {
            let mut off: Vec<f64> = exact.iter().map(|b| b.max(0.0)).collect();
            row.iter().for_each(|pull| off[pull.item.index()] -= f64::from(pull.weight));
            off.iter().all(|off| off.abs() < 1e-4)
        };
        pulls.len() == exact.len() && pulls.rows().zip(exact).all(is_near)
    }

    proptest! {
        #[test]
        fn the_best_are_those_that_sorting_all_would_give(
            tenths in prop::collection::vec(-1i8..4, 0..60),
            limit in 0usize..8,
            turn in 0usize..60,
        ) {
            let pull = |(item, tenths)| {
                let weight = if tenths == 3 { f32::NAN } else { 0.1 * f32::from(tenths) };
                Pull { item: ItemId::new(item), weight }
            };
            let mut pulls: Vec<Pull> = (0..).zip(tenths).map(pull).collect();
            let turn = turn.min(pulls.len());
            pulls.rotate_left(turn);
            let found = best(pulls.iter().copied(), limit);
            pulls.retain(|pull| pull.weight > 0.0);
            pulls.sort_by(|a, b| b.weight.total_cmp(&a.weight).then(a.item.cmp(&b.item)));
            pulls.truncate(limit);
            prop_assert_eq!(found, pulls);
        }

        #[test]
        fn pulls_equal_the_formula(
            rows in prop::collection::vec(prop::collection::vec(0usize..13, 0..7), 0..30),
            ridge in 0.5f32..20.0,
            size in 0.0f32..1.5,
            side in 1usize..8,
        ) {
            let rows = sets(&rows, 13, size);
            let exact = by_elimination(&rows, f64::from(ridge));
            let pulls = Ease::in_tiles(&rows, &options(ridge, 100), side).pulls(200);
            prop_assert!(pulls.rows().all(|row| row.is_sorted_by(|a, b| a.weight >= b.weight)));
            prop_assert!(are(&pulls, &exact), "{:?} {:?}", pulls, exact);
        }

        #[test]
        fn dropout_is_what_leaving_items_out_at_random_comes_to(
            rows in prop::collection::vec(prop::collection::vec(0usize..6, 0..5), 0..20),
            ridge in 0.5f32..20.0,
        ) {
            let whole = sets(&rows, 6, 0.0);
            // Of each row every part, each as likely as any other: two items are both there in a quarter of them, one
            // in half. Times four: XᵀX with twice its diagonal.
            let mut gram = vec![vec![0.0f64; 6]; 6];
            for row in 0..whole.len() {
                let items: Vec<usize> = whole.row(row).map(|(item, _)| item.index()).collect();
                let parts = 1usize << items.len();
                for part in 0..parts {
                    let stays = |place: &usize| part >> place & 1 == 1;
                    for i in (0..items.len()).filter(stays) {
                        for j in (0..items.len()).filter(stays) {
                            gram[items[i]][items[j]] += 4.0 / parts as f64;
                        }
                    }
                }
            }
            let exact = of_gram(gram, f64::from(ridge));
            let pulls = ease(&whole, &EaseOptions { dropout: 0.5, ..options(ridge, 100) });
            prop_assert!(are(&pulls, &exact), "{:?} {:?}", pulls, exact);
        }

        #[test]
        fn nothing_makes_it_panic_or_leave_the_numbers(
            rows in prop::collection::vec(prop::collection::vec(0usize..9, 0..9), 0..9),
            ridge in prop::sample::select(vec![
                0.0, -1.0, 1e-30, 1e-9, 1.0, 1e30, f32::INFINITY, f32::NAN,
            ]),
            dropout in prop::sample::select(vec![0.0, -1.0, 0.5, 0.999, 1.0, 2.0, f32::NAN]),
            copies in 1usize..200,
            head in 0usize..10,
            per_item in 0usize..4,
        ) {
            let rows = vec![rows; copies].concat();
            let options = EaseOptions { dropout, per_item, ..options(ridge, head) };
            let pulls = Ease::in_tiles(&sets(&rows, 9, 0.0), &options, 4).pulls(per_item);
            prop_assert!(pulls.entries().iter().all(|p| p.weight.is_finite() && p.weight > 0.0));
            prop_assert!(pulls.rows().all(|row| row.len() <= per_item.min(head.saturating_sub(1))));
        }
    }

    #[test]
    fn only_the_head_pulls_and_is_pulled() {
        let rows = [vec![0, 1, 4], vec![1, 4], vec![4, 1, 2], vec![2, 3], vec![0, 3]];
        let pulls = ease(&sets(&rows, 6, 0.0), &options(0.5, 3));
        let pulled = pulls.rows().map(|row| {
            let mut items: Vec<usize> = row.iter().map(|pull| pull.item.index()).collect();
            items.sort_unstable();
            items
        });
        // Of 0, 2 and 3, in two rows each, the head takes 0.
        let expected = [vec![1, 4], vec![0, 4], vec![], vec![], vec![0, 1], vec![]];
        assert_eq!(pulled.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn no_rows_and_one_item_give_no_pulls() {
        assert_eq!(ease(&sets(&[], 0, 0.0), &EaseOptions::default()).len(), 0);
        let alone = ease(&sets(&[vec![0], vec![0]], 1, 0.0), &EaseOptions::default());
        assert_eq!((alone.len(), alone.entries().len()), (1, 0));
    }

    #[test]
    fn any_number_of_threads_gives_the_same_pulls() {
        let mut random = fastrand::Rng::with_seed(11);
        let mut pick = |_| (0..random.usize(1..12)).map(|_| random.usize(0..90)).collect();
        let rows: Vec<Vec<usize>> = (0..400).map(&mut pick).collect();
        let rows = sets(&rows, 90, 0.5);
        let on = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
            pool.expect("threads")
                .install(|| Ease::in_tiles(&rows, &options(2.0, 80), 16).pulls(200))
        };
        let alone = on(1);
        assert!(alone.entries().len() > 1000);
        assert_eq!(alone, on(2));
        assert_eq!(alone, on(5));
    }
}
