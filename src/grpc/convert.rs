//! Messages ↔ the library's own types: requests are checked on the way in, answers named on the way out.

use super::pb;
use crate::catalog::Shelf;
use crate::customers::EventKind;
use crate::error::{Error, Result, Violation};
use crate::ids::{CategoryId, ItemId, MAX_AMOUNT, MAX_KEY_BYTES};
use crate::index::Contents;
use crate::merchandising::is_name;
use crate::recommend::{
    Association, Dropped, Ledger, Objective, PriceBand, Question, Reason, Recommendation, RuleAct,
    Source,
};
use crate::time::Timestamp;

/// Longest answer.
pub const MAX_LIMIT: usize = 500;
/// Length of an answer where the request does not say.
const DEFAULT_LIMIT: usize = 10;
/// Lines in a cart, at most.
pub const MAX_BASKET_LINES: usize = 1_000;
/// Items of a visit, at most.
pub const MAX_RECENT: usize = 1_000;

/// A checked request: the question, whose past is to be looked up, and how long the answer may be.
#[derive(Debug, PartialEq)]
pub(super) struct Asked<'a> {
    pub(super) question: Question<'a>,
    pub(super) customer: Option<&'a str>,
    pub(super) limit: usize,
    pub(super) wishes: Wishes<'a>,
}

/// What else a request asks of its answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Wishes<'a> {
    /// Not parsed yet; empty is none.
    pub(super) filter: &'a str,
    pub(super) objective: Objective,
    pub(super) diversity: u8,
    pub(super) allow_variants: bool,
    /// Empty is the question's own.
    pub(super) placement: &'a str,
    pub(super) up_sell: Option<PriceBand>,
    pub(super) order_value: Option<WantedValue>,
}

/// What an order should be worth.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct WantedValue {
    pub(super) target: f64,
    /// Of each line of the basket: units, and the price of one if the request says.
    pub(super) lines: Vec<(f64, Option<f64>)>,
}

/// The wishes that every request can have, checked.
macro_rules! wishes_of {
    ($check:expr, $request:expr) => {
        Wishes {
            filter: &$request.filter,
            objective: $check.objective($request.objective),
            diversity: $check.diversity($request.diversity),
            allow_variants: $request.allow_variants,
            placement: $check.placement(&$request.placement),
            up_sell: None,
            order_value: None,
        }
    };
}
pub(super) use wishes_of;

impl<'a> TryFrom<&'a pb::RelatedItemsRequest> for Asked<'a> {
    type Error = Error;

    fn try_from(request: &'a pb::RelatedItemsRequest) -> Result<Self> {
        let mut check = Check::default();
        check.key("item_id", &request.item_id);
        let customer = check.customer(request.customer_id.as_deref());
        let limit = check.limit(request.limit);
        let up_sell = request.up_sell.as_ref().map(|band| check.price_band(band));
        let wishes = Wishes { up_sell, ..wishes_of!(check, request) };
        let question = Question::Related { item: &request.item_id };
        check.passed(Self { question, customer, limit, wishes })
    }
}

impl<'a> TryFrom<&'a pb::BasketUpsellRequest> for Asked<'a> {
    type Error = Error;

    fn try_from(request: &'a pb::BasketUpsellRequest) -> Result<Self> {
        let mut check = Check::default();
        check.count("basket", request.basket.len(), 1, MAX_BASKET_LINES);
        for (line, place) in request.basket.iter().zip(0..) {
            let unit_price = line.unit_price.unwrap_or(0.0);
            if is_key(&line.item_id) && is_quantity(line.quantity) && is_amount(unit_price) {
                continue; // the fields' names are made for those who are told of them
            }
            check.key(&format!("basket[{place}].item_id"), &line.item_id);
            check.quantity(&format!("basket[{place}].quantity"), line.quantity);
            check.amount(&format!("basket[{place}].unit_price"), unit_price);
            if check.is_enough() {
                break;
            }
        }
        let customer = check.customer(request.customer_id.as_deref());
        let limit = check.limit(request.limit);
        check.amount("order_value_target", request.order_value_target);
        let order_value = (request.order_value_target > 0.0).then(|| WantedValue {
            target: request.order_value_target,
            lines: request.basket.iter().map(|line| (units(line), line.unit_price)).collect(),
        });
        let wishes = Wishes { order_value, ..wishes_of!(check, request) };
        let items = request.basket.iter().map(|line| line.item_id.as_str()).collect();
        check.passed(Self { question: Question::Basket { items }, customer, limit, wishes })
    }
}

impl<'a> TryFrom<&'a pb::ForCustomerRequest> for Asked<'a> {
    type Error = Error;

    fn try_from(request: &'a pb::ForCustomerRequest) -> Result<Self> {
        let mut check = Check::default();
        check.count("recent_item_ids", request.recent_item_ids.len(), 0, MAX_RECENT);
        check.keys("recent_item_ids", "", request.recent_item_ids.iter().map(String::as_str));
        let customer = check.customer(request.customer_id.as_deref());
        if customer.is_none() && request.recent_item_ids.is_empty() {
            check.fail("customer_id", "a customer, or at least one of recent_item_ids, is needed");
        }
        let limit = check.limit(request.limit);
        let recent = request.recent_item_ids.iter().map(String::as_str).collect();
        let exclude_purchased = request.exclude_purchased;
        let question = Question::Customer { recent, exclude_purchased };
        let wishes = wishes_of!(check, request);
        check.passed(Self { question, customer, limit, wishes })
    }
}

fn is_key(key: &str) -> bool {
    !key.is_empty() && key.len() <= MAX_KEY_BYTES
}

fn is_quantity(units: f64) -> bool {
    (0.0..=MAX_AMOUNT).contains(&units)
}

fn is_amount(amount: f64) -> bool {
    (0.0..=MAX_AMOUNT).contains(&amount)
}

/// Units on a line of a cart: 0 means 1.
fn units(line: &pb::BasketLine) -> f64 {
    if line.quantity == 0.0 { 1.0 } else { line.quantity }
}

/// The length of an answer that `asked` means: 0 is 10, more than 500 is 500.
///
/// Errors: it is negative.
pub fn limit(asked: i32) -> Result<usize> {
    let mut check = Check::default();
    let limit = check.limit(asked);
    check.passed(limit)
}

/// Collects what breaks the contract, so that a client learns of everything at once.
#[derive(Default)]
pub(super) struct Check {
    violations: Vec<Violation>,
}

impl Check {
    /// After so many violations nobody reads on.
    const ENOUGH: usize = 20;

    pub(super) fn is_enough(&self) -> bool {
        self.violations.len() >= Self::ENOUGH
    }

    pub(super) fn fail(&mut self, field: &str, description: impl Into<String>) {
        self.violations
            .push(Violation { field: field.to_owned(), description: description.into() });
    }

    pub(super) fn key(&mut self, field: &str, key: &str) {
        if key.is_empty() {
            self.fail(field, "must not be empty");
        }
        self.key_length(field, key);
    }

    pub(super) fn key_length(&mut self, field: &str, key: &str) {
        if key.len() > MAX_KEY_BYTES {
            let length = key.len();
            self.fail(
                field,
                format!("must be at most {MAX_KEY_BYTES} bytes long, and is {length}"),
            );
        }
    }

    /// Keys in a list: `{list}[{place}]{field}` is named where one is not good.
    pub(super) fn keys<'a>(
        &mut self,
        list: &str,
        field: &str,
        keys: impl Iterator<Item = &'a str>,
    ) {
        for (place, key) in keys.enumerate() {
            if !is_key(key) {
                self.key(&format!("{list}[{place}]{field}"), key);
            }
            if self.is_enough() {
                break;
            }
        }
    }

    pub(super) fn objective(&mut self, objective: i32) -> Objective {
        match pb::Objective::try_from(objective) {
            Ok(pb::Objective::Unspecified | pb::Objective::Relevance) => Objective::Relevance,
            Ok(pb::Objective::Revenue) => Objective::Revenue,
            Ok(pb::Objective::Margin) => Objective::Margin,
            Err(_) => {
                self.fail(
                    "objective",
                    format!("must be RELEVANCE (1), REVENUE (2) or MARGIN (3), and is {objective}"),
                );
                Objective::Relevance
            }
        }
    }

    pub(super) fn diversity(&mut self, level: i32) -> u8 {
        match u8::try_from(level) {
            Ok(level) if level <= 5 => level,
            _ => {
                self.fail("diversity", format!("must be from 0 to 5, and is {level}"));
                0
            }
        }
    }

    pub(super) fn placement<'a>(&mut self, placement: &'a str) -> &'a str {
        if !placement.is_empty() && !is_name(placement) {
            self.fail("placement", "must be at most 100 letters, digits, hyphens and underscores");
        }
        placement
    }

    fn price_band(&mut self, band: &pb::PriceBand) -> PriceBand {
        let usual = PriceBand::default();
        let least = if band.least == 0.0 { usual.least } else { band.least };
        let most = if band.most == 0.0 { usual.most * band.least.max(1.0) } else { band.most };
        if !(least.is_finite() && least >= 1.0) {
            self.fail("up_sell.least", format!("must be finite and at least 1, and is {least}"));
        }
        if !(most.is_finite() && most > least) {
            self.fail("up_sell.most", format!("must be finite and above {least}, and is {most}"));
        }
        PriceBand { least, most }
    }

    /// An empty key means that the customer is not known.
    pub(super) fn customer<'a>(&mut self, key: Option<&'a str>) -> Option<&'a str> {
        let key = key.filter(|key| !key.is_empty())?;
        self.key_length("customer_id", key);
        Some(key)
    }

    pub(super) fn count(&mut self, field: &str, found: usize, least: usize, most: usize) {
        if !(least..=most).contains(&found) {
            self.fail(field, format!("must have from {least} to {most} entries, and has {found}"));
        }
    }

    fn quantity(&mut self, field: &str, units: f64) {
        if !is_quantity(units) {
            self.fail(field, format!("must be from 0 to {MAX_AMOUNT}, and is {units}"));
        }
    }

    pub(super) fn amount(&mut self, field: &str, amount: f64) {
        if !is_amount(amount) {
            self.fail(field, format!("must be from 0 to {MAX_AMOUNT}, and is {amount}"));
        }
    }

    pub(super) fn limit(&mut self, asked: i32) -> usize {
        match usize::try_from(asked) {
            Ok(0) => DEFAULT_LIMIT,
            Ok(limit) => limit.min(MAX_LIMIT),
            Err(_) => {
                self.fail("limit", format!("must be from 0 to {}, and is {asked}", i32::MAX));
                DEFAULT_LIMIT
            }
        }
    }

    pub(super) fn passed<T>(self, value: T) -> Result<T> {
        if self.violations.is_empty() {
            Ok(value)
        } else {
            Err(Error::InvalidRequest(self.violations))
        }
    }
}

/// The recommendations of one answer as messages, with the shop's keys.
pub fn reply(
    contents: &Contents,
    shelf: &Shelf,
    answer: &[Recommendation],
) -> Vec<pb::Recommendation> {
    answer
        .iter()
        .map(|recommended| pb::Recommendation {
            item_id: shelf.key(recommended.item).to_owned(),
            score: f64::from(recommended.score),
            reasons: recommended.reasons.iter().map(|why| reason(contents, shelf, why)).collect(),
            source: source(recommended.source) as i32,
            fallback: recommended.fallback,
        })
        .collect()
}

fn source(source: Source) -> pb::Source {
    match source {
        Source::BoughtTogether => pb::Source::BoughtTogether,
        Source::SameCustomers => pb::Source::SameCustomers,
        Source::CalledFor => pb::Source::CalledFor,
        Source::Foreseen => pb::Source::Foreseen,
        Source::ViewedTogether => pb::Source::ViewedTogether,
        Source::VisitsLikeThis => pb::Source::VisitsLikeThis,
        Source::Similar => pb::Source::Similar,
        Source::BoughtBefore => pb::Source::BoughtBefore,
        Source::SeenBefore => pb::Source::SeenBefore,
        Source::Category => pb::Source::Category,
        Source::Popular => pb::Source::Popular,
        Source::NewArrival => pb::Source::NewArrival,
        Source::Rule => pb::Source::Rule,
        Source::BestSeller => pb::Source::BestSeller,
        Source::Rising => pb::Source::RisingItem,
    }
}

/// What became of the candidates, as a message.
pub fn ledger(ledger: &Ledger) -> pb::Ledger {
    let dropped = |why| ledger.dropped_for(why);
    pb::Ledger {
        requested: ledger.requested,
        returned: ledger.returned,
        in_basket: dropped(Dropped::Asked),
        purchased: dropped(Dropped::Purchased),
        substitutes: dropped(Dropped::Substitute),
        hidden: dropped(Dropped::Hidden),
        out_of_stock: dropped(Dropped::OutOfStock),
        filtered: dropped(Dropped::Filtered),
        variants: dropped(Dropped::Variant),
        duplicates: dropped(Dropped::Duplicate),
    }
}

/// One reason as a message.
pub fn reason(contents: &Contents, shelf: &Shelf, reason: &Reason) -> pb::Reason {
    let key = |item: ItemId| shelf.key(item).to_owned();
    let path = |category: Option<CategoryId>| {
        category.map_or(String::new(), |c| contents.categories.path(c).to_owned())
    };
    let why = match reason {
        Reason::BoughtTogether { with, counted } => {
            let &Association { together, support, confidence, lift } = counted;
            let with_item_ids = with.iter().map(|&item| key(item)).collect();
            Why::BoughtTogether(pb::BoughtTogether {
                with_item_ids,
                orders: together,
                support,
                confidence,
                lift,
            })
        }
        Reason::SameCustomers { with, counted, after } => {
            let &Association { together, support, confidence, lift } = counted;
            Why::SameCustomers(pb::SameCustomers {
                with_item_id: key(*with),
                customers: together,
                support,
                confidence,
                lift,
                after: *after,
            })
        }
        Reason::ViewedTogether { with, counted, alternative, after } => {
            let &Association { together, support, confidence, lift } = counted;
            Why::ViewedTogether(pb::ViewedTogether {
                with_item_id: key(*with),
                sessions: together,
                support,
                confidence,
                lift,
                alternative: *alternative,
                after: *after,
            })
        }
        Reason::CalledFor { by, weight, in_orders } => Why::CalledFor(pb::CalledFor {
            by_item_id: key(*by),
            weight: f64::from(*weight),
            in_orders: *in_orders,
        }),
        Reason::Foreseen { weight } => Why::Foreseen(pb::Foreseen { weight: f64::from(*weight) }),
        Reason::VisitsLikeThis { after, sessions } => Why::VisitsLikeThis(pb::VisitsLikeThis {
            after_item_id: key(*after),
            sessions: *sessions,
        }),
        Reason::Similar { to, cosine, alternative } => Why::SimilarItem(pb::SimilarItem {
            to_item_id: key(*to),
            cosine: f64::from(*cosine),
            alternative: *alternative,
        }),
        Reason::BoughtBefore { times, last, usual_days, days_since, due } => {
            Why::BoughtBefore(pb::BoughtBefore {
                times: *times,
                last_bought: day(*last),
                usual_days: f64::from(*usual_days),
                days_since: *days_since,
                due: due.map(|due| pb::Due {
                    in_days: f64::from(due.in_days),
                    chance: f64::from(due.chance),
                }),
            })
        }
        Reason::SeenBefore { kind, at } => {
            Why::SeenBefore(pb::SeenBefore { kind: seen_kind(*kind) as i32, day: day(*at) })
        }
        Reason::ThisVisit => Why::SeenBefore(pb::SeenBefore {
            kind: pb::seen_before::Kind::ThisVisit as i32,
            day: String::new(),
        }),
        Reason::Popular { category, count, window_days, fallback } => Why::Popular(pb::Popular {
            category: path(*category),
            count: *count,
            window_days: *window_days,
            fallback: *fallback,
        }),
        Reason::Selling { category, count, window_days, .. } => Why::Selling(pb::Selling {
            category: path(*category),
            count: *count,
            window_days: *window_days,
        }),
        Reason::Rising { category, count, expected, at_least, window_days, .. } => {
            Why::Rising(pb::Rising {
                category: path(*category),
                count: *count,
                expected: f64::from(*expected),
                at_least: f64::from(*at_least),
                window_days: *window_days,
            })
        }
        Reason::New { like, cosine } => Why::NewArrival(pb::JustArrived {
            like_item_id: like.map_or(String::new(), key),
            cosine: f64::from(*cosine),
        }),
        Reason::UpSell { from, price_ratio } => {
            Why::UpSell(pb::UpSell { from_item_id: key(*from), price_ratio: *price_ratio })
        }
        Reason::Rule { id, act } => {
            let act = rule_act(*act) as i32;
            Why::RuleApplied(pb::RuleApplied { rule_id: id.to_string(), act })
        }
    };
    pb::Reason { why: Some(why), text: reason.text(contents, shelf) }
}

use pb::reason::Why;

fn rule_act(act: RuleAct) -> pb::rule_applied::Act {
    match act {
        RuleAct::Pinned => pb::rule_applied::Act::Pinned,
        RuleAct::Boosted => pb::rule_applied::Act::Boosted,
        RuleAct::Buried => pb::rule_applied::Act::Buried,
        RuleAct::Promoted => pb::rule_applied::Act::Promoted,
    }
}

fn seen_kind(kind: EventKind) -> pb::seen_before::Kind {
    match kind {
        EventKind::Cart => pb::seen_before::Kind::InCart,
        EventKind::Favorite => pb::seen_before::Kind::Favorite,
        EventKind::View | EventKind::Purchase | EventKind::Return => pb::seen_before::Kind::Viewed,
    }
}

/// `YYYY-MM-DD`, or nothing.
pub(super) fn day(moment: Option<Timestamp>) -> String {
    moment.map_or(String::new(), |moment| moment.to_string().chars().take(10).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn violations<'a, T>(request: &'a T) -> Vec<String>
    where
        Asked<'a>: TryFrom<&'a T, Error = Error>,
    {
        match Asked::try_from(request) {
            Ok(_) => Vec::new(),
            Err(Error::InvalidRequest(list)) => list.into_iter().map(|v| v.field).collect(),
            Err(other) => panic!("not a violation: {other}"),
        }
    }

    fn line(item_id: &str, quantity: f64) -> pb::BasketLine {
        pb::BasketLine { item_id: item_id.into(), quantity, unit_price: None }
    }

    #[test]
    fn limit_0_means_10_and_more_than_500_is_answered_with_500() {
        let asked = |n| limit(n).ok();
        assert_eq!([0, 7, 500, i32::MAX].map(asked), [Some(10), Some(7), Some(500), Some(500)]);
        assert_eq!(asked(-1), None);
    }

    #[test]
    fn every_broken_field_of_a_request_is_named() {
        let request = pb::BasketUpsellRequest {
            basket: vec![line("a", 1.0), line("", f64::NAN), line(&"x".repeat(1001), -1.0)],
            customer_id: Some("y".repeat(1001)),
            limit: -3,
            diversity: 6,
            objective: 9,
            placement: "über uns".into(),
            order_value_target: f64::INFINITY,
            ..Default::default()
        };
        assert_eq!(
            violations(&request),
            [
                "basket[1].item_id",
                "basket[1].quantity",
                "basket[2].item_id",
                "basket[2].quantity",
                "customer_id",
                "limit",
                "order_value_target",
                "objective",
                "diversity",
                "placement"
            ]
        );
    }

    #[test]
    fn a_hundred_thousand_bad_lines_give_a_short_answer() {
        let request =
            pb::BasketUpsellRequest { basket: vec![line("", 1.0); 100_000], ..Default::default() };
        assert!(violations(&request).len() <= Check::ENOUGH + 2);
    }

    #[test]
    fn nobody_and_nothing_is_no_question() {
        let nothing =
            pb::ForCustomerRequest { customer_id: Some(String::new()), ..Default::default() };
        assert_eq!(violations(&nothing), ["customer_id"]);
        let visitor =
            pb::ForCustomerRequest { recent_item_ids: vec!["a".into()], ..Default::default() };
        assert!(violations(&visitor).is_empty());
    }
}
