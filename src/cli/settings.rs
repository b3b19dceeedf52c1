//! `cartwright settings`

use anyhow::Context;
use clap::Args;
use serde_json::Value;

use super::output::print;
use crate::config::Config;

/// Show every setting and its value
///
/// Every setting with the value that it has now: the default, what `cartwright.toml` or --config says, or the
/// environment. What is not set and has no default is named below them. A value that is out of its range is an error.
#[derive(Debug, Args)]
pub(super) struct Settings;

impl Settings {
    pub(super) fn run(self, config: &Config) -> anyhow::Result<()> {
        let text = toml::to_string_pretty(config).context("the settings can't be written")?;
        print(text.trim_end())?;
        let whole = serde_json::to_value(config).context("the settings can't be written")?;
        print(format!("\n# Not set: {}", unset("", &whole).join(", ")))?;
        Ok(config.check()?)
    }
}

/// The names of settings without a value.
fn unset(section: &str, settings: &Value) -> Vec<String> {
    match settings {
        Value::Null => vec![section.trim_end_matches('.').to_owned()],
        Value::Object(settings) => {
            let below =
                |(name, value): (&String, &Value)| unset(&format!("{section}{name}."), value);
            settings.iter().flat_map(below).collect()
        }
        _ => Vec::new(),
    }
}
