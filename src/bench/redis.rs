//! Redis, where it is installed: what it costs to look the same bytes up over a protocol as simple as can be.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::load::Asker;
use crate::error::{Error, Result};

/// A Redis server that holds replies, each under its number.
#[derive(Debug)]
pub struct RedisServer {
    /// Where it listens.
    pub address: SocketAddr,
    process: Child,
}

/// How long it may take to start.
const PATIENCE: Duration = Duration::from_secs(10);

impl RedisServer {
    /// Whether there is one to start.
    pub(super) fn is_installed() -> bool {
        redis().arg("--version").status().is_ok()
    }

    /// Starts `redis-server` on a free port, on the cores of this thread, and gives it the replies.
    ///
    /// Errors: it does not start, or does not take them.
    pub async fn start(replies: &[Vec<u8>]) -> Result<Self> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|free| free.local_addr());
        let address = port.map_err(|error| failed(&error))?;
        let mut command = redis();
        command.args(["--bind", "127.0.0.1", "--port", &address.port().to_string()]);
        command.args(["--save", "", "--appendonly", "no"]);
        let process = command.spawn().map_err(|error| failed(&error))?;
        let server = Self { address, process };
        server.fill(replies).await.map_err(|error| failed(&error))?;
        Ok(server)
    }

    /// The number of its process.
    pub fn process(&self) -> u32 {
        self.process.id()
    }

    async fn fill(&self, replies: &[Vec<u8>]) -> io::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        let mut stream = loop {
            match connect(self.address).await {
                Err(_) if Instant::now() < deadline => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                opened => break opened?,
            }
        };
        for (number, reply) in replies.iter().enumerate() {
            stream.write_all(&command_of(&[b"SET", key(number).as_bytes(), reply])).await?;
            read_reply(&mut stream, &mut Vec::new()).await?;
        }
        Ok(())
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        let _ = self.process.kill(); // it may have ended after all
        let _ = self.process.wait();
    }
}

fn redis() -> Command {
    let mut command = Command::new("redis-server");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

async fn connect(address: SocketAddr) -> io::Result<BufReader<TcpStream>> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(BufReader::new(stream))
}

/// So many who ask for that many replies, each on a connection of their own: that is how Redis is asked several things
/// at once.
///
/// Errors: it does not let them in.
pub(super) async fn askers(
    address: SocketAddr,
    replies: usize,
    count: usize,
) -> Result<Vec<RedisAsker>> {
    let mut askers = Vec::with_capacity(count);
    for _ in 0..count {
        let stream = connect(address).await.map_err(|error| failed(&error))?;
        askers.push(RedisAsker { stream, replies, reply: Vec::new() });
    }
    Ok(askers)
}

/// Asks for one reply after the other.
#[derive(Debug)]
pub(super) struct RedisAsker {
    stream: BufReader<TcpStream>,
    replies: usize,
    reply: Vec<u8>,
}

impl Asker for RedisAsker {
    async fn ask(&mut self, number: usize) -> Result<()> {
        let get = command_of(&[b"GET", key(number % self.replies).as_bytes()]);
        let asked = async {
            self.stream.write_all(&get).await?;
            read_reply(&mut self.stream, &mut self.reply).await
        };
        asked.await.map_err(|error| failed(&error))
    }
}

fn key(number: usize) -> String {
    format!("reply:{number}")
}

/// A command and its arguments, as Redis wants them.
fn command_of(words: &[&[u8]]) -> Vec<u8> {
    let mut command = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        command.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        command.extend_from_slice(word);
        command.extend_from_slice(b"\r\n");
    }
    command
}

/// Reads one reply: bytes, or an acknowledgement, which has none.
async fn read_reply(stream: &mut BufReader<TcpStream>, reply: &mut Vec<u8>) -> io::Result<()> {
    reply.clear();
    stream.read_until(b'\n', reply).await?;
    let length = match reply.split_first() {
        Some((b'+', _)) => return Ok(()),
        Some((b'$', length)) => {
            std::str::from_utf8(length).ok().and_then(|n| n.trim().parse().ok())
        }
        _ => None,
    };
    let unexpected = || io::Error::new(ErrorKind::InvalidData, "Redis gives no such reply");
    let length: usize = length.ok_or_else(unexpected)?;
    reply.resize(length + 2, 0); // and the end of the line
    stream.read_exact(reply).await.map(drop)
}

fn failed(what: &dyn std::fmt::Display) -> Error {
    Error::Server(format!("redis-server can't be compared with: {what}"))
}
