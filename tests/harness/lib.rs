//! What every end-to-end test stands on: the real binary in a process of its own, a real database, a real upstream.
//!
//! Nothing here reaches into Syncline's crates for behaviour: a test sees what a user sees (HTTP, WebSocket, the
//! command line) and, where a guarantee is about rows, the database itself. Each test owns its database, its data
//! folder and its ports, so the suite runs in parallel and a failed test leaves nothing behind.
//!
//! Waiting is always for a condition ([`eventually`]), never for a time that was enough on somebody's machine.

#![expect(
    clippy::disallowed_methods,
    reason = "a test is the outside world: it has a real clock, a real environment and a plain HTTP client"
)]

mod database;
mod graphql;
mod misbehaving;
mod peers;
mod postgres;
mod process;
mod redis;
mod subscription;
mod upstream;
mod wait;

pub use database::{Dump, TestDatabase};
pub use graphql::{GraphQl, Run};
pub use peers::peer;
pub use postgres::Postgres;
pub use process::{Finished, Server, ServerOptions, binary, run_command, run_command_with};
pub use redis::Redis;
pub use subscription::Subscription;
pub use upstream::{Gate, Item, Upstream, manifest};
pub use wait::{PATIENCE, eventually};

/// Defines one test function for each database: the suite is the same on both.
///
/// `on_both_databases! { async fn name(database: TestDatabase) { … } }` becomes `name::sqlite` and `name::postgresql`.
#[macro_export]
macro_rules! on_both_databases {
    ($(async fn $name:ident($database:ident) $body:block)*) => {
        $(mod $name {
            use super::*;
            async fn case($database: $crate::TestDatabase) $body
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() { case($crate::TestDatabase::sqlite()).await }
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgresql() { case($crate::TestDatabase::postgresql().await).await }
        })*
    };
}
