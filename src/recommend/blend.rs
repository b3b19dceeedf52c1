//! How much each source counts, per question.

use serde::{Deserialize, Serialize};

use super::Kind;
use crate::error::{Error, Result};
use crate::index::Powers;

/// Where candidates come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Bought,
    Collected,
    Called,
    Drawn,
    Foreseen,
    Viewed,
    Next,
    Onward,
    Longer,
    Similar,
    Own,
    Glanced,
    Category,
    Popular,
}

/// How many sources there are.
pub const SOURCES: usize = 14;

/// The weights of one question. Each multiplies what a source says; 0 leaves the source out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Weights {
    /// Rules over baskets: bought together.
    pub bought: f32,
    /// Rules over customers: bought by the same people.
    pub collected: f32,
    /// Called for by the items asked about, learnt from orders (EASE).
    pub called: f32,
    /// Called for by what the customer has, learnt from customers (EASE).
    pub drawn: f32,
    /// What customers with a past like this one's bought next.
    pub foreseen: f32,
    /// Rules over visits: looked at together.
    pub viewed: f32,
    /// Looked at next in the same visit.
    pub next: f32,
    /// What visits like this one went on to.
    pub onward: f32,
    /// Rules with several items on the left.
    pub longer: f32,
    /// Close in the embedding space.
    pub similar: f32,
    /// What the customer bought before, by strength, rate of return and how due it is.
    pub own: f32,
    /// What the customer looked at and did not buy.
    pub glanced: f32,
    /// Popular in the category of the item asked about.
    pub category: f32,
    /// Popular in the shop.
    pub popular: f32,
    /// Power of the item's momentum that multiplies every score; 0 ignores it.
    pub momentum: f32,
    /// Power of how widely the item is bought that multiplies every score; 0 ignores it, and below 0 the less widely
    /// bought are preferred.
    pub reach: f32,
    /// What an item of the visit counts for each later one, 0 to 1.
    pub decay: f32,
    /// Power of how due an item is, in what the customer bought before; 0 ignores it.
    pub due: f32,
    /// Power of the price that multiplies every score where revenue is the objective.
    pub revenue: f32,
    /// Power of the margin that multiplies every score where margin is the objective.
    pub margin: f32,
}

impl Weights {
    /// The sources as the fields are named, in their order.
    pub const NAMES: [&'static str; SOURCES] = [
        "bought",
        "collected",
        "called",
        "drawn",
        "foreseen",
        "viewed",
        "next",
        "onward",
        "longer",
        "similar",
        "own",
        "glanced",
        "category",
        "popular",
    ];

    /// Popularity and nothing else.
    pub fn only_popular() -> Self {
        Self { bought: 0.0, popular: 1.0, ..Self::default() }
    }

    /// The quick sources only: a look at a list or two each. Where they say nothing, what is bought together does.
    pub(super) fn brief(&self) -> Self {
        let quick = Self {
            collected: 0.0,
            called: 0.0,
            viewed: 0.0,
            onward: 0.0,
            longer: 0.0,
            similar: 0.0,
            ..self.clone()
        };
        let Self { bought, drawn, foreseen, next, own, .. } = quick;
        let says_something =
            [bought, drawn, foreseen, next, own].iter().any(|&weight| weight > 0.0);
        if says_something { quick } else { Self { bought: 1.0, ..quick } }
    }

    /// The same weights but for those of the sources, given in the order of the fields.
    pub fn with_sources(&self, by_source: [f32; SOURCES]) -> Self {
        let [
            bought,
            collected,
            called,
            drawn,
            foreseen,
            viewed,
            next,
            onward,
            longer,
            similar,
            own,
            glanced,
            category,
            popular,
        ] = by_source;
        Self {
            bought,
            collected,
            called,
            drawn,
            foreseen,
            viewed,
            next,
            onward,
            longer,
            similar,
            own,
            glanced,
            category,
            popular,
            ..*self
        }
    }

    /// The same weights but for that of one source, by its place among the fields.
    pub fn with_source(&self, source: usize, weight: f32) -> Self {
        let mut by_source = self.by_source();
        by_source[source] = weight;
        self.with_sources(by_source)
    }

    /// In the order of the fields.
    pub fn by_source(&self) -> [f32; SOURCES] {
        let &Self { bought, collected, called, drawn, foreseen, viewed, next, .. } = self;
        let &Self { onward, longer, similar, own, glanced, category, popular, .. } = self;
        // Never 0, so that what fills up an answer still has an order.
        let popular = popular.max(1e-6);
        [
            bought, collected, called, drawn, foreseen, viewed, next, onward, longer, similar, own,
            glanced, category, popular,
        ]
    }

    /// What the sources say together: Σ weight × what the source says.
    pub fn sum(by_source: &[f32; SOURCES], says: &[f32; SOURCES]) -> f32 {
        // Several sums side by side: in a single one, each term would wait for the one before.
        const SUMS: usize = SOURCES / 2;
        const { assert!(2 * SUMS == SOURCES, "no source is left out") };
        let mut sums = [0.0; SUMS];
        let halves = by_source.as_chunks::<SUMS>().0.iter().zip(says.as_chunks::<SUMS>().0);
        for (weights, says) in halves {
            sums.iter_mut().zip(weights.iter().zip(says)).for_each(|(sum, (w, s))| *sum += w * s);
        }
        sums.iter().sum()
    }

    /// What the item's sales multiply every score with.
    pub fn powers(&self) -> Powers {
        Powers { momentum: self.momentum, reach: self.reach }
    }
}

impl Default for Weights {
    fn default() -> Self {
        Self {
            bought: 1.0,
            collected: 0.0,
            called: 0.0,
            drawn: 0.0,
            foreseen: 0.0,
            viewed: 0.0,
            next: 0.0,
            onward: 0.0,
            longer: 0.0,
            similar: 0.0,
            own: 0.0,
            glanced: 0.0,
            category: 0.0,
            popular: 0.01,
            momentum: 0.0,
            reach: 0.0,
            decay: 0.8,
            due: 0.5,
            revenue: 0.0,
            margin: 0.0,
        }
    }
}

/// The weights of every question.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Blend {
    /// [`Kind::Related`].
    pub related: Weights,
    /// [`Kind::Basket`].
    pub basket: Weights,
    /// [`Kind::BasketAnonymous`].
    pub basket_anonymous: Weights,
    /// [`Kind::Customer`].
    pub customer: Weights,
    /// [`Kind::CustomerNew`].
    pub customer_new: Weights,
    /// [`Kind::Session`].
    pub session: Weights,
    /// The chance that an item of a basket's answer is bought, by its place: the first place first.
    pub acceptance: Vec<f32>,
    /// False where hardly anybody buys a thing twice: a customer is offered what is new to them, asked for or not.
    #[serde(skip_serializing_if = "is_true")]
    pub again: bool,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_true(value: &bool) -> bool {
    *value
}

impl Default for Blend {
    fn default() -> Self {
        let basket = Weights {
            called: 1.0,
            longer: 0.1,
            viewed: 0.1,
            collected: 0.1,
            own: 0.3,
            ..Weights::default()
        };
        Self {
            related: Weights {
                collected: 0.2,
                called: 0.2,
                viewed: 0.4,
                similar: 0.05,
                category: 0.02,
                momentum: 0.2,
                ..Weights::default()
            },
            basket_anonymous: Weights { own: 0.0, ..basket.clone() },
            basket,
            customer: Weights {
                bought: 0.0,
                collected: 0.1,
                drawn: 0.3,
                foreseen: 0.3,
                viewed: 0.05,
                similar: 0.02,
                own: 1.0,
                glanced: 0.1,
                popular: 0.1,
                momentum: 0.4,
                ..Weights::default()
            },
            customer_new: Weights {
                bought: 0.3,
                collected: 1.0,
                drawn: 1.0,
                foreseen: 0.5,
                viewed: 0.3,
                similar: 0.1,
                glanced: 0.5,
                popular: 0.05,
                momentum: 0.6,
                ..Weights::default()
            },
            session: Weights {
                bought: 0.3,
                viewed: 0.4,
                next: 0.3,
                onward: 1.0,
                similar: 0.05,
                glanced: 0.05,
                decay: 0.6,
                ..Weights::default()
            },
            acceptance: Vec::new(),
            again: true,
        }
    }
}

impl Blend {
    /// The weights of a kind of question.
    pub fn of(&self, kind: Kind) -> &Weights {
        match kind {
            Kind::Related => &self.related,
            Kind::Basket => &self.basket,
            Kind::BasketAnonymous => &self.basket_anonymous,
            Kind::Customer => &self.customer,
            Kind::CustomerNew => &self.customer_new,
            Kind::Session => &self.session,
        }
    }

    /// The kinds that are answered by weights of their own.
    pub fn kinds(&self) -> impl Iterator<Item = Kind> + use<> {
        let again = self.again;
        Kind::ALL.into_iter().filter(move |kind| again || *kind != Kind::Customer)
    }

    /// The powers of items' sales that the questions ask for.
    pub fn powers(&self) -> impl Iterator<Item = Powers> {
        Kind::ALL.into_iter().map(|kind| self.of(kind).powers())
    }

    /// The same, to be changed.
    pub fn of_mut(&mut self, kind: Kind) -> &mut Weights {
        match kind {
            Kind::Related => &mut self.related,
            Kind::Basket => &mut self.basket,
            Kind::BasketAnonymous => &mut self.basket_anonymous,
            Kind::Customer => &mut self.customer,
            Kind::CustomerNew => &mut self.customer_new,
            Kind::Session => &mut self.session,
        }
    }

    /// The blend in a manifest's `learnt`; what it does not name has its default.
    ///
    /// Errors: it holds something else.
    pub fn learnt(learnt: &serde_json::Value) -> Result<Self> {
        match learnt.get("blend") {
            None => Ok(Self::default()),
            Some(blend) => serde_json::from_value(blend.clone()).map_err(|error| {
                Error::Config(format!("the manifest's `learnt.blend` can't be used: {error}"))
            }),
        }
    }
}
