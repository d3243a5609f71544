//! The next page's token.
//!
//! Counting strategies stop at a short or empty page, and what counts is what the upstream sent: a filter of
//! ours must neither end the pagination nor shorten the offset. A token that Python takes for false ends it
//! too.

use serde_json::{Map, Value};

use super::ReadError;
use super::slice::Slice;
use super::stream::StreamReader;
use crate::http::answer::Answer;
use crate::http::session::is_truthy;
use crate::http::verdict::headers_with_links;
use crate::json::Body;
use crate::manifest::components::{Condition, Integer, PaginationStrategy, Text};
use crate::record::{self, Record};
use crate::template::{Reads, Variable};

/// What a page's successor is found from.
pub(super) struct PageSeen<'a> {
    pub(super) answer: &'a Answer,
    pub(super) body: Option<&'a Body>,
    pub(super) slice: &'a Slice,
    /// The token it was asked for with.
    pub(super) token: Option<&'a Value>,
    /// The page size, where it was reduced.
    pub(super) page_size: Option<i64>,
    /// What the upstream sent.
    pub(super) extracted: usize,
    /// What is left after filters.
    pub(super) emitted: usize,
    pub(super) last_record: Option<&'a Record>,
}

impl StreamReader {
    /// The token of a window's first page.
    pub(super) fn initial_token(&self) -> Option<Value> {
        match &self.requests()?.paginator.as_ref()?.strategy {
            PaginationStrategy::PageIncrement {
                start_from_page,
                inject_on_first_request: true,
                ..
            } => Some(Value::from(*start_from_page)),
            PaginationStrategy::OffsetIncrement {
                inject_on_first_request: true,
                ..
            } => Some(Value::from(0)),
            _ => None,
        }
    }

    /// Whether tokens are counted here rather than given by the upstream.
    pub(super) fn counts_pages(&self) -> bool {
        self.requests()
            .and_then(|requests| requests.paginator.as_ref())
            .is_some_and(|paginator| {
                matches!(
                    paginator.strategy,
                    PaginationStrategy::PageIncrement { .. } | PaginationStrategy::OffsetIncrement { .. }
                )
            })
    }

    /// The token of the page after this one; `None` where this was the last.
    pub(super) fn next_token(&self, page: &PageSeen<'_>) -> Result<Option<Value>, ReadError> {
        let Some(paginator) = self.requests().and_then(|requests| requests.paginator.as_ref()) else {
            return Ok(None);
        };
        let token = match &paginator.strategy {
            PaginationStrategy::PageIncrement { start_from_page, .. } => {
                self.counted(page, self.page_size, *start_from_page, 1)?
            }
            PaginationStrategy::OffsetIncrement { page_size, .. } => {
                let size = match page_size {
                    _ if page.page_size.is_some() => page.page_size,
                    Some(size @ Integer::Computed(text)) if text.template.mentions("response") => {
                        let response = document(page.body, [text.template.reads("response")])?;
                        Some(
                            self.session
                                .integer(size, &[("response", Variable::Json(&response))])?,
                        )
                    }
                    _ => self.page_size,
                };
                let step = i64::try_from(page.extracted).unwrap_or(i64::MAX);
                self.counted(page, size, 0, step)?
            }
            PaginationStrategy::Relay { connection_path, .. } => {
                let connection = connection_path
                    .iter()
                    .map(|part| self.session.text(part, &[]))
                    .collect::<Result<Vec<_>, _>>()?;
                super::relay::next(page, &connection)?
            }
            PaginationStrategy::Cursor {
                cursor_value,
                stop_condition,
                ..
            } => {
                let texts = [Some(cursor_value), stop_condition.as_ref().and_then(computed)];
                let texts = || texts.iter().flatten();
                let mentions = |name: &str| texts().any(|text| text.template.mentions(name));
                let response = document(page.body, texts().map(|text| text.template.reads("response")))?;
                let headers = if mentions("headers") {
                    headers_with_links(page.answer)
                } else {
                    Map::new()
                };
                let last_record = match page.last_record {
                    Some(record) if mentions("last_record") => record.to_value(),
                    _ => Value::Null,
                };
                let size = page.page_size.or(self.page_size).map_or(Value::Null, Value::from);
                let names = [
                    ("response", Variable::Json(&response)),
                    ("headers", Variable::Headers(&headers)),
                    ("last_record", Variable::Json(&last_record)),
                    (
                        "last_page_size",
                        Variable::Int(i64::try_from(page.emitted).unwrap_or(i64::MAX)),
                    ),
                    ("page_size", Variable::Json(&size)),
                    ("stream_slice", page.slice.variable()),
                ];
                if let Some(condition) = stop_condition
                    && self.session.condition(condition, &names)?
                {
                    return Ok(None);
                }
                Some(self.session.value(cursor_value, &names)?)
            }
        };
        Ok(token.filter(is_truthy))
    }

    fn counted(
        &self,
        page: &PageSeen<'_>,
        size: Option<i64>,
        start: i64,
        step: i64,
    ) -> Result<Option<Value>, ReadError> {
        let count = i64::try_from(page.extracted).unwrap_or(i64::MAX);
        if count == 0 || size.is_some_and(|size| size != 0 && count < size) {
            return Ok(None);
        }
        let current = match page.token {
            None => start,
            Some(token) => token
                .as_i64()
                .ok_or_else(|| ReadError::config("The page token is not a number."))?,
        };
        Ok(Some(Value::from(current.saturating_add(step))))
    }
}

fn computed(condition: &Condition) -> Option<&Text> {
    match condition {
        Condition::Fixed(_) => None,
        Condition::Computed(text) => Some(text),
    }
}

/// What templates call `response`: the document, or the first item where it is a list. Only what they look at is
/// built: a page's token stands beside a thousand records that nobody asks about.
pub(super) fn document(
    body: Option<&Body>,
    reads: impl IntoIterator<Item = Reads>,
) -> Result<Value, ReadError> {
    let empty = || Value::Object(Map::new());
    let Some(body) = body else { return Ok(empty()) };
    let mut paths = Vec::new();
    let mut whole = !body.as_str().trim_start().starts_with('{');
    for reads in reads {
        match reads {
            Reads::Nothing => {}
            Reads::Paths(more) => paths.extend(more),
            Reads::Whole => whole = true,
        }
    }
    let wrong = |error| super::page::malformed(body.as_str().as_bytes(), &error);
    if whole {
        return Ok(match body.to_value().map_err(wrong)? {
            Value::Array(items) => items.into_iter().next().unwrap_or_else(empty),
            Value::Null => empty(),
            other => other,
        });
    }
    let mut sparse = Map::new();
    if !paths.is_empty()
        && let Some(document) = record::select(body, &[]).map_err(wrong)?.first()
    {
        for path in &paths {
            copy(document, path, &mut sparse);
        }
    }
    Ok(Value::Object(sparse))
}

/// Copies what is at the path, or as much of the way to it as there is.
fn copy(document: &Record, path: &[String], into: &mut Map<String, Value>) {
    let mut target = into;
    for (depth, name) in path.iter().enumerate() {
        let Some(raw) = record::get(document, &path[..=depth]) else {
            return;
        };
        if depth + 1 == path.len() || !raw.starts_with('{') {
            if let Ok(value) = serde_json::from_str(raw) {
                target.insert(name.clone(), value);
            }
            return;
        }
        let Value::Object(inner) = target
            .entry(name.clone())
            .or_insert_with(|| Value::Object(Map::new()))
        else {
            return;
        };
        target = inner;
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_is_looked_at_is_built() {
        let body = Body::new(&Bytes::from_static(
            br#"{"data": [1, 2], "links": {"next": "n", "self": "s"}, "total": 7, "none": null}"#,
        ))
        .unwrap();
        let built = |paths: &[&str]| {
            let path = |path: &&str| path.split('.').map(ToOwned::to_owned).collect();
            document(Some(&body), [Reads::Paths(paths.iter().map(path).collect())]).unwrap()
        };
        assert_eq!(built(&["links.next"]), json!({"links": {"next": "n"}}));
        assert_eq!(built(&["links.gone", "total"]), json!({"links": {}, "total": 7}));
        assert_eq!(
            built(&["links.next", "links"]),
            json!({"links": {"next": "n", "self": "s"}})
        );
        assert_eq!(
            built(&["none.x", "total.x", "gone.x"]),
            json!({"none": null, "total": 7})
        );
        assert_eq!(document(Some(&body), [Reads::Nothing]).unwrap(), json!({}));
        assert_eq!(
            document(Some(&body), [Reads::Whole]).unwrap()["data"],
            json!([1, 2])
        );
    }
}
