//! Publishing, whatever happens on the way: `CURRENT` names a whole generation, or none is named.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use crate::common::{
    Place, copy, files, folder, forge_manifest, publish, publish_with, write_small_shop,
};
use cartwright::index::{Index, Snapshot, TrainingLock};
use cartwright::train::TrainOptions;

fn shop() -> Place {
    Place::made_up(300, 60, 60)
}

fn numbers(index: &Index) -> Vec<u64> {
    index.list().expect("it can be listed").iter().map(|generation| generation.number).collect()
}

/// The files and folders in a folder, by name.
fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("a readable folder");
    let name = |entry: std::io::Result<std::fs::DirEntry>| {
        entry.expect("a readable folder").file_name().to_string_lossy().into_owned()
    };
    let mut names: Vec<String> = entries.map(name).collect();
    names.sort();
    names
}

#[test]
fn what_a_dead_trainer_left_is_never_served_and_the_next_one_removes_it() {
    let place = shop();
    let generations = place.index.root().join("generations");
    // As far as a trainer can come: whole, but not renamed.
    copy(&place.index.generation_dir(1), &generations.join(".building-000002"));
    std::fs::create_dir(generations.join(".building-000007")).expect("the folder can be written");
    std::fs::write(place.index.root().join(".CURRENT.new"), "2").expect("it can be written");

    assert_eq!(numbers(&place.index), [1]);
    assert_eq!(Snapshot::open_current(&place.index).expect("sound").manifest.generation, 1);
    place.index.activate(2).expect_err("it is not there");

    let manifest = place.publish_again().expect("the shop can be learnt");
    assert_eq!(manifest.generation, 2);
    assert_eq!(names(&generations), ["000001", "000002"]);
    assert_eq!(names(place.index.root()), ["CURRENT", "generations", "train.lock"]);
    assert_eq!(Snapshot::open_current(&place.index).expect("sound").manifest.generation, 2);
}

#[test]
fn the_current_generation_stays_where_publishing_fails_at_the_last_step() {
    let place = shop();
    // A folder where the new `CURRENT` is to be written: everything before that succeeds.
    let in_the_way = place.index.root().join(".CURRENT.new");
    std::fs::create_dir(&in_the_way).expect("the folder can be written");
    let error = place.publish_again().expect_err("CURRENT can't be replaced").to_string();
    assert!(error.contains(".CURRENT.new"), "{error}");
    assert_eq!(place.index.current().expect("as before"), 1);
    assert_eq!(Snapshot::open_current(&place.index).expect("sound").manifest.generation, 1);

    std::fs::remove_dir(&in_the_way).expect("it can be removed");
    let manifest = place.publish_again().expect("nothing is in the way any more");
    assert_eq!(place.index.current().expect("published"), manifest.generation);
    assert!(manifest.generation > 1);
}

#[test]
fn the_current_generation_stays_where_publishing_fails_at_the_first_step() {
    let place = shop();
    let generations = place.index.root().join("generations");
    let aside = place.index.root().join("aside");
    std::fs::rename(&generations, &aside).expect("the folder can be written");
    std::fs::write(&generations, "a file in the way").expect("it can be written");
    let error = place.publish_again().expect_err("the folder can't be made").to_string();
    assert!(error.contains("generations"), "{error}");
    std::fs::remove_file(&generations).expect("it can be removed");
    std::fs::rename(&aside, &generations).expect("the folder can be written");
    assert_eq!(Snapshot::open_current(&place.index).expect("sound").manifest.generation, 1);
}

#[test]
fn a_second_trainer_is_refused_while_the_first_is_at_work() {
    let place = shop();
    let lock = TrainingLock::take(&place.index).expect("nobody else trains");
    let error = place.publish_again().expect_err("the lock is held").to_string();
    assert!(error.contains("another training run"), "{error}");
    let holder = format!("process {}, since ", std::process::id());
    assert!(error.contains(&holder), "who holds it is told: {error}");
    TrainingLock::take(&place.index).expect_err("the lock is held");
    drop(lock);
    assert_eq!(place.publish_again().expect("the lock was given back").generation, 2);
}

#[test]
fn a_trainer_with_nothing_to_learn_from_publishes_nothing() {
    let place = shop();
    let events = place.path().join("nothing.csv");
    std::fs::write(&events, "customer_id,item_id\n").expect("it can be written");
    publish(&place.index, &events, None).expect_err("there is nothing to learn from");
    let rows = "c,,view\nc,,view\nc,i,impression\n";
    std::fs::write(&events, format!("customer_id,item_id,event_type\n{rows}")).expect("written");
    let error = publish(&place.index, &events, None).expect_err("nor here").to_string();
    let why =
        "3 rows read, and none could be used: 2 rows: no item; 1 row: event type not learnt from";
    assert!(error.contains(why), "{error}");
    assert_eq!(place.index.current().expect("as before"), 1);
    assert_eq!(numbers(&place.index), [1]);
}

#[test]
fn the_oldest_generations_go_but_never_the_current_one_nor_the_one_before() {
    let folder = folder();
    let events = folder.path().join("events.csv");
    write_small_shop(&events, "i");
    let index = Index::at(folder.path().join("index"));
    let options = TrainOptions { keep_generations: 2, ..TrainOptions::default() };
    let train = || publish_with(&index, &events, None, &options).expect("it can be learnt");
    for published in 1..=4 {
        assert_eq!(train().generation, published);
        assert_eq!(index.current().expect("published"), published);
        let kept: Vec<u64> = (published.saturating_sub(1).max(1)..=published).collect();
        assert_eq!(numbers(&index), kept);
    }
    // A number is never given twice, whatever is served.
    assert_eq!(index.rollback().expect("there is one before"), 3);
    assert_eq!(train().generation, 5);
    assert_eq!(numbers(&index), [4, 5]);
}

#[test]
fn two_trainings_on_the_same_events_publish_the_same_digests() {
    let place = shop();
    let first = place.index.list().expect("it can be listed").remove(0).manifest.expect("sound");
    let second = place.publish_again().expect("the shop can be learnt");
    assert!(second.trees.len() > 10);
    assert_eq!(first.trees, second.trees);
    assert_eq!(first.counts, second.counts);
}

#[test]
fn verify_finds_a_sound_generation_sound_however_often_it_is_opened() {
    let place = shop();
    for _ in 0..3 {
        let trees = place.index.verify(1).expect("it can be opened");
        assert!(trees.iter().all(|tree| tree.found == tree.expected), "{trees:?}");
        drop(Snapshot::open_current(&place.index).expect("sound"));
    }
}

#[test]
fn verify_names_the_tree_whose_manifest_says_otherwise() {
    let place = shop();
    let path = place.index.generation_dir(1).join("manifest.json");
    let text = std::fs::read_to_string(&path).expect("it is there");
    let mut manifest: serde_json::Value = serde_json::from_str(&text).expect("it is JSON");
    manifest["trees"]["customers"]["entries"] = 7.into();
    forge_manifest(&place.index.generation_dir(1), &manifest.to_string());
    let trees = place.index.verify(1).expect("it can be opened");
    let differ: Vec<&str> =
        trees.iter().filter(|t| t.found != t.expected).map(|t| t.tree.as_str()).collect();
    assert_eq!(differ, ["customers"]);
}

/// What became of opening and reading a damaged generation.
#[derive(Debug, PartialEq)]
enum Outcome {
    /// An error, or trees that differ from the manifest.
    Noticed,
    /// Everything reads as it was written: the damage hit nothing that is read.
    Harmless,
    /// Trees read wrong, and nobody noticed.
    Missed,
    Panicked,
}

fn verified(index: &Index) -> Outcome {
    match catch_unwind(AssertUnwindSafe(|| index.verify(1))) {
        Err(_) => Outcome::Panicked,
        Ok(Ok(trees)) if trees.iter().all(|tree| tree.found == tree.expected) => Outcome::Harmless,
        Ok(_) => Outcome::Noticed,
    }
}

fn opened(index: &Index, sound: &Snapshot) -> Outcome {
    let read_all = || -> cartwright::Result<bool> {
        let snapshot = Snapshot::open(index, 1)?;
        let mut same = format!("{:?}", snapshot.contents) == format!("{:?}", sound.contents);
        for key in sound.customers.keys() {
            let key = key?;
            same &= snapshot.customers.history(&key)? == sound.customers.history(&key)?;
        }
        Ok(same)
    };
    match catch_unwind(AssertUnwindSafe(read_all)) {
        Err(_) => Outcome::Panicked,
        Ok(Ok(true)) => Outcome::Harmless,
        Ok(Ok(false)) => Outcome::Missed,
        Ok(Err(_)) => Outcome::Noticed,
    }
}

/// sled checks its pages only when it reads them: a flipped bit must come out as an error or as a
/// difference that `verify` names, and never as a panic or as an answer from wrong figures.
#[test]
fn a_flipped_or_missing_byte_anywhere_is_noticed_and_never_a_panic() {
    let place = Place::made_up(60, 30, 30);
    let sound = Snapshot::open(&place.index, 1).expect("sound");
    let folder = folder();
    let damaged = Index::at(folder.path().join("index"));
    let sled = place.index.generation_dir(1).join("sled");
    let mut outcomes = Vec::new();
    for file in files(&sled) {
        let bytes = std::fs::read(&file).expect("it can be read");
        let name = file.strip_prefix(&sled).expect("it was found below").to_owned();
        let step = (bytes.len() / 60).max(1);
        let flips = (0..bytes.len()).step_by(step).map(|at| (at, Damage::Flip));
        let cuts = [0, bytes.len() / 3, bytes.len().saturating_sub(1)].map(|at| (at, Damage::Cut));
        for (at, damage) in flips.chain(cuts) {
            let target = damaged.generation_dir(1);
            let mut outcome = [Outcome::Harmless, Outcome::Harmless];
            for (opens, outcome) in outcome.iter_mut().enumerate() {
                let _ = std::fs::remove_dir_all(&target);
                std::fs::create_dir_all(damaged.root().join("generations")).expect("writable");
                copy(&place.index.generation_dir(1), &target);
                let mut bytes = bytes.clone();
                match damage {
                    Damage::Flip => bytes[at] ^= 0x55,
                    Damage::Cut => bytes.truncate(at),
                }
                std::fs::write(target.join("sled").join(&name), bytes).expect("writable");
                *outcome = if opens == 0 { verified(&damaged) } else { opened(&damaged, &sound) };
            }
            outcomes.push((name.display().to_string(), damage, at, outcome));
        }
    }
    let bad: Vec<_> = outcomes
        .iter()
        .filter(|(.., outcome)| {
            outcome.contains(&Outcome::Panicked) || outcome.contains(&Outcome::Missed)
        })
        .collect();
    assert!(bad.is_empty(), "{} of {}: {bad:#?}", bad.len(), outcomes.len());
    let noticed = outcomes.iter().filter(|(.., outcome)| outcome[0] == Outcome::Noticed).count();
    assert!(noticed > 0, "no damage was noticed: {outcomes:#?}");
}

#[derive(Clone, Copy, Debug)]
enum Damage {
    Flip,
    Cut,
}
