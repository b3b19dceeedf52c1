//! Sessions of a real shop, through the public API.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Instant;

use crate::common::{folder, publish};

use cartwright::events::{EventLog, ReadOptions, Sessions, read, sessions};
use cartwright::ids::ItemId;
use cartwright::index::{Index, Snapshot};
use cartwright::recommend::{Blend, Query, Question, Reason, Scratch, answer};
use cartwright::rules::RuleLists;
use cartwright::rules::next::{NextOptions, count_next};
use cartwright::rules::onward::{Onward, OnwardOptions, OnwardScratch};
use cartwright::rules::visits::{VisitOptions, VisitScratch, Visits};

/// The log and the sessions of a file of clicks, or a word on what was left out.
fn clicks(file: &str) -> Option<(EventLog, Sessions)> {
    let Some(folder) = std::env::var_os("CARTWRIGHT_DATA") else {
        println!("left out: set CARTWRIGHT_DATA to the folder that holds {file}");
        return None;
    };
    let path = PathBuf::from(folder).join(file);
    let log = read(&[path], &ReadOptions::default()).expect("a readable file").log;
    let sessions = sessions(&log, 30);
    Some((log, sessions))
}

/// Every start of every session, latest click first, with the click that came next.
fn questions(
    known: &EventLog,
    log: &EventLog,
    sessions: &Sessions,
) -> Vec<(Vec<ItemId>, Option<ItemId>)> {
    let mut questions = Vec::new();
    for row in sessions.items.rows() {
        let items: Vec<_> = row.iter().map(|&item| known.items.get(log.items.key(item))).collect();
        for cut in 1..items.len() {
            questions.push((items[..cut].iter().rev().copied().flatten().collect(), items[cut]));
        }
    }
    questions
}

#[test]
fn the_next_click_is_foretold_as_well_as_by_the_published_method() {
    let Some((log, before)) = clicks("clicks.tsv.gz") else { return };
    let Some((next_log, after)) = clicks("clicks_next.tsv.gz") else { return };
    let options = VisitOptions::default();
    let visits = Visits::new(&before, log.items.len(), &options);
    let questions = questions(&log, &next_log, &after);
    let mut scratch = VisitScratch::default();
    let (mrr, hit_rate) = quality(&questions, |clicks| {
        let mut answers = Vec::new();
        visits.score(clicks, &options, &mut scratch, |item, score, _| {
            answers.push((-score, std::cmp::Reverse(visits.held_by()[item.index()]), item));
        });
        answers.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)).then(a.2.cmp(&b.2)));
        answers.into_iter().map(|answer| answer.2).collect()
    });
    let started = Instant::now();
    let mut proposed = 0usize;
    for (clicks, _) in &questions {
        visits.score(clicks, &options, &mut scratch, |_, _, _| proposed += 1);
    }
    let each = started.elapsed() / questions.len() as u32;
    println!(
        "{} questions: MRR@20 {mrr:.4}, HR@20 {hit_rate:.4}; {each:?} and {} items each",
        questions.len(),
        proposed / questions.len()
    );
    assert_eq!(questions.len(), 1121);
    assert!((mrr - 0.3278).abs() < 0.001, "MRR@20 {mrr}");
    assert!((0.64..0.68).contains(&hit_rate), "HR@20 {hit_rate}");
}

/// MRR@20 and HR@20 of ranked answers.
fn quality(
    questions: &[(Vec<ItemId>, Option<ItemId>)],
    mut rank: impl FnMut(&[ItemId]) -> Vec<ItemId>,
) -> (f64, f64) {
    let (mut reciprocal_ranks, mut hits) = (0.0, 0.0);
    for (clicks, next) in questions {
        let place = rank(clicks).iter().take(20).position(|answer| Some(*answer) == *next);
        reciprocal_ranks += place.map_or(0.0, |place| 1.0 / (place + 1) as f64);
        hits += f64::from(u8::from(place.is_some()));
    }
    let count = questions.len() as f64;
    (reciprocal_ranks / count, hits / count)
}

#[test]
fn all_that_sessions_tell_together_foretells_better() {
    // The last day of the earlier file: the later one is not to be tuned on, and what is tested gets tuned.
    let Some((log, all)) = clicks("clicks.tsv.gz") else { return };
    let (before, after) = without_the_last_day(&all);
    let options = OnwardOptions::default();
    let visits = Visits::new(&before, log.items.len(), &options.visits);
    let steps = NextOptions { steps: 3, ..NextOptions::default() };
    let followers = RuleLists::of(&count_next(&before, log.items.len(), &steps));
    let mut trend = vec![0.5f32; log.items.len()];
    let now = before.at.last().copied().unwrap_or_default();
    for (row, at) in before.items.rows().zip(&before.at) {
        let mut items = row.to_vec();
        items.sort_unstable();
        items.dedup();
        let weight = (-now.days_since(*at) / 3.0).exp() as f32;
        items.iter().for_each(|item| trend[item.index()] += weight);
    }
    trend.iter_mut().zip(visits.held_by()).for_each(|(t, &n)| *t /= n.max(1) as f32);
    let onward = Onward { visits: &visits, followers: followers.ranked(), trend: &trend };
    let known = after.items.rows().map(|row| {
        row.iter().copied().filter(|item| visits.held_by()[item.index()] > 0).collect::<Vec<_>>()
    });
    let questions = questions(&log, &log, &Sessions { items: known.collect(), ..after.clone() });
    let mut scratch = OnwardScratch::default();
    let started = Instant::now();
    let (mrr, hit_rate) = quality(&questions, |clicks| {
        let mut answers = Vec::new();
        onward.score(clicks, &options, &mut scratch, |next| answers.push((-next.score, next.item)));
        answers.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        answers.into_iter().map(|answer| answer.1).collect()
    });
    let each = started.elapsed() / questions.len() as u32;
    println!("{} questions: MRR@20 {mrr:.4}, HR@20 {hit_rate:.4}; {each:?} each", questions.len());
    let plain = VisitOptions::default();
    let mut scratch = VisitScratch::default();
    let (plain_mrr, plain_hit_rate) = quality(&questions, |clicks| {
        let mut answers = Vec::new();
        visits.score(clicks, &plain, &mut scratch, |item, score, _| answers.push((-score, item)));
        answers.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        answers.into_iter().map(|answer| answer.1).collect()
    });
    println!("by sessions like this one alone: MRR@20 {plain_mrr:.4}, HR@20 {plain_hit_rate:.4}");
    assert!(mrr > plain_mrr + 0.03, "MRR@20 {mrr} against {plain_mrr}");
    assert!(hit_rate > plain_hit_rate + 0.03, "HR@20 {hit_rate} against {plain_hit_rate}");
}

/// The sessions that ended before the last day, and those of it.
fn without_the_last_day(all: &Sessions) -> (Sessions, Sessions) {
    let end = all.at.last().copied().unwrap_or_default();
    let cut = all.at.partition_point(|at| end.days_since(*at) > 1.0);
    let part = |range: std::ops::Range<usize>| Sessions {
        items: range.clone().map(|row| all.items.row(row).to_vec()).collect(),
        customers: all.customers[range.clone()].to_vec(),
        at: all.at[range].to_vec(),
    };
    (part(0..cut), part(cut..all.items.len()))
}

/// What a visitor who looks at these is offered in a shop whose visitors go from each thing to one of the two after it,
/// and look at each so many times in a row.
fn offered_where_each_is_looked_at(
    times: usize,
    recent: Vec<&str>,
    limit: usize,
) -> Vec<(String, bool)> {
    let mut rows = "session_id,item_id,timestamp\n".to_owned();
    for visit in 0..800 {
        let (day, mut item) = (1 + visit / 30, visit);
        for look in 0..4 {
            for again in 0..times {
                let at = format!("2025-03-{day:02}T10:{look:02}:{again:02}Z");
                let _ = writeln!(rows, "v{visit},i{},{at}", item % 30);
            }
            item += 1 + (visit * 7 + look * 5) % 3 / 2;
        }
    }
    let place = folder();
    let events = place.path().join("events.csv");
    std::fs::write(&events, rows).expect("room");
    let index = Index::at(place.path().join("index"));
    let manifest = publish(&index, &events, None).expect("visits are enough");
    let snapshot = Snapshot::open_current(&index).expect("what was published can be read");
    let blend = Blend::learnt(&manifest.learnt).expect("the blend can be read");
    let question = Question::Customer { recent, exclude_purchased: false };
    let query = Query::new(question, None, limit);
    let found = answer(&snapshot.contents, &blend, &query, &mut Scratch::default());
    let told = found.recommendations.into_iter().map(|one| {
        let this_visit = matches!(one.reasons[0], Reason::ThisVisit);
        (snapshot.contents.keys.key(one.item).to_owned(), this_visit)
    });
    told.collect()
}

#[test]
fn the_latest_is_offered_again_only_where_visitors_look_at_a_thing_twice() {
    let once = offered_where_each_is_looked_at(1, vec!["i3"], 5);
    assert!(["i4", "i5"].contains(&once[0].0.as_str()), "{once:?}");
    assert!(once.iter().all(|(item, _)| item != "i3"), "{once:?}");
    let twice = offered_where_each_is_looked_at(2, vec!["i3"], 5);
    assert_eq!(twice[0], ("i3".to_owned(), true), "{twice:?}");
    assert!(["i4", "i5"].contains(&twice[1].0.as_str()), "{twice:?}");
}

#[test]
fn nothing_of_a_visit_is_offered_again_where_nobody_goes_back_to_anything() {
    let found = offered_where_each_is_looked_at(1, vec!["i3", "i4", "i6"], 30);
    assert_eq!(found.len(), 27, "{found:?}");
    let is_of_visit = |item: &str| ["i3", "i4", "i6"].contains(&item);
    assert!(!found.iter().any(|(item, _)| is_of_visit(item)), "{found:?}");
}
