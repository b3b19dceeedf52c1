//! Requests to load a server with: made up from an index, or recorded.

use std::path::Path;

use bytes::{BufMut, Bytes, BytesMut};
use prost::Message;
use serde::{Deserialize, Serialize};

use crate::customers::History;
use crate::error::{Error, Result};
use crate::grpc::pb;
use crate::ids::ItemId;
use crate::index::Snapshot;

/// One of the three questions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QueryKind {
    /// What goes with this item?
    RelatedItems,
    /// What completes this basket?
    BasketUpsell,
    /// What would this customer want?
    ForCustomer,
}

impl QueryKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::RelatedItems, Self::BasketUpsell, Self::ForCustomer];

    /// As the figures name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::RelatedItems => "related_items",
            Self::BasketUpsell => "basket_upsell",
            Self::ForCustomer => "for_customer",
        }
    }

    /// Where it is asked.
    pub(super) fn path(self) -> &'static str {
        match self {
            Self::RelatedItems => "/cartwright.v1.RecommendationService/RelatedItems",
            Self::BasketUpsell => "/cartwright.v1.RecommendationService/BasketUpsell",
            Self::ForCustomer => "/cartwright.v1.RecommendationService/ForCustomer",
        }
    }
}

/// Requests, ready to be sent: which question, and its message in gRPC's frame.
#[derive(Clone, Debug, Default)]
pub struct Questions(pub(super) Vec<(QueryKind, Bytes)>);

impl Questions {
    /// Those of one kind.
    pub fn of(&self, kind: QueryKind) -> Self {
        Self(self.0.iter().filter(|(k, _)| *k == kind).cloned().collect())
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of several.
    pub fn together(all: Vec<Self>) -> Self {
        Self(all.into_iter().flat_map(|questions| questions.0).collect())
    }

    /// All of them in a random order.
    #[must_use]
    pub fn shuffled(mut self, seed: u64) -> Self {
        fastrand::Rng::with_seed(seed).shuffle(&mut self.0);
        self
    }

    fn push(&mut self, kind: QueryKind, message: &impl Message) {
        let length = message.encoded_len();
        let mut frame = BytesMut::with_capacity(5 + length);
        frame.put_u8(0); // not compressed
        frame.put_u32(u32::try_from(length).expect("requests are small"));
        message.encode(&mut frame).expect("there is room for it");
        self.0.push((kind, frame.freeze()));
    }
}

/// What made-up requests look like.
#[derive(Clone, Debug, PartialEq)]
pub struct Shape {
    /// Requests to make up per question, all drawn apart; customers come again once all had their turn.
    pub count: usize,
    /// Length of the answers asked for.
    pub limit: i32,
    /// Lines of a basket.
    pub lines: usize,
    /// Events in a customer's past: those are asked for that come nearest.
    pub events: usize,
    /// Chance.
    pub seed: u64,
}

impl Default for Shape {
    fn default() -> Self {
        Self { count: 50_000, limit: 20, lines: 10, events: 100, seed: 1 }
    }
}

/// At most so many customers are looked at to find some with as many events as wanted.
const CUSTOMERS_LOOKED_AT: usize = 20_000;
/// At most so many customers are asked for.
const CUSTOMERS: usize = 1_000;

/// Requests of `kind`, as the shop's customers would make them: items by popularity, and customers with
/// a past.
///
/// Errors: the index can't be read, or it has no items, or none of its customers has a past.
pub fn generated(snapshot: &Snapshot, kind: QueryKind, shape: &Shape) -> Result<Questions> {
    let mut random = fastrand::Rng::with_seed(shape.seed);
    let mut questions = Questions::default();
    let limit = shape.limit;
    if kind == QueryKind::ForCustomer {
        let mut customers = customers(snapshot, shape.events)?;
        random.shuffle(&mut customers);
        for customer in customers.into_iter().cycle().take(shape.count) {
            let customer_id = Some(customer);
            let request = pb::ForCustomerRequest { customer_id, limit, ..Default::default() };
            questions.push(kind, &request);
        }
        return Ok(questions);
    }
    let popular = Popular::new(snapshot)?;
    for _ in 0..shape.count {
        match kind {
            QueryKind::RelatedItems => {
                let item_id = popular.draw(&mut random).to_owned();
                let request = pb::RelatedItemsRequest { item_id, limit, ..Default::default() };
                questions.push(kind, &request);
            }
            _ => {
                let basket = popular.basket(shape.lines, &mut random);
                let request = pb::BasketUpsellRequest { basket, limit, ..Default::default() };
                questions.push(kind, &request);
            }
        }
    }
    Ok(questions)
}

/// Items, drawn by their share of the sales.
struct Popular<'a> {
    snapshot: &'a Snapshot,
    /// Running sums of the shares.
    sums: Vec<f64>,
}

impl<'a> Popular<'a> {
    fn new(snapshot: &'a Snapshot) -> Result<Self> {
        let shares = snapshot.contents.trends.share.iter();
        let sums: Vec<f64> = shares
            // What never sold is asked for now and then.
            .scan(0.0, |sum, &share| {
                *sum += f64::from(share) + 1e-9;
                Some(*sum)
            })
            .collect();
        if sums.is_empty() {
            return Err(Error::Input("the index has no items to ask about".into()));
        }
        Ok(Self { snapshot, sums })
    }

    fn draw(&self, random: &mut fastrand::Rng) -> &'a str {
        let all = self.sums.last().copied().unwrap_or_default();
        let point = random.f64() * all;
        let place = self.sums.partition_point(|&sum| sum < point).min(self.sums.len() - 1);
        self.snapshot.contents.keys.key(ItemId::new(place))
    }

    /// Distinct items, so far as the shop has enough of them.
    fn basket(&self, lines: usize, random: &mut fastrand::Rng) -> Vec<pb::BasketLine> {
        let mut basket: Vec<pb::BasketLine> = Vec::with_capacity(lines);
        for _ in 0..100 * lines {
            let item = self.draw(random);
            if basket.len() < lines && basket.iter().all(|line| line.item_id != item) {
                let item_id = item.to_owned();
                basket.push(pb::BasketLine { item_id, quantity: 1.0, unit_price: None });
            }
        }
        basket
    }
}

/// The keys of customers whose pasts come nearest to so many events.
fn customers(snapshot: &Snapshot, events: usize) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for key in snapshot.customers.keys().take(CUSTOMERS_LOOKED_AT) {
        let key = key?;
        if let Some(history) = snapshot.customers.history(&key)?.filter(|h| !h.is_empty()) {
            found.push((events_of(&history).abs_diff(events), key));
        }
    }
    if found.is_empty() {
        return Err(Error::Input(
            "the index has no customer with a past to ask for (one that keeps hashes of customers' keys can't tell \
             these: name some in --requests)"
                .into(),
        ));
    }
    found.sort_unstable();
    found.truncate(CUSTOMERS);
    Ok(found.into_iter().map(|(_, key)| key).collect())
}

/// Purchases, looks, carts and favourites.
fn events_of(history: &History) -> usize {
    let bought: usize = history.bought.iter().map(|bought| bought.times as usize).sum();
    bought + history.glances.len()
}

/// One line of a recording.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Recorded {
    query: QueryKind,
    /// The item on the page, what is in the basket, or what was looked at just now.
    #[serde(default)]
    item_ids: Vec<String>,
    customer_id: Option<String>,
    #[serde(default)]
    limit: i32,
    #[serde(default)]
    exclude_purchased: bool,
}

/// Requests from a file with one JSON object per line: `query` (`related_items`, `basket_upsell`,
/// `for_customer`), `item_ids`, `customer_id`, `limit`, `exclude_purchased`.
///
/// Errors: the file can't be read, or a line is something else.
pub fn recorded(path: &Path) -> Result<Questions> {
    let text = std::fs::read_to_string(path).map_err(Error::io("read", path))?;
    let mut questions = Questions::default();
    for (line, number) in text.lines().zip(1..).filter(|(line, _)| !line.trim().is_empty()) {
        let recorded: Recorded = serde_json::from_str(line)
            .map_err(|error| Error::Input(wrong(path, number, &error)))?;
        recorded.add_to(&mut questions);
    }
    if questions.is_empty() {
        return Err(Error::Input(format!("{} holds no requests", path.display())));
    }
    Ok(questions)
}

/// The error's own text may quote a customer's key.
fn wrong(path: &Path, line: usize, error: &serde_json::Error) -> String {
    format!(
        "{}, line {line}, column {}: expected an object with query (related_items, basket_upsell or for_customer), \
         item_ids (a list of texts), customer_id (a text), limit, exclude_purchased",
        path.display(),
        error.column()
    )
}

impl Recorded {
    fn add_to(self, questions: &mut Questions) {
        let Self { query, item_ids, customer_id, limit, exclude_purchased } = self;
        match query {
            QueryKind::RelatedItems => {
                let item_id = item_ids.into_iter().next().unwrap_or_default();
                questions.push(
                    query,
                    &pb::RelatedItemsRequest { item_id, customer_id, limit, ..Default::default() },
                );
            }
            QueryKind::BasketUpsell => {
                let line = |item_id| pb::BasketLine { item_id, quantity: 1.0, unit_price: None };
                let basket = item_ids.into_iter().map(line).collect();
                questions.push(
                    query,
                    &pb::BasketUpsellRequest { basket, customer_id, limit, ..Default::default() },
                );
            }
            QueryKind::ForCustomer => {
                let recent_item_ids = item_ids;
                let request = pb::ForCustomerRequest {
                    customer_id,
                    recent_item_ids,
                    limit,
                    exclude_purchased,
                    ..Default::default()
                };
                questions.push(query, &request);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recording_is_sent_as_it_was_asked_and_a_bad_line_is_named() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("asked.jsonl");
        let sound = r#"{"query": "basket_upsell", "item_ids": ["tea", "cup"], "limit": 5}"#;
        std::fs::write(&path, format!("{sound}\n\n")).expect("written");
        let questions = recorded(&path).expect("sound");
        let (kind, frame) = &questions.0[0];
        let basket = pb::BasketUpsellRequest::decode(&frame[5..]).expect("a message");
        assert_eq!((*kind, questions.len()), (QueryKind::BasketUpsell, 1));
        assert_eq!((basket.basket[1].item_id.as_str(), basket.limit), ("cup", 5));
        assert_eq!(frame[..5], [0, 0, 0, 0, u8::try_from(frame.len() - 5).expect("short")]);

        std::fs::write(&path, format!("{sound}\n{{\"query\": \"weather\"}}\n")).expect("written");
        let error = recorded(&path).expect_err("no such question").to_string();
        assert!(error.contains("line 2"), "{error}");
    }
}
