//! `cartwright bench`

use clap::{Args, Subcommand};

use super::bench_train::BenchTrain;
use crate::config::Config;

/// How fast is it here?
#[derive(Debug, Args)]
pub(super) struct Bench {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Make up a shop of a given size and train on it
    Train(BenchTrain),
}

impl Bench {
    pub(super) fn run(self, config: Config) -> anyhow::Result<()> {
        match self.what {
            What::Train(train) => train.run(&config),
        }
    }
}
