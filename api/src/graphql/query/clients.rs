//! Clients.

use async_graphql::{Context, ID, Object, Result};

use crate::graphql::context::{actor, engine_of};
use crate::graphql::error::Fault;
use crate::graphql::inputs::{ClientFilter, ClientOrder};
use crate::graphql::types::{Client, ClientConnection, Total, list_cost, page};

#[derive(Default)]
pub(crate) struct ClientQueries;

#[Object]
impl ClientQueries {
    /// A client by its id or its slug; null when there is none that the caller may see.
    async fn client(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Its id; or slug instead")] id: Option<ID>,
        #[graphql(desc = "Its slug; or id instead")] slug: Option<String>,
    ) -> Result<Option<Client>> {
        let (clients, actor) = (engine_of(ctx).clients(), actor(ctx));
        let found = match (id, slug) {
            (Some(id), None) => match id.parse() {
                Ok(id) => clients.find(actor, id).await?,
                Err(_) => None,
            },
            (None, Some(slug)) => clients.find_by_slug(actor, &slug).await?,
            _ => return Err(Fault::bad_input("Give either id or slug").into()),
        };
        Ok(found.map(Client))
    }

    /// The clients, oldest first unless ordered otherwise.
    #[graphql(complexity = "list_cost(first, last, child_complexity)")]
    #[expect(clippy::too_many_arguments, reason = "they are the field's arguments")]
    async fn clients(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Items of the page, 1 to 100; 20 when neither this nor last is given")]
        first: Option<i32>,
        #[graphql(desc = "An endCursor: the page after it")] after: Option<String>,
        #[graphql(desc = "Items of the page counted from the end, 1 to 100, instead of first")] last: Option<
            i32,
        >,
        #[graphql(desc = "A startCursor: the page before it")] before: Option<String>,
        #[graphql(desc = "Which ones; all when not given")] filter: Option<ClientFilter>,
        #[graphql(desc = "In which order; oldest first when not given")] order_by: Option<ClientOrder>,
    ) -> Result<ClientConnection> {
        let request = page(first, after, last, before)?;
        let filter = filter.unwrap_or_default().into_engine();
        let order = order_by.map(Into::into).unwrap_or_default();
        let found = engine_of(ctx)
            .clients()
            .list(actor(ctx), &filter, order, &request)
            .await?;
        Ok(ClientConnection::new(found, Total::Clients(filter)))
    }
}
