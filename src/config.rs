//! Every knob in one place: the rooms' options, from file < environment < flags.

use std::path::Path;

use figment::Figment;
use figment::providers::{Env, Format, Serialized, Toml};
use serde::{Deserialize, Serialize};

use crate::catalog::CatalogOptions;
use crate::customers::ProfileOptions;
use crate::error::{Error, Result};
use crate::events::ReadOptions;
use crate::grpc::ServeOptions;
use crate::train::TrainOptions;

/// The file that is read if it is there and no other is named.
pub const DEFAULT_FILE: &str = "cartwright.toml";
/// Environment variables that start with this set a knob: `CARTWRIGHT_EVENTS__TIME_ZONE=Europe/Berlin`.
pub const ENVIRONMENT: &str = "CARTWRIGHT_";

/// Everything that can be set. All of it has a default that suits most shops.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How events are read and checked.
    pub events: ReadOptions,
    /// How the catalogue is read.
    pub catalog: CatalogOptions,
    /// How customers are told of.
    pub customers: ProfileOptions,
    /// How the shop is learnt.
    pub train: TrainOptions,
    /// How the server behaves.
    pub serve: ServeOptions,
}

impl Config {
    /// The defaults, overlaid by `file` (or [`DEFAULT_FILE`], where it exists), overlaid by the
    /// environment.
    ///
    /// Errors: the named file is missing; a knob is unknown or of the wrong type.
    pub fn load(file: Option<&Path>) -> Result<Self> {
        let toml = match file {
            Some(path) if !path.is_file() => {
                return Err(Error::Config(format!("there is no file {}", path.display())));
            }
            Some(path) => Toml::file_exact(path),
            // Not `Toml::file`, which would go on looking in the folders above.
            None if Path::new(DEFAULT_FILE).is_file() => Toml::file_exact(DEFAULT_FILE),
            None => Toml::string(""),
        };
        if let Some(name) = std::env::vars_os().find_map(|(name, _)| misspelt(name.to_str()?)) {
            return Err(Error::Config(name));
        }
        // Two underscores lead from a section to its knob; a variable without them is none of ours.
        let environment =
            Env::prefixed(ENVIRONMENT).filter(|key| key.as_str().contains("__")).split("__");
        let figment = Figment::from(Serialized::defaults(Self::default()));
        let mut config = understood(&figment.merge(toml).merge(environment))?;
        // One shop, one zone, one way to write a date.
        config.catalog.time_zone.clone_from(&config.events.time_zone);
        config.catalog.day_first = config.events.day_first;
        config.serve.time_zone.clone_from(&config.events.time_zone);
        Ok(config)
    }

    /// Errors: a setting is out of its range.
    pub fn check(&self) -> Result<()> {
        self.events.check()?;
        self.customers.worth.check()?;
        self.train.check()?;
        self.serve.check()
    }
}

/// The settings that were put together. The same as `extract`, whose six readers of every structure take a twentieth of
/// the time to compile.
///
/// Errors: what is wrong with one, and where it comes from.
fn understood(figment: &Figment) -> Result<Config> {
    let told = |error: figment::Error| Error::Config(error.to_string());
    let value = figment.find_value("").map_err(told)?;
    Config::deserialize(&value).map_err(|mut error| {
        let mut places = (1..=error.path.len()).rev().map(|keys| error.path[..keys].join("."));
        error.metadata = places.find_map(|place| figment.find_metadata(&place).cloned());
        error.profile = Some(figment.profile().clone());
        told(error)
    })
}

/// What is wrong with a variable that means a section's knob and lacks the second underscore.
fn misspelt(name: &str) -> Option<String> {
    let rest = name.strip_prefix(ENVIRONMENT).filter(|rest| !rest.contains("__"))?;
    let (section, knob) = rest.split_once('_')?;
    matches!(section, "EVENTS" | "CATALOG" | "CUSTOMERS" | "TRAIN" | "SERVE").then(|| {
        format!(
            "{name} sets nothing: two underscores lead from a section to its setting, as in \
             {ENVIRONMENT}{section}__{knob}"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_that_lacks_an_underscore_is_told_and_others_are_let_be() {
        let told = misspelt("CARTWRIGHT_EVENTS_TIME_ZONE").expect("it sets nothing");
        assert!(told.ends_with("CARTWRIGHT_EVENTS__TIME_ZONE"), "{told}");
        for name in [
            "CARTWRIGHT_EVENTS__TIME_ZONE",
            "CARTWRIGHT_CUSTOMER_SECRET",
            "CARTWRIGHT_DATA",
            "EVENTS_X",
        ] {
            assert_eq!(misspelt(name), None, "{name}");
        }
    }

    fn load(toml: &str) -> Result<Config> {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("shop.toml");
        std::fs::write(&path, toml).expect("written");
        Config::load(Some(&path))
    }

    #[test]
    fn a_knob_in_the_file_is_set_and_the_rest_keeps_its_default() {
        let config = load("[events]\ntime_zone = 'Europe/London'\n[train.bought]\nsize = 1.0\n");
        let config = config.expect("a sound file");
        assert_eq!(config.events.time_zone, "Europe/London");
        assert_eq!(config.catalog.time_zone, "Europe/London");
        assert_eq!(config.train.bought.size, 1.0);
        assert_eq!(config.train.bought.source, Config::default().train.bought.source);
    }

    #[test]
    fn an_unknown_knob_is_named_and_so_are_its_neighbours() {
        let error = load("[serve]\npoll_seconds = 3\n").expect_err("no such knob").to_string();
        assert!(error.contains("poll_seconds") && error.contains("poll_ms"), "{error}");
    }

    #[test]
    fn what_is_wrong_is_told_with_the_file_and_the_place_in_it() {
        for (text, place, expected) in [
            ("[serve]\npoll_ms = 'soon'\n", "serve.poll_ms", "found string \"soon\", expected u64"),
            ("[train.gate]\nrows_drop = [1]\n", "train.gate.rows_drop", "expected f64"),
            ("[events]\nnobody = ['0', 7]\n", "events.nobody.1", "expected a string"),
            ("[serve]\npoll_seconds = 3\n", "serve.poll_seconds", "unknown field"),
        ] {
            let error = load(text).expect_err(text).to_string();
            for part in [place, expected, "shop.toml"] {
                assert!(error.contains(part), "{part} is not in {error}");
            }
        }
    }

    #[test]
    fn any_text_is_a_configuration_or_refused_with_words() {
        let written = toml_of_defaults();
        let samples = [written.as_bytes(), b"[events]\ntime_zone = 'Europe/London'\n", b""];
        let understood = crate::torment::torment("config", &samples, |bytes| {
            let Ok(text) = std::str::from_utf8(bytes) else { return false };
            let figment = Figment::from(Serialized::defaults(Config::default()));
            match understood(&figment.merge(Toml::string(text))) {
                Ok(config) => {
                    let checked = config.train.check().and(config.customers.worth.check());
                    assert!(checked.map_or_else(|error| !error.to_string().is_empty(), |()| true));
                    true
                }
                Err(error) => {
                    assert!(!error.to_string().is_empty());
                    false
                }
            }
        });
        assert!(understood > 0);
    }

    /// Knobs of all sections, as somebody would write them.
    fn toml_of_defaults() -> String {
        "[events]\nmax_unreadable_share = 0.1\nmatch_case = true\n[events.map]\nitem_id = \"SKU\"\n\
         [train]\nkeep_generations = 5\n[train.bought]\nsize = 0.5\nvotes_per_customer = 10\n\
         [train.gate]\nrows_drop = 0.3\n[serve]\nqueue = 512\nrules = \"rules.toml\"\n\
         [serve.tls]\ncertificate = \"c.pem\"\n"
            .into()
    }

    #[test]
    fn a_file_that_is_named_and_missing_is_an_error() {
        let error = Config::load(Some(Path::new("/no/such.toml"))).expect_err("missing");
        assert!(error.to_string().contains("/no/such.toml"));
    }
}
