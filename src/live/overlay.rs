//! What was changed of one item, field by field.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::catalog::{Item, Listing};
use crate::error::{Error, Result};

/// The fields of a [`Listing`] that were changed, with their values as JSON; `null` means that the shop no
/// longer says anything. A field of `attributes` is changed apart from the others.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Overlay {
    fields: Map<String, Value>,
}

const ATTRIBUTES: &str = "attributes";

impl Overlay {
    /// One field set to a value.
    ///
    /// Panics if the value can't be written as JSON: numbers must be finite.
    pub fn of(field: &str, value: impl Serialize) -> Self {
        let mut overlay = Self::default();
        overlay.set(field, value);
        overlay
    }

    /// Sets a field of [`Listing`], or `attributes.NAME`.
    ///
    /// Panics if the value can't be written as JSON: numbers must be finite.
    pub fn set(&mut self, field: &str, value: impl Serialize) {
        let value = serde_json::to_value(value).expect("plain values and finite numbers");
        self.fields.insert(field.to_owned(), value);
    }

    /// Everything that the catalogue can say of an item, set to what `item` says.
    pub fn whole(item: &Item) -> Self {
        let Ok(Value::Object(mut fields)) = serde_json::to_value(item) else {
            unreachable!("an item is written as an object");
        };
        fields.entry(ATTRIBUTES).or_insert_with(|| Value::Object(Map::new()));
        Self { fields }
    }

    /// The named fields of `item` only.
    pub fn masked<'a>(item: &Item, fields: impl IntoIterator<Item = &'a str>) -> Self {
        let whole = Self::whole(item).fields;
        let mut overlay = Self::default();
        for field in fields {
            let value = match field.split_once('.') {
                Some((ATTRIBUTES, name)) => item.attributes.get(name).cloned().into(),
                _ => whole.get(field).cloned().unwrap_or(Value::Null),
            };
            overlay.fields.insert(field.to_owned(), value);
        }
        overlay
    }

    /// Whether the shop lists the item. Its stock, whether it is hidden, or that it is gone may be told of what nobody
    /// has listed.
    pub fn is_listed(&self) -> bool {
        self.fields.get("deleted") == Some(&Value::Bool(false))
    }

    /// Lays `later` over this.
    pub fn and(mut self, later: Self) -> Self {
        if later.fields.contains_key(ATTRIBUTES) {
            self.fields.retain(|field, _| !field.starts_with(ATTRIBUTES));
        }
        if later.fields.get("in_stock") == Some(&Value::Bool(false)) {
            self.fields.remove("stock"); // a count of before it was sold out
        }
        self.fields.extend(later.fields);
        self
    }

    /// The item as it is with the changes laid over what the catalogue says.
    ///
    /// Errors: the overlay does not fit a listing.
    pub fn over(&self, catalogue: Option<Item>) -> Result<Listing> {
        let unfit = |error: serde_json::Error| {
            Error::Input(format!("a change of an item can't be understood: {error}"))
        };
        let mut base = catalogue.unwrap_or_default();
        if self.fields.contains_key("in_stock") {
            base.stock = None; // last night's count, which knows nothing of it
        }
        let mut listing = serde_json::to_value(Listing::from(base)).map_err(unfit)?;
        for (field, value) in &self.fields {
            match field.split_once('.') {
                Some((ATTRIBUTES, name)) => match value {
                    // Not by index: that would put a `null` where there are no attributes at all.
                    Value::Null => {
                        let all = listing.get_mut(ATTRIBUTES).and_then(Value::as_object_mut);
                        all.map(|all| all.remove(name));
                    }
                    value => listing[ATTRIBUTES][name] = value.clone(),
                },
                _ => listing[field.as_str()] = value.clone(),
            }
        }
        serde_json::from_value(listing).map_err(unfit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tea() -> Item {
        Item {
            title: Some("Tea".into()),
            price: Some(3.0),
            attributes: [("origin".to_owned(), "Assam".to_owned())].into(),
            ..Item::default()
        }
    }

    #[test]
    fn only_the_named_fields_change_and_the_catalogue_keeps_the_rest() {
        let cheaper = Item { price: Some(2.0), title: None, ..tea() };
        let listing = Overlay::masked(&cheaper, ["price"]).over(Some(tea()));
        assert_eq!(listing.ok(), Some(Item { price: Some(2.0), ..tea() }.into()));
        let twice = Overlay::masked(&cheaper, ["price", "price"]).over(Some(tea()));
        assert_eq!(twice.ok(), Some(Item { price: Some(2.0), ..tea() }.into()));
        let nameless = Overlay::masked(&cheaper, ["title"]).over(Some(tea()));
        assert_eq!(nameless.ok(), Some(Item { title: None, ..tea() }.into()));
    }

    #[test]
    fn what_is_said_of_stock_since_last_night_counts_more_than_last_nights_count() {
        let sold_out = || Some(Item { stock: Some(0), ..tea() });
        let back = Overlay::masked(&Item { in_stock: Some(true), ..tea() }, ["in_stock"]);
        let stock = |overlay: &Overlay| {
            let item = overlay.over(sold_out()).expect("it fits").item;
            (item.stock, item.is_in_stock())
        };
        assert_eq!(stock(&back), (None, Some(true)));
        assert_eq!(stock(&Overlay::whole(&tea())), (None, None));
        assert_eq!(stock(&Overlay::of("hidden", true)), (Some(0), Some(false)));
        assert_eq!(stock(&back.and(Overlay::of("stock", 0))), (Some(0), Some(false)));
        let gone = Overlay::of("stock", 5).and(Overlay::of("in_stock", false));
        assert_eq!(stock(&gone), (None, Some(false)));
        assert_eq!(stock(&gone.and(Overlay::of("stock", 2))), (Some(2), Some(true)));
    }

    #[test]
    fn one_attribute_can_be_changed_without_the_others() {
        let item =
            Item { attributes: [("size".to_owned(), "L".to_owned())].into(), ..Item::default() };
        let listing = Overlay::masked(&item, ["attributes.size"]).over(Some(tea()));
        let attributes = listing.map(|listing| listing.item.attributes).unwrap_or_default();
        assert_eq!(attributes.into_keys().collect::<Vec<_>>(), ["origin", "size"]);
        let gone = Overlay::masked(&Item::default(), ["attributes.origin"]).over(Some(tea()));
        assert_eq!(gone.map(|listing| listing.item.attributes).ok(), Some([].into()));
        let none = Overlay::masked(&Item::default(), ["attributes.origin"]).over(None);
        assert_eq!(none.ok(), Some(Listing::default()), "there was nothing to forget");
    }

    #[test]
    fn the_later_change_of_a_field_wins_and_a_whole_item_replaces_all_that_is_said() {
        let hidden = Overlay::of("hidden", true).and(Overlay::of("price", 1.0));
        let both = hidden.clone().and(Overlay::of("hidden", false)).over(Some(tea()));
        assert_eq!(both.ok(), Some(Item { price: Some(1.0), ..tea() }.into()));
        let replaced = hidden.and(Overlay::whole(&Item::default())).over(Some(tea()));
        assert_eq!(replaced.ok(), Some(Listing { hidden: true, ..Listing::default() }));
    }

    #[test]
    fn what_was_only_taken_off_is_not_listed() {
        assert!(!Overlay::of("stock", 3).is_listed() && !Overlay::of("deleted", true).is_listed());
        let listed = Overlay::whole(&tea()).and(Overlay::of("deleted", false));
        assert!(listed.is_listed() && !listed.and(Overlay::of("deleted", true)).is_listed());
    }

    #[test]
    fn an_overlay_is_read_back_as_it_was_written() {
        let overlay = Overlay::whole(&tea()).and(Overlay::of("stock", 7));
        let bytes = serde_json::to_vec(&overlay).expect("it can be written");
        assert_eq!(serde_json::from_slice::<Overlay>(&bytes).ok(), Some(overlay));
    }
}
