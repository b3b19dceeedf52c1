//! The servers that are compared: processes of their own, so that their CPU time can be told apart.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::machine::cpu_time;
use super::redis::RedisServer;
use super::stand_in::Role;
use crate::error::{Error, Result};

/// How to start servers: this program again, in another role.
#[derive(Clone, Debug)]
pub struct Servers {
    program: PathBuf,
    pub(super) core: Option<usize>,
    settings: Option<PathBuf>,
}

/// A server under load.
#[derive(Debug)]
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    process: Option<Child>,
    /// The process that does the work: that one, or one that it looks after.
    worker: Option<u32>,
}

/// How long a server may take to end once it is told to.
const PATIENCE: Duration = Duration::from_secs(15);

impl Servers {
    /// Servers that this program plays: on that core, if the machine has one to spare, and by these settings.
    ///
    /// Errors: nobody knows where this program lies.
    pub fn of_this_program(core: Option<usize>, settings: Option<PathBuf>) -> Result<Self> {
        let program =
            std::env::current_exe().map_err(Error::io("find", Path::new("this program")))?;
        Ok(Self { program, core, settings })
    }

    /// The real server, on an index, as `serve` runs it.
    ///
    /// Errors: it does not start.
    pub fn real(&self, index: &Path) -> Result<Server> {
        self.start(Role::Real, index, false)
    }

    /// The real server, which may not give an answer again that it has given before. Made-up customers come
    /// again within the second: what it costs to work their answers out, only this one tells.
    ///
    /// Errors: it does not start.
    pub fn afresh(&self, index: &Path) -> Result<Server> {
        self.start(Role::Real, index, true)
    }

    /// A stand-in that gives the replies of a file.
    ///
    /// Errors: it does not start.
    pub fn stand_in(&self, role: Role, replies: &Path) -> Result<Server> {
        self.start(role, replies, false)
    }

    /// Redis with the replies of a file; `None` where it is not installed.
    ///
    /// Errors: it does not start.
    pub fn redis(&self, replies: &Path) -> Result<Option<Server>> {
        match RedisServer::is_installed() {
            true => self.start(Role::Redis, replies, false).map(Some),
            false => Ok(None),
        }
    }

    fn start(&self, role: Role, from: &Path, afresh: bool) -> Result<Server> {
        let mut command = Command::new(&self.program);
        command.args(["bench", "play", role.name()]).arg(from);
        if let Some(core) = self.core {
            command.arg("--core").arg(core.to_string());
        }
        if afresh {
            command.arg("--afresh");
        }
        if let Some(settings) = &self.settings {
            command.arg("--config").arg(settings);
        }
        // Its standard input stays open as long as this process lives: that is how it knows.
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(Error::io("start", &self.program))?;
        let mut line = String::new();
        if let Some(output) = process.stdout.take() {
            let read = BufReader::new(output).read_line(&mut line);
            read.map_err(Error::io("listen to", &self.program))?;
        }
        let mut words = line.split_whitespace();
        let address = words
            .next()
            .and_then(|word| word.parse().ok())
            .ok_or_else(|| Error::Server(format!("the {} server did not start", role.name())))?;
        let worker = words.next().and_then(|word| word.parse().ok());
        let worker = Some(worker.unwrap_or_else(|| process.id()));
        Ok(Server { address, process: Some(process), worker })
    }
}

impl Role {
    /// As the command line names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Real => "real",
            Self::Twin => "twin",
            Self::Raw => "raw",
            Self::Redis => "redis",
        }
    }
}

impl Server {
    /// A server that runs already. What it costs can't be known.
    pub fn elsewhere(address: SocketAddr) -> Self {
        Self { address, process: None, worker: None }
    }

    /// CPU time that it has used so far.
    pub(super) fn cpu_time(&self) -> Option<Duration> {
        cpu_time(self.worker?)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let Some(process) = &mut self.process else { return };
        drop(process.stdin.take()); // told to stop
        let told = Instant::now();
        while told.elapsed() < PATIENCE {
            if let Ok(Some(_)) = process.try_wait() {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let _ = process.kill(); // it may have ended after all
        let _ = process.wait();
    }
}
