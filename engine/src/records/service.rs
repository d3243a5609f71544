use std::collections::HashMap;

use entity::record::Model;
use entity::stream_state;
use sea_orm::Select;
use serde::{Deserialize, Serialize};

use super::model::{ChangeKind, Record};
use crate::Engine;
use crate::access::{Actor, Resource};
use crate::error::{Error, Result};
use crate::ids::{IntegrationId, RecordId};
use crate::page::{Listing, PageRequest, Paged, Window, read_cursor, write_cursor};
use crate::store::batch;
use crate::store::records_read::{self as store, Place};

const BY_KEY: &str = "records by key";
/// Keys that are asked for together.
const MOST_KEYS: usize = 100;
const BY_CHANGE: &str = "records by change";

/// What can be done with records.
#[derive(Debug)]
pub struct Records<'a>(pub(super) &'a Engine);

impl Engine {
    /// What can be done with records.
    #[must_use]
    pub fn records(&self) -> Records<'_> {
        Records(self)
    }
}

/// Which records.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
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
    /// Only those with one of these keys.
    pub keys: Option<Vec<String>>,
}

/// A place in a listing by key: the key, and the change counter when the listing began.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct KeyPlace(pub(crate) String, pub(crate) i64);

impl Records<'_> {
    /// Pages of streams' records, one for each listing. A stream that the integration does not have is empty.
    pub async fn lists(
        &self,
        actor: &Actor,
        listings: &[Listing<RecordList>],
    ) -> Result<Vec<Result<Paged<Record>>>> {
        let reader = self.0.db.reader();
        let integrations = listings.iter().map(|listing| listing.of.integration_id);
        let names = listings.iter().map(|listing| listing.of.stream.as_str());
        let streams = store::streams(reader, actor.reads(Resource::Records)?, integrations, names).await?;
        // Cursors are read first: a bad one is told even where there is nothing to list.
        let looks: Vec<Result<(Order, Option<Place>)>> = listings
            .iter()
            .map(|Listing { of, page }| {
                let stream = streams.get(&(of.integration_id, of.stream.clone()));
                Ok((Order::of(of, page)?, stream.copied()))
            })
            .collect();
        let asked = listings.iter().zip(&looks);
        let queries = asked.filter_map(|(listing, look)| match look {
            Ok((order, Some(place))) => Some(order.query(place.stream, &listing.of)),
            _ => None,
        });
        let mut answers = batch::rows(reader, queries.collect()).await?.into_iter();
        let page = |(listing, look): (&Listing<RecordList>, Result<(Order, Option<Place>)>)| match look? {
            (_, None) => Ok(Paged::empty()),
            (order, Some(place)) => order
                .page(answers.next().unwrap_or_default(), place.counter)
                .try_map(|row| record(row, listing.of.integration_id, &listing.of.stream)),
        };
        Ok(listings.iter().zip(looks).map(page).collect())
    }

    /// The names of an integration's streams of which there may be records, also of those that it does not read any more.
    pub async fn streams(&self, actor: &Actor, integration: IntegrationId) -> Result<Vec<String>> {
        let scope = actor.reads(Resource::Records)?;
        Ok(store::names(self.0.db.reader(), scope, integration).await?)
    }

    /// One record.
    pub async fn find(&self, actor: &Actor, id: RecordId) -> Result<Option<Record>> {
        Ok(self.by_ids(actor, &[id]).await?.remove(&id))
    }

    /// These records, as far as the actor may see them.
    pub async fn by_ids(&self, actor: &Actor, ids: &[RecordId]) -> Result<HashMap<RecordId, Record>> {
        let rows = store::by_ids(self.0.db.reader(), actor.reads(Resource::Records)?, ids).await?;
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

/// The two orders of a listing, with what is asked for in it.
enum Order {
    ByKey(Window<KeyPlace>),
    ByChange(i64, Window<i64>),
}

impl Order {
    fn of(list: &RecordList, page: &PageRequest) -> Result<Self> {
        if list.keys.as_ref().is_some_and(|keys| keys.len() > MOST_KEYS) {
            return Err(Error::BadInput(format!("keys has at most {MOST_KEYS} keys.")));
        }
        Ok(match &list.changed_after {
            None => Self::ByKey(page.window(BY_KEY)?),
            Some(since) => Self::ByChange(change_of(since)?, page.window(BY_CHANGE)?),
        })
    }

    fn query(&self, stream: i64, list: &RecordList) -> Select<entity::record::Entity> {
        let records = store::of_stream(stream, list.include_deleted, list.keys.as_deref());
        match self {
            Self::ByKey(window) => store::by_key(records, window),
            Self::ByChange(since, window) => store::by_change(records, *since, window),
        }
    }

    fn page(&self, rows: Vec<Model>, counter: i64) -> Paged<Model> {
        match self {
            Self::ByKey(window) => {
                let before = window.after.as_ref().or(window.before.as_ref());
                let began = before.map_or(counter, |place| place.1);
                window.page(BY_KEY, rows, |row| KeyPlace(row.key.clone(), began))
            }
            Self::ByChange(_, window) => window.page(BY_CHANGE, rows, |row| row.change_number),
        }
    }
}

/// The cursor of a change.
pub(super) fn change_cursor(number: i64) -> String {
    write_cursor(BY_CHANGE, &number)
}

/// The change number from which a reader has not read.
pub(super) fn change_of(since: &str) -> Result<i64> {
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
