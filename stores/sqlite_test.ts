/** `SqliteStore`: the contract, in memory, in a file and in a worker, alone and beside another instance. */

import type { WorkflowStore } from "@rockpool/workflow";
import { testStore } from "@rockpool/workflow/testing";
import { SqliteStore } from "@rockpool/workflow/sqlite";
import { TempFiles } from "../tests/support/temp_files.ts";

const files = new TempFiles();

const members = ["heads", "count", "loadSince", "deliver", "claim"] as const;
testStore(Deno.test, () => SqliteStore.open(":memory:"), { name: "SqliteStore in memory", members });

const again = (store: WorkflowStore) => files.again(store);
testStore(Deno.test, () => files.open({ pollMs: 1 }), {
  name: "SqliteStore in a file",
  members,
  reopen: again,
  connect: again,
});
testStore(Deno.test, () => files.open({ pollMs: 1, worker: true }), {
  name: "SqliteStore in a worker",
  timeoutMs: 60_000, // each call is two messages between threads, which take long on a busy machine
  members,
  reopen: again,
  connect: again,
});
