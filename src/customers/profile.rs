//! Everything that is known of one customer, and of all of them together.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use rayon::prelude::*;
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use super::arrival::{ArrivalModel, Likeness};
use super::churn::{ChurnModel, LostBy};
use super::five::{Aspects, Quadrant, Thresholds, aspects};
use super::kpis::{Kpis, kpis};
use super::ledger::{Ledger, Order};
use super::lifecycle::{Lifecycle, Rhythm};
use super::preferences::{Preferences, Shelf, favourites};
use super::rfm::{Ranks, Rfm, rfm};
use super::segments::{Point, Segments};
use super::value::{Models, Worth, WorthOptions};
use super::{Cadence, Pasts};
use crate::catalog::{CategoryTree, Item};
use crate::events::EventLog;
use crate::ids::{CustomerId, ItemId};
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
    /// The customers' pasts, told from this log.
    pub pasts: &'a Pasts,
    /// What is come back for how often.
    pub cadence: &'a Cadence,
    /// Decides what a day is.
    pub zone: &'a TimeZone,
}

/// Tells customers' profiles when they are asked for: all at once take much memory.
#[derive(Debug)]
pub struct Profiler<'a> {
    /// What is known of all.
    pub clientele: Clientele,
    source: Source<'a>,
    shelf: Shelf<'a>,
    ledger: Ledger,
    figures: Figures,
    attributes: FxHashMap<CustomerId, BTreeMap<String, String>>,
}

/// Per customer, in the order of their ids; `None` for those who never bought.
#[derive(Debug, Default)]
struct Figures {
    rfm: Vec<Option<Rfm>>,
    worths: Vec<Option<Worth>>,
    aspects: Vec<Option<Aspects>>,
    segments: Vec<Option<u32>>,
}

impl<'a> Profiler<'a> {
    /// Learns what is known of all customers. In a log without time nobody has a past to tell from: profiles are
    /// empty.
    pub fn learn(source: Source<'a>, options: &WorthOptions) -> Self {
        let Source { log, items, categories, pasts, zone, .. } = source;
        let ledger = match log.timed {
            true => Ledger::with(log, pasts.by_customer(), zone),
            false => Ledger::default(),
        };
        let shelf = Shelf::new(items, categories, discount_share(&ledger));
        let (clientele, figures) = match log.timed {
            true => figures(&source, &shelf, &ledger, options),
            false => Default::default(),
        };
        Self { clientele, source, shelf, ledger, figures, attributes: FxHashMap::default() }
    }

    /// Learns what the shop says of its customers.
    pub fn note_attributes(&mut self, attributes: FxHashMap<CustomerId, BTreeMap<String, String>>) {
        let mut known: BTreeMap<&str, bool> = BTreeMap::new();
        for (name, value) in attributes.values().flatten() {
            *known.entry(name).or_insert(true) &= value.trim().parse::<f64>().is_ok();
        }
        let attribute =
            |(name, numeric): (&str, bool)| Attribute { name: name.to_owned(), numeric };
        self.clientele.attributes = known.into_iter().map(attribute).collect();
        self.attributes = attributes;
    }

    /// Everything that is known of one customer.
    pub fn profile(&self, customer: CustomerId) -> Profile {
        let attributes = self.attributes.get(&customer).cloned().unwrap_or_default();
        if !self.source.log.timed {
            return Profile { attributes, ..Profile::default() };
        }
        let Clientele { today, rhythm, .. } = &self.clientele;
        let days = self.ledger.days(customer.index());
        let buyer = self.buyer(customer, &days);
        Profile { lifecycle: rhythm.lifecycle(&days, *today), buyer, attributes }
    }

    /// The same of some customers, in their order.
    pub fn tell(&self, customers: &[CustomerId]) -> Vec<Profile> {
        customers.par_iter().map(|customer| self.profile(*customer)).collect()
    }

    /// The same of every customer, in the order of their ids.
    pub fn all(&self) -> Vec<Profile> {
        let customers: Vec<_> = (0..self.source.log.customers.len()).map(CustomerId::new).collect();
        self.tell(&customers)
    }

    fn buyer(&self, customer: CustomerId, days: &[i32]) -> Option<Buyer> {
        let Self { source, clientele, ledger, shelf, figures, .. } = self;
        let Source { log, pasts, cadence, zone, .. } = source;
        let at = customer.index();
        let (rfm, worth) = (figures.rfm[at].clone()?, figures.worths[at]);
        let orders = ledger.orders.row(at);
        let favourites = favourites(&pasts.bought(customer, cadence));
        Some(Buyer {
            quadrant: clientele.thresholds.quadrant(&rfm),
            worth,
            aspects: figures.aspects[at]?,
            churn: clientele.churn(days, &rfm, worth.as_ref()),
            preferences: shelf.preferences(orders, &ledger.bought(log, at), favourites, zone),
            segment: figures.segments[at],
            latest_orders: latest(orders),
            rfm,
        })
    }
}

/// Of a log with time.
fn figures(
    source: &Source<'_>,
    shelf: &Shelf<'_>,
    ledger: &Ledger,
    options: &WorthOptions,
) -> (Clientele, Figures) {
    let Source { log, items, categories, zone, .. } = *source;
    let rfm = rfm(ledger);
    let rhythm = Rhythm::learn(ledger);
    let models = Models::fit(ledger);
    let worths = match &models {
        Some(models) => models.worths(ledger, options),
        None => vec![None; ledger.len()],
    };
    let churn = models.as_ref().and_then(|models| ChurnModel::learn(ledger, &rhythm, models));
    let aspects = aspects(ledger, &worths);
    let point = |customer: usize| {
        let orders = ledger.orders.row(customer);
        let (rfm, aspects) = (rfm[customer].as_ref()?, aspects[customer]?);
        Some(point(orders, rfm, shelf, &ledger.bought(log, customer), aspects))
    };
    let points: Vec<Option<Point>> = (0..ledger.len()).into_par_iter().map(point).collect();
    let (segments, places) = Segments::learn(&points);
    let clientele = Clientele {
        today: ledger.today,
        buyers: rfm.iter().flatten().count() as u64,
        kpis: kpis(ledger, &rhythm),
        arrivals: ArrivalModel::learn(log, ledger, &Likeness::new(items, categories), zone),
        discount_share: shelf.usual_discount,
        middle_total: Ranks::of(rfm.iter().flatten().map(|rfm| rfm.total)).at(0.5),
        attributes: Vec::new(),
        rhythm,
        models,
        lost_by: LostBy::of(worths.iter().flatten().map(|worth| worth.alive), churn.as_ref()),
        churn,
        thresholds: Thresholds::of(&rfm),
        segments,
    };
    (clientele, Figures { rfm, worths, aspects, segments: places })
}

impl Clientele {
    /// What is feared of a customer who bought on these days.
    fn churn(&self, days: &[i32], rfm: &Rfm, worth: Option<&Worth>) -> Churn {
        let learnt = self.churn.as_ref().zip(self.models.as_ref());
        let by = |of: fn(&ChurnModel, &[i32], i32, &Rhythm, &Models) -> Option<f64>| {
            learnt.and_then(|(churn, models)| of(churn, days, self.today, &self.rhythm, models))
        };
        // Nothing learnt: as if orders came at random at the customer's cadence.
        let recency = f64::from(rfm.recency_days);
        let guess = || (-28.0 / self.rhythm.cadence(days).max(recency)).exp();
        let mut churn = Churn {
            probability: by(ChurnModel::churn).unwrap_or_else(guess) as f32,
            ..Churn::default()
        };
        if let Some(worth) = worth {
            churn.lost = match self.lost_by {
                LostBy::Alive => 1.0 - worth.alive,
                LostBy::Return => by(ChurnModel::lost).unwrap_or_default() as f32,
            };
            churn.value_at_risk = churn.lost * worth.lifetime.expected;
        }
        churn
    }
}

fn point(
    orders: &[Order],
    rfm: &Rfm,
    shelf: &Shelf<'_>,
    bought: &[ItemId],
    aspects: Aspects,
) -> Point {
    let items: u32 = orders.iter().map(|order| order.items).sum();
    [
        (rfm.recency_days as f32).ln_1p(),
        (rfm.orders as f32).ln_1p(),
        rfm.average.max(0.0).ln_1p(),
        shelf.discount_share(orders),
        shelf.price_level(bought),
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
