//! Documents: bodies that mean something only as a whole.

use std::borrow::Cow;

use bytes::Bytes;

use super::{Charset, Row, Rows, Stage, Undecodable, gunzip, xml};
use crate::json::Body;
use crate::json::scan::{Kind, Scanner};
use crate::manifest::components::Decoder;

/// What a decoder makes of a whole body.
pub(crate) enum Document<'b> {
    /// JSON, to be read as such, errors included.
    Json(Cow<'b, [u8]>),
    /// Made into JSON here.
    Made(String),
}

/// Decodes a body whose format is a document; `content_type` may name its charset.
pub(crate) fn document<'b>(
    decoder: &Decoder,
    body: &'b [u8],
    content_type: Option<&str>,
    limit: usize,
) -> Result<Document<'b>, Undecodable> {
    match decoder {
        Decoder::Xml => {
            let text = Charset::of_xml(body, content_type).decode_all(body)?;
            xml::to_json(&text).map(Document::Made)
        }
        Decoder::Gzip(inner) => match gunzip::whole(body, limit)? {
            None => document(inner, body, content_type, limit),
            Some(unpacked) => match document(inner, &unpacked, content_type, limit)? {
                Document::Made(text) => Ok(Document::Made(text)),
                Document::Json(bytes) => Ok(Document::Json(Cow::Owned(bytes.into_owned()))),
            },
        },
        _ => Ok(Document::Json(Cow::Borrowed(body))),
    }
}

/// JSON documents inside of an archive: a list's items are rows, anything else is one.
#[derive(Debug, Default)]
pub(super) struct Documents {
    bytes: Vec<u8>,
}

impl Stage for Documents {
    fn push(&mut self, bytes: &[u8], _: &mut Rows) -> Result<(), Undecodable> {
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn finish(&mut self, rows: &mut Rows) -> Result<bool, Undecodable> {
        let bytes = Bytes::from(std::mem::take(&mut self.bytes));
        let body = Body::new(&bytes).map_err(|error| Undecodable::json(&error))?;
        let mut scanner = Scanner::new(body.as_str());
        scanner.space();
        let mut read = || {
            if scanner.kind()? == Kind::Array {
                let mut more = scanner.open(b']');
                while more {
                    rows.push(Row::Json(scanner.skip(1)?.to_owned()));
                    more = scanner.next(b']')?;
                }
            } else {
                rows.push(Row::Json(scanner.skip(0)?.to_owned()));
            }
            scanner.end()
        };
        read().map_err(|error| Undecodable::json(&error))?;
        Ok(true)
    }
}
