/**
 * A process that owns a run in an SQLite file by a long lease, until it is killed. It prints a line when it does.
 *
 * @module
 */

import { SqliteStore } from "@rockpool/workflow/sqlite";

const store = await SqliteStore.open(Deno.args[0]);
await store.claim({ owner: "holder", leaseMs: 1e9, limit: 0 });
const events = [{ type: "workflow_started", at: 0, workflowName: "w" }] as const;
await store.append({ workflowId: "a", runId: "1", expectedLength: 0, events, owner: "holder" });
console.log("owns a run");
await Deno.stdin.readable.pipeTo(Deno.stdout.writable); // until it is killed
