//! What a ranker is fitted on: rows of features in groups, with labels.

use std::ops::Range;

use crate::error::{Error, Result};

/// The most columns a sheet may have.
pub const MAX_COLUMNS: usize = 32_767;

/// Rows of features in groups, the rows of one question together, each row with a label.
///
/// Features are any f32; NaN, and anything infinite, means unknown. Labels are gains, 0 or more, mostly 0
/// and 1; one that is negative or not finite counts as 0. So does such a weight of a group, and one above a
/// million counts as a million.
#[derive(Clone, Debug)]
pub struct Sheet {
    columns: usize,
    features: Vec<f32>,
    offsets: Vec<usize>, // groups + 1, from 0
    labels: Vec<f32>,
    weights: Vec<f32>,
}

impl Sheet {
    /// No rows yet, of `columns` features each.
    pub fn new(columns: usize) -> Self {
        let (features, labels, weights) = (Vec::new(), Vec::new(), Vec::new());
        Self { columns, features, offsets: vec![0], labels, weights }
    }

    /// From its parts: row-major `features`, `offsets` of the groups (from 0 to the number of rows, never
    /// falling), a label per row, and a weight per group (without, all weigh 1).
    ///
    /// Errors: lengths that don't fit, or more than [`MAX_COLUMNS`].
    pub fn from_parts(
        columns: usize,
        features: Vec<f32>,
        offsets: Vec<usize>,
        labels: Vec<f32>,
        weights: Option<Vec<f32>>,
    ) -> Result<Self> {
        check_size(columns, features.len(), labels.len())?;
        let groups = offsets.len().saturating_sub(1);
        if offsets.first() != Some(&0)
            || offsets.last() != Some(&labels.len())
            || !offsets.is_sorted()
        {
            return Err(Error::Input(format!(
                "a sheet of {} rows needs offsets that rise from 0 to {0}",
                labels.len()
            )));
        }
        let weights = weights.unwrap_or_else(|| vec![1.0; groups]);
        if weights.len() != groups {
            return Err(Error::Input(format!(
                "a sheet of {groups} groups needs a weight for each: {} came",
                weights.len()
            )));
        }
        let labels = labels.into_iter().map(gain).collect();
        let weights = weights.into_iter().map(weight).collect();
        Ok(Self { columns, features, offsets, labels, weights })
    }

    /// Adds a group: row-major `features` and a label for each row.
    ///
    /// Errors: not `columns` features to each label, or more than [`MAX_COLUMNS`].
    pub fn push(&mut self, features: &[f32], labels: &[f32], weight: f32) -> Result<()> {
        check_size(self.columns, features.len(), labels.len())?;
        self.features.extend_from_slice(features);
        self.labels.extend(labels.iter().copied().map(gain));
        self.offsets.push(self.labels.len());
        self.weights.push(self::weight(weight));
        Ok(())
    }

    /// Adds the groups of another sheet after its own.
    ///
    /// Errors: another number of columns.
    pub fn append(&mut self, other: &Self) -> Result<()> {
        if other.columns != self.columns {
            let (own, theirs) = (self.columns, other.columns);
            return Err(Error::Input(format!("a sheet of {own} columns can't take {theirs}")));
        }
        let before = self.labels.len();
        self.features.extend_from_slice(&other.features);
        self.labels.extend_from_slice(&other.labels);
        self.offsets.extend(other.offsets[1..].iter().map(|offset| before + offset));
        self.weights.extend_from_slice(&other.weights);
        Ok(())
    }

    /// Features per row.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Rows in all groups.
    pub fn rows(&self) -> usize {
        self.labels.len()
    }

    /// Groups, empty ones too.
    pub fn groups(&self) -> usize {
        self.weights.len()
    }

    /// The rows of a group.
    pub fn group(&self, group: usize) -> Range<usize> {
        self.offsets[group]..self.offsets[group + 1]
    }

    /// The features of consecutive rows, row-major.
    pub fn features(&self, rows: Range<usize>) -> &[f32] {
        &self.features[rows.start * self.columns..rows.end * self.columns]
    }

    /// One label per row: finite, 0 or more.
    pub fn labels(&self) -> &[f32] {
        &self.labels
    }

    /// How much a group weighs: finite, 0 or more.
    pub fn weight(&self, group: usize) -> f32 {
        self.weights[group]
    }

    /// One feature of one row; NaN where it is unknown.
    pub(super) fn value(&self, row: usize, column: usize) -> f32 {
        known(self.features[row * self.columns + column])
    }

    /// Whether a group has something to find: a positive label, and a weight.
    pub(super) fn has_positive(&self, group: usize) -> bool {
        self.weights[group] > 0.0 && self.labels[self.group(group)].iter().any(|&label| label > 0.0)
    }

    /// A slice for each group of something that has an entry per row.
    pub(super) fn by_group<'a, T>(&self, mut per_row: &'a mut [T]) -> Vec<&'a mut [T]> {
        let lengths = self.offsets.windows(2).map(|pair| pair[1] - pair[0]);
        lengths
            .map(|length| {
                let (group, rest) = std::mem::take(&mut per_row).split_at_mut(length);
                per_row = rest;
                group
            })
            .collect()
    }
}

/// The value, or NaN if it isn't finite.
pub(super) fn known(value: f32) -> f32 {
    if value.is_finite() { value } else { f32::NAN }
}

/// A label that can be counted with.
fn gain(value: f32) -> f32 {
    if value.is_finite() { value.max(0.0) } else { 0.0 }
}

/// A weight that leaves sums finite.
fn weight(value: f32) -> f32 {
    gain(value).min(1e6)
}

fn check_size(columns: usize, features: usize, labels: usize) -> Result<()> {
    if columns > MAX_COLUMNS {
        return Err(Error::Input(format!(
            "a sheet has at most {MAX_COLUMNS} columns, not {columns}"
        )));
    }
    if columns.checked_mul(labels) != Some(features) {
        return Err(Error::Input(format!(
            "{labels} rows of {columns} columns need as many features: {features} came"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sheet_refuses_parts_that_do_not_fit() {
        let refused = |columns, features: usize, offsets: &[usize], labels: usize, weights| {
            let (features, labels) = (vec![0.0; features], vec![0.0; labels]);
            Sheet::from_parts(columns, features, offsets.to_vec(), labels, weights)
                .unwrap_err()
                .to_string()
        };
        assert!(refused(2, 5, &[0, 3], 3, None).contains("3 rows of 2 columns"));
        assert!(refused(2, 6, &[0, 4], 3, None).contains("offsets"));
        assert!(refused(2, 6, &[0, 2, 1, 3], 3, None).contains("offsets"));
        assert!(refused(2, 0, &[], 0, None).contains("offsets"));
        assert!(refused(2, 6, &[0, 3], 3, Some(vec![1.0; 2])).contains("weight"));
        assert!(refused(MAX_COLUMNS + 1, 0, &[0], 0, None).contains("at most"));
        assert!(Sheet::new(2).push(&[1.0], &[1.0], 1.0).is_err());
        assert!(Sheet::new(2).append(&Sheet::new(3)).is_err());
    }

    #[test]
    fn appended_groups_follow_their_own() {
        let mut sheet = Sheet::new(1);
        sheet.push(&[1.0, 2.0], &[0.0, f32::NAN], 1.0).unwrap();
        let mut other = Sheet::new(1);
        other.push(&[3.0], &[-1.0], f32::INFINITY).unwrap();
        other.push(&[4.0], &[2.0], 0.5).unwrap();
        sheet.append(&other).unwrap();
        assert_eq!((sheet.rows(), sheet.groups(), sheet.group(2)), (4, 3, 3..4));
        assert_eq!(sheet.features(1..4), [2.0, 3.0, 4.0]);
        assert_eq!(sheet.labels(), [0.0, 0.0, 0.0, 2.0]);
        assert_eq!((sheet.weight(1), sheet.weight(2)), (0.0, 0.5));
    }
}
