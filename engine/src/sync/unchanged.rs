//! What is remembered of a stream that was read whole, so that the next run can ask whether it has changed at all.
//!
//! An upstream that answers "not modified" speaks of its answer, and a run has to speak of the records. The one follows
//! from the other only while the records are what that answer held. So validators are kept when a stream has ended (never
//! with a page: until the end what is stored is between two answers), and only after a read that stored all of it; they
//! are forgotten with the first page of the next one that writes; and they say what they are good for:
//!
//! - for another run of the same connector, version and configuration; a template may have changed what is stored;
//! - for a full refresh only if they are a full refresh's, and what that no longer saw is deleted: an incremental run
//!   leaves records that are gone.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::checkpoint::Opened;
use crate::store::stored_json;

#[derive(Debug, Serialize, Deserialize)]
struct Remembered {
    /// The source.
    of: String,
    /// Whether what is stored is what was read, and nothing else.
    exactly: bool,
    /// The reader's own.
    validators: Value,
}

/// What the reader may ask with.
pub(super) fn recall(opened: &Opened, source: Option<&str>, full_refresh: bool) -> Option<Value> {
    let kept: Remembered = stored_json::read(opened.validators.clone()?).ok()?;
    // A run that marks what it sees, for deletions that are held, has to see it.
    let good = if full_refresh {
        kept.exactly
    } else {
        !opened.marking
    };
    let fresh = opened.checkpoint.resume.is_none();
    (good && fresh && source == Some(&kept.of)).then_some(kept.validators)
}

/// What is kept of a stream that was read whole.
pub(super) fn remember(validators: Value, source: &str, full_refresh: bool) -> Option<Value> {
    let kept = Remembered {
        of: source.to_owned(),
        exactly: full_refresh,
        validators,
    };
    serde_json::to_value(kept).ok()
}
