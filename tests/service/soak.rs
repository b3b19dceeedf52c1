//! Mixed load for a while, with swaps in between: no failed request, memory and descriptors level off.
//!
//! `CARTWRIGHT_SOAK_SECONDS=1200` goes on for 20 minutes instead of a few seconds. Only from two minutes on is
//! the growth of memory judged: before that the allocator is still finding its size.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::common::{folder, publish, write_small_shop};
use cartwright::grpc::pb;
use cartwright::grpc::pb::index_service_client::IndexServiceClient;
use cartwright::grpc::pb::recommendation_service_client::RecommendationServiceClient;
use cartwright::index::Index;
use tonic::transport::Channel;

/// A server in a process of its own, so that its memory is nobody else's.
struct Serving {
    child: Child,
    address: String,
}

impl Serving {
    fn start(index: &Index) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cartwright"));
        command.args(["serve", "--listen", "127.0.0.1:0", "--index"]).arg(index.root());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary can be run");
        let mut said = BufReader::new(child.stderr.take().expect("it is piped")).lines();
        let mut hears = |word: &str| {
            let line = said.by_ref().map_while(Result::ok).find(|line| line.contains(word));
            line.unwrap_or_else(|| panic!("the server never said {word:?}"))
        };
        let line = hears("address=");
        let address = line.split("address=").nth(1).and_then(|rest| rest.split(' ').next());
        let address = format!("http://{}", address.expect("it says where it listens"));
        hears("serving a generation");
        std::thread::spawn(move || said.for_each(drop)); // or it would wait for a reader
        Self { child, address }
    }

    async fn channel(&self) -> Channel {
        let channel = Channel::from_shared(self.address.clone()).expect("a sound address");
        channel.connect().await.expect("it listens")
    }

    /// Memory in kilobytes, and open descriptors.
    fn takes(&self) -> (f64, usize) {
        let process = std::path::PathBuf::from(format!("/proc/{}", self.child.id()));
        let status = std::fs::read_to_string(process.join("status")).expect("it runs");
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("it is told");
        let kilobytes = line.split_whitespace().nth(1).and_then(|text| text.parse().ok());
        let descriptors = std::fs::read_dir(process.join("fd")).expect("it is ours").count();
        (kilobytes.expect("a number"), descriptors)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The slope of a straight line through the points, by least squares.
fn slope(points: &[(f64, f64)]) -> f64 {
    let count = points.len() as f64;
    let (x, y) = points.iter().fold((0.0, 0.0), |(x, y), point| (x + point.0, y + point.1));
    let (x, y) = (x / count, y / count);
    let over: f64 = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum();
    over / points.iter().map(|point| (point.0 - x).powi(2)).sum::<f64>()
}

/// What is wrong with memory (hours, megabytes) or descriptors, if anything: judged from the second half on, when
/// the allocator has found its size. Memory is judged if the run was long enough to tell a slope from noise.
fn judged(points: &[(f64, f64)], open: &[usize], is_long: bool) -> Result<f64, String> {
    let warm = points.len() / 2;
    let growth = slope(&points[warm..]);
    let (first, last) = (open[warm], open[open.len() - 1]);
    if last > first + 8 {
        return Err(format!("descriptors grow: {open:?}"));
    }
    if is_long && growth >= 1.0 {
        return Err(format!("memory grows by {growth:.2} MB/h: {points:?}"));
    }
    Ok(growth)
}

#[test]
fn the_check_goes_red_on_a_leak_and_stays_green_on_noise() {
    // Twenty minutes, a look every half second, and two megabytes of noise.
    let mut random = fastrand::Rng::with_seed(1);
    let mut grows = |by_hour: f64| -> Vec<(f64, f64)> {
        let hours = (0..2_400).map(|turn| f64::from(turn) / 7_200.0);
        hours.map(|at| (at, 80.0 + by_hour * at + 2.0 * random.f64())).collect()
    };
    let level = vec![30usize; 2_400];
    let leaks: Vec<usize> = (0..2_400).map(|turn| 30 + turn / 100).collect();
    assert!(judged(&grows(0.0), &level, true).is_ok());
    assert!(judged(&grows(3.0), &level, true).is_err_and(|why| why.contains("memory grows")));
    assert!(judged(&grows(0.0), &leaks, true).is_err_and(|why| why.contains("descriptors grow")));
}

async fn ask(client: &mut RecommendationServiceClient<Channel>, turn: usize) {
    let item = |nth: usize| format!("a{}", (turn + nth) % 30);
    let line = |item_id| pb::BasketLine { item_id, ..Default::default() };
    let customer_id = Some(format!("c{}", turn % 40));
    let limit = 20;
    let related = pb::RelatedItemsRequest { item_id: item(0), limit, ..Default::default() };
    client.related_items(related).await.expect("no request fails");
    let basket = (0..5).map(|nth| line(item(nth * 3))).collect();
    let basket = pb::BasketUpsellRequest {
        basket,
        customer_id: customer_id.clone(),
        limit,
        ..Default::default()
    };
    client.basket_upsell(basket).await.expect("no request fails");
    let customer = pb::ForCustomerRequest { customer_id, limit, ..Default::default() };
    client.for_customer(customer).await.expect("no request fails");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_and_descriptors_level_off_under_load_and_swaps() {
    if !std::path::Path::new("/proc/self/fd").exists() {
        return eprintln!("left out: this system does not tell what a process takes");
    }
    let seconds: u64 =
        std::env::var("CARTWRIGHT_SOAK_SECONDS").map_or(6, |n| n.parse().expect("a number"));
    let place = folder();
    let index = Index::at(place.path().join("index"));
    for prefix in ["a", "b"] {
        let events = place.path().join("events.csv");
        write_small_shop(&events, prefix);
        publish(&index, &events, None).expect("the shop can be learnt");
    }
    let server = Serving::start(&index);
    let (enough, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let mut asking = Vec::new();
    for task in 0..3 {
        let mut client = RecommendationServiceClient::new(server.channel().await);
        let (enough, asked) = (enough.clone(), asked.clone());
        asking.push(tokio::spawn(async move {
            let mut turn = task * 1_000;
            while !enough.load(Ordering::Relaxed) {
                ask(&mut client, turn).await;
                turn += 1;
                asked.fetch_add(3, Ordering::Relaxed);
            }
        }));
    }
    let mut switch = IndexServiceClient::new(server.channel().await);
    let started = Instant::now();
    let (mut points, mut open, mut turn) = (Vec::new(), Vec::new(), 0u64);
    while started.elapsed() < Duration::from_secs(seconds) {
        let request = pb::ActivateGenerationRequest { generation: turn % 2 + 1 };
        switch.activate_generation(request).await.expect("it is there");
        // A connection that comes and goes, as well.
        ask(&mut RecommendationServiceClient::new(server.channel().await), turn as usize).await;
        tokio::time::sleep(Duration::from_millis(500)).await;
        let (kilobytes, descriptors) = server.takes();
        points.push((started.elapsed().as_secs_f64() / 3_600.0, kilobytes / 1_024.0));
        open.push(descriptors);
        turn += 1;
    }
    enough.store(true, Ordering::Relaxed);
    for task in asking {
        task.await.expect("no request failed");
    }
    let asked = asked.load(Ordering::Relaxed);
    let last = points.last().map_or(0.0, |point| point.1);
    let judged = judged(&points, &open, seconds >= 120);
    let (least, most) = (open.iter().min(), open.iter().max());
    eprintln!(
        "{asked} requests, {turn} swaps, {last:.1} MB, {judged:+.2?} MB/h, {least:?} to {most:?} descriptors"
    );
    judged.expect("memory and descriptors level off");
}
