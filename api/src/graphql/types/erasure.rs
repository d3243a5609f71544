//! A client's erasure.

use async_graphql::{ID, Object, SimpleObject};

use super::{DateTime, ErasureStatus};

pub(crate) struct Erasure(pub(crate) engine::erasure::Erasure);

impl From<engine::erasure::Erasure> for Erasure {
    fn from(erasure: engine::erasure::Erasure) -> Self {
        Self(erasure)
    }
}

/// A client's erasure: under way, or the proof that it was done. It holds nothing about the client but the id that it had.
#[Object]
impl Erasure {
    /// `era_…`
    pub(crate) async fn id(&self) -> ID {
        self.0.id.to_string().into()
    }

    /// The client's id; once it is done there is no such client any more.
    async fn client_id(&self) -> ID {
        self.0.client_id.to_string().into()
    }

    /// Which credential asked for it: operator, loopback, an API key's id, or token and the number of its subject.
    async fn requested_by(&self) -> &str {
        &self.0.requested_by
    }

    /// When it was asked for.
    async fn requested_at(&self) -> DateTime {
        self.0.requested_at.into()
    }

    /// Where it stands.
    async fn status(&self) -> ErasureStatus {
        self.0.status.into()
    }

    /// What was erased so far. It grows until the erasure is DONE.
    async fn erased(&self) -> Vec<ErasedCount> {
        let counts = self.0.erased.iter();
        counts
            .map(|counted| ErasedCount {
                what: counted.what.clone(),
                #[expect(
                    clippy::cast_precision_loss,
                    reason = "exact up to 2^53, as the contract has counts"
                )]
                count: counted.count as f64,
            })
            .collect()
    }

    /// When nothing was left; null before.
    async fn finished_at(&self) -> Option<DateTime> {
        self.0.finished_at.map(Into::into)
    }
}

/// How many rows of one kind were erased.
#[derive(SimpleObject)]
pub(crate) struct ErasedCount {
    /// The kind: record, sync_run, outbox_event, …
    what: String,
    /// How many. A whole number, as Float because it may pass 2^31.
    count: f64,
}
