//! The same for everyone.

use super::training::Training;
use super::{Asked, Score};

pub(super) struct Popularity {
    row: Vec<f32>,
}

impl Popularity {
    pub(super) fn new(training: &Training, days: Option<u32>) -> Self {
        let mut row = training.sales(days);
        // So that a short window still fills the list.
        row.iter_mut().zip(&training.popularity).for_each(|(cell, all)| *cell += 1e-6 * all);
        Self { row }
    }

    /// Each item's share of the most popular one's.
    pub(super) fn shares(&self) -> impl Iterator<Item = f32> {
        let most = self.row.iter().copied().fold(0.0, f32::max).max(f32::MIN_POSITIVE);
        self.row.iter().map(move |cell| cell / most)
    }
}

impl Score for Popularity {
    fn score(&self, _: &Asked, row: &mut [f32]) {
        row.copy_from_slice(&self.row);
    }
}
