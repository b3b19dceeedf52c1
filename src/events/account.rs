//! Every row accounted for: read = used + set aside, by cause.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::error::counted;

/// Why a row is not used. A row has one cause: the first of this list that holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// It has not the columns of its header, or a value that is not what its column holds.
    Unreadable,
    /// No item: of a page that shows none, for one.
    NoItem,
    /// Its event type is a word we don't know.
    UnknownEventType,
    /// Its event type is known, and nothing is learnt from it (taken out of the cart, impression, …).
    IgnoredEventType,
    /// A purchase that was cancelled or sent back, as its status says.
    Undone,
    /// No customer, order or session.
    NoOwner,
    /// Outside the `after`/`before` limits.
    OutsideLimits,
    /// Postage, fees, vouchers: bookkeeping, not goods.
    NotAProduct,
    /// No units, or a negative number of something that can't be returned.
    ZeroOrNegativeQuantity,
    /// More units than anyone buys, or fractions of a cent apiece (fuel, weights).
    AbsurdQuantity,
    /// Priced at nothing or less in a file that has prices: stock adjustments and free lines.
    Unpriced,
    /// After the moment at which it is read: a clock is wrong.
    InTheFuture,
    /// Long before all others, of a clock that was reset.
    LongBefore,
    /// The very same event again.
    Duplicate,
    /// Of a customer that is a program.
    Program,
    /// One of too many equal baskets of nobody on one day.
    Burst,
    /// A purchase that was wholly taken back.
    Returned,
    /// A return of something we did not see the customer buy.
    ReturnWithoutPurchase,
}

impl Cause {
    /// True if somebody may have put it there to be learnt from: how much of it there is says nothing of the
    /// shop's own export.
    pub fn is_planted(self) -> bool {
        matches!(self, Self::Program | Self::Burst)
    }

    /// For people: "unknown event type".
    pub fn label(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::NoItem => "no item",
            Self::UnknownEventType => "unknown event type",
            Self::IgnoredEventType => "event type not learnt from",
            Self::Undone => "cancelled or sent back, by its status",
            Self::NoOwner => "no customer, order or session",
            Self::OutsideLimits => "outside the before/after limits",
            Self::NotAProduct => "not a product",
            Self::ZeroOrNegativeQuantity => "zero or negative quantity",
            Self::AbsurdQuantity => "absurd quantity",
            Self::Unpriced => "unpriced",
            Self::InTheFuture => "in the future",
            Self::LongBefore => "long before all others",
            Self::Duplicate => "duplicate",
            Self::Program => "of a program",
            Self::Burst => "one of a burst of equal baskets",
            Self::Returned => "returned",
            Self::ReturnWithoutPurchase => "return without its purchase",
        }
    }
}

/// What became of the rows: `read` = `used` + the sum of `set_aside`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Rows of all files, headers and blank lines not counted.
    pub read: u64,
    /// Rows that became events of the log.
    pub used: u64,
    /// Rows that did not, by cause.
    pub set_aside: BTreeMap<Cause, u64>,
    /// The same, file by file, as far as it is a file's matter.
    pub files: Vec<FileAccount>,
}

/// One file's part in the account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileAccount {
    /// The file.
    pub path: PathBuf,
    /// Its rows.
    pub read: u64,
    /// Those that could not be understood (unreadable, or of an unknown event type).
    pub unreadable: u64,
}

impl Account {
    /// Why rows are not used, the most frequent cause first: "5 rows: no item; 1 row: in the future". `forgotten`
    /// were used, and are of customers who asked to be forgotten.
    pub(crate) fn why(&self, forgotten: usize) -> String {
        let forgotten = (forgotten as u64, "of customers who asked to be forgotten");
        let causes = self.set_aside.iter().map(|(cause, &rows)| (rows, cause.label()));
        let mut causes: Vec<_> = causes.chain([forgotten]).filter(|(rows, _)| *rows > 0).collect();
        causes.sort_by_key(|&(rows, _)| std::cmp::Reverse(rows));
        let line = |(rows, cause)| format!("{}: {cause}", counted(rows, "row"));
        causes.into_iter().map(line).collect::<Vec<_>>().join("; ")
    }

    pub(super) fn set_aside(&mut self, cause: Cause, rows: u64) {
        if rows > 0 {
            *self.set_aside.entry(cause).or_default() += rows;
        }
    }
}
