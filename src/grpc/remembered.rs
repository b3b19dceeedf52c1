//! Answers kept ready for whoever asks the same again before anything changes: the product pages that
//! everybody looks at, a cart that is shown on every page, a home page that is opened twice.

use std::collections::VecDeque;
use std::rc::Rc;

use bytes::Bytes;
use rustc_hash::FxHashMap;

/// What an answer takes beside its own bytes and those of its key, about.
const OVERHEAD_BYTES: usize = 100;
/// To keep an answer, so many that were asked for again are passed by at most: nobody waits for more.
const PASSED_BY: usize = 16;

/// Answers, until something changes or there is no room for them.
///
/// The longest kept goes first, unless it was asked for again in the meantime: then it has another turn, so that
/// the popular stay. Room is made as it is needed, an answer or two at a time.
#[derive(Debug, Default)]
pub(super) struct Remembered {
    answers: FxHashMap<Rc<[u8]>, Kept>,
    /// Their keys, the longest kept first.
    turns: VecDeque<Rc<[u8]>>,
    bytes: usize,
    /// How many customers had asked to be forgotten.
    erased: usize,
}

#[derive(Debug)]
struct Kept {
    answer: Bytes,
    /// The state of the shop that it is from.
    state: u64,
    asked_again: bool,
}

impl Remembered {
    /// Lets everything go if more customers asked to be forgotten since: of theirs no byte is to be left, and
    /// that happens too seldom for a search to pay.
    pub(super) fn heed(&mut self, erased: usize) {
        if self.erased != erased {
            *self = Self { erased, ..Self::default() };
        }
    }

    /// The answer to the question with this key in this state of the shop, if it is still known.
    pub(super) fn get(&mut self, state: u64, key: &[u8]) -> Option<Bytes> {
        let kept = self.answers.get_mut(key).filter(|kept| kept.state == state)?;
        kept.asked_again = true;
        Some(kept.answer.clone())
    }

    /// Keeps the answer in this state of the shop, all of them in at most `most_bytes`, about.
    pub(super) fn keep(&mut self, state: u64, key: &[u8], answer: Bytes, most_bytes: usize) {
        self.make_room(state, most_bytes);
        self.bytes += bytes(key, &answer);
        let kept = Kept { answer, state, asked_again: false };
        match self.answers.get_mut(key) {
            Some(stale) => {
                self.bytes -= bytes(key, &stale.answer);
                *stale = kept;
            }
            None => {
                let key: Rc<[u8]> = key.into();
                self.turns.push_back(key.clone());
                self.answers.insert(key, kept);
            }
        }
    }

    fn make_room(&mut self, state: u64, most_bytes: usize) {
        let mut passed_by = 0;
        while self.bytes > most_bytes {
            let Some(key) = self.turns.pop_front() else { return };
            match self.answers.get_mut(&key) {
                Some(kept) if kept.asked_again && kept.state == state && passed_by < PASSED_BY => {
                    kept.asked_again = false;
                    passed_by += 1;
                    self.turns.push_back(key);
                }
                _ => {
                    let gone = self.answers.remove(&key);
                    self.bytes -= gone.map_or(0, |gone| bytes(&key, &gone.answer));
                }
            }
        }
    }
}

fn bytes(key: &[u8], answer: &Bytes) -> usize {
    key.len() + answer.len() + OVERHEAD_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_given_again_until_something_changes() {
        let mut remembered = Remembered::default();
        assert_eq!(remembered.get(1, b"tea"), None);
        remembered.keep(1, b"tea", "cup".into(), 1000);
        assert_eq!(remembered.get(1, b"tea"), Some("cup".into()));
        assert_eq!(remembered.get(1, b"te"), None);
        assert_eq!(remembered.get(2, b"tea"), None);
        remembered.keep(2, b"tea", "mug".into(), 1000);
        assert_eq!(remembered.get(2, b"tea"), Some("mug".into()));
        assert_eq!(remembered.get(1, b"tea"), None, "gone for good");
        assert_eq!(
            remembered.bytes,
            bytes(b"tea", &"mug".into()),
            "what was replaced is not counted"
        );
    }

    #[test]
    fn once_somebody_is_to_be_forgotten_nothing_is_left() {
        let mut remembered = Remembered::default();
        for (erased, known) in [(0, true), (1, false), (1, true)] {
            remembered.keep(1, b"tea", "cup".into(), 1000);
            remembered.heed(erased);
            assert_eq!(remembered.get(1, b"tea").is_some(), known, "{erased}");
        }
        remembered.heed(2);
        assert_eq!((remembered.answers.len(), remembered.turns.len(), remembered.bytes), (0, 0, 0));
    }

    #[test]
    fn memory_is_bounded_and_what_is_asked_for_all_the_time_stays() {
        let most_bytes = 64 << 20;
        let large = Bytes::from(vec![0; 1 << 20]);
        let mut remembered = Remembered::default();
        remembered.keep(1, b"popular", large.clone(), most_bytes);
        for number in 0..1000u32 {
            let key = number.to_le_bytes();
            assert_eq!(remembered.get(1, &key), None);
            remembered.keep(1, &key, large.clone(), most_bytes);
            assert!(remembered.get(1, b"popular").is_some());
            assert!(remembered.bytes <= most_bytes + (2 << 20));
            let all: usize = remembered.answers.iter().map(|(key, k)| bytes(key, &k.answer)).sum();
            let turns = remembered.turns.len();
            assert_eq!((remembered.bytes, turns), (all, remembered.answers.len()));
        }
        assert_eq!(remembered.get(1, &999u32.to_le_bytes()), Some(large));
        assert_eq!(remembered.get(1, &0u32.to_le_bytes()), None);
    }

    #[test]
    fn however_many_are_popular_room_is_made_soon_and_what_is_stale_has_no_other_turn() {
        let mut remembered = Remembered::default();
        let keys: Vec<[u8; 4]> = (0..1000u32).map(u32::to_le_bytes).collect();
        for key in &keys {
            remembered.keep(1, key, "a".into(), usize::MAX);
            remembered.get(1, key);
        }
        let room = remembered.bytes - 1;
        remembered.keep(1, b"new", "a".into(), room);
        let known = |key: &&[u8; 4]| remembered.answers.contains_key(&key[..]);
        assert_eq!(keys.iter().filter(|key| !known(key)).collect::<Vec<_>>(), [&keys[PASSED_BY]]);
        let room = remembered.bytes - 1;
        remembered.keep(2, b"newer", "a".into(), room);
        assert!(!remembered.answers.contains_key(&keys[PASSED_BY + 1][..]), "the next in turn");
    }
}
