//! The closed vocabularies. Each mirrors one of the engine's by `remote`, so a word that the engine gains does
//! not compile until it has a description here.

use async_graphql::Enum;

macro_rules! words {
    ($($(#[$meta:meta])* $name:ident = $remote:literal { $($(#[$variant_meta:meta])* $variant:ident,)+ })+) => {$(
        $(#[$meta])*
        #[derive(Enum, Debug, Copy, Clone, PartialEq, Eq)]
        #[graphql(remote = $remote)]
        pub(crate) enum $name {
            $($(#[$variant_meta])* $variant,)+
        }
    )+};
}

words! {
    /// Whether a client may work.
    ClientStatus = "engine::clients::ClientStatus" {
        /// It may.
        Active,
        /// Kept for its history; none of its integrations runs any more.
        Archived,
    }

    /// The direction of an order.
    OrderDirection = "engine::OrderDirection" {
        /// Smallest first.
        Asc,
        /// Largest first.
        Desc,
    }

    /// What clients are ordered by.
    ClientOrderField = "engine::clients::ClientOrderField" {
        /// When they were registered.
        CreatedAt,
        /// Their name.
        Name,
        /// Their slug.
        Slug,
    }

    /// How a field drifted from its schema.
    SchemaDriftKind = "engine::sync::DriftKind" {
        /// It holds another type than declared.
        TypeChanged,
        /// All records had it in earlier runs, and none has it now.
        FieldVanished,
    }

    /// What a version of a connector changes.
    ConnectorChangeKind = "engine::connectors::ChangeKind" {
        /// A stream is new.
        StreamAdded,
        /// A stream is gone.
        StreamRemoved,
        /// A field is new.
        FieldAdded,
        /// A field is gone.
        FieldRemoved,
        /// A field may hold what it could not hold before.
        TypeChanged,
        /// Records are told apart by other fields.
        PrimaryKeyChanged,
        /// Progress is measured by another field, or not any more.
        CursorChanged,
    }

    /// Whether an integration runs.
    IntegrationStatus = "engine::integrations::IntegrationStatus" {
        /// It does: there is no reason to pause.
        Active,
        /// There is at least one pause reason.
        Paused,
    }

    /// Why an integration does not run. Each is set and cleared on its own; ACTIVE means none.
    PauseReason = "engine::integrations::PauseReason" {
        /// Somebody paused it with pauseIntegration.
        Manual,
        /// The upstream refused its credential.
        Credential,
        /// It failed too often in a row.
        RepeatedFailure,
    }

    /// How an integration fares, told from how its last runs ended.
    Health = "engine::integrations::Health" {
        /// The last run succeeded.
        Healthy,
        /// The last run lost records, or one of the last runs failed.
        Degraded,
        /// Several runs in a row failed, or the credential was refused.
        Failing,
        /// No run has ended yet.
        Unknown,
    }

    /// What integrations are ordered by.
    IntegrationOrderField = "engine::integrations::IntegrationOrderField" {
        /// When they were created.
        CreatedAt,
        /// Their name.
        Name,
        /// Their schedule's next due time; those without one come last.
        NextRunAt,
    }

    /// What to do with a due time while a run of the integration is active.
    OverlapPolicy = "engine::integrations::OverlapPolicy" {
        /// Leave it out.
        Skip,
        /// Queue one run, and leave out further ones.
        BufferOne,
        /// Cancel the active run, and queue one.
        CancelRunning,
    }

    /// Why a due time did not become a run.
    SkipReason = "engine::integrations::SkipReason" {
        /// A run was active.
        Overlap,
        /// The integration was paused.
        Paused,
        /// No scheduler was there, and the catch-up window had passed.
        MissedOutsideCatchUp,
        /// The client was archived.
        ClientArchived,
        /// No scheduler was there, and the run of a later due time stands for it.
        Coalesced,
    }

    /// What made a run.
    SyncTrigger = "engine::runs::SyncTrigger" {
        /// Somebody asked for it with triggerSync.
        Manual,
        /// Its schedule was due.
        Schedule,
        /// An inbound webhook.
        Webhook,
        /// Somebody asked for an ended run once more with retrySync.
        Retry,
        /// A step of a workflow.
        Workflow,
    }

    /// How much a run reads.
    SyncMode = "engine::runs::SyncMode" {
        /// What changed since the last run, where the stream can tell.
        Incremental,
        /// Everything; what is no longer there is marked as deleted.
        FullRefresh,
    }

    /// Where a run, or one stream of it, stands.
    SyncRunStatus = "engine::runs::SyncRunStatus" {
        /// It waits; waitReason says for what.
        Queued,
        /// A worker is reading.
        Running,
        /// Ended; every record is there.
        Succeeded,
        /// Ended; some records became dead letters, within the error budget.
        PartiallySucceeded,
        /// Ended by an error, after all attempts.
        Failed,
        /// Ended because somebody asked for it.
        Cancelled,
    }

    /// Why a queued run does not run yet.
    WaitReason = "engine::runs::WaitReason" {
        /// It is free to run; no worker has taken it yet.
        Ready,
        /// Another run of the integration comes first.
        QueuedBehind,
        /// Somebody else holds what it needs.
        Locked,
        /// A request budget is spent.
        RateLimited,
        /// The upstream is failing; its circuit is open.
        CircuitOpen,
        /// The client has as many running runs as it may have.
        ConcurrencyLimit,
        /// The integration is paused.
        Paused,
        /// The integration's credential was refused.
        Credential,
        /// An attempt failed; the next one waits.
        Backoff,
        /// Its time has not come.
        NotDue,
    }

    /// What kind of thing went wrong.
    ErrorKind = "engine::runs::ErrorKind" {
        /// The configuration cannot work, or it asks for an address that may not be called.
        Config,
        /// The upstream refused the credential.
        Auth,
        /// The upstream, or our own budget for it, asks to wait.
        RateLimited,
        /// The upstream failed.
        Upstream,
        /// It took too long.
        Timeout,
        /// There was no connection.
        Network,
        /// The answer could not be read.
        Malformed,
        /// A record is not what the connector describes.
        Schema,
        /// Somebody asked to stop.
        Cancelled,
        /// A fault of this server.
        Internal,
    }

    /// How grave a line of a run's log is.
    LogLevel = "engine::runs::LogLevel" {
        /// For who looks for a fault.
        Debug,
        /// The course of things.
        Info,
        /// Something to look at.
        Warn,
        /// Something that failed.
        Error,
    }

    /// What a record's last change was.
    ChangeKind = "engine::records::ChangeKind" {
        /// It was new, or came back.
        Added,
        /// Its content became another.
        Updated,
        /// A complete full refresh no longer saw it.
        Deleted,
    }

    /// What a dead letter is.
    DeadLetterKind = "engine::deadletters::DeadLetterKind" {
        /// A record that could not be kept.
        Record,
        /// A run that spent all its attempts.
        Run,
        /// An inbound webhook.
        Webhook,
        /// A delivery to somebody else.
        Delivery,
    }

    /// What became of a dead letter.
    DeadLetterStatus = "engine::deadletters::DeadLetterStatus" {
        /// It waits for a person.
        Open,
        /// It was done again.
        Replayed,
        /// Somebody decided to let it go.
        Discarded,
    }

    /// Where a client's erasure stands.
    ErasureStatus = "engine::erasure::ErasureStatus" {
        /// The client's runs are being stopped.
        Cancelling,
        /// What it had is being deleted.
        Erasing,
        /// Nothing of it is left.
        Done,
    }

    /// What kind of mistake a userError reports.
    UserErrorCode = "engine::RefusalCode" {
        /// The value cannot be.
        Invalid,
        /// The value is missing.
        Required,
        /// Somebody has it already.
        Taken,
        /// There is no such thing, or it is not the caller's.
        NotFound,
        /// It does not fit the state that things are in.
        Conflict,
        /// The idempotency key was used with another input.
        IdempotencyMismatch,
        /// The caller may not do that.
        Forbidden,
        /// There are as many as there may be.
        LimitReached,
    }
}

/// Who the caller is.
#[derive(Enum, Debug, Copy, Clone, PartialEq, Eq)]
pub(crate) enum ActorKind {
    /// Holds the operator's key, or a key or a token that no client binds.
    Operator,
    /// Holds a client's key or token.
    Client,
    /// Calls over loopback while no operator key is set, with an operator's rights.
    AnonymousLoopback,
}

/// Whether calls to an upstream are let through.
#[derive(Enum, Debug, Copy, Clone, PartialEq, Eq)]
pub(crate) enum CircuitState {
    /// They are.
    Closed,
    /// They are not, because the upstream fails.
    Open,
    /// One is, to see whether the upstream is back.
    HalfOpen,
}

impl From<engine::protection::CircuitState> for CircuitState {
    fn from(state: engine::protection::CircuitState) -> Self {
        match state {
            engine::protection::CircuitState::Closed => Self::Closed,
            engine::protection::CircuitState::Open => Self::Open,
            engine::protection::CircuitState::HalfOpen => Self::HalfOpen,
        }
    }
}
