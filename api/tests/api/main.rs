//! The API over a real listener and a real database file: what a client sees, byte by byte where that matters.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by failing")]

mod assets;
mod contract;
mod cors;
mod documents;
mod fixture;
mod graph;
mod health;
mod http;
mod idempotency;
mod keys;
mod limits;
mod loaders;
mod quotas;
mod schema;
mod strangers;
mod stream;
mod subscriptions;
mod tokens;
mod versions;
mod websocket;
mod wire;
