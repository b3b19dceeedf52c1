//! Requests for what is hot, for what is due again, and for a whole page → questions, checked.

use super::convert::{Asked, Check, MAX_BASKET_LINES, Wishes, wishes_of};
use super::pb;
use super::pb::page_placement::Question as Placed;
use crate::error::{Error, Result, Violation};
use crate::ids::MAX_KEY_BYTES;
use crate::recommend::{Question, TrendingBy, Window};

/// Placements of a page, at most.
pub const MAX_PLACEMENTS: usize = 20;

impl<'a> TryFrom<&'a pb::TrendingItemsRequest> for Asked<'a> {
    type Error = Error;

    fn try_from(request: &'a pb::TrendingItemsRequest) -> Result<Self> {
        let mut check = Check::default();
        let window = window(&mut check, request.window);
        check.key_length("category", &request.category);
        let limit = check.limit(request.limit);
        let by = by(&mut check, request.by);
        let question = Question::Trending { window, category: &request.category, by };
        let wishes = wishes_of!(check, request);
        check.passed(Self { question, customer: None, limit, wishes })
    }
}

fn window(check: &mut Check, window: i32) -> Window {
    match pb::TrendingWindow::try_from(window) {
        Ok(pb::TrendingWindow::Day) => Window::Day,
        Ok(pb::TrendingWindow::Unspecified | pb::TrendingWindow::Week) => Window::Week,
        Ok(pb::TrendingWindow::Month) => Window::Month,
        Err(_) => {
            check
                .fail("window", format!("must be DAY (1), WEEK (2) or MONTH (3), and is {window}"));
            Window::Week
        }
    }
}

fn by(check: &mut Check, by: i32) -> TrendingBy {
    match pb::TrendingBy::try_from(by) {
        Ok(pb::TrendingBy::Unspecified | pb::TrendingBy::BestSellers) => TrendingBy::BestSellers,
        Ok(pb::TrendingBy::Rising) => TrendingBy::Rising,
        Err(_) => {
            check.fail("by", format!("must be BEST_SELLERS (1) or RISING (2), and is {by}"));
            TrendingBy::BestSellers
        }
    }
}

impl<'a> TryFrom<&'a pb::BuyAgainItemsRequest> for Asked<'a> {
    type Error = Error;

    fn try_from(request: &'a pb::BuyAgainItemsRequest) -> Result<Self> {
        let mut check = Check::default();
        check.key("customer_id", &request.customer_id);
        let customer = Some(request.customer_id.as_str());
        let limit = check.limit(request.limit);
        let wishes = wishes_of!(check, request);
        check.passed(Self { question: Question::Again, customer, limit, wishes })
    }
}

/// The placements of a page with their names.
///
/// Errors: there are none or too many; what breaks the contract in any of them, under its place.
pub(super) fn placements(request: &pb::RecommendPageRequest) -> Result<Vec<(&str, Asked<'_>)>> {
    let mut check = Check::default();
    check.count("placements", request.placements.len(), 1, MAX_PLACEMENTS);
    let lines = request.placements.iter().map(|placement| match &placement.question {
        Some(Placed::BasketUpsell(request)) => request.basket.len(),
        _ => 0,
    });
    let lines: usize = lines.sum();
    if lines > MAX_BASKET_LINES {
        let most =
            format!("must have at most {MAX_BASKET_LINES} lines of baskets, and has {lines}");
        check.fail("placements", most);
    }
    check.passed(())?;
    let (mut asked, mut violations) = (Vec::with_capacity(request.placements.len()), Vec::new());
    for (place, placement) in request.placements.iter().enumerate() {
        match of_placement(placement)
            .map_err(|error| error.within(&format!("placements[{place}].")))
        {
            Ok(question) => asked.push((placement.name.as_str(), question)),
            Err(Error::InvalidRequest(more)) => violations.extend(more),
            Err(other) => return Err(other),
        }
    }
    if violations.is_empty() { Ok(asked) } else { Err(Error::InvalidRequest(violations)) }
}

fn of_placement(placement: &pb::PagePlacement) -> Result<Asked<'_>> {
    let fails = |field: &str, description: String| {
        Err(Error::InvalidRequest(vec![Violation { field: field.into(), description }]))
    };
    if placement.name.len() > MAX_KEY_BYTES {
        let length = placement.name.len();
        return fails(
            "name",
            format!("must be at most {MAX_KEY_BYTES} bytes long, and is {length}"),
        );
    }
    let (field, asked) = match &placement.question {
        None => return fails("question", "must be one of the questions of this service".into()),
        Some(Placed::RelatedItems(request)) => ("related_items.", Asked::try_from(request)),
        Some(Placed::BasketUpsell(request)) => ("basket_upsell.", Asked::try_from(request)),
        Some(Placed::ForCustomer(request)) => ("for_customer.", Asked::try_from(request)),
        Some(Placed::TrendingItems(request)) => ("trending_items.", Asked::try_from(request)),
        Some(Placed::BuyAgainItems(request)) => ("buy_again_items.", Asked::try_from(request)),
    };
    asked.map_err(|error| error.within(field))
}
