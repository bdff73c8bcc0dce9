/** `kill -9` of a process that writes to an SQLite file: nothing that was acknowledged is lost or torn, and nothing recorded runs again. */

import { assertEquals } from "@std/assert";
import { DatabaseSync } from "node:sqlite";
import { SqliteStore } from "@rockpool/workflow/sqlite";
import { killRounds } from "./support/kill_rounds.ts";
import { TempFolder } from "./support/temp_files.ts";

Deno.test("SqliteStore keeps everything that was acknowledged when its process is killed, and runs nothing recorded again", async () => {
  await using folder = new TempFolder();
  const path = `${folder.path}/workflows.db`;
  await killRounds("sqlite", path, () => SqliteStore.open(path));
  const db = new DatabaseSync(path);
  assertEquals({ ...db.prepare("PRAGMA integrity_check").get() }, { integrity_check: "ok" });
  db.close();
});
