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
    /// Position of its file.
    pub(super) file: u32,
    pub(super) kind: EventKind,
    /// As the file says it: negative may be a return.
    pub(super) quantity: f32,
    /// As the file says it, if it does.
    pub(super) unit_price: Option<f32>,
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
