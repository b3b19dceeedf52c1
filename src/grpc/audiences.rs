//! `cartwright.v1.AudienceService`: whom to talk to, and whether it worked.

use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_stream::{Iter, Stream, StreamExt};
use tonic::{Request, Response, Status};

use super::admission::{Places, aside, no_room, places};
use super::convert::Check;
use super::pb;
use super::pb::audience_service_server::AudienceService;
use super::pb::stream_audience_request::Audience as Asked;
use super::served::{Counter, Served};
use crate::audiences::{Audience, Chosen, Selection, select};
use crate::campaigns::{
    Assigned, Assignment, Comparison, Group, Interval, Judgement, Verdict, Window, distinct, judge,
    subject,
};
use crate::customers::KEPT_ORDERS;
use crate::error::{Error, Result, counted};
use crate::ids::ItemId;
use crate::index::{Contents, Snapshot};
use crate::time::Timestamp;

/// New items of one audience, at most.
const MAX_NEW_ITEMS: usize = 100;
/// A campaign says by default what was spent in so many days before it.
const BEFORE_DAYS: u32 = 90;

/// The service.
#[derive(Debug)]
pub(super) struct Audiences {
    counter: Arc<Counter>,
    /// Those that may go through the customers at once; an audience is held in memory until its reader has all of it.
    turns: Arc<Semaphore>,
}

/// So many audiences and campaigns are at work at once, at most.
const MOST_AT_ONCE: usize = 16;

impl Audiences {
    pub(super) fn new(counter: Arc<Counter>) -> Self {
        Self { counter, turns: Arc::new(Semaphore::new(MOST_AT_ONCE)) }
    }

    /// To be kept by the work itself, which goes on where nobody waits for it any more.
    fn turn(&self) -> Result<OwnedSemaphorePermit, Status> {
        self.turns.clone().try_acquire_owned().map_err(|_| no_room())
    }
}

type Members = Pin<Box<dyn Stream<Item = Result<pb::AudienceMember, Status>> + Send>>;

#[tonic::async_trait]
impl AudienceService for Audiences {
    type StreamAudienceStream = Members;

    async fn stream_audience(
        &self,
        request: Request<pb::StreamAudienceRequest>,
    ) -> Result<Response<Members>, Status> {
        let places = places(&request);
        let served = self.counter.served_or_not_yet()?;
        let (audience, selection) = checked(&served.snapshot().contents, request.into_inner())?;
        let turn = self.turn()?;
        let chosen = read(places, {
            let served = served.clone();
            move || {
                let chosen = select(served.snapshot(), &served.shelf, &audience, &selection)?;
                Ok((chosen, turn))
            }
        });
        let (chosen, turn) = chosen.await?;
        let members: Iter<_> = tokio_stream::iter(chosen);
        let members = members.map(move |one| {
            let _until_told = &turn;
            Ok(member(&served.snapshot().contents, &one))
        });
        Ok(Response::new(Box::pin(members)))
    }

    async fn evaluate_campaign(
        &self,
        request: Request<pb::EvaluateCampaignRequest>,
    ) -> Result<Response<pb::EvaluateCampaignResponse>, Status> {
        let places = places(&request);
        let served = self.counter.served_or_not_yet()?;
        let request = request.into_inner();
        let randomised = request.randomised;
        let (window, assignments) = campaign(&served.snapshot().contents, request)?;
        let generation = served.snapshot().manifest.generation;
        let turn = self.turn()?;
        let work = move || {
            let _until_done = turn;
            judged(&served, &assignments, randomised, &window)
        };
        let judged = read(places, work).await?;
        Ok(Response::new(judgement(judged, generation)))
    }
}

/// Reads whole trees on a thread that may block.
async fn read<T: Send + 'static>(
    places: Option<Places>,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T, Status> {
    let done = aside(places, work).await;
    Ok(done.map_err(|_| Status::internal("reading the customers panicked"))??)
}

fn checked(
    contents: &Contents,
    request: pb::StreamAudienceRequest,
) -> Result<(Audience, Selection)> {
    let mut check = Check::default();
    let audience = audience(contents, request.audience, &mut check);
    let limit = usize::try_from(request.limit);
    if limit.is_err() {
        check.fail("limit", "must not be negative");
    }
    check.key_length("campaign", &request.campaign);
    check.key_length("salt", &request.salt);
    let named = Some(request.campaign).filter(|name| !name.is_empty());
    let only = Some(request.only).filter(|only| !only.is_empty());
    let selection = Selection {
        only,
        limit: limit.ok().filter(|&limit| limit > 0),
        holdout: request.holdout,
        campaign: named.unwrap_or_else(|| audience.name().to_owned()),
        salt: request.salt,
    };
    check.passed((audience, selection))
}

fn audience(contents: &Contents, asked: Option<Asked>, check: &mut Check) -> Audience {
    match asked {
        Some(Asked::NewArrival(new)) => {
            check.count("new_arrival.item_ids", new.item_ids.len(), 1, MAX_NEW_ITEMS);
            Audience::NewArrival { items: known_items(contents, &new.item_ids, check) }
        }
        Some(Asked::Interest(pb::Interest { from_days: 0, to_days: 0 })) => {
            Audience::Interest { from_days: 3, to_days: 10 }
        }
        Some(Asked::Interest(pb::Interest { from_days, to_days })) => {
            Audience::Interest { from_days, to_days }
        }
        Some(Asked::ReorderDue(pb::ReorderDue { within_days: 0 })) => {
            Audience::ReorderDue { within_days: 7 }
        }
        Some(Asked::ReorderDue(due)) => Audience::ReorderDue { within_days: due.within_days },
        Some(Asked::AtRisk(_)) => Audience::AtRisk,
        Some(Asked::WinBack(_)) => Audience::WinBack,
        Some(Asked::SecondPurchase(_)) => Audience::SecondPurchase,
        Some(Asked::DiscountSensitive(_)) => Audience::DiscountSensitive,
        Some(Asked::Champions(_)) => Audience::Champions,
        Some(Asked::Segment(name)) => Audience::Segment(name),
        Some(Asked::Where(condition)) => Audience::Where(condition),
        None => {
            check.fail("audience", "must say which");
            Audience::Champions
        }
    }
}

fn known_items(contents: &Contents, keys: &[String], check: &mut Check) -> Vec<ItemId> {
    let mut items = Vec::new();
    for (key, place) in keys.iter().zip(0..) {
        match contents.keys.get(key) {
            Some(item) => items.push(item),
            None => check.fail(
                &format!("new_arrival.item_ids[{place}]"),
                "is no item of the index: put it into the catalogue and train",
            ),
        }
        if check.is_enough() {
            break;
        }
    }
    items
}

fn member(contents: &Contents, chosen: &Chosen) -> pb::AudienceMember {
    let key = |&item: &ItemId| contents.keys.key(item).to_owned();
    pb::AudienceMember {
        customer_id: chosen.customer.clone(),
        score: chosen.pick.score,
        reason: chosen.pick.reason.clone(),
        item_ids: chosen.pick.items.iter().map(key).collect(),
        due: chosen.due_day(),
        held_out: chosen.held_out,
    }
}

fn campaign(
    contents: &Contents,
    request: pb::EvaluateCampaignRequest,
) -> Result<(Window, Vec<Assignment>)> {
    let mut check = Check::default();
    if request.assignments.is_empty() {
        check.fail("assignments", "must name at least one customer");
    }
    let mut day = |field: &str, text: &str| {
        let date = text.parse::<jiff::civil::Date>();
        match date.and_then(|date| date.to_zoned(jiff::tz::TimeZone::UTC)) {
            Ok(day) => day.timestamp().as_millisecond(),
            Err(_) => {
                check.fail(field, "must be a day like 2026-11-22");
                0
            }
        }
    };
    let start = Timestamp(day("first_day", &request.first_day));
    let end = Timestamp(day("last_day", &request.last_day)).plus_days(1);
    if end <= start {
        check.fail("last_day", "must not be before first_day");
    }
    if contents.timed && contents.now < start {
        let last = contents.now;
        check.fail("first_day", format!("must not be after the last event, which is of {last}"));
    }
    let before_days = if request.before_days == 0 { BEFORE_DAYS } else { request.before_days };
    let assignments = request.assignments.into_iter().map(|one| Assignment {
        customer: one.customer_id,
        assigned: if one.held_out { Assigned::HeldOut } else { Assigned::Treated },
        segment: one.segment,
    });
    let assignments = distinct(assignments.collect());
    if let Err(wrong) = &assignments {
        check.fail("assignments", wrong);
    }
    check.passed((Window { start, end, before_days }, assignments.unwrap_or_default()))
}

fn judged(
    served: &Served,
    assignments: &[Assignment],
    randomised: bool,
    window: &Window,
) -> Result<Judgement, Error> {
    let Snapshot { customers, .. } = &served.snapshot();
    let mut subjects = Vec::with_capacity(assignments.len());
    let (mut strangers, mut cut_short) = (0, 0);
    let earliest = window.start.plus_days(-i64::from(window.before_days));
    for assignment in assignments {
        let profile = customers.named_profile(&assignment.customer)?;
        strangers += usize::from(profile.is_none());
        let buyer = profile.and_then(|profile| profile.buyer);
        let orders = buyer.map(|buyer| buyer.latest_orders).unwrap_or_default();
        cut_short += u64::from(orders.len() == KEPT_ORDERS && orders[0].at > earliest);
        // How they stood when it started, a generation does not tell.
        subjects.push(subject(assignment, &orders, &orders, window));
    }
    let mut check = Check::default();
    if strangers == assignments.len() {
        check.fail(
            "assignments",
            "must name customers of the events; none of these has ever been in them",
        );
    }
    let mut judged = judge(&subjects, randomised);
    judged.note_strangers(strangers);
    let Contents { now, timed, .. } = served.snapshot().contents;
    if timed && window.goes_on_after(now) {
        judged.note_unfinished(now);
    }
    if cut_short > 0 {
        judged.words += &format!(
            " Of {} only the latest {KEPT_ORDERS} orders are counted: they had more than that in these days. \
             `cartwright campaign` counts all.",
            counted(cut_short, "customer")
        );
    }
    check.passed(judged)
}

fn judgement(judged: Judgement, generation: u64) -> pb::EvaluateCampaignResponse {
    use pb::evaluate_campaign_response::Verdict as Said;
    let verdict = match judged.verdict {
        Verdict::Worked => Said::Worked,
        Verdict::Harmed => Said::Harmed,
        Verdict::Undecided => Said::Undecided,
        Verdict::NotConclusive => Said::NotConclusive,
    };
    let segments = judged.segments.into_iter().map(|(name, c)| (name, comparison(&c)));
    pb::EvaluateCampaignResponse {
        verdict: verdict.into(),
        words: judged.words,
        all: Some(comparison(&judged.all)),
        segments: segments.collect(),
        generation,
    }
}

fn comparison(comparison: &Comparison) -> pb::CampaignComparison {
    let difference = |interval: Option<Interval>| {
        interval.map(|Interval { estimate, low, high }| pb::Difference { estimate, low, high })
    };
    pb::CampaignComparison {
        treated: Some(group(&comparison.treated)),
        held_out: Some(group(&comparison.held_out)),
        rate: difference(comparison.rate),
        orders: difference(comparison.orders),
        revenue: difference(comparison.revenue),
        adjusted_revenue: difference(comparison.adjusted_revenue),
        detectable_revenue: comparison.detectable_revenue,
    }
}

fn group(group: &Group) -> pb::CampaignGroup {
    let Group { customers, buyers, orders, revenue, before_per_customer } = *group;
    pb::CampaignGroup { customers, buyers, orders, revenue, before_per_customer }
}
