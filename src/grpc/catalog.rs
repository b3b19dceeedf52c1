//! The catalogue's methods: check, keep, acknowledge.

use std::sync::Arc;

use tokio_stream::StreamExt;
use tonic::{Request, Response, Status, Streaming};

use super::admission::{Places, aside, places};
use super::catalog_convert::{Checked, item_message};
use super::pb;
use super::pb::catalog_service_server::CatalogService;
use super::served::{Counter, Served};
use crate::error::Result;
use crate::live::Overlay;

/// Items in one call, at most.
pub(super) const MAX_CHANGES: usize = 100_000;
/// Length of a page where the request does not say, and the longest.
const PAGE: (usize, usize) = (100, 1_000);

/// `cartwright.v1.CatalogService`.
#[derive(Debug)]
pub(super) struct Catalogue {
    pub(super) counter: Arc<Counter>,
}

impl Catalogue {
    /// Keeps the changes, off the threads that answer; the keys that the shop does not have come back.
    async fn change(
        &self,
        places: Option<Places>,
        changes: Result<Vec<(String, Overlay)>>,
    ) -> Result<Vec<String>, Status> {
        let (changes, counter) = (changes?, self.counter.clone());
        let changed = aside(places, move || counter.change(changes)).await;
        Ok(changed.map_err(|_| Status::internal("the change was not taken"))??)
    }

    async fn change_all<T>(
        &self,
        request: &Request<T>,
        item_ids: &[String],
        field: &str,
        value: bool,
    ) -> Result<Vec<String>, Status> {
        let changes = Checked::items(item_ids, &Overlay::of(field, value));
        self.change(places(request), changes).await
    }
}

#[tonic::async_trait]
impl CatalogService for Catalogue {
    async fn upsert_items(
        &self,
        request: Request<Streaming<pb::UpsertItemsRequest>>,
    ) -> Result<Response<pb::UpsertItemsResponse>, Status> {
        let places = places(&request);
        let mut requests = request.into_inner();
        let mut checked = Checked::default();
        while let Some(request) = requests.next().await {
            checked.upsert(&request?)?;
        }
        let upserted = checked.len() as u32; // at most MAX_CHANGES
        self.change(places, checked.changes()).await?;
        Ok(Response::new(pb::UpsertItemsResponse { upserted }))
    }

    async fn set_inventory(
        &self,
        request: Request<pb::SetInventoryRequest>,
    ) -> Result<Response<pb::SetInventoryResponse>, Status> {
        let changes = Checked::inventory(&request.get_ref().inventory);
        let unknown_item_ids = self.change(places(&request), changes).await?;
        Ok(Response::new(pb::SetInventoryResponse { unknown_item_ids }))
    }

    async fn hide_items(
        &self,
        request: Request<pb::HideItemsRequest>,
    ) -> Result<Response<pb::HideItemsResponse>, Status> {
        let unknown_item_ids =
            self.change_all(&request, &request.get_ref().item_ids, "hidden", true).await?;
        Ok(Response::new(pb::HideItemsResponse { unknown_item_ids }))
    }

    async fn unhide_items(
        &self,
        request: Request<pb::UnhideItemsRequest>,
    ) -> Result<Response<pb::UnhideItemsResponse>, Status> {
        let unknown_item_ids =
            self.change_all(&request, &request.get_ref().item_ids, "hidden", false).await?;
        Ok(Response::new(pb::UnhideItemsResponse { unknown_item_ids }))
    }

    async fn delete_items(
        &self,
        request: Request<pb::DeleteItemsRequest>,
    ) -> Result<Response<pb::DeleteItemsResponse>, Status> {
        let unknown_item_ids =
            self.change_all(&request, &request.get_ref().item_ids, "deleted", true).await?;
        Ok(Response::new(pb::DeleteItemsResponse { unknown_item_ids }))
    }

    async fn get_item(
        &self,
        request: Request<pb::GetItemRequest>,
    ) -> Result<Response<pb::CatalogItem>, Status> {
        let key = Checked::key(&request.get_ref().item_id)?;
        let served = self.counter.served_or_not_yet()?;
        let item = served.shelf.get(key).map(|item| (item, served.shelf.listing(item)));
        match item.filter(|(_, listing)| !listing.deleted) {
            Some((item, listing)) => {
                Ok(Response::new(item_message(served.shelf.key(item), &listing)))
            }
            None => Err(Status::not_found("the shop has no item of this key")),
        }
    }

    async fn list_items(
        &self,
        request: Request<pb::ListItemsRequest>,
    ) -> Result<Response<pb::ListItemsResponse>, Status> {
        let places = places(&request);
        let pb::ListItemsRequest { page_size, page_token } = request.into_inner();
        let (size, after) = Checked::page(page_size, &page_token, PAGE)?;
        let served = self.counter.served_or_not_yet()?;
        // Off the threads that answer: all keys are looked at.
        let listed = aside(places, move || page(&served, after.as_deref(), size));
        let listed = listed.await.map_err(|_| Status::internal("the items could not be listed"))?;
        Ok(Response::new(listed))
    }
}

/// So many items, by their keys, from the one behind `after` on.
fn page(served: &Served, after: Option<&str>, size: usize) -> pb::ListItemsResponse {
    let (page, is_last) = served.shelf.page(after, size);
    let listed = |item: &_| item_message(served.shelf.key(*item), &served.shelf.listing(*item));
    let items = page.iter().map(listed).collect();
    let last = page.last().filter(|_| !is_last).map(|item| served.shelf.key(*item));
    let next_page_token = last.map_or(String::new(), Checked::page_token);
    pb::ListItemsResponse { items, next_page_token }
}
