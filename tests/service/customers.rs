//! Customers from end to end: trained, served, picked, judged, forgotten.

use std::path::Path;
use std::process::Command;

use std::sync::Arc;

use crate::common::{Place, Server, files, folder, publish, read};
use cartwright::catalog::CategoryTree;
use cartwright::customers::{Cadence, HistoryOptions, Pasts, Profiler, Source};
use cartwright::events::{Event, EventKind, EventLog, baskets};
use cartwright::grpc::pb;
use cartwright::grpc::pb::audience_service_client::AudienceServiceClient;
use cartwright::grpc::pb::customer_service_client::CustomerServiceClient;
use cartwright::grpc::pb::stream_audience_request::Audience;
use cartwright::ids::{Interner, ItemId};
use cartwright::index::{Erased, Index, Snapshot};
use cartwright::time::Timestamp;
use cartwright::train::stock;
use tonic::Code;

/// Somebody whose key is found nowhere by chance.
const PERSON: &str = "zz9-person-to-be-forgotten";

/// Orders of 120 customers over a year, at a rhythm of their own, and of [`PERSON`].
fn write_shop(path: &Path) {
    let mut csv =
        String::from("customer_id,item_id,timestamp,event_type,order_id,quantity,unit_price\n");
    let mut line = |customer: &str, item: usize, day: u64, kind: &str, order: &str| {
        let at = 1_700_000_000 + day * 86_400;
        let price = 2 + item % 20;
        csv += &format!("{customer},i{item},{at},{kind},{order},1,{price}\n");
    };
    for customer in 0..120usize {
        let (name, every) = (format!("c{customer}"), 7 + customer % 23);
        let until = if customer.is_multiple_of(5) { 150 } else { 360 };
        for (n, day) in (customer % 17..until).step_by(every).enumerate() {
            let order = format!("o{customer}-{n}");
            for item in [customer % 12, (customer + n) % 30, 30 + n % 5] {
                line(&name, item, day as u64, "purchase", &order);
            }
            if customer == 3 {
                line(PERSON, (n * 3) % 30, day as u64, "purchase", &format!("p{n}"));
            }
        }
        line(&name, 29 - customer % 7, 355, "cart", "");
    }
    std::fs::write(path, csv).expect("the folder can be written");
}

fn shop() -> (tempfile::TempDir, Index) {
    let folder = folder();
    let events = folder.path().join("events.csv");
    write_shop(&events);
    let index = Index::at(folder.path().join("index"));
    publish(&index, &events, None).expect("the shop can be learnt");
    (folder, index)
}

/// Files below the folder that hold these bytes.
fn holding(folder: &Path, text: &str) -> usize {
    let holds = |path: &std::path::PathBuf| {
        let bytes = std::fs::read(path).expect("a readable file");
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    };
    files(folder).iter().filter(|path| holds(path)).count()
}

fn named(customer: &str) -> pb::GetCustomerRequest {
    pb::GetCustomerRequest { customer_id: customer.into(), horizon_days: 91 }
}

#[tokio::test]
async fn a_profile_says_what_the_orders_say() {
    let (_folder, index) = shop();
    let server = Server::ready(&index).await;
    let mut client = CustomerServiceClient::new(server.channel().await);
    let profile = client.get_customer(named("c1")).await.expect("a known customer").into_inner();
    let rfm = profile.rfm.expect("orders");
    assert_eq!(rfm.orders, (1..360).step_by(8).count() as u32);
    assert!((rfm.average_order * f64::from(rfm.orders) / rfm.total - 1.0).abs() < 1e-5);
    let lifecycle = profile.lifecycle.expect("a stage");
    assert_eq!((lifecycle.stage.as_str(), lifecycle.standing.as_str()), ("active", "repeat"));
    assert!((lifecycle.cadence_days / 8.0 - 1.0).abs() < 0.1, "{lifecycle:?}");
    let value = profile.value.expect("a model");
    let ahead = |forecast: Option<pb::Forecast>| forecast.expect("a forecast").expected;
    let horizon = ahead(value.orders_within_horizon);
    assert!(ahead(value.orders_90_days) < horizon && horizon < ahead(value.orders_365_days));
    let gone = client.get_customer(named("c0")).await.expect("a known customer").into_inner();
    assert!(gone.churn.expect("a risk").probability > profile.churn.expect("a risk").probability);
    assert_eq!(gone.lifecycle.expect("a stage").stage, "churned");

    let unknown = client.get_customer(named("nobody")).await.expect_err("no such customer");
    assert_eq!(unknown.code(), Code::NotFound);
    let wrong = pb::GetCustomerRequest { horizon_days: -1, ..Default::default() };
    let wrong = client.get_customer(wrong).await.expect_err("a broken request");
    assert_eq!(wrong.code(), Code::InvalidArgument);
    assert!(wrong.message().contains("customer_id") && wrong.message().contains("horizon_days"));
    server.stop().await;
}

async fn members(
    client: &mut AudienceServiceClient<tonic::transport::Channel>,
    audience: Audience,
    holdout: f64,
) -> Vec<pb::AudienceMember> {
    let request = pb::StreamAudienceRequest {
        audience: Some(audience),
        holdout,
        campaign: "spring".into(),
        ..Default::default()
    };
    let mut stream = client.stream_audience(request).await.expect("an audience").into_inner();
    let mut members = Vec::new();
    while let Some(member) = stream.message().await.expect("it goes on") {
        members.push(member);
    }
    members
}

#[tokio::test]
async fn audiences_come_best_first_with_reasons_and_a_part_held_out() {
    let (_folder, index) = shop();
    let server = Server::ready(&index).await;
    let mut client = AudienceServiceClient::new(server.channel().await);
    let condition = Audience::Where("orders >= 20 and stage = \"active\"".into());
    let frequent = members(&mut client, condition.clone(), 0.5).await;
    assert!(frequent.len() > 10 && frequent.len() < 60, "{}", frequent.len());
    assert!(frequent.is_sorted_by(|a, b| a.score >= b.score));
    let held = frequent.iter().filter(|member| member.held_out).count();
    assert!(held > 0 && held < frequent.len(), "{held}");
    assert_eq!(frequent, members(&mut client, condition, 0.5).await);

    let due = members(&mut client, Audience::ReorderDue(pb::ReorderDue::default()), 0.0).await;
    assert!(!due.is_empty());
    for member in &due {
        assert!(!member.item_ids.is_empty() && member.due.len() == 10, "{member:?}");
        let told = ["usually every", "usually again after"];
        assert!(told.iter().any(|words| member.reason.contains(words)), "{}", member.reason);
    }
    let interest = members(&mut client, Audience::Interest(pb::Interest::default()), 0.0).await;
    assert!(!interest.is_empty());
    assert!(interest.iter().all(|member| member.reason.contains("in the cart")));
    let back = members(&mut client, Audience::WinBack(pb::Plain {}), 0.0).await;
    assert!(!back.is_empty());
    assert!(
        back.iter()
            .all(|m| m.customer_id[1..].parse::<u32>().expect("c and a number").is_multiple_of(5))
    );

    let new = pb::NewArrival { item_ids: vec!["i4".into()] };
    let wanting = members(&mut client, Audience::NewArrival(new), 0.0).await;
    assert!(!wanting.is_empty());
    for member in wanting {
        let mut customers = CustomerServiceClient::new(server.channel().await);
        let profile = customers.get_customer(named(&member.customer_id)).await.expect("known");
        let favourites = profile.into_inner().preferences.expect("orders").favourites;
        assert!(favourites.iter().all(|favourite| favourite.item_id != "i4"));
    }

    let wrong = pb::StreamAudienceRequest {
        audience: Some(Audience::Where("orderz > 3".into())),
        ..Default::default()
    };
    let wrong = client.stream_audience(wrong).await.expect_err("no such field");
    assert_eq!(wrong.code(), Code::InvalidArgument);
    assert!(wrong.message().contains("orders"), "{}", wrong.message());
    let nobody = client.stream_audience(pb::StreamAudienceRequest::default()).await;
    assert_eq!(nobody.expect_err("which?").code(), Code::InvalidArgument);
    server.stop().await;
}

#[tokio::test]
async fn a_campaign_without_an_effect_has_no_winner_and_one_without_chance_no_verdict() {
    let (_folder, index) = shop();
    let server = Server::ready(&index).await;
    let mut client = AudienceServiceClient::new(server.channel().await);
    let assignment = |n: usize| pb::Assignment {
        customer_id: format!("c{n}"),
        held_out: n.is_multiple_of(3),
        segment: String::new(),
    };
    let request = pb::EvaluateCampaignRequest {
        assignments: (0..120).map(assignment).collect(),
        first_day: "2024-09-01".into(),
        last_day: "2024-10-01".into(),
        before_days: 60,
        randomised: true,
    };
    use pb::evaluate_campaign_response::Verdict;
    let judged = client.evaluate_campaign(request.clone()).await.expect("judged").into_inner();
    assert_eq!(judged.verdict(), Verdict::Undecided, "{}", judged.words);
    let all = judged.all.expect("figures");
    let (treated, held) = (all.treated.expect("a side"), all.held_out.expect("a side"));
    assert_eq!((treated.customers, held.customers), (80, 40));
    assert!(treated.orders > treated.buyers && treated.buyers > 50);
    let chosen = pb::EvaluateCampaignRequest { randomised: false, ..request.clone() };
    let chosen = client.evaluate_campaign(chosen).await.expect("judged").into_inner();
    assert_eq!(chosen.verdict(), Verdict::NotConclusive);
    let twice = request.assignments.iter().chain([&request.assignments[0]]).cloned();
    let twice = pb::EvaluateCampaignRequest { assignments: twice.collect(), ..request.clone() };
    let twice = client.evaluate_campaign(twice).await.expect("judged").into_inner();
    assert_eq!(twice.all.and_then(|all| all.held_out).expect("a side").customers, 40);
    // What the command line refuses is refused here too, and names nobody.
    let both = pb::Assignment { held_out: false, ..assignment(0) };
    let both = request.assignments.iter().cloned().chain([both]).collect();
    let strangers = vec![pb::Assignment { customer_id: "stranger".into(), ..assignment(0) }];
    for (wrong, told) in [
        (
            pb::EvaluateCampaignRequest { last_day: "2024-01-01".into(), ..request.clone() },
            "last_day",
        ),
        (
            pb::EvaluateCampaignRequest {
                first_day: "2030-01-01".into(),
                last_day: "2030-01-31".into(),
                ..request.clone()
            },
            "first_day: must not be after the last event",
        ),
        (
            pb::EvaluateCampaignRequest { assignments: both, ..request.clone() },
            "1 customer in both groups",
        ),
        (
            pb::EvaluateCampaignRequest { assignments: strangers, ..request },
            "must name customers of the events",
        ),
    ] {
        let wrong = client.evaluate_campaign(wrong).await.expect_err("it is refused");
        assert_eq!(wrong.code(), Code::InvalidArgument, "{wrong}");
        assert!(wrong.message().contains(told), "{}", wrong.message());
    }
    server.stop().await;
}

#[test]
fn an_earlier_generation_that_cannot_be_read_goes_only_where_somebody_was_erased() {
    let (folder, index) = shop();
    std::fs::write(index.generation_dir(1).join("manifest.json"), "{").expect("writable");
    let next = || publish(&index, &folder.path().join("events.csv"), None).expect("published");
    let numbers = || index.list().expect("readable").iter().map(|g| g.number).collect::<Vec<_>>();
    next();
    assert_eq!(numbers(), [1, 2], "somebody may want to mend it");
    Erased::of(&index).and_then(|erased| erased.erase(&index, PERSON)).expect("erased");
    next();
    assert_eq!(numbers(), [3], "it may know the customer");
}

#[tokio::test]
async fn who_is_erased_is_gone_at_once_and_after_the_next_training_from_every_byte() {
    let (folder, index) = shop();
    publish(&index, &folder.path().join("events.csv"), None).expect("a second generation");
    assert!(holding(index.root(), PERSON) >= 2, "the test can tell");
    let server = Server::ready(&index).await;
    let mut customers = CustomerServiceClient::new(server.channel().await);
    let mut shop = server.client().await;
    let question =
        pb::ForCustomerRequest { customer_id: Some(PERSON.into()), limit: 5, ..Default::default() };
    let before = shop.for_customer(question.clone()).await.expect("an answer").into_inner();
    assert!(customers.get_customer(named(PERSON)).await.is_ok());

    let erase = pb::EraseCustomerRequest { customer_id: PERSON.into() };
    customers.erase_customer(erase.clone()).await.expect("erased");
    let gone = customers.get_customer(named(PERSON)).await.expect_err("erased");
    assert_eq!(gone.code(), Code::NotFound);
    let after = shop.for_customer(question.clone()).await.expect("an answer").into_inner();
    let stranger =
        pb::ForCustomerRequest { customer_id: Some("nobody".into()), ..question.clone() };
    let stranger = shop.for_customer(stranger).await.expect("an answer").into_inner();
    assert_ne!(before.recommendations, after.recommendations);
    assert_eq!(after.recommendations, stranger.recommendations, "nothing is remembered");
    let mut audiences = AudienceServiceClient::new(server.channel().await);
    let everybody = members(&mut audiences, Audience::Where("orders > 0".into()), 0.0).await;
    assert_eq!(everybody.len(), 120);
    assert!(everybody.iter().all(|member| member.customer_id != PERSON));
    let snapshot = Snapshot::open_current(&index).expect("sound");
    let keys: Vec<String> = snapshot.customers.keys().collect::<Result<_, _>>().expect("readable");
    assert_eq!(keys.len(), 120, "nobody else writes them a mail either");
    assert!(!keys.iter().any(|key| key == PERSON));
    drop(snapshot);
    server.stop().await;

    let server = Server::ready(&index).await;
    let mut customers = CustomerServiceClient::new(server.channel().await);
    assert!(customers.get_customer(named(PERSON)).await.is_err(), "a restart brings nobody back");
    server.stop().await;
    let manifest = publish(&index, &folder.path().join("events.csv"), None).expect("published");
    let told = |note: &String| note.starts_with("erasures: ") && note.contains("are left out");
    assert!(manifest.notes.iter().any(told), "{:?}", manifest.notes);
    assert_eq!(holding(index.root(), PERSON), 0, "no byte of the key is left");
    assert_eq!(holding(index.root(), "person-to-be-forgotten"), 0);
    assert!(holding(index.root(), "c119") > 0, "the others are still there");
    let server = Server::ready(&index).await;
    let mut customers = CustomerServiceClient::new(server.channel().await);
    assert!(customers.get_customer(named(PERSON)).await.is_err());
    assert!(customers.get_customer(named("c1")).await.is_ok());
    server.stop().await;

    let numbers = || index.list().expect("readable").iter().map(|g| g.number).collect::<Vec<_>>();
    assert_eq!(numbers(), [3], "those who knew the customer are gone");
    publish(&index, &folder.path().join("events.csv"), None).expect("the night after");
    assert_eq!(numbers(), [3, 4], "and those who never did can be gone back to");
}

/// Not everybody who is picked has agreed to be written to.
#[tokio::test]
async fn an_audience_can_be_narrowed_by_a_condition() {
    let (_folder, index) = shop();
    let server = Server::ready(&index).await;
    let mut client = AudienceServiceClient::new(server.channel().await);
    let names = |members: Vec<pb::AudienceMember>| -> Vec<String> {
        members.into_iter().map(|member| member.customer_id).collect()
    };
    let everybody = names(members(&mut client, Audience::Where("true".into()), 0.0).await);
    // One that no more than half of them meet.
    let (mut condition, mut met) = (String::new(), everybody.clone());
    for orders in 2.. {
        if met.len() * 2 <= everybody.len() {
            break;
        }
        condition = format!("orders >= {orders}");
        met = names(members(&mut client, Audience::Where(condition.clone()), 0.0).await);
    }
    let due = || Audience::ReorderDue(pb::ReorderDue { within_days: 30 });
    let all = names(members(&mut client, due(), 0.0).await);
    let request = |only: &str| pb::StreamAudienceRequest {
        audience: Some(due()),
        only: only.into(),
        ..Default::default()
    };
    let mut stream = client.stream_audience(request(&condition)).await.expect("some").into_inner();
    let mut narrowed = Vec::new();
    while let Some(member) = stream.message().await.expect("it goes on") {
        narrowed.push(member.customer_id);
    }
    let both: Vec<String> = all.iter().filter(|name| met.contains(name)).cloned().collect();
    assert_eq!(narrowed, both);
    let counts = [narrowed.len(), all.len(), met.len(), everybody.len()];
    assert!(0 < counts[0] && counts[0] < counts[1] && counts[2] < counts[3], "{counts:?}");
    let wrong = client.stream_audience(request("ordrs > 3")).await.expect_err("no such field");
    assert!(wrong.message().contains("only"), "{}", wrong.message());
    server.stop().await;
}

#[tokio::test]
async fn an_audience_is_shown_nothing_that_can_not_be_had() {
    let (_folder, index) = shop();
    let server = Server::ready(&index).await;
    let channel = server.channel().await;
    let mut client = AudienceServiceClient::new(channel.clone());
    let audiences = || {
        [
            Audience::Interest(pb::Interest::default()),
            Audience::ReorderDue(pb::ReorderDue { within_days: 30 }),
            Audience::AtRisk(pb::Plain {}),
            Audience::NewArrival(pb::NewArrival { item_ids: vec!["i4".into(), "i5".into()] }),
        ]
    };
    let mut hidden = std::collections::BTreeSet::from(["i4".to_owned()]);
    for audience in audiences() {
        let before = members(&mut client, audience, 0.0).await;
        let shown = before.iter().find_map(|member| member.item_ids.first());
        hidden.insert(shown.expect("something is shown").clone());
    }
    let request = pb::HideItemsRequest { item_ids: hidden.iter().cloned().collect() };
    let mut catalog = pb::catalog_service_client::CatalogServiceClient::new(channel);
    catalog.hide_items(request).await.expect("kept");
    for audience in audiences() {
        for member in members(&mut client, audience, 0.0).await {
            assert!(!member.item_ids.iter().any(|item| hidden.contains(item)), "{member:?}");
            let names = |item: &String| member.reason.split(' ').any(|word| word == item);
            assert!(!member.reason.contains("usually") || !hidden.iter().any(names), "{member:?}");
        }
    }
    server.stop().await;
}

fn cartwright(folder: &Path, arguments: &[&str], secret: Option<&str>) -> std::process::Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cartwright"));
    command.args(arguments).current_dir(folder).env_remove("CARTWRIGHT_CUSTOMER_SECRET");
    if let Some(secret) = secret {
        command.env("CARTWRIGHT_CUSTOMER_SECRET", secret);
    }
    command.env("CARTWRIGHT_CUSTOMERS__HASH_KEYS", "true").output().expect("the binary runs")
}

#[test]
fn keys_can_be_kept_as_hashes_that_only_the_secret_opens() {
    let folder = folder();
    write_shop(&folder.path().join("events.csv"));
    let secret = Some("a long secret of this shop");
    let train = ["train", "--events", "events.csv", "--index", "index"];
    assert_eq!(cartwright(folder.path(), &train, None).status.code(), Some(2));
    assert_eq!(cartwright(folder.path(), &train, secret).status.code(), Some(0));
    assert_eq!(holding(&folder.path().join("index"), PERSON), 0);
    let ask = ["ask", "customer", PERSON, "--index", "index"];
    let known = cartwright(folder.path(), &ask, secret);
    assert_eq!(known.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&known.stdout).contains("bought before"));
    let unhashed = Command::new(env!("CARGO_BIN_EXE_cartwright"))
        .args(train)
        .current_dir(folder.path())
        .output()
        .expect("the binary runs");
    let said = String::from_utf8_lossy(&unhashed.stderr);
    assert!(
        unhashed.status.code() == Some(3) && said.contains("hashes of customers' keys"),
        "{said}"
    );
    assert_eq!(holding(&folder.path().join("index"), PERSON), 0);
    let all = ["ask", "customer", "--all", "--out", "all.csv", "--index", "index"];
    assert_eq!(cartwright(folder.path(), &all, secret).status.code(), Some(0));
    let all = std::fs::read_to_string(folder.path().join("all.csv")).expect("it was written");
    assert!(all.contains("bought before"), "everybody's own past is known");
    let other = cartwright(folder.path(), &ask, Some("another secret altogether"));
    assert_eq!(other.status.code(), Some(2), "{}", String::from_utf8_lossy(&other.stderr));
    assert!(!String::from_utf8_lossy(&other.stderr).contains(PERSON));
}

/// Of who orders every day, the profile keeps the latest 64 only.
#[tokio::test]
async fn a_campaign_says_of_how_many_it_does_not_know_all_orders() {
    let folder = folder();
    let events = folder.path().join("events.csv");
    let mut csv = String::from("customer_id,item_id,timestamp,order_id,unit_price\n");
    for (customer, every) in (0..20).map(|n| (n, if n < 2 { 1 } else { 4 })) {
        for day in (0..100).step_by(every) {
            let (at, item) = (1_700_000_000 + day * 86_400, (customer + day) % 9);
            csv += &format!("c{customer},i{item},{at},o{customer}-{day},5\n");
        }
    }
    std::fs::write(&events, csv).expect("the folder can be written");
    let index = Index::at(folder.path().join("index"));
    publish(&index, &events, None).expect("the shop can be learnt");
    let server = Server::ready(&index).await;
    let mut client = AudienceServiceClient::new(server.channel().await);
    let assignment = |n: usize| pb::Assignment {
        customer_id: format!("c{n}"),
        held_out: n.is_multiple_of(2),
        segment: String::new(),
    };
    let mut request = pb::EvaluateCampaignRequest {
        assignments: (0..20).map(assignment).collect(),
        first_day: "2024-02-01".into(), // day 79 of the log
        last_day: "2024-02-14".into(),
        before_days: 30,
        randomised: true,
    };
    let known = client.evaluate_campaign(request.clone()).await.expect("judged").into_inner();
    assert!(!known.words.contains("are counted"), "{}", known.words);
    request.before_days = 60;
    let part = client.evaluate_campaign(request).await.expect("judged").into_inner();
    assert!(part.words.contains("Of 2 customers only the latest 64 orders"), "{}", part.words);
    server.stop().await;
}

#[test]
fn a_campaign_of_hashed_customers_is_judged_by_the_events_of_the_shop() {
    let folder = folder();
    write_shop(&folder.path().join("events.csv"));
    let secret = Some("a long secret of this shop");
    let run = |arguments: &[&str], secret| {
        let output = cartwright(folder.path(), arguments, secret);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), said, String::from_utf8_lossy(&output.stdout).into_owned())
    };
    run(&["train", "--events", "events.csv", "--index", "index"], secret);
    let audience = ["audience", "where", "true", "--index", "index", "--holdout", "0.5"];
    let (code, said, _) = run(&[&audience[..], &["--out", "them.csv"]].concat(), secret);
    assert_eq!(code, Some(0), "{said}");
    let judge = ["campaign", "evaluate", "--assignments", "them.csv", "--events", "events.csv"];
    let days = ["--start", "2024-09-01", "--end", "2024-10-01", "--json"];
    let judge: Vec<&str> = judge.into_iter().chain(days).collect();
    let with_index: Vec<&str> = judge.iter().copied().chain(["--index", "index"]).collect();
    let (code, said, judged) = run(&with_index, secret);
    assert_eq!(code, Some(0), "{said}");
    let judged: serde_json::Value = serde_json::from_str(&judged).expect("JSON");
    let orders = |side: &str| judged["all"][side]["orders"].as_u64().expect("a number");
    assert!(orders("treated") > 20 && orders("held_out") > 20, "{judged:#}");
    // What the events don't cover is said, and of nothing there is no verdict.
    let at = |start, end| {
        with_index.iter().map(move |word| match *word {
            "2024-09-01" => start,
            "2024-10-01" => end,
            word => word,
        })
    };
    let (code, _, judged) = run(&at("2024-09-01", "2026-10-01").collect::<Vec<_>>(), secret);
    assert!(code == Some(0) && judged.contains("isn't over in the events"), "{judged}");
    let (code, said, _) = run(&at("2026-09-01", "2026-10-01").collect::<Vec<_>>(), secret);
    assert!(code == Some(1) && said.contains("nothing to judge it by yet"), "{code:?} {said}");
    // Without the secret, or with another one, it is not judged, and no key is told.
    for secret in [None, Some("another secret altogether")] {
        let (code, said, _) = run(&with_index, secret);
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains("CARTWRIGHT_CUSTOMER_SECRET") && !said.contains(PERSON), "{said}");
    }
    // Whoever forgets the index is told so, and gets no verdict on customers who never bought.
    let mut command = Command::new(env!("CARGO_BIN_EXE_cartwright"));
    let output = command.args(&judge).current_dir(folder.path()).output().expect("the binary runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_ne!(output.status.code(), Some(0));
    assert!(said.contains("--index"), "{said}");
}

/// What customers spent before a campaign says what they would have spent without it, whatever they sent back because of
/// it.
#[test]
fn what_is_sent_back_during_a_campaign_changes_nothing_of_what_was_bought_before_it() {
    let folder = folder();
    let spent = |n: usize| 5 + n * 7 % 40;
    let (mut events, mut them) = (String::new(), "customer_id,group\n".to_owned());
    for n in 0..120 {
        them += &format!("c{n},{}\n", if n % 2 == 0 { "treated" } else { "holdout" });
        events += &format!("c{n},tea,2024-08-{:02},purchase,{}\n", 1 + n % 28, spent(n));
        if n % 3 == 0 {
            let (day, price) = (2 + n % 20, spent(n) + n % 5);
            events += &format!("c{n},cup,2024-09-{day:02},purchase,{price}\n");
        }
    }
    std::fs::write(folder.path().join("them.csv"), them).expect("written");
    let judged = |sent_back: &str| -> serde_json::Value {
        let header = "customer_id,item_id,timestamp,event_type,unit_price\n";
        let log = [header, &events, sent_back].concat();
        std::fs::write(folder.path().join("events.csv"), log).expect("written");
        let output = Command::new(env!("CARGO_BIN_EXE_cartwright"))
            .args(["campaign", "evaluate", "--assignments", "them.csv", "--events", "events.csv"])
            .args(["--start", "2024-09-01", "--end", "2024-09-30", "--json"])
            .current_dir(folder.path())
            .output()
            .expect("the binary runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("JSON")
    };
    let kept = judged("");
    assert!(kept["all"]["adjusted_revenue"].is_object(), "{kept:#}");
    let of_treated = (0..120).step_by(4);
    let sent_back = of_treated.map(|n| format!("c{n},tea,2024-09-20,return,{}\n", spent(n)));
    assert_eq!(judged(&sent_back.collect::<String>()), kept);
}

#[test]
fn attributes_of_customers_are_kept_and_can_be_asked_for_and_files_are_written() {
    let folder = folder();
    write_shop(&folder.path().join("events.csv"));
    let rows: Vec<String> = (0..120).map(|n| format!("c{n},{},{}", 20 + n % 40, n % 2)).collect();
    let people = format!("customer_id,age,newsletter\n{}\n", rows.join("\n"));
    std::fs::write(folder.path().join("people.csv"), people).expect("written");
    let run = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_cartwright"))
            .args(arguments)
            .current_dir(folder.path())
            .output()
            .expect("the binary runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(0), "{said}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    run(&["train", "--events", "events.csv", "--customers", "people.csv", "--index", "index"]);
    let condition = "attributes.age >= 55 and attributes.newsletter = 1";
    let audience = ["audience", "where", condition, "--index", "index", "--holdout", "0.5"];
    run(&[&audience[..], &["--horizon-days", "91", "--out", "them.csv"]].concat());
    let text = std::fs::read_to_string(folder.path().join("them.csv")).expect("written");
    let expected = (0..120).filter(|n| 20 + n % 40 >= 55 && n % 2 == 1).count();
    assert_eq!(text.lines().count(), 1 + expected);
    assert!(text.lines().next().expect("a header").ends_with("expected_purchases"));
    run(&[&audience[..], &["--out", "them.parquet"]].concat());
    let judged = run(&[
        "campaign",
        "evaluate",
        "--assignments",
        "them.csv",
        "--events",
        "events.csv",
        "--start",
        "2024-09-01",
        "--end",
        "2024-10-01",
    ]);
    assert!(judged.contains("too few"), "{judged}");
    run(&["report", "customers", "--index", "index", "--html", "page.html"]);
    let page = std::fs::read_to_string(folder.path().join("page.html")).expect("written");
    assert!(page.contains("Who stays") && !page.contains("NaN"));
}

#[test]
fn profiles_are_the_same_on_any_number_of_threads() {
    let folder = folder();
    let events = folder.path().join("events.csv");
    write_shop(&events);
    let input = read(&events, None).expect("readable");
    let mut log = input.reading.log;
    let items = stock(&mut log, &Default::default());
    let orders = baskets(&log, &input.time_zone);
    let options = HistoryOptions::default();
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
        pool.install(|| {
            let cadence = Cadence::learn(&orders, items.len(), true, &options);
            let now = log.events.last().expect("events").at;
            let source = Source {
                log: &log,
                items: &items,
                categories: &CategoryTree::new(&items),
                pasts: &Pasts::new(&log, orders.clone(), now, &options),
                cadence: &cadence,
                zone: &input.time_zone,
            };
            let profiler = Profiler::learn(source, &Default::default());
            (profiler.clientele.clone(), profiler.all())
        })
    };
    let (one, three) = (on(1), on(3));
    assert_eq!(one.0, three.0);
    assert_eq!(one.1, three.1);
}

/// How long a million customers take, and how much memory beside the log:
/// `cargo test --release --test service customers::a_million -- --ignored --nocapture`.
#[test]
#[ignore = "takes minutes, and a gigabyte"]
#[allow(clippy::print_stderr, reason = "a measurement is told")]
fn a_million_customers_are_known_in_minutes() {
    let mut random = fastrand::Rng::with_seed(1);
    let mut items = Interner::<ItemId>::new();
    (0..10_000).for_each(|n| {
        items.intern(&format!("i{n}"));
    });
    let (mut customers, mut events) = (Interner::new(), Vec::new());
    for n in 0..1_000_000 {
        let customer = customers.intern(&format!("c{n}"));
        let (every, mut day) = (10.0 + 90.0 * random.f64(), 300.0 * random.f64());
        while day < 365.0 && random.u8(..6) > 0 {
            let at = Timestamp(0).plus_days(day as i64);
            for _ in 0..random.usize(1..4) {
                events.push(Event {
                    at,
                    customer: Some(customer),
                    item: ItemId::new(random.usize(..10_000)),
                    group: None,
                    quantity: 1.0,
                    unit_price: 1.0 + random.f32() * 20.0,
                    kind: EventKind::Purchase,
                    discount_percent: 0,
                });
            }
            day -= every * (1.0 - random.f64()).ln();
        }
    }
    events.sort_by_key(|event: &Event| event.at);
    let mut log = EventLog {
        events: events.into(),
        items: Arc::new(items),
        customers: Arc::new(customers),
        timed: true,
        ..EventLog::default()
    };
    let items = stock(&mut log, &Default::default());
    let now = log.events.last().expect("events").at;
    let orders = baskets(&log, &jiff::tz::TimeZone::UTC);
    let source = Source {
        log: &log,
        items: &items,
        categories: &CategoryTree::new(&items),
        pasts: &Pasts::new(&log, orders, now, &HistoryOptions::default()),
        cadence: &Cadence::default(),
        zone: &jiff::tz::TimeZone::UTC,
    };
    let peak = || {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let line = status.lines().find(|line| line.starts_with("VmHWM")).map(str::to_owned);
        line.unwrap_or_default()
    };
    eprintln!("{} events of a million customers; before: {}", log.events.len(), peak());
    let started = std::time::Instant::now();
    let profiler = Profiler::learn(source, &Default::default());
    let (clientele, all) = (&profiler.clientele, profiler.all());
    eprintln!("profiles: {:.1} s; after: {}", started.elapsed().as_secs_f64(), peak());
    eprintln!(
        "distinct pasts that the model was fitted on: {:?}",
        clientele.models.map(|m| m.distinct)
    );
    assert_eq!(all.len(), 1_000_000);
}

#[test]
fn a_made_up_shop_knows_everybody_who_bought() {
    let place = Place::made_up(300, 60, 90);
    let snapshot = cartwright::index::Snapshot::open_current(&place.index).expect("published");
    let clientele = snapshot.customers.clientele().expect("readable");
    let profiles: Vec<_> =
        snapshot.customers.profiles().map(|entry| entry.expect("readable")).collect();
    let bought = profiles.iter().filter(|(_, profile)| profile.buyer.is_some()).count();
    assert_eq!(bought as u64, clientele.buyers);
    let month = clientele.kpis.months.last().expect("a month");
    assert_eq!(u64::from(month.stages.iter().sum::<u32>()), clientele.buyers);
    for (_, profile) in &profiles {
        let Some(buyer) = &profile.buyer else { continue };
        let worth = buyer.worth.expect("a model");
        assert!(
            (0.0..=1.0).contains(&worth.alive) && (0.0..=1.0).contains(&buyer.churn.probability)
        );
        for forecast in [worth.orders_28, worth.orders_90, worth.orders_365, worth.lifetime] {
            assert!(forecast.low <= forecast.high && forecast.expected.is_finite());
        }
        let five = buyer.aspects;
        for aspect in [five.contribution, five.future, five.credit, five.loyalty, five.growth] {
            assert!((0.0..=100.0).contains(&aspect), "{five:?}");
        }
    }
}
