//! What the tests share: a made-up shop on disk, a generation trained from it, a server on port 0.

#![allow(dead_code, reason = "each test file uses its own part")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use cartwright::catalog::{self, CatalogOptions, CatalogReading};
use cartwright::demo::{Shop, ShopOptions, make};
use cartwright::events::{self, ReadOptions};
use cartwright::grpc::pb::recommendation_service_client::RecommendationServiceClient;
use cartwright::grpc::{self, ServeOptions};
use cartwright::index::{Index, Manifest, Snapshot};
use cartwright::train::{Input, TrainOptions, train};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tonic::transport::Channel;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

/// Nothing takes as long as this unless it hangs.
pub(crate) const HANGS: Duration = Duration::from_secs(60);

/// A temporary folder with a shop's files in it, and an index trained from them.
pub(crate) struct Place {
    folder: TempDir,
    pub(crate) shop: Arc<Shop>,
    pub(crate) index: Index,
}

/// A made-up shop and all files of its place, in memory: nothing stays on disk between tests.
#[derive(Clone)]
struct Template {
    shop: Arc<Shop>,
    files: Arc<Vec<(PathBuf, Vec<u8>)>>,
}

/// Each shop is trained once per test binary.
static TEMPLATES: Mutex<BTreeMap<(usize, usize, u32), Template>> = Mutex::new(BTreeMap::new());

impl Place {
    /// A made-up shop, written, read, trained.
    pub(crate) fn made_up(customers: usize, items: usize, days: u32) -> Self {
        let Template { shop, files } = {
            let mut templates = TEMPLATES.lock().unwrap_or_else(PoisonError::into_inner);
            let key = (customers, items, days);
            templates.entry(key).or_insert_with(|| Template::make(customers, items, days)).clone()
        };
        let folder = folder();
        for (name, bytes) in files.iter() {
            let path = folder.path().join(name);
            let parent = path.parent().expect("it is below the folder");
            std::fs::create_dir_all(parent).expect("the folder can be written");
            std::fs::write(path, bytes).expect("the folder can be written");
        }
        let index = Index::at(folder.path().join("index"));
        Self { folder, shop, index }
    }

    /// The folder that holds it all.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Trains on the shop once more.
    pub(crate) fn publish_again(&self) -> cartwright::Result<Manifest> {
        let file = |name: &str| self.folder.path().join(name);
        publish(&self.index, &file("events.csv"), Some(&file("catalog.csv")))
    }
}

impl Template {
    fn make(customers: usize, items: usize, days: u32) -> Self {
        let options = ShopOptions { customers, items, days, ..ShopOptions::default() };
        let shop = make(&options).expect("the options are in range");
        let folder = folder();
        let written = shop.write(folder.path()).expect("the folder can be written");
        let index = Index::at(folder.path().join("index"));
        publish(&index, &written.events, Some(&written.catalog)).expect("the shop can be learnt");
        let content = |path: PathBuf| {
            let name = path.strip_prefix(folder.path()).expect("it was found below").to_owned();
            (name, std::fs::read(&path).expect("a readable file"))
        };
        let files = files(folder.path()).into_iter().map(content).collect();
        Self { shop: Arc::new(shop), files: Arc::new(files) }
    }
}

/// All files below a folder, in order.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("a readable folder").path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

/// A new temporary folder.
pub(crate) fn folder() -> TempDir {
    TempDir::with_prefix("cartwright-test-").expect("the system has a place for temporary files")
}

/// Reads the files and publishes a generation learnt from them, with the defaults.
pub(crate) fn publish(
    index: &Index,
    events: &Path,
    catalog: Option<&Path>,
) -> cartwright::Result<Manifest> {
    publish_with(index, events, catalog, &TrainOptions::default())
}

/// The same, with other options.
pub(crate) fn publish_with(
    index: &Index,
    events: &Path,
    catalog: Option<&Path>,
    options: &TrainOptions,
) -> cartwright::Result<Manifest> {
    train(read(events, catalog)?, options, index, &mut |_| {})
}

/// Reads the files with the defaults.
pub(crate) fn read(events: &Path, catalog: Option<&Path>) -> cartwright::Result<Input> {
    let reading = events::read(&[events.to_path_buf()], &ReadOptions::default())?;
    let catalog = match catalog {
        None => CatalogReading::default(),
        Some(path) => catalog::read(&[path.to_path_buf()], &CatalogOptions::default())?,
    };
    let time_zone = ReadOptions::default().zone()?;
    Ok(Input {
        reading,
        catalog,
        time_zone,
        attributes: Default::default(),
        customers: Default::default(),
        config: serde_json::Value::Null,
    })
}

/// Writes the orders of a small shop whose items are `{prefix}0`, `{prefix}1`, …: neighbours in number
/// are bought together. The customers `c0`, `c1`, … are the same in every such shop.
pub(crate) fn write_small_shop(path: &Path, prefix: &str) {
    let mut csv = String::from("customer_id,item_id,timestamp,order_id\n");
    for order in 0..400u32 {
        let (day, first) = (order / 20, order * 7 % 30);
        for item in [first, first + 1, (order * 11 + 3) % 30] {
            let customer = order % 40;
            csv +=
                &format!("c{customer},{prefix}{item},{},o{order}\n", 1_700_000_000 + day * 86_400);
        }
    }
    std::fs::write(path, csv).expect("the folder can be written");
}

/// Writes other text into a manifest, as if it had been written so: its digest goes with it.
pub(crate) fn forge_manifest(generation: &Path, text: &str) {
    let digest = twox_hash::XxHash3_128::oneshot(text.as_bytes());
    std::fs::write(generation.join("manifest.json"), text).expect("it can be written");
    std::fs::write(generation.join("manifest.digest"), format!("{digest:032x}\n"))
        .expect("the same");
}

/// Copies a folder with all that is in it.
pub(crate) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).expect("the folder can be written");
    for entry in std::fs::read_dir(from).expect("a readable folder") {
        let entry = entry.expect("a readable folder");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("it can be copied");
        }
    }
}

/// A server on a port of its own, in this process.
pub(crate) struct Server {
    pub(crate) address: String,
    stop: Option<oneshot::Sender<()>>,
    serving: JoinHandle<cartwright::Result<()>>,
}

impl Server {
    /// Starts it; it may still be loading.
    pub(crate) async fn start(index: &Index, options: ServeOptions) -> Self {
        Self::start_at(index, options, ([127, 0, 0, 1], 0).into()).await
    }

    /// Starts it at this address, port 0 being any that is free; it may still be loading.
    pub(crate) async fn start_at(
        index: &Index,
        options: ServeOptions,
        address: std::net::SocketAddr,
    ) -> Self {
        let listener = TcpListener::bind(address).await.expect("a free port");
        let address = format!("http://{}", listener.local_addr().expect("it is bound"));
        let (stop, stopped) = oneshot::channel::<()>();
        let index = index.clone();
        let serving = tokio::spawn(async move {
            let stopped = pin!(async {
                let _ = stopped.await;
            });
            grpc::run(listener, index, &options, stopped).await
        });
        Self { address, stop: Some(stop), serving }
    }

    /// Starts it, and waits until it says that it serves.
    pub(crate) async fn ready(index: &Index) -> Self {
        let server = Self::start(index, quick()).await;
        server.until_serving().await;
        server
    }

    /// Waits until health says SERVING.
    pub(crate) async fn until_serving(&self) {
        let mut health = HealthClient::new(self.channel().await);
        let request = HealthCheckRequest::default();
        let mut updates = health.watch(request).await.expect("health answers").into_inner();
        while let Some(update) = updates.message().await.expect("health goes on") {
            if update.status() == ServingStatus::Serving {
                return;
            }
        }
        panic!("the server ended before it served");
    }

    /// A connection of its own.
    pub(crate) async fn channel(&self) -> Channel {
        let channel = Channel::from_shared(self.address.clone()).expect("a sound address");
        channel.connect().await.expect("the server listens")
    }

    /// A client with a connection of its own.
    pub(crate) async fn client(&self) -> RecommendationServiceClient<Channel> {
        RecommendationServiceClient::new(self.channel().await)
    }

    /// Tells it to stop.
    pub(crate) fn tell_to_stop(&mut self) {
        self.stop.take().expect("it is told once").send(()).expect("it is running");
    }

    /// What it ended with.
    pub(crate) async fn ended(self) -> cartwright::Result<()> {
        let ended = tokio::time::timeout(HANGS, self.serving).await;
        ended.expect("the server ends").expect("the server does not panic")
    }

    /// Tells it to stop and waits for it.
    pub(crate) async fn stop(mut self) {
        self.tell_to_stop();
        self.ended().await.expect("the server ends well");
    }
}

/// Options that let a test get on.
pub(crate) fn quick() -> ServeOptions {
    ServeOptions { poll_ms: 20, grace_ms: 500, ..ServeOptions::default() }
}

/// Asks again and again until there is an answer.
pub(crate) async fn until<T, F: Future<Output = Option<T>>>(what: &str, ask: impl Fn() -> F) -> T {
    let started = Instant::now();
    while started.elapsed() < HANGS {
        if let Some(answer) = ask().await {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("waited in vain until {what}");
}

/// The folder with real shops' data, or a word on what is left out.
#[allow(clippy::print_stderr, reason = "a test says what it left out")]
pub(crate) fn real_data(file: &str) -> Option<PathBuf> {
    let Some(folder) = std::env::var_os("CARTWRIGHT_DATA") else {
        eprintln!("left out: set CARTWRIGHT_DATA to the folder that holds {file}");
        return None;
    };
    Some(PathBuf::from(folder).join(file))
}

/// A shop learnt from customers' orders, each a week after the one before; an item is told by two numbers.
pub(crate) fn shop_of_orders(
    customers: usize,
    mut orders_of: impl FnMut(usize) -> Vec<Vec<(usize, usize)>>,
) -> (Manifest, Snapshot) {
    let mut text = "customer_id,item_id,timestamp,order_id\n".to_owned();
    for customer in 0..customers {
        for (order, items) in orders_of(customer).into_iter().enumerate() {
            let at = 1_700_000_000 + 86_400 * (7 * order + customer % 7);
            for (a, b) in items {
                let _ = writeln!(text, "c{customer},i{a}-{b},{at},o{customer}-{order}");
            }
        }
    }
    learnt_from(&text)
}

/// A shop learnt from a file of events.
pub(crate) fn learnt_from(text: &str) -> (Manifest, Snapshot) {
    let place = folder();
    let path = place.path().join("events.csv");
    std::fs::write(&path, text).expect("the folder can be written");
    let index = Index::at(place.path().join("index"));
    let manifest = publish(&index, &path, None).expect("the shop can be learnt");
    (manifest, Snapshot::open_current(&index).expect("what was published can be read"))
}
