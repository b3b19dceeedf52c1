//! The placements of a page, as they are written on the command line.

use crate::recommend::{Question, TrendingBy, Window};

/// A place of a page, and what it asks.
#[derive(Clone, Debug)]
pub(super) struct Placement {
    pub(super) name: String,
    pub(super) asked: Placed,
}

#[derive(Clone, Debug)]
pub(super) enum Placed {
    Related(String),
    Basket(Vec<String>),
    Customer(String),
    Again(String),
    Trending(Window, TrendingBy),
}

/// Reads `related:ITEM` and its like.
pub(super) fn placement(text: &str) -> Result<Placement, String> {
    let (kind, of) = text.split_once(':').unwrap_or((text, ""));
    let window = || match of {
        "day" => Ok(Window::Day),
        "" | "week" => Ok(Window::Week),
        "month" => Ok(Window::Month),
        _ => Err(format!("expected {kind}:day, {kind}:week or {kind}:month")),
    };
    let asked = match kind {
        "trending" => Placed::Trending(window()?, TrendingBy::BestSellers),
        "rising" => Placed::Trending(window()?, TrendingBy::Rising),
        _ if of.is_empty() => return Err(format!("expected something behind {kind}:")),
        "related" => Placed::Related(of.to_owned()),
        "basket" => Placed::Basket(of.split(',').map(str::to_owned).collect()),
        "customer" => Placed::Customer(of.to_owned()),
        "again" => Placed::Again(of.to_owned()),
        _ => {
            let known = "related, basket, customer, again, trending or rising";
            return Err(format!("expected {known} before the colon"));
        }
    };
    Ok(Placement { name: text.to_owned(), asked })
}

impl Placed {
    /// The question, and the customer whose past it is asked with.
    pub(super) fn question(&self) -> (Question<'_>, Option<&str>) {
        match self {
            Self::Related(item) => (Question::Related { item }, None),
            Self::Basket(items) => {
                (Question::Basket { items: items.iter().map(String::as_str).collect() }, None)
            }
            Self::Customer(key) => {
                let recent = Vec::new();
                (Question::Customer { recent, exclude_purchased: false }, Some(key))
            }
            Self::Again(key) => (Question::Again, Some(key)),
            &Self::Trending(window, by) => (Question::Trending { window, category: "", by }, None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_placement_is_a_question_and_what_it_is_about() {
        let asked = |text: &str| placement(text).map(|placement| format!("{:?}", placement.asked));
        assert_eq!(asked("related:A:1"), Ok("Related(\"A:1\")".to_owned()));
        assert_eq!(asked("basket:A,B"), Ok("Basket([\"A\", \"B\"])".to_owned()));
        assert_eq!(asked("rising"), Ok("Trending(Week, Rising)".to_owned()));
        assert_eq!(asked("trending:day"), Ok("Trending(Day, BestSellers)".to_owned()));
        for wrong in ["related", "related:", "hero:A", "trending:year", ""] {
            assert!(asked(wrong).is_err(), "{wrong:?}");
        }
    }
}
