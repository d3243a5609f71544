//! Protecting upstreams from us, and clients from one another.
//!
//! Three things stand between the queue and somebody else's server, and none of them holds a worker:
//!
//! | | keyed by | a run that meets it |
//! |---|---|---|
//! | request budget | integration (which is one connector and one credential), and class of requests where the manifest has any | is parked: RATE_LIMITED, until requests are there |
//! | circuit | connector and host | is parked: CIRCUIT_OPEN, until the next probe is due |
//! | caps on running runs | client, connector | is not claimed: CONCURRENCY_LIMIT |
//!
//! Budgets and circuits are the coordinator's, so all processes share them; the caps are counted in the database,
//! where the running runs are. Being parked spends no attempt: the run did nothing wrong, and neither did anybody
//! whom it asked.
//!
//! # Rejected
//! Waiting for the budget inside of the run. It would be simpler and would resume a little faster, and a hundred
//! integrations that are limited to a request a second would occupy a hundred workers with sleeping.

mod allowance;
mod gate;
mod service;

use platform::coordination::Rate;

use crate::ids::{ConnectorId, IntegrationId};

pub(crate) use gate::UpstreamGate;
pub use platform::coordination::{Budget, CircuitState};
pub use service::{Protections, RequestBudget};

/// How much is let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Protection {
    /// Requests a minute of an integration that says nothing else.
    pub requests_per_minute: u32,
    /// Runs of one client at the same time, over all processes.
    pub runs_per_client: u32,
    /// Runs of one connector at the same time, over all processes and clients; none: as many as there are.
    pub runs_per_connector: Option<u32>,
}

impl Default for Protection {
    fn default() -> Self {
        Self {
            requests_per_minute: 100,
            runs_per_client: 10,
            runs_per_connector: None,
        }
    }
}

impl Protection {
    fn rate(&self, own: Option<i32>) -> Rate {
        Rate::per_minute(own.map_or(self.requests_per_minute, i32::unsigned_abs))
    }
}

/// The budget's name between processes.
fn budget(integration: IntegrationId) -> String {
    integration.to_string()
}

/// The circuit's name between processes.
fn circuit(connector: ConnectorId, host: &str) -> String {
    format!("{connector}:{host}")
}
