//! One customer, held against one audience.

use super::arrival::Newcomers;
use super::ask::Audience;
use super::fields::{Fields, Person};
use crate::catalog::Shelf;
use crate::customers::{Buyer, Clientele, Due, EventKind, History, Profile, RfmSegment};
use crate::customers::{LostBy, SOON_DAYS, Stage, Standing, date};
use crate::error::{Error, Result, Violation, counted};
use crate::filter::{Bound, Filter};
use crate::ids::ItemId;
use crate::index::Contents;
use crate::time::Timestamp;

/// A customer who is in the audience.
#[derive(Clone, Debug, PartialEq)]
pub struct Pick {
    /// Higher first; comparable within one audience only.
    pub score: f64,
    /// Why, in words.
    pub reason: String,
    /// What to show them, best first; may be empty.
    pub items: Vec<ItemId>,
    /// When the first of the items is due, if the audience is about that.
    pub due: Option<Timestamp>,
}

/// Holds customers against one audience.
#[derive(Clone, Debug)]
pub struct Picker<'a> {
    contents: &'a Contents,
    shelf: &'a Shelf,
    clientele: &'a Clientele,
    rule: Rule,
}

#[derive(Clone, Debug)]
enum Rule {
    Arrival(Newcomers, Vec<ItemId>),
    Interest(u32, u32),
    Due(u32),
    AtRisk,
    WinBack(f32),
    Second,
    Discount(f32),
    Rfm(RfmSegment),
    Segment(u32),
    Where(Bound),
}

/// Shown to one customer, at most.
const ITEMS: usize = 5;
/// Many come back sooner than usual: an item may be due from this part of its usual time on. (Held to the whole of it,
/// a quarter fewer of the thousand likeliest were bought.)
const DUE_FROM: f32 = 0.5;
/// What is less likely to be bought is not said to be due.
const LEAST_CHANCE: f64 = 0.05;
/// Who buys with money off so many times as often as the shop's customers is after discounts …
const DISCOUNT_TIMES: f32 = 1.5;
/// … or in this share of their lines more.
const DISCOUNT_MORE: f32 = 0.15;

impl<'a> Picker<'a> {
    /// A picker for `audience`, which shows nothing that is not on the shelf.
    ///
    /// Errors: none of the new items can be offered; there is no such segment; the condition makes no sense
    /// ([`Error::InvalidRequest`]).
    pub fn new(
        contents: &'a Contents,
        shelf: &'a Shelf,
        clientele: &'a Clientele,
        audience: &Audience,
    ) -> Result<Self> {
        let rule = match audience {
            Audience::NewArrival { items } => {
                let items = items.iter().copied();
                let items: Vec<ItemId> =
                    items.filter(|item| shelf.absence(*item).is_none()).collect();
                if items.is_empty() {
                    let wrong =
                        "none of these can be offered: they are sold out, hidden or withdrawn";
                    return Err(invalid("new_arrival.item_ids", wrong.into()));
                }
                Rule::Arrival(Newcomers::of(contents, clientele, &items), items)
            }
            Audience::Interest { from_days, to_days } if from_days > to_days => {
                let description = format!("must be at least {from_days}, as `from_days` is");
                return Err(invalid("to_days", format!("{description}, and is {to_days}")));
            }
            Audience::Interest { from_days, to_days } => Rule::Interest(*from_days, *to_days),
            Audience::ReorderDue { within_days } => Rule::Due(*within_days),
            Audience::AtRisk => Rule::AtRisk,
            Audience::WinBack => Rule::WinBack(clientele.middle_total),
            Audience::SecondPurchase => Rule::Second,
            Audience::DiscountSensitive => {
                let shop = clientele.discount_share;
                Rule::Discount((shop * DISCOUNT_TIMES).min(shop + DISCOUNT_MORE))
            }
            Audience::Champions => Rule::Rfm(RfmSegment::Champions),
            Audience::Segment(name) => segment(clientele, name)?,
            Audience::Where(text) => {
                let filter = Filter::parse(text, &Fields(clientele))
                    .map_err(|wrong| invalid("where", wrong.to_string()))?;
                Rule::Where(filter.bind(None))
            }
        };
        Ok(Self { contents, shelf, clientele, rule })
    }

    /// True if [`pick`](Self::pick) looks at the past too.
    pub fn needs_history(&self) -> bool {
        matches!(self.rule, Rule::Arrival(..) | Rule::Interest(..) | Rule::Due(_))
    }

    /// Whether the item can be offered.
    fn may_show(&self, item: ItemId) -> bool {
        self.shelf.absence(item).is_none()
    }

    /// The customer with this profile and past, if they are in the audience.
    pub fn pick(&self, profile: &Profile, history: Option<&History>) -> Option<Pick> {
        let buyer = profile.buyer.as_ref();
        match &self.rule {
            Rule::Arrival(newcomers, items) => self.arrival(newcomers, items, history?),
            Rule::Interest(from, to) => self.interest(*from, *to, buyer, history?),
            Rule::Due(within) => self.due(*within, history?),
            Rule::AtRisk => self.at_risk(buyer?),
            Rule::WinBack(least) => self.win_back(profile, buyer?, *least),
            Rule::Second => self.second(profile, buyer?),
            Rule::Discount(least) => self.discount(buyer?, *least),
            Rule::Rfm(name) => {
                self.scored_by_value(buyer?, |b| b.rfm.segment() == *name, name.name())
            }
            Rule::Segment(at) => self.scored_by_value(
                buyer?,
                |buyer| buyer.segment == Some(*at),
                &self.clientele.segments.groups.get(*at as usize)?.name,
            ),
            Rule::Where(condition) => {
                let person = Person { profile, clientele: self.clientele, contents: self.contents };
                let score = || buyer.map_or(0.0, |buyer| f64::from(buyer.rfm.total));
                condition.matches(&person).then(|| plain(score(), "meets the condition", vec![]))
            }
        }
    }

    fn arrival(&self, newcomers: &Newcomers, items: &[ItemId], history: &History) -> Option<Pick> {
        let (score, because) = newcomers.called_by(history)?;
        let has_it = history.bought(because).is_some_and(|bought| bought.times > 0);
        let did = if has_it { "bought" } else { "looked at" };
        let reason = format!("{did} {}", self.contents.shelf.title(because));
        Some(plain(score, &reason, items.to_vec()))
    }

    fn interest(
        &self,
        from: u32,
        to: u32,
        buyer: Option<&Buyer>,
        history: &History,
    ) -> Option<Pick> {
        let now = self.contents.now;
        let wanted = history.glances.iter().filter(|glance| {
            let days = now.days_since(glance.at);
            matches!(glance.kind, EventKind::Cart | EventKind::Favorite)
                && self.may_show(glance.item)
                && days >= f64::from(from)
                && days <= f64::from(to) + 1.0
        });
        let wanted: Vec<_> = wanted.collect();
        let first = wanted.first()?;
        let fresh: f64 = wanted
            .iter()
            .map(|g| {
                f64::from(self.contents.interests.of(g.kind)) * (-now.days_since(g.at) / 7.0).exp()
            })
            .sum();
        let score = fresh * (0.1 + buyer.map_or(0.0, comes_back));
        let place = if first.kind == EventKind::Cart { "in the cart" } else { "on the wish list" };
        let days = counted(now.days_since(first.at).floor() as u64, "day");
        let reason = format!("{} {place} for {days}", self.contents.shelf.title(first.item));
        Some(plain(score, &reason, wanted.iter().take(ITEMS).map(|g| g.item).collect()))
    }

    fn due(&self, within: u32, history: &History) -> Option<Pick> {
        let now = self.contents.now;
        let due = self.due_within(within, history);
        let first = due.first()?;
        let times = history.bought(first.item).map_or(0, |bought| bought.times);
        let reason = format!(
            "{} usually {} {}, last {} ago",
            self.contents.shelf.title(first.item),
            if times > 1 { "every" } else { "again after" },
            counted(first.usual_days.round() as u64, "day"),
            counted(first.days_since.round() as u64, "day"),
        );
        let items = due.iter().take(ITEMS).map(|due| due.item).collect();
        let at = now.plus_days((first.usual_days - first.days_since).round() as i64);
        Some(Pick { due: Some(at), ..plain(first.chance_within(within.max(1)), &reason, items) })
    }

    /// What the customer buys again and may well buy within so many days, for half of its usual time will have passed,
    /// the likeliest first, until its rhythm is given up.
    pub fn due_within(&self, within: u32, history: &History) -> Vec<Due> {
        let mut due = self.contents.recurrence.due(history, self.contents.now);
        due.retain(|due| due.days_since + within as f32 >= DUE_FROM * due.usual_days);
        due.retain(|due| due.chance_within(within.max(SOON_DAYS as u32)) >= LEAST_CHANCE);
        due.retain(|due| self.may_show(due.item));
        due
    }

    fn second(&self, profile: &Profile, buyer: &Buyer) -> Option<Pick> {
        let left = self.clientele.rhythm.second_days - f64::from(buyer.rfm.recency_days);
        if profile.lifecycle.standing != Standing::First {
            return None;
        }
        let had = buyer.preferences.favourites.first()?.item;
        let goes_with = self.contents.bought.lists.row(had.index());
        let rhythm = &self.clientele.rhythm;
        let days = || counted(rhythm.second_days.round() as u64, "day");
        let when = match rhythm.is_learnt() {
            true => format!("second purchases come within {}", days()),
            false => "how soon second purchases come is not known yet".to_owned(),
        };
        let reason = format!("bought on one day, {}; {when}", latest(buyer));
        let items = goes_with.iter().map(|rule| rule.item).filter(|item| self.may_show(*item));
        let items = items.take(ITEMS).collect();
        Some(plain(comes_back(buyer) * left.max(0.0).sqrt(), &reason, items))
    }

    fn discount(&self, buyer: &Buyer, least: f32) -> Option<Pick> {
        let share = buyer.preferences.discount_share;
        let reason = format!(
            "{:.0} % of lines with money off, {:.0} % in the shop",
            100.0 * share,
            100.0 * self.clientele.discount_share
        );
        (least > 0.0 && share >= least)
            .then(|| plain(share.into(), &reason, self.favourites(buyer)))
    }

    fn at_risk(&self, buyer: &Buyer) -> Option<Pick> {
        let value = buyer.worth?.lifetime.expected;
        let score = f64::from(buyer.churn.value_at_risk);
        let percent = 100.0 * buyer.churn.lost;
        let reason = match self.clientele.lost_by {
            LostBy::Alive => format!("{percent:.0} % likely lost, lifetime value {value:.2}"),
            LostBy::Return => format!(
                "an order is {percent:.0} % less likely than right after the latest, {}; lifetime value \
             {value:.2}",
                latest(buyer)
            ),
        };
        (score > 0.0).then(|| plain(score, &reason, self.favourites(buyer)))
    }

    fn win_back(&self, profile: &Profile, buyer: &Buyer, least: f32) -> Option<Pick> {
        let total = buyer.rfm.total;
        (profile.lifecycle.stage == Stage::Churned && total >= least)
            .then(|| plain(self.value(buyer), &bought_so_far(buyer), self.favourites(buyer)))
    }

    fn scored_by_value(
        &self,
        buyer: &Buyer,
        belongs: impl Fn(&Buyer) -> bool,
        name: &str,
    ) -> Option<Pick> {
        let reason = || format!("{name}: {}", bought_so_far(buyer));
        belongs(buyer).then(|| plain(self.value(buyer), &reason(), self.favourites(buyer)))
    }

    /// What was paid so far, or in a shop without prices, in how many orders.
    fn value(&self, buyer: &Buyer) -> f64 {
        match self.clientele.middle_total > 0.0 {
            true => buyer.rfm.total.into(),
            false => buyer.rfm.orders.into(),
        }
    }

    /// What the customer likes most, of what can be offered.
    fn favourites(&self, buyer: &Buyer) -> Vec<ItemId> {
        let items = buyer.preferences.favourites.iter().map(|favourite| favourite.item);
        items.filter(|item| self.may_show(*item)).collect()
    }
}

/// Probability of an order within four weeks.
fn comes_back(buyer: &Buyer) -> f64 {
    1.0 - f64::from(buyer.churn.probability)
}

fn bought_so_far(buyer: &Buyer) -> String {
    let orders = counted(u64::from(buyer.rfm.orders), "order");
    let paid = match buyer.rfm.total > 0.0 {
        true => format!(" for {:.2}", buyer.rfm.total),
        false => String::new(),
    };
    format!("{orders}{paid}, the last {}", latest(buyer))
}

/// When the latest order was.
fn latest(buyer: &Buyer) -> String {
    format!("{} ago", counted(u64::from(buyer.rfm.recency_days), "day"))
}

fn plain(score: f64, reason: &str, items: Vec<ItemId>) -> Pick {
    Pick { score, reason: reason.to_owned(), items, due: None }
}

fn segment(clientele: &Clientele, name: &str) -> Result<Rule> {
    // Reports for people say "at risk".
    let plain = name.replace(' ', "_");
    if let Some(&known) = RfmSegment::ALL.iter().find(|known| known.name() == plain) {
        return Ok(Rule::Rfm(known));
    }
    let found = clientele.segments.groups.iter().position(|group| group.name == name);
    found.map(|at| Rule::Segment(at as u32)).ok_or_else(|| {
        let rfm = RfmSegment::ALL.map(RfmSegment::name);
        let own: Vec<String> =
            clientele.segments.groups.iter().map(|group| format!("{:?}", group.name)).collect();
        let known = format!("{}; found here: {}", rfm.join(", "), own.join(", "));
        invalid("segment", format!("expected one of: {known}"))
    })
}

fn invalid(field: &str, description: String) -> Error {
    Error::InvalidRequest(vec![Violation { field: field.to_owned(), description }])
}

/// A day, as YYYY-MM-DD in UTC.
pub(super) fn day_text(at: Timestamp) -> String {
    let day = at.0.div_euclid(crate::time::DAY_MS) as i32;
    date(day).map(|date| date.to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_is_known_by_its_name_and_by_what_reports_call_it() {
        for name in ["at_risk", "at risk"] {
            let found = segment(&Clientele::default(), name);
            assert!(matches!(found, Ok(Rule::Rfm(RfmSegment::AtRisk))), "{name}: {found:?}");
        }
        assert!(segment(&Clientele::default(), "at sea").is_err());
    }
}
