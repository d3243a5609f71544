// The graphql-transport-ws protocol: the graphql-ws client, and what no client would send, by the ws package.
// Usage: node sockets.mjs ws://HOST/graphql/ws OPERATOR_KEY   Prints a JSON object of what it saw.
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';

const [url, key] = process.argv.slice(2);
const PROTOCOL = 'graphql-transport-ws';
const init = { type: 'connection_init', payload: { Authorization: `Bearer ${key}` } };
const watch = { query: 'subscription { eventPublished(types: ["nothing.like.it"]) { id } }' };
const subscribe = (id, payload = watch) => ({ type: 'subscribe', id, payload });

// Says all of it at once; gives the close code, or what was heard when so many messages came.
const raw = (messages, enough = Infinity) =>
  new Promise((resolve, reject) => {
    const heard = [];
    const socket = new WebSocket(url, PROTOCOL);
    const text = (message) => (typeof message === 'string' || Buffer.isBuffer(message) ? message : JSON.stringify(message));
    socket.on('open', () => messages.forEach((message) => socket.send(text(message))));
    socket.on('message', (data) => {
      heard.push(JSON.parse(data));
      if (heard.length === enough) {
        socket.terminate();
        resolve(heard);
      }
    });
    socket.on('close', (code) => resolve(code));
    socket.on('error', reject);
  });

const client = (connectionParams, more = {}) =>
  createClient({ url, webSocketImpl: WebSocket, retryAttempts: 0, connectionParams, ...more });
const collect = async (events) => {
  const seen = [];
  for await (const event of events) seen.push(event);
  return seen;
};

const closes = {
  'not JSON': ['{'],
  'an array': ['[]'],
  'no type': [{}],
  'unknown type': [{ type: 'start' }],
  'a server\'s type': [init, { type: 'next', id: '1', payload: {} }],
  'payload of init is no object': [{ type: 'connection_init', payload: 7 }],
  'payload of ping is no object': [{ type: 'ping', payload: 'x' }],
  'subscribe without id': [init, { type: 'subscribe', payload: watch }],
  'subscribe with an empty id': [init, subscribe('')],
  'subscribe without payload': [init, { type: 'subscribe', id: '1' }],
  'query is no text': [init, subscribe('1', { query: 7 })],
  'variables are no object': [init, subscribe('1', { query: '{ __typename }', variables: [] })],
  'extensions are no object': [init, subscribe('1', { query: '{ __typename }', extensions: 7 })],
  'complete without id': [init, { type: 'complete' }],
  'binary': [Buffer.from([1, 2, 3])],
  'subscribe before init': [subscribe('1')],
  'init without a key': [{ type: 'connection_init' }],
  'init with a wrong key': [{ type: 'connection_init', payload: { Authorization: 'Bearer wrong' } }],
  'no init': [],
  'same id twice': [init, subscribe('1'), subscribe('1')],
  'second init': [init, init],
};
const codes = Promise.all(Object.entries(closes).map(async ([name, messages]) => [name, await raw(messages)]));

const by = client({ Authorization: `Bearer ${key}` });
const seen = {
  query: await collect(by.iterate({ query: '{ viewer { kind } }' })),
  mutation: await collect(by.iterate({ query: 'mutation { __typename }' })),
  invalid: await collect(by.iterate({ query: '{ nothing }' })).catch((errors) => errors.map((error) => error.extensions.code)),
};

// Two operations over one connection; the one that is ended by the client leaves the other alone.
const first = by.iterate(watch);
const begun = first.next();
await first.return();
await begun;
seen.after = await collect(by.iterate({ query: '{ __typename }' }));
await by.dispose();

// The client's own ping is answered, with the operation going on.
let pinging;
seen.pong = await new Promise((resolve, reject) => {
  const on = { pong: (received) => received && resolve('received') };
  pinging = client({ Authorization: `Bearer ${key}` }, { keepAlive: 50, on });
  pinging.subscribe(watch, { next() {}, complete() {}, error: reject });
});
await pinging.dispose();

seen.wrong = await collect(client({ Authorization: 'Bearer wrong' }).iterate({ query: '{ __typename }' })).catch((event) => event.code);
seen.pingBeforeInit = await raw([{ type: 'ping' }], 1);
seen.order = await raw([init, subscribe('1', { query: '{ __typename }' })], 3);
seen.codes = Object.fromEntries(await codes);
console.log(JSON.stringify(seen));
