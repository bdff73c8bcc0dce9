/**
 * Runs everything in a process, and prints an outcome a line. At the end an executor stays open; the process must end by itself.
 *
 * @module
 */

import { leaveOpen } from "../cases.ts";
import { EXIT, perform, performAll } from "../scenario.ts";
import { sqliteOutcomes } from "../sqlite.ts";
import { temporalOutcome } from "../temporal.ts";

for await (const outcome of performAll(perform)) console.log(JSON.stringify(outcome));
for await (const outcome of sqliteOutcomes()) console.log(JSON.stringify(outcome));
console.log(JSON.stringify(await temporalOutcome()));
await leaveOpen();
console.log(JSON.stringify({ name: EXIT }));
