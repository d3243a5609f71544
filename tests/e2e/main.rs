//! End-to-end tests: the real binary, over HTTP, WebSocket and SQL.
//!
//! One file a promise. Where a promise is about the database, it is tested on both (`::sqlite`, `::postgresql`).

#![expect(
    clippy::disallowed_methods,
    reason = "a test is the outside world: it has a real clock, a real environment and a plain HTTP client"
)]

mod attacks;
mod authoring;
mod bad_input;
mod crash;
mod database_away;
mod demo;
mod export;
mod fuzzing;
mod graphiql;
mod idempotency;
mod jsonplaceholder;
mod keys;
mod lifecycle;
mod limits;
mod main_job;
mod metrics;
mod production;
mod protection;
mod readme;
mod reference;
mod reference_components;
mod reference_files;
mod schedules;
mod startup;
mod statements;
mod traces;
mod transports;
mod unchanged;
mod upstream_faults;
mod walk;
