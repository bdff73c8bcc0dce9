/**
 * The process of `sqlite_kill_test.ts`: `sqlite_load.ts FILE ROUND`.
 *
 * @module
 */

import { SqliteStore } from "@rockpool/workflow/sqlite";
import { loadUntilKilled } from "./load.ts";

const [path, round] = Deno.args;
await loadUntilKilled(await SqliteStore.open(path), round);
