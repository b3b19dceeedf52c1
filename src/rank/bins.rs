//! Features as a byte each: which of at most 255 quantile bins of its column a value falls in.

use rayon::prelude::*;

use super::sheet::Sheet;

/// The bin of what isn't known.
pub(super) const UNKNOWN: u8 = 0;

/// Values looked at to place the edges of a column's bins.
const SAMPLE: usize = 30_000;

/// A sheet in bins. Bin 0 is unknown; values rise from bin 1.
pub(super) struct Bins {
    /// Row by row the bin of each column: whoever counts a row has all of it in a line or two of the cache.
    rows: Vec<u8>,
    /// The same column by column: whoever parts rows by a column passes by no other.
    columns: Vec<Vec<u8>>,
    /// For each column the greatest value of each bin from 1, but the last.
    edges: Vec<Vec<f32>>,
}

impl Bins {
    /// Each column in at most `bins` bins of about as many rows, from a sample of the rows.
    pub(super) fn new(sheet: &Sheet, bins: usize) -> Self {
        let sample = sample(sheet.rows());
        let edges: Vec<Vec<f32>> = (0..sheet.columns())
            .into_par_iter()
            .map(|column| edges(sample.iter().map(|&row| sheet.value(row, column)), bins))
            .collect();
        let mut rows = vec![UNKNOWN; sheet.rows() * sheet.columns()];
        let features = sheet.features(0..sheet.rows()).par_chunks(sheet.columns().max(1));
        rows.par_chunks_mut(sheet.columns().max(1)).zip(features).for_each(|(bins, values)| {
            for ((bin, &value), edges) in bins.iter_mut().zip(values).zip(&edges) {
                *bin = self::bin(edges, value);
            }
        });
        let of_column =
            |column: usize| rows.iter().skip(column).step_by(edges.len()).copied().collect();
        let columns = (0..edges.len()).into_par_iter().map(of_column).collect();
        Self { rows, columns, edges }
    }

    /// The bin of each column of a row.
    pub(super) fn row(&self, row: usize) -> &[u8] {
        &self.rows[row * self.edges.len()..][..self.edges.len()]
    }

    /// The bin of each row in a column.
    pub(super) fn column(&self, column: usize) -> &[u8] {
        &self.columns[column]
    }

    /// The columns that are not the same in every row: no other can part them.
    pub(super) fn telling(&self) -> Vec<usize> {
        let differ = |bins: &[u8]| bins.iter().any(|bin| *bin != bins[0]);
        (0..self.columns.len()).filter(|&column| differ(&self.columns[column])).collect()
    }

    /// At least as many as any column has, the unknown one too.
    pub(super) fn most(&self) -> usize {
        (0..self.edges.len()).map(|column| self.count(column)).max().unwrap_or(0)
    }

    /// Bins of a column, the unknown one too.
    pub(super) fn count(&self, column: usize) -> usize {
        self.edges[column].len() + 2
    }

    /// The greatest value of a bin; of the last one, the greatest there is.
    pub(super) fn edge(&self, column: usize, bin: u8) -> f32 {
        let edges = &self.edges[column];
        edges.get(usize::from(bin) - 1).copied().unwrap_or(f32::MAX)
    }
}

fn sample(rows: usize) -> Vec<usize> {
    if rows <= SAMPLE {
        return (0..rows).collect();
    }
    let mut random = fastrand::Rng::with_seed(1);
    let mut sample: Vec<usize> = (0..SAMPLE).map(|_| random.usize(..rows)).collect();
    sample.sort_unstable(); // in the order of memory
    sample
}

/// 1 + the first edge that is no less than the value.
fn bin(edges: &[f32], value: f32) -> u8 {
    if value.is_nan() {
        return UNKNOWN;
    }
    u8::try_from(1 + edges.partition_point(|&edge| edge < value)).expect("at most 254 edges")
}

/// Where bins end: each holds its share of the rows that are left, and a value is never divided.
fn edges(values: impl Iterator<Item = f32>, bins: usize) -> Vec<f32> {
    let mut values: Vec<f32> = values.filter(|value| !value.is_nan()).collect();
    values.sort_unstable_by(f32::total_cmp);
    let distinct: Vec<&[f32]> = values.chunk_by(|a, b| a == b).collect();
    let mut edges = Vec::new();
    let (mut left, mut held) = (values.len(), 0);
    for (at, pair) in distinct.windows(2).enumerate() {
        held += pair[0].len();
        let bins_left = bins - edges.len();
        let share = left.div_ceil(bins_left);
        // A bin for each value, if there are no more values than bins.
        if bins_left > 1 && (held >= share || distinct.len() - at <= bins_left) {
            edges.push(between(pair[0][0], pair[1][0]));
            left -= held;
            held = 0;
        }
    }
    edges
}

/// About halfway, and `low` ≤ the result < `high`.
fn between(low: f32, high: f32) -> f32 {
    let middle = low * 0.5 + high * 0.5;
    if middle >= low && middle < high { middle } else { low }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_few_values_have_a_bin_each() {
        let values = [3.0, 1.0, 2.0, 2.0, f32::NAN, 1.0];
        assert_eq!(edges(values.into_iter(), 255), [1.5, 2.5]);
        assert_eq!(edges(values.into_iter(), 3), [1.5, 2.5]);
        assert!(edges([7.0; 5].into_iter(), 255).is_empty());
        assert!(edges([f32::NAN; 5].into_iter(), 255).is_empty());
    }

    #[test]
    fn many_values_share_bins_evenly() {
        let edges = edges((0..10_000).map(|i| i as f32), 100);
        assert_eq!(edges.len(), 99);
        assert_eq!(edges[0], 99.5);
        assert_eq!(edges[98], 9899.5);
    }

    #[test]
    fn only_a_column_that_differs_tells_anything() {
        let mut sheet = Sheet::new(4); // always 7, never known, sometimes known, two values
        assert!(Bins::new(&sheet, 8).telling().is_empty());
        sheet
            .push(&[7.0, f32::NAN, 1.0, 2.0, 7.0, f32::NAN, f32::NAN, 3.0], &[0.0; 2], 1.0)
            .unwrap();
        let bins = Bins::new(&sheet, 8);
        assert_eq!(bins.telling(), [2, 3]);
        let of_columns: Vec<u8> = (0..4).map(|column| bins.column(column)[1]).collect();
        assert_eq!(of_columns, bins.row(1));
    }

    proptest! {
        #[test]
        fn an_edge_parts_its_neighbours(low: f32, high: f32) {
            prop_assume!(low.is_finite() && high.is_finite() && low < high);
            let edge = between(low, high);
            prop_assert!(edge.is_finite() && low <= edge && edge < high);
        }

        #[test]
        fn bins_rise_with_values_and_edges_decide_them(
            values in prop::collection::vec(-9i16..9, 1..80), bins in 2usize..8,
        ) {
            let values: Vec<f32> = values.into_iter().map(f32::from).collect();
            let edges = edges(values.iter().copied(), bins);
            prop_assert!(edges.len() < bins && edges.is_sorted_by(|a, b| a < b));
            for &value in &values {
                let bin = usize::from(bin(&edges, value));
                prop_assert!(edges.get(bin - 1).is_none_or(|&edge| value <= edge));
                prop_assert!(bin == 1 || value > edges[bin - 2]);
            }
        }
    }
}
