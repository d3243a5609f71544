use std::collections::HashMap;

use futures::future::{BoxFuture, FutureExt};
use futures::stream::BoxStream;

use super::Watch;
use super::feed::{Shown, feed};
use crate::access::{Actor, Resource};
use crate::error::Result;
use crate::ids::{ClientId, IntegrationId};
use crate::integrations::{Integration, IntegrationFilter, IntegrationOrder};
use crate::page::{MAX_PAGE, PageRequest};
use crate::{Engine, topics};

/// Which integrations to watch; all that the actor may see where nothing is given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IntegrationFeed {
    /// This one.
    pub integration_id: Option<IntegrationId>,
    /// Those of a client.
    pub client_id: Option<ClientId>,
}

struct Integrations {
    actor: Actor,
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
            let mut found = engine.integrations().by_ids(&self.actor, ids).await?;
            found.retain(|_, integration| self.wanted(integration));
            Ok(found)
        }
        .boxed()
    }

    /// Of more integrations than fit on a page, those that were not shown here come when they change.
    fn present<'a>(&'a self, engine: &'a Engine) -> BoxFuture<'a, Result<Vec<(IntegrationId, Integration)>>> {
        async move {
            if let Some(id) = self.which.integration_id {
                let found = engine.integrations().find(&self.actor, id).await?;
                return Ok(found
                    .into_iter()
                    .filter(|found| self.wanted(found))
                    .map(|found| (id, found))
                    .collect());
            }
            let filter = IntegrationFilter {
                client_id: self.which.client_id,
                ..IntegrationFilter::default()
            };
            let page = PageRequest::first(MAX_PAGE);
            let page = engine
                .integrations()
                .list(&self.actor, &filter, IntegrationOrder::default(), &page)
                .await?;
            Ok(page
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
    ) -> Result<Option<BoxStream<'static, Result<Integration>>>> {
        let scope = actor.reads(Resource::Integrations)?;
        if !self.exist(scope, which.integration_id, which.client_id).await? {
            return Ok(None);
        }
        Ok(Some(feed(
            self.0,
            topics::INTEGRATIONS,
            Integrations { actor, which },
        )))
    }
}
