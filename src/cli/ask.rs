//! `cartwright ask`

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::everyone::all_customers;
use super::output::{answer_table, print, say};
use super::placement::{Placement, placement};
use crate::catalog::Shelf;
use crate::config::Config;
use crate::customers::History;
use crate::error::{Error, thousands};
use crate::filter::Filter;
use crate::grpc::{self, ServeOptions};
use crate::ids::MAX_AMOUNT;
use crate::index::{Index, Snapshot};
use crate::live;
use crate::merchandising::Rules;
use crate::recommend::{
    self, Answer, Blend, Dropped, Ledger, Objective, OrderValue, PriceBand, Query, Question,
    Scratch, Terms, TrendingBy, Window, answer,
};
use crate::tables::time_zone;
use crate::time::Timestamp;

/// Answer one question from an index, without a server
///
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
        #[arg(long, value_name = "AMOUNT", value_parser = amount)]
        order_value_target: Option<f64>,
        #[command(flatten)]
        common: Common,
    },
    /// What would this customer want? Or all of them, into a file?
    Customer {
        /// The customer; for a visitor who is not known, `--recent` alone
        #[arg(required_unless_present_any = ["recent", "all"])]
        key: Option<String>,
        /// Every customer of the index
        #[arg(long, requires = "out", conflicts_with_all = ["key", "recent", "json"])]
        all: bool,
        /// Where the answers for all go, a row for each recommendation: .parquet, .csv or .jsonl
        #[arg(long, requires = "all", value_name = "FILE")]
        out: Option<PathBuf>,
        /// What was looked at just now, oldest first
        #[arg(long, num_args = 1.., value_name = "ITEM")]
        recent: Vec<String>,
        /// Only what the customer has never bought
        #[arg(long)]
        exclude_purchased: bool,
        #[command(flatten)]
        common: Common,
    },
    /// What sells best of late, or better than it used to?
    Trending {
        /// Only this category and those below it: 'Food > Tea'
        category: Option<String>,
        /// How far back
        #[arg(long, value_enum, default_value_t)]
        window: Back,
        /// What it is ranked by
        #[arg(long, value_enum, default_value_t)]
        by: By,
        #[command(flatten)]
        common: Common,
    },
    /// What does this customer need again?
    Again {
        /// The customer
        key: String,
        #[command(flatten)]
        common: Common,
    },
    /// Several placements of a page at once, no item twice
    Page {
        /// From the most to the least important: related:ITEM, basket:ITEM,ITEM, customer:KEY, again:KEY,
        /// trending[:WINDOW], rising[:WINDOW]
        #[arg(required = true, num_args = 1..=20, value_name = "PLACEMENT", value_parser = placement)]
        placements: Vec<Placement>,
        #[command(flatten)]
        common: Common,
    },
}

/// How far back trending items are looked for.
#[derive(Clone, Copy, Debug, Default, clap::ValueEnum)]
enum Back {
    Day,
    #[default]
    Week,
    Month,
}

impl From<Back> for Window {
    fn from(back: Back) -> Self {
        match back {
            Back::Day => Self::Day,
            Back::Week => Self::Week,
            Back::Month => Self::Month,
        }
    }
}

/// What trending items are ranked by.
#[derive(Clone, Copy, Debug, Default, clap::ValueEnum)]
enum By {
    #[default]
    BestSellers,
    Rising,
}

impl From<By> for TrendingBy {
    fn from(by: By) -> Self {
        match by {
            By::BestSellers => Self::BestSellers,
            By::Rising => Self::Rising,
        }
    }
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

fn amount(text: &str) -> Result<f64, String> {
    let amount = text.parse().ok().filter(|amount| (0.0..=MAX_AMOUNT).contains(amount));
    amount
        .ok_or_else(|| format!("expected an amount of money from 0 to {MAX_AMOUNT}, got {text:?}"))
}

impl Ask {
    pub(super) fn run(self, config: &Config) -> anyhow::Result<()> {
        let ask = |common: &Common, question: Question<'_>, customer, order_value, up_sell| {
            ask(
                &Shop::open(common, &config.serve)?,
                common,
                question,
                customer,
                order_value,
                up_sell,
            )
        };
        match &self.question {
            Asked::Related { item, up_sell, common } => {
                ask(common, Question::Related { item }, None, None, *up_sell)
            }
            Asked::Basket { items, customer, order_value_target, common } => {
                let items = items.iter().map(String::as_str).collect();
                let question = Question::Basket { items };
                ask(common, question, customer.as_deref(), *order_value_target, false)
            }
            Asked::Customer { exclude_purchased, common, out: Some(out), .. } => {
                ask_all(&Shop::open(common, &config.serve)?, common, *exclude_purchased, out)
            }
            Asked::Customer { key, recent, exclude_purchased, common, .. } => {
                let question = Question::Customer {
                    recent: recent.iter().map(String::as_str).collect(),
                    exclude_purchased: *exclude_purchased,
                };
                ask(common, question, key.as_deref(), None, false)
            }
            Asked::Trending { category, window, by, common } => {
                let category = category.as_deref().unwrap_or_default();
                let (window, by) = ((*window).into(), (*by).into());
                ask(common, Question::Trending { window, category, by }, None, None, false)
            }
            Asked::Again { key, common } => ask(common, Question::Again, Some(key), None, false),
            Asked::Page { placements, common } => {
                ask_page(&Shop::open(common, &config.serve)?, common, placements)
            }
        }
    }
}

/// A shop's index with what was changed since, and what all questions of one command have in common.
struct Shop {
    snapshot: Snapshot,
    blend: Blend,
    shelf: Shelf,
    rules: Rules,
    filter: Option<Filter>,
    limit: usize,
}

impl Shop {
    fn open(common: &Common, options: &ServeOptions) -> anyhow::Result<Self> {
        let limit = grpc::limit(common.limit)?;
        let index = Index::at(&common.index);
        let snapshot = Snapshot::open_current(&index)?;
        let blend = Blend::learnt(&snapshot.manifest.learnt)?;
        let kept = live::read(index.root())?;
        let shelf = grpc::shelf_with(&snapshot.contents, &kept.items)?;
        let filter = common.filter.as_deref().map(|text| Filter::parse(text, &shelf)).transpose();
        let filter = filter.map_err(|wrong| Error::Config(format!("--filter: {wrong}")))?;
        let of_file = options.rules.as_deref().map(grpc::rules_of).transpose()?.unwrap_or_default();
        let zone = time_zone(&super::zone_of(None, &options.time_zone, &index))?;
        let rules = grpc::rules_with(&of_file, &kept.rules, &shelf, &zone);
        Ok(Self { snapshot, blend, shelf, rules, filter, limit })
    }

    fn terms<'a>(&'a self, common: &Common) -> Terms<'a> {
        Terms {
            shelf: Some(&self.shelf),
            filter: self.filter.as_ref(),
            rules: Some(&self.rules),
            now: Timestamp(jiff::Timestamp::now().as_millisecond()),
            objective: common.objective.into(),
            diversity: common.diversity,
            allow_variants: common.allow_variants,
            ..Terms::default()
        }
    }

    /// The customer's past. Says on stderr what the question names and the shop does not know.
    fn past(
        &self,
        question: &Question<'_>,
        customer: Option<&str>,
    ) -> anyhow::Result<Option<History>> {
        let history = match customer {
            Some(customer) => self.snapshot.customers.history(customer)?,
            None => None,
        };
        if customer.is_some() && history.is_none() {
            say(format_args!("the shop knows no such customer; answering without a past"));
        }
        for key in named(question).into_iter().filter(|key| self.shelf.get(key).is_none()) {
            say(format_args!("the shop knows no item {key:?}; answering without it"));
        }
        let is_page = matches!(question, Question::Related { .. });
        if self.filter.as_ref().is_some_and(Filter::needs_current) && !is_page {
            let wrong = "--filter: `current` is the item on a page: only `ask related` has one";
            return Err(Error::Config(wrong.into()).into());
        }
        if let Question::Trending { category, .. } = question
            && !category.is_empty()
            && recommend::known_category(&self.snapshot.contents, category).is_none()
        {
            say(format_args!(
                "the shop knows no category {category:?}; answering for the whole shop"
            ));
        }
        Ok(history)
    }

    fn reply(&self, answer: &Answer) -> serde_json::Value {
        serde_json::json!({
            "recommendations":
                grpc::reply(&self.snapshot.contents, &self.shelf, &answer.recommendations),
            "ledger": grpc::ledger(&answer.ledger),
        })
    }

    fn table(&self, answer: &Answer) -> comfy_table::Table {
        answer_table(&self.snapshot.contents, &self.shelf, &answer.recommendations)
    }
}

fn ask(
    shop: &Shop,
    common: &Common,
    question: Question<'_>,
    customer: Option<&str>,
    order_value: Option<f64>,
    up_sell: bool,
) -> anyhow::Result<()> {
    let history = shop.past(&question, customer)?;
    let worth = worth(&shop.shelf, &question);
    let terms = Terms {
        up_sell: up_sell.then(PriceBand::default),
        order_value: order_value.map(|target| OrderValue { now: worth, target }),
        ..shop.terms(common)
    };
    let query = Query { question, history: history.as_ref(), limit: shop.limit, terms };
    let answer = answer(&shop.snapshot.contents, &shop.blend, &query, &mut Scratch::default());
    if common.json {
        let mut reply = shop.reply(&answer);
        reply["generation"] = shop.snapshot.manifest.generation.into();
        if order_value.is_some() {
            reply["expected_order_value"] = answer.expected_order_value.into();
        }
        return print(serde_json::to_string_pretty(&reply)?);
    }
    print(shop.table(&answer))?;
    if let Some(why) = why_short(&answer.ledger) {
        print(why)?;
    }
    if order_value.is_some() {
        print(format!("expected value of the order: {:.2}", answer.expected_order_value))?;
    }
    Ok(())
}

/// What one placement shows, those behind it do not.
fn ask_page(shop: &Shop, common: &Common, placements: &[Placement]) -> anyhow::Result<()> {
    let mut scratch = Scratch::default();
    let (mut shown, mut page) = (Vec::new(), Vec::new());
    for Placement { name, asked } in placements {
        let (question, customer) = asked.question();
        let history = shop.past(&question, customer)?;
        let terms = Terms { shown: &shown, ..shop.terms(common) };
        let query = Query { question, history: history.as_ref(), limit: shop.limit, terms };
        let answer = answer(&shop.snapshot.contents, &shop.blend, &query, &mut scratch);
        shown.extend(answer.recommendations.iter().map(|recommended| recommended.item));
        shown.sort_unstable();
        page.push((name, answer));
    }
    if common.json {
        let placements = page.iter().map(|(name, answer)| {
            let mut reply = shop.reply(answer);
            reply["name"] = name.as_str().into();
            reply
        });
        let placements: Vec<serde_json::Value> = placements.collect();
        let generation = shop.snapshot.manifest.generation;
        let reply = serde_json::json!({ "placements": placements, "generation": generation });
        return print(serde_json::to_string_pretty(&reply)?);
    }
    for (name, answer) in &page {
        print(format!("{name}\n{}", shop.table(answer)))?;
    }
    Ok(())
}

fn ask_all(
    shop: &Shop,
    common: &Common,
    exclude_purchased: bool,
    out: &Path,
) -> anyhow::Result<()> {
    let question = || Question::Customer { recent: Vec::new(), exclude_purchased };
    shop.past(&question(), None)?;
    let started = std::time::Instant::now();
    let terms = shop.terms(common);
    let Shop { snapshot, blend, limit, .. } = shop;
    let answered = |history: Option<&History>, scratch: &mut Scratch| {
        let query = Query { question: question(), history, limit: *limit, terms: terms.clone() };
        answer(&snapshot.contents, blend, &query, scratch).recommendations
    };
    let written = all_customers(snapshot, &shop.shelf, answered, out)?;
    let seconds = started.elapsed().as_secs_f64();
    print(format!(
        "{} rows for {} customers in {}",
        thousands(written.rows),
        thousands(written.customers),
        out.display()
    ))?;
    say(format_args!("done in {seconds:.1} s"));
    Ok(())
}

/// What became of the candidates, if there are fewer left than were wanted.
fn why_short(ledger: &Ledger) -> Option<String> {
    let dropped = [
        (Dropped::Asked, "asked about"),
        (Dropped::Purchased, "bought before"),
        (Dropped::Substitute, "alternatives to the basket"),
        (Dropped::Hidden, "hidden"),
        (Dropped::OutOfStock, "out of stock"),
        (Dropped::Filtered, "filtered out"),
        (Dropped::Variant, "variants of the same product"),
        (Dropped::Duplicate, "shown already"),
    ];
    let causes: Vec<String> = dropped
        .into_iter()
        .map(|(why, words)| (ledger.dropped_for(why), words))
        .filter(|(count, _)| *count > 0)
        .map(|(count, words)| format!("{} {words}", thousands(u64::from(count))))
        .collect();
    (ledger.returned < ledger.requested).then(|| {
        let (returned, requested) = (ledger.returned, ledger.requested);
        let causes =
            if causes.is_empty() { String::new() } else { format!(" ({})", causes.join(", ")) };
        format!("{returned} of {requested}: the shop has no more{causes}")
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_answer_says_what_became_of_the_rest_if_anything_did() {
        let mut ledger = Ledger { requested: 50, returned: 20, ..Ledger::default() };
        assert_eq!(why_short(&ledger).unwrap(), "20 of 50: the shop has no more");
        ledger.dropped[Dropped::Hidden as usize] = 3;
        assert_eq!(why_short(&ledger).unwrap(), "20 of 50: the shop has no more (3 hidden)");
        assert_eq!(why_short(&Ledger::default()), None);
    }
}
