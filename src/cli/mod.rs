//! The command line: one file per command. Results go to stdout, everything else to stderr.

mod ask;
mod audience;
mod bench;
mod bench_overload;
mod bench_train;
mod campaign;
mod demo;
mod evaluate;
mod evaluate_hot;
mod everyone;
mod index;
mod key;
mod output;
mod placement;
mod report;
mod serve;
mod settings;
mod train;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::config::Config;
use crate::grpc::ServeOptions;
use crate::index::Index;

/// Recommendations for online shops: trains on what customers did, answers over gRPC, says why.
#[derive(Debug, Parser)]
#[command(name = "cartwright", version, max_term_width = 100)]
pub struct Cli {
    /// Settings; without it, ./cartwright.toml is read if there is one
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// How the log is written, to stderr
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t,
        env = "CARTWRIGHT_LOG_FORMAT",
        value_name = "FORMAT"
    )]
    pub log_format: LogFormat,
    #[command(subcommand)]
    command: Command,
}

/// How a log is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// An object to a line.
    Json,
}

/// What each is for is told where its arguments are.
#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::Demo),
    Train(train::Train),
    Serve(serve::Serve),
    Ask(ask::Ask),
    Evaluate(evaluate::Evaluate),
    Bench(bench::Bench),
    Audience(audience::AudienceCommand),
    Campaign(campaign::CampaignCommand),
    Report(report::ReportCommand),
    Index(index::IndexCommand),
    Key(key::Key),
    Settings(settings::Settings),
}

/// The shop's time zone: what is asked for, or else that in which the index was trained.
fn zone_of(asked: Option<&str>, settings: &str, index: &Index) -> String {
    let default = ServeOptions::default().time_zone;
    let set = Some(settings).filter(|zone| *zone != default);
    let trained = || index.current_manifest().ok()?.time_zone().iana_name().map(str::to_owned);
    asked.or(set).map(str::to_owned).or_else(trained).unwrap_or(default)
}

impl Cli {
    /// Does what was asked for.
    ///
    /// Errors: whatever went wrong, in words for the user.
    pub fn run(self) -> anyhow::Result<()> {
        let needs_settings =
            !matches!(self.command, Command::Index(_) | Command::Key(_) | Command::Audience(_));
        let config = match self.config.as_deref() {
            None if !needs_settings => Config::default(), // it must work where those at hand are broken
            file => Config::load(file)?,
        };
        match self.command {
            Command::Demo(demo) => demo.run(config),
            Command::Train(train) => train.run(config),
            Command::Serve(serve) => serve.run(config),
            Command::Ask(ask) => ask.run(&config),
            Command::Evaluate(evaluate) => evaluate.run(config),
            Command::Bench(bench) => bench.run(config, self.config),
            Command::Index(index) => index.run(),
            Command::Key(key) => key.run(),
            Command::Settings(settings) => settings.run(&config),
            Command::Audience(audience) => audience.run(),
            Command::Report(report) => report.run(config),
            Command::Campaign(campaign) => campaign.run(config),
        }
    }
}
