//! A connector.

use async_graphql::{ID, Object};
use serde_json::Value;

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

    /// The JSON schema of an integration's config. What is a secret is marked there with airbyte_secret.
    async fn config_schema(&self) -> &Value {
        &self.0.config_schema
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
