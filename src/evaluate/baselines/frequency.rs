//! What the customer always buys.

use super::popularity::Popularity;
use super::training::Training;
use super::{Asked, Score};

/// Tells items apart that the customer has never bought, and no others.
const FILL: f64 = 1e-7;

pub(super) struct Frequency<'a> {
    training: &'a Training,
    decay: f64,
    base: Vec<f32>,
}

impl<'a> Frequency<'a> {
    pub(super) fn new(training: &'a Training, decay: f64, prior: f64, fill: bool) -> Self {
        let weight = prior + if fill { FILL } else { 0.0 };
        let shares = Popularity::new(training, None);
        let base = shares.shares().map(|share| (weight * f64::from(share)) as f32).collect();
        Self { training, decay, base }
    }
}

impl Score for Frequency<'_> {
    fn score(&self, asked: &Asked, row: &mut [f32]) {
        if let Some(customer) = asked.customer {
            // Oldest first: rounding decides where the fill tells equals apart.
            for (age, basket) in self.training.baskets_of(customer).enumerate().rev() {
                let weight = self.decay.powi(age as i32) as f32;
                basket.iter().for_each(|&item| row[item as usize] += weight);
            }
        }
        row.iter_mut().zip(&self.base).for_each(|(cell, base)| *cell += base);
    }
}
