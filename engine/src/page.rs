//! Pages of a list: by key, never by offset.
//!
//! An offset reads and throws away everything before it, and shows a row twice or not at all when rows come
//! or go between two pages. A key set asks the index for what comes after the last row seen. A cursor is
//! that row's key: a tag that names the list and its order, and the values, as JSON in base64. It is opaque,
//! not secret: it holds nothing that the row did not show, and every query has its scope beside it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};

/// How many items a page has when nobody says.
pub const DEFAULT_PAGE: u32 = 20;
/// The most items that a page may have.
pub const MAX_PAGE: u32 = 100;

/// The direction of an order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OrderDirection {
    /// Smallest first.
    #[default]
    Asc,
    /// Largest first.
    Desc,
}

/// Which page: the first `first` after `after`, or the last `last` before `before`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct PageRequest {
    /// 1 to 100; 20 when neither this nor `last` is given.
    pub first: Option<u32>,
    /// An `endCursor`.
    pub after: Option<String>,
    /// 1 to 100, instead of `first`.
    pub last: Option<u32>,
    /// A `startCursor`.
    pub before: Option<String>,
}

impl PageRequest {
    /// The first `count` items.
    #[must_use]
    pub fn first(count: u32) -> Self {
        Self {
            first: Some(count),
            ..Self::default()
        }
    }

    /// The `count` items that follow this cursor.
    #[must_use]
    pub fn after(count: u32, cursor: impl Into<String>) -> Self {
        Self {
            first: Some(count),
            after: Some(cursor.into()),
            ..Self::default()
        }
    }

    /// What to ask the database, with the cursors read as keys of the list that `tag` names.
    pub(crate) fn window<K: DeserializeOwned>(&self, tag: &str) -> Result<Window<K>> {
        let (count, backward) = match (self.first, self.last) {
            (Some(_), Some(_)) => return Err(Error::BadInput("Give first or last, not both.".to_owned())),
            (Some(first), None) => (first, false),
            (None, Some(last)) => (last, true),
            (None, None) => (DEFAULT_PAGE, self.before.is_some() && self.after.is_none()),
        };
        if !(1..=MAX_PAGE).contains(&count) {
            let name = if backward { "last" } else { "first" };
            return Err(Error::BadInput(format!(
                "{name} must be between 1 and {MAX_PAGE}; it is {count}."
            )));
        }
        Ok(Window {
            count: count as usize,
            backward,
            after: self
                .after
                .as_deref()
                .map(|cursor| read_cursor(tag, cursor))
                .transpose()?,
            before: self
                .before
                .as_deref()
                .map(|cursor| read_cursor(tag, cursor))
                .transpose()?,
        })
    }
}

/// A page of one list among several that are asked for together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Listing<F> {
    /// Which list.
    pub of: F,
    /// Which page of it.
    pub page: PageRequest,
}

impl<F: Clone> Listing<F> {
    /// This page of this list.
    #[must_use]
    pub fn new(of: &F, page: &PageRequest) -> Self {
        Self {
            of: of.clone(),
            page: page.clone(),
        }
    }
}

/// The page of one listing that was asked for alone.
pub(crate) fn only<T>(mut pages: Vec<Result<Paged<T>>>) -> Result<Paged<T>> {
    pages.pop().unwrap_or_else(|| Ok(Paged::empty()))
}

/// The parents of these listings, where they have the same page of lists that are the same but for their parent, which
/// `parent` takes out of a list; and of which list and page. None where they differ otherwise.
pub(crate) fn siblings<F: Clone + PartialEq, P>(
    listings: &[Listing<F>],
    parent: impl Fn(&mut F) -> Option<P>,
) -> Option<Vec<P>> {
    let bare = |listing: &Listing<F>| {
        let mut of = listing.of.clone();
        parent(&mut of).map(|parent| (parent, of))
    };
    let (_, first) = bare(listings.first()?)?;
    let page = &listings.first()?.page;
    let parents = listings.iter().map(|listing| {
        let (parent, of) = bare(listing)?;
        (of == first && listing.page == *page).then_some(parent)
    });
    parents.collect()
}

/// The windows of these listings. A bad cursor is the error of its own listing, not of its neighbours.
pub(crate) fn windows<F, K: DeserializeOwned>(tag: &str, listings: &[Listing<F>]) -> Vec<Result<Window<K>>> {
    listings.iter().map(|listing| listing.page.window(tag)).collect()
}

/// What to ask the database: a query for each listing whose window is good.
pub(crate) fn queries<F, K, Q>(
    listings: &[Listing<F>],
    windows: &[Result<Window<K>>],
    query: impl Fn(&F, &Window<K>) -> Q,
) -> Vec<Q> {
    let good = listings.iter().zip(windows);
    good.filter_map(|(listing, window)| Some(query(&listing.of, window.as_ref().ok()?)))
        .collect()
}

/// The pages that the answers to [`queries`] make.
pub(crate) fn pages<K: Serialize, T>(
    tag: &str,
    windows: Vec<Result<Window<K>>>,
    answers: Vec<Vec<T>>,
    key: impl Fn(&T) -> K,
) -> Vec<Result<Paged<T>>> {
    let mut answers = answers.into_iter();
    let mut page = |window: Window<K>| window.page(tag, answers.next().unwrap_or_default(), &key);
    windows.into_iter().map(|window| window.map(&mut page)).collect()
}

/// A page request whose cursors are keys.
#[derive(Clone, Debug)]
pub(crate) struct Window<K> {
    pub(crate) count: usize,
    pub(crate) backward: bool,
    pub(crate) after: Option<K>,
    pub(crate) before: Option<K>,
}

impl<K: Serialize> Window<K> {
    /// How many rows to ask for: one more than fit tells whether there are more.
    pub(crate) fn limit(&self) -> u64 {
        self.count as u64 + 1
    }

    /// The page that these rows make, in the direction in which they were read.
    pub(crate) fn page<T>(&self, tag: &str, mut rows: Vec<T>, key: impl Fn(&T) -> K) -> Paged<T> {
        let more = rows.len() > self.count;
        rows.truncate(self.count);
        if self.backward {
            rows.reverse();
        }
        Paged {
            items: rows
                .into_iter()
                .map(|row| (write_cursor(tag, &key(&row)), row))
                .collect(),
            has_next: if self.backward {
                self.before.is_some()
            } else {
                more
            },
            has_previous: if self.backward { more } else { self.after.is_some() },
        }
    }
}

/// A page, with each item's cursor.
#[derive(Clone, Debug, PartialEq)]
pub struct Paged<T> {
    /// In the order of the list, whichever way it was read.
    pub items: Vec<(String, T)>,
    /// Whether there are items after the last.
    pub has_next: bool,
    /// Whether there are items before the first.
    pub has_previous: bool,
}

impl<T> Paged<T> {
    /// Nothing.
    #[must_use]
    pub const fn empty() -> Self {
        Self {
            items: Vec::new(),
            has_next: false,
            has_previous: false,
        }
    }

    /// Changes every item.
    pub fn map<U>(self, mut change: impl FnMut(T) -> U) -> Paged<U> {
        Paged {
            items: self
                .items
                .into_iter()
                .map(|(cursor, item)| (cursor, change(item)))
                .collect(),
            has_next: self.has_next,
            has_previous: self.has_previous,
        }
    }

    /// Changes every item, or fails with the first that cannot be.
    pub(crate) fn try_map<U>(self, mut change: impl FnMut(T) -> Result<U>) -> Result<Paged<U>> {
        let items = self.items.into_iter();
        Ok(Paged {
            items: items
                .map(|(cursor, item)| Ok((cursor, change(item)?)))
                .collect::<Result<_>>()?,
            has_next: self.has_next,
            has_previous: self.has_previous,
        })
    }

    /// The items without their cursors.
    pub fn into_items(self) -> impl Iterator<Item = T> {
        self.items.into_iter().map(|(_, item)| item)
    }

    /// The last item's cursor.
    #[must_use]
    pub fn end_cursor(&self) -> Option<&str> {
        self.items.last().map(|(cursor, _)| cursor.as_str())
    }
}

/// The cursor of a key in the list that `tag` names.
pub(crate) fn write_cursor<K: Serialize>(tag: &str, key: &K) -> String {
    let text = serde_json::to_vec(&(tag, key)).expect("keys are numbers and texts");
    URL_SAFE_NO_PAD.encode(text)
}

/// The key that a cursor holds.
///
/// # Errors
/// [`Error::BadCursor`] when it is not a cursor, or of another list.
pub(crate) fn read_cursor<K: DeserializeOwned>(tag: &str, cursor: &str) -> Result<K> {
    let text = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| Error::BadCursor)?;
    let (found, key): (String, K) = serde_json::from_slice(&text).map_err(|_| Error::BadCursor)?;
    if found == tag {
        Ok(key)
    } else {
        Err(Error::BadCursor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_belongs_to_its_list() {
        let cursor = write_cursor("client", &(7_i64, "a"));
        assert_eq!(
            read_cursor::<(i64, String)>("client", &cursor).unwrap(),
            (7, "a".to_owned())
        );
        for (tag, bad) in [
            ("run", cursor.as_str()),
            ("client", "!"),
            ("client", ""),
            ("client", "e30"),
        ] {
            assert!(matches!(
                read_cursor::<(i64, String)>(tag, bad),
                Err(Error::BadCursor)
            ));
        }
    }

    #[test]
    fn a_page_has_between_one_and_a_hundred_items() {
        for request in [
            PageRequest::first(0),
            PageRequest::first(101),
            PageRequest {
                last: Some(101),
                ..PageRequest::default()
            },
            PageRequest {
                first: Some(1),
                last: Some(1),
                ..PageRequest::default()
            },
        ] {
            assert!(
                matches!(request.window::<i64>("x"), Err(Error::BadInput(_))),
                "{request:?}"
            );
        }
        assert_eq!(PageRequest::default().window::<i64>("x").unwrap().count, 20);
    }

    #[test]
    fn a_page_read_backwards_comes_in_the_list_s_order() {
        let window = Window {
            count: 2,
            backward: true,
            after: None,
            before: Some(9),
        };
        let page = window.page("x", vec![8, 7, 6], |row| *row);
        assert_eq!(page.items.iter().map(|(_, row)| *row).collect::<Vec<_>>(), [7, 8]);
        assert!(page.has_previous && page.has_next);
    }
}
