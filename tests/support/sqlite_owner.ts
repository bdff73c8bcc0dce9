/**
 * A process that owns a run in an SQLite file: `sqlite_owner.ts PATH OWNER`. It prints `ready`, and then appends an event of its run
 * for each line that it reads, and prints `stored` or the code of the error.
 *
 * @module
 */

import type { WorkflowError, WorkflowEvent } from "@rockpool/workflow";
import { SqliteStore } from "@rockpool/workflow/sqlite";

const [path, owner] = Deno.args;
const store = await SqliteStore.open(path);
await store.claim({ owner, leaseMs: 600_000, limit: 0 });
const id = { workflowId: owner, runId: "1" };
const started: WorkflowEvent = { type: "workflow_started", at: 1, workflowName: "w" };
await store.append({ ...id, expectedLength: 0, events: [started], owner });
console.log("ready");
let expectedLength = 1;
for await (const _ of Deno.stdin.readable) {
  const events: WorkflowEvent[] = [{ type: "timer_fired", at: 2, seq: 0 }];
  const stored = store.append({ ...id, expectedLength, events, owner });
  console.log(await stored.then(() => "stored", (error: WorkflowError) => error.code ?? error.message));
  expectedLength++;
}
