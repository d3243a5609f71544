//! The list of documents that may run, read once at the start.
//!
//! A file or a folder: `*.graphql` and `*.gql` hold one document each, as it is sent; `*.json` what build tools write: an
//! object of texts by their hashes (graphql-codegen, Relay), or Apollo's manifest. A list that cannot be read whole, or has a
//! document that this schema refuses, stops the start: an installation that silently allows less, or everything, is found
//! out too late.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::valid::Validator;
use crate::graphql::Limits;
use crate::graphql::guard::{self, canonical};

/// Documents that a list may have.
const MOST: usize = 10_000;

/// Why there is no list.
#[derive(Debug, thiserror::Error)]
#[error("{} {problem}", path.display())]
pub(crate) struct Unlistable {
    path: PathBuf,
    problem: String,
}

#[derive(Debug, Default)]
pub(super) struct Listed {
    by_hash: HashMap<String, String>,
    canonical: HashSet<String>,
}

impl Listed {
    /// Reads a file, or the files of a folder.
    pub(super) async fn read(path: &Path, limits: &Limits) -> Result<Self, Unlistable> {
        let failed = |path: &Path, problem: String| Unlistable {
            path: path.to_owned(),
            problem,
        };
        let unreadable = |path: &Path| {
            let path = path.to_owned();
            move |error: std::io::Error| Unlistable {
                path,
                problem: format!("cannot be read: {error}"),
            }
        };
        let mut files = vec![path.to_owned()];
        if path.is_dir() {
            files = fs::read_dir(path)
                .map_err(unreadable(path))?
                .map(|entry| entry.map(|entry| entry.path()))
                .collect::<Result<_, _>>()
                .map_err(unreadable(path))?;
            files.retain(|file| matches!(extension(file), "graphql" | "gql" | "json"));
            files.sort();
        }
        let validator = Validator::new(limits);
        let mut listed = Self::default();
        for file in files {
            let text = fs::read_to_string(&file).map_err(unreadable(&file))?;
            let documents = if extension(&file) == "json" {
                manifest(&text).map_err(|problem| failed(&file, problem))?
            } else {
                vec![(None, text)]
            };
            for (hash, text) in documents {
                let added = listed.add(hash, text, limits, &validator).await;
                added.map_err(|problem| failed(&file, problem))?;
            }
        }
        if listed.canonical.is_empty() {
            let problem = "has no operations: put *.graphql files or a manifest there";
            return Err(failed(path, problem.to_owned()));
        }
        Ok(listed)
    }

    async fn add(
        &mut self,
        hash: Option<String>,
        text: String,
        limits: &Limits,
        validator: &Validator,
    ) -> Result<(), String> {
        let refused = |why: &str| {
            let name: String = text.chars().take(60).collect();
            format!("has a document that cannot run ({why}): {name:?}")
        };
        guard::vet(&text, limits).map_err(|refusal| refused(&refusal.message))?;
        validator.check(&text).await.map_err(|why| refused(&why))?;
        if self.canonical.len() >= MOST {
            return Err(format!("would be more than {MOST} documents"));
        }
        self.canonical.insert(canonical(&text));
        if let Some(hash) = hash {
            self.by_hash.insert(hash, text.clone());
        }
        self.by_hash
            .insert(hex::encode(Sha256::digest(text.as_bytes())), text);
        Ok(())
    }

    /// How many documents there are.
    pub(super) fn count(&self) -> usize {
        self.canonical.len()
    }

    /// The document with this hash, or this id in its manifest.
    pub(super) fn by_hash(&self, hash: &str) -> Option<String> {
        self.by_hash.get(hash).cloned()
    }

    /// Whether a document is listed, whatever its layout.
    pub(super) fn has(&self, canonical: &str) -> bool {
        self.canonical.contains(canonical)
    }
}

fn extension(file: &Path) -> &str {
    file.extension()
        .and_then(|extension| extension.to_str())
        .unwrap_or_default()
}

/// The documents of a manifest, each with the hash or the id that it goes by.
fn manifest(text: &str) -> Result<Vec<(Option<String>, String)>, String> {
    let shape =
        "must be an object of documents by their hashes, or Apollo's manifest (operations with id and body)";
    let manifest: Value = serde_json::from_str(text).map_err(|error| format!("is not JSON: {error}"))?;
    let Value::Object(fields) = manifest else {
        return Err(shape.to_owned());
    };
    if let Some(Value::Array(operations)) = fields.get("operations") {
        let each = operations.iter().map(|operation| {
            let (id, body) = (operation["id"].as_str(), operation["body"].as_str());
            Some((Some(id?.to_owned()), body?.to_owned()))
        });
        return each.collect::<Option<_>>().ok_or_else(|| shape.to_owned());
    }
    let each = fields.into_iter().map(|(hash, text)| match text {
        Value::String(text) => Some((Some(hash), text)),
        _ => None,
    });
    each.collect::<Option<_>>().ok_or_else(|| shape.to_owned())
}
