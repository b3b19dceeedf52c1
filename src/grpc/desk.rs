//! What one serving thread keeps from one request to the next. Nothing here is shared, so nothing is
//! locked.

use std::cell::RefCell;
use std::ops::Range;

use bytes::Bytes;
use rustc_hash::FxHashMap;

use super::convert::{Asked, WantedValue, ledger, reply};
use super::remembered::Remembered;
use super::served::{Generation, Served};
use super::{pb, wire};
use crate::catalog::Shelf;
use crate::customers::History;
use crate::error::{Error, Result, Violation};
use crate::filter::Filter;
use crate::ids::ItemId;
use crate::recommend::{
    Answer, Effort, OrderValue, PriceBand, Query, Question, Scratch, Terms, answer,
};
use crate::time::{DAY_MS, Timestamp};

/// Working memory for answers, and answers that may be given again.
#[derive(Debug, Default)]
pub(super) struct Desk {
    scratch: Scratch,
    remembered: Remembered,
    /// The question at hand, as [`Remembered`] knows it.
    key: Vec<u8>,
    /// The state of the shop that the filters were parsed for.
    state: u64,
    filters: FxHashMap<Box<str>, Filter>,
    /// In this time nothing begins or ends by itself, so that answers may be given again.
    quiet: Range<Timestamp>,
}

/// After so many different filters they are parsed anew.
const MOST_FILTERS: usize = 1_000;

thread_local! {
    static DESK: RefCell<Desk> = RefCell::default();
}

/// Answers at this thread's desk: what was worked out, encoded. Answers take at most `most_bytes` of
/// memory, about.
///
/// Errors: the filter can't be understood.
pub(super) fn answer_at_desk(
    served: &Served,
    asked: Asked<'_>,
    most_bytes: usize,
    effort: Effort,
) -> Result<Bytes> {
    DESK.with_borrow_mut(|desk| desk.answer(served, asked, most_bytes, effort))
}

/// Answers several placements of a page at this thread's desk, encoded as a whole.
///
/// Errors: a filter can't be understood; its placement is named.
pub(super) fn page_at_desk(
    served: &Served,
    placements: Vec<(&str, Asked<'_>)>,
    effort: Effort,
) -> Result<Bytes> {
    let (placements, brief) = DESK.with_borrow_mut(|desk| desk.page(served, placements, effort))?;
    Ok(wire::encoded_page(placements, brief))
}

impl Desk {
    fn answer(
        &mut self,
        served: &Served,
        mut asked: Asked<'_>,
        most_bytes: usize,
        effort: Effort,
    ) -> Result<Bytes> {
        let now = self.begin(served);
        // Here, so that no remembered answer of somebody who is to be forgotten is given again; and after what was
        // remembered has heeded it, so that none is kept anew.
        asked.customer = asked.customer.filter(|key| !served.snapshot().customers.is_erased(key));
        if most_bytes > 0 {
            write_key(&asked, now, &mut self.key);
            if let Some(answer) = self.remembered.get(served.number, &self.key) {
                served.answers.remember();
                return Ok(answer);
            }
        }
        let past = past_of(served, asked.customer);
        let history = past.as_ref().ok().and_then(Option::as_ref);
        let answer = self.work_out(served, asked, now, history, &[], effort)?;
        let recommendations = named(served, &answer);
        let (ledger, brief) = (ledger(&answer.ledger), answer.effort == Effort::Brief);
        let answer = wire::encoded(recommendations, ledger, answer.expected_order_value, brief);
        // A brief answer is for now only: whoever asks later gets a full one.
        if past.is_ok() && most_bytes > 0 && !brief {
            self.remembered.keep(served.number, &self.key, answer.clone(), most_bytes);
        }
        Ok(answer)
    }

    /// One placement after the other; what one shows, those behind it do not. And whether any of them is brief.
    fn page(
        &mut self,
        served: &Served,
        placements: Vec<(&str, Asked<'_>)>,
        effort: Effort,
    ) -> Result<(Vec<pb::PlacementAnswer>, bool)> {
        let (now, mut brief) = (self.begin(served), false);
        let (mut shown, mut page) = (Vec::new(), Vec::with_capacity(placements.len()));
        for (place, (name, asked)) in placements.into_iter().enumerate() {
            let past = past_of(served, asked.customer).ok().flatten();
            let field = format!("placements[{place}].{}.", asked.question.placement());
            let answer = self.work_out(served, asked, now, past.as_ref(), &shown, effort);
            let answer = answer.map_err(|error| error.within(&field))?;
            brief |= answer.effort == Effort::Brief;
            shown.extend(answer.recommendations.iter().map(|recommended| recommended.item));
            shown.sort_unstable();
            page.push(pb::PlacementAnswer {
                recommendations: named(served, &answer),
                name: name.to_owned(),
                ledger: Some(ledger(&answer.ledger)),
                expected_order_value: answer.expected_order_value,
            });
        }
        Ok((page, brief))
    }

    /// Forgets what was parsed for another state of the shop, and whoever asked to be forgotten; tells the moment: the
    /// last since when nothing has begun or ended.
    fn begin(&mut self, served: &Served) -> Timestamp {
        self.remembered.heed(served.snapshot().customers.count_erased());
        if self.state != served.number {
            self.state = served.number;
            self.filters.clear();
            self.quiet = Range::default();
        }
        let now = Timestamp(jiff::Timestamp::now().as_millisecond());
        if !self.quiet.contains(&now) {
            let day = day_of(now);
            let turns = served.rules.turns().chain(served.shelf.launches_after(day.start));
            self.quiet = quiet(day, now, turns);
        }
        self.quiet.start
    }

    fn work_out(
        &mut self,
        served: &Served,
        asked: Asked<'_>,
        now: Timestamp,
        history: Option<&History>,
        shown: &[ItemId],
        effort: Effort,
    ) -> Result<Answer> {
        let Generation { snapshot, blend, .. } = &*served.generation;
        let (contents, shelf) = (&snapshot.contents, &served.shelf);
        let Asked { question, wishes, .. } = asked;
        let filter = match wishes.filter {
            "" => None,
            text => Some(filter(&mut self.filters, shelf, &question, text)?),
        };
        let order_value = wishes.order_value.map(|wanted| OrderValue {
            now: worth(shelf, &question, &wanted.lines),
            target: wanted.target,
        });
        let terms = Terms {
            shelf: Some(shelf),
            filter,
            shown,
            rules: Some(&served.rules),
            placement: wishes.placement,
            now,
            objective: wishes.objective,
            diversity: wishes.diversity,
            allow_variants: wishes.allow_variants,
            up_sell: wishes.up_sell,
            order_value,
            effort,
        };
        let query = Query { question, history, limit: asked.limit, terms };
        let answer = answer(contents, blend, &query, &mut self.scratch);
        let items = &answer.recommendations;
        served.answers.work_out(items.len(), items.iter().filter(|item| item.fallback).count());
        Ok(answer)
    }
}

/// The day, universal time, that a moment falls on.
fn day_of(moment: Timestamp) -> Range<Timestamp> {
    let start = moment.0.div_euclid(DAY_MS) * DAY_MS;
    Timestamp(start)..Timestamp(start + DAY_MS)
}

/// The part of the day around `now` in which none of the turns falls.
fn quiet(
    mut day: Range<Timestamp>,
    now: Timestamp,
    turns: impl Iterator<Item = Timestamp>,
) -> Range<Timestamp> {
    for turn in turns {
        match turn <= now {
            true => day.start = day.start.max(turn),
            false => day.end = day.end.min(turn),
        }
    }
    day
}

/// The customer's past, if the shop knows one.
fn past_of(served: &Served, customer: Option<&str>) -> Result<Option<History>> {
    let customers = &served.generation.snapshot.customers;
    let past = customer.map(|customer| customers.history(customer)).transpose();
    past.map(Option::flatten).inspect_err(|error| {
        tracing::error!(%error, "a customer's past can't be read; answering without it");
    })
}

/// The recommendations under the shop's keys.
fn named(served: &Served, answer: &Answer) -> Vec<pb::Recommendation> {
    reply(&served.generation.snapshot.contents, &served.shelf, &answer.recommendations)
}

/// The filter with this text, parsed now if it was not of late.
fn filter<'a>(
    known: &'a mut FxHashMap<Box<str>, Filter>,
    shelf: &Shelf,
    question: &Question<'_>,
    text: &str,
) -> Result<&'a Filter> {
    let invalid = |description: String| {
        Error::InvalidRequest(vec![Violation { field: "filter".into(), description }])
    };
    if known.len() >= MOST_FILTERS {
        known.clear();
    }
    if !known.contains_key(text) {
        let parsed = Filter::parse(text, shelf).map_err(|wrong| invalid(wrong.to_string()))?;
        known.insert(text.into(), parsed);
    }
    let filter = &known[text];
    match question {
        Question::Related { .. } => Ok(filter),
        _ if !filter.needs_current() => Ok(filter),
        _ => Err(invalid("`current` is the item on a page: only RelatedItems has one".into())),
    }
}

/// What a basket is worth: by the prices of the request, else of the catalogue; 0 where neither is known.
fn worth(shelf: &Shelf, question: &Question<'_>, lines: &[(f64, Option<f64>)]) -> f64 {
    let Question::Basket { items } = question else { return 0.0 };
    let priced = items.iter().zip(lines).map(|(item, (units, price))| {
        let listed = || shelf.price(shelf.get(item)?);
        units * price.or_else(listed).unwrap_or(0.0)
    });
    priced.sum()
}

/// All that a question's answer depends on, beside the state of the shop; no two questions write the same.
fn write_key(asked: &Asked<'_>, now: Timestamp, key: &mut Vec<u8>) {
    key.clear();
    let Asked { question, customer, limit, wishes } = asked;
    key.extend((*limit as u32).to_le_bytes()); // at most MAX_LIMIT
    key.extend(now.0.to_le_bytes());
    key.extend([wishes.objective as u8, wishes.diversity, u8::from(wishes.allow_variants)]);
    let mut amount = |amount: f64| key.extend(amount.to_le_bytes());
    // No band begins at 0, and no target is 0.
    let band = wishes.up_sell.unwrap_or(PriceBand { least: 0.0, most: 0.0 });
    [band.least, band.most].into_iter().for_each(&mut amount);
    match &wishes.order_value {
        None => amount(0.0),
        Some(WantedValue { target, lines }) => {
            amount(*target);
            amount(lines.len() as f64);
            for (units, price) in lines {
                [*units, price.unwrap_or(-1.0)].into_iter().for_each(&mut amount);
            }
        }
    }
    key.push(match question {
        Question::Related { .. } => 0,
        Question::Basket { .. } => 1,
        Question::Customer { exclude_purchased: false, .. } => 2,
        Question::Customer { exclude_purchased: true, .. } => 3,
        Question::Again => 4,
        Question::Trending { window, by, .. } => 8 + *window as u8 + 4 * *by as u8,
    });
    let mut put = |text: &str| {
        key.extend((text.len() as u32).to_le_bytes()); // at most MAX_KEY_BYTES
        key.extend(text.as_bytes());
    };
    // No customer has an empty key.
    put(customer.unwrap_or_default());
    put(wishes.filter);
    put(wishes.placement);
    match question {
        Question::Related { item } => put(item),
        Question::Basket { items } | Question::Customer { recent: items, .. } => {
            items.iter().for_each(|item| put(item));
        }
        Question::Trending { category, .. } => put(category),
        Question::Again => {}
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::super::convert::Wishes;
    use super::*;
    use crate::recommend::{Objective, TrendingBy, Window};

    #[test]
    fn no_two_questions_share_an_answer() {
        let basket = |items: &[&'static str]| Question::Basket { items: items.to_vec() };
        let customer = |recent: &[&'static str], exclude_purchased| Question::Customer {
            recent: recent.to_vec(),
            exclude_purchased,
        };
        let trending = |window, category, by| Question::Trending { window, category, by };
        let questions = [
            Question::Related { item: "ab" },
            basket(&["ab"]),
            basket(&["a", "b"]),
            basket(&["b", "a"]),
            customer(&["ab"], false),
            customer(&["ab"], true),
            customer(&[], false),
            Question::Again,
            trending(Window::Day, "ab", TrendingBy::Rising),
            trending(Window::Week, "ab", TrendingBy::Rising),
            trending(Window::Week, "ab", TrendingBy::BestSellers),
            trending(Window::Week, "", TrendingBy::BestSellers),
        ];
        let mut keys = HashSet::new();
        let mut asked = 0;
        for question in questions {
            for (customer, limit) in [(None, 10), (None, 11), (Some("ab"), 10), (Some("a"), 10)] {
                let mut key = vec![7];
                let question = question.clone();
                let wished = |wishes| Asked { question: question.clone(), customer, limit, wishes };
                let all_wishes = [
                    Wishes::default(),
                    Wishes { filter: "ab", ..Wishes::default() },
                    Wishes { placement: "ab", ..Wishes::default() },
                    Wishes { diversity: 1, ..Wishes::default() },
                    Wishes { allow_variants: true, ..Wishes::default() },
                    Wishes { objective: Objective::Revenue, ..Wishes::default() },
                ];
                for wishes in all_wishes {
                    for now in [0, 60_000] {
                        write_key(&wished(wishes.clone()), Timestamp(now), &mut key);
                        keys.insert(key.clone());
                        asked += 1;
                    }
                }
            }
        }
        assert_eq!(keys.len(), asked);
    }

    #[test]
    fn it_is_quiet_from_the_last_turn_to_the_next_and_never_beyond_the_day() {
        let at = |hour: i64| Timestamp(20 * DAY_MS + hour * 3_600_000);
        let quiet = |now: i64, turns: &[i64]| {
            quiet(day_of(at(now)), at(now), turns.iter().map(|&hour| at(hour)))
        };
        assert_eq!(quiet(10, &[]), at(0)..at(24));
        assert_eq!(quiet(10, &[-30, 11, 9, 8, 70, 17]), at(9)..at(11));
        assert_eq!(quiet(9, &[9]), at(9)..at(24), "what begins at this moment has begun");
        assert_eq!(quiet(0, &[-1, 24]), at(0)..at(24));
    }
}
