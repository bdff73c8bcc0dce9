/** `DenoKvStore`: the contract, in memory and in a file, alone and beside another instance. */

import type { WorkflowStore } from "@rockpool/workflow";
import { testStore } from "@rockpool/workflow/testing";
import { KvFiles } from "../tests/support/kv_files.ts";

const files = new KvFiles();

testStore(Deno.test, () => files.open(":memory:"), { name: "DenoKvStore in memory" });

const again = (store: WorkflowStore) => files.again(store);
testStore(Deno.test, () => files.open(), {
  name: "DenoKvStore in a file",
  reopen: again,
  connect: again,
});
