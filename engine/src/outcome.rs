//! What a service answers: done, or refused with reasons that the caller can act on.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

/// The answer to a request that may be the caller's fault.
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub enum Outcome<T> {
    /// It was done.
    Done(T),
    /// Nothing was done; each refusal says why and what to do.
    Refused(Vec<Refusal>),
}

impl<T> Outcome<T> {
    /// Changes what was done.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Outcome<U> {
        match self {
            Self::Done(done) => Outcome::Done(change(done)),
            Self::Refused(refusals) => Outcome::Refused(refusals),
        }
    }

    /// What was done, if it was.
    pub fn done(self) -> Option<T> {
        match self {
            Self::Done(done) => Some(done),
            Self::Refused(_) => None,
        }
    }

    /// Why it was refused; empty where it was not.
    #[must_use]
    pub fn refusals(&self) -> &[Refusal] {
        match self {
            Self::Done(_) => &[],
            Self::Refused(refusals) => refusals,
        }
    }
}

impl<T> From<Refusal> for Outcome<T> {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(vec![refusal])
    }
}

/// The kind of a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RefusalCode {
    /// The value cannot be.
    Invalid,
    /// The value is missing.
    Required,
    /// Somebody has it already.
    Taken,
    /// There is no such thing, or it is not the caller's.
    NotFound,
    /// Not in the state that things are in.
    Conflict,
    /// The idempotency key was used with another input.
    IdempotencyMismatch,
    /// The caller may not do that.
    Forbidden,
    /// There are as many as there may be.
    LimitReached,
}

/// Why something was not done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The kind.
    pub code: RefusalCode,
    /// What to do about it, for a person.
    pub message: String,
    /// The path into the input, in the names of the API; empty where no single field is at fault.
    pub field: Vec<String>,
}

impl Refusal {
    /// A refusal of this kind.
    pub fn new<F: Into<String>>(
        code: RefusalCode,
        message: impl Into<String>,
        field: impl IntoIterator<Item = F>,
    ) -> Self {
        Self {
            code,
            message: message.into(),
            field: field.into_iter().map(Into::into).collect(),
        }
    }

    /// A value that cannot be.
    pub fn invalid<F: Into<String>>(message: impl Into<String>, field: impl IntoIterator<Item = F>) -> Self {
        Self::new(RefusalCode::Invalid, message, field)
    }

    /// Not in the state that things are in.
    pub fn conflict<F: Into<String>>(message: impl Into<String>, field: impl IntoIterator<Item = F>) -> Self {
        Self::new(RefusalCode::Conflict, message, field)
    }

    /// Somebody else changed the thing since the caller read it.
    pub fn changed_meanwhile(what: &str, last: DateTime<Utc>) -> Self {
        let last = last.to_rfc3339_opts(SecondsFormat::Micros, true);
        let message = format!(
            "The {what} was changed since it was read, at {last}. Read it again, and send what is still wanted with the \
             new updatedAt."
        );
        Self::conflict(message, ["ifUpdatedAt"])
    }

    /// An id that is malformed, unknown, or somebody else's: the three must look alike.
    pub fn not_found(what: &str, field: &str) -> Self {
        Self::new(
            RefusalCode::NotFound,
            format!("There is no {what} with this id."),
            [field],
        )
    }

    /// Only an operator may.
    pub fn operators_only() -> Self {
        Self::new(RefusalCode::Forbidden, "Only an operator may do this.", [""; 0])
    }
}

/// A field of an update: absent, set to null, or given.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Patch<T> {
    /// Absent: it stays as it is.
    #[default]
    Keep,
    /// Null: it is taken away.
    Clear,
    /// A new value.
    Set(T),
}
