//! A connector.

use async_graphql::{Context, ID, Object, Result, SimpleObject};
use serde_json::Value;

use super::{ConnectorChangeKind, DateTime};
use crate::graphql::context::loaders;
use crate::graphql::loaders::ChangesOf;

pub(crate) struct Connector(pub(crate) engine::connectors::ConnectorInfo);

impl From<engine::connectors::ConnectorInfo> for Connector {
    fn from(connector: engine::connectors::ConnectorInfo) -> Self {
        Self(connector)
    }
}

/// One version of a connector: how one API is read, described by a manifest.
#[Object]
impl Connector {
    /// `con_…`, of this version.
    pub(crate) async fn id(&self) -> ID {
        self.0.id.to_string().into()
    }

    /// The connector's name, the same in all its versions.
    async fn slug(&self) -> &str {
        &self.0.slug
    }

    /// "1", "2", …: installing the slug again makes the next one.
    async fn version(&self) -> &str {
        &self.0.version
    }

    /// For people.
    async fn title(&self) -> &str {
        &self.0.title
    }

    /// What it can read, in the manifest's order.
    #[graphql(complexity = "child_complexity.saturating_mul(10).saturating_add(1).min(1_000_000_000)")]
    async fn streams(&self) -> Vec<ConnectorStream<'_>> {
        self.0.streams.iter().map(ConnectorStream).collect()
    }

    /// What it changes against the version before it; empty for the first one.
    #[graphql(complexity = "child_complexity.saturating_mul(10).saturating_add(10).min(1_000_000_000)")]
    async fn changes(&self, ctx: &Context<'_>) -> Result<Vec<ConnectorChange>> {
        let changes = loaders(ctx).load_one(ChangesOf(self.0.id)).await?;
        Ok(changes
            .unwrap_or_default()
            .into_iter()
            .map(ConnectorChange::from)
            .collect())
    }

    /// Whether new integrations get this version.
    async fn latest(&self) -> bool {
        self.0.latest
    }

    /// When it was installed.
    async fn created_at(&self) -> DateTime {
        self.0.created_at.into()
    }

    /// The JSON schema of an integration's config. What is a secret is marked there with airbyte_secret.
    async fn config_schema(&self) -> &Value {
        &self.0.config_schema
    }
}

/// A difference between two versions of a connector, in what they promise of their records.
#[derive(SimpleObject)]
pub(crate) struct ConnectorChange {
    /// The stream.
    stream: String,
    /// The field, a nested one with dots, an array's items with []; null when it is the stream as a whole.
    field: Option<String>,
    /// What changed.
    kind: ConnectorChangeKind,
    /// Whether it may break those who use the records.
    breaking: bool,
    /// For people.
    message: String,
}

impl From<engine::connectors::StreamChange> for ConnectorChange {
    fn from(change: engine::connectors::StreamChange) -> Self {
        Self {
            breaking: change.kind.is_breaking(),
            kind: change.kind.into(),
            stream: change.stream,
            field: change.field,
            message: change.message,
        }
    }
}

/// Two versions of a connector.
#[derive(SimpleObject)]
pub(crate) struct ConnectorComparison {
    /// The version that is there.
    from: Connector,
    /// The version that would be.
    to: Connector,
    /// What it changes, breaking or not.
    changes: Vec<ConnectorChange>,
    /// Whether one of the changes may break those who use the records.
    breaking: bool,
}

impl From<engine::connectors::Comparison> for ConnectorComparison {
    fn from(comparison: engine::connectors::Comparison) -> Self {
        Self {
            breaking: comparison.changes.iter().any(|change| change.kind.is_breaking()),
            from: comparison.from.into(),
            to: comparison.to.into(),
            changes: comparison.changes.into_iter().map(Into::into).collect(),
        }
    }
}

pub(crate) struct ConnectorStream<'a>(&'a engine::connectors::ConnectorStream);

/// One kind of record that a connector reads.
#[Object]
impl ConnectorStream<'_> {
    /// Unique in the connector.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// The fields that make a record's key, a nested one with dots between its names.
    async fn primary_key(&self) -> &[String] {
        &self.0.primary_key
    }

    /// Whether it can read only what changed. Where it cannot, an incremental run reads everything.
    async fn supports_incremental(&self) -> bool {
        self.0.supports_incremental
    }

    /// The JSON schema of a record.
    async fn json_schema(&self) -> &Value {
        &self.0.json_schema
    }
}
