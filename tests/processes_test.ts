/** Many real processes on one SQLite file, or one file of Deno KV; see `support/process_cases.ts`. */

import { processCases } from "./support/process_cases.ts";
import { TempFolder } from "./support/temp_files.ts";

for (const [database, opener] of [["SQLite", "open_sqlite.ts"], ["Deno KV", "open_deno_kv.ts"]]) {
  const module = new URL(`support/${opener}`, import.meta.url).href;
  for (const { name, run } of processCases) {
    Deno.test(`processes on one file of ${database}: ${name}`, async () => {
      await using folder = new TempFolder();
      await run({ module, arg: `${folder.path}/workflows.db` });
    });
  }
}
