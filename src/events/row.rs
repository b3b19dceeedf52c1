//! One row between file and log.

use super::titles::TitlePlace;
use super::{Cause, EventKind};
use crate::ids::{CustomerId, GroupId, ItemId};
use crate::time::Timestamp;

/// One row that was read well; `fate` is set when a check sets it aside. As small as the event it becomes, which
/// takes its place.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) at: Timestamp,
    pub(super) customer: Option<CustomerId>,
    pub(super) item: ItemId,
    /// Order of a purchase or return (or else its session), session of anything else.
    pub(super) group: Option<GroupId>,
    /// As the file says it: negative may be a return.
    pub(super) quantity: f32,
    /// As the file says it, if it does.
    pub(super) unit_price: Price,
    pub(super) kind: EventKind,
    pub(super) discount_percent: u8,
    pub(super) title: TitlePlace,
    pub(super) fate: Option<Cause>,
}

impl Row {
    pub(super) fn is_live(&self) -> bool {
        self.fate.is_none()
    }
}

/// A price that may not be told, in four bytes: a log has millions.
#[derive(Clone, Copy, Debug)]
pub(super) struct Price(f32); // NaN if it is not told

impl Price {
    /// The price, if it is told.
    pub(super) fn told(self) -> Option<f32> {
        (!self.0.is_nan()).then_some(self.0)
    }
}

impl From<f32> for Price {
    fn from(price: f32) -> Self {
        Self(price)
    }
}

impl From<Option<f32>> for Price {
    fn from(price: Option<f32>) -> Self {
        Self(price.unwrap_or(f32::NAN))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::Event;

    #[test]
    fn a_row_takes_no_more_than_its_event_and_a_price_of_nothing_is_told() {
        assert_eq!((size_of::<Row>(), size_of::<Event>()), (32, 32));
        assert_eq!(
            [None, Some(0.0), Some(2.5)].map(|price| Price::from(price).told()),
            [None, Some(0.0), Some(2.5)]
        );
    }
}
