//! The comparison: round after round, each server in turn.

use std::cell::Cell;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::connection::Connection;
use super::figures::{Figures, OpenRun, Report, Round, Run};
use super::load::{Slice, askers, closed, open};
use super::questions::{QueryKind, Questions};
use super::redis;
use super::servers::{Server, Servers};
use super::stand_in::{Role, write_replies};
use crate::error::{Error, Result};

/// How to load the servers.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Requests under way at any moment, a closed-loop run for each.
    pub in_flight: Vec<usize>,
    /// Requests per second, an open-loop run for each.
    pub rates: Vec<f64>,
    /// HTTP/2 connections, ≥ 1.
    pub connections: usize,
    /// How long each server is loaded for each figure, all rounds together.
    pub duration: Duration,
    /// Slices that this time is cut into, ≥ 1.
    pub rounds: usize,
}

/// Told what is being measured.
pub type Progress<'a> = &'a mut dyn FnMut(&str);

/// Replies that the stand-ins give in turn, at most.
const RECORDED_REPLIES: usize = 2_000;
/// How long a server may take until it answers. An index of millions of items is loaded meanwhile.
const PATIENCE: Duration = Duration::from_secs(120);
/// Load before anything is measured.
const WARM_UP: Duration = Duration::from_millis(300);

/// Loads the `real` server with each set of questions (`None` is a mix), beside one that works every answer out
/// `afresh` and stand-ins that give its replies.
///
/// Errors: a server does not start, or a request fails.
pub async fn compare(
    real: &Server,
    afresh: Option<&Server>,
    servers: &Servers,
    sets: Vec<(Option<QueryKind>, Questions)>,
    options: &Options,
    progress: Progress<'_>,
) -> Result<Report> {
    let (connections, rounds) = (options.connections, options.rounds);
    let pinned = servers.core.is_some();
    let mut report = Report { pinned, connections, rounds, ..Report::default() };
    for (query, questions) in sets {
        let name = query.map_or("mixed", QueryKind::name);
        progress(&format!("{name}: recording replies"));
        let contest = Contest::start(real, afresh, servers, questions, options).await?;
        for &in_flight in &options.in_flight {
            progress(&format!("{name}: {in_flight} in flight"));
            let run = contest.closed_run(query, in_flight, options).await?;
            if query.is_some() { &mut report.runs } else { &mut report.mixed }.push(run);
        }
        for &rate in &options.rates {
            progress(&format!("{name}: {rate} requests/s"));
            report.open.push(contest.open_run(query, rate, options).await?);
        }
    }
    Ok(report)
}

/// The servers, and what they are asked.
struct Contest<'a> {
    real: Loaded<'a>,
    afresh: Option<Loaded<'a>>,
    twin: Loaded<'a>,
    raw: Loaded<'a>,
    redis: Option<Server>,
    replies: usize,
    questions: Arc<Questions>,
    reply_bytes: f64,
    /// Questions asked so far, so that none is asked twice before all had their turn.
    asked: Cell<usize>,
    /// Holds the recorded replies until all have been read.
    _folder: tempfile::TempDir,
}

/// A server with open connections to it.
struct Loaded<'a> {
    server: Held<'a>,
    connections: Vec<Connection>,
}

enum Held<'a> {
    Borrowed(&'a Server),
    Owned(Server),
}

impl Held<'_> {
    fn server(&self) -> &Server {
        match self {
            Self::Borrowed(server) => server,
            Self::Owned(server) => server,
        }
    }
}

impl<'a> Contest<'a> {
    async fn start(
        real: &'a Server,
        afresh: Option<&'a Server>,
        servers: &Servers,
        questions: Questions,
        options: &Options,
    ) -> Result<Self> {
        let first = questions.0.first();
        let first = first.ok_or_else(|| Error::Input("no questions to ask".into()))?;
        let mut connection = Connection::once_ready(real.address, first, PATIENCE).await?;
        let mut replies: Vec<Bytes> = Vec::new();
        for question in questions.0.iter().take(RECORDED_REPLIES) {
            replies.push(connection.message(question).await?);
        }
        let bytes: usize = replies.iter().map(Bytes::len).sum();
        let reply_bytes = bytes as f64 / replies.len() as f64;

        let folder = tempfile::tempdir().map_err(Error::io("create", std::env::temp_dir()))?;
        let path: PathBuf = folder.path().join("replies");
        write_replies(&path, &replies)?;
        let stand_in = |role| servers.stand_in(role, &path).map(Held::Owned);
        let load = async |server| Loaded::once_ready(server, first, options.connections).await;
        let (twin, raw) = (load(stand_in(Role::Twin)?).await?, load(stand_in(Role::Raw)?).await?);
        let real = load(Held::Borrowed(real)).await?;
        let afresh = match afresh {
            Some(server) => Some(load(Held::Borrowed(server)).await?),
            None => None,
        };
        let redis = servers.redis(&path)?;
        let (questions, replies) = (Arc::new(questions), replies.len());
        let asked = Cell::new(replies);
        Ok(Self {
            real,
            afresh,
            twin,
            raw,
            redis,
            replies,
            questions,
            reply_bytes,
            asked,
            _folder: folder,
        })
    }

    async fn closed_run(
        &self,
        query: Option<QueryKind>,
        in_flight: usize,
        options: &Options,
    ) -> Result<Run> {
        self.warm_up(in_flight).await?;
        let slice = options.duration.div_f64(options.rounds as f64);
        let mut rounds = Vec::with_capacity(options.rounds);
        for _ in 0..options.rounds {
            let first = self.asked.get();
            let turn = async |loaded: &Loaded<'_>| {
                let askers = askers(&loaded.connections, &self.questions, in_flight);
                loaded.measured(closed(askers, first, slice)).await
            };
            let mut round = self.round(turn).await?;
            if let Some(redis) = &self.redis {
                let askers = redis::askers(redis.address, self.replies, in_flight).await?;
                let load = closed(askers, first, slice);
                round.redis = Some(measured(|| redis.cpu_time(), load).await?);
            }
            self.count(round.real.requests_per_s * slice.as_secs_f64());
            rounds.push(round);
        }
        Ok(Run::of(query, in_flight, self.reply_bytes, &rounds))
    }

    /// Each server in its turn, but Redis.
    async fn round(&self, turn: impl AsyncFn(&Loaded<'_>) -> Result<Figures>) -> Result<Round> {
        Ok(Round {
            real: turn(&self.real).await?,
            afresh: match &self.afresh {
                Some(afresh) => Some(turn(afresh).await?),
                None => None,
            },
            twin: turn(&self.twin).await?,
            raw: turn(&self.raw).await?,
            redis: None,
        })
    }

    async fn warm_up(&self, in_flight: usize) -> Result<()> {
        let first = self.asked.get();
        let turn = async |loaded: &Loaded<'_>| {
            let askers = askers(&loaded.connections, &self.questions, in_flight);
            loaded.measured(closed(askers, first, WARM_UP)).await
        };
        let round = self.round(turn).await?;
        self.count(round.real.requests_per_s * WARM_UP.as_secs_f64());
        Ok(())
    }

    fn count(&self, asked: f64) {
        self.asked.set(self.asked.get() + asked.ceil() as usize);
    }

    async fn open_run(
        &self,
        query: Option<QueryKind>,
        rate: f64,
        options: &Options,
    ) -> Result<OpenRun> {
        self.warm_up(options.connections).await?;
        let first = self.asked.get();
        let turn = async |loaded: &Loaded<'_>| {
            let load = open(&loaded.connections, &self.questions, first, rate, options.duration);
            loaded.measured(load).await
        };
        let Round { real, afresh, twin, raw, redis: _ } = self.round(turn).await?;
        self.count(rate * options.duration.as_secs_f64());
        Ok(OpenRun { query, rate, figures: real, afresh, twin, raw_http2: raw })
    }
}

impl<'a> Loaded<'a> {
    async fn once_ready(
        server: Held<'a>,
        first: &(QueryKind, Bytes),
        connections: usize,
    ) -> Result<Self> {
        let address = server.server().address;
        let mut open = vec![Connection::once_ready(address, first, PATIENCE).await?];
        while open.len() < connections {
            open.push(Connection::open(address).await?);
        }
        Ok(Self { server, connections: open })
    }

    async fn measured(&self, load: impl Future<Output = Result<Slice>>) -> Result<Figures> {
        measured(|| self.server.server().cpu_time(), load).await
    }
}

async fn measured(
    cpu_time: impl Fn() -> Option<Duration>,
    load: impl Future<Output = Result<Slice>>,
) -> Result<Figures> {
    let before = cpu_time();
    let slice = load.await?;
    // A thread that ends takes its time along: then there is no figure.
    let used = cpu_time().zip(before).and_then(|(after, before)| after.checked_sub(before));
    Ok(Figures::of(&slice, used.map(|used| used.as_secs_f64())))
}
