//! What can go wrong, in two families that never mix.
//!
//! A [`ManifestError`] belongs to whoever writes manifests: it is found at load, before a request is made, and it
//! names the place in the file. A [`ReadError`] (defined with the reader) belongs to a run: it is found while talking to somebody else's
//! server, and it says of which kind the trouble is (does waiting help? is the credential wrong?), because retry
//! policy, circuit breaking and the run's status are decided from the kind and never from the text.
//!
//! One error type for both was rejected: a run's error would then carry line numbers that mean nothing to the
//! operator, and a load error a `retryable` flag that means nothing to the author.

pub use crate::read::{ErrorKind, PageStats, ReadError};

/// A fault in a manifest, at its place in the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{component}: {message}: line {line}, column {column}")]
pub struct ManifestError {
    /// What is wrong, and what would be right.
    pub message: String,
    /// The type of the component in which the fault lies, such as `HttpRequester`.
    pub component: String,
    /// Where in the resolved manifest, as dotted fields and indexes: `streams[0].retriever.paginator`.
    pub path: String,
    /// Line in the file, from 1.
    pub line: u32,
    /// Column in the line, from 1, counted in characters.
    pub column: u32,
}
