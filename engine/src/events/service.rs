use std::collections::HashMap;

use entity::outbox_event::Model;
use platform::database::Durability;

use super::model::{Event, EventFilter};
use crate::access::{Actor, Resource, Scope};
use crate::error::Result;
use crate::ids::{ClientId, EventId};
use crate::page::{PageRequest, Paged};
use crate::store::events as store;
use crate::{Engine, topics};

/// How many events one transaction of the relay gives a sequence.
const RELAY_BATCH: u64 = 1_000;
const TAG: &str = "events";
/// The most events that one look gives.
const MOST: u64 = 1_000;

/// What can be done with events.
#[derive(Debug)]
pub struct Events<'a>(pub(super) &'a Engine);

impl Engine {
    /// What can be done with events.
    #[must_use]
    pub fn events(&self) -> Events<'_> {
        Events(self)
    }
}

impl From<Model> for Event {
    fn from(row: Model) -> Self {
        Self {
            id: row.id,
            sequence: row.sequence,
            event_type: row.event_type,
            subject: row.subject,
            client_id: row.client_id,
            time: row.at.into(),
            correlation_id: row.correlation_id,
            data: row.data,
        }
    }
}

impl Events<'_> {
    /// Gives every event that waits for it a sequence; gives how many there were. Any number of relays may
    /// run, one at a time does something.
    pub async fn relay(&self) -> Result<u64> {
        let mut relayed = 0;
        while store::any_waiting(self.0.db.reader()).await? {
            let transaction = self.0.db.begin(Durability::Page).await?;
            let batch = store::assign_sequences(&transaction, RELAY_BATCH).await?;
            transaction.commit().await?;
            if batch > 0 {
                self.0.notify(topics::SEQUENCED, "").await;
            }
            relayed += batch;
            // Less than a full batch was all there was. What came since says so by itself.
            if batch < RELAY_BATCH {
                break;
            }
        }
        Ok(relayed)
    }

    /// The events about a client after this sequence, in order, at most 1,000.
    pub async fn of_client(
        &self,
        actor: &Actor,
        client: ClientId,
        sequence: i64,
        limit: u64,
    ) -> Result<Vec<Event>> {
        if !actor.reads(Resource::Events)?.includes(client) {
            return Ok(Vec::new());
        }
        let scope = Scope::Client(client);
        let rows = store::after(self.0.db.reader(), scope, sequence, &[], limit.min(MOST)).await?;
        Ok(rows.into_iter().map(Event::from).collect())
    }

    /// A page of events that were given their sequence, the last first.
    pub async fn list(
        &self,
        actor: &Actor,
        filter: &EventFilter,
        page: &PageRequest,
    ) -> Result<Paged<Event>> {
        let scope = actor.reads(Resource::Events)?;
        let window = page.window(TAG)?;
        let rows = store::page(self.0.db.reader(), scope, filter, &window).await?;
        Ok(window
            .page(TAG, rows, |row| row.sequence.unwrap_or_default())
            .map(Event::from))
    }

    /// How many match.
    pub async fn count(&self, actor: &Actor, filter: &EventFilter) -> Result<u64> {
        Ok(store::count(self.0.db.reader(), actor.reads(Resource::Events)?, filter).await?)
    }

    /// These events, as far as the actor may see them.
    pub async fn by_ids(&self, actor: &Actor, events: &[EventId]) -> Result<HashMap<EventId, Event>> {
        let rows = store::by_ids(self.0.db.reader(), actor.reads(Resource::Events)?, events).await?;
        Ok(rows.into_iter().map(|row| (row.id, row.into())).collect())
    }

    /// One event.
    pub async fn find(&self, actor: &Actor, event: EventId) -> Result<Option<Event>> {
        let found = store::by_ids(self.0.db.reader(), actor.reads(Resource::Events)?, &[event]).await?;
        Ok(found.into_iter().next().map(Event::from))
    }

    /// The events after this sequence, in order, at most 1,000; of these types only, where any are given.
    pub async fn list_after(
        &self,
        actor: &Actor,
        sequence: i64,
        types: &[String],
        limit: u64,
    ) -> Result<Vec<Event>> {
        let limit = limit.min(MOST);
        let rows = store::after(
            self.0.db.reader(),
            actor.reads(Resource::Events)?,
            sequence,
            types,
            limit,
        )
        .await?;
        Ok(rows.into_iter().map(Event::from).collect())
    }
}
