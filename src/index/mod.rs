//! The book on disk: one immutable, numbered generation per training run.
//!
//! ```text
//! index/
//!   CURRENT                     the number of the generation that is served; replaced by rename
//!   train.lock                  held by the one trainer that may write
//!   erased                      keyed hashes of the customers who asked to be forgotten; replaced by rename
//!   generations/000042/
//!     manifest.json             what the generation says of itself, with a digest per tree
//!     manifest.digest           of the manifest's own bytes
//!     sled/                     the trees
//!   live/                       what the shop changed since: the room of that name keeps it
//! ```
//!
//! Builders write, snapshots read; nothing does both. Apart from `live`, sled lives here and nowhere else. This room
//! refuses to know how anything was computed, or what a request is.

mod codec;
mod contents;
mod customers;
mod generations;
mod keys;
mod manifest;
mod opened;
mod private;
mod read;
mod write;

pub use contents::{Contents, Powers, Standing};
pub use customers::Customers;
pub use generations::{Generation, Index, Keep};
pub use keys::{CustomerKeys, Erased, SECRET};
pub use manifest::{ERASURES, FORMAT, Manifest, TreeDigest};
pub use opened::Opened;
pub use read::{Snapshot, Verified};
pub use write::{Built, Description, People, Told, TrainingLock};

/// Name of the manifest in a generation's directory.
const MANIFEST: &str = "manifest.json";
/// Name of the file beside it that tells whether the manifest is as it was written.
const MANIFEST_DIGEST: &str = "manifest.digest";
/// Name of sled's directory in a generation's directory.
const SLED: &str = "sled";
