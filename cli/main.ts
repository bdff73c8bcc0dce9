/**
 * The command line as a function: arguments in, an exit code out.
 *
 * @module
 */

import { act, type Action } from "./act.ts";
import { diff } from "./diff.ts";
import { exportRun } from "./export.ts";
import { fork } from "./fork.ts";
import { Failure, messageOf } from "./failure.ts";
import { inspect } from "./inspect.ts";
import { list } from "./list.ts";
import { type Command, readCommand } from "./options.ts";
import { type CliIo, Printer } from "./print.ts";
import { query } from "./query.ts";
import { replay } from "./replay.ts";
import { show } from "./show.ts";
import { serve } from "./serve.ts";
import type { Source } from "./runs.ts";
import { openSource } from "./source.ts";
import { watch } from "./watch.ts";

/**
 * Runs a command line.
 *
 * @param args The arguments, without the program.
 * @param io What it uses of its process.
 * @returns The exit code: 0; 1 if something was not found or a check failed; 2 for a wrong use; 130 if it was interrupted. An error
 * is one line on the standard error. It never rejects.
 *
 * @category Command line
 *
 * @example
 * ```ts
 * import { main } from "@rockpool/workflow/cli";
 * import { assertEquals, assertStringIncludes } from "@std/assert";
 *
 * const errors: string[] = [];
 * const code = await main(["lst"], { out: console.log, error: (text) => errors.push(text) });
 * assertEquals(code, 2);
 * assertStringIncludes(errors.join(), 'There is no command "lst"');
 * ```
 */
export async function main(args: readonly string[], io: CliIo): Promise<number> {
  const printer = new Printer(io);
  try {
    const command = readCommand(args);
    if ("help" in command) {
      printer.text(command.help);
      return 0;
    }
    return await interruptible(command, printer);
  } catch (error) {
    try {
      printer.error({ text: messageOf(error), color: "red" });
    } catch {
      // there is nobody to tell
    }
    return error instanceof Failure ? error.exitCode : 1;
  }
}

/** Runs a command. An interrupt ends it: `watch` and `serve` end by themselves, any other one is left as it is. */
async function interruptible(command: Command, printer: Printer): Promise<number> {
  const { signal } = printer.io;
  const running = run(command, printer);
  if (signal === undefined || command.name === "watch" || command.name === "serve") return await running;
  let interrupt!: () => void;
  const interrupted = new Promise<never>((_, reject) => {
    interrupt = () => reject(new Failure(130, "Interrupted"));
    signal.addEventListener("abort", interrupt, { once: true });
  });
  try {
    return await Promise.race([running, interrupted]);
  } finally {
    signal.removeEventListener("abort", interrupt);
  }
}

async function run({ name, args, flags }: Command, printer: Printer): Promise<number> {
  const [place, id, ...rest] = args;
  if (name === "inspect") return await inspect(place, flags, printer);
  const isAction = ["signal", "update", "cancel", "terminate", "fork"].includes(name);
  const source: Source = await openSource(place, { write: isAction || name === "serve" && flags.actions === true });
  try {
    switch (name) {
      case "list":
        return await list(source, flags, printer);
      case "show":
        return await show(source, id, flags, printer);
      case "watch":
        return await watch(source, id, flags, printer);
      case "query":
        return await query(source, [id, ...rest], flags, printer);
      case "replay":
        return await replay(source, id, flags, printer);
      case "export":
        return await exportRun(source, id, flags, printer);
      case "diff":
        return await diff(source, [id, ...rest], flags, printer);
      case "fork":
        return await fork(source, [id, ...rest], flags, printer);
      case "serve":
        return await serve(source, flags, printer);
      default:
        return await act(name as Action, source, [id, ...rest], flags, printer);
    }
  } finally {
    await source.close();
  }
}
