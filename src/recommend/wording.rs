//! Reasons in words, as a shop may show them.

use super::reason::{DueAgain, Reason, RuleAct};
use crate::catalog::Shelf;
use crate::customers::EventKind;
use crate::ids::ItemId;
use crate::index::Contents;

impl Reason {
    /// The reason in words, for people. Never names a customer.
    pub fn text(&self, contents: &Contents, shelf: &Shelf) -> String {
        let title = |item: &ItemId| shelf.title(*item);
        match self {
            Self::BoughtTogether { with, counted } => format!(
                "bought with {} in {} orders: {:.0}% of its orders, {:.1}× chance",
                with.iter().map(title).collect::<Vec<_>>().join(" and "),
                counted.together,
                100.0 * counted.confidence,
                counted.lift,
            ),
            Self::SameCustomers { with, counted } => format!(
                "{} customers who bought {} bought this too: {:.0}% of them, {:.1}× chance",
                counted.together,
                title(with),
                100.0 * counted.confidence,
                counted.lift,
            ),
            Self::CalledFor { by, weight, in_orders: true } => {
                format!("orders with {} call for it (weight {weight:.2})", title(by))
            }
            Self::CalledFor { by, weight, in_orders: false } => {
                format!("customers who bought {} are drawn to it (weight {weight:.2})", title(by))
            }
            Self::Foreseen { weight } => {
                format!("customers with a past like this one's bought it next (weight {weight:.2})")
            }
            Self::ViewedTogether { with, counted, alternative, after } => format!(
                "{}looked at {} {} in {} visits",
                if *alternative { "an alternative: " } else { "" },
                if *after { "after" } else { "together with" },
                title(with),
                counted.together,
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
                format!("bought before in {times} {}", plural(*times, "order"))
            }
            Self::BoughtBefore { times, usual_days, days_since, due, .. } if *usual_days > 0.0 => {
                let due = match due {
                    None => String::new(),
                    Some(DueAgain { in_days, .. }) if *in_days < 0.5 => ": due now".to_owned(),
                    Some(DueAgain { in_days, .. }) => {
                        let days = in_days.round() as u32; // a few years at most
                        format!(": due in {days} {}", plural(days, "day"))
                    }
                };
                format!(
                    "bought before in {times} {}, usually every {usual_days:.0} days, last {days_since:.0} days ago{due}",
                    plural(*times, "order"),
                )
            }
            Self::BoughtBefore { times, days_since, .. } => format!(
                "bought before in {times} {}, last {days_since:.0} days ago",
                plural(*times, "order")
            ),
            Self::SeenBefore { kind, .. } => match kind {
                EventKind::Cart => "put in the cart and not bought".to_owned(),
                EventKind::Favorite => "put on the wish list and not bought".to_owned(),
                _ => "looked at and not bought".to_owned(),
            },
            Self::ThisVisit => "looked at in this visit".to_owned(),
            Self::Selling { category, count, window_days, fallback } => {
                let place = category.map_or("the shop", |c| contents.categories.path(c));
                let stands_in = if *fallback { STANDS_IN } else { "" };
                format!(
                    "sells best in {place}: {count} bought it or looked at it{}{stands_in}",
                    in_window(*window_days)
                )
            }
            Self::Rising { count, expected, at_least, window_days, fallback, .. } => {
                let stands_in = if *fallback { STANDS_IN } else { "" };
                let customers = plural(*count, "customer");
                format!(
                    "rising: {count} {customers}{}, {expected:.1} expected: at least {at_least:.1}× its usual rate{stands_in}",
                    in_window(*window_days),
                )
            }
            Self::Popular { category, count, window_days, fallback } => {
                let place = category.map_or("the shop", |c| contents.categories.path(c));
                let window = in_window(*window_days);
                let stands_in =
                    if *fallback { ", standing in: nothing nearer is known" } else { "" };
                if *count == 0 {
                    return format!("from {place}, with no buyers{window}{stands_in}");
                }
                let buyers = plural(*count, "buyer");
                format!("popular in {place}: {count} {buyers}{window}{stands_in}")
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

fn plural(count: u32, word: &str) -> String {
    if count == 1 { word.to_owned() } else { format!("{word}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_bought_of_late_is_not_called_popular() {
        let text = |count| {
            let (category, window_days, fallback) = (None, 28, false);
            let reason = Reason::Popular { category, count, window_days, fallback };
            reason.text(&Contents::default(), &Shelf::default())
        };
        assert_eq!(text(0), "from the shop, with no buyers in the last 28 days");
        assert_eq!(text(1), "popular in the shop: 1 buyer in the last 28 days");
        assert_eq!(text(2), "popular in the shop: 2 buyers in the last 28 days");
    }
}
