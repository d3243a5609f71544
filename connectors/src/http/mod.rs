//! The requester: from the manifest's words to requests, and from answers to a verdict.
//!
//! Nothing in here knows pages, records or state. It is given templates and values, builds one request the way
//! the reference would (addresses, parameters, headers, bodies, credentials), sends it through the guarded
//! client, asks the manifest what the answer means, and either hands the answer up, repeats the request, or
//! fails with an error that says whether repeating would help.
//!
//! Who repeats is the caller's choice. A read by hand repeats as the reference does; a server run does not
//! repeat here at all, because a wait inside a read would hold a worker slot and hide from the operator what
//! the run is waiting for.

mod address;
mod ambient;
pub(crate) mod answer;
pub(crate) mod authenticator;
mod backoff;
pub(crate) mod budget;
pub(crate) mod configuration;
mod evaluation;
pub(crate) mod excerpt;
pub(crate) mod flow;
pub(crate) mod gate;
mod graphql;
mod jwt;
mod legacy;
pub(crate) mod link;
pub(crate) mod merge;
pub(crate) mod pacer;
mod quota;
pub(crate) mod requester;
pub(crate) mod retry_after;
pub(crate) mod rotation;
pub(crate) mod session;
pub(crate) mod soap;
mod token;
mod tries;
pub(crate) mod validators;
pub(crate) mod verdict;
pub(crate) mod xml;

pub(crate) use merge::combine;
