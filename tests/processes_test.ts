/** Many real processes on one SQLite file, or one file of Deno KV; see `support/process_cases.ts`. */

import { processCases } from "./support/process_cases.ts";
import { TempFolder } from "./support/temp_files.ts";

for (const [database, opener] of [["SQLite", "open_sqlite.ts"], ["Deno KV", "open_deno_kv.ts"]]) {
  const module = new URL(`support/${opener}`, import.meta.url).href;
  for (const { name, run } of processCases) {
    Deno.test(`processes on one file of ${database}: ${name}`, async () => {
      await using folder = new TempFolder();
      const arg = `${folder.path}/workflows.db`;
      // A new file is made by one process: Deno KV may not answer when several open it at the same moment.
      if (database === "Deno KV") (await Deno.openKv(arg)).close();
      await run({ module, arg });
    });
  }
}
