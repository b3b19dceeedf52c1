//! `cartwright bench`

use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::pin;
use std::time::Duration;

use anyhow::Context;
use clap::{Args, Subcommand, ValueEnum};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;

use super::bench_overload::BenchOverload;
use super::bench_train::BenchTrain;
use super::output::{Steps, align_right, print, say, table};
use crate::bench::{
    self, Beside, Figures, QueryKind, Questions, RedisServer, Report, Run, Server, Servers, Shape,
};
use crate::config::Config;
use crate::grpc;
use crate::index::{Index, Snapshot};

/// Measure how fast it is on this machine
#[derive(Debug, Args)]
pub(super) struct Bench {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Make up a shop of a given size and train on it
    Train(BenchTrain),
    Serve(Serve),
    /// Ask more than a server can do: what it still answers, and how soon it is well again
    Overload(BenchOverload),
    /// Play one of the servers of a comparison
    #[command(hide = true)]
    Play(Play),
}

/// Load a server over HTTP/2, beside servers that give the same replies without thinking
///
/// Servers run on one core and the load on another, where the system allows that. Closed loop: so many
/// requests are always under way. Open loop (--rates): so many are sent per second, and latency counts
/// from when each was due.
#[derive(Debug, Args)]
struct Serve {
    /// Directory of the index: it is served, and requests are drawn from it
    #[arg(long, value_name = "DIR")]
    index: PathBuf,
    /// Load this server, which serves the same index, instead of starting one
    #[arg(long, value_name = "HOST:PORT")]
    server: Option<SocketAddr>,
    /// Requests from a file, a JSON object per line, instead of made-up ones: query (related_items,
    /// basket_upsell, for_customer), item_ids, customer_id, limit, exclude_purchased
    #[arg(long, value_name = "FILE")]
    requests: Option<PathBuf>,
    /// Which questions to ask
    #[arg(long, value_delimiter = ',', default_value = "related,basket,customer")]
    queries: Vec<Query>,
    /// All three questions at once as well, so many parts of each: related,basket,customer
    #[arg(long, value_name = "N,N,N", value_parser = mix)]
    mix: Option<Mix>,
    /// Requests under way at any moment; a run for each
    #[arg(long, value_delimiter = ',', default_value = "16,64", value_name = "N,…", value_parser = at_least_one)]
    in_flight: Vec<usize>,
    /// Open loop too: requests per second; a run for each
    #[arg(long, value_delimiter = ',', value_name = "N,…", value_parser = above_zero)]
    rates: Vec<f64>,
    /// HTTP/2 connections
    #[arg(long, default_value_t = 8, value_name = "N", value_parser = at_least_one)]
    connections: usize,
    /// How long each server is loaded for each figure
    #[arg(long, default_value = "5", value_name = "S", value_parser = seconds)]
    seconds: Duration,
    /// Slices that this time is cut into; the servers take turns, and figures are medians
    #[arg(long, default_value_t = 5, value_name = "N", value_parser = at_least_one)]
    rounds: usize,
    /// Length of the answers asked for
    #[arg(long, default_value_t = 20, value_name = "N")]
    limit: i32,
    /// Lines of a made-up basket
    #[arg(long, default_value_t = 10, value_name = "N")]
    lines: usize,
    /// Events in the past of the customers asked for: those that come nearest
    #[arg(long, default_value_t = 100, value_name = "N")]
    events: usize,
    /// All figures as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Query {
    Related,
    Basket,
    Customer,
}

impl From<Query> for QueryKind {
    fn from(query: Query) -> Self {
        match query {
            Query::Related => Self::RelatedItems,
            Query::Basket => Self::BasketUpsell,
            Query::Customer => Self::ForCustomer,
        }
    }
}

/// Prints its address, and serves until standard input ends.
#[derive(Debug, Args)]
struct Play {
    role: Role,
    /// The index, or the file with the replies
    from: PathBuf,
    /// Stay on this core
    #[arg(long)]
    core: Option<usize>,
    /// Work every answer out afresh
    #[arg(long)]
    afresh: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Role {
    Real,
    Twin,
    Raw,
    Redis,
}

impl Bench {
    /// `settings` is the file that servers are to read, too.
    pub(super) fn run(self, config: Config, settings: Option<PathBuf>) -> anyhow::Result<()> {
        match self.what {
            What::Train(train) => train.run(&config),
            What::Serve(serve) => serve.run(settings),
            What::Overload(overload) => overload.run(settings),
            What::Play(play) => play.run(config),
        }
    }
}

/// Parts of the three questions.
#[derive(Clone, Debug)]
pub(super) struct Mix([usize; 3]);

impl Mix {
    pub(super) fn questions(
        &self,
        snapshot: &Snapshot,
        shape: &Shape,
    ) -> anyhow::Result<Questions> {
        let parts: usize = self.0.iter().sum();
        let mut mixed = Vec::new();
        for (kind, part) in QueryKind::ALL.into_iter().zip(self.0) {
            let count = shape.count * part / parts;
            mixed.push(bench::generated(snapshot, kind, &Shape { count, ..shape.clone() })?);
        }
        Ok(Questions::together(mixed).shuffled(shape.seed))
    }
}

pub(super) fn mix(text: &str) -> Result<Mix, String> {
    let parts: Option<Vec<usize>> = text.split(',').map(|part| part.trim().parse().ok()).collect();
    let parts = parts.and_then(|parts| <[usize; 3]>::try_from(parts).ok());
    let fits = |parts: &[usize; 3]| (1..=1_000).contains(&parts.iter().copied().max().unwrap_or(0));
    let expected = "expected three whole numbers up to 1000, not all 0, as in 6,3,1";
    parts.filter(fits).map(Mix).ok_or_else(|| expected.to_owned())
}

pub(super) fn at_least_one(text: &str) -> Result<usize, String> {
    let number = text.trim().parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| "expected a whole number from 1".to_owned())
}

pub(super) fn above_zero(text: &str) -> Result<f64, String> {
    let number = text.trim().parse().ok();
    let number = number.filter(|number: &f64| *number > 0.0 && *number <= 1e6);
    number.ok_or_else(|| "expected a number above 0, at most a million".to_owned())
}

/// Up to a day.
pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = above_zero(text).ok().filter(|seconds| *seconds <= 86_400.0);
    let seconds =
        seconds.ok_or_else(|| "expected seconds, above 0 and at most 86400".to_owned())?;
    Ok(Duration::from_secs_f64(seconds))
}

impl Serve {
    fn run(self, settings: Option<PathBuf>) -> anyhow::Result<()> {
        let steps = Steps::new();
        steps.step("reading the index");
        let sets = self.question_sets()?;
        // Servers on the first core, the load on the second.
        let apart = bench::usable_cores() > 1 && bench::pin(1);
        let servers = Servers::of_this_program(apart.then_some(0), settings)?;
        let (real, afresh) = match self.server {
            Some(address) => (Server::elsewhere(address), None),
            None => (servers.real(&self.index)?, Some(servers.afresh(&self.index)?)),
        };
        let options = bench::Options {
            in_flight: self.in_flight,
            rates: self.rates,
            connections: self.connections,
            duration: self.seconds,
            rounds: self.rounds,
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("cannot start the async runtime")?;
        let mut say = |what: &str| steps.step(what);
        let compared = bench::compare(&real, afresh.as_ref(), &servers, sets, &options, &mut say);
        let report = runtime.block_on(compared)?;
        drop(steps);
        if let Some(path) = &self.json {
            std::fs::write(path, serde_json::to_vec_pretty(&report)?)
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
        show(&report)
    }

    /// Drawn from the index, which is closed again: it belongs to the server.
    fn question_sets(&self) -> anyhow::Result<Vec<(Option<QueryKind>, Questions)>> {
        let kinds = self.queries.iter().map(|&query| QueryKind::from(query));
        if let Some(path) = &self.requests {
            let all = bench::recorded(path)?;
            let sets = kinds.map(|kind| (Some(kind), all.of(kind)));
            let mut sets: Vec<_> = sets.filter(|(_, questions)| !questions.is_empty()).collect();
            if self.mix.is_some() {
                sets.push((None, all)); // mixed as it was
            }
            return Ok(sets);
        }
        let snapshot = Snapshot::open_current(&Index::at(&self.index))?;
        let shape =
            Shape { limit: self.limit, lines: self.lines, events: self.events, ..Shape::default() };
        let mut sets = Vec::new();
        for kind in kinds {
            sets.push((Some(kind), bench::generated(&snapshot, kind, &shape)?));
        }
        if let Some(mix) = &self.mix {
            sets.push((None, mix.questions(&snapshot, &shape)?));
        }
        Ok(sets)
    }
}

impl Play {
    fn run(self, config: Config) -> anyhow::Result<()> {
        if let Some(core) = self.core {
            bench::pin(core); // before any thread is started
        }
        super::serve::runtime()?.block_on(async {
            let told_to_stop = async {
                let mut rest = Vec::new();
                let _ = tokio::io::stdin().read_to_end(&mut rest).await; // its end is all we want
            };
            let replies = || bench::read_replies(&self.from);
            if let Role::Redis = self.role {
                let redis = RedisServer::start(&replies()?).await?;
                print(format!("{} {}", redis.address, redis.process()))?;
                told_to_stop.await;
                return Ok(());
            }
            let listener = TcpListener::bind("127.0.0.1:0").await.context("no port is free")?;
            print(listener.local_addr()?)?;
            // Keys and certificates would keep the load out.
            let mut options =
                grpc::ServeOptions { keys: None, tls: grpc::TlsOptions::default(), ..config.serve };
            if self.afresh {
                options.remember_mb = 0;
            }
            let options = &options;
            match self.role {
                Role::Real => {
                    grpc::run(listener, Index::at(&self.from), options, pin!(told_to_stop)).await?;
                }
                Role::Twin => grpc::run_twin(listener, replies()?, options, told_to_stop).await?,
                Role::Raw => bench::run_raw(listener, replies()?, told_to_stop).await?,
                Role::Redis => unreachable!("it listens by itself"),
            }
            Ok(())
        })
    }
}

fn show(report: &Report) -> anyhow::Result<()> {
    let name = |query: Option<QueryKind>| query.map_or("mixed", QueryKind::name).to_owned();
    let mut closed = table(&[
        "",
        "in flight",
        "",
        "requests/s",
        "p50",
        "p99",
        "CPU each",
        "to twin",
        "p99 to twin",
    ]);
    for run in report.runs.iter().chain(&report.mixed) {
        let Run { real, afresh, twin, raw_http2, redis, twin_to_raw, .. } = run;
        let first = [name(run.query), run.in_flight.to_string()];
        let to_twin = |of: &Beside| [format!("{:.2}", of.ratio), format!("{:.2}", of.p99_ratio)];
        let ours = row("cartwright", &real.figures);
        closed.add_row(first.into_iter().chain(ours).chain(to_twin(real)));
        let blank = || [String::new(), String::new()].into_iter();
        if let Some(afresh) = afresh {
            let ours = row("worked out afresh", &afresh.figures);
            closed.add_row(blank().chain(ours).chain(to_twin(afresh)));
        }
        let raw_to_twin = [format!("{:.2}", 1.0 / twin_to_raw), String::new()];
        closed.add_row(blank().chain(row("twin", twin)).chain(["1.00".to_owned(), "1.00".into()]));
        closed.add_row(blank().chain(row("bare HTTP/2", raw_http2)).chain(raw_to_twin));
        if let Some(redis) = redis {
            let to_twin = format!("{:.2}", redis.requests_per_s / twin.requests_per_s);
            closed.add_row(blank().chain(row("Redis GET", redis)).chain([to_twin, String::new()]));
        }
    }
    align_right(&mut closed, &[1, 3, 4, 5, 6, 7, 8]);
    print(closed)?;
    if !report.open.is_empty() {
        let mut open = table(&["", "sent/s", "", "answered/s", "p50", "p99", "CPU each"]);
        for run in &report.open {
            let first = [name(run.query), format!("{:.0}", run.rate)];
            for (who, figures) in [
                ("cartwright", Some(&run.figures)),
                ("worked out afresh", run.afresh.as_ref()),
                ("twin", Some(&run.twin)),
                ("bare HTTP/2", Some(&run.raw_http2)),
            ] {
                if let Some(figures) = figures {
                    open.add_row(first.clone().into_iter().chain(row(who, figures)));
                }
            }
        }
        align_right(&mut open, &[1, 3, 4, 5, 6]);
        print(open)?;
    }
    say(format_args!(
        "cartwright is as `serve` runs it: what has been asked before is answered from memory, and made-up \
         customers and popular items come again soon; how often they do is a matter of the shop"
    ));
    if !report.pinned {
        say(format_args!("servers and load share their cores here: compare ratios, not figures"));
    }
    Ok(())
}

/// Who, requests per second, latencies, CPU time.
fn row(who: &str, figures: &Figures) -> [String; 5] {
    let micros = |us: f64| format!("{us:.0} µs");
    [
        who.to_owned(),
        format!("{:.0}", figures.requests_per_s),
        micros(figures.p50_us),
        micros(figures.p99_us),
        figures.cpu_us_per_request.map_or("?".into(), |us| format!("{us:.1} µs")),
    ]
}
