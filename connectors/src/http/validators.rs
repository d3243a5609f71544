//! Validators (RFC 9110, section 8.8): what an upstream tells a version of its answer by, and is asked with whether there is
//! another one by now.
//!
//! They belong to one answer to one request, so they are only remembered where that request is sure to be made again as
//! it was, and where the answer was all that there was to read (see `StreamReader::is_one_answer`). Then a 304 means that
//! the stream as a whole is as it was, and there is nothing to write and nothing that could be gone.
//!
//! Rejected: validators page by page. A page that is validated has no body, and a full refresh deletes what it has not
//! seen; to know what a page that was not sent would have held, its keys would have to be kept with it, for every page.

use reqwest::header::{HeaderMap, HeaderName, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH};
use serde_json::{Value, json};

use super::answer::Answer;

/// The longest one that is remembered: a text of the upstream's choice, which is kept with the stream and sent back.
const LONGEST: usize = 512;

/// The status of an answer that is none: what was asked about is as it was.
pub(crate) const NOT_MODIFIED: u16 = 304;

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Validators {
    etag: Option<String>,
    last_modified: Option<String>,
}

impl Validators {
    /// Those of an answer, where it is a whole one and has any.
    pub(crate) fn of(answer: &Answer) -> Option<Self> {
        if answer.status != 200 {
            return None;
        }
        let header = |name: &str| answer.header(name).and_then(fit).map(ToOwned::to_owned);
        Self::new(header("etag"), header("last-modified"))
    }

    pub(crate) fn from_json(value: &Value) -> Option<Self> {
        let text = |name: &str| value.get(name)?.as_str().and_then(fit).map(ToOwned::to_owned);
        Self::new(text("etag"), text("last_modified"))
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({ "etag": self.etag, "last_modified": self.last_modified })
    }

    fn new(etag: Option<String>, last_modified: Option<String>) -> Option<Self> {
        (etag.is_some() || last_modified.is_some()).then_some(Self { etag, last_modified })
    }

    /// Makes a request conditional. Whoever understands the first header does not look at the second.
    pub(super) fn condition(&self, headers: &mut HeaderMap) {
        for (name, value) in [
            (IF_NONE_MATCH, &self.etag),
            (IF_MODIFIED_SINCE, &self.last_modified),
        ] {
            if let Some(value) = value.as_deref().and_then(|text| HeaderValue::from_str(text).ok()) {
                headers.insert(name, value);
            }
        }
    }
}

/// Whether a header makes a request conditional.
pub(crate) fn is_condition(name: &str) -> bool {
    HeaderName::try_from(name).is_ok_and(|name| name == IF_NONE_MATCH || name == IF_MODIFIED_SINCE)
}

fn fit(text: &str) -> Option<&str> {
    let sendable = text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    (sendable && !text.is_empty() && text.len() <= LONGEST).then_some(text)
}
