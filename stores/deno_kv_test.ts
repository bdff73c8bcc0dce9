/** `DenoKvStore`: the contract, in memory and in a file, alone and beside another instance. */

import type { WorkflowStore } from "@rockpool/workflow";
import { type StoreMember, testStore } from "@rockpool/workflow/testing";
import { KvFiles } from "../tests/support/kv_files.ts";

const files = new KvFiles();
const members: StoreMember[] = ["heads", "count", "loadSince", "deliver", "claim"];

testStore(Deno.test, () => files.open(":memory:"), { name: "DenoKvStore in memory", members });

const again = (store: WorkflowStore) => files.again(store);
testStore(Deno.test, () => files.open(), {
  name: "DenoKvStore in a file",
  members,
  timeoutMs: 20_000, // each write waits for the disk
  reopen: again,
  connect: again,
});
