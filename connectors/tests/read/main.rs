//! Reading, against a real HTTP server on the loopback.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod budget;
mod configuration;
mod counting;
mod credentials;
mod cursors;
mod decoders;
mod dynamic;
mod exports;
mod extraction;
mod failures;
mod graphql;
mod jobs;
mod jwt;
mod lanes;
mod lazy;
mod paging;
mod partitions;
mod postgres;
mod properties;
mod records;
mod recovery;
mod rotation;
mod running;
mod soap;
mod stops;
mod storage;
mod unchanged;
mod upstream;
