//! `cartwright key`

use std::io::Read;

use anyhow::{Context, bail};
use clap::Args;

use super::output::print;
use crate::grpc::{Scope, hash_of_key};

/// Make a key for a program that may ask the server
///
/// Prints a new key, once and nowhere else, and the line that makes it known: append that to the file which
/// `serve.keys` names. A running server takes it up.
#[derive(Debug, Args)]
pub(super) struct Key {
    /// Whose it is, for those who read the file: one word
    #[arg(value_name = "NAME")]
    name: String,
    /// What it may do: read, write or admin, each including those before it
    #[arg(long, default_value = "read", value_name = "SCOPE")]
    scope: String,
}

impl Key {
    pub(super) fn run(self) -> anyhow::Result<()> {
        if Scope::named(&self.scope).is_none() {
            bail!(crate::Error::Config(format!(
                "--scope must be read, write or admin, not {}",
                self.scope
            )));
        }
        if self.name.is_empty() || self.name.contains(|c: char| c.is_whitespace() || c == '#') {
            bail!(crate::Error::Config("the name must be one word".into()));
        }
        let mut random = [0u8; 32];
        std::fs::File::open("/dev/urandom")
            .and_then(|mut source| source.read_exact(&mut random))
            .context("the system gives no random numbers")?;
        let key: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        print(format!("key   {key}"))?;
        print(format!("line  {} {} {}", self.name, self.scope, hash_of_key(&key)))
    }
}
