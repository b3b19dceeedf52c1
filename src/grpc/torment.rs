//! Requests gone wrong: whatever bytes come, they are refused as the contract says, or are a sound question.

use prost::Message;

use super::catalog_convert::Checked;
use super::convert::{Asked, MAX_LIMIT};
use super::convert_hot::placements;
use super::pb;
use super::pb::page_placement::Question;
use crate::error::{Error, Result};
use crate::torment::torment;

/// A refusal names what is wrong, at no great length.
fn judged<T>(found: Result<T>, is_sound: impl Fn(&T) -> bool) -> bool {
    match found {
        Ok(found) => {
            assert!(is_sound(&found));
            true
        }
        Err(Error::InvalidRequest(violations)) => {
            assert!(!violations.is_empty() && violations.len() < 500);
            violations
                .iter()
                .for_each(|v| assert!(!v.description.is_empty() && v.field.len() < 200));
            false
        }
        Err(other) => panic!("no violation: {other}"),
    }
}

fn is_sound(asked: &Asked<'_>) -> bool {
    (1..=MAX_LIMIT).contains(&asked.limit) && asked.customer != Some("")
}

/// Decodes a request, which must then be refused or a sound question.
fn asked<T: Message + Default + PartialEq>(bytes: &[u8], check: impl Fn(&T) -> bool) -> bool {
    let Ok(request) = T::decode(bytes) else { return false };
    // What is written again reads the same, but where a number is none.
    let again = T::decode(request.encode_to_vec().as_slice()).expect("just written");
    assert_eq!(again.encode_to_vec(), request.encode_to_vec());
    check(&request)
}

fn related() -> pb::RelatedItemsRequest {
    pb::RelatedItemsRequest {
        item_id: "tea".into(),
        customer_id: Some("anna".into()),
        limit: 20,
        up_sell: Some(pb::PriceBand { least: 1.1, most: 2.0 }),
        filter: "price < 20".into(),
        objective: 2,
        diversity: 3,
        allow_variants: true,
        placement: "top".into(),
    }
}

fn basket() -> pb::BasketUpsellRequest {
    let line = pb::BasketLine { item_id: "tea".into(), quantity: 2.0, unit_price: Some(3.5) };
    pb::BasketUpsellRequest {
        basket: vec![line; 3],
        limit: 7,
        order_value_target: 30.0,
        ..Default::default()
    }
}

fn visit() -> pb::ForCustomerRequest {
    pb::ForCustomerRequest {
        customer_id: Some("anna".into()),
        recent_item_ids: vec!["tea".into(), "cup".into()],
        exclude_purchased: true,
        ..Default::default()
    }
}

#[test]
fn any_bytes_are_a_sound_question_or_refused_by_the_contract() {
    let (related, basket, visit) =
        (related().encode_to_vec(), basket().encode_to_vec(), visit().encode_to_vec());
    let understood = [
        torment("RelatedItemsRequest", &[&related], |bytes| {
            asked::<pb::RelatedItemsRequest>(bytes, |r| judged(Asked::try_from(r), is_sound))
        }),
        torment("BasketUpsellRequest", &[&basket], |bytes| {
            asked::<pb::BasketUpsellRequest>(bytes, |r| judged(Asked::try_from(r), is_sound))
        }),
        torment("ForCustomerRequest", &[&visit], |bytes| {
            asked::<pb::ForCustomerRequest>(bytes, |r| judged(Asked::try_from(r), is_sound))
        }),
    ];
    assert!(understood.iter().all(|&count| count > 0), "{understood:?}");
}

#[test]
fn any_bytes_are_a_sound_page_or_refused_by_the_contract() {
    let trending = pb::TrendingItemsRequest { category: "Tea".into(), ..Default::default() };
    let again = pb::BuyAgainItemsRequest { customer_id: "anna".into(), ..Default::default() };
    let questions = [
        Question::RelatedItems(related()),
        Question::BasketUpsell(basket()),
        Question::ForCustomer(visit()),
        Question::TrendingItems(trending),
        Question::BuyAgainItems(again),
    ];
    let placed = questions
        .map(|question| pb::PagePlacement { name: "top".into(), question: Some(question) });
    let page = pb::RecommendPageRequest { placements: placed.into() }.encode_to_vec();
    let all_sound = |page: &Vec<(&str, Asked<'_>)>| page.iter().all(|(_, asked)| is_sound(asked));
    let understood = torment("RecommendPageRequest", &[&page], |bytes| {
        asked::<pb::RecommendPageRequest>(bytes, |r| judged(placements(r), all_sound))
    });
    assert!(understood > 0);
}

#[test]
fn any_bytes_are_sound_changes_or_refused_by_the_contract() {
    let item = pb::CatalogItem { item_id: "tea".into(), ..Default::default() };
    let mask = prost_types::FieldMask { paths: vec!["title".into(), "attributes.colour".into()] };
    let upsert = pb::UpsertItemsRequest { item: Some(item), update_mask: Some(mask) };
    let upsert = upsert.encode_to_vec();
    let stock = pb::Inventory { item_id: "tea".into(), stock: Some(3), price: Some(2.5) };
    let stock = pb::SetInventoryRequest { inventory: vec![stock; 2] }.encode_to_vec();
    let changes = torment("UpsertItemsRequest", &[&upsert], |bytes| {
        asked::<pb::UpsertItemsRequest>(bytes, |r| judged(Checked::default().upsert(r), |()| true))
    });
    let inventory = torment("SetInventoryRequest", &[&stock], |bytes| {
        asked::<pb::SetInventoryRequest>(bytes, |r| {
            judged(Checked::inventory(&r.inventory), |changes| changes.len() == r.inventory.len())
        })
    });
    assert!(changes > 0 && inventory > 0);
}
