//! What a generation says of itself.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::{MANIFEST, MANIFEST_DIGEST};
use crate::error::{Error, Result};

/// The format that this program writes and reads.
pub const FORMAT: u32 = 9;

/// The count of keys, shop's own and hashed, of customers who had asked to be forgotten when a generation was trained;
/// absent where nobody had.
pub const ERASURES: &str = "erasures";

/// `manifest.json`: everything about a generation that is not an answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Layout of the trees; see [`FORMAT`].
    pub format: u32,
    /// Number of the generation.
    pub generation: u64,
    /// When it was built, RFC 3339.
    pub created: String,
    /// Version of the program that built it.
    pub built_by: String,
    /// Last moment of the trained log, RFC 3339; absent if the log has no time.
    pub trained_until: Option<String>,
    /// How many items, customers, events, baskets, rules … there are.
    pub counts: BTreeMap<String, u64>,
    /// Every row of the input: used, or set aside and why.
    pub account: serde_json::Value,
    /// The configuration it was trained with.
    pub config: serde_json::Value,
    /// What was learnt, and how well it did on held-out weeks.
    pub learnt: serde_json::Value,
    /// What was found when it was held against its bounds and the generation before, and whether it was published
    /// all the same; absent in generations from before there was a gate.
    #[serde(default)]
    pub gate: serde_json::Value,
    /// What the trainer noticed, in words.
    pub notes: Vec<String>,
    /// How customers are called on disk: empty for the shop's own keys; else they are keyed hashes, and this
    /// is a mark by which the secret is known.
    #[serde(default)]
    pub customer_keys: String,
    /// Per tree: entries and digest of its contents.
    pub trees: BTreeMap<String, TreeDigest>,
}

/// Tells whether a tree holds what was written. Over contents, for sled rewrites its files on open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TreeDigest {
    /// Keys in the tree.
    pub entries: u64,
    /// Bytes of all values: who reads them makes room first.
    pub bytes: u64,
    /// XXH3-128 over all keys and values in key order, each with its length before it, in hex.
    pub digest: String,
}

impl Manifest {
    /// Reads the manifest in the generation's directory.
    ///
    /// Errors: missing, not as it was written, or of another format.
    pub fn read(directory: &Path) -> Result<Self> {
        let path = directory.join(MANIFEST);
        let bytes = std::fs::read(&path).map_err(Error::io("read", &path))?;
        let beside = directory.join(MANIFEST_DIGEST);
        let digest = std::fs::read_to_string(&beside).map_err(Error::io("read", &beside))?;
        if digest.trim_end() != digest_of(&bytes) {
            return Err(Error::index(
                &path,
                "the manifest is not what was written, going by manifest.digest beside it; train again, or go back to an earlier generation",
            ));
        }
        Self::parse(&bytes, &path)
    }

    /// The time zone of the shop when it was trained.
    pub fn time_zone(&self) -> TimeZone {
        let name = self.config.pointer("/events/time_zone").and_then(|zone| zone.as_str());
        name.and_then(|name| TimeZone::get(name).ok()).unwrap_or(TimeZone::UTC)
    }

    fn parse(bytes: &[u8], path: &Path) -> Result<Self> {
        let manifest: Self = serde_json::from_slice(bytes).map_err(|error| {
            Error::index(path, format!("the manifest is damaged ({error}); train again, or go back to an earlier generation"))
        })?;
        if manifest.format != FORMAT {
            return Err(Error::index(
                path,
                format!(
                    "its format is {}, and this program reads format {FORMAT}; train again",
                    manifest.format
                ),
            ));
        }
        Ok(manifest)
    }
}

/// What belongs into the file beside a manifest with these bytes.
pub(super) fn digest_of(manifest: &[u8]) -> String {
    format!("{:032x}", twox_hash::XxHash3_128::oneshot(manifest))
}

/// Digests entries as they pass by in key order.
#[derive(Default)]
pub(super) struct Digester {
    entries: u64,
    bytes: u64,
    hasher: twox_hash::xxhash3_128::Hasher,
}

impl Digester {
    pub(super) fn add(&mut self, key: &[u8], value: &[u8]) {
        self.entries += 1;
        self.bytes += value.len() as u64;
        for part in [key, value] {
            self.hasher.write(&(part.len() as u64).to_le_bytes());
            self.hasher.write(part);
        }
    }

    pub(super) fn finish(self) -> TreeDigest {
        let Self { entries, bytes, hasher } = self;
        TreeDigest { entries, bytes, digest: format!("{:032x}", hasher.finish_128()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = r#"{"format": FORMAT, "generation": 42, "created": "2026-03-01T00:00:00Z",
        "built_by": "0.1.0", "trained_until": "2026-02-28T23:59:59Z", "counts": {"items": 400},
        "account": {"read": 10, "set_aside": {}}, "config": null, "learnt": {"blend": {"related": {"bought": 1.0}}},
        "gate": {"forced": false}, "notes": ["a note"], "customer_keys": "plain",
        "trees": {"items": {"entries": 1, "bytes": 2, "digest": "00"}}}"#;

    #[test]
    fn any_bytes_are_a_manifest_or_refused_with_the_file() {
        let path = Path::new("generations/000042/manifest.json");
        let sample = SAMPLE.replace("FORMAT", &FORMAT.to_string());
        let understood =
            crate::torment::torment(
                "manifest",
                &[sample.as_bytes()],
                |bytes| match Manifest::parse(bytes, path) {
                    Ok(manifest) => manifest.format == FORMAT,
                    Err(error) => {
                        let told = error.to_string();
                        assert!(
                            told.contains("000042/manifest.json") && told.contains("train again")
                        );
                        false
                    }
                },
            );
        assert!(understood > 0);
    }
}
