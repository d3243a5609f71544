//! Trying a configuration out: at most one record of each stream that the manifest names.

use std::sync::Arc;

use super::book::Book;
use super::cutting::Cut;
use super::stream::StreamReader;
use super::walk::{Planned, Walk};
use super::{ErrorKind, ReadError};
use crate::http::session::Session;
use crate::manifest::components::StreamPlan;

/// Reads the stream's first window until a record comes.
pub(crate) async fn try_stream(session: &Arc<Session>, plan: &Arc<StreamPlan>) -> Result<(), ReadError> {
    let reader = StreamReader::new(session, plan, session.context.clock.now())?;
    let mut book = Book::open(&reader, None)?;
    let mut walk = Walk::new(&reader, None);
    let Some(Planned { mut stop, .. }) = walk.next(&mut book).await? else {
        let message = format!(
            "The stream {} has nothing to try: its parent has no records.",
            plan.name
        );
        return Err(ReadError::new(ErrorKind::Config, "NO_PARTITIONS", message));
    };
    loop {
        if session.context.cancel.is_cancelled() {
            return Err(ReadError::cancelled());
        }
        let (request, mut arrival) = reader.arrive(&mut stop).await?;
        let extracted = match arrival.cut(&reader).await? {
            Cut::Last(extracted) => extracted,
            // Rows are enough, and nothing was given before.
            Cut::Batch(..) | Cut::Changed => return Ok(()),
        };
        let (next, digest) = reader.begin_digest(&mut stop, &request, &arrival, extracted)?;
        let mapped = digest.finish(&reader, &request)?;
        let found = !mapped.records.is_empty() || !mapped.rejected.is_empty();
        if found || stop.turn(next)?.window_ends {
            return Ok(());
        }
    }
}
