//! What is known of an erasure.

use chrono::{DateTime, Utc};

use crate::ids::{ClientId, ErasureId};

/// A client to erase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EraseClient {
    /// The client.
    pub client_id: ClientId,
    /// Its slug, typed once more: what is erased does not come back.
    pub confirm_slug: String,
}

/// An erasure.
#[derive(Clone, Debug, PartialEq)]
pub struct Erasure {
    /// Its id.
    pub id: ErasureId,
    /// Whose.
    pub client_id: ClientId,
    /// Which credential asked for it.
    pub requested_by: String,
    /// When.
    pub requested_at: DateTime<Utc>,
    /// Where it stands.
    pub status: ErasureStatus,
    /// What was erased so far.
    pub erased: Vec<ErasedCount>,
    /// When nothing was left.
    pub finished_at: Option<DateTime<Utc>>,
}

/// Where an erasure stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErasureStatus {
    /// Runs of the client are being stopped.
    Cancelling,
    /// Its rows are being deleted.
    Erasing,
    /// Nothing is left.
    Done,
}

/// How many of one kind of thing were erased.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErasedCount {
    /// The kind of thing: the name of its table.
    pub what: String,
    /// How many.
    pub count: u64,
}
