//! Every knob of training, room by room.

use serde::{Deserialize, Serialize};

use super::GateOptions;
use crate::customers::HistoryOptions;
use crate::embed::{
    ContentOptions, EaseOptions, FactorOptions, ForesightOptions, NeighbourOptions,
};
use crate::error::{Error, Result};
use crate::rules::RuleOptions;
use crate::rules::longer::LongRuleOptions;
use crate::rules::next::NextOptions;
use crate::trends::TrendOptions;

/// How a shop is learnt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainOptions {
    /// A visit ends after so many minutes without an event, ≥ 1; default 30.
    pub session_gap_minutes: u32,
    /// Rules over baskets. Their `size`, `source` and `target` are tried first, and others beside them, on what is held
    /// back; a `false_discovery_rate` that is not the default stays what it is. The manifest says what was chosen.
    pub bought: RuleOptions,
    /// Rules over customers, chosen likewise.
    pub collected: RuleOptions,
    /// Pulls between items, learnt from orders. Their `size`, `regularization` and `dropout` are those that answer best
    /// what is held back; the ones said here are for shops where nothing can be.
    pub called: EaseOptions,
    /// Pulls between items, learnt from customers, chosen likewise. Where customers hardly come back, its head is twice
    /// as large.
    pub drawn: EaseOptions,
    /// What customers buy next, learnt from what others did next.
    pub foreseen: ForesightOptions,
    /// Rules over visits.
    pub viewed: RuleOptions,
    /// What is looked at next.
    pub next: NextOptions,
    /// Where nobody looks at anything, what is bought in later orders is counted instead; default true. It is dropped
    /// where it finds far less of what is new to customers than rules over customers do.
    pub bought_later: bool,
    /// Rules with several items on the left.
    pub longer: LongRuleOptions,
    /// Vectors.
    pub factors: FactorOptions,
    /// Neighbours by vector.
    pub neighbours: NeighbourOptions,
    /// Neighbours kept per item; default 50.
    pub neighbours_per_item: usize,
    /// Vectors from what the catalogue says.
    pub content: ContentOptions,
    /// Items launched at most so many days before the end of the log are arrivals; default 60.
    pub arrival_days: u32,
    /// Arrivals kept per item; default 5.
    pub arrivals_per_item: usize,
    /// Popularity.
    pub trends: TrendOptions,
    /// What revenue or margin, where they are the objective, may cost of NDCG@10 on held-out weeks: a share,
    /// 0 to 1; default 0.05.
    pub objective_loss: f64,
    /// Customers' pasts.
    pub history: HistoryOptions,
    /// Counts in full what newcomers of the last weeks want and hardly anybody else does; default false: they count
    /// as far as others want it too, for a crowd of made-up accounts looks just so.
    pub keep_crowds: bool,
    /// What must hold before a generation is published.
    pub gate: GateOptions,
    /// Generations kept on disk, ≥ 2; default 5.
    pub keep_generations: usize,
    /// Older generations than this many days go though there are fewer than that; the current one and the one
    /// before it stay, whatever their age. Default 90: after a season, nobody goes back.
    pub keep_days: u32,
}

impl Default for TrainOptions {
    fn default() -> Self {
        Self {
            session_gap_minutes: 30,
            bought: RuleOptions::default(),
            // A customer's whole past is a far larger group than an order.
            collected: RuleOptions { max_group_items: Some(2_000), ..RuleOptions::default() },
            called: EaseOptions {
                head: 6_000,
                regularization: 150.0,
                dropout: 0.5,
                size: 0.5,
                ..EaseOptions::default()
            },
            drawn: EaseOptions { head: 6_000, regularization: 1_000.0, ..EaseOptions::default() },
            foreseen: ForesightOptions::default(),
            viewed: RuleOptions { per_item: 100, ..RuleOptions::default() },
            next: NextOptions::default(),
            bought_later: true,
            longer: LongRuleOptions {
                min_support: 0.0005,
                min_confidence: 0.4,
                max_sets: 200_000,
                max_items: 3,
                ..LongRuleOptions::default()
            },
            factors: FactorOptions::default(),
            neighbours: NeighbourOptions::default(),
            neighbours_per_item: 50,
            content: ContentOptions::default(),
            arrival_days: 60,
            arrivals_per_item: 5,
            trends: TrendOptions::default(),
            objective_loss: 0.05,
            history: HistoryOptions::default(),
            keep_crowds: false,
            gate: GateOptions::default(),
            keep_generations: 5,
            keep_days: 90,
        }
    }
}

impl TrainOptions {
    /// Errors: the first value that is out of its range.
    pub fn check(&self) -> Result<()> {
        self.trends.check()?;
        self.history.check()?;
        self.gate.check()?;
        let within = |name: &str, value: f64, from: f64, to: f64| {
            if (from..=to).contains(&value) {
                return Ok(());
            }
            Err(Error::Config(format!("train.{name} must be from {from} to {to}, not {value}")))
        };
        for (name, rules) in
            [("bought", &self.bought), ("collected", &self.collected), ("viewed", &self.viewed)]
        {
            within(&format!("{name}.size"), rules.size, 0.0, 2.0)?;
            within(&format!("{name}.source"), rules.source, 0.0, 1.0)?;
            within(&format!("{name}.target"), rules.target, 0.0, 1.0)?;
            within(&format!("{name}.shrink"), rules.shrink, 0.0, 1e9)?;
            within(&format!("{name}.false_discovery_rate"), rules.false_discovery_rate, 0.0, 1.0)?;
            within(&format!("{name}.min_count"), f64::from(rules.min_count), 1.0, 1e9)?;
        }
        for (name, votes) in [
            ("bought", self.bought.votes_per_customer),
            ("collected", self.collected.votes_per_customer),
            ("viewed", self.viewed.votes_per_customer),
            ("next", self.next.votes_per_customer),
        ] {
            let votes = votes.map_or(1.0, f64::from);
            within(&format!("{name}.votes_per_customer"), votes, 1.0, f64::from(u32::MAX))?;
        }
        for (name, pulls) in [("called", &self.called), ("drawn", &self.drawn)] {
            within(&format!("{name}.regularization"), f64::from(pulls.regularization), 1e-9, 1e9)?;
            within(&format!("{name}.dropout"), f64::from(pulls.dropout), 0.0, 0.99)?;
            within(&format!("{name}.size"), f64::from(pulls.size), 0.0, 2.0)?;
        }
        let ForesightOptions { regularization, lessons, days, moments, fading } = self.foreseen;
        within("foreseen.regularization", f64::from(regularization), 1e-9, 1e9)?;
        within("foreseen.lessons", lessons as f64, 0.0, 20_000.0)?;
        within("foreseen.days", f64::from(days), 1.0, 366.0)?;
        within("foreseen.moments", f64::from(moments), 1.0, 366.0)?;
        within("foreseen.fading", f64::from(fading), 1e-3, 1.0)?;
        within("session_gap_minutes", f64::from(self.session_gap_minutes), 1.0, 10_080.0)?;
        within("longer.min_support", self.longer.min_support, 0.0, 1.0)?;
        within("longer.min_confidence", self.longer.min_confidence, 0.0, 1.0)?;
        within("factors.dim", self.factors.dim as f64, 1.0, 1024.0)?;
        within("factors.regularization", f64::from(self.factors.regularization), 1e-9, 1e9)?;
        within("factors.unobserved", f64::from(self.factors.unobserved), 0.0, 1.0)?;
        within("neighbours.links", self.neighbours.links as f64, 2.0, 256.0)?;
        within("content.buckets", self.content.buckets as f64, 1.0, f64::from(1 << 20))?;
        within("objective_loss", self.objective_loss, 0.0, 1.0)?;
        within("content.enough", f64::from(self.content.enough), 1.0, 1e9)?;
        within("keep_days", f64::from(self.keep_days), 0.0, 36_500.0)?;
        within("keep_generations", self.keep_generations as f64, 2.0, 1e6)
    }
}
