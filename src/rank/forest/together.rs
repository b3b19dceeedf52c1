//! Several forests as one.

use rayon::prelude::*;

use super::{Base, FURTHEST, Forest, Parts, Sheet};

impl Forest {
    /// The sum of several forests, each in units of its own standard deviation over the rows of a sheet: forests
    /// that were grown in unlike ways err in unlike places, and what one mistakes the others make good.
    ///
    /// One forest alone stays as it is. Panics if there is none, or if they don't score rows of the same columns, or
    /// start from different ones.
    pub fn together(forests: &[&Self], sheet: &Sheet) -> Self {
        if let [alone] = forests {
            return (*alone).clone();
        }
        let mut all = Parts::empty(forests[0].parts.columns, None);
        all.gains = vec![0.0; forests[0].columns()];
        for forest in forests {
            let Parts { columns, base, starts, values, gains, .. } = &forest.parts;
            assert_eq!(*columns, all.columns, "forests score rows of the same columns");
            let unit = 1.0 / deviation(forest, sheet).max(f32::MIN_POSITIVE.sqrt());
            all.base = sum(all.base, base.map(|base| Base { scale: base.scale * unit, ..base }));
            let nodes = u32::try_from(all.asks.len()).expect("at most 2^16 trees of 15 nodes");
            all.starts.extend(starts[1..].iter().map(|end| nodes + end));
            all.asks.extend(&forest.parts.asks);
            all.thresholds.extend(&forest.parts.thresholds);
            all.left.extend(&forest.parts.left);
            all.right.extend(&forest.parts.right);
            let value = |value: &f32| (value * unit).clamp(-FURTHEST, FURTHEST);
            all.values.extend(values.iter().map(value));
            // Losses of different kinds: what counts is a column's share.
            let total: f32 = gains.iter().sum();
            let shares = gains.iter().map(|gain| gain / total.max(f32::MIN_POSITIVE));
            all.gains.iter_mut().zip(shares).for_each(|(sum, share)| *sum += share);
        }
        Self::try_from(all).expect("sound forests, one after the other")
    }
}

/// A score that starts from both.
fn sum(one: Option<Base>, other: Option<Base>) -> Option<Base> {
    let (Some(a), Some(b)) = (one, other) else { return one.or(other) };
    assert_eq!(a.column, b.column, "forests start from the same column");
    Some(Base { scale: (a.scale + b.scale).min(FURTHEST), ..a })
}

/// How far a forest's scores of a sheet's rows are from their mean, as the root of the mean square.
fn deviation(forest: &Forest, sheet: &Sheet) -> f32 {
    let mut scores = vec![0.0; sheet.rows()];
    let groups = sheet.by_group(&mut scores);
    groups.into_par_iter().enumerate().for_each(|(group, scores)| {
        forest.score_all(sheet.features(sheet.group(group)), scores);
    });
    let count = scores.len().max(1) as f64;
    let mean = scores.iter().copied().map(f64::from).sum::<f64>() / count;
    let squares = scores.iter().map(|&score| (f64::from(score) - mean).powi(2));
    (squares.sum::<f64>() / count).sqrt() as f32
}
