//! What a request has to pass before a service hears of it: the key, the queue, the deadline.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use arc_swap::ArcSwapOption;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tonic::Status;
use tonic::codegen::http::HeaderMap;
use tracing::{error, info, warn};

use super::admission::{Inside, Queue, Tally, no_room, time_allowed};
use super::keys::{Attempts, Keys, Refusal, Scope};
use super::meter::Meter;
use super::server::ServeOptions;
use crate::error::{Error, Result};

/// What all connections share.
#[derive(Debug)]
pub(super) struct Guard {
    queue: Arc<Queue>,
    most_time: Duration,
    keys: ArcSwapOption<Keys>,
    tls: ArcSwapOption<ServerConfig>,
    attempts: Mutex<Attempts>,
    meter: Arc<Meter>,
    options: ServeOptions,
}

/// Loading a large generation may take so long; it is not cut short halfway.
const SWITCH: Duration = Duration::from_secs(60);

/// A call that is about a whole shop may take so long: all customers are read, or 100,000 items are taken in. To give
/// up on it sooner would not even help: what has begun is done, and kept.
const WHOLE: Duration = Duration::from_secs(300);
/// What such calls begin with.
const OF_WHOLE: [&str; 6] = [
    "/cartwright.v1.CatalogService/UpsertItems",
    "/cartwright.v1.CatalogService/SetInventory",
    "/cartwright.v1.CatalogService/HideItems",
    "/cartwright.v1.CatalogService/UnhideItems",
    "/cartwright.v1.CatalogService/DeleteItems",
    "/cartwright.v1.AudienceService/",
];

/// So often it is said that there was too much to do.
const SAID_EVERY: Duration = Duration::from_secs(10);

/// When each file was changed last.
type Changes = BTreeMap<PathBuf, Option<SystemTime>>;

impl Guard {
    /// A guard that knows the keys and certificates which `options` name.
    ///
    /// Errors: they can't be read.
    pub(super) fn new(options: &ServeOptions) -> Result<Self> {
        let keys = options.keys.as_deref().map(Keys::read).transpose()?;
        Ok(Self {
            queue: Arc::new(Queue::new(options.queue.max(1))),
            most_time: Duration::from_millis(options.deadline_ms.max(1)),
            keys: ArcSwapOption::from_pointee(keys),
            tls: ArcSwapOption::new(options.tls.read()?),
            attempts: Mutex::default(),
            meter: Arc::default(),
            options: options.clone(),
        })
    }

    /// Where requests wait.
    pub(super) fn queue(&self) -> Arc<Queue> {
        self.queue.clone()
    }

    /// Counts what comes and what becomes of it.
    pub(super) fn meter(&self) -> &Arc<Meter> {
        &self.meter
    }

    /// Encrypts a connection; `None` if connections are not encrypted.
    pub(super) fn tls(&self) -> Option<TlsAcceptor> {
        self.tls.load_full().map(TlsAcceptor::from)
    }

    /// Lets a request in, with the moment by which it must be answered; health always has room.
    ///
    /// Errors: what it is refused with.
    pub(super) fn admit(
        &self,
        path: &str,
        headers: &HeaderMap,
        from: IpAddr,
    ) -> Result<(Instant, Option<Inside>), Status> {
        let needed = Scope::needed_for(path);
        if let (Some(needed), Some(keys)) = (needed, self.keys.load().as_deref()) {
            self.identify(keys, headers, needed, from)?;
        }
        let deadline = Instant::now() + time_allowed(headers, self.most_time(path, needed))?;
        let inside = match needed {
            None => None,
            Some(_) => Some(self.queue.enter().ok_or_else(no_room)?),
        };
        Ok((deadline, inside))
    }

    /// The time that a call may take if its client does not want it sooner.
    fn most_time(&self, path: &str, needed: Option<Scope>) -> Duration {
        if OF_WHOLE.iter().any(|call| path.starts_with(call)) {
            return self.most_time.max(WHOLE);
        }
        if needed == Some(Scope::Admin) { self.most_time.max(SWITCH) } else { self.most_time }
    }

    fn identify(
        &self,
        keys: &Keys,
        headers: &HeaderMap,
        needed: Scope,
        from: IpAddr,
    ) -> Result<(), Status> {
        let now = Instant::now();
        let attempts = || self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        let Err(refusal) = keys.check(headers, needed) else { return Ok(()) };
        if let Some(status) = attempts().held_up(from, now) {
            // Who has no key, or one that may do less, is not guessing: they hear why each time, and the log no more.
            return Err(if refusal == Refusal::UnknownKey { status } else { refusal.status() });
        }
        let failures = attempts().failed(from, now);
        warn!(%from, failures, why = ?refusal, "a request was refused for its key");
        Err(refusal.status())
    }

    /// Looks again and again whether keys or certificates have changed, and takes up those that are sound.
    /// Connections that are open stay open. Now and then it is logged how many found the queue long.
    pub(super) async fn keep_up(self: Arc<Self>, every: Duration) {
        let mut known = self.changes();
        let (mut said, mut tally) = (Instant::now(), Tally::default());
        loop {
            tokio::time::sleep(every).await;
            if said.elapsed() >= SAID_EVERY {
                (said, tally) = (Instant::now(), self.say_what_was_too_much(tally));
            }
            let now = self.changes();
            if now != known {
                match self.reload() {
                    Ok(()) => info!("keys and certificates were read again"),
                    Err(error) => {
                        error!(%error, "keys or certificates can't be read; the old ones stay")
                    }
                }
                known = now;
            }
        }
    }

    /// Logs how many requests were answered briefly or refused since `before`, if any were.
    fn say_what_was_too_much(&self, before: Tally) -> Tally {
        let now = self.queue.tally();
        if now != before {
            let (brief, refused) = (now.brief - before.brief, now.refused - before.refused);
            warn!(brief, refused, "more was asked than could be answered in full");
        }
        now
    }

    fn changes(&self) -> Changes {
        let files = self.options.keys.iter().chain(self.options.tls.files());
        let changed = |file: &PathBuf| file.metadata().and_then(|about| about.modified()).ok();
        files.map(|file| (file.clone(), changed(file))).collect()
    }

    fn reload(&self) -> Result<()> {
        let keys = self.options.keys.as_deref().map(Keys::read).transpose()?;
        let tls = self.options.tls.read()?;
        self.keys.store(keys.map(Arc::new));
        self.tls.store(tls);
        Ok(())
    }
}

/// Whether a server may listen at this address.
///
/// Errors: others than this machine could connect, and nothing keeps them from reading along or from asking:
/// [`Error::Config`], with what would.
pub fn may_listen(address: SocketAddr, options: &ServeOptions, insecure: bool) -> Result<()> {
    let is_encrypted = options.tls.is_on();
    let is_known = options.keys.is_some() || options.tls.client_ca.is_some();
    if address.ip().is_loopback() || insecure || is_encrypted && is_known {
        return Ok(());
    }
    let missing = match (is_encrypted, is_known) {
        (true, _) => "anybody may ask: set serve.keys or serve.tls.client_ca",
        (_, true) => "anybody may read along: set serve.tls.certificate and serve.tls.key",
        _ => "anybody may ask and read along: set serve.tls, and serve.keys or serve.tls.client_ca",
    };
    Err(Error::Config(format!(
        "{address} can be reached from other machines, and {missing}; or pass --insecure-public, where the network itself is closed"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grpc::TlsOptions;

    /// A client was told that its items had come too late, and they were kept all the same.
    #[test]
    fn what_is_about_a_whole_shop_has_time_for_it_unless_the_client_has_not() {
        let options = ServeOptions { deadline_ms: 2_000, ..ServeOptions::default() };
        let guard = Guard::new(&options).expect("sound options");
        let allowed = |path: &str, timeout: Option<&str>| {
            let header = timeout.map(|text| {
                ("grpc-timeout".parse().expect("a name"), text.parse().expect("a value"))
            });
            let headers: HeaderMap = header.into_iter().collect();
            let (now, from) = (Instant::now(), IpAddr::from([127, 0, 0, 1]));
            let (deadline, _) = guard.admit(path, &headers, from).expect("there is room");
            deadline.duration_since(now).as_secs_f64().round()
        };
        for (path, seconds) in [
            ("/cartwright.v1.RecommendationService/RelatedItems", 2.0),
            ("/cartwright.v1.CatalogService/GetItem", 2.0),
            ("/cartwright.v1.CatalogService/SetInventory", 300.0),
            ("/cartwright.v1.CatalogService/HideItems", 300.0),
            ("/cartwright.v1.CatalogService/UpsertItems", 300.0),
            ("/cartwright.v1.AudienceService/StreamAudience", 300.0),
            ("/cartwright.v1.IndexService/ActivateGeneration", 60.0),
        ] {
            assert_eq!(allowed(path, None), seconds, "{path}");
            assert_eq!(allowed(path, Some("1S")), 1.0, "{path}");
        }
    }

    #[test]
    fn an_open_address_takes_encryption_and_keys_or_a_word() {
        let tls =
            TlsOptions { certificate: Some("c".into()), key: Some("k".into()), client_ca: None };
        let plain = ServeOptions::default();
        let keyed = ServeOptions { keys: Some("keys".into()), ..ServeOptions::default() };
        let encrypted = ServeOptions { tls: tls.clone(), ..ServeOptions::default() };
        let both = ServeOptions { tls: tls.clone(), ..keyed.clone() };
        let mutual = TlsOptions { client_ca: Some("ca".into()), ..tls };
        let mutual = ServeOptions { tls: mutual, ..ServeOptions::default() };
        let open: SocketAddr = "0.0.0.0:1".parse().expect("an address");
        for options in [&plain, &keyed, &encrypted] {
            let error = may_listen(open, options, false).expect_err("not so");
            assert!(error.to_string().contains("--insecure-public") && error.exit_code() == 2);
            may_listen(open, options, true).expect("it was said");
            may_listen("127.0.0.1:1".parse().expect("an address"), options, false).expect("closed");
            may_listen("[::1]:1".parse().expect("an address"), options, false).expect("closed");
        }
        for options in [&both, &mutual] {
            may_listen(open, options, false).expect("safe");
        }
    }
}
