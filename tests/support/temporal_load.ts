/**
 * The process of `temporal_kill_test.ts`: `temporal_load.ts FILE ROUND`.
 *
 * @module
 */

import { SqliteStore } from "@rockpool/workflow/sqlite";
import { loadUntilKilled, print } from "./load.ts";
import { workHost } from "./temporal_work.ts";

const [path, round] = Deno.args;
const host = workHost((id, step) => print("ran", id, step));
const { workflows } = host.crashOptions;
await loadUntilKilled(await SqliteStore.open(path), round, { workflow: host.workflow("work"), workflows });
