//! Who shows an API key's secret, and for how long that counts.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use entity::{api_key, api_key_secret};
use platform::database::Durability;

use super::actor::{Actor, Credential, Holder};
use super::key_secret;
use super::keys::{ApiKeys, rights_of};
use crate::Engine;
use crate::error::Result;
use crate::ids::ApiKeyId;
use crate::store::{api_keys as store, stored_json};

/// How old `lastUsedAt` may be before a use is written. A write for each request would cost more than the request.
const TOUCH: TimeDelta = TimeDelta::minutes(5);

/// A secret that counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presented {
    /// Who holds it.
    pub actor: Actor,
    /// What the secret begins with: [`ApiKeys::standing`] says later whether it still counts.
    pub prefix: String,
    /// When it ends, as far as is known by now.
    pub ends_at: Option<DateTime<Utc>>,
}

impl ApiKeys<'_> {
    /// Who holds this secret; none where it is not one of ours, or does not count any more.
    pub async fn authenticate(&self, secret: &str) -> Result<Option<Presented>> {
        let Some(prefix) = key_secret::prefix_of(secret) else {
            return Ok(None);
        };
        let found = store::presented(self.0.db.reader(), &[prefix]).await?.pop();
        let kept = found.as_ref().map(|(kept, _)| kept.hash.as_slice());
        if !key_secret::is(secret, kept) {
            return Ok(None);
        }
        let now = self.0.clock.now();
        let Some((kept, key)) = found.filter(|(kept, key)| counts(kept, key, now)) else {
            return Ok(None);
        };
        let unless_since = now - TOUCH;
        if key
            .last_used_at
            .is_none_or(|at| DateTime::<Utc>::from(at) < unless_since)
        {
            // By itself: nobody waits for SQLite's turn to write because of a note.
            tokio::spawn(touch(self.0.clone(), key.id, now, unless_since));
        }
        let scopes: Vec<String> = stored_json::read(key.scopes.clone())?;
        Ok(Some(Presented {
            actor: Actor::Holder(Holder {
                client: key.client_id,
                rights: rights_of(&scopes, key.client_id),
                credential: Credential::Key(key.id),
            }),
            ends_at: ends_at(&kept, &key),
            prefix: kept.prefix,
        }))
    }

    /// Which of the secrets with these prefixes still count, and when each ends.
    pub async fn standing(&self, prefixes: &[&str]) -> Result<HashMap<String, Option<DateTime<Utc>>>> {
        let now = self.0.clock.now();
        let mut standing = HashMap::new();
        for prefixes in prefixes.chunks(LOOK) {
            let found = store::presented(self.0.db.reader(), prefixes).await?;
            let good = found.into_iter().filter(|(kept, key)| counts(kept, key, now));
            standing.extend(good.map(|(kept, key)| {
                let ends_at = ends_at(&kept, &key);
                (kept.prefix, ends_at)
            }));
        }
        Ok(standing)
    }
}

/// How many prefixes one look asks for.
const LOOK: usize = 1_000;

fn ends_at(kept: &api_key_secret::Model, key: &api_key::Model) -> Option<DateTime<Utc>> {
    let ends = [kept.valid_until, key.expires_at];
    ends.into_iter().flatten().min().map(Into::into)
}

fn counts(kept: &api_key_secret::Model, key: &api_key::Model, now: DateTime<Utc>) -> bool {
    key.revoked_at.is_none() && ends_at(kept, key).is_none_or(|end| now < end)
}

async fn touch(engine: Engine, key: ApiKeyId, now: DateTime<Utc>, unless_since: DateTime<Utc>) {
    let written = async {
        let transaction = engine.db.begin(Durability::Page).await?;
        store::touch(&transaction, key, now.into(), unless_since.into()).await?;
        transaction.commit().await
    };
    if let Err(error) = written.await {
        tracing::debug!(%key, %error, "that a key was used is not noted; its next use will be");
    }
}
