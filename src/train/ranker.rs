//! Learns to order what the blend puts on top: fitted on one stretch of held-out weeks, judged on the next.
//!
//! Judging on other customers of the same weeks would flatter: what sold well just then gives itself away.

use std::collections::BTreeMap;

use rayon::prelude::*;
use serde::Serialize;

use super::Rehearsal;
use super::cases::Case;
use super::share::{Share, evenly};
use super::trials::Metric;
use crate::ids::ItemId;
use crate::rank::{Binned, Forest, Objective, RankOptions, Sheet};
use crate::recommend::{
    Blend, FEATURES, Kind, Query, RELATIVE_BLEND_COLUMN, Scratch, Shortlist, shortlist,
};

/// What a ranker was worth, by the headline figure of its question, on weeks after those it was fitted on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Worth {
    /// Of the blend's order.
    pub blend: f64,
    /// Of the best ranker's.
    pub ranker: f64,
    /// Trees in it; 0 if it did not help, and was dropped.
    pub trees: usize,
}

/// What was learnt for the questions that it helps, by their names.
#[derive(Debug, Default)]
pub(super) struct Rankers {
    /// Fitted on all stretches.
    pub(super) rankers: BTreeMap<String, Forest>,
    /// The same, fitted on all but the latest: what can be said of that honestly.
    pub(super) of_earlier: BTreeMap<String, Forest>,
    /// What they were worth; also of those that were dropped.
    pub(super) worths: BTreeMap<&'static str, Worth>,
}

/// What is made small, and the column that is started from.
type Way = (Objective, Option<usize>);

/// With fewer cases than this a ranker learns noise.
pub(super) const LEAST_CASES: usize = 200;
/// A ranker must do better by at least this factor to be worth its time.
const LEAST_GAIN: f64 = 1.003;
/// One way alone must do better than all together by this factor to be preferred: the best of several looks
/// better than it is.
const LEAST_LEAD: f64 = 1.02;
/// How many trees are tried, rising …
const TREES: [usize; 3] = [15, 30, 60];
/// … for each of these. The blend's own score would bind customers with a long past more than others; its share
/// of the best does not.
const WAYS: [Way; 3] = [
    (Objective::Lambda, Some(RELATIVE_BLEND_COLUMN)),
    (Objective::Logistic, Some(RELATIVE_BLEND_COLUMN)),
    (Objective::Lambda, None),
];

/// A ranker for each question that it helps: fitted on the cases of earlier stretches, judged on those of the
/// `judges` after them (fewer, where too little was asked before), latest first, and then fitted on all.
pub(super) fn learn_rankers(
    rehearsals: &[Rehearsal],
    blend: &Blend,
    share: Share,
    judges: usize,
) -> Rankers {
    let mut learnt = Rankers::default();
    for kind in blend.kinds() {
        let judges = judges_of(rehearsals, kind, judges);
        if judges == 0 {
            continue;
        }
        let most = share.times_to_learn(usual_cases(rehearsals, kind));
        let (mut sheets, mut judged) = (Vec::new(), Vec::new());
        for stretch in rehearsals {
            let lists = Lists::of(stretch, blend, kind, most);
            sheets.push(lists.sheet());
            if judged.len() < judges {
                judged.push(lists);
            }
        }
        let metric = Metric::of_question(kind);
        let figure = |forests: &[Option<&Forest>]| mean_figure(&judged, metric, forests);
        let blended = figure(&vec![None; judges]);
        let mut earlier: Vec<Sheet> =
            (1..=judges).map(|first| together(&sheets[first..])).collect();
        sheets.truncate(1);
        let judge = |forests: &[Forest]| figure(&forests.iter().map(Some).collect::<Vec<_>>());
        let Best { figure: ranked, ways, forest } = best_ways(&earlier, judge);
        let kept = ranked > blended * LEAST_GAIN;
        let trees = if kept { ways.iter().map(|(_, trees)| trees).sum() } else { 0 };
        learnt.worths.insert(kind.name(), Worth { blend: blended, ranker: ranked, trees });
        if kept {
            let mut all = earlier.swap_remove(0); // but for the latest stretch
            all.append(&sheets[0]).expect("sheets of the same columns");
            learnt.rankers.insert(kind.name().to_owned(), grown(&all, &ways));
            learnt.of_earlier.insert(kind.name().to_owned(), forest);
        }
    }
    learnt
}

/// How many of the latest stretches, up to `most`, have cases enough themselves and before them.
fn judges_of(rehearsals: &[Rehearsal], kind: Kind, most: usize) -> usize {
    let cases = |rehearsal: &Rehearsal| rehearsal.split.cases(kind).len();
    let can_judge = |stretch: &usize| {
        let earlier: usize = rehearsals[stretch + 1..].iter().map(cases).sum();
        cases(&rehearsals[*stretch]).min(earlier) >= LEAST_CASES
    };
    (0..rehearsals.len().min(most)).take_while(can_judge).count()
}

fn together(sheets: &[Sheet]) -> Sheet {
    let mut all = Sheet::new(FEATURES);
    sheets.iter().for_each(|sheet| all.append(sheet).expect("sheets of the same columns"));
    all
}

/// The mean figure of all cases, those of each stretch as its forest orders them.
fn mean_figure(stretches: &[Lists<'_>], metric: Metric, forests: &[Option<&Forest>]) -> f64 {
    let each = stretches.iter().zip(forests).map(|(lists, forest)| lists.judge(metric, *forest));
    let cases: usize = stretches.iter().map(|lists| lists.cases.len()).sum();
    each.sum::<f64>() / cases.max(1) as f64
}

/// The best ways to learn.
struct Best {
    /// How good they are found.
    figure: f64,
    /// With how many trees each.
    ways: Vec<(Way, usize)>,
    /// What they learnt from the first of the sheets.
    forest: Forest,
}

/// The ways to learn that `judge` finds best: all together, or where one alone does clearly better, that one. `judge`
/// is shown a forest learnt from each of the sheets.
fn best_ways(sheets: &[Sheet], judge: impl Fn(&[Forest]) -> f64 + Sync) -> Best {
    let binned: Vec<Binned<'_>> = sheets.iter().map(|sheet| Binned::new(sheet, BINS)).collect();
    let try_one = |&way: &Way| {
        let options = options(way, TREES[TREES.len() - 1]);
        let most: Vec<Forest> = binned.par_iter().map(|sheet| sheet.forest(&options)).collect();
        let first = |trees| most.iter().map(|forest| forest.first(trees)).collect::<Vec<_>>();
        let tried = TREES.map(|trees| (judge(&first(trees)), trees));
        let (figure, trees) =
            tried.into_iter().fold((0.0, 0), |a, b| if b.0 > a.0 { b } else { a });
        (figure, (way, trees), first(trees))
    };
    let each: Vec<(f64, (Way, usize), Vec<Forest>)> = WAYS.par_iter().map(try_one).collect();
    let all_ways = |(nth, sheet): (usize, &Sheet)| {
        let forests: Vec<&Forest> = each.iter().map(|(_, _, forests)| &forests[nth]).collect();
        Forest::together(&forests, sheet)
    };
    let mut all_ways: Vec<Forest> = sheets.iter().enumerate().map(all_ways).collect();
    let figure = judge(&all_ways);
    let alone = each.iter().fold(&each[0], |a, b| if b.0 > a.0 { b } else { a });
    match figure * LEAST_LEAD > alone.0 {
        true => {
            let ways = each.iter().map(|(_, way, _)| *way).collect();
            Best { figure, ways, forest: all_ways.swap_remove(0) }
        }
        false => Best { figure: alone.0, ways: vec![alone.1], forest: alone.2[0].clone() },
    }
}

/// A ranker that learns from the sheet in these ways.
fn grown(sheet: &Sheet, ways: &[(Way, usize)]) -> Forest {
    let binned = Binned::new(sheet, BINS);
    let grown: Vec<Forest> =
        ways.par_iter().map(|&(way, trees)| binned.forest(&options(way, trees))).collect();
    Forest::together(&grown.iter().collect::<Vec<_>>(), sheet)
}

/// Coarse bins and few leaves: a tree that can tell single items apart learns what sold well just then.
const BINS: usize = 24;

fn options((objective, base_column): Way, trees: usize) -> RankOptions {
    RankOptions {
        objective,
        trees,
        leaves: 12,
        min_rows: 200,
        holdout: 0.0,
        base_column,
        learning_rate: 0.1,
        column_share: 0.6,
        group_share: 0.6,
        ..RankOptions::default()
    }
}

/// Cases in which fewer items are right than this, in the mean, teach less: it takes more of them …
const RIGHT_PER_CASE: f64 = 5.0;
/// … but not more than so many times as many.
const MOST_TIMES: f64 = 4.0;

/// Of more cases of a stretch than this, in a shop of usual size, an even share is learnt from: a ranker
/// gains most in the basket.
fn usual_cases(rehearsals: &[Rehearsal], kind: Kind) -> usize {
    let usual = match kind {
        Kind::Basket | Kind::BasketAnonymous => 1_200,
        Kind::Related | Kind::Customer | Kind::CustomerNew | Kind::Session => 800,
    };
    let cases = || rehearsals.iter().flat_map(|rehearsal| rehearsal.split.cases(kind));
    let right: usize = cases().map(|case| case.truth.len()).sum();
    let per_case = right as f64 / cases().count().max(1) as f64;
    (f64::from(usual) * (RIGHT_PER_CASE / per_case).clamp(1.0, MOST_TIMES)) as usize
}

/// So many of a shortlist are learnt from …
const HEAD: usize = 40;
/// … and each so-many-th of the others.
const TAIL_STEP: usize = 3;

/// The shortlists of the cases of one question.
struct Lists<'a> {
    cases: Vec<&'a Case>,
    lists: Vec<Shortlist>,
}

impl<'a> Lists<'a> {
    fn of(rehearsal: &'a Rehearsal, blend: &Blend, kind: Kind, most: usize) -> Self {
        let Rehearsal { learnt, split, .. } = rehearsal;
        let list = |scratch: &mut Scratch, case: &&Case| {
            let query = Query::new(
                kind.question(case.keys(&learnt.contents)),
                case.history(&learnt.histories),
                50,
            );
            shortlist(&learnt.contents, blend.of(kind), &query, scratch)
        };
        let cases: Vec<&Case> = evenly(split.cases(kind), most).collect();
        Self { lists: cases.par_iter().map_init(Scratch::default, list).collect(), cases }
    }

    /// The first of each list, and an even share of the rest: by place, right or wrong, for else the rest
    /// would seem better than it is.
    fn sheet(&self) -> Sheet {
        let mut sheet = Sheet::new(FEATURES);
        let (mut rows, mut labels) = (Vec::new(), Vec::new());
        for (list, case) in self.lists.iter().zip(&self.cases) {
            rows.clear();
            labels.clear();
            let found = list.items.iter().map(|&item| case.label(item));
            for ((place, label), row) in found.enumerate().zip(list.features.chunks(FEATURES)) {
                if place < HEAD || place.is_multiple_of(TAIL_STEP) {
                    rows.extend(row);
                    labels.push(label);
                }
            }
            sheet.push(&rows, &labels, 1.0).expect("a row of features per label");
        }
        sheet
    }

    /// The figures of the lists, summed, as they stand or as the forest orders them.
    fn judge(&self, metric: Metric, forest: Option<&Forest>) -> f64 {
        let judged: Vec<f64> = self
            .lists
            .par_iter()
            .zip(&self.cases)
            .map(|(list, case)| {
                let mut scores: Vec<f32> =
                    (0..list.items.len()).map(|place| -(place as f32)).collect();
                if let Some(forest) = forest {
                    forest.score_all(&list.features, &mut scores);
                }
                let mut order: Vec<(f32, ItemId)> =
                    scores.into_iter().zip(list.items.iter().copied()).collect();
                order.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
                let right: Vec<bool> = order
                    .iter()
                    .take(metric.cutoff())
                    .map(|(_, item)| case.is_right(*item))
                    .collect();
                metric.of(&right, case.truth.len())
            })
            .collect();
        judged.iter().sum()
    }
}
