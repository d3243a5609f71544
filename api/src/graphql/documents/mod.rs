//! Documents that are known before they come: persisted queries, and a list of all that may run.
//!
//! # Automatic persisted queries
//! Apollo's protocol: a client sends the SHA-256 of a document (`extensions.persistedQuery.sha256Hash`) in the place of its
//! text. Who does not know it says so (PERSISTED_QUERY_NOT_FOUND), and the client sends both; from then on the hash is
//! enough, also over GET. What is kept is bounded, the process's own and not shared: a miss costs one more request, which
//! is less than asking a database or Redis each time, and a document that was pushed out comes back the same way. Only
//! what the [guard](super::guard) let pass is kept, and only for callers who were let in.
//!
//! # A list
//! With the setting `server.operations` only listed documents run ([`listed`]), by their text, whatever its layout, or by
//! their hash. That takes from whoever holds a client's key the freedom to ask for anything expensive or unforeseen. The
//! holder of the operator's key is exempt: whoever has it may change the list, and needs the API when something burns. API
//! keys are not, also the operator's own people's, nor is loopback without a key, so that a development machine shows
//! what production will refuse. GraphiQL is off, because it asks for what is on no list.

mod kept;
mod listed;
#[cfg(test)]
mod tests;
mod valid;

use std::path::Path;

use engine::Actor;
use platform::settings::LimitSettings;
use sha2::{Digest, Sha256};

use self::kept::Kept;
use self::listed::Listed;
use self::listed::Unlistable;
use super::Limits;
use super::error::Code;
use super::guard::{Refusal, canonical};

/// How many documents a list has, whose server would start with it.
///
/// # Errors
/// What is wrong with it, in a sentence that begins with the file.
pub async fn check_operations(path: &Path, limits: &LimitSettings) -> Result<usize, String> {
    match Listed::read(path, limits).await {
        Ok(listed) => Ok(listed.count()),
        Err(unlistable) => Err(unlistable.to_string()),
    }
}

/// What is known of documents.
#[derive(Debug, Default)]
pub(crate) struct Documents {
    kept: Kept,
    listed: Option<Listed>,
}

/// A document's text, and whether its hash is to be kept.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) text: String,
    keep: Option<String>,
}

impl Documents {
    /// With a list of all that may run, where there is one.
    pub(crate) async fn new(operations: Option<&Path>, limits: &Limits) -> Result<Self, Unlistable> {
        let listed = match operations {
            Some(path) => Some(Listed::read(path, limits).await?),
            None => None,
        };
        Ok(Self {
            kept: Kept::default(),
            listed,
        })
    }

    /// Whether only what is listed runs.
    pub(crate) fn are_listed(&self) -> bool {
        self.listed.is_some()
    }

    /// The text that is asked for.
    pub(super) fn find(&self, text: String, hash: Option<String>, actor: &Actor) -> Result<Found, Refusal> {
        let Some(hash) = hash else {
            return Ok(Found { text, keep: None });
        };
        if text.is_empty() {
            let listed = self.listed.as_ref();
            let known = listed
                .and_then(|listed| listed.by_hash(&hash))
                .or_else(|| self.kept.get(&hash));
            return match known {
                Some(text) => Ok(Found { text, keep: None }),
                None if self.binds(actor) => Err(not_listed()),
                None => Err(refuse(Code::PersistedQueryNotFound, "PersistedQueryNotFound")),
            };
        }
        if hex::encode(Sha256::digest(text.as_bytes())) != hash {
            let message = "persistedQuery.sha256Hash is not the SHA-256 of the query";
            return Err(refuse(Code::BadUserInput, message));
        }
        Ok(Found {
            text,
            keep: Some(hash),
        })
    }

    /// Lets a document that the guard has let pass go on; and keeps it, where its hash came with it.
    pub(super) fn admit(&self, found: &Found, actor: &Actor) -> Result<(), Refusal> {
        if self.binds(actor)
            && let Some(listed) = &self.listed
            && !listed.has(&canonical(&found.text))
        {
            return Err(not_listed());
        }
        if let Some(hash) = &found.keep {
            self.kept.put(hash, &found.text);
        }
        Ok(())
    }

    /// Whether this caller is held to the list.
    fn binds(&self, actor: &Actor) -> bool {
        self.listed.is_some() && *actor != Actor::Operator
    }
}

fn not_listed() -> Refusal {
    let message = "Only the operations on this installation's list run here, and this one is not among them";
    refuse(Code::Forbidden, message)
}

fn refuse(code: Code, message: &str) -> Refusal {
    Refusal {
        code,
        message: message.to_owned(),
        locations: Vec::new(),
    }
}
