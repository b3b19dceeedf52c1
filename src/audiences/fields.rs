//! A profile as a row of fields.

use jiff::tz::TimeZone;

use crate::customers::{Clientele, Profile};
use crate::filter::{FieldId, Row, Schema, Type};
use crate::index::Contents;

/// What fields a customer has: those below, and every attribute of the shop's own as `attributes.NAME`.
///
/// | Fields | |
/// |---|---|
/// | `stage`, `standing`, `quadrant`, `rfm`, `segment` | texts: `"active"`, `"repeat"`, `"quality"`, `"champions"`, … |
/// | `orders`, `total`, `average_order`, `returned` | numbers; money of the shop |
/// | `recency`, `frequency`, `monetary` | scores, 1 to 5 |
/// | `days_since_last_order`, `stage_days`, `cadence_days` | days |
/// | `first_order`, `last_order` | days of the calendar, in UTC |
/// | `alive`, `churn` | probabilities, 0 to 1 |
/// | `expected_orders_28`, `expected_orders_90`, `expected_orders_365` | orders |
/// | `order_value`, `value`, `value_at_risk` | money; `value` is the expected lifetime value, of the next 365 days by default |
/// | `contribution`, `future`, `credit`, `loyalty`, `growth` | 0 to 100 |
/// | `category`, `brand` | what they buy most |
/// | `price_level`, `discount_share` | 0 to 1 |
/// | `price_band` | text: `"low"`, `"middle"`, `"high"` |
/// | `weekday`, `hour` | 0 = Monday; 0 to 23 |
#[derive(Clone, Copy, Debug)]
pub struct Fields<'a>(pub &'a Clientele);

const NUMBERS: [&str; 27] = [
    "orders",
    "total",
    "average_order",
    "returned",
    "recency",
    "frequency",
    "monetary",
    "days_since_last_order",
    "stage_days",
    "cadence_days",
    "alive",
    "churn",
    "expected_orders_28",
    "expected_orders_90",
    "expected_orders_365",
    "order_value",
    "value",
    "value_at_risk",
    "contribution",
    "future",
    "credit",
    "loyalty",
    "growth",
    "price_level",
    "discount_share",
    "weekday",
    "hour",
];
const TEXTS: [&str; 7] = ["stage", "standing", "quadrant", "rfm", "segment", "brand", "price_band"];
const DAYS: [&str; 2] = ["first_order", "last_order"];
/// Field numbers of each type begin here.
const TEXT: u32 = 100;
const DAY: u32 = 200;
const CATEGORY: u32 = 300;
const ATTRIBUTE: u32 = 1000;

impl Schema for Fields<'_> {
    fn field(&self, name: &str) -> Option<(FieldId, Type)> {
        let among = |names: &[&str], first: u32, of: Type| {
            let at = names.iter().position(|known| *known == name)?;
            Some((FieldId(first + at as u32), of))
        };
        among(&NUMBERS, 0, Type::Number)
            .or_else(|| among(&TEXTS, TEXT, Type::Text))
            .or_else(|| among(&DAYS, DAY, Type::Day))
            .or_else(|| (name == "category").then_some((FieldId(CATEGORY), Type::Path)))
            .or_else(|| {
                let name = name.strip_prefix("attributes.")?;
                let at = self.0.attributes.iter().position(|known| known.name == name)?;
                let numeric = self.0.attributes[at].numeric;
                let of = if numeric { Type::Number } else { Type::Text };
                Some((FieldId(ATTRIBUTE + at as u32), of))
            })
    }

    fn names(&self) -> Vec<String> {
        let own = TEXTS.iter().chain(&NUMBERS).chain(&DAYS).chain(&["category"]);
        let attributes = self.0.attributes.iter().map(|known| format!("attributes.{}", known.name));
        own.map(|name| (*name).to_owned()).chain(attributes).collect()
    }
}

/// One customer as a row of [`Fields`].
#[derive(Clone, Copy, Debug)]
pub struct Person<'a> {
    /// What is known of the customer.
    pub profile: &'a Profile,
    /// What is known of all.
    pub clientele: &'a Clientele,
    /// For the names of categories.
    pub contents: &'a Contents,
}

impl Person<'_> {
    fn attribute(&self, field: FieldId) -> Option<&str> {
        let known = self.clientele.attributes.get(field.0.checked_sub(ATTRIBUTE)? as usize)?;
        self.profile.attributes.get(&known.name).map(String::as_str)
    }

    /// The name of the customer's segment.
    pub fn segment(&self) -> Option<&str> {
        let at = self.profile.buyer.as_ref()?.segment?;
        self.clientele.segments.groups.get(at as usize).map(|group| group.name.as_str())
    }
}

impl Row for Person<'_> {
    fn number(&self, field: FieldId) -> Option<f64> {
        if field.0 >= ATTRIBUTE {
            return self.attribute(field)?.trim().parse().ok();
        }
        let lifecycle = &self.profile.lifecycle;
        let name = *NUMBERS.get(field.0 as usize)?;
        let Some(buyer) = &self.profile.buyer else {
            return (name == "orders").then_some(0.0);
        };
        let (rfm, likes, five) = (&buyer.rfm, &buyer.preferences, &buyer.aspects);
        let value = match name {
            "orders" => f64::from(rfm.orders),
            "total" => rfm.total.into(),
            "average_order" => rfm.average.into(),
            "returned" => rfm.returned.into(),
            "recency" => rfm.r.into(),
            "frequency" => rfm.f.into(),
            "monetary" => rfm.m.into(),
            "days_since_last_order" => rfm.recency_days.into(),
            "stage_days" => lifecycle.stage_days.into(),
            "cadence_days" => lifecycle.cadence_days.into(),
            "alive" => buyer.worth?.alive.into(),
            "churn" => buyer.churn.probability.into(),
            "expected_orders_28" => buyer.worth?.orders_28.expected.into(),
            "expected_orders_90" => buyer.worth?.orders_90.expected.into(),
            "expected_orders_365" => buyer.worth?.orders_365.expected.into(),
            "order_value" => buyer.worth?.order_value.into(),
            "value" => buyer.worth?.lifetime.expected.into(),
            "value_at_risk" => buyer.churn.value_at_risk.into(),
            "contribution" => five.contribution.into(),
            "future" => five.future.into(),
            "credit" => five.credit.into(),
            "loyalty" => five.loyalty.into(),
            "growth" => five.growth.into(),
            "price_level" => likes.price_level.into(),
            "discount_share" => likes.discount_share.into(),
            "weekday" => likes.weekday.into(),
            "hour" => likes.hour.into(),
            _ => return None,
        };
        Some(value)
    }

    fn text(&self, field: FieldId) -> Option<&str> {
        if field.0 >= ATTRIBUTE {
            return self.attribute(field);
        }
        let name = *TEXTS.get(field.0.checked_sub(TEXT)? as usize)?;
        let buyer = || self.profile.buyer.as_ref();
        match name {
            "stage" => Some(self.profile.lifecycle.stage.name()),
            "standing" => Some(self.profile.lifecycle.standing.name()),
            "quadrant" => Some(buyer()?.quadrant.name()),
            "rfm" => Some(buyer()?.rfm.segment().name()),
            "segment" => self.segment(),
            "brand" => buyer()?.preferences.brands.first().map(|(brand, _)| brand.as_str()),
            "price_band" => Some(buyer()?.preferences.price_band()),
            _ => None,
        }
    }

    fn flag(&self, _: FieldId) -> Option<bool> {
        None
    }

    fn path(&self, _: FieldId) -> Option<&str> {
        let (category, _) = self.profile.buyer.as_ref()?.preferences.categories.first()?;
        Some(self.contents.categories.path(*category))
    }

    fn day(&self, field: FieldId) -> Option<i64> {
        let rfm = &self.profile.buyer.as_ref()?.rfm;
        let order = if field.0 == DAY { rfm.first_order } else { rfm.last_order };
        Some(order.day(&TimeZone::UTC))
    }
}
