//! Requests whose answers are looked at and not passed on: what dynamic streams, schemas and query properties are
//! made from.
//!
//! They run to completion before the stream that needs them asks for anything, so they have no checkpoint: a read
//! that is cut off asks again.
//!
//! They are asked for in the middle of reading another page, which may ask again. Their futures are therefore erased here:
//! a type that holds itself in many layers takes the compiler to its limits.

use std::sync::Arc;

use futures::future::BoxFuture;
use serde_json::Value;

use super::book::Book;
use super::cutting::Cut;
use super::page::Mapped;
use super::slice::Slice;
use super::stop::{Site, Stop};
use super::stream::StreamReader;
use super::walk::{Planned, Walk};
use super::{ErrorKind, ReadError};
use crate::http::session::Session;
use crate::manifest::components::StreamPlan;

/// Whether more records are wanted.
pub(super) type More = bool;

/// Shows each record with its slice, until the visitor has seen enough.
pub(super) fn records<'a>(
    session: &'a Arc<Session>,
    plan: &'a Arc<StreamPlan>,
    visit: &'a mut (dyn FnMut(&Slice, Value) -> Result<More, ReadError> + Send + 'a),
) -> BoxFuture<'a, Result<(), ReadError>> {
    Box::pin(async move {
        let reader = StreamReader::new(session, plan, session.context.clock.now())?;
        let mut book = Book::open(&reader, None)?;
        let mut walk = Walk::new(&reader, None);
        while let Some(Planned { mut stop, .. }) = walk.next(&mut book).await? {
            while !stop.is_done() {
                if !page(&reader, &mut stop, visit).await? {
                    return Ok(());
                }
            }
        }
        walk.clear_jobs().await
    })
}

/// Shows each record of one slice, which nobody planned, until the visitor has seen enough.
pub(super) fn slice<'a>(
    reader: &'a Arc<StreamReader>,
    slice: Slice,
    visit: &'a mut (dyn FnMut(&Slice, Value) -> Result<More, ReadError> + Send + 'a),
) -> BoxFuture<'a, Result<(), ReadError>> {
    Box::pin(async move {
        let mut stop = Stop::new(reader, None, Site::alone(slice));
        while !stop.is_done() {
            if !page(reader, &mut stop, visit).await? {
                return Ok(());
            }
        }
        Ok(())
    })
}

async fn page(
    reader: &StreamReader,
    stop: &mut Stop,
    visit: &mut (dyn FnMut(&Slice, Value) -> Result<More, ReadError> + Send),
) -> Result<More, ReadError> {
    if reader.session.context.cancel.is_cancelled() {
        return Err(ReadError::cancelled());
    }
    let (request, mut arrival) = reader.arrive(stop).await?;
    let extracted = loop {
        match arrival.cut(reader).await? {
            Cut::Last(extracted) => break extracted,
            Cut::Batch(extracted, _) => {
                let mapped = reader.map(&request, extracted)?;
                if !show(&request.slice, &mapped, visit)? {
                    return Ok(false);
                }
            }
            Cut::Changed => {
                return Err(ReadError::new(
                    ErrorKind::Upstream,
                    "CHANGED",
                    "The upstream's answer changed while it was read.",
                )
                .retryable());
            }
        }
    };
    let (next, digest) = reader.begin_digest(stop, &request, &arrival, extracted)?;
    let mapped = digest.finish(reader, &request)?;
    stop.turn(next)?;
    show(&request.slice, &mapped, visit)
}

fn show(
    slice: &Slice,
    mapped: &Mapped,
    visit: &mut (dyn FnMut(&Slice, Value) -> Result<More, ReadError> + Send),
) -> Result<More, ReadError> {
    if let Some(rejected) = mapped.rejected.first() {
        return Err(ReadError::template(rejected.message.clone()));
    }
    for record in &mapped.records {
        if !visit(slice, record.to_value())? {
            return Ok(false);
        }
    }
    Ok(true)
}
