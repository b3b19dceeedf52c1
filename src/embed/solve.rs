//! One row's least-squares problem: (α₀ G + Σ c v vᵀ + ρ I) w = Σ c v, by conjugate gradients.
//!
//! A few steps from the last epoch's answer are enough: the other side moves too.
//! Source: Takács, Pilászy & Tikk 2011, "Applications of the conjugate gradient method for implicit
//! feedback collaborative filtering".

use super::dense::{Vectors, add_gram, add_scaled, dot};

/// Rows of this many interactions per dimension get their matrix written out: beyond it, one fast
/// matrix product costs less than a slow pass over the interactions at each step.
const WRITTEN_OUT_PER_DIM: usize = 4;
const BLOCK_ROWS: usize = 256;

/// What all rows of one side have in common.
pub(super) struct Side<'a> {
    /// Vectors of the other side.
    pub(super) others: &'a Vectors,
    /// α₀ · VᵀV of the other side.
    pub(super) gram: &'a [f32],
}

/// Buffers of one worker.
#[derive(Default)]
pub(super) struct Scratch {
    gathered: Vec<f32>,
    weights: Vec<f32>,
    matrix: Vec<f32>,
    residual: Vec<f32>,
    direction: Vec<f32>,
    product: Vec<f32>,
}

impl Side<'_> {
    /// Takes `steps` steps from `w` towards the answer for a row of `entries` and ridge `rho`.
    ///
    /// A row without entries gets zeros, and so does one whose numbers overflow.
    pub(super) fn improve(
        &self,
        entries: &[(u32, f32)],
        rho: f32,
        steps: usize,
        w: &mut [f32],
        scratch: &mut Scratch,
    ) {
        if entries.is_empty() {
            return w.fill(0.0);
        }
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avx2") {
            #[expect(unsafe_code, reason = "twice as fast; the feature is detected right above")]
            // SAFETY: the processor has AVX2.
            unsafe {
                self.improve_avx2(entries, rho, steps, w, scratch);
            }
            return;
        }
        self.improve_here(entries, rho, steps, w, scratch);
    }

    /// [`Self::improve_here`], compiled for wider registers.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    fn improve_avx2(
        &self,
        entries: &[(u32, f32)],
        rho: f32,
        steps: usize,
        w: &mut [f32],
        scratch: &mut Scratch,
    ) {
        self.improve_here(entries, rho, steps, w, scratch);
    }

    #[inline(always)]
    fn improve_here(
        &self,
        entries: &[(u32, f32)],
        rho: f32,
        steps: usize,
        w: &mut [f32],
        scratch: &mut Scratch,
    ) {
        let dim = self.others.dim();
        let Scratch { gathered, weights, matrix, residual, direction, product } = scratch;
        for buffer in [&mut *residual, &mut *direction, &mut *product] {
            buffer.clear();
            buffer.resize(dim, 0.0);
        }
        for &(other, weight) in entries {
            add_scaled(residual, weight, self.others.row(other as usize));
        }
        gathered.clear();
        weights.clear();
        let mut gram = self.gram;
        if entries.len() >= WRITTEN_OUT_PER_DIM * dim {
            self.write_out(entries, matrix, gathered);
            gram = matrix;
            gathered.clear();
        } else {
            for &(other, weight) in entries {
                gathered.extend_from_slice(self.others.row(other as usize));
                weights.push(weight);
            }
        }
        let apply = |x: &[f32], out: &mut [f32]| {
            out.iter_mut().zip(x).for_each(|(out, x)| *out = rho * x);
            for (row, x) in gram.chunks_exact(dim).zip(x) {
                add_scaled(out, *x, row);
            }
            for (v, weight) in gathered.chunks_exact(dim).zip(weights.iter()) {
                add_scaled(out, weight * dot(v, x), v);
            }
        };

        apply(w, product);
        add_scaled(residual, -1.0, product);
        direction.copy_from_slice(residual);
        let mut error = dot(residual, residual);
        for _ in 0..steps {
            apply(direction, product);
            let curvature = dot(direction, product);
            if !(error > 1e-20 && curvature > 0.0) {
                break;
            }
            let step = error / curvature;
            add_scaled(w, step, direction);
            add_scaled(residual, -step, product);
            let next = dot(residual, residual);
            let keep = next / error;
            direction.iter_mut().zip(residual.iter()).for_each(|(d, r)| *d = r + keep * *d);
            error = next;
        }
        if w.iter().any(|x| !x.is_finite()) {
            w.fill(0.0);
        }
    }

    /// α₀ G + Σ c v vᵀ, block by block of √c v.
    fn write_out(&self, entries: &[(u32, f32)], matrix: &mut Vec<f32>, block: &mut Vec<f32>) {
        matrix.clear();
        matrix.extend_from_slice(self.gram);
        for part in entries.chunks(BLOCK_ROWS) {
            block.clear();
            for &(other, weight) in part {
                let root = weight.sqrt();
                block.extend(self.others.row(other as usize).iter().map(|x| root * x));
            }
            add_gram(block, self.others.dim(), matrix);
        }
    }
}
