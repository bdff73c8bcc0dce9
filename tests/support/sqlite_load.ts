/**
 * The process of `sqlite_kill_test.ts`: `sqlite_load.ts FILE ROUND`. A file `worker.db` is opened in a worker.
 *
 * @module
 */

import { SqliteStore } from "@rockpool/workflow/sqlite";
import { loadUntilKilled } from "./load.ts";

const [path, round] = Deno.args;
await loadUntilKilled(await SqliteStore.open(path, { worker: path.endsWith("worker.db") }), round);
