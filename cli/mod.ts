/**
 * The command line: looks at workflows in an SQLite file, a snapshot, a history file, or through an inspector.
 *
 * ```sh
 * deno run --allow-read jsr:@rockpool/workflow/cli list orders.db
 * ```
 *
 * `docs/cli.md` shows each command. The module is a program, and exports it as a function.
 *
 * @module
 */

import { isProgram, runProgram } from "./program.ts";

export { main } from "./main.ts";
export type { CliIo } from "./print.ts";

if (isProgram(import.meta)) void runProgram();
