use std::collections::HashMap;

use entity::record::Model;
use entity::stream_state;
use serde::{Deserialize, Serialize};

use super::model::{ChangeKind, Record};
use crate::Engine;
use crate::access::Actor;
use crate::error::{Error, Result};
use crate::ids::{IntegrationId, RecordId};
use crate::page::{PageRequest, Paged, Window, read_cursor};
use crate::store::records_read as store;

const BY_KEY: &str = "records by key";
const BY_CHANGE: &str = "records by change";

/// What can be done with records.
#[derive(Debug)]
pub struct Records<'a>(&'a Engine);

impl Engine {
    /// What can be done with records.
    #[must_use]
    pub fn records(&self) -> Records<'_> {
        Records(self)
    }
}

/// Which records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordList {
    /// The integration.
    pub integration_id: IntegrationId,
    /// The stream.
    pub stream: String,
    /// A cursor of an earlier listing: only what changed since, in the order of the changes. Empty or `0`:
    /// every record, in that order.
    pub changed_after: Option<String>,
    /// Whether to give records that are marked as deleted.
    pub include_deleted: bool,
}

/// A place in a listing by key: the key, and the change counter when the listing began.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct KeyPlace(String, i64);

impl Records<'_> {
    /// A page of a stream's records. A stream that the integration does not have is empty.
    pub async fn list(&self, actor: &Actor, list: &RecordList, page: &PageRequest) -> Result<Paged<Record>> {
        let reader = self.0.db.reader();
        // Cursors are read first: a bad one is told even where there is nothing to list.
        let places = match &list.changed_after {
            None => Places::ByKey(page.window(BY_KEY)?),
            Some(since) => Places::ByChange(change_of(since)?, page.window(BY_CHANGE)?),
        };
        let found = store::stream(reader, actor.scope(), list.integration_id, &list.stream).await?;
        let Some((stream, counter)) = found else {
            return Ok(Paged::empty());
        };
        let record = |row| record(row, list.integration_id, &list.stream);
        match places {
            Places::ByKey(window) => {
                let began = window
                    .after
                    .as_ref()
                    .or(window.before.as_ref())
                    .map_or(counter, |place| place.1);
                let keys = Window {
                    count: window.count,
                    backward: window.backward,
                    after: window.after.as_ref().map(|place| place.0.clone()),
                    before: window.before.as_ref().map(|place| place.0.clone()),
                };
                let rows = store::by_key(reader, stream, list.include_deleted, &keys).await?;
                let records: Result<Vec<Record>> = rows.into_iter().map(record).collect();
                Ok(window.page(BY_KEY, records?, |record| KeyPlace(record.key.clone(), began)))
            }
            Places::ByChange(since, window) => {
                let rows = store::by_change(reader, stream, list.include_deleted, since, &window).await?;
                let numbers: HashMap<i64, i64> = rows.iter().map(|row| (row.id, row.change_number)).collect();
                let records: Result<Vec<Record>> = rows.into_iter().map(record).collect();
                Ok(window.page(BY_CHANGE, records?, |record| {
                    numbers.get(&record.id.row).copied().unwrap_or(since)
                }))
            }
        }
    }

    /// One record.
    pub async fn find(&self, actor: &Actor, id: RecordId) -> Result<Option<Record>> {
        Ok(self.by_ids(actor, &[id]).await?.remove(&id))
    }

    /// These records, as far as the actor may see them.
    pub async fn by_ids(&self, actor: &Actor, ids: &[RecordId]) -> Result<HashMap<RecordId, Record>> {
        let rows = store::by_ids(self.0.db.reader(), actor.scope(), ids).await?;
        let found = rows.into_iter().map(
            |(
                row,
                stream_state::Model {
                    integration_id,
                    stream,
                    ..
                },
            )| { record(row, integration_id, &stream).map(|record| (record.id, record)) },
        );
        found.collect()
    }
}

enum Places {
    ByKey(Window<KeyPlace>),
    ByChange(i64, Window<i64>),
}

/// The change number from which a reader has not read.
fn change_of(since: &str) -> Result<i64> {
    if matches!(since, "" | "0") {
        return Ok(0);
    }
    let by_change = read_cursor::<i64>(BY_CHANGE, since);
    by_change.or_else(|_| read_cursor::<KeyPlace>(BY_KEY, since).map(|place| place.1))
}

fn record(row: Model, integration_id: IntegrationId, stream: &str) -> Result<Record> {
    let change = ChangeKind::from_code(row.change);
    Ok(Record {
        id: RecordId {
            first_seen_micros: row.first_seen_at.micros(),
            row: row.id,
        },
        integration_id,
        stream: stream.to_owned(),
        key: row.key,
        data: serde_json::from_str(&row.data).map_err(Error::internal)?,
        change: change
            .ok_or_else(|| Error::internal(format!("record {} has change {}", row.id, row.change)))?,
        changed_at: row.changed_at.into(),
        first_seen_at: row.first_seen_at.into(),
        deleted_at: row.deleted_at.map(Into::into),
    })
}
