/** `DenoKvStore`: the contract, in memory and in a file, alone and beside another instance. */

import type { WorkflowStore } from "@rockpool/workflow";
import { type StoreMember, testStore } from "@rockpool/workflow/testing";
import { KvFiles } from "../tests/support/kv_files.ts";

const files = new KvFiles();
const timeoutMs = 60_000; // each write waits for the disk, or for another thread
const members: StoreMember[] = ["heads", "count", "loadSince", "deliver", "claim"];

testStore(Deno.test, () => files.open(":memory:"), { name: "DenoKvStore in memory", members, timeoutMs });

const again = (store: WorkflowStore) => files.again(store);
testStore(Deno.test, () => files.open(), {
  name: "DenoKvStore in a file",
  members,
  timeoutMs,
  reopen: again,
  connect: again,
});
