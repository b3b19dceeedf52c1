//! Sums of gradients per bin, in whole numbers.
//!
//! A row's gradient is rounded to a fixed unit, so sums are exact: they come out the same in any order, on
//! any number of threads, and parent − child is exactly the sibling.

use rayon::prelude::*;

use super::bins::Bins;
use super::gradients::Gradient;

/// Slope in the first number; in the second the hessian above the low bits, which count rows.
pub(super) type Packed = [i64; 2];

/// The sums of each bin of one column.
pub(super) type Histogram = [Packed; 256];

/// Columns counted in one pass over the rows: their histograms fit the first cache, and four sums that
/// don't wait for one another hide the time an addition to memory takes.
const AT_ONCE: usize = 4;

/// Below this many additions the threads are not worth waking.
const WORTH_SHARING: usize = 30_000;

/// Gradients in whole units.
pub(super) struct Rounded {
    pub(super) gradients: Vec<Packed>, // by row
    slope_unit: f64,
    hessian_unit: f64,
    count_bits: u32,
}

/// Sums in their own units.
#[derive(Clone, Copy)]
pub(super) struct Sums {
    pub(super) slope: f64,
    pub(super) hessian: f64,
    pub(super) rows: u64,
}

impl Rounded {
    /// Units as small as sums of so many rows allow.
    pub(super) fn new(gradients: &[Gradient]) -> Self {
        let greatest = |of: fn(&Gradient) -> f32| {
            let greatest = gradients.par_iter().map(|one| of(one).abs()).reduce(|| 0.0, f32::max);
            f64::from(greatest).max(f64::MIN_POSITIVE * 2f64.powi(64))
        };
        let count_bits = gradients.len().max(1).ilog2() + 1;
        let slope_unit = greatest(|one| one.slope) / 2f64.powi(61 - count_bits.cast_signed());
        let hessian_unit =
            greatest(|one| one.hessian) / 2f64.powi(61 - 2 * count_bits.cast_signed());
        let round = |one: &Gradient| {
            let slope = (f64::from(one.slope) / slope_unit).round() as i64;
            let hessian = (f64::from(one.hessian) / hessian_unit).round() as i64;
            [slope, (hessian << count_bits) + 1]
        };
        let gradients = gradients.par_iter().map(round).collect();
        Self { gradients, slope_unit, hessian_unit, count_bits }
    }

    /// The sums of a packed sum.
    pub(super) fn unpack(&self, sum: Packed) -> Sums {
        Sums {
            slope: sum[0] as f64 * self.slope_unit,
            hessian: (sum[1] >> self.count_bits) as f64 * self.hessian_unit,
            rows: (sum[1] & ((1 << self.count_bits) - 1)).cast_unsigned(),
        }
    }

    /// The histogram of each of `columns` over `rows`.
    pub(super) fn count(&self, bins: &Bins, columns: &[usize], rows: &[u32]) -> Vec<Histogram> {
        let mut histograms = vec![[[0; 2]; 256]; columns.len()];
        let count = |(columns, out): (&[usize], &mut [Histogram])| {
            let columns: Vec<&[u8]> = columns.iter().map(|&at| &bins.columns[at][..]).collect();
            count(&self.gradients, rows, &columns, out);
        };
        if rows.len() * columns.len() < WORTH_SHARING {
            columns.chunks(AT_ONCE).zip(histograms.chunks_mut(AT_ONCE)).for_each(count);
        } else {
            let columns = columns.par_chunks(AT_ONCE);
            columns.zip(histograms.par_chunks_mut(AT_ONCE)).for_each(count);
        }
        histograms
    }
}

/// Adds each row's gradient to its bin, four columns at once where there are four.
fn count(gradients: &[Packed], rows: &[u32], columns: &[&[u8]], out: &mut [Histogram]) {
    if let ([a, b, c, d], [in_a, in_b, in_c, in_d]) = (columns, &mut *out) {
        for &row in rows {
            let row = row as usize;
            let gradient = gradients[row];
            add(&mut in_a[usize::from(a[row])], gradient);
            add(&mut in_b[usize::from(b[row])], gradient);
            add(&mut in_c[usize::from(c[row])], gradient);
            add(&mut in_d[usize::from(d[row])], gradient);
        }
        return;
    }
    for (column, out) in columns.iter().zip(out) {
        for &row in rows {
            add(&mut out[usize::from(column[row as usize])], gradients[row as usize]);
        }
    }
}

/// sum + one.
pub(super) fn add(sum: &mut Packed, one: Packed) {
    sum[0] = sum[0].wrapping_add(one[0]);
    sum[1] = sum[1].wrapping_add(one[1]);
}

/// whole − part.
pub(super) fn without(whole: Packed, part: Packed) -> Packed {
    [whole[0].wrapping_sub(part[0]), whole[1].wrapping_sub(part[1])]
}
