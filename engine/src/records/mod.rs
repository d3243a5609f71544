//! Records, as readers find them: by key, or by what changed.
//!
//! Two orders, and one way from the first to the second. A reader who wants everything and then every change
//! reads the stream by key, and passes the last cursor as `changedAfter`: every cursor of a listing by key
//! remembers how far the integration's changes had come when the listing *began*, so that what changed
//! behind the reader's back is among the changes, and nothing is missed. From then on each listing of
//! changes ends with the cursor that the next one begins from.

mod export;
mod model;
mod service;

pub use export::{ExportRequest, ExportedRecord, RecordExport};
pub use model::*;
pub(crate) use service::KeyPlace;
pub use service::{RecordList, Records};
