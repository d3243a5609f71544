//! Following events as they come.

use std::collections::VecDeque;
use std::time::Duration;

use futures::StreamExt;
use futures::future::{Either, select};
use futures::stream::{self, BoxStream};
use platform::coordination::Subscription;

use super::model::Event;
use super::service::Events;
use crate::access::{Actor, Resource};
use crate::error::{Error, Result};
use crate::ids::EventId;
use crate::store::events as store;
use crate::{Engine, topics};

/// How many events one look reads ahead for a subscriber.
const LOOK: u64 = 100;
/// How long a subscriber whom no notice reaches waits before it looks by itself.
const POLL: Duration = Duration::from_secs(2);

struct Follower {
    engine: Engine,
    actor: Actor,
    types: Vec<String>,
    sequence: i64,
    ready: VecDeque<Event>,
    notices: Subscription,
}

impl Events<'_> {
    /// Every event from now on, or from the one given on, without a gap; of these types only, where any are
    /// given. Nothing is read ahead of a slow reader but one look.
    ///
    /// # Errors
    /// [`Error::BadInput`] when there is no such event any more: what followed it may be gone as well.
    pub async fn subscribe(
        &self,
        actor: Actor,
        types: Option<Vec<String>>,
        after: Option<EventId>,
    ) -> Result<BoxStream<'static, Result<Event>>> {
        actor.reads(Resource::Events)?;
        let engine = self.0.clone();
        // Subscribed before looking: what happens between is heard.
        let notices = engine.coordinator.subscribe(topics::SEQUENCED);
        let sequence = match after {
            None => store::last_sequence(engine.db.reader()).await?,
            Some(event) => self.sequence_of(&actor, event).await?,
        };
        let types = types.unwrap_or_default();
        let follower = Follower {
            engine,
            actor,
            types,
            sequence,
            ready: VecDeque::new(),
            notices,
        };
        Ok(stream::unfold(follower, |mut follower| async move {
            let next = follower.next().await;
            Some((next, follower))
        })
        .boxed())
    }

    async fn sequence_of(&self, actor: &Actor, event: EventId) -> Result<i64> {
        let mut found = self.find(actor, event).await?;
        if found.as_ref().is_some_and(|event| event.sequence.is_none()) {
            self.relay().await?;
            found = self.find(actor, event).await?;
        }
        found.and_then(|event| event.sequence).ok_or_else(|| {
            Error::BadInput(
                "There is no event with this id any more; subscribe without after and read what is there."
                    .to_owned(),
            )
        })
    }
}

impl Follower {
    async fn next(&mut self) -> Result<Event> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                self.sequence = event.sequence.unwrap_or(self.sequence);
                return Ok(event);
            }
            let found = self
                .engine
                .events()
                .list_after(&self.actor, self.sequence, &self.types, LOOK)
                .await;
            match found {
                Ok(events) if events.is_empty() => self.wait().await,
                Ok(events) => self.ready.extend(events),
                Err(error) => {
                    self.wait().await;
                    return Err(error);
                }
            }
        }
    }

    async fn wait(&mut self) {
        let poll = self.engine.clock.sleep(POLL);
        if let Either::Left((None, poll)) = select(self.notices.next(), poll).await {
            poll.await;
        }
    }
}
