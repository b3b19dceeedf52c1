//! The binary, as a shop runs it.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::common::{HANGS, folder, forge_manifest};
use cartwright::demo::{Shop, ShopOptions, make};
use cartwright::grpc::pb;
use cartwright::grpc::pb::audience_service_client::AudienceServiceClient;
use cartwright::grpc::pb::catalog_service_client::CatalogServiceClient;
use cartwright::grpc::pb::customer_service_client::CustomerServiceClient;
use cartwright::grpc::pb::stream_audience_request::Audience;
use serde_json::Value;
use tempfile::TempDir;

/// A folder to work in, and one that the binary takes for the system's temporary folder.
struct Desk {
    folder: TempDir,
}

impl Desk {
    fn new() -> Self {
        let folder = folder();
        std::fs::create_dir(folder.path().join("tmp")).expect("the folder can be written");
        Self { folder }
    }

    /// A desk with the files of a made-up shop, trained once into `index`.
    fn with_a_shop() -> (Self, Shop) {
        let desk = Self::new();
        let options = ShopOptions { customers: 150, items: 60, days: 60, ..ShopOptions::default() };
        let shop = make(&options).expect("the options are in range");
        shop.write(desk.folder.path()).expect("the folder can be written");
        succeeds(&desk.run(TRAIN));
        (desk, shop)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).expect("the folder can be written");
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cartwright"));
        command.args(arguments).current_dir(self.folder.path());
        command.env("TMPDIR", self.path("tmp")).stdin(Stdio::null());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("CARTWRIGHT_") || name == "RUST_LOG" {
                command.env_remove(name);
            }
        }
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("the binary can be run")
    }

    /// What the answer to `ask … --json` says.
    fn ask(&self, arguments: &[&str]) -> Value {
        let all = [&["ask"], arguments, &["--index", "index", "--json"]].concat();
        let output = self.run(&all);
        succeeds(&output);
        serde_json::from_slice(&output.stdout).expect("stdout is JSON and nothing else")
    }

    /// Nothing is left in the temporary folder.
    fn is_swept(&self) {
        let left: Vec<_> = std::fs::read_dir(self.path("tmp"))
            .expect("a readable folder")
            .map(|entry| entry.expect("a readable folder").file_name())
            .collect();
        assert!(left.is_empty(), "left behind: {left:?}");
    }
}

const SERVE: &[&str] = &["serve", "--index", "index", "--listen", "127.0.0.1:0"];
const TRAIN: &[&str] =
    &["train", "--events", "events.csv", "--catalog", "catalog.csv", "--index", "index"];

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn succeeds(output: &Output) {
    assert!(output.status.success(), "{}: {}", output.status, text(&output.stderr));
}

/// It ended with `code`, and says why: `word` is in what it says.
fn fails(output: &Output, code: i32, word: &str) {
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert!(said.contains(word), "expected {word:?} in: {said}");
    assert!(!said.contains("panicked"), "{said}");
}

/// A `cartwright serve` on a port of its own. Killed if a test forgets it.
struct Serving {
    child: Child,
    said: mpsc::Receiver<String>,
    address: String,
}

impl Serving {
    fn start(desk: &Desk) -> Self {
        Self::of(desk.command(SERVE))
    }

    fn of(mut command: Command) -> Self {
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary can be run");
        let stderr = BufReader::new(child.stderr.take().expect("it is piped"));
        let (say, said) = mpsc::channel();
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let _ = say.send(line);
            }
        });
        let mut serving = Self { child, said, address: String::new() };
        let line = serving.hears("address=");
        let address = line.split("address=").nth(1).and_then(|rest| rest.split(' ').next());
        serving.address = address.expect("it says where it listens").to_owned();
        serving.hears("serving a generation");
        serving
    }

    /// The next line of its log with `word`.
    fn hears(&self, word: &str) -> String {
        let started = Instant::now();
        while started.elapsed() < HANGS {
            match self.said.recv_timeout(HANGS) {
                Ok(line) if line.contains(word) => return line,
                Ok(_) => {}
                Err(_) => break,
            }
        }
        panic!("the server never said {word:?}");
    }

    fn gets(&self, signal: &str) {
        let pid = self.child.id().to_string();
        let told = Command::new("kill").args([signal, &pid]).status();
        assert!(told.expect("kill is there").success());
    }

    fn told(&mut self, signal: &str) -> ExitStatus {
        self.gets(signal);
        wait(&mut self.child)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn wait(child: &mut Child) -> ExitStatus {
    let started = Instant::now();
    while started.elapsed() < HANGS {
        if let Some(status) = child.try_wait().expect("it is ours") {
            return status;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("the process does not end");
}

#[test]
fn the_demo_answers_with_reasons_and_leaves_nothing_behind() {
    let desk = Desk::new();
    let size = ["--customers", "300", "--items", "60", "--days", "120"];
    let output = desk.run(&[&["demo", "--once"][..], &size].concat());
    succeeds(&output);
    let said = text(&output.stdout);
    for words in
        ["Related to", "To complete a basket of", "For customer", "bought with", "bought before"]
    {
        assert!(said.contains(words), "expected {words:?} in: {said}");
    }
    desk.is_swept();
    let left = std::fs::read_dir(desk.folder.path()).expect("a readable folder").count();
    assert_eq!(left, 1, "only tmp is there");
}

/// The demo's shop has columns and a server of its own: what is set for the shop at hand is not for it.
#[test]
fn a_demo_whose_server_can_not_start_says_why() {
    let desk = Desk::new();
    let own =
        "[events.map]\nitem_id = \"SKU\"\n[serve]\nkeys = \"none.keys\"\nrules = \"none.toml\"\n";
    desk.write("cartwright.toml", own);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = taken.local_addr().expect("it has an address").to_string();
    let size = ["--customers", "300", "--items", "60", "--days", "60", "--listen", &address];
    fails(&desk.run(&[&["demo", "--once"][..], &size].concat()), 1, "cannot listen on");
    let public = desk.run(&["demo", "--once", "--listen", "0.0.0.0:0"]);
    fails(&public, 2, "--insecure-public");
    desk.is_swept();
}

#[test]
fn settings_are_shown_and_what_is_shown_can_be_read_again() {
    let desk = Desk::new();
    desk.write("cartwright.toml", "[events]\ntime_zone = \"Europe/Berlin\"\n");
    let settings = |arguments: &[&str]| {
        let output = desk.run(arguments);
        succeeds(&output);
        text(&output.stdout)
    };
    let shown = settings(&["settings"]);
    for line in ["[events]", "time_zone = \"Europe/Berlin\"", "[train.gate]", "queue = 512"] {
        assert!(shown.lines().any(|shown| shown == line), "{line} is not in\n{shown}");
    }
    desk.write("again.toml", &shown);
    assert_eq!(settings(&["--config", "again.toml", "settings"]), shown);
    for (wrong, named) in [
        ("[events]\nmax_unreadable_share = 2.0\n", "events.max_unreadable_share"),
        ("[events]\ntime_zone = \"Europe/Nowhere\"\n", "Europe/Nowhere"),
        ("[train]\nkeep_generations = 0\n", "train.keep_generations"),
        ("[serve]\nqueue = 1\n", "serve.queue"),
    ] {
        desk.write("wrong.toml", wrong);
        fails(&desk.run(&["--config", "wrong.toml", "settings"]), 2, named);
    }
}

#[test]
fn settings_are_those_of_the_folder_and_not_of_one_above() {
    let desk = Desk::new();
    desk.write("cartwright.toml", "[nonsense]\nx = 1\n");
    let ask = ["ask", "related", "x", "--index", "index"];
    fails(&desk.run(&ask), 2, "nonsense");
    std::fs::create_dir(desk.path("below")).expect("the folder can be written");
    let below = desk.command(&ask).current_dir(desk.path("below")).output();
    assert!(!text(&below.expect("the binary can be run").stderr).contains("nonsense"));
    // Whoever wants to go back to an earlier generation is not stopped by what they don't need.
    fails(&desk.run(&["index", "rollback", "--index", "index"]), 1, "cartwright train");
}

/// Whoever read the log had gone: training and serving ended with a panic.
#[test]
fn where_nobody_listens_on_stderr_the_work_goes_on() {
    let (desk, _) = Desk::with_a_shop();
    let Ok(full) = std::fs::File::options().write(true).open("/dev/full") else { return };
    let output = desk.command(TRAIN).stderr(full).output().expect("the binary can be run");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
    assert!(text(&output.stdout).contains("published generation"));
}

#[test]
fn the_demo_keeps_its_shop_and_index_where_it_is_told_to() {
    let desk = Desk::new();
    let size = ["--customers", "300", "--items", "60", "--days", "60"];
    let output = desk.run(&[&["demo", "--once", "--write", "shop"][..], &size].concat());
    succeeds(&output);
    for file in ["events.csv", "catalog.csv", "truth.json", "index/CURRENT"] {
        assert!(desk.path("shop").join(file).is_file(), "{file} is missing");
    }
    let said = text(&output.stdout);
    let by_hand = said.lines().find(|line| line.contains("ask related")).expect("a line to try");
    let arguments: Vec<&str> = by_hand.split_whitespace().skip(1).collect();
    succeeds(&desk.run(&arguments));
    desk.is_swept();
}

#[test]
fn a_trained_shop_is_asked_the_three_questions_in_json() {
    let (desk, shop) = Desk::with_a_shop();
    let anchor = shop.truth.complements[0].anchor.as_str();
    let customer = shop.truth.due[0].customer.as_str();
    for question in [
        vec!["related", anchor],
        vec!["basket", anchor, "no such item"],
        vec!["basket", anchor, "--customer", customer],
        vec!["customer", customer],
        vec!["customer", customer, "--exclude-purchased"],
        vec!["customer", "--recent", anchor],
        vec!["related", "no such item"],
        vec!["related", anchor, "--limit", "1000"],
    ] {
        let reply = desk.ask(&question);
        assert_eq!(reply["generation"], 1, "{question:?}");
        let list = reply["recommendations"].as_array().expect("a list");
        assert!(!list.is_empty(), "{question:?}");
        for recommended in list {
            assert!(recommended["item_id"].is_string(), "{recommended}");
            assert!(recommended["score"].is_number(), "{recommended}");
            let reasons = recommended["reasons"].as_array().expect("a list");
            assert!(reasons.iter().all(|reason| reason["text"].is_string()), "{recommended}");
            assert!(!reasons.is_empty(), "{recommended}");
        }
    }
    assert_eq!(
        desk.ask(&["related", anchor, "--limit", "3"])["recommendations"].as_array().map(Vec::len),
        Some(3)
    );
    let table = desk.run(&["ask", "related", anchor, "--index", "index"]);
    succeeds(&table);
    assert!(text(&table.stdout).contains("bought with"), "{}", text(&table.stdout));
    desk.is_swept();
}

#[test]
fn generations_are_listed_verified_activated_and_rolled_back() {
    let (desk, _) = Desk::with_a_shop();
    succeeds(&desk.run(TRAIN));
    let index = |action: &[&str]| desk.run(&[&["index"], action, &["--index", "index"]].concat());
    let served = || {
        let list = index(&["list"]);
        succeeds(&list);
        let list = text(&list.stdout);
        let line = list.lines().find(|line| line.contains("served")).expect("one is served");
        line.split(|c: char| !c.is_ascii_digit()).find(|word| !word.is_empty()).map(str::to_owned)
    };
    assert_eq!(served().as_deref(), Some("2"));
    for action in [&["verify"][..], &["verify", "1"]] {
        let output = index(action);
        succeeds(&output);
        assert!(text(&output.stdout).contains("holds what was written"));
    }
    succeeds(&index(&["rollback"]));
    assert_eq!(served().as_deref(), Some("1"));
    fails(&index(&["rollback"]), 1, "oldest");
    fails(&index(&["activate", "9"]), 1, "no generation 9");
    succeeds(&index(&["activate", "2"]));
    assert_eq!(served().as_deref(), Some("2"));

    let manifest = desk.path("index/generations/000001/manifest.json");
    let sound = std::fs::read_to_string(&manifest).expect("it is there");
    let damaged = sound.replacen("\"digest\": \"", "\"digest\": \"0", 1);
    forge_manifest(&desk.path("index/generations/000001"), &damaged);
    let output = index(&["verify", "1"]);
    fails(&output, 1, "is damaged in");
    assert!(text(&output.stdout).contains("DAMAGED"));
    desk.is_swept();
}

#[test]
fn a_running_server_is_no_obstacle_to_ask_verify_and_train_and_ends_well_when_told() {
    let (desk, shop) = Desk::with_a_shop();
    let anchor = shop.truth.complements[0].anchor.as_str();
    let before = desk.ask(&["related", anchor]);
    for signal in ["-TERM", "-INT"] {
        let mut server = Serving::start(&desk);
        assert_eq!(desk.ask(&["related", anchor])["recommendations"], before["recommendations"]);
        succeeds(&desk.run(&["index", "verify", "--index", "index"]));
        succeeds(&desk.run(TRAIN));
        server.hears("serving a generation");
        let listens = std::net::TcpStream::connect(&server.address);
        listens.expect("it listens where it says");
        // A second server on the same index: it has to do with a private copy.
        let mut second = Serving::start(&desk);
        server.gets("-HUP");
        server.hears("going on");
        assert_eq!(second.told(signal).code(), Some(0));
        assert_eq!(server.told(signal).code(), Some(0));
    }
    desk.is_swept();
}

#[test]
fn what_was_acknowledged_outlives_a_kill_and_ask_knows_it() {
    let (desk, shop) = Desk::with_a_shop();
    let anchor = shop.truth.complements[0].anchor.as_str();
    let items = || -> Vec<String> {
        let answer = desk.ask(&["related", anchor]);
        let all = answer["recommendations"].as_array().expect("a list").clone();
        all.iter().filter_map(|r| r["item_id"].as_str().map(str::to_owned)).collect()
    };
    let first = items().remove(0);
    let mut server = Serving::start(&desk);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let address = format!("http://{}", server.address);
        let client = CatalogServiceClient::connect(address).await;
        let hide = pb::HideItemsRequest { item_ids: vec![first.clone()] };
        client.expect("it listens").hide_items(hide).await.expect("it is acknowledged");
    });
    assert_eq!(server.told("-KILL").code(), None, "it had no time for anything");
    assert!(!items().contains(&first));
    succeeds(&desk.run(TRAIN));
    assert!(!items().contains(&first), "the next night changes nothing of it");
}

#[test]
fn a_rule_about_a_field_that_is_gone_keeps_no_server_from_starting() {
    let (desk, _) = Desk::with_a_shop();
    let rule = "[[rule]]\nid = \"gone\"\nhide = { filter = 'no_such_field = 1' }\n";
    desk.write("rules.toml", rule);
    desk.write("cartwright.toml", "[serve]\nrules = \"rules.toml\"\n");
    let mut server = Serving::start(&desk);
    assert_eq!(server.told("-TERM").code(), Some(0));
}

#[test]
fn a_server_that_can_not_go_on_leaves_nothing_behind() {
    let (desk, _) = Desk::with_a_shop();
    let mut server = Serving::start(&desk);
    desk.write("rules.toml", "[[rules]]\nname = ");
    // It has loaded a private copy by the time that it reads the rules.
    let mut second = desk.command(&["serve", "--index", "index", "--listen", "127.0.0.1:0"]);
    second.env("CARTWRIGHT_SERVE__RULES", "rules.toml");
    fails(&second.output().expect("the binary can be run"), 1, "rules.toml");
    second.env_remove("CARTWRIGHT_SERVE__RULES").env("CARTWRIGHT_SERVE__QUEUE", "1");
    fails(&second.output().expect("the binary can be run"), 2, "serve.queue must be at least 2");
    assert_eq!(server.told("-TERM").code(), Some(0));
    desk.is_swept();
}

#[test]
fn an_address_in_use_is_a_failure_that_names_it() {
    let (desk, _) = Desk::with_a_shop();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("it is bound").to_string();
    let output = desk.run(&["serve", "--index", "index", "--listen", &address]);
    fails(&output, 1, &address);
}

#[test]
fn a_trainer_killed_on_the_way_leaves_the_index_as_it_was() {
    let (desk, shop) = Desk::with_a_shop();
    let anchor = shop.truth.complements[0].anchor.as_str();
    let generations = desk.path("index/generations");
    for _ in 0..5 {
        let mut trainer = desk.command(TRAIN);
        let trainer = trainer.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let mut trainer = trainer.expect("the binary can be run");
        // It is killed as soon as it has begun to write, if it is not done by then.
        while trainer.try_wait().expect("it is ours").is_none() && !is_building(&generations) {
            std::thread::yield_now();
        }
        let _ = trainer.kill();
        wait(&mut trainer);
        desk.ask(&["related", anchor]);
        succeeds(&desk.run(&["index", "verify", "--index", "index"]));
    }
    succeeds(&desk.run(TRAIN));
    assert!(!is_building(&generations), "what the dead left is cleared away");
    desk.is_swept();
}

fn is_building(generations: &Path) -> bool {
    std::fs::read_dir(generations).expect("a readable folder").any(|entry| {
        entry.is_ok_and(|entry| entry.file_name().to_string_lossy().starts_with(".building-"))
    })
}

#[test]
fn wrong_usage_ends_with_exit_code_2() {
    let (desk, _) = Desk::with_a_shop();
    fails(&desk.run(&["ask", "related", "x", "--index", "index", "--limit=-1"]), 2, "limit");
    fails(&desk.run(&["ask", "related", "x", "--index", "index", "--limit", "-1"]), 2, "-1");
    fails(&desk.run(&["ask", "basket", "--index", "index"]), 2, "ITEM");
    fails(&desk.run(&["ask", "customer", "--index", "index"]), 2, "KEY");
    fails(&desk.run(&["no-such-command"]), 2, "no-such-command");
    fails(&desk.run(&["train", "--index", "index"]), 2, "--events");
    fails(
        &desk.run(&["train", "--events", "events.csv", "--index", "i", "--map", "x"]),
        2,
        "ROLE=COLUMN",
    );
    fails(&desk.run(&["serve", "--index", "index", "--listen", "nowhere"]), 2, "nowhere");
    fails(&desk.run(&["demo", "--once", "--customers", "3"]), 2, "customers");
    fails(
        &desk.run(&["--config", "missing.toml", "index", "list", "--index", "index"]),
        2,
        "missing.toml",
    );
    desk.write("unknown.toml", "[serve]\nno_such_knob = 1\n");
    fails(
        &desk.run(&["--config", "unknown.toml", "index", "list", "--index", "index"]),
        2,
        "no_such_knob",
    );
    desk.write("wrong.toml", "[train]\nkeep_generations = 'many'\n");
    fails(
        &desk.run(&["--config", "wrong.toml", "index", "list", "--index", "index"]),
        2,
        "keep_generations",
    );
    desk.write("range.toml", "[train]\nkeep_generations = 1\n");
    fails(&desk.run(&[&["--config", "range.toml"], TRAIN].concat()), 2, "keep_generations");
    desk.is_swept();
}

#[test]
fn what_can_not_be_done_ends_with_exit_code_1_and_says_what_to_do() {
    let desk = Desk::new();
    fails(&desk.run(&["ask", "related", "x", "--index", "nowhere"]), 1, "cartwright train");
    fails(
        &desk.run(&["serve", "--index", "nowhere", "--listen", "127.0.0.1:0"]),
        1,
        "cartwright train",
    );
    fails(&desk.run(&["index", "list", "--index", "nowhere"]), 1, "cartwright train");
    fails(&desk.run(TRAIN), 1, "events.csv");
    assert!(!desk.path("nowhere").exists(), "asking makes no index");
    desk.write("events.csv", "colour,shape\nred,round\n");
    let train = ["train", "--events", "events.csv", "--index", "index"];
    let output = desk.run(&train);
    fails(&output, 1, "colour");
    assert!(!desk.path("index/CURRENT").exists(), "nothing was published");
    desk.is_swept();
}

#[test]
fn an_input_of_which_too_much_is_unreadable_is_refused_with_exit_code_3() {
    let desk = Desk::new();
    let mut events = String::from("customer_id,item_id,timestamp,order_id\n");
    for row in 0..100 {
        let moment = if row % 5 == 0 {
            "the other day".into()
        } else {
            format!("2025-01-{:02}", row % 28 + 1)
        };
        events += &format!("c{},i{},{moment},o{row}\n", row % 7, row % 9);
    }
    desk.write("events.csv", &events);
    let output = desk.run(&["train", "--events", "events.csv", "--index", "index"]);
    fails(&output, 3, "line 2");
    assert!(!desk.path("index/CURRENT").exists(), "nothing was published");
    desk.is_swept();
}

#[test]
fn bench_serve_measures_every_question_beside_its_twin_and_leaves_nothing_behind() {
    let (desk, _) = Desk::with_a_shop();
    let output = desk.run(&[
        "bench",
        "serve",
        "--index",
        "index",
        "--seconds",
        "0.2",
        "--rounds",
        "2",
        "--in-flight",
        "1,3",
        "--connections",
        "2",
        "--rates",
        "100",
        "--mix",
        "2,1,1",
        "--events",
        "20",
        "--json",
        "figures.json",
    ]);
    succeeds(&output);
    let figures = std::fs::read(desk.path("figures.json")).expect("it was written");
    let figures: Value = serde_json::from_slice(&figures).expect("it is JSON");
    let runs = figures["runs"].as_array().expect("a list of runs");
    let load = |run: &Value| (run["query"].to_string(), run["in_flight"].to_string());
    let loads: Vec<_> = runs.iter().map(load).collect();
    let queries = ["related_items", "basket_upsell", "for_customer"];
    let expected =
        queries.iter().flat_map(|query| ["1", "3"].map(|n| (format!("{query:?}"), n.to_owned())));
    assert_eq!(loads, expected.collect::<Vec<_>>());
    for run in runs.iter().chain(figures["mixed"].as_array().expect("a list of runs")) {
        for side in [run, &run["afresh"], &run["twin"], &run["raw_http2"]] {
            assert!(side["requests_per_s"].as_f64().is_some_and(|n| n > 10.0), "{side}");
            assert!(side["p50_us"].as_f64() <= side["p99_us"].as_f64(), "{side}");
        }
        for side in [run, &run["afresh"]] {
            let ratio = side["ratio"].as_f64().expect("a ratio");
            assert!(ratio > 0.01 && ratio < 10.0, "{run}");
        }
        assert!(run["reply_bytes"].as_f64().is_some_and(|bytes| bytes > 100.0), "{run}");
    }
    let has_redis = Command::new("redis-server").arg("--version").output().is_ok();
    for run in runs {
        let by_redis = run["redis"]["requests_per_s"].as_f64().is_some_and(|n| n > 10.0);
        assert_eq!(by_redis, has_redis, "{run}");
    }
    let open = &figures["open"][0];
    let answered = open["requests_per_s"].as_f64().expect("a rate");
    assert!((50.0..=110.0).contains(&answered), "100 a second were sent: {open}");
    desk.is_swept();
}

#[test]
fn bench_serve_asks_what_was_recorded() {
    let (desk, shop) = Desk::with_a_shop();
    let item = &shop.items[0].item_id;
    desk.write(
        "asked.jsonl",
        &format!("{{\"query\": \"related_items\", \"item_ids\": [\"{item}\"]}}\n"),
    );
    let recorded = ["bench", "serve", "--index", "index", "--requests", "asked.jsonl"];
    let quick = ["--seconds", "0.1", "--rounds", "1", "--in-flight", "1", "--json", "figures.json"];
    succeeds(&desk.run(&[&recorded[..], &quick].concat()));
    let figures = std::fs::read_to_string(desk.path("figures.json")).expect("it was written");
    let figures: Value = serde_json::from_str(&figures).expect("it is JSON");
    assert_eq!(figures["runs"].as_array().map(Vec::len), Some(1));
    assert_eq!(figures["runs"][0]["query"], "related_items");
    desk.write("asked.jsonl", "{\"query\": \"weather\"}\n");
    fails(&desk.run(&[&recorded[..], &quick].concat()), 1, "asked.jsonl, line 1");
}

/// "The server's log says more" was said, and it said nothing.
#[tokio::test]
async fn the_log_tells_why_a_request_could_not_be_done_and_names_nobody() {
    let (desk, shop) = Desk::with_a_shop();
    let serving = Serving::start(&desk);
    std::fs::create_dir(desk.path("index/erased")).expect("the folder can be written");
    let address = format!("http://{}", serving.address);
    let mut customers = CustomerServiceClient::connect(address).await.expect("it listens");
    let customer_id = shop.truth.due[0].customer.clone();
    let request = pb::EraseCustomerRequest { customer_id: customer_id.clone() };
    let status = customers.erase_customer(request).await.expect_err("a folder is in the way");
    assert_eq!(status.code(), tonic::Code::Internal);
    assert!(status.message().contains("the server's log says more"), "{status:?}");
    let line = serving.hears("a request can't be answered");
    assert!(line.contains("erased") && !line.contains(&customer_id), "{line}");
}

/// The names that an audience hands out were hashed once more, and nobody had bought anything.
#[tokio::test]
async fn a_campaign_can_be_judged_by_the_names_that_its_audience_gave() {
    let (desk, _) = Desk::with_a_shop();
    let hashed = |arguments: &[&str]| {
        let mut command = desk.command(arguments);
        command.env("CARTWRIGHT_CUSTOMERS__HASH_KEYS", "true");
        command.env("CARTWRIGHT_CUSTOMER_SECRET", "a long secret of this shop");
        command
    };
    std::fs::remove_dir_all(desk.path("index")).expect("it was made");
    succeeds(&hashed(TRAIN).output().expect("the binary can be run"));
    let serving = Serving::of(hashed(SERVE));
    let address = format!("http://{}", serving.address);
    let mut audiences = AudienceServiceClient::connect(address).await.expect("it listens");
    let whole = pb::StreamAudienceRequest {
        audience: Some(Audience::Where("true".into())),
        holdout: 0.5,
        ..Default::default()
    };
    let mut stream = audiences.stream_audience(whole.clone()).await.expect("told").into_inner();
    let mut assignments = Vec::new();
    while let Some(member) = stream.message().await.expect("it goes on") {
        let (customer_id, held_out) = (member.customer_id, member.held_out);
        assignments.push(pb::Assignment { customer_id, held_out, ..Default::default() });
    }
    let few = pb::StreamAudienceRequest { limit: 3, ..whole };
    let mut stream = audiences.stream_audience(few).await.expect("told").into_inner();
    for best in &assignments[..3] {
        let member = stream.message().await.expect("it goes on").expect("three of them");
        assert_eq!(member.customer_id, best.customer_id);
    }
    assert!(stream.message().await.expect("it ends").is_none());
    let request = pb::EvaluateCampaignRequest {
        assignments,
        first_day: "2000-01-01".into(),
        last_day: "2100-01-01".into(),
        ..Default::default()
    };
    let judged = audiences.evaluate_campaign(request).await.expect("judged").into_inner();
    let all = judged.all.expect("both groups");
    let (treated, held_out) = (all.treated.expect("told"), all.held_out.expect("told"));
    assert!(treated.orders > 20 && held_out.orders > 20, "{treated:?} {held_out:?}");
}
