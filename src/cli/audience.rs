//! `cartwright audience`

use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Args;

use super::output::{align_right, print, say, table};
use crate::audiences::{Audience, Chosen, NAMES, Person, Selection, select};
use crate::customers::{Clientele, Profile};
use crate::error::{Error, thousands};
use crate::grpc;
use crate::ids::ItemId;
use crate::index::{Contents, Index, Snapshot};
use crate::live;
use crate::tables::{Column, write};

/// Pick customers for one message, each with a score, a reason and the items to show
#[derive(Debug, Args)]
pub(super) struct AudienceCommand {
    /// Which: new-arrival, interest, reorder-due, at-risk, win-back, second-purchase,
    /// discount-sensitive, champions, segment NAME, where 'CONDITION'
    #[arg(value_parser = clap::builder::PossibleValuesParser::new(NAMES))]
    name: String,
    /// The segment's name, or the condition: `where 'stage = "churned" and total > 100'`
    argument: Option<String>,
    /// Directory of the index
    #[arg(long, value_name = "DIR")]
    index: PathBuf,
    /// Where to: .csv, .jsonl or .parquet; without it the best are shown
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Only those of this condition, for example 'attributes.consent = "yes"'; its fields are those of `where`
    #[arg(long, value_name = "CONDITION")]
    only: Option<String>,
    /// At most so many, the best
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Share that is held out, so that the campaign can be judged; 0 to 1
    #[arg(long, default_value_t = 0.0, value_name = "SHARE")]
    holdout: f64,
    /// The campaign's name: another one holds out others, the same one the same again; default: the audience's
    #[arg(long, value_name = "NAME")]
    campaign: Option<String>,
    /// Decides with the campaign's name who is held out
    #[arg(long, default_value = "", value_name = "TEXT")]
    salt: String,
    /// The new items, for new-arrival
    #[arg(long, num_args = 1.., value_name = "KEY")]
    item: Vec<String>,
    /// Due within so many days, for reorder-due
    #[arg(long, default_value = "7d", value_parser = days, value_name = "DAYS")]
    within: u32,
    /// Put in the cart not less than so many days ago, for interest
    #[arg(long, default_value = "3d", value_parser = days, value_name = "DAYS")]
    from: u32,
    /// … and not more
    #[arg(long, default_value = "10d", value_parser = days, value_name = "DAYS")]
    to: u32,
    /// Adds `expected_purchases` to the file: days with orders expected in so many days
    #[arg(long, value_name = "DAYS", value_parser = days, requires = "out")]
    horizon_days: Option<u32>,
}

/// `7d` or `7`.
pub(super) fn days(text: &str) -> Result<u32, String> {
    let days = text.strip_suffix('d').unwrap_or(text).parse().ok();
    let days = days.filter(|days| *days <= 36_500);
    days.ok_or_else(|| format!("expected days up to 36500, as in 7d, got {text:?}"))
}

/// Shown without a file.
const SHOWN: usize = 20;

impl AudienceCommand {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let index = Index::at(&self.index);
        let snapshot = Snapshot::open_current(&index)?;
        let shelf = grpc::shelf_with(&snapshot.contents, &live::read(index.root())?.items)?;
        let audience = self.audience(&snapshot.contents)?;
        let campaign = self.campaign.clone().unwrap_or_else(|| audience.name().to_owned());
        let selection = Selection {
            only: self.only.clone(),
            limit: self.limit,
            holdout: self.holdout,
            campaign,
            salt: self.salt.clone(),
        };
        let chosen = select(&snapshot, &shelf, &audience, &selection)?;
        match &self.out {
            None => {
                show(&snapshot.contents, &chosen)?;
                if chosen.is_empty() {
                    let clientele = snapshot.customers.clientele()?;
                    say(why_nobody(&snapshot.contents, &clientele, &audience));
                }
                Ok(())
            }
            Some(path) => {
                let clientele = snapshot.customers.clientele()?;
                let file = Sheet { contents: &snapshot.contents, clientele: &clientele };
                let told: Vec<Told<'_>> =
                    chosen.iter().map(|one| told(&snapshot, one)).collect::<Result<_, _>>()?;
                write(path, &file.columns(&told, self.horizon_days))?;
                let held_out = chosen.iter().filter(|chosen| chosen.held_out).count();
                let count = |number: usize| thousands(number as u64);
                print(format!(
                    "{} customers in {}, {} of them held out",
                    count(chosen.len()),
                    path.display(),
                    count(held_out)
                ))
            }
        }
    }

    fn audience(&self, contents: &Contents) -> anyhow::Result<Audience> {
        let name = &self.name;
        let argument = || {
            self.argument.clone().ok_or_else(|| {
                Error::Config(format!("{name} needs a word more: cartwright audience {name} '…'"))
            })
        };
        if self.argument.is_some() && !matches!(name.as_str(), "segment" | "where") {
            bail!(Error::Config(format!("{name} takes no further word")));
        }
        Ok(match self.name.as_str() {
            "new-arrival" => Audience::NewArrival { items: self.items(contents)? },
            "interest" => Audience::Interest { from_days: self.from, to_days: self.to },
            "reorder-due" => Audience::ReorderDue { within_days: self.within },
            "at-risk" => Audience::AtRisk,
            "win-back" => Audience::WinBack,
            "second-purchase" => Audience::SecondPurchase,
            "discount-sensitive" => Audience::DiscountSensitive,
            "champions" => Audience::Champions,
            "segment" => Audience::Segment(argument()?),
            _ => Audience::Where(argument()?),
        })
    }

    fn items(&self, contents: &Contents) -> anyhow::Result<Vec<ItemId>> {
        if self.item.is_empty() {
            bail!(Error::Config("new-arrival needs --item KEY…".into()));
        }
        let known = |key: &String| {
            contents.keys.get(key).with_context(|| {
                format!("the index knows no item {key:?}: put it into the catalogue and train")
            })
        };
        self.item.iter().map(known).collect()
    }
}

fn show(contents: &Contents, chosen: &[Chosen]) -> anyhow::Result<()> {
    let mut rows = table(&["customer", "score", "because", "items", ""]);
    for one in chosen.iter().take(SHOWN) {
        let titles: Vec<&str> =
            one.pick.items.iter().map(|&item| contents.shelf.title(item)).collect();
        rows.add_row([
            one.customer.clone(),
            format!("{:.3}", one.pick.score),
            one.pick.reason.clone(),
            titles.join("\n"),
            if one.held_out { "held out" } else { "" }.to_owned(),
        ]);
    }
    align_right(&mut rows, &[1]);
    print(rows)?;
    print(format!("{} customers chosen; --out FILE writes them", thousands(chosen.len() as u64)))
}

fn why_nobody(contents: &Contents, clientele: &Clientele, audience: &Audience) -> &'static str {
    match (&clientele.models, audience) {
        _ if !contents.timed => {
            "nobody: the events have no times, so who is due, lost or new is not known"
        }
        (None, Audience::AtRisk) => {
            "nobody: hardly any customer came back so far, so that little is expected of them"
        }
        (Some(models), Audience::AtRisk) if models.money.is_none() => {
            "nobody: the events have no prices, so what may be lost is not known"
        }
        _ => "nobody meets this now",
    }
}

/// A customer of the audience, and what is known of them.
struct Told<'a> {
    chosen: &'a Chosen,
    profile: Profile,
}

fn told<'a>(snapshot: &Snapshot, chosen: &'a Chosen) -> anyhow::Result<Told<'a>> {
    let profile = snapshot.customers.stored_profile(&chosen.customer)?;
    Ok(Told {
        chosen,
        profile: profile.context("a customer has gone while the audience was picked")?,
    })
}

/// What an audience's file says of each customer.
struct Sheet<'a> {
    contents: &'a Contents,
    clientele: &'a Clientele,
}

impl Sheet<'_> {
    fn columns(&self, told: &[Told<'_>], horizon: Option<u32>) -> Vec<(&'static str, Column)> {
        let text = |of: &dyn Fn(&Told<'_>) -> String| Column::Text(told.iter().map(of).collect());
        let number =
            |of: &dyn Fn(&Told<'_>) -> Option<f64>| Column::Number(told.iter().map(of).collect());
        let keys = |one: &Told<'_>| -> Vec<&str> {
            one.chosen.pick.items.iter().map(|&item| self.contents.keys.key(item)).collect()
        };
        let worth = |one: &Told<'_>| one.profile.buyer.as_ref().and_then(|buyer| buyer.worth);
        let buyer = |of: fn(&crate::customers::Buyer) -> f64| {
            move |one: &Told<'_>| one.profile.buyer.as_ref().map(of)
        };
        let mut columns = vec![
            ("customer_id", text(&|one| one.chosen.customer.clone())),
            ("group", text(&|one| if one.chosen.held_out { "holdout" } else { "treated" }.into())),
            ("score", number(&|one| Some(short(one.chosen.pick.score as f32)))),
            ("reason", text(&|one| one.chosen.pick.reason.clone())),
            ("items", text(&|one| keys(one).join("|"))),
            ("due", text(&|one| one.chosen.due_day())),
            ("segment", text(&|one| self.segment(one))),
            ("stage", text(&|one| one.profile.lifecycle.stage.name().into())),
            ("orders", number(&buyer(|buyer| buyer.rfm.orders.into()))),
            ("total", number(&buyer(|buyer| short(buyer.rfm.total)))),
            ("days_since_last_order", number(&buyer(|buyer| buyer.rfm.recency_days.into()))),
            ("churn", number(&buyer(|buyer| short(buyer.churn.probability)))),
            ("value_at_risk", number(&buyer(|buyer| short(buyer.churn.value_at_risk)))),
            ("alive", number(&|one| Some(short(worth(one)?.alive)))),
            ("expected_orders_28", number(&|one| Some(short(worth(one)?.orders_28.expected)))),
            ("expected_orders_90", number(&|one| Some(short(worth(one)?.orders_90.expected)))),
            ("expected_orders_365", number(&|one| Some(short(worth(one)?.orders_365.expected)))),
            ("lifetime_value", number(&|one| Some(short(worth(one)?.lifetime.expected)))),
        ];
        if let (Some(days), Some(models)) = (horizon, &self.clientele.models) {
            let ahead = |one: &Told<'_>| {
                Some(short(models.orders_within(&worth(one)?.timing, days).expected))
            };
            columns.push(("expected_purchases", number(&ahead)));
        }
        columns
    }

    fn segment(&self, one: &Told<'_>) -> String {
        let (contents, clientele) = (self.contents, self.clientele);
        let person = Person { profile: &one.profile, clientele, contents };
        person.segment().unwrap_or_default().to_owned()
    }
}

/// The shortest number that means this one: 887.62 for what is 887.6199951171875 in fact.
fn short(number: f32) -> f64 {
    number.to_string().parse().unwrap_or_else(|_| number.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_written_without_the_noise_of_their_last_bits() {
        assert_eq!([887.62, 0.1, 3.0].map(short), [887.62, 0.1, 3.0]);
    }
}
