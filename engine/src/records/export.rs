//! A stream as a whole, for whoever keeps a copy of it.
//!
//! An export is a listing of changes with an end: it gives what changed after the reader's cursor and not after the
//! change that was the integration's last when it *began*. So it ends also while syncs go on, and how far it goes is
//! known before its first record ([`RecordExport::cursor`]). A record that changes meanwhile leaves the range, in which
//! it was not read yet, and is among what the next export gives from there: nothing is missed, and what is read twice
//! was changed in between.
//!
//! It reads pages by key and holds nothing open between two of them. A reader of millions of records may be slow for
//! hours; one statement that streamed to it would keep a connection from everybody else, SQLite's log from being
//! brought home and PostgreSQL from cleaning up behind it.

use std::num::NonZeroU64;

use super::model::ChangeKind;
use super::service::{Records, change_cursor, change_of};
use crate::Engine;
use crate::access::{Actor, Resource, Scope};
use crate::error::{Error, Result};
use crate::ids::{IntegrationId, RecordId};
use crate::store::{integrations, records_read as store, stored_json};

/// How many bytes of records a page aims at; it is what an export holds in memory.
const PAGE_BYTES: usize = 2 * 1024 * 1024;
/// The first page's records, before anything is known of their size.
const FIRST_PAGE: u64 = 100;
const LARGEST_PAGE: u64 = 2_000;

/// What to export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportRequest {
    /// The integration.
    pub integration_id: IntegrationId,
    /// The stream.
    pub stream: String,
    /// A cursor of an earlier export or listing: only what changed since. Everything where none.
    pub changed_after: Option<String>,
    /// Whether to give records that are marked as deleted.
    pub include_deleted: bool,
}

/// A record as it is exported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportedRecord {
    /// Its id.
    pub id: RecordId,
    /// The primary key's value as text; of a composite one, a JSON array of its parts.
    pub key: String,
    /// The source's JSON, to the last digit.
    pub data: String,
    /// What its last change was.
    pub change: ChangeKind,
    /// When that was.
    pub changed_at: chrono::DateTime<chrono::Utc>,
    /// When it first came.
    pub first_seen_at: chrono::DateTime<chrono::Utc>,
    /// When it was marked as deleted.
    pub deleted_at: Option<chrono::DateTime<chrono::Utc>>,
    /// From here an export goes on that broke off.
    pub cursor: String,
}

/// An export under way.
#[derive(Debug)]
pub struct RecordExport {
    engine: Engine,
    scope: Scope,
    request: ExportRequest,
    fields: Vec<String>,
    /// The stream's row; none before its first sync.
    stream: Option<i64>,
    after: i64,
    until: i64,
    page: u64,
}

impl Records<'_> {
    /// Begins an export; none where there is no such stream that the actor may see. A stream that was never read is
    /// there, and empty.
    pub async fn export(&self, actor: &Actor, request: ExportRequest) -> Result<Option<RecordExport>> {
        let scope = actor.reads(Resource::Records)?;
        let after = request.changed_after.as_deref().map(change_of).transpose()?;
        let reader = self.0.db.reader();
        let Some(integration) = integrations::find(reader, scope, request.integration_id).await? else {
            return Ok(None);
        };
        let names = [request.stream.as_str()];
        let found = store::streams(reader, scope, [request.integration_id], names).await?;
        let place = found.into_values().next();
        let listed: Vec<String> = stored_json::read(integration.streams)?;
        if place.is_none() && !listed.contains(&request.stream) {
            return Ok(None);
        }
        let plan = self.0.connectors.plan(reader, integration.connector_id).await?;
        let declared = plan.streams().iter().find(|stream| stream.name == request.stream);
        let properties = declared.and_then(|stream| stream.json_schema.get("properties")?.as_object());
        Ok(Some(RecordExport {
            engine: self.0.clone(),
            scope,
            fields: properties.map_or_else(Vec::new, |fields| fields.keys().cloned().collect()),
            stream: place.map(|place| place.stream),
            after: after.unwrap_or(0),
            until: place.map_or(integration.change_counter, |place| place.counter),
            page: FIRST_PAGE,
            request,
        }))
    }
}

impl RecordExport {
    /// From where the next export goes on, once this one is read to its end.
    #[must_use]
    pub fn cursor(&self) -> String {
        change_cursor(self.until.max(self.after))
    }

    /// The outermost fields that the connector's schema declares, in its order.
    #[must_use]
    pub fn fields(&self) -> &[String] {
        &self.fields
    }

    /// The next records, in the order of their changes; none at the end.
    ///
    /// # Errors
    /// When the database is away, and when the integration is gone: then what was read is not all that there was.
    pub async fn next(&mut self) -> Result<Option<Vec<ExportedRecord>>> {
        let reader = self.engine.db.reader();
        let mut rows = Vec::new();
        if let Some(stream) = self.stream
            && self.after < self.until
        {
            let range = (self.after, self.until);
            rows = store::changes(reader, stream, self.request.include_deleted, range, self.page).await?;
        }
        // After the read: an integration that is deleted loses its records in the background.
        let there = integrations::find(reader, self.scope, self.request.integration_id).await?;
        if there.is_none() {
            return Err(Error::Unavailable(
                "the integration was deleted while it was exported".into(),
            ));
        }
        let Some(last) = rows.last() else {
            return Ok(None);
        };
        self.after = last.change_number;
        let bytes: usize = rows.iter().map(|row| row.data.len() + row.key.len()).sum();
        self.page = next_page(rows.len(), bytes);
        let records = rows.into_iter().map(|row| {
            let change = ChangeKind::from_code(row.change);
            Ok(ExportedRecord {
                id: RecordId {
                    first_seen_micros: row.first_seen_at.micros(),
                    row: row.id,
                },
                cursor: change_cursor(row.change_number),
                key: row.key,
                data: row.data,
                change: change
                    .ok_or_else(|| Error::internal(format!("record {} has change {}", row.id, row.change)))?,
                changed_at: row.changed_at.into(),
                first_seen_at: row.first_seen_at.into(),
                deleted_at: row.deleted_at.map(Into::into),
            })
        });
        records.collect::<Result<_>>().map(Some)
    }
}

/// How many records the next page may have, after one of so many of so many bytes. It grows slowly and shrinks at once.
fn next_page(records: usize, bytes: usize) -> u64 {
    let records = records as u64;
    let each = NonZeroU64::new(bytes as u64 / records.max(1)).unwrap_or(NonZeroU64::MIN);
    let fit = PAGE_BYTES as u64 / each;
    fit.min(records.saturating_mul(4)).clamp(1, LARGEST_PAGE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_bounded_by_its_bytes() {
        assert_eq!(next_page(100, 100 * 500), 400);
        assert_eq!(next_page(2_000, 2_000 * 500), LARGEST_PAGE);
        assert_eq!(
            next_page(400, 400 * 1024 * 1024),
            2,
            "of records of a megabyte two"
        );
        assert_eq!(next_page(2, 2 * 50 * 1024 * 1024), 1);
        assert_eq!(next_page(1, 10), 4);
    }
}
