//! Files of rows: which files are meant, how they are packed, which column plays which role; and written.
//!
//! CSV (`,` `;` tab `|`), JSON Lines and Parquet, the text ones also as `.gz` and `.zst` and in UTF-16,
//! all become the same thing here: batches of rows of the few columns that were asked for, as text.
//! One representation is what makes every format give the identical log.
//!
//! This room knows bytes, lines, names, numbers and moments. It refuses to know what a customer or
//! an item is: the roles are handed in by `events` and `catalog`.

mod batch;
mod columns;
mod date_order;
mod files;
mod json;
mod moment;
mod number;
mod open;
mod parquet;
mod place;
mod text;
mod words;
mod write;

pub use batch::{Batch, Broken, left_out};
pub use columns::{
    Content, Detected, FileColumns, Role, RoleColumn, Why, are_whole_floats, detect, is_absent,
    quoted,
};
pub use date_order::DateOrder;
pub use files::list_files;
pub use json::NESTED;
pub use moment::{Clock, time_zone};
pub use number::NumberStyle;
pub use open::{Format, Table};
pub use words::{Decoder, decoded};
pub use write::{Column, Part, write};
