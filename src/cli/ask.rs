//! `cartwright ask`

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::output::{answer_table, print};
use crate::grpc;
use crate::index::{Index, Snapshot};
use crate::recommend::{Blend, Query, Question, Scratch, answer};

/// Answers exactly as the server would.
#[derive(Debug, Args)]
pub(super) struct Ask {
    #[command(subcommand)]
    question: Asked,
}

#[derive(Debug, Subcommand)]
enum Asked {
    /// What goes with this item?
    Related {
        /// The item on the page
        item: String,
        #[command(flatten)]
        common: Common,
    },
    /// What completes this basket?
    Basket {
        /// What is in the cart
        #[arg(required = true)]
        items: Vec<String>,
        /// Whose cart it is
        #[arg(long, value_name = "KEY")]
        customer: Option<String>,
        #[command(flatten)]
        common: Common,
    },
    /// What would this customer want?
    Customer {
        /// The customer; leave it out for a visitor who is not known
        #[arg(required_unless_present = "recent")]
        key: Option<String>,
        /// What was looked at just now, oldest first
        #[arg(long, num_args = 1.., value_name = "ITEM")]
        recent: Vec<String>,
        /// Only what the customer has never bought
        #[arg(long)]
        exclude_purchased: bool,
        #[command(flatten)]
        common: Common,
    },
}

#[derive(Debug, Args)]
struct Common {
    /// Directory of the index
    #[arg(long, value_name = "DIR")]
    index: PathBuf,
    /// Greatest length of the answer; 0 means 10, more than 500 means 500
    #[arg(long, default_value_t = 10, value_name = "N")]
    limit: i32,
    /// The reply as JSON
    #[arg(long)]
    json: bool,
}

impl Ask {
    pub(super) fn run(self) -> anyhow::Result<()> {
        match &self.question {
            Asked::Related { item, common } => ask(common, Question::Related { item }, None),
            Asked::Basket { items, customer, common } => {
                let items = items.iter().map(String::as_str).collect();
                ask(common, Question::Basket { items }, customer.as_deref())
            }
            Asked::Customer { key, recent, exclude_purchased, common } => {
                let question = Question::Customer {
                    recent: recent.iter().map(String::as_str).collect(),
                    exclude_purchased: *exclude_purchased,
                };
                ask(common, question, key.as_deref())
            }
        }
    }
}

fn ask(common: &Common, question: Question<'_>, customer: Option<&str>) -> anyhow::Result<()> {
    let limit = grpc::limit(common.limit)?;
    let snapshot = Snapshot::open_current(&Index::at(&common.index))?;
    let blend = Blend::learnt(&snapshot.manifest.learnt)?;
    let history = match customer {
        Some(customer) => snapshot.customers.history(customer)?,
        None => None,
    };
    if customer.is_some() && history.is_none() {
        eprintln!("the shop knows no such customer; answering without a past");
    }
    let contents = &snapshot.contents;
    for key in named(&question).into_iter().filter(|key| contents.keys.get(key).is_none()) {
        eprintln!("the shop knows no item {key:?}; answering without it");
    }
    let query = Query { question, history: history.as_ref(), limit };
    let answer = answer(contents, &blend, &query, &mut Scratch::default());
    if common.json {
        let reply = serde_json::json!({
            "recommendations": grpc::reply(contents, &answer),
            "generation": snapshot.manifest.generation,
        });
        print(serde_json::to_string_pretty(&reply)?)
    } else {
        print(answer_table(contents, &answer))
    }
}

/// The items that the question names.
fn named<'a>(question: &Question<'a>) -> Vec<&'a str> {
    match question {
        Question::Related { item } => vec![item],
        Question::Basket { items } => items.clone(),
        Question::Customer { recent, .. } => recent.clone(),
    }
}
