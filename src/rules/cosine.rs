//! Items by the groups they share and nothing else: the plainest neighbours, and the count's own pace.

use std::sync::Mutex;

use rayon::prelude::*;

use super::pairs::Pairs;
use super::row::Row;
use super::shortlist::{Place, Shortlist, Shortlists};
use crate::ids::ItemId;
use crate::lists::Lists;

const RANKS_PER_TASK: usize = 64;
/// An item in so many groups for each place of its list has far more candidates than places.
const HEAD_GROUPS_PER_PLACE: usize = 4;

/// An item that shares groups with another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shared {
    /// The other item.
    pub item: ItemId,
    /// n_ab ÷ √(n_a n_b); above 0, at most 1.
    pub cosine: f32,
}

/// Per item the `most` others with the highest cosine, highest first, then by id.
///
/// Groups are ascending and distinct. The same on any number of threads.
pub fn cosines(groups: &Lists<ItemId>, item_count: usize, most: usize) -> Lists<Shared> {
    let order: Vec<u32> = (0..groups.len()).map(|group| group as u32).collect();
    let pairs = Pairs::new(groups, item_count, &order, HEAD_GROUPS_PER_PLACE * most);
    drop(order);
    let ranks = pairs.len();
    let sides = (0..ranks).map(|rank| Side::new(&pairs, rank)).collect();
    let pass = Pass { pairs, sides, best: Shortlists::new(ranks, most), most };
    let scratches = Mutex::new(Vec::new());
    (0..ranks.div_ceil(RANKS_PER_TASK)).into_par_iter().with_max_len(1).for_each(|task| {
        let taken = scratches.lock().expect("no task panics").pop();
        let (mut row, mut own) = taken.unwrap_or_else(|| (Row::new(ranks), Shortlist::new()));
        let first = task * RANKS_PER_TASK;
        for source in first..(first + RANKS_PER_TASK).min(ranks) {
            pass.offer_pairs_of(source, &mut row, &mut own);
        }
        scratches.lock().expect("no task panics").push((row, own));
    });
    let Pass { pairs, best, .. } = pass;
    let places = pairs.places();
    drop(pairs);
    drop(scratches);
    let shared = |(place, ()): (Place, ())| Shared { item: place.item(), cosine: place.score() };
    best.into_lists(&places, |kept| kept.into_iter().map(shared))
}

/// What the scores of an item's pairs need of it.
#[derive(Clone, Copy)]
struct Side {
    item: ItemId,
    /// 1 ÷ √n_a.
    weight: f32,
}

impl Side {
    fn new(pairs: &Pairs, rank: usize) -> Self {
        let groups = pairs.groups_of(rank).len().max(1);
        Self { item: pairs.item(rank), weight: (1.0 / (groups as f64).sqrt()) as f32 }
    }
}

struct Pass {
    pairs: Pairs,
    /// Per rank.
    sides: Vec<Side>,
    best: Shortlists<()>,
    most: usize,
}

impl Pass {
    fn offer_pairs_of(&self, source: usize, row: &mut Row<u32>, own: &mut Shortlist<()>) {
        let Self { pairs, sides, best, most } = self;
        let groups = pairs.groups_of(source);
        row.begin(pairs.bound(source), groups.len());
        groups.iter().for_each(|&group| row.add(pairs.group(group), 1));
        let a = sides[source];
        own.begin();
        row.drain(|rank, together| {
            let b = sides[rank];
            let cosine = (together as f32 * (a.weight * b.weight)).min(1.0);
            if rank != source {
                own.offer(Place::new(cosine, b.item), (), *most);
                let place = Place::new(cosine, a.item);
                if pairs.is_head(rank) && best.may_want(rank, place) {
                    best.offer(rank, place, ());
                }
            }
        });
        best.offer_all(source, own);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::Groups;

    /// Groups of a few of many items, the first ones in most of them.
    fn made_up() -> Groups {
        let mut random = fastrand::Rng::with_seed(11);
        Groups::new((0..400).map(|_| {
            let row = (0..random.usize(0..9))
                .map(|_| ItemId::new((random.f64().powi(3) * 60.0) as usize));
            (None, row.collect())
        }))
    }

    #[test]
    fn cosines_equal_a_plain_loop_over_all_pairs() {
        let groups = made_up();
        let lists = cosines(groups.items(), 70, 7);
        assert_eq!(lists.len(), 70);
        for a in (0..70).map(ItemId::new) {
            let count = |of: &[ItemId]| {
                let holds = |row: &&[ItemId]| of.iter().all(|item| row.contains(item));
                groups.items().rows().filter(holds).count() as f64
            };
            let mut all: Vec<(f64, ItemId)> = (0..70)
                .map(ItemId::new)
                .filter(|&b| b != a && count(&[a, b]) > 0.0)
                .map(|b| (count(&[a, b]) / (count(&[a]) * count(&[b])).sqrt(), b))
                .collect();
            all.sort_by(|x, y| y.0.total_cmp(&x.0).then(x.1.cmp(&y.1)));
            all.truncate(7);
            assert_eq!(lists.row(a.index()).len(), all.len());
            for (found, (cosine, _)) in lists.row(a.index()).iter().zip(all) {
                assert!(
                    (f64::from(found.cosine) - cosine).abs() < 1e-6,
                    "{a:?}: {found:?} {cosine}"
                );
            }
        }
    }

    #[test]
    fn threads_change_no_bit() {
        let on = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| cosines(made_up().items(), 60, 5))
        };
        assert_eq!(on(1), on(4));
        assert!(cosines(&Lists::new(), 0, 5).is_empty());
        assert!(cosines(made_up().items(), 60, 0).entries().is_empty());
    }
}
