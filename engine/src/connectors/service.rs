use std::collections::HashMap;

use connectors::{Connector, catalog};
use entity::connector::Model;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::model::{ConnectorInfo, ConnectorStream, InstallConnector};
use super::versions;
use crate::access::{Actor, Resource};
use crate::error::{Error, Result};
use crate::events::EventDraft;
use crate::ids::ConnectorId;
use crate::outcome::{Outcome, Refusal, RefusalCode};
use crate::page::{PageRequest, Paged};
use crate::store::{connectors as store, events};
use crate::{Engine, input, topics};

const TAG: &str = "connectors";
/// The largest manifest, in bytes. The largest public one is a third of it.
const LARGEST_MANIFEST: usize = 4 * 1024 * 1024;
/// How often an installation begins anew when another one of the same slug was faster.
const RACES: usize = 8;

/// What can be done with connectors.
#[derive(Debug)]
pub struct Connectors<'a>(pub(super) &'a Engine);

impl Engine {
    /// What can be done with connectors.
    #[must_use]
    pub fn connectors(&self) -> Connectors<'_> {
        Connectors(self)
    }
}

impl Connectors<'_> {
    /// Installs a manifest as the next version of its slug. The text that is the latest version already is
    /// not installed twice. Integrations stay on the version that they have.
    pub async fn install(&self, actor: &Actor, input: InstallConnector) -> Result<Outcome<ConnectorInfo>> {
        if let Err(refusal) = actor.operates(Resource::Connectors) {
            return Ok(refusal.into());
        }
        if input.manifest.len() > LARGEST_MANIFEST || input.manifest.contains('\0') {
            let message = format!("A manifest is at most {LARGEST_MANIFEST} bytes of text, without U+0000.");
            return Ok(Refusal::invalid(message, ["manifest"]).into());
        }
        let plan = match Connector::parse(&input.manifest) {
            Ok(plan) => plan,
            Err(faults) => {
                let refusals = faults
                    .iter()
                    .map(|fault| Refusal::invalid(fault.to_string(), ["manifest"]));
                return Ok(Outcome::Refused(refusals.collect()));
            }
        };
        let slug = match input.slug.or_else(|| plan.name().and_then(slug_of)) {
            Some(slug) => slug,
            None => {
                let message = "The manifest has no metadata.name that could be the slug; give a slug.";
                return Ok(Refusal::new(RefusalCode::Required, message, ["slug"]).into());
            }
        };
        let mut refusals = Vec::new();
        input::check_slug(&slug, "slug", &mut refusals);
        if !refusals.is_empty() {
            return Ok(Outcome::Refused(refusals));
        }
        let row = self.put(&slug, &plan, &input.manifest, false).await?;
        Ok(Outcome::Done(self.info(row)?))
    }

    /// Installs the connectors that come with the program, as far as they are not there as they are now.
    pub async fn seed_shipped(&self) -> Result<()> {
        for shipped in catalog::shipped() {
            let plan = Connector::parse(shipped.yaml).map_err(|faults| {
                let fault = faults.first().map_or_else(String::new, ToString::to_string);
                Error::internal(format!(
                    "the shipped connector {} does not compile: {fault}",
                    shipped.slug
                ))
            })?;
            self.put(shipped.slug, &plan, shipped.yaml, true).await?;
        }
        Ok(())
    }

    async fn put(&self, slug: &str, plan: &Connector, manifest: &str, shipped: bool) -> Result<Model> {
        let hash = Sha256::digest(manifest.as_bytes()).to_vec();
        for _ in 0..RACES {
            let latest = store::latest(self.0.db.reader(), slug).await?;
            let version = match &latest {
                // What an operator installed over a shipped connector stays the latest.
                Some(latest) if latest.manifest_hash == hash || (shipped && !latest.shipped) => {
                    return Ok(latest.clone());
                }
                Some(latest) => next_version(&latest.version),
                None => "1".to_owned(),
            };
            let id = ConnectorId::new(self.0.new_uuid());
            let row = Model {
                id,
                slug: slug.to_owned(),
                version,
                title: plan
                    .title()
                    .map_or_else(|| slug.to_owned(), |title| title.to_string()),
                manifest: manifest.to_owned(),
                manifest_hash: hash.clone(),
                shipped,
                latest: true,
                created_at: self.0.timestamp(),
            };
            let transaction = self.0.begin_accepted().await?;
            if !store::insert_latest(&transaction, row.clone()).await? {
                transaction.rollback().await?;
                continue;
            }
            // A version that this program cannot read any more has nothing to be compared with.
            let changes = latest.and_then(|latest| versions::changes(self.0, &latest, &row).ok());
            let breaking = versions::breaking(&changes.unwrap_or_default());
            let data = json!({ "slug": row.slug, "version": row.version, "breakingChanges": breaking });
            let draft = EventDraft::about("connector.installed", id, None).with(data);
            events::append(&transaction, self.0, draft).await?;
            transaction.commit().await?;
            self.0.notify(topics::EVENTS, "").await;
            return Ok(row);
        }
        Err(Error::Unavailable(
            format!("too many installations of {slug} at once").into(),
        ))
    }

    pub(super) fn info(&self, row: Model) -> Result<ConnectorInfo> {
        let plan = self.0.connectors.compile(row.id, &row.manifest)?;
        Ok(ConnectorInfo {
            id: row.id,
            slug: row.slug,
            version: row.version,
            title: row.title,
            streams: plan.streams().iter().map(ConnectorStream::from).collect(),
            config_schema: plan.spec().schema().clone(),
            shipped: row.shipped,
            latest: row.latest,
            created_at: row.created_at.into(),
        })
    }

    /// One version.
    pub async fn find(&self, actor: &Actor, id: ConnectorId) -> Result<Option<ConnectorInfo>> {
        Ok(self.by_ids(actor, &[id]).await?.remove(&id))
    }

    /// The latest version of a slug.
    pub async fn find_by_slug(&self, actor: &Actor, slug: &str) -> Result<Option<ConnectorInfo>> {
        actor.reads(Resource::Connectors)?;
        if !input::is_slug(slug) {
            return Ok(None);
        }
        store::latest(self.0.db.reader(), slug)
            .await?
            .map(|row| self.info(row))
            .transpose()
    }

    /// These versions.
    pub async fn by_ids(
        &self,
        actor: &Actor,
        ids: &[ConnectorId],
    ) -> Result<HashMap<ConnectorId, ConnectorInfo>> {
        actor.reads(Resource::Connectors)?;
        let rows = store::by_ids(self.0.db.reader(), ids).await?;
        rows.into_iter()
            .map(|row| Ok((row.id, self.info(row)?)))
            .collect()
    }

    /// A page of the latest versions, by slug.
    pub async fn list(
        &self,
        actor: &Actor,
        search: Option<&str>,
        page: &PageRequest,
    ) -> Result<Paged<ConnectorInfo>> {
        actor.reads(Resource::Connectors)?;
        let window = page.window(TAG)?;
        let rows = store::page(self.0.db.reader(), search, &window).await?;
        let connectors: Result<Vec<ConnectorInfo>> = rows.into_iter().map(|row| self.info(row)).collect();
        Ok(window.page(TAG, connectors?, |connector| connector.slug.clone()))
    }

    /// How many match.
    pub async fn count(&self, actor: &Actor, search: Option<&str>) -> Result<u64> {
        actor.reads(Resource::Connectors)?;
        Ok(store::count(self.0.db.reader(), search).await?)
    }
}

impl From<&connectors::StreamDescription> for ConnectorStream {
    fn from(stream: &connectors::StreamDescription) -> Self {
        Self {
            name: stream.name.clone(),
            primary_key: stream.primary_key.iter().map(|path| path.join(".")).collect(),
            supports_incremental: stream.supports_incremental,
            cursor_field: stream.cursor_field.clone(),
            json_schema: stream.json_schema.clone(),
        }
    }
}

/// A manifest's name as a slug: small letters, and one hyphen for whatever lies between letters and digits.
fn slug_of(name: &str) -> Option<String> {
    let lower = name.to_ascii_lowercase();
    let parts = lower
        .split(|character: char| !character.is_ascii_alphanumeric())
        .filter(|part| !part.is_empty());
    let slug = parts.collect::<Vec<_>>().join("-");
    Some(slug).filter(|slug| !slug.is_empty())
}

fn next_version(latest: &str) -> String {
    latest
        .parse::<u64>()
        .map_or_else(|_| "1".to_owned(), |number| (number + 1).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_s_name_becomes_a_slug() {
        assert_eq!(
            slug_of("source-JSONPlaceholder"),
            Some("source-jsonplaceholder".to_owned())
        );
        assert_eq!(slug_of(" My  API, v2 "), Some("my-api-v2".to_owned()));
        assert_eq!(slug_of("…"), None);
    }

    #[test]
    fn versions_count_up_as_numbers() {
        assert_eq!(next_version("9"), "10");
    }
}
