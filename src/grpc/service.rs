//! The methods: check, ask, answer.

use std::sync::Arc;

use tonic::{Request, Response, Status};

use super::convert::Asked;
use super::desk::answer_at_desk;
use super::pb;
use super::served::Counter;
use super::served_pb::recommendation_service_server::RecommendationService;
use super::wire::Reply;
use crate::error::{Error, Result};

/// `cartwright.v1.RecommendationService`.
#[derive(Debug)]
pub(super) struct Recommendations {
    pub(super) counter: Arc<Counter>,
    /// Memory for answers that may be given again, bytes per serving thread.
    pub(super) desk_bytes: usize,
}

impl Recommendations {
    fn answer<'a, T>(&self, request: &'a T) -> Result<Response<Reply>, Status>
    where
        Asked<'a>: TryFrom<&'a T, Error = Error>,
    {
        let mut asked = Asked::try_from(request)?;
        let served = self.counter.served_or_not_yet()?;
        let snapshot = served.snapshot();
        // Here, so that no remembered answer of somebody who is to be forgotten is given again.
        asked.customer = asked.customer.filter(|key| !snapshot.customers.is_erased(key));
        let generation = snapshot.manifest.generation;
        let recommendations = answer_at_desk(&served, asked, self.desk_bytes)?;
        Ok(Response::new(Reply::Answer {
            recommendations,
            number: self.counter.number(),
            generation,
        }))
    }
}

#[tonic::async_trait]
impl RecommendationService for Recommendations {
    async fn related_items(
        &self,
        request: Request<pb::RelatedItemsRequest>,
    ) -> Result<Response<Reply>, Status> {
        self.answer(request.get_ref())
    }

    async fn basket_upsell(
        &self,
        request: Request<pb::BasketUpsellRequest>,
    ) -> Result<Response<Reply>, Status> {
        self.answer(request.get_ref())
    }

    async fn for_customer(
        &self,
        request: Request<pb::ForCustomerRequest>,
    ) -> Result<Response<Reply>, Status> {
        self.answer(request.get_ref())
    }
}
