// Whether a schema breaks those who build on an older one, as graphql-js sees it.
//
//   node breaking.mjs OLD NEW [OLD_NAME]
//
// What breaks is printed and ends with 1. What is dangerous (a new enum value, a new optional argument) is printed only:
// CONTRIBUTING.md says what clients must be ready for.
import { readFileSync } from "node:fs";
import { buildSchema, findBreakingChanges, findDangerousChanges } from "graphql";

const [oldFile, newFile, name = oldFile] = process.argv.slice(2);
if (!newFile) {
  console.error("usage: node breaking.mjs OLD NEW [OLD_NAME]");
  process.exit(2);
}
const read = (file) => buildSchema(readFileSync(file, "utf8"), { assumeValidSDL: false });
const [before, after] = [read(oldFile), read(newFile)];
for (const change of findDangerousChanges(before, after)) {
  console.log(`dangerous: ${change.type}: ${change.description}`);
}
const breaking = findBreakingChanges(before, after);
for (const change of breaking) {
  console.error(`BREAKING against ${name}: ${change.type}: ${change.description}`);
}
process.exit(breaking.length > 0 ? 1 : 0);
