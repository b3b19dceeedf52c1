//! The catalogue as a living thing, over a real socket: a change counts from the next request on, outlives
//! the server and the next generation, and what is wrong is refused with its place.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::common::{HANGS, Place, Server, quick, until};
use cartwright::grpc::pb;
use cartwright::grpc::pb::catalog_service_client::CatalogServiceClient;
use cartwright::grpc::pb::reason::Why;
use cartwright::grpc::pb::recommendation_service_client::RecommendationServiceClient;
use cartwright::grpc::pb::rule_service_client::RuleServiceClient;
use cartwright::live::Live;
use prost_types::FieldMask;
use tonic::transport::Channel;
use tonic::{Code, Status};
use tonic_types::StatusExt;

#[derive(Clone)]
struct Clients {
    ask: RecommendationServiceClient<Channel>,
    catalog: CatalogServiceClient<Channel>,
    rules: RuleServiceClient<Channel>,
}

impl Clients {
    async fn of(server: &Server) -> Self {
        let channel = server.channel().await;
        Self {
            ask: RecommendationServiceClient::new(channel.clone()),
            catalog: CatalogServiceClient::new(channel.clone()),
            rules: RuleServiceClient::new(channel),
        }
    }

    /// The same, once a server that was here before has let go of the changes.
    async fn able_to_change(server: &Server) -> Self {
        let clients = Self::of(server).await;
        until("changes are taken", || async {
            let item_ids = vec!["nothing".to_owned()];
            let request = pb::HideItemsRequest { item_ids };
            clients.clone().catalog.hide_items(request).await.ok()
        })
        .await;
        clients
    }

    async fn related(&mut self, item: &str) -> pb::RelatedItemsResponse {
        self.related_where(item, "").await.expect("an answer")
    }

    async fn related_where(
        &mut self,
        item: &str,
        filter: &str,
    ) -> Result<pb::RelatedItemsResponse, Status> {
        let request = pb::RelatedItemsRequest {
            item_id: item.into(),
            limit: 20,
            filter: filter.into(),
            ..Default::default()
        };
        self.ask.related_items(request).await.map(tonic::Response::into_inner)
    }

    async fn upsert(&mut self, items: Vec<pb::CatalogItem>, mask: &[&str]) -> Result<u32, Status> {
        let mask = FieldMask { paths: mask.iter().map(ToString::to_string).collect() };
        let requests: Vec<_> = items
            .into_iter()
            .map(|item| pb::UpsertItemsRequest {
                item: Some(item),
                update_mask: Some(mask.clone()),
            })
            .collect();
        let reply = self.catalog.upsert_items(tokio_stream::iter(requests)).await?;
        Ok(reply.into_inner().upserted)
    }

    async fn get(&mut self, item: &str) -> Result<pb::CatalogItem, Status> {
        let request = pb::GetItemRequest { item_id: item.into() };
        self.catalog.get_item(request).await.map(tonic::Response::into_inner)
    }

    async fn hide(&mut self, items: &[&str]) -> Vec<String> {
        let item_ids = items.iter().map(ToString::to_string).collect();
        let reply = self.catalog.hide_items(pb::HideItemsRequest { item_ids }).await;
        reply.expect("it is kept").into_inner().unknown_item_ids
    }
}

fn keys(reply: &pb::RelatedItemsResponse) -> Vec<String> {
    reply.recommendations.iter().map(|r| r.item_id.clone()).collect()
}

fn shop() -> Place {
    Place::made_up(400, 80, 120)
}

fn asked(place: &Place) -> String {
    place.shop.items[0].item_id.clone()
}

#[tokio::test]
async fn what_is_said_of_an_item_that_nobody_has_listed_waits_until_it_comes() {
    let place = shop();
    let server = Server::ready(&place.index).await;
    let mut clients = Clients::of(&server).await;
    let inventory =
        vec![pb::Inventory { item_id: "later".into(), stock: Some(3), price: Some(2.5) }];
    for _ in 0..2 {
        let request = pb::SetInventoryRequest { inventory: inventory.clone() };
        let reply = clients.catalog.set_inventory(request).await.expect("kept").into_inner();
        assert_eq!(reply.unknown_item_ids, ["later"]);
    }
    assert_eq!(clients.get("later").await.expect_err("not yet").code(), Code::NotFound);
    let item =
        pb::CatalogItem { item_id: "later".into(), title: "Later".into(), ..Default::default() };
    clients.upsert(vec![item], &["title"]).await.expect("kept");
    let listed = clients.get("later").await.expect("it has come");
    assert_eq!((listed.stock, listed.price), (Some(3), Some(2.5)));
    server.stop().await;
}

#[tokio::test]
async fn a_change_counts_at_once_and_outlives_the_server_and_the_next_generation() {
    let place = shop();
    let item = asked(&place);
    let server = Server::ready(&place.index).await;
    let mut clients = Clients::of(&server).await;
    let first = clients.related(&item).await;
    let (before, dropped) = (keys(&first), first.ledger.expect("a ledger"));
    let [hidden, sold_out, deleted] = [&before[0], &before[1], &before[2]];
    assert!(clients.hide(&[hidden]).await.is_empty());
    let inventory = vec![pb::Inventory { item_id: sold_out.clone(), stock: Some(0), price: None }];
    clients.catalog.set_inventory(pb::SetInventoryRequest { inventory }).await.expect("kept");
    let item_ids = vec![deleted.clone()];
    clients.catalog.delete_items(pb::DeleteItemsRequest { item_ids }).await.expect("kept");

    let gone = [hidden, sold_out, deleted];
    let now = clients.related(&item).await;
    assert!(!keys(&now).iter().any(|key| gone.contains(&key)));
    assert_eq!(now.recommendations.len(), 20, "others fill their places");
    let ledger = now.ledger.expect("a ledger");
    assert_eq!((ledger.requested, ledger.returned), (20, 20));
    assert_eq!(ledger.hidden, dropped.hidden + 2);
    assert_eq!(ledger.out_of_stock, dropped.out_of_stock + 1);
    server.stop().await;

    place.publish_again().expect("the next night");
    let server = Server::ready(&place.index).await;
    let mut clients = Clients::able_to_change(&server).await;
    let next = clients.related(&item).await;
    assert_eq!(next.generation, 2);
    assert!(!keys(&next).iter().any(|key| gone.contains(&key)));

    let item_ids = vec![hidden.clone()];
    clients.catalog.unhide_items(pb::UnhideItemsRequest { item_ids }).await.expect("kept");
    let inventory =
        vec![pb::Inventory { item_id: sold_out.clone(), stock: Some(9), price: Some(1.5) }];
    clients.catalog.set_inventory(pb::SetInventoryRequest { inventory }).await.expect("kept");
    let back = keys(&clients.related(&item).await);
    assert!(back.contains(hidden) && back.contains(sold_out) && !back.contains(deleted));
    let listed = clients.get(sold_out).await.expect("it is sold");
    assert_eq!((listed.stock, listed.price, listed.in_stock), (Some(9), Some(1.5), Some(true)));
    assert_eq!(clients.get(deleted).await.expect_err("it is not").code(), Code::NotFound);
    server.stop().await;
}

/// The log's spelling was the only one: what the catalogue's system sent was taken, and counted for nothing.
#[tokio::test]
async fn an_item_is_known_in_any_case_and_never_becomes_two() {
    let place = shop();
    let server = Server::ready(&place.index).await;
    let mut clients = Clients::of(&server).await;
    let item = asked(&place);
    let first = keys(&clients.related(&item).await)[0].clone();
    let other = first.to_lowercase();
    assert_ne!(first, other, "the shop's keys have capitals");
    assert_eq!(keys(&clients.related(&item.to_lowercase()).await)[0], first);
    assert_eq!(clients.hide(&[&other]).await, [""; 0]);
    assert!(!keys(&clients.related(&item).await).contains(&first));
    let cheaper =
        pb::CatalogItem { item_id: other.clone(), price: Some(0.5), ..Default::default() };
    assert_eq!(clients.upsert(vec![cheaper], &["price"]).await.expect("kept"), 1);
    let known = clients.get(&first).await.expect("it is known");
    assert_eq!((known.price, known.hidden), (Some(0.5), true));
    assert_eq!(clients.get(&other).await.expect("the same").item_id, first);
    let request = pb::UnhideItemsRequest { item_ids: vec![other.clone()] };
    clients.catalog.unhide_items(request).await.expect("kept");
    let found = keys(&clients.related(&item).await);
    assert!(found.contains(&first) && !found.contains(&other), "{found:?}");
    server.stop().await;
}

#[tokio::test]
async fn an_item_that_arrived_today_is_known_in_any_case_too_also_after_a_restart() {
    let place = shop();
    let server = Server::ready(&place.index).await;
    let mut clients = Clients::of(&server).await;
    let new = |item_id: &str| pb::CatalogItem {
        item_id: item_id.into(),
        title: "A new one".into(),
        ..Default::default()
    };
    assert_eq!(clients.hide(&["New-1"]).await, ["New-1"], "not there yet");
    clients.upsert(vec![new("NEW-1")], &[]).await.expect("kept");
    clients.upsert(vec![new("new-1")], &[]).await.expect("kept");
    assert!(clients.get("nEW-1").await.expect("it is known").hidden);
    assert_eq!(clients.hide(&["New-1"]).await, [""; 0]);
    server.stop().await;
    let server = Server::ready(&place.index).await;
    let mut clients = Clients::of(&server).await;
    let after = clients.get("new-1").await.expect("it is known");
    assert_eq!((after.hidden, after.title.as_str()), (true, "A new one"));
    server.stop().await;
}

#[tokio::test]
async fn an_arrival_is_near_its_likes_once_enough_is_said_of_it() {
    let place = shop();
    let server = Server::ready(&place.index).await;
    let mut clients = Clients::of(&server).await;
    let like = clients.get(&asked(&place)).await.expect("it is sold");
    let bare = pb::CatalogItem { item_id: "fresh".into(), ..Default::default() };
    clients.upsert(vec![bare], &[]).await.expect("kept");
    let whole =
        pb::CatalogItem { item_id: "fresh".into(), group_id: String::new(), ..like.clone() };
    clients.upsert(vec![whole], &[]).await.expect("kept");
    let filter = "item_id = \"fresh\"";
    let found = clients.related_where(&like.item_id, filter).await.expect("an answer");
    let reason = &found.recommendations[0].reasons[0];
    assert!(matches!(reason.why, Some(Why::NewArrival(_))), "{reason:?}");
    server.stop().await;
}

#[tokio::test]
async fn a_part_of_an_item_can_be_changed_and_the_rest_stays() {
    let place = shop();
    let server = Server::ready(&place.index).await;
    let mut clients = Clients::of(&server).await;
    let item_id = asked(&place);
    let before = clients.get(&item_id).await.expect("it is sold");
    let change = pb::CatalogItem {
        item_id: item_id.clone(),
        price: Some(123.0),
        title: "not named".into(),
        ..Default::default()
    };
    assert_eq!(clients.upsert(vec![change], &["price"]).await.expect("kept"), 1);
    let after = clients.get(&item_id).await.expect("it is sold");
    assert_eq!(after, pb::CatalogItem { price: Some(123.0), ..before });
    server.stop().await;
}

#[tokio::test]
async fn a_new_item_can_be_asked_about_and_recommended_at_once() {
    let place = shop();
    let server = Server::ready(&place.index).await;
    let mut clients = Clients::of(&server).await;
    let like = clients.get(&asked(&place)).await.expect("it is sold");
    let (item_id, group_id) = ("fresh".into(), String::new());
    let fresh = pb::CatalogItem { item_id, group_id, ..like.clone() };
    clients.upsert(vec![fresh], &[]).await.expect("kept");
    let filter = "item_id = \"fresh\"";
    let found = clients.related_where(&like.item_id, filter).await.expect("an answer");
    assert_eq!(keys(&found), ["fresh"]);
    let reason = &found.recommendations[0].reasons[0];
    assert!(matches!(reason.why, Some(Why::NewArrival(_))), "{reason:?}");
    assert!(reason.text.contains("new"), "{}", reason.text);
    assert_eq!(clients.related("fresh").await.recommendations.len(), 20);
    server.stop().await;
}

#[tokio::test]
async fn what_is_launched_is_offered_from_that_moment_on_and_no_earlier_answer_is_given_again() {
    let place = shop();
    let item = asked(&place);
    let server = Server::ready(&place.index).await;
    let mut clients = Clients::of(&server).await;
    let first = keys(&clients.related(&item).await).remove(0);
    // On a whole millisecond, as it is kept.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis() as u64;
    let launch = UNIX_EPOCH + Duration::from_millis(now + 3_000);
    let launched_at = Some(launch.into());
    let soon = pb::CatalogItem { item_id: first.clone(), launched_at, ..Default::default() };
    clients.upsert(vec![soon], &["launched_at"]).await.expect("kept");
    // Asked over and over, so that the answer is one that may be given again.
    while SystemTime::now() < launch {
        let found = keys(&clients.related(&item).await);
        if SystemTime::now() < launch {
            assert!(!found.contains(&first), "not yet");
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let found = keys(&clients.related(&item).await);
    assert!(found.contains(&first), "{first} has been launched, and this was found: {found:?}");
    server.stop().await;
}

#[tokio::test]
async fn all_items_are_listed_page_by_page_each_once() {
    let place = shop();
    let server = Server::ready(&place.index).await;
    let mut clients = Clients::of(&server).await;
    let fresh = pb::CatalogItem { item_id: "fresh".into(), ..Default::default() };
    clients.upsert(vec![fresh], &[]).await.expect("kept");
    let mut listed = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = pb::ListItemsRequest { page_size: 7, page_token };
        let page = clients.catalog.list_items(request).await.expect("a page").into_inner();
        assert!(page.items.len() <= 7);
        listed.extend(page.items.into_iter().map(|item| item.item_id));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    let mut expected: Vec<String> = place.shop.items.iter().map(|i| i.item_id.clone()).collect();
    expected.push("fresh".into());
    expected.sort_unstable();
    assert_eq!(listed, expected);
    server.stop().await;
}

fn violations(status: &Status) -> Vec<(String, String)> {
    assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
    let details = status.get_error_details();
    let fields = details.bad_request().expect("a BadRequest").field_violations.iter();
    fields.map(|v| (v.field.clone(), v.description.clone())).collect()
}

#[tokio::test]
async fn a_wrong_filter_is_refused_with_its_place_and_never_ignored() {
    let place = shop();
    let server = Server::ready(&place.index).await;
    let mut clients = Clients::of(&server).await;
    let item = asked(&place);
    for (filter, says) in [
        ("prise < 3", "did you mean price"),
        ("price < \"3\"", "character 9"),
        ("price <", "character 8"),
        ("((((((((((((((((((((((((((((((((((((((((price < 3", "character"),
    ] {
        let status = clients.related_where(&item, filter).await.expect_err("it is wrong");
        let told = violations(&status);
        assert_eq!(told[0].0, "filter");
        assert!(told[0].1.contains(says), "{filter}: {}", told[0].1);
    }
    let visitor = pb::ForCustomerRequest {
        recent_item_ids: vec![item.clone()],
        filter: "price < current.price".into(),
        ..Default::default()
    };
    let status = clients.ask.for_customer(visitor).await.expect_err("no current item");
    assert!(violations(&status)[0].1.contains("RelatedItems"));
    let dear = clients.related_where(&item, "price > current.price").await.expect("an answer");
    let price = clients.get(&item).await.expect("it is sold").price;
    for recommended in dear.recommendations {
        assert!(clients.get(&recommended.item_id).await.expect("it is sold").price > price);
    }
    server.stop().await;
}

#[tokio::test]
async fn wrong_changes_are_refused_whole_with_their_place() {
    let place = shop();
    let server = Server::ready(&place.index).await;
    let mut clients = Clients::of(&server).await;
    let good = pb::CatalogItem { item_id: "good".into(), ..Default::default() };
    let bad = pb::CatalogItem { price: Some(f64::NAN), ..Default::default() };
    let status = clients.upsert(vec![good, bad], &[]).await.expect_err("it is wrong");
    let fields: Vec<String> = violations(&status).into_iter().map(|(field, _)| field).collect();
    assert_eq!(fields, ["items[1].item_id", "items[1].price"]);
    assert_eq!(clients.get("good").await.expect_err("all or none").code(), Code::NotFound);

    let item = pb::CatalogItem { item_id: "x".into(), ..Default::default() };
    let status = clients.upsert(vec![item], &["colour"]).await.expect_err("no such field");
    assert_eq!(violations(&status)[0].0, "items[0].update_mask");
    assert!(!violations(&clients.upsert(vec![], &[]).await.expect_err("nothing")).is_empty());
    let inventory =
        vec![pb::Inventory { item_id: "x".into(), price: Some(-1.0), ..Default::default() }];
    let status = clients.catalog.set_inventory(pb::SetInventoryRequest { inventory }).await;
    assert_eq!(violations(&status.expect_err("negative"))[0].0, "inventory[0].price");
    assert_eq!(clients.hide(&["nobody knows it"]).await, ["nobody knows it"]);
    let request = pb::ListItemsRequest { page_size: -1, page_token: "?".into() };
    let status = clients.catalog.list_items(request).await.expect_err("both are wrong");
    let fields: Vec<String> = violations(&status).into_iter().map(|(field, _)| field).collect();
    assert_eq!(fields, ["page_size", "page_token"]);
    server.stop().await;
}

fn pin(id: &str, item: &str, position: i32) -> pb::Rule {
    let pin = pb::rule::Pin { item_id: item.into(), position };
    pb::Rule { id: id.into(), action: Some(pb::rule::Action::Pin(pin)), ..Default::default() }
}

#[tokio::test]
async fn rules_act_at_once_and_outlive_the_server() {
    let place = shop();
    let item = asked(&place);
    let server = Server::ready(&place.index).await;
    let mut clients = Clients::of(&server).await;
    let last = keys(&clients.related(&item).await).pop().expect("twenty");
    let rule = Some(pin("first", &last, 1));
    clients.rules.put_rule(pb::PutRuleRequest { rule }).await.expect("kept");
    let found = clients.related(&item).await;
    assert_eq!(keys(&found)[0], last);
    assert!(matches!(found.recommendations[0].reasons[0].why, Some(Why::RuleApplied(_))));
    let status = clients.rules.put_rule(pb::PutRuleRequest { rule: Some(pin("x", "y", 0)) }).await;
    assert_eq!(violations(&status.expect_err("no place 0"))[0].0, "rule");
    server.stop().await;

    let server = Server::ready(&place.index).await;
    let mut clients = Clients::of(&server).await;
    assert_eq!(keys(&clients.related(&item).await)[0], last);
    let mut clients = Clients::able_to_change(&server).await;
    let rules = clients.rules.list_rules(pb::ListRulesRequest {}).await.expect("a list");
    assert_eq!(rules.into_inner().rules, [pin("first", &last, 1)]);
    let delete = || pb::DeleteRuleRequest { id: "first".into() };
    clients.rules.delete_rule(delete()).await.expect("it was there");
    assert_ne!(keys(&clients.related(&item).await)[0], last);
    let status = clients.rules.delete_rule(delete()).await.expect_err("it was forgotten");
    assert_eq!(status.code(), Code::NotFound);
    server.stop().await;
}

/// It stopped hiding what it had hidden, and nobody was told.
#[test]
fn a_rule_that_cannot_be_read_is_reported_when_it_stops_to_act() {
    let place = shop();
    let live = Live::open(place.index.root()).expect("it can be opened");
    live.put_rule("no-tobacco", b"{\"id\": \"no-tobacco\", \"hide\": ").expect("kept");
    drop(live);
    let mut serve = Command::new(env!("CARGO_BIN_EXE_cartwright"));
    serve.args(["serve", "--listen", "127.0.0.1:0", "--index"]).arg(place.index.root());
    serve.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut server = serve.spawn().expect("it can be run");
    let lines = BufReader::new(server.stderr.take().expect("it is piped")).lines();
    let mut said: Vec<String> = Vec::new();
    for line in lines.map_while(Result::ok) {
        said.push(line);
        if said.last().is_some_and(|line| line.contains("serving a generation")) {
            break;
        }
    }
    server.kill().expect("it is ours");
    server.wait().expect("it is ours");
    let told = |line: &String| line.contains("no-tobacco") && line.contains("does not act");
    assert!(said.iter().any(told), "{said:#?}");
}

#[tokio::test]
async fn rules_that_the_disk_does_not_give_are_not_taken_for_none() {
    let place = shop();
    let live = sled::open(place.index.root().join("live")).expect("it can be opened");
    live.open_tree("rules").expect("readable").insert(b"\xff", b"{}").expect("kept");
    drop(live);
    let refused = Server::start(&place.index, quick()).await.ended().await;
    let refused = refused.expect_err("what is hidden would be shown").to_string();
    assert!(refused.contains("damaged") && refused.contains("live"), "{refused}");
}

#[tokio::test]
async fn the_shops_file_of_rules_is_followed_and_a_broken_one_changes_nothing() {
    let place = shop();
    let item = asked(&place);
    let file = place.path().join("rules.toml");
    let pins =
        |key: &str| format!("[[rule]]\nid = \"p\"\npin = {{ item = \"{key}\", position = 1 }}\n");
    let all: Vec<String> = place.shop.items.iter().map(|i| i.item_id.clone()).collect();
    std::fs::write(&file, pins(&all[7])).expect("written");
    let options = cartwright::grpc::ServeOptions { rules: Some(file.clone()), ..quick() };
    let server = Server::start(&place.index, options).await;
    server.until_serving().await;
    let mut clients = Clients::of(&server).await;
    assert_eq!(keys(&clients.related(&item).await)[0], all[7]);
    std::fs::write(&file, "[[rule]]\nid = \"p\"\npin = 3\n").expect("written");
    std::fs::write(&file, pins(&all[9])).expect("written");
    let changed = async {
        while keys(&clients.related(&item).await)[0] != all[9] {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(HANGS, changed).await.expect("the new rules are taken up");
    std::fs::write(&file, "[[rule]]\nid = \"p\"\npin = 3\n").expect("written");
    for _ in 0..50 {
        assert_eq!(keys(&clients.related(&item).await)[0], all[9]);
    }
    server.stop().await;
}

#[tokio::test]
async fn a_second_server_follows_the_changes_of_the_first_and_takes_them_once_it_is_gone() {
    let place = shop();
    let item = asked(&place);
    let first = Server::ready(&place.index).await;
    let mut of_first = Clients::of(&first).await;
    let known = keys(&of_first.related(&item).await);
    of_first.hide(&[&known[0]]).await;

    let second = Server::ready(&place.index).await;
    let clients = Clients::of(&second).await;
    assert!(!keys(&clients.clone().related(&item).await).contains(&known[0]), "hidden before");
    let item_ids = vec![known[1].clone()];
    let status = clients.clone().catalog.hide_items(pb::HideItemsRequest { item_ids }).await;
    let status = status.expect_err("the first one has them");
    assert_eq!(status.code(), Code::Unavailable);
    assert!(status.message().contains("another server"), "{status:?}");

    of_first.hide(&[&known[2]]).await;
    let rule = Some(pin("first", &known[3], 1));
    of_first.rules.put_rule(pb::PutRuleRequest { rule }).await.expect("kept");
    until("the second server follows", || async {
        let found = keys(&clients.clone().related(&item).await);
        (found[0] == known[3] && !found.contains(&known[2])).then_some(())
    })
    .await;

    first.stop().await;
    let mut clients = Clients::able_to_change(&second).await;
    clients.hide(&[&known[1]]).await;
    let found = keys(&clients.related(&item).await);
    assert_eq!(found[0], known[3]);
    assert!(known[..3].iter().all(|hidden| !found.contains(hidden)), "{found:?}");
    second.stop().await;
}

/// It remembered what a filter had given, and took what the first one was told later for the same.
#[tokio::test]
async fn a_second_server_answers_by_prices_rules_and_fields_as_they_are_now() {
    let place = shop();
    let item = asked(&place);
    let first = Server::ready(&place.index).await;
    let mut of_first = Clients::of(&first).await;
    let known = keys(&of_first.related(&item).await);
    let hide = pb::rule::Hide { filter: "price > 9000".into() };
    let action = Some(pb::rule::Action::Hide(hide));
    let rule = Some(pb::Rule { id: "dear".into(), action, ..Default::default() });
    of_first.rules.put_rule(pb::PutRuleRequest { rule }).await.expect("kept");

    let second = Server::ready(&place.index).await;
    let clients = Clients::of(&second).await;
    let set = |price| {
        let item = pb::Inventory { item_id: known[0].clone(), price: Some(price), stock: None };
        pb::SetInventoryRequest { inventory: vec![item] }
    };
    let cheap = "price < 0.02";
    for round in 0..3 {
        of_first.catalog.set_inventory(set(0.01)).await.expect("kept");
        until("it is cheap for the second server too", || async {
            let mut clients = clients.clone();
            let found = clients.related_where(&item, cheap).await.expect("an answer");
            let all = keys(&clients.related(&item).await);
            (keys(&found) == known[..1] && all.contains(&known[0])).then_some(())
        })
        .await;
        of_first.catalog.set_inventory(set(9999.0)).await.expect("kept");
        until("it is too dear for the second server too", || async {
            let mut clients = clients.clone();
            let found = clients.related_where(&item, cheap).await.expect("an answer");
            let all = keys(&clients.related(&item).await);
            (found.recommendations.is_empty() && !all.contains(&known[0])).then_some(())
        })
        .await;
        // Each brings a field that none had, and would come first by its key.
        let came = pb::CatalogItem {
            item_id: format!("!{}", 3 - round),
            attributes: [(format!("field{}", 3 - round), "yes".to_owned())].into(),
            ..Default::default()
        };
        of_first.upsert(vec![came.clone()], &[]).await.expect("kept");
        let filter = format!("field{} = \"yes\"", 3 - round);
        until("the second server knows the field", || async {
            let found = clients.clone().related_where(&item, &filter).await.ok()?;
            assert!(keys(&found).iter().all(|key| *key == came.item_id), "{found:?}");
            (!found.recommendations.is_empty()).then_some(())
        })
        .await;
    }
    second.stop().await;
    first.stop().await;
}

#[tokio::test]
async fn fields_that_differ_from_item_to_item_are_refused_before_they_fill_the_memory() {
    let place = shop();
    let server = Server::ready(&place.index).await;
    let mut clients = Clients::of(&server).await;
    let of_its_own = |item: usize| pb::CatalogItem {
        item_id: format!("own{item}"),
        attributes: (0..200).map(|n| (format!("stock in {item} {n}"), "1".to_owned())).collect(),
        ..Default::default()
    };
    assert_eq!(clients.upsert((0..4).map(of_its_own).collect(), &[]).await.ok(), Some(4));
    let status = clients.upsert((4..6).map(of_its_own).collect(), &[]).await.expect_err("1,200");
    let told = violations(&status);
    assert!(told[0].0 == "items.attributes" && told[0].1.contains("1000 names"), "{told:?}");
    assert_eq!(clients.get("own4").await.expect_err("all or none").code(), Code::NotFound);
    assert_eq!(clients.upsert(vec![of_its_own(3)], &[]).await.ok(), Some(1), "none is new");
    let found = clients.related_where(&asked(&place), "attributes.nothing = 1").await;
    assert!(found.is_err());
    server.stop().await;
}

#[tokio::test]
async fn a_rule_that_waits_for_a_field_acts_as_soon_as_an_item_brings_it() {
    let place = shop();
    let item = asked(&place);
    let live = Live::open(place.index.root()).expect("it can be opened");
    let rule = br#"{"id": "recalled", "hide": {"filter": "recall = \"yes\""}}"#;
    live.put_rule("recalled", rule).expect("kept");
    drop(live);
    let server = Server::ready(&place.index).await;
    let mut clients = Clients::able_to_change(&server).await;
    let known = keys(&clients.related(&item).await);
    let recalled = pb::CatalogItem {
        item_id: known[0].clone(),
        attributes: [("recall".to_owned(), "yes".to_owned())].into(),
        ..Default::default()
    };
    clients.upsert(vec![recalled], &["attributes.recall"]).await.expect("kept");
    assert!(!keys(&clients.related(&item).await).contains(&known[0]));
    server.stop().await;
}

/// What the file hides was shown until the index had been loaded and the file read after it.
#[tokio::test]
async fn the_file_of_rules_counts_from_the_first_answer_on() {
    let place = shop();
    let item = asked(&place);
    let file = place.path().join("rules.toml");
    let rule = |n: usize| {
        let filter = format!("brand = \"{}\" or price >= 0", "x".repeat(1_000));
        format!("[[rule]]\nid = \"r{n}\"\nhide = {{ filter = '{filter}' }}\n")
    };
    std::fs::write(&file, (0..300).map(rule).collect::<String>()).expect("written");
    let options = cartwright::grpc::ServeOptions { rules: Some(file), ..quick() };
    let server = Server::start(&place.index, options).await;
    let clients = Clients::of(&server).await;
    let first =
        until("it answers", || async { clients.clone().related_where(&item, "").await.ok() });
    assert!(first.await.recommendations.is_empty(), "all has a price, and is hidden");
    server.stop().await;
}
