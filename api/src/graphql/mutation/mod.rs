//! The mutations: one input, one payload, one function of the engine each. What the caller did wrong is in the
//! payload's userErrors, and then nothing was changed.

mod api_keys;
mod clients;
mod connectors;
mod dead_letters;
mod integrations;
mod payloads;
mod runs;

use async_graphql::MergedObject;

/// What can be done.
#[derive(MergedObject, Default)]
#[graphql(name = "Mutation")]
pub(crate) struct Mutation(
    clients::ClientMutations,
    connectors::ConnectorMutations,
    integrations::IntegrationMutations,
    runs::RunMutations,
    dead_letters::DeadLetterMutations,
    api_keys::ApiKeyMutations,
);
