//! Other people's APIs.
//!
//! A connector is a manifest in the Airbyte declarative format: YAML that says how to authenticate, page, slice,
//! extract and map. This crate turns one into an immutable, typed plan and runs the plan against an upstream as a
//! stream of pages. It knows no database, no client and no schedule: the same code reads for a server's run and for
//! `connector read` on a laptop, and what a caller keeps between two reads (the checkpoint) is handed to it.
//!
//! The rooms, in the order in which data passes through them:
//!
//! - [`manifest`]: text → plan. Every fault has a line and a column; what cannot run is refused here and nowhere later.
//! - [`spec`]: what a configuration has to look like, and where its secrets are.
//! - [`template`]: the manifest's braces, evaluated as Python would.
//! - [`datetime`]: its dates, formatted and parsed as Python would.
//! - `http`: one request and what its answer means.
//! - `decode`: its body, made into JSON.
//! - `native`: sources that are code, because requests cannot express them.
//! - [`read`]: requests → pages of [`record`]s, with checkpoints.
//! - [`canonical`], [`key`]: what makes two records equal, and the same.
//! - [`schema`]: what records look like; inferred, compared, and watched.
//! - [`propose`]: a manifest for an API of which one answer is known.
//! - [`catalog`]: the manifests that we ship.
//!
//! One format and one engine for all of them was the decision that everything here follows from. A trait with one
//! hand-written implementation a vendor was rejected: each would need a release of ours, and an integration engineer
//! with an API and ten minutes would be stuck. Code generation from manifests was rejected too: a plan that is
//! interpreted starts in milliseconds, is installed without a compiler, and costs less than the network it waits for.

pub mod canonical;
pub mod catalog;
mod connector;
pub mod datetime;
mod decode;
mod description;
pub mod error;
#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod generated;
mod http;
pub mod json;
pub mod key;
pub mod manifest;
mod native;
pub mod propose;
pub mod read;
pub mod record;
pub mod schema;
pub mod spec;
pub mod template;

pub use connector::Connector;
pub use description::StreamDescription;
