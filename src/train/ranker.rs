//! Learns to order what the blend puts on top, from the same held-out weeks.

use std::collections::BTreeMap;

use rayon::prelude::*;
use serde::Serialize;

use super::Learnt;
use super::cases::{Case, Split};
use crate::rank::{Forest, Measured, RankOptions, Sheet, fit};
use crate::recommend::{BLEND_COLUMN, Blend, FEATURES, Kind, Query, Scratch, Shortlist, shortlist};

/// What a ranker was worth, by NDCG@10 on cases held out from it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Worth {
    /// Of the blend's order.
    pub blend: f64,
    /// Of the ranker's.
    pub ranker: f64,
    /// Trees in it.
    pub trees: usize,
    /// False if it was dropped, for it did not help.
    pub kept: bool,
}

/// With fewer cases than this a ranker learns noise.
const LEAST_CASES: usize = 200;
/// A ranker must do better by at least this factor to be worth its time.
const LEAST_GAIN: f64 = 1.005;

/// A ranker for each question that it helps.
pub(super) fn learn_rankers(
    learnt: &Learnt,
    blend: &Blend,
    split: &Split,
) -> (BTreeMap<String, Forest>, BTreeMap<&'static str, Worth>) {
    let (mut rankers, mut worths) = (BTreeMap::new(), BTreeMap::new());
    for kind in Kind::ALL {
        let cases = split.cases(kind);
        if cases.len() < LEAST_CASES {
            continue;
        }
        let sheet = sheet(learnt, blend, kind, cases);
        let options = RankOptions { base_column: Some(BLEND_COLUMN), ..RankOptions::default() };
        let found = fit(&sheet, &options);
        let (Measured { held_out: before, .. }, Measured { held_out: after, .. }) =
            (found.base_ndcg, found.ndcg);
        let kept = after > before * LEAST_GAIN;
        let trees = found.forest.trees();
        worths.insert(kind.name(), Worth { blend: before, ranker: after, trees, kept });
        if kept {
            // Once more, from all cases: those held out have done their work.
            let all = RankOptions { trees, holdout: 0.0, ..options };
            rankers.insert(kind.name().to_owned(), fit(&sheet, &all).forest);
        }
    }
    (rankers, worths)
}

fn sheet(learnt: &Learnt, blend: &Blend, kind: Kind, cases: &[Case]) -> Sheet {
    let listed: Vec<(Shortlist, Vec<f32>)> = cases
        .par_iter()
        .map_init(Scratch::default, |scratch, case| {
            let keys = case.keys(&learnt.contents);
            let query = Query {
                question: kind.question(keys),
                history: case.history(&learnt.histories),
                limit: 50,
            };
            let list = shortlist(&learnt.contents, blend.of(kind), &query, scratch);
            let labels = list.items.iter().map(|item| case.gain(*item)).collect();
            (list, labels)
        })
        .collect();
    let mut sheet = Sheet::new(FEATURES);
    for (list, labels) in &listed {
        sheet.push(&list.features, labels, 1.0).expect("a row of features per label");
    }
    sheet
}
