//! Publishing, ended at any moment: by SIGKILL at every write, sync and rename, and by a disk that is full or
//! broken. Whatever happens, `CURRENT` names a whole generation, the next trainer succeeds, and nothing that
//! the dead left behind grows the disk.
//!
//! A trainer is this very program, started again with one test to run: it publishes a copy of a small shop's
//! generation. `CARTWRIGHT_KILLS=1000` has so many killed instead of 100.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::common::{copy, files, folder, publish, write_small_shop};
use cartwright::ids::{CustomerId, Interner};
use cartwright::index::{
    CustomerKeys, Description, Erased, Index, Keep, People, Snapshot, TrainingLock,
};
use tempfile::TempDir;

/// Names the index that the trainer publishes to.
const TO: &str = "CARTWRIGHT_TEST_PUBLISH_TO";
const KEEP: Keep = Keep { count: 2, days: 90 };

/// An index with two generations, and one to publish copies of.
struct Place {
    folder: TempDir,
    index: Index,
}

impl Place {
    fn new() -> Self {
        let folder = folder();
        let events = folder.path().join("events.csv");
        write_small_shop(&events, "i");
        let index = Index::at(folder.path().join("index"));
        publish(&index, &events, None).expect("the shop can be learnt");
        copy(index.root(), &folder.path().join("template"));
        let place = Self { folder, index };
        assert!(place.trains(None).success());
        place
    }

    /// A trainer at work, with a fault if one is wanted.
    fn trainer(&self, fault: Option<&str>) -> Command {
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        command.args(["--exact", "crash::one_trainer_publishes_a_copy", "--quiet"]);
        command.env(TO, self.folder.path()).stdout(Stdio::null()).stderr(Stdio::null());
        if let Some(fault) = fault {
            command.env("CARTWRIGHT_FAULT", fault);
        }
        command
    }

    fn trains(&self, fault: Option<&str>) -> ExitStatus {
        self.trainer(fault).status().expect("this program can be run")
    }

    /// Every point that a trainer passes who finds something to clear away.
    fn points(&self) -> Vec<String> {
        let trace = self.folder.path().join("trace");
        std::fs::create_dir(self.generations().join(".building-000077")).expect("writable");
        let mut trainer = self.trainer(None);
        let status = trainer.env("CARTWRIGHT_FAULT_TRACE", &trace).status();
        assert!(status.expect("this program can be run").success());
        let text = std::fs::read_to_string(trace).expect("it was written");
        let points: BTreeSet<&str> = text.lines().collect();
        points.into_iter().map(str::to_owned).collect()
    }

    fn generations(&self) -> PathBuf {
        self.index.root().join("generations")
    }

    /// What `CURRENT` names, opened, and every tree compared with its digest.
    fn sound(&self) -> Result<u64, String> {
        let current = self.index.current().map_err(|error| error.to_string())?;
        let trees = self.index.verify(current).map_err(|error| error.to_string())?;
        let differs = trees.iter().find(|tree| tree.found != tree.expected);
        Snapshot::open_current(&self.index).map_err(|error| error.to_string())?;
        differs.map_or(Ok(current), |tree| Err(format!("{} differs", tree.tree)))
    }

    /// One more trainer, undisturbed: it succeeds, and nothing but what belongs there is there.
    fn recovers(&self, after: &str) {
        let before = self.sound().expect("sound");
        assert!(self.trains(None).success(), "after {after}");
        assert!(self.sound().expect("sound") > before, "after {after}");
        let names = |folder: &Path| -> Vec<String> {
            let entries = std::fs::read_dir(folder).expect("a readable folder");
            let name = |entry: std::io::Result<std::fs::DirEntry>| {
                entry.expect("readable").file_name().to_string_lossy().into_owned()
            };
            let mut names: Vec<String> = entries.map(name).collect();
            names.sort();
            names
        };
        assert_eq!(names(self.index.root()), ["CURRENT", "generations", "train.lock"], "{after}");
        let generations = names(&self.generations());
        let whole = generations.iter().all(|name| name.parse::<u64>().is_ok());
        assert!(whole && generations.len() == KEEP.count, "after {after}: {generations:?}");
    }
}

/// Not a test of its own: what the trainers of the others do.
#[test]
fn one_trainer_publishes_a_copy() {
    let Some(place) = std::env::var_os(TO).map(PathBuf::from) else { return };
    let result = publish_copy(&place);
    std::fs::write(place.join("said"), format!("{result:?}")).expect("writable");
    assert!(result.is_ok());
}

fn publish_copy(place: &Path) -> cartwright::Result<()> {
    let lock = TrainingLock::take(&Index::at(place.join("index")))?;
    let snapshot = Snapshot::open_current(&Index::at(place.join("template")))?;
    let mut keys = Interner::<CustomerId>::new();
    let (mut histories, mut profiles) = (Vec::new(), Vec::new());
    for customer in snapshot.customers.profiles() {
        let (key, profile) = customer?;
        keys.intern(&key);
        histories.push(snapshot.customers.history(&key)?.unwrap_or_default());
        profiles.push(profile);
    }
    let people = People {
        keys: &keys,
        histories: &|some| told(&histories, some),
        profiles: &|some| told(&profiles, some),
        clientele: &snapshot.customers.clientele()?,
        called: &CustomerKeys::Plain,
    };
    let built = lock.build(&snapshot.contents, &people)?;
    let learnt = snapshot.manifest.learnt.clone();
    built.publish(Description { learnt, ..Description::default() }, KEEP).map(|_| ())
}

fn told<T: Clone>(all: &[T], some: &[CustomerId]) -> Vec<T> {
    some.iter().map(|customer| all[customer.index()].clone()).collect()
}

fn is_killed(status: ExitStatus) -> bool {
    status.signal() == Some(9)
}

/// Kills a trainer after a while; true if it was not done by then.
fn killed_after(mut trainer: Child, after: Duration) -> bool {
    std::thread::sleep(after);
    let _ = trainer.kill(); // it may be done already
    is_killed(trainer.wait().expect("it is ours"))
}

#[test]
fn current_is_whole_after_a_kill_at_every_point_and_at_any_moment() {
    if cfg!(not(debug_assertions)) {
        return eprintln!("left out: a release build has no points to be killed at");
    }
    let kills: usize =
        std::env::var("CARTWRIGHT_KILLS").map_or(100, |n| n.parse().expect("a number"));
    let place = Place::new();
    let points = place.points();
    assert!(points.len() >= 40, "{} points: {points:?}", points.len());
    let started = Instant::now();
    place.recovers("nothing");
    let usual = started.elapsed();
    let mut chance = fastrand::Rng::with_seed(8);
    let (mut at_points, mut at_moments) = (0, 0);
    while at_points + at_moments < kills {
        let turn = at_points + at_moments;
        // A point each, all of them in turn; then moments, for the steps between them are sled's own.
        let fault = points.get(turn % (points.len() + points.len() / 4));
        let what = if let Some(point) = fault {
            if point.starts_with("orphan") {
                let _ = std::fs::create_dir(place.generations().join(".building-000078"));
            }
            let status = place.trains(Some(&format!("{point}=kill")));
            assert!(is_killed(status), "{point}: {status}");
            at_points += 1;
            point.clone()
        } else {
            let after = usual.mul_f64(chance.f64());
            let trainer = place.trainer(None).spawn().expect("this program can be run");
            at_moments += usize::from(killed_after(trainer, after));
            format!("{after:?}")
        };
        if let Err(error) = place.sound() {
            panic!("after a kill at {what}: {error}");
        }
        if turn % 8 == 7 {
            place.recovers(&what);
        }
    }
    place.recovers("the last kill");
    eprintln!("{at_points} kills at {} points, {at_moments} at other moments", points.len());
}

#[test]
fn the_check_goes_red_where_current_names_what_is_not_whole() {
    let place = Place::new();
    let current = place.sound().expect("sound");
    // As a trainer would leave it that names a generation before it is renamed.
    std::fs::write(place.index.root().join("CURRENT"), format!("{}\n", current + 1))
        .expect("writable");
    place.sound().expect_err("there is no such generation");
    let half = place.index.generation_dir(current + 1);
    copy(&place.index.generation_dir(current), &half);
    std::fs::remove_file(half.join("manifest.json")).expect("it is there");
    place.sound().expect_err("it has no manifest");
}

#[test]
fn a_full_or_broken_disk_is_a_clear_error_and_the_old_generation_stays() {
    if cfg!(not(debug_assertions)) {
        return eprintln!("left out: a release build has no points to fail at");
    }
    let place = Place::new();
    let mut failed = 0;
    for (point, kind) in place.points().iter().zip(["enospc", "eio"].iter().cycle()) {
        let before = place.sound().expect("sound");
        if point.starts_with("orphan") {
            let _ = std::fs::create_dir(place.generations().join(".building-000078"));
        }
        let status = place.trains(Some(&format!("{point}={kind}")));
        let after = place.sound().unwrap_or_else(|error| panic!("{point}={kind}: {error}"));
        let said = std::fs::read_to_string(place.folder.path().join("said")).expect("it said");
        if point.starts_with("prune") {
            // It is published by then.
            assert!(status.success() && after > before, "{point}: {said}");
            continue;
        }
        assert!(!status.success(), "{point}={kind} went unnoticed");
        let expected: &[&str] = match *kind {
            "eio" => &["Input/output error"],
            _ => &["StorageFull", "no storage space"],
        };
        assert!(expected.iter().any(|word| said.contains(word)), "{point}={kind}: {said}");
        // Once it is renamed, it may be the new one; it is whole in any case.
        let may_be_new = point.starts_with("current.rename.done") || point.starts_with("root.sync");
        assert!(after == before || may_be_new, "{point}={kind}: {before} became {after}");
        failed += 1;
    }
    assert!(failed >= 40, "{failed}");
    place.recovers("all of them");
}

/// Real errors of a real file system: files may not grow beyond a limit.
#[test]
fn a_file_that_can_not_grow_is_a_clear_error_and_the_old_generation_stays() {
    let place = Place::new();
    let before = place.sound().expect("sound");
    for blocks in [0, 1, 16, 64, 256, 600] {
        let trainer = place.trainer(None);
        let mut limited = Command::new("sh");
        // Without the trap the signal would end it: that is the other test.
        limited.args(["-c", &format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"")]);
        limited.arg(trainer.get_program()).args(trainer.get_args()).env(TO, place.folder.path());
        limited.stdout(Stdio::null()).stderr(Stdio::null());
        let status = limited.status().expect("sh is there");
        assert!(status.signal().is_none(), "it ended by itself, with {blocks} blocks: {status}");
        let after = place.sound().unwrap_or_else(|error| panic!("{blocks} blocks: {error}"));
        assert!(!status.success() && after == before, "{blocks} blocks: {status}, {after}");
    }
    place.recovers("all of them");
}

/// Not a test of its own: what those do who forget a customer.
#[test]
fn one_forgets_the_second_customer() {
    let Some(place) = std::env::var_os(TO).map(PathBuf::from) else { return };
    let index = Index::at(place);
    let done = Erased::of(&index).and_then(|erased| erased.erase(&index, "second"));
    assert!(done.is_ok());
}

#[test]
fn those_who_asked_to_be_forgotten_stay_so_after_a_kill_and_a_full_disk_at_every_point() {
    if cfg!(not(debug_assertions)) {
        return eprintln!("left out: a release build has no points to be killed at");
    }
    let folder = folder();
    let forgets = |index: &Path| {
        let mut other = Command::new(std::env::current_exe().expect("this program"));
        other.args(["--exact", "crash::one_forgets_the_second_customer", "--quiet"]);
        other.env(TO, index).stdout(Stdio::null()).stderr(Stdio::null());
        other
    };
    let trace = folder.path().join("trace");
    let undisturbed = forgets(folder.path()).env("CARTWRIGHT_FAULT_TRACE", &trace).status();
    assert!(undisturbed.expect("this program can be run").success());
    let points = std::fs::read_to_string(trace).expect("it was written");
    assert_eq!(points.lines().count(), 10, "{points}");
    for (turn, point) in points.lines().enumerate() {
        for fault in ["kill", "enospc"] {
            let what = format!("{point}={fault}");
            let index = Index::at(folder.path().join(format!("index-{turn}-{fault}")));
            std::fs::create_dir(index.root()).expect("writable");
            Erased::of(&index).and_then(|one| one.erase(&index, "first")).expect("forgotten");
            let status = forgets(index.root()).env("CARTWRIGHT_FAULT", &what).status();
            assert!(!status.expect("this program can be run").success(), "{what}");
            assert!(Erased::of(&index).expect("readable").contains("first"), "{what}");
            Erased::of(&index).and_then(|one| one.erase(&index, "third")).expect("forgotten");
            let now = Erased::of(&index).expect("readable");
            assert!(now.contains("first") && now.contains("third"), "{what}");
            assert!(forgets(index.root()).status().expect("it can be run").success(), "{what}");
            assert!(Erased::of(&index).expect("readable").contains("second"), "{what}");
        }
    }
}

/// The binary, as a user who may only read what is not theirs.
fn as_nobody(place: &Place, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cartwright"));
    command.args(arguments).current_dir(place.folder.path()).stdin(Stdio::null());
    command.env("TMPDIR", place.folder.path().join("tmp"));
    if std::fs::metadata("/proc/self").is_ok_and(|about| about.uid() == 0) {
        command.uid(65_534).gid(65_534);
    }
    command
}

fn allow(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("it is ours");
}

/// The same for a folder and all that is in it; folders may be entered.
fn allow_all(folder: &Path, mode: u32) {
    for entry in std::fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("readable").path();
        if path.is_dir() { allow_all(&path, mode) } else { allow(&path, mode) }
    }
    allow(folder, mode | 0o111);
}

#[test]
fn an_index_that_can_only_be_read_is_asked_and_verified_and_its_trainer_is_told() {
    let place = Place::new();
    std::fs::create_dir(place.folder.path().join("tmp")).expect("writable");
    allow(&place.folder.path().join("tmp"), 0o777);
    allow(place.folder.path(), 0o755);
    allow_all(place.index.root(), 0o444);
    let run = |arguments: &[&str]| {
        let output = as_nobody(&place, arguments).output().expect("the binary can be run");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    for reading in [
        &["ask", "related", "i1", "--index", "index"][..],
        &["index", "verify", "--index", "index"],
        &["index", "list", "--index", "index"],
    ] {
        let (code, said) = run(reading);
        assert_eq!(code, Some(0), "{reading:?}: {said}");
    }
    for writing in [
        &["train", "--events", "events.csv", "--index", "index"][..],
        &["index", "activate", "1", "--index", "index"],
    ] {
        let (code, said) = run(writing);
        assert_eq!(code, Some(1), "{writing:?}: {said}");
        assert!(said.contains("index/") && said.contains("denied"), "{writing:?}: {said}");
    }
    allow(&place.index.generation_dir(2).join("manifest.json"), 0o000);
    let (code, said) = run(&["ask", "related", "i1", "--index", "index"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("000002/manifest.json") && said.contains("denied"), "{said}");
    let left = std::fs::read_dir(place.folder.path().join("tmp")).expect("a folder").count();
    assert_eq!(left, 0, "no private copy is left");
    allow_all(place.index.root(), 0o644);
    place.recovers("it may be written again");
}

#[test]
fn the_private_copy_of_a_killed_server_is_swept_away_by_the_next_one() {
    let place = Place::new();
    let tmp = place.folder.path().join("tmp");
    std::fs::create_dir(&tmp).expect("writable");
    let copies = || std::fs::read_dir(&tmp).expect("a folder").count();
    let _held = Snapshot::open_current(&place.index).expect("sound");
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cartwright"));
        command.args(arguments).args(["--index"]).arg(place.index.root()).env("TMPDIR", &tmp);
        command.stdout(Stdio::null()).stderr(Stdio::null()).stdin(Stdio::null());
        command
    };
    let mut serve = run(&["serve", "--listen", "127.0.0.1:0"]);
    let mut server = serve.stderr(Stdio::piped()).spawn().expect("it can be run");
    let mut said = BufReader::new(server.stderr.take().expect("it is piped")).lines();
    let serves = |line: &std::io::Result<String>| {
        line.as_ref().is_ok_and(|line| line.contains("serving a generation"))
    };
    assert!(said.any(|line| serves(&line)), "it never said that it serves");
    assert_eq!(copies(), 1, "it answers from a copy of its own");
    server.kill().expect("it is ours");
    server.wait().expect("it is ours");
    assert_eq!(copies(), 1, "the dead can't clear up");
    assert!(run(&["ask", "related", "i1"]).status().expect("it can be run").success());
    assert_eq!(copies(), 0);
}

/// A disk that is really full, where the system lets us have one.
#[test]
fn a_disk_that_runs_full_is_a_clear_error_and_the_old_generation_stays() {
    let place = Place::new();
    let disk = place.folder.path().join("disk");
    std::fs::create_dir(&disk).expect("writable");
    let trainer = place.trainer(None);
    let taken = [place.index.root().to_path_buf(), place.folder.path().join("template")];
    // What is allocated: sled's files are longer than what is in them.
    let pages = |file: PathBuf| file.metadata().expect("it is there").blocks() * 512;
    let needed: u64 = taken.iter().flat_map(|folder| files(folder)).map(pages).sum();
    let script = format!(
        "mount -t tmpfs -o size={room} none {disk} || exit 77; cp -r {all}/index {all}/template {disk}/ || exit 77; \
         \"$0\" \"$@\"; first=$?; rm -rf {disk}/index/generations/.building*; cp -r {disk}/index {disk}/said {all}/full/; exit $first",
        room = needed + (200 << 10), // a third of another generation
        disk = disk.display(),
        all = place.folder.path().display(),
    );
    std::fs::create_dir(place.folder.path().join("full")).expect("writable");
    let mut alone = Command::new("unshare");
    alone.args(["-rm", "sh", "-c", &script]).arg(trainer.get_program()).args(trainer.get_args());
    alone.env(TO, &disk).stdout(Stdio::null()).stderr(Stdio::null());
    let status = alone.status();
    let Some(code) =
        status.ok().and_then(|status| status.code()).filter(|&code| code != 77 && code != 1)
    else {
        return eprintln!("left out: this system gives us no file system of our own");
    };
    let said = std::fs::read_to_string(place.folder.path().join("full/said")).unwrap_or_default();
    assert_ne!(code, 0, "the disk was too large: {said}");
    let index = Index::at(place.folder.path().join("full/index"));
    assert_eq!(Snapshot::open_current(&index).expect("sound").manifest.generation, 2, "{said}");
}
