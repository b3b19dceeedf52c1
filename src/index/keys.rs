//! Under which names customers are kept: the shop's own keys, or keyed hashes of them; and those who asked
//! to be forgotten.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use arc_swap::ArcSwap;
use blake2::digest::consts::U16;
use blake2::{Blake2b, Digest};

use super::Index;
use super::write::{sync_dir, write_durably};
use crate::error::{Error, Result};
use crate::fault;

/// The environment variable that holds the secret of hashed keys.
pub const SECRET: &str = "CARTWRIGHT_CUSTOMER_SECRET";
/// The file of those who asked to be forgotten.
const ERASED: &str = "erased";
/// Under every secret this text has another hash: the manifest tells by it which secret is meant.
const MARK: &str = "cartwright customer keys";

/// How customers are called on disk.
#[derive(Clone, PartialEq, Eq, Default)]
pub enum CustomerKeys {
    /// By the shop's own keys.
    #[default]
    Plain,
    /// By BLAKE2b-128 over the secret and the key, in hexadecimal: who reads the disk learns no key.
    Hashed(String),
}

impl std::fmt::Debug for CustomerKeys {
    /// Never shows the secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Plain => "Plain",
            Self::Hashed(_) => "Hashed(…)",
        })
    }
}

impl CustomerKeys {
    /// Plain, or hashed with the secret in [`SECRET`].
    ///
    /// Errors: they are to be hashed, and there is no secret.
    pub fn from_environment(hash: bool) -> Result<Self> {
        if !hash {
            return Ok(Self::Plain);
        }
        match std::env::var(SECRET) {
            Ok(secret) if secret.len() >= 16 => Ok(Self::Hashed(secret)),
            _ => Err(Error::Config(format!(
                "customers' keys are hashed here: {SECRET} must hold the secret, of 16 bytes or more"
            ))),
        }
    }

    /// As the current generation of `index` keeps them.
    ///
    /// Errors: there is none, or it can't be read; its keys are hashed, and the environment has no secret, or
    /// another one.
    pub fn of_current(index: &Index) -> Result<Self> {
        Self::of(&index.current_manifest()?.customer_keys)
    }

    /// The name on disk of the customer with the shop's key `key`.
    pub fn stored<'a>(&self, key: &'a str) -> Cow<'a, str> {
        match self {
            Self::Plain => Cow::Borrowed(key),
            Self::Hashed(secret) => Cow::Owned(hex(&keyed_hash(secret.as_bytes(), key))),
        }
    }

    /// What the manifest says of the keys: empty for plain ones.
    pub(super) fn mark(&self) -> String {
        match self {
            Self::Plain => String::new(),
            Self::Hashed(_) => self.stored(MARK).into_owned(),
        }
    }

    /// The keys of a generation whose manifest says `mark`.
    ///
    /// Errors: they are hashed, and the environment has no secret, or another one.
    pub(super) fn of(mark: &str) -> Result<Self> {
        let keys = Self::from_environment(!mark.is_empty())?;
        if keys.mark() == mark {
            return Ok(keys);
        }
        Err(Error::Config(format!(
            "{SECRET} is not the secret that the customers' keys were hashed with"
        )))
    }
}

fn keyed_hash(secret: &[u8], key: &str) -> [u8; 16] {
    let mut hasher = Blake2b::<U16>::new();
    hasher.update((secret.len() as u64).to_le_bytes());
    hasher.update(secret);
    hasher.update(key);
    hasher.finalize().into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Customers who asked to be forgotten: durable, shared by all that answer from the index, and made of
/// keyed hashes. The salt is in the same file, so that an unguessable key can't be found out.
///
/// Asking never waits, not even for a disk that an erasure is being written to.
#[derive(Debug, Default)]
pub struct Erased {
    state: ArcSwap<State>,
    /// Held by whoever replaces the state.
    replacing: Mutex<()>,
}

#[derive(Clone, Debug, Default)]
struct State {
    salt: String,
    hashes: HashSet<String>,
    /// How long the file was when it was read, bytes, and when it was written.
    seen: Option<(u64, SystemTime)>,
}

impl Erased {
    /// Those of `index`.
    ///
    /// Errors: the file is there and can't be read.
    pub fn of(index: &Index) -> Result<Self> {
        let erased = Self::default();
        erased.refresh(index)?;
        Ok(erased)
    }

    /// Reads the file again if another process has added to it.
    ///
    /// Errors: as for [`Erased::of`].
    pub fn refresh(&self, index: &Index) -> Result<()> {
        self.read_again(&index.root().join(ERASED), &self.replace())
    }

    fn read_again(&self, path: &Path, _replacing: &MutexGuard<'_, ()>) -> Result<()> {
        let about = fs::metadata(path).and_then(|about| Ok((about.len(), about.modified()?)));
        let seen = match about {
            Ok(seen) => Some(seen),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(Error::io("read", path)(error)),
        };
        if self.state.load().seen == seen {
            return Ok(());
        }
        let text = fs::read_to_string(path).map_err(Error::io("read", path))?;
        let mut lines = text.lines().map(str::to_owned);
        let salt = lines.next().unwrap_or_default();
        self.state.store(Arc::new(State { salt, hashes: lines.collect(), seen }));
        Ok(())
    }

    /// True for a customer who is to be forgotten.
    pub fn contains(&self, key: &str) -> bool {
        let state = self.state.load();
        !state.hashes.is_empty() && state.hashes.contains(&state.hash(key))
    }

    /// True while nobody asked.
    pub fn is_empty(&self) -> bool {
        self.state.load().hashes.is_empty()
    }

    /// How many asked.
    pub fn len(&self) -> usize {
        self.state.load().hashes.len()
    }

    /// Forgets a customer: for good, whatever is trained later. Once this returns the disk has it.
    ///
    /// Errors: the file can't be written. Those who were forgotten before stay so.
    pub fn erase(&self, index: &Index, key: &str) -> Result<()> {
        let replacing = self.replace();
        // Of two processes that forget at once, the second adds to what the first has written.
        let _alone = index.locked()?;
        let path = index.root().join(ERASED);
        self.read_again(&path, &replacing)?;
        if !self.contains(key) {
            self.state.load().with(key).write(index)?;
            self.read_again(&path, &replacing)?;
        }
        // Also where it was there before: whoever wrote it may have come no further.
        sync_dir("erased.root.sync", index.root())
    }

    fn replace(&self) -> MutexGuard<'_, ()> {
        self.replacing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn hash(&self, key: &str) -> String {
        hex(&keyed_hash(self.salt.as_bytes(), key))
    }

    /// The same, and one more. The first brings the salt.
    fn with(&self, key: &str) -> Self {
        let mut more = self.clone();
        if more.salt.is_empty() {
            more.salt = fresh_salt();
        }
        more.hashes.insert(more.hash(key));
        more
    }

    fn text(&self) -> String {
        let mut lines: Vec<&str> = self.hashes.iter().map(String::as_str).collect();
        lines.sort_unstable(); // their order tells nothing of who came when
        lines.insert(0, &self.salt);
        lines.join("\n") + "\n"
    }

    /// Replaces the file whole: a line that was appended could be cut short, and spoil the next one too.
    fn write(&self, index: &Index) -> Result<()> {
        let fresh = index.root().join(".erased.new");
        write_durably("erased", &fresh, self.text().as_bytes())?;
        fault::pass("erased.rename", || fs::rename(&fresh, index.root().join(ERASED)))
            .map_err(Error::io("rename", &fresh))
    }
}

/// Another one each time: the standard library seeds its hash maps from the system's randomness.
fn fresh_salt() -> String {
    use std::hash::{BuildHasher, RandomState};
    (0..2).map(|n| format!("{:016x}", RandomState::new().hash_one(n))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hashed_key_depends_on_the_secret_and_gives_nothing_away() {
        let one = CustomerKeys::Hashed("a secret of the shop".into());
        let other = CustomerKeys::Hashed("another secret here".into());
        assert_eq!(one.stored("C1"), one.stored("C1"));
        assert_ne!(one.stored("C1"), other.stored("C1"));
        assert_ne!(one.stored("C1"), one.stored("C2"));
        assert_eq!(one.stored("C1").len(), 32);
        assert_eq!(CustomerKeys::Plain.stored("C1"), "C1");
        assert_ne!(one.mark(), other.mark());
        assert!(!format!("{one:?}").contains("secret of"));
    }

    #[test]
    fn who_is_forgotten_stays_so_for_everybody_and_the_file_does_not_say_who() {
        let folder = tempfile::tempdir().unwrap();
        let index = Index::at(folder.path());
        let (one, other) = (Erased::of(&index).unwrap(), Erased::of(&index).unwrap());
        one.erase(&index, "customer-17").unwrap();
        one.erase(&index, "customer-17").unwrap();
        assert!(one.contains("customer-17") && !one.contains("customer-18"));
        assert!(!other.contains("customer-17"));
        other.erase(&index, "customer-18").unwrap();
        assert!(other.contains("customer-17"), "what another process wrote is read first");
        one.refresh(&index).unwrap();
        assert_eq!(one.len(), 2);
        assert_eq!(Erased::of(&index).unwrap().len(), 2);
        let file = fs::read_to_string(folder.path().join(ERASED)).unwrap();
        assert!(!file.contains("customer"));
    }

    /// A line was appended to whatever was there: behind one that a full disk had cut short, it was glued to it, and
    /// after a restart the customer was known again.
    #[test]
    fn who_is_forgotten_behind_a_line_that_was_cut_short_stays_so() {
        let folder = tempfile::tempdir().unwrap();
        let index = Index::at(folder.path());
        let erased = Erased::of(&index).unwrap();
        erased.erase(&index, "anna").unwrap();
        erased.erase(&index, "bob").unwrap();
        let path = folder.path().join(ERASED);
        let text = fs::read_to_string(&path).unwrap();
        for cut in [1, 5, 40, text.len() - 3] {
            fs::write(&path, &text[..text.len() - cut]).unwrap();
            Erased::of(&index).unwrap().erase(&index, "carla").unwrap();
            assert!(Erased::of(&index).unwrap().contains("carla"), "{cut} bytes cut off");
        }
    }

    /// Each of two that forgot their first customer at once brought a salt of its own: what was hashed with the
    /// second meant nothing to whoever read the file.
    #[test]
    fn those_who_forget_for_the_first_time_at_once_agree_on_one_salt() {
        for round in 0..20 {
            let folder = tempfile::tempdir().unwrap();
            let index = Index::at(folder.path());
            let keys: Vec<String> = (0..4).map(|n| format!("customer-{n}")).collect();
            let start = std::sync::Barrier::new(keys.len());
            std::thread::scope(|scope| {
                for key in &keys {
                    scope.spawn(|| {
                        let erased = Erased::of(&index).unwrap(); // as a process of its own has it
                        start.wait();
                        erased.erase(&index, key).unwrap();
                    });
                }
            });
            let erased = Erased::of(&index).unwrap();
            assert!(keys.iter().all(|key| erased.contains(key)), "round {round}");
            assert_eq!(erased.len(), keys.len());
        }
    }
}
