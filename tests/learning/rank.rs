//! The ranker, through its public door: what it learns, that it learns it the same each time, and that
//! nothing odd or hostile makes it fall.

use cartwright::rank::{Fitted, Forest, Objective, RankOptions, Sheet, fit};
use proptest::prelude::*;

/// Features of a made-up row.
const COLUMNS: usize = 6;

/// Groups of 30 rows whose best rows are those with `worth` highest, through noise. Column 0 is a base
/// score that knows some of it, the others are even in [−1, 1], some unknown.
fn planted(groups: usize, seed: u64, worth: fn(&[f32]) -> f32) -> Sheet {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut sheet = Sheet::new(COLUMNS);
    for _ in 0..groups {
        let mut rows: Vec<f32> = (0..30 * COLUMNS).map(|_| random.f32() * 2.0 - 1.0).collect();
        let mut worths = Vec::new();
        for row in rows.chunks_mut(COLUMNS) {
            let worth = worth(row);
            row[0] = 0.5 * worth + random.f32() * 2.0;
            worths.push(worth + random.f32() * 0.2);
            if random.u8(..10) == 0 {
                row[5] = f32::NAN;
            }
        }
        let mut sorted = worths.clone();
        sorted.sort_by(f32::total_cmp);
        let labels: Vec<f32> =
            worths.iter().map(|&worth| f32::from(u8::from(worth > sorted[26]))).collect();
        sheet.push(&rows, &labels, 1.0).expect("rows of COLUMNS");
    }
    sheet
}

/// High where column 1 is near a half, or columns 2 and 3 have the same sign.
fn tangled(row: &[f32]) -> f32 {
    1.0 - (row[1] - 0.5).abs() + if row[2] * row[3] > 0.0 { 1.0 } else { 0.0 }
}

fn options() -> RankOptions {
    RankOptions { trees: 60, min_rows: 20, ..RankOptions::default() }
}

/// NDCG@10 of an order, worked out the long way: the best rows first, then the sum over places.
fn ndcg(sheet: &Sheet, score: impl Fn(&[f32]) -> f32) -> f64 {
    let mut sum = 0.0;
    for group in 0..sheet.groups() {
        let dcg = |mut rows: Vec<(f32, f32)>| {
            rows.sort_by(|a, b| b.0.total_cmp(&a.0));
            let gain =
                |(at, row): (usize, &(f32, f32))| f64::from(row.1) / (at as f64 + 2.0).log2();
            rows.iter().take(10).enumerate().map(gain).sum::<f64>()
        };
        let rows = sheet.group(group);
        let labels = &sheet.labels()[rows.clone()];
        let scores = rows.map(|row| score(sheet.features(row..row + 1)));
        let best = dcg(labels.iter().map(|&label| (label, label)).collect());
        sum += dcg(scores.zip(labels.iter().copied()).collect()) / best;
    }
    sum / sheet.groups() as f64
}

fn bytes(fitted: &Fitted) -> Vec<u8> {
    serde_json::to_vec(&fitted.forest).expect("numbers and lists")
}

#[test]
fn a_planted_nonlinear_order_is_learnt_better_than_by_any_single_column() {
    let sheet = planted(300, 1, tangled);
    let unseen = planted(100, 2, tangled);
    for objective in [Objective::Lambda, Objective::Logistic] {
        let fitted = fit(&sheet, &RankOptions { objective, ..options() });
        let learnt = ndcg(&unseen, |row| fitted.forest.score(row));
        for column in 0..COLUMNS {
            for sign in [1.0, -1.0] {
                let alone = ndcg(&unseen, |row| sign * row[column]);
                assert!(learnt > alone + 0.2, "{objective:?} {learnt}, column {column} {alone}");
            }
        }
        assert!(learnt > 0.85, "{objective:?} {learnt}");
    }
}

#[test]
fn the_base_column_is_beaten_on_groups_nobody_has_seen_and_both_are_reported() {
    let unseen = planted(100, 2, tangled);
    let sheet = planted(200, 1, tangled);
    for objective in [Objective::Lambda, Objective::Logistic] {
        let fitted = fit(&sheet, &RankOptions { objective, base_column: Some(0), ..options() });
        let base = ndcg(&unseen, |row| row[0]);
        let learnt = ndcg(&unseen, |row| fitted.forest.score(row));
        assert!(learnt > base + 0.1, "{objective:?} {learnt}, base {base}");
        assert!((fitted.base_ndcg.held_out - base).abs() < 0.1);
        assert!((fitted.ndcg.held_out - learnt).abs() < 0.1);
        assert!(fitted.ndcg.train >= fitted.ndcg.held_out - 0.05);
    }
}

#[test]
fn a_good_base_is_kept_however_small_its_numbers_and_beats_a_start_from_nothing() {
    let rows = planted(200, 1, tangled);
    let worths = rows.features(0..rows.rows()).chunks(COLUMNS);
    let features = worths.flat_map(|row| [&[1e-4 * tangled(row)], &row[1..]].concat()).collect();
    let offsets = (0..=200).map(|group| group * 30).collect();
    let labels = rows.labels().to_vec();
    let sheet = Sheet::from_parts(COLUMNS, features, offsets, labels, None).unwrap();
    let with = fit(&sheet, &RankOptions { base_column: Some(0), ..options() });
    let empty = fit(&sheet, &RankOptions { base_column: Some(0), trees: 0, ..options() });
    let without = fit(&sheet, &RankOptions { base_column: None, trees: 4, ..options() });
    assert!(with.base_ndcg.held_out > 0.9 && with.base_ndcg.held_out > without.ndcg.held_out);
    assert!(with.ndcg.held_out >= with.base_ndcg.held_out);
    assert_eq!(empty.ndcg, empty.base_ndcg);
}

#[test]
fn the_same_sheet_gives_the_same_bytes_on_one_thread_and_on_four_and_again() {
    let sheet = planted(150, 3, tangled);
    for objective in [Objective::Lambda, Objective::Logistic] {
        let options = RankOptions { objective, base_column: Some(0), ..options() };
        let on = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| fit(&sheet, &options))
        };
        let (one, four, again) = (on(1), on(4), on(4));
        assert!(one.forest.trees() > 3);
        assert_eq!(bytes(&one), bytes(&four));
        assert_eq!(bytes(&four), bytes(&again));
        assert_eq!((one.ndcg, one.base_ndcg), (four.ndcg, four.base_ndcg));
    }
}

#[test]
fn another_seed_gives_another_forest() {
    let sheet = planted(100, 3, tangled);
    assert_ne!(
        bytes(&fit(&sheet, &options())),
        bytes(&fit(&sheet, &RankOptions { seed: 2, ..options() }))
    );
}

#[test]
fn a_monotone_relation_is_recovered() {
    let sheet = planted(300, 4, |row| row[2]);
    let forest = fit(&sheet, &options()).forest;
    let at = |value: f32| forest.score(&[0.5, 0.0, value, 0.0, 0.0, 0.0]);
    let steps: Vec<f32> = [-0.2, 0.2, 0.5, 0.8].map(at).to_vec();
    assert!(steps.is_sorted() && steps[3] > steps[0] + 0.5, "{steps:?}");
    let gains = forest.feature_gain();
    assert!((0..COLUMNS).filter(|&c| c != 2).all(|c| gains[c] < gains[2]), "{gains:?}");
}

#[test]
fn unknown_values_go_where_they_did_better() {
    let mut sheet = Sheet::new(1);
    for _ in 0..100 {
        sheet.push(&[0.0, f32::NAN, 1.0, 2.0], &[0.0, 1.0, 0.0, 0.0], 1.0).unwrap();
    }
    let forest = fit(&sheet, &options()).forest;
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        assert!(forest.score(&[value]) > forest.score(&[0.0]));
        assert!(forest.score(&[value]) > forest.score(&[2.0]));
        assert_eq!(forest.score(&[value]), forest.score(&[]));
    }
}

#[test]
fn early_stopping_keeps_no_more_trees_than_helped() {
    let sheet = planted(60, 5, tangled);
    let options = RankOptions { min_rows: 5, trees: 150, learning_rate: 0.3, ..options() };
    let stopped = fit(&sheet, &options);
    let kept = stopped.forest.trees();
    assert!(kept > 0 && kept < 150, "{kept}");
    for trees in [kept - 1, kept / 2, 0] {
        let fewer = fit(&sheet, &RankOptions { trees, ..options.clone() });
        assert!(fewer.ndcg.held_out < stopped.ndcg.held_out);
    }
    let all = fit(&sheet, &RankOptions { holdout: 0.0, trees: 40, ..options });
    assert_eq!((all.forest.trees(), all.ndcg.held_out), (40, 0.0));
}

#[test]
fn noise_alone_leaves_the_base_order() {
    let mut random = fastrand::Rng::with_seed(7);
    let mut sheet = Sheet::new(4);
    for _ in 0..400 {
        let mut rows: Vec<f32> = (0..80).map(|_| random.f32()).collect();
        (0..20).for_each(|row| rows[row * 4] = row as f32);
        let mut labels = vec![0.0; 20];
        labels[19] = 1.0; // the base is right already
        sheet.push(&rows, &labels, 1.0).expect("rows of COLUMNS");
    }
    let fitted = fit(&sheet, &RankOptions { base_column: Some(0), ..options() });
    assert_eq!(fitted.forest.trees(), 0);
    assert_eq!(fitted.ndcg.held_out, 1.0);
    assert!(
        fitted.forest.score(&[3.0, 0.0, 0.0, 0.0]) > fitted.forest.score(&[2.0, 9.0, 9.0, 9.0])
    );
}

#[test]
fn where_there_is_nothing_to_learn_the_forest_is_empty_and_keeps_the_base() {
    let constant = |labels: &[f32]| {
        let mut sheet = Sheet::new(2);
        (0..50).for_each(|_| sheet.push(&[1.0; 8], labels, 1.0).unwrap());
        sheet
    };
    let mut one_row = Sheet::new(2);
    one_row.push(&[1.0, 2.0], &[1.0], 1.0).unwrap();
    let mut unknown = Sheet::new(2);
    (0..50).for_each(|_| unknown.push(&[f32::NAN; 6], &[1.0, 0.0, 0.0], 1.0).unwrap());
    let mut weightless = Sheet::new(2);
    (0..50).for_each(|_| weightless.push(&[1.0, 2.0, 3.0, 4.0], &[1.0, 0.0], 0.0).unwrap());
    let mut empty_groups = Sheet::new(2);
    (0..50).for_each(|_| empty_groups.push(&[], &[], 1.0).unwrap());
    let columnless = Sheet::from_parts(0, vec![], vec![0, 3], vec![1.0, 0.0, 0.0], None).unwrap();
    let sheets = [
        (Sheet::new(2), "no groups"),
        (constant(&[0.0; 4]), "no positive"),
        (constant(&[1.0; 4]), "all positive"),
        (constant(&[1.0, 0.0, 0.0, 0.0]), "constant columns"),
        (one_row, "one row"),
        (unknown, "all unknown"),
        (weightless, "no weight"),
        (empty_groups, "empty groups"),
        (columnless, "no columns"),
    ];
    for (sheet, name) in sheets {
        for objective in [Objective::Lambda, Objective::Logistic] {
            for base_column in [None, Some(0), Some(99)] {
                let fitted = fit(&sheet, &RankOptions { objective, base_column, ..options() });
                assert_eq!(fitted.forest.trees(), 0, "{name}");
                assert!(fitted.ndcg == fitted.base_ndcg && fitted.ndcg.train.is_finite());
                let scores = [fitted.forest.score(&[1.0, 0.0]), fitted.forest.score(&[2.0, 0.0])];
                let rises = base_column == Some(0) && sheet.columns() > 0;
                assert_eq!(scores[0] < scores[1], rises, "{name} {scores:?}");
            }
        }
    }
}

#[test]
fn options_out_of_range_are_brought_into_it() {
    let sheet = planted(40, 8, tangled);
    let absurd = RankOptions {
        leaves: 10_000,
        learning_rate: f64::NAN,
        truncation: 0,
        min_rows: 0,
        min_hessian: -1.0,
        l2: f64::NEG_INFINITY,
        bins: 0,
        column_share: 0.0,
        group_share: f64::NAN,
        holdout: 7.0,
        patience: 0,
        at: 0,
        base_column: Some(usize::MAX),
        ..options()
    };
    let forest = fit(&sheet, &absurd).forest;
    assert!(sheet.features(0..30).chunks(COLUMNS).all(|row| forest.score(row).is_finite()));
}

fn value(forest: &Forest) -> serde_json::Value {
    serde_json::to_value(forest).expect("numbers and lists")
}

#[test]
fn a_forest_comes_back_as_it_went_and_knows_its_columns() {
    let sheet = planted(100, 9, tangled);
    for base_column in [None, Some(0)] {
        let forest = fit(&sheet, &RankOptions { base_column, ..options() }).forest;
        let back: Forest = serde_json::from_slice(&serde_json::to_vec(&forest).unwrap()).unwrap();
        assert!(back == forest);
        assert!(back.check(COLUMNS).is_ok());
        assert!(back.check(COLUMNS + 1).unwrap_err().to_string().contains("6 columns, not 7"));
    }
}

#[test]
fn forests_together_score_what_each_scores_in_units_of_its_own() {
    let sheet = planted(200, 11, tangled);
    let ways =
        [(Objective::Lambda, Some(0)), (Objective::Logistic, Some(0)), (Objective::Lambda, None)];
    let forests = ways.map(|(objective, base_column)| {
        fit(&sheet, &RankOptions { objective, base_column, ..options() }).forest
    });
    let rows = || sheet.features(0..sheet.rows()).chunks(COLUMNS);
    let deviation = |forest: &Forest| {
        let scores: Vec<f64> = rows().map(|row| f64::from(forest.score(row))).collect();
        let mean = scores.iter().sum::<f64>() / scores.len() as f64;
        let squares = scores.iter().map(|score| (score - mean).powi(2)).sum::<f64>();
        (squares / scores.len() as f64).sqrt()
    };
    let deviations = forests.each_ref().map(deviation);
    let together = Forest::together(&forests.each_ref(), &sheet);
    assert_eq!(together.trees(), forests.iter().map(Forest::trees).sum::<usize>());
    for row in rows().step_by(7) {
        let each = forests.iter().zip(deviations);
        let sum: f64 = each.map(|(forest, unit)| f64::from(forest.score(row)) / unit).sum();
        assert!((f64::from(together.score(row)) - sum).abs() < 1e-3, "{row:?}");
    }
    let unseen = planted(200, 12, tangled);
    let of = |forest: &Forest| ndcg(&unseen, |row| forest.score(row));
    let worst = forests.iter().map(of).fold(f64::INFINITY, f64::min);
    assert!(of(&together) > worst, "what one mistakes the others make good");
    let back: Forest = serde_json::from_value(value(&together)).expect("it is sound");
    assert!(back == together);
    assert!(Forest::together(&[&forests[0]], &sheet) == forests[0], "one stays as it is");
}

#[test]
fn hostile_forests_are_refused() {
    let forest =
        fit(&planted(100, 9, tangled), &RankOptions { base_column: Some(0), ..options() }).forest;
    let sound = value(&forest);
    let refused = |field: &str, change: &dyn Fn(&mut serde_json::Value)| {
        let mut hostile = sound.clone();
        change(&mut hostile[field]);
        assert_ne!(hostile, sound, "{field} was changed");
        let error = serde_json::from_value::<Forest>(hostile).expect_err(field).to_string();
        assert!(!error.is_empty());
    };
    let set = |at: usize, to: serde_json::Value| {
        move |list: &mut serde_json::Value| list[at] = to.clone()
    };
    refused("columns", &|columns| *columns = 1.into());
    refused("columns", &|columns| *columns = 65_535.into());
    refused("starts", &|starts| *starts = serde_json::json!([]));
    refused("starts", &|starts| *starts = serde_json::json!([0]));
    refused("starts", &set(0, 1.into()));
    refused("starts", &set(1, u32::MAX.into()));
    refused("starts", &set(1, 0.into()));
    refused("asks", &set(0, 12.into()));
    refused("asks", &|asks| drop(asks.as_array_mut().unwrap().pop()));
    refused("thresholds", &set(0, 1e300.into()));
    refused("thresholds", &|list| list.as_array_mut().unwrap().push(1.0.into()));
    refused("values", &set(0, 3e38.into()));
    refused("values", &|list| drop(list.as_array_mut().unwrap().pop()));
    refused("gains", &|list| drop(list.as_array_mut().unwrap().pop()));
    refused("left", &set(0, 0.into())); // a node that is its own child
    refused("left", &set(0, (-1).into())); // leaves out half the tree
    refused("left", &set(1, 0.into())); // a way back up
    refused("right", &set(0, 1.into())); // one child twice
    refused("right", &set(0, 127.into()));
    refused("right", &set(0, (-128).into()));
    refused("base", &|base| base["column"] = 6.into());
    refused("base", &|base| base["scale"] = 0.into());
    refused("base", &|base| base["scale"] = (-1).into());
    refused("base", &|base| base["unknown"] = 1e300.into());
}

/// Any number, often an odd one.
fn any_feature() -> impl Strategy<Value = f32> {
    prop_oneof![
        4 => -2f32..2.0,
        1 => Just(f32::NAN),
        1 => prop::sample::select(vec![f32::INFINITY, f32::NEG_INFINITY, f32::MAX, f32::MIN, -0.0]),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Walks the stored arrays by the words of their documentation.
    #[test]
    fn a_score_is_the_naive_walk_and_many_at_once_score_the_same(
        seed in 0u64..4,
        rows in prop::collection::vec(prop::collection::vec(any_feature(), COLUMNS), 0..70),
    ) {
        let base_column = (seed % 2 == 0).then_some(0);
        let leaves = [2, 5, 16, 32][seed as usize];
        let options = RankOptions { base_column, leaves, trees: 12, min_rows: 3, ..options() };
        let forest = fit(&planted(40, seed, tangled), &RankOptions { holdout: 0.0, ..options }).forest;
        prop_assert_eq!(forest.trees(), 12);
        let stored = value(&forest);
        let number = |field: &str, at: usize| stored[field][at].as_f64().unwrap() as f32;
        let naive = |row: &[f32]| {
            let base = &stored["base"];
            let mut score = if base.is_null() { 0.0 } else {
                let value = if row[0].is_finite() { row[0] } else { base["unknown"].as_f64().unwrap() as f32 };
                (value * base["scale"].as_f64().unwrap() as f32).clamp(-1e30, 1e30)
            };
            for tree in 0..12 {
                let first = stored["starts"][tree].as_u64().unwrap() as usize;
                let mut at = 0i64;
                while at >= 0 {
                    let node = first + at as usize;
                    let ask = stored["asks"][node].as_u64().unwrap() as usize;
                    let value = row[ask / 2];
                    let left = if value.is_finite() { value <= number("thresholds", node) } else { ask.is_multiple_of(2) };
                    at = stored[if left { "left" } else { "right" }][node].as_i64().unwrap();
                }
                score += number("values", first + tree + (-1 - at) as usize);
            }
            score
        };
        let mut scores = vec![f32::NAN; rows.len()];
        forest.score_all(&rows.concat(), &mut scores);
        for (row, &score) in rows.iter().zip(&scores) {
            prop_assert!(score.is_finite());
            prop_assert_eq!(score, forest.score(row));
            prop_assert_eq!(score, naive(row));
        }
    }

    #[test]
    fn odd_features_labels_and_weights_never_give_a_score_that_is_no_number(
        groups in prop::collection::vec(
            (prop::collection::vec((any_feature(), any_feature(), any_feature()), 0..12), any_feature()),
            0..12,
        ),
        logistic: bool, l2 in 0f64..2.0,
    ) {
        let mut sheet = Sheet::new(2);
        for (rows, weight) in &groups {
            let features: Vec<f32> = rows.iter().flat_map(|row| [row.0, row.1]).collect();
            let labels: Vec<f32> = rows.iter().map(|row| row.2).collect();
            sheet.push(&features, &labels, *weight).unwrap();
        }
        let objective = if logistic { Objective::Logistic } else { Objective::Lambda };
        let options = RankOptions {
            objective, l2, min_rows: 1, min_hessian: 0.0, trees: 5, holdout: 0.0, base_column: Some(0),
            ..RankOptions::default()
        };
        let fitted = fit(&sheet, &options);
        prop_assert!((0.0..=1.000_001).contains(&fitted.ndcg.train), "{:?}", fitted.ndcg);
        for row in sheet.features(0..sheet.rows()).chunks(2) {
            prop_assert!(fitted.forest.score(row).is_finite());
        }
        let back: Result<Forest, _> = serde_json::from_value(value(&fitted.forest));
        prop_assert!(back.unwrap() == fitted.forest);
    }

    #[test]
    fn a_forest_with_one_number_changed_is_refused_or_scores(
        field in prop::sample::select(vec!["starts", "asks", "left", "right", "thresholds", "values"]),
        at: prop::sample::Index, to in prop_oneof![-40i64..40, any::<i64>()],
        row in prop::collection::vec(any_feature(), COLUMNS),
    ) {
        let forest = fit(&planted(30, 1, tangled), &RankOptions { trees: 3, holdout: 0.0, ..options() }).forest;
        let mut stored = value(&forest);
        let list = stored[field].as_array_mut().unwrap();
        let at = at.index(list.len());
        list[at] = to.into();
        if let Ok(forest) = serde_json::from_value::<Forest>(stored) {
            let mut scores = [f32::NAN];
            forest.score_all(&row, &mut scores);
            prop_assert!(scores[0].is_finite() && scores[0] == forest.score(&row));
        }
    }
}
