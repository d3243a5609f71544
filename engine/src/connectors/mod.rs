//! Connectors: what is installed, and the plans that they compile to.
//!
//! A connector is its manifest. Installing keeps the text, version by version, and nothing derived from it:
//! the plan is compiled when somebody needs it and kept in memory ([`ConnectorRuntime`]), so a release that
//! understands more of the format changes what an installed manifest can do without a migration.

mod model;
mod runtime;
mod service;
mod versions;

pub use model::*;
pub use runtime::{ConnectorRuntime, PlanError};
pub use service::Connectors;
pub(crate) use versions::breaking;
pub use versions::{ChangeKind, Comparison, StreamChange};
