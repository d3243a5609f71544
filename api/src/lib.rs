//! The API: GraphQL over HTTP, WebSocket and server-sent events, the pages, health.
//!
//! This crate decides nothing about clients, runs or records: it says who asks ([`auth`]), lets documents pass
//! that cost little enough ([`graphql`]), asks the engine, and speaks the protocols ([`http`]). It knows no
//! table and no SQL; the engine is all it can reach.

mod assets;
mod auth;
mod counters;
mod graphql;
mod http;
mod server;

pub use self::counters::begin as begin_metrics;
pub use self::graphql::{check_operations, schema_sdl};
pub use self::server::{Server, ServerError, run};
