//! Cutting a document into records: by one path or by several, and each record into what it is expanded to.
//!
//! Most streams have one path and expand nothing; for them this is one pass over the document's text that builds nothing.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures::future::BoxFuture;

use super::ReadError;
use super::expansion::Expansion;
use super::page::malformed;
use super::stream::StreamReader;
use crate::http::session::Session;
use crate::json::Body;
use crate::manifest::components::{CombineMode, Extractor};
use crate::record::{self, PathPart, Record};

/// Where a document holds its records.
pub(super) enum Extraction {
    Path {
        path: Vec<PathPart>,
        expansion: Option<Box<Expansion>>,
    },
    Combined {
        parts: Vec<Extraction>,
        mode: CombineMode,
        skips_empty: bool,
    },
}

/// What was found.
#[derive(Default)]
pub(super) struct Found {
    pub(super) records: Vec<Record>,
    /// Empty ones that were left out.
    pub(super) dropped: usize,
    /// Bytes that expansions made.
    pub(super) made: usize,
}

impl Extraction {
    pub(super) fn ready(
        session: &Arc<Session>,
        extractor: &Extractor,
        now: DateTime<Utc>,
    ) -> Result<Self, ReadError> {
        match extractor {
            Extractor::Dpath {
                field_path,
                record_expander,
            } => Ok(Self::Path {
                path: field_path
                    .iter()
                    .map(|part| Ok(PathPart::new(&session.text(part, &[])?)))
                    .collect::<Result<_, ReadError>>()?,
                expansion: match record_expander {
                    None => None,
                    Some(expander) => Some(Box::new(Expansion::ready(session, expander, now)?)),
                },
            }),
            Extractor::Combined {
                extractors,
                mode,
                skip_empty_records,
            } => Ok(Self::Combined {
                parts: extractors
                    .iter()
                    .map(|extractor| Self::ready(session, extractor, now))
                    .collect::<Result<_, _>>()?,
                mode: *mode,
                skips_empty: *skip_empty_records,
            }),
        }
    }

    /// The path, where that is all.
    pub(super) fn plain(&self) -> Option<&[PathPart]> {
        match self {
            Self::Path {
                path,
                expansion: None,
            } => Some(path),
            _ => None,
        }
    }

    /// The document's records. A row stands for itself even where it is an array.
    pub(super) fn records<'a>(
        &'a self,
        reader: &'a StreamReader,
        body: &'a Body,
        is_row: bool,
    ) -> BoxFuture<'a, Result<Found, ReadError>> {
        Box::pin(async move {
            match self {
                Self::Path { path, expansion } => {
                    let cut = if is_row {
                        record::select_in_row
                    } else {
                        record::select
                    };
                    let records =
                        cut(body, path).map_err(|error| malformed(body.as_str().as_bytes(), &error))?;
                    let mut found = Found::default();
                    match expansion {
                        None => found.records = records,
                        Some(expansion) => {
                            for record in records {
                                expansion.expand(reader, record, &mut found).await?;
                            }
                        }
                    }
                    Ok(found)
                }
                Self::Combined {
                    parts,
                    mode,
                    skips_empty,
                } => {
                    let mut all = Found::default();
                    for part in parts {
                        let mut found = part.records(reader, body, is_row).await?;
                        if *skips_empty {
                            let before = found.records.len();
                            found.records.retain(|record| !record.is_empty());
                            found.dropped += before - found.records.len();
                        }
                        let matches = !found.records.is_empty();
                        if *mode == CombineMode::FirstMatch {
                            if matches {
                                return Ok(found);
                            }
                            continue;
                        }
                        all.records.append(&mut found.records);
                        all.dropped += found.dropped;
                    }
                    Ok(all)
                }
            }
        })
    }
}
