//! Relay connections. Own small types instead of the library's generic one: these carry descriptions, have
//! no `nodes` field (Relay's rules forbid it), and count only when asked.

use async_graphql::{Context, OutputType, Result, SimpleObject};
use engine::{PageRequest, Paged};

use super::{
    ApiKey, Client, Connector, DeadLetter, Erasure, Event, Integration, LogEntry, Record, SkippedTick,
    SyncRun,
};
use crate::graphql::context::{actor, engine_of, loaders, owner};
use crate::graphql::loaders::{IntegrationsCounted, RunsCounted};

/// Where a page stands in its list.
#[derive(SimpleObject, Debug, Clone, Default)]
pub(crate) struct PageInfo {
    /// Whether there are items after the last of this page.
    has_next_page: bool,
    /// Whether there are items before the first of this page.
    has_previous_page: bool,
    /// The first item's cursor, for `before`; null on an empty page.
    start_cursor: Option<String>,
    /// The last item's cursor, for `after`; null on an empty page.
    end_cursor: Option<String>,
}

impl PageInfo {
    fn of<T>(page: &Paged<T>) -> Self {
        Self {
            has_next_page: page.has_next,
            has_previous_page: page.has_previous,
            start_cursor: page.items.first().map(|(cursor, _)| cursor.clone()),
            end_cursor: page.items.last().map(|(cursor, _)| cursor.clone()),
        }
    }
}

/// A page's worth of items with their cursors, as the engine gives it.
pub(crate) struct Items<N: OutputType> {
    items: Vec<(String, N)>,
    page_info: PageInfo,
}

impl<N: OutputType> Items<N> {
    pub(crate) fn of<T>(page: Paged<T>) -> Self
    where
        N: From<T>,
    {
        let page_info = PageInfo::of(&page);
        let items = page
            .items
            .into_iter()
            .map(|(cursor, item)| (cursor, item.into()))
            .collect();
        Self { items, page_info }
    }
}

/// How many there are in the whole list: what to ask when somebody wants to know.
#[derive(Debug, Clone)]
pub(crate) enum Total {
    /// The list cannot hold anything: an id in its filter is not one.
    Zero,
    Clients(engine::clients::ClientFilter),
    Connectors(Option<String>),
    ConnectorVersions(String),
    Integrations(engine::integrations::IntegrationFilter),
    SyncRuns(engine::runs::SyncRunFilter),
    DeadLetters(engine::deadletters::DeadLetterFilter),
    ApiKeys(engine::access::ApiKeyFilter),
    Erasures,
    Events(engine::events::EventFilter),
}

impl Total {
    async fn count(&self, ctx: &Context<'_>) -> Result<i32> {
        let (engine, actor) = (engine_of(ctx), actor(ctx));
        let count = match self {
            Self::Zero => 0,
            Self::Clients(filter) => engine.clients().count(actor, filter).await?,
            Self::Connectors(search) => engine.connectors().count(actor, search.as_deref()).await?,
            Self::ConnectorVersions(slug) => engine.connectors().count_versions(actor, slug).await?,
            Self::Integrations(filter) => {
                let counted = IntegrationsCounted(filter.clone());
                owner(loaders(ctx).load_one(counted).await?)?
            }
            Self::SyncRuns(filter) => owner(loaders(ctx).load_one(RunsCounted(filter.clone())).await?)?,
            Self::DeadLetters(filter) => engine.dead_letters().count(actor, filter).await?,
            Self::ApiKeys(filter) => engine.api_keys().count(actor, filter).await?,
            Self::Events(filter) => engine.events().count(actor, filter).await?,
            Self::Erasures => engine.erasures().count(actor).await?,
        };
        Ok(i32::try_from(count).unwrap_or(i32::MAX))
    }
}

macro_rules! edges {
    ($edge:ident of $node:ident) => {
        /// An item of the list and its place in it.
        #[derive(SimpleObject)]
        pub(crate) struct $edge {
            /// The item.
            node: $node,
            /// Its place, for `after` and `before`.
            cursor: String,
        }
    };
}

macro_rules! counted {
    ($($(#[$meta:meta])* $connection:ident, $edge:ident of $node:ident;)+) => {$(
        edges!($edge of $node);

        $(#[$meta])*
        #[derive(SimpleObject)]
        #[graphql(complex)]
        pub(crate) struct $connection {
            /// The items of this page.
            edges: Vec<$edge>,
            /// Where this page stands in the list.
            page_info: PageInfo,
            #[graphql(skip)]
            total: Total,
        }

        #[async_graphql::ComplexObject]
        impl $connection {
            /// How many there are in the whole list. Counted only when asked for.
            async fn total_count(&self, ctx: &Context<'_>) -> Result<i32> {
                self.total.count(ctx).await
            }
        }

        impl $connection {
            pub(crate) fn new<T>(page: Paged<T>, total: Total) -> Self where $node: From<T> {
                let Items { items, page_info } = Items::<$node>::of(page);
                let edges = items.into_iter().map(|(cursor, node)| $edge { node, cursor }).collect();
                Self { edges, page_info, total }
            }

        }
    )+};
}

macro_rules! uncounted {
    ($($(#[$meta:meta])* $connection:ident, $edge:ident of $node:ident;)+) => {$(
        edges!($edge of $node);

        $(#[$meta])*
        #[derive(SimpleObject)]
        pub(crate) struct $connection {
            /// The items of this page.
            edges: Vec<$edge>,
            /// Where this page stands in the list.
            page_info: PageInfo,
        }

        impl $connection {
            pub(crate) fn new<T>(page: Paged<T>) -> Self where $node: From<T> {
                let Items { items, page_info } = Items::<$node>::of(page);
                let edges = items.into_iter().map(|(cursor, node)| $edge { node, cursor }).collect();
                Self { edges, page_info }
            }
        }
    )+};
}

counted! {
    /// A list of clients.
    ClientConnection, ClientEdge of Client;
    /// A list of connectors, or of a connector's versions.
    ConnectorConnection, ConnectorEdge of Connector;
    /// A list of integrations.
    IntegrationConnection, IntegrationEdge of Integration;
    /// A list of runs, newest first.
    SyncRunConnection, SyncRunEdge of SyncRun;
    /// A list of dead letters, newest first.
    DeadLetterConnection, DeadLetterEdge of DeadLetter;
    /// A list of API keys, newest first.
    ApiKeyConnection, ApiKeyEdge of ApiKey;
    /// A list of events, the last first.
    EventConnection, EventEdge of Event;
    /// A list of erasures, newest first.
    ErasureConnection, ErasureEdge of Erasure;
}

uncounted! {
    /// Due times that did not become a run, newest first.
    SkippedTickConnection, SkippedTickEdge of SkippedTick;
    /// A run's log, oldest first.
    LogConnection, LogEdge of LogEntry;
    /// Records of a stream.
    RecordConnection, RecordEdge of Record;
}

macro_rules! can_be_impossible {
    ($($connection:ident)+) => {$(
        impl $connection {
            /// The list of what an impossible filter finds.
            pub(crate) fn empty() -> Self {
                Self { edges: Vec::new(), page_info: PageInfo::default(), total: Total::Zero }
            }
        }
    )+};
}

can_be_impossible! { IntegrationConnection SyncRunConnection DeadLetterConnection ApiKeyConnection EventConnection }

/// The page that a field's arguments ask for.
pub(crate) fn page(
    first: Option<i32>,
    after: Option<String>,
    last: Option<i32>,
    before: Option<String>,
) -> Result<PageRequest, engine::Error> {
    let count = |name: &str, number: Option<i32>| {
        let count = number.map(u32::try_from).transpose();
        count.map_err(|_| {
            engine::Error::BadInput(format!("{name} must be between 1 and {}.", engine::MAX_PAGE))
        })
    };
    Ok(PageRequest {
        first: count("first", first)?,
        after,
        last: count("last", last)?,
        before,
    })
}

/// What a list costs: each of its items what is selected of one.
pub(crate) fn list_cost(first: Option<i32>, last: Option<i32>, child: usize) -> usize {
    let asked = first.or(last).and_then(|count| usize::try_from(count).ok());
    let items = asked
        .unwrap_or(engine::DEFAULT_PAGE as usize)
        .clamp(1, engine::MAX_PAGE as usize);
    // Capped, so that sums of many lists cannot overflow.
    items.saturating_mul(child).saturating_add(1).min(1_000_000_000)
}
