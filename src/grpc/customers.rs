//! `cartwright.v1.CustomerService`: what is known of a customer, and how they are forgotten.

use std::sync::Arc;

use tonic::{Request, Response, Status};

use super::admission::{aside, places};
use super::convert::{Check, day};
use super::pb;
use super::pb::customer_service_server::CustomerService;
use super::served::{Counter, Served};
use crate::audiences::Person;
use crate::customers::value::{Forecast, Worth};
use crate::customers::{Aspects, Buyer, Lifecycle, Preferences, Profile, Rfm};
use crate::index::Contents;

/// Furthest ahead that orders are foretold.
const MAX_HORIZON_DAYS: i32 = 3_650;

/// The service.
#[derive(Debug)]
pub(super) struct Customers {
    pub(super) counter: Arc<Counter>,
}

#[tonic::async_trait]
impl CustomerService for Customers {
    async fn get_customer(
        &self,
        request: Request<pb::GetCustomerRequest>,
    ) -> Result<Response<pb::GetCustomerResponse>, Status> {
        let request = request.into_inner();
        let horizon = checked(&request)?;
        let served = self.counter.served_or_not_yet()?;
        let profile = served.snapshot().customers.profile(&request.customer_id)?;
        let profile =
            profile.ok_or_else(|| Status::not_found("the shop knows no such customer"))?;
        Ok(Response::new(response(&served, &profile, horizon)))
    }

    async fn erase_customer(
        &self,
        request: Request<pb::EraseCustomerRequest>,
    ) -> Result<Response<pb::EraseCustomerResponse>, Status> {
        let places = places(&request);
        let customer = request.into_inner().customer_id;
        let mut check = Check::default();
        check.key("customer_id", &customer);
        check.passed(())?;
        let counter = self.counter.clone();
        let erased = aside(places, move || counter.erase(&customer)).await;
        erased.map_err(|_| Status::internal("the customer was not erased"))??;
        Ok(Response::new(pb::EraseCustomerResponse {}))
    }
}

fn checked(request: &pb::GetCustomerRequest) -> crate::Result<Option<u32>> {
    let mut check = Check::default();
    check.key("customer_id", &request.customer_id);
    if !(0..=MAX_HORIZON_DAYS).contains(&request.horizon_days) {
        let came = request.horizon_days;
        check.fail("horizon_days", format!("must be from 0 to {MAX_HORIZON_DAYS}, and is {came}"));
    }
    check.passed(u32::try_from(request.horizon_days).ok().filter(|&days| days > 0))
}

fn response(served: &Served, profile: &Profile, horizon: Option<u32>) -> pb::GetCustomerResponse {
    let (contents, clientele) = (&served.snapshot().contents, &served.generation.clientele);
    let buyer = profile.buyer.as_ref();
    let person = Person { profile, clientele, contents };
    let within =
        |worth: &Worth| Some(clientele.models.as_ref()?.orders_within(&worth.timing, horizon?));
    let worth = buyer.and_then(|buyer| buyer.worth.as_ref());
    pb::GetCustomerResponse {
        lifecycle: Some(lifecycle(&profile.lifecycle)),
        rfm: buyer.map(|buyer| rfm(&buyer.rfm)),
        quadrant: buyer.map(|buyer| buyer.quadrant.name().to_owned()).unwrap_or_default(),
        value: worth.map(|worth| value(worth, within(worth))),
        aspects: buyer.map(|buyer| aspects(&buyer.aspects)),
        churn: buyer.map(churn),
        preferences: buyer.map(|buyer| preferences(contents, &buyer.preferences)),
        segment: person.segment().unwrap_or_default().to_owned(),
        attributes: profile.attributes.clone().into_iter().collect(),
        generation: served.snapshot().manifest.generation,
    }
}

fn lifecycle(lifecycle: &Lifecycle) -> pb::Lifecycle {
    pb::Lifecycle {
        stage: lifecycle.stage.name().to_owned(),
        stage_days: lifecycle.stage_days.into(),
        cadence_days: lifecycle.cadence_days.into(),
        standing: lifecycle.standing.name().to_owned(),
    }
}

fn rfm(rfm: &Rfm) -> pb::Rfm {
    pb::Rfm {
        first_order: day(Some(rfm.first_order)),
        last_order: day(Some(rfm.last_order)),
        recency_days: rfm.recency_days,
        orders: rfm.orders,
        total: rfm.total.into(),
        average_order: rfm.average.into(),
        returned: rfm.returned.into(),
        recency_score: rfm.r.into(),
        frequency_score: rfm.f.into(),
        monetary_score: rfm.m.into(),
        segment: rfm.segment().name().to_owned(),
    }
}

fn value(worth: &Worth, within: Option<Forecast>) -> pb::CustomerValue {
    pb::CustomerValue {
        alive: worth.alive.into(),
        orders_28_days: Some(forecast(worth.orders_28)),
        orders_90_days: Some(forecast(worth.orders_90)),
        orders_365_days: Some(forecast(worth.orders_365)),
        orders_within_horizon: within.map(forecast),
        order_value: worth.order_value.into(),
        lifetime_value: Some(forecast(worth.lifetime)),
    }
}

fn forecast(Forecast { expected, low, high }: Forecast) -> pb::Forecast {
    pb::Forecast { expected: expected.into(), low: low.into(), high: high.into() }
}

fn aspects(aspects: &Aspects) -> pb::Aspects {
    let Aspects { contribution, future, credit, loyalty, growth } = *aspects;
    pb::Aspects {
        contribution: contribution.into(),
        future: future.into(),
        credit: credit.into(),
        loyalty: loyalty.into(),
        growth: growth.into(),
    }
}

fn churn(buyer: &Buyer) -> pb::ChurnRisk {
    pb::ChurnRisk {
        probability: buyer.churn.probability.into(),
        value_at_risk: buyer.churn.value_at_risk.into(),
    }
}

const WEEKDAYS: [&str; 7] =
    ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

fn preferences(contents: &Contents, likes: &Preferences) -> pb::Preferences {
    let liking = |name: &str, share: f32| pb::Liking { name: name.to_owned(), share: share.into() };
    let categories = likes.categories.iter();
    let favourites = likes.favourites.iter().map(|favourite| pb::Favourite {
        item_id: contents.keys.key(favourite.item).to_owned(),
        times: favourite.times,
        last_bought: day(Some(favourite.last)),
        usual_days: favourite.usual_days.into(),
    });
    pb::Preferences {
        categories: categories
            .map(|&(category, share)| liking(contents.categories.path(category), share))
            .collect(),
        brands: likes.brands.iter().map(|(brand, share)| liking(brand, *share)).collect(),
        price_band: likes.price_band().to_owned(),
        price_level: likes.price_level.into(),
        discount_share: likes.discount_share.into(),
        weekday: WEEKDAYS[usize::from(likes.weekday) % WEEKDAYS.len()].to_owned(),
        hour: likes.hour.into(),
        favourites: favourites.collect(),
    }
}
