//! Dice for the made-up shop: the same throws on every machine.
//!
//! Only `u32`, `u64` and `f64` are drawn (a `usize` draws differently on 32 bits), and weights are only
//! added and compared: no `ln` or `powf`, whose last digits depend on the platform.

use fastrand::Rng;

/// An independent stream of throws for one purpose: part `stream` of the shop with this `seed`.
pub(super) fn stream(seed: u64, stream: u64) -> Rng {
    let mixed = seed ^ stream.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mut rng = Rng::with_seed(mixed);
    rng.u64(..); // neighbouring seeds part ways after the first throw
    rng
}

/// True with this probability.
pub(super) fn chance(rng: &mut Rng, probability: f64) -> bool {
    rng.f64() < probability
}

/// A position in `0..len`; `len` is at least 1.
pub(super) fn position(rng: &mut Rng, len: usize) -> usize {
    rng.u32(..u32::try_from(len).unwrap_or(u32::MAX)) as usize
}

/// A number in `from..=to`, or `from` if that is empty.
pub(super) fn between(rng: &mut Rng, from: u32, to: u32) -> u32 {
    rng.u32(from..=to.max(from))
}

/// Fisher–Yates.
pub(super) fn shuffle<T>(rng: &mut Rng, values: &mut [T]) {
    for end in (1..values.len()).rev() {
        values.swap(end, position(rng, end + 1));
    }
}

/// Positions drawn in proportion to their weights.
#[derive(Default)]
pub(super) struct Weights {
    cumulative: Vec<f64>,
}

impl Weights {
    pub(super) fn new(weights: impl IntoIterator<Item = f64>) -> Self {
        let mut total = 0.0;
        let cumulative = weights.into_iter().map(|weight| {
            total += weight;
            total
        });
        Self { cumulative: cumulative.collect() }
    }

    pub(super) fn total(&self) -> f64 {
        self.cumulative.last().copied().unwrap_or(0.0)
    }

    /// A position; 0 if there are no weights.
    pub(super) fn draw(&self, rng: &mut Rng) -> usize {
        let aim = rng.f64() * self.total();
        let position = self.cumulative.partition_point(|&upto| upto <= aim);
        position.min(self.cumulative.len().saturating_sub(1))
    }
}
