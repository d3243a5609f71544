//! The schema and how documents are run against it.
//!
//! A GraphQL type wraps an engine model and never a table row: a renamed column must not break a client, and
//! a new secret column must not publish itself. Everything has a description, which a test enforces.

mod context;
mod documents;
mod error;
mod executor;
mod guard;
mod inputs;
mod limits;
mod loaders;
mod mutation;
mod query;
mod schema;
mod subscription;
mod types;

pub(crate) use self::documents::Documents;
pub use self::documents::check_operations;
pub(crate) use self::error::{
    Code, answer, failed, is_final, is_request_error, retry_after, too_long, with_reason,
};
pub(crate) use self::executor::{Caller, GraphQl, Prepared};
pub(crate) use self::guard::{canonical, few_values};
pub(crate) use self::limits::Limits;
pub use self::schema::schema_sdl;
pub(crate) use self::types::rfc3339;
