/** Many real processes on one Deno KV; see `support/process_cases.ts`. */

import { processCases } from "./support/process_cases.ts";
import { TempFolder } from "./support/temp_files.ts";

const module = new URL("support/open_deno_kv.ts", import.meta.url).href;

for (const { name, run } of processCases) {
  Deno.test(`processes on one Deno KV: ${name}`, async () => {
    await using folder = new TempFolder();
    await run({ module, arg: `${folder.path}/workflows.db` });
  });
}
