//! Neighbours: for each item those whose vectors point the same way.
//!
//! Few vectors are compared all with all, in blocks that a processor's caches hold; many go through
//! hnsw_rs, which only this file knows. It aborts on NaN and on more than 256 links, so vectors are
//! checked and links bounded before it sees them.

use hnsw_rs::anndists::dist::distances::Distance;
use hnsw_rs::hnsw::Hnsw;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::dense::{Vectors, dot, products};
use super::unit::UnitVectors;
use crate::ids::ItemId;
use crate::lists::Lists;

/// An item close to another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Neighbour {
    /// The other item.
    pub item: ItemId,
    /// Cosine of the angle between the two; above 0, at most 1.
    pub cosine: f32,
}

impl From<&Neighbour> for (ItemId, f32) {
    fn from(near: &Neighbour) -> Self {
        (near.item, near.cosine)
    }
}

/// How neighbours are found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NeighbourOptions {
    /// Up to this many vectors, all are compared with all. Its cost grows with the square, the graph's nearly in line:
    /// on two cores and with a supermarket's 64-dimensional vectors the graph took 71 times as long for 16,307 of them,
    /// 39 for 32,614 and 23 for all 65,228, which makes the two meet near two million; but by then both take an hour
    /// and more.
    pub exact_up_to: usize,
    /// Links per vector in the graph; 2 to 256.
    pub links: usize,
    /// Candidates looked at while building the graph; ≥ `links`.
    pub build_width: usize,
    /// Candidates looked at while searching, more where more neighbours are asked for.
    pub search_width: usize,
}

impl Default for NeighbourOptions {
    fn default() -> Self {
        Self { exact_up_to: 800_000, links: 24, build_width: 200, search_width: 128 }
    }
}

/// Per vector its `k` nearest others with cosine > 0, nearest first, then by id.
///
/// A vector that is zero or holds anything but finite numbers has no neighbours and is nobody's. Up to
/// `exact_up_to` vectors the answer is exact and the same on any number of threads; beyond, the graph
/// is built by all threads at once, and may differ a little from run to run.
pub fn neighbours(vectors: &Vectors, k: usize, options: &NeighbourOptions) -> Lists<Neighbour> {
    let points = Points::of(vectors, |_| true);
    let found = points.nearest_to(&points, k, options);
    points.spread(vectors.len(), found)
}

/// The same for the items that are `sought`; the lists of all others are empty.
pub fn neighbours_of(
    vectors: &Vectors,
    sought: impl Fn(ItemId) -> bool,
    k: usize,
    options: &NeighbourOptions,
) -> Lists<Neighbour> {
    let queries = Points::of(vectors, sought);
    let found = Points::of(vectors, |_| true).nearest_to(&queries, k, options);
    queries.spread(vectors.len(), found)
}

/// Per item `of` its `k` nearest `among` others, as [`neighbours`] would find them there; both ascend, and
/// whoever has no vector has no neighbours and is nobody's.
pub fn neighbours_among(
    vectors: &UnitVectors,
    of: &[ItemId],
    among: &[ItemId],
    k: usize,
    options: &NeighbourOptions,
) -> Lists<Neighbour> {
    let points = |ids: &[ItemId]| {
        let mut points = Points::new(vectors.dim());
        for &id in ids {
            if let Some(vector) = vectors.of(id) {
                points.push(id, &vector);
            }
        }
        points
    };
    let (queries, others) = (points(of), points(among));
    let found = others.nearest_to(&queries, k, options);
    let mut found = queries.ids.into_iter().zip(found).peekable();
    let list = |id: &ItemId| found.next_if(|(own, _)| own == id).map_or_else(Vec::new, |f| f.1);
    of.iter().map(list).collect()
}

/// Share of the `k` nearest that `approximate` found, over all rows of `exact`; 1 if there is nothing
/// to find.
///
/// Found is what is as near as the last of the exact list, whichever it is: items that one customer
/// alone bought all point the same way, and any of them is as good. Source: Aumüller, Bernhardsson &
/// Faithfull 2020, "ANN-Benchmarks".
pub fn recall(approximate: &Lists<Neighbour>, exact: &Lists<Neighbour>, k: usize) -> f64 {
    const ROUNDING: f32 = 1e-5;
    let (mut found, mut all) = (0usize, 0usize);
    for (row, truth) in exact.rows().enumerate() {
        let truth = &truth[..truth.len().min(k)];
        if let Some(last) = truth.last() {
            let near = |answer: &&Neighbour| answer.cosine >= last.cosine - ROUNDING;
            found += approximate.row(row).iter().take(truth.len()).filter(near).count();
            all += truth.len();
        }
    }
    if all == 0 { 1.0 } else { found as f64 / all as f64 }
}

/// The vectors that can be compared, at length 1.
pub(super) struct Points {
    pub(super) dim: usize,
    /// Ascending.
    pub(super) ids: Vec<ItemId>,
    data: Vec<f32>,
}

impl Points {
    /// None yet.
    pub(super) fn new(dim: usize) -> Self {
        Self { dim, ids: Vec::new(), data: Vec::new() }
    }

    /// Adds the vector of an item, `dim` floats of length 1; ids ascend.
    pub(super) fn push(&mut self, id: ItemId, vector: &[f32]) {
        debug_assert!(vector.len() == self.dim && self.ids.last().is_none_or(|last| *last < id));
        self.ids.push(id);
        self.data.extend_from_slice(vector);
    }

    fn of(vectors: &Vectors, wanted: impl Fn(ItemId) -> bool) -> Self {
        let mut points = Self::new(vectors.dim());
        for id in (0..vectors.len()).map(ItemId::new).filter(|&id| wanted(id)) {
            if let Some(unit) = unit(vectors.row(id.index())) {
                points.push(id, &unit);
            }
        }
        points
    }

    pub(super) fn row(&self, place: usize) -> &[f32] {
        &self.data[place * self.dim..(place + 1) * self.dim]
    }

    /// Per query its `k` nearest points, itself left out: exact unless that takes more comparisons than
    /// comparing `exact_up_to` vectors with each other.
    fn nearest_to(
        &self,
        queries: &Points,
        k: usize,
        options: &NeighbourOptions,
    ) -> Vec<Vec<Neighbour>> {
        if queries.ids.len() as f64 * self.ids.len() as f64 <= (options.exact_up_to as f64).powi(2)
        {
            return closest(queries, self, k);
        }
        let graph = Graph::build(self, options);
        let nearest = |place: usize| {
            let mut found = graph.search(self, queries.row(place), k + 1, options);
            found.retain(|neighbour| neighbour.item != queries.ids[place]);
            found.truncate(k);
            found
        };
        (0..queries.ids.len()).into_par_iter().map(nearest).collect()
    }

    /// One list per vector from one list per point.
    fn spread(&self, vectors: usize, found: Vec<Vec<Neighbour>>) -> Lists<Neighbour> {
        let mut lists = Lists::with_capacity(vectors, found.iter().map(Vec::len).sum());
        for (id, list) in self.ids.iter().zip(found) {
            while lists.len() < id.index() {
                lists.push([]);
            }
            lists.push(list);
        }
        while lists.len() < vectors {
            lists.push([]);
        }
        lists
    }
}

/// The vector at length 1, unless it has no direction.
pub(super) fn unit(vector: &[f32]) -> Option<Vec<f32>> {
    let length = vector.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
    let usable = length.is_finite() && length > 1e-30;
    usable.then(|| vector.iter().map(|x| (f64::from(*x) / length) as f32).collect())
}

/// The best `k` of what is offered in order of id.
pub(super) struct Nearest {
    k: usize,
    floor: f32,
    kept: Vec<Neighbour>,
}

impl Nearest {
    pub(super) fn new(k: usize) -> Self {
        let floor = if k == 0 { f32::INFINITY } else { 0.0 };
        Self { k, floor, kept: Vec::with_capacity(2 * k) }
    }

    /// An equal cosine doesn't displace: what came before has the smaller id.
    #[inline]
    pub(super) fn offer(&mut self, item: ItemId, cosine: f32) {
        if cosine > self.floor {
            self.kept.push(Neighbour { item, cosine: cosine.min(1.0) });
            if self.kept.len() >= 2 * self.k {
                self.cut();
            }
        }
    }

    fn cut(&mut self) {
        if self.kept.len() > self.k {
            let (_, worst, _) = self.kept.select_nth_unstable_by(self.k - 1, nearest_first);
            self.floor = worst.cosine;
            self.kept.truncate(self.k);
        }
    }

    pub(super) fn sorted(mut self) -> Vec<Neighbour> {
        self.cut();
        self.kept.sort_unstable_by(nearest_first);
        self.kept.shrink_to_fit(); // there will be one for each item
        self.kept
    }
}

fn nearest_first(a: &Neighbour, b: &Neighbour) -> std::cmp::Ordering {
    b.cosine.total_cmp(&a.cosine).then(a.item.cmp(&b.item))
}

/// Per query its `k` nearest of `others` with cosine > 0, itself left out: all with all, in blocks.
pub(super) fn closest(queries: &Points, others: &Points, k: usize) -> Vec<Vec<Neighbour>> {
    const QUERIES: usize = 128;
    const OTHERS: usize = 1024;
    const STRIDE: usize = 16;
    let dim = others.dim.max(1);
    let blocks = queries.data.par_chunks(QUERIES * dim).zip(queries.ids.par_chunks(QUERIES));
    let search = |cosines: &mut Vec<f32>, (queries, owns): (&[f32], &[ItemId])| {
        let count = owns.len();
        let mut nearest: Vec<Nearest> = (0..count).map(|_| Nearest::new(k)).collect();
        for (others, ids) in others.data.chunks(OTHERS * dim).zip(others.ids.chunks(OTHERS)) {
            products(queries, others, dim, cosines);
            for (query, nearest) in nearest.iter_mut().enumerate() {
                let own = owns[query];
                let row = &cosines[query * ids.len()..][..ids.len()];
                for (cosines, ids) in row.chunks(STRIDE).zip(ids.chunks(STRIDE)) {
                    // Nearly always none is near enough, and this one test is made of wide registers.
                    if cosines.iter().fold(false, |any, cosine| any | (*cosine > nearest.floor)) {
                        for (&id, &cosine) in ids.iter().zip(cosines).filter(|(id, _)| **id != own)
                        {
                            nearest.offer(id, cosine);
                        }
                    }
                }
            }
        }
        nearest.into_iter().map(Nearest::sorted).collect::<Vec<_>>()
    };
    let found: Vec<_> =
        blocks.with_max_len(1).map_init(|| vec![0.0; QUERIES * OTHERS], search).collect();
    found.into_iter().flatten().collect()
}

/// 1 − cosine of vectors of length 1.
#[derive(Clone, Copy, Default)]
struct Angle;

impl Distance<f32> for Angle {
    fn eval(&self, a: &[f32], b: &[f32]) -> f32 {
        (1.0 - dot(a, b)).max(0.0)
    }
}

/// The hnsw_rs graph over points.
struct Graph(Hnsw<'static, f32, Angle>);

impl Graph {
    fn build(points: &Points, options: &NeighbourOptions) -> Self {
        const LAYERS: usize = 16;
        let links = options.links.clamp(2, 256);
        let width = options.build_width.max(links);
        let graph = Hnsw::new(links, points.ids.len(), LAYERS, width, Angle);
        let rows = points.data.chunks_exact(points.dim.max(1)).enumerate();
        graph.parallel_insert_slice(&rows.map(|(place, row)| (row, place)).collect());
        Self(graph)
    }

    /// `vector` must be of length 1.
    fn search(
        &self,
        points: &Points,
        vector: &[f32],
        k: usize,
        options: &NeighbourOptions,
    ) -> Vec<Neighbour> {
        let found = self.0.search(vector, k, options.search_width.max(2 * k));
        let mut nearest: Vec<Neighbour> = found
            .iter()
            .map(|hit| Neighbour {
                item: points.ids[hit.d_id],
                cosine: dot(vector, points.row(hit.d_id)).min(1.0),
            })
            .filter(|neighbour| neighbour.cosine > 0.0)
            .collect();
        nearest.sort_unstable_by(nearest_first);
        nearest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Vectors around a few centres, as items of a few categories are.
    fn clustered(count: usize, dim: usize) -> Vectors {
        let mut random = fastrand::Rng::with_seed(17);
        let centres: Vec<f32> = (0..40 * dim).map(|_| random.f32() - 0.5).collect();
        let mut data = Vec::with_capacity(count * dim);
        for _ in 0..count {
            let centre = random.usize(0..40) * dim;
            data.extend((0..dim).map(|d| centres[centre + d] + 0.6 * (random.f32() - 0.5)));
        }
        Vectors::new(dim, data)
    }

    fn graph() -> NeighbourOptions {
        NeighbourOptions { exact_up_to: 0, ..NeighbourOptions::default() }
    }

    #[test]
    fn exact_neighbours_equal_a_plain_loop() {
        let vectors = clustered(1500, 12);
        let lists = neighbours(&vectors, 7, &NeighbourOptions::default());
        for query in [0, 1, 127, 128, 1023, 1024, 1499] {
            let own = unit(vectors.row(query)).unwrap();
            let mut all: Vec<(f32, usize)> = (0..1500)
                .filter(|other| *other != query)
                .map(|other| (-dot(&own, &unit(vectors.row(other)).unwrap()), other))
                .collect();
            all.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            let plain: Vec<usize> = all[..7].iter().map(|(_, other)| *other).collect();
            let found: Vec<usize> = lists.row(query).iter().map(|n| n.item.index()).collect();
            assert_eq!(found, plain);
        }
    }

    #[test]
    fn those_that_are_sought_have_the_lists_they_would_have_among_all() {
        let vectors = clustered(1500, 12);
        let sought = |item: ItemId| item.index() % 7 == 3;
        let all = neighbours(&vectors, 7, &NeighbourOptions::default());
        let some = neighbours_of(&vectors, sought, 7, &NeighbourOptions::default());
        assert_eq!(some.len(), 1500);
        for (index, (some, all)) in some.rows().zip(all.rows()).enumerate() {
            assert_eq!(some, if index % 7 == 3 { all } else { &[] });
        }
    }

    #[test]
    fn the_graph_finds_what_exact_search_finds() {
        let vectors = clustered(4000, 32);
        let exact = neighbours(&vectors, 20, &NeighbourOptions::default());
        let recall = recall(&neighbours(&vectors, 20, &graph()), &exact, 20);
        assert!(recall >= 0.98, "recall {recall}");
    }

    #[test]
    fn a_vector_without_direction_has_no_neighbours_and_is_nobodys() {
        let mut data = clustered(50, 8).data().to_vec();
        data[..8].fill(0.0);
        data[8] = f32::NAN;
        data[16] = f32::INFINITY;
        data[24..32].fill(1e-38);
        let vectors = Vectors::new(8, data);
        for options in [NeighbourOptions::default(), graph()] {
            let lists = neighbours(&vectors, 60, &options);
            assert_eq!(lists.len(), 50);
            assert!((0..4).all(|broken| lists.row(broken).is_empty()));
            let entries = lists.entries();
            assert!(entries.iter().all(|n| n.item.index() >= 4 && (0.0..=1.0).contains(&n.cosine)));
        }
    }

    #[test]
    fn none_one_or_equal_vectors_do_no_harm() {
        for options in [NeighbourOptions::default(), graph()] {
            assert!(neighbours(&Vectors::default(), 5, &options).is_empty());
            assert!(neighbours(&Vectors::new(4, vec![1.0; 4]), 5, &options).row(0).is_empty());
            assert!(neighbours(&Vectors::new(4, vec![1.0; 8]), 0, &options).row(0).is_empty());
        }
        let equal = neighbours(&Vectors::new(4, vec![1.0; 400]), 3, &NeighbourOptions::default());
        assert_eq!(equal.row(50).iter().map(|n| n.item.index()).collect::<Vec<_>>(), [0, 1, 2]);
    }

    #[test]
    fn threads_change_no_bit_of_the_exact_answer() {
        let vectors = clustered(700, 16);
        let on = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| neighbours(&vectors, 9, &NeighbourOptions::default()))
        };
        assert_eq!(on(1), on(4));
    }
}
