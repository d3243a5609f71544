//! A manifest for an API of which one answer is known.
//!
//! An answer tells a lot: where the records are, which field is different in all of them, which one is a moment that is
//! called `updated_at`, that there is a token for the next page. What it does not tell, which parameter takes that token,
//! is guessed, and a guess is worth nothing until it was tried. So the proposal is made of *candidates*, each with what
//! speaks for it, and the manifest of any choice among them can be written and read with the reader that everything
//! else uses: what works here works when it is installed.
//!
//! Rejected: asking a language model (it needs a network and an account, and answers differently each time), and an
//! OpenAPI description as the only way in (few APIs have one that is right about pages).
//!
//! - `address`: what of the request is the API's, and what is a credential.
//! - `records`, `fields`, `paging`: the candidates.
//! - `write`: the manifest's text.
//! - `fetch`, `trial`: the two that call the API.

mod address;
mod fetch;
mod fields;
mod paging;
mod paging_words;
mod records;
mod trial;
mod write;

use serde_json::{Map, Value};
use url::Url;

pub use address::{Address, Credential, is_secret};
pub use fetch::fetch;
pub use fields::Moment;
pub use paging::{PageSize, Paging, PagingCandidate};
pub use records::RecordsAt;
pub use trial::{Trial, try_out};

use crate::schema;

/// A request that was made, and its answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// What was asked.
    pub url: Url,
    /// The answer's headers; names in small letters.
    pub headers: Vec<(String, String)>,
    /// The answer.
    pub body: Value,
}

impl Sample {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let header = self
            .headers
            .iter()
            .find(|(own, _)| own.eq_ignore_ascii_case(name));
        header.map(|(_, value)| value.as_str())
    }

    /// The places that may hold the records, the likeliest first.
    pub fn records(&self, subject: &str) -> Vec<RecordsAt> {
        records::candidates(&self.body, subject)
    }

    /// The records at this path.
    pub fn records_at(&self, path: &[String]) -> Vec<&Value> {
        records::at(&self.body, path)
    }
}

/// How progress is measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CursorChoice {
    /// The field.
    pub moment: Moment,
    /// The parameter that asks for what changed since then; none: everything is read, and what is old is left out.
    pub since: Option<String>,
}

/// The choices that make a manifest.
#[derive(Clone, Debug, PartialEq)]
pub struct Proposal {
    /// The connector's name.
    pub name: String,
    /// The stream's name.
    pub stream: String,
    /// The request.
    pub address: Address,
    /// Where the records are.
    pub records_path: Vec<String>,
    /// The fields that tell records apart.
    pub primary_key: Vec<String>,
    /// How the next page is asked for.
    pub paging: Paging,
    /// How progress is measured; none: everything is read each time.
    pub cursor: Option<CursorChoice>,
    /// The records' JSON Schema.
    pub schema: Value,
}

/// What may be chosen for one place of the records.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidates {
    /// The fields that tell records apart; empty: none do.
    pub primary_key: Vec<String>,
    /// Ways to page, the likeliest first; the last is one page.
    pub paging: Vec<PagingCandidate>,
    /// Fields that measure progress, the likeliest first.
    pub cursors: Vec<CursorChoice>,
    /// The records' JSON Schema.
    pub schema: Value,
    /// How many records it was inferred from.
    pub records: usize,
}

/// What this request is made of, and the values that the configuration has to hold for it.
pub fn address(url: &Url, headers: &[(String, String)]) -> (Address, Map<String, Value>) {
    let (address, values) = address::take_apart(url, headers);
    let config = values
        .into_iter()
        .map(|(name, value)| (name.to_owned(), Value::String(value)))
        .collect();
    (address, config)
}

/// What may be chosen when the records are at this path.
pub fn candidates(sample: &Sample, address: &Address, path: &[String]) -> Candidates {
    let records = sample.records_at(path);
    let single = path.is_empty() && sample.body.is_object();
    let primary_key = fields::key(&records, &address.subject);
    let since = address
        .parameters
        .iter()
        .map(|(name, _)| name)
        .find(|name| address::asks_since(name));
    Candidates {
        paging: paging::candidates(sample, records.len(), &primary_key, single),
        cursors: fields::moments(&records)
            .into_iter()
            .map(|moment| CursorChoice {
                moment,
                since: since.cloned(),
            })
            .collect(),
        schema: schema::infer(records.iter().copied()),
        records: records.len(),
        primary_key,
    }
}

/// Whether these fields tell the sample's records apart.
pub fn is_key(sample: &Sample, path: &[String], names: &[&str]) -> bool {
    fields::is_unique(&sample.records_at(path), names)
}

/// The cursor on this field, when its values are dates.
pub fn cursor_on(sample: &Sample, path: &[String], field: &str) -> Option<Moment> {
    let records = sample.records_at(path);
    let values: Vec<&Value> = records.iter().filter_map(|record| record.get(field)).collect();
    Some(Moment {
        field: field.to_owned(),
        formats: fields::formats(&values)?,
        moves: true,
    })
}

impl Paging {
    /// In a few words.
    pub fn told(&self) -> String {
        let asked = |size: &PageSize| match &size.parameter {
            Some(parameter) => format!(", {} records each, asked for by {parameter}", size.records),
            None => format!(", {} records each", size.records),
        };
        match self {
            Self::None => "one page".to_owned(),
            Self::LinkHeader => "the Link header's next".to_owned(),
            Self::NextUrl { path } => format!("the address in {}", path.join(".")),
            Self::Token { path, parameter, .. } => {
                format!("the token in {}, sent as {parameter}", path.join("."))
            }
            Self::LastRecord { field, parameter, .. } => {
                format!("the last record's {field}, sent as {parameter}")
            }
            Self::Page {
                parameter,
                start,
                size,
            } => {
                format!("numbered pages from {start}, sent as {parameter}{}", asked(size))
            }
            Self::Offset { parameter, size } => format!("offsets, sent as {parameter}{}", asked(size)),
        }
    }
}

impl Proposal {
    /// The manifest's text.
    pub fn manifest(&self) -> String {
        write::manifest(self)
    }
}

/// A name as connectors and files have it: small letters, digits and hyphens.
pub fn name_of(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let parts = lower.split(|letter: char| !letter.is_ascii_alphanumeric());
    let parts: Vec<&str> = parts.filter(|part| !part.is_empty()).collect();
    parts.join("-")
}
