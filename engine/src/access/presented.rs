//! Who shows an API key's secret, and for how long that counts.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, TimeDelta, Utc};
use platform::database::Durability;

use super::actor::{Actor, Credential, Holder};
use super::key_secret;
use super::keys::{ApiKeys, rights_of};
use crate::Engine;
use crate::error::Result;
use crate::ids::ApiKeyId;
use crate::store::api_keys::{self as store, Shown};
use crate::store::stored_json;

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
        Ok(self.authenticate_all(&[secret]).await?.pop().flatten())
    }

    /// Who holds each of these secrets, in their order and in one statement.
    pub async fn authenticate_all(&self, secrets: &[&str]) -> Result<Vec<Option<Presented>>> {
        let prefixes: BTreeSet<&str> = secrets
            .iter()
            .filter_map(|secret| key_secret::prefix_of(secret))
            .collect();
        let prefixes: Vec<&str> = prefixes.into_iter().collect();
        let found = store::presented(self.0.db.reader(), &prefixes).await?;
        let (now, mut touched) = (self.0.clock.now(), BTreeSet::new());
        let mut holders = Vec::with_capacity(secrets.len());
        for secret in secrets {
            let Some(key) = recognised(secret, &found).filter(|shown| counts(shown, now)) else {
                holders.push(None);
                continue;
            };
            let unless_since = now - TOUCH;
            let last = key.last_used_at.map(DateTime::<Utc>::from);
            if last.is_none_or(|at| at < unless_since) && touched.insert(key.id) {
                // By itself: nobody waits for SQLite's turn to write because of a note.
                tokio::spawn(touch(self.0.clone(), key.id, now, unless_since));
            }
            let scopes: Vec<String> = stored_json::read(key.scopes.clone())?;
            holders.push(Some(Presented {
                actor: Actor::Holder(Holder {
                    client: key.client_id,
                    rights: rights_of(&scopes, key.client_id),
                    credential: Credential::Key(key.id),
                }),
                ends_at: ends_at(key),
                prefix: key.prefix.clone(),
            }));
        }
        Ok(holders)
    }

    /// Which of the secrets with these prefixes still count, and when each ends.
    pub async fn standing(&self, prefixes: &[&str]) -> Result<HashMap<String, Option<DateTime<Utc>>>> {
        let now = self.0.clock.now();
        let mut standing = HashMap::new();
        for prefixes in prefixes.chunks(LOOK) {
            let found = store::presented(self.0.db.reader(), prefixes).await?;
            let good = found.into_iter().filter(|shown| counts(shown, now));
            standing.extend(good.map(|shown| {
                let ends_at = ends_at(&shown);
                (shown.prefix, ends_at)
            }));
        }
        Ok(standing)
    }
}

/// How many prefixes one look asks for.
const LOOK: usize = 1_000;

/// The one whose secret this is, in a time that says nothing of how much of it is right.
fn recognised<'a>(secret: &str, found: &'a [Shown]) -> Option<&'a Shown> {
    let prefix = key_secret::prefix_of(secret)?;
    let kept = found.iter().find(|shown| shown.prefix == prefix);
    key_secret::is(secret, kept.map(|shown| shown.hash.as_slice()))
        .then_some(kept)
        .flatten()
}

fn ends_at(shown: &Shown) -> Option<DateTime<Utc>> {
    let ends = [shown.valid_until, shown.expires_at];
    ends.into_iter().flatten().min().map(Into::into)
}

fn counts(shown: &Shown, now: DateTime<Utc>) -> bool {
    shown.revoked_at.is_none() && ends_at(shown).is_none_or(|end| now < end)
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
