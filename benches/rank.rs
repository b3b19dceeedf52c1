//! What the ranker costs, on made-up rows with a planted order: fitting 150 trees of 16 leaves on 200,000
//! rows × 30 columns (groups of 150, no early stop), and scoring one question's 150 rows with them, at once
//! and row by row.
//!
//! Run it with `cargo bench --bench rank`. Before anything is timed, the forest is checked to order rows it
//! has not seen well, and both ways of scoring to agree.
//!
//! What was tried on scoring at once, in one run each: compiled for AVX-512 as well, 42 → 35 µs; the leaves of a tree
//! in an array as long as a set of leaves has bits, so that looking one up needs no check, → 25 µs. With AVX2 alone,
//! 150 trees of 12 leaves on 96 rows: leaves looked up by permuting registers, not one by one, 19 → 11 µs.
//!
//! On fitting, by what one shop's training spends on ranking: no columns that are the same in every row, pairs by odds
//! instead of an exponential each, one binned sheet for several forests with fewer rows to place its edges by, 26 →
//! 20 s together; gradients only of the groups that a tree learns from, and rows parted without a branch from a column
//! of bytes, → 17 s. Rows that a tree was not grown on, asked every node of it instead of walked down: 200,000 of them in
//! 0.9 ms, not 5.1. Four rows at a time to each column's histogram: nothing.

use cartwright::rank::{Fitted, Forest, Objective, RankOptions, Sheet, fit};
use divan::{Bencher, black_box};
use std::sync::LazyLock;

const COLUMNS: usize = 30;
const GROUP: usize = 150;

fn main() {
    check_answers();
    divan::main();
}

/// Groups with three good rows each; half the columns are mostly 0, as counts are, and some unknown.
fn planted(groups: usize, seed: u64) -> Sheet {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut sheet = Sheet::new(COLUMNS);
    for _ in 0..groups {
        let mut rows: Vec<f32> = (0..GROUP * COLUMNS).map(|_| random.f32()).collect();
        for (at, value) in rows.iter_mut().enumerate() {
            match random.u8(..10) {
                0 if at % 3 == 0 => *value = f32::NAN,
                1..8 if at % 2 == 1 => *value = 0.0,
                _ => {}
            }
        }
        let mut worths: Vec<(f32, usize)> = rows.chunks(COLUMNS).map(worth).zip(0..).collect();
        worths.iter_mut().for_each(|worth| worth.0 += random.f32());
        worths.sort_by(|a, b| b.0.total_cmp(&a.0));
        let mut labels = [0.0; GROUP];
        worths[..3].iter().for_each(|&(_, row)| labels[row] = 1.0);
        sheet.push(&rows, &labels, 1.0).expect("rows of COLUMNS");
    }
    sheet
}

fn worth(row: &[f32]) -> f32 {
    let known = |at: usize| if row[at].is_nan() { 0.3 } else { row[at] };
    2.0 * known(0) * known(2) + (known(4) - 0.5).abs() + known(1) + known(5) * known(6)
}

fn options(objective: Objective) -> RankOptions {
    RankOptions { objective, patience: usize::MAX, ..RankOptions::default() }
}

static SHEET: LazyLock<Sheet> = LazyLock::new(|| planted(200_000 / GROUP, 1));
static FITTED: LazyLock<Fitted> = LazyLock::new(|| fit(&SHEET, &options(Objective::Lambda)));
static FOREST: LazyLock<Forest> = LazyLock::new(|| {
    let options = RankOptions { holdout: 0.0, ..options(Objective::Lambda) };
    fit(&SHEET, &options).forest
});

fn check_answers() {
    let Fitted { forest, base_ndcg, ndcg } = &*FITTED;
    assert!(ndcg.held_out > 2.0 * base_ndcg.held_out, "{base_ndcg:?} {ndcg:?}");
    assert!(forest.trees() > 50 && FOREST.trees() == 150);
    let mut scores = [0.0; GROUP];
    FOREST.score_all(SHEET.features(0..GROUP), &mut scores);
    let each = SHEET.features(0..GROUP).chunks(COLUMNS).map(|row| FOREST.score(row));
    assert!(each.eq(scores));
}

#[divan::bench(args = [Objective::Lambda, Objective::Logistic], sample_count = 3, sample_size = 1)]
fn fit_200k_rows(objective: &Objective) -> Fitted {
    fit(black_box(&SHEET), &options(*objective))
}

#[divan::bench]
fn score_150_rows(bencher: Bencher) {
    let rows = SHEET.features(0..GROUP);
    let mut scores = [0.0; GROUP];
    bencher.bench_local(|| {
        FOREST.score_all(black_box(rows), &mut scores);
        scores[0]
    });
}

#[divan::bench]
fn score_150_rows_one_by_one(bencher: Bencher) {
    let rows = SHEET.features(0..GROUP);
    bencher.bench(|| black_box(rows).chunks(COLUMNS).map(|row| FOREST.score(row)).sum::<f32>());
}
