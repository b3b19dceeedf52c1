//! Answers kept ready for whoever asks the same again before anything changes: the product pages that
//! everybody looks at, a cart that is shown on every page, a home page that is opened twice.

use bytes::Bytes;
use rustc_hash::FxHashMap;

/// What an answer takes beside its own bytes and those of its key, about.
const OVERHEAD_BYTES: usize = 100;

/// The answers from one state of the shop: those of late, and those from before that.
///
/// Once the new ones fill half of the memory, the old ones go and the new ones are old. What is asked
/// for again in the meantime counts as new, so that the popular stay.
#[derive(Debug, Default)]
pub(super) struct Remembered {
    state: u64,
    new: Answers,
    new_bytes: usize,
    old: Answers,
}

type Answers = FxHashMap<Box<[u8]>, Bytes>;

impl Remembered {
    /// The answer to the question with this key, if it is still known.
    pub(super) fn get(&mut self, state: u64, key: &[u8]) -> Option<Bytes> {
        if self.state != state {
            *self = Self { state, ..Self::default() };
        }
        if let Some(answer) = self.new.get(key) {
            return Some(answer.clone());
        }
        let (key, answer) = self.old.remove_entry(key)?;
        self.insert(key, answer.clone());
        Some(answer)
    }

    /// Keeps an answer from the state that was asked for last, in at most `most_bytes`, about.
    pub(super) fn keep(&mut self, key: &[u8], answer: Bytes, most_bytes: usize) {
        if self.new_bytes > most_bytes / 2 {
            self.old = std::mem::take(&mut self.new);
            self.new_bytes = 0;
        }
        self.insert(key.into(), answer);
    }

    fn insert(&mut self, key: Box<[u8]>, answer: Bytes) {
        self.new_bytes += key.len() + answer.len() + OVERHEAD_BYTES;
        self.new.insert(key, answer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_given_again_until_something_changes() {
        let mut remembered = Remembered::default();
        assert_eq!(remembered.get(1, b"tea"), None);
        remembered.keep(b"tea", "cup".into(), 1000);
        assert_eq!(remembered.get(1, b"tea"), Some("cup".into()));
        assert_eq!(remembered.get(1, b"te"), None);
        assert_eq!(remembered.get(2, b"tea"), None);
        assert_eq!(remembered.get(1, b"tea"), None, "gone for good");
    }

    #[test]
    fn memory_is_bounded_and_what_is_asked_for_all_the_time_stays() {
        let most_bytes = 64 << 20;
        let large = Bytes::from(vec![0; 1 << 20]);
        let mut remembered = Remembered::default();
        assert_eq!(remembered.get(1, b"popular"), None);
        remembered.keep(b"popular", large.clone(), most_bytes);
        for number in 0..1000u32 {
            let key = number.to_le_bytes();
            assert_eq!(remembered.get(1, &key), None);
            remembered.keep(&key, large.clone(), most_bytes);
            assert!(remembered.get(1, b"popular").is_some());
            assert!(remembered.new.len() + remembered.old.len() <= 64 + 4);
        }
    }
}
