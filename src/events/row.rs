//! One row between file and log.

use super::{Cause, EventKind};
use crate::ids::{CustomerId, DenseId, GroupId, ItemId};
use crate::time::Timestamp;

/// One row that was read well; `fate` is set when a check sets it aside.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) at: Timestamp,
    pub(super) customer: Option<CustomerId>,
    pub(super) item: ItemId,
    pub(super) order: Option<GroupId>,
    pub(super) session: Option<GroupId>,
    pub(super) title: Option<TitleId>,
    pub(super) kind: EventKind,
    /// As the file says it: negative may be a return.
    pub(super) quantity: f32,
    /// As the file says it, if it does.
    pub(super) unit_price: Price,
    pub(super) discount_percent: u8,
    pub(super) fate: Option<Cause>,
}

impl Row {
    pub(super) fn is_live(&self) -> bool {
        self.fate.is_none()
    }

    /// Order of a purchase or return (or else its session), session of anything else.
    pub(super) fn group(&self) -> Option<GroupId> {
        match self.kind {
            EventKind::Purchase | EventKind::Return => self.order.or(self.session),
            EventKind::View | EventKind::Cart | EventKind::Favorite => self.session,
        }
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

impl From<Option<f32>> for Price {
    fn from(price: Option<f32>) -> Self {
        Self(price.unwrap_or(f32::NAN))
    }
}

/// One of the titles that the log gives its items.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct TitleId(std::num::NonZeroU32);

impl DenseId for TitleId {
    fn new(index: usize) -> Self {
        let stored = u32::try_from(index + 1).ok().and_then(std::num::NonZeroU32::new);
        Self(stored.expect("fewer than 2^32 - 1 titles"))
    }

    fn index(self) -> usize {
        self.0.get() as usize - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_takes_forty_bytes_and_a_price_of_nothing_is_told() {
        assert_eq!(size_of::<Row>(), 40);
        assert_eq!(
            [None, Some(0.0), Some(2.5)].map(|price| Price::from(price).told()),
            [None, Some(0.0), Some(2.5)]
        );
    }
}
