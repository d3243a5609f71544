//! Three ways to page, as three generations of API designers would have it.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;

const MOST: usize = 100;

/// `_page` (from 1) and `_limit`.
#[derive(Debug, Deserialize)]
pub(super) struct PageQuery {
    #[serde(rename = "_page")]
    page: Option<u32>,
    #[serde(rename = "_limit")]
    limit: Option<usize>,
}

impl PageQuery {
    pub(super) fn page(&self) -> u32 {
        self.page.unwrap_or(1).max(1)
    }

    pub(super) fn cut(&self, items: &[Value]) -> Vec<Value> {
        let limit = self.limit.unwrap_or(20).clamp(1, MOST);
        slice(items, (self.page() as usize - 1).saturating_mul(limit), limit)
    }
}

/// `_start` (from 0) and `_limit`.
#[derive(Debug, Deserialize)]
pub(super) struct OffsetQuery {
    #[serde(rename = "_start")]
    start: Option<usize>,
    #[serde(rename = "_limit")]
    limit: Option<usize>,
}

impl OffsetQuery {
    pub(super) fn cut(&self, items: &[Value]) -> Vec<Value> {
        slice(
            items,
            self.start.unwrap_or(0),
            self.limit.unwrap_or(10).clamp(1, MOST),
        )
    }
}

fn slice(items: &[Value], start: usize, limit: usize) -> Vec<Value> {
    items.iter().skip(start).take(limit).cloned().collect()
}

/// `cursor`, `limit`, and a window over the change date, both ends included.
#[derive(Debug, Deserialize)]
pub(super) struct CursorQuery {
    cursor: Option<String>,
    limit: Option<usize>,
    updated_since: Option<DateTime<Utc>>,
    updated_before: Option<DateTime<Utc>>,
}

/// Where in the list an order stands: by its last change, then by its number.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position {
    pub(super) updated_at: i64,
    pub(super) number: i64,
}

/// A question about orders, read as of one instant: the first page's. Orders move while they are paged through, and a
/// cursor that did not remember the instant would let one slip from a page not yet read to one already read.
#[derive(Debug)]
pub(super) struct Window {
    pub(super) as_of: DateTime<Utc>,
    pub(super) since: Option<DateTime<Utc>>,
    pub(super) before: Option<DateTime<Utc>>,
    pub(super) after: Option<Position>,
    pub(super) limit: usize,
}

impl CursorQuery {
    pub(super) fn window(self, now: DateTime<Utc>) -> Result<Window, &'static str> {
        let (as_of, after) = match self.cursor.as_deref() {
            None | Some("") => (whole_seconds(now), None),
            Some(token) => {
                let (as_of, position) = parse(token).ok_or("the cursor is not one of ours")?;
                (as_of, Some(position))
            }
        };
        Ok(Window {
            as_of,
            since: self.updated_since,
            before: self.updated_before,
            after,
            limit: self.limit.unwrap_or(50).clamp(1, MOST),
        })
    }
}

impl Window {
    /// The cursor that goes on behind `position`.
    pub(super) fn token(&self, position: &Position) -> String {
        format!(
            "{}.{}.{}",
            self.as_of.timestamp(),
            position.updated_at,
            position.number
        )
    }
}

fn parse(token: &str) -> Option<(DateTime<Utc>, Position)> {
    let mut parts = token.splitn(3, '.').map(str::parse::<i64>);
    let mut next = || parts.next()?.ok();
    let as_of = DateTime::from_timestamp(next()?, 0)?;
    Some((
        as_of,
        Position {
            updated_at: next()?,
            number: next()?,
        },
    ))
}

/// The shop's own grain: what happens to an order happens on a second.
pub(super) fn whole_seconds(at: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp(at.timestamp(), 0).unwrap_or(at)
}
