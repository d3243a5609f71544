use std::collections::HashMap;

use entity::erasure::Model;
use entity::words::ErasureStage;
use sea_orm::DbErr;
use serde_json::json;

use super::model::{EraseClient, ErasedCount, Erasure, ErasureStatus};
use crate::access::{Actor, Credential, Holder, Resource, Scope};
use crate::clients::ClientStatus;
use crate::error::Result;
use crate::events::EventDraft;
use crate::ids::{ClientId, ErasureId};
use crate::outcome::{Outcome, Refusal};
use crate::page::{PageRequest, Paged};
use crate::store::{clients, erasing, erasures as store, events};
use crate::{Engine, topics};

const TAG: &str = "erasures";

/// Erasures of clients.
#[derive(Debug)]
pub struct Erasures<'a>(pub(super) &'a Engine);

impl Engine {
    /// Erasures of clients.
    #[must_use]
    pub fn erasures(&self) -> Erasures<'_> {
        Erasures(self)
    }
}

impl TryFrom<Model> for Erasure {
    type Error = DbErr;

    fn try_from(row: Model) -> Result<Self, DbErr> {
        let counts = row.erased.as_object().into_iter().flatten();
        Ok(Self {
            id: row.id,
            client_id: row.client_id,
            requested_by: row.requested_by,
            requested_at: row.requested_at.into(),
            status: match (row.finished_at, row.stage) {
                (Some(_), _) => ErasureStatus::Done,
                (None, ErasureStage::Cancelling) => ErasureStatus::Cancelling,
                (None, _) => ErasureStatus::Erasing,
            },
            erased: counts
                .map(|(what, count)| ErasedCount {
                    what: what.clone(),
                    count: count.as_u64().unwrap_or_default(),
                })
                .collect(),
            finished_at: row.finished_at.map(Into::into),
        })
    }
}

impl Erasures<'_> {
    /// Begins to erase a client. Who asks again for what was begun gets that.
    pub async fn request(&self, actor: &Actor, input: EraseClient) -> Result<Outcome<Erasure>> {
        let scope = match actor.operates(Resource::Clients) {
            Ok(scope) => scope,
            Err(refusal) => return Ok(refusal.into()),
        };
        let id = input.client_id;
        let transaction = self.0.begin_accepted().await?;
        let Some(mut client) = clients::lock(&transaction, scope, id).await? else {
            return Ok(Refusal::not_found("client", "clientId").into());
        };
        if client.slug != input.confirm_slug {
            let message = "This is not the client's slug. Erasing cannot be undone: type the slug of the client that is to go.";
            return Ok(Refusal::invalid(message, ["confirmSlug"]).into());
        }
        if let Some(begun) = store::of_client(&transaction, id).await? {
            return Ok(Outcome::Done(begun.try_into()?));
        }
        let now = self.0.timestamp();
        client.status = ClientStatus::Archived;
        client.updated_at = client.updated_at.then(now);
        clients::update(&transaction, client, None).await?;
        erasing::end_everything(&transaction, id, now).await?;
        let row = Model {
            id: ErasureId::new(self.0.new_uuid()),
            client_id: id,
            requested_by: name_of(actor),
            requested_at: now,
            stage: ErasureStage::Cancelling,
            erased: json!({}),
            lease_owner: None,
            lease_until: None,
            finished_at: None,
        };
        store::insert(&transaction, row.clone()).await?;
        // Nobody's: the client's own events go with it.
        let draft = EventDraft::about("erasure.requested", row.id, None);
        events::append(&transaction, self.0, draft).await?;
        transaction.commit().await?;
        tracing::info!(erasure = %row.id, client = %id, requested_by = row.requested_by, "a client is being erased");
        for topic in [topics::ERASURES, topics::ACCESS, topics::EVENTS] {
            self.0.notify(topic, "").await;
        }
        Ok(Outcome::Done(row.try_into()?))
    }

    /// One erasure. They are the operator's: who is bound to a client finds none.
    pub async fn find(&self, actor: &Actor, id: ErasureId) -> Result<Option<Erasure>> {
        match actor.reads(Resource::Clients)? {
            Scope::Client(_) => Ok(None),
            Scope::All => {
                let found = store::find(self.0.db.reader(), id).await?;
                Ok(found.map(Erasure::try_from).transpose()?)
            }
        }
    }

    /// These erasures, as far as the actor may see them: all or none.
    pub async fn by_ids(&self, actor: &Actor, ids: &[ErasureId]) -> Result<HashMap<ErasureId, Erasure>> {
        let found = match actor.reads(Resource::Clients)? {
            Scope::Client(_) => Vec::new(),
            Scope::All => store::by_ids(self.0.db.reader(), ids).await?,
        };
        let keyed = found.into_iter().map(|row| Ok((row.id, row.try_into()?)));
        Ok(keyed.collect::<Result<_, DbErr>>()?)
    }

    /// Whether a client is being erased, or was: what is read of it from then on is not all that it had.
    pub async fn has_begun(&self, client: ClientId) -> Result<bool> {
        Ok(store::of_client(self.0.db.reader(), client).await?.is_some())
    }

    /// A page of erasures, newest first.
    pub async fn list(&self, actor: &Actor, page: &PageRequest) -> Result<Paged<Erasure>> {
        let window = page.window(TAG)?;
        let rows = match actor.reads(Resource::Clients)? {
            Scope::Client(_) => Vec::new(),
            Scope::All => store::page(self.0.db.reader(), &window).await?,
        };
        let erasures: Result<Vec<Erasure>, DbErr> = rows.into_iter().map(Erasure::try_from).collect();
        Ok(window.page(TAG, erasures?, |erasure| erasure.id))
    }

    /// How many there are.
    pub async fn count(&self, actor: &Actor) -> Result<u64> {
        match actor.reads(Resource::Clients)? {
            Scope::Client(_) => Ok(0),
            Scope::All => Ok(store::count(self.0.db.reader()).await?),
        }
    }
}

fn name_of(actor: &Actor) -> String {
    match actor {
        Actor::Operator => "operator".to_owned(),
        Actor::AnonymousLoopback => "loopback".to_owned(),
        Actor::System => "system".to_owned(),
        Actor::Holder(Holder {
            credential: Credential::Key(key),
            ..
        }) => key.to_string(),
        Actor::Holder(Holder {
            credential: Credential::Token(subject),
            ..
        }) => format!("token:{subject}"),
    }
}
