//! The subscriptions, over the engine's watch.
//!
//! A feed subscribes before it looks and reads the newest state whenever it is asked, so the work left here is
//! to ask. An id that is none, unknown or somebody else's gives a stream that ends at once: like null in a
//! query, it tells nothing.

mod told;

use async_graphql::{Context, ID, Result};
use engine::watch::{IntegrationFeed, RunFeed, Seen, Watched};
use engine::{integrations, runs};
use futures::stream::{self, BoxStream, Stream, StreamExt};

use self::told::Told;
pub(super) use self::told::{Asked, Values};

use super::context::{actor, engine_of};
use super::error::Fault;
use super::types::{Event, Integration, SyncRun};

pub(crate) struct Subscription;

type ToldRun = Told<runs::SyncRun, SyncRun>;
type ToldIntegration = Told<integrations::Integration, Integration>;

/// What can be watched.
#[async_graphql::Subscription]
impl Subscription {
    /// Runs as they change: a snapshot of those that have not ended first, then changes, at least every 100 ms
    /// while pages commit. A slow reader skips to the newest state. With runId it completes after the terminal
    /// state; for an id that is not there it completes at once.
    async fn sync_run_updated(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only this run")] run_id: Option<ID>,
        #[graphql(desc = "Only runs of this integration")] integration_id: Option<ID>,
        #[graphql(desc = "Only runs of this client")] client_id: Option<ID>,
    ) -> Result<impl Stream<Item = Result<ToldRun>> + use<>> {
        let feed = match (known(run_id), known(integration_id), known(client_id)) {
            (Some(run_id), Some(integration_id), Some(client_id)) => {
                let which = RunFeed {
                    run_id,
                    integration_id,
                    client_id,
                };
                let watch = engine_of(ctx).watch(watched(ctx));
                // Boxed: a subscription holds the future of its beginning as long as it is open.
                Box::pin(watch.sync_runs(*actor(ctx), which)).await?
            }
            _ => None,
        };
        Ok(answers(feed))
    }

    /// Integrations as they change: a snapshot first, then changes. A slow reader skips to the newest state. For
    /// an id that is not there it completes at once.
    async fn integration_updated(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only this integration")] integration_id: Option<ID>,
        #[graphql(desc = "Only integrations of this client")] client_id: Option<ID>,
    ) -> Result<impl Stream<Item = Result<ToldIntegration>> + use<>> {
        let feed = match (known(integration_id), known(client_id)) {
            (Some(integration_id), Some(client_id)) => {
                let which = IntegrationFeed {
                    integration_id,
                    client_id,
                };
                let watch = engine_of(ctx).watch(watched(ctx));
                Box::pin(watch.integrations(*actor(ctx), which)).await?
            }
            _ => None,
        };
        Ok(answers(feed))
    }

    /// Events as they happen. after resumes: no event between is lost.
    async fn event_published(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only these types; all when not given")] types: Option<Vec<String>>,
        #[graphql(desc = "The id of the last event that was seen; from now on when not given")] after: Option<
            ID,
        >,
    ) -> Result<impl Stream<Item = Result<Event>> + use<>> {
        let after = match after.map(|id| id.parse()).transpose() {
            Ok(after) => after,
            Err(_) => return Err(Fault::bad_input("after is not the id of an event").into()),
        };
        let events = engine_of(ctx).events();
        let events = Box::pin(events.subscribe(*actor(ctx), types, after)).await?;
        Ok(events.map(|event| Ok(Event::from(event?))))
    }
}

/// `None` for a text that is no such id, `Some(None)` for none given.
#[expect(clippy::option_option, reason = "not given and not an id are two things")]
fn known<T: std::str::FromStr>(id: Option<ID>) -> Option<Option<T>> {
    id.map(|id| id.parse()).transpose().ok()
}

fn watched<'a>(ctx: &Context<'a>) -> &'a Watched {
    ctx.data_unchecked::<Watched>()
}

fn answers<M: Send + Sync + 'static, T: From<std::sync::Arc<M>>>(
    feed: Option<BoxStream<'static, Seen<M>>>,
) -> impl Stream<Item = Result<T>> {
    let feed = feed.unwrap_or_else(|| stream::empty().boxed());
    feed.map(|row| Ok(T::from(row?)))
}
