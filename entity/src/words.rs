//! The closed vocabularies that columns hold.
//!
//! A status is kept as the word that the API shows: a person who looks into the database reads it, and no
//! table of numbers can fall out of step. Only what stands in every row of the biggest tables is a number
//! ([`ChangeKind`], [`LogLevel`]).

use std::fmt;
use std::str::FromStr;

use sea_orm::{DbErr, DeriveValueType, TryFromU64};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A column holds a word that its vocabulary does not have: written by a newer version, or by hand.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{word:?} is not one of the known {vocabulary} values")]
pub struct UnknownWord {
    /// The vocabulary.
    pub vocabulary: &'static str,
    /// What was found.
    pub word: String,
}

macro_rules! vocabulary {
    ($($(#[$meta:meta])* $name:ident { $($(#[$variant_meta:meta])* $variant:ident = $word:literal,)+ })+) => {$(
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, DeriveValueType)]
        #[sea_orm(value_type = "String")]
        pub enum $name {
            $($(#[$variant_meta])* $variant,)+
        }

        impl $name {
            /// All of them, in the order in which they are declared.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word, as the database and the API have it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = UnknownWord;

            fn from_str(word: &str) -> Result<Self, UnknownWord> {
                match word {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(UnknownWord { vocabulary: stringify!($name), word: word.to_owned() }),
                }
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
            }
        }
    )+};
}

vocabulary! {
    /// Whether a client may work.
    ClientStatus {
        /// It may.
        Active = "ACTIVE",
        /// Kept for its history; nothing of it runs any more.
        Archived = "ARCHIVED",
    }

    /// What made a run.
    SyncTrigger {
        /// Somebody asked for it.
        Manual = "MANUAL",
        /// Its schedule was due.
        Schedule = "SCHEDULE",
        /// An inbound webhook.
        Webhook = "WEBHOOK",
        /// Somebody asked for an ended run once more.
        Retry = "RETRY",
        /// A step of a workflow.
        Workflow = "WORKFLOW",
    }

    /// How much a run reads.
    SyncMode {
        /// What changed since the last one, where the stream can tell.
        Incremental = "INCREMENTAL",
        /// Everything; what is no longer there is marked as deleted.
        FullRefresh = "FULL_REFRESH",
    }

    /// Where a run, or one stream of it, stands.
    SyncRunStatus {
        /// Waits for a worker.
        Queued = "QUEUED",
        /// A worker holds its lease.
        Running = "RUNNING",
        /// Ended; every record is there.
        Succeeded = "SUCCEEDED",
        /// Ended; some records became dead letters, within the error budget.
        PartiallySucceeded = "PARTIALLY_SUCCEEDED",
        /// Ended by an error.
        Failed = "FAILED",
        /// Ended because somebody asked for it.
        Cancelled = "CANCELLED",
    }

    /// Why a queued run does not run yet.
    WaitReason {
        /// It is free to run; no worker has taken it yet.
        Ready = "READY",
        /// Another run of the integration comes first.
        QueuedBehind = "QUEUED_BEHIND",
        /// Somebody else holds what it needs.
        Locked = "LOCKED",
        /// The upstream's or the operator's request budget is spent.
        RateLimited = "RATE_LIMITED",
        /// The upstream is failing; its circuit is open.
        CircuitOpen = "CIRCUIT_OPEN",
        /// The client has as many running runs as it may have.
        ConcurrencyLimit = "CONCURRENCY_LIMIT",
        /// The integration is paused.
        Paused = "PAUSED",
        /// The integration's credential was refused.
        Credential = "CREDENTIAL",
        /// An attempt failed; the next one waits.
        Backoff = "BACKOFF",
        /// Its time has not come.
        NotDue = "NOT_DUE",
    }

    /// What to do with a due time while a run is active.
    OverlapPolicy {
        /// Leave it out.
        Skip = "SKIP",
        /// Queue one run, and leave out further ones.
        BufferOne = "BUFFER_ONE",
        /// Cancel the active run, and queue one.
        CancelRunning = "CANCEL_RUNNING",
    }

    /// Why a due time did not become a run.
    SkipReason {
        /// A run was active.
        Overlap = "OVERLAP",
        /// The integration was paused.
        Paused = "PAUSED",
        /// No scheduler was there, and the catch-up window had passed.
        MissedOutsideCatchUp = "MISSED_OUTSIDE_CATCH_UP",
        /// The client was archived.
        ClientArchived = "CLIENT_ARCHIVED",
        /// No scheduler was there, and the run of a later due time stands for it.
        Coalesced = "COALESCED",
    }

    /// What is done next of an erasure.
    ErasureStage {
        /// The client's runs are stopped.
        Cancelling = "CANCELLING",
        /// What is kept under idempotency keys is forgotten.
        Answers = "ANSWERS",
        /// Its rows are deleted.
        Rows = "ROWS",
        /// Its events, and then itself.
        Events = "EVENTS",
    }

    /// What a dead letter is.
    DeadLetterKind {
        /// A record that could not be mapped.
        Record = "RECORD",
        /// A run that spent all its attempts.
        Run = "RUN",
        /// An inbound webhook.
        Webhook = "WEBHOOK",
        /// A delivery to somebody else.
        Delivery = "DELIVERY",
    }

    /// What became of a dead letter.
    DeadLetterStatus {
        /// It waits for a person.
        Open = "OPEN",
        /// It was done again.
        Replayed = "REPLAYED",
        /// Somebody decided to let it go.
        Discarded = "DISCARDED",
    }

    /// What kind of thing went wrong.
    ErrorKind {
        /// The configuration cannot work.
        Config = "CONFIG",
        /// The upstream refused the credential.
        Auth = "AUTH",
        /// The upstream, or our own budget for it, asks to wait.
        RateLimited = "RATE_LIMITED",
        /// The upstream failed.
        Upstream = "UPSTREAM",
        /// It took too long.
        Timeout = "TIMEOUT",
        /// No connection.
        Network = "NETWORK",
        /// The answer could not be read.
        Malformed = "MALFORMED",
        /// A record is not what the connector describes.
        Schema = "SCHEMA",
        /// Somebody asked to stop.
        Cancelled = "CANCELLED",
        /// Our fault.
        Internal = "INTERNAL",
    }
}

impl SyncRunStatus {
    /// Whether nothing follows.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        !matches!(self, Self::Queued | Self::Running)
    }
}

/// A part of a key, of which SeaORM asks this; no database counts states up.
impl TryFromU64 for SyncRunStatus {
    fn try_from_u64(_: u64) -> Result<Self, DbErr> {
        Err(DbErr::ConvertFromU64("SyncRunStatus"))
    }
}

macro_rules! numbered {
    ($($(#[$meta:meta])* $name:ident { $($(#[$variant_meta:meta])* $variant:ident = $code:literal $word:literal,)+ })+) => {$(
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$variant_meta])* $variant,)+
        }

        impl $name {
            /// All of them, lowest number first.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// What the column holds.
            #[must_use]
            pub const fn code(self) -> i16 {
                match self { $(Self::$variant => $code),+ }
            }

            /// None where the number is not known.
            #[must_use]
            pub const fn from_code(code: i16) -> Option<Self> {
                match code { $($code => Some(Self::$variant),)+ _ => None }
            }

            /// The word that the API shows.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    )+};
}

numbered! {
    /// What a record's last change was.
    ChangeKind {
        /// It was new, or came back.
        Added = 0 "ADDED",
        /// Its content became another.
        Updated = 1 "UPDATED",
        /// A complete full refresh no longer saw it.
        Deleted = 2 "DELETED",
    }

    /// How grave a line of a run's log is.
    LogLevel {
        /// For who looks for a fault.
        Debug = 0 "DEBUG",
        /// The course of things.
        Info = 1 "INFO",
        /// Something to look at.
        Warn = 2 "WARN",
        /// Something that failed.
        Error = 3 "ERROR",
    }
}
