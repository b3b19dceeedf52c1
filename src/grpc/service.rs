//! The methods: check, ask, answer.

use std::cell::RefCell;
use std::sync::Arc;

use tonic::{Request, Response, Status};

use super::convert::{Asked, reply};
use super::pb;
use super::pb::recommendation_service_server::RecommendationService;
use super::served::Counter;
use crate::error::{Error, Result};
use crate::recommend::{Query, Scratch, answer};

/// `cartwright.v1.RecommendationService`.
#[derive(Debug)]
pub(super) struct Recommendations(pub(super) Arc<Counter>);

/// An answer, whatever the question was.
struct Answered {
    recommendations: Vec<pb::Recommendation>,
    attribution_token: String,
    generation: u64,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

impl Recommendations {
    fn answer<'a, T>(&self, request: &'a T) -> Result<Answered, Status>
    where
        Asked<'a>: TryFrom<&'a T, Error = Error>,
    {
        let asked = Asked::try_from(request)?;
        let served = self
            .0
            .served()
            .ok_or_else(|| Status::unavailable("the index is still being loaded"))?;
        let snapshot = &served.snapshot;
        let history = match asked.customer {
            Some(customer) => snapshot.customers.history(customer).unwrap_or_else(|error| {
                tracing::error!(%error, "a customer's past can't be read; answering without it");
                None
            }),
            None => None,
        };
        let query =
            Query { question: asked.question, history: history.as_ref(), limit: asked.limit };
        let answer = SCRATCH
            .with_borrow_mut(|scratch| answer(&snapshot.contents, &served.blend, &query, scratch));
        let generation = snapshot.manifest.generation;
        Ok(Answered {
            recommendations: reply(&snapshot.contents, &answer),
            attribution_token: self.0.attribution_token(generation),
            generation,
        })
    }
}

#[tonic::async_trait]
impl RecommendationService for Recommendations {
    async fn related_items(
        &self,
        request: Request<pb::RelatedItemsRequest>,
    ) -> Result<Response<pb::RelatedItemsResponse>, Status> {
        let Answered { recommendations, attribution_token, generation } =
            self.answer(request.get_ref())?;
        Ok(Response::new(pb::RelatedItemsResponse {
            recommendations,
            attribution_token,
            generation,
        }))
    }

    async fn basket_upsell(
        &self,
        request: Request<pb::BasketUpsellRequest>,
    ) -> Result<Response<pb::BasketUpsellResponse>, Status> {
        let Answered { recommendations, attribution_token, generation } =
            self.answer(request.get_ref())?;
        Ok(Response::new(pb::BasketUpsellResponse {
            recommendations,
            attribution_token,
            generation,
        }))
    }

    async fn for_customer(
        &self,
        request: Request<pb::ForCustomerRequest>,
    ) -> Result<Response<pb::ForCustomerResponse>, Status> {
        let Answered { recommendations, attribution_token, generation } =
            self.answer(request.get_ref())?;
        Ok(Response::new(pb::ForCustomerResponse {
            recommendations,
            attribution_token,
            generation,
        }))
    }
}
