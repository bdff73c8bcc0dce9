/** Many real processes on one SQLite file; see `support/process_cases.ts`. */

import { processCases } from "./support/process_cases.ts";
import { TempFolder } from "./support/temp_files.ts";

const module = new URL("support/open_sqlite.ts", import.meta.url).href;

for (const { name, run } of processCases) {
  Deno.test(`processes on one SQLite file: ${name}`, async () => {
    await using folder = new TempFolder();
    await run({ module, arg: `${folder.path}/workflows.db` });
  });
}
