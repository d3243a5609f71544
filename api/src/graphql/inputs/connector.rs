//! Inputs about connectors.

use async_graphql::InputObject;
use engine::connectors::InstallConnector;

/// A connector to install. slug: else from the manifest's metadata.name.
#[derive(InputObject, Debug)]
pub(crate) struct InstallConnectorInput {
    /// The manifest, in YAML.
    manifest: String,
    /// The connector's name; from the manifest's metadata.name when not given.
    slug: Option<String>,
}

impl InstallConnectorInput {
    pub(crate) fn into_engine(self) -> InstallConnector {
        InstallConnector {
            manifest: self.manifest,
            slug: self.slug,
        }
    }
}
