/** `kill -9` of processes that write to SQLite files: nothing that was acknowledged is lost or torn, and nothing recorded runs again. */

import { assertEquals } from "@std/assert";
import { DatabaseSync } from "node:sqlite";
import { SqliteStore } from "@rockpool/workflow/sqlite";
import { killRounds } from "./support/kill_rounds.ts";
import { TempFolder } from "./support/temp_files.ts";

Deno.test("SqliteStore keeps everything that was acknowledged when its process is killed 50 times, and runs nothing recorded again", async () => {
  await using folder = new TempFolder();
  const places = ["a", "b", "worker"].map((name) => `${folder.path}/${name}.db`);
  const program = new URL("support/sqlite_load.ts", import.meta.url);
  await killRounds({ program, places, open: SqliteStore.open });
  for (const place of places) {
    const db = new DatabaseSync(place);
    assertEquals({ ...db.prepare("PRAGMA integrity_check").get() }, { integrity_check: "ok" });
    db.close();
  }
});
