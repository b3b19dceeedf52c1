//! `IndexService`: which generation is served changes at once, and no request fails.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::common::{Server, copy, folder, publish, quick, write_small_shop};
use cartwright::grpc::ServeOptions;
use cartwright::grpc::pb;
use cartwright::grpc::pb::index_service_client::IndexServiceClient;
use cartwright::index::Index;
use tempfile::TempDir;
use tonic::Code;
use tonic::transport::Channel;

/// An index of three generations, the third of which is current.
fn three() -> (TempDir, Index) {
    let folder = folder();
    let index = Index::at(folder.path().join("index"));
    for prefix in ["a", "b", "c"] {
        let events = folder.path().join("events.csv");
        write_small_shop(&events, prefix);
        publish(&index, &events, None).expect("the shop can be learnt");
    }
    (folder, index)
}

/// A server that does not look at `CURRENT` by itself while the test lasts.
async fn server(index: &Index) -> (Server, IndexServiceClient<Channel>) {
    let server = Server::start(index, ServeOptions { poll_ms: 600_000, ..quick() }).await;
    server.until_serving().await;
    let client = IndexServiceClient::new(server.channel().await);
    (server, client)
}

async fn answering(server: &Server) -> u64 {
    let request = pb::RelatedItemsRequest { item_id: "a1".into(), ..Default::default() };
    let answer = server.client().await.related_items(request).await;
    answer.expect("no request fails").into_inner().generation
}

/// Whether all items of an answer are of the generation that it names: the first is of the shop whose items begin
/// with an a, the second with a b, the third with a c.
fn is_of_one_generation(answer: &pb::RelatedItemsResponse) -> Result<(), String> {
    let prefix = ["", "a", "b", "c"][answer.generation as usize];
    let items = answer.recommendations.iter().map(|one| one.item_id.as_str());
    let strangers: Vec<&str> = items.filter(|item| !item.starts_with(prefix)).collect();
    match strangers.is_empty() && !answer.recommendations.is_empty() {
        true => Ok(()),
        false => Err(format!("generation {} answers with {strangers:?}", answer.generation)),
    }
}

#[test]
fn the_check_goes_red_on_an_answer_that_mixes_generations() {
    let item = |item_id: &str| pb::Recommendation { item_id: item_id.into(), ..Default::default() };
    let answer = |items: &[&str]| pb::RelatedItemsResponse {
        recommendations: items.iter().copied().map(item).collect(),
        generation: 2,
        ..Default::default()
    };
    assert!(is_of_one_generation(&answer(&["b1", "b2"])).is_ok());
    for mixed in [&["b1", "a2"][..], &["c1"], &[]] {
        is_of_one_generation(&answer(mixed)).expect_err("it mixes, or is empty");
    }
}

fn activate(generation: u64) -> pb::ActivateGenerationRequest {
    pb::ActivateGenerationRequest { generation }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_activated_is_served_at_once_and_no_request_fails() {
    let (_folder, index) = three();
    let (server, mut client) = server(&index).await;
    let (enough, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let mut asking = server.client().await;
    let load = tokio::spawn({
        let (enough, asked) = (enough.clone(), asked.clone());
        async move {
            while !enough.load(Ordering::Relaxed) {
                let request =
                    pb::RelatedItemsRequest { item_id: "b2".into(), ..Default::default() };
                let answer = asking.related_items(request).await.expect("no request fails");
                is_of_one_generation(answer.get_ref()).expect("no answer mixes generations");
                asked.fetch_add(1, Ordering::Relaxed);
            }
        }
    });
    let mut slowest = Duration::ZERO;
    for turn in 0..200 {
        let (before, generation) = (answering(&server).await, turn % 3 + 1);
        let started = Instant::now();
        let reply = client.activate_generation(activate(generation)).await.expect("it is there");
        assert_eq!(reply.get_ref().previous_generation, before);
        assert_eq!(answering(&server).await, generation);
        slowest = slowest.max(started.elapsed());
        assert_eq!(index.current().expect("one is current"), generation);
    }
    enough.store(true, Ordering::Relaxed);
    load.await.expect("no request failed");
    eprintln!("activated and answering within {slowest:?} at most");
    assert!(asked.load(Ordering::Relaxed) > 200);
    server.stop().await;
}

#[tokio::test]
async fn going_back_passes_over_what_is_damaged_until_nothing_is_left() {
    let (_folder, index) = three();
    let (server, mut client) = server(&index).await;
    let log = index.generation_dir(2).join("sled/db");
    std::fs::write(&log, "nonsense").expect("writable");
    let reply = client.rollback_generation(pb::RollbackGenerationRequest {}).await;
    let reply = reply.expect("the first is sound").into_inner();
    assert_eq!((reply.generation, reply.previous_generation), (1, 3));
    assert_eq!((answering(&server).await, index.current().expect("one is")), (1, 1));
    let status = client.rollback_generation(pb::RollbackGenerationRequest {}).await;
    assert_eq!(status.expect_err("nothing is before it").code(), Code::FailedPrecondition);
    assert_eq!(answering(&server).await, 1);
    server.stop().await;
}

#[tokio::test]
async fn what_can_not_be_served_is_not_made_current() {
    let (_folder, index) = three();
    let (server, mut client) = server(&index).await;
    let status = client.activate_generation(activate(9)).await.expect_err("there is none");
    assert_eq!((status.code(), status.message()), (Code::NotFound, "there is no generation 9"));
    std::fs::write(index.generation_dir(1).join("sled/db"), "nonsense").expect("writable");
    let status = client.activate_generation(activate(1)).await.expect_err("it is damaged");
    assert_eq!(status.code(), Code::FailedPrecondition);
    assert!(status.message().contains("000001"), "{}", status.message());
    assert_eq!((answering(&server).await, index.current().expect("one is")), (3, 3));
    server.stop().await;
}

#[tokio::test]
async fn generations_and_how_they_came_about_are_told() {
    let (folder, index) = three();
    let (server, mut client) = server(&index).await;
    std::fs::write(index.generation_dir(2).join("manifest.json"), "{").expect("writable");
    let list = client.list_generations(pb::ListGenerationsRequest {}).await;
    let list = list.expect("it can be listed").into_inner();
    let numbers: Vec<u64> = list.generations.iter().map(|one| one.generation).collect();
    assert_eq!((numbers, list.current_generation, list.served_generation), (vec![1, 2, 3], 3, 3));
    assert!(list.generations[1].damage.contains("manifest"), "{list:?}");
    assert!(list.generations[0].damage.is_empty() && list.generations[0].counts["items"] == 31);

    let report = |generation| pb::GetTrainingReportRequest { generation };
    let told = client.get_training_report(report(0)).await.expect("it is served").into_inner();
    assert_eq!(told.generation.as_ref().map(|one| one.generation), Some(3));
    assert!(told.held_out.iter().any(|one| one.question == "related" && one.figure > 0.0));
    assert!(told.checks.len() > 5 && told.checks.iter().all(|check| check.holds), "{told:?}");
    assert!(!told.notes.is_empty() && told.rows_per_day.len() == 20, "{told:?}");
    assert_eq!(told.compared_with, 2);
    let code = |status: tonic::Status| status.code();
    assert_eq!(
        client.get_training_report(report(8)).await.map_err(code).err(),
        Some(Code::NotFound)
    );
    let damaged = client.get_training_report(report(2)).await.map_err(code).err();
    assert_eq!(damaged, Some(Code::FailedPrecondition));
    drop(folder);
    server.stop().await;
}

/// Two servers on one index: the second works on a private copy, and both follow.
#[tokio::test]
async fn two_servers_on_one_index_both_answer_and_both_follow() {
    let (folder, index) = three();
    let (one, mut client) = server(&index).await;
    let other = Server::start(&index, quick()).await;
    other.until_serving().await;
    assert_eq!((answering(&one).await, answering(&other).await), (3, 3));
    client.activate_generation(activate(2)).await.expect("it is there");
    assert_eq!(answering(&one).await, 2);
    crate::common::until("the other follows", || async {
        (answering(&other).await == 2).then_some(())
    })
    .await;
    copy(index.root(), &folder.path().join("aside")); // and the files can be read by others
    one.stop().await;
    other.stop().await;
}
