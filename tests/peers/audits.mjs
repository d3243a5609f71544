// The audits of GraphQL over HTTP that the graphql-http package comes with. Usage: node audits.mjs http://HOST/graphql
// Prints a JSON object: how many there are, and those that are not ok, with the reason.
import { serverAudits } from 'graphql-http';

const audits = serverAudits({ url: process.argv[2], fetchFn: fetch });
const wrong = [];
for (const audit of audits) {
  const { status, reason } = await audit.fn();
  if (status !== 'ok') wrong.push(`${status} ${audit.id} ${audit.name}: ${reason}`);
}
console.log(JSON.stringify({ count: audits.length, wrong }));
