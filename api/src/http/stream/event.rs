//! The frames. axum's `Event` writes no `data` line for empty data, and without one a browser throws the event away:
//! `complete` would never arrive.

use async_graphql::Response;
use axum::body::Bytes;

use crate::http::answer;

/// A comment, to be ignored: it opens the stream, and keeps proxies from taking it for dead.
pub(super) const COMMENT: Bytes = Bytes::from_static(b":\n\n");
/// The operation is over.
pub(super) const COMPLETE: Bytes = Bytes::from_static(b"event: complete\ndata:\n\n");

/// One answer. JSON as we write it has no line break, so it is one line of data.
pub(super) fn next(response: &Response) -> Bytes {
    format!("event: next\ndata: {}\n\n", answer::text(response)).into()
}

/// The last answer.
pub(super) fn last(response: &Response) -> Bytes {
    [next(response), COMPLETE].concat().into()
}
