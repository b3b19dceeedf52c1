//! Reasons in words, as a shop may show them.

use super::reason::{DueAgain, Reason, RuleAct};
use crate::catalog::Shelf;
use crate::customers::EventKind;
use crate::error::Counted;
use crate::ids::ItemId;
use crate::index::Contents;
use crate::rules::{RuleLists, Rules};

impl Reason {
    /// The reason in words, for people. Never names a customer.
    pub fn text(&self, contents: &Contents, shelf: &Shelf) -> String {
        let title = |item: &ItemId| shelf.title(*item);
        match self {
            Self::BoughtTogether { with, counted } => format!(
                "bought with {} in {}: {}% of its orders, {}× chance",
                Titles(with, shelf),
                number(counted.together, "order"),
                percent(counted.confidence),
                Tenths(counted.lift),
            ),
            Self::SameCustomers { with, counted, after } => format!(
                "{} who bought {} bought this {}: {}% of them, {}× chance",
                number(counted.together, "customer"),
                title(with),
                if *after { "afterwards" } else { "too" },
                percent(counted.confidence),
                Tenths(counted.lift),
            ),
            Self::CalledFor { by, weight, in_orders: true } => {
                format!("orders with {} call for it (weight {})", title(by), Short(*weight))
            }
            Self::CalledFor { by, weight, in_orders: false } => {
                let weight = Short(*weight);
                format!("customers who bought {} are drawn to it (weight {weight})", title(by))
            }
            Self::Foreseen { weight } => {
                let weight = Short(*weight);
                format!("customers with a past like this one's bought it next (weight {weight})")
            }
            Self::ViewedTogether { with, counted, alternative, after } => format!(
                "{}looked at {} {} in {}",
                if *alternative { "an alternative: " } else { "" },
                if *after { "after" } else { "together with" },
                title(with),
                number(counted.together, "visit"),
            ),
            Self::VisitsLikeThis { after, sessions: 0 } => {
                format!("visits that saw {} lead to it", title(after))
            }
            Self::VisitsLikeThis { sessions, .. } => {
                format!("seen in {sessions} of the visits most like this one")
            }
            Self::Similar { to, cosine, alternative } => format!(
                "{}wanted by the same customers as {} (cosine {cosine:.2})",
                if *alternative { "an alternative: " } else { "" },
                title(to),
            ),
            Self::BoughtBefore { times, last: None, .. } => {
                format!("bought before in {}", number(*times, "order"))
            }
            Self::BoughtBefore { times, usual_days, days_since, due, .. } if *usual_days > 0.0 => {
                let due = match due {
                    None => String::new(),
                    Some(DueAgain { in_days, .. }) if *in_days < 0.5 => ": due now".to_owned(),
                    Some(DueAgain { in_days, .. }) => {
                        let days = in_days.round() as u32; // a few years at most
                        format!(": due in {}", number(days, "day"))
                    }
                };
                // What was bought once has no habit of its own, but that of others.
                let habit = if *times > 1 { "usually every" } else { "usually again after" };
                format!(
                    "bought before in {}, {habit} {}, last {} ago{due}",
                    number(*times, "order"),
                    days(f64::from(*usual_days)),
                    days(*days_since),
                )
            }
            Self::BoughtBefore { times, days_since, .. } => {
                format!(
                    "bought before in {}, last {} ago",
                    number(*times, "order"),
                    days(*days_since)
                )
            }
            Self::SeenBefore { kind, .. } => match kind {
                EventKind::Cart => "put in the cart and not bought".to_owned(),
                EventKind::Favorite => "put on the wish list and not bought".to_owned(),
                _ => "looked at and not bought".to_owned(),
            },
            Self::ThisVisit => "looked at in this visit".to_owned(),
            Self::Selling { category, count, window_days, fallback } => {
                let place = category.map_or("the shop", |c| contents.categories.path(c));
                let stands_in = if *fallback { STANDS_IN } else { "" };
                let (best, who) = match Voters::of(contents) {
                    Voters::Customers if any(&contents.viewed) => {
                        ("wanted most", format!("{count} bought it or looked at it"))
                    }
                    Voters::Customers => ("sells best", format!("{count} bought it")),
                    Voters::Orders => {
                        let visits = if any(&contents.viewed) { " or visits" } else { "" };
                        ("sells best", format!("in {}{visits}", number(*count, "order")))
                    }
                    Voters::Visitors => ("looked at most", number(*count, "visitor").to_string()),
                };
                format!("{best} in {place}: {who}{}{stands_in}", in_window(*window_days))
            }
            Self::Rising { count, expected, at_least, window_days, fallback, .. } => {
                let stands_in = if *fallback { STANDS_IN } else { "" };
                let voters = Voters::of(contents);
                let who = number(*count, voters.word("customer"));
                let daily = if voters == Voters::Customers { ", each once a day" } else { "" };
                format!(
                    "rising: {who}{daily}{}, {expected:.1} expected: at least {at_least:.1}× its usual rate{stands_in}",
                    in_window(*window_days),
                )
            }
            Self::Popular { category, count, window_days, fallback } => {
                let place = category.map_or("the shop", |c| contents.categories.path(c));
                let window = in_window(*window_days);
                let stands_in =
                    if *fallback { ", standing in: nothing nearer is known" } else { "" };
                let one = Voters::of(contents).word("buyer");
                match count {
                    0 => format!("from {place}, with no {one}s{window}{stands_in}"),
                    _ => format!("popular in {place}: {}{window}{stands_in}", number(*count, one)),
                }
            }
            Self::New { like: None, .. } => "new in the shop".to_owned(),
            Self::New { like: Some(like), cosine } => {
                format!("new in the shop, and like {} (cosine {cosine:.2})", title(like))
            }
            Self::UpSell { from, price_ratio } => {
                let dearer = 100.0 * (price_ratio - 1.0);
                format!("a step up from {}, for {dearer:.0}% more", title(from))
            }
            Self::Rule { id, act } => {
                let act = match act {
                    RuleAct::Pinned => "put here",
                    RuleAct::Boosted => "raised",
                    RuleAct::Buried => "lowered",
                    RuleAct::Promoted => "promoted",
                };
                format!("{act} by the shop's rule {id}")
            }
        }
    }
}

/// What is hot where too little rises, or may rise by chance only; or of the shop where the category is not known.
const STANDS_IN: &str = ", standing in for what was asked for";

/// 0 is all of the log.
fn in_window(days: u32) -> String {
    match days {
        0 => String::new(),
        1 => " on the last day".to_owned(),
        days => format!(" in the last {days} days"),
    }
}

/// A weight to two digits that tell something: 1.25, 0.0031.
struct Short(f32);

impl std::fmt::Display for Short {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let zeros =
            if self.0 > 0.0 { (-self.0.log10()).floor().clamp(0.0, 6.0) as usize } else { 0 };
        write!(f, "{:.*}", 2 + zeros, self.0)
    }
}

/// A share as a whole percentage.
fn percent(share: f64) -> u64 {
    (100.0 * share).round() as u64 // shares are from 0 to 1
}

/// A number, not negative, to one digit behind the point. Most answers tell some of these, and floats are slow to write.
struct Tenths(f64);

impl std::fmt::Display for Tenths {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let tenths = (10.0 * self.0).round() as u64; // against chance, no more than orders
        write!(f, "{}.{}", tenths / 10, tenths % 10)
    }
}

/// Of some items, with `and` between them.
struct Titles<'a>(&'a [ItemId], &'a Shelf);

impl std::fmt::Display for Titles<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (place, &item) in self.0.iter().enumerate() {
            f.write_str(if place == 0 { "" } else { " and " })?;
            f.write_str(self.1.title(item))?;
        }
        Ok(())
    }
}

fn number(count: u32, one: &str) -> Counted<'_> {
    Counted(count.into(), one)
}

/// Days, to the next whole one; a few thousand at most.
fn days(days: f64) -> Counted<'static> {
    Counted(days.round().max(0.0) as u64, "day")
}

/// Whether there was anything to count.
fn any(rules: &Rules<RuleLists>) -> bool {
    rules.groups > 0 || rules.left_out_groups > 0
}

/// Who is told apart where popularity is counted, as far as the shop's log knows them.
#[derive(Clone, Copy, PartialEq)]
enum Voters {
    Customers,
    /// Orders, of nobody known.
    Orders,
    /// Whoever looked: nothing was bought.
    Visitors,
}

impl Voters {
    fn of(contents: &Contents) -> Self {
        match (any(&contents.bought), any(&contents.collected)) {
            (false, _) => Self::Visitors,
            (true, false) => Self::Orders,
            (true, true) => Self::Customers,
        }
    }

    /// What one of them is called, which is `customer` if they are customers.
    fn word(self, customer: &'static str) -> &'static str {
        match self {
            Self::Customers => customer,
            Self::Orders => "order",
            Self::Visitors => "visitor",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A shop with so many orders, and customers who gave them.
    fn shop(orders: u32, customers: u32) -> Contents {
        let rules = |groups| Rules { groups, ..Rules::default() };
        Contents { bought: rules(orders), collected: rules(customers), ..Contents::default() }
    }

    /// The same with visits.
    fn looked_at(orders: u32, customers: u32) -> Contents {
        let viewed = Rules { groups: 1, ..Rules::default() };
        Contents { viewed, ..shop(orders, customers) }
    }

    #[test]
    fn a_small_weight_is_told_too() {
        let told = [1.25, 0.5, 0.099, 0.0031, 0.0].map(|weight| Short(weight).to_string());
        assert_eq!(told, ["1.25", "0.50", "0.099", "0.0031", "0.00"]);
    }

    #[test]
    fn shares_and_lifts_are_rounded_to_the_next() {
        assert_eq!([0.0, 0.004, 0.125, 0.996, 1.0].map(percent), [0, 0, 13, 100, 100]);
        let told = [0.0, 0.04, 0.06, 1.0, 12.34, 98_765.96].map(|lift| Tenths(lift).to_string());
        assert_eq!(told, ["0.0", "0.0", "0.1", "1.0", "12.3", "98766.0"]);
    }

    #[test]
    fn what_nobody_bought_of_late_is_not_called_popular() {
        let text = |count| {
            let (category, window_days, fallback) = (None, 28, false);
            let reason = Reason::Popular { category, count, window_days, fallback };
            reason.text(&shop(9, 9), &Shelf::default())
        };
        assert_eq!(text(0), "from the shop, with no buyers in the last 28 days");
        assert_eq!(text(1), "popular in the shop: 1 buyer in the last 28 days");
        assert_eq!(text(2), "popular in the shop: 2 buyers in the last 28 days");
    }

    #[test]
    fn orders_and_visitors_are_not_called_customers_in_a_shop_that_knows_none() {
        let (category, count, window_days, fallback) = (None, 5, 0, false);
        let (expected, at_least) = (1.0, 2.0);
        let reasons = [
            Reason::Popular { category, count, window_days, fallback },
            Reason::Selling { category, count, window_days, fallback },
            Reason::Rising { category, count, expected, at_least, window_days, fallback },
        ];
        for (shop, told) in [
            (shop(9, 9), ["5 buyers", "5 bought it", "5 customers"]),
            (looked_at(9, 9), ["5 buyers", "5 bought it or looked at it", "5 customers"]),
            (shop(9, 0), ["5 orders", "in 5 orders", "5 orders"]),
            (looked_at(9, 0), ["5 orders", "in 5 orders or visits", "5 orders"]),
            (shop(0, 0), ["5 visitors", "looked at most in the shop: 5 visitors", "5 visitors"]),
        ] {
            for (reason, told) in reasons.iter().zip(told) {
                let text = reason.text(&shop, &Shelf::default());
                assert!(
                    text.contains(told) && told.contains("look") == text.contains("look"),
                    "{text}"
                );
            }
        }
    }

    #[test]
    fn one_is_told_in_the_singular() {
        let (last, due) = (Some(crate::time::Timestamp(0)), None);
        let before =
            |usual_days| Reason::BoughtBefore { times: 1, last, usual_days, days_since: 1.2, due };
        let text = |reason: Reason| reason.text(&shop(9, 9), &Shelf::default());
        assert_eq!(text(before(0.0)), "bought before in 1 order, last 1 day ago");
        assert_eq!(
            text(before(0.7)),
            "bought before in 1 order, usually again after 1 day, last 1 day ago"
        );
    }
}
