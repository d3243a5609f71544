//! What answers are made of: each type wraps an engine model and resolves from it, or through a loader.

mod api_key;
mod client;
mod connection;
mod connector;
mod dead_letter;
mod event;
mod integration;
mod nested;
mod node;
mod overview;
mod record;
mod scalars;
mod schedule;
mod sync_error;
mod sync_run;
mod user_error;
mod viewer;
mod words;

pub(crate) use self::api_key::ApiKey;
pub(crate) use self::client::Client;
pub(crate) use self::connection::*;
pub(crate) use self::connector::{Connector, ConnectorChange, ConnectorComparison};
pub(crate) use self::dead_letter::DeadLetter;
pub(crate) use self::event::Event;
pub(crate) use self::integration::Integration;
pub(crate) use self::node::Node;
pub(crate) use self::overview::{Overview, Window};
pub(crate) use self::record::Record;
pub(crate) use self::scalars::{DateTime, rfc3339};
pub(crate) use self::schedule::{Schedule, SkippedTick};
pub(crate) use self::sync_error::SyncError;
pub(crate) use self::sync_run::{LogEntry, SyncRun};
pub(crate) use self::user_error::UserError;
pub(crate) use self::viewer::Viewer;
pub(crate) use self::words::*;
