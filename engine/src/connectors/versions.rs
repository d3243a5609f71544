//! The versions of a connector, and what one changes against another.
//!
//! Nothing of a comparison is stored: both manifests are, and what is worth saying about them may become more with a
//! release. It is said where somebody can still act on it: when a version is installed, before an integration is moved
//! to it, and when it is moved.

use std::collections::HashMap;

use connectors::schema::compare;
pub use connectors::schema::{ChangeKind, StreamChange};
use entity::connector::Model;
use serde_json::{Value, json};

use super::Connectors;
use super::model::ConnectorInfo;
use crate::access::{Actor, Resource};
use crate::error::Result;
use crate::ids::ConnectorId;
use crate::page::{PageRequest, Paged};
use crate::store::connectors as store;
use crate::{Engine, input};

const TAG: &str = "connector versions";
/// Changes that an event names; the comparison has them all.
const NAMED: usize = 20;

/// Two versions of a connector.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// The version that is there.
    pub from: ConnectorInfo,
    /// The version that would be.
    pub to: ConnectorInfo,
    /// What it changes.
    pub changes: Vec<StreamChange>,
}

impl Connectors<'_> {
    /// A page of a connector's versions, newest first.
    pub async fn versions(
        &self,
        actor: &Actor,
        slug: &str,
        page: &PageRequest,
    ) -> Result<Paged<ConnectorInfo>> {
        actor.reads(Resource::Connectors)?;
        let window = page.window(TAG)?;
        let rows = store::versions(self.0.db.reader(), slug, &window).await?;
        let versions: Result<Vec<ConnectorInfo>> = rows.into_iter().map(|row| self.info(row)).collect();
        Ok(window.page(TAG, versions?, |version| version.id))
    }

    /// How many versions a connector has.
    pub async fn count_versions(&self, actor: &Actor, slug: &str) -> Result<u64> {
        actor.reads(Resource::Connectors)?;
        Ok(store::count_versions(self.0.db.reader(), slug).await?)
    }

    /// What version `to` changes against version `from`, the latest one where none is named; nothing when one of them
    /// does not exist.
    pub async fn compare(
        &self,
        actor: &Actor,
        slug: &str,
        from: &str,
        to: Option<&str>,
    ) -> Result<Option<Comparison>> {
        actor.reads(Resource::Connectors)?;
        if !input::is_slug(slug) {
            return Ok(None);
        }
        let reader = self.0.db.reader();
        let from = store::version(reader, slug, from).await?;
        let to = match to {
            Some(to) => store::version(reader, slug, to).await?,
            None => store::latest(reader, slug).await?,
        };
        let (Some(from), Some(to)) = (from, to) else {
            return Ok(None);
        };
        let changes = changes(self.0, &from, &to)?;
        Ok(Some(Comparison {
            from: self.info(from)?,
            to: self.info(to)?,
            changes,
        }))
    }

    /// What each of these versions changes against the one before it. A first version changes nothing.
    pub async fn changes_of(
        &self,
        actor: &Actor,
        ids: &[ConnectorId],
    ) -> Result<HashMap<ConnectorId, Vec<StreamChange>>> {
        actor.reads(Resource::Connectors)?;
        let reader = self.0.db.reader();
        let rows = store::by_ids(reader, ids).await?;
        let before = store::before(reader, &rows).await?;
        rows.iter()
            .map(|row| {
                let old = store::previous(row).and_then(|version| {
                    before
                        .iter()
                        .find(|old| old.slug == row.slug && old.version == version)
                });
                // A version that this program cannot read any more has nothing to be compared with.
                let changes = old.and_then(|old| changes(self.0, old, row).ok());
                Ok((row.id, changes.unwrap_or_default()))
            })
            .collect()
    }
}

/// What the new version changes.
pub(super) fn changes(engine: &Engine, from: &Model, to: &Model) -> Result<Vec<StreamChange>> {
    let old = engine.connectors.compile(from.id, &from.manifest)?;
    let new = engine.connectors.compile(to.id, &to.manifest)?;
    Ok(compare(old.streams(), new.streams()))
}

/// The breaking ones among the changes, as an event tells them.
pub(crate) fn breaking(changes: &[StreamChange]) -> Value {
    let breaking = changes.iter().filter(|change| change.kind.is_breaking());
    breaking
        .take(NAMED)
        .map(|change| json!({ "stream": change.stream, "field": change.field, "message": change.message }))
        .collect()
}
