//! Who may ask what: keys of the shop's own programs, each with what it may do.
//!
//! The file of keys holds hashes only, so that whoever reads it can't use it; a key is 256 random bits, which
//! need no slow hash. A presented key is compared with all of them in constant time: how long a refusal takes
//! tells nothing. Keys are in no log.

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use blake2::digest::consts::U32;
use blake2::{Blake2b, Digest};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};
use tonic::Status;
use tonic::codegen::http::HeaderMap;

use super::admission::try_again;
use crate::error::{Error, Result};

/// What a key may do; each may what those before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Ask for recommendations.
    Read,
    /// Change what is known of the catalogue, and the rules; read what is known of customers, and forget them.
    Write,
    /// Choose which generation is served.
    Admin,
}

impl Scope {
    /// By the word in the file.
    pub fn named(word: &str) -> Option<Self> {
        match word {
            "read" => Some(Self::Read),
            "write" => Some(Self::Write),
            "admin" => Some(Self::Admin),
            _ => None,
        }
    }

    /// What a call to this path takes; `None` if anybody may: whoever balances loads asks for health.
    pub(super) fn needed_for(path: &str) -> Option<Self> {
        match path.split('/').nth(1).unwrap_or_default() {
            "grpc.health.v1.Health" => None,
            "cartwright.v1.RecommendationService" => Some(Self::Read),
            service if service.starts_with("grpc.reflection.") => Some(Self::Read),
            "cartwright.v1.IndexService" => Some(Self::Admin),
            _ => Some(Self::Write),
        }
    }
}

/// BLAKE2b-256 of a key, as the file has it, in hexadecimal.
pub fn hash_of_key(key: &str) -> String {
    hash(key.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn hash(key: &[u8]) -> [u8; 32] {
    Blake2b::<U32>::digest(key).into()
}

/// The keys that are known, by their hashes.
#[derive(Debug, Default)]
pub(super) struct Keys(Vec<(Scope, [u8; 32])>);

impl Keys {
    /// Reads a file of keys: a line each, `NAME SCOPE HASH`. Blank lines and those that start with # say nothing.
    ///
    /// Errors: it can't be read, has no key, or a line is none; the message does not repeat the line.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path)
            .map_err(Error::io("read the keys of clients (serve.keys)", path))?;
        let lines = text.lines().zip(1..).map(|(line, number)| (line.trim(), number));
        let lines = lines.filter(|(line, _)| !line.is_empty() && !line.starts_with('#'));
        let wrong = |what: String| Error::Config(format!("keys {}: {what}", path.display()));
        let keys: Vec<_> = lines
            .map(|(line, number)| {
                parse(line).ok_or_else(|| {
                    wrong(format!(
                        "line {number} is not NAME SCOPE HASH; `cartwright key` writes such lines"
                    ))
                })
            })
            .collect::<Result<_>>()?;
        if keys.is_empty() {
            return Err(wrong("there is no key in it; `cartwright key` makes one".into()));
        }
        Ok(Self(keys))
    }

    /// What a key may do, if it is known.
    fn scope_of(&self, key: &[u8]) -> Option<Scope> {
        let presented = hash(key);
        let (mut known, mut scope) = (Choice::from(0), 0u8);
        for (theirs, hash) in &self.0 {
            let same = presented.ct_eq(hash);
            known |= same;
            scope.conditional_assign(&(*theirs as u8), same);
        }
        let scope = [Scope::Read, Scope::Write, Scope::Admin][usize::from(scope)];
        bool::from(known).then_some(scope)
    }

    /// Lets a request pass that bears a key for what it asks.
    pub(super) fn check(&self, headers: &HeaderMap, needed: Scope) -> Result<(), Refusal> {
        let key = presented(headers).ok_or(Refusal::NoKey)?;
        let scope = self.scope_of(key).ok_or(Refusal::UnknownKey)?;
        if scope >= needed { Ok(()) } else { Err(Refusal::Beyond) }
    }
}

fn parse(line: &str) -> Option<(Scope, [u8; 32])> {
    let mut words = line.split_whitespace().skip(1);
    let (scope, hash) = (Scope::named(words.next()?)?, words.next()?);
    if words.next().is_some() || hash.len() != 64 || !hash.is_ascii() {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, place) in bytes.iter_mut().zip((0..).step_by(2)) {
        *byte = u8::from_str_radix(&hash[place..place + 2], 16).ok()?;
    }
    Some((scope, bytes))
}

/// `authorization: Bearer KEY`, or `x-api-key: KEY`.
fn presented(headers: &HeaderMap) -> Option<&[u8]> {
    let bearer = headers.get("authorization").and_then(|value| {
        let (scheme, key) = value.as_bytes().split_at_checked(7)?;
        scheme.eq_ignore_ascii_case(b"bearer ").then_some(key)
    });
    bearer.or_else(|| Some(headers.get("x-api-key")?.as_bytes()))
}

/// Why a request may not pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    NoKey,
    UnknownKey,
    /// The key is known, and may not do this.
    Beyond,
}

impl Refusal {
    pub(super) fn status(self) -> Status {
        match self {
            Self::NoKey => Status::unauthenticated("a key is needed: `authorization: Bearer KEY`"),
            Self::UnknownKey => Status::unauthenticated("the key is not known"),
            Self::Beyond => Status::permission_denied("the key may not do this"),
        }
    }
}

/// Failed attempts of late, by where they came from.
#[derive(Debug, Default)]
pub(super) struct Attempts(HashMap<IpAddr, Failures>);

#[derive(Debug)]
struct Failures {
    since: Instant,
    count: u32,
}

/// Failures are counted for so long …
const WINDOW: Duration = Duration::from_secs(60);
/// … and after so many of them whoever comes from there without a good key is told to wait for the rest of it.
const MOST_FAILURES: u32 = 10;
/// Places remembered at most; whoever has more addresses than that is not held up by counting them.
const MOST_PLACES: usize = 10_000;

impl Attempts {
    /// What whoever has failed too often is told.
    pub(super) fn held_up(&self, from: IpAddr, now: Instant) -> Option<Status> {
        let failures = self.0.get(&from).filter(|failures| failures.count >= MOST_FAILURES)?;
        let left = WINDOW.checked_sub(now.duration_since(failures.since))?;
        Some(try_again("too many attempts with a wrong key", left))
    }

    /// Counts a failure; how many there were of late.
    pub(super) fn failed(&mut self, from: IpAddr, now: Instant) -> u32 {
        if self.0.len() >= MOST_PLACES {
            self.0.retain(|_, failures| now.duration_since(failures.since) < WINDOW);
        }
        if self.0.len() >= MOST_PLACES {
            self.0.clear();
        }
        let failures = self.0.entry(from).or_insert(Failures { since: now, count: 0 });
        if now.duration_since(failures.since) >= WINDOW {
            *failures = Failures { since: now, count: 0 };
        }
        failures.count += 1;
        failures.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(text: &str) -> Result<Keys> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("keys");
        std::fs::write(&path, text).expect("writable");
        Keys::read(&path)
    }

    fn with(name: &'static str, value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().expect("a header"));
        headers
    }

    #[test]
    fn a_key_may_do_what_its_scope_says_and_no_more() {
        let lines = format!(
            "# keys\n\nshop read {}\nfeed write {}\nops admin {}\n",
            hash_of_key("r"),
            hash_of_key("w"),
            hash_of_key("a")
        );
        let keys = keys(&lines).expect("sound");
        for (key, scopes) in [("r", 1), ("w", 2), ("a", 3)] {
            for (nth, needed) in [Scope::Read, Scope::Write, Scope::Admin].into_iter().enumerate() {
                let found = keys.check(&with("authorization", &format!("Bearer {key}")), needed);
                let expected = if nth < scopes { Ok(()) } else { Err(Refusal::Beyond) };
                assert_eq!(found, expected, "{key} {needed:?}");
            }
        }
        let check = |headers: &HeaderMap| keys.check(headers, Scope::Read);
        assert_eq!(check(&with("x-api-key", "r")), Ok(()));
        assert_eq!(check(&with("x-api-key", "x")), Err(Refusal::UnknownKey));
        assert_eq!(check(&with("x-api-key", "")), Err(Refusal::UnknownKey));
        assert_eq!(check(&with("authorization", "Basic r")), Err(Refusal::NoKey));
        assert_eq!(check(&HeaderMap::new()), Err(Refusal::NoKey));
        // The hash itself opens nothing.
        assert_eq!(check(&with("x-api-key", &hash_of_key("r"))), Err(Refusal::UnknownKey));
    }

    #[test]
    fn a_file_with_a_line_that_is_no_key_is_refused_without_repeating_it() {
        for text in ["", "# nothing\n", "shop read secret", "shop all 00", "shop read"] {
            let error = keys(text).expect_err("no keys").to_string();
            assert!(!error.contains("secret") && error.contains("cartwright key"), "{error}");
        }
    }

    #[test]
    fn whoever_fails_too_often_is_held_up_for_the_rest_of_the_minute() {
        let (mut attempts, start) = (Attempts::default(), Instant::now());
        let [from, other] = [1, 2].map(|last| IpAddr::from([10, 0, 0, last]));
        for nth in 1..=MOST_FAILURES {
            assert!(attempts.held_up(from, start).is_none());
            assert_eq!(attempts.failed(from, start), nth);
        }
        assert!(attempts.held_up(from, start + WINDOW / 2).is_some());
        assert!(attempts.held_up(other, start).is_none());
        assert!(attempts.held_up(from, start + 2 * WINDOW).is_none());
        assert_eq!(attempts.failed(from, start + 2 * WINDOW), 1);
    }
}
