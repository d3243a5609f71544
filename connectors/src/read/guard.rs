//! Pagination that never ends, told from pagination that is long.
//!
//! A page token that comes back means that the pages go round. Keeping every token would make memory grow
//! with pages, so cycles are found with Brent's algorithm: one remembered token, replaced at powers of two,
//! meets any cycle within a small multiple of its length. Strategies that count (page, offset) never repeat a
//! token; there an upstream that ignores the parameter gives itself away by sending the same bytes again.

use bytes::Bytes;
use serde_json::Value;

use super::{ErrorKind, ReadError};

/// Identical pages in a row that are still taken for chance.
const IDENTICAL: u32 = 2;

/// Watches the pages of one window.
#[derive(Debug, Clone, Default)]
pub(crate) struct PageGuard {
    pages: u64,
    previous: Option<Value>,
    remembered: Option<Value>,
    since: u64,
    until: u64,
    body: Option<Bytes>,
    identical: u32,
}

impl PageGuard {
    /// A guard for a window of which pages were read already.
    pub(crate) fn after(pages: u64) -> Self {
        Self {
            pages,
            ..Self::default()
        }
    }

    /// How many pages the window has had.
    pub(crate) fn pages(&self) -> u64 {
        self.pages
    }

    /// A page was read and another is to follow.
    ///
    /// # Errors
    /// `REPEATED_PAGE_TOKEN` or `PAGE_LIMIT`.
    pub(crate) fn follow(&mut self, token: &Value, max_pages: u64) -> Result<(), ReadError> {
        self.count(max_pages)?;
        if self.previous.as_ref() == Some(token) || self.remembered.as_ref() == Some(token) {
            return Err(stuck(
                "REPEATED_PAGE_TOKEN",
                "The upstream gave a page token that it had given before; the pages would go round for ever."
                    .to_owned(),
            ));
        }
        self.previous = Some(token.clone());
        self.since += 1;
        if self.since > self.until {
            self.remembered = Some(token.clone());
            self.until = (self.until * 2).max(1);
            self.since = 0;
        }
        Ok(())
    }

    /// The pages begin anew, and their tokens may come again.
    ///
    /// # Errors
    /// `PAGE_LIMIT`: beginning anew is no way around it.
    pub(crate) fn restart(&mut self, max_pages: u64) -> Result<(), ReadError> {
        self.count(max_pages)?;
        *self = Self::after(self.pages);
        Ok(())
    }

    fn count(&mut self, max_pages: u64) -> Result<(), ReadError> {
        self.pages += 1;
        if self.pages >= max_pages {
            return Err(stuck(
                "PAGE_LIMIT",
                format!("The pagination did not end within {max_pages} pages."),
            ));
        }
        Ok(())
    }

    /// Looks at the bytes of a page with records whose successor is counted, not named.
    ///
    /// # Errors
    /// `REPEATED_PAGE` when the upstream sends the same page again and again.
    pub(crate) fn compare(&mut self, body: &Bytes) -> Result<(), ReadError> {
        if self.body.as_ref() != Some(body) {
            self.body = Some(body.clone());
            self.identical = 0;
            return Ok(());
        }
        self.identical += 1;
        if self.identical < IDENTICAL {
            return Ok(());
        }
        Err(stuck(
            "REPEATED_PAGE",
            "The upstream sent the same page again and again; it seems to ignore the page parameter."
                .to_owned(),
        ))
    }
}

fn stuck(code: &str, message: String) -> ReadError {
    ReadError::new(ErrorKind::Upstream, code, message)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn run(tokens: impl Iterator<Item = u64>) -> Result<(), String> {
        let mut guard = PageGuard::default();
        for token in tokens {
            guard
                .follow(&json!(token), u64::MAX)
                .map_err(|error| error.code)?;
        }
        Ok(())
    }

    #[test]
    fn a_token_twice_in_a_row_is_an_error_at_once() {
        let mut guard = PageGuard::default();
        guard.follow(&json!("a"), 100).unwrap();
        assert_eq!(
            guard.follow(&json!("a"), 100).unwrap_err().code,
            "REPEATED_PAGE_TOKEN"
        );
    }

    #[test]
    fn the_cap_counts_pages_read_before_a_cut() {
        let mut guard = PageGuard::after(8);
        guard.follow(&json!(1), 10).unwrap();
        assert_eq!(guard.follow(&json!(2), 10).unwrap_err().code, "PAGE_LIMIT");
    }

    #[test]
    fn identical_pages_are_an_error_at_the_third() {
        let mut guard = PageGuard::default();
        let (one, other) = (Bytes::from_static(b"[1]"), Bytes::from_static(b"[2]"));
        guard.compare(&one).unwrap();
        guard.compare(&one).unwrap();
        guard.compare(&other).unwrap();
        guard.compare(&one).unwrap();
        guard.compare(&one).unwrap();
        assert_eq!(guard.compare(&one).unwrap_err().code, "REPEATED_PAGE");
    }

    proptest! {
        #[test]
        fn every_cycle_is_found_soon(lead in 0_u64..50, cycle in 1_u64..50) {
            let tokens = (0..lead).chain((0..).map(|step| lead + step % cycle));
            let bound = usize::try_from(4 * (lead + cycle) + 4).unwrap();
            prop_assert_eq!(run(tokens.take(bound)), Err("REPEATED_PAGE_TOKEN".to_owned()));
        }

        #[test]
        fn what_never_repeats_passes(count in 0_u64..2_000) {
            prop_assert_eq!(run(0..count), Ok(()));
        }
    }
}
