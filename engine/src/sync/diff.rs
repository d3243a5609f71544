//! From a page to what the database compares: keys, hashes, and the records packed for one statement.
//!
//! The comparison itself is the database's (see `store::records_write`). What happens here happens outside
//! of any transaction and for every record: the key is found, the canonical form is hashed, the bytes are
//! laid side by side.

use std::collections::hash_map::{DefaultHasher, Entry};
use std::collections::{HashMap, HashSet};
use std::hash::{Hash, Hasher};

use connectors::read::{Checkpoint, Note, Page, PageStats};
use connectors::record::Record;
use connectors::schema::{Declared, Observed};
use connectors::{canonical, key};
use serde_json::Value;

use crate::runs::{ErrorKind, SyncError};
use crate::store::packed::{LONGEST_KEY, Packed};

/// A page, ready to be applied.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) packed: Packed,
    fingerprints: Vec<u64>,
    /// Records of the page, those that failed included.
    pub(super) read: i64,
    /// Records whose key occurs again later in the page.
    pub(super) superseded: i64,
    pub(super) rejected: Vec<(Value, SyncError)>,
    pub(super) checkpoint: Checkpoint,
    /// Nothing follows it.
    pub(super) last: bool,
    /// What the upstream said of the stream as a whole.
    pub(super) unchanged: bool,
    pub(super) validators: Option<Value>,
    pub(super) stats: PageStats,
    pub(super) notes: Vec<Note>,
    /// What a glance at some of its records showed.
    pub(super) observed: Observed,
}

/// What the records of a stream are told apart by.
#[derive(Debug)]
pub(super) struct Identity {
    pub(super) stream: String,
    pub(super) primary_key: Vec<Vec<String>>,
    /// What the connector's schema says of them.
    pub(super) declared: Declared,
    /// The key of the content's hash. The integration's id will do: an upstream does not know it.
    pub(super) hash_key: [u8; 16],
}

/// Prepares a page of a stream.
pub(super) fn prepare(page: Page, identity: &Identity) -> Prepared {
    let read = page.records.len() + page.rejected.len();
    let observed = Observed::page(&identity.declared, &page.records);
    let refuse = |code: &str, message: String| SyncError {
        kind: ErrorKind::Schema,
        code: code.to_owned(),
        message,
        retryable: false,
        stream: Some(identity.stream.clone()),
        http_status: None,
        url: None,
    };
    let mut rejected: Vec<(Value, SyncError)> = page
        .rejected
        .into_iter()
        .map(|rejected| (rejected.payload, refuse("RECORD_INVALID", rejected.message)))
        .collect();
    // A key's last record wins. It keeps the place of the first, so that the order of changes is the order in
    // which keys came.
    let mut keyed: Vec<(String, [u8; 16], Record)> = Vec::with_capacity(page.records.len());
    let mut places: HashMap<String, usize> = HashMap::with_capacity(page.records.len());
    let mut superseded = 0;
    let mut bytes = 0;
    for record in page.records {
        match identity.of(&record) {
            Err((code, message)) => rejected.push((record.to_value(), refuse(code, message))),
            Ok((key, hash)) => {
                bytes += record.json().len();
                match places.entry(key) {
                    Entry::Vacant(place) => {
                        let key = place.key().clone();
                        place.insert(keyed.len());
                        keyed.push((key, hash, record));
                    }
                    Entry::Occupied(place) => {
                        superseded += 1;
                        let (_, old_hash, old) = &mut keyed[*place.get()];
                        (*old_hash, *old) = (hash, record);
                    }
                }
            }
        }
    }
    let mut packed = Packed::with_capacity(keyed.len(), bytes);
    let mut fingerprints = Vec::with_capacity(keyed.len());
    for (key, hash, record) in &keyed {
        packed.push(key, record.json(), hash);
        fingerprints.push(fingerprint(key));
    }
    Prepared {
        packed,
        fingerprints,
        read: i64::try_from(read).unwrap_or(i64::MAX),
        superseded,
        rejected,
        checkpoint: page.checkpoint,
        last: page.last,
        unchanged: page.unchanged,
        validators: page.validators,
        stats: page.stats,
        notes: page.notes,
        observed,
    }
}

impl Identity {
    /// The key and the hash; or the code and the message of what is wrong with the record.
    fn of(&self, record: &Record) -> Result<(String, [u8; 16]), (&'static str, String)> {
        let json = record.json();
        let hash = canonical::hash(json, &self.hash_key)
            .map_err(|error| ("RECORD_INVALID", format!("The record is not JSON: {error}.")))?;
        // Without a primary key nothing tells two versions of a record apart from two records, so the content is
        // the key: what is new is added, and what is the same is not added twice.
        if self.primary_key.is_empty() {
            return Ok((hex::encode(hash), hash));
        }
        let key = key::extract(&self.primary_key, record)
            .map_err(|missing| ("RECORD_KEY_MISSING", format!("{missing}.")))?;
        if key.len() > LONGEST_KEY {
            let message = format!(
                "The record's key is {} bytes long; at most {LONGEST_KEY} can be indexed.",
                key.len()
            );
            return Err(("RECORD_KEY_TOO_LONG", message));
        }
        if key.contains('\0') {
            return Err((
                "RECORD_KEY_INVALID",
                "The record's key contains a NUL character.".to_owned(),
            ));
        }
        Ok((key, hash))
    }
}

fn fingerprint(key: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish()
}

/// Joins pages into batches in which every key is there once, for one statement each.
///
/// A key that comes again on a later page is a second change, as it would be if each page were committed by
/// itself: how fast pages come must not show in the counts. Two keys of one fingerprint cost a statement.
pub(super) fn batches(pages: impl IntoIterator<Item = (Packed, Vec<u64>)>) -> Vec<Packed> {
    let mut batches: Vec<Packed> = Vec::new();
    let mut seen: HashSet<u64> = HashSet::new();
    for (packed, fingerprints) in pages {
        let repeats = fingerprints.iter().any(|fingerprint| seen.contains(fingerprint));
        if repeats {
            seen.clear();
        }
        seen.extend(fingerprints);
        match batches.last_mut() {
            Some(batch) if !repeats => batch.append(packed),
            _ => batches.push(packed),
        }
    }
    batches.retain(|batch| !batch.is_empty());
    batches
}

impl Prepared {
    /// Takes the records out, for [`batches`].
    pub(super) fn take_records(&mut self) -> (Packed, Vec<u64>) {
        (
            std::mem::take(&mut self.packed),
            std::mem::take(&mut self.fingerprints),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(records: &[&str]) -> Page {
        Page {
            records: records.iter().map(|json| Record::from_json(json)).collect(),
            rejected: Vec::new(),
            checkpoint: Checkpoint::default(),
            stats: PageStats::default(),
            notes: Vec::new(),
            last: false,
            validators: None,
            unchanged: false,
        }
    }

    fn identity(primary_key: Vec<Vec<String>>) -> Identity {
        Identity {
            stream: "s".to_owned(),
            primary_key,
            declared: Declared::default(),
            hash_key: [7; 16],
        }
    }

    fn by_id() -> Identity {
        identity(vec![vec!["id".to_owned()]])
    }

    #[test]
    fn of_two_records_with_one_key_the_last_counts() {
        let prepared = prepare(
            page(&[r#"{"id":1,"v":"a"}"#, r#"{"id":2}"#, r#"{"id":1,"v":"b"}"#]),
            &by_id(),
        );
        assert_eq!(
            (prepared.read, prepared.superseded, prepared.packed.len()),
            (3, 1, 2)
        );
    }

    #[test]
    fn a_record_without_a_usable_key_is_rejected_with_its_payload() {
        let long = format!(r#"{{"id":"{}"}}"#, "x".repeat(LONGEST_KEY + 1));
        let prepared = prepare(
            page(&[r#"{"name":"x"}"#, &long, r#"{"id":"a\u0000b"}"#, r#"{"id":1}"#]),
            &by_id(),
        );
        let codes: Vec<&str> = prepared
            .rejected
            .iter()
            .map(|(_, error)| error.code.as_str())
            .collect();
        assert_eq!(
            codes,
            ["RECORD_KEY_MISSING", "RECORD_KEY_TOO_LONG", "RECORD_KEY_INVALID"]
        );
        assert_eq!(prepared.rejected[0].0, serde_json::json!({"name": "x"}));
        assert_eq!(prepared.packed.len(), 1);
    }

    #[test]
    fn without_a_primary_key_the_content_is_the_key() {
        let prepared = prepare(
            page(&[r#"{"a":1,"b":2}"#, r#"{"b":2,"a":1.0}"#, r#"{"a":2}"#]),
            &identity(Vec::new()),
        );
        assert_eq!((prepared.packed.len(), prepared.superseded), (2, 1));
    }

    #[test]
    fn a_key_that_comes_again_on_a_later_page_begins_a_new_batch() {
        let pages = [
            page(&[r#"{"id":1}"#, r#"{"id":2}"#]),
            page(&[r#"{"id":3}"#]),
            page(&[r#"{"id":2}"#]),
            page(&[r#"{"id":1}"#]),
            page(&[r#"{"id":1}"#]),
        ];
        let prepared = pages
            .into_iter()
            .map(|page| prepare(page, &by_id()).take_records());
        let sizes: Vec<usize> = batches(prepared).iter().map(Packed::len).collect();
        assert_eq!(sizes, [3, 2, 1]);
    }
}
