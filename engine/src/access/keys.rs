//! Making API keys and ending them.
//!
//! Nobody hands out more than they have: a key's rights are among its maker's, and whoever rotates a key, and so comes to
//! know its secret, must have what it may. A key made by whoever is bound to a client is bound to the same one.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use entity::{api_key, api_key_secret};
use sea_orm::{DbErr, Set};
use serde_json::json;

use super::actor::{Actor, Scope};
use super::key_model::{ApiKey, ApiKeyFilter, CreateApiKey, IssuedKey, RotateApiKey};
use super::key_secret;
use super::rights::{Resource, Rights, scope_names};
use crate::clients::ClientStatus;
use crate::error::Result;
use crate::events::EventDraft;
use crate::ids::{ApiKeyId, ClientId};
use crate::outcome::{Outcome, Refusal, RefusalCode};
use crate::page::{PageRequest, Paged};
use crate::store::{api_keys as store, clients, events, stored_json};
use crate::{Engine, input, topics};

/// The longest that secrets overlap.
const LONGEST_OVERLAP: i64 = 30 * 24 * 60 * 60;
/// Scopes that a key may list.
const MOST_SCOPES: usize = 50;
/// Keys of one client that are not revoked.
const MOST_KEYS: u64 = 1_000;
const TAG: &str = "API keys";

/// What can be done with API keys.
#[derive(Debug)]
pub struct ApiKeys<'a>(pub(super) &'a Engine);

impl Engine {
    /// What can be done with API keys.
    #[must_use]
    pub fn api_keys(&self) -> ApiKeys<'_> {
        ApiKeys(self)
    }
}

impl TryFrom<api_key::Model> for ApiKey {
    type Error = DbErr;

    fn try_from(row: api_key::Model) -> Result<Self, DbErr> {
        Ok(Self {
            id: row.id,
            name: row.name,
            prefix: row.prefix,
            scopes: stored_json::read(row.scopes)?,
            client_id: row.client_id,
            created_at: row.created_at.into(),
            expires_at: row.expires_at.map(Into::into),
            last_used_at: row.last_used_at.map(Into::into),
            revoked_at: row.revoked_at.map(Into::into),
        })
    }
}

impl ApiKeys<'_> {
    /// Makes a key. Its secret is in the answer, and nowhere after it.
    pub async fn create(&self, actor: &Actor, input: CreateApiKey) -> Result<Outcome<IssuedKey>> {
        let scope = match actor.writes(Resource::ApiKeys) {
            Ok(scope) => scope,
            Err(refusal) => return Ok(refusal.into()),
        };
        let client = input.client_id.or(actor.client());
        if client.is_some_and(|client| !scope.includes(client)) {
            return Ok(Refusal::not_found("client", "clientId").into());
        }
        let now = self.0.clock.now();
        let mut refusals = Vec::new();
        let name = input::check_name(&input.name, "name", &mut refusals);
        let scopes = check_scopes(actor, input.scopes, client, &mut refusals);
        if input.expires_at.is_some_and(|end| end <= now) {
            let message = "expiresAt must lie in the future; without it the key does not expire.";
            refusals.push(Refusal::invalid(message, ["expiresAt"]));
        }
        if !refusals.is_empty() {
            return Ok(Outcome::Refused(refusals));
        }
        let drawn = key_secret::draw(&*self.0.random);
        let key = api_key::Model {
            id: ApiKeyId::new(self.0.new_uuid()),
            client_id: client,
            name,
            prefix: drawn.prefix.clone(),
            scopes: json!(scopes),
            expires_at: input.expires_at.map(Into::into),
            last_used_at: None,
            revoked_at: None,
            created_at: now.into(),
        };
        let transaction = self.0.begin_accepted().await?;
        if let Some(client) = client {
            let client = clients::lock(&transaction, scope, client).await?;
            match client.map(|client| client.status) {
                None => return Ok(Refusal::not_found("client", "clientId").into()),
                Some(ClientStatus::Archived) => {
                    let message = "The client is archived; it gets no new keys.";
                    return Ok(Refusal::conflict(message, ["clientId"]).into());
                }
                Some(ClientStatus::Active) => {}
            }
        }
        if store::count_unrevoked(&transaction, client).await? >= MOST_KEYS {
            let message = format!("There are {MOST_KEYS} keys already; revoke those that nobody uses.");
            return Ok(Refusal::new(RefusalCode::LimitReached, message, [""; 0]).into());
        }
        store::insert(&transaction, key.clone()).await?;
        store::insert_secret(&transaction, secret_row(&drawn, key.id)).await?;
        self.tell(&transaction, "api_key.created", &key).await?;
        transaction.commit().await?;
        self.0.notify(topics::EVENTS, "").await;
        Ok(Outcome::Done(IssuedKey {
            key: key.try_into()?,
            secret: drawn.secret,
        }))
    }

    /// Gives a key a new secret. Those before it stay good for the overlap, and then end, also for whoever is connected
    /// with one.
    pub async fn rotate(&self, actor: &Actor, input: RotateApiKey) -> Result<Outcome<IssuedKey>> {
        let scope = match actor.writes(Resource::ApiKeys) {
            Ok(scope) => scope,
            Err(refusal) => return Ok(refusal.into()),
        };
        if !(0..=LONGEST_OVERLAP).contains(&input.overlap_seconds) {
            let message = format!("overlapSeconds must be between 0 and {LONGEST_OVERLAP} (30 days).");
            return Ok(Refusal::invalid(message, ["overlapSeconds"]).into());
        }
        let transaction = self.0.begin_accepted().await?;
        let Some(row) = store::lock(&transaction, scope, input.api_key_id).await? else {
            return Ok(Refusal::not_found("API key", "apiKeyId").into());
        };
        let now = self.0.clock.now();
        if row.revoked_at.is_some()
            || row
                .expires_at
                .is_some_and(|end| DateTime::<Utc>::from(end) <= now)
        {
            let message = "The key has ended; createApiKey makes a new one.";
            return Ok(Refusal::conflict(message, ["apiKeyId"]).into());
        }
        let scopes: Vec<String> = stored_json::read(row.scopes.clone())?;
        if !actor.rights().include(rights_of(&scopes, row.client_id)) {
            let message = "The key may do more than this credential, which would come to know its secret.";
            return Ok(Refusal::new(RefusalCode::Forbidden, message, ["apiKeyId"]).into());
        }
        let drawn = key_secret::draw(&*self.0.random);
        let end = now + TimeDelta::seconds(input.overlap_seconds);
        store::end_secrets(&transaction, row.id, end.into(), now.into()).await?;
        store::insert_secret(&transaction, secret_row(&drawn, row.id)).await?;
        let change = api_key::ActiveModel {
            id: Set(row.id),
            prefix: Set(drawn.prefix.clone()),
            ..Default::default()
        };
        let row = store::update(&transaction, change).await?;
        self.tell(&transaction, "api_key.rotated", &row).await?;
        transaction.commit().await?;
        self.changed(row.id).await;
        Ok(Outcome::Done(IssuedKey {
            key: row.try_into()?,
            secret: drawn.secret,
        }))
    }

    /// Ends a key at once, also for whoever is connected with it. Revoking a revoked one changes nothing.
    pub async fn revoke(&self, actor: &Actor, key: ApiKeyId) -> Result<Outcome<ApiKey>> {
        let scope = match actor.writes(Resource::ApiKeys) {
            Ok(scope) => scope,
            Err(refusal) => return Ok(refusal.into()),
        };
        let transaction = self.0.begin_accepted().await?;
        let Some(row) = store::lock(&transaction, scope, key).await? else {
            return Ok(Refusal::not_found("API key", "apiKeyId").into());
        };
        if row.revoked_at.is_some() {
            return Ok(Outcome::Done(row.try_into()?));
        }
        let change = api_key::ActiveModel {
            id: Set(key),
            revoked_at: Set(Some(self.0.timestamp())),
            ..Default::default()
        };
        let row = store::update(&transaction, change).await?;
        self.tell(&transaction, "api_key.revoked", &row).await?;
        transaction.commit().await?;
        self.changed(key).await;
        Ok(Outcome::Done(row.try_into()?))
    }

    /// One key.
    pub async fn find(&self, actor: &Actor, key: ApiKeyId) -> Result<Option<ApiKey>> {
        let found = store::by_ids(self.0.db.reader(), actor.reads(Resource::ApiKeys)?, &[key]).await?;
        Ok(found.into_iter().next().map(ApiKey::try_from).transpose()?)
    }

    /// These keys, as far as the actor may see them.
    pub async fn by_ids(&self, actor: &Actor, keys: &[ApiKeyId]) -> Result<HashMap<ApiKeyId, ApiKey>> {
        let found = store::by_ids(self.0.db.reader(), actor.reads(Resource::ApiKeys)?, keys).await?;
        let keyed = found.into_iter().map(|row| Ok((row.id, row.try_into()?)));
        Ok(keyed.collect::<Result<_, DbErr>>()?)
    }

    /// What a key is called, for its own holder, whatever that may do.
    pub async fn own_name(&self, key: ApiKeyId) -> Result<Option<String>> {
        let found = store::by_ids(self.0.db.reader(), Scope::All, &[key]).await?;
        Ok(found.into_iter().next().map(|row| row.name))
    }

    /// A page of keys, newest first.
    pub async fn list(
        &self,
        actor: &Actor,
        filter: &ApiKeyFilter,
        page: &PageRequest,
    ) -> Result<Paged<ApiKey>> {
        let scope = actor.reads(Resource::ApiKeys)?;
        let window = page.window(TAG)?;
        let rows = store::page(self.0.db.reader(), scope, filter, &window).await?;
        let keys: Result<Vec<ApiKey>, DbErr> = rows.into_iter().map(ApiKey::try_from).collect();
        Ok(window.page(TAG, keys?, |key| key.id))
    }

    /// How many match.
    pub async fn count(&self, actor: &Actor, filter: &ApiKeyFilter) -> Result<u64> {
        Ok(store::count(self.0.db.reader(), actor.reads(Resource::ApiKeys)?, filter).await?)
    }

    async fn tell(
        &self,
        transaction: &platform::database::WriteTransaction,
        event: &'static str,
        key: &api_key::Model,
    ) -> Result<()> {
        let data = json!({ "name": key.name, "prefix": key.prefix });
        let draft = EventDraft::about(event, key.id, key.client_id).with(data);
        Ok(events::append(transaction, self.0, draft).await?)
    }

    async fn changed(&self, key: ApiKeyId) {
        self.0.notify(topics::ACCESS, &key.to_string()).await;
        self.0.notify(topics::EVENTS, "").await;
    }
}

/// What scopes come to; of a key that is bound to a client, without what is the operator's alone.
pub(super) fn rights_of(scopes: &[String], client: Option<ClientId>) -> Rights {
    let rights = Rights::of_scopes(scopes.iter().map(String::as_str));
    match client {
        Some(_) => rights.of_a_client(),
        None => rights,
    }
}

fn check_scopes(
    actor: &Actor,
    mut scopes: Vec<String>,
    client: Option<ClientId>,
    refusals: &mut Vec<Refusal>,
) -> Vec<String> {
    let mut refuse = |code, message: String| refusals.push(Refusal::new(code, message, ["scopes"]));
    if scopes.is_empty() || scopes.len() > MOST_SCOPES {
        refuse(RefusalCode::Invalid, format!("Give 1 to {MOST_SCOPES} scopes."));
        return scopes;
    }
    for scope in &scopes {
        if Rights::of_scope(scope).is_none() {
            let message = format!(
                "There is no scope {scope:.60?}. There are {}; and runs:*, *:read and * for several.",
                scope_names()
            );
            refuse(RefusalCode::Invalid, message);
        } else if rights_of(std::slice::from_ref(scope), client) == Rights::NONE {
            let message =
                format!("{scope} is the operator's alone: a key that is bound to a client cannot have it.");
            refuse(RefusalCode::Invalid, message);
        }
    }
    if !actor.rights().include(rights_of(&scopes, client)) {
        let message = "Nobody hands out more than they have: a key's scopes are among its maker's.";
        refuse(RefusalCode::Forbidden, message.to_owned());
    }
    scopes.sort();
    scopes.dedup();
    scopes
}

fn secret_row(drawn: &key_secret::NewSecret, key: ApiKeyId) -> api_key_secret::Model {
    api_key_secret::Model {
        prefix: drawn.prefix.clone(),
        api_key_id: key,
        hash: drawn.hash.clone(),
        valid_until: None,
    }
}
