//! Factors by iALS: a vector per row and item, whose product says how likely the one takes the other.
//!
//! Loss: Σ_S c (ŷ − 1)² + α₀ Σ ŷ² + λ Σ (|S_u| + α₀ |I|)^ν ‖w_u‖² + λ Σ (|S_i| + α₀ |U|)^ν ‖h_i‖²,
//! with S the pairs seen, c their weights, and |I| and |U| the items and rows that were seen at all.
//! Source: Rendle, Krichene, Zhang & Koren 2021, "Revisiting the performance of iALS on item
//! recommendation benchmarks".

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::dense::{Vectors, dot};
use super::interactions::{Interactions, KindWeights};
use super::solve::{Scratch, Side};
use crate::ids::ItemId;
use crate::lists::Lists;

/// How factors are learnt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FactorOptions {
    /// Floats per vector; ≥ 1, best a multiple of 16.
    pub dim: usize,
    /// Passes over all rows and all items.
    pub epochs: usize,
    /// α₀, how much a pair not seen counts as a no; 0 to 1.
    pub unobserved: f32,
    /// λ, the strength of regularisation; > 0.
    pub regularization: f32,
    /// ν, how much more regularisation a row with many interactions gets; 0 to 1.
    pub regularization_power: f32,
    /// Conjugate gradient steps per row and epoch; ≥ 1.
    pub solver_steps: usize,
    /// Of the random start.
    pub seed: u64,
    /// How much each kind of event says; `None` = what the trainer finds that it foretells, or
    /// [`KindWeights::default`].
    pub kinds: Option<KindWeights>,
    /// Days after which an event says half as much; `None` = never.
    pub half_life_days: Option<f64>,
}

impl Default for FactorOptions {
    fn default() -> Self {
        Self {
            dim: 64,
            epochs: 12,
            unobserved: 0.1,
            regularization: 0.01,
            regularization_power: 1.0,
            solver_steps: 3,
            seed: 1,
            kinds: None,
            half_life_days: None,
        }
    }
}

/// Vectors of rows and items: their product is near 1 for what a row takes, near 0 for the rest.
#[derive(Clone, Debug, PartialEq)]
pub struct Factors {
    /// One per row of the interactions; zero where the row is empty.
    pub rows: Vectors,
    /// One per item; zero where nobody touched the item.
    pub items: Vectors,
    /// α₀ · HᵀH of the items, for folding in.
    gram: Vec<f32>,
    seen_items: usize,
    options: FactorOptions,
}

impl Factors {
    /// Learns factors.
    pub fn learn(interactions: &Interactions, options: &FactorOptions) -> Self {
        Self::learn_watched(interactions, options, |_, _| {})
    }

    /// Learns factors and calls `watch` after each epoch with its number, from 1, and what is learnt.
    pub fn learn_watched(
        interactions: &Interactions,
        options: &FactorOptions,
        mut watch: impl FnMut(usize, &Factors),
    ) -> Self {
        let dim = options.dim.max(1);
        let (by_row, by_item) = (interactions.by_row(), interactions.by_item());
        let seen_rows = by_row.rows().filter(|row| !row.is_empty()).count();
        let mut factors = Self {
            rows: Vectors::zeros(dim, by_row.len()),
            items: random_start(&by_item, dim, options.seed),
            gram: Vec::new(),
            seen_items: by_item.rows().filter(|rows| !rows.is_empty()).count(),
            options: options.clone(),
        };
        for epoch in 1..=options.epochs {
            let gram = factors.scaled_gram(&factors.items);
            let side = Side { others: &factors.items, gram: &gram };
            improve_all(&side, by_row, factors.seen_items, options, &mut factors.rows);
            let gram = factors.scaled_gram(&factors.rows);
            let side = Side { others: &factors.rows, gram: &gram };
            improve_all(&side, &by_item, seen_rows, options, &mut factors.items);
            watch(epoch, &factors);
        }
        factors.gram = factors.scaled_gram(&factors.items);
        factors
    }

    /// The vector of a row that was not there when learning, from its items and weights: `dim`
    /// floats, zero if none of its items is known.
    pub fn fold_in(&self, items: &[(ItemId, f32)]) -> Vec<f32> {
        let entries: Vec<(u32, f32)> = items
            .iter()
            .filter(|(item, weight)| {
                item.index() < self.items.len() && weight.is_finite() && *weight > 0.0
            })
            .map(|&(item, weight)| (item.index() as u32, weight))
            .collect();
        let mut vector = vec![0.0; self.items.dim()];
        let gram = if self.gram.is_empty() { &self.scaled_gram(&self.items) } else { &self.gram };
        let side = Side { others: &self.items, gram };
        let rho = ridge(&self.options, entries.len(), self.seen_items);
        side.improve(&entries, rho, 2 * vector.len(), &mut vector, &mut Scratch::default());
        vector
    }

    /// How much a row with this vector is drawn to an item; about 0 to 1.
    pub fn affinity(&self, row: &[f32], item: ItemId) -> f32 {
        dot(row, self.items.row(item.index()))
    }

    /// The loss that learning lowers.
    pub fn loss(&self, interactions: &Interactions) -> f64 {
        let options = &self.options;
        let by_item = interactions.by_item();
        let seen_rows = interactions.by_row().rows().filter(|row| !row.is_empty()).count();
        let fit: Vec<f64> = (0..interactions.len())
            .into_par_iter()
            .map(|row| {
                let w = self.rows.row(row);
                let error = |(item, weight): &(u32, f32)| {
                    let miss = f64::from(dot(w, self.items.row(*item as usize))) - 1.0;
                    f64::from(*weight) * miss * miss
                };
                interactions.by_row().row(row).iter().map(error).sum()
            })
            .collect();
        let grams = self.rows.gram().into_iter().zip(self.items.gram());
        let all: f64 = grams.map(|(a, b)| f64::from(a) * f64::from(b)).sum();
        fit.iter().sum::<f64>()
            + f64::from(options.unobserved) * all
            + penalty(&self.rows, interactions.by_row(), self.seen_items, options)
            + penalty(&self.items, &by_item, seen_rows, options)
    }

    fn scaled_gram(&self, vectors: &Vectors) -> Vec<f32> {
        let mut gram = vectors.gram();
        gram.iter_mut().for_each(|x| *x *= self.options.unobserved.max(0.0));
        gram
    }
}

/// λ (|S| + α₀ |others|)^ν.
fn ridge(options: &FactorOptions, entries: usize, others: usize) -> f32 {
    let size = entries as f32 + options.unobserved.max(0.0) * others as f32;
    options.regularization.max(0.0) * size.powf(options.regularization_power)
}

fn penalty(
    vectors: &Vectors,
    lists: &Lists<(u32, f32)>,
    others: usize,
    options: &FactorOptions,
) -> f64 {
    let of = |(index, entries): (usize, &[(u32, f32)])| {
        let vector = vectors.row(index);
        f64::from(ridge(options, entries.len(), others)) * f64::from(dot(vector, vector))
    };
    lists.rows().enumerate().map(of).sum()
}

/// Small normal numbers for items that were seen, zeros for the others.
fn random_start(by_item: &Lists<(u32, f32)>, dim: usize, seed: u64) -> Vectors {
    let mut random = fastrand::Rng::with_seed(seed);
    let scale = 0.1 / (dim as f32).sqrt();
    let mut data = Vec::with_capacity(by_item.len() * dim);
    for rows in by_item.rows() {
        let scale = if rows.is_empty() { 0.0 } else { scale };
        data.extend((0..dim).map(|_| scale * normal(&mut random)));
    }
    Vectors::new(dim, data)
}

/// Standard normal, by Box and Muller.
fn normal(random: &mut fastrand::Rng) -> f32 {
    let radius = (-2.0 * (1.0 - random.f32()).ln()).sqrt();
    radius * (std::f32::consts::TAU * random.f32()).cos()
}

/// Improves every row of one side; each by itself, so the number of threads changes nothing.
fn improve_all(
    side: &Side<'_>,
    lists: &Lists<(u32, f32)>,
    others: usize,
    options: &FactorOptions,
    vectors: &mut Vectors,
) {
    let dim = vectors.dim();
    vectors.data_mut().par_chunks_mut(dim).enumerate().with_max_len(64).for_each_init(
        Scratch::default,
        |scratch, (index, vector)| {
            let entries = lists.row(index);
            let rho = ridge(options, entries.len(), others);
            side.improve(entries, rho, options.solver_steps.max(1), vector, scratch);
        },
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two circles of customers, each with its own items.
    fn two_circles() -> Interactions {
        let mut random = fastrand::Rng::with_seed(5);
        let triples: Vec<_> = (0..200)
            .flat_map(|row| (0..8).map(move |_| row))
            .map(|row| (row, ItemId::new(2 * random.usize(0..20) + row % 2), 1.0))
            .collect();
        Interactions::new(201, 41, triples)
    }

    fn small() -> FactorOptions {
        FactorOptions { dim: 8, ..FactorOptions::default() }
    }

    #[test]
    fn each_epoch_lowers_the_loss() {
        let interactions = two_circles();
        let mut losses = vec![f64::INFINITY];
        Factors::learn_watched(&interactions, &small(), |_, factors| {
            losses.push(factors.loss(&interactions));
        });
        assert!(losses.windows(2).all(|pair| pair[1] <= pair[0] * (1.0 + 1e-6)), "{losses:?}");
        assert!(losses[losses.len() - 1] < 0.7 * losses[1], "{losses:?}");
    }

    #[test]
    fn customers_are_drawn_to_the_items_of_their_circle() {
        let factors = Factors::learn(&two_circles(), &small());
        let even = factors.rows.row(0);
        let mean = |parity: usize| -> f32 {
            (0..20).map(|i| factors.affinity(even, ItemId::new(2 * i + parity))).sum::<f32>() / 20.0
        };
        assert!(mean(0) > 0.2 && mean(1).abs() < 0.05, "{} {}", mean(0), mean(1));
    }

    #[test]
    fn what_nobody_touched_stays_zero_and_nothing_is_nan() {
        let factors = Factors::learn(&two_circles(), &small());
        assert!(factors.items.row(40).iter().chain(factors.rows.row(200)).all(|x| *x == 0.0));
        let all = factors.items.data().iter().chain(factors.rows.data());
        assert!(all.clone().all(|x| x.is_finite()));
        for odd in [
            Interactions::new(0, 0, []),
            Interactions::new(3, 2, []),
            Interactions::new(1, 1, [(0, ItemId::new(0), 1e30)]),
            Interactions::new(2, 2, [(0, ItemId::new(0), 1e-30), (1, ItemId::new(0), 1e30)]),
        ] {
            let options =
                FactorOptions { regularization: 0.0, unobserved: 0.0, ..FactorOptions::default() };
            let factors = Factors::learn(&odd, &options);
            assert!(factors.items.data().iter().chain(factors.rows.data()).all(|x| x.is_finite()));
        }
    }

    #[test]
    fn threads_change_no_bit() {
        let on = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| Factors::learn(&two_circles(), &small()))
        };
        assert_eq!(on(1), on(4));
    }

    #[test]
    fn folding_in_a_known_row_finds_about_its_vector() {
        let interactions = two_circles();
        let factors = Factors::learn(&interactions, &FactorOptions { epochs: 60, ..small() });
        let folded = factors.fold_in(&interactions.row(3).collect::<Vec<_>>());
        for (folded, learnt) in folded.iter().zip(factors.rows.row(3)) {
            assert!((folded - learnt).abs() < 0.02, "{folded} {learnt}");
        }
        assert!(factors.fold_in(&[(ItemId::new(999), 1.0)]).iter().all(|x| *x == 0.0));
    }

    #[test]
    fn a_long_row_is_solved_to_the_same_answer_as_its_halves_say() {
        // More entries than 16 × dim take the written-out path; the equations must be the same.
        let mut random = fastrand::Rng::with_seed(9);
        let others = Vectors::new(4, (0..400).map(|_| random.f32() - 0.5).collect());
        let gram: Vec<f32> = others.gram().iter().map(|x| 0.1 * x).collect();
        let side = Side { others: &others, gram: &gram };
        let entries: Vec<(u32, f32)> = (0..100).map(|i| (i, 0.5 + random.f32())).collect();
        let mut w = vec![0.0; 4];
        side.improve(&entries, 0.7, 8, &mut w, &mut Scratch::default());
        for d in 0..4 {
            let left: f32 = (0..4).map(|e| gram[d * 4 + e] * w[e]).sum::<f32>() + 0.7 * w[d];
            let missing: f32 = entries
                .iter()
                .map(|&(i, c)| (i as usize, c))
                .map(|(i, c)| c * others.row(i)[d] * (1.0 - dot(others.row(i), &w)))
                .sum();
            assert!((left - missing).abs() < 1e-3, "{left} {missing}");
        }
    }
}
