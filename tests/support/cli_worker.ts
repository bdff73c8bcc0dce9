/**
 * A process that runs the workflows of an SQLite file until it is killed.
 *
 * @module
 */

import { Executor } from "../../mod.ts";
import { SqliteStore } from "../../stores/sqlite.ts";
import { order } from "./cli_workflows.ts";

const store = await SqliteStore.open(Deno.args[0]);
const executor = new Executor({ store, workflows: { order } });
await executor.recover();
console.log("working");
await executor.work();
