//! Messages of the catalogue ↔ changes and listings.

use prost::Message;

use super::catalog::MAX_CHANGES;
use super::convert::Check;
use super::pb;
use crate::catalog::{Item, Listing};
use crate::error::Result;
use crate::live::Overlay;
use crate::time::Timestamp;

/// Changes of one call that were checked.
#[derive(Debug, Default)]
pub(super) struct Checked {
    changes: Vec<(String, Overlay)>,
    /// Bytes of the messages that they came in.
    bytes: usize,
}

/// What a mask can name, beside `attributes.NAME`.
const FIELDS: [&str; 9] = [
    "title",
    "category",
    "brand",
    "price",
    "cost",
    "in_stock",
    "group_id",
    "launched_at",
    "attributes",
];
/// Longest text of an item, bytes.
const MAX_TEXT_BYTES: usize = 10_000;
/// Attributes of an item, at most.
const MAX_ATTRIBUTES: usize = 200;
/// Items of one call, bytes: they are all held in memory before the first is kept.
const MAX_CALL_BYTES: usize = 256 << 20;

impl Checked {
    /// Adds one item of a stream.
    ///
    /// Errors: it breaks the contract, or is one too many.
    pub(super) fn upsert(&mut self, request: &pb::UpsertItemsRequest) -> Result<()> {
        let mut check = Check::default();
        let at = format!("items[{}]", self.changes.len());
        check.count(&at, self.changes.len() + 1, 1, MAX_CHANGES);
        self.bytes += request.encoded_len();
        if self.bytes > MAX_CALL_BYTES {
            let most = MAX_CALL_BYTES >> 20;
            check.fail(
                &at,
                format!("goes beyond {most} MiB of items in one call: send fewer at once"),
            );
        }
        let absent = pb::CatalogItem::default();
        let message = request.item.as_ref().unwrap_or(&absent);
        check.key(&format!("{at}.item_id"), &message.item_id);
        let item = item(&mut check, &at, message);
        let mut overlay = match &request.update_mask {
            Some(mask) if !mask.paths.is_empty() => {
                let field = format!("{at}.update_mask");
                check.count(&field, mask.paths.len(), 1, FIELDS.len() + MAX_ATTRIBUTES);
                if !mask.paths.iter().all(|path| can_be_masked(path)) {
                    let fields = FIELDS.join(", ");
                    check.fail(&field, format!("must name some of {fields} or attributes.NAME"));
                }
                Overlay::masked(&item, mask.paths.iter().map(String::as_str))
            }
            _ => Overlay::whole(&item),
        };
        overlay.set("deleted", false); // what is upserted is sold
        self.changes.push((message.item_id.clone(), overlay));
        check.passed(())
    }

    pub(super) fn len(&self) -> usize {
        self.changes.len()
    }

    /// All of them.
    ///
    /// Errors: there is none.
    pub(super) fn changes(self) -> Result<Vec<(String, Overlay)>> {
        let mut check = Check::default();
        check.count("items", self.changes.len(), 1, MAX_CHANGES);
        check.passed(self.changes)
    }

    /// The same change for all items.
    pub(super) fn items(keys: &[String], change: &Overlay) -> Result<Vec<(String, Overlay)>> {
        let mut check = Check::default();
        check.count("item_ids", keys.len(), 1, MAX_CHANGES);
        check.keys("item_ids", "", keys.iter().map(String::as_str));
        check.passed(())?;
        Ok(keys.iter().map(|key| (key.clone(), change.clone())).collect())
    }

    pub(super) fn inventory(inventory: &[pb::Inventory]) -> Result<Vec<(String, Overlay)>> {
        let mut check = Check::default();
        check.count("inventory", inventory.len(), 1, MAX_CHANGES);
        check.keys("inventory", ".item_id", inventory.iter().map(|i| i.item_id.as_str()));
        let mut changes = Vec::with_capacity(inventory.len().min(MAX_CHANGES));
        for (place, line) in inventory.iter().enumerate() {
            check.amount(&format!("inventory[{place}].price"), line.price.unwrap_or(0.0));
            if check.is_enough() {
                break;
            }
            let mut overlay = Overlay::default();
            if let Some(stock) = line.stock {
                overlay.set("stock", stock);
            }
            if let Some(price) = line.price.filter(|price| price.is_finite()) {
                overlay.set("price", price);
            }
            changes.push((line.item_id.clone(), overlay));
        }
        check.passed(changes)
    }

    pub(super) fn key(key: &str) -> Result<&str> {
        let mut check = Check::default();
        check.key("item_id", key);
        check.passed(key)
    }

    /// The length of a page, and the key after which it begins.
    pub(super) fn page(
        size: i32,
        token: &str,
        (usual, most): (usize, usize),
    ) -> Result<(usize, Option<String>)> {
        let mut check = Check::default();
        let size = match usize::try_from(size) {
            Ok(0) => usual,
            Ok(size) => size.min(most),
            Err(_) => {
                check.fail("page_size", format!("must not be negative, and is {size}"));
                usual
            }
        };
        let after = (!token.is_empty()).then(|| key_of_token(token));
        if after == Some(None) {
            check.fail("page_token", "must be the `next_page_token` of the page before");
        }
        check.passed((size, after.flatten()))
    }

    /// What stands for the last key of a page: for the server to read, not for the client.
    pub(super) fn page_token(key: &str) -> String {
        key.bytes().map(|byte| format!("{byte:02x}")).collect()
    }
}

fn can_be_masked(path: &str) -> bool {
    let attribute = path.strip_prefix("attributes.").unwrap_or_default();
    (1..=MAX_TEXT_BYTES).contains(&attribute.len()) || FIELDS.contains(&path)
}

fn key_of_token(token: &str) -> Option<String> {
    let pairs = token.as_bytes().chunks(2);
    let bytes: Option<Vec<u8>> =
        pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect();
    String::from_utf8(bytes?).ok().filter(|_| token.len().is_multiple_of(2))
}

fn item(check: &mut Check, at: &str, message: &pb::CatalogItem) -> Item {
    let mut text = |field: &str, text: &str| {
        if text.len() > MAX_TEXT_BYTES {
            check.fail(
                &format!("{at}.{field}"),
                format!("must be at most {MAX_TEXT_BYTES} bytes long, and is {}", text.len()),
            );
        }
        (!text.is_empty()).then(|| text.to_owned())
    };
    let (title, brand) = (text("title", &message.title), text("brand", &message.brand));
    let group_id = text("group_id", &message.group_id);
    let category = text("category", &message.category).unwrap_or_default();
    for (name, value) in &message.attributes {
        text("attributes", name);
        text("attributes", value);
    }
    check.count(&format!("{at}.attributes"), message.attributes.len(), 0, MAX_ATTRIBUTES);
    check.amount(&format!("{at}.price"), message.price.unwrap_or(0.0));
    check.amount(&format!("{at}.cost"), message.cost.unwrap_or(0.0));
    let moments = FIRST_SECOND..=LAST_SECOND;
    if message.launched_at.as_ref().is_some_and(|launch| !moments.contains(&launch.seconds)) {
        check.fail(&format!("{at}.launched_at"), "must be a moment of the years 1 to 9999");
    }
    let finite = |amount: &f64| amount.is_finite();
    Item {
        title,
        category: levels(&category),
        brand,
        price: message.price.filter(finite),
        cost: message.cost.filter(finite),
        in_stock: message.in_stock,
        stock: None, // told by SetInventory
        group_id,
        launched_at: message.launched_at.as_ref().map(moment),
        attributes: message.attributes.clone().into_iter().collect(),
    }
}

fn levels(path: &str) -> Vec<String> {
    let levels = path.split('>').map(str::trim).filter(|level| !level.is_empty());
    levels.map(str::to_owned).collect()
}

/// Of a [`prost_types::Timestamp`]: 0001-01-01 and the end of 9999.
const FIRST_SECOND: i64 = -62_135_596_800;
const LAST_SECOND: i64 = 253_402_300_799;

fn moment(at: &prost_types::Timestamp) -> Timestamp {
    let millis = i64::from(at.nanos) / 1_000_000;
    Timestamp(at.seconds.saturating_mul(1_000).saturating_add(millis))
}

/// An item as it is now.
pub(super) fn item_message(key: &str, listing: &Listing) -> pb::CatalogItem {
    let Listing { item, hidden, .. } = listing;
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    pb::CatalogItem {
        item_id: key.to_owned(),
        title: text(&item.title),
        category: item.category.join(" > "),
        brand: text(&item.brand),
        price: item.price,
        cost: item.cost,
        in_stock: item.is_in_stock(),
        group_id: text(&item.group_id),
        launched_at: item.launched_at.map(|at| prost_types::Timestamp {
            seconds: at.0.div_euclid(1_000),
            nanos: (at.0.rem_euclid(1_000) * 1_000_000) as i32, // below a second
        }),
        attributes: item.attributes.clone().into_iter().collect(),
        stock: item.stock,
        hidden: *hidden,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    /// Each was said again, and copied twice: a message of 3 MB took more than a gigabyte.
    #[test]
    fn however_much_of_a_mask_is_wrong_the_refusal_is_short() {
        let item = pb::CatalogItem { item_id: "a".into(), ..Default::default() };
        let told = |paths: Vec<String>| {
            let request = pb::UpsertItemsRequest {
                item: Some(item.clone()),
                update_mask: Some(prost_types::FieldMask { paths }),
            };
            match Checked::default().upsert(&request) {
                Err(Error::InvalidRequest(wrong)) => wrong.len(),
                other => usize::from(other.is_err()),
            }
        };
        assert_eq!(told(vec!["b".into(); 100_000]), 2, "too many, and wrong");
        assert_eq!(told(vec!["b".into(); 3]), 1);
        assert_eq!(told(vec![format!("attributes.{}", "x".repeat(MAX_TEXT_BYTES + 1))]), 1);
        assert_eq!(told(vec!["attributes.x".into(), "price".into()]), 0);
    }

    /// 100,000 items may be of 4 MB each by the contract, and were all held in memory.
    #[test]
    fn items_beyond_the_bytes_of_a_call_are_refused_with_what_to_do() {
        let attribute = |n: usize| (format!("a{n}"), "x".repeat(MAX_TEXT_BYTES));
        let attributes = (0..MAX_ATTRIBUTES).map(attribute).collect();
        let item = pb::CatalogItem { item_id: "a".into(), attributes, ..Default::default() };
        let large = pb::UpsertItemsRequest { item: Some(item), update_mask: None };
        let mut checked =
            Checked { bytes: MAX_CALL_BYTES - 2 * large.encoded_len(), ..Checked::default() };
        checked.upsert(&large).expect("within");
        checked.upsert(&large).expect("just within");
        let Err(Error::InvalidRequest(wrong)) = checked.upsert(&large) else { panic!("beyond") };
        assert_eq!(wrong[0].field, "items[2]");
        assert!(wrong[0].description.contains("send fewer at once"), "{wrong:?}");
    }

    #[test]
    fn a_page_goes_on_after_the_key_that_its_token_stands_for() {
        for key in ["85123A", "ä b", "\u{0}"] {
            let token = Checked::page_token(key);
            let page = Checked::page(0, &token, (100, 1000)).expect("a good token");
            assert_eq!(page, (100, Some(key.to_owned())));
        }
        for token in ["x", "f", "ff", "zz00", "0 "] {
            assert!(Checked::page(0, token, (100, 1000)).is_err(), "{token}");
        }
        assert!(Checked::page(-1, "", (100, 1000)).is_err());
    }
}
