//! A dead letter.

use async_graphql::{Context, ID, Object, Result};
use serde_json::Value;

use super::{DateTime, DeadLetterKind, DeadLetterStatus, Integration, SyncError, SyncRun};
use crate::graphql::context::loaders;

pub(crate) struct DeadLetter(pub(crate) engine::deadletters::DeadLetter);

impl From<engine::deadletters::DeadLetter> for DeadLetter {
    fn from(letter: engine::deadletters::DeadLetter) -> Self {
        Self(letter)
    }
}

/// Work that could not be done and waits for a person.
#[Object]
impl DeadLetter {
    /// `dlq_…`
    pub(crate) async fn id(&self) -> ID {
        self.0.id.to_string().into()
    }

    /// What it is.
    async fn kind(&self) -> DeadLetterKind {
        self.0.kind.into()
    }

    /// What became of it.
    async fn status(&self) -> DeadLetterStatus {
        self.0.status.into()
    }

    /// The integration that it is of; null when it is of none, or that one was deleted.
    async fn integration(&self, ctx: &Context<'_>) -> Result<Option<Integration>> {
        let Some(id) = self.0.integration_id else {
            return Ok(None);
        };
        Ok(loaders(ctx).load_one(id).await?.map(Integration))
    }

    /// The stream that was read; null when it is about none.
    async fn stream(&self) -> Option<&str> {
        self.0.stream.as_deref()
    }

    /// What could not be done: of a record its JSON, of a run what was asked.
    async fn payload(&self) -> &Value {
        &self.0.payload
    }

    /// Why not.
    async fn error(&self) -> SyncError {
        SyncError(self.0.error.clone())
    }

    /// How often it was tried.
    async fn attempts(&self) -> i32 {
        self.0.attempts
    }

    /// When it was left.
    async fn created_at(&self) -> DateTime {
        self.0.created_at.into()
    }

    /// The run that left it; null when it is of none.
    async fn run(&self, ctx: &Context<'_>) -> Result<Option<SyncRun>> {
        let Some(id) = self.0.run_id else { return Ok(None) };
        Ok(loaders(ctx).load_one(id).await?.map(SyncRun))
    }
}
