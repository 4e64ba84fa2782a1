// Reads [{range, version}, …] from stdin; prints for each what node's own semver says: {valid, admits}.
import { createRequire } from "node:module";
const semver = createRequire(import.meta.url)(process.argv[2]);
const cases = JSON.parse(await new Response(process.stdin).text().catch(() => "[]"));
console.log(JSON.stringify(cases.map(({ range, version }) => ({
  valid: semver.validRange(range) !== null,
  admits: semver.satisfies(version, range),
}))));
