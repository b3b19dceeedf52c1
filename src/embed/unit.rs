//! Directions of many items in little memory: a byte per dimension.
//!
//! A cosine between what is kept and a vector is off by about 0.001 at 64 dimensions, a tenth of what would
//! change an order that matters; a million items take 64 MB instead of 256.

use super::dense::Vectors;
use super::neighbours::{Nearest, Neighbour, unit};
use crate::ids::ItemId;

/// Vectors of length 1, one per item; an item may have none.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct UnitVectors {
    dim: usize,
    /// `dim` per item: the vector, so stretched that its largest number is ±127. All 0: none.
    steps: Vec<i8>,
    /// Per item what makes its steps a vector of length 1; 0 without a vector. Derived.
    scales: Vec<f32>,
}

impl UnitVectors {
    /// `count` items without a vector.
    pub fn none(dim: usize, count: usize) -> Self {
        Self { dim, steps: vec![0; dim * count], scales: vec![0.0; count] }
    }

    /// What `bytes` of [`Self::steps`] say; nothing if they are not whole vectors.
    pub fn from_steps(dim: usize, steps: Vec<i8>) -> Option<Self> {
        if dim == 0 {
            return steps.is_empty().then(Self::default);
        }
        let whole = steps.len().is_multiple_of(dim);
        whole.then(|| Self { dim, scales: steps.chunks_exact(dim).map(scale).collect(), steps })
    }

    /// `dim` per item: all that has to be kept.
    pub fn steps(&self) -> &[i8] {
        &self.steps
    }

    /// Numbers per vector.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// How many items there are, with a vector or without.
    pub fn len(&self) -> usize {
        self.scales.len()
    }

    /// True without an item.
    pub fn is_empty(&self) -> bool {
        self.scales.is_empty()
    }

    /// The direction of an item, `dim` floats of length 1; none where nothing is known of it.
    pub fn of(&self, item: ItemId) -> Option<Vec<f32>> {
        let scale = *self.scales.get(item.index()).filter(|scale| **scale > 0.0)?;
        let steps = &self.steps[item.index() * self.dim..][..self.dim];
        Some(steps.iter().map(|step| f32::from(*step) * scale).collect())
    }

    /// The cosine of two items' directions; none where one has none.
    pub fn cosine(&self, a: ItemId, b: ItemId) -> Option<f32> {
        let row = |item: ItemId| {
            let scale = *self.scales.get(item.index()).filter(|scale| **scale > 0.0)?;
            Some((&self.steps[item.index() * self.dim..][..self.dim], scale))
        };
        let ((a, of_a), (b, of_b)) = (row(a)?, row(b)?);
        let product: i32 = a.iter().zip(b).map(|(a, b)| i32::from(*a) * i32::from(*b)).sum();
        Some(product as f32 * of_a * of_b)
    }

    /// True if the item has a direction.
    pub fn has(&self, item: ItemId) -> bool {
        self.scales.get(item.index()).is_some_and(|scale| *scale > 0.0)
    }

    /// Keeps the direction of `vector`, which may be of any length but 0.
    ///
    /// Panics if the item is out of range or the vector not of `dim` floats.
    pub fn set(&mut self, item: ItemId, vector: &[f32]) {
        assert!(vector.len() == self.dim, "{} floats", self.dim);
        let steps = &mut self.steps[item.index() * self.dim..][..self.dim];
        match unit(vector) {
            None => steps.fill(0),
            Some(unit) => {
                let stretch = 127.0 / largest(&unit);
                steps
                    .iter_mut()
                    .zip(unit)
                    .for_each(|(step, x)| *step = (x * stretch).round() as i8);
            }
        }
        self.scales[item.index()] = scale(steps);
    }
}

impl From<&Vectors> for UnitVectors {
    fn from(vectors: &Vectors) -> Self {
        let mut directions = Self::none(vectors.dim(), vectors.len());
        (0..vectors.len()).for_each(|i| directions.set(ItemId::new(i), vectors.row(i)));
        directions
    }
}

/// The `count` items whose directions are nearest to `query`, with cosine > 0, nearest first, then by id;
/// none if the query is zero, broken, or not of `dim` floats. Looks at every item, on the calling thread
/// alone.
pub fn nearest(vectors: &UnitVectors, query: &[f32], count: usize) -> Vec<Neighbour> {
    let Some(query) = unit(query).filter(|query| query.len() == vectors.dim) else {
        return Vec::new();
    };
    // Twelve bits are finer than what is compared with, and no sum of 1024 products overflows.
    let stretch = 2047.0 / largest(&query);
    let steps: Vec<i16> = query.iter().map(|x| (x * stretch).round() as i16).collect();
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        #[expect(unsafe_code, reason = "twice as fast; the feature is detected above")]
        // SAFETY: the processor has AVX2.
        return unsafe { scan_avx2(vectors, &steps, 1.0 / stretch, count) };
    }
    scan(vectors, &steps, 1.0 / stretch, count)
}

/// [`scan`], compiled for wider registers.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn scan_avx2(vectors: &UnitVectors, query: &[i16], scale: f32, count: usize) -> Vec<Neighbour> {
    scan(vectors, query, scale, count)
}

#[inline(always)]
fn scan(vectors: &UnitVectors, query: &[i16], scale: f32, count: usize) -> Vec<Neighbour> {
    let mut nearest = Nearest::new(count);
    let rows = vectors.steps.chunks_exact(query.len()).zip(&vectors.scales);
    for (index, (steps, own)) in rows.enumerate() {
        let product: i32 =
            steps.iter().zip(query).map(|(a, b)| i32::from(i16::from(*a)) * i32::from(*b)).sum();
        nearest.offer(ItemId::new(index), product as f32 * (own * scale));
    }
    nearest.sorted()
}

fn largest(vector: &[f32]) -> f32 {
    vector.iter().fold(0.0, |largest, x| x.abs().max(largest))
}

/// 1 ÷ the length of these steps; 0 if all are 0.
fn scale(steps: &[i8]) -> f32 {
    let square: i32 = steps.iter().map(|step| i32::from(*step) * i32::from(*step)).sum();
    if square == 0 { 0.0 } else { 1.0 / (square as f32).sqrt() }
}

#[cfg(test)]
mod tests {
    use super::super::dense::dot;
    use super::*;

    fn some(dim: usize, count: usize) -> Vectors {
        let mut random = fastrand::Rng::with_seed(23);
        let data = (0..dim * count).map(|_| (random.f32() - 0.5) * (random.f32() + 0.1)).collect();
        Vectors::new(dim, data)
    }

    #[test]
    fn cosines_stay_within_a_hundredth() {
        for dim in [8, 64, 200] {
            let vectors = some(dim, 300);
            let kept = UnitVectors::from(&vectors);
            let mut worst = 0.0f32;
            for i in 0..300 {
                let own = unit(vectors.row(i)).expect("a direction");
                let back = kept.of(ItemId::new(i)).expect("a direction");
                assert!((dot(&back, &back) - 1.0).abs() < 1e-5);
                for j in 0..300 {
                    let other = unit(vectors.row(j)).expect("a direction");
                    worst = worst.max((dot(&back, &other) - dot(&own, &other)).abs());
                    let cosine = kept.cosine(ItemId::new(i), ItemId::new(j)).expect("two");
                    worst = worst.max((cosine - dot(&own, &other)).abs());
                }
            }
            assert!(worst < 0.01, "{worst} at {dim} dimensions");
        }
    }

    #[test]
    fn the_nearest_are_those_of_a_plain_loop() {
        let kept = UnitVectors::from(&some(19, 500));
        for query in [0, 7, 499] {
            let query = kept.of(ItemId::new(query)).expect("a direction");
            let found = nearest(&kept, &query, 9);
            let mut plain: Vec<(f32, usize)> = (0..500)
                .map(|i| (-dot(&query, &kept.of(ItemId::new(i)).expect("a direction")), i))
                .collect();
            plain.sort_by(|a, b| a.0.total_cmp(&b.0));
            for (found, (cosine, _)) in found.iter().zip(&plain) {
                assert!((found.cosine + cosine).abs() < 2e-3, "{found:?} {cosine}");
            }
            assert_eq!(found[0].item.index(), plain[0].1);
            assert_eq!(found.len(), 9);
        }
    }

    #[test]
    fn an_item_without_direction_is_never_near() {
        let mut vectors = UnitVectors::none(4, 3);
        assert!(nearest(&vectors, &[1.0; 4], 5).is_empty());
        vectors.set(ItemId::new(1), &[0.0, 3.0, 0.0, 0.0]);
        vectors.set(ItemId::new(2), &[f32::NAN; 4]);
        let found = nearest(&vectors, &[0.1, 1.0, 0.0, 0.0], 5);
        assert_eq!(found.iter().map(|n| n.item.index()).collect::<Vec<_>>(), [1]);
        assert_eq!(vectors.of(ItemId::new(1)), Some(vec![0.0, 1.0, 0.0, 0.0]));
        assert!(vectors.of(ItemId::new(0)).is_none() && vectors.of(ItemId::new(9)).is_none());
        assert_eq!(vectors.cosine(ItemId::new(0), ItemId::new(1)), None);
        for query in [&[0.0; 4][..], &[1.0; 3], &[f32::INFINITY, 0.0, 0.0, 0.0], &[]] {
            assert!(nearest(&vectors, query, 5).is_empty(), "{query:?}");
        }
        assert!(nearest(&UnitVectors::default(), &[], 5).is_empty());
    }

    #[test]
    fn vectors_come_back_from_their_steps() {
        let kept = UnitVectors::from(&some(6, 40));
        assert_eq!(UnitVectors::from_steps(6, kept.steps().to_vec()), Some(kept));
        assert_eq!(UnitVectors::from_steps(6, vec![1; 7]), None);
        assert_eq!(UnitVectors::from_steps(0, vec![1; 7]), None);
        assert_eq!(UnitVectors::from_steps(0, Vec::new()), Some(UnitVectors::default()));
    }
}
