//! The binary: parses, logs, exit codes.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use cartwright::cli::{Cli, LogFormat};
use clap::Parser;
use tracing_subscriber::EnvFilter;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .log_internal_errors(false) // where nobody reads the log, that can't be said either
        .with_ansi(std::io::stderr().is_terminal());
    match cli.log_format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().flatten_event(true).init(),
    }
    match cli.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report(&error);
            error.downcast_ref::<cartwright::Error>().map_or(1, cartwright::Error::exit_code).into()
        }
    }
}

/// The last word to the user.
fn report(error: &anyhow::Error) {
    _ = writeln!(std::io::stderr(), "error: {error:#}");
}
