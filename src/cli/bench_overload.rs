//! `cartwright bench overload`

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::Args;

use super::bench::{Mix, above_zero, at_least_one, mix, seconds};
use super::output::{Steps, align_right, print, table};
use crate::bench::{self, Server, Servers, Shape, Strain, Strained};
use crate::index::{Index, Snapshot};

/// Asks more than a server can do: how much it still answers, how late, and how soon it is well again. The
/// server has one core, the load another, where the system allows that.
#[derive(Debug, Args)]
pub(super) struct BenchOverload {
    /// Directory of the index: it is served, and requests are drawn from it
    #[arg(long, value_name = "DIR")]
    index: PathBuf,
    /// Load this server, which serves the same index, instead of starting one
    #[arg(long, value_name = "HOST:PORT")]
    server: Option<SocketAddr>,
    /// So many times what it can do
    #[arg(long, default_value_t = 3.0, value_name = "N", value_parser = above_zero)]
    times: f64,
    /// How long each stretch lasts: in peace, under load, and after it
    #[arg(long, default_value = "10", value_name = "S", value_parser = seconds)]
    seconds: Duration,
    /// Deadline of each request
    #[arg(long, default_value_t = 500, value_name = "MS")]
    deadline_ms: u64,
    /// Parts of the three questions: related,basket,customer
    #[arg(long, default_value = "6,3,1", value_name = "N,N,N", value_parser = mix)]
    mix: Mix,
    /// HTTP/2 connections
    #[arg(long, default_value_t = 8, value_name = "N", value_parser = at_least_one)]
    connections: usize,
    /// Let the server answer from memory what it has answered before, as `serve` does
    #[arg(long)]
    remembering: bool,
    /// All figures as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

impl BenchOverload {
    pub(super) fn run(self, settings: Option<PathBuf>) -> anyhow::Result<()> {
        let steps = Steps::new();
        steps.step("reading the index");
        let snapshot = Snapshot::open_current(&Index::at(&self.index))?;
        let questions = self.mix.questions(&snapshot, &Shape::default())?;
        drop(snapshot); // it belongs to the server
        let apart = bench::usable_cores() > 1 && bench::pin(1);
        let servers = Servers::of_this_program(apart.then_some(0), settings)?;
        let server = match self.server {
            Some(address) => Server::elsewhere(address),
            None if self.remembering => servers.real(&self.index)?,
            None => servers.afresh(&self.index)?,
        };
        let strain = Strain {
            times: self.times,
            duration: self.seconds,
            deadline: Duration::from_millis(self.deadline_ms),
            connections: self.connections,
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("cannot start the async runtime")?;
        steps.step("asking as much as it can do, more, and less again");
        let strained = runtime.block_on(bench::overload(&server, questions, &strain))?;
        drop(steps);
        if let Some(path) = &self.json {
            std::fs::write(path, serde_json::to_vec_pretty(&strained)?)
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
        show(&strained)
    }
}

fn show(found: &Strained) -> anyhow::Result<()> {
    let percent = |share: f64| format!("{:.1} %", 100.0 * share);
    let mut rows = table(&["", ""]);
    for (name, figure) in [
        ("answers/s in peace", format!("{:.0}", found.peak_per_s)),
        ("asked/s", format!("{:.0}", found.asked_per_s)),
        ("answers/s", format!("{:.0}", found.answered_per_s)),
        ("of what it can do", percent(found.goodput)),
        ("of these, brief", percent(found.degraded)),
        ("refused at once", percent(found.refused)),
        ("too late", percent(found.late)),
        ("failed otherwise", percent(found.failed)),
        ("answered within, median", format!("{:.1} ms", found.p50_ms)),
        ("answered within, 99 %", format!("{:.1} ms", found.p99_ms)),
        ("well again after", format!("{:.2} s", found.recovered_after_s)),
    ] {
        rows.add_row([name.to_owned(), figure]);
    }
    align_right(&mut rows, &[1]);
    print(rows)
}
