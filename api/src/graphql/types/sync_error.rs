//! What went wrong in a run, a check, or a dead letter.

use async_graphql::Object;

use super::ErrorKind;

pub(crate) struct SyncError(pub(crate) engine::runs::SyncError);

impl From<engine::runs::SyncError> for SyncError {
    fn from(error: engine::runs::SyncError) -> Self {
        Self(error)
    }
}

/// What went wrong with an upstream, a configuration or a record. Holds no secret.
#[Object]
impl SyncError {
    /// The kind of thing: what decides whether it is tried again.
    async fn kind(&self) -> ErrorKind {
        self.0.kind.into()
    }

    /// Exactly which, in SCREAMING_SNAKE_CASE: HTTP_401, TIMEOUT, NOT_JSON, BLOCKED_ADDRESS, …
    async fn code(&self) -> &str {
        &self.0.code
    }

    /// What happened and what to do, for a person.
    async fn message(&self) -> &str {
        &self.0.message
    }

    /// Whether trying again can help.
    async fn retryable(&self) -> bool {
        self.0.retryable
    }

    /// The stream that was read; null when it was about none.
    async fn stream(&self) -> Option<&str> {
        self.0.stream.as_deref()
    }

    /// The status of the upstream's answer; null when there was none.
    async fn http_status(&self) -> Option<i32> {
        self.0.http_status.map(i32::from)
    }

    /// What was asked, without its query and its secrets; null when nothing was.
    async fn url(&self) -> Option<&str> {
        self.0.url.as_deref()
    }
}
