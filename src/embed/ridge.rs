//! Ridge regression from sparse rows to vectors: (XᵀWX + λI) B = XᵀWY, by conjugate gradients, preconditioned
//! with the diagonal.
//!
//! All columns of B are solved side by side, each with its own steps. Rows and columns of X are walked by many
//! threads, every sum by one of them in a fixed order: the same on any number of threads.
//! Source: Hestenes & Stiefel 1952, "Methods of conjugate gradients for solving linear systems".

use rayon::prelude::*;

use super::dense::Vectors;
use crate::lists::Lists;

/// Rows to learn from.
pub(super) struct Lessons {
    /// X: per row its features.
    rows: Lists<(u32, f32)>,
    /// Xᵀ: per feature the rows that have it.
    columns: Lists<(u32, f32)>,
    /// W: what each row weighs; > 0.
    weights: Vec<f32>,
    /// XᵀWY.
    aim: Vectors,
    /// The diagonal of XᵀWX.
    diagonal: Vec<f32>,
}

impl Lessons {
    /// From one row of features, one weight and one vector per lesson; features are below `width`.
    pub(super) fn new(
        rows: Lists<(u32, f32)>,
        weights: Vec<f32>,
        targets: &Vectors,
        width: usize,
    ) -> Self {
        assert!(rows.len() == weights.len() && rows.len() == targets.len(), "lessons are whole");
        let columns = turned(&rows, width);
        let diagonal = columns.rows().map(|column| {
            column.iter().map(|&(row, x)| weights[row as usize] * x * x).sum::<f32>()
        });
        let diagonal = diagonal.collect();
        let mut aim = Vectors::zeros(targets.dim(), width);
        gather(&columns, targets, Some(&weights), &mut aim);
        Self { rows, columns, weights, aim, diagonal }
    }

    /// Improves B in at most `steps` steps; it is near enough once no column is off by more than a thousandth.
    pub(super) fn solve(&self, lambda: f32, steps: usize, solution: &mut Vectors) {
        const NEAR_ENOUGH: f64 = 1e-6; // squared
        let dim = solution.dim();
        let mut between = Vectors::zeros(dim, self.rows.len());
        let mut product = Vectors::zeros(dim, solution.len());
        let inverse: Vec<f32> = self.diagonal.iter().map(|x| 1.0 / (x + lambda)).collect();

        self.apply(solution, lambda, &mut between, &mut product);
        let mut residual = self.aim.clone();
        add_columns(&mut residual, &product, &vec![-1.0; dim]);
        let mut direction = scaled(&residual, &inverse);
        let mut error = products_of_columns(&residual, &direction);
        let aim = products_of_columns(&self.aim, &scaled(&self.aim, &inverse));
        for _ in 0..steps {
            if error.iter().zip(&aim).all(|(error, aim)| *error <= NEAR_ENOUGH * aim) {
                break;
            }
            self.apply(&direction, lambda, &mut between, &mut product);
            let curvature = products_of_columns(&direction, &product);
            let step: Vec<f32> = ratios(&error, &curvature);
            add_columns(solution, &direction, &step);
            add_columns(&mut residual, &product, &step.iter().map(|x| -x).collect::<Vec<_>>());
            let preconditioned = scaled(&residual, &inverse);
            let next = products_of_columns(&residual, &preconditioned);
            let keep = ratios(&next, &error);
            for (d, p) in direction
                .data_mut()
                .chunks_exact_mut(dim)
                .zip(preconditioned.data().chunks_exact(dim))
            {
                d.iter_mut().zip(p).zip(&keep).for_each(|((d, p), keep)| *d = p + keep * *d);
            }
            error = next;
        }
    }

    /// out = (XᵀWX + λI) v.
    fn apply(&self, v: &Vectors, lambda: f32, between: &mut Vectors, out: &mut Vectors) {
        gather(&self.rows, v, None, between);
        gather(&self.columns, between, Some(&self.weights), out);
        add_columns(out, v, &vec![lambda; v.dim()]);
    }
}

/// Per feature the rows that have it, ascending.
pub(super) fn turned(rows: &Lists<(u32, f32)>, width: usize) -> Lists<(u32, f32)> {
    let numbered = rows.rows().zip(0u32..);
    let entries = numbered.flat_map(|(row, number)| {
        row.iter().map(move |&(feature, x)| (feature as usize, (number, x)))
    });
    Lists::dealt(width, (0, 0.0), entries)
}

/// Row by row, out = Σ x · weight · vector over the entries of a list.
fn gather(
    lists: &Lists<(u32, f32)>,
    vectors: &Vectors,
    weights: Option<&[f32]>,
    out: &mut Vectors,
) {
    let dim = out.dim();
    let sum = |(index, out): (usize, &mut [f32])| {
        out.fill(0.0);
        for &(entry, x) in lists.row(index) {
            let x = weights.map_or(x, |weights| x * weights[entry as usize]);
            out.iter_mut().zip(vectors.row(entry as usize)).for_each(|(out, v)| *out += x * v);
        }
    };
    out.data_mut().par_chunks_mut(dim).enumerate().with_min_len(16).with_max_len(256).for_each(sum);
}

/// to += from, each column times its factor.
fn add_columns(to: &mut Vectors, from: &Vectors, factors: &[f32]) {
    let dim = to.dim();
    for (to, from) in to.data_mut().chunks_exact_mut(dim).zip(from.data().chunks_exact(dim)) {
        to.iter_mut().zip(from).zip(factors).for_each(|((to, from), x)| *to += x * from);
    }
}

/// Each row times its factor.
fn scaled(vectors: &Vectors, factors: &[f32]) -> Vectors {
    let dim = vectors.dim();
    let mut scaled = vectors.clone();
    let rows = scaled.data_mut().chunks_exact_mut(dim).zip(factors);
    rows.for_each(|(row, x)| row.iter_mut().for_each(|y| *y *= x));
    scaled
}

/// Per column the product of a with b.
fn products_of_columns(a: &Vectors, b: &Vectors) -> Vec<f64> {
    let dim = a.dim();
    let mut sums = vec![0.0f64; dim];
    for (a, b) in a.data().chunks_exact(dim).zip(b.data().chunks_exact(dim)) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += f64::from(*a) * f64::from(*b);
        }
    }
    sums
}

/// a ÷ b, or 0 where that is no number.
fn ratios(a: &[f64], b: &[f64]) -> Vec<f32> {
    let ratio = |(a, b): (&f64, &f64)| if *b > 0.0 { (a / b) as f32 } else { 0.0 };
    a.iter().zip(b).map(ratio).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Some lessons: 60 rows of 12 features, three columns to tell.
    fn lessons() -> (Lists<(u32, f32)>, Vec<f32>, Vectors) {
        let mut random = fastrand::Rng::with_seed(9);
        let mut row = |_| -> Vec<(u32, f32)> {
            let mut feature = |feature| (feature, (random.f32() - 0.4) * random.u32(..2) as f32);
            (0..12).map(&mut feature).filter(|(_, x)| *x != 0.0).collect()
        };
        let rows: Lists<(u32, f32)> = (0..60).map(&mut row).collect();
        let weights = (0..60).map(|_| 0.5 + random.f32()).collect();
        let targets = Vectors::new(3, (0..180).map(|_| random.f32() - 0.5).collect());
        (rows, weights, targets)
    }

    #[test]
    fn the_solution_solves_the_equation() {
        let (rows, weights, targets) = lessons();
        let lessons = Lessons::new(rows.clone(), weights.clone(), &targets, 12);
        let mut solution = Vectors::zeros(3, 12);
        lessons.solve(0.7, 100, &mut solution);
        // The gradient Xᵀ W (X b − y) + λ b, by plain loops in f64.
        for column in 0..3 {
            let b = |feature: usize| f64::from(solution.row(feature)[column]);
            let mut gradient: Vec<f64> = (0..12).map(|feature| 0.7 * b(feature)).collect();
            for (number, row) in rows.rows().enumerate() {
                let told: f64 = row.iter().map(|&(f, x)| f64::from(x) * b(f as usize)).sum();
                let miss = told - f64::from(targets.row(number)[column]);
                for &(f, x) in row {
                    gradient[f as usize] += f64::from(weights[number] * x) * miss;
                }
            }
            assert!(gradient.iter().all(|x| x.abs() < 5e-3), "{gradient:?}");
            assert!(b(0).abs() > 1e-3, "something was learnt");
        }
    }

    #[test]
    fn any_number_of_threads_gives_the_same_solution() {
        let (rows, weights, targets) = lessons();
        let on = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
            pool.expect("threads").install(|| {
                let mut solution = Vectors::zeros(3, 12);
                let lessons = Lessons::new(rows.clone(), weights.clone(), &targets, 12);
                lessons.solve(0.1, 20, &mut solution);
                solution
            })
        };
        assert_eq!(on(1), on(3));
    }
}
