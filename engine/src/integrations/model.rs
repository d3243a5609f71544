//! What is known of an integration.

use chrono::{DateTime, Utc};
pub use entity::words::{OverlapPolicy, SkipReason};
use serde_json::Value;

use super::health::Health;
use super::retry_policy::RetryPolicy;
use crate::connectors::StreamChange;
use crate::ids::{ClientId, ConnectorId, IntegrationId, ScheduleId};
use crate::runs::SyncError;
use crate::sync::FieldDrift;
use crate::{OrderDirection, Patch};

/// A client's connection to one API.
#[derive(Clone, Debug, PartialEq)]
pub struct Integration {
    /// Its id.
    pub id: IntegrationId,
    /// Whose it is.
    pub client_id: ClientId,
    /// The version of the connector that it runs on.
    pub connector_id: ConnectorId,
    /// For people.
    pub name: String,
    /// Its configuration, with a mask in the place of every secret.
    pub config: Value,
    /// The names of the streams that it reads.
    pub streams: Vec<String>,
    /// Whether it runs.
    pub status: IntegrationStatus,
    /// Why not; empty while it is active.
    pub pause_reasons: Vec<PauseReason>,
    /// How its last runs went.
    pub health: Health,
    /// How often a failed run is tried again.
    pub retry: RetryPolicy,
    /// The most that it may ask of the upstream.
    pub requests_per_minute: Option<u32>,
    /// Failed runs since the last one that did not fail.
    pub consecutive_failures: u32,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When somebody last changed it. How its runs end is not a change of it.
    pub updated_at: DateTime<Utc>,
}

/// Whether an integration runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IntegrationStatus {
    /// It does.
    Active,
    /// There is at least one reason why not.
    Paused,
}

/// Why an integration does not run. Each is set and cleared on its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PauseReason {
    /// Somebody paused it.
    Manual,
    /// The upstream refused its credential.
    Credential,
    /// It failed too often in a row.
    RepeatedFailure,
}

/// When an integration runs by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Its id.
    pub id: ScheduleId,
    /// Whose it is.
    pub integration_id: IntegrationId,
    /// Five fields, or six with seconds first.
    pub cron: String,
    /// An IANA name.
    pub timezone: String,
    /// A run begins up to this long after its due time, never before.
    pub jitter_seconds: u32,
    /// What to do while a run is active.
    pub overlap: OverlapPolicy,
    /// Missed due times this recent still run, once.
    pub catch_up_seconds: u32,
    /// The next due time. It stands also while the integration is paused, and passes then without a run.
    pub next_due_at: Option<DateTime<Utc>>,
}

/// A schedule to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScheduleInput {
    /// Five fields, or six with seconds first.
    pub cron: String,
    /// An IANA name.
    pub timezone: String,
    /// 0 to 3,600.
    pub jitter_seconds: i32,
    /// What to do while a run is active.
    pub overlap: OverlapPolicy,
    /// 0 to 604,800 (seven days).
    pub catch_up_seconds: i32,
}

/// How often to try again, as a caller says it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RetryInput {
    /// `aggressive`, `standard`, `conservative` or `no_retry`.
    pub policy: Option<String>,
    /// A custom one, instead.
    pub custom: Option<CustomRetry>,
}

/// A custom retry policy.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CustomRetry {
    /// 1 to 20, the first included.
    pub max_attempts: i32,
    /// Above 0, to 3,600.
    pub base_delay_seconds: f64,
    /// From the base delay to 3,600.
    pub max_delay_seconds: f64,
    /// 1 to 10.
    pub factor: f64,
}

/// An integration to be.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateIntegration {
    /// Whose.
    pub client_id: ClientId,
    /// The connector's slug; its latest version is taken.
    pub connector: String,
    /// 1 to 200 characters.
    pub name: String,
    /// What the connector's specification asks for.
    pub config: Value,
    /// Which streams; all where none.
    pub streams: Option<Vec<String>>,
    /// When it runs by itself; never where none.
    pub schedule: Option<ScheduleInput>,
    /// How often a failed run is tried again.
    pub retry: RetryInput,
    /// The most that it may ask of the upstream, 1 to 1,000,000.
    pub requests_per_minute: Option<i32>,
}

/// Changes to an integration; what is not given stays.
#[derive(Clone, Debug, PartialEq)]
pub struct UpdateIntegration {
    /// The integration.
    pub integration_id: IntegrationId,
    /// A new name.
    pub name: Option<String>,
    /// A new configuration, in the place of the old; a secret that is absent or masked keeps its value.
    pub config: Option<Value>,
    /// New streams; all of the connector's where it is cleared.
    pub streams: Patch<Vec<String>>,
    /// A new schedule; none any more where it is cleared.
    pub schedule: Patch<ScheduleInput>,
    /// A new retry policy.
    pub retry: RetryInput,
    /// A new limit; none any more where it is cleared.
    pub requests_per_minute: Patch<i32>,
    /// Another version of the same connector.
    pub connector_version: Option<String>,
    /// Say what would happen, and change nothing.
    pub dry_run: bool,
    /// When the caller saw it changed last: if it was changed since, nothing is.
    pub if_updated_at: Option<DateTime<Utc>>,
}

/// A changed integration.
#[derive(Clone, Debug, PartialEq)]
pub struct Changed {
    /// The integration as it is now, or would be.
    pub integration: Integration,
    /// What its new version of the connector changes in the streams that it reads; empty where it stays on its own.
    pub connector_changes: Vec<StreamChange>,
}

impl UpdateIntegration {
    /// No change yet.
    #[must_use]
    pub fn of(integration_id: IntegrationId) -> Self {
        Self {
            integration_id,
            name: None,
            config: None,
            streams: Patch::Keep,
            schedule: Patch::Keep,
            retry: RetryInput::default(),
            requests_per_minute: Patch::Keep,
            connector_version: None,
            dry_run: false,
            if_updated_at: None,
        }
    }
}

/// What trying the connection showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// Whether it works.
    pub succeeded: bool,
    /// Why not.
    pub error: Option<SyncError>,
}

/// A due time that did not become a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SkippedTick {
    /// The due time.
    pub due_at: DateTime<Utc>,
    /// Why there is no run.
    pub reason: SkipReason,
}

/// A field of a stream that is not what the connector declares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaDrift {
    /// The stream.
    pub stream: String,
    /// The field, and how it drifted.
    pub field: FieldDrift,
}

/// Which integrations; what is not given does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct IntegrationFilter {
    /// Whose.
    pub client_id: Option<ClientId>,
    /// On which connector: its slug.
    pub connector: Option<String>,
    /// Whether they run.
    pub status: Option<IntegrationStatus>,
    /// How their last runs went.
    pub health: Option<Health>,
    /// Whose name contains this, whatever the case of its letters.
    pub search: Option<String>,
    /// Made after this.
    pub created_after: Option<DateTime<Utc>>,
    /// Made before this.
    pub created_before: Option<DateTime<Utc>>,
}

/// The order of a list of integrations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IntegrationOrder {
    /// By what.
    pub field: IntegrationOrderField,
    /// Which way.
    pub direction: OrderDirection,
}

/// What integrations are ordered by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IntegrationOrderField {
    /// When they were created.
    #[default]
    CreatedAt,
    /// Their name.
    Name,
    /// Their schedule's next due time; those without one come after the others.
    NextRunAt,
}
