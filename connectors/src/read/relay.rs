//! GraphQL's pages: a connection says in `pageInfo` whether there are more, and from where.

use serde_json::Value;

use super::paginator::PageSeen;
use super::{ErrorKind, ReadError};
use crate::template::Reads;

/// The cursor that the next page begins after; `None` where this was the last.
///
/// # Errors
/// `NO_PAGE_INFO` when the connection is there and does not say whether it goes on: that would be a silent end.
pub(super) fn next(page: &PageSeen<'_>, connection: &[String]) -> Result<Option<Value>, ReadError> {
    let path = |last: &str| {
        let mut path = connection.to_vec();
        path.push("pageInfo".to_owned());
        path.push(last.to_owned());
        path
    };
    let reads = Reads::Paths([path("hasNextPage"), path("endCursor")].into_iter().collect());
    let document = super::paginator::document(page.body, [reads])?;
    let mut found = Some(&document);
    for name in connection {
        found = found.and_then(|value| value.get(name));
    }
    let info = match found {
        // The query's object is not there at all, and has no records.
        None | Some(Value::Null) => return Ok(None),
        Some(connection) => connection.get("pageInfo").unwrap_or(&Value::Null),
    };
    let cursor = info.get("endCursor").and_then(Value::as_str);
    match (info.get("hasNextPage").and_then(Value::as_bool), cursor) {
        (Some(false), _) => Ok(None),
        (Some(true), Some(cursor)) if !cursor.is_empty() => Ok(Some(Value::String(cursor.to_owned()))),
        _ => {
            let message = format!(
                "The answer's {} does not say whether it goes on: select pageInfo {{ hasNextPage endCursor }} in it.",
                connection.join(".")
            );
            Err(ReadError::new(ErrorKind::Config, "NO_PAGE_INFO", message))
        }
    }
}
