//! The queries. Each field looks something up and wraps it; what is not there is null.

mod api_keys;
mod clients;
mod connectors;
mod dead_letters;
mod erasures;
mod events;
mod integrations;
mod nodes;
mod overview;
mod runs;

use async_graphql::MergedObject;

/// What can be asked.
#[derive(MergedObject, Default)]
#[graphql(name = "Query")]
pub(crate) struct Query(
    nodes::NodeQueries,
    clients::ClientQueries,
    connectors::ConnectorQueries,
    integrations::IntegrationQueries,
    runs::RunQueries,
    dead_letters::DeadLetterQueries,
    overview::OverviewQueries,
    api_keys::ApiKeyQueries,
    erasures::ErasureQueries,
    events::EventQueries,
);
