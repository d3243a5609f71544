use std::collections::{BTreeMap, BTreeSet, HashMap};

use entity::dead_letter::Model;
use sea_orm::DbErr;
use serde_json::json;

use super::model::{DeadLetter, DeadLetterFilter, DeadLetterKind, DeadLetterStatus};
use crate::access::{Actor, Resource, Scope};
use crate::error::Result;
use crate::events::EventDraft;
use crate::ids::{DeadLetterId, IntegrationId};
use crate::outcome::{Outcome, Refusal};
use crate::page::{PageRequest, Paged};
use crate::runs::{SyncMode, SyncTrigger, TriggerSync};
use crate::store::{dead_letters as store, events, stored_json};
use crate::{Engine, topics};

/// How many letters one look of a replay reads.
const LOOK: u64 = 500;
const TAG: &str = "dead letters";

/// What can be done with dead letters.
#[derive(Debug)]
pub struct DeadLetters<'a>(&'a Engine);

impl Engine {
    /// What can be done with dead letters.
    #[must_use]
    pub fn dead_letters(&self) -> DeadLetters<'_> {
        DeadLetters(self)
    }
}

impl TryFrom<Model> for DeadLetter {
    type Error = DbErr;

    fn try_from(row: Model) -> Result<Self, DbErr> {
        Ok(Self {
            id: row.id,
            kind: row.kind,
            status: row.status,
            client_id: row.client_id,
            integration_id: row.integration_id,
            run_id: row.run_id,
            stream: row.stream,
            payload: row.payload,
            error: stored_json::read(row.error)?,
            attempts: row.attempts,
            created_at: row.created_at.into(),
            resolved_at: row.resolved_at.map(Into::into),
        })
    }
}

/// The letters that one run will do again.
#[derive(Default)]
struct Again {
    streams: BTreeSet<String>,
    letters: Vec<DeadLetterId>,
}

impl DeadLetters<'_> {
    /// One dead letter.
    pub async fn find(&self, actor: &Actor, letter: DeadLetterId) -> Result<Option<DeadLetter>> {
        Ok(self.by_ids(actor, &[letter]).await?.remove(&letter))
    }

    /// These dead letters, as far as the actor may see them.
    pub async fn by_ids(
        &self,
        actor: &Actor,
        letters: &[DeadLetterId],
    ) -> Result<HashMap<DeadLetterId, DeadLetter>> {
        let rows = store::by_ids(self.0.db.reader(), actor.reads(Resource::DeadLetters)?, letters).await?;
        rows.into_iter()
            .map(|row| Ok((row.id, row.try_into()?)))
            .collect()
    }

    /// A page of dead letters, newest first.
    pub async fn list(
        &self,
        actor: &Actor,
        filter: &DeadLetterFilter,
        page: &PageRequest,
    ) -> Result<Paged<DeadLetter>> {
        let window = page.window(TAG)?;
        let rows = store::page(
            self.0.db.reader(),
            actor.reads(Resource::DeadLetters)?,
            filter,
            &window,
        )
        .await?;
        let letters: Result<Vec<DeadLetter>, DbErr> = rows.into_iter().map(DeadLetter::try_from).collect();
        Ok(window.page(TAG, letters?, |letter| letter.id))
    }

    /// How many match.
    pub async fn count(&self, actor: &Actor, filter: &DeadLetterFilter) -> Result<u64> {
        Ok(store::count(self.0.db.reader(), actor.reads(Resource::DeadLetters)?, filter).await?)
    }

    /// Lets the open ones that match go; gives how many there were.
    pub async fn discard(&self, actor: &Actor, filter: &DeadLetterFilter) -> Result<Outcome<u64>> {
        let scope = match actor.writes(Resource::DeadLetters) {
            Ok(scope) => scope,
            Err(refusal) => return Ok(refusal.into()),
        };
        let transaction = self.0.begin_accepted().await?;
        let now = self.0.timestamp();
        let count = store::settle(&transaction, scope, filter, DeadLetterStatus::Discarded, now).await?;
        if count > 0 {
            self.record_settled(&transaction, "dead_letters.discarded", scope, filter, count)
                .await?;
        }
        transaction.commit().await?;
        self.0.notify(topics::EVENTS, "").await;
        Ok(Outcome::Done(count))
    }

    /// Does the open ones that match again; gives how many there were. One run an integration stands for
    /// all letters of its records. What cannot be replayed (its integration is gone, or may not run) stays
    /// open; when that is all of them, the refusals say why. Takes the right to queue runs as well.
    pub async fn replay(&self, actor: &Actor, filter: &DeadLetterFilter) -> Result<Outcome<u64>> {
        let scope = match actor.writes(Resource::DeadLetters) {
            Ok(scope) => scope,
            Err(refusal) => return Ok(refusal.into()),
        };
        if let Err(refusal) = actor.writes(Resource::Runs) {
            return Ok(refusal.into());
        }
        let (mut replayed, mut refusals) = (0, Vec::new());
        let mut records: BTreeMap<IntegrationId, Again> = BTreeMap::new();
        let mut after = None;
        loop {
            let letters = store::open_after(self.0.db.reader(), scope, filter, after, LOOK).await?;
            let Some(last) = letters.last() else { break };
            after = Some(last.id);
            for letter in letters {
                match (letter.kind, letter.integration_id, letter.run_id, letter.stream) {
                    (DeadLetterKind::Record, Some(integration), _, Some(stream)) => {
                        let again = records.entry(integration).or_default();
                        again.streams.insert(stream);
                        again.letters.push(letter.id);
                    }
                    (DeadLetterKind::Run, _, Some(run), _) => match self.0.runs().retry(actor, run).await? {
                        Outcome::Done(_) => replayed += self.settle(scope, vec![letter.id]).await?,
                        Outcome::Refused(reasons) => refusals.extend(reasons),
                    },
                    _ => refusals.push(unknown(letter.id)),
                }
            }
        }
        for (integration_id, again) in records {
            let request = TriggerSync {
                integration_id,
                idempotency_key: None,
                mode: SyncMode::FullRefresh,
                streams: Some(again.streams.into_iter().collect()),
                trigger: SyncTrigger::Retry,
            };
            match self.0.runs().trigger(actor, request).await? {
                Outcome::Done(_) => replayed += self.settle(scope, again.letters).await?,
                Outcome::Refused(reasons) => refusals.extend(reasons),
            }
        }
        if replayed == 0 && !refusals.is_empty() {
            refusals
                .iter_mut()
                .for_each(|refusal| refusal.field = vec!["filter".to_owned()]);
            refusals.dedup();
            return Ok(Outcome::Refused(refusals));
        }
        Ok(Outcome::Done(replayed))
    }

    async fn settle(&self, scope: Scope, letters: Vec<DeadLetterId>) -> Result<u64> {
        let transaction = self.0.begin_accepted().await?;
        let mut settled = 0;
        for ids in letters.chunks(LOOK as usize) {
            let filter = DeadLetterFilter {
                ids: Some(ids.to_vec()),
                ..DeadLetterFilter::default()
            };
            let now = self.0.timestamp();
            let count = store::settle(&transaction, scope, &filter, DeadLetterStatus::Replayed, now).await?;
            self.record_settled(&transaction, "dead_letters.replayed", scope, &filter, count)
                .await?;
            settled += count;
        }
        transaction.commit().await?;
        self.0.notify(topics::EVENTS, "").await;
        Ok(settled)
    }

    async fn record_settled(
        &self,
        transaction: &platform::database::WriteTransaction,
        event: &'static str,
        scope: Scope,
        filter: &DeadLetterFilter,
        count: u64,
    ) -> Result<()> {
        let own = match scope {
            Scope::Client(client) => Some(client),
            Scope::All => filter.client_id,
        };
        let subject = filter.integration_id.map(|integration| integration.to_string());
        let draft = EventDraft::about(event, subject.unwrap_or_default(), own);
        let data = json!({ "count": count, "ids": filter.ids });
        events::append(transaction, self.0, draft.with(data)).await?;
        Ok(())
    }
}

fn unknown(letter: DeadLetterId) -> Refusal {
    Refusal::conflict(
        format!("{letter} cannot be replayed: what it was part of is gone. Discard it."),
        ["filter"],
    )
}
