//! Real shops' data, from the folder that the environment variable `CARTWRIGHT_DATA` names; without it
//! these tests say that they were left out. A supermarket of 1.3 million lines takes too long without
//! optimisation: CI trains and asks it in release.

use crate::common::{folder, publish, real_data};
use cartwright::index::{Index, Manifest, Snapshot};
use cartwright::recommend::{Blend, Query, Question, Recommendation, Scratch, answer};
use tempfile::TempDir;

struct Trained {
    _folder: TempDir,
    manifest: Manifest,
    snapshot: Snapshot,
}

fn trained(events: &str) -> Option<Trained> {
    let events = real_data(events)?;
    let folder = folder();
    let index = Index::at(folder.path());
    let manifest = publish(&index, &events, None).expect("the shop can be learnt");
    let snapshot = Snapshot::open_current(&index).expect("sound");
    Some(Trained { _folder: folder, manifest, snapshot })
}

impl Trained {
    fn ask(&self, question: Question<'_>, customer: Option<&str>) -> Vec<Recommendation> {
        let blend = Blend::learnt(&self.snapshot.manifest.learnt).expect("the blend can be read");
        let history =
            customer.map(|key| self.snapshot.customers.history(key).expect("it can be read"));
        let history = history.flatten();
        let query = Query::new(question, history.as_ref(), 10);
        let answer = answer(&self.snapshot.contents, &blend, &query, &mut Scratch::default());
        answer.recommendations
    }

    fn keys(&self, answer: &[Recommendation]) -> Vec<&str> {
        answer.iter().map(|r| self.snapshot.contents.keys.key(r.item)).collect()
    }

    /// Every 97th item and every 997th customer get full answers.
    fn answers_all(&self) {
        let contents = &self.snapshot.contents;
        for item in contents.keys.keys().step_by(97) {
            assert_eq!(self.ask(Question::Related { item }, None).len(), 10);
            assert_eq!(self.ask(Question::Basket { items: vec![item] }, None).len(), 10);
            let question = Question::Customer { recent: vec![item], exclude_purchased: false };
            assert_eq!(self.ask(question, None).len(), 10);
        }
        for customer in self.snapshot.customers.keys().step_by(997) {
            let customer = customer.expect("a readable key");
            for exclude_purchased in [false, true] {
                let question = Question::Customer { recent: Vec::new(), exclude_purchased };
                assert_eq!(self.ask(question, Some(&customer)).len(), 10);
            }
        }
    }

    /// Every row is used, or set aside for a cause.
    fn accounts_for(&self, rows: u64) {
        let account = &self.manifest.account;
        let aside = account["set_aside"].as_object().expect("causes with counts");
        let aside: u64 = aside.values().filter_map(serde_json::Value::as_u64).sum();
        assert_eq!(account["read"], rows, "{account}");
        assert_eq!(account["used"].as_u64().expect("a count") + aside, rows, "{account}");
    }
}

#[test]
fn green_and_pink_regency_teacups_are_answered_with_the_roses_one() {
    let Some(shop) = trained("online_retail.csv.gz") else { return };
    shop.accounts_for(461_207);
    let found = shop.ask(Question::Basket { items: vec!["22697", "22698"] }, None);
    assert_eq!(shop.keys(&found)[0], "22699", "{:?}", shop.keys(&found));
    shop.answers_all();
}

#[test]
fn a_shop_of_looks_carts_and_purchases_trains_and_answers() {
    let Some(shop) = trained("retailrocket.csv.gz") else { return };
    shop.answers_all();
}

#[test]
fn a_shop_that_knows_sessions_only_trains_and_answers() {
    let Some(shop) = trained("clicks.tsv.gz") else { return };
    assert_eq!(shop.manifest.counts["customers"], 0);
    shop.answers_all();
}
