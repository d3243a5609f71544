// The graphql-ws client and the graphql-js reference against a server: builds the SDL, then follows one run to its end.
// Usage: node subscribe.mjs ws://HOST/graphql/ws SCHEMA_FILE RUN_ID   Prints the statuses seen, a JSON array.
import { readFileSync } from 'node:fs';
import { buildSchema, parse, validate, validateSchema } from 'graphql';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';

const [url, schemaFile, runId] = process.argv.slice(2);
const schema = buildSchema(readFileSync(schemaFile, 'utf8'));
const query = 'subscription($id: ID!) { syncRunUpdated(runId: $id) { status progress { recordsRead } } }';
const faults = [...validateSchema(schema), ...validate(schema, parse(query))];
if (faults.length) throw new Error(faults.join('\n'));

const client = createClient({ url, webSocketImpl: WebSocket, retryAttempts: 0 });
const statuses = [];
for await (const event of client.iterate({ query, variables: { id: runId } })) {
  if (event.errors) throw new Error(JSON.stringify(event.errors));
  statuses.push(event.data.syncRunUpdated.status);
}
await client.dispose();
console.log(JSON.stringify(statuses));
