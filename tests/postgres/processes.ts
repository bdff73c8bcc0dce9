/** Many real processes on one Postgres; see `../support/process_cases.ts`. Run by `tools/postgres.ts`. */

import { processCases } from "../support/process_cases.ts";

const module = new URL("open_store.ts", import.meta.url).href;

for (const { name, run } of processCases) {
  Deno.test(`processes on one Postgres: ${name}`, () => run({ module, arg: `processes_${crypto.randomUUID()}` }));
}
