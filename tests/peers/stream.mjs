// The graphql-sse client, in distinct connections. Usage: node stream.mjs http://HOST OPERATOR_KEY RUN_ID
// Prints a JSON object of what it saw.
import { createClient } from 'graphql-sse';

const [origin, operator, runId] = process.argv.slice(2);
const client = (key) =>
  createClient({ url: `${origin}/graphql/stream`, headers: { authorization: `Bearer ${key}` }, retryAttempts: 0 });
const ask = async (query, variables) => {
  const answer = await fetch(`${origin}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${operator}` },
    body: JSON.stringify({ query, variables }),
  });
  return (await answer.json()).data;
};
const collect = async (events) => {
  const seen = [];
  for await (const event of events) seen.push(event);
  return seen;
};
const newKey = async () =>
  (await ask('mutation { createApiKey(input: { name: "sse", scopes: ["*:read"] }) { secret apiKey { id } } }')).createApiKey;
// One that stays open, resolved once the server accepted it.
const WATCH = { query: 'subscription { eventPublished(types: ["nothing.like.it"]) { id } }' };
const open = (key) =>
  new Promise((resolve, reject) => {
    const seen = [];
    let over;
    const done = new Promise((done) => (over = done));
    const sink = {
      next: (event) => seen.push(event),
      complete: () => over({ seen, ending: 'complete' }),
      error: (error) => {
        over({ seen, ending: String(error) });
        reject(error);
      },
    };
    const stop = client(key).subscribe(WATCH, sink, { connected: () => resolve({ stop, done }) });
  });

const by = client(operator);
const seen = {
  query: await collect(by.iterate({ query: '{ viewer { kind } }' })),
  invalid: await collect(by.iterate({ query: '{ nothing }' })),
  run: await collect(by.iterate({ query: 'subscription($id: ID!) { syncRunUpdated(runId: $id) { status } }', variables: { id: runId } })),
  stranger: await collect(client('wrong').iterate({ query: '{ __typename }' })).catch((error) => error.response?.status ?? String(error)),
};

// A revocation ends what the key opened.
const revoked = await newKey();
const held = await open(revoked.secret);
await ask('mutation($id: ID!) { revokeApiKey(input: { apiKeyId: $id }) { apiKey { id } } }', { id: revoked.apiKey.id });
seen.revoked = await held.done;

// A key has one place here: who goes away frees it.
const { secret } = await newKey();
const first = await open(secret);
seen.second = await open(secret).then(() => 'accepted', (error) => error.response?.status ?? String(error));
first.stop();
for (;;) {
  const again = await open(secret).catch((error) => error);
  if (again.stop) {
    again.stop();
    seen.again = 'accepted';
    break;
  }
  if (again.response?.status !== 429) throw again;
}
console.log(JSON.stringify(seen));
