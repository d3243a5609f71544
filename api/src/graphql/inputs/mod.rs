//! What callers send. Each turns into the engine's request; an id that is none becomes the same NOT_FOUND as
//! one that nobody has.

mod api_key;
mod client;
mod connector;
mod dead_letter;
mod event;
mod integration;
mod sync_run;

use std::str::FromStr;

use async_graphql::{ID, MaybeUndefined};
use engine::{Patch, Refusal};

pub(crate) use self::api_key::*;
pub(crate) use self::client::*;
pub(crate) use self::connector::*;
pub(crate) use self::dead_letter::*;
pub(crate) use self::event::*;
pub(crate) use self::integration::*;
pub(crate) use self::sync_run::*;

/// The id that a mutation names.
fn named<T: FromStr>(id: &ID, what: &str, field: &str) -> Result<T, Refusal> {
    id.parse().map_err(|_| Refusal::not_found(what, field))
}

/// An id of a filter: `Err` when it is none, so that nothing can match.
fn matching<T: FromStr>(id: Option<ID>) -> Result<Option<T>, T::Err> {
    id.map(|id| id.parse()).transpose()
}

fn words<A, B: From<A>>(words: Option<Vec<A>>) -> Vec<B> {
    words.unwrap_or_default().into_iter().map(B::from).collect()
}

fn patch<A, B>(field: MaybeUndefined<A>, change: impl FnOnce(A) -> B) -> Patch<B> {
    match field {
        MaybeUndefined::Undefined => Patch::Keep,
        MaybeUndefined::Null => Patch::Clear,
        MaybeUndefined::Value(value) => Patch::Set(change(value)),
    }
}
