/**
 * The process of `deno_kv_kill_test.ts`: `kv_load.ts FILE ROUND`.
 *
 * @module
 */

import { DenoKvStore } from "@rockpool/workflow/deno-kv";
import { loadUntilKilled } from "./load.ts";

const [path, round] = Deno.args;
const store = new DenoKvStore(await Deno.openKv(path));
// Without leases: the next process does not wait for those of the killed one. Some values are larger than one transaction.
await loadUntilKilled(store, round, { leaseMs: 0, large: "large".repeat(100_000) });
