//! `cartwright ask`

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::output::{answer_table, print};
use crate::catalog::Shelf;
use crate::error::Error;
use crate::filter::Filter;
use crate::grpc;
use crate::index::{Index, Snapshot};
use crate::live;
use crate::merchandising::{RuleText, Rules};
use crate::recommend::{
    Blend, Objective, OrderValue, PriceBand, Query, Question, Scratch, Terms, answer,
};
use crate::time::Timestamp;

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
        /// Only better items of the same kind: of its category, up to half as dear again
        #[arg(long)]
        up_sell: bool,
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
        /// What the order should be worth: free shipping, a coupon
        #[arg(long, value_name = "AMOUNT")]
        order_value_target: Option<f64>,
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
    /// Only items for which this holds: 'price < 20 and category under "Food > Tea"'
    #[arg(long, value_name = "CONDITION")]
    filter: Option<String>,
    /// What the order of the answer is to serve
    #[arg(long, value_enum, default_value_t, value_name = "OBJECTIVE")]
    objective: Serves,
    /// How different from one another the items should be, 0 (do not care) to 5
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=5))]
    diversity: u8,
    /// Lets several variants of one product into the answer
    #[arg(long)]
    allow_variants: bool,
    /// The reply as JSON
    #[arg(long)]
    json: bool,
}

/// As the answer's objective is named on the command line.
#[derive(Clone, Copy, Debug, Default, clap::ValueEnum)]
enum Serves {
    #[default]
    Relevance,
    Revenue,
    Margin,
}

impl From<Serves> for Objective {
    fn from(serves: Serves) -> Self {
        match serves {
            Serves::Relevance => Self::Relevance,
            Serves::Revenue => Self::Revenue,
            Serves::Margin => Self::Margin,
        }
    }
}

impl Ask {
    pub(super) fn run(self) -> anyhow::Result<()> {
        match &self.question {
            Asked::Related { item, up_sell, common } => {
                ask(common, Question::Related { item }, None, None, *up_sell)
            }
            Asked::Basket { items, customer, order_value_target, common } => {
                let items = items.iter().map(String::as_str).collect();
                let question = Question::Basket { items };
                ask(common, question, customer.as_deref(), *order_value_target, false)
            }
            Asked::Customer { key, recent, exclude_purchased, common } => {
                let question = Question::Customer {
                    recent: recent.iter().map(String::as_str).collect(),
                    exclude_purchased: *exclude_purchased,
                };
                ask(common, question, key.as_deref(), None, false)
            }
        }
    }
}

fn ask(
    common: &Common,
    question: Question<'_>,
    customer: Option<&str>,
    order_value: Option<f64>,
    up_sell: bool,
) -> anyhow::Result<()> {
    let limit = grpc::limit(common.limit)?;
    let index = Index::at(&common.index);
    let snapshot = Snapshot::open_current(&index)?;
    let blend = Blend::learnt(&snapshot.manifest.learnt)?;
    let history = match customer {
        Some(customer) => snapshot.customers.history(customer)?,
        None => None,
    };
    if customer.is_some() && history.is_none() {
        eprintln!("the shop knows no such customer; answering without a past");
    }
    let contents = &snapshot.contents;
    let (changes, rules) = live::read(index.root())?;
    let shelf = grpc::shelf_with(contents, changes)?;
    for key in named(&question).into_iter().filter(|key| shelf.get(key).is_none()) {
        eprintln!("the shop knows no item {key:?}; answering without it");
    }
    let filter = common.filter.as_deref().map(|text| Filter::parse(text, &shelf)).transpose();
    let filter = filter.map_err(|wrong| Error::Config(format!("--filter: {wrong}")))?;
    let is_page = matches!(question, Question::Related { .. });
    if filter.as_ref().is_some_and(Filter::needs_current) && !is_page {
        anyhow::bail!("--filter: `current` is the item on a page: only `ask related` has one");
    }
    let rules: Vec<RuleText> =
        rules.iter().filter_map(|(_, rule)| serde_json::from_slice(rule).ok()).collect();
    let rules = Rules::new(&rules, &shelf, &jiff::tz::TimeZone::UTC)?;
    let terms = Terms {
        shelf: Some(&shelf),
        filter: filter.as_ref(),
        rules: Some(&rules),
        now: Timestamp(jiff::Timestamp::now().as_millisecond()),
        objective: common.objective.into(),
        diversity: common.diversity,
        allow_variants: common.allow_variants,
        up_sell: up_sell.then_some(PriceBand { least: 1.05, most: 1.5 * 1.05 }),
        order_value: order_value.map(|target| OrderValue { now: worth(&shelf, &question), target }),
        ..Terms::default()
    };
    let query = Query { question, history: history.as_ref(), limit, terms };
    let answer = answer(contents, &blend, &query, &mut Scratch::default());
    if common.json {
        let mut reply = serde_json::json!({
            "recommendations": grpc::reply(contents, &shelf, &answer.recommendations),
            "generation": snapshot.manifest.generation,
            "ledger": grpc::ledger(&answer.ledger),
        });
        if order_value.is_some() {
            reply["expected_order_value"] = answer.expected_order_value.into();
        }
        return print(serde_json::to_string_pretty(&reply)?);
    }
    print(answer_table(contents, &shelf, &answer.recommendations))?;
    if order_value.is_some() {
        print(format!("expected value of the order: {:.2}", answer.expected_order_value))?;
    }
    Ok(())
}

/// What a basket is worth by the catalogue, one of each.
fn worth(shelf: &Shelf, question: &Question<'_>) -> f64 {
    let items = named(question).into_iter().filter_map(|key| shelf.get(key));
    items.filter_map(|item| shelf.price(item)).sum()
}

/// The items that the question names.
fn named<'a>(question: &Question<'a>) -> Vec<&'a str> {
    match question {
        Question::Related { item } => vec![item],
        Question::Basket { items } => items.clone(),
        Question::Customer { recent, .. } => recent.clone(),
        Question::Trending { .. } | Question::Again => Vec::new(),
    }
}
