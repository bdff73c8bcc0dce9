/** `SqliteStore`: the contract, in memory, in a file and in a worker, alone and beside another instance. */

import type { WorkflowStore } from "@rockpool/workflow";
import { testStore } from "@rockpool/workflow/testing";
import { SqliteStore } from "@rockpool/workflow/sqlite";
import { TempFiles } from "../tests/support/temp_files.ts";

const files = new TempFiles();

const timeoutMs = 60_000; // calls wait for the disk, or for a thread
const members = ["heads", "count", "loadSince", "deliver", "claim"] as const;
testStore(Deno.test, () => SqliteStore.open(":memory:"), { name: "SqliteStore in memory", members });

const again = (store: WorkflowStore) => files.again(store);
testStore(Deno.test, () => files.open({ pollMs: 1 }), {
  name: "SqliteStore in a file",
  timeoutMs,
  members,
  reopen: again,
  connect: again,
});
testStore(Deno.test, () => files.open({ pollMs: 1, worker: true }), {
  name: "SqliteStore in a worker",
  timeoutMs,
  members,
  reopen: again,
  connect: again,
});
