/** `kill -9` of processes with transactional activities on SQLite files: the ledger has one row for each charge. */

import { killBetween, ledgerRounds } from "./support/ledger.ts";
import { openShop } from "./support/sqlite_ledger.ts";
import { TempFolder } from "./support/temp_files.ts";

const program = new URL("support/sqlite_ledger.ts", import.meta.url);

Deno.test("SqliteStore.transactional() writes once when its process is killed between the commit and the append", async () => {
  await using folder = new TempFolder();
  await killBetween(program, `${folder.path}/a.db`, openShop);
});

Deno.test("SqliteStore.transactional() writes each row once when its process is killed 20 times at random", async () => {
  await using folder = new TempFolder();
  await ledgerRounds(program, ["a", "b"].map((name) => `${folder.path}/${name}.db`), openShop, 20);
});
