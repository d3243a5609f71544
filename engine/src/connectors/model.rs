//! What is known of an installed connector.

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::ids::ConnectorId;

/// One version of an installed connector.
#[derive(Clone, Debug, PartialEq)]
pub struct ConnectorInfo {
    /// Its id.
    pub id: ConnectorId,
    /// The connector's name.
    pub slug: String,
    /// "1", "2", …
    pub version: String,
    /// For people.
    pub title: String,
    /// What it can read, in the manifest's order.
    pub streams: Vec<ConnectorStream>,
    /// The JSON schema of its configuration.
    pub config_schema: Value,
    /// Whether it came with the program.
    pub shipped: bool,
    /// Whether new integrations get this version.
    pub latest: bool,
    /// When it was installed.
    pub created_at: DateTime<Utc>,
}

/// A stream of a connector.
#[derive(Clone, Debug, PartialEq)]
pub struct ConnectorStream {
    /// Its name.
    pub name: String,
    /// The fields that make a record's key; a nested one with dots between its names.
    pub primary_key: Vec<String>,
    /// Whether it can read only what changed.
    pub supports_incremental: bool,
    /// The field whose value tells how far it was read.
    pub cursor_field: Option<String>,
    /// The JSON schema of a record.
    pub json_schema: Value,
}

/// A manifest to install.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstallConnector {
    /// YAML.
    pub manifest: String,
    /// The connector's name; the manifest's own where none.
    pub slug: Option<String>,
}
