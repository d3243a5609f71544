// Code generators that frontends use, over the schema: graphql-js, graphql-codegen's client preset, relay-compiler.
// Usage: node generators.mjs SCHEMA_FILE FOLDER   Writes into the folder, prints a JSON object of what was generated.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

// The preset is CommonJS, and graphql-js must be there once.
const require = createRequire(import.meta.url);
const { buildSchema, parse, validate, validateSchema } = require('graphql');
const { codegen } = require('@graphql-codegen/core');
const { preset } = require('@graphql-codegen/client-preset');
const relay = require('relay-compiler');

const [schemaFile, folder] = process.argv.slice(2);
const sdl = readFileSync(schemaFile, 'utf8');
const schema = buildSchema(sdl);
const faults = validateSchema(schema);
if (faults.length) throw new Error(faults.join('\n'));

const operations = `
  query Integrations($client: ID!, $first: Int!) {
    client(id: $client) { slug integrations(first: $first) { edges { node { ...Row } } pageInfo { hasNextPage endCursor } } }
  }
  fragment Row on Integration { id name status config nextRunAt }
  mutation Trigger($input: TriggerSyncInput!) { triggerSync(input: $input) { run { id status } userErrors { code message field } } }
  subscription Watch($run: ID!) { syncRunUpdated(runId: $run) { id status progress { recordsRead } } }
`;
const document = parse(operations);
const invalid = validate(schema, document);
if (invalid.length) throw new Error(invalid.join('\n'));
const sections = await preset.buildGeneratesSection({
  baseOutputDir: 'gql/',
  schema: parse(sdl),
  schemaAst: schema,
  documents: [{ location: 'operations.graphql', document, rawSDL: operations }],
  config: {},
  presetConfig: {},
  plugins: [],
  pluginMap: {},
  pluginContext: {},
  profiler: { run: (work) => work(), collect: () => [] },
});
const generated = {};
for (const section of sections) {
  generated[section.filename] = await codegen({ ...section, cache: (_namespace, _key, work) => work() });
}

const src = join(folder, 'src');
mkdirSync(src, { recursive: true });
writeFileSync(join(folder, 'schema.graphql'), sdl);
writeFileSync(join(src, 'Clients.js'), `
  import { graphql } from 'relay-runtime';
  graphql\`query ClientsQuery($count: Int!, $cursor: String) { ...Clients_list }\`;
  graphql\`fragment Clients_list on Query @refetchable(queryName: "ClientsPaginationQuery") {
    clients(first: $count, after: $cursor) @connection(key: "Clients_list_clients") { edges { node { id slug ...Clients_one } } }
  }\`;
  graphql\`fragment Clients_one on Client @refetchable(queryName: "ClientRefetchQuery") { name status }\`;
  graphql\`mutation ClientsRegisterMutation($input: RegisterClientInput!) { registerClient(input: $input) { client { id slug } userErrors { code } } }\`;
  graphql\`subscription ClientsRunsSubscription($id: ID!) { syncRunUpdated(clientId: $id) { id status } }\`;
`);
writeFileSync(join(folder, 'relay.config.json'), JSON.stringify({
  src: './src', schema: './schema.graphql', language: 'javascript', artifactDirectory: './artifacts', eagerEsModules: true,
}));
mkdirSync(join(folder, 'artifacts'), { recursive: true });
execFileSync(relay, [join(folder, 'relay.config.json')], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });

console.log(JSON.stringify({
  types: Object.keys(schema.getTypeMap()).filter((name) => !name.startsWith('__')).length,
  codegen: generated,
  relay: readdirSync(join(folder, 'artifacts')).sort(),
}));
