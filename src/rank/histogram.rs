//! Sums of gradients per bin, in whole numbers.
//!
//! A row's gradient is rounded to a fixed unit, so sums are exact: they come out the same in any order, on
//! any number of threads, and parent − child is exactly the sibling.

use rayon::prelude::*;

use super::bins::Bins;
use super::gradients::Gradient;

/// Slope in the first number; in the second the hessian above the low bits, which count rows.
pub(super) type Packed = [i64; 2];

/// The sums of each bin of some columns, column by column.
pub(super) struct Histogram {
    sums: Vec<Packed>,
    /// Bins per column.
    width: usize,
}

/// So many sums fit the first cache: a pass over the rows counts as many columns at once.
const AT_ONCE: usize = 1_536;

/// Below this many additions the threads are not worth waking.
const WORTH_SHARING: usize = 100_000;

/// Gradients in whole units.
pub(super) struct Rounded {
    pub(super) gradients: Vec<Packed>, // by row; 0 for rows that don't count
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
    /// Of these rows, in units as small as sums of so many allow.
    pub(super) fn new(gradients: &[Gradient], rows: &[u32]) -> Self {
        let mut most = [0.0f32; 2];
        for one in rows.iter().map(|&row| gradients[row as usize]) {
            most = [most[0].max(one.slope.abs()), most[1].max(one.hessian.abs())];
        }
        let [slope, hessian] =
            most.map(|most| f64::from(most).max(f64::MIN_POSITIVE * 2f64.powi(64)));
        let count_bits = gradients.len().max(1).ilog2() + 1;
        let slope_unit = slope / 2f64.powi(61 - count_bits.cast_signed());
        let hessian_unit = hessian / 2f64.powi(61 - 2 * count_bits.cast_signed());
        let round = |one: &Gradient| {
            let slope = nearest(f64::from(one.slope) / slope_unit);
            let hessian = nearest(f64::from(one.hessian) / hessian_unit);
            [slope, (hessian << count_bits) + 1]
        };
        let mut packed = vec![[0; 2]; gradients.len()];
        rows.iter().for_each(|&row| packed[row as usize] = round(&gradients[row as usize]));
        Self { gradients: packed, slope_unit, hessian_unit, count_bits }
    }

    /// The sums of a packed sum.
    pub(super) fn unpack(&self, sum: Packed) -> Sums {
        Sums {
            slope: sum[0] as f64 * self.slope_unit,
            hessian: (sum[1] >> self.count_bits) as f64 * self.hessian_unit,
            rows: (sum[1] & ((1 << self.count_bits) - 1)).cast_unsigned(),
        }
    }

    /// The histogram of `columns` over `rows`.
    pub(super) fn count(&self, bins: &Bins, columns: &[usize], rows: &[u32]) -> Histogram {
        let pieces = (rows.len() * columns.len()).div_ceil(WORTH_SHARING).max(1);
        let count = |rows: &[u32]| self.counted(bins, columns, rows);
        let pieces = rows.par_chunks(rows.len().div_ceil(pieces).max(1)).map(count);
        pieces.reduce(|| Histogram::empty(bins, columns), Histogram::with)
    }

    fn counted(&self, bins: &Bins, columns: &[usize], rows: &[u32]) -> Histogram {
        let mut histogram = Histogram::empty(bins, columns);
        let width = histogram.width;
        let at_once = (AT_ONCE / width.max(1)).max(1);
        let parts = histogram.sums.chunks_mut(at_once * width.max(1));
        for (sums, columns) in parts.zip(columns.chunks(at_once)) {
            for &row in rows {
                let (bins, gradient) = (bins.row(row as usize), self.gradients[row as usize]);
                for (sums, &column) in sums.chunks_exact_mut(width).zip(columns) {
                    add(&mut sums[usize::from(bins[column])], gradient);
                }
            }
        }
        histogram
    }
}

impl Histogram {
    fn empty(bins: &Bins, columns: &[usize]) -> Self {
        let width = bins.most();
        Self { sums: vec![[0; 2]; width * columns.len()], width }
    }

    /// The sums of the bins of the `nth` column that was counted.
    pub(super) fn of(&self, nth: usize) -> &[Packed] {
        &self.sums[nth * self.width..][..self.width]
    }

    /// Of both together.
    fn with(mut self, other: Self) -> Self {
        self.sums.iter_mut().zip(other.sums).for_each(|(sum, more)| add(sum, more));
        self
    }

    /// Of these rows without some of them.
    pub(super) fn without(mut self, part: &Self) -> Self {
        self.sums.iter_mut().zip(&part.sums).for_each(|(sum, part)| *sum = without(*sum, *part));
        self
    }
}

/// The nearest whole number, without the call that `round` is where the processor's own must not be assumed.
fn nearest(value: f64) -> i64 {
    (value + 0.5f64.copysign(value)) as i64
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
