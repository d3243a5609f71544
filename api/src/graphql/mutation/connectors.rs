//! Mutations of connectors.

use async_graphql::{Context, Object, Result};

use super::payloads::InstallConnectorPayload;
use crate::graphql::context::{actor, engine_of};
use crate::graphql::inputs::InstallConnectorInput;

#[derive(Default)]
pub(crate) struct ConnectorMutations;

#[Object]
impl ConnectorMutations {
    /// Installs a connector. Operators only. Installing a slug again makes a new version; integrations stay on
    /// theirs until moved.
    async fn install_connector(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The connector to install")] input: InstallConnectorInput,
    ) -> Result<InstallConnectorPayload> {
        Ok(engine_of(ctx)
            .connectors()
            .install(actor(ctx), input.into_engine())
            .await?
            .into())
    }
}
