//! The inverse of a large symmetric positive definite matrix, in square tiles of its lower triangle.
//!
//! A = L Lᵀ (Cholesky), M = L⁻¹, A⁻¹ = MᵀM: n³ multiplications and as many additions in all, nearly all
//! of them in `sgemm`. A tile is computed by one thread with a fixed order of sums, so the result is the
//! same on any number of threads. Two triangles live at a time: together one full matrix.

use rayon::prelude::*;

use super::dense::dot;

/// The lower triangle of a symmetric (or the whole of a lower triangular) matrix.
#[derive(Debug)]
pub(super) struct Tiles {
    /// Rows and columns of one tile.
    side: usize,
    /// Per column of tiles, from its diagonal tile downwards; a tile is row-major.
    columns: Vec<Vec<Vec<f32>>>,
}

impl Tiles {
    /// From rows of tiles: `rows[i]` holds the tiles (i, 0) to (i, i).
    pub(super) fn from_rows(side: usize, rows: Vec<Vec<Vec<f32>>>) -> Self {
        let mut columns: Vec<Vec<Vec<f32>>> = vec![Vec::new(); rows.len()];
        for row in rows {
            row.into_iter().enumerate().for_each(|(column, tile)| columns[column].push(tile));
        }
        Self { side, columns }
    }

    /// Rows and columns of one tile.
    pub(super) fn side(&self) -> usize {
        self.side
    }

    /// The tile in row `i` and column `j` of tiles, j ≤ i.
    pub(super) fn tile(&self, i: usize, j: usize) -> &[f32] {
        &self.columns[j][i - j]
    }

    /// The inverse, or nothing if a pivot is not safely above 0.
    pub(super) fn inverse(mut self) -> Option<Self> {
        let pivots = self.cholesky()?;
        let inverse = self.invert_triangle(&pivots);
        drop(self);
        Some(inverse.gram())
    }

    /// A becomes L, column of tiles by column; returns the inverses of L's diagonal tiles.
    fn cholesky(&mut self) -> Option<Vec<Vec<f32>>> {
        let side = self.side;
        let mut pivots = Vec::with_capacity(self.columns.len());
        for k in 0..self.columns.len() {
            let (done, rest) = self.columns.split_at_mut(k);
            rest[0].par_iter_mut().enumerate().for_each(|(below, tile)| {
                for (j, column) in done.iter().enumerate() {
                    let (left, right) = (&column[k + below - j], &column[k - j]);
                    multiply(-1.0, Factor::Plain(left), Factor::Turned(right), 1.0, tile, side);
                }
            });
            let (diagonal, below) = rest[0].split_first_mut()?;
            factor(diagonal, side)?;
            let pivot = invert_lower(diagonal, side);
            below.par_iter_mut().for_each(|tile| {
                let before = tile.clone();
                multiply(1.0, Factor::Plain(&before), Factor::Turned(&pivot), 0.0, tile, side);
            });
            pivots.push(pivot);
        }
        Some(pivots)
    }

    /// L⁻¹, each column of tiles by itself.
    fn invert_triangle(&self, pivots: &[Vec<f32>]) -> Self {
        let (side, count) = (self.side, self.columns.len());
        let columns = (0..count).into_par_iter().with_max_len(1).map(|j| {
            let mut column = vec![pivots[j].clone()];
            for (i, pivot) in pivots.iter().enumerate().skip(j + 1) {
                let mut sum = vec![0.0; side * side];
                for (k, tile) in (j..i).zip(&column) {
                    let left = Factor::Plain(self.tile(i, k));
                    multiply(1.0, left, Factor::Plain(tile), 1.0, &mut sum, side);
                }
                let mut tile = vec![0.0; side * side];
                let left = Factor::Plain(pivot);
                multiply(-1.0, left, Factor::Plain(&sum), 0.0, &mut tile, side);
                column.push(tile);
            }
            column
        });
        Self { side, columns: columns.collect() }
    }

    /// MᵀM of a lower triangular M.
    fn gram(&self) -> Self {
        let (side, count) = (self.side, self.columns.len());
        let columns = (0..count).into_par_iter().with_max_len(1).map(|j| {
            let of_row = |i: usize| {
                let mut tile = vec![0.0; side * side];
                for k in i..count {
                    let (left, right) = (self.tile(k, i), self.tile(k, j));
                    multiply(1.0, Factor::Turned(left), Factor::Plain(right), 1.0, &mut tile, side);
                }
                tile
            };
            (j..count).map(of_row).collect()
        });
        Self { side, columns: columns.collect() }
    }
}

/// One side of a product: a tile as it stands, or transposed.
#[derive(Clone, Copy)]
enum Factor<'a> {
    Plain(&'a [f32]),
    Turned(&'a [f32]),
}

/// out = alpha · left · right + beta · out.
fn multiply(alpha: f32, left: Factor, right: Factor, beta: f32, out: &mut [f32], side: usize) {
    let n = side as isize;
    let parts = |factor| match factor {
        Factor::Plain(tile) => (tile, n, 1),
        Factor::Turned(tile) => (tile, 1, n),
    };
    let ((a, a_row, a_column), (b, b_row, b_column)): ((&[f32], _, _), (&[f32], _, _)) =
        (parts(left), parts(right));
    let square = side * side;
    assert!(a.len() == square && b.len() == square && out.len() == square, "whole tiles");
    #[expect(
        unsafe_code,
        reason = "sgemm takes pointers; the assertion above bounds what it touches"
    )]
    // SAFETY: all three are side × side with strides (side, 1) or (1, side), and `out` is borrowed
    // mutably.
    unsafe {
        let (a, b, c) = (a.as_ptr(), b.as_ptr(), out.as_mut_ptr());
        matrixmultiply::sgemm(
            side, side, side, alpha, a, a_row, a_column, b, b_row, b_column, beta, c, n, 1,
        );
    }
}

/// A diagonal tile becomes its Cholesky factor, zeros above the diagonal; nothing if a pivot is lost in
/// rounding.
fn factor(tile: &mut [f32], side: usize) -> Option<()> {
    for i in 0..side {
        let (above, rest) = tile.split_at_mut(i * side);
        let row = &mut rest[..side];
        for j in 0..i {
            let of = &above[j * side..(j + 1) * side];
            row[j] = (row[j] - dot(&row[..j], &of[..j])) / of[j];
        }
        let full = row[i];
        let pivot = full - dot(&row[..i], &row[..i]);
        if !(pivot.is_finite() && pivot > 8.0 * f32::EPSILON * full) {
            return None;
        }
        row[i] = pivot.sqrt();
        row[i + 1..].fill(0.0);
    }
    Some(())
}

/// The inverse of a lower triangular tile.
fn invert_lower(tile: &[f32], side: usize) -> Vec<f32> {
    // Row j of `turned` is column j of the inverse, so that every sum runs along rows.
    let mut turned = vec![0.0f32; side * side];
    for j in 0..side {
        let column = &mut turned[j * side..(j + 1) * side];
        column[j] = 1.0 / tile[j * side + j];
        for i in j + 1..side {
            let row = &tile[i * side..(i + 1) * side];
            column[i] = -dot(&row[j..i], &column[j..i]) / row[i];
        }
    }
    let mut inverse = vec![0.0; side * side];
    for i in 0..side {
        (0..=i).for_each(|j| inverse[i * side + j] = turned[j * side + i]);
    }
    inverse
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A well-conditioned symmetric matrix of `count` × `count` tiles.
    fn made_up(side: usize, count: usize) -> (Vec<f32>, Tiles) {
        let n = side * count;
        let mut random = fastrand::Rng::with_seed(5);
        let half: Vec<f32> = (0..n * n).map(|_| random.f32() - 0.5).collect();
        let mut full = vec![0.0; n * n];
        for i in 0..n {
            for j in 0..n {
                full[i * n + j] = dot(&half[i * n..(i + 1) * n], &half[j * n..(j + 1) * n]);
            }
            full[i * n + i] += 1.0;
        }
        let tile = |i: usize, j: usize| {
            let rows = (0..side).map(|row| (i * side + row) * n + j * side);
            rows.flat_map(|start| full[start..start + side].to_vec()).collect::<Vec<f32>>()
        };
        let rows = (0..count).map(|i| (0..=i).map(|j| tile(i, j)).collect()).collect();
        (full.clone(), Tiles::from_rows(side, rows))
    }

    #[test]
    fn a_matrix_times_its_inverse_is_one() {
        for (side, count) in [(1, 1), (1, 7), (5, 1), (4, 3), (19, 4)] {
            let n = side * count;
            let (full, tiles) = made_up(side, count);
            let inverse = tiles.inverse().expect("positive definite");
            let at = |i: usize, j: usize| {
                let (i, j) = (i.max(j), i.min(j));
                inverse.tile(i / side, j / side)[i % side * side + j % side]
            };
            for i in 0..n {
                for j in 0..n {
                    let product: f32 = (0..n).map(|k| full[i * n + k] * at(k, j)).sum();
                    let expected = f32::from(u8::from(i == j));
                    assert!((product - expected).abs() < 1e-3, "{side} {count} {i} {j} {product}");
                }
            }
        }
    }

    #[test]
    fn a_matrix_that_is_not_positive_definite_has_no_inverse_here() {
        for tile in [vec![1.0, 0.0, 2.0, 1.0], vec![0.0; 4], vec![f32::NAN; 4]] {
            assert!(Tiles::from_rows(2, vec![vec![tile]]).inverse().is_none());
        }
    }
}
