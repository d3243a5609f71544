// The tabs a first visitor finds: from looking around to records arriving. Each runs as it stands once the ids
// that the one before it answered are pasted into its variables.
const tab = (query, variables) => ({
  query: query.trim() + '\n',
  variables: variables && JSON.stringify(variables, null, 2),
});

export const tabs = [
  tab(`
# 1. Look around: what is connected, and what ran last.
query LookAround {
  viewer { name kind }
  integrations(first: 10) {
    edges {
      node {
        id
        name
        status
        health
        nextRunAt
        client { slug }
        connector { slug }
        lastRun { status finishedAt progress { recordsAdded recordsUpdated recordsUnchanged } }
      }
    }
  }
}`),
  tab(`
# 2. Register a client: one of the customers you hold data for.
mutation RegisterClient($input: RegisterClientInput!) {
  registerClient(input: $input) {
    client { id slug name }
    userErrors { code message field }
  }
}`, { input: { slug: 'acme', name: 'Acme Corporation' } }),
  tab(`
# 3. Connect an API for that client. What a connector wants as config: connectors { configSchema }.
mutation CreateIntegration($input: CreateIntegrationInput!) {
  createIntegration(input: $input) {
    integration { id name streams schedule { cron } nextRunAt }
    userErrors { code message field }
  }
}`, {
    input: {
      clientId: 'cli_… from tab 2',
      connector: 'jsonplaceholder',
      name: 'Acme posts',
      config: {},
      schedule: { cron: '*/5 * * * *' },
    },
  }),
  tab(`
# 4. Watch: leave this running, and trigger a sync in tab 5.
subscription Watch {
  syncRunUpdated {
    id
    status
    attempt
    integration { name }
    progress { pages recordsRead recordsAdded recordsUpdated recordsDeleted recordsFailed }
    error { code message }
  }
}`),
  tab(`
# 5. Trigger a sync. The same idempotencyKey gives back the same run.
mutation TriggerSync($input: TriggerSyncInput!) {
  triggerSync(input: $input) {
    run { id status queuedAt }
    deduplicated
    userErrors { code message field }
  }
}`, { input: { integrationId: 'int_… from tab 1 or 3' } }),
  tab(`
# 6. The records that arrived.
query Records($integration: ID!, $stream: String!) {
  integration(id: $integration) {
    records(stream: $stream, first: 10) {
      edges { node { key change changedAt data } }
      pageInfo { hasNextPage endCursor }
    }
  }
}`, { integration: 'int_… from tab 1 or 3', stream: 'posts' }),
];
