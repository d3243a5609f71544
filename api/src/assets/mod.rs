//! The built pages, inside the binary.
//!
//! `dashboard/dist` is made by npm and is not in the repository; build.rs says where to look, or points to a
//! page that tells how to build it. Each file lies there three times, plain and compressed by the page build, so
//! serving is choosing: memory-serve, tried first, compresses and decompresses at start-up instead, for
//! the same bytes.

use std::borrow::Cow;
use std::fmt::Write;

use axum::body::Bytes;
use axum::http::{HeaderMap, header};
use rust_embed::{EmbeddedFile, RustEmbed};

#[derive(RustEmbed)]
#[folder = "$SYNCLINE_PAGES"]
struct Pages;

/// How a file lies here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    Plain,
    Gzip,
    Brotli,
}

impl Encoding {
    /// For the content-encoding header.
    pub(crate) fn name(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Gzip => Some("gzip"),
            Self::Brotli => Some("br"),
        }
    }

    fn suffix(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Gzip => ".gz",
            Self::Brotli => ".br",
        }
    }
}

/// One file of the pages.
pub(crate) struct Asset {
    path: String,
    plain: EmbeddedFile,
}

/// The file of this path.
pub(crate) fn find(path: &str) -> Option<Asset> {
    Some(Asset {
        path: path.to_owned(),
        plain: Pages::get(path)?,
    })
}

/// A page, or the one that says how to build it.
pub(crate) fn page(path: &str) -> Option<Asset> {
    find(path).or_else(|| find("not-built.html"))
}

impl Asset {
    pub(crate) fn content_type(&self) -> &'static str {
        match self.path.rsplit('.').next() {
            Some("html") => "text/html; charset=utf-8",
            Some("js") => "text/javascript; charset=utf-8",
            Some("css") => "text/css; charset=utf-8",
            Some("svg") => "image/svg+xml",
            Some("json") => "application/json",
            Some("ttf") => "font/ttf",
            Some("woff2") => "font/woff2",
            _ => "application/octet-stream",
        }
    }

    /// The smallest form that the caller takes.
    pub(crate) fn best_encoding(&self, request: &HeaderMap) -> Encoding {
        let accepted = request
            .get(header::ACCEPT_ENCODING)
            .and_then(|value| value.to_str().ok())
            .unwrap_or("");
        let takes = |name: &str| {
            accepted.split(',').map(str::trim).any(|part| {
                let (coding, quality) = part.split_once(';').unwrap_or((part, ""));
                coding.trim().eq_ignore_ascii_case(name) && !matches!(quality.trim(), "q=0" | "q=0.0")
            })
        };
        [Encoding::Brotli, Encoding::Gzip]
            .into_iter()
            .find(|encoding| encoding.name().is_some_and(takes) && self.encoded(*encoding).is_some())
            .unwrap_or(Encoding::Plain)
    }

    /// Strong, so each form has its own.
    pub(crate) fn etag(&self, encoding: Encoding) -> String {
        let mut tag = String::from("\"");
        for byte in &self.plain.metadata.sha256_hash()[..12] {
            // Writing to a String cannot fail.
            let _ = write!(tag, "{byte:02x}");
        }
        tag.push_str(encoding.suffix());
        tag.push('"');
        tag
    }

    pub(crate) fn bytes(&self, encoding: Encoding) -> Bytes {
        match self.encoded(encoding).unwrap_or_else(|| self.plain.data.clone()) {
            Cow::Borrowed(bytes) => Bytes::from_static(bytes),
            Cow::Owned(bytes) => Bytes::from(bytes),
        }
    }

    fn encoded(&self, encoding: Encoding) -> Option<Cow<'static, [u8]>> {
        Some(Pages::get(&format!("{}{}", self.path, encoding.suffix()))?.data)
    }
}
