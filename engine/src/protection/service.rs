//! What is known of budgets and circuits.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use connectors::read::RetryMode;
use platform::coordination::CircuitState;
use tokio_util::sync::CancellationToken;

use super::{budget, circuit};
use crate::access::Actor;
use crate::ids::IntegrationId;
use crate::store::{integrations as store, stored_json};
use crate::{Engine, Result};

/// What is left of the requests that an integration may make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestBudget {
    /// The most that it may ask in a minute.
    pub requests_per_minute: u32,
    /// How many it may ask right now.
    pub remaining: u32,
    /// When the whole budget is there again; none when it is now.
    pub resets_at: Option<DateTime<Utc>>,
}

/// What is known of budgets and circuits.
#[derive(Debug)]
pub struct Protections<'a>(&'a Engine);

impl Engine {
    /// What is known of budgets and circuits.
    #[must_use]
    pub fn protections(&self) -> Protections<'_> {
        Protections(self)
    }
}

impl Protections<'_> {
    /// What is left for these integrations, as far as the actor may see them.
    pub async fn budgets(
        &self,
        actor: &Actor,
        ids: &[IntegrationId],
    ) -> Result<HashMap<IntegrationId, RequestBudget>> {
        let rows = store::by_ids(self.0.db.reader(), actor.scope(), ids).await?;
        let protection = self.0.connectors.protection();
        let asked: Vec<_> = rows
            .iter()
            .map(|row| (budget(row.id), protection.rate(row.requests_per_minute)))
            .collect();
        let found = self.0.coordinator.budgets(&asked).await;
        let now = self.0.clock.now();
        let of_each = rows.iter().zip(&asked).zip(found);
        Ok(of_each
            .map(|((row, (_, rate)), found)| {
                let whole_in = TimeDelta::from_std(found.whole_in).unwrap_or(TimeDelta::MAX);
                let budget = RequestBudget {
                    requests_per_minute: rate.limit(),
                    remaining: found.remaining,
                    resets_at: (!found.whole_in.is_zero()).then(|| now + whole_in),
                };
                (row.id, budget)
            })
            .collect())
    }

    /// The circuits of the hosts that these integrations read from, as far as the actor may see them; of several, the
    /// one that lets the least through.
    pub async fn circuits(
        &self,
        actor: &Actor,
        ids: &[IntegrationId],
    ) -> Result<HashMap<IntegrationId, CircuitState>> {
        let reader = self.0.db.reader();
        let rows = store::by_ids(reader, actor.scope(), ids).await?;
        let (mut integrations, mut names) = (Vec::new(), Vec::new());
        for row in rows {
            let plan = self.0.connectors.plan(reader, row.connector_id).await?;
            let context =
                self.0
                    .connectors
                    .read_context(RetryMode::LeaveToCaller, CancellationToken::new(), None);
            let streams: Vec<String> = stored_json::read(row.streams)?;
            for host in plan.hosts(&context, &row.config, &streams) {
                integrations.push(row.id);
                names.push(circuit(row.connector_id, &host));
            }
        }
        let states = self.0.coordinator.circuits(&names).await;
        let mut worst: HashMap<IntegrationId, CircuitState> = HashMap::new();
        for (integration, state) in integrations.into_iter().zip(states) {
            let known = worst.entry(integration).or_default();
            *known = match (*known, state) {
                (CircuitState::Open, _) | (_, CircuitState::Open) => CircuitState::Open,
                (CircuitState::HalfOpen, _) | (_, CircuitState::HalfOpen) => CircuitState::HalfOpen,
                _ => CircuitState::Closed,
            };
        }
        Ok(worst)
    }
}
