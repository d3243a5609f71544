use std::collections::HashMap;

use entity::Timestamp;
use entity::client::Model;
use serde_json::json;

use super::model::{
    Client, ClientFilter, ClientOrder, ClientOrderField, ClientStatus, RegisterClient, UpdateClient,
};
use crate::access::{Actor, Resource, Scope};
use crate::error::Result;
use crate::events::EventDraft;
use crate::ids::ClientId;
use crate::outcome::{Outcome, Refusal, RefusalCode};
use crate::page::{OrderDirection, PageRequest, Paged};
use crate::store::integrations::unfinished_runs_of_client;
use crate::store::{clients as store, events};
use crate::{Engine, input, integrations, topics};

/// What can be done with clients.
#[derive(Debug)]
pub struct Clients<'a>(&'a Engine);

impl Engine {
    /// What can be done with clients.
    #[must_use]
    pub fn clients(&self) -> Clients<'_> {
        Clients(self)
    }
}

impl From<Model> for Client {
    fn from(row: Model) -> Self {
        Self {
            id: row.id,
            slug: row.slug,
            name: row.name,
            metadata: row.metadata,
            status: row.status,
            created_at: row.created_at.into(),
            updated_at: row.updated_at.into(),
        }
    }
}

impl Clients<'_> {
    /// Registers a client. Of two who ask for one slug at once, one gets it.
    pub async fn register(&self, actor: &Actor, input: RegisterClient) -> Result<Outcome<Client>> {
        if let Err(refusal) = actor.operates(Resource::Clients) {
            return Ok(refusal.into());
        }
        let mut refusals = Vec::new();
        input::check_slug(&input.slug, "slug", &mut refusals);
        let name = input::check_name(&input.name, "name", &mut refusals);
        let metadata = input.metadata.unwrap_or_else(|| json!({}));
        input::check_object(&metadata, "metadata", &mut refusals);
        if !refusals.is_empty() {
            return Ok(Outcome::Refused(refusals));
        }
        let id = ClientId::new(self.0.new_uuid());
        let row = store::row(id, input.slug, name, metadata, self.0.timestamp());
        let transaction = self.0.begin_accepted().await?;
        if !store::insert(&transaction, row.clone()).await? {
            transaction.rollback().await?;
            let message = format!(
                "The slug {:?} is taken by another client; choose another one.",
                row.slug
            );
            return Ok(Refusal::new(RefusalCode::Taken, message, ["slug"]).into());
        }
        let draft = EventDraft::about("client.registered", id, Some(id));
        events::append(
            &transaction,
            self.0,
            draft.with(json!({ "slug": row.slug, "name": row.name })),
        )
        .await?;
        transaction.commit().await?;
        self.0.notify(topics::EVENTS, "").await;
        Ok(Outcome::Done(row.into()))
    }

    /// Changes a client's name or metadata.
    pub async fn update(&self, actor: &Actor, input: UpdateClient) -> Result<Outcome<Client>> {
        let scope = match actor.operates(Resource::Clients) {
            Ok(scope) => scope,
            Err(refusal) => return Ok(refusal.into()),
        };
        let mut refusals = Vec::new();
        let name = input
            .name
            .map(|name| input::check_name(&name, "name", &mut refusals));
        if let Some(metadata) = &input.metadata {
            input::check_object(metadata, "metadata", &mut refusals);
        }
        if !refusals.is_empty() {
            return Ok(Outcome::Refused(refusals));
        }
        let seen = input.if_updated_at.map(Timestamp::from);
        self.change(scope, input.client_id, seen, "client.updated", |client| {
            let before = client.clone();
            client.name = name.unwrap_or_else(|| client.name.clone());
            client.metadata = input.metadata.unwrap_or_else(|| client.metadata.take());
            *client != before
        })
        .await
    }

    /// Archives a client: its history stays, nothing of it runs any more. Runs that have begun are cancelled.
    pub async fn archive(&self, actor: &Actor, client: ClientId) -> Result<Outcome<Client>> {
        let scope = match actor.operates(Resource::Clients) {
            Ok(scope) => scope,
            Err(refusal) => return Ok(refusal.into()),
        };
        let archived = self
            .change(scope, client, None, "client.archived", |client| {
                let active = client.status == ClientStatus::Active;
                client.status = ClientStatus::Archived;
                active
            })
            .await?;
        if matches!(archived, Outcome::Done(_)) {
            let runs = unfinished_runs_of_client(self.0.db.reader(), client).await?;
            integrations::cancel(self.0, runs).await?;
        }
        Ok(archived)
    }

    /// Changes a client under its lock; `change` says whether there is anything to write. Where nothing is, what the
    /// caller has `seen` is held against the row all the same.
    async fn change(
        &self,
        scope: Scope,
        id: ClientId,
        seen: Option<Timestamp>,
        event: &'static str,
        change: impl FnOnce(&mut Model) -> bool,
    ) -> Result<Outcome<Client>> {
        let transaction = self.0.begin_accepted().await?;
        let Some(mut client) = store::lock(&transaction, scope, id).await? else {
            return Ok(Refusal::not_found("client", "clientId").into());
        };
        let last = client.updated_at;
        let changed = change(&mut client);
        if changed {
            client.updated_at = last.then(self.0.timestamp());
        }
        if (changed || seen.is_some()) && !store::update(&transaction, client.clone(), seen).await? {
            return Ok(Refusal::changed_meanwhile("client", last.into()).into());
        }
        if changed {
            let draft = EventDraft::about(event, id, Some(id));
            events::append(&transaction, self.0, draft.with(json!({ "slug": client.slug }))).await?;
            transaction.commit().await?;
            self.0.notify(topics::EVENTS, "").await;
        }
        Ok(Outcome::Done(client.into()))
    }

    /// One client.
    pub async fn find(&self, actor: &Actor, client: ClientId) -> Result<Option<Client>> {
        let found = store::by_ids(self.0.db.reader(), actor.reads(Resource::Clients)?, &[client]).await?;
        Ok(found.into_iter().next().map(Client::from))
    }

    /// The client with this slug.
    pub async fn find_by_slug(&self, actor: &Actor, slug: &str) -> Result<Option<Client>> {
        if !input::is_slug(slug) {
            return Ok(None);
        }
        Ok(
            store::by_slug(self.0.db.reader(), actor.reads(Resource::Clients)?, slug)
                .await?
                .map(Client::from),
        )
    }

    /// These clients, as far as the actor may see them.
    pub async fn by_ids(&self, actor: &Actor, clients: &[ClientId]) -> Result<HashMap<ClientId, Client>> {
        let rows = store::by_ids(self.0.db.reader(), actor.reads(Resource::Clients)?, clients).await?;
        Ok(rows.into_iter().map(|row| (row.id, row.into())).collect())
    }

    /// A page of clients.
    pub async fn list(
        &self,
        actor: &Actor,
        filter: &ClientFilter,
        order: ClientOrder,
        page: &PageRequest,
    ) -> Result<Paged<Client>> {
        let tag = match (order.field, order.direction) {
            (ClientOrderField::CreatedAt, OrderDirection::Asc) => "clients by creation",
            (ClientOrderField::CreatedAt, OrderDirection::Desc) => "clients by creation, last first",
            (ClientOrderField::Name, OrderDirection::Asc) => "clients by name",
            (ClientOrderField::Name, OrderDirection::Desc) => "clients by name, last first",
            (ClientOrderField::Slug, OrderDirection::Asc) => "clients by slug",
            (ClientOrderField::Slug, OrderDirection::Desc) => "clients by slug, last first",
        };
        let window = page.window(tag)?;
        let rows = store::page(
            self.0.db.reader(),
            actor.reads(Resource::Clients)?,
            filter,
            order,
            &window,
        )
        .await?;
        Ok(window
            .page(tag, rows, |row| store::Key::of(row, order.field))
            .map(Client::from))
    }

    /// How many clients match.
    pub async fn count(&self, actor: &Actor, filter: &ClientFilter) -> Result<u64> {
        Ok(store::count(self.0.db.reader(), actor.reads(Resource::Clients)?, filter).await?)
    }
}
