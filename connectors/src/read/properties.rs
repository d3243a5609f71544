//! Query properties: which fields a page is asked for with, and records that are put together from several requests.
//!
//! An upstream that answers with no more than so many fields at once is asked once for each chunk of them. The page is what all
//! of these answers give together; its successor is found from the last one.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Map, Value};
use tokio::sync::OnceCell;

use super::cutting::Arrival;
use super::page::{Extracted, Mapped, PageRequest};
use super::slice::Slice;
use super::stream::StreamReader;
use super::{ReadError, lookup};
use crate::http::session::{display, is_truthy};
use crate::manifest::components::{PropertyChunking, PropertyLimit, PropertyList, QueryProperties};
use crate::record::Record;

/// The chunks of a stream's fields, found once for a read.
#[derive(Default)]
pub(super) struct Chunks(OnceCell<Arc<[Vec<String>]>>);

/// A chunk's records, and the slice that they were asked for with.
pub(super) type Share = (Arc<Slice>, Vec<Record>);

impl StreamReader {
    /// Asks for the page once for each chunk.
    pub(super) async fn ask_in_chunks(
        &self,
        properties: &QueryProperties,
        request: &PageRequest,
    ) -> Result<Arrival, ReadError> {
        let chunks = self
            .chunks
            .0
            .get_or_try_init(|| self.find_chunks(properties))
            .await?;
        let mut answers = Vec::with_capacity(chunks.len());
        for chunk in chunks.iter() {
            let listed = Value::Array(chunk.iter().cloned().map(Value::String).collect());
            let more = Map::from_iter([("query_properties".to_owned(), listed)]);
            let request = PageRequest {
                slice: Arc::new(request.slice.carrying_only(more)),
                ..request.clone()
            };
            let names = [("stream_slice", request.slice.variable())];
            let parameter = properties
                .parameter
                .as_ref()
                .map(|name| (name.as_str(), chunk.join(",")));
            let answer = self.ask_whole(&request, &names, parameter, None).await?;
            answers.push((Arc::clone(&request.slice), answer));
        }
        Ok(Arrival::chunked(answers))
    }

    async fn find_chunks(&self, properties: &QueryProperties) -> Result<Arc<[Vec<String>]>, ReadError> {
        let listed = match &properties.list {
            PropertyList::Fixed(listed) => listed.clone(),
            PropertyList::Endpoint { plan, field_path } => {
                let path = field_path
                    .iter()
                    .map(|part| self.session.text(part, &[]))
                    .collect::<Result<Vec<_>, _>>()?;
                let mut listed = Vec::new();
                let limit = self.session.context.limits.max_body_bytes;
                let mut bytes = 0;
                let mut visit = |_: &Slice, record: Value| {
                    let found = path.iter().try_fold(&record, |value, part| value.get(part));
                    if let Some(found) = found {
                        let name = display(found);
                        bytes += name.len();
                        listed.push(name);
                    }
                    if bytes > limit {
                        return Err(ReadError::config(
                            "The endpoint of the query properties names too many.",
                        ));
                    }
                    Ok(true)
                };
                lookup::records(&self.session, plan, &mut visit).await?;
                listed
            }
        };
        let wanted = self.wanted(properties)?;
        let is_wanted = |name: &String| wanted.as_ref().is_none_or(|wanted| wanted.contains_key(name));
        Ok(match &properties.chunking {
            Some(chunking) => cut(listed, &properties.always, chunking, &is_wanted),
            None => {
                let mut all = properties.always.clone();
                all.extend(listed.into_iter().filter(is_wanted));
                vec![all]
            }
        }
        .into())
    }

    /// The fields that the catalog of this read selects; none: it selects nothing, and all are asked for.
    fn wanted(&self, properties: &QueryProperties) -> Result<Option<Map<String, Value>>, ReadError> {
        let Some(transformations) = &properties.selector else {
            return Ok(None);
        };
        let Some(selected) = self
            .session
            .selection(&self.plan.name)
            .and_then(|selection| selection.properties.clone())
        else {
            return Ok(None);
        };
        let mut selected = Value::Object(selected);
        for transformation in transformations {
            self.apply(&PageRequest::of_nothing(), transformation, &mut selected)?;
        }
        Ok(Some(match selected {
            Value::Object(fields) => fields,
            _ => Map::new(),
        }))
    }

    /// Maps the records of each chunk, and puts those together that are one.
    pub(super) fn map_shares(
        &self,
        properties: &QueryProperties,
        request: &PageRequest,
        shares: Vec<Share>,
    ) -> Result<Mapped, ReadError> {
        let mut whole = Mapped::default();
        let mut merged: Vec<Map<String, Value>> = Vec::new();
        let mut places: HashMap<String, usize> = HashMap::new();
        for (slice, records) in shares {
            let request = PageRequest {
                slice,
                ..request.clone()
            };
            let extracted = Extracted {
                records,
                ..Extracted::default()
            };
            let mut mapped = self.map_unfed(&request, extracted)?;
            whole.rejected.append(&mut mapped.rejected);
            let Some(chunking) = &properties.chunking else {
                whole.records.append(&mut mapped.records);
                continue;
            };
            for record in mapped.records {
                match (key(chunking, &record), record.to_value()) {
                    (Some(key), Value::Object(fields)) => {
                        let place = *places.entry(key).or_insert_with(|| {
                            merged.push(Map::new());
                            merged.len() - 1
                        });
                        merge(&mut merged[place], fields);
                    }
                    // What has no key is a record nonetheless.
                    _ => whole.records.push(record),
                }
            }
        }
        let merged = merged
            .into_iter()
            .map(|fields| Record::from_value(&Value::Object(fields)));
        whole.records.extend(merged);
        Ok(self.fed(request, whole))
    }
}

/// Chunks of as many fields, or characters, as one request may have. The fields that are always asked for do not count.
fn cut(
    listed: Vec<String>,
    always: &[String],
    chunking: &PropertyChunking,
    is_wanted: &dyn Fn(&String) -> bool,
) -> Vec<Vec<String>> {
    let Some(limit) = chunking.limit.filter(|limit| *limit > 0) else {
        let mut all = listed;
        all.extend_from_slice(always);
        return vec![all];
    };
    let mut chunks = vec![always.to_vec()];
    let mut size = 0;
    for name in listed.into_iter().filter(is_wanted) {
        let own = match chunking.measured_by {
            // The comma between two takes three characters in an address.
            PropertyLimit::Characters => name.chars().count() + 3,
            PropertyLimit::Count => 1,
        };
        if size + own > limit {
            chunks.push(always.to_vec());
            size = 0;
        }
        size += own;
        if let Some(chunk) = chunks.last_mut() {
            chunk.push(name);
        }
    }
    chunks
}

/// What is the same in all the answers about one record.
fn key(chunking: &PropertyChunking, record: &Record) -> Option<String> {
    let mut values = Vec::with_capacity(chunking.key.len());
    for name in &chunking.key {
        let raw = crate::record::get(record, &[name])?;
        let value: Value = serde_json::from_str(raw).ok().filter(is_truthy)?;
        values.push(display(&value));
    }
    Some(values.join(","))
}

fn merge(target: &mut Map<String, Value>, source: Map<String, Value>) {
    for (name, value) in source {
        match (target.get_mut(&name), value) {
            (Some(Value::Object(into)), Value::Object(from)) => merge(into, from),
            (_, value) => {
                target.insert(name, value);
            }
        }
    }
}
