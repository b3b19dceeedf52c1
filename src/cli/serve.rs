//! `cartwright serve`

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::pin::pin;

use anyhow::Context;
use clap::Args;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::config::Config;
use crate::grpc;
use crate::index::Index;
use crate::tables::time_zone;

/// Answer over gRPC from an index; takes up new generations by itself
///
/// Health (grpc.health.v1) says SERVING as soon as the index is loaded. SIGTERM and Ctrl-C finish what
/// is in flight and end with exit code 0.
#[derive(Debug, Args)]
pub(super) struct Serve {
    /// Directory of the index
    #[arg(long, value_name = "DIR")]
    index: PathBuf,
    /// Address to listen on
    #[arg(long, default_value = "127.0.0.1:50051", value_name = "HOST:PORT", value_parser = address)]
    listen: SocketAddr,
    /// Listens where other machines can connect, though without encryption or keys: the network is closed
    #[arg(long)]
    insecure_public: bool,
    /// The shop's time zone, as in training: the shop's rules begin and end on its days; default that of
    /// the index
    #[arg(long, value_name = "ZONE")]
    time_zone: Option<String>,
    /// Tell Prometheus how the server does, at http://HOST:PORT/metrics, without keys or encryption
    #[arg(long, value_name = "HOST:PORT", value_parser = address)]
    metrics: Option<SocketAddr>,
}

impl Serve {
    pub(super) fn run(self, mut config: Config) -> anyhow::Result<()> {
        config.serve.metrics = self.metrics.or(config.serve.metrics);
        let index = Index::at(self.index);
        let asked = self.time_zone.as_deref();
        config.serve.time_zone = super::zone_of(asked, &config.serve.time_zone, &index);
        warn_of_another_zone(&index, &config.serve.time_zone);
        grpc::may_listen(self.listen, &config.serve, self.insecure_public)?;
        runtime()?.block_on(async {
            let listener = TcpListener::bind(self.listen)
                .await
                .with_context(|| format!("cannot listen on {}", self.listen))?;
            tracing::info!(address = %listener.local_addr()?, "listening");
            let shutdown = pin!(told_to_stop()?);
            Ok(grpc::run(listener, index, &config.serve, shutdown).await?)
        })
    }
}

/// Days are the index's when it is trained, and the server's when a rule begins.
fn warn_of_another_zone(index: &Index, zone: &str) {
    let trained = index.current_manifest().ok().map(|manifest| manifest.time_zone());
    let served = time_zone(zone).ok();
    if let Some(trained) = trained.filter(|trained| served.is_some_and(|served| served != *trained))
    {
        tracing::warn!(
            trained = trained.iana_name(),
            served = zone,
            "the shop's rules begin and end on days of another time zone than the index was trained in: \
             --time-zone or events.time_zone names it"
        );
    }
}

/// Where a name leads that people write: of several addresses the first of IPv4, which clients try everywhere.
pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    let found = text.to_socket_addrs();
    let found =
        found.map_err(|error| format!("expected HOST:PORT, as localhost:50051: {error}"))?;
    found.min_by_key(SocketAddr::is_ipv6).ok_or_else(|| "the name has no address".to_owned())
}

/// For what there is to do beside serving, which has threads of its own.
pub(super) fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the async runtime")
}

/// Completes on SIGTERM or Ctrl-C. A SIGHUP is heard and nothing else: what a server reads again, it does by itself.
pub(super) fn told_to_stop() -> anyhow::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for Ctrl-C")?;
    let mut hang_up = signal(SignalKind::hangup()).context("cannot listen for SIGHUP")?;
    Ok(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => return,
                _ = interrupt.recv() => return,
                _ = hang_up.recv() => {
                    tracing::info!("rules, keys, certificates and generations are read again as they change: going on");
                }
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_listens_where_a_name_leads_and_says_what_it_expected() {
        assert_eq!(address("localhost:50051").map(|found| found.ip().is_loopback()), Ok(true));
        assert_eq!(address("[::1]:7").map(|found| found.to_string()), Ok("[::1]:7".into()));
        for wrong in ["localhost", "localhost:many", ""] {
            assert!(
                address(wrong).is_err_and(|error| error.contains("expected HOST:PORT")),
                "{wrong}"
            );
        }
    }
}
