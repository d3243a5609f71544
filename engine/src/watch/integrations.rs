use std::collections::HashMap;

use futures::future::{BoxFuture, FutureExt};
use futures::stream::BoxStream;

use super::Watch;
use super::feed::{Seen, Shown, feed};
use crate::access::{Actor, Resource, Scope};
use crate::error::Result;
use crate::ids::{ClientId, IntegrationId};
use crate::integrations::{Integration, IntegrationFilter, IntegrationOrder};
use crate::page::{self, Listing, MAX_PAGE, PageRequest};
use crate::{Engine, topics};

/// Which integrations to watch; all that the actor may see where nothing is given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct IntegrationFeed {
    /// This one.
    pub integration_id: Option<IntegrationId>,
    /// Those of a client.
    pub client_id: Option<ClientId>,
}

#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Integrations {
    scope: Scope,
    which: IntegrationFeed,
}

impl Integrations {
    fn wanted(&self, integration: &Integration) -> bool {
        self.which.integration_id.is_none_or(|id| id == integration.id)
            && self.which.client_id.is_none_or(|id| id == integration.client_id)
    }
}

impl Shown for Integrations {
    type Id = IntegrationId;
    type Item = Integration;

    fn look<'a>(
        &'a self,
        engine: &'a Engine,
        ids: &'a [IntegrationId],
    ) -> BoxFuture<'a, Result<HashMap<IntegrationId, Integration>>> {
        async move {
            let mut found = engine.integrations().by_ids_within(self.scope, ids).await?;
            found.retain(|_, integration| self.wanted(integration));
            Ok(found)
        }
        .boxed()
    }

    /// Of more integrations than fit on a page, those that were not shown here come when they change.
    fn present<'a>(&'a self, engine: &'a Engine) -> BoxFuture<'a, Result<Vec<(IntegrationId, Integration)>>> {
        async move {
            if let Some(id) = self.which.integration_id {
                return Ok(self.look(engine, &[id]).await?.into_iter().collect());
            }
            let filter = IntegrationFilter {
                client_id: self.which.client_id,
                ..IntegrationFilter::default()
            };
            let listing = Listing::new(&filter, &PageRequest::first(MAX_PAGE));
            let order = IntegrationOrder::default();
            let pages = engine
                .integrations()
                .lists_within(self.scope, order, &[listing])
                .await?;
            Ok(page::only(pages)?
                .into_items()
                .map(|integration| (integration.id, integration))
                .collect())
        }
        .boxed()
    }

    fn beginning(&self, _: &Integration) -> Option<Integration> {
        None
    }

    fn is_over(&self, _: &Integration) -> bool {
        false
    }

    fn ends(&self) -> bool {
        false
    }
}

impl Watch<'_> {
    /// The integrations as they are, and then each of them whenever it changes. None where what is asked for
    /// is not there, or not the actor's.
    pub async fn integrations(
        &self,
        actor: Actor,
        which: IntegrationFeed,
    ) -> Result<Option<BoxStream<'static, Seen<Integration>>>> {
        let scope = actor.reads(Resource::Integrations)?;
        if !self.exist(scope, which.integration_id, which.client_id).await? {
            return Ok(None);
        }
        Ok(Some(feed(
            self.engine,
            &self.watched.integrations,
            topics::INTEGRATIONS,
            Integrations { scope, which },
        )))
    }
}
