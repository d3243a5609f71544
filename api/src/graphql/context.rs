//! What a resolver finds in its context.

use async_graphql::dataloader::DataLoader;
use async_graphql::{Context, Result};
use engine::{Actor, Engine};

use super::error::Fault;
use super::executor::Caller;
use super::loaders::{Batch, Loaders};

/// The engine behind the schema.
pub(crate) fn engine_of<'a>(ctx: &Context<'a>) -> &'a Engine {
    ctx.data_unchecked::<Engine>()
}

/// Who asks.
pub(crate) fn actor<'a>(ctx: &Context<'a>) -> &'a Actor {
    &ctx.data_unchecked::<Caller>().actor
}

/// The request's loaders.
pub(crate) fn loaders<'a>(ctx: &Context<'a>) -> &'a DataLoader<Batch> {
    &ctx.data_unchecked::<Loaders>().0
}

/// What something belongs to. It can be missing only when it went between two reads of one answer.
pub(crate) fn owner<T>(found: Option<T>) -> Result<T, Fault> {
    found.ok_or_else(|| Fault::unavailable("This changed while it was being read: ask again"))
}
