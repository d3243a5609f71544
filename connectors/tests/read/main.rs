//! Reading, against a real HTTP server on the loopback.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(
    clippy::disallowed_methods,
    reason = "these tests watch a real server in real time"
)]

mod cursors;
mod failures;
mod paging;
mod partitions;
mod records;
mod running;
mod upstream;
