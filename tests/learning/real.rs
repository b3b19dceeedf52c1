//! A real shop's data, from the folder that the environment variable `CARTWRIGHT_DATA` names; without it this
//! test says that it was left out. Larger shops take too long without optimisation: CI trains and asks them in
//! release.

use crate::common::{folder, publish, real_data};
use cartwright::index::{Index, Snapshot};
use cartwright::recommend::{Blend, Query, Question, Scratch, answer};

#[test]
fn a_shop_that_knows_sessions_only_trains_and_answers() {
    let Some(events) = real_data("clicks.tsv.gz") else { return };
    let folder = folder();
    let index = Index::at(folder.path());
    let manifest = publish(&index, &events, None).expect("the shop can be learnt");
    assert_eq!(manifest.counts["customers"], 0);

    let Snapshot { contents, .. } = Snapshot::open_current(&index).expect("sound");
    let blend = Blend::learnt(&manifest.learnt).expect("the blend can be read");
    for item in contents.keys.keys().step_by(97) {
        for question in [
            Question::Related { item },
            Question::Basket { items: vec![item] },
            Question::Customer { recent: vec![item], exclude_purchased: false },
        ] {
            let query = Query::new(question, None, 10);
            let answer = answer(&contents, &blend, &query, &mut Scratch::default());
            assert_eq!(answer.recommendations.len(), 10, "{item}");
        }
    }
}
