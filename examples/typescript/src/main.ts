// Triggers a sync and follows it to its end. Usage: npm start -- http://127.0.0.1:8000
// With a key: SYNCLINE_KEY=… npm start -- https://syncline.example.com
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { graphql } from './gql/index.js';
import type { TypedDocumentString } from './gql/graphql.js';

const url = process.argv[2] ?? 'http://127.0.0.1:8000';
const authorization = process.env['SYNCLINE_KEY'] && `Bearer ${process.env['SYNCLINE_KEY']}`;

const integrations = graphql(`
  query Integrations {
    integrations(first: 10) { edges { node { id name status client { slug } lastRun { status finishedAt } } } }
  }
`);
const trigger = graphql(`
  mutation Trigger($integrationId: ID!) {
    triggerSync(input: { integrationId: $integrationId }) { run { id } userErrors { code message } }
  }
`);
const watch = graphql(`
  subscription Watch($runId: ID!) {
    syncRunUpdated(runId: $runId) { status progress { pages recordsRead recordsAdded } error { kind message } }
  }
`);

type DataOf<Document> = Document extends TypedDocumentString<infer Data, infer _> ? Data : never;

/** One operation over HTTP. What a mutation refuses is in its userErrors; errors are what nobody expected. */
async function ask<Data, Variables>(document: TypedDocumentString<Data, Variables>, variables: Variables): Promise<Data> {
  const answer = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(authorization && { authorization }) },
    body: JSON.stringify({ query: document.toString(), variables }),
  });
  const { data, errors } = (await answer.json()) as { data?: Data; errors?: unknown };
  if (errors || !data) throw new Error(JSON.stringify(errors));
  return data;
}

const found = await ask(integrations, {});
const chosen = found.integrations.edges.map((edge) => edge.node).find((node) => node.status === 'ACTIVE');
if (!chosen) throw new Error('there is no active integration: run scripts/demo');
console.log(`${chosen.client.slug}: ${chosen.name}, last time ${chosen.lastRun?.status ?? 'never'}`);

const { triggerSync } = await ask(trigger, { integrationId: chosen.id });
if (!triggerSync.run) throw new Error(triggerSync.userErrors.map((error) => error.message).join());

const live = createClient({
  url: `${url.replace('http', 'ws')}/graphql/ws`,
  webSocketImpl: WebSocket,
  connectionParams: authorization ? { authorization } : {},
});
const events = live.iterate<DataOf<typeof watch>>({
  query: watch.toString(),
  variables: { runId: triggerSync.run.id },
});
for await (const { data, errors } of events) {
  if (errors || !data) throw new Error(JSON.stringify(errors));
  const { status, progress, error } = data.syncRunUpdated;
  console.log(status, progress.recordsRead, 'records', error ? `${error.kind}: ${error.message}` : '');
}
await live.dispose();
