//! The tables, one SeaORM model a file, and the ids.
//!
//! Nothing here behaves: an entity says which columns there are, and the engine's store says what is done
//! with them. The engine makes its own models of these rows, so a renamed column or a new secret one never
//! reaches an API by itself.
//!
//! The migrations do not use these models: a migration states what a table was on the day it was written, an
//! entity what it is today.

pub mod api_key;
pub mod api_key_secret;
pub mod client;
pub mod connector;
pub mod dead_letter;
pub mod erasure;
pub mod idempotency_answer;
pub mod ids;
pub mod integration;
pub mod outbox_event;
pub mod record;
pub mod record_seen;
pub mod run_log;
pub mod schedule;
pub mod skipped_tick;
pub mod stream_state;
pub mod sync_attempt;
pub mod sync_run;
pub mod sync_run_client_day;
pub mod sync_run_hour;
pub mod sync_run_stream;
pub mod sync_run_tally;
mod timestamp;
pub mod words;

pub use timestamp::Timestamp;
