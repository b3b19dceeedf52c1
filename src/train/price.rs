//! What an answer costs, question by question.

use std::collections::BTreeMap;
use std::time::Instant;

use super::Rehearsal;
use super::share::evenly;
use crate::recommend::{Blend, Kind, Query, Scratch, answer};

/// So many cases are answered, evenly spread.
const ANSWERED: usize = 200;

/// The median time of an answer on one thread, in milliseconds, with everything that was learnt.
pub(super) fn milliseconds(rehearsal: &Rehearsal, blend: &Blend) -> BTreeMap<&'static str, f64> {
    let Rehearsal { learnt, split } = rehearsal;
    let mut scratch = Scratch::default();
    let mut price = BTreeMap::new();
    for kind in Kind::ALL {
        let mut times: Vec<f64> = evenly(split.cases(kind), ANSWERED)
            .map(|case| {
                let question = kind.question(case.keys(&learnt.contents));
                let history = case.history(&learnt.histories);
                let start = Instant::now();
                answer(&learnt.contents, blend, &Query::new(question, history, 20), &mut scratch);
                start.elapsed().as_secs_f64() * 1e3
            })
            .collect();
        if !times.is_empty() {
            times.sort_unstable_by(f64::total_cmp);
            price.insert(kind.name(), times[times.len() / 2]);
        }
    }
    price
}
