//! Requests that may be repeated: an equal one under the same key gets the first one's answer, and does nothing.
//!
//! The database decides. A row under (who asks, key) says what was asked; it is there before the request is executed,
//! and gets the answer afterwards. Who comes while there is no answer yet is told so, and is not made to wait. The
//! coordinator's lock says the same a write earlier; without it the row alone does.
//!
//! What was executed and its answer are two transactions, because a request is many and may call others. So when a
//! process dies between the two, nobody can tell whether the request was executed. The key then stays taken for
//! [two minutes](AWAITED), longer than a request may take, and an equal request after that is executed again: what
//! must not happen twice has a rule of its own in the tables (a client's slug; the key of a run, which is why
//! triggerSync is kept out of here: see [`crate::runs`]).
//!
//! Answers are kept sealed: one may hold a secret that is shown once. One that was erased (see [`crate::erasure`]) is
//! empty, and its key stays taken.
//!
//! # Rejected
//! Answers in Redis: one that forgets would execute a request again that had been answered.

use chrono::TimeDelta;
use connectors::canonical;
use entity::idempotency_answer::Model;
use serde_json::Value;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::Engine;
use crate::access::{Actor, Credential, Holder};
use crate::error::{Error, Result};
use crate::store::idempotency as store;

/// How long a key gives back what it was first used for. Longer would surprise a caller who counts its keys anew every
/// day; a run that still waits after a day must not swallow the next day's request.
pub(crate) const KEYS_HOLD: TimeDelta = TimeDelta::hours(24);
/// For how long an answer is awaited before the request counts as lost.
const AWAITED: TimeDelta = TimeDelta::minutes(2);

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The caller's key.
    pub key: &'a str,
    /// The operation's text in a form that does not depend on its layout, and its name where it has one.
    pub operation: (&'a str, Option<&'a str>),
    /// Its variables.
    pub variables: &'a Value,
}

/// What there is under a key.
#[derive(Debug)]
pub enum Begun {
    /// Nothing: the request is to be executed, and [finished](Idempotency::finish).
    First(Ticket),
    /// The answer that an equal request got.
    Answered(String),
    /// An equal request was answered, and the answer was erased with the client that it spoke of.
    Erased,
    /// An equal request that is not answered yet.
    InFlight,
    /// A request with another input.
    Mismatch,
}

/// The right to answer.
#[derive(Debug)]
pub struct Ticket {
    scope: String,
    key: String,
    owner: Uuid,
}

/// Requests under keys.
#[derive(Debug)]
pub struct Idempotency<'a>(&'a Engine);

impl Engine {
    /// Requests under keys.
    #[must_use]
    pub fn idempotency(&self) -> Idempotency<'_> {
        Idempotency(self)
    }
}

impl Idempotency<'_> {
    /// Begins a request under its key.
    pub async fn begin(&self, actor: &Actor, asked: Asked<'_>) -> Result<Begun> {
        let hash = input_hash(asked)?;
        let ticket = Ticket {
            scope: scope(actor),
            key: asked.key.to_owned(),
            owner: self.0.new_uuid(),
        };
        let marked = self.mark(&ticket).await;
        let claimed = self.claim(&ticket, hash, marked).await;
        if matches!(claimed, Ok(None)) {
            return Ok(Begun::First(ticket));
        }
        // Also after an error: a mark that stays would hold the key for a request that never began.
        if marked {
            self.unmark(&ticket).await;
        }
        claimed.map(|instead| instead.unwrap_or(Begun::InFlight))
    }

    /// Takes the key; or gives what there is instead.
    async fn claim(&self, ticket: &Ticket, hash: Vec<u8>, marked: bool) -> Result<Option<Begun>> {
        let now = self.0.clock.now();
        let expired = (now - KEYS_HOLD).into();
        let known = store::find(self.0.db.reader(), &ticket.scope, &ticket.key)
            .await?
            .filter(|row| row.created_at > expired);
        match known {
            Some(row) if row.input_hash != hash => {
                return Ok(Some(Begun::Mismatch));
            }
            Some(Model {
                answer: Some(sealed), ..
            }) if sealed.is_empty() => {
                return Ok(Some(Begun::Erased));
            }
            Some(Model {
                answer: Some(sealed), ..
            }) => {
                return Ok(Some(Begun::Answered(self.open(ticket, &sealed)?)));
            }
            Some(row) if row.claimed_until > now.into() => {
                return Ok(Some(Begun::InFlight));
            }
            _ if !marked => return Ok(Some(Begun::InFlight)),
            _ => {}
        }
        let row = Model {
            scope: ticket.scope.clone(),
            key: ticket.key.clone(),
            input_hash: hash,
            owner: ticket.owner,
            claimed_until: (now + AWAITED).into(),
            answer: None,
            created_at: now.into(),
        };
        let transaction = self.0.begin_accepted().await?;
        if store::claim(&transaction, &row, expired).await? {
            transaction.commit().await?;
            return Ok(None);
        }
        // Somebody was faster by a moment, with or without this input: the next call will tell.
        transaction.rollback().await?;
        Ok(Some(Begun::InFlight))
    }

    /// Keeps the answer for whoever asks again; without one, the request counts as never made.
    pub async fn finish(&self, ticket: Ticket, answer: Option<&str>) -> Result<()> {
        let transaction = self.0.begin_accepted().await?;
        match answer {
            Some(answer) => {
                let sealed = self.0.cipher.seal(answer.as_bytes(), &bound_to(&ticket));
                let kept =
                    store::answer(&transaction, &ticket.scope, &ticket.key, ticket.owner, sealed).await?;
                if !kept {
                    tracing::warn!("an answer came so late that its idempotency key had been given away");
                }
            }
            None => store::release(&transaction, &ticket.scope, &ticket.key, ticket.owner).await?,
        }
        transaction.commit().await?;
        self.unmark(&ticket).await;
        Ok(())
    }

    /// Whether nobody else is known to be answering.
    async fn mark(&self, ticket: &Ticket) -> bool {
        let ttl = AWAITED.to_std().unwrap_or_default();
        let owner = ticket.owner.to_string();
        match self.0.coordinator.try_lock(&mark(ticket), &owner, ttl).await {
            Ok(fence) => fence.is_some(),
            Err(error) => {
                tracing::debug!(%error, "no mark to be had; the table alone tells");
                true
            }
        }
    }

    async fn unmark(&self, ticket: &Ticket) {
        let owner = ticket.owner.to_string();
        if let Err(error) = self.0.coordinator.unlock(&mark(ticket), &owner).await {
            tracing::debug!(%error, "a mark was not given back; it expires");
        }
    }

    /// What a row keeps as its answer; none where there is none that can be opened.
    pub(crate) fn open_kept(&self, row: &Model) -> Option<String> {
        let ticket = Ticket {
            scope: row.scope.clone(),
            key: row.key.clone(),
            owner: row.owner,
        };
        self.open(&ticket, row.answer.as_deref()?).ok()
    }

    fn open(&self, ticket: &Ticket, sealed: &[u8]) -> Result<String> {
        let plain = self
            .0
            .cipher
            .open(sealed, &bound_to(ticket))
            .map_err(Error::internal)?;
        String::from_utf8(plain.to_vec()).map_err(Error::internal)
    }
}

/// Keys are the caller's own: two who use the same one do not meet. Neither do two credentials of one client, of which one
/// may do less than the other: what was answered to that other is not for it. A token's rights are its own, and the next
/// one of the same subject may have others.
fn scope(actor: &Actor) -> String {
    match actor {
        Actor::Operator => "operator".to_owned(),
        Actor::AnonymousLoopback => "loopback".to_owned(),
        Actor::Holder(Holder {
            credential: Credential::Key(key),
            ..
        }) => key.to_string(),
        Actor::Holder(Holder {
            credential: Credential::Token(subject),
            client,
            rights,
        }) => {
            let client = client.map(|client| client.to_string()).unwrap_or_default();
            format!("token:{subject}:{client}:{rights:?}")
        }
        Actor::System => "system".to_owned(),
    }
}

fn bound_to(ticket: &Ticket) -> String {
    format!("idempotency_answer:{}:{}", ticket.scope, ticket.key)
}

fn mark(ticket: &Ticket) -> String {
    // A caller's key may hold anything, and names between processes may not.
    let hash = Sha256::digest(bound_to(ticket).as_bytes());
    format!("idempotency:{}", hex::encode(hash))
}

fn input_hash(asked: Asked<'_>) -> Result<Vec<u8>> {
    let (text, name) = asked.operation;
    let input = serde_json::json!([text, name, asked.variables]).to_string();
    let canonical = canonical::canonicalise(&input).map_err(Error::internal)?;
    Ok(Sha256::digest(canonical.as_bytes()).to_vec())
}
