//! Partitions from the records of parent streams.
//!
//! Parents are read page by page, and a page's partitions are all that is held of them. The position of a
//! partition is that of the parent's page plus its key in it: after a crash the page is asked for again and the
//! partition is looked up by its key, so that rows that came or went meanwhile shift nothing. If the key is
//! gone, the page's partitions are read from the first: some twice, none not at all.

use std::sync::Arc;

use futures::future::BoxFuture;
use serde_json::{Map, Value, json};

use super::ReadError;
use super::book::Book;
use super::cutting::{Arrival, Cut};
use super::page::{Mapped, PageRequest};
use super::routers::{Parent, Router};
use super::slice::Partition;
use super::stop::Stop;
use super::stream::StreamReader;
use super::walk::{Planned, Walk};
use crate::http::session::is_truthy;
use crate::record::{self, Record};

/// The partitions that the records of parents make, one parent after the other.
pub(super) struct Substream {
    router: Arc<Router>,
    child_state: Option<Value>,
    parent: usize,
    open: Option<Box<ParentWalk>>,
    page: Vec<Partition>,
    page_position: Value,
    next: usize,
    states: Map<String, Value>,
    /// Whether first pages are taken from the parents' records: only while the stream has no state, for what a parent holds
    /// is not cut to what is new.
    lazy: bool,
}

/// A parent that is being read.
struct ParentWalk {
    reader: Arc<StreamReader>,
    walk: Walk,
    book: Book,
    /// The slice that is being read.
    stop: Option<Stop>,
    /// An answer of which there is more.
    rest: Option<(PageRequest, Arrival)>,
}

impl Substream {
    pub(super) fn new(router: Arc<Router>, child_state: Option<Value>) -> Self {
        Self {
            router,
            lazy: child_state.as_ref().is_none_or(|state| !is_truthy(state)),
            child_state,
            parent: 0,
            open: None,
            page: Vec::new(),
            page_position: Value::Null,
            next: 0,
            states: Map::new(),
        }
    }

    /// States of the parents that were read to their ends and are read incrementally.
    pub(super) fn parent_states(&self) -> Value {
        Value::Object(self.states.clone())
    }

    fn parents(router: &Router) -> &[Parent] {
        match router {
            Router::Substream { parents } => parents,
            _ => &[],
        }
    }

    pub(super) fn next(&mut self) -> BoxFuture<'_, Result<Option<Partition>, ReadError>> {
        Box::pin(async move {
            loop {
                if let Some(partition) = self.page.get(self.next) {
                    self.next += 1;
                    return Ok(Some(partition.clone()));
                }
                let router = Arc::clone(&self.router);
                let Some(parent) = Self::parents(&router).get(self.parent) else {
                    return Ok(None);
                };
                let open = match &mut self.open {
                    Some(open) => open,
                    None => self
                        .open
                        .insert(Box::new(ParentWalk::open(parent, self.child_state.as_ref())?)),
                };
                match open.next_page(parent, self.lazy).await? {
                    Some((position, partitions)) => {
                        self.page_position = position;
                        self.page = partitions;
                    }
                    None => {
                        if parent.incremental {
                            let state = open.book.final_state(open.walk.cursor());
                            self.states.insert(parent.reader.plan.name.clone(), state);
                        }
                        self.open = None;
                        self.parent += 1;
                        self.page.clear();
                        self.page_position = Value::Null;
                    }
                }
                self.next = 0;
            }
        })
    }

    pub(super) fn position(&self) -> Value {
        let at = self.next.saturating_sub(1);
        let key = self
            .page
            .get(at)
            .map(|partition| Value::Object(partition.fields.clone()));
        json!({
            "parent": self.parent,
            "page": self.page_position,
            "at": at,
            "key": key,
            "states": self.states,
            "lazy": self.lazy,
        })
    }

    pub(super) fn seek<'a>(
        &'a mut self,
        position: &'a Value,
    ) -> BoxFuture<'a, Result<Option<Partition>, ReadError>> {
        Box::pin(async move {
            let router = Arc::clone(&self.router);
            self.parent = position["parent"]
                .as_u64()
                .and_then(|index| usize::try_from(index).ok())
                .unwrap_or(0);
            if let Value::Object(states) = &position["states"] {
                self.states.clone_from(states);
            }
            // The state that a cut read has by now does not change how it goes on.
            self.lazy = position["lazy"].as_bool().unwrap_or(self.lazy);
            let Some(parent) = Self::parents(&router).get(self.parent) else {
                return Ok(None);
            };
            let mut open = ParentWalk::resume(parent, self.child_state.as_ref(), &position["page"]).await?;
            let Some((page_position, partitions)) = open.next_page(parent, self.lazy).await? else {
                self.open = Some(Box::new(open));
                return Ok(None);
            };
            self.open = Some(Box::new(open));
            self.page_position = page_position;
            self.page = partitions;
            let is_it = |partition: &Partition| match &position["key"] {
                Value::Object(key) => partition.fields == *key,
                _ => false,
            };
            let at = position["at"]
                .as_u64()
                .and_then(|at| usize::try_from(at).ok())
                .unwrap_or(0);
            let found = if self.page.get(at).is_some_and(is_it) {
                Some(at)
            } else {
                self.page.iter().position(is_it)
            };
            self.next = found.map_or(0, |found| found + 1);
            Ok(found.and_then(|found| self.page.get(found).cloned()))
        })
    }
}

impl ParentWalk {
    fn open(parent: &Parent, child_state: Option<&Value>) -> Result<Self, ReadError> {
        let state = parent_state(parent, child_state);
        let reader = parent.reader_from(state.as_ref());
        let book = Book::open(reader, state.as_ref())?;
        Ok(Self {
            reader: Arc::clone(reader),
            walk: Walk::new(reader, state.as_ref()),
            book,
            stop: None,
            rest: None,
        })
    }

    async fn resume(
        parent: &Parent,
        child_state: Option<&Value>,
        position: &Value,
    ) -> Result<Self, ReadError> {
        let state = parent_state(parent, child_state);
        let written = &position["book"];
        let begun = position["state"]
            .as_object()
            .map(|_| &position["state"])
            .or(state.as_ref());
        let reader = parent.reader_from(state.as_ref());
        let Some(mut book) = Book::reopen(reader, begun, written)? else {
            return Self::open(parent, child_state);
        };
        let mut walk = Walk::new(reader, state.as_ref());
        walk.resume(&mut book, &position["at"], written).await?;
        Ok(Self {
            reader: Arc::clone(reader),
            walk,
            book,
            stop: None,
            rest: None,
        })
    }

    /// Reads the parent's next page, or the next batch of its rows: its position, and the partitions that its records
    /// make.
    async fn next_page(
        &mut self,
        parent: &Parent,
        lazy: bool,
    ) -> Result<Option<(Value, Vec<Partition>)>, ReadError> {
        let reader = &Arc::clone(&self.reader);
        if self.stop.as_ref().is_none_or(Stop::is_done) {
            let Some(Planned { stop, entered }) = self.walk.next(&mut self.book).await? else {
                return self.end().await.map(|()| None);
            };
            self.book.take(self.walk.cursor(), entered);
            self.stop = Some(stop);
        }
        let Some(stop) = &mut self.stop else {
            return Ok(None);
        };
        let (request, mut arrival) = match self.rest.take() {
            Some(rest) => rest,
            None => reader.arrive(stop).await?,
        };
        let position = position(parent, &self.walk, &self.book, stop);
        let extracted = match arrival.cut(reader).await? {
            Cut::Last(extracted) => extracted,
            Cut::Batch(extracted, given) => {
                let mapped = reader.map(&request, extracted)?;
                self.book.observe(reader, &mapped);
                stop.give(given);
                let partitions = partitions(parent, lazy, &request, &mapped);
                self.rest = Some((request, arrival));
                return Ok(Some((position, partitions)));
            }
            Cut::Changed => {
                // The same page again, from its first row.
                stop.forget_given();
                return Ok(Some((position, Vec::new())));
            }
        };
        let (next, digest) = reader.begin_digest(stop, &request, &arrival, extracted)?;
        let mapped = digest.finish(reader, &request)?;
        self.book.observe(reader, &mapped);
        let turn = stop.turn(next)?;
        if turn.window_ends {
            self.book
                .close(self.walk.cursor(), turn.window.as_ref(), turn.partition_ends)?;
        }
        Ok(Some((position, partitions(parent, lazy, &request, &mapped))))
    }

    async fn end(&mut self) -> Result<(), ReadError> {
        self.walk.clear_jobs().await?;
        let entered = self.walk.take_entered();
        self.book.take(self.walk.cursor(), entered);
        self.book.finish(self.walk.cursor(), self.walk.parent_states(), 0);
        Ok(())
    }
}

fn position(parent: &Parent, walk: &Walk, book: &Book, stop: &Stop) -> Value {
    let mut position = json!({ "at": walk.complete(stop.position()), "book": book.to_json() });
    if parent.incremental && !parent.reader.routers.is_empty() {
        position["state"] = book.state(walk.cursor()).unwrap_or(Value::Null);
    }
    position
}

fn partitions(parent: &Parent, lazy: bool, request: &PageRequest, mapped: &Mapped) -> Vec<Partition> {
    let slice = &request.slice.partition;
    let records = mapped.records.iter();
    records
        .filter_map(|record| partition(parent, lazy, slice, record))
        .collect()
}

/// The partition that a parent's record makes; none without its key.
fn partition(
    parent: &Parent,
    lazy: bool,
    parent_slice: &Map<String, Value>,
    record: &Record,
) -> Option<Partition> {
    let value = |path: &[String]| serde_json::from_str::<Value>(record::get(record, path)?).ok();
    let key = value(&parent.key).filter(|key| !key.is_null())?;
    let mut fields = Map::new();
    fields.insert(parent.field.clone(), key);
    fields.insert("parent_slice".to_owned(), Value::Object(parent_slice.clone()));
    let extra = parent
        .extra
        .iter()
        .map(|path| (path.join("."), value(path).unwrap_or(Value::Null)))
        .collect();
    let pointer = parent.pointer.as_ref().filter(|_| lazy);
    let page = pointer.map(|pointer| record::get(record, pointer).unwrap_or("[]").into());
    Some(Partition { fields, extra, page })
}

/// The state that a parent begins with, kept in its child's: under its own name, else the child's global
/// value, else a single plain value.
fn parent_state(parent: &Parent, child_state: Option<&Value>) -> Option<Value> {
    if !parent.incremental {
        return None;
    }
    let child = child_state?.as_object()?;
    if let Some(own) = child
        .get("parent_state")
        .and_then(|parents| parents.get(&parent.reader.plan.name))
    {
        return Some(own.clone());
    }
    if let Some(global) = child.get("state") {
        return Some(global.clone());
    }
    let (Some(field), 1) = (parent.reader.cursor_field(), child.len()) else {
        return None;
    };
    let only = child
        .values()
        .next()
        .filter(|value| value.is_string() || value.is_number())?;
    Some(json!({ field: only }))
}
