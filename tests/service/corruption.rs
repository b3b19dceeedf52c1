//! Damage anywhere in a published index: refused with a message that names the generation and the file or tree,
//! or shown to touch nothing that is read. `CARTWRIGHT_DAMAGES=10000` does so many instead of 1,000.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::common::{
    Server, copy, files, folder, forge_manifest, publish, quick, write_small_shop,
};
use cartwright::grpc::pb;
use cartwright::grpc::pb::catalog_service_client::CatalogServiceClient;
use cartwright::grpc::pb::customer_service_client::CustomerServiceClient;
use cartwright::index::{Erased, Index, Snapshot};
use tempfile::TempDir;
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

/// An index of two generations, of different shops.
struct Place {
    folder: TempDir,
    index: Index,
}

impl Place {
    fn new() -> Self {
        let folder = folder();
        let index = Index::at(folder.path().join("index"));
        for prefix in ["a", "b"] {
            let events = folder.path().join("events.csv");
            write_small_shop(&events, prefix);
            publish(&index, &events, None).expect("the shop can be learnt");
        }
        Self { folder, index }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Damage {
    FlippedBit,
    OtherByte,
    Zeroes,
    CutShort,
    GrownLonger,
    PageElsewhere,
    Gone,
    OfTheOther,
    SwappedWithAnother,
}

const DAMAGES: [Damage; 9] = [
    Damage::FlippedBit,
    Damage::OtherByte,
    Damage::Zeroes,
    Damage::CutShort,
    Damage::GrownLonger,
    Damage::PageElsewhere,
    Damage::Gone,
    Damage::OfTheOther,
    Damage::SwappedWithAnother,
];

impl Damage {
    /// Does it to one file of a generation; `other` is the same place in another generation.
    fn to(self, file: &Path, all: &[PathBuf], other: &Path, chance: &mut fastrand::Rng) {
        let mut bytes = std::fs::read(file).expect("it is there");
        let at = chance.usize(..bytes.len().max(1));
        match self {
            Self::FlippedBit if !bytes.is_empty() => bytes[at] ^= 1 << chance.u8(..8),
            Self::OtherByte if !bytes.is_empty() => {
                bytes[at] = bytes[at].wrapping_add(chance.u8(1..))
            }
            Self::Zeroes => {
                let end = (at + chance.usize(1..5_000)).min(bytes.len());
                bytes[at.min(end)..end].fill(0);
            }
            Self::CutShort => bytes.truncate(at),
            Self::GrownLonger => bytes.extend((0..chance.usize(1..5_000)).map(|_| chance.u8(..))),
            Self::PageElsewhere if !bytes.is_empty() => {
                let length = chance.usize(1..4_097).min(bytes.len());
                let (from, to) =
                    (at.min(bytes.len() - length), chance.usize(..=bytes.len() - length));
                bytes.copy_within(from..from + length, to);
            }
            Self::Gone => return std::fs::remove_file(file).expect("it was there"),
            Self::OfTheOther if other.is_file() => {
                std::fs::copy(other, file).expect("writable");
                return;
            }
            Self::SwappedWithAnother => {
                let another = chance.choice(all).expect("there are files");
                let theirs = std::fs::read(another).expect("it is there");
                std::fs::write(another, &bytes).expect("writable");
                bytes = theirs;
            }
            _ => {}
        }
        std::fs::write(file, bytes).expect("writable");
    }
}

/// Everything that is ever read of a generation, in text.
fn all_of(index: &Index, number: u64) -> cartwright::Result<String> {
    let snapshot = Snapshot::open(index, number)?;
    let mut text = format!("{:?}{:?}", snapshot.manifest, snapshot.contents);
    for key in snapshot.customers.keys() {
        let key = key?;
        text += &format!("{key}{:?}", snapshot.customers.history(&key)?);
    }
    Ok(text)
}

#[test]
fn a_thousand_damages_are_refused_by_name_or_touch_nothing_that_is_read() {
    let count: usize =
        std::env::var("CARTWRIGHT_DAMAGES").map_or(1_000, |n| n.parse().expect("a number"));
    let place = Place::new();
    let sound = place.index.generation_dir(1);
    let names: Vec<PathBuf> = files(&sound)
        .into_iter()
        .map(|file| file.strip_prefix(&sound).expect("it was found below").to_owned())
        .collect();
    let expected = all_of(&place.index, 1).expect("sound");
    let damaged = Index::at(place.folder.path().join("damaged"));
    std::fs::create_dir_all(damaged.root().join("generations")).expect("writable");
    let mut chance = fastrand::Rng::with_seed(88);
    let (mut refused, mut harmless) = (BTreeMap::new(), BTreeMap::new());
    for turn in 0..count {
        let target = damaged.generation_dir(1);
        let _ = std::fs::remove_dir_all(&target);
        copy(&sound, &target);
        let (name, damage) = (chance.choice(&names).expect("files"), DAMAGES[turn % DAMAGES.len()]);
        let all: Vec<PathBuf> = names.iter().map(|name| target.join(name)).collect();
        let other = place.index.generation_dir(2).join(name);
        damage.to(&target.join(name), &all, &other, &mut chance);
        let what = format!("turn {turn}: {damage:?} of {}", name.display());
        match catch_unwind(AssertUnwindSafe(|| all_of(&damaged, 1))) {
            Err(_) => panic!("{what}: a panic"),
            Ok(Ok(found)) => {
                assert!(found == expected, "{what}: read as something else, unnoticed");
                *harmless.entry(damage).or_insert(0) += 1;
            }
            Ok(Err(error)) => {
                let said = error.to_string();
                assert!(said.contains("generations/000001"), "{what}: {said}");
                let named = ["manifest", "tree ", "sled"].iter().any(|word| said.contains(word));
                assert!(named, "{what}: {said}");
                *refused.entry(damage).or_insert(0) += 1;
            }
        }
    }
    eprintln!("refused {refused:?}, harmless {harmless:?}");
    for damage in [Damage::Gone, Damage::CutShort, Damage::OfTheOther] {
        assert!(
            refused.get(&damage).is_some_and(|&times| times > 0),
            "{damage:?} is never noticed"
        );
    }
}

/// Damage that nobody could notice, for its digest was forged: what is read then differs, as it must for the test
/// above to mean anything.
#[test]
fn the_comparison_goes_red_where_damage_goes_unnoticed() {
    let place = Place::new();
    let sound = all_of(&place.index, 1).expect("sound");
    let manifest = place.index.generation_dir(1).join("manifest.json");
    let text = std::fs::read_to_string(&manifest).expect("it is there");
    let other = text.replacen("\"events\": 1", "\"events\": 2", 1);
    assert_ne!(text, other);
    std::fs::write(&manifest, &other).expect("writable");
    all_of(&place.index, 1).expect_err("the digest tells");
    forge_manifest(&place.index.generation_dir(1), &other);
    assert_ne!(all_of(&place.index, 1).expect("nothing tells"), sound);
}

#[test]
fn a_current_that_names_nothing_is_refused_with_what_to_do() {
    let place = Place::new();
    for text in ["", "one", "-1", "99999999999999999999999", "7", "\u{0}\u{0}", "1\n2\n"] {
        std::fs::write(place.index.root().join("CURRENT"), text).expect("writable");
        let error = Snapshot::open_current(&place.index).expect_err("it names nothing").to_string();
        assert!(error.contains("CURRENT") || error.contains("000007"), "{text:?}: {error}");
    }
}

async fn health(server: &Server, service: &str) -> ServingStatus {
    let mut health = HealthClient::new(server.channel().await);
    let request = HealthCheckRequest { service: service.into() };
    health.check(request).await.expect("health answers").into_inner().status()
}

#[tokio::test]
async fn a_server_that_finds_the_current_generation_damaged_serves_the_newest_sound_one_and_says_so()
 {
    let place = Place::new();
    let sled = place.index.generation_dir(2).join("sled");
    let mut chance = fastrand::Rng::with_seed(7);
    for turn in 0..12 {
        let copied = Index::at(place.folder.path().join(format!("copy-{turn}")));
        copy(place.index.root(), copied.root());
        match turn {
            0 => std::fs::write(copied.root().join("CURRENT"), "nonsense").expect("writable"),
            1 => std::fs::write(copied.root().join("CURRENT"), "17").expect("writable"),
            2 => std::fs::remove_dir_all(copied.generation_dir(2)).expect("it was there"),
            _ => {
                // Enough of it to be noticed.
                for file in files(&copied.generation_dir(2)).iter().filter(|_| turn > 3) {
                    Damage::Zeroes.to(file, &[], &sled, &mut chance);
                }
                let manifest = copied.generation_dir(2).join("manifest.json");
                Damage::CutShort.to(&manifest, &[], &sled, &mut chance);
            }
        }
        let server = Server::ready(&copied).await;
        let request = cartwright::grpc::pb::RelatedItemsRequest {
            item_id: "a1".into(),
            ..Default::default()
        };
        let answer = server.client().await.related_items(request).await.expect("it answers");
        let expected = if turn < 2 { 2 } else { 1 };
        assert_eq!(answer.get_ref().generation, expected, "turn {turn}");
        assert_eq!(health(&server, "").await, ServingStatus::Serving);
        assert_eq!(health(&server, "cartwright.index.current").await, ServingStatus::NotServing);
        if turn == 3 {
            // Mended, it is taken up, and health says that too.
            copied.activate(1).expect("it is sound");
            crate::common::until("the current generation is served", || async {
                let status = health(&server, "cartwright.index.current").await;
                (status == ServingStatus::Serving).then_some(())
            })
            .await;
        }
        server.stop().await;
    }
    // None is sound: it does not start, and says why.
    let copied = Index::at(place.folder.path().join("hopeless"));
    copy(place.index.root(), copied.root());
    for number in [1, 2] {
        std::fs::remove_file(copied.generation_dir(number).join("manifest.json")).expect("there");
    }
    let error = Server::start(&copied, quick()).await.ended().await.expect_err("nothing to serve");
    assert!(error.to_string().contains("000002"), "{error}");
}

/// Whom another process forgot was only looked at behind the current generation: where that could not be read, the
/// server went on answering from the past of whoever had asked to be forgotten.
#[tokio::test]
async fn who_is_forgotten_elsewhere_is_forgotten_while_current_can_not_be_read() {
    let place = Place::new();
    let server = Server::ready(&place.index).await;
    let client = CustomerServiceClient::new(server.channel().await);
    let known = || async {
        let request = pb::GetCustomerRequest { customer_id: "c1".into(), horizon_days: 0 };
        client.clone().get_customer(request).await.map(drop).map_err(|status| status.code())
    };
    assert_eq!(known().await, Ok(()));
    std::fs::write(place.index.root().join("CURRENT"), "nonsense").expect("writable");
    let elsewhere = Erased::of(&place.index).expect("readable");
    elsewhere.erase(&place.index, "c1").expect("forgotten");
    crate::common::until("the server has forgotten, too", || async {
        (known().await == Err(Code::NotFound)).then_some(())
    })
    .await;
    server.stop().await;
}

/// A file that keeps whoever reads it waiting.
struct Pipe(PathBuf);

impl Pipe {
    fn instead_of(file: PathBuf) -> Self {
        std::fs::remove_file(&file).expect("it was there");
        let made = Command::new("mkfifo").arg(&file).status();
        assert!(made.expect("it can be run").success());
        Self(file)
    }

    /// From now on whoever reads gets one byte; how many have.
    fn give_a_byte_each(&self) -> Arc<AtomicUsize> {
        let (file, given) = (self.0.clone(), Arc::new(AtomicUsize::new(0)));
        let count = given.clone();
        std::thread::spawn(move || {
            while std::fs::write(&file, "x").is_ok() {
                count.fetch_add(1, Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(20)); // the reader is done by then
            }
        });
        given
    }
}

impl Drop for Pipe {
    /// Whoever waits finds nothing.
    fn drop(&mut self) {
        let _ = std::fs::File::options().read(true).write(true).open(&self.0);
    }
}

/// Changes waited while a generation was loaded, until their time was over; and one that can't be loaded was tried
/// at each look.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_do_not_wait_for_a_generation_and_one_that_is_refused_is_not_tried_at_each_look() {
    let place = Place::new();
    place.index.activate(1).expect("it is sound");
    let server = Server::ready(&place.index).await;
    let pipe = Pipe::instead_of(place.index.generation_dir(2).join("manifest.json"));
    std::fs::write(place.index.root().join("CURRENT"), "2").expect("writable");
    tokio::time::sleep(Duration::from_millis(200)).await; // it has looked, and is loading
    let mut catalog = CatalogServiceClient::new(server.channel().await);
    let inventory = vec![pb::Inventory { item_id: "a1".into(), stock: Some(3), price: None }];
    let changed = catalog.set_inventory(pb::SetInventoryRequest { inventory }).await;
    let tried = pipe.give_a_byte_each();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let tried = tried.load(Ordering::Relaxed);
    std::fs::write(place.index.root().join("CURRENT"), "1").expect("writable");
    changed.expect("it is kept, whatever is loaded");
    assert!((1..=6).contains(&tried), "tried {tried} times in two seconds");
    server.stop().await;
}
