/**
 * The process of `kill.ts`: `load.ts SCHEMA ROUND`.
 *
 * @module
 */

import { loadUntilKilled } from "../support/load.ts";
import { openSchema } from "./clients.ts";

const [schema, round] = Deno.args;
await loadUntilKilled(await openSchema(schema), round, { leaseMs: 0 }); // the next process does not wait for a lease
