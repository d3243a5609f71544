//! What is published on the coordinator, after a commit. Each notice only says *look again*: the state is in
//! the database.

/// Work is in the queue. The payload says nothing.
pub const QUEUE: &str = "queue";
/// A run changed. The payload is its id.
pub const RUNS: &str = "runs";
/// An integration changed. The payload is its id.
pub const INTEGRATIONS: &str = "integrations";
/// Events wait for the relay. The payload says nothing.
pub const EVENTS: &str = "events";
/// Somebody asked to cancel a run. The payload is its id.
pub const CANCEL: &str = "cancel";
/// Events were given their sequence. The payload says nothing.
pub const SEQUENCED: &str = "sequenced";
/// A client is to be erased. The payload says nothing.
pub const ERASURES: &str = "erasures";
/// An API key was rotated or revoked. The payload is its id.
pub const ACCESS: &str = "access";
