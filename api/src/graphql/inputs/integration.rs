//! Inputs about integrations.

use async_graphql::{ID, InputObject, MaybeUndefined};
use engine::Refusal;
use engine::ids::IntegrationId;
use engine::integrations::{self, CreateIntegration, CustomRetry, RetryInput, UpdateIntegration};
use serde_json::Value;

use super::{matching, named, patch};
use crate::graphql::types::{
    DateTime, Health, IntegrationOrderField, IntegrationStatus, OrderDirection, OverlapPolicy,
};

/// Which integrations; what is not given does not matter.
#[derive(InputObject, Debug, Default)]
pub(crate) struct IntegrationFilter {
    /// Whose.
    client_id: Option<ID>,
    /// On which connector: its slug.
    connector: Option<String>,
    /// Whether they run.
    status: Option<IntegrationStatus>,
    /// How their last runs ended.
    health: Option<Health>,
    /// Whose name contains this, whatever the case of its letters.
    search: Option<String>,
    /// Made after this instant.
    created_after: Option<DateTime>,
    /// Made before this instant.
    created_before: Option<DateTime>,
}

impl IntegrationFilter {
    /// `None` when an id in it is none, so that nothing can match.
    pub(crate) fn into_engine(self) -> Option<integrations::IntegrationFilter> {
        Some(integrations::IntegrationFilter {
            client_id: matching(self.client_id).ok()?,
            connector: self.connector,
            status: self.status.map(Into::into),
            health: self.health.map(Into::into),
            search: self.search,
            created_after: self.created_after.map(Into::into),
            created_before: self.created_before.map(Into::into),
        })
    }
}

/// The order of a list of integrations.
#[derive(InputObject, Debug)]
pub(crate) struct IntegrationOrder {
    /// By what.
    field: IntegrationOrderField,
    /// Which way.
    direction: OrderDirection,
}

impl From<IntegrationOrder> for integrations::IntegrationOrder {
    fn from(order: IntegrationOrder) -> Self {
        Self {
            field: order.field.into(),
            direction: order.direction.into(),
        }
    }
}

/// When an integration is to run by itself.
#[derive(InputObject, Debug)]
pub(crate) struct ScheduleInput {
    /// A cron expression: five fields, or six with seconds first.
    cron: String,
    /// The IANA time zone that the expression is read in.
    #[graphql(default_with = "Some(\"UTC\".to_owned())")]
    timezone: Option<String>,
    /// A run begins up to this many seconds after its due time, never before it. 0 to 3600.
    #[graphql(default_with = "Some(0)")]
    jitter_seconds: Option<i32>,
    /// What to do while a run is active.
    #[graphql(default_with = "Some(OverlapPolicy::Skip)")]
    overlap: Option<OverlapPolicy>,
    /// Due times missed this many seconds ago or less still run, once. 0 to 604800.
    #[graphql(default_with = "Some(0)")]
    catch_up_seconds: Option<i32>,
}

impl From<ScheduleInput> for integrations::ScheduleInput {
    fn from(input: ScheduleInput) -> Self {
        Self {
            cron: input.cron,
            timezone: input.timezone.unwrap_or_else(|| "UTC".to_owned()),
            jitter_seconds: input.jitter_seconds.unwrap_or(0),
            overlap: input.overlap.unwrap_or(OverlapPolicy::Skip).into(),
            catch_up_seconds: input.catch_up_seconds.unwrap_or(0),
        }
    }
}

/// A retry policy of one's own. Each wait has full jitter.
#[derive(InputObject, Debug)]
pub(crate) struct RetryPolicyInput {
    /// Attempts, the first included: 1 to 20.
    max_attempts: i32,
    /// Seconds before the second attempt: above 0, at most 3600.
    base_delay_seconds: f64,
    /// No wait is longer, in seconds: from the base delay to 3600.
    #[graphql(default_with = "Some(60.0)")]
    max_delay_seconds: Option<f64>,
    /// Each wait is this many times the one before: 1 to 10.
    #[graphql(default_with = "Some(2.0)")]
    factor: Option<f64>,
}

fn retry(policy: Option<String>, custom: Option<RetryPolicyInput>) -> RetryInput {
    let custom = custom.map(|custom| CustomRetry {
        max_attempts: custom.max_attempts,
        base_delay_seconds: custom.base_delay_seconds,
        max_delay_seconds: custom.max_delay_seconds.unwrap_or(60.0),
        factor: custom.factor.unwrap_or(2.0),
    });
    RetryInput { policy, custom }
}

/// An integration to be.
#[derive(InputObject, Debug)]
pub(crate) struct CreateIntegrationInput {
    /// Whose.
    client_id: ID,
    /// The connector's slug; its latest version is taken.
    connector: String,
    /// For people: 1 to 200 characters.
    name: String,
    /// What the connector's configSchema asks for, secrets in clear. They are sealed when they arrive.
    config: Value,
    /// Which of the connector's streams; all of them when not given.
    streams: Option<Vec<String>>,
    /// When it runs by itself; only on request when not given.
    schedule: Option<ScheduleInput>,
    /// How often a failed run is tried again: aggressive, standard, conservative or no_retry; standard when
    /// neither this nor retry is given.
    retry_policy: Option<String>,
    /// A retry policy of one's own, instead of retryPolicy.
    retry: Option<RetryPolicyInput>,
    /// The most that it may ask of the upstream: 1 to 1000000; no limit of ours when not given.
    requests_per_minute: Option<i32>,
}

impl CreateIntegrationInput {
    pub(crate) fn into_engine(self) -> Result<CreateIntegration, Refusal> {
        Ok(CreateIntegration {
            client_id: named(&self.client_id, "client", "clientId")?,
            connector: self.connector,
            name: self.name,
            config: self.config,
            streams: self.streams,
            schedule: self.schedule.map(Into::into),
            retry: retry(self.retry_policy, self.retry),
            requests_per_minute: self.requests_per_minute,
        })
    }
}

/// Changes to an integration; what is not given stays.
#[derive(InputObject, Debug)]
pub(crate) struct UpdateIntegrationInput {
    /// The integration.
    integration_id: ID,
    /// A new name: 1 to 200 characters.
    name: Option<String>,
    /// A new configuration, in the place of the old. A secret field that is absent, or comes back masked, keeps
    /// its value.
    config: Option<Value>,
    /// New streams; null for all of the connector's.
    streams: MaybeUndefined<Vec<String>>,
    /// A new schedule; null for none.
    schedule: MaybeUndefined<ScheduleInput>,
    /// A new retry policy: aggressive, standard, conservative or no_retry.
    retry_policy: Option<String>,
    /// A new retry policy of one's own, instead of retryPolicy.
    retry: Option<RetryPolicyInput>,
    /// A new limit, 1 to 1000000; null for none.
    requests_per_minute: MaybeUndefined<i32>,
    /// Another version of the same connector. The whole integration is checked against it: its config, and that
    /// its streams are there.
    connector_version: Option<String>,
    /// Whether only to say what would happen: everything is checked, nothing is changed.
    #[graphql(default = false)]
    dry_run: bool,
    /// The updatedAt that the caller read, to the last digit: if the integration was changed since, nothing is changed
    /// and there is a userError CONFLICT. Without it the last one to write wins. How runs end is not a change.
    if_updated_at: Option<DateTime>,
}

impl UpdateIntegrationInput {
    pub(crate) fn into_engine(self) -> Result<UpdateIntegration, Refusal> {
        Ok(UpdateIntegration {
            integration_id: named(&self.integration_id, "integration", "integrationId")?,
            name: self.name,
            config: self.config,
            streams: patch(self.streams, |streams| streams),
            schedule: patch(self.schedule, Into::into),
            retry: retry(self.retry_policy, self.retry),
            requests_per_minute: patch(self.requests_per_minute, |limit| limit),
            connector_version: self.connector_version,
            dry_run: self.dry_run,
            if_updated_at: self.if_updated_at.map(Into::into),
        })
    }
}

macro_rules! of_an_integration {
    ($($(#[$meta:meta])* $name:ident;)+) => {$(
        $(#[$meta])*
        #[derive(InputObject, Debug)]
        pub(crate) struct $name {
            /// The integration.
            integration_id: ID,
        }

        impl $name {
            pub(crate) fn integration_id(&self) -> Result<IntegrationId, Refusal> {
                named(&self.integration_id, "integration", "integrationId")
            }
        }
    )+};
}

of_an_integration! {
    /// An integration to delete.
    DeleteIntegrationInput;
    /// An integration whose connection is to be tried.
    CheckIntegrationInput;
    /// An integration to pause.
    PauseIntegrationInput;
    /// An integration to resume.
    ResumeIntegrationInput;
}
