//! Rows of floats, and the few things done with them fast.

use rayon::prelude::*;

/// Vectors of one length, one after the other.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Vectors {
    dim: usize,
    data: Vec<f32>,
}

impl Vectors {
    /// From `dim` floats per vector.
    ///
    /// Panics if `data` is not a whole number of vectors.
    pub fn new(dim: usize, data: Vec<f32>) -> Self {
        assert!(dim > 0 && data.len().is_multiple_of(dim), "whole vectors of {dim} floats");
        Self { dim, data }
    }

    /// `count` zero vectors.
    pub fn zeros(dim: usize, count: usize) -> Self {
        Self::new(dim, vec![0.0; dim * count])
    }

    /// Floats per vector.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// How many vectors there are.
    pub fn len(&self) -> usize {
        self.data.len() / self.dim.max(1)
    }

    /// True if there is no vector.
    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    /// The vector at `index`.
    #[inline]
    pub fn row(&self, index: usize) -> &[f32] {
        &self.data[index * self.dim..(index + 1) * self.dim]
    }

    /// All floats, vector by vector.
    pub fn data(&self) -> &[f32] {
        &self.data
    }

    pub(super) fn data_mut(&mut self) -> &mut [f32] {
        &mut self.data
    }

    /// VᵀV, `dim` × `dim`. Summed in blocks of fixed size, in order: the same on any number of threads.
    pub(super) fn gram(&self) -> Vec<f32> {
        const ROWS: usize = 2048;
        let square = self.dim * self.dim;
        let parts: Vec<Vec<f32>> = self
            .data
            .par_chunks(ROWS * self.dim.max(1))
            .map(|block| {
                let mut part = vec![0.0; square];
                add_gram(block, self.dim, &mut part);
                part
            })
            .collect();
        let mut sum = vec![0.0; square];
        for part in parts {
            sum.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
        }
        sum
    }
}

/// a · b.
#[inline(always)]
pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0f32; 16];
    let (a16, b16) = (a.chunks_exact(16), b.chunks_exact(16));
    let rest: f32 = a16.remainder().iter().zip(b16.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in a16.zip(b16) {
        for lane in 0..16 {
            sums[lane] += a[lane] * b[lane];
        }
    }
    for half in [8, 4, 2, 1] {
        for lane in 0..half {
            sums[lane] += sums[lane + half];
        }
    }
    sums[0] + rest
}

/// out += VᵀV of the vectors in `block`.
pub(super) fn add_gram(block: &[f32], dim: usize, out: &mut [f32]) {
    let rows = block.len() / dim;
    assert!(block.len() == rows * dim && out.len() == dim * dim);
    let d = dim as isize;
    #[expect(
        unsafe_code,
        reason = "sgemm takes pointers; the assertion above bounds what it touches"
    )]
    // SAFETY: Vᵀ is dim × rows with strides (1, dim), V is rows × dim with strides (dim, 1), both
    // within `block`; `out` is dim × dim and borrowed mutably.
    unsafe {
        let v = block.as_ptr();
        matrixmultiply::sgemm(dim, rows, dim, 1.0, v, 1, d, v, d, 1, 1.0, out.as_mut_ptr(), d, 1);
    }
}

/// out = A Bᵀ: every product of a vector in `a` with one in `b`; one row of `out` per vector in `a`.
pub(super) fn products(a: &[f32], b: &[f32], dim: usize, out: &mut [f32]) {
    let (m, n) = (a.len() / dim, b.len() / dim);
    assert!(a.len() == m * dim && b.len() == n * dim && out.len() >= m * n);
    let (d, columns) = (dim as isize, n as isize);
    #[expect(
        unsafe_code,
        reason = "sgemm takes pointers; the assertion above bounds what it touches"
    )]
    // SAFETY: A is m × dim with strides (dim, 1), Bᵀ is dim × n with strides (1, dim); `out` holds
    // m × n and is borrowed mutably.
    unsafe {
        let (a, b) = (a.as_ptr(), b.as_ptr());
        matrixmultiply::sgemm(m, dim, n, 1.0, a, d, 1, b, 1, d, 0.0, out.as_mut_ptr(), columns, 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some_vectors(dim: usize, count: usize) -> Vectors {
        let mut random = fastrand::Rng::with_seed(3);
        Vectors::new(dim, (0..dim * count).map(|_| random.f32() - 0.5).collect())
    }

    #[test]
    fn products_and_gram_equal_plain_loops() {
        let vectors = some_vectors(19, 70);
        let mut out = vec![0.0; 70 * 70];
        products(vectors.data(), vectors.data(), 19, &mut out);
        for i in 0..70 {
            for j in 0..70 {
                let plain: f32 = (0..19).map(|d| vectors.row(i)[d] * vectors.row(j)[d]).sum();
                assert!((out[i * 70 + j] - plain).abs() < 1e-5);
                assert!((dot(vectors.row(i), vectors.row(j)) - plain).abs() < 1e-5);
            }
        }
        let gram = vectors.gram();
        let plain: f32 = (0..70).map(|i| vectors.row(i)[2] * vectors.row(i)[11]).sum();
        assert!((gram[2 * 19 + 11] - plain).abs() < 1e-4);
    }
}
