//! `cartwright settings`

use anyhow::Context;
use clap::Args;

use super::output::print;
use crate::config::Config;

/// Every setting with the value that it has now: the default, what `cartwright.toml` or --config says, or the
/// environment. What is not set and has no default is not shown.
#[derive(Debug, Args)]
pub(super) struct Settings;

impl Settings {
    pub(super) fn run(self, config: &Config) -> anyhow::Result<()> {
        let text = toml::to_string_pretty(config).context("the settings can't be written")?;
        print(text.trim_end())
    }
}
