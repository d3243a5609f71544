//! What is counted of the API, for whoever watches many processes.
//!
//! | metric | is |
//! |---|---|
//! | `syncline_graphql_admitted_total` | documents that the guard let pass: validated, and executed unless that failed |
//! | `syncline_graphql_refused_total{by}` | requests that went no further, by what stopped them |
//! | `syncline_graphql_looked_at_total` | tokens, values and selections that the guard looked at, which is all that a refused document costs |
//!
//! Labels are words of ours and never a key: a series for each client is what brings a metrics store down.

use metrics::{counter, describe_counter};

const ADMITTED: &str = "syncline_graphql_admitted_total";
const REFUSED: &str = "syncline_graphql_refused_total";
const LOOKED_AT: &str = "syncline_graphql_looked_at_total";

/// What stops a request.
#[derive(Debug, Clone, Copy)]
pub(crate) enum By {
    /// No credential, or a wrong one, or too many of those.
    Login,
    /// Its credential's budget.
    Budget,
    /// It could not be read as a request of GraphQL, or had too much in it.
    Reading,
    /// The guard.
    Guard,
    /// The library, whose limits know the schema.
    Validation,
    /// Its credential has as many subscriptions as it may.
    Subscriptions,
    /// There are as many WebSockets or event streams open as may be, of its credential or at all.
    Connections,
    /// It took too long.
    Time,
}

impl By {
    const ALL: [Self; 8] = [
        Self::Login,
        Self::Budget,
        Self::Reading,
        Self::Guard,
        Self::Validation,
        Self::Subscriptions,
        Self::Connections,
        Self::Time,
    ];

    fn as_str(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Budget => "budget",
            Self::Reading => "reading",
            Self::Guard => "guard",
            Self::Validation => "validation",
            Self::Subscriptions => "subscriptions",
            Self::Connections => "connections",
            Self::Time => "time",
        }
    }
}

/// Describes everything and sets it to 0, once a recorder is there.
pub fn begin() {
    describe_counter!(ADMITTED, "Documents that were let through to validation.");
    describe_counter!(
        REFUSED,
        "Requests that were not executed, or not to their end, by what stopped them."
    );
    describe_counter!(
        LOOKED_AT,
        "Tokens, values and selections looked at before validation."
    );
    counter!(ADMITTED).increment(0);
    counter!(LOOKED_AT).increment(0);
    for by in By::ALL {
        counter!(REFUSED, "by" => by.as_str()).increment(0);
    }
}

pub(crate) fn admitted() {
    counter!(ADMITTED).increment(1);
}

pub(crate) fn refused(by: By) {
    counter!(REFUSED, "by" => by.as_str()).increment(1);
}

pub(crate) fn looked_at(count: usize) {
    counter!(LOOKED_AT).increment(count as u64);
}
