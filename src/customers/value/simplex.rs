//! Nelder and Mead's simplex, for likelihoods of two to four positive parameters.
//!
//! An optimiser crate would bring more code than the whole room: these surfaces are smooth, have few
//! parameters and one peak, and the published figures were found by the same method.

/// Searched on the log scale within e^±this: beyond, a parameter says "infinitely many" or "none".
const BOUND: f64 = 12.0;
const MOST_STEPS: usize = 4_000;
const CLOSE: f64 = 1e-9;

/// The positive parameters that make `log_likelihood` greatest, and how great that is.
///
/// Deterministic. Starts from `start`, and once more from what it found: a simplex may collapse too soon.
/// Source: Nelder & Mead 1965, with the coefficients 1, 2, ½, ½.
pub(super) fn maximise<const N: usize>(
    log_likelihood: impl Fn(&[f64; N]) -> f64,
    start: [f64; N],
) -> ([f64; N], f64) {
    let cost = |logs: &[f64; N]| {
        let within = logs.iter().all(|log| log.abs() <= BOUND);
        let likelihood = if within { log_likelihood(&logs.map(f64::exp)) } else { f64::NAN };
        if likelihood.is_finite() { -likelihood } else { f64::INFINITY }
    };
    let (first, _) = descend(&cost, start.map(f64::ln), 0.5);
    let (found, least) = descend(&cost, first, 0.1);
    (found.map(f64::exp), -least)
}

type Corner<const N: usize> = ([f64; N], f64);

fn descend<const N: usize>(
    cost: &impl Fn(&[f64; N]) -> f64,
    start: [f64; N],
    edge: f64,
) -> Corner<N> {
    let at = |place: [f64; N]| (place, cost(&place));
    let mut corners: Vec<Corner<N>> = vec![at(start)];
    for axis in 0..N {
        let mut place = start;
        place[axis] += edge;
        corners.push(at(place));
    }
    for _ in 0..MOST_STEPS {
        corners.sort_by(|a, b| a.1.total_cmp(&b.1));
        if is_small(&corners) {
            break;
        }
        let (best, worst) = (corners[0], corners[N]);
        let middle: [f64; N] =
            std::array::from_fn(|i| corners[..N].iter().map(|c| c.0[i]).sum::<f64>() / N as f64);
        let along = |t: f64| at(std::array::from_fn(|i| middle[i] + t * (worst.0[i] - middle[i])));
        let reflected = along(-1.0);
        if reflected.1 < best.1 {
            let further = along(-2.0);
            corners[N] = if further.1 < reflected.1 { further } else { reflected };
        } else if reflected.1 < corners[N - 1].1 {
            corners[N] = reflected;
        } else {
            let contracted = along(if reflected.1 < worst.1 { -0.5 } else { 0.5 });
            if contracted.1 < worst.1.min(reflected.1) {
                corners[N] = contracted;
            } else {
                for corner in &mut corners[1..] {
                    *corner = at(std::array::from_fn(|i| (best.0[i] + corner.0[i]) / 2.0));
                }
            }
        }
    }
    corners[0]
}

/// True once the corners, sorted, are the same place and the same height, but for rounding.
fn is_small<const N: usize>(corners: &[Corner<N>]) -> bool {
    let (place, height) = corners[0];
    let near = |corner: &Corner<N>| (0..N).all(|i| (corner.0[i] - place[i]).abs() < CLOSE);
    corners[1..].iter().all(near) && (corners[N].1 - height).abs() <= 1e-12 * height.abs().max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curved_valley_is_walked_to_its_end() {
        // Rosenbrock's, with its peak at (1, 1).
        let peak = |p: &[f64; 2]| -(100.0 * (p[1] - p[0] * p[0]).powi(2) + (1.0 - p[0]).powi(2));
        let (found, height) = maximise(peak, [5.0, 0.2]);
        assert!((found[0] - 1.0).abs() < 1e-6 && (found[1] - 1.0).abs() < 1e-6, "{found:?}");
        assert!(height > -1e-12);
    }

    #[test]
    fn a_parameter_without_a_best_value_stays_within_bounds() {
        let (found, _) = maximise(|p: &[f64; 1]| p[0].ln(), [1.0]);
        assert!(found[0].is_finite() && found[0] > 1e4, "{found:?}");
    }
}
