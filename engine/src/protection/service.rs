//! What is known of budgets and circuits.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use connectors::read::{Allowed, RetryMode};
use entity::integration::Model as Integration;
use platform::coordination::CircuitState;
use sea_orm::ConnectionTrait;
use tokio_util::sync::CancellationToken;

use super::allowance::{Share, of_class, per_minute, shares};
use super::circuit;
use crate::access::{Actor, Resource};
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
    /// What is left for these integrations, as far as the actor may see them; of several budgets of one integration,
    /// the one of which there is least.
    pub async fn budgets(
        &self,
        actor: &Actor,
        ids: &[IntegrationId],
    ) -> Result<HashMap<IntegrationId, RequestBudget>> {
        let reader = self.0.db.reader();
        let rows = store::by_ids(reader, actor.reads(Resource::Integrations)?, ids).await?;
        let (mut integrations, mut asked) = (Vec::new(), Vec::new());
        for row in rows {
            for share in self.shares_of(reader, &row).await? {
                integrations.push(row.id);
                asked.push((share.bucket, share.rate));
            }
        }
        let found = self.0.coordinator.budgets(&asked).await;
        let now = self.0.clock.now();
        let mut tightest: HashMap<IntegrationId, RequestBudget> = HashMap::new();
        for ((integration, (_, rate)), found) in integrations.into_iter().zip(&asked).zip(found) {
            let whole_in = TimeDelta::from_std(found.whole_in).unwrap_or(TimeDelta::MAX);
            let budget = RequestBudget {
                requests_per_minute: per_minute(*rate),
                remaining: found.remaining,
                resets_at: (!found.whole_in.is_zero())
                    .then(|| now.checked_add_signed(whole_in))
                    .flatten(),
            };
            let known = tightest.entry(integration).or_insert(budget);
            if (budget.remaining, budget.requests_per_minute) < (known.remaining, known.requests_per_minute) {
                *known = budget;
            }
        }
        Ok(tightest)
    }

    /// The buckets that the integration's requests may be taken from.
    async fn shares_of(&self, reader: &impl ConnectionTrait, row: &Integration) -> Result<Vec<Share>> {
        let plan = self.0.connectors.plan(reader, row.connector_id).await?;
        let context =
            self.0
                .connectors
                .read_context(RetryMode::LeaveToCaller, CancellationToken::new(), None);
        let limits = plan.call_limits(&context, &row.config);
        let said = if limits.is_empty() {
            Allowed::Unsaid
        } else {
            Allowed::Unlimited
        };
        let protection = self.0.connectors.protection();
        let mut found = shares(row.id, row.requests_per_minute, protection, &said);
        found.extend(limits.iter().flat_map(|counted| of_class(row.id, counted)));
        Ok(found)
    }

    /// The circuits of the hosts that these integrations read from, as far as the actor may see them; of several, the
    /// one that lets the least through.
    pub async fn circuits(
        &self,
        actor: &Actor,
        ids: &[IntegrationId],
    ) -> Result<HashMap<IntegrationId, CircuitState>> {
        let reader = self.0.db.reader();
        let rows = store::by_ids(reader, actor.reads(Resource::Integrations)?, ids).await?;
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
