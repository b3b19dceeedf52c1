//! One row's least-squares problem: (α₀ G + Σ c v vᵀ + ρ I) w = Σ c v, by conjugate gradients.
//!
//! A few steps from the last epoch's answer are enough: the other side moves too.
//! Source: Takács, Pilászy & Tikk 2011, "Applications of the conjugate gradient method for implicit
//! feedback collaborative filtering".

use super::dense::{Vectors, add_gram};

/// Rows of this many interactions per dimension get their matrix written out: they would not stay in a
/// cache from step to step.
const WRITTEN_OUT_PER_DIM: usize = 16;
const BLOCK_ROWS: usize = 256;
/// Vectors that are multiplied from either side while they are in the nearest cache.
const NEAR_ROWS: usize = 32;
/// Floats that are summed in registers.
const TILE: usize = 64;

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
        if std::arch::is_x86_feature_detected!("avx512f") {
            #[expect(unsafe_code, reason = "three times as fast; the feature is detected above")]
            // SAFETY: the processor has AVX-512F.
            unsafe {
                self.improve_avx512(entries, rho, steps, w, scratch);
            }
            return;
        } else if std::arch::is_x86_feature_detected!("avx2")
            && std::arch::is_x86_feature_detected!("fma")
        {
            #[expect(unsafe_code, reason = "twice as fast; the features are detected above")]
            // SAFETY: the processor has AVX2 and FMA.
            unsafe {
                self.improve_avx2(entries, rho, steps, w, scratch);
            }
            return;
        }
        self.improve_here::<false>(entries, rho, steps, w, scratch);
    }

    /// [`Self::improve_here`], compiled for the widest registers.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f")]
    fn improve_avx512(
        &self,
        entries: &[(u32, f32)],
        rho: f32,
        steps: usize,
        w: &mut [f32],
        scratch: &mut Scratch,
    ) {
        self.improve_here::<true>(entries, rho, steps, w, scratch);
    }

    /// [`Self::improve_here`], compiled for wider registers.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma")]
    fn improve_avx2(
        &self,
        entries: &[(u32, f32)],
        rho: f32,
        steps: usize,
        w: &mut [f32],
        scratch: &mut Scratch,
    ) {
        self.improve_here::<true>(entries, rho, steps, w, scratch);
    }

    #[inline(always)]
    fn improve_here<const FUSED: bool>(
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
        gathered.clear();
        weights.clear();
        let mut gram = self.gram;
        if entries.len() >= WRITTEN_OUT_PER_DIM * dim {
            for &(other, weight) in entries {
                add_rows::<FUSED>(residual, self.others.row(other as usize), &[weight]);
            }
            self.write_out(entries, matrix, gathered);
            gram = matrix;
            gathered.clear();
        } else {
            for &(other, weight) in entries {
                gathered.extend_from_slice(self.others.row(other as usize));
                weights.push(weight);
            }
        }

        // The residual: Σ c (1 − v·w) v − (G + ρ I) w.
        residual.iter_mut().zip(&*w).for_each(|(r, w)| *r -= rho * w);
        direction.iter_mut().zip(&*w).for_each(|(d, w)| *d = -w);
        add_rows::<FUSED>(residual, gram, direction);
        add_entries::<FUSED>(residual, gathered, weights, w, |product| 1.0 - product);
        direction.copy_from_slice(residual);
        let mut error = dot::<FUSED>(residual, residual);
        for _ in 0..steps {
            product.iter_mut().zip(&*direction).for_each(|(p, d)| *p = rho * d);
            add_rows::<FUSED>(product, gram, direction);
            add_entries::<FUSED>(product, gathered, weights, direction, |product| product);
            let curvature = dot::<FUSED>(direction, product);
            if !(error > 1e-20 && curvature > 0.0) {
                break;
            }
            let step = error / curvature;
            w.iter_mut().zip(&*direction).for_each(|(w, d)| *w += step * d);
            residual.iter_mut().zip(&*product).for_each(|(r, p)| *r -= step * p);
            let next = dot::<FUSED>(residual, residual);
            let keep = next / error;
            direction.iter_mut().zip(&*residual).for_each(|(d, r)| *d = r + keep * *d);
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

/// a · b + c, in one rounding where the processor has an instruction for it.
#[inline(always)]
fn multiply_add<const FUSED: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FUSED { a.mul_add(b, c) } else { a * b + c }
}

/// out += Σ c · `of`(v · x) v over the vectors and their weights.
#[inline(always)]
fn add_entries<const FUSED: bool>(
    out: &mut [f32],
    vectors: &[f32],
    weights: &[f32],
    x: &[f32],
    of: impl Fn(f32) -> f32,
) {
    let dim = out.len();
    let mut factors = [0.0f32; NEAR_ROWS];
    for (vectors, weights) in vectors.chunks(NEAR_ROWS * dim).zip(weights.chunks(NEAR_ROWS)) {
        let factors = &mut factors[..weights.len()];
        for ((factor, v), weight) in factors.iter_mut().zip(vectors.chunks_exact(dim)).zip(weights)
        {
            *factor = weight * of(dot::<FUSED>(v, x));
        }
        add_rows::<FUSED>(out, vectors, factors);
    }
}

/// out += Σ factor · row, the sums held in registers.
#[inline(always)]
fn add_rows<const FUSED: bool>(out: &mut [f32], rows: &[f32], factors: &[f32]) {
    let dim = out.len();
    let mut tiles = out.chunks_exact_mut(TILE);
    let mut at = 0;
    for tile in &mut tiles {
        let mut sums = [0.0f32; TILE];
        sums.copy_from_slice(tile);
        for (row, &factor) in rows.chunks_exact(dim).zip(factors) {
            let row: &[f32; TILE] = row[at..at + TILE].try_into().expect("a tile of a row");
            for lane in 0..TILE {
                sums[lane] = multiply_add::<FUSED>(factor, row[lane], sums[lane]);
            }
        }
        tile.copy_from_slice(&sums);
        at += TILE;
    }
    let rest = tiles.into_remainder();
    if !rest.is_empty() {
        for (row, &factor) in rows.chunks_exact(dim).zip(factors) {
            for (sum, x) in rest.iter_mut().zip(&row[at..]) {
                *sum = multiply_add::<FUSED>(factor, *x, *sum);
            }
        }
    }
}

/// a · b.
#[inline(always)]
fn dot<const FUSED: bool>(a: &[f32], b: &[f32]) -> f32 {
    const LANES: usize = 32;
    let mut sums = [0.0f32; LANES];
    let (a_parts, b_parts) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest: f32 = a_parts.remainder().iter().zip(b_parts.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in a_parts.zip(b_parts) {
        for lane in 0..LANES {
            sums[lane] = multiply_add::<FUSED>(a[lane], b[lane], sums[lane]);
        }
    }
    for half in [16, 8, 4, 2, 1] {
        for lane in 0..half {
            sums[lane] += sums[lane + half];
        }
    }
    sums[0] + rest
}
