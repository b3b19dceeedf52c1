//! What one serving thread keeps from one request to the next. Nothing here is shared, so nothing is
//! locked.

use std::cell::RefCell;

use bytes::Bytes;

use super::convert::{Asked, reply};
use super::remembered::Remembered;
use super::served::Served;
use super::wire;
use crate::customers::History;
use crate::recommend::{Query, Question, Scratch, answer};

/// Working memory for answers, and answers that may be given again.
#[derive(Debug, Default)]
pub(super) struct Desk {
    scratch: Scratch,
    remembered: Remembered,
    /// The question at hand, as [`Remembered`] knows it.
    key: Vec<u8>,
}

thread_local! {
    static DESK: RefCell<Desk> = RefCell::default();
}

/// Answers at this thread's desk: the recommendations, encoded. Answers take at most `most_bytes` of
/// memory, about.
pub(super) fn answer_at_desk(served: &Served, asked: Asked<'_>, most_bytes: usize) -> Bytes {
    DESK.with_borrow_mut(|desk| desk.answer(served, asked, most_bytes))
}

impl Desk {
    fn answer(&mut self, served: &Served, asked: Asked<'_>, most_bytes: usize) -> Bytes {
        let snapshot = &served.snapshot;
        let generation = snapshot.manifest.generation;
        if most_bytes > 0 {
            write_key(&asked, &mut self.key);
            if let Some(answer) = self.remembered.get(generation, &self.key) {
                return answer;
            }
        }
        let past = asked.customer.map(|customer| snapshot.customers.history(customer));
        let past = past.transpose().map(Option::flatten);
        if let Err(error) = &past {
            tracing::error!(%error, "a customer's past can't be read; answering without it");
        }
        let answer = self.work_out(served, asked, past.as_ref().ok().and_then(Option::as_ref));
        if past.is_ok() && most_bytes > 0 {
            self.remembered.keep(&self.key, answer.clone(), most_bytes);
        }
        answer
    }

    fn work_out(&mut self, served: &Served, asked: Asked<'_>, history: Option<&History>) -> Bytes {
        let contents = &served.snapshot.contents;
        let query = Query { question: asked.question, history, limit: asked.limit };
        let answer = answer(contents, &served.blend, &query, &mut self.scratch);
        wire::encoded(reply(contents, &answer))
    }
}

/// All that a question's answer depends on, beside the generation; no two questions write the same.
fn write_key(asked: &Asked<'_>, key: &mut Vec<u8>) {
    key.clear();
    let Asked { question, customer, limit } = asked;
    key.extend((*limit as u32).to_le_bytes()); // at most MAX_LIMIT
    key.push(match question {
        Question::Related { .. } => 0,
        Question::Basket { .. } => 1,
        Question::Customer { exclude_purchased: false, .. } => 2,
        Question::Customer { exclude_purchased: true, .. } => 3,
    });
    let mut put = |text: &str| {
        key.extend((text.len() as u32).to_le_bytes()); // at most MAX_KEY_BYTES
        key.extend(text.as_bytes());
    };
    // No customer has an empty key.
    put(customer.unwrap_or_default());
    match question {
        Question::Related { item } => put(item),
        Question::Basket { items } | Question::Customer { recent: items, .. } => {
            items.iter().for_each(|item| put(item));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_two_questions_share_an_answer() {
        let basket = |items: &[&'static str]| Question::Basket { items: items.to_vec() };
        let customer = |recent: &[&'static str], exclude_purchased| Question::Customer {
            recent: recent.to_vec(),
            exclude_purchased,
        };
        let questions = [
            Question::Related { item: "ab" },
            basket(&["ab"]),
            basket(&["a", "b"]),
            basket(&["b", "a"]),
            customer(&["ab"], false),
            customer(&["ab"], true),
            customer(&[], false),
        ];
        let mut keys = HashSet::new();
        let mut asked = 0;
        for question in questions {
            for (customer, limit) in [(None, 10), (None, 11), (Some("ab"), 10), (Some("a"), 10)] {
                let mut key = vec![7];
                let question = question.clone();
                write_key(&Asked { question, customer, limit }, &mut key);
                keys.insert(key);
                asked += 1;
            }
        }
        assert_eq!(keys.len(), asked);
    }
}
