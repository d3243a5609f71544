//! Trying a proposal: two pages, read by the reader that everything else uses.

use std::collections::HashSet;
use std::time::Duration;

use futures::StreamExt;
use futures::future::{Either, select};
use serde_json::Value;

use super::{Paging, Proposal, Sample, paging};
use crate::key;
use crate::read::{Checkpoint, ErrorKind, Page, ReadContext, ReadError, ReadRequest, Selection};
use crate::record::Record;
use crate::{Connector, json};

/// How long a trial may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a trial showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trial {
    /// The second page has other records than the first.
    Pages {
        /// Records of the two.
        records: usize,
    },
    /// There was one page, and nothing against it.
    OnePage {
        /// Its records.
        records: usize,
    },
    /// It does not read, and why.
    Fails(String),
}

/// Reads up to two pages as the proposal says.
///
/// # Errors
/// When the proposal's manifest does not load, which is a mistake of ours, or the read was cancelled.
pub async fn try_out(
    context: &ReadContext,
    proposal: &Proposal,
    config: &Value,
    sample: &Sample,
) -> Result<Trial, ReadError> {
    let connector = Connector::parse(&proposal.manifest()).map_err(|faults| {
        let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
        let message = format!("The proposed manifest does not load: {}.", faults.join("; "));
        ReadError::new(ErrorKind::Internal, "PROPOSAL", message)
    })?;
    let reading = std::pin::pin!(pages(context, &connector, proposal, config));
    let read = match select(reading, context.clock.sleep(PATIENCE)).await {
        Either::Left((read, _)) => read,
        Either::Right(_) => {
            let message = format!("it did not end within {} seconds", PATIENCE.as_secs());
            return Ok(Trial::Fails(message));
        }
    };
    let pages = match read {
        Ok(pages) => pages,
        Err(error) if error.kind == ErrorKind::Cancelled => return Err(error),
        Err(error) => return Ok(Trial::Fails(error.message)),
    };
    Ok(judged(&pages, proposal, sample))
}

/// The first two pages that have records.
async fn pages(
    context: &ReadContext,
    connector: &Connector,
    proposal: &Proposal,
    config: &Value,
) -> Result<Vec<Vec<Record>>, ReadError> {
    let request = ReadRequest {
        stream: proposal.stream.clone(),
        config: config.clone(),
        checkpoint: Checkpoint::default(),
        full_refresh: false,
        selection: Selection::default(),
    };
    // Two pages are enough, and nobody is asked for what is thrown away.
    let mut context = context.clone();
    context.limits.ahead = false;
    let mut stream = connector.read(&context, request)?;
    let mut pages = Vec::new();
    while let Some(page) = stream.next().await {
        let Page {
            records, rejected, ..
        } = page?;
        if let Some(rejected) = rejected.first() {
            return Err(ReadError::config(rejected.message.clone()));
        }
        if !records.is_empty() {
            pages.push(records);
        }
        if pages.len() == 2 {
            break;
        }
    }
    Ok(pages)
}

fn judged(pages: &[Vec<Record>], proposal: &Proposal, sample: &Sample) -> Trial {
    let key: Vec<Vec<String>> = proposal
        .primary_key
        .iter()
        .map(|name| vec![name.clone()])
        .collect();
    let identity = |record: &Record| {
        if key.is_empty() {
            return Some(record.json().to_owned());
        }
        key::extract(&key, record).ok()
    };
    let Some(first) = pages.first() else {
        return Trial::Fails("no records came".to_owned());
    };
    // A counter that begins in the wrong place skips a page, and nothing else would show it.
    let counted = matches!(proposal.paging, Paging::Page { .. } | Paging::Offset { .. });
    let from_the_start = !sample
        .url
        .query_pairs()
        .any(|(name, _)| paging::is_position(&name));
    if counted && from_the_start && proposal.cursor.is_none() {
        let expected = sample.records_at(&proposal.records_path);
        let same = match (expected.first(), first.first()) {
            (Some(expected), Some(first)) => {
                let first = json::parse(first.json()).unwrap_or_default();
                key.iter()
                    .flatten()
                    .all(|name| expected.get(name) == first.get(name))
                    && (!key.is_empty() || **expected == first)
            }
            _ => false,
        };
        if !same {
            return Trial::Fails("the first page is not the sample".to_owned());
        }
    }
    let mut seen = HashSet::new();
    for record in pages.iter().flatten() {
        let Some(identity) = identity(record) else {
            return Trial::Fails(format!("a record has no {}", proposal.primary_key.join(", ")));
        };
        if !seen.insert(identity) {
            return Trial::Fails("records of the first page came again".to_owned());
        }
    }
    match pages.len() {
        1 => Trial::OnePage { records: seen.len() },
        _ => Trial::Pages { records: seen.len() },
    }
}
