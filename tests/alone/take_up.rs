//! New generations are taken up while clients ask: no failed answer, no mixed one.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use crate::common::{
    Server, copy, folder, forge_manifest, publish, quick, until, write_small_shop,
};
use cartwright::grpc::ServeOptions;
use cartwright::grpc::pb;
use cartwright::grpc::pb::reason::Why;
use cartwright::grpc::pb::recommendation_service_client::RecommendationServiceClient;
use cartwright::index::Index;
use tempfile::TempDir;
use tonic::transport::Channel;

/// An index whose generation `n` sells `g{n}-0`, `g{n}-1`, … and nothing else.
struct Telltale {
    folder: TempDir,
    index: Index,
}

impl Telltale {
    fn new() -> Self {
        let folder = folder();
        let index = Index::at(folder.path().join("index"));
        Self { folder, index }
    }

    fn publish(&self, generation: u64) {
        let events = self.folder.path().join("events.csv");
        write_small_shop(&events, &format!("g{generation}-"));
        let manifest = publish(&self.index, &events, None).expect("the shop can be learnt");
        assert_eq!(manifest.generation, generation);
    }

    /// The same from a thread that may block.
    async fn publish_aside(self: &Arc<Self>, generation: u64) {
        let telltale = self.clone();
        let publishing = tokio::task::spawn_blocking(move || telltale.publish(generation));
        publishing.await.expect("the trainer does not panic");
    }
}

/// One answer, and the generation that it says it is from.
type Answer = (u64, Vec<pb::Recommendation>);

/// Asks the three questions about items of the generations 1 to 3 at once.
async fn ask_all(client: &mut RecommendationServiceClient<Channel>, turn: usize) -> Vec<Answer> {
    let of = |generation: u64, place: usize| format!("g{generation}-{}", (turn + place) % 30);
    let related = pb::RelatedItemsRequest {
        item_id: of(turn as u64 % 3 + 1, 0),
        customer_id: Some(format!("c{}", turn % 40)),
        limit: 20,
        ..Default::default()
    };
    let line = |item_id| pb::BasketLine { item_id, ..Default::default() };
    let basket = pb::BasketUpsellRequest {
        basket: (1..=3).flat_map(|g| [of(g, 0), of(g, 5)]).map(line).collect(),
        customer_id: Some(format!("c{}", turn % 40)),
        limit: 20,
        ..Default::default()
    };
    let customer = pb::ForCustomerRequest {
        customer_id: Some(format!("c{}", turn % 40)),
        recent_item_ids: (1..=3).map(|g| of(g, 2)).collect(),
        limit: 20,
        exclude_purchased: turn.is_multiple_of(2),
        ..Default::default()
    };
    let related = client.related_items(related).await.expect("no answer fails").into_inner();
    let basket = client.basket_upsell(basket).await.expect("no answer fails").into_inner();
    let customer = client.for_customer(customer).await.expect("no answer fails").into_inner();
    vec![
        (related.generation, related.recommendations),
        (basket.generation, basket.recommendations),
        (customer.generation, customer.recommendations),
    ]
}

/// Every item of the answer, and of its reasons, is sold in the generation it is from.
fn check_unmixed((generation, recommendations): &Answer) {
    let here = format!("g{generation}-");
    assert!(!recommendations.is_empty(), "an empty answer from generation {generation}");
    for recommended in recommendations {
        let named = recommended.reasons.iter().flat_map(|reason| match &reason.why {
            Some(Why::BoughtTogether(why)) => why.with_item_ids.clone(),
            Some(Why::SameCustomers(why)) => vec![why.with_item_id.clone()],
            Some(Why::ViewedTogether(why)) => vec![why.with_item_id.clone()],
            Some(Why::CalledFor(why)) => vec![why.by_item_id.clone()],
            Some(Why::SimilarItem(why)) => vec![why.to_item_id.clone()],
            _ => Vec::new(),
        });
        for item in named.chain([recommended.item_id.clone()]) {
            assert!(item.starts_with(&here), "{item} in an answer of generation {generation}");
        }
    }
}

/// Waits until the server answers from `generation`.
async fn until_served(server: &Server, generation: u64) {
    let client = server.client().await;
    until(&format!("generation {generation} is served"), || {
        let mut client = client.clone();
        async move {
            let found = ask_all(&mut client, 0).await[0].0;
            (found == generation).then_some(())
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn new_generations_are_taken_up_without_a_failed_or_a_mixed_answer() {
    let telltale = Arc::new(Telltale::new());
    telltale.publish(1);
    let server = Server::ready(&telltale.index).await;

    let enough = Arc::new(AtomicBool::new(false));
    let mut asking = Vec::new();
    for task in 0..4 {
        let (mut client, enough) = (server.client().await, enough.clone());
        asking.push(tokio::spawn(async move {
            let mut answers: BTreeMap<u64, usize> = BTreeMap::new();
            let (mut turn, mut latest) = (task * 1_000, 0);
            while !enough.load(Ordering::Relaxed) {
                for answer in ask_all(&mut client, turn).await {
                    check_unmixed(&answer);
                    assert!(answer.0 >= latest, "from generation {latest} back to {}", answer.0);
                    latest = answer.0;
                    *answers.entry(latest).or_default() += 1;
                }
                turn += 1;
            }
            answers
        }));
    }
    for generation in [2, 3] {
        telltale.publish_aside(generation).await;
        until_served(&server, generation).await;
    }
    enough.store(true, Ordering::Relaxed);
    let mut answers: BTreeMap<u64, usize> = BTreeMap::new();
    for task in asking {
        for (generation, count) in task.await.expect("no answer failed or was mixed") {
            *answers.entry(generation).or_default() += count;
        }
    }
    assert_eq!(answers.keys().copied().collect::<Vec<_>>()[..2], [1, 2], "{answers:?}");
    server.stop().await;
}

/// A mixed answer needs a change of generation within one request: so they change all the time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_answer_is_mixed_while_generations_change_back_and_forth() {
    let telltale = Arc::new(Telltale::new());
    telltale.publish(1);
    telltale.publish(2);
    let options = ServeOptions { poll_ms: 10, ..quick() };
    let server = Server::start(&telltale.index, options).await;
    server.until_serving().await;
    let enough = Arc::new(AtomicBool::new(false));
    let mut asking = Vec::new();
    for task in 0..8 {
        let (mut client, enough) = (server.client().await, enough.clone());
        asking.push(tokio::spawn(async move {
            let mut turn = task * 1_000;
            while !enough.load(Ordering::Relaxed) {
                ask_all(&mut client, turn).await.iter().for_each(check_unmixed);
                turn += 1;
            }
        }));
    }
    for change in 0..60 {
        let generation = change % 2 + 1;
        telltale.index.activate(generation).expect("it is there");
        until_served(&server, generation).await;
    }
    enough.store(true, Ordering::Relaxed);
    for task in asking {
        task.await.expect("no answer failed or was mixed");
    }
    server.stop().await;
}

#[tokio::test]
async fn the_server_follows_activate_and_rollback() {
    let telltale = Arc::new(Telltale::new());
    for generation in 1..=3 {
        telltale.publish(generation);
    }
    let server = Server::ready(&telltale.index).await;
    until_served(&server, 3).await;
    assert_eq!(telltale.index.rollback().expect("there is one before"), 2);
    until_served(&server, 2).await;
    telltale.index.activate(1).expect("it is there");
    until_served(&server, 1).await;
    telltale.index.rollback().expect_err("nothing is before the first");
    telltale.index.activate(7).expect_err("there is no such generation");
    telltale.index.activate(3).expect("it is there");
    until_served(&server, 3).await;
    server.stop().await;
}

/// Does harm to the generation in a folder.
type Damage = fn(&std::path::Path);

#[tokio::test]
async fn the_old_generation_goes_on_where_the_new_one_is_damaged() {
    let damages: [(&str, Damage); 6] = [
        ("no manifest", |place| {
            std::fs::remove_file(place.join("manifest.json")).expect("it was there");
        }),
        ("a manifest cut short", |place| {
            let manifest = std::fs::read(place.join("manifest.json")).expect("it was there");
            std::fs::write(place.join("manifest.json"), &manifest[..manifest.len() / 2])
                .expect("the folder can be written");
        }),
        ("another digest", |place| {
            let manifest = std::fs::read_to_string(place.join("manifest.json"));
            let text =
                manifest.expect("it was there").replacen("\"digest\": \"", "\"digest\": \"0", 1);
            forge_manifest(place, &text);
        }),
        ("a log cut short", |place| {
            let log = std::fs::File::options().write(true).open(place.join("sled").join("db"));
            log.and_then(|log| log.set_len(4_096)).expect("it was there");
        }),
        ("no trees", |place| {
            std::fs::remove_dir_all(place.join("sled")).expect("it was there");
        }),
        ("empty trees", |place| {
            std::fs::remove_dir_all(place.join("sled")).expect("it was there");
            std::fs::create_dir(place.join("sled")).expect("the folder can be written");
        }),
    ];
    listen_to_the_log();
    let telltale = Arc::new(Telltale::new());
    for generation in 1..=2 {
        telltale.publish(generation);
    }
    let current = |generation: u64| {
        let place = telltale.index.root().join("CURRENT");
        std::fs::write(place, format!("{generation}\n")).expect("it can be written");
    };
    let sound = telltale.folder.path().join("sound");
    copy(&telltale.index.generation_dir(2), &sound);

    for (heard, (what, damage)) in damages.into_iter().enumerate() {
        current(1);
        let server = Server::ready(&telltale.index).await;
        let mut client = server.client().await;
        damage(&telltale.index.generation_dir(2));
        // As a trainer whose disk lied would leave it; `activate` would refuse some of these.
        current(2);
        let refusal = until(&format!("it refuses a generation with {what}"), || async {
            refusals().get(heard).cloned()
        })
        .await;
        assert!(!refusal.contains("panicked"), "with {what}: {refusal}");
        for turn in 0..20 {
            for answer in ask_all(&mut client, turn).await {
                assert_eq!(answer.0, 1, "with {what}");
                check_unmixed(&answer);
            }
        }
        current(1);
        std::fs::remove_dir_all(telltale.index.generation_dir(2)).expect("it can be removed");
        copy(&sound, &telltale.index.generation_dir(2));
        // It has not given up looking.
        telltale.index.activate(2).expect("it is there");
        until_served(&server, 2).await;
        server.stop().await;
    }
}

static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// From now on, what the servers of this process log is kept in [`LOG`].
fn listen_to_the_log() {
    struct Writer;
    impl std::io::Write for Writer {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            LOG.lock().expect("nobody panics with it").extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    tracing_subscriber::fmt().with_ansi(false).with_writer(|| Writer).init();
}

/// What the log says of generations that could not be served.
fn refusals() -> Vec<String> {
    let log = String::from_utf8_lossy(&LOG.lock().expect("nobody panics with it")).into_owned();
    log.lines().filter(|line| line.contains("can't be served")).map(str::to_owned).collect()
}
