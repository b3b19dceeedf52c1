//! Everything that is known of one customer, and of all of them together.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::History;
use super::arrival::{ArrivalModel, Likeness};
use super::churn::{ChurnModel, LostBy};
use super::five::{Aspects, Quadrant, Thresholds, aspects};
use super::kpis::{Kpis, kpis};
use super::ledger::{Ledger, Order};
use super::lifecycle::{Lifecycle, Rhythm};
use super::preferences::{Preferences, Shelf, preferences};
use super::rfm::{Ranks, Rfm, rfm};
use super::segments::{Point, Segments};
use super::value::{Models, Worth, WorthOptions};
use crate::catalog::{CategoryTree, Item};
use crate::events::EventLog;
use crate::time::Timestamp;

/// Everything that is known of one customer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    /// Where they are.
    pub lifecycle: Lifecycle,
    /// All that orders say; `None` for those who never bought.
    pub buyer: Option<Buyer>,
    /// What the shop says of them, by the name of its column.
    pub attributes: BTreeMap<String, String>,
}

/// What orders say of a customer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Buyer {
    /// Recency, frequency, monetary value.
    pub rfm: Rfm,
    /// Order value × frequency.
    pub quadrant: Quadrant,
    /// What is expected; `None` in a shop where hardly anybody comes back.
    pub worth: Option<Worth>,
    /// Value from five sides.
    pub aspects: Aspects,
    /// What the next four weeks and the lifetime may lose.
    pub churn: Churn,
    /// What they like.
    pub preferences: Preferences,
    /// Which of [`Clientele::segments`].
    pub segment: Option<u32>,
    /// The latest orders, oldest first, [`KEPT_ORDERS`] at most.
    pub latest_orders: Vec<Paid>,
}

/// How likely a customer is lost, and what that would cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Churn {
    /// Probability of no order in the next 28 days, 0 to 1; see [`ChurnModel`].
    pub probability: f32,
    /// How much of the customer is lost, by [`Clientele::lost_by`]: 0 to 1.
    pub lost: f32,
    /// `lost` × lifetime value, money.
    pub value_at_risk: f32,
}

/// An order, in short.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Paid {
    /// When.
    pub at: Timestamp,
    /// What was paid, money.
    pub value: f32,
}

/// So many of a customer's latest orders are kept: what campaigns are judged by.
pub const KEPT_ORDERS: usize = 64;

/// Everything that is known of the shop's customers as a whole.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Clientele {
    /// The last day of the log: days since 1970.
    pub today: i32,
    /// Customers who ever bought.
    pub buyers: u64,
    /// The shop's rhythm.
    pub rhythm: Rhythm,
    /// What expectations come from.
    pub models: Option<Models>,
    /// What churn comes from.
    pub churn: Option<ChurnModel>,
    /// By what it is told who is lost.
    #[serde(default)]
    pub lost_by: LostBy,
    /// Who takes to what is new.
    #[serde(default)]
    pub arrivals: ArrivalModel,
    /// Where large orders begin, and frequent ones.
    pub thresholds: Thresholds,
    /// Groups of customers who are alike.
    pub segments: Segments,
    /// Share of lines with money off, 0 to 1.
    pub discount_share: f32,
    /// What the middle customer has paid in all, money.
    pub middle_total: f32,
    /// What the shop says of its customers, by name.
    pub attributes: Vec<Attribute>,
    /// What the owner looks at.
    pub kpis: Kpis,
}

/// Something that the shop says of its customers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attribute {
    /// The column's name.
    pub name: String,
    /// True if every value is a number.
    pub numeric: bool,
}

/// How customers are told of.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProfileOptions {
    /// True keeps keyed hashes of customers' keys instead of the keys; default false. The secret comes from
    /// the environment, for the trainer and for whoever asks.
    pub hash_keys: bool,
    /// How far ahead, and at what interest.
    pub worth: WorthOptions,
}

/// What profiles are made from.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// What happened.
    pub log: &'a EventLog,
    /// What is sold, in the order of the ids.
    pub items: &'a [Item],
    /// The categories that these span.
    pub categories: &'a CategoryTree,
    /// The customers' pasts, in the order of their ids.
    pub histories: &'a [History],
    /// Decides what a day is.
    pub zone: &'a TimeZone,
}

/// The profile of every customer, in the order of their ids, and what is known of all. In a log without
/// time nobody has a past to tell from: profiles are empty.
pub fn profiles(source: &Source<'_>, options: &WorthOptions) -> (Clientele, Vec<Profile>) {
    let Source { log, items, categories, histories, zone } = *source;
    if !log.timed {
        return (Clientele::default(), vec![Profile::default(); log.customers.len()]);
    }
    let ledger = Ledger::of(log, zone);
    let rfm = rfm(&ledger);
    let rhythm = Rhythm::learn(&ledger);
    let models = Models::fit(&ledger);
    let worths = match &models {
        Some(models) => models.worths(&ledger, options),
        None => vec![None; ledger.len()],
    };
    let churn = models.as_ref().and_then(|models| ChurnModel::learn(&ledger, &rhythm, models));
    let aspects = aspects(&ledger, &worths);
    let shelf = Shelf::new(items, categories);
    let preferences = preferences(log, &ledger, histories, &shelf, zone);
    let points: Vec<Option<Point>> = (0..ledger.len())
        .map(|c| {
            Some(point(
                ledger.orders.row(c),
                rfm[c].as_ref()?,
                preferences[c].as_ref()?,
                aspects[c]?,
            ))
        })
        .collect();
    let (segments, places) = Segments::learn(&points);
    let thresholds = Thresholds::of(&rfm);
    let clientele = Clientele {
        today: ledger.today,
        buyers: rfm.iter().flatten().count() as u64,
        kpis: kpis(&ledger, &rhythm),
        arrivals: ArrivalModel::learn(log, &ledger, &Likeness::new(items, categories), zone),
        discount_share: discount_share(&ledger),
        middle_total: Ranks::of(rfm.iter().flatten().map(|rfm| rfm.total)).at(0.5),
        attributes: Vec::new(),
        rhythm,
        models,
        lost_by: LostBy::of(worths.iter().flatten().map(|worth| worth.alive), churn.as_ref()),
        churn,
        thresholds,
        segments,
    };
    let buyers =
        rfm.into_iter().zip(preferences).enumerate().map(|(customer, (rfm, preferences))| {
            let (rfm, worth) = (rfm?, worths[customer]);
            Some(Buyer {
                quadrant: thresholds.quadrant(&rfm),
                worth,
                aspects: aspects[customer]?,
                churn: Churn::default(),
                preferences: preferences?,
                segment: places[customer],
                latest_orders: latest(ledger.orders.row(customer)),
                rfm,
            })
        });
    let buyers: Vec<Option<Buyer>> = buyers.collect();
    let profiles = buyers
        .into_par_iter()
        .enumerate()
        .map(|(customer, buyer)| clientele.profile(&ledger.days(customer), buyer))
        .collect();
    (clientele, profiles)
}

impl Clientele {
    /// Learns which attributes there are.
    pub fn note_attributes<'a>(&mut self, profiles: impl Iterator<Item = &'a Profile>) {
        let mut known: BTreeMap<&str, bool> = BTreeMap::new();
        for (name, value) in profiles.flat_map(|profile| &profile.attributes) {
            *known.entry(name).or_insert(true) &= value.trim().parse::<f64>().is_ok();
        }
        let attribute =
            |(name, numeric): (&str, bool)| Attribute { name: name.to_owned(), numeric };
        self.attributes = known.into_iter().map(attribute).collect();
    }

    fn profile(&self, days: &[i32], mut buyer: Option<Buyer>) -> Profile {
        if let Some(buyer) = &mut buyer {
            let learnt = self.churn.as_ref().zip(self.models.as_ref());
            let by = |of: fn(&ChurnModel, &[i32], i32, &Rhythm, &Models) -> Option<f64>| {
                learnt.and_then(|(churn, models)| of(churn, days, self.today, &self.rhythm, models))
            };
            let churn = by(ChurnModel::churn);
            let recency = f64::from(buyer.rfm.recency_days);
            // Nothing learnt: as if orders came at random at the customer's cadence.
            let guess = || 1.0 - (-28.0 / self.rhythm.cadence(days).max(recency)).exp();
            buyer.churn.probability = churn.unwrap_or_else(|| 1.0 - guess()) as f32;
            if let Some(worth) = &buyer.worth {
                buyer.churn.lost = match self.lost_by {
                    LostBy::Alive => 1.0 - worth.alive,
                    LostBy::Return => by(ChurnModel::lost).unwrap_or_default() as f32,
                };
                buyer.churn.value_at_risk = buyer.churn.lost * worth.lifetime.expected;
            }
        }
        let lifecycle = self.rhythm.lifecycle(days, self.today);
        Profile { lifecycle, buyer, attributes: BTreeMap::new() }
    }
}

fn point(orders: &[Order], rfm: &Rfm, preferences: &Preferences, aspects: Aspects) -> Point {
    let items: u32 = orders.iter().map(|order| order.items).sum();
    [
        (rfm.recency_days as f32).ln_1p(),
        (rfm.orders as f32).ln_1p(),
        rfm.average.max(0.0).ln_1p(),
        preferences.discount_share,
        preferences.price_level,
        (items as f32 / orders.len().max(1) as f32).ln_1p(),
        aspects.growth,
    ]
}

fn latest(orders: &[Order]) -> Vec<Paid> {
    let kept = &orders[orders.len().saturating_sub(KEPT_ORDERS)..];
    kept.iter().map(|order| Paid { at: order.at, value: order.value }).collect()
}

fn discount_share(ledger: &Ledger) -> f32 {
    let orders = ledger.orders.entries();
    let lines: f64 = orders.iter().map(|order| f64::from(order.lines)).sum();
    let discounted: f64 = orders.iter().map(|order| f64::from(order.discounted)).sum();
    (discounted / lines.max(1.0)) as f32
}
